"""A check as a table, as JSON, and as JUnit XML for continuous integration."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from pdekit.checks.run import Finding
from pdekit.checks.verdict import CANNOT_SAY, FAIL, PASS, Quartiles
from pdekit.plain import to_json
from pdekit.provenance import write_whole

FILE = "check.json"
FORMAT = "pdekit check 1"


def findings_table(findings: Sequence[Finding], title: str) -> str:
    """Return the table of a check: a line for each row, and the counts.

    The columns are medians over states; the share has its quartiles.
    """
    heads = ("row", "verdict", "share [quartiles]", "surrogate", "solver", "baseline", "scale", "reason")
    lines = [heads, *(_line(finding) for finding in findings)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads) - 1)]
    rows = [
        "  ".join([*(text.ljust(n) for text, n in zip(line[:-1], widths, strict=True)), line[-1]]) for line in lines
    ]
    return "\n".join([title, "", *(row.rstrip() for row in rows), "", counts_of(findings)])


def counts_of(findings: Sequence[Finding]) -> str:
    """Return how many rows have each verdict, in one line."""
    count = Counter(finding.verdict.verdict for finding in findings)
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in (PASS, FAIL, CANNOT_SAY))


def _line(finding: Finding) -> tuple[str, ...]:
    low, middle, high = finding.verdict.share
    share = "" if math.isnan(middle) else f"{middle:.2g} [{low:.2g}, {high:.2g}]"
    columns = (finding.surrogate, finding.solver, finding.persistence, finding.scale)
    return (finding.row, finding.verdict.verdict, share, *(_median(column) for column in columns),
            finding.verdict.reason)  # fmt: skip


def _median(values: Quartiles) -> str:
    return "" if math.isnan(values[1]) else f"{values[1]:.2g}"


def write_findings(path: Path, findings: Sequence[Finding], about: dict) -> None:
    """Write ``check.json``: the format, what was checked, and every finding; NaN and infinities as text."""
    rows = [dataclasses.asdict(finding) for finding in findings]
    found = {"format": FORMAT, **about, "rows": rows}
    write_whole(path, to_json(found, indent=1, constant=lambda constant: str(float(constant))) + "\n")


def write_junit(path: Path, findings: Sequence[Finding], suite: str) -> None:
    """Write JUnit XML: a test case for each row, FAIL as a failure and CANNOT SAY as skipped."""
    count = Counter(finding.verdict.verdict for finding in findings)
    numbers = {"tests": len(findings), "failures": count[FAIL], "skipped": count[CANNOT_SAY], "errors": 0}
    root = ElementTree.Element("testsuite", {"name": suite} | {key: str(n) for key, n in numbers.items()})
    for finding in findings:
        group, _, name = finding.row.partition(".")
        case = ElementTree.SubElement(
            root, "testcase", {"classname": f"{suite}.{group}", "name": name, "time": f"{finding.seconds:.3f}"}
        )
        if finding.verdict.verdict == FAIL:
            low, middle, high = finding.verdict.share
            share = "" if math.isnan(middle) else f" {middle:.3g} [{low:.3g}, {high:.3g}] of the damage"
            words = f"{finding.question}{share}"
            ElementTree.SubElement(case, "failure", {"message": words}).text = finding.verdict.reason
        if finding.verdict.verdict == CANNOT_SAY:
            ElementTree.SubElement(case, "skipped", {"message": finding.verdict.reason})
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
    write_whole(path, text + "\n")
