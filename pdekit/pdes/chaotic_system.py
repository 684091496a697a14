"""x' = f(x): small systems of ordinary differential equations with chaos, each by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

import torch

from pdekit.calculus import Calculus
from pdekit.fields import Field, Problem
from pdekit.pdes.base import SemilinearPDE

Rate = Callable[..., tuple[Any, ...]]
"""x'_1, x'_2, ... of x_1, x_2, ..."""
GRAVITY = 9.81
FREQUENCY = 1.4  # of the forcing of Duffing's oscillator
NEURONS = (
    (0, -1, 0, 0, -1, -1), (0, 0, 0, -1, -1, -1), (-1, -1, 0, 0, -1, 0),
    (-1, -1, -1, 0, 0, 0), (-1, -1, 0, -1, 0, 0), (0, -1, -1, -1, 0, 0),
)  # fmt: skip
"""Couplings of the Hopfield network."""


@dataclass(frozen=True)
class ChaoticFacts:
    """Equation, step, time scales and start of one system.

    Args:
        names: of the variables.
        rate: f.
        dt: step of the classical Runge-Kutta scheme that follows it to 1e-6 of its size over a unit of time.
        period: dominant period.
        exponent: largest Lyapunov exponent per unit time.
        start: a state near the attractor; of a Hamiltonian system a state whose energy is that of the dataset.
        divergence: trace of the Jacobian, the sum of all exponents; None where it varies.
        circle: numbers of the variables whose squares always add to one: a forcing.
        energy: the conserved energy of a Hamiltonian system, quadratic in the second half of the variables (momenta).
    """

    names: tuple[str, ...]
    rate: Rate
    dt: float
    period: float
    exponent: float
    start: tuple[float, ...]
    divergence: float | None = None
    circle: tuple[int, ...] = ()
    energy: Callable[..., Any] | None = None


def lorenz(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Lorenz (1963): a roll of convection."""
    return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z


