"""The spectral convolution: v = gain (kernel * u) + offset + skip u, the kernel of finitely many Fourier modes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.autograd import Function

from pdekit.nets.parts import parts
from pdekit.nets.spectral import (
    AxisSeries,
    Bands,
    analyse,
    forward_transform,
    inverse_transform,
    multiplicity,
    sizes,
    symmetric_bands,
    synthesise,
)


class SpectralConv(nn.Module):
    """Convolution with a learnt kernel of finitely many Fourier modes: v_hat_k = W_k u_hat_k, |k_i| <= modes.

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
        self.modes = self.limit = tuple(modes)  # of the weights, and of those in use
        n_modes = [self.modes[-1] + 1, *(2 * m + 1 for m in reversed(self.modes[:-1]))]
        std = (in_channels + out_channels) ** -0.5
        self.weight = nn.Parameter(std * torch.randn(*n_modes, in_channels, out_channels, 2))

    def forward(
        self,
        u: Float[Tensor, "batch channel *space"],
        gain: Float[Tensor, "batch out"] | None = None,
        offset: Float[Tensor, "batch out"] | None = None,
        skip: Float[Tensor, "batch out channel"] | None = None,
        series: AxisSeries = None,
    ) -> Float[Tensor, "batch out *space"]:
        """gain * (kernel * u) + offset + skip u. Gain and offset act on the few coefficients, where they cost
        nothing, and the product with ``skip`` on what is still in the cache. On bounded axes, those with a series of
        as many modes, u is zero beyond the ends, and the kernel has the period of the series."""
        bands = symmetric_bands(u.shape[2:], self.limit, series)
        return _Convolution.apply(u, self._kept(bands), gain, offset, skip, bands, series)

    def _kept(self, bands: Bands) -> Tensor:
        """The weights of the kept modes, "mode in pair" with pairs (out, re | im)."""
        weight = self.weight
        for axis, ((lowest, highest), modes) in enumerate(zip(reversed(bands), reversed(self.modes), strict=True)):
            if highest < modes:
                upper = weight.narrow(axis, 0, highest + 1)
                lower = weight.narrow(axis, weight.shape[axis] + lowest, -lowest)
                weight = torch.cat((upper, lower), axis)
        return weight.flatten(-2).flatten(0, len(bands) - 1)


def convolve(
    u: Tensor,
    weight: Tensor,
    gain: Tensor | None,
    offset: Tensor | None,
    skip: Tensor | None,
    bands: Bands,
    series: AxisSeries = None,
) -> Tensor:
    """The convolution written with differentiable operations; `_Convolution` is the same, faster."""
    u_hat = analyse(u, bands, series)
    v_hat = _complex(torch.bmm(_rows(u_hat), weight))
    v_hat = v_hat if gain is None else v_hat * gain
    v = synthesise(v_hat.permute(1, 2, 0).unflatten(2, u_hat.shape[2:]), u.shape[2:], bands, series).flatten(2)
    v = v if offset is None else v + offset[..., None]
    v = v if skip is None else v + skip @ u.flatten(2)
    return v.unflatten(2, u.shape[2:])


def _rows(u_hat: Complex[Tensor, "batch channel *mode"]) -> Float[Tensor, "modes batch2 channel"]:
    """Real parts of all samples, then imaginary parts, as rows of one matrix for each mode."""
    u_hat = u_hat.flatten(2).permute(2, 0, 1).contiguous()
    return torch.view_as_real(u_hat).permute(0, 3, 1, 2).flatten(1, 2)


def _complex(product: Float[Tensor, "modes batch2 pair"]) -> Complex[Tensor, "modes batch out"]:
    """W u_hat = W re(u_hat) + i W im(u_hat) from the two products, so that a real product of matrices does the
    mixing with the weights as they are stored. Complex products have slow backward passes on CPUs."""
    real, imag = torch.view_as_complex(product.unflatten(1, (2, -1)).unflatten(-1, (-1, 2))).unbind(1)
    return torch.add(real, imag, alpha=1j)


class _Convolution(Function):
    """`convolve` with its adjoint: the factors between the adjoint and the inverse transform cancel in the
    gradient of u, and each gradient is accumulated where it is made."""

    @staticmethod
    def forward(ctx, u, weight, gain, offset, skip, bands, series=None):
        shape, points = tuple(u.shape[2:]), u.flatten(2)
        u_hat = forward_transform(u, bands, series)
        rows = _rows(u_hat)
        v_hat = _complex(torch.bmm(rows, weight))
        ctx.save_for_backward(u, weight, gain, offset, skip, rows, None if gain is None else v_hat)
        ctx.bands, ctx.series = bands, series
        v_hat = v_hat if gain is None else v_hat * gain
        v_hat = v_hat.permute(1, 2, 0).unflatten(2, u_hat.shape[2:])
        v = u.new_empty(len(u), v_hat.shape[1], points.shape[2])
        for part in parts(u, v[0].numel()):
            mean = None if offset is None else offset[part]
            field = inverse_transform(v_hat[part], shape, bands, series, weighted=False, mean=mean)
            _put(v[part], field.flatten(2), None if skip is None else skip[part], points[part])
        return v.unflatten(2, shape)

    @staticmethod
    def backward(ctx, grad):
        u, weight, gain, offset, skip, rows, v_hat = ctx.saved_tensors
        bands, series, shape = ctx.bands, ctx.series, tuple(u.shape[2:])
        if torch.is_grad_enabled():  # this derivative will be differentiated: let autograd write it down
            inputs = (u, weight, gain, offset, skip)
            wanted = [t for t, needed in zip(inputs, ctx.needs_input_grad, strict=False) if needed]
            found = iter(torch.autograd.grad(convolve(*inputs, bands, series), wanted, grad, create_graph=True))
            return *(next(found) if needed else None for needed in ctx.needs_input_grad[:5]), None, None
        points, grad_points = u.flatten(2), grad.flatten(2)
        g_hat = forward_transform(grad, bands, series, weighted=False)
        counts = multiplicity(bands, shape, grad, series).expand(g_hat.shape[2:]).reshape(-1, 1, 1)
        g = g_hat.flatten(2).permute(2, 0, 1).contiguous()
        grad_offset = None if offset is None else g[0].real * prod(sizes(shape, series))
        grad_gain = None
        if gain is not None:
            grad_gain = ((g.conj() * v_hat).real * counts).sum(0)
            g = g * gain
        turned = torch.view_as_real(torch.stack((g, -1j * g), 1)).flatten(3).flatten(1, 2)
        grad_weight = torch.bmm((rows * counts).transpose(1, 2), turned)
        real, imag = torch.bmm(turned, weight.transpose(1, 2)).unflatten(1, (2, -1)).unbind(1)
        g_hat = torch.complex(real, imag).permute(1, 2, 0).unflatten(2, g_hat.shape[2:])
        grad_u = torch.empty_like(points)
        transposed = None if skip is None else skip.transpose(1, 2)
        for part in parts(u, grad_u[0].numel()):
            field = inverse_transform(g_hat[part], shape, bands, series, weighted=True)
            _put(grad_u[part], field.flatten(2), None if skip is None else transposed[part], grad_points[part])
        grad_skip = None if skip is None else torch.bmm(grad_points, points.transpose(1, 2))
        return grad_u.unflatten(2, shape), grad_weight, grad_gain, grad_offset, grad_skip, None, None


def _put(out: Tensor, field: Tensor, skip: Tensor | None, points: Tensor) -> None:
    """Write field + skip points into ``out``."""
    if skip is None:
        out.copy_(field)
    else:
        torch.baddbmm(field, skip, points, out=out)
