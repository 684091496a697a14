"""u = sum of a few sines of random amplitude, wavenumber and phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid
from pdekit.recipes.initial.modes import sum_of_modes


@dataclass(frozen=True)
class RandomFourierSeries:
    """A sum of ``n_terms`` sines A sin(2 pi l.x/L + phi) for each channel, all numbers uniform.

    Args:
        n_terms: number of sines.
        min_mode, max_mode: range of max |l_i|; components may be negative in 2-D and 3-D.
        amplitude: A is uniform in [-amplitude, amplitude].
        mean: added to all.

    Source: Brandstetter et al. (2022), Lie point symmetry data augmentation, with n_terms = 10, modes 1 to 2,
    amplitude 0.5 for Kuramoto-Sivashinsky.
    """

    configurable = True

    n_terms: int = 10
    min_mode: int = 1
    max_mode: int = 3
    amplitude: float = 0.5
    mean: float = 0.0

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        channels = []
        for _ in fields:
            total = torch.full(grid.shape, self.mean, dtype=torch.float64)
            for _ in range(self.n_terms):
                amplitude = generator.uniform(-self.amplitude, self.amplitude)
                phase = generator.uniform(0, 2 * np.pi)
                mode = self._mode(grid.ndim, generator)
                total = total + sum_of_modes(
                    grid, mode[None], np.array([amplitude * np.sin(phase)]), np.array([amplitude * np.cos(phase)])
                )
            channels.append(total)
        return torch.stack(channels)

    def _mode(self, ndim: int, generator: np.random.Generator) -> np.ndarray:
        lowest = self.min_mode if ndim == 1 else -self.max_mode
        while True:
            mode = generator.integers(lowest, self.max_mode, size=ndim, endpoint=True)
            if np.abs(mode).max() >= self.min_mode:
                return mode
