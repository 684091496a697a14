"""Gradient noise in patches of a given size, in octaves (Perlin 1985, 2002)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class PerlinPatches:
    """Periodic gradient noise: random unit gradients on a lattice, blended by 6 t^5 - 15 t^4 + 10 t^3.

    The sum of ``octaves`` noises, each twice as fine and ``persistence`` times as high as the one before. With
    ``sharpness`` s > 0 the result passes through tanh(s u)/tanh(s): patches with plateaus. The noise is zero at
    lattice points and twice continuously differentiable.

    Args:
        cells: lattice cells along each axis in the first octave.
        octaves, persistence: see above.
        amplitude: amplitude of the result; the plain noise is within about +-0.7 of it.
        sharpness: see above; 0 leaves the noise as it is.
        mean: added to all.

    Source: Perlin (2002), Improving noise (the blend); gradients are uniform on the circle or sphere.
    """

    configurable = True

    cells: int = 4
    octaves: int = 2
    persistence: float = 0.5
    amplitude: float = 1.0
    sharpness: float = 0.0
    mean: float = 0.0

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        return torch.stack([self._channel(grid, generator) for _ in fields])

    def _channel(self, grid: Grid, generator: np.random.Generator) -> Tensor:
        total = torch.zeros(grid.shape, dtype=torch.float64)
        for octave in range(self.octaves):
            cells = self.cells * 2**octave
            gradients = generator.standard_normal((*(cells,) * grid.ndim, grid.ndim))
            gradients /= np.linalg.norm(gradients, axis=-1, keepdims=True)
            total = total + self.persistence**octave * _noise(grid, torch.from_numpy(gradients))
        if self.sharpness > 0:
            total = torch.tanh(self.sharpness * total) / np.tanh(self.sharpness)
        return self.mean + self.amplitude * total


def _noise(grid: Grid, gradients: Tensor) -> Tensor:
    cells = gradients.shape[0]
    lower, offset, blend = [], [], []
    for axis, length in enumerate(grid.extent):
        place = (grid.coordinates(axis) - grid.origin[axis]) / length * cells
        # a point at the upper end belongs to the first cell again
        corner = torch.floor(place + 1e-9)
        shape = [-1 if a == axis else 1 for a in range(grid.ndim)]
        lower.append((corner.long() % cells).reshape(shape))
        t = (place - corner).reshape(shape)
        offset.append(t)
        blend.append(t**3 * (t * (6 * t - 15) + 10))
    total = torch.zeros(grid.shape, dtype=torch.float64)
    for corner in itertools.product((0, 1), repeat=grid.ndim):
        where = tuple((low + c) % cells for low, c in zip(lower, corner, strict=True))
        gradient = gradients[where]
        weight = torch.ones((), dtype=torch.float64)
        slope = torch.zeros((), dtype=torch.float64)
        for axis, c in enumerate(corner):
            weight = weight * (blend[axis] if c else 1 - blend[axis])
            slope = slope + gradient[..., axis] * (offset[axis] - c)
        total = total + weight * slope
    return total
