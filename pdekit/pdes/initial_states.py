"""Initial states as functions of place, u_0(x): what a method without data is given.

Each is called with the coordinates x, y, z, "point 1" each, and returns "point 1" for each field. They are written
with ordinary torch functions, so that derivatives can be carried through them.
"""

from __future__ import annotations

import cmath
from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pdekit.fields import Grid

SMALLEST = 1e-10  # a mode below this share of the largest is rounding


@dataclass(frozen=True)
class Wave:
    """One term A cos(k . x + phase) of one field.

    Args:
        field: number of the field.
        amplitude: A.
        wavenumber: k, one number for each axis.
        phase: -pi/2 makes a sine.
    """

    configurable = True

    field: int
    amplitude: float
    wavenumber: tuple[float, ...]
    phase: float = 0.0


@dataclass(frozen=True)
class Waves:
    """A trigonometric polynomial: the sum of waves of each field; a field without waves is zero.

    Args:
        n_fields: number of fields.
        waves: the terms.
    """

    configurable = True

    n_fields: int
    waves: tuple[Wave, ...]

    version: ClassVar[int] = 1

    def __call__(self, coordinates: Sequence[Any]) -> tuple[Any, ...]:
        x = torch.cat(tuple(coordinates), -1)
        options = {"dtype": torch.float64}
        wavenumbers = torch.tensor([wave.wavenumber for wave in self.waves], **options)
        phases = torch.tensor([wave.phase for wave in self.waves], **options)
        amplitudes = torch.zeros(self.n_fields, len(self.waves), **options)
        for column, wave in enumerate(self.waves):
            amplitudes[wave.field, column] = wave.amplitude
        device = coordinates[0].device
        terms = torch.cos(functional.linear(x, wavenumbers.to(device, x.dtype), phases.to(device, x.dtype)))
        total = functional.linear(terms, amplitudes.to(device, x.dtype))
        return tuple(total[:, i : i + 1] for i in range(self.n_fields))


@dataclass(frozen=True)
class ParabolicCosine:
    """x^2 cos(pi x) on [-1, 1]: the start of Allen-Cahn in the literature on physics-informed networks.

    Continued periodically its slope jumps by 4 at x = 1, so that a reference needs thousands of points.
    """

    configurable = True

    version: ClassVar[int] = 1

    def __call__(self, coordinates: Sequence[Any]) -> tuple[Any, ...]:
        (x,) = coordinates
        return (x * x * torch.cos(pi * x),)


@dataclass(frozen=True)
class Sech:
    """(A sech((x - centre) / width), 0, ...): a pulse at rest.

    Args:
        amplitude: A.
        width: width of the pulse.
        centre: centre of the pulse.
        n_fields: number of fields; all but the first are zero.
    """

    configurable = True

    amplitude: float = 1.0
    width: float = 1.0
    centre: float = 0.0
    n_fields: int = 1

    version: ClassVar[int] = 1

    def __call__(self, coordinates: Sequence[Any]) -> tuple[Any, ...]:
        z = (coordinates[0] - self.centre) * (1 / self.width)
        pulse = 2 * self.amplitude / (torch.exp(z) + torch.exp(-z))
        return (pulse, *(0.0 * coordinates[0] for _ in range(self.n_fields - 1)))


@dataclass(frozen=True)
class Polynomial:
    """(c_0 + c_1 x + c_2 x^2 + ..., 0, ...): a profile along x, as between plates of different temperature.

    Args:
        coefficients: c_0, c_1, ...
        n_fields: number of fields; all but the first are zero.

    >>> Polynomial((1.0, 2.0))((torch.tensor([[3.0]]),))
    (tensor([[7.]]),)
    """

    configurable = True

    coefficients: tuple[float, ...]
    n_fields: int = 1

    version: ClassVar[int] = 1

    def __post_init__(self):
        object.__setattr__(self, "coefficients", tuple(float(c) for c in self.coefficients))

    def __call__(self, coordinates: Sequence[Any]) -> tuple[Any, ...]:
        x, total = coordinates[0], 0.0 * coordinates[0]
        for coefficient in reversed(self.coefficients):
            total = total * x + coefficient
        return (total, *(0.0 * x for _ in range(self.n_fields - 1)))


@dataclass(frozen=True)
class Sum:
    """The sum of initial states of the same fields.

    Args:
        states: the terms.
    """

    configurable = True

    states: tuple[Any, ...]

    version: ClassVar[int] = 1

    def __post_init__(self):
        object.__setattr__(self, "states", tuple(self.states))

    def __call__(self, coordinates: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            sum(terms[1:], start=terms[0]) for terms in zip(*(s(coordinates) for s in self.states), strict=True)
        )


def sampled(state: Any, grid: Grid, dtype: torch.dtype = torch.float64) -> Float[Tensor, "channel *space"]:
    """An initial state on a grid."""
    columns = tuple(axis.reshape(-1, 1) for axis in grid.mesh(dtype))
    return torch.cat(state(columns), 1).mT.reshape(-1, *grid.shape)


def interpolated(u: Float[Tensor, "channel *space"], grid: Grid) -> Waves:
    """The trigonometric polynomial through samples on a periodic grid.

    Args:
        u: samples in float64.
        grid: periodic.

    Raises:
        ValueError: for a grid that is not periodic.

    >>> grid = Grid((8,), (2 * pi,))
    >>> state = interpolated(torch.sin(3 * grid.coordinates(0))[None], grid)
    >>> [(wave.wavenumber, round(wave.amplitude, 12)) for wave in state.waves]
    [((3.0,), 1.0)]
    """
    if not grid.periodic:
        raise ValueError(
            f"expected a periodic grid for a trigonometric polynomial, got layout {grid.layout}; choose another state"
        )
    axes = tuple(range(1, u.ndim))
    spectrum = torch.fft.rfftn(u.double(), dim=axes) / u[0].numel()
    largest = spectrum.abs().max()
    n_last = grid.shape[-1]
    waves = []
    for place in (spectrum.abs() > SMALLEST * largest).nonzero().tolist():
        field, *modes = place
        value = complex(spectrum[tuple(place)])
        once = modes[-1] == 0 or 2 * modes[-1] == n_last  # its conjugate is in the half spectrum, or itself
        signed = [m if 2 * m < n else m - n for m, n in zip(modes, grid.shape, strict=True)]
        wavenumber = tuple(2 * pi * m / float(length) for m, length in zip(signed, grid.extent, strict=True))
        phase = cmath.phase(value) - sum(k * o for k, o in zip(wavenumber, grid.origin, strict=True))
        waves.append(Wave(field, (1 if once else 2) * abs(value), wavenumber, phase))
    return Waves(len(u), tuple(waves))
