"""Captions of smoke: count, places, sizes and strengths of the plumes, and the buoyancy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pdekit.captions.sentences import Subject, box_sentence, sentences_about
from pdekit.captions.words import as_sentence, count, graded, listed, place_name, plural, significant
from pdekit.pdes.boussinesq import SLOTS, Boussinesq

SIZES = ((0.05, 0.06), ("small", "medium-sized", "large"))
STRENGTHS = ((0.85, 1.15), ("weak", "moderate", "strong"))
BUOYANCIES = ((0.4, 0.6), ("weakly", "moderately", "strongly"))
"""Thresholds of the radius [m], the rate [1/s] and the buoyancy [m/s^2], and the words between them."""


@dataclass(frozen=True)
class Inlet:
    """One inlet of smoke.

    Args:
        x, y, radius, rate: as in `pdekit.pdes.Boussinesq`.
    """

    x: float
    y: float
    radius: float
    rate: float

    @property
    def where(self) -> str:
        return place_name(self.x, self.y)

    @property
    def size(self) -> str:
        return graded(self.radius, *SIZES)

    @property
    def strength(self) -> str:
        return graded(self.rate, *STRENGTHS)

    @property
    def values(self) -> str:
        x, y, radius, rate = (significant(value) for value in (self.x, self.y, self.radius, self.rate))
        return f"x {x} and y {y} with radius {radius} and rate {rate}"


def inlets_of(subject: Subject) -> list[Inlet]:
    """The inlets that are there, in the order of their numbers."""
    names = ("x", "y", "radius", "rate")
    found = [Inlet(*(subject.value(f"{name}_{n}") for name in names)) for n in SLOTS]
    return [inlet for inlet in found if inlet.rate > 0]


@sentences_about.register
def _(pde: Boussinesq, subject: Subject) -> list[str]:
    found, buoyancy = inlets_of(subject), subject.value("buoyancy")
    if not found:
        return ["The air in a closed box is at rest or moves weakly; no smoke enters."]
    if subject.level == "short":
        return [_short(found, buoyancy, subject)]
    strength = graded(buoyancy, *BUOYANCIES)
    full = subject.level == "full"
    value = f"buoyancy {significant(buoyancy, 4 if full else 2)}"
    light = subject.wording.of(
        (
            f"the smoke is {strength} buoyant, with {value}",
            f"with {value} the smoke is {strength} buoyant",
            f"the smoke has {value} and is {strength} buoyant",
        )
    )
    listing = [_plume(inlet, subject, full) for inlet in found]
    if not full:
        return [as_sentence(f"{listed(listing)}; {light}")]
    start = subject.wording.of(
        (
            f"smoke rises in {plural(len(found), 'plume')}",
            f"{plural(len(found), 'plume')} of smoke rise{'s' if len(found) == 1 else ''}",
        )
    )
    return [as_sentence(f"{start}: {listed(listing, '; ', '; ')}"), as_sentence(light), *box_sentence(subject)]


def _short(found: list[Inlet], buoyancy: float, subject: Subject) -> str:
    """Count, size where all have one, places and buoyancy, as a person would type them."""
    sizes = {inlet.size for inlet in found}
    size = f"{sizes.pop()} " if len(sizes) == 1 else ""
    one, places, value = len(found) == 1, _places(found), significant(buoyancy, 2)
    things = f"{count(len(found))} {size}{'plume' if one else 'plumes'}"
    inlets = f"{count(len(found))} {size}{'inlet' if one else 'inlets'}"
    return as_sentence(
        subject.wording.of(
            (
                f"{things} rise{'s' if one else ''} from {places}, buoyancy {value}",
                f"{things} of smoke start{'s' if one else ''} at {places}; the buoyancy is {value}",
                f"smoke with buoyancy {value} rises from {inlets} at {places}",
            )
        )
    )


def _places(found: list[Inlet]) -> str:
    """Each place once, with the number of inlets there if there are several."""
    counted = Counter(inlet.where for inlet in found)
    return listed([name if n == 1 else f"{name} ({count(n)} times)" for name, n in counted.items()])


def _plume(inlet: Inlet, subject: Subject, full: bool) -> str:
    """One plume as a part of a list."""
    start = f"a {inlet.size}, {inlet.strength} plume"
    if full:
        link = subject.wording.of(("in", "from"))
        return f"{start} {link} {inlet.where} at {inlet.values}"
    return f"{start} {subject.wording.of(('rises from', 'starts in'))} {inlet.where}"
