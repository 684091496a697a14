"""Equations: a frozen dataclass of parameters, with its mathematics written against a calculus `d`.

Shared by all equations:

- `d` is any calculus of pdekit.calculus; a field has the channels of `fields`, in this order.
- parameters are numbers, or tensors shaped "batch 1 *1" where they vary over a batch (`Problem.at`).
- `version` is raised whenever a change alters numbers, so that stored data are not silently stale.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field, Grid, Problem

Coordinates = tuple[Tensor, ...]


@dataclass(frozen=True)
class ExactSolution:
    """A closed form u(x, t) of one equation with given parameters.

    Args:
        name: name of the solution, e.g. "soliton".
        evaluate: (coordinates, t) -> channels. Coordinates are broadcastable tensors, t a tensor or number; the
            result is a tuple with one tensor for each field, built of differentiable torch functions.
        extent: lengths of a box on which it is (nearly) periodic; its number of entries is the dimension.
        t_end: a time up to which it is worth comparing.
        floor: relative error that the closed form itself has on that box (periodic images), 0 if none.
        origin: lower corner of that box.
        auxiliary: (coordinates, t) -> the auxiliary unknowns by name, where the equation has some.
        periodic: False for a solution of the infinite line (a front): its residual vanishes, but no periodic
            solver can follow it.
    """

    name: str
    evaluate: Callable[[Coordinates, Any], tuple[Tensor, ...]]
    extent: tuple[float, ...]
    t_end: float = 1.0
    floor: float = 0.0
    origin: tuple[float, ...] = ()
    auxiliary: Callable[[Coordinates, Any], dict[str, Tensor]] | None = None
    periodic: bool = True

    @property
    def ndim(self) -> int:
        return len(self.extent)

    def on(self, grid: Grid, t: float, dtype: torch.dtype = torch.float64) -> Float[Tensor, "1 channel *space"]:
        """Its samples on a grid."""
        time = torch.as_tensor(t, dtype=dtype)
        channels = self.evaluate(grid.mesh(dtype), time)
        return torch.stack([c.expand(grid.shape) for c in channels]).unsqueeze(0)

    def grid(self, *shape: int) -> Grid:
        """A grid over its box."""
        return Grid(shape, self.extent, self.origin)


@dataclass(frozen=True)
class Budget:
    """An integral over the box and what changes it: d stored/dt is the sum of the rates.

    Args:
        stored: the integral, "batch".
        rates: signed rates by name: a source is positive, a sink negative.
    """

    stored: Tensor
    rates: dict[str, Tensor]


@dataclass(frozen=True)
class PDE(ABC):
    """Base of all kinds of equations."""

    version: ClassVar[int] = 1
    dims: ClassVar[tuple[int, ...]]
    fields: ClassVar[tuple[Field, ...]]
    # input fields fixed in time, which the equation reads as `d.coeff(name)`
    coeffs: ClassVar[tuple[Field, ...]] = ()
    auxiliary: ClassVar[tuple[str, ...]] = ()
    # what the channels of the residual are, with their units, where they are not those of `fields`
    equations: ClassVar[tuple[str, ...]] = ()
    # parameters without which the problem is ill-posed: any small wave would grow without bound
    positive: ClassVar[tuple[str, ...]] = ()
    non_negative: ClassVar[tuple[str, ...]] = ()
    # degree of the polynomial nonlinearity
    degree: ClassVar[int] = 1
    # whether stored values are averages over cells, and not samples of a smooth field
    averages: ClassVar[bool] = False
    # parameters that damp small scales: the larger, the coarser the grid that resolves a solution
    smoothing: ClassVar[tuple[str, ...]] = ()
    # whether `budgets` hold between walls, too, and not in a periodic box only
    budgets_at_walls: ClassVar[bool] = False
    # fields that come into the box or leave it: the share of their largest RMS over a trajectory at which they count as
    # gone, so that no error is relative to what is left of them (`pdekit.metrics.vanishing`)
    fading: ClassVar[Mapping[str, float]] = {}
    # whether `existing` says where fields exist: there are obstacles
    has_mask: ClassVar[bool] = False

    @abstractmethod
    def residual(self, u: Any, d: Calculus) -> Any:
        """Residual, which vanishes for a solution: one channel for each equation."""

    def check(self, values: Mapping[str, Any] | None = None) -> None:
        """Refuse parameters for which the equation is ill-posed, or that are no finite numbers.

        Args:
            values: numbers or tensors by name; the equation's own if None.

        Raises:
            ValueError: if one is outside its limits.
        """
        if values is None:
            values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        for name, value in values.items():
            if not isinstance(value, (int, float, Tensor)):
                continue
            numbers = torch.as_tensor(value, dtype=torch.float64)
            strict, weak = name in self.positive, name in self.non_negative
            wrong = ~torch.isfinite(numbers) | (strict & (numbers <= 0)) | (weak & (numbers < 0))
            if wrong.any():
                wanted = "above 0" if strict else "of at least 0" if weak else "that is finite"
                found = float(numbers[wrong].flatten()[0])
                raise ValueError(
                    f"expected a value {wanted} for {name} of {type(self).__name__}, got {found:g}: the equation "
                    "is ill-posed there; choose another value"
                )

    @abstractmethod
    def describe(self, params: dict[str, float]) -> str:
        """One sentence for a person, with the values of the parameters that vary."""

    def source(self, d: Calculus) -> Any:
        """A forcing that is constant in time, "channel *space" (or broadcastable), or None."""
        return None

    def existing(self, grid: Grid) -> Float[Tensor, "batch channel *space"]:
        """Return 1 where each field exists on a grid, and 0 elsewhere, of an equation with `has_mask`.

        Its parameters give the geometry. The batch is 1 where none of them varies.

        Raises:
            ValueError: if the equation has no mask.
        """
        raise ValueError(f"expected an equation with has_mask, got {type(self).__name__}; its fields exist everywhere")

    def exact(self) -> tuple[ExactSolution, ...]:
        """Closed forms with these parameters; empty if none is known."""
        return ()

    def invariants(self, u: Float[Tensor, "batch channel *space"], grid: Grid) -> dict[str, Float[Tensor, "batch"]]:
        """Integrals over the box that the exact dynamics keep, by name."""
        return {}

    def dissipated(self, u: Float[Tensor, "batch channel *space"], grid: Grid) -> dict[str, Float[Tensor, "batch"]]:
        """Integrals over the box that the exact dynamics never let grow (energies, norms), by name."""
        return {}

    def budgets(self, u: Float[Tensor, "batch channel *space"], grid: Grid) -> dict[str, Budget]:
        """Integrals over the box (energies, heat), and the terms of the equation that feed and drain them.

        The box is periodic, or has the walls of the equation where it has `budgets_at_walls`.

        Terms that only move such an integral about in space or between scales do not appear.
        """
        return {}

    def lyapunov_exponent(self, problem: Problem) -> float | None:
        """The largest one, per unit time, if it has been measured for this box and these parameters; else None.

        The values, their errors and how they were found: experiments/lyapunov.
        """
        return None

    def reflection(self, axis: int) -> tuple[int, ...] | None:
        """Signs of the channels when an axis is reflected, if reflected solutions are solutions; else None."""
        return None

    def galilean(self, axis: int) -> tuple[float, ...] | None:
        """Numbers that a frame that moves with velocity -1 along an axis adds to each channel, if it is a symmetry.

        If u(x, t) is a solution, then so is u(x - t, t) + these numbers; multiples of it likewise. None if not.
        """
        return None

    def scaling(self) -> dict[str, float] | None:
        """Exponents of a symmetry that multiplies fields, parameters and times by powers of a number; None if unknown.

        With p = {field: 1, parameter: 2, "dt": -1}: if u(x, t) is a solution, then so is a u(x, a t) of the equation
        whose parameter is a^2 times as large, and its frames are a^-1 times as far apart. What is not named is kept.
        """
        return None

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Lower and upper bounds by field: no solution that starts within them leaves them. Empty if none is known."""
        return {}

    def value(self, name: str, params: dict[str, float]) -> str:
        """A parameter for a caption: the one that varies, else the one that is fixed."""
        return f"{params.get(name, getattr(self, name)):.4g}"


