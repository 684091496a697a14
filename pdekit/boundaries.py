"""Conditions at the ends of the axes of a box: one value for each side.

With the outward normal n of a side, u a field and g a number, a signal in time or the name of an input field:

    Periodic()        u at the lower end is u at the upper end
    Dirichlet(g)      u = g
    Neumann(g)        du/dn = g
    Robin(a, b, g)    a u + b du/dn = g; cooling is Robin(h, k, h u_outside), a flux q into the box Robin(0, k, q),
                      with the transfer coefficient h and the conductivity k
    Wall(kind)        a wall: "no_slip" (velocity 0), "free_slip" (normal velocity 0, no friction) or "unspecified";
                      Wall("no_slip", V) slides along itself with the speed V
    Inflow(g)         what enters has the value g
    Outflow()         what leaves does not come back

A condition holds for every field of a problem. Each has a short text, which configurations and older files use:
"periodic", "dirichlet 2.5", "neumann temperature_flux", "robin 2 1 40", "neumann harmonic 0 1 0.5", "wall no_slip",
"wall no_slip 1", "inflow 1", "outflow" (or "open").
"""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pdekit.signals import Signal, is_signal, signal_of

WALLS = ("no_slip", "free_slip", "unspecified")
Value = float | str | Signal
"""A number, a signal in time, or the name of an input field whose values at the end are meant."""


def _value(word: str, value: Any) -> Value:
    """Return a finite number, a signal, or a name that is neither."""
    if isinstance(value, Signal):
        return value
    if isinstance(value, str) and is_signal(value):
        return signal_of(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        if isinstance(value, str) and value.strip():
            return value
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"expected a finite number or the name of an input field after {word}, got {value!r}; correct the boundary"
        )
    return number


class Boundary(ABC):
    """Base of all conditions: frozen dataclasses of at most one value."""

    word: ClassVar[str]  # the first word of its text
    the_well: ClassVar[str]  # its name in the layout of The Well
    speed: float = 0.0  # of a wall along itself

    @property
    def no_slip(self) -> bool:
        """True for a wall at which a fluid has the velocity of the wall."""
        return False

    @property
    def given(self) -> Value | None:
        """The number, signal or name of an input field that the condition prescribes; None if there is none."""
        return None

    @property
    def number(self) -> float | None:
        """The number that is prescribed; None if nothing, a signal or an input field is."""
        return self.given if isinstance(self.given, float) else None

    @property
    def field(self) -> str | None:
        """The name of the input field that is prescribed; None if there is none."""
        return self.given if isinstance(self.given, str) else None

    @property
    def coefficients(self) -> tuple[float, float] | None:
        """alpha and beta of alpha u + beta du/dn = g; None for other kinds of conditions."""
        return None

    def __str__(self) -> str:
        return self.word if self.given is None else f"{self.word} {self.given}".removesuffix(".0")


@dataclass(frozen=True)
class Periodic(Boundary):
    """The lower end is the upper end again."""

    configurable = True
    word: ClassVar = "periodic"
    the_well: ClassVar = "PERIODIC"


@dataclass(frozen=True)
class Dirichlet(Boundary):
    """u = value.

    >>> str(Dirichlet(2.5)), str(Dirichlet()), Dirichlet("inlet").given
    ('dirichlet 2.5', 'dirichlet 0', 'inlet')
    """

    configurable = True
    word: ClassVar = "dirichlet"
    the_well: ClassVar = "WALL"

    value: Value = 0.0

    def __post_init__(self):
        object.__setattr__(self, "value", _value(self.word, self.value))

    @property
    def given(self) -> Value:
        return self.value

    @property
    def coefficients(self) -> tuple[float, float]:
        return 1.0, 0.0


@dataclass(frozen=True)
class Neumann(Boundary):
    """du/dn = flux, with the outward normal n."""

    configurable = True
    word: ClassVar = "neumann"
    the_well: ClassVar = "WALL"

    flux: Value = 0.0

    def __post_init__(self):
        object.__setattr__(self, "flux", _value(self.word, self.flux))

    @property
    def given(self) -> Value:
        return self.flux

    @property
    def coefficients(self) -> tuple[float, float]:
        return 0.0, 1.0


