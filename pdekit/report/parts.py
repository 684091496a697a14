"""Pieces of a page of which the reader chooses one: charts and tables, as plain values for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One entry of a table: the number, the small text under it, and whether it is the best of its row."""

    text: str
    small: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class TableLine:
    """One line of a table; the model whose colour it carries, if any; one cell over the whole width says a reason."""

    label: str
    cells: tuple[Cell, ...] = ()
    note: str = ""
    reason: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        caption: description of its contents, for screen readers.
        heads: (title, small text under it) of each column, the column of labels first.
        lines: its lines.
    """

    caption: str
    heads: tuple[tuple[str, str], ...]
    lines: tuple[TableLine, ...]


@dataclass(frozen=True)
class Part:
    """Charts, table and note for one combination of choices.

    Args:
        choice: one word for each menu, e.g. the measure and the field.
        charts: SVG elements.
        table: table below the charts.
        note: text below the table.
    """

    choice: tuple[str, ...]
    charts: tuple[str, ...] = ()
    table: Table | None = None
    note: str = ""


@dataclass(frozen=True)
class Choice:
    """Parts of which one is seen, what the choices are called, and what is chosen at first (None: the first)."""

    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    start: tuple[str | None, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts)


def choice(labels: Sequence[str], parts: Sequence[Part], start: Sequence[str | None] = ()) -> Choice:
    """Parts under the names of their choices."""
    return Choice(tuple(labels), tuple(parts), tuple(start) or (None,) * len(labels))
