"""d/dt (cell average) = -(flux out - flux in) / spacing: conservation laws with shocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Ends, Sides, sides_of
from pdekit.calculus import FiniteDifference
from pdekit.fields import Grid
from pdekit.pdes.base import ConservationLaw
from pdekit.solvers.ghosts import GHOSTS, check_ends, with_ghosts
from pdekit.solvers.reconstruction import LIMITERS, FacePair, constant, kept_positive, muscl, weno5
from pdekit.solvers.riemann import FLUXES
from pdekit.solvers.spectral import step_size
from pdekit.solvers.step import Step, rounded
from pdekit.solvers.strong_stability import BY_ORDER, courant_limited, fixed_step

VERSION = 1
Averages = Float[Tensor, "batch channel *space"]
Advance = Callable[[Tensor], Tensor]
WIDTHS = {"constant": GHOSTS, "muscl": GHOSTS, "weno5": 3}
"""Cells outside an end that each reconstruction sees."""


@dataclass(frozen=True)
class Scheme:
    """The parts of a finite-volume method.

    Args:
        reconstruction: face states from averages: "constant" (first order), "muscl" (linear in the cell, second order
            where smooth) or "weno5". The equation's `primitive` variables are reconstructed.
        limiter: of the slopes of muscl, from sharp to diffusive "mc" (monotonized central), "van_leer" or "minmod".
        flux: between two face states: "hll", "hllc" (sharp contacts; equations with a middle wave) or "rusanov".
        courant: if a number, a step of dt is divided until no wave crosses more than this fraction of a cell, summed
            over axes. If None, each step is one of dt.
        states: states by name, one number for each field, for the ends "inflow NAME" and "dirichlet NAME".

    Raises:
        ValueError: on an unknown part, or a Courant number that is not positive.
    """

    configurable = True

    reconstruction: str = "muscl"
    limiter: str = "mc"
    flux: str = "hll"
    courant: float | None = None
    states: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self):
        for name, known in (("reconstruction", WIDTHS), ("limiter", LIMITERS), ("flux", FLUXES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"expected a {name} of the scheme among {tuple(known)}, got {getattr(self, name)!r}; choose one "
                    "of these"
                )
        if self.courant is not None and not self.courant > 0:
            raise ValueError(f"expected a Courant number above 0, got {self.courant}; 0.4 is safe")


def finite_volume(
    pde: ConservationLaw,
    grid: Grid,
    dt: Any,
    scheme: str | Scheme = "muscl",
    order: int = 2,
    boundary: Sequence[Ends] = (),
    dtype: torch.dtype = torch.float64,
    device: Any = None,
) -> Step:
    """A step of a finite-volume method on a grid of 1 to 3 dimensions, periodic or with ends.

    Each face gets a state from either side, reconstructed from the averages of the cells around, and an approximate
    flux between the two; time by the strong-stability-preserving Runge-Kutta scheme of the given order. Sums over the
    box change by what crosses its ends, and rounding.

    Ghost cells outside each end hold the mirror image of the cells inside with the normal momentum reversed
    (`Wall("free_slip")`), the last cell (`Outflow`), or a state (`Inflow`, `Dirichlet`: a number for equations of one
    field, a name of `Scheme.states` for others).

    Args:
        pde: a conservation law; parameters may be tensors "batch 1 *1".
        grid: periodic axes and cells. Cell i is centred at point i; averages and point values differ by the square of
            the spacing.
        dt: the step, a number or a tensor "batch 1 *1"; see `stable_dt` and `Scheme.courant`.
        scheme: the parts of the method, or the name of a reconstruction.
        order: order of the time stepping, 1, 2 or 3.
        boundary: (lower, upper) condition of each axis; none is needed on a periodic grid.
        dtype: float64 (default) or float32.
        device: "cpu" or "cuda".

    Raises:
        ValueError: an unknown scheme or order; a grid of another dimension or of nodes; a boundary that is not one of
            those above; a step that is not positive; "hllc" for an equation without a middle wave.

    Limits: no more than first order at shocks, and of MUSCL at extrema. WENO is of fifth order in space where all
    primitive variables but those that enter the flux linearly are uniform, and of second order elsewhere, because the
    primitive variables of an average are not the average of the primitive variables, and a face has one flux at its
    centre. Explicit: without a Courant number dt must obey `stable_dt`. Averages that are not admissible (negative
    depth or pressure) give NaN.

    Source: van Leer (1977), the limiter; the fluxes, weights and time stepping as in their modules.
    """
    parts = Scheme(scheme) if isinstance(scheme, str) else scheme
    _check(pde, grid, parts, order)
    sides = sides_of(boundary, grid.layout, grid.axes)
    check_ends(pde, grid, sides, parts.states, WIDTHS[parts.reconstruction])
    dt = step_size(dt, device, dtype)
    pde, grid = rounded(pde, dtype, device), rounded(grid, dtype, device)
    d = FiniteDifference(grid)  # for its components and stack; no derivative is taken
    rate = _rate(pde, grid, d, sides, parts)
    if parts.courant is None:
        advance = fixed_step(BY_ORDER[order], rate, dt)
    else:
        advance = courant_limited(BY_ORDER[order], rate, dt, parts.courant, partial(_crossed, pde, grid, d))
    return Step(lambda u: u.to(device=device, dtype=dtype), advance, lambda u: u)


finite_volume.configurable = True


def _check(pde: ConservationLaw, grid: Grid, parts: Scheme, order: int) -> None:
    """Raise ValueError on parts that do not fit the equation or the grid."""
    if order not in BY_ORDER:
        raise ValueError(f"expected an order of time stepping among 1, 2, 3, got {order}; choose one of these")
    if grid.ndim not in pde.dims:
        raise ValueError(
            f"expected a grid of {' or '.join(map(str, pde.dims))} dimensions for {type(pde).__name__}, got shape "
            f"{grid.shape}; choose another equation or grid"
        )
    if parts.flux == "hllc" and not pde.middle_wave:
        raise ValueError(f"expected an equation with a middle wave for hllc, got {type(pde).__name__}; set flux to hll")


def stable_dt(pde: ConservationLaw, u: Averages, grid: Grid, courant: float = 0.4) -> float:
    """A step for which no wave crosses more than the fraction `courant` of a cell, summed over axes; 0.4 is safe."""
    return courant / float(_crossed(pde, grid, FiniteDifference(grid), u).max())


def _crossed(pde: ConservationLaw, grid: Grid, d: FiniteDifference, u: Averages) -> Float[Tensor, "batch 1 *one"]:
    """Cells that the fastest wave of each trajectory crosses per unit time, summed over axes."""
    rate = torch.zeros((), dtype=u.dtype, device=u.device)
    for axis, spacing in enumerate(grid.spacing):
        slow, fast = pde.wave_speeds(u, axis, d)
        rate = rate + torch.maximum(slow.abs(), fast.abs()) / spacing
    return rate.amax(tuple(range(2, u.ndim)), keepdim=True)


def _rate(pde: ConservationLaw, grid: Grid, d: FiniteDifference, sides: Sides, parts: Scheme) -> Advance:
    """Return the function that gives d/dt of cell averages: flux in less flux out, divided by the spacing."""
    flux, width = FLUXES[parts.flux], WIDTHS[parts.reconstruction]
    face_states = _reconstruction(pde, parts, d)

    def rate(u: Averages) -> Averages:
        total = torch.zeros_like(u)
        for axis, spacing in enumerate(grid.spacing):
            dim = 2 + axis
            if grid.layout[axis] == "periodic":
                left, right = face_states(u, dim)
                out = flux(pde, left, right, axis, d)  # through the upper face of each cell
                total = total - (out - torch.roll(out, 1, dim)) / spacing
                continue
            n, padded = grid.shape[axis], with_ghosts(pde, u, axis, sides[axis], parts.states, width)
            left, right = (state.narrow(dim, width - 1, n + 1) for state in face_states(padded, dim))
            total = total - torch.diff(flux(pde, left, right, axis, d), dim=dim) / spacing
        return total

    return rate


def _reconstruction(pde: ConservationLaw, parts: Scheme, d: FiniteDifference) -> Callable[[Tensor, int], FacePair]:
    """Return the function from averages to the states below and above the upper face of each cell."""
    reconstruct = {"constant": constant, "muscl": muscl(parts.limiter), "weno5": weno5}[parts.reconstruction]
    bounded = parts.reconstruction != "weno5"  # makes no new extrema

    def face_states(u: Tensor, dim: int) -> FacePair:
        average = pde.primitive(u, d)
        lower, upper = reconstruct(average, dim)
        if not bounded:
            lower, upper = kept_positive((lower, upper), average, pde.positive_primitives)
        return pde.conserved(upper, d), torch.roll(pde.conserved(lower, d), -1, dim)

    return face_states
