"""Wavelet or Fourier bands of fields as channels of rms one: what a net of that domain sees and returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.calculus.wavelet_filters import wavelet as filters
from pdekit.calculus.wavelets import FOURIER, coefficients, from_wavelet_bands, wavelet_bands
from pdekit.fields import Grid

SMALLEST = 1e-6  # of the largest scale: a band below it is rounding


class Bands(nn.Module):
    """One level of the wavelet transform over time (if ``in_time``) and space, each band divided by its rms.

    Time and bounded axes are zero-padded, periodic axes periodized. Channels count bands, then fields: band b has bit
    d - 1 - i set where axis i was high-pass filtered, time first. Without a wavelet there is one band, the fields.

    Under the name "fourier" the bands are cosines and sines (`pdekit.calculus.fourier_bands`), and each coefficient is
    divided by its own rms, because the variance of a field falls with the wavenumber.

    Buffer: ``scale`` (band * field), of "fourier" (band * field, *coefficients), one until `calibrate`.

    Args:
        grid: grid of the fields.
        wavelet: its name, "fourier", or None for the values at the points themselves.
        n_fields: channels of the fields.
        in_time: whether frames are an axis; otherwise there is one frame.
        n_times: frames, where they are an axis and each coefficient has its own scale.

    Raises:
        ValueError: on an unknown wavelet, or an odd number of points on a periodic axis.
    """

    def __init__(self, grid: Grid, wavelet: str | None, n_fields: int, in_time: bool, n_times: int = 1):
        super().__init__()
        for axis, n, where in zip(grid.axes, grid.shape, grid.layout, strict=True):
            if wavelet is not None and where == "periodic" and n % 2:
                raise ValueError(
                    f"expected an even number of points on the periodic axis {axis}, got {n}: wavelets halve it; use "
                    "another grid"
                )
        self.wavelet, self.in_time = wavelet, in_time
        self.of_modes = wavelet == FOURIER
        self.taps = 0 if wavelet is None else 2 if self.of_modes else filters(wavelet).length
        space = tuple("periodized" if where == "periodic" else "zero" for where in grid.layout)
        self.modes = ("zero",) * in_time + space
        self.n_bands = 1 if wavelet is None else 2 ** len(self.modes)
        coefficients_of = self.sizes(n_times, grid.shape) if self.of_modes else ()
        self.register_buffer("scale", torch.ones(self.n_bands * n_fields, *coefficients_of))

    @property
    def layout(self) -> tuple[str, ...]:
        """Layout of the coefficients along each axis, for a grid net: "periodic" or "cells"; of modes "cells"."""
        if self.of_modes:
            return ("cells",) * len(self.modes)
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
            kept = range(1, bands.ndim) if self.of_modes else (1,)
            squares += bands.square().sum([axis for axis in range(bands.ndim) if axis not in kept])
            count += len(bands) if self.of_modes else bands[:, 0].numel() if bands.shape[1] else 0
        rms = torch.sqrt(squares / max(count, 1))
        largest = rms.max() if rms.numel() else torch.ones(())
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
        return self.scale.to(bands).reshape(*self.scale.shape, *(1,) * (bands.ndim - 1 - self.scale.ndim))
