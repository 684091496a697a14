"""Wavelet bands of fields as channels of rms one: what a net of the wavelet domain sees and returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.calculus.wavelet_filters import wavelet as filters
from pdekit.calculus.wavelets import coefficients, from_wavelet_bands, wavelet_bands
from pdekit.fields import Grid

SMALLEST = 1e-6  # of the largest scale: a band below it is rounding


class Bands(nn.Module):
    """One level of the wavelet transform over time (if ``in_time``) and space, each band divided by its rms.

    Time and bounded axes are zero-padded, periodic axes periodized. Channels count bands, then fields: band b has bit
    d - 1 - i set where axis i was high-pass filtered, time first. Without a wavelet there is one band, the fields.

    Buffer: ``scale`` (band * field), one until `calibrate`.

    Args:
        grid: grid of the fields.
        wavelet: its name, or None for the values at the points themselves.
        n_fields: channels of the fields.
        in_time: whether frames are an axis; otherwise there is one frame.

    Raises:
        ValueError: on an unknown wavelet, or an odd number of points on a periodic axis.
    """

    def __init__(self, grid: Grid, wavelet: str | None, n_fields: int, in_time: bool):
        super().__init__()
        for axis, n, where in zip(grid.axes, grid.shape, grid.layout, strict=True):
            if wavelet is not None and where == "periodic" and n % 2:
                raise ValueError(
                    f"expected an even number of points on the periodic axis {axis}, got {n}: wavelets halve it; use "
                    "another grid"
                )
        self.wavelet, self.in_time = wavelet, in_time
        self.taps = 0 if wavelet is None else filters(wavelet).length
        space = tuple("periodized" if where == "periodic" else "zero" for where in grid.layout)
        self.modes = ("zero",) * in_time + space
        self.n_bands = 1 if wavelet is None else 2 ** len(self.modes)
        self.register_buffer("scale", torch.ones(self.n_bands * n_fields))

    @property
    def layout(self) -> tuple[str, ...]:
        """Layout of the coefficients along each axis, for a grid net: "periodic" or "cells"."""
        return tuple("periodic" if mode == "periodized" else "cells" for mode in self.modes)

    @property
    def n_channels(self) -> int:
        return len(self.scale)

    def sizes(self, n_times: int, space: Sequence[int]) -> tuple[int, ...]:
        """Return the number of coefficients of each axis, of so many frames and points."""
        points = (n_times,) * self.in_time + tuple(space)
        if self.wavelet is None:
            return points
        return tuple(coefficients(n, self.taps, mode) for n, mode in zip(points, self.modes, strict=True))

    def calibrate(self, samples: Iterable[Float[Tensor, "batch time field *space"]]) -> None:
        """Set the scales to the rms of each channel; a channel that is zero to rounding keeps a small one."""
        squares, count = torch.zeros_like(self.scale, dtype=torch.float64), 0
        for u in samples:
            bands = self._analyse(u).double()
            squares += bands.square().sum([axis for axis in range(bands.ndim) if axis != 1])
            count += bands[:, 0].numel() if bands.shape[1] else 0
        rms = torch.sqrt(squares / max(count, 1))
        largest = rms.max() if len(rms) else torch.ones(())
        self.scale.copy_(rms.clamp_min(SMALLEST * float(largest)) if largest > 0 else torch.ones_like(rms))

    def forward(self, u: Float[Tensor, "batch time field *space"]) -> Float[Tensor, "batch channel *coarse"]:
        """Return the scaled bands of frames."""
        bands = self._analyse(u)
        return bands / self._scales(bands)

    def inverse(
        self, bands: Float[Tensor, "batch channel *coarse"], n_times: int, space: Sequence[int]
    ) -> Float[Tensor, "batch time field *space"]:
        """Return the frames of scaled bands."""
        bands = (bands * self._scales(bands)).unflatten(1, (self.n_bands, -1))
        shape = (n_times,) * self.in_time + tuple(space)
        u = bands[:, 0] if self.wavelet is None else from_wavelet_bands(bands, self.wavelet, self.modes, shape)
        return u.movedim(2, 1) if self.in_time else u[:, None]

    def _analyse(self, u: Tensor) -> Tensor:
        u = u.movedim(1, 2) if self.in_time else u[:, 0]
        return u if self.wavelet is None else wavelet_bands(u, self.wavelet, self.modes).flatten(1, 2)

    def _scales(self, bands: Tensor) -> Tensor:
        return self.scale.to(bands).reshape((-1,) + (1,) * (bands.ndim - 2))
