"""A forecast beside its reference, and what several measures need of the two, computed once.

Every measure is written as a function of a `Pair` and called with tensors; `measure` is the bridge. An evaluation
builds one pair for all measures, and one `Known` reference for all models. A transform is linear, so the spectrum of
the forecast is that of the reference and that of the error: a model costs one transform, not one for each measure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.quadrature import average, centred, joint
from pdekit.metrics.shells import Shells, shells_of


class Known:
    """The reference, "batch time channel *space", and what is known of it alone.

    Args:
        u: the reference.
        problem: its problem.
        mask: "batch field *space" or None.
    """

    def __init__(self, u: Tensor, problem: Problem, mask: Tensor | None = None):
        self.u, self.problem, self.mask = u, problem, mask

    def mean_of(self, values: Tensor) -> Tensor:
        """Mean over space, see `average`."""
        return average(values, self.problem, self.mask)

    def joint_mean_of(self, values: Tensor) -> Tensor:
        """Mean over space and over the components of each group."""
        return joint(self.mean_of(values), self.problem)

    @cached_property
    def square(self) -> Tensor:
        """<r^2>, jointly for each group."""
        return self.joint_mean_of(self.u**2)

    @cached_property
    def variation(self) -> Tensor:
        """<(r - <r>)^2>, jointly for each group."""
        return self.joint_mean_of(centred(self.u, self.problem, self.mask) ** 2)

    @cached_property
    def shells(self) -> Shells:
        """The modes of the grid, and which shell each belongs to."""
        return shells_of(self.problem, self.mask)

    @cached_property
    def spectrum(self) -> Tensor:
        """Scaled Fourier coefficients, "... mode"."""
        return self.shells.transform(self.u)

    @cached_property
    def power(self) -> Tensor:
        """sum |r_hat|^2 of each shell."""
        return self.shells.sums(self.spectrum)


class Pair:
    """A forecast, "... batch time channel *space", and its reference.

    Args:
        u: the forecast, usually with members in front.
        known: the reference; all that is computed of it is kept there.
    """

    def __init__(self, u: Tensor, known: Known):
        self.u, self.known = u, known
        self.problem, self.mask = known.problem, known.mask
        self.mean_of, self.joint_mean_of = known.mean_of, known.joint_mean_of

    @cached_property
    def error(self) -> Tensor:
        """e = u - r."""
        return self.u - self.known.u

    @cached_property
    def size(self) -> Tensor:
        """|e|, 0 outside the mask."""
        if self.mask is None:
            return self.error.abs()
        inside = (self.mask > 0).unsqueeze(1)
        return torch.where(inside, self.error.abs(), self.error.new_zeros(()))

    @cached_property
    def square_of_channels(self) -> Tensor:
        """<e^2> of each channel."""
        return self.mean_of(self.error**2)

    @cached_property
    def square(self) -> Tensor:
        """<e^2>, jointly for each group."""
        return joint(self.square_of_channels, self.problem)

    @cached_property
    def absolute(self) -> Tensor:
        """<|e|> of each channel."""
        return self.mean_of(self.size)

    @cached_property
    def bias(self) -> Tensor:
        """<e> of each channel."""
        return self.mean_of(self.error)

    @cached_property
    def error_spectrum(self) -> Tensor:
        """Scaled Fourier coefficients of the error, "... mode"."""
        return self.known.shells.transform(self.error)

    @cached_property
    def error_power(self) -> Tensor:
        """sum |e_hat|^2 of each shell."""
        return self.known.shells.sums(self.error_spectrum)

    @cached_property
    def power(self) -> Tensor:
        """sum |u_hat|^2 of each shell, from the spectra of the reference and of the error.

        Modes weaker than the rounding of the reference's strongest one are rounding.
        """
        return self.known.shells.sums(self.known.spectrum + self.error_spectrum)


def measure(of_pair: Callable[[Pair], Tensor]) -> Callable[..., Tensor]:
    """A measure f(u, reference, problem, mask=None) from one of a pair, which stays reachable as ``f.of_pair``."""

    def on_tensors(u: Tensor, reference: Tensor, problem: Problem, mask: Tensor | None = None) -> Tensor:
        return of_pair(Pair(u, Known(reference, problem, mask)))

    on_tensors.__name__ = on_tensors.__qualname__ = of_pair.__name__
    on_tensors.__doc__, on_tensors.__module__ = of_pair.__doc__, of_pair.__module__
    on_tensors.of_pair = of_pair
    return on_tensors
