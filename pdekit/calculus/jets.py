"""Taylor mode: a tensor that carries its derivatives with it through a network, forward and exactly.

A jet holds D^a z at every point for a set of multi-indices a. Linear layers act on all of them in one matrix
product; a nonlinearity f composes by Faa di Bruno's formula. A network written with ordinary torch functions
accepts a `Jet` in place of the tensor of its points: the functions are dispatched by ``__torch_function__``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from pdekit.calculus.faa_di_bruno import MultiIndex, binomial, closure, partitions
from pdekit.calculus.pointwise import Exp, Gelu, Pointwise, Power, Sin, Tanh

# for each result: which derivative of f, and the products (multiplicity, positions) that it multiplies
Plan = tuple[tuple[tuple[int, tuple[tuple[int, tuple[int, ...]], ...]], ...], ...]


class Jet:
    """A field over points with its derivatives.

    Args:
        values: "index point feature", D^a of every feature; the first is the value itself.
        indices: the multi-indices a of `values`, zero first. Derivatives that are not listed here but are in
            `wanted` vanish identically (a function of x alone has none in t).
        wanted: the closed set of derivatives that results carry.
        axes: number of the coordinate that each feature is. A chosen coordinate drops its zero derivatives.
    """

    def __init__(
        self,
        values: Tensor,
        indices: tuple[MultiIndex, ...],
        wanted: tuple[MultiIndex, ...],
        axes: tuple[int, ...] = (),
    ):
        self.values, self.indices, self.wanted, self.axes = values, indices, wanted, axes

    @classmethod
    def of_points(cls, points: Float[Tensor, "point coordinate"], wanted: Sequence[MultiIndex]) -> Jet:
        """The coordinates as functions of themselves.

        Args:
            points: the place of each point, time last.
            wanted: derivatives needed at the end; those below them are added.
        """
        wanted = closure(wanted)
        n = points.shape[1]
        units = [tuple(int(i == axis) for i in range(n)) for axis in range(n)]
        indices = [wanted[0], *(unit for unit in units if unit in wanted)]
        values = [points]
        for axis in (units.index(index) for index in indices[1:]):
            column = torch.zeros_like(points)
            column[:, axis] = 1
            values.append(column)
        return cls(torch.stack(values), tuple(indices), wanted, tuple(range(n)))

    @classmethod
    def of_coordinate(cls, column: Float[Tensor, "point 1"], axis: int, wanted: Sequence[MultiIndex]) -> Jet:
        """One coordinate at points of its own, for nets that work on the product of such axes."""
        wanted = closure(wanted)
        unit = tuple(int(i == axis) for i in range(len(wanted[0])))
        indices = (wanted[0], unit) if unit in wanted else (wanted[0],)
        return cls(torch.stack((column, torch.ones_like(column))[: len(indices)]), indices, wanted)

    @property
    def shape(self) -> torch.Size:
        """Shape of the value, "point feature"."""
        return self.values.shape[1:]

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        return self.values.device

    def derivative(self, index: MultiIndex) -> Tensor:
        """D^index, "point feature"."""
        if index in self.indices:
            return self.values[self.indices.index(index)]
        if index not in self.wanted:
            raise ValueError(f"expected a derivative among {self.wanted}, got {index}; ask for it in Jet.of_points")
        return torch.zeros_like(self.values[0])

    def like(self, values: Tensor) -> Jet:
        return Jet(values, self.indices, self.wanted)

    def plus_constant(self, constant: Tensor | float) -> Jet:
        first = self.values[:1] + constant
        return self.like(torch.cat((first, self.values[1:].expand(-1, *first.shape[1:]))))

    def compose(self, f: Pointwise) -> Jet:
        """f of the field, by Faa di Bruno's formula."""
        indices, plan = composition_plan(self.indices, self.wanted)
        if torch.compiler.is_compiling():
            return Jet(_fusible(self.values, plan, f), indices, self.wanted)
        return Jet(Compose.apply(self.values, plan, f), indices, self.wanted)

    def times(self, other: Jet, multiply: Callable[[Tensor, Tensor], Tensor] = torch.mul) -> Jet:
        """The product with a field at the same points, or any other bilinear function, by Leibniz' formula."""
        made: dict[MultiIndex, Tensor] = {}
        for i, a in enumerate(self.indices):
            for j, b in enumerate(other.indices):
                index = tuple(m + n for m, n in zip(a, b, strict=True))
                if index in self.wanted:
                    count = binomial(index, a)
                    term = multiply(self.values[i], other.values[j])
                    term = term if count == 1 else count * term
                    made[index] = made[index] + term if index in made else term
        indices = tuple(index for index in self.wanted if index in made)
        return Jet(torch.stack([made[index] for index in indices]), indices, self.wanted)

    def plus(self, other: Jet) -> Jet:
        """The sum with a field at the same points."""
        if self.indices == other.indices:
            return self.like(self.values + other.values)
        indices = tuple(i for i in self.wanted if i in self.indices or i in other.indices)
        return Jet(torch.stack([self.derivative(i) + other.derivative(i) for i in indices]), indices, self.wanted)

    def __getitem__(self, key: Any) -> Jet:
        """Points and features chosen, as of a tensor "point feature"."""
        key = key if isinstance(key, tuple) else (key,)
        chosen = self.values[(slice(None), *key)]
        if not self.axes or len(key) < 2:
            return Jet(chosen, self.indices, self.wanted, self.axes)
        axes = self.axes[key[1]]
        kept = [i for i, index in enumerate(self.indices) if all(not n or a in axes for a, n in enumerate(index))]
        return Jet(chosen[kept], tuple(self.indices[i] for i in kept), self.wanted, axes)

    def flatten(self, start: int, end: int) -> Jet:
        """Axes of the value joined, counted as those of a tensor."""
        shift = 1 if start >= 0 else 0
        return self.like(self.values.flatten(start + shift, end + 1 if end >= 0 else end))

    def unflatten(self, axis: int, sizes: Sequence[int]) -> Jet:
        return self.like(self.values.unflatten(axis + 1 if axis >= 0 else axis, sizes))

    def __add__(self, other: Any) -> Jet:
        return self.plus(other) if isinstance(other, Jet) else self.plus_constant(other)

    def __mul__(self, other: Any) -> Jet:
        return self.times(other) if isinstance(other, Jet) else self.like(self.values * other)

    def __neg__(self) -> Jet:
        return self.like(-self.values)

    def __sub__(self, other: Any) -> Jet:
        return self + (-other)

    def __rsub__(self, other: Any) -> Jet:
        return -self + other

    def __truediv__(self, other: Any) -> Jet:
        return self * (other.compose(Power(-1)) if isinstance(other, Jet) else 1 / other)

    def __rtruediv__(self, other: Any) -> Jet:
        return self.compose(Power(-1)) * other

    def __pow__(self, exponent: float) -> Jet:
        return self.compose(Power(exponent))

    __radd__, __rmul__ = __add__, __mul__

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        rule: Any = RULES.get(function)
        if rule is None:
            raise TypeError(
                f"expected functions with a Taylor rule, found {getattr(function, '__name__', function)}; "
                "add its rule to pdekit.calculus.jets or use nested differentiation (derivatives=nested)"
            )
        return rule(*args, **(kwargs or {}))


