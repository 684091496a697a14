"""Fields on another grid of the same box: trigonometric interpolation sum_k u_hat(k) exp(i k.x), and restriction."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Grid


def moves(grid: Grid, other: Grid) -> tuple[float, ...]:
    """Return the way from the first point of a grid to that of another one, as shares of the box along each axis.

    0 where both have one origin, and where an axis has ends: points there are compared by their layout.
    """
    parts = zip(grid.origin, other.origin, grid.extent, grid.layout, strict=True)
    return tuple(0.0 if a == b or where != "periodic" else (b - a) / float(length) for a, b, length, where in parts)


def resample(
    u: Float[Tensor, "batch channel *space"], shape: Sequence[int], moved: Sequence[float] = ()
) -> Float[Tensor, "batch channel *new"]:
    """The samples on another number of points of the same periodic box.

    Refining adds zeros to the spectrum: the trigonometric interpolant, exact for band-limited fields. Coarsening
    removes the modes that the coarser grid cannot hold, instead of aliasing them as strided samples would. The
    Nyquist mode of an even axis stands for cos(n x/2): refined, it is shared by +n/2 and -n/2; coarsened to, it
    keeps the real part that the coarse grid can hold. Any sizes, odd or even; the mean is kept.

    Args:
        u: samples.
        shape: points wanted along each axis.
        moved: way from the first point of u to the first one wanted along each axis, see `moves`; none by default.

    >>> x = torch.arange(8, dtype=torch.float64) * 2 * torch.pi / 8
    >>> coarse = resample(torch.cos(x).reshape(1, 1, 8), (4,))
    >>> torch.allclose(coarse.flatten(), torch.tensor([1.0, 0.0, -1.0, 0.0], dtype=torch.float64))
    True
    """
    if len(shape) != u.ndim - 2:
        raise ValueError(
            f"expected {u.ndim - 2} sizes, one for each axis of u {tuple(u.shape)}, got {tuple(shape)}; "
            "give one for each axis"
        )
    for axis, (n, way) in enumerate(zip(shape, moved or (0.0,) * len(shape), strict=True), start=2):
        if n != u.shape[axis] or way != 0:
            u = _resample_axis(u.movedim(axis, -1), n, way).movedim(-1, axis)
    return u


def _resample_axis(u: Tensor, n: int, way: float) -> Tensor:
    """Along the last axis; one axis at a time keeps every transform real."""
    old = u.shape[-1]
    u_hat = torch.fft.rfft(u)
    if way != 0:
        k = torch.arange(old // 2 + 1, dtype=torch.float64, device=u.device)
        u_hat = u_hat * torch.polar(torch.ones_like(k), 2 * torch.pi * way * k).to(u_hat.dtype)
    small = min(old, n)
    kept = u_hat.new_zeros(*u.shape[:-1], n // 2 + 1)
    kept[..., : small // 2 + 1] = u_hat[..., : small // 2 + 1]
    if small % 2 == 0:
        # at the smaller grid's Nyquist mode, half the amplitude belongs to each sign of k when refining; when
        # coarsening both signs fold onto one real mode
        kept[..., small // 2] *= 0.5 if n > old else 2.0
        if n < old:
            kept[..., small // 2] = kept[..., small // 2].real.to(kept.dtype)
    return torch.fft.irfft(kept, n=n) * (n / old)


def restrict(
    u: Float[Tensor, "batch channel *space"], grid: Grid, shape: Sequence[int], averages: bool = False
) -> Float[Tensor, "batch channel *new"]:
    """The field on a coarser grid of the same box.

    Periodic axes keep the modes that the coarser grid holds (nothing is aliased), cells are averaged (nothing is lost
    of a conserved quantity), nodes and half-open points are taken where they coincide. With ``averages``, the values on
    a periodic axis are averages over cells centred at its points; an odd number of them makes one cell of the coarser
    grid.

    Raises:
        ValueError: if cells or nodes of the two grids do not fit.
    """
    moved = moves(grid, grid.resized(shape))
    for axis, (n, m, layout) in enumerate(zip(grid.shape, shape, grid.layout, strict=True), start=2):
        if n == m:
            continue
        if layout == "periodic" and not averages:
            sizes, ways = list(u.shape[2:]), [0.0] * grid.ndim
            sizes[axis - 2], ways[axis - 2] = m, moved[axis - 2]
            u = resample(u, sizes, ways)
            continue
        intervals, wanted = (n - 1, m - 1) if layout == "nodes" else (n, m)
        centred = layout == "periodic" and moved[axis - 2] == 0  # else cells of both grids begin at the end of the box
        if wanted < 1 or intervals % wanted or (centred and intervals // wanted % 2 == 0):
            raise ValueError(
                f"expected {layout} points of the solver's grid that fit those of the stored grid, got {n} and {m}; "
                f"choose an {'odd ' if centred else ''}integer ratio"
            )
        ratio = intervals // wanted
        if layout in ("nodes", "half_open"):
            u = u.index_select(axis, torch.arange(0, n, ratio, device=u.device))
        else:
            u = u.roll(ratio // 2, axis) if centred else u
            u = u.unflatten(axis, (m, ratio)).mean(axis + 1)
    return u


def bring(
    u: Float[Tensor, "batch channel *space"], grid: Grid, shape: Sequence[int], averages: bool = False
) -> Float[Tensor, "batch channel *new"]:
    """The field on another grid of the same box: `restrict` where that is coarser, trigonometric interpolation where a
    periodic axis is finer (exact for what the grid resolves; nothing is added that it does not).

    Raises:
        ValueError: on a finer bounded axis, on finer averages over cells, or on points that do not fit each other.
    """
    finer = tuple(max(n, m) for n, m in zip(grid.shape, shape, strict=True))
    for n, m, layout in zip(grid.shape, finer, grid.layout, strict=True):
        if m > n and (layout != "periodic" or averages):
            kind = "averages over cells" if averages else f"values at {layout}"
            raise ValueError(
                f"expected at most {n} points on an axis of {kind}, got {m}: nothing is known between them; take fewer "
                "points, or generate the data on a finer grid"
            )
    if finer != tuple(grid.shape):
        u = resample(u, finer, moves(grid, grid.resized(finer)))
    return restrict(u, grid.resized(finer), tuple(shape), averages)
