"""Provenance: data, code, settings and machine behind the numbers of a report."""

from __future__ import annotations

from pdekit.provenance import read_record
from pdekit.report.sections.base import Page, text_of


def provenance_section(page: Page) -> str:
    """Fill the section on provenance and configuration."""
    skipped = {"absent", "n_space", "description"}
    found = {key: str(value) for key, value in page.scores.attrs.items() if key not in skipped and value == value}
    found = {key: value for key, value in found.items() if value}
    found |= flattened({key: value for key, value in read_record(page.folder).items() if key != "findings"})
    return page.fill("provenance", config=text_of(page.folder / "config.yaml"), provenance=found)


def flattened(document: dict, prefix: str = "") -> dict[str, str]:
    """Nested keys joined by dots.

    >>> flattened({"a": 1, "b": {"c": [2, 3]}})
    {'a': '1', 'b.c': '[2, 3]'}
    """
    found: dict[str, str] = {}
    for key, value in document.items():
        found |= flattened(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: str(value)}
    return found
