"""Fourier series on a bounded axis of length 1, extended by zero to a period P > 1 in which its ends do not touch.

    u_hat_k = 1/P integral_0^1 u(x) exp(-2 pi i k x / P) dx,      u(x) = sum_k u_hat_k exp(2 pi i k x / P),  0 <= x <= 1

The integral is a sum over the points with the weights of their layout (equal on cells, else trapezoidal), so that
the coefficients of one smooth field are the same on every grid to second order, whatever its number of points: no
number of points beyond the end has to fit the period. Few modes are wanted of few points, so that the sums are
products with small matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, pi
from typing import NamedTuple

import torch
from torch import Tensor

from pdekit.nets.layout import axis_shares, intervals


class Series(NamedTuple):
    """The two maps of one axis between points and modes, by matrices.

    Each comes plain and weighted: the adjoint of the weighted analysis is the weighted synthesis, that of the plain
    synthesis the plain analysis, up to ``size`` (see `pdekit.nets.spectral`).

    Args:
        size: points that a whole period would have, not always an integer.
        analysis: plain and weighted, "point mode" complex; of the last axis "point (mode re|im)" real.
        synthesis: plain and weighted, "mode point" complex; of the last axis "(mode re|im) point" real.
    """

    size: float
    analysis: tuple[Tensor, Tensor]
    synthesis: tuple[Tensor, Tensor]


def highest_mode(size: float) -> int:
    """The highest wavenumber that so many points of a period resolve, below Nyquist.

    >>> highest_mode(9), highest_mode(8), highest_mode(31.5)
    (4, 3, 15)
    """
    return max(ceil(size / 2) - 1, 0)


def resolved_modes(shape: Sequence[int], layout: Sequence[str], padding: float) -> tuple[int, ...]:
    """The highest wavenumber of each axis that a grid resolves; those of a bounded axis are of its padded period.

    >>> resolved_modes((64, 29), ("periodic", "nodes"), 0.125)
    (31, 15)
    """
    sizes = [
        n if where == "periodic" else (1 + padding) * intervals(n, where)
        for n, where in zip(shape, layout, strict=True)
    ]
    return tuple(highest_mode(size) for size in sizes)


def bounded_series(
    shape: Sequence[int], layout: Sequence[str], period: float, modes: Sequence[int], like: Tensor
) -> tuple[Series | None, ...] | None:
    """The series of each bounded axis, None where an axis is periodic; None if all are.

    Args:
        shape, layout: points of each axis and where they lie.
        period: P, the same for all axes in shares of their lengths.
        modes: highest wavenumber of each axis; where the points do not resolve it there are fewer modes.
        like: tensor with the precision and device of the result.
    """
    if all(where == "periodic" for where in layout):
        return None
    last = len(layout) - 1
    return tuple(
        None if where == "periodic" else _series(n, where, period, m, axis == last, like)
        for axis, (n, where, m) in enumerate(zip(shape, layout, modes, strict=True))
    )


def _series(n: int, layout: str, period: float, modes: int, last: bool, like: Tensor) -> Series:
    size = period * intervals(n, layout)
    highest = min(modes, highest_mode(size))
    k = torch.arange(highest + 1, dtype=like.dtype, device=like.device)
    k = k if last else torch.cat((k, k[1:].flip(0).neg()))
    # float64, whose sines of large angles are those of the angles meant
    angle = axis_shares(n, layout, like.double())[:, None] * (k.double() * (2 * pi / period))
    waves = torch.stack((angle.cos(), -angle.sin()), -1).to(like.dtype)
    weights = torch.ones_like(waves[:, 0, 0])
    if layout == "nodes":
        weights[0] = weights[-1] = 0.5
    if layout == "half_open" and n > 2:  # trapezoidal; the line through the last two points goes on to the end
        weights[0] = weights[-2] = 0.5
        weights[-1] = 2.0
    twice = torch.where(k == 0, 1.0, 2.0).to(like.dtype) if last else torch.ones_like(k)  # for the missing half

    def analysis(weight: Tensor) -> Tensor:
        table = weight[:, None, None] / size * waves
        return table.flatten(1) if last else torch.view_as_complex(table)

    def synthesis(weight: Tensor) -> Tensor:
        table = weight[:, None, None] * twice[:, None] * waves
        return table.flatten(1).T if last else torch.view_as_complex(table).mH

    plain = torch.ones_like(weights)
    return Series(size, (analysis(plain), analysis(weights)), (synthesis(plain), synthesis(weights)))
