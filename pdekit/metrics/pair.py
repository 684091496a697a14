"""A forecast beside its reference, and what several measures need of the two, computed once.

Every measure is written as a function of a `Pair` and called with tensors; `measure` is the bridge. An evaluation
builds one `Known` reference for all models and one pair for all measures. It keeps of them what measures are made of,
sums and means over space, until there are enough frames to take all measures at once. On a box all of them are written
in the sums of one sweep (`pdekit.metrics.sweep`); on a periodic one spectra know means and squares, too (Parseval).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NoReturn

import torch
from torch import Tensor

from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import average, centred, edge_average, joint, space_dims
from pdekit.metrics.sweep import Spectra, Sums

FLOOR = 1e-7
"""Shells with less than this share of the strongest shell's energy are rounding in float32 data."""


def filled_shells(power: Tensor) -> Tensor:
    """Whether "... shell" is above `FLOOR` of the strongest shell."""
    return power > FLOOR * power.amax(-1, keepdim=True)


class Signal:
    """A field "... batch time channel *space" and what is known of it alone; means are over space, of each channel.

    Args:
        u: makes the field.
        problem: its problem.
        mask: "batch field *space" or None.
        sums: makes the sums of a sweep over it.
        eps: the rounding of its values.
        reference: what it is compared with, for products of the two.
    """

    def __init__(
        self,
        u: Callable[[], Tensor],
        problem: Problem,
        mask: Tensor | None,
        sums: Callable[[], Sums],
        eps: float,
        reference: Callable[[], Tensor] | None = None,
    ):
        self.problem, self.mask, self._u, self._sums = problem, mask, u, sums
        self.eps, self._reference = eps, reference

    @property
    def lasting(self) -> tuple[str, ...]:
        """What measures are made of, by name: what may have to be kept of a field."""
        if self.by_parseval:
            return ("sums",)
        means = (
            *("mean", "square_of_channels", "variation_of_channels", "square_at_edge", "sums"),
            "covariance_of_channels",
        )
        return means if self.swept else (*means, "absolute", "largest")

    @property
    def asked(self) -> tuple[str, ...]:
        """What of it has been asked for until now."""
        return tuple(name for name in self.lasting if name in vars(self))

    @staticmethod
    def joined(signals: Sequence[Signal], names: Sequence[str] | None = None) -> Signal:
        """The frames of several, one after the other, without the fields: what is named, or has been asked for."""
        first = signals[0]
        found = Signal(_gone, first.problem, first.mask, _gone, first.eps)
        for name in first.asked if names is None else names:
            values = [getattr(signal, name) for signal in signals]
            vars(found)[name] = values[0].joined(values) if name == "sums" else torch.cat(values, -2)
        return found

    @cached_property
    def u(self) -> Tensor:
        return self._u()

    @property
    def wide(self) -> Tensor:
        """The field in float64: the squares of 1e20 or of 1e-23 are no numbers of float32."""
        return self.u.double()

    @cached_property
    def sums(self) -> Sums:
        """Of a sweep."""
        return self._sums()

    @property
    def swept(self) -> bool:
        """Whether a sweep knows all means of |u|: on a box without a mask."""
        return isinstance(self.problem.grid, Grid) and bool(self.problem.grid.shape) and self.mask is None

    @property
    def by_parseval(self) -> bool:
        """Whether means and squares come from the spectrum: on a periodic box without a mask."""
        return self.swept and self.problem.grid.periodic

    @property
    def power(self) -> Tensor:
        """sum |u_hat|^2 of each shell; shell 0 holds the mean and nothing else."""
        return self.sums.power

    @cached_property
    def total(self) -> Tensor:
        """The power of all shells."""
        return self.power.sum(-1)

    @cached_property
    def amplitude(self) -> Tensor:
        """The root of the power of each shell, jointly for each group."""
        return joint(self.power, self.problem, -2).sqrt()

    @cached_property
    def slope(self) -> Tensor:
        """<|grad u|^2> on a periodic box, jointly for each group."""
        return joint(self.sums.slope, self.problem)

    @cached_property
    def mean(self) -> Tensor:
        """<u>."""
        return self.sums.mean if self.by_parseval else average(self.wide, self.problem, self.mask)

    @cached_property
    def square_of_channels(self) -> Tensor:
        """<u^2>."""
        return self.total if self.by_parseval else average(self.wide**2, self.problem, self.mask)

    @cached_property
    def variation_of_channels(self) -> Tensor:
        """<(u - <u>)^2>."""
        if self.by_parseval:
            return self.power[..., 1:].sum(-1)
        return average(centred(self.wide, self.problem, self.mask) ** 2, self.problem, self.mask)

    @cached_property
    def covariance_of_channels(self) -> Tensor:
        """<(u - <u>) (reference - <reference>)>, of a forecast."""
        if self.by_parseval:
            return self.sums.cross[..., 1:].sum(-1)
        reference = centred(self._reference().double(), self.problem, self.mask)
        return average(centred(self.wide, self.problem, self.mask) * reference, self.problem, self.mask)

    @cached_property
    def square_at_edge(self) -> Tensor:
        """<u^2> over the points next to an end of a bounded axis (`edge_average`)."""
        return edge_average(self.wide**2, self.problem, self.mask)

    @cached_property
    def square(self) -> Tensor:
        """<u^2>, jointly for each group."""
        return joint(self.square_of_channels, self.problem)

    @cached_property
    def variation(self) -> Tensor:
        """<(u - <u>)^2>, jointly for each group."""
        return joint(self.variation_of_channels, self.problem)

    @cached_property
    def covariance(self) -> Tensor:
        """<(u - <u>) (reference - <reference>)>, jointly for each group."""
        return joint(self.covariance_of_channels, self.problem)

    @cached_property
    def flat(self) -> Tensor:
        """Whether the variation of a group is the rounding of its values."""
        return self.variation.sqrt() <= 16 * self.eps * self.square.sqrt()

    @cached_property
    def filled(self) -> Tensor:
        """The shells that each channel fills: `filled_shells` of its power."""
        return filled_shells(self.power)

    @cached_property
    def filled_jointly(self) -> Tensor:
        """The same of the power of each group, without shell 0."""
        filled = filled_shells(joint(self.power, self.problem, -2)).clone()
        filled[..., 0] = False
        return filled

    @cached_property
    def size(self) -> Tensor:
        """|u|, 0 outside the mask."""
        if self.mask is None:
            return self.u.abs()
        inside = (self.mask > 0).unsqueeze(1)
        return torch.where(inside, self.u.abs(), self.u.new_zeros(()))

    @cached_property
    def absolute(self) -> Tensor:
        """<|u|>."""
        return self.sums.absolute if self.swept else average(self.size, self.problem, self.mask)

    @cached_property
    def largest(self) -> Tensor:
        """max |u|."""
        space = space_dims(self.problem)
        return self.sums.largest if self.swept else self.size.amax(space) if space else self.size


