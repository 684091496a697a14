"""Functions of one variable with all their derivatives: what Taylor mode composes with.

Each is described by a `basis` evaluated once, from which every derivative follows by multiplications.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import pi, sqrt

import torch
from torch import Tensor

Basis = tuple[Tensor, ...]


class Pointwise(ABC):
    """A smooth function f of one variable."""

    @abstractmethod
    def basis(self, z: Tensor) -> Basis:
        """The transcendental part of f and its derivatives at z."""

    @abstractmethod
    def derivatives(self, basis: Basis, n: int) -> list[Tensor]:
        """f, f', ..., the n-th derivative; n at most 5."""


class Tanh(Pointwise):
    """f' = 1 - f^2, so that the n-th derivative is f' times a polynomial in f."""

    def basis(self, z: Tensor) -> Basis:
        return (torch.tanh(z),)

    def derivatives(self, basis: Basis, n: int) -> list[Tensor]:
        (y,) = basis
        square = y * y
        first = 1 - square
        found = [y, first]
        if n >= 2:
            found.append(-2 * y * first)
        if n >= 3:
            found.append((6 * square - 2) * first)
        if n >= 4:
            found.append((16 - 24 * square) * y * first)
        if n >= 5:
            found.append((16 + square * (120 * square - 120)) * first)
        return found[: n + 1]


class Sin(Pointwise):
    """sin, cos, -sin, -cos, ..., started `shift` places on: shift 1 is the cosine."""

    def __init__(self, shift: int = 0):
        self.shift = shift

    def basis(self, z: Tensor) -> Basis:
        return torch.sin(z), torch.cos(z)

    def derivatives(self, basis: Basis, n: int) -> list[Tensor]:
        s, c = basis
        cycle = (s, c, -s, -c)
        return [cycle[(k + self.shift) % 4] for k in range(n + 1)]


class Exp(Pointwise):
    """All derivatives are equal."""

    def basis(self, z: Tensor) -> Basis:
        return (torch.exp(z),)

    def derivatives(self, basis: Basis, n: int) -> list[Tensor]:
        return [basis[0]] * (n + 1)


class Gelu(Pointwise):
    """f = z P(z) with the normal distribution P and its density p: f^(n) = n P^(n-1) + z P^(n)."""

    def basis(self, z: Tensor) -> Basis:
        return z, 0.5 * (1 + torch.erf(z / sqrt(2))), torch.exp(-0.5 * z * z) / sqrt(2 * pi)

    def derivatives(self, basis: Basis, n: int) -> list[Tensor]:
        z, distribution, density = basis
        # p^(k) = (-1)^k He_k(z) p with the Hermite polynomials He_(k+1) = z He_k - k He_(k-1)
        hermite = [torch.ones_like(z), z]
        for k in range(1, n):
            hermite.append(z * hermite[k] - k * hermite[k - 1])
        of_distribution = [distribution] + [(-1) ** k * hermite[k] * density for k in range(n)]
        found = [z * distribution]
        for k in range(1, n + 1):
            found.append(k * of_distribution[k - 1] + z * of_distribution[k])
        return found


class Power(Pointwise):
    """z^p; p may be any number where z is positive."""

    def __init__(self, exponent: float):
        self.exponent = exponent

    def basis(self, z: Tensor) -> Basis:
        return (z,)

    def derivatives(self, basis: Basis, n: int) -> list[Tensor]:
        (z,) = basis
        found, coefficient = [], 1.0
        for k in range(n + 1):
            found.append(coefficient * z ** (self.exponent - k) if coefficient else torch.zeros_like(z))
            coefficient *= self.exponent - k
        return found
