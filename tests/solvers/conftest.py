"""Starts and a coupled equation that several tests of solvers share."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch

from pdekit.fields import Field, Grid
from pdekit.pdes.base import SemilinearPDE


@dataclass(frozen=True)
class SoundWaves(SemilinearPDE):
    """Weakly nonlinear waves of density and velocity: r_t = -c v_x + nu r_xx - (r v)_x, v_t = -c r_x + nu v_xx - v v_x.

    Its linear part couples the channels (matrix functions of each mode), with eigenvalues -nu k^2 +- i c k.
    """

    speed: Any = 3.0
    viscosity: Any = 0.02

    dims: ClassVar = (1,)
    fields: ClassVar = (Field("density"), Field("velocity"))
    degree: ClassVar = 2

    def linear(self, u, d):
        r, v = d.components(u)
        return d.stack(
            self.viscosity * d.xx(r) - self.speed * d.x(v),
            self.viscosity * d.xx(v) - self.speed * d.x(r),
        )

    def nonlinear(self, u, d):
        r, v = d.components(u)
        return d.stack(-d.x(r * v), -0.5 * d.x(v * v))

    def describe(self, params):
        return "Sound."


@pytest.fixture
def sound_waves():
    return SoundWaves


@pytest.fixture
def smooth():
    """(grid, batch, channels, modes) -> a random field with `modes` waves along each axis, rms 1."""

    def make(grid: Grid, batch: int = 1, channels: int = 1, modes: int = 4) -> torch.Tensor:
        u_hat = torch.zeros(batch, channels, *grid.shape[:-1], grid.shape[-1] // 2 + 1, dtype=torch.complex128)
        corner = (..., *[slice(modes)] * grid.ndim)
        u_hat[corner] = torch.randn(u_hat[corner].shape, dtype=torch.complex128)
        u_hat[(..., *[0] * grid.ndim)] = 0
        u = torch.fft.irfftn(u_hat, s=grid.shape)
        return u / u.flatten(1).std(dim=1).reshape(-1, *[1] * (u.ndim - 1))

    return make
