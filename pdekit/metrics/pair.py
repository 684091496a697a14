"""A forecast beside its reference, and what several measures need of the two, computed once.

Every measure is written as a function of a `Pair` and called with tensors; `measure` is the bridge. An evaluation
builds one pair for all measures, and one `Known` reference for all models. On a box all of them are written in the sums
of one sweep (`pdekit.metrics.sweep`); on a periodic one spectra know means and squares, too (Parseval).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import average, centred, joint, space_dims
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
    """

    def __init__(self, u: Callable[[], Tensor], problem: Problem, mask: Tensor | None, sums: Callable[[], Sums]):
        self.problem, self.mask, self._u, self._sums = problem, mask, u, sums

    @cached_property
    def u(self) -> Tensor:
        return self._u()

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
        return self.sums.mean if self.by_parseval else average(self.u, self.problem, self.mask)

    @cached_property
    def square_of_channels(self) -> Tensor:
        """<u^2>."""
        return self.total if self.by_parseval else average(self.u**2, self.problem, self.mask)

    @cached_property
    def variation_of_channels(self) -> Tensor:
        """<(u - <u>)^2>."""
        if self.by_parseval:
            return self.power[..., 1:].sum(-1)
        return average(centred(self.u, self.problem, self.mask) ** 2, self.problem, self.mask)

    @cached_property
    def square(self) -> Tensor:
        """<u^2>, jointly for each group."""
        return joint(self.square_of_channels, self.problem)

    @cached_property
    def variation(self) -> Tensor:
        """<(u - <u>)^2>, jointly for each group."""
        return joint(self.variation_of_channels, self.problem)

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
        super().__init__(lambda: u, problem, mask, self.spectra.sums)

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


class Pair:
    """A forecast, "... batch time channel *space", and its reference.

    Args:
        u: the forecast, usually with members in front.
        known: the reference; all that is computed of it is kept there.
    """

    def __init__(self, u: Tensor, known: Known):
        self.u, self.known = u, known
        self.problem, self.mask = problem, mask = known.problem, known.mask
        swept = functools.cache(lambda: known.spectra.beside(u))  # not self: a pair in a cycle would outlive its use
        self.error = Signal(lambda: u - known.u, problem, mask, lambda: swept()[0])
        self.forecast = Signal(lambda: u, problem, mask, lambda: swept()[1])

    @property
    def power(self) -> Tensor:
        """sum |u_hat|^2 of each shell of the forecast. Modes weaker than the rounding of the reference's strongest one
        are rounding."""
        return self.forecast.power

    @cached_property
    def finite(self) -> Tensor:
        """Whether all of the error's power is."""
        return self.error.total.isfinite()

    @cached_property
    def coherence(self) -> Tensor:
        """rho of each shell, -1..1, jointly for each group; see `pdekit.metrics.spectra.coherence`."""
        error = joint(self.error.power, self.problem, -2)
        u, r = self.forecast.amplitude, self.known.amplitude
        rho = (1 - (error - (u - r) ** 2) / (2 * u * r)).clamp(-1, 1)
        rho = torch.where(u * r == 0, (u + r == 0).to(rho.dtype), rho)
        diverged = (~(self.finite & self.forecast.total.isfinite())).to(rho.dtype)
        return rho.masked_fill_((joint(diverged, self.problem) > 0).unsqueeze(-1), -torch.inf)


def measure(of_pair: Callable[[Pair], Tensor]) -> Callable[..., Tensor]:
    """A measure f(u, reference, problem, mask=None) from one of a pair, which stays reachable as ``f.of_pair``."""

    def on_tensors(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
        return of_pair(Pair(u, Known(reference, problem, mask)))

    on_tensors.__name__ = on_tensors.__qualname__ = of_pair.__name__
    on_tensors.__doc__, on_tensors.__module__ = of_pair.__doc__, of_pair.__module__
    on_tensors.of_pair = of_pair
    return on_tensors