@dataclass(frozen=True)
class Robin(Boundary):
    """alpha u + beta du/dn = value, with the outward normal n.

    >>> str(Robin(2, 1, 40)), boundary_of("robin 0 0.6 harmonic 0 1 0.5")
    ('robin 2 1 40', Robin(alpha=0.0, beta=0.6, value=Harmonic(mean=0.0, amplitude=1.0, frequency=0.5, phase=0.0)))

    Args:
        alpha: factor of the value.
        beta: factor of the slope; not zero.
        value: value g of the sum.
    """

    configurable = True
    word: ClassVar = "robin"
    the_well: ClassVar = "WALL"

    alpha: Any
    beta: Any
    value: Value = 0.0

    def __post_init__(self):
        found = [_value(self.word, getattr(self, name)) for name in ("alpha", "beta", "value")]
        if not all(isinstance(factor, float) for factor in found[:2]) or not found[1]:
            raise ValueError(
                f"expected two numbers alpha and beta, beta not 0, in alpha u + beta du/dn = value, got {found[0]!r} "
                f"and {found[1]!r}; correct the boundary, or write dirichlet"
            )
        for name, value in zip(("alpha", "beta", "value"), found, strict=True):
            object.__setattr__(self, name, value)

    @property
    def given(self) -> Value:
        return self.value

    @property
    def coefficients(self) -> tuple[float, float]:
        return self.alpha, self.beta

    def __str__(self) -> str:
        numbers = " ".join(str(number).removesuffix(".0") for number in (self.alpha, self.beta))
        return f"{self.word} {numbers} {self.given}".removesuffix(".0")


@dataclass(frozen=True)
class Wall(Boundary):
    """A wall.

    Args:
        kind: "no_slip", "free_slip", or "unspecified" where no more is known (a grid with ends, a file of The Well).
        speed: of a no-slip wall along itself, in the direction of the first axis that lies in it.

    Raises:
        ValueError: on another kind, or a speed of a wall that has no friction.

    >>> str(Wall("no_slip")), boundary_of("wall no_slip 1.5")
    ('wall no_slip', Wall(kind='no_slip', speed=1.5))
    """

    configurable = True
    word: ClassVar = "wall"
    the_well: ClassVar = "WALL"

    kind: str = "unspecified"
    speed: float = 0.0

    def __post_init__(self):
        if self.kind not in WALLS:
            raise ValueError(f"expected a wall among {WALLS}, got {self.kind!r}; correct the boundary")
        speed = _value(self.word, self.speed)
        if not isinstance(speed, float) or (speed and not self.no_slip):
            raise ValueError(
                f"expected a number as the speed of a wall, 0 for one that is not no_slip, got {self.speed!r} for "
                f"{self.kind}; correct the boundary"
            )
        object.__setattr__(self, "speed", speed)

    @property
    def no_slip(self) -> bool:
        return self.kind == "no_slip"

    def __str__(self) -> str:
        kind = "" if self.kind == "unspecified" else f" {self.kind}"
        return f"{self.word}{kind}" + (f" {self.speed}".removesuffix(".0") if self.speed else "")


@dataclass(frozen=True)
class Inflow(Boundary):
    """Inflow: the fluid that enters has the value of the profile."""

    configurable = True
    word: ClassVar = "inflow"
    the_well: ClassVar = "OPEN"

    profile: Value

    def __post_init__(self):
        object.__setattr__(self, "profile", _value(self.word, self.profile))

    @property
    def given(self) -> Value:
        return self.profile


@dataclass(frozen=True)
class Outflow(Boundary):
    """Outflow: waves and fluid leave, and nothing comes back."""

    configurable = True
    word: ClassVar = "outflow"
    the_well: ClassVar = "OPEN"


def _robin(text: str) -> Robin:
    """Return the condition of "ALPHA BETA" or "ALPHA BETA VALUE"."""
    alpha, _, rest = text.partition(" ")
    beta, _, value = rest.strip().partition(" ")
    return Robin(_value(Robin.word, alpha), _value(Robin.word, beta), value.strip() or 0.0)


