"""Derivatives of a network at scattered points in Taylor mode: the same verbs as `Autodiff`, from one forward pass.

A field is a recipe for D^a at the points, made when it is asked for: the derivatives that an equation needs of the
network are found by reading the equation once (`required`), and carried through the network together (`jets`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.base import Calculus
from pdekit.calculus.faa_di_bruno import MultiIndex, below, binomial, closure, partitions
from pdekit.calculus.pointwise import Exp, Pointwise, Power, Sin, Tanh


class TaylorField:
    """A field "point channel" whose derivatives are computed when asked for, and kept.

    Args:
        derive: multi-index (time last) -> D^a of the field.
        n_channels: number of channels of the field.
        n_axes: entries of a multi-index.
    """

    def __init__(self, derive: Callable[[MultiIndex], Tensor], n_channels: int, n_axes: int):
        self._derive, self.n_channels, self.n_axes = derive, n_channels, n_axes
        self._kept: dict[MultiIndex, Tensor] = {}

    def derivative(self, index: MultiIndex) -> Tensor:
        """D^index at the points, "point channel"."""
        if index not in self._kept:
            self._kept[index] = self._derive(index)
        return self._kept[index]

    @property
    def value(self) -> Tensor:
        """The field itself at the points."""
        return self.derivative((0,) * self.n_axes)

    def differentiated(self, by: MultiIndex) -> TaylorField:
        def derive(index: MultiIndex) -> Tensor:
            return self.derivative(tuple(a + b for a, b in zip(index, by, strict=True)))

        return TaylorField(derive, self.n_channels, self.n_axes)

    def mapped(self, function: Callable[[Tensor], Tensor], n_channels: int) -> TaylorField:
        """A linear function of the channels."""
        return TaylorField(lambda index: function(self.derivative(index)), n_channels, self.n_axes)

    def compose(self, f: Pointwise) -> TaylorField:
        """f of each channel, by Faa di Bruno's formula."""

        def derive(index: MultiIndex) -> Tensor:
            derivatives = f.derivatives(f.basis(self.value), sum(index))
            if not sum(index):
                return derivatives[0]
            total = None
            for multiplicity, parts in partitions(index):
                term = multiplicity * derivatives[len(parts)]
                for part in parts:
                    term = term * self.derivative(part)
                total = term if total is None else total + term
            return total

        return TaylorField(derive, self.n_channels, self.n_axes)

    def times(self, other: TaylorField) -> TaylorField:
        def derive(index: MultiIndex) -> Tensor:
            total = None
            for part in below(index):
                rest = tuple(a - b for a, b in zip(index, part, strict=True))
                term = self.derivative(part) * other.derivative(rest)
                count = binomial(index, part)
                term = term if count == 1 else count * term
                total = term if total is None else total + term
            return total

        return TaylorField(derive, max(self.n_channels, other.n_channels), self.n_axes)

    def plus(self, other: Any, sign: float = 1.0) -> TaylorField:
        """Return the sum with a field or a constant, or their difference for a sign of -1."""
        if not isinstance(other, TaylorField):
            return self.plus_constant(other if sign == 1.0 else -other)

        def derive(index: MultiIndex) -> Tensor:
            return torch.add(self.derivative(index), other.derivative(index), alpha=sign)

        return TaylorField(derive, max(self.n_channels, other.n_channels), self.n_axes)

    def plus_constant(self, constant: Tensor | float) -> TaylorField:
        def derive(index: MultiIndex) -> Tensor:
            return self.derivative(index) + (0 if sum(index) else constant)

        return TaylorField(derive, self.n_channels, self.n_axes)

    def __add__(self, other: Any) -> TaylorField:
        return self.plus(other)

    def __sub__(self, other: Any) -> TaylorField:
        return self.plus(other, -1.0)

    def __mul__(self, other: Any) -> TaylorField:
        if isinstance(other, TaylorField):
            return self.times(other)
        return self.mapped(lambda values: values * other, self.n_channels)

    def __truediv__(self, other: Any) -> TaylorField:
        return self * (other.compose(Power(-1)) if isinstance(other, TaylorField) else 1 / other)

    def __pow__(self, exponent: float) -> TaylorField:
        return self.compose(Power(exponent))

    def __neg__(self) -> TaylorField:
        return self * -1.0

    def __rsub__(self, other: Any) -> TaylorField:
        return -self + other

    def __rtruediv__(self, other: Any) -> TaylorField:
        return self.compose(Power(-1)) * other

    __radd__, __rmul__ = __add__, __mul__

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function in COMPOSED:
            return args[0].compose(COMPOSED[function])
        if function in REFLECTED:
            return REFLECTED[function](*args)
        raise TypeError(
            f"expected functions with a Taylor rule, found {getattr(function, '__name__', function)}; "
            "use nested differentiation for this equation (derivatives=nested)"
        )


