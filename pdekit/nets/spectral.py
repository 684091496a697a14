"""Truncated Fourier transforms of real fields, and the spectral convolution built on them.

    u_hat_k = 1/n sum_j u_j exp(-2 pi i k j / n),      u_j = Re sum_k d_k u_hat_k exp(2 pi i k j / n)

The last axis keeps k >= 0 only; d_k = 2 stands for its missing half (1 at k = 0 and at Nyquist). Coefficients
are means over the grid, so that one set of weights is the same operator on every grid that resolves its modes.

Only kept modes are transformed along the leading axes. The two maps are each other's adjoint up to d_k and n, and
the backward passes say so: PyTorch's own backward of a real transform runs a complex one of the full length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.autograd import Function

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
    u_hat: Complex[Tensor, "batch channel *mode"],
    shape: tuple[int, ...],
    bands: Bands,
    mean: Float[Tensor, "batch channel"] | None = None,
    skip: Float[Tensor, "batch channel in"] | None = None,
    points: Float[Tensor, "batch in point"] | None = None,
) -> Float[Tensor, "batch channel point"]:
    """The real fields on a grid of the given shape whose kept modes are u_hat, all others zero, + mean + skip points.

    Where the last axis has wavenumber 0, coefficients of k and -k are both stored; the field is the real part of
    their sum, whether or not they are conjugate. The affine map of another field rides along because it is
    cheaper while the result is in the cache.
    """
    return _Synthesis.apply(u_hat, mean, skip, points, shape, bands)


def _parts(u: Tensor, size: int) -> Iterator[slice]:
    """Slices of the batch that are transformed together: on CPUs about a megabyte, so that what is between the
    transforms stays in the cache (128^2, 32 channels: a quarter faster)."""
    whole = u.device.type != "cpu" or torch.compiler.is_compiling()
    step = len(u) if whole else max(1, 2**18 // size)
    return (slice(start, start + step) for start in range(0, len(u), max(step, 1)))


def _forward_transform(u: Tensor, bands: Bands) -> Tensor:
    u_hat = torch.fft.rfft(u, norm="forward")[..., : bands[-1][1] + 1]
    for axis in reversed(range(len(bands) - 1)):
        lowest, highest = bands[axis]
        u_hat = torch.fft.fft(u_hat.movedim(2 + axis, -1).contiguous(), norm="forward")
        u_hat = torch.cat((u_hat[..., : highest + 1], u_hat[..., u_hat.shape[-1] + lowest :]), -1)
    return u_hat


def _inverse_transform(u_hat: Tensor, mean: Tensor | None, shape: tuple[int, ...], bands: Bands) -> Tensor:
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
    return torch.fft.irfft(u_hat, n=shape[-1], norm="forward").flatten(2)


def _multiplicity(bands: Bands, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """d_k times the number of points, the ratio of an adjoint to an inverse; shaped "mode *1" of the last axis."""
    k = torch.arange(bands[-1][1] + 1, device=like.device)
    once = (k == 0) | (2 * k == shape[-1])
    counts = torch.where(once, 1.0, 2.0).to(like.dtype) * prod(shape)
    return counts.reshape(-1, *(1,) * (len(shape) - 1))


class _Analysis(Function):
    @staticmethod
    def forward(ctx, u: Tensor, bands: Bands) -> Tensor:
        ctx.bands, ctx.shape = bands, tuple(u.shape[2:])
        parts = [_forward_transform(u[part], bands) for part in _parts(u, u[0].numel())]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @staticmethod
    def backward(ctx, grad: Tensor):
        grad = grad / _multiplicity(ctx.bands, ctx.shape, grad.real)
        return _Synthesis.apply(grad, None, None, None, ctx.shape, ctx.bands).unflatten(2, ctx.shape), None


class _Synthesis(Function):
    @staticmethod
    def forward(
        ctx,
        u_hat: Tensor,
        mean: Tensor | None,
        skip: Tensor | None,
        points: Tensor | None,
        shape: tuple[int, ...],
        bands: Bands,
    ) -> Tensor:
        ctx.bands, ctx.shape, ctx.has_mean = bands, shape, mean is not None
        ctx.save_for_backward(skip, points)
        n_channels, n_points = u_hat.shape[1], prod(shape)
        u = u_hat.new_empty((len(u_hat), n_channels, n_points), dtype=u_hat.real.dtype)
        for part in _parts(u_hat, n_channels * n_points):
            field = _inverse_transform(u_hat[part], None if mean is None else mean[part], shape, bands)
            if skip is None:
                u[part] = field
            else:
                torch.baddbmm(field, skip[part], points[part], out=u[part])
        return u

    @staticmethod
    def backward(ctx, grad: Tensor):
        skip, points = ctx.saved_tensors
        grad_hat = _Analysis.apply(grad.unflatten(2, ctx.shape), ctx.bands)
        grad_hat = grad_hat * _multiplicity(ctx.bands, ctx.shape, grad)
        grad_mean = grad_hat.flatten(2)[..., 0].real if ctx.has_mean else None
        grad_skip = None if skip is None else torch.bmm(grad, points.transpose(1, 2))
        grad_points = None if skip is None else torch.bmm(skip.transpose(1, 2), grad)
        return grad_hat, grad_mean, grad_skip, grad_points, None, None


class SpectralConv(nn.Module):
    """Convolution with a learnt kernel of finitely many Fourier modes: y_hat_k = W_k u_hat_k, |k_i| <= modes.

    (2 modes + 1)^(ndim - 1) (modes + 1) complex matrices, stored as real pairs ``weight`` "*mode in out 2", modes
    of the last axis first: real parameters can be cast to float64, clipped by value, reduced between devices.

    Args:
        in_channels, out_channels: channels of input and output.
        modes: highest wavenumber of each axis. (neuraloperator's n_modes = 2 modes, Li et al.'s modes = modes;
            both keep -modes but not +modes along the leading axes.)

    Limits: on grids that do not resolve the modes the highest ones are left out.
    Source: Li et al. 2021, https://arxiv.org/abs/2010.08895, eq. 4; the scale of the initial weights, complex
    variance 2 / (in + out), is neuraloperator's.
    """

    def __init__(self, in_channels: int, out_channels: int, modes: Sequence[int]):
        super().__init__()
        self.modes = tuple(modes)
        n_modes = [self.modes[-1] + 1, *(2 * m + 1 for m in reversed(self.modes[:-1]))]
        std = (in_channels + out_channels) ** -0.5
        self.weight = nn.Parameter(std * torch.randn(*n_modes, in_channels, out_channels, 2))

    def forward(
        self,
        u: Float[Tensor, "batch channel *space"],
        gain: Float[Tensor, "batch out"] | None = None,
        offset: Float[Tensor, "batch out"] | None = None,
        skip: Float[Tensor, "batch out channel"] | None = None,
    ) -> Float[Tensor, "batch out point"]:
        """gain * (kernel * u) + offset + skip u, points flattened. Gain and offset act on the few coefficients,
        where they cost nothing."""
        shape = tuple(u.shape[2:])
        bands = symmetric_bands(shape, self.modes)
        u_hat = analyse(u, bands)
        y_hat = _mix(u_hat.flatten(2), self._kept(bands))
        if gain is not None:
            y_hat = y_hat * gain
        y_hat = y_hat.permute(1, 2, 0).unflatten(2, u_hat.shape[2:])
        return synthesise(y_hat, shape, bands, offset, skip, None if skip is None else u.flatten(2))

    def _kept(self, bands: Bands) -> Tensor:
        """The weights of the kept modes, "mode in pair" with pairs (out, re | im)."""
        weight = self.weight
        for axis, ((lowest, highest), modes) in enumerate(zip(reversed(bands), reversed(self.modes), strict=True)):
            if highest < modes:
                upper = weight.narrow(axis, 0, highest + 1)
                lower = weight.narrow(axis, weight.shape[axis] + lowest, -lowest)
                weight = torch.cat((upper, lower), axis)
        return weight.flatten(-2).flatten(0, len(bands) - 1)


def _mix(
    u_hat: Complex[Tensor, "batch in mode"], weight: Float[Tensor, "mode in pair"]
) -> Complex[Tensor, "mode batch out"]:
    """sum_i W_i u_hat_i for each mode, as one real product: real and imaginary parts of u_hat are rows of it, and
    W u = W re(u) + i W im(u). Complex products have slow backward passes on CPUs."""
    rows = torch.view_as_real(u_hat.permute(2, 0, 1).contiguous()).permute(0, 3, 1, 2)
    product = torch.bmm(rows.reshape(len(weight), -1, weight.shape[1]), weight)
    real, imag = torch.view_as_complex(product.unflatten(1, (2, -1)).unflatten(-1, (-1, 2))).unbind(1)
    return torch.add(real, imag, alpha=1j)
