"""Captions of the air around a warm disc (ns_heat): its place, size and heat."""

from __future__ import annotations

from pdekit.captions.sentences import Subject, box_sentence, sentences_about
from pdekit.captions.words import as_sentence, graded, place_name, significant
from pdekit.pdes.thermo_fluid import ThermoFluid

SIZES = ((0.105, 0.12), ("small", "medium-sized", "large"))
"""Thresholds of the radius over the width of the box."""
HEATS = ((65.0, 85.0), ("weakly", "moderately", "strongly"))
"""Thresholds of the heat [W/m^3]."""


@sentences_about.register
def _(pde: ThermoFluid, subject: Subject) -> list[str]:
    names = ("disc_x", "disc_y", "disc_radius", "heat", "coupling")
    x, y, radius, heat, coupling = (subject.value(name) for name in names)
    grid = subject.problem.box
    size = graded(radius / float(grid.extent[0]), *SIZES)
    where = place_name(x, y, grid.origin, [float(length) for length in grid.extent])
    does = subject.wording.of(("a plume of air rises from", "air rises around")) if coupling else "air rests around"
    start = f"{does} a {size}, {graded(heat, *HEATS)} heated disc in {where}"
    if subject.level == "short":
        return [as_sentence(start)]
    if subject.level == "medium":
        return [as_sentence(f"{start}, with heat {significant(heat, 2)} W/m^3")]
    at_x, at_y, wide, warm = (significant(value) for value in (x, y, radius, heat))
    exact = f"the disc at x {at_x} and y {at_y} has radius {wide} and heat {warm}"
    rest = subject.wording.of(("the left and right sides are cold", "the sides at the left and right are cold"))
    return [as_sentence(start), as_sentence(exact), as_sentence(rest), *box_sentence(subject)]