def _wall(text: str) -> Wall:
    """Return the wall of "KIND SPEED"."""
    kind, _, speed = text.partition(" ")
    return Wall(kind, _value(Wall.word, speed) if speed.strip() else 0.0)  # type: ignore[arg-type]  # a wall checks it


Ends = Sequence[Boundary | str]
"""(lower, upper) condition of an axis, as values or as texts."""

Sides = tuple[tuple[Boundary, Boundary], ...]
"""(lower, upper) condition of each axis."""

BY_TEXT: dict[str, Boundary] = {
    "periodic": Periodic(),
    "dirichlet": Dirichlet(),
    "neumann": Neumann(),
    "wall": Wall(),
    "wall no_slip": Wall("no_slip"),
    "wall free_slip": Wall("free_slip"),
    "outflow": Outflow(),
    "open": Outflow(),
}
WITH_VALUE: dict[str, Callable[..., Boundary]] = {
    "dirichlet": Dirichlet,
    "neumann": Neumann,
    "robin": _robin,
    "wall": _wall,
    "inflow": Inflow,
}


def boundary_of(text: Boundary | str) -> Boundary:
    """Return the condition of a text; a condition is returned as it is.

    Raises:
        ValueError: if there is none of that text.

    >>> boundary_of("dirichlet 2.5"), boundary_of("open")
    (Dirichlet(value=2.5), Outflow())
    """
    if isinstance(text, Boundary):
        return text
    word, _, value = text.strip().partition(" ")
    if text.strip() in BY_TEXT:
        return BY_TEXT[text.strip()]
    if word not in WITH_VALUE or not value.strip():
        raise ValueError(
            f"expected a condition among {', '.join(BY_TEXT)}, and {', '.join(WITH_VALUE)} followed by a number or the "
            f"name of an input field (wall by no_slip and a speed), got {text!r}; correct boundary="
        )
    return WITH_VALUE[word](value.strip())


def sides_of(boundary: Sequence[Ends], layout: Sequence[str], axes: Sequence[str]) -> Sides:
    """Return the conditions of a grid, checked against its layout.

    Args:
        boundary: (lower, upper) of each axis, as values or texts; empty for `Periodic` on periodic axes and `Wall`
            (unspecified) on the others.
        layout: layout of each axis, see `pdekit.fields.Grid`.
        axes: their names.

    Raises:
        ValueError: on an unknown condition, a wrong number of them, or an axis that is periodic in only one of boundary
            and layout.

    >>> sides_of([("neumann", "wall no_slip")], ["cells"], ["x"])
    ((Neumann(flux=0.0), Wall(kind='no_slip', speed=0.0)),)
    """
    if not boundary:
        return tuple((Periodic(), Periodic()) if where == "periodic" else (Wall(), Wall()) for where in layout)
    if len(boundary) != len(layout):
        raise ValueError(
            f"expected boundary with one (lower, upper) pair for each of {len(layout)} axes, got {boundary!r}; "
            f"give {len(layout)} pairs"
        )
    return tuple(_ends(*one) for one in zip(boundary, layout, axes, strict=False))


def check_inputs(sides: Sides, inputs: Sequence[str]) -> None:
    """Raise ValueError if a condition names an input field that is not among those of the problem."""
    for end in (end for ends in sides for end in ends):
        if end.field is not None and end.field not in inputs:
            raise ValueError(
                f"expected a number or the name of an input field ({', '.join(inputs) or 'there are none'}) in the "
                f"boundary, got '{end}'; correct boundary= or add the field to coeffs"
            )


def _ends(ends: Ends, where: str, axis: str) -> tuple[Boundary, Boundary]:
    if len(ends) != 2:
        raise ValueError(f"expected (lower, upper) conditions of the axis {axis}, got {ends!r}; give two")
    lower, upper = (boundary_of(end) for end in ends)
    if {end == Periodic() for end in (lower, upper)} != {where == "periodic"}:
        raise ValueError(
            f"expected layout and boundary of the axis {axis} to be both periodic or both bounded, got {where!r} and "
            f"('{lower}', '{upper}'); set layout= to nodes (both ends are points), cells or half_open, or "
            "boundary= to periodic at both ends"
        )
    return lower, upper