@cache
def composition_plan(
    indices: tuple[MultiIndex, ...], wanted: tuple[MultiIndex, ...]
) -> tuple[tuple[MultiIndex, ...], Plan]:
    """Derivatives of a composition, and the terms of each by order of f's derivative."""
    position = {index: i for i, index in enumerate(indices)}
    kept, plan = [wanted[0]], []
    for index in wanted[1:]:
        by_order: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for multiplicity, parts in partitions(index):
            if all(part in position for part in parts):
                by_order.setdefault(len(parts), []).append((multiplicity, tuple(position[p] for p in parts)))
        if by_order:
            kept.append(index)
            plan.append(tuple((k, tuple(terms)) for k, terms in sorted(by_order.items())))
    return tuple(kept), tuple(plan)


def _order(plan: Plan) -> int:
    """The highest derivative of f in a plan; a loop, which a compiler of graphs understands."""
    order = 0
    for terms in plan:
        for k, _ in terms:
            order = max(order, k)
    return order


def _product(values: Tensor, multiplicity: int, positions: Sequence[int]) -> Tensor:
    total = values[positions[0]]
    for position in positions[1:]:
        total = total * values[position]
    return total if multiplicity == 1 else multiplicity * total


class Compose(torch.autograd.Function):
    """f of a jet with a hand-written backward pass: autograd would keep and revisit every factor."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, plan: Plan, f: Pointwise) -> Tensor:
        basis = f.basis(values[0])
        ctx.plan, ctx.f = plan, f
        ctx.save_for_backward(values, *basis)
        return _composed(values, plan, f, basis)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        values, *basis = ctx.saved_tensors
        f = ctx.f.derivatives(tuple(basis), _order(ctx.plan) + 1)
        result = torch.empty_like(values)
        torch.mul(gradient[0], f[1], out=result[0])
        written = {0}

        def accumulate(position: int, left: Tensor, right: Tensor) -> None:
            if position in written:
                result[position].addcmul_(left, right)
            else:
                written.add(position)
                torch.mul(left, right, out=result[position])

        for g, terms in zip(gradient[1:], ctx.plan, strict=True):
            for k, products in terms:
                g_f, inner = g * f[k], None
                for multiplicity, positions in products:
                    term = _product(values, multiplicity, positions)
                    inner = term if inner is None else inner + term
                    for position in dict.fromkeys(positions):
                        # the derivative of a product by a factor that occurs n times has n equal terms
                        others = list(positions)
                        others.remove(position)
                        count = multiplicity * positions.count(position)
                        if others:
                            accumulate(position, g_f, _product(values, count, others))
                        else:
                            accumulate(position, g, f[k])
                accumulate(0, g * f[k + 1], inner)
        for position in set(range(len(values))) - written:
            result[position].zero_()
        return result, None, None


def _composed(values: Tensor, plan: Plan, f: Pointwise, basis: tuple[Tensor, ...]) -> Tensor:
    derivatives = f.derivatives(basis, _order(plan))
    out = values.new_empty((len(plan) + 1, *values.shape[1:]))
    out[0] = derivatives[0]
    for row, terms in enumerate(plan, start=1):
        for number, (k, products) in enumerate(terms):
            inner = _product(values, *products[0])
            for multiplicity, positions in products[1:]:
                inner = inner + _product(values, multiplicity, positions)
            if number == 0:
                torch.mul(derivatives[k], inner, out=out[row])
            else:
                out[row].addcmul_(derivatives[k], inner)
    return out


def _fusible(values: Tensor, plan: Plan, f: Pointwise) -> Tensor:
    """The composition in plain operations, which a compiler fuses, forward and backward; writes in place hinder it."""
    derivatives = f.derivatives(f.basis(values[0]), _order(plan))
    rows = [derivatives[0]]
    for terms in plan:
        row = None
        for k, products in terms:
            for multiplicity, positions in products:
                term = derivatives[k] * _product(values, multiplicity, positions)
                row = term if row is None else row + term
        rows.append(row)
    return torch.stack(rows)


class Affine(torch.autograd.Function):
    """W z + b of a jet, b being added to the value alone: without copies, forward or backward."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, weight)
        out = values @ weight.mT
        if bias is not None:
            out[0] += bias
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        values, weight = ctx.saved_tensors
        for_values, for_weight, for_bias = ctx.needs_input_grad
        return (
            gradient @ weight if for_values else None,
            gradient.flatten(0, -2).mT @ values.flatten(0, -2) if for_weight else None,
            gradient[0].sum(0) if for_bias else None,
        )


