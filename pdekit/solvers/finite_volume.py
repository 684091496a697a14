"""d/dt (cell average) = -(flux out - flux in) / spacing: conservation laws with shocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Ends, Sides, sides_of
from pdekit.calculus import Calculus, FiniteDifference
from pdekit.calculus.remap import limited_slope
from pdekit.fields import Grid
from pdekit.pdes.base import ConservationLaw
from pdekit.solvers.ghosts import GHOSTS, check_ends, with_ghosts
from pdekit.solvers.spectral import step_size
from pdekit.solvers.step import Step, rounded

VERSION = 1
Averages = Float[Tensor, "batch channel *space"]
Advance = Callable[[Tensor], Tensor]
SCHEMES = ("constant", "muscl")


def finite_volume(
    pde: ConservationLaw,
    grid: Grid,
    dt: Any,
    scheme: str = "muscl",
    order: int = 2,
    boundary: Sequence[Ends] = (),
    dtype: torch.dtype = torch.float64,
    device: Any = None,
) -> Step:
    """A step of a finite-volume method on a grid of 1 to 3 dimensions, periodic or with ends.

    Each face gets a state from either side, by `muscl` (linear in the cell, with the slope of `limited_slope` for each
    channel) or `constant` (the cell's average), and the flux of Harten, Lax and van Leer between the two; time by the
    strong-stability-preserving Runge-Kutta scheme of the given order. Sums over the box change by what crosses its
    ends, and rounding.

    Two ghost cells outside each end hold the mirror image of the cells inside with the normal momentum reversed
    (`Wall("free_slip")`), the last cell (`Outflow`), or the profile (`Inflow`, equations of one field).

    Args:
        pde: a conservation law; parameters may be tensors "batch 1 *1".
        grid: periodic axes and cells. Cell i is centred at point i; averages and point values differ by the square of
            the spacing.
        dt: the step, a number or a tensor "batch 1 *1"; see `stable_dt`.
        scheme: "muscl" (second order where smooth) or "constant" (first order).
        order: order of the time stepping, 1, 2 or 3.
        boundary: (lower, upper) condition of each axis; none is needed on a periodic grid.
        dtype: float64 (default) or float32.
        device: "cpu" or "cuda".

    Raises:
        ValueError: an unknown scheme or order; a grid of another dimension or of nodes; a boundary that is not one of
            those above; a step that is not positive.

    Limits: no more than first order at shocks and at extrema; explicit, so that dt must obey `stable_dt`; states that
    are not admissible (negative depth) give NaN.

    Source: van Leer (1977), the limiter; Harten, Lax and van Leer (1983), equation 3.12, with the wave speeds of Davis
    (1988); Shu and Osher (1988), the time stepping.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"expected a scheme among {SCHEMES}, got {scheme!r}; choose one of these")
    if order not in (1, 2, 3):
        raise ValueError(f"expected an order of time stepping among 1, 2, 3, got {order}; choose one of these")
    if grid.ndim not in pde.dims:
        raise ValueError(
            f"expected a grid of {' or '.join(map(str, pde.dims))} dimensions for {type(pde).__name__}, got shape "
            f"{grid.shape}; choose another equation or grid"
        )
    sides = sides_of(boundary, grid.layout, grid.axes)
    check_ends(pde, grid, sides)
    dt = step_size(dt, device)
    dt = dt.to(dtype) if isinstance(dt, Tensor) else dt
    rate = _rate(rounded(pde, dtype, device), rounded(grid, dtype, device), sides, scheme)
    advance = {1: _euler, 2: _ssp_2, 3: _ssp_3}[order](rate, dt)
    return Step(lambda u: u.to(device=device, dtype=dtype), advance, lambda u: u)


finite_volume.configurable = True


def stable_dt(pde: ConservationLaw, u: Averages, grid: Grid, courant: float = 0.4) -> float:
    """A step for which no wave crosses more than the fraction `courant` of a cell, summed over axes; 0.4 is safe."""
    d, rate = FiniteDifference(grid), torch.zeros(())
    for axis, spacing in enumerate(grid.spacing):
        slow, fast = pde.wave_speeds(u, axis, d)
        rate = rate + torch.maximum(slow.abs(), fast.abs()) / spacing
    return courant / float(rate.max())


def _rate(pde: ConservationLaw, grid: Grid, sides: Sides, scheme: str) -> Advance:
    """Return the function that gives d/dt of cell averages: flux in less flux out, divided by the spacing."""
    d = FiniteDifference(grid)  # for its components and stack; no derivative is taken

    def rate(u: Averages) -> Averages:
        total = torch.zeros_like(u)
        for axis, spacing in enumerate(grid.spacing):
            if grid.layout[axis] == "periodic":
                left, right = _face_states(u, 2 + axis, scheme)
                out = _hll(pde, left, right, axis, d)  # through the upper face of each cell
                total = total - (out - torch.roll(out, 1, 2 + axis)) / spacing
                continue
            n, padded = grid.shape[axis], with_ghosts(pde, u, axis, sides[axis])
            states = _face_states(padded, 2 + axis, scheme)
            left, right = (state.narrow(2 + axis, GHOSTS - 1, n + 1) for state in states)
            total = total - torch.diff(_hll(pde, left, right, axis, d), dim=2 + axis) / spacing
        return total

    return rate


def _face_states(u: Averages, dim: int, scheme: str) -> tuple[Averages, Averages]:
    """The states on the lower and the upper side of the upper face of each cell."""
    if scheme == "constant":
        return u, torch.roll(u, -1, dim)
    half = limited_slope(u, dim) / 2
    return u + half, torch.roll(u - half, -1, dim)


def _hll(pde: ConservationLaw, left: Averages, right: Averages, axis: int, d: Calculus) -> Averages:
    """The flux through faces between two states: that of the mean state between the slowest and fastest wave."""
    slow_left, fast_left = pde.wave_speeds(left, axis, d)
    slow_right, fast_right = pde.wave_speeds(right, axis, d)
    slow = torch.minimum(slow_left, slow_right).clamp(max=0.0)
    fast = torch.maximum(fast_left, fast_right).clamp(min=0.0)
    from_left, from_right = pde.flux(left, axis, d), pde.flux(right, axis, d)
    still = fast == slow  # no wave moves: both fluxes are the same
    mean = (fast * from_left - slow * from_right + slow * fast * (right - left)) / torch.where(still, 1.0, fast - slow)
    return torch.where(still, from_left, mean)


def _euler(rate: Advance, dt: Any) -> Advance:
    return lambda u: u + dt * rate(u)


def _ssp_2(rate: Advance, dt: Any) -> Advance:
    def advance(u: Tensor) -> Tensor:
        a = u + dt * rate(u)
        return u / 2 + (a + dt * rate(a)) / 2

    return advance


def _ssp_3(rate: Advance, dt: Any) -> Advance:
    def advance(u: Tensor) -> Tensor:
        a = u + dt * rate(u)
        b = 3 * u / 4 + (a + dt * rate(a)) / 4
        return u / 3 + 2 * (b + dt * rate(b)) / 3

    return advance
