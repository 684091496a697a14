"""Decaying turbulence's classical start: |psi_k|^2 ~ 1 / (k (1 + (k/k0)^4))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from pdekit.fields import Field, Grid
from pdekit.recipes.initial.modes import half_lattice, sum_of_modes, waves_per_length


@dataclass(frozen=True)
class McWilliams:
    """Vorticity of a random streamfunction with |psi_k|^2 ~ 1 / (k (1 + (k/k0)^4)), of a given energy.

    Like-signed vortices merge into fewer and larger ones as it decays.

    Args:
        energy: mean kinetic energy 1/2 <u^2 + v^2> of every sample, exactly.
        peak: k0, in waves for each length of the x axis; the energy spectrum peaks near it.
        max_mode: highest mode of each axis; the grid needs more than twice as many points.

    Raises:
        ValueError: unless there is one field in 2-D.

    Source: McWilliams (1984), equation 3, with k0 = 6 and energy 0.5.
    """

    configurable = True

    energy: float = 0.5
    peak: float = 6.0
    max_mode: int = 24

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        if grid.ndim != 2 or len(fields) != 1:
            raise ValueError(
                f"expected one field (vorticity) in 2-D, got {len(fields)} in {grid.ndim}-D; "
                "choose another initial condition"
            )
        modes = half_lattice(self.max_mode, 2)
        k = waves_per_length(modes, grid)
        psi = generator.standard_normal((len(modes), 2)) / np.sqrt(k * (1 + (k / self.peak) ** 4))[:, None]
        squares = ((modes * (2 * np.pi / np.array(grid.extent))) ** 2).sum(-1)
        # <u^2 + v^2> of a cos + b sin is k^2 (a^2 + b^2) / 2
        found = 0.25 * (squares[:, None] * psi**2).sum()
        vorticity = psi * squares[:, None] * np.sqrt(self.energy / found)
        return sum_of_modes(grid, modes, vorticity[:, 0], vorticity[:, 1])[None]