def _linear(jet: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    """A linear layer; a weight "point out in" gives every point weights of its own."""
    if weight.ndim == 3:
        values = torch.einsum("spi,poi->spo", jet.values, weight)
        return jet.like(values if bias is None else torch.cat((values[:1] + bias, values[1:])))
    if torch.compiler.is_compiling():
        return jet.like(functional.linear(jet.values, weight)).plus_constant(0.0 if bias is None else bias)
    return jet.like(Affine.apply(jet.values, weight, bias))


def _cat(jets: Sequence[Jet], dim: int = -1) -> Jet:
    if dim not in (-1, 1):
        raise ValueError(f"expected features to be joined (dim -1), got dim {dim}; use derivatives=nested")
    wanted = jets[0].wanted
    indices = tuple(i for i in wanted if any(i in jet.indices for jet in jets))
    rows = [torch.cat([jet.derivative(i) for jet in jets], -1) for i in indices]
    return Jet(torch.stack(rows), indices, wanted)


def _gelu(jet: Jet, approximate: str = "none") -> Jet:
    if approximate != "none":
        raise ValueError(
            f"expected the exact gelu in Taylor mode, got approximate={approximate!r}; use derivatives=nested"
        )
    return jet.compose(Gelu())


def _einsum(equation: str, a: Jet, b: Jet) -> Jet:
    return a.times(b, lambda left, right: torch.einsum(equation, left, right))


def _sum(jet: Jet, dim: int, keepdim: bool = False) -> Jet:
    if dim not in (-1, 1):
        raise ValueError(f"expected a sum over features (dim -1), got dim {dim}; use derivatives=nested")
    return jet.like(jet.values.sum(-1, keepdim=keepdim))


RULES = {
    functional.linear: _linear,
    functional.gelu: _gelu,
    torch.tanh: lambda jet: jet.compose(Tanh()),
    torch.sin: lambda jet: jet.compose(Sin()),
    torch.cos: lambda jet: jet.compose(Sin(1)),
    torch.exp: lambda jet: jet.compose(Exp()),
    torch.cat: _cat,
    torch.sum: _sum,
    torch.einsum: _einsum,
    torch.square: lambda jet: jet.compose(Power(2)),
    torch.Tensor.add: lambda a, b: b + a,
    torch.Tensor.__radd__: lambda a, b: b + a,
    torch.Tensor.mul: lambda a, b: b * a,
    torch.Tensor.sub: lambda a, b: -b + a,
    torch.Tensor.__rsub__: lambda a, b: b - a,
}
