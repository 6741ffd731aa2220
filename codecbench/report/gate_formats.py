"""The outcome of a gate as Markdown for a pull request, JUnit XML and SARIF 2.1.0."""

from __future__ import annotations

import json
import math
from typing import Any
from xml.etree import ElementTree as ET

import codecbench
from codecbench.analysis.gate import Check, Gate
from codecbench.analysis.verdicts import INCONCLUSIVE, VERDICTS, WORSE
from codecbench.report.table_formats import escape_markdown
from codecbench.text import printable

COUNTED = "counted"
"""What stands in place of an interval where nothing is sampled."""
LEVELS = {WORSE: "error", INCONCLUSIVE: "warning"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sentence(check: Check) -> str:
    """Return what a check found, in one sentence for people."""
    unit = f" {check.unit}" if check.unit else ""
    told = f"{check.check} {check.verdict}: {check.base_value:.4g} to {check.new_value:.4g}{unit}"
    if math.isfinite(check.low):
        told += f", gain {check.gain:+.3g} ({check.low:+.3g} to {check.high:+.3g})"
    told += f", margin {check.margin:.3g}"
    if math.isfinite(check.needed):
        told += f"; about {check.needed:.0f} utterances would settle it"
    return printable(told)


def heads(gate: Gate) -> tuple[str, ...]:
    """Return the heads of tables for people."""
    return "check", "base", "new", "gain", f"{100 * gate.level:.3g} % interval", "margin", "verdict"


def markdown(gate: Gate) -> str:
    """Return a summary fit for a pull request, the worst checks first."""
    lines = [
        f"**{gate.verdict.upper()}**: {counts(gate)}",
        "",
        f"| {' | '.join(heads(gate))} |",
        "|:--" * 7 + "|",
    ]
    for row in gate.table().to_dict("records"):
        check = Check(**{str(name): value for name, value in row.items()})
        lines.append(f"| {' | '.join(map(escape_markdown, cells(check)))} |")
    pairs = dict.fromkeys((check.base, check.new) for check in gate.checks)
    lines += ["", *(f"{escape_markdown(new)} against {escape_markdown(base)}." for base, new in pairs)]
    return "\n".join(lines) + "\n"


def cells(check: Check) -> tuple[str, ...]:
    """Return a check's row in tables for people, below `heads`."""
    between = f"{check.low:+.3g} to {check.high:+.3g}" if math.isfinite(check.low) else COUNTED
    return (
        f"{check.check} ({check.unit})" if check.unit else check.check, f"{check.base_value:.4g}",
        f"{check.new_value:.4g}", f"{check.gain:+.3g}", between, f"{check.margin:.3g}", check.verdict,
    )  # fmt: skip


def counts(gate: Gate) -> str:
    """Return how many checks have which verdict: ``6 equivalent, 1 worse``."""
    found = [check.verdict for check in gate.checks]
    return ", ".join(f"{found.count(word)} {word}" for word in VERDICTS if word in found)


def junit(gate: Gate) -> str:
    """Return JUnit XML: a test case a check, failed where worse, skipped where inconclusive."""
    verdicts = [check.verdict for check in gate.checks]
    suite = ET.Element(
        "testsuite", name="codecbench gate", tests=str(len(verdicts)), errors="0",
        failures=str(verdicts.count(WORSE)), skipped=str(verdicts.count(INCONCLUSIVE)),
    )  # fmt: skip
    for check in gate.checks:
        case = ET.SubElement(suite, "testcase", classname=printable(check.new), name=check.check)
        if check.verdict == WORSE:
            ET.SubElement(case, "failure", message=sentence(check))
        elif check.verdict == INCONCLUSIVE:
            ET.SubElement(case, "skipped", message=sentence(check))
        else:
            ET.SubElement(case, "system-out").text = sentence(check)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def sarif(gate: Gate, location: str) -> str:
    """Return SARIF 2.1.0: a result a check that is worse or inconclusive, at the file ``location``."""
    names = list(dict.fromkeys(check.check for check in gate.checks))
    place = {"physicalLocation": {"artifactLocation": {"uri": location}}}
    results: list[dict[str, Any]] = [
        {
            "ruleId": check.check,
            "level": LEVELS[check.verdict],
            "message": {"text": sentence(check)},
            "locations": [place],
        }
        for check in gate.checks
        if check.verdict in LEVELS
    ]
    driver = {
        "name": "codecbench gate",
        "version": codecbench.__version__,
        "rules": [{"id": name} for name in names],
    }
    whole = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(whole, indent=1) + "\n"
