"""The table at the head of a report: errors, horizons and costs of all models."""

from __future__ import annotations

from pdekit.report.compared import why_compared
from pdekit.report.sections.base import Page
from pdekit.report.summary import THRESHOLD


def overview_section(page: Page) -> str:
    """Fill the table of all models."""
    several = page.scores.sizes["field"] > 1
    return page.fill("overview", threshold=THRESHOLD, several_fields=several, why_compared=why_compared(page.scores))