class Known(Signal):
    """The reference, "batch time channel *space"; what is computed of it serves all forecasts."""

    def __init__(self, u: Tensor, problem: Problem, mask: Tensor | None = None):
        self.spectra = Spectra(u, problem, mask)
        super().__init__(lambda: u, problem, mask, self.spectra.sums, rounding_of(u))

    def beside(self, u: Tensor) -> Pair:
        """A forecast, "... batch time channel *space", usually with members in front.

        Raises:
            ValueError: if it has other dimensions than the reference, but for those in front.
        """
        if u.shape[max(0, u.ndim - self.u.ndim) :] != self.u.shape:
            raise ValueError(
                f"expected a forecast of the reference's shape {tuple(self.u.shape)} (batch time channel *space), with "
                f"or without members in front, got {tuple(u.shape)}"
            )
        swept = functools.cache(lambda: self.spectra.beside(u))
        eps = max(rounding_of(u), self.eps)
        error = Signal(lambda: u - self.u, self.problem, self.mask, lambda: swept()[0], eps)
        forecast = Signal(lambda: u, self.problem, self.mask, lambda: swept()[1], eps, lambda: self.u)
        return Pair(error, forecast, self)


class Pair:
    """A forecast and its reference.

    Args:
        error: forecast - reference.
        forecast: the same frames.
        known: the reference; all that is computed of it is kept there.
    """

    def __init__(self, error: Signal, forecast: Signal, known: Signal):
        self.error, self.forecast, self.known = error, forecast, known
        self.problem, self.mask = known.problem, known.mask

    def settled(self, names: Sequence[Sequence[str]]) -> Pair:
        """The same without fields: what is named of error, forecast and reference is found, and then they can go."""
        signals = self.error, self.forecast, self.known
        return Pair(*(Signal.joined([signal], chosen) for signal, chosen in zip(signals, names, strict=True)))

    def asked(self, measures: Iterable[Callable[[Pair], Tensor]]) -> tuple[tuple[str, ...], ...]:
        """What measures ask for, of error, forecast and reference. They are taken for it once."""
        for of_pair in measures:
            of_pair(self)
        return self.error.asked, self.forecast.asked, self.known.asked

    @staticmethod
    def joined(pairs: Sequence[Pair]) -> Pair:
        """The frames of several that are settled, one after the other."""
        parts = zip(*((pair.error, pair.forecast, pair.known) for pair in pairs), strict=True)
        return Pair(*(Signal.joined(part) for part in parts))

    @property
    def u(self) -> Tensor:
        """The forecast, "... batch time channel *space"."""
        return self.forecast.u

    @property
    def power(self) -> Tensor:
        """sum |u_hat|^2 of each shell of the forecast. Modes weaker than the rounding of the reference's strongest one
        are rounding."""
        return self.forecast.power

    @property
    def eps(self) -> float:
        """The rounding of the forecast's values."""
        return self.forecast.eps

    @cached_property
    def finite(self) -> Tensor:
        """Whether all of the error's power is."""
        return self.error.total.isfinite()

    @cached_property
    def coherence(self) -> Tensor:
        """rho of each shell, -1..1, jointly for each group; see `pdekit.metrics.spectra.coherence`."""
        u, r = self.forecast.amplitude, self.known.amplitude
        cross = joint(self.forecast.sums.cross, self.problem, -2)
        rho = cosine(joint(self.error.power, self.problem, -2), cross, u, r)
        rho = torch.where(u * r == 0, (u + r == 0).to(rho.dtype), rho)
        diverged = (~(self.finite & self.forecast.total.isfinite())).to(rho.dtype)
        return rho.masked_fill_((joint(diverged, self.problem) > 0).unsqueeze(-1), -torch.inf)


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


def rounding_of(u: Tensor) -> float:
    """Machine precision of the numbers of a field."""
    return torch.finfo(u.dtype if u.is_floating_point() else torch.float64).eps


def _gone() -> NoReturn:
    raise RuntimeError(
        "expected a measure of what a Signal knows of a field, which itself was not kept; name what is missing in "
        "Signal.lasting"
    )


def measure(of_pair: Callable[[Pair], Tensor]) -> Callable[..., Tensor]:
    """A measure f(u, reference, problem, mask=None) from one of a pair, which stays reachable as ``f.of_pair``."""

    def on_tensors(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
        return of_pair(Known(reference, problem, mask).beside(u))

    on_tensors.__name__ = on_tensors.__qualname__ = of_pair.__name__
    on_tensors.__doc__, on_tensors.__module__ = of_pair.__doc__, of_pair.__module__
    on_tensors.of_pair = of_pair
    return on_tensors
