"""A weak random flow in a closed box: psi = sum of a_mn sin(pi m x / L_x) sin(pi n y / L_y)."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class AmbientFlow:
    """Velocity (psi_y, -psi_x) of normal random amplitudes that fall like 1/(m^2 + n^2); all other fields are 0.

    The flow has no divergence and does not cross the walls. It makes trajectories with the same parameters differ.

    Args:
        speed: expected root mean square of |velocity|.
        max_mode: largest m and n.

    Raises:
        ValueError: if the first two fields are no velocity in a plane box of cells.
    """

    configurable = True

    speed: float = 0.02
    max_mode: int = 3

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        if [field.vector for field in fields[:2]] != ["velocity"] * 2 or grid.layout != ("cells",) * 2:
            raise ValueError(
                f"expected a velocity as the first two fields on plane cells, got {[field.name for field in fields]} "
                f"on {grid}; choose another initial condition"
            )
        m = torch.arange(1, self.max_mode + 1, dtype=torch.float64)
        amplitude = torch.from_numpy(generator.standard_normal((self.max_mode, self.max_mode)))
        amplitude = amplitude / (m[:, None] ** 2 + m**2)
        k_x, k_y = (pi * m / length for length in grid.extent)
        square = ((k_x[:, None] ** 2 + k_y**2) / (4 * (m[:, None] ** 2 + m**2) ** 2)).sum()
        amplitude = amplitude * self.speed / square.sqrt()
        phases = [k * (grid.coordinates(axis)[:, None] - grid.origin[axis]) for axis, k in enumerate((k_x, k_y))]
        u = torch.einsum("xm,mn,yn->xy", torch.sin(phases[0]), amplitude * k_y, torch.cos(phases[1]))
        v = -torch.einsum("xm,mn,yn->xy", torch.cos(phases[0]), amplitude * k_x[:, None], torch.sin(phases[1]))
        return torch.stack([u, v, *[torch.zeros_like(u)] * (len(fields) - 2)])
