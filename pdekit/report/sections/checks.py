"""The check of the run as an operator, if ``python -m pdekit.check`` has written one."""

from __future__ import annotations

import json
from typing import Any

from pdekit.report.parts import Cell, Table, TableLine
from pdekit.report.sections.base import Page

FILE = "check.json"
COLUMNS = ("surrogate", "solver", "persistence", "scale")


def checks_section(page: Page) -> str:
    """A table of the rows of ``check.json``; nothing if there is none.

    Raises:
        ValueError: if the file is damaged.
    """
    path = page.folder / FILE
    if not path.is_file():
        return ""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _section(page, found)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(
            f"expected the rows of a check in {path}, found a damaged file ({error}); remove it, or check the run again"
        ) from None


def _section(page: Page, found: Any) -> str:
    heads = (("row", ""), ("verdict", ""), ("share", "median, quartiles"), *((name, "median") for name in COLUMNS))
    lines = tuple(_line(row) for row in found["rows"])
    note = (
        f"{found['states']} states, rollouts of {found['horizon']} frames. The share is 0 for a forecast as good as "
        f"the reference solver and 1 for one without the property; a row passes up to a share of {found['limit']}."
    )
    return page.section("Check", table=Table("Properties of the surrogate", heads, lines), note=note)


def _line(row: Any) -> TableLine:
    verdict = row["verdict"]
    low, middle, high = (float(value) for value in verdict["share"])
    if middle != middle:
        return TableLine(row["row"], reason=f"{verdict['verdict']}: {verdict['reason']}")
    cells = [Cell(verdict["verdict"]), Cell(f"{middle:.2g}", (f"{low:.2g} to {high:.2g}",))]
    medians = (float(row[name][1]) for name in COLUMNS)
    cells += [Cell("" if median != median else f"{median:.2g}") for median in medians]
    return TableLine(row["row"], tuple(cells), note=verdict["reason"])