def roessler(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Roessler (1976): one fold of a spiral."""
    return -y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)


def lorenz_84(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Lorenz (1984): westerly wind and two parts of a planetary wave."""
    a, b, f, g = 1.32, 7.91, 4.83, 4.194
    return -y * y - z * z - a * x + a * f, x * y - b * x * z - y + g, b * x * y + x * z - z


def thomas(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Thomas (1999): cyclic feedback by a sine."""
    return tuple(-1.85 * u + 10 * torch.sin(v) for u, v in ((x, y), (y, z), (z, x)))


def halvorsen(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Halvorsen: cyclic feedback by a square."""
    return tuple(-1.4 * u - 4 * (v + w) - v * v for u, v, w in ((x, y, z), (y, z, x), (z, x, y)))


def chen(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Chen and Ueta (1999): Lorenz's system with a feedback."""
    return 35 * (y - x), -7 * x - x * z + 28 * y, x * y - 3 * z


def rikitake(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Rikitake (1958): two coupled disc dynamos."""
    return -x + z * y, -y + x * (z - 1), 1 - x * y


def sprott_b(x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Sprott (1994), case B: five terms."""
    return y * z, x - y, 1 - x * y


def duffing(x: Any, y: Any, c: Any, s: Any) -> tuple[Any, ...]:
    """Duffing's oscillator, forced by c = cos(w t), which is a variable: a phase w t would grow without bound."""
    return y, -0.1 * y + x - x * x * x + 0.35 * c, -FREQUENCY * s, FREQUENCY * c


def hyper_roessler(x: Any, y: Any, z: Any, w: Any) -> tuple[Any, ...]:
    """Roessler (1979): two positive exponents."""
    return -y - z, x + 0.25 * y + w, 3 + x * z, -0.5 * z + 0.05 * w


def hopfield(*x: Any) -> tuple[Any, ...]:
    """Six neurons: x' = -x/tau + (1 + tanh(eps K x))/2 - beta, tau = 2.5, eps = 10, beta = 1/2."""
    rates = []
    for row, u in zip(NEURONS, x, strict=True):
        signal = sum(k * v for k, v in zip(row, x, strict=True) if k)
        rates.append(-u / 2.5 + torch.tanh(10 * signal) / 2)
    return tuple(rates)


def henon_heiles(x: Any, y: Any, px: Any, py: Any) -> tuple[Any, ...]:
    """Henon and Heiles (1964): a star in the plane of a galaxy."""
    return px, py, -x - 2 * x * y, -y - x * x + y * y


def _energy_henon_heiles(x: Any, y: Any, px: Any, py: Any) -> Any:
    return (px * px + py * py + x * x + y * y) / 2 + x * x * y - y * y * y / 3


def double_pendulum(a: Any, b: Any, pa: Any, pb: Any) -> tuple[Any, ...]:
    """Two unit masses on unit rods: angles from below and their momenta."""
    sine, cosine = torch.sin(a - b), torch.cos(a - b)
    inertia = 1 + sine * sine
    first = pa * pb * sine / inertia
    second = (pa * pa + 2 * pb * pb - 2 * pa * pb * cosine) * sine * cosine / (inertia * inertia)
    return (
        (pa - pb * cosine) / inertia,
        (2 * pb - pa * cosine) / inertia,
        -2 * GRAVITY * torch.sin(a) - first + second,
        -GRAVITY * torch.sin(b) + first - second,
    )


def _energy_double_pendulum(a: Any, b: Any, pa: Any, pb: Any) -> Any:
    sine, cosine = torch.sin(a - b), torch.cos(a - b)
    kinetic = (pa * pa + 2 * pb * pb - 2 * pa * pb * cosine) / (2 * (1 + sine * sine))
    return kinetic - 2 * GRAVITY * torch.cos(a) - GRAVITY * torch.cos(b)


XYZ, PLANE = ("x", "y", "z"), ("x", "y", "px", "py")
SYSTEMS: Mapping[str, ChaoticFacts] = {
    "lorenz": ChaoticFacts(XYZ, lorenz, 0.01, 1.50, 0.906, (-9.79, -15.04, 20.53), -41 / 3),
    "roessler": ChaoticFacts(XYZ, roessler, 0.02, 5.91, 0.0710, (6.51, 0.48, 0.34)),
    "lorenz_84": ChaoticFacts(XYZ, lorenz_84, 0.01, 6.26, 0.429, (1.93, -0.13, -1.72)),
    "thomas": ChaoticFacts(XYZ, thomas, 0.01, 4.97, 0.493, (2.2, 2.36, 3.22), -5.55),
    "halvorsen": ChaoticFacts(XYZ, halvorsen, 0.005, 1.49, 0.691, (-8.68, -2.47, 0.07), -4.2),
    "chen": ChaoticFacts(XYZ, chen, 0.002, 0.587, 2.037, (3.27, 5.3, 19.4), -10.0),
    "rikitake": ChaoticFacts(XYZ, rikitake, 0.02, 5.90, 0.125, (-0.78, -0.63, 2.67), -2.0),
    "sprott_b": ChaoticFacts(XYZ, sprott_b, 0.02, 11.05, 0.208, (1.69, 1.48, -0.54), -1.0),
    "duffing": ChaoticFacts(("x", "y", "c", "s"), duffing, 0.02, 7.45, 0.128, (-1.16, -0.51, 1.0, 0.0), -0.1, (2, 3)),
    "hyper_roessler": ChaoticFacts((*XYZ, "w"), hyper_roessler, 0.01, 1.12, 0.113, (-20.0, 0.0, 0.0, 15.0)),
    "hopfield": ChaoticFacts(
        tuple(f"x{i}" for i in range(6)), hopfield, 0.02, 10.87, 0.089, (-0.67, -0.24, -0.06, 0.35, 0.45, 0.78)
    ),
    "henon_heiles": ChaoticFacts(
        PLANE, henon_heiles, 0.05, 6.37, 0.100, (0.0, 0.0, 0.32**0.5, 0.0), 0.0, (), _energy_henon_heiles
    ),
    "double_pendulum": ChaoticFacts(
        ("a", "b", "pa", "pb"), double_pendulum, 0.005, 1.0, 0.96, (pi / 2, pi / 2, 0.0, 0.0), 0.0, (),
        _energy_double_pendulum,
    ),
}  # fmt: skip
"""All systems. Constants are those of dysts (Gilpin 2021, arXiv:2110.05266), with 8/3 for its 2.667 in Lorenz's system,
Rikitake's own second equation, and Duffing's forcing as two variables. Exponents are measured, not those of
dysts, which contradict each other; tests measure three of them again. The period of the double pendulum is that of a
swing to both sides, roughly."""


@dataclass(frozen=True)
class ChaoticSystem(SemilinearPDE):
    """A chaotic system x' = f(x) without space; its variables are channels on the grid Grid((), ()).

    Behaviour: an attractor of a fractal dimension between two and four, or chaos on a surface of constant energy
    (`henon_heiles`, `double_pendulum`).

    Limits: islands of regular motion lie in the surface of energy of `henon_heiles`, so that the exponent is a mean
    over it. The second angle of `double_pendulum` turns over and is not wrapped. `hyper_roessler` has rare, stiff
    spikes in z. Lorenz-96 is an equation of its own, `Lorenz96`.

    Args:
        system: a name in `SYSTEMS`.

    Raises:
        ValueError: on another name.
    """

    configurable = True

    system: str = "lorenz"

    dims: ClassVar = (0,)
    degree: ClassVar = 2

    def __post_init__(self):
        if self.system not in SYSTEMS:
            raise ValueError(
                f"expected a chaotic system among {', '.join(SYSTEMS)}, found {self.system!r}; choose one of them"
            )

    @property
    def facts(self) -> ChaoticFacts:
        return SYSTEMS[self.system]

    @property
    def fields(self) -> tuple[Field, ...]:  # type: ignore[override]  # a constant of other equations
        # together: the error of a variable over its own size is large whenever that passes zero
        return tuple(Field(name, vector="state") for name in self.facts.names)

    def linear(self, x: Any, d: Calculus) -> Any:
        return 0.0 * x

    def nonlinear(self, x: Any, d: Calculus) -> Any:
        return d.stack(*self.facts.rate(*d.components(x)))

    def lyapunov_exponent(self, problem: Problem) -> float | None:
        return self.facts.exponent

    def describe(self, params: dict[str, float]) -> str:
        return f"Chaos of the system {self.system.replace('_', ' ')}."
