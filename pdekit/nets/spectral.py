"""Truncated Fourier transforms of real fields.

    u_hat_k = 1/n sum_j u_j exp(-2 pi i k j / n),      u_j = Re sum_k d_k u_hat_k exp(2 pi i k j / n)

The last axis keeps k >= 0 only; d_k = 2 stands for its missing half (1 at k = 0 and at Nyquist). Coefficients
are means over the grid, so that one set of weights is the same operator on every grid that resolves its modes.

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

Bands = tuple[tuple[int, int], ...]
"""Kept wavenumbers (lowest, highest) of each axis, stored in the order 0 ... highest, lowest ... -1. The lowest
of the last axis is 0."""


def symmetric_bands(shape: Sequence[int], modes: Sequence[int]) -> Bands:
    """All wavenumbers |k| <= modes, or fewer where the grid does not resolve them: |k| <= (n - 1) // 2, since
    the sign of the Nyquist mode of an even grid is unknown.

    >>> symmetric_bands((64, 9), (12, 12))
    ((-12, 12), (0, 4))
    """
    highest = [min(m, (n - 1) // 2) for n, m in zip(shape, modes, strict=True)]
    return (*((-h, h) for h in highest[:-1]), (0, highest[-1]))


def analyse(u: Float[Tensor, "batch channel *space"], bands: Bands) -> Complex[Tensor, "batch channel *mode"]:
    """Fourier coefficients of the kept modes of real fields. The modes of the last axis come first: "z y x"."""
    return _Analysis.apply(u, bands)


def synthesise(
    u_hat: Complex[Tensor, "batch channel *mode"], shape: Sequence[int], bands: Bands
) -> Float[Tensor, "batch channel *space"]:
    """The real fields on a grid of the given shape whose kept modes are u_hat, all others zero.

    Where the last axis has wavenumber 0, coefficients of k and -k are both stored; the field is the real part of
    their sum, whether or not they are conjugate.
    """
    return _Synthesis.apply(u_hat, tuple(shape), bands)


class _Analysis(Function):
    @staticmethod
    def forward(ctx, u: Tensor, bands: Bands) -> Tensor:
        ctx.bands, ctx.shape = bands, tuple(u.shape[2:])
        return forward_transform(u, bands)

    @staticmethod
    def backward(ctx, grad: Tensor):
        grad = grad / multiplicity(ctx.bands, ctx.shape, grad.real)
        return _Synthesis.apply(grad, ctx.shape, ctx.bands), None


class _Synthesis(Function):
    @staticmethod
    def forward(ctx, u_hat: Tensor, shape: tuple[int, ...], bands: Bands) -> Tensor:
        ctx.bands, ctx.shape = bands, shape
        return inverse_transform(u_hat, shape, bands)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _Analysis.apply(grad, ctx.bands) * multiplicity(ctx.bands, ctx.shape, grad), None, None


def multiplicity(bands: Bands, shape: Sequence[int], like: Tensor) -> Tensor:
    """d_k times the number of points, the ratio of an adjoint to an inverse; shaped "mode *1" of the last axis."""
    k = torch.arange(bands[-1][1] + 1, device=like.device)
    once = (k == 0) | (2 * k == shape[-1])
    counts = torch.where(once, 1.0, 2.0).to(like.dtype) * prod(shape)
    return counts.reshape(-1, *(1,) * (len(shape) - 1))


def forward_transform(u: Tensor, bands: Bands) -> Tensor:
    """`analyse` without a derivative."""
    n_numbers = u[0].numel() if len(u) else 1
    transformed = [_forward_transform(u[part], bands) for part in parts(u, n_numbers)]
    return transformed[0] if len(transformed) == 1 else torch.cat(transformed)


def _forward_transform(u: Tensor, bands: Bands) -> Tensor:
    u_hat = torch.fft.rfft(u, norm="forward")[..., : bands[-1][1] + 1]
    for axis in reversed(range(len(bands) - 1)):
        lowest, highest = bands[axis]
        u_hat = torch.fft.fft(u_hat.movedim(2 + axis, -1).contiguous(), norm="forward")
        u_hat = torch.cat((u_hat[..., : highest + 1], u_hat[..., u_hat.shape[-1] + lowest :]), -1)
    return u_hat


def inverse_transform(u_hat: Tensor, shape: tuple[int, ...], bands: Bands, mean: Tensor | None = None) -> Tensor:
    """`synthesise` without a derivative; a ``mean`` "batch channel" is added to the fields."""
    # Leading axes first and complex, the last axis real: a real transform of several axes at once is defined for
    # Hermitian spectra only, and differs between libraries for others.
    for axis, (lowest, highest) in enumerate(bands[:-1]):
        zeros = u_hat.new_zeros(*u_hat.shape[:-1], shape[axis] - (highest + 1 - lowest))
        u_hat = torch.cat((u_hat[..., : highest + 1], zeros, u_hat[..., highest + 1 :]), -1)
        u_hat = torch.fft.ifft(u_hat, norm="forward").movedim(-1, 2 + axis)
    zeros = u_hat.new_zeros(*u_hat.shape[:-1], shape[-1] // 2 + 1 - u_hat.shape[-1])
    u_hat = torch.cat((u_hat, zeros), -1)
    if mean is not None:
        u_hat[..., 0] += mean.reshape(*mean.shape, *(1,) * (len(shape) - 1))
    return torch.fft.irfft(u_hat, n=shape[-1], norm="forward")
