"""Observations of a sample, values = A x + noise: masks, sensors between grid points, any linear operator.

An operator is a pair of functions, A and its exact adjoint A^T, that keep the batch axis. Guidance needs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class LinearOperator:
    """A linear map of "batch ..." to "batch ...".

    Args:
        forward: A.
        adjoint: A^T, with sum(r * A x) = sum(x * A^T r) in each sample.
    """

    forward: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Observation:
    """Observed values and their error, values = A x + noise e with unit normal e.

    Args:
        operator: A.
        values: "batch ..."; 0 where a mask observes nothing.
        noise: standard deviation of the error, a number or a tensor that broadcasts with ``values``.

    Raises:
        ValueError: if a standard deviation is not positive or a value is not finite.
    """

    operator: LinearOperator
    values: Tensor
    noise: Tensor | float

    def __post_init__(self):
        smallest = float(torch.as_tensor(self.noise).min())
        if not smallest > 0:
            raise ValueError(
                f"expected a noise above 0, got {smallest}; give the error of the sensors, or impose values exactly "
                "with diffusion.projection"
            )
        if not bool(torch.isfinite(self.values).all()):
            raise ValueError(
                "expected finite values, found NaN or Inf; set what is not observed to 0, in the values and in the mask"
            )

    @property
    def variance(self) -> Tensor:
        """Variance of each value's error."""
        return torch.as_tensor(self.noise, dtype=self.values.dtype).square()

    def residual(self, x: Tensor) -> Tensor:
        """Return values - A x."""
        return self.values - self.operator.forward(x)


def masked(mask: Tensor) -> LinearOperator:
    """Return the operator that keeps the values where the mask is one, and is zero elsewhere; A = A^T = A A^T.

    Args:
        mask: broadcasts with "batch ..."; samples may be observed at different places.
    """

    def keep(x: Tensor) -> Tensor:
        return mask.to(x) * x

    return LinearOperator(keep, keep)


def point_sensors(
    index: Float[Tensor, "sensor axis"], channel: Int[Tensor, "sensor"], shape: Sequence[int], periodic: Sequence[bool]
) -> LinearOperator:
    """Return the multilinear interpolation of fields "batch channel *space" to sensors, "batch sensor".

    A sensor between grid points reads the mean of the 2^d points around it, weighted by its distance to each. The
    error of that reading is of second order in the spacing: include it in the noise.

    Args:
        index: position of each sensor in units of the grid: 1.5 lies half-way between points 1 and 2.
        channel: which channel each sensor reads.
        shape: (channel, *space) of the fields.
        periodic: whether each axis is; on a bounded axis of n points the index lies in [0, n - 1].

    Raises:
        ValueError: if a sensor lies outside a bounded axis, or reads no channel of the fields.
    """
    space = torch.tensor(shape[1:])
    free = torch.tensor([bool(flag) for flag in periodic])
    outside = ((index < 0) | (index > space - 1)) & ~free
    if bool(outside.any()):
        raise ValueError(
            f"expected sensors inside the grid of {tuple(shape[1:])} points, found one at index "
            f"{index[outside.any(1)][0].tolist()}; correct its position"
        )
    if not bool(((channel >= 0) & (channel < shape[0])).all()):
        raise ValueError(f"expected channels from 0 to {shape[0] - 1}, got {channel.tolist()}; correct them")
    low = index.floor().long()
    low = torch.where(free, low, torch.minimum(low, (space - 2).clamp_min(0)))
    share = index - low
    places, weights = [], []
    for corner in product((0, 1), repeat=len(space)):
        at = torch.tensor(corner)
        point = torch.where(free, (low + at) % space, torch.minimum(low + at, space - 1))
        flat = channel
        for axis, n in enumerate(space.tolist()):
            flat = flat * n + point[:, axis]
        places.append(flat)
        weights.append(torch.where(at.bool(), share, 1 - share).prod(1))
    place, weight = torch.stack(places), torch.stack(weights)

    def forward(x: Tensor) -> Tensor:
        return (weight.to(x) * x.flatten(1)[:, place.to(x.device)]).sum(1)

    def adjoint(r: Tensor) -> Tensor:
        spread = (weight.to(r) * r[:, None]).flatten(1)
        total = r.new_zeros(len(r), int(torch.tensor(shape).prod()))
        return total.index_add(1, place.to(r.device).flatten(), spread).reshape(len(r), *shape)

    return LinearOperator(forward, adjoint)


def linear_map(function: Callable[[Tensor], Tensor], shape: Sequence[int]) -> LinearOperator:
    """Return the operator of a linear function of "batch ...", with the adjoint by automatic differentiation.

    Args:
        function: linear, and differentiable by torch; not checked.
        shape: of one sample.
    """

    def adjoint(r: Tensor) -> Tensor:
        with torch.enable_grad():
            x = r.new_zeros(len(r), *shape, requires_grad=True)
            return torch.autograd.grad(function(x), x, r)[0]

    return LinearOperator(function, adjoint)
