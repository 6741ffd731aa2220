"""``codecbench selftest``: do the metrics give the right values on this machine?"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from codecbench.errors import CodecBenchError


@click.command()
@click.argument("metrics", metavar="[METRIC...]", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def selftest(metrics: tuple[str, ...], as_json: bool) -> None:
    """Check metrics (all by default) against golden values, swapped, delayed and with silence."""
    from codecbench.testing.metrics import selftest as check

    results = check(metrics or None)
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=1))
    else:
        for result in results:
            state = {True: "ok", False: "FAILED", None: "not here"}[result.passed]
            measured = f"{result.measured:.6g}" if isinstance(result.measured, float) else result.measured
            click.echo(
                f"{state:8}  {result.metric:13} {result.check:17} {measured} (expected {result.expected})"
            )
    wrong = [f"{result.metric} {result.check}" for result in results if result.passed is False]
    if wrong:
        raise CodecBenchError(f"{len(wrong)} of {len(results)} checks failed: {', '.join(wrong)}; report it")
