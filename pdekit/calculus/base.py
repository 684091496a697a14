"""The verbs that every calculus shares; an equation is written in nothing else.

A field of a calculus has the axes "batch channel *space" (or "point channel" for `Autodiff`). Derivatives act on
all channels at once; `components` and `stack` take a system apart and put it together. Fields add, subtract,
multiply, divide, and take powers, numbers and parameters shaped "batch 1 *1"; pointwise torch functions
(`torch.sin(u)`) act on them too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from pdekit.fields import Grid

AXIS_LETTERS = {"x": 0, "y": 1, "z": 2}


class Calculus(ABC):
    """Meaning of `d`. Subclasses say what a partial derivative, a component and a Poisson solve are."""

    ndim: int
    # known fields of one channel by name: permeability, a source, a mask
    coeffs: Mapping[str, Any] = MappingProxyType({})

    def coeff(self, name: str) -> Any:
        """A known field, see `coeffs`."""
        if name not in self.coeffs:
            raise ValueError(
                f"expected the coefficient {name!r} among those given, got {sorted(self.coeffs)}; pass coeffs=... to "
                "the calculus"
            )
        return self.coeffs[name]

    @abstractmethod
    def partial(self, u: Any, orders: tuple[int, ...]) -> Any:
        """The mixed derivative of order orders[0] in x, orders[1] in y, ..."""

    @abstractmethod
    def t(self, u: Any) -> Any:
        """The derivative in time of the state u."""

    @abstractmethod
    def components(self, u: Any) -> tuple[Any, ...]:
        """The channels of u as fields of one channel each."""

    @abstractmethod
    def stack(self, *fields: Any) -> Any:
        """The opposite of `components`."""

    @abstractmethod
    def poisson(self, name: str, rhs: Any) -> Any:
        """The auxiliary unknown `name`: the field of zero mean whose Laplacian is `rhs` (of zero mean)."""

    @property
    @abstractmethod
    def coordinates(self) -> tuple[Tensor, ...]:
        """x, y, z at the points, shaped to multiply a field."""

    @property
    @abstractmethod
    def time(self) -> Tensor:
        """The time of the points, shaped to multiply a field."""

    def along(self, u: Any, letters: str) -> Any:
        """The derivative named by letters: along(u, "xxy") is the third derivative u_xxy."""
        orders = [0] * self.ndim
        for letter in letters:
            axis = AXIS_LETTERS.get(letter, 3)
            if axis >= self.ndim:
                raise ValueError(
                    f"expected derivatives in {tuple(AXIS_LETTERS)[: self.ndim]} on a {self.ndim}-D problem, "
                    f"got {letters!r}; choose an equation that exists in {self.ndim}-D"
                )
            orders[axis] += 1
        return self.partial(u, tuple(orders))

    def x(self, u: Any) -> Any:
        return self.along(u, "x")

    def y(self, u: Any) -> Any:
        return self.along(u, "y")

    def z(self, u: Any) -> Any:
        return self.along(u, "z")

    def xx(self, u: Any) -> Any:
        return self.along(u, "xx")

    def yy(self, u: Any) -> Any:
        return self.along(u, "yy")

    def zz(self, u: Any) -> Any:
        return self.along(u, "zz")

    def xy(self, u: Any) -> Any:
        return self.along(u, "xy")

    def xz(self, u: Any) -> Any:
        return self.along(u, "xz")

    def yz(self, u: Any) -> Any:
        return self.along(u, "yz")

    def xxx(self, u: Any) -> Any:
        return self.along(u, "xxx")

    def xxxx(self, u: Any) -> Any:
        return self.along(u, "xxxx")

    def grad(self, u: Any) -> Any:
        """The gradient of a field of one channel, as a field of ndim channels."""
        return self.stack(*(self.along(u, letter) for letter in "xyz"[: self.ndim]))

    def div(self, v: Any) -> Any:
        """The divergence of a field of ndim channels."""
        parts = [self.along(c, a) for c, a in zip(self.components(v), "xyz"[: self.ndim], strict=True)]
        return sum(parts[1:], start=parts[0])

    def curl(self, v: Any) -> Any:
        """In 2-D the scalar dv/dx - du/dy, in 3-D the vector curl."""
        if self.ndim == 2:
            a, b = self.components(v)
            return self.x(b) - self.y(a)
        a, b, c = self.components(v)
        return self.stack(self.y(c) - self.z(b), self.z(a) - self.x(c), self.x(b) - self.y(a))

    def laplacian(self, u: Any) -> Any:
        parts = [self.along(u, 2 * letter) for letter in "xyz"[: self.ndim]]
        return sum(parts[1:], start=parts[0])

    def biharmonic(self, u: Any) -> Any:
        return self.laplacian(self.laplacian(u))


def time_derivative(u: Tensor, frames: int, dt: Any) -> Tensor:
    """d/dt over stored frames by central differences, second order, one-sided at both ends.

    Args:
        u: "(batch frames) channel *space", the frames of a trajectory being neighbours.
        frames: number of frames of each trajectory, at least 3.
        dt: time between frames, a number or "batch 1 *1".
    """
    if frames < 3:
        raise ValueError(f"expected at least 3 frames for a time derivative, got {frames}; store more frames")
    v = u.unflatten(0, (-1, frames))
    dt = per_sample(dt, v.ndim)
    middle = (v[:, 2:] - v[:, :-2]) / (2 * dt)
    first = (-3 * v[:, :1] + 4 * v[:, 1:2] - v[:, 2:3]) / (2 * dt)
    last = (3 * v[:, -1:] - 4 * v[:, -2:-1] + v[:, -3:-2]) / (2 * dt)
    return torch.cat((first, middle, last), dim=1).flatten(0, 1)


def per_sample(value: Any, ndim: int) -> Any:
    """Return a parameter "batch 1 *1" (see `Problem.at`) with ``ndim`` dimensions; a number as it is."""
    return value.reshape(-1, *(1,) * (ndim - 1)) if isinstance(value, Tensor) else value


def lengths_vary(grid: Grid) -> bool:
    """Return whether a length of a grid is a tensor, with a value for each trajectory."""
    return any(isinstance(length, Tensor) for length in grid.extent)
