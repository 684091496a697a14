"""Captions of flow past a cylinder: the published one, word for word, paraphrases of it, and what they state.

The published caption is one of the wordings of the level "full", so that its data and prompts can be used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pdekit.captions.reading import NUMBER, number_of
from pdekit.captions.sentences import Subject, sentences_about
from pdekit.captions.words import as_sentence, graded, significant
from pdekit.pdes.cylinder_flow import CylinderFlow

VISCOSITY = 1.0533e-6  # m^2/s
LAMINAR, TRANSITION = 200, 350
"""Captioned Reynolds numbers below which the flow is called laminar, and in transition."""

SIZES = ((0.043, 0.052), ("small", "medium-sized", "large"))
"""Thresholds of the radius [m]."""
PLACES = ((0.19, 0.22), ("close to the lower wall", "in the middle of the channel", "close to the upper wall"))
"""Thresholds of the height of the centre [m]."""
SPEEDS = ((0.1, 0.15), ("slow", "moderate", "fast"))
"""Thresholds of the mean velocity at the inlet [m/s]."""


def captioned_reynolds_number(radius: float, velocity: float, viscosity: float = VISCOSITY) -> int:
    """The number in the published captions, rounded to 10: velocity * 2 radius / 100 / viscosity.

    It is a hundredth of velocity * 2 radius / viscosity, because the authors take a radius in metres for centimetres.

    >>> captioned_reynolds_number(0.05, 0.3)
    280
    """
    return 10 * round(velocity * 2 * radius / 100 / viscosity / 10)


def cylinder_caption(radius: float, x: float, y: float, velocity: float, viscosity: float = VISCOSITY) -> str:
    """The caption of one simulation.

    Source: A. Zhou et al., Text2PDE (arXiv:2410.01153), the captions of the data cylinder_flow of Pfaff et al. (2021).

    Args:
        radius: of the cylinder [m]; it is printed in centimetres, without a unit.
        x, y: its centre [m].
        velocity: mean velocity at the inlet [m/s].
        viscosity: [m^2/s]; a hundredth of it gives the Reynolds number, see `captioned_reynolds_number`.

    >>> cylinder_caption(0.05, 0.33, 0.2, 0.3)[:85]
    'Fluid passes over a cylinder with a radius of 5.00 and position: 0.33, 0.20. Fluid en'
    """
    number = captioned_reynolds_number(radius, velocity, viscosity)
    if number < LAMINAR:
        regime = "The flow is fully laminar."
    elif number < TRANSITION:
        regime = "The flow is transitioning in the wake."
    else:
        regime = "The flow is turbulent."
    return (
        f"Fluid passes over a cylinder with a radius of {100 * radius:.2f} and position: {x:.2f}, {y:.2f}. "
        f"Fluid enters with a velocity of {velocity:.2f}. The Reynolds number is {number}. {regime}"
    )


@sentences_about.register
def _(pde: CylinderFlow, subject: Subject) -> list[str]:
    radius, x, y, speed = (subject.value(name) for name in ("radius", "center_x", "center_y", "u_inlet"))
    viscosity = subject.value("viscosity")
    number = significant(2 * radius * speed / viscosity, 3)
    size, place, pace = graded(radius, *SIZES), graded(y, *PLACES), graded(speed, *SPEEDS)
    passes = subject.wording.of(("flows past", "passes", "streams around"))
    start = f"{pace} fluid {passes} a {size} cylinder {place}"
    if subject.level == "short":
        return [as_sentence(start)]
    if subject.level == "medium":
        at = f"Reynolds number {number}"
        return [as_sentence(subject.wording.of((f"{start}, {at}", f"at {at}, {start}")))]
    r, at_x, at_y, u = (significant(value) for value in (radius, x, y, speed))
    numbers = f"its radius is {r}, its centre is at x {at_x} and y {at_y}, the mean velocity is {u}"
    geometry = f"a cylinder of radius {r} with its centre at x {at_x} and y {at_y}"
    wordings = (
        [cylinder_caption(radius, x, y, speed, viscosity / 100)],
        [as_sentence(start), as_sentence(f"{numbers}, and the Reynolds number is {number}")],
        [as_sentence(f"at a Reynolds number of {number} and a mean velocity of {u}, fluid {passes} {geometry}")],
    )
    return subject.wording.of(wordings)


LENGTHS = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
"""Metres of each unit of length that is read."""
SPEED_UNITS = {f"{unit}/s": metres for unit, metres in LENGTHS.items()}
FOREIGN = (
    *("dm", "km", "um", "nm", "inch", "inches", "ft", "foot", "feet", "yards?", "miles?", "mph", "knots?"),
    *("(?:centi|milli|kilo)?met(?:re|er)s?", "%"),
)  # units that are recognised, and not read
MEASURE = rf"{NUMBER}(?: ?((?:{'|'.join((*LENGTHS, *FOREIGN))})(?:/\w+| per \w+)?)(?!\w))?"


@dataclass(frozen=True)
class Stated:
    """Place of a quantity in a caption.

    Args:
        patterns: with the groups value and unit, and the factor of a value without a unit; the first one counts.
        units: factors of the units.
        largest: upper limit [m] of what a channel holds; it is 0.41 m high, and at most 2.2 m long (DFG 2D-2).
    """

    patterns: tuple[tuple[str, float], ...]
    units: Mapping[str, float]
    largest: float = math.inf


STATED = {
    "center_x": Stated(((rf"\bx {MEASURE} and y", 1.0), (rf"\bposition: {MEASURE},", 1.0)), LENGTHS, 2.2),
    "center_y": Stated(((rf"\band y {MEASURE}", 1.0), (rf"\bposition: [^,]+, {MEASURE}", 1.0)), LENGTHS, 0.41),
    "radius": Stated(
        # the published captions give the radius in centimetres, without a unit
        ((rf"\bradius of {MEASURE} and position", 0.01), (rf"\bradius (?:is |of )?{MEASURE}", 1.0)),
        LENGTHS,
        0.205,
    ),
    "u_inlet": Stated(((rf"\bvelocity (?:of|is) {MEASURE}", 1.0),), SPEED_UNITS),
    "reynolds_number": Stated(((rf"\bReynolds number (?:of |is )?{MEASURE}", 1.0),), {}),
}


def read_cylinder(text: str) -> dict[str, float]:
    """Return the values that a caption or a prompt states, by name of the parameter, in metres and seconds.

    Lengths may have the units m, cm and mm, velocities m/s, cm/s and mm/s. Without a unit they are in metres and
    seconds, except for the radius of a published caption, which is in centimetres.

    Raises:
        ValueError: on another unit, and on a length that is not positive or larger than the channel.

    >>> read_cylinder(cylinder_caption(0.05, 0.33, 0.2, 0.15))
    {'center_x': 0.33, 'center_y': 0.2, 'radius': 0.05, 'u_inlet': 0.15, 'reynolds_number': 140.0}
    >>> read_cylinder("Slow fluid flows past a cylinder of radius 5 cm, Reynolds number 80.")
    {'radius': 0.05, 'reynolds_number': 80.0}
    """
    found = {}
    for name, stated in STATED.items():
        for pattern, factor in stated.patterns:
            at = re.search(pattern, text, re.IGNORECASE)
            if at:
                found[name] = _in_metres(name, number_of(at[1]), at[2], factor)
                break
    return found


def _in_metres(name: str, value: float, unit: str | None, factor: float) -> float:
    """A value in metres and seconds, with the factor that it has without a unit."""
    units, largest = STATED[name].units, STATED[name].largest
    if unit is not None and unit not in units:
        *others, last = units or ("no unit",)
        wanted = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"expected {wanted} after the {name}, got {unit!r}; convert the value {value:g}")
    # divide by the inverse: 5 / 100 is 0.05, 5 * 0.01 need not be
    metres = value / round(1 / (factor if unit is None else units[unit]))
    if math.isfinite(largest) and not 0 < metres <= largest:
        raise ValueError(
            f"expected a {name} between 0 and {largest:g} m, the size of the channel, got {metres:g} m; give its unit, "
            f"as in '5 cm'"
        )
    return metres
