"""What an equation is: a frozen dataclass of parameters, with its mathematics written against a calculus `d`.

Shared by all equations (said once, here):

- `d` is any calculus of pdekit.calculus; a field has the channels of `fields`, in this order.
- parameters are numbers, or tensors shaped "batch 1 *1" where they vary over a batch (`Problem.at`).
- `version` is raised whenever a change alters numbers, so that stored data are not silently stale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class ExactSolution:
    """A closed form u(x, t) of one equation with given parameters.

    Args:
        name: of the solution, e.g. "soliton".
        evaluate: (coordinates, t) -> channels. Coordinates are broadcastable tensors, t a tensor or number; the
            result is a tuple with one tensor for each field, built of differentiable torch functions.
        extent: lengths of a box on which it is (nearly) periodic.
        t_end: a time up to which it is worth comparing.
        floor: relative error that the closed form itself has on that box (periodic images), 0 if none.
        origin: lower corner of that box.
    """

    name: str
    evaluate: Callable[[tuple[Tensor, ...], Any], tuple[Tensor, ...]]
    extent: tuple[float, ...]
    t_end: float = 1.0
    floor: float = 0.0
    origin: tuple[float, ...] = ()

    def on(self, grid: Grid, t: float, dtype: torch.dtype = torch.float64) -> Tensor:
        """Its samples on a grid, "1 channel *space"."""
        time = torch.as_tensor(t, dtype=dtype)
        channels = self.evaluate(grid.mesh(dtype), time)
        return torch.stack([c.expand(grid.shape) for c in channels]).unsqueeze(0)

    def grid(self, *shape: int) -> Grid:
        """A grid over its box."""
        return Grid(shape, self.extent, self.origin)


@dataclass(frozen=True)
class PDE(ABC):
    """Base of all kinds of equations."""

    version: ClassVar[int] = 1
    dims: ClassVar[tuple[int, ...]]
    fields: ClassVar[tuple[Field, ...]]
    auxiliary: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def residual(self, u: Any, d: Calculus) -> Any:
        """What must vanish for a solution: one channel for each equation."""

    @abstractmethod
    def describe(self, params: dict[str, float]) -> str:
        """One sentence for a person, with the values of the parameters that vary."""

    def exact(self) -> tuple[ExactSolution, ...]:
        """Closed forms with these parameters; empty if none is known."""
        return ()

    def invariants(self, u: Tensor, grid: Grid) -> dict[str, Tensor]:
        """Integrals "batch" of "batch channel *space" that the exact dynamics keep, by name."""
        return {}

    def value(self, name: str, params: dict[str, float]) -> str:
        """A parameter for a caption: the one that varies, else the one that is fixed."""
        return f"{params.get(name, getattr(self, name)):.4g}"


@dataclass(frozen=True)
class SemilinearPDE(PDE):
    """u_t = linear(u) + nonlinear(u) + source, periodic, with a linear part of constant coefficients.

    `degree` is that of the polynomial nonlinearity (1: the equation is linear and `nonlinear` is not called);
    it fixes which modes a solver keeps so that products are free of aliasing.
    """

    degree: ClassVar[int]

    @abstractmethod
    def linear(self, u: Any, d: Calculus) -> Any:
        """The linear part; constant coefficients."""

    @abstractmethod
    def nonlinear(self, u: Any, d: Calculus) -> Any:
        """All else that depends on u."""

    def source(self, d: Calculus) -> Tensor | None:
        """A forcing that is constant in time, "channel *space" (or broadcastable), or None."""
        return None

    def rhs(self, u: Any, d: Calculus) -> Any:
        """u_t."""
        total = self.linear(u, d)
        if self.degree > 1:
            total = total + self.nonlinear(u, d)
        source = self.source(d)
        return total if source is None else total + source

    def residual(self, u: Any, d: Calculus) -> Any:
        return d.t(u) - self.rhs(u, d)


def integral(u: Tensor, grid: Grid) -> Tensor:
    """The integral over the box of "batch *space", shape "batch"."""
    weights = grid.weights(u.dtype, u.device)
    return (u * weights).sum(dim=tuple(range(1, u.ndim)))
