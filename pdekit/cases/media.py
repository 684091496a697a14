"""Random media: permeabilities made of a Gaussian field with the covariance (-Laplacian + tau^2)^(-exponent).

The Laplacian has zero normal derivative on the boundary of a unit box, so that the field is a sum of cosines,

    g(x) = sum_k  tau^(exponent - 1) (tau^2 + pi^2 |k|^2)^(-exponent / 2)  xi_k  prod_i c_{k_i} cos(pi k_i x_i)

with unit normal xi_k, c_0 = 1, c_k = sqrt(2), and no mean (xi_0 = 0). It is a function of place: every grid sees the
same one. Source: Z. Li et al., Fourier Neural Operator, ICLR 2021, A.3.2, which sums as many modes as its grid has
points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from pdekit.fields import Grid


@dataclass(frozen=True)
class CosineField:
    """Such a field on a box of any lengths, which are taken as one.

    Args:
        modes: number of modes along each axis, 0 to modes - 1.
        exponent, tau: parameters of the covariance.
    """

    configurable = True

    modes: int = 128
    exponent: float = 2.0
    tau: float = 3.0

    version: ClassVar[int] = 1

    def noise(self, generator: np.random.Generator, ndim: int) -> ndarray:
        """The random numbers xi of one field."""
        return generator.standard_normal((self.modes,) * ndim)

    def spread(self, ndim: int) -> ndarray:
        """The standard deviation of the amplitude of each mode; none for the mean."""
        square = sum(np.ix_(*[np.arange(self.modes) ** 2.0] * ndim), start=np.zeros(()))
        spread = self.tau ** (self.exponent - 1) * (np.pi**2 * square + self.tau**2) ** (-self.exponent / 2)
        spread[(0,) * ndim] = 0.0
        return spread

    def std(self, ndim: int) -> float:
        """The root of the field's variance, on average over the box."""
        return float(np.sqrt((self.spread(ndim) ** 2).sum()))

    def __call__(self, noise: ndarray, grid: Grid) -> Float[ndarray, "*space"]:
        """The field at the points of a grid.

        The modes are added one by one: a matrix product rounds differently for grids of different sizes, and the
        value at a place must not depend on the grid.
        """
        values = self.spread(noise.ndim) * noise
        for axis in range(noise.ndim):
            place = (grid.coordinates(axis).numpy() - grid.origin[axis]) / grid.extent[axis]
            waves = np.cos(np.pi * np.outer(np.arange(self.modes), place))
            waves[1:] *= np.sqrt(2)
            values = sum(np.multiply.outer(amplitude, wave) for amplitude, wave in zip(values, waves, strict=True))
        return values


@dataclass(frozen=True)
class TwoPhase:
    """One value where the field is negative, another where it is not: a jumps along a rough line.

    Good values: 3 and 12 (the published data).
    """

    configurable = True

    low: float = 3.0
    high: float = 12.0
    field: CosineField = CosineField()

    # the fastest way to solve an elliptic equation with it, see `elliptic`
    method: ClassVar[str] = "laplacian"

    def __call__(self, noise: ndarray, grid: Grid) -> Float[ndarray, "*space"]:
        return np.where(self.field(noise, grid) >= 0, self.high, self.low)


@dataclass(frozen=True)
class LogNormal:
    """median x exp(deviation x field / its standard deviation): continuous, of any contrast.

    Good values: a deviation of 1, with which a varies by a factor of some hundreds over a box.
    """

    configurable = True

    median: float = 1.0
    deviation: float = 1.0
    field: CosineField = CosineField()

    method: ClassVar[str] = "scaled"

    def __call__(self, noise: ndarray, grid: Grid) -> Float[ndarray, "*space"]:
        return self.median * np.exp(self.deviation / self.field.std(noise.ndim) * self.field(noise, grid))
