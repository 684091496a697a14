"""Inlets and buoyancy of smoke from its fields alone, by the balance of smoke and of vorticity over time.

With w = v_x - u_y, integrals over the time T of a trajectory,

    S(x, y) = [s(T) - s(0) + int (u s)_x + (v s)_y - kappa laplacian(s) dt] / T
    b       = <[w(T) - w(0) + int (u w)_x + (v w)_y - nu laplacian(w) dt] int s_x dt> / <(int s_x dt)^2>

where <> is the mean over the box: S is constant in time, and b is the least-squares solution of the vorticity equation
integrated over time. Both hold for any part of a solution of `pdekit.pdes.Boussinesq`; for a generated flow they are
the inlets and the buoyancy with which it comes nearest to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import max_pool2d

from pdekit.calculus.mirrored import Mirrored, MirroredField
from pdekit.fields import Grid

SIGNS = ((-1, 1), (1, -1), (1, 1))
"""Of velocity_x, velocity_y and smoke at the walls."""
SHARE = 0.35
"""Of the largest value of S, above which a maximum counts as an inlet."""
NEAREST = 0.15
"""Distance below which two maxima are one inlet, in lengths of the box along x."""


@dataclass(frozen=True)
class Plumes:
    """Inlets and buoyancy of one flow.

    Args:
        centres: (x, y) of the inlets, the strongest first.
        rates: the source S there.
        buoyancy: the least-squares one.
        misfit: what is left of the vorticity equation, divided by its buoyancy term (root mean squares).
    """

    centres: tuple[tuple[float, float], ...]
    rates: tuple[float, ...]
    buoyancy: float
    misfit: float


@torch.no_grad()
def plumes_of(
    u: Float[Tensor, "sample time channel x y"], grid: Grid, dt: float, viscosity: float, diffusivity: float
) -> list[Plumes]:
    """Return inlets and buoyancy of each flow.

    Args:
        u: velocity_x, velocity_y and smoke, at least 5 frames.
        grid: of cells between free-slip walls.
        dt: time between frames.
        viscosity, diffusivity: nu and kappa.

    Raises:
        ValueError: on another number of channels, or too few frames.

    Limits: the integrals are sums over frames (Simpson's rule), whose error grows with dt; values that are not finite
    give no inlets and NaN.
    """
    if u.shape[2] != 3 or u.shape[1] < 5:
        raise ValueError(
            f"expected at least 5 frames of velocity_x, velocity_y and smoke, got shape {tuple(u.shape)}; give whole "
            "trajectories"
        )
    source, forced, buoyant = balances(u.double(), grid, dt, viscosity, diffusivity)
    found = []
    for row in range(len(u)):
        if not (source[row].isfinite().all() and forced[row].isfinite().all()):
            found.append(Plumes((), (), float("nan"), float("nan")))
            continue
        square = float((buoyant[row] ** 2).mean())
        b = float((forced[row] * buoyant[row]).mean()) / square if square > 0 else float("nan")
        left = float(((forced[row] - b * buoyant[row]) ** 2).mean()) ** 0.5
        centres, rates = inlets(source[row], grid)
        found.append(Plumes(centres, rates, b, left / (abs(b) * square**0.5) if square > 0 and b else float("nan")))
    return found


def balances(u: Tensor, grid: Grid, dt: float, viscosity: float, diffusivity: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return S, the left-hand side of the vorticity equation and its s_x, integrated over time: "sample x y"."""
    d = Mirrored(grid, torch.float64, u.device)
    weights = simpson(u.shape[1], dt).to(u)

    def over_time(field: MirroredField) -> Tensor:
        return torch.einsum("ntxy,t->nxy", field.samples[:, 0].unflatten(0, u.shape[:2]), weights)

    def change(field: MirroredField) -> Tensor:
        frames = field.samples[:, 0].unflatten(0, u.shape[:2])
        return frames[:, -1] - frames[:, 0]

    vx, vy, s = d.field(u.flatten(0, 1), SIGNS).components()
    w = d.x(vy) - d.y(vx)

    def balance(field: MirroredField, spread: float) -> Tensor:
        return change(field) + over_time(d.x(vx * field) + d.y(vy * field) - spread * d.laplacian(field))

    return balance(s, diffusivity) / (dt * (u.shape[1] - 1)), balance(w, viscosity), over_time(d.x(s))


def simpson(n: int, dt: float) -> Tensor:
    """Weights of the integral over n points: Simpson's rule, with the 3/8 rule on the last three steps if n is even.

    >>> (3 * simpson(5, 1.0)).tolist(), round(float(simpson(24, 0.5).sum()), 9)
    ([1.0, 4.0, 2.0, 4.0, 1.0], 11.5)
    """
    weights, thirds = torch.zeros(n, dtype=torch.float64), n if n % 2 else n - 3
    for start in range(0, thirds - 2, 2):
        weights[start : start + 3] += torch.tensor([1.0, 4.0, 1.0], dtype=torch.float64) / 3
    if n % 2 == 0:
        weights[-4:] += torch.tensor([3.0, 9.0, 9.0, 3.0], dtype=torch.float64) / 8
    return weights * dt


def inlets(source: Float[Tensor, "x y"], grid: Grid) -> tuple[tuple[tuple[float, float], ...], tuple[float, ...]]:
    """Return places and values of the maxima of a source, the largest first: see `SHARE` and `NEAREST`."""
    peak = max_pool2d(source[None, None], 3, 1, 1)[0, 0]
    where = (source == peak) & (source > SHARE * source.max()) & (source > 0)
    places = where.nonzero()[source[where].argsort(descending=True)]
    x, y = grid.mesh()
    kept: list[tuple[float, float]] = []
    values: list[float] = []
    for i, j in places.tolist():
        at = _centre(source, i, j, (x, y))
        if all((at[0] - a) ** 2 + (at[1] - b) ** 2 > (NEAREST * float(grid.extent[0])) ** 2 for a, b in kept):
            kept.append(at)
            values.append(float(source[i, j]))
    return tuple(kept), tuple(values)


def _centre(source: Tensor, i: int, j: int, mesh: Sequence[Tensor]) -> tuple[float, float]:
    """The centre of mass of the source over the 5 x 5 points about a maximum."""
    near = (slice(max(i - 2, 0), i + 3), slice(max(j - 2, 0), j + 3))
    mass = source[near].clamp_min(0)
    x, y = (float((mass * axis.to(source)[near]).sum() / mass.sum()) for axis in mesh)
    return x, y


@dataclass(frozen=True)
class Agreement:
    """True where a flow does what a prompt asks for; None where the prompt says nothing.

    Args:
        count, places, buoyancy: of the plumes.
    """

    count: bool | None
    places: bool | None
    buoyancy: bool | None

    @property
    def all(self) -> bool:
        """True if nothing disagrees."""
        return False not in (self.count, self.places, self.buoyancy)


@dataclass(frozen=True)
class Tolerance:
    """Distances within which a flow agrees with a prompt.

    Args:
        place: by which an inlet may lie outside the named third of the box, in lengths of an axis.
        buoyancy: largest difference.
    """

    place: float = 0.05
    buoyancy: float = 0.1


def follows_prompt(
    found: Plumes,
    grid: Grid,
    count: int | None = None,
    cells: Sequence[tuple[int, int]] = (),
    buoyancy: float | None = None,
    tolerance: Tolerance | None = None,
) -> Agreement:
    """Compare a flow with what is asked for, e.g. by `pdekit.captions.reading.read_smoke`.

    Args:
        found: of the flow.
        grid: its box.
        count: of the plumes, None if any will do.
        cells: thirds (along x, along y) of the box, each of which has an inlet of its own; others may be there too.
        buoyancy: None if any will do.
        tolerance: that of `Tolerance` if None.

    >>> box = Grid((8, 8), (1.0, 1.0), layout=("cells", "cells"))
    >>> two = Plumes(((0.2, 0.2), (0.68, 0.5)), (1.0, 0.8), 0.43, 0.1)
    >>> follows_prompt(two, box, 2, [(1, 1), (0, 0)], 0.4).all, follows_prompt(two, box, 2, [(0, 0), (0, 0)]).places
    (True, False)
    """
    near = tolerance or Tolerance()
    inside = [[_inside(centre, cell, grid, near.place) for centre in found.centres] for cell in cells]
    close = None if buoyancy is None else abs(found.buoyancy - buoyancy) <= near.buoyancy
    return Agreement(
        None if count is None else len(found.centres) == count, _matched(inside, set()) if cells else None, close
    )


def _inside(centre: Sequence[float], cell: Sequence[int], grid: Grid, margin: float) -> bool:
    """True if a point lies in a third along each axis, or next to it."""
    shares = [(x - low) / float(size) for x, low, size in zip(centre, grid.origin, grid.extent, strict=True)]
    return all(
        third / 3 - margin <= share <= (third + 1) / 3 + margin for share, third in zip(shares, cell, strict=True)
    )


def _matched(inside: Sequence[Sequence[bool]], taken: set[int]) -> bool:
    """True if each row can have a column of its own that is true."""
    if not inside:
        return True
    free = [column for column, yes in enumerate(inside[0]) if yes and column not in taken]
    return any(_matched(inside[1:], taken | {column}) for column in free)
