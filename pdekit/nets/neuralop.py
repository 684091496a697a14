"""Architectures of the neuraloperator library (https://github.com/neuraloperator/neuraloperator) as grid nets.

Four defects of its release 2.0.0 are repaired here, on the instances that are built here and nowhere else:

- its spectral convolution undoes `fftshift` with `fftshift`, which displaces the spectrum of every axis of odd size
  but the last, and it does not resize the spectrum where a layer changes the resolution (UNO). `CorrectedConv` keeps
  the library's weights and contraction and does the transforms with `pdekit.nets.spectral`;
- its models write an entry ``_metadata`` that is not a tensor into the state of whatever contains them, which then
  does not load. A hook removes it;
- its padding is a share of the number of points, so that a box with nodes at its ends has another length on every
  grid. `NeuralOperator` pads instead, by a share of the length;
- UNO prints while it is built.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.base import GridNet
from pdekit.nets.condition import Condition
from pdekit.nets.layout import axes_of, bounded_coordinates, intervals, modes_of_axes
from pdekit.nets.spectral import Bands, analyse, synthesise

PADDING = 0.25
"""Length that TFNO and UNO add to each bounded axis, as a share of it; half of it is the library's domain_padding."""


class CorrectedConv(nn.Module):
    """A spectral convolution of the library, right on grids of any size, even or odd, in and out.

    Along a leading axis with M = n_modes it keeps -M/2 ... M/2 - 1 as the library does (less where a grid does not
    resolve them); along the last one 0 ... M/2.
    """

    def __init__(self, conv: nn.Module):
        super().__init__()
        self.conv = conv

    def transform(self, u: Tensor, output_shape: Sequence[int] | None = None) -> Tensor:
        """The library's interpolation of the fields that pass a layer by."""
        return self.conv.transform(u, output_shape=output_shape)

    def forward(self, u: Tensor, output_shape: Sequence[int] | None = None) -> Tensor:
        conv, shape = self.conv, tuple(u.shape[2:])
        if output_shape is None:
            factors = conv.resolution_scaling_factor or [1] * len(shape)
            output_shape = [round(n * factor) for n, factor in zip(shape, factors, strict=True)]
        bands, kept = self._bands(shape, tuple(output_shape))
        axes = tuple(range(2, u.ndim - 1))
        shifts = [-lowest for lowest, _ in bands[:-1]]
        reverse = (0, 1, *reversed(range(2, u.ndim)))
        u_hat = torch.roll(analyse(u, bands).permute(reverse), shifts, axes) if axes else analyse(u, bands)
        y_hat = conv._contract(u_hat, conv.weight[kept], separable=conv.separable)
        y_hat = torch.roll(y_hat, [-s for s in shifts], axes).permute(reverse) if axes else y_hat
        v = synthesise(y_hat, output_shape, bands)
        return v if conv.bias is None else v + conv.bias

    def _bands(self, shape: tuple[int, ...], output_shape: tuple[int, ...]) -> tuple[Bands, tuple[slice, ...]]:
        """The modes that the library's n_modes and both grids allow, and their place in the weights."""
        bands, kept = [], [slice(None)] * (1 if self.conv.separable else 2)
        for i, (n, n_out) in enumerate(zip(shape, output_shape, strict=True)):
            # The Nyquist mode of an even grid means something on this grid only.
            resolved = n if n == n_out else (min(n, n_out) - 1) // 2 * 2 + 1
            if i < len(shape) - 1:
                m = min(self.conv.n_modes[i], resolved)
                centre = self.conv.max_n_modes[i] // 2
                bands.append((-(m // 2), m - m // 2 - 1))
                kept.append(slice(centre - m // 2, centre + m - m // 2))
            else:
                m = min(self.conv.n_modes[i], resolved // 2 + 1)
                bands.append((0, m - 1))
                kept.append(slice(0, m))
        return tuple(bands), tuple(kept)


class NeuralOperator(GridNet):
    """A model of the library behind the signature of `GridNet`; built by `tfno` and `uno`.

    Conditions enter as constant channels, because the library's models have no other way in. Bounded axes get
    their coordinate as a channel, and are padded with zeros at their end to 1 + ``padding`` of their length and cut
    again; nothing is done to periodic ones, so that TFNO is equivariant along them.

    Limits: the padded length is rounded to whole points, exact where padding times the intervals of an axis is an
    integer. float32 only (the library fixes its complex weights to that precision), which excludes gradient
    clipping by value too; not full-graph compilable. Use `pdekit.nets.fno.FNO` where that matters.
    """

    def __init__(
        self,
        core: nn.Module,
        layout: int | Sequence[str],
        in_channels: int,
        out_channels: int,
        n_conditions: int,
        padding: float,
    ):
        super().__init__(layout, in_channels, out_channels, n_conditions)
        if padding < 0:
            raise ValueError(f"expected padding >= 0, got {padding}; 0 is no padding")
        self.padding = padding
        for module in list(core.modules()):
            if type(module).__name__ == "FNOBlocks":
                module.convs = nn.ModuleList([CorrectedConv(conv) for conv in module.convs])
        self.core = core
        self.register_state_dict_post_hook(_drop_metadata)

    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None = None
    ) -> Float[Tensor, "batch out *space"]:
        self.check(u, condition)
        if u.dtype == torch.float64:
            raise ValueError(
                "expected float32 fields, got float64: neuraloperator's weights are complex64; "
                "use pdekit.nets.fno.FNO for double precision"
            )
        with torch.autocast(u.device.type, enabled=False):
            u = u.float()
            if self.n_conditions:
                constants = condition.scalars.float()[(..., *(None,) * self.ndim)]
                u = torch.cat((u, constants.expand(-1, -1, *u.shape[2:])), 1)
            u, shape = bounded_coordinates(u, self.layout), u.shape[2:]
            wanted = [
                n if where == "periodic" else max(n, round((1 + self.padding) * intervals(n, where)))
                for n, where in zip(shape, self.layout, strict=True)
            ]
            extra = [side for n, m in reversed(list(zip(shape, wanted, strict=True))) for side in (0, m - n)]
            return self.core(F.pad(u, extra))[(..., *(slice(n) for n in shape))]


def _drop_metadata(module: nn.Module, state: dict, prefix: str, local_metadata: dict) -> None:
    state.pop("_metadata", None)


def _input_channels(in_channels: int, n_conditions: int, layout: Sequence[str]) -> int:
    return in_channels + n_conditions + sum(where != "periodic" for where in layout)


def tfno(
    layout: int | Sequence[str],
    in_channels: int,
    out_channels: int,
    n_conditions: int = 0,
    *,
    modes: int | Sequence[int],
    width: int = 32,
    n_layers: int = 4,
    rank: float = 0.1,
) -> NeuralOperator:
    """Build the library's TFNO, an FNO whose weights are Tucker-factorised (Kossaifi et al. 2024,
    https://arxiv.org/abs/2310.00120).

    Args:
        layout, in_channels, out_channels, n_conditions: see `GridNet`.
        modes: highest wavenumber, one for all axes or one for each; the library's n_modes is twice as many.
            ``modes: auto`` in a configuration is chosen from the training data (`pdekit.models.modes`).
        width: its hidden_channels.
        n_layers: number of Fourier layers.
        rank: share of the parameters of a full FNO that the factors have, about.
    """
    from neuralop.models import TFNO

    axes = axes_of(layout)
    core = TFNO(
        n_modes=tuple(2 * m for m in modes_of_axes(modes, len(axes))),
        in_channels=_input_channels(in_channels, n_conditions, axes),
        out_channels=out_channels,
        hidden_channels=width,
        n_layers=n_layers,
        rank=rank,
        positional_embedding=None,
    )
    return NeuralOperator(core, axes, in_channels, out_channels, n_conditions, PADDING)


tfno.configurable = True


def uno(
    layout: int | Sequence[str],
    in_channels: int,
    out_channels: int,
    n_conditions: int = 0,
    *,
    modes: int | Sequence[int],
    width: int = 32,
) -> NeuralOperator:
    """Build the library's UNO (Rahman et al. 2023, https://arxiv.org/abs/2204.11127) with five layers. Three are on a
    grid of half the size, with half the modes and twice the width. Arguments as in `tfno`.

    Limits: not equivariant, since the library resizes its skips by interpolation between fixed ends.
    """
    from neuralop.models import UNO

    axes = axes_of(layout)
    inner = modes_of_axes(modes, len(axes))
    outer = [2 * m for m in inner]
    with contextlib.redirect_stdout(io.StringIO()):
        core = UNO(
            in_channels=_input_channels(in_channels, n_conditions, axes),
            out_channels=out_channels,
            hidden_channels=width,
            lifting_channels=2 * width,
            projection_channels=2 * width,
            positional_embedding=None,
            n_layers=5,
            uno_out_channels=[width, 2 * width, 2 * width, 2 * width, width],
            uno_n_modes=[outer, inner, inner, inner, outer],
            uno_scalings=[[factor] * len(axes) for factor in (1.0, 0.5, 1.0, 2.0, 1.0)],
            channel_mlp_skip="linear",
        )
    return NeuralOperator(core, axes, in_channels, out_channels, n_conditions, PADDING)


uno.configurable = True
