"""Sums over space that the field measures are made of, computed once for a block of frames.

`Sums` belong to one field. `FieldSums` hold those of a forecast, of its reference and of the error e = u - reference,
in float64 throughout: the squares of 1e20 or of 1e-23 are no numbers of float32. Every measure is a short function of
`FieldSums`, and `measure` makes it callable with tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.quadrature import average, joint, space_dims
from pdekit.metrics.shells import shells_of

FLOOR = 1e-7
"""Shells with less than this share of the strongest shell's energy are rounding in float32 data."""


class Sums:
    """Sums over space of one field, of each channel: "... batch time channel".

    Attributes:
        u: the field, "... batch time channel *space".
        eps: the rounding of its values.
        mean: <u>.
        square: <u^2>.
        variation: <(u - <u>)^2>.
        absolute: <|u|>.
        largest: max |u|.

    Args:
        u: the field.
        problem: its problem.
        mask: "batch field *space" or None; points outside are never read.
        eps: the rounding of its values, that of their type if None.
    """

    def __init__(self, u: Tensor, problem: Problem, mask: Tensor | None = None, eps: float | None = None):
        self.u, self.problem, self.mask = u, problem, mask
        self.eps = rounding_of(u) if eps is None else eps
        wide, space = self.wide, space_dims(problem)
        self.mean = average(wide, problem, mask)
        self.square = average(wide.square(), problem, mask)
        self.variation = average(self.deviation.square(), problem, mask)
        size = wide.abs()
        if mask is not None:
            size = torch.where((mask > 0).unsqueeze(1), size, size.new_zeros(()))
        self.absolute = average(size, problem, mask)
        self.largest = size.amax(space) if space else size

    @property
    def wide(self) -> Tensor:
        """The field in float64; not kept, to keep memory small."""
        return self.u.double()

    @property
    def deviation(self) -> Tensor:
        """u - <u>."""
        return self.wide - self.mean.reshape(self.mean.shape + (1,) * len(space_dims(self.problem)))

    @property
    def flat(self) -> Tensor:
        """True where the variation of a group of channels is no larger than the rounding error of its values."""
        variation, square = (joint(values, self.problem) for values in (self.variation, self.square))
        return variation.sqrt() <= 16 * self.eps * square.sqrt()

    @cached_property
    def spectrum(self) -> Tensor:
        """u_hat, "... batch time channel mode": see `Shells.transform`."""
        return shells_of(self.problem, self.mask).transform(self.wide)

    @cached_property
    def power(self) -> Tensor:
        """sum |u_hat|^2 of each shell, "... batch time channel shell"; shell 0 holds the mean and nothing else."""
        return shells_of(self.problem).sums(self.spectrum.real.square() + self.spectrum.imag.square())

    @cached_property
    def slope(self) -> Tensor:
        """sum |k|^2 |u_hat|^2: <|grad u|^2> on a periodic box."""
        modes = shells_of(self.problem)
        return modes.total(self.spectrum, modes.square_wavenumber)


class FieldSums:
    """Sums over space of a forecast and of its reference.

    Attributes:
        error: sums of forecast - reference.
        forecast: sums of the forecast.
        reference: sums of the reference.
        covariance: <(u - <u>) (reference - <reference>)>, "... batch time channel".

    Args:
        u: the forecast, "... batch time channel *space", usually with members in front.
        reference: sums of the reference, which serve all its forecasts.

    Raises:
        ValueError: if the forecast has other dimensions than the reference, but for those in front.
    """

    def __init__(self, u: Tensor, reference: Sums):
        known = reference.u
        if u.shape[max(0, u.ndim - known.ndim) :] != known.shape:
            raise ValueError(
                f"expected a forecast of the reference's shape {tuple(known.shape)} (batch time channel *space), with "
                f"or without members in front, got {tuple(u.shape)}; give both on the same grid and at the same times"
            )
        self.problem, self.mask = reference.problem, reference.mask
        eps = max(rounding_of(u), reference.eps)
        self.reference = reference
        self.forecast = Sums(u, self.problem, self.mask, eps)
        self.error = Sums(self.forecast.wide - reference.wide, self.problem, self.mask, eps)
        self.covariance = average(self.forecast.deviation * reference.deviation, self.problem, self.mask)

    @cached_property
    def cross(self) -> Tensor:
        """sum Re u_hat conj(reference_hat) of each shell, "... batch time channel shell"."""
        a, b = self.forecast.spectrum, self.reference.spectrum
        return shells_of(self.problem).sums(a.real * b.real + a.imag * b.imag)

    def joint(self, values: Tensor, dim: int = -1) -> Tensor:
        """Mean over the components of each vector or complex field: `pdekit.metrics.quadrature.joint`."""
        return joint(values, self.problem, dim)


def measure(of_sums: Callable[[FieldSums], Tensor]) -> Callable[..., Tensor]:
    """A measure f(u, reference, problem, mask=None) from one of `FieldSums`, which stays reachable as ``f.of_sums``."""

    def on_tensors(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
        return of_sums(FieldSums(u, Sums(reference, problem, mask)))

    on_tensors.__name__ = on_tensors.__qualname__ = of_sums.__name__
    on_tensors.__doc__, on_tensors.__module__ = of_sums.__doc__, of_sums.__module__
    on_tensors.of_sums = of_sums
    return on_tensors


def cosine(error: Tensor, product: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """<u r> / (|u| |r|) from error = <(u - r)^2>, product = <u r>, a = |u| and b = |r|.

    Where the two are alike it is 1 - (error - (a - b)^2) / (2 a b): exactly 1 for u = r, and without cancellation near
    1. That loses all digits where one of the two is much larger; the product does not, by Cauchy and Schwarz.

    >>> one, small = torch.tensor([1.0]), torch.tensor([0.25])
    >>> cosine(0 * one, one, one, one).item(), cosine(one, 0.125 * one, one, small).item()
    (1.0, 0.5)
    """
    alike = error <= a * b
    return torch.where(alike, 1 - (error - (a - b) ** 2) / (2 * a * b), product / a / b).clamp(-1, 1)


def filled_shells(power: Tensor) -> Tensor:
    """True where "... shell" is above `FLOOR` times the strongest shell."""
    return power > FLOOR * power.amax(-1, keepdim=True)


def rounding_of(u: Tensor) -> float:
    """Machine precision of the numbers of a field."""
    return torch.finfo(u.dtype if u.is_floating_point() else torch.float64).eps
