"""The calculus of boxes with free-slip walls: a field continues across a wall as its mirror image, up to a sign.

Along an axis of n cells and length L, a field of sign +1 is a sum of cos(pi m x / L), one of sign -1 a sum of
sin(pi m x / L). The box is then one half of a periodic box of length 2 L, on which derivatives are exact. No doubled
arrays are needed: each derivative is a matrix of n x n, made once.

At a free-slip wall the normal velocity has the sign -1; the tangential velocity and scalars have +1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import pi
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus.base import Calculus, lengths_vary
from pdekit.fields import Field, Grid

Signs = tuple[int, ...]
"""+1 or -1 for each axis."""


class Mirrored(Calculus):
    """Exact derivatives of band-limited fields on cells between free-slip walls.

    `projected` keeps the modes m <= ceil(2 n / 3) - 1 of each axis: a product of two fields that have no other modes is
    free of aliasing there. Derivatives along an axis keep the same modes of that axis.

    Args:
        grid: of cells, with numbers as lengths.
        dtype: float64 or float32; matrices are computed in float64.
        device: of the matrices.

    Raises:
        ValueError: on another layout, or on lengths that vary.
    """

    def __init__(self, grid: Grid, dtype: torch.dtype = torch.float64, device: Any = None):
        if set(grid.layout) != {"cells"} or lengths_vary(grid):
            raise ValueError(
                f"expected a grid of cells with fixed lengths between mirrors, got {grid}; set layout= to cells and "
                "leave length_x and length_y out of the params"
            )
        self.grid, self.ndim, self.dtype, self.device = grid, grid.ndim, dtype, device
        self._matrices: dict[tuple, Tensor] = {}

    def field(self, samples: Tensor, signs: Sequence[Signs]) -> MirroredField:
        """A field from its samples "batch channel *space", with the signs of each channel."""
        return MirroredField(self, samples, tuple(signs))

    def partial(self, u: MirroredField, orders: tuple[int, ...]) -> MirroredField:
        parts = []
        for part in u.components():
            samples, signs = part.samples, list(part.known_signs)
            for axis, order in enumerate(orders):
                if order:
                    samples = _along(samples, self.matrix("derivative", axis, signs[axis], order), axis - self.ndim)
                    signs[axis] *= (-1) ** order
            parts.append(MirroredField(self, samples, (tuple(signs),)))
        return self.stack(*parts)

    def projected(self, u: MirroredField, signs: Signs) -> MirroredField:
        """The part of a field of one channel that the modes of these signs hold, whatever its own signs are."""
        samples = u.samples
        for axis, sign in enumerate(signs):
            samples = _along(samples, self.matrix("derivative", axis, sign, 0), axis - self.ndim)
        return MirroredField(self, samples, (signs,))

    def poisson(self, name: str, rhs: MirroredField) -> MirroredField:
        signs, u = rhs.known_signs, rhs.samples
        k_squared = torch.zeros((), dtype=torch.float64)
        for axis, sign in enumerate(signs):
            u = _along(u, self.matrix("forward", axis, sign, 0), axis - self.ndim)
            k = _wavenumbers(self.grid.shape[axis], sign) * (pi / self.grid.extent[axis])
            k_squared = k_squared + k.reshape([-1 if a == axis else 1 for a in range(self.ndim)]) ** 2
        u = u * torch.where(k_squared > 0, -1 / k_squared.clamp_min(1e-300), 0.0).to(u)
        for axis, sign in enumerate(signs):
            u = _along(u, self.matrix("backward", axis, sign, 0), axis - self.ndim)
        return MirroredField(self, u, (signs,))

    def matrix(self, kind: str, axis: int, sign: int, order: int) -> Tensor:
        """A matrix along an axis: "forward" (samples to amplitudes), "backward", or "derivative"."""
        key = (kind, axis, sign, order)
        if key not in self._matrices:
            n, length = self.grid.shape[axis], self.grid.extent[axis]
            forward, backward = _forward(n, sign), _waves(n, sign)
            made = {"forward": forward, "backward": backward}.get(kind)
            if made is None:
                made = _derivative(n, sign, order) * (pi / length) ** order
            self._matrices[key] = made.to(device=self.device, dtype=self.dtype)
        return self._matrices[key]

    def t(self, u: Any) -> Any:
        raise ValueError("expected no derivative in time between mirrors, got d.t; use FiniteDifference for residuals")

    def components(self, u: MirroredField) -> tuple[MirroredField, ...]:
        return u.components()

    def stack(self, *fields: MirroredField) -> MirroredField:
        if len(fields) == 1:
            return fields[0]
        samples = torch.cat([part.samples for part in fields], dim=-1 - self.ndim)
        return MirroredField(self, samples, tuple(signs for part in fields for signs in part.signs))

    @property
    def coordinates(self) -> tuple[Tensor, ...]:
        return self.grid.mesh(self.dtype, self.device)

    @property
    def time(self) -> Tensor:
        raise ValueError("expected an equation without explicit time between mirrors, got d.time; use another calculus")


class MirroredField:
    """Samples with the signs of each channel: a product has the product of the signs.

    A sum of fields of different signs has none (None): it can be added up, but has no derivative.
    """

    __slots__ = ("_calculus", "samples", "signs")

    def __init__(self, calculus: Mirrored, samples: Tensor, signs: tuple[Signs | None, ...]):
        self._calculus, self.samples, self.signs = calculus, samples, signs

    @property
    def known_signs(self) -> Signs:
        """The signs of a field of one channel."""
        (signs,) = self.signs
        assert signs is not None, "a sum of fields of different signs has no derivative"
        return signs

    def components(self) -> tuple[MirroredField, ...]:
        parts = self.samples.split(1, -1 - self._calculus.ndim)
        return tuple(
            MirroredField(self._calculus, part, (signs,)) for part, signs in zip(parts, self.signs, strict=True)
        )

    def __neg__(self) -> MirroredField:
        return self * -1.0

    def __add__(self, other: Any) -> MirroredField:
        if not isinstance(other, MirroredField):
            return MirroredField(self._calculus, self.samples + other, (None,) * len(self.signs))
        signs = tuple(a if a == b else None for a, b in zip(self.signs, other.signs, strict=True))
        return MirroredField(self._calculus, self.samples + other.samples, signs)

    __radd__ = __add__

    def __sub__(self, other: Any) -> MirroredField:
        return self + -other

    def __rsub__(self, other: Any) -> MirroredField:
        return -self + other

    def __mul__(self, other: Any) -> MirroredField:
        if not isinstance(other, MirroredField):
            return MirroredField(self._calculus, self.samples * other, self.signs)
        return MirroredField(self._calculus, self.samples * other.samples, _products(self.signs, other.signs))

    __rmul__ = __mul__

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        reflected = {torch.Tensor.mul: cls.__rmul__, torch.Tensor.add: cls.__radd__, torch.Tensor.sub: cls.__rsub__}
        if function in reflected and isinstance(args[1], cls):
            return reflected[function](args[1], args[0])
        return NotImplemented


def signs_at_walls(fields: Sequence[Field], ndim: int) -> tuple[Signs, ...]:
    """Signs of the channels of a problem: -1 for the component of a vector normal to a wall, +1 for all else.

    Components of a vector stand in the order of the axes.

    >>> signs_at_walls((Field("u", vector="velocity"), Field("v", vector="velocity"), Field("smoke")), 2)
    ((-1, 1), (1, -1), (1, 1))
    """
    found = []
    for number, field in enumerate(fields):
        same = [other.vector for other in fields[:number]].count(field.vector)
        axis = same if field.vector else None
        found.append(tuple(-1 if a == axis else 1 for a in range(ndim)))
    return tuple(found)


def resample_mirrored(u: Tensor, shape: Sequence[int], signs: Sequence[Signs]) -> Tensor:
    """Samples "batch channel *space" on another number of cells between mirrors.

    Modes that the coarser of the two grids does not hold are removed, or zero; exact for fields that have no others.
    """
    ndim = u.ndim - 2
    channels = []
    for part, sign in zip(u.split(1, 1), signs, strict=True):
        for axis, n in enumerate(shape):
            old = part.shape[2 + axis]
            if n != old:
                kept = min(n, old) if sign[axis] > 0 else min(n, old) - 1
                matrix = _waves(n, sign[axis])[:, :kept] @ _forward(old, sign[axis])[:kept]
                part = _along(part, matrix.to(part), axis - ndim)
        channels.append(part)
    return torch.cat(channels, 1)


def _products(a: tuple, b: tuple) -> tuple:
    one, other = (a * len(b) if len(a) == 1 else a), (b * len(a) if len(b) == 1 else b)
    return tuple(
        None if p is None or q is None else tuple(i * j for i, j in zip(p, q, strict=True))
        for p, q in zip(one, other, strict=True)
    )


def _along(u: Tensor, matrix: Tensor, dim: int) -> Tensor:
    """A matrix times the axis ``dim`` (negative) of a tensor; without copies along the last two axes."""
    if dim == -1:
        return u @ matrix.T
    if dim == -2:
        return matrix @ u
    return (u.movedim(dim, -1) @ matrix.T).movedim(-1, dim)


def _wavenumbers(n: int, sign: int) -> Tensor:
    """m of the n modes of a sign: 0 ... n - 1 of cosines, 1 ... n of sines."""
    return torch.arange(n, dtype=torch.float64) + (0 if sign > 0 else 1)


@lru_cache(maxsize=64)
def _waves(n: int, sign: int) -> Tensor:
    """The modes at the centres of the cells, "cell mode"."""
    phase = pi / n * (torch.arange(n, dtype=torch.float64)[:, None] + 0.5) * _wavenumbers(n, sign)
    return torch.cos(phase) if sign > 0 else torch.sin(phase)


@lru_cache(maxsize=64)
def _forward(n: int, sign: int) -> Tensor:
    """The inverse of `_waves`: modes are orthogonal on the cells, with the norm n/2 (n for m = 0 and m = n)."""
    waves, m = _waves(n, sign), _wavenumbers(n, sign)
    norm = torch.where((m == 0) | (m == n), 1.0, 0.5) * n
    return waves.T / norm[:, None]


@lru_cache(maxsize=64)
def _derivative(n: int, sign: int, order: int) -> Tensor:
    """The derivative of an order on length pi, on the modes that a product keeps."""
    m = _wavenumbers(n, sign)
    kept = (m <= -(-2 * n // 3) - 1).to(m)
    amplitudes = _forward(n, sign) * (kept * m**order)[:, None]
    new_sign = sign if order % 2 == 0 else -sign
    turn = (-1.0) ** ((order + (1 if sign > 0 else 0)) // 2)  # cos' = -sin, sin' = cos
    waves = torch.cos if new_sign > 0 else torch.sin
    phase = pi / n * (torch.arange(n, dtype=torch.float64)[:, None] + 0.5) * m
    return turn * waves(phase) @ amplitudes
