"""Fourier neural operator: Q u, then layers v = kernel * u + W u + b, u <- sigma(u + perceptron(sigma(v))), then P u.

Li et al. 2021 (https://arxiv.org/abs/2010.08895), with the channel perceptron and its skip that neuraloperator adds
to each layer (Kossaifi et al. 2024, https://arxiv.org/abs/2310.00120).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.base import GridNet
from pdekit.nets.condition import Condition
from pdekit.nets.conditioning import ConditionEmbedding, Modulation
from pdekit.nets.layout import bounded_coordinates, modes_of_axes
from pdekit.nets.pointwise import Perceptron, affine, is_wide
from pdekit.nets.series import bounded_series, resolved_modes
from pdekit.nets.spectral import AxisSeries
from pdekit.nets.spectral_conv import SpectralConv


class FourierLayer(nn.Module):
    """v = gain (kernel * u + W u + b) + offset, y = sigma(u + perceptron(sigma(v))); the last layer has no sigma
    outside its perceptron.

    FiLM's gain and offset act on the coefficients of the kernel and on W instead of the field: the same numbers
    without passes over it.
    """

    def __init__(self, width: int, modes: Sequence[int], features: int, last: bool):
        super().__init__()
        self.kernel = SpectralConv(width, width, modes)
        self.weight = nn.Parameter((2 * torch.rand(width, width) - 1) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(width))
        self.perceptron = Perceptron(width, width // 2, width, activate=not last)
        self.modulation = Modulation(features, width) if features else None

    def forward(
        self,
        u: Float[Tensor, "batch channel *space"],
        embedding: Float[Tensor, "batch feature"] | None,
        series: AxisSeries = None,
    ) -> Float[Tensor, "batch channel *space"]:
        points, skip = u.flatten(2), self.weight.expand(len(u), -1, -1)
        if self.modulation is not None:
            gain, offset = self.modulation(embedding)
            v = self.kernel(u, gain, offset + gain * self.bias, gain[:, :, None] * skip, series).flatten(2)
        elif is_wide(self.weight):
            v = affine(points, self.weight, self.bias).add_(self.kernel(u, series=series).flatten(2))
        else:
            v = self.kernel(u, None, self.bias.expand(len(u), -1), skip, series).flatten(2)
        return self.perceptron(v, points).unflatten(2, u.shape[2:])


class FNO(GridNet):
    """Fourier neural operator in one to three dimensions.

    Equivariant to translations along periodic axes by whole grid steps. On another grid, odd or even, it is the
    same function of a band-limited input as far as its pointwise nonlinearities are resolved; along bounded axes, where
    coefficients are integrals by the trapezoidal or the midpoint rule, to second order in the spacing.

    Args:
        layout, in_channels, out_channels, n_conditions: see `GridNet`.
        modes: highest wavenumber of the kernels, one for all axes or one for each; of a bounded axis with its padding.
            ``modes: auto`` in a configuration is chosen from the training data (`pdekit.models.modes`).
        width: channels of the hidden fields.
        n_layers: number of Fourier layers.
        padding: share of a bounded axis by which the period of its kernels is longer: in each layer the field is zero
            beyond the end, so that the two ends do not touch. It is a length, the same on every grid, and costs
            nothing (see `pdekit.nets.series`). Bounded axes also get their coordinate as an input channel.

    Conditions modulate every layer (FiLM). Differences from neuraloperator's FNO with n_modes = 2 modes: kernels
    keep +modes as well as -modes and no Nyquist mode, periodic axes get no coordinates, the skip of the channel
    perceptron is the identity, and bounded axes are extended by zero in each layer, not once by whole points before
    the first, which makes another period on every grid.

    Limits: a mode that a coarse grid does not resolve is left out, see `limited`. Runs in the precision of its
    parameters and leaves autocast aside (bfloat16 has no transforms).
    """

    configurable = True

    def __init__(
        self,
        layout: int | Sequence[str],
        in_channels: int,
        out_channels: int,
        n_conditions: int = 0,
        *,
        modes: int | Sequence[int],
        width: int = 32,
        n_layers: int = 4,
        padding: float = 0.125,
    ):
        super().__init__(layout, in_channels, out_channels, n_conditions)
        modes = modes_of_axes(modes, self.ndim)
        if width < 2 or n_layers < 1 or padding < 0:
            raise ValueError(
                f"expected width >= 2, n_layers >= 1, padding >= 0, got {width}, {n_layers}, {padding}; correct them"
            )
        self.modes, self.padding = modes, padding
        self.limit = modes  # highest wavenumbers in use, see `limited`
        features = 2 * width if n_conditions else 0
        self.embedding = ConditionEmbedding(n_conditions, features) if n_conditions else None
        n_bounded = self.periodic.count(False)
        self.lifting = Perceptron(in_channels + n_bounded, 2 * width, width)
        self.layers = nn.ModuleList([FourierLayer(width, modes, features, i == n_layers - 1) for i in range(n_layers)])
        self.projection = Perceptron(width, 2 * width, out_channels)

    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None = None
    ) -> Float[Tensor, "batch out *space"]:
        self.check(u, condition)
        dtype, shape = self.lifting.weight_in.dtype, u.shape[2:]
        with torch.autocast(u.device.type, enabled=False):
            embedding = None if self.embedding is None else self.embedding(condition.scalars.to(dtype))
            u = bounded_coordinates(u.to(dtype), self.layout)
            u = self.lifting(u.flatten(2)).unflatten(2, shape)
            series = bounded_series(shape, self.layout, 1 + self.padding, self.limit, u)
            for layer in self.layers:
                u = layer(u, embedding, series)
            return self.projection(u.flatten(2)).unflatten(2, shape)

    def resolved(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The highest wavenumbers of the kernels that a grid of that shape resolves."""
        resolved = resolved_modes(shape, self.layout, self.padding)
        return tuple(min(m, limit) for m, limit in zip(self.modes, resolved, strict=True))


def limited(net: nn.Module, shape: Sequence[int]) -> nn.Module:
    """The net without the modes of its FNOs that a training grid does not resolve; it shares all weights.

    Such modes keep their random weights, because the training grid leaves them out; a finer grid would use them.

    Args:
        net: an FNO, a module that holds some, or any other, which is returned as it is.
        shape: points of each axis of the training grid.
    """
    if all(fno.resolved(shape) == fno.modes for fno in _all_in(net)):
        return net
    net = copy.deepcopy(net, {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())})
    for fno in _all_in(net):
        fno.limit = fno.resolved(shape)
        for layer in fno.layers:
            layer.kernel.limit = fno.limit
    return net


def _all_in(net: nn.Module) -> list[FNO]:
    return [module for module in net.modules() if isinstance(module, FNO)]
