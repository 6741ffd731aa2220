"""``codecbench selftest``: do metrics give the right values here, do codecs keep their contract?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from codecbench.errors import CodecBenchError

if TYPE_CHECKING:
    from codecbench.testing.results import CheckResult

_STATES = {True: "ok", False: "FAILED", None: "not here"}


@click.command()
@click.argument("metrics", metavar="[METRIC...]", nargs=-1)
@click.option(
    "--codec", "codecs", multiple=True, metavar="NAME[:FILE]", help="Check a codec; may be given again."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def selftest(metrics: tuple[str, ...], codecs: tuple[str, ...], as_json: bool) -> None:
    """Check metrics (all by default) against golden values, or codecs against the contract of codecs."""
    results: list[CheckResult] = []
    if codecs:
        from codecbench.testing.codecs import check_codec

        results += [result for spec in codecs for result in check_codec(spec)]
    if metrics or not codecs:
        from codecbench.testing.metrics import selftest as check_metrics

        results += check_metrics(metrics or None)
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=1))
    else:
        for result in results:
            click.echo(_line(result))
    wrong = [f"{result.name} {result.check}" for result in results if result.passed is False]
    if wrong:
        raise CodecBenchError(
            f"{len(wrong)} of {len(results)} checks failed: {', '.join(wrong)}; report it with this output"
        )


def _line(result: CheckResult) -> str:
    measured = f"{result.measured:.6g}" if isinstance(result.measured, float) else result.measured
    line = f"{_STATES[result.passed]:8}  {result.name:13} {result.check:17} {measured}"
    in_words = isinstance(result.measured, str) and result.measured != result.expected
    return line if result.passed and in_words else f"{line} (expected: {result.expected})"
