"""Centre and scale from quantiles, for fields whose largest values are rare: 98 % of them lie in [-1, 1] afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

SHARE = 0.98
# values kept of each channel; beyond twice as many every second one is dropped
KEPT = 2**19


class Quantiles:
    """Values of some channels, thinned evenly as they come, of which quantiles are taken in the end.

    Limits: with more than some 10^6 values of a channel the quantiles are those of an even selection.

    >>> quantiles = Quantiles(1)
    >>> quantiles.add(torch.linspace(0, 100, 1001).reshape(1, 1, -1))
    >>> centre, scale = quantiles.centre_and_scale(["u"])
    >>> round(centre.item(), 6), round(scale.item(), 6)
    (50.0, 49.0)
    """

    def __init__(self, n_channels: int):
        self.values = [torch.zeros(0)] * n_channels
        self.strides = [1] * n_channels
        self.offsets = [0] * n_channels  # values to pass over until the next one that is kept

    def add(self, values: Float[Tensor, "batch channel *space"], mask: Tensor | None = None) -> None:
        """Add samples; where ``mask`` (broadcastable to values) is zero they do not count."""
        values = values.detach().cpu()
        inside = None if mask is None else (mask > 0).cpu().expand_as(values)
        for channel in range(values.shape[1]):
            new = values[:, channel].flatten()
            if inside is not None:
                new = new[inside[:, channel].flatten()]
            offset, stride = self.offsets[channel], self.strides[channel]
            self.values[channel] = torch.cat((self.values[channel].to(new), new[offset::stride]))
            self.offsets[channel] = (offset - len(new)) % stride
            while len(self.values[channel]) > 2 * KEPT:
                odd = len(self.values[channel]) % 2  # then the last value is kept, and the next one is dropped
                self.values[channel] = self.values[channel][::2].clone()
                self.offsets[channel] += self.strides[channel] * odd
                self.strides[channel] *= 2

    def centre_and_scale(self, groups: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The middle and half the width of the range that holds 98 % of a channel's values, 1 % lying on either side.

        Channels of a group have centre 0 and one scale: 98 % of their sizes lie below it.
        """
        centre, scale = torch.zeros(len(groups), dtype=torch.float64), torch.zeros(len(groups), dtype=torch.float64)
        for group in dict.fromkeys(groups):
            members = [i for i, name in enumerate(groups) if name == group]
            values = torch.cat([self.values[i].double() for i in members]).numpy()
            if len(values) == 0:
                continue
            if len(members) > 1:
                scale[members] = _quantile(abs(values), SHARE)
            else:
                low, high = _quantile(values, (1 - SHARE) / 2), _quantile(values, (1 + SHARE) / 2)
                centre[members], scale[members] = (low + high) / 2, (high - low) / 2
        return centre, scale


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share))
