"""One sweep over a forecast and its reference makes all sums over space that the measures of a box are written in.

A few frames are taken at a time, from their values to their sums, because they then stay in the processor's own cache:
field, spectrum and squares of a long stretch would each go out to memory and come back.

A transform is linear: the spectrum of the forecast is that of the reference and that of the error, and a model costs
one transform. That of the error is not a difference of spectra, which would be lost in the rounding of large fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.quadrature import average, space_dims
from pdekit.metrics.shells import Shells, shells_of, squares

VALUES = 3 * 2**17
"""Values of the frames that are taken at a time: 1.5 MiB in float32, between what caches hold and what calls cost."""


@dataclass(frozen=True)
class Sums:
    """What a sweep finds of one field, "... batch time channel"; None where no measure asks for it.

    Args:
        power: sum |u_hat|^2 of each shell, "... batch time channel shell"; shell 0 holds the mean and nothing else.
        slope: sum |k|^2 |u_hat|^2.
        mean: <u> on a periodic box.
        absolute: <|u|>, of the reference and the error.
        largest: max |u|, of the error.
    """

    power: Tensor
    slope: Tensor
    mean: Tensor
    absolute: Tensor | None = None
    largest: Tensor | None = None


@dataclass(frozen=True)
class Found:
    """Of a few frames: what `Shells.add` gives, the mean, and means and largest values of |u|."""

    added: Tensor
    mean: Tensor
    of_size: tuple[Tensor, ...] = ()


class Spectra:
    """Spectra of a reference "... batch time channel *space", a few frames each, made when first asked for and kept."""

    def __init__(self, u: Tensor, problem: Problem, mask: Tensor | None = None):
        self.u, self.problem, self.mask = u, problem, mask
        self.time = -2 - len(space_dims(problem))
        n_frames = u.shape[self.time]
        size = max(1, VALUES * n_frames // max(1, u.numel())) if u.device.type == "cpu" else n_frames
        self.frames = [slice(start, min(start + size, n_frames)) for start in range(0, n_frames, size)]
        self._known: dict[int, tuple[Tensor, Found]] = {}

    @cached_property
    def shells(self) -> Shells:
        return shells_of(self.problem, self.mask)

    def __getitem__(self, number: int) -> tuple[Tensor, Found]:
        """The spectrum "mode batch time channel" of the frames of a number, and their sums."""
        if number not in self._known:
            u = self._frames(self.u, number)
            u_hat = self.shells.transform(u)
            self._known[number] = u_hat, Found(self.shells.add(squares(u_hat)), u_hat[0].real, (self._mean(u.abs()),))
        return self._known[number]

    def sums(self) -> Sums:
        """Of all frames."""
        return self._joined([self[number][1] for number in range(len(self.frames))])

    def beside(self, u: Tensor) -> tuple[Sums, Sums]:
        """Of the error of a forecast "... batch time channel *space", and of the forecast itself."""
        pieces = [self._beside(u, number) for number in range(len(self.frames))]
        return self._joined([error for error, _ in pieces]), self._joined([forecast for _, forecast in pieces])

    def _beside(self, u: Tensor, number: int) -> tuple[Found, Found]:
        known_hat, known = self[number]
        error = self._frames(u, number) - self._frames(self.u, number)
        error_hat = self.shells.transform(error)
        size = error.abs_()
        of_size = self._mean(size), size.amax(space_dims(self.problem))
        del error, size  # what a cache can hold decides the speed of a sweep
        u_hat = error_hat + known_hat[:, *(None,) * (u.ndim - self.u.ndim)]
        mean = error_hat[0].real.clone()
        of_error = Found(self.shells.add(torch.view_as_real(error_hat).square_()), mean, of_size)
        return of_error, Found(self.shells.add(torch.view_as_real(u_hat).square_()), known.mean + mean)

    def _frames(self, u: Tensor, number: int) -> Tensor:
        frames = self.frames[number]
        return u.narrow(self.time, frames.start, frames.stop - frames.start)

    def _mean(self, values: Tensor) -> Tensor:
        return average(values, self.problem)

    def _joined(self, pieces: Sequence[Found]) -> Sums:
        """One after the other in time."""
        power, slope = self.shells.sums(torch.cat([piece.added for piece in pieces], -3))
        mean = torch.cat([piece.mean for piece in pieces], -2)
        of_size = (torch.cat(part, -2) for part in zip(*(piece.of_size for piece in pieces), strict=True))
        return Sums(power, slope, mean, *of_size)