COMPOSED: dict[Any, Pointwise] = {
    torch.sin: Sin(),
    torch.cos: Sin(1),
    torch.exp: Exp(),
    torch.tanh: Tanh(),
    torch.square: Power(2),
}
REFLECTED: dict[Any, Callable[[Tensor, TaylorField], TaylorField]] = {
    torch.Tensor.add: lambda a, b: b + a,
    torch.Tensor.mul: lambda a, b: b * a,
    torch.Tensor.sub: lambda a, b: -b + a,
    torch.Tensor.div: lambda a, b: b.compose(Power(-1)) * a,
}


class Taylor(Calculus):
    """Reads an equation at scattered points, given the derivatives of a network there.

    Args:
        coordinates: x, y, z and then t, each "point 1"; time last.
        derivatives: D^a of all outputs of the network, "point output", for every a that the equation needs.
        n_channels: outputs that are the fields of the equation; they come first.
        auxiliary: names of the outputs after them, one for each auxiliary unknown. `auxiliary_residuals` holds
            laplacian(value) - rhs of each after an equation has been read.
    """

    def __init__(
        self,
        coordinates: tuple[Tensor, ...],
        derivatives: Mapping[MultiIndex, Tensor],
        n_channels: int,
        auxiliary: Sequence[str] = (),
    ):
        self._coordinates = coordinates
        self.ndim = len(coordinates) - 1
        self.n_channels = n_channels
        self.auxiliary = tuple(auxiliary)
        self.auxiliary_residuals: dict[str, TaylorField] = {}
        self._derivatives = derivatives

    @property
    def field(self) -> TaylorField:
        """The unknown of the equation."""
        return self._output(0, self.n_channels)

    def _output(self, first: int, last: int) -> TaylorField:
        def derive(index: MultiIndex) -> Tensor:
            return self._derivatives[index][:, first:last]

        return TaylorField(derive, last - first, self.ndim + 1)

    def partial(self, u: TaylorField, orders: tuple[int, ...]) -> TaylorField:
        return u.differentiated((*orders, 0))

    def t(self, u: TaylorField) -> TaylorField:
        return u.differentiated((0,) * self.ndim + (1,))

    def components(self, u: TaylorField) -> tuple[TaylorField, ...]:
        def channel(i: int) -> TaylorField:
            return u.mapped(lambda values: values[:, i : i + 1], 1)

        return tuple(channel(i) for i in range(u.n_channels))

    def stack(self, *fields: TaylorField) -> TaylorField:
        def derive(index: MultiIndex) -> Tensor:
            return torch.cat([field.derivative(index) for field in fields], dim=1)

        return TaylorField(derive, sum(field.n_channels for field in fields), self.ndim + 1)

    def poisson(self, name: str, rhs: TaylorField) -> TaylorField:
        if name not in self.auxiliary:
            raise ValueError(
                f"expected an output of the network for the auxiliary unknown {name!r}, got {self.auxiliary}; "
                "give the network one output for each of pde.auxiliary"
            )
        place = self.n_channels + self.auxiliary.index(name)
        value = self._output(place, place + 1)
        self.auxiliary_residuals[name] = self.laplacian(value) - rhs
        return value

    @property
    def coordinates(self) -> tuple[Any, ...]:
        return tuple(self._coordinate(axis) for axis in range(self.ndim))

    @property
    def time(self) -> Any:
        return self._coordinate(self.ndim)

    def _coordinate(self, axis: int) -> TaylorField:
        def derive(index: MultiIndex) -> Tensor:
            if sum(index) == 0:
                return self._coordinates[axis]
            unit = sum(index) == 1 and index[axis] == 1
            return torch.full_like(self._coordinates[axis], float(unit))

        return TaylorField(derive, 1, self.ndim + 1)


class _Recorder(dict):
    """Derivatives of a network that is one everywhere; remembers which were asked for."""

    def __init__(self, n_outputs: int):
        super().__init__()
        self.n_outputs = n_outputs

    def __missing__(self, index: MultiIndex) -> Tensor:
        self[index] = torch.ones(1, self.n_outputs, dtype=torch.float64)
        return self[index]


def required(
    residual: Callable[[TaylorField, Taylor], TaylorField], ndim: int, n_channels: int, auxiliary: Sequence[str] = ()
) -> tuple[MultiIndex, ...]:
    """The derivatives of the unknowns that a residual needs, time last, and all below them.

    >>> required(lambda u, d: d.t(u) + d.x(u * u) - d.xx(u), ndim=1, n_channels=1)
    ((0, 0), (0, 1), (1, 0), (2, 0))

    Raises:
        ValueError: for derivatives above fourth order.
    """
    recorder = _Recorder(n_channels + len(auxiliary))
    points = tuple(torch.full((1, 1), 0.5, dtype=torch.float64) for _ in range(ndim + 1))
    d = Taylor(points, recorder, n_channels, auxiliary)
    residual(d.field, d).derivative((0,) * (ndim + 1))
    for equation in d.auxiliary_residuals.values():
        equation.derivative((0,) * (ndim + 1))
    return closure([(0,) * (ndim + 1), *recorder])


def jet_derivatives(jet: Any) -> dict[MultiIndex, Float[Tensor, "point output"]]:
    """Derivatives that `Taylor` takes, of a network's outputs as a `Jet`."""
    return {index: jet.derivative(index) for index in jet.wanted}