@dataclass(frozen=True)
class SemilinearPDE(PDE):
    """u_t = linear(u) + nonlinear(u) + source, periodic, with a linear part of constant coefficients.

    `degree` fixes which modes a solver keeps so that products are free of aliasing. 1, the default, is a linear
    equation: it has no `nonlinear` of its own and a solver is exact.
    """

    @abstractmethod
    def linear(self, u: Any, d: Calculus) -> Any:
        """The linear part; constant coefficients."""

    def nonlinear(self, u: Any, d: Calculus) -> Any:
        """All else that depends on u."""
        return 0.0 * u

    def rhs(self, u: Any, d: Calculus) -> Any:
        """u_t."""
        total = self.linear(u, d)
        if self.degree > 1:
            total = total + self.nonlinear(u, d)
        source = self.source(d)
        return total if source is None else total + source

    def residual(self, u: Any, d: Calculus) -> Any:
        return d.t(u) - self.rhs(u, d)


@dataclass(frozen=True)
class ConservationLaw(PDE):
    """u_t + sum over axes of (flux along the axis)_axis = 0, for solutions that may have shocks.

    Fields that `flux` and the other methods receive are pointwise: samples, or states on either side of a cell face;
    `d` takes channels apart and puts them together, and no derivative is taken.

    `middle_wave` is True if `star_states` knows a third wave between the slowest and the fastest. `positive_primitives`
    are the channels of `primitive` that are positive in every admissible state; negative numbers count from the last.
    """

    averages: ClassVar[bool] = True
    middle_wave: ClassVar[bool] = False
    positive_primitives: ClassVar[tuple[int, ...]] = ()

    @abstractmethod
    def flux(self, u: Any, axis: int, d: Calculus) -> Any:
        """Flux through a unit face normal to an axis per unit time, for each channel."""

    @abstractmethod
    def wave_speeds(self, u: Any, axis: int, d: Calculus) -> tuple[Any, Any]:
        """The slowest and the fastest signed speed of a wave along an axis, one channel each."""

    def primitive(self, u: Any, d: Calculus) -> Any:
        """The variables that a solver reconstructs at faces, as many as fields; the fields themselves by default."""
        return u

    def conserved(self, w: Any, d: Calculus) -> Any:
        """The fields from what `primitive` returns."""
        return w

    def star_states(self, left: Any, right: Any, speeds: tuple[Any, Any], axis: int, d: Calculus) -> tuple[Any, ...]:
        """Speed of the middle wave of a Riemann problem, and the fields to the left and to the right of it.

        Args:
            left, right: fields on the lower and the upper side of a face.
            speeds: signed speed of the slowest and of the fastest wave.
            axis: normal of the face.

        Raises:
            ValueError: if `middle_wave` is False.
        """
        raise ValueError(f"expected an equation with a middle wave, got {type(self).__name__}; use another flux")

    def residual(self, u: Any, d: Calculus) -> Any:
        total = d.t(u)
        for axis, letter in enumerate("xyz"[: d.ndim]):
            total = total + d.along(self.flux(u, axis, d), letter)
        return total


@dataclass(frozen=True)
class SteadyPDE(PDE):
    """residual(u) = 0 in a bounded domain, for one or several coupled fields; inputs are coefficient fields.

    `coeffs` names the input fields. Where a material property is given by the geometry, parameters fix it.
    """


def integral(u: Float[Tensor, "batch *space"], grid: Grid) -> Float[Tensor, "batch"]:
    """The integral over the box; lengths may vary over the batch."""
    unit = Grid(grid.shape, (1.0,) * grid.ndim, layout=grid.layout)
    total = (u * unit.weights(u.dtype, u.device)).flatten(1).sum(dim=1)
    for length in grid.extent:
        total = total * torch.as_tensor(length, dtype=total.dtype, device=total.device).reshape(-1)
    return total


def vanishes(value: Any) -> bool:
    """Return whether a parameter is the number zero; one that varies over a batch is not."""
    return not isinstance(value, Tensor) and value == 0
