"""The sentences of a caption: one function for all equations, and another one for each that has more to be said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

from torch import Tensor

from pdekit.boundaries import Periodic, Wall
from pdekit.captions.regions import describe_field
from pdekit.captions.wording import Wording
from pdekit.captions.words import as_sentence, listed, significant
from pdekit.fields import Equation, Problem


@dataclass(frozen=True)
class Subject:
    """Trajectory that a caption is about.

    Args:
        problem: with the grid and the boundary.
        params: values by name, of those that vary.
        level: "short", "medium" or "full".
        wording: chooser of paraphrases.
        frame: the first frame, "channel *space"; None if it is not to be described.
    """

    problem: Problem
    params: Mapping[str, float]
    level: str
    wording: Wording
    frame: Tensor | None = None

    def value(self, name: str) -> float:
        """A parameter: the one that varies, else that of the equation."""
        return float(self.params[name] if name in self.params else getattr(self.problem.pde, name))


@singledispatch
def sentences_about(pde: Equation, subject: Subject) -> list[str]:
    """Sentences about a trajectory of an equation.

    Short: what happens. Medium: `PDE.describe`, which names the values that matter. Full: the values of all varying
    parameters, the box with its boundary, and the regions of the first frame in addition.
    """
    described = pde.describe(dict(subject.params))
    if subject.level == "short":
        return [without_values(described)]
    if subject.level == "medium":
        return [described]
    return [described, *parameter_sentence(subject), *box_sentence(subject), *frame_sentence(subject)]


NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
FIXED = re.compile(r"Lorenz-96|\d+ coupled")  # numbers that name something
OF_VALUE = re.compile(rf" (?:of|by) (?:speed )?{NUMBER}(?: [A-Z][\w/^]*)?(?= |$)")


def without_values(described: str) -> str:
    """A description without its values.

    >>> without_values("Fronts of Burgers' equation with viscosity 0.01."), without_values("A wave of 40 Hz warms air.")
    ("Fronts of Burgers' equation.", 'A wave warms air.')
    """
    kept = FIXED.sub("", described)
    for cut in re.finditer(r" with |, ", described):
        if not re.search(r"\d", FIXED.sub("", described[: cut.start()])):
            return as_sentence(described[: cut.start()])
    if not re.search(r"\d", kept):
        return described
    plain = OF_VALUE.sub("", described.rstrip("."))
    first = re.search(r"\d", plain)
    return as_sentence(re.sub(r"(,|\W\w{1,2})*\W*$", "", plain[: first.start()] if first else plain))


def parameter_sentence(subject: Subject) -> list[str]:
    """A sentence with the name and the value of each varying parameter; none if nothing varies."""
    start, link = subject.wording.of((("the parameters are ", " "), ("the ", " is "), ("here ", " equals ")))
    parts = [f"{name.replace('_', ' ')}{link}{significant(value)}" for name, value in subject.params.items()]
    return [as_sentence(start + listed(parts, last=", and " if len(parts) > 2 else " and "))] if parts else []


def box_sentence(subject: Subject) -> list[str]:
    """A sentence about the lengths of the box and its ends; none for problems without a box."""
    grid = subject.problem.grid
    if not subject.problem.on_box:
        return []
    sizes = zip(grid.axes, grid.extent, strict=True)
    lengths = [float(subject.params.get(f"length_{axis}", length)) for axis, length in sizes]
    size = " by ".join(significant(length) for length in lengths)
    box = subject.wording.of((f"The box measures {size}", f"The domain is {size} in size"))
    return [as_sentence(f"{box} and {ends(subject.problem)}")]


def ends(problem: Problem) -> str:
    """Words for the conditions at the ends of all axes."""
    conditions = [end for pair in problem.boundary for end in pair]
    if all(end == Periodic() for end in conditions):
        return "is periodic"
    if all(end == Wall("free_slip") for end in conditions):
        return "is closed by walls without friction"
    if all(end.word == Wall.word for end in conditions):
        return "is closed by walls" + sliding(problem)
    words = [
        f"{axis}: {lower} and {upper}"
        for axis, (lower, upper) in zip(problem.grid.axes, problem.boundary, strict=True)
        if lower != Periodic()
    ]
    return "has the boundary conditions " + "; ".join(words)


def sliding(problem: Problem) -> str:
    """Words for walls that slide; none if all rest."""
    found = [
        f"the {side} end of {axis} slides with the speed {significant(end.speed)}"
        for axis, pair in zip(problem.grid.axes, problem.sides, strict=True)
        for side, end in zip(("lower", "upper"), pair, strict=True)
        if end.speed
    ]
    return f", and {listed(found)}" if found else ""


def frame_sentence(subject: Subject) -> list[str]:
    """A sentence about the regions of the first frame; none if there is no frame or nothing to be counted in it."""
    if subject.frame is None:
        return []
    found = describe_field(subject.frame, subject.problem)
    start = subject.wording.of(("the first frame has", "at the start one sees"))
    return [as_sentence(f"{start} {found}")] if found else []
