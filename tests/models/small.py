"""Small problems and small nets for the tests of methods."""

import torch
from torch import nn

from pdekit.fields import Field, Grid, Problem, Trajectory


class PointwiseNet(nn.Module):
    """A net with the signature of a grid net: a 1x1 convolution whose offset depends on the condition."""

    def __init__(self, layout, in_channels, out_channels, n_conditions=0):
        super().__init__()
        self.mix = nn.Linear(in_channels, out_channels)
        self.offset = nn.Linear(n_conditions, out_channels) if n_conditions else None
        self.in_channels, self.n_conditions, self.calls = in_channels, n_conditions, []

    def forward(self, u, condition=None):
        self.calls.append((u.detach(), None if condition is None else condition.scalars.detach()))
        out = self.mix(u.movedim(1, -1)).movedim(-1, 1)
        if self.offset is None:
            return out
        return out + self.offset(condition.scalars).reshape(*out.shape[:2], *[1] * (out.ndim - 2))


def make_problem(**changes) -> Problem:
    known = dict(grid=Grid((8,), (2.0,)), fields=(Field("a"), Field("b")), dt=0.5, n_frames=6)
    return Problem(**{**known, **changes})


def make_batch(problem: Problem, n: int = 3, seed: int = 0) -> Trajectory:
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    shape = problem.grid.shape
    u = 3 + 2 * randn(n, problem.n_frames, problem.n_channels, *shape)
    dt = problem.dt or 0.0
    return Trajectory(
        u=u,
        t=(torch.arange(problem.n_frames, dtype=torch.float64) * dt).expand(n, -1).clone(),
        coeffs=5 + randn(n, len(problem.coeffs), *shape) if problem.coeffs else None,
        params=torch.rand(n, len(problem.params), dtype=torch.float64, generator=generator) + 1
        if problem.params
        else None,
        forcing=7 + 4 * randn(n, problem.n_frames, len(problem.forcing), *shape) if problem.forcing else None,
        mask=(randn(n, 1, *shape) > -1).double() if problem.has_mask else None,
        index=torch.arange(n),
    )


class FunctionNet(nn.Module):
    """A net made of a function (u, scalars of the condition)."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, u, condition=None):
        return self.function(u, None if condition is None else condition.scalars)
