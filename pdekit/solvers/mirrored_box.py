"""Smoke in a box with free-slip walls: the vorticity form between mirrors, with Runge-Kutta steps in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pdekit.boundaries import Ends, Wall, sides_of
from pdekit.calculus.mirrored import Mirrored, MirroredField, signs_at_walls
from pdekit.fields import Grid
from pdekit.pdes.boussinesq import Boussinesq
from pdekit.solvers.runge_kutta import weighted_sum
from pdekit.solvers.spectral import step_size
from pdekit.solvers.step import Step, rounded
from pdekit.solvers.tableaux import EXPLICIT
from pdekit.solvers.traced import traced

VERSION = 1
VORTICITY, SMOKE = (-1, -1), (1, 1)
"""Signs of the two fields of the state at the walls."""


def mirrored_box(
    pde: Boussinesq,
    grid: Grid,
    dt: Any,
    scheme: str = "rk4",
    boundary: Sequence[Ends] = (),
    dtype: torch.dtype = torch.float64,
    device: Any = None,
) -> Step:
    """A step of (w, s) on cells between free-slip walls, with u = psi_y, v = -psi_x and laplacian(psi) = -w.

    Derivatives are those of sums of sines and cosines (see `pdekit.calculus.mirrored`), products are free of aliasing,
    and the velocity has no divergence. The sum of the smoke grows by what the inlets feed, to rounding.

    Args:
        pde: its parameters may be tensors "batch 1 *1".
        grid: of cells, two-dimensional.
        dt: the step, a number.
        scheme: one of `pdekit.solvers.tableaux.EXPLICIT`.
        boundary: "wall free_slip" at every end.
        dtype: float64 (default) or float32.
        device: "cpu" or "cuda".

    Raises:
        ValueError: an unknown scheme, another boundary, another layout of the grid.

    Limits: explicit: with rk4, dt below about 1.3 spacings over the speed and 0.28 spacings squared over the viscosity.
    Second order in space where smoke or the tail of a source touches a wall (sampled there, b s_x has aliases among the
    sines); measured: relative errors of 1e-4 on 64 cells. Spectral elsewhere.
    """
    if scheme not in EXPLICIT:
        raise ValueError(f"expected a scheme among {sorted(EXPLICIT)}, got {scheme!r}; choose one of these")
    _check_walls(grid, boundary)
    d, pde = Mirrored(grid, dtype, device), rounded(pde, dtype, device)
    dt, signs = step_size(dt, device, dtype), signs_at_walls(pde.fields, 2)
    source = d.field(pde.source(d).reshape(-1, 1, *grid.shape), (SMOKE,))

    def slope(state: Tensor) -> Tensor:
        w, s = d.field(state, (VORTICITY, SMOKE)).components()
        w_t, s_t = pde.rates(w, _velocity(w, d), s, source, d)
        return torch.cat((d.projected(w_t, VORTICITY).samples, d.projected(s_t, SMOKE).samples), 1) * dt

    def encode(u: Tensor) -> Tensor:
        vx, vy, s = d.field(u.to(device=device, dtype=dtype), signs).components()
        return torch.cat((d.projected(d.x(vy) - d.y(vx), VORTICITY).samples, d.projected(s, SMOKE).samples), 1)

    def advance(state: Tensor) -> Tensor:
        slopes: list[Tensor] = []
        for row in EXPLICIT[scheme].a:
            slopes.append(slope(weighted_sum(state, row, slopes)))
        return weighted_sum(state, EXPLICIT[scheme].b, slopes)

    def decode(state: Tensor) -> Tensor:
        w, s = d.field(state, (VORTICITY, SMOKE)).components()
        return torch.cat((*(part.samples for part in _velocity(w, d)), s.samples), 1)

    return Step(encode, traced(advance), decode)


mirrored_box.configurable = True


def _velocity(w: MirroredField, d: Mirrored) -> tuple[MirroredField, MirroredField]:
    psi = d.poisson("streamfunction", -w)
    return d.y(psi), -d.x(psi)


def _check_walls(grid: Grid, boundary: Sequence[Ends]) -> None:
    sides = sides_of(boundary, grid.layout, grid.axes)
    if grid.ndim != 2 or any(end != Wall("free_slip") for ends in sides for end in ends):
        raise ValueError(
            f"expected a plane box with 'wall free_slip' at every end, got {grid.ndim} dimensions and "
            f"{[tuple(map(str, ends)) for ends in sides]}; correct boundary="
        )
