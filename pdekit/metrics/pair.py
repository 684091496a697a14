"""A forecast beside its reference, and what several measures need of the two, computed once.

Every measure is written as a function of a `Pair` and called with tensors; `measure` is the bridge. An evaluation
builds one pair for all measures, and one `Known` reference for all models. A transform is linear, so the spectrum of
the forecast is that of the reference and that of the error: a model costs one transform, not one for each measure.
On a periodic box spectra also know means and squares (Parseval), and no other pass over the points is made for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from pdekit.fields import Grid, Problem
from pdekit.metrics.quadrature import average, centred, joint
from pdekit.metrics.shells import Shells, shells_of


class Signal:
    """A field "... batch time channel *space" and what is known of it alone; means are over space, of each channel.

    Args:
        u: the field.
        problem: its problem.
        mask: "batch field *space" or None.
        spectrum: makes its Fourier coefficients, if there is a cheaper way than to transform the field.
    """

    def __init__(
        self, u: Tensor, problem: Problem, mask: Tensor | None = None, spectrum: Callable[[], Tensor] | None = None
    ):
        self.u, self.problem, self.mask, self._spectrum = u, problem, mask, spectrum

    @property
    def by_parseval(self) -> bool:
        """Whether means and squares come from the spectrum: on a periodic box without a mask, where it costs least."""
        grid = self.problem.grid
        return isinstance(grid, Grid) and bool(grid.shape) and grid.periodic and self.mask is None

    @cached_property
    def shells(self) -> Shells:
        """The modes of the grid, and which shell each belongs to."""
        return shells_of(self.problem, self.mask)

    @cached_property
    def spectrum(self) -> Tensor:
        """Scaled Fourier coefficients, "mode ..."."""
        return self.shells.transform(self.u) if self._spectrum is None else self._spectrum()

    @cached_property
    def _sums(self) -> tuple[Tensor, Tensor]:
        return self.shells.sums(self.spectrum)

    @property
    def power(self) -> Tensor:
        """sum |u_hat|^2 of each shell; shell 0 holds the mean and nothing else."""
        return self._sums[0]

    @cached_property
    def finite(self) -> Tensor:
        """Whether all of the power is."""
        return self.power.isfinite().all(-1)

    @property
    def slope(self) -> Tensor:
        """<|grad u|^2> on a periodic box, jointly for each group."""
        return joint(self._sums[1], self.problem)

    @cached_property
    def mean(self) -> Tensor:
        """<u>."""
        return self.spectrum[0].real if self.by_parseval else average(self.u, self.problem, self.mask)

    @cached_property
    def square_of_channels(self) -> Tensor:
        """<u^2>."""
        return self.power.sum(-1) if self.by_parseval else average(self.u**2, self.problem, self.mask)

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
        return average(self.size, self.problem, self.mask)


class Known(Signal):
    """The reference, "batch time channel *space"; what is computed of it serves all forecasts."""


class Pair:
    """A forecast, "... batch time channel *space", and its reference.

    Args:
        u: the forecast, usually with members in front.
        known: the reference; all that is computed of it is kept there.
    """

    def __init__(self, u: Tensor, known: Known):
        self.u, self.known = u, known
        self.problem, self.mask = known.problem, known.mask

    @cached_property
    def error(self) -> Signal:
        """e = u - r."""
        return Signal(self.u - self.known.u, self.problem, self.mask)

    @cached_property
    def forecast(self) -> Signal:
        """The forecast itself. Modes weaker than the rounding of the reference's strongest one are rounding."""
        members = (None,) * (self.u.ndim - self.known.u.ndim)
        known, error = self.known, self.error  # not self: a pair that refers to itself would outlive its use
        return Signal(self.u, self.problem, self.mask, lambda: known.spectrum[:, *members] + error.spectrum)

    @property
    def power(self) -> Tensor:
        """sum |u_hat|^2 of each shell of the forecast."""
        return self.forecast.power

    @cached_property
    def coherence(self) -> Tensor:
        """rho of each shell, -1..1, jointly for each group; see `pdekit.metrics.spectra.coherence`."""
        error, u, r = (self._joint(signal.power) for signal in (self.error, self.forecast, self.known))
        u, r = u.sqrt(), r.sqrt()
        rho = 1 - (error - (u - r) ** 2) / (2 * u * r)
        empty_u, empty_r = u == 0, r == 0
        rho = torch.where(empty_u | empty_r, (empty_u & empty_r).to(rho.dtype), rho.clamp(-1, 1))
        diverged = ~(self.error.finite & self.forecast.finite).unsqueeze(-1)
        return torch.where(self._joint(diverged.to(rho.dtype)) > 0, -torch.inf, rho)

    def _joint(self, power: Tensor) -> Tensor:
        return joint(power.movedim(-1, 0), self.problem).movedim(0, -1)


def measure(of_pair: Callable[[Pair], Tensor]) -> Callable[..., Tensor]:
    """A measure f(u, reference, problem, mask=None) from one of a pair, which stays reachable as ``f.of_pair``."""

    def on_tensors(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
        return of_pair(Pair(u, Known(reference, problem, mask)))

    on_tensors.__name__ = on_tensors.__qualname__ = of_pair.__name__
    on_tensors.__doc__, on_tensors.__module__ = of_pair.__doc__, of_pair.__module__
    on_tensors.of_pair = of_pair
    return on_tensors
