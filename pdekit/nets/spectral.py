"""Truncated Fourier transforms of real fields.

    u_hat_k = 1/n sum_j u_j exp(-2 pi i k j / n),      u_j = Re sum_k d_k u_hat_k exp(2 pi i k j / n)

The last axis keeps k >= 0 only; d_k = 2 stands for its missing half (1 at k = 0 and at Nyquist). Coefficients
are means over the grid, so that one set of weights is the same operator on every grid that resolves its modes.
Along a bounded axis, one with a `Series`, the two maps are that of `pdekit.nets.series` instead.

Only kept modes are transformed along the leading axes. The two maps are each other's adjoint up to d_k and n, and
the backward passes say so: PyTorch's own backward of a real transform runs a complex one of the full length.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.autograd import Function

from pdekit.nets.parts import parts
from pdekit.nets.series import Series, highest_mode

AxisSeries = Sequence[Series | None] | None
"""For each axis its `Series` if it is bounded and None if it is periodic; None where all are."""

Bands = tuple[tuple[int, int], ...]
"""Kept wavenumbers (lowest, highest) of each axis, stored in the order 0 ... highest, lowest ... -1. The lowest
of the last axis is 0."""


def symmetric_bands(shape: Sequence[int], modes: Sequence[int], series: AxisSeries = None) -> Bands:
    """All wavenumbers |k| <= modes, or fewer where the grid does not resolve them: |k| <= (n - 1) // 2, since
    the sign of the Nyquist mode of an even grid is unknown.

    >>> symmetric_bands((64, 9), (12, 12))
    ((-12, 12), (0, 4))
    """
    highest = [min(m, highest_mode(size)) for m, size in zip(modes, sizes(shape, series), strict=True)]
    return (*((-h, h) for h in highest[:-1]), (0, highest[-1]))


def sizes(shape: Sequence[int], series: AxisSeries) -> list[float]:
    """Points of a whole period of each axis."""
    return [n if one is None else one.size for n, one in zip(shape, series or (None,) * len(shape), strict=True)]


def analyse(
    u: Float[Tensor, "batch channel *space"], bands: Bands, series: AxisSeries = None, weighted: bool = True
) -> Complex[Tensor, "batch channel *mode"]:
    """Fourier coefficients of the kept modes of real fields. The modes of the last axis come first: "z y x".

    Args:
        u: the fields.
        bands: kept modes.
        series: series of each axis, None where it is periodic; None if all axes are.
        weighted: whether the points of a series have their weights, as an integral wants it.
    """
    return _Analysis.apply(u, bands, series, weighted)


def synthesise(
    u_hat: Complex[Tensor, "batch channel *mode"],
    shape: Sequence[int],
    bands: Bands,
    series: AxisSeries = None,
    weighted: bool = False,
) -> Float[Tensor, "batch channel *space"]:
    """The real fields on a grid of the given shape whose kept modes are u_hat, all others zero.

    Where the last axis has wavenumber 0, coefficients of k and -k are both stored; the field is the real part of
    their sum, whether or not they are conjugate. Arguments as of `analyse`.
    """
    return _Synthesis.apply(u_hat, tuple(shape), bands, series, weighted)


class _Analysis(Function):
    @staticmethod
    def forward(ctx, u: Tensor, bands: Bands, series: AxisSeries, weighted: bool) -> Tensor:
        ctx.bands, ctx.shape, ctx.series, ctx.weighted = bands, tuple(u.shape[2:]), series, weighted
        return forward_transform(u, bands, series, weighted)

    @staticmethod
    def backward(ctx, grad: Tensor):
        grad = grad / multiplicity(ctx.bands, ctx.shape, grad.real, ctx.series)
        return _Synthesis.apply(grad, ctx.shape, ctx.bands, ctx.series, ctx.weighted), None, None, None


class _Synthesis(Function):
    @staticmethod
    def forward(ctx, u_hat: Tensor, shape: tuple[int, ...], bands: Bands, series: AxisSeries, weighted: bool) -> Tensor:
        ctx.bands, ctx.shape, ctx.series, ctx.weighted = bands, shape, series, weighted
        return inverse_transform(u_hat, shape, bands, series, weighted)

    @staticmethod
    def backward(ctx, grad: Tensor):
        found = _Analysis.apply(grad, ctx.bands, ctx.series, ctx.weighted)
        return found * multiplicity(ctx.bands, ctx.shape, grad, ctx.series), None, None, None, None


def multiplicity(bands: Bands, shape: Sequence[int], like: Tensor, series: AxisSeries = None) -> Tensor:
    """d_k times the number of points, the ratio of an adjoint to an inverse; shaped "mode *1" of the last axis."""
    k = torch.arange(bands[-1][1] + 1, device=like.device)
    points = sizes(shape, series)
    once = (k == 0) | (2 * k == points[-1])
    counts = torch.where(once, 1.0, 2.0).to(like.dtype) * prod(points)
    return counts.reshape(-1, *(1,) * (len(shape) - 1))


def forward_transform(u: Tensor, bands: Bands, series: AxisSeries = None, weighted: bool = True) -> Tensor:
    """`analyse` without a derivative."""
    n_numbers = u[0].numel() if len(u) else 1
    transformed = [_forward_transform(u[part], bands, series, weighted) for part in parts(u, n_numbers)]
    return transformed[0] if len(transformed) == 1 else torch.cat(transformed)


def _forward_transform(u: Tensor, bands: Bands, series: AxisSeries, weighted: bool) -> Tensor:
    series = series or (None,) * len(bands)
    if series[-1] is None:
        u_hat = torch.fft.rfft(u, norm="forward")[..., : bands[-1][1] + 1]
    else:
        u_hat = torch.view_as_complex((u @ series[-1].analysis[weighted]).unflatten(-1, (-1, 2)))
    for axis in reversed(range(len(bands) - 1)):
        u_hat = u_hat.movedim(2 + axis, -1).contiguous()
        if series[axis] is None:
            lowest, highest = bands[axis]
            u_hat = torch.fft.fft(u_hat, norm="forward")
            u_hat = torch.cat((u_hat[..., : highest + 1], u_hat[..., u_hat.shape[-1] + lowest :]), -1)
        else:
            u_hat = u_hat @ series[axis].analysis[weighted]
    return u_hat


def inverse_transform(
    u_hat: Tensor,
    shape: tuple[int, ...],
    bands: Bands,
    series: AxisSeries = None,
    weighted: bool = False,
    mean: Tensor | None = None,
) -> Tensor:
    """`synthesise` without a derivative; a ``mean`` "batch channel" is added to the fields."""
    # Leading axes first and complex, the last axis real: a real transform of several axes at once is defined for
    # Hermitian spectra only, and differs between libraries for others.
    series = series or (None,) * len(bands)
    for axis, (lowest, highest) in enumerate(bands[:-1]):
        if series[axis] is None:
            zeros = u_hat.new_zeros(*u_hat.shape[:-1], shape[axis] - (highest + 1 - lowest))
            u_hat = torch.cat((u_hat[..., : highest + 1], zeros, u_hat[..., highest + 1 :]), -1)
            u_hat = torch.fft.ifft(u_hat, norm="forward")
        else:
            u_hat = u_hat @ series[axis].synthesis[weighted]
        u_hat = u_hat.movedim(-1, 2 + axis)
    bounded = series[-1] is not None
    zeros = u_hat.new_zeros(*u_hat.shape[:-1], 0 if bounded else shape[-1] // 2 + 1 - u_hat.shape[-1])
    u_hat = torch.cat((u_hat, zeros), -1)
    if mean is not None:
        u_hat[..., 0] += mean.reshape(*mean.shape, *(1,) * (len(shape) - 1))
    if bounded:
        return torch.view_as_real(u_hat).flatten(-2) @ series[-1].synthesis[weighted]
    return torch.fft.irfft(u_hat, n=shape[-1], norm="forward")
