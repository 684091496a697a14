"""Values and places read from a caption or a prompt: the inverse of the grammar, for checks of generated flows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pdekit.captions.words import COUNTS

DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"  # 1,000 is a thousand; "0.4, 200" are two numbers
NUMBER = rf"(-?{DIGITS}(?:\.\d+)?(?:e[-+]?\d+)?)"
COLUMNS = {"left": 0, "centre": 1, "center": 1, "middle": 1, "right": 2}
ROWS = {"lower": 0, "bottom": 0, "upper": 2, "top": 2}
SIDES = r"(?! (?:and right )?sides?)"  # "the left and right sides" is no place
PLACE = re.compile(rf"\bthe (?:({'|'.join(ROWS)}) )?({'|'.join(COLUMNS)})\b{SIDES}(?: \((\w+) times\))?", re.IGNORECASE)
PLUMES = re.compile(rf"\b({'|'.join(COUNTS[1:])}|{DIGITS}) (?:\S+ )?(?:plume|inlet)s?\b", re.IGNORECASE)
SIZE = re.compile(r"\b(small|medium-sized|large)\b", re.IGNORECASE)

Cell = tuple[int, int]
"""Thirds along x and y, each 0, 1 or 2."""


@dataclass(frozen=True)
class SmokeReading:
    """Facts about smoke that a prompt states.

    Args:
        count: of the plumes; None if it is not stated.
        cells: of the places that are named, in their order.
        sizes: words, in their order; one for all if it stands before a count.
        buoyancy: None if it is not stated.
        inlets: (x, y, radius, rate) of those with numbers.
    """

    count: int | None
    cells: tuple[Cell, ...]
    sizes: tuple[str, ...]
    buoyancy: float | None
    inlets: tuple[tuple[float, ...], ...]


def read_values(text: str, names: Sequence[str]) -> dict[str, float]:
    """Values that follow the names of parameters, of those that a text holds.

    >>> read_values("It has a viscosity of 0.02, and drag of 0.1.", ["viscosity", "drag", "forcing"])
    {'viscosity': 0.02, 'drag': 0.1}
    >>> read_values("Viscosity 1,000.5, 3 modes", ["viscosity"])
    {'viscosity': 1000.5}
    """
    found = {}
    for name in names:
        words = re.escape(name.replace("_", " "))
        at = re.search(rf"\b{words}(?: is| equals| of)? {NUMBER}", text, re.IGNORECASE)
        if at:
            found[name] = number_of(at[1])
    return found


def number_of(text: str) -> float:
    """A number as it is written, with or without commas between thousands."""
    return float(text.replace(",", ""))


def read_places(text: str) -> tuple[Cell, ...]:
    """Cells of the 3 x 3 parts of a box that a text names.

    >>> read_places("from the lower left and the centre (two times)")
    ((0, 0), (1, 1), (1, 1))
    """
    found = []
    for row, column, times in PLACE.findall(text):
        cell = (COLUMNS[column.lower()], ROWS.get(row.lower(), 1))
        found += [cell] * (COUNTS.index(times.lower()) if times.lower() in COUNTS else 1)
    return tuple(found)


def read_smoke(text: str) -> SmokeReading:
    """Return the facts about smoke that a caption or a prompt states.

    >>> found = read_smoke("Two large plumes rise from the lower left and the centre, buoyancy 0.4")
    >>> found.count, found.cells, found.sizes, found.buoyancy
    (2, ((0, 0), (1, 1)), ('large',), 0.4)
    """
    cells = read_places(text)
    counted = PLUMES.search(text)
    number = None
    if counted:
        word = counted[1].lower()
        number = COUNTS.index(word) if word in COUNTS else int(word.replace(",", ""))
    inlets = re.findall(rf"\bx {NUMBER} and y {NUMBER} with radius {NUMBER} and rate {NUMBER}", text)
    buoyancy = re.search(rf"\bbuoyancy(?: is| of)? {NUMBER}", text, re.IGNORECASE)
    return SmokeReading(
        number if number is not None else len(cells) or None,
        cells,
        tuple(word.lower() for word in SIZE.findall(text)),
        number_of(buoyancy[1]) if buoyancy else None,
        tuple(tuple(map(number_of, inlet)) for inlet in inlets),
    )
