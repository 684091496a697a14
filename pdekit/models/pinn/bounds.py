"""Numbers within bounds, as functions of free ones z.

lower + exp(z),   upper - exp(-z),   lower + (upper - lower) / (1 + exp(-z)),   sinh(z) without bounds
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Bounds:
    """The open interval in which an unknown number lies.

    Args:
        lower, upper: its ends; None for no end.

    Raises:
        ValueError: unless lower < upper.
    """

    lower: float | None = 0.0
    upper: float | None = None

    def __post_init__(self):
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise ValueError(f"expected bounds lower < upper, got {self.lower} and {self.upper}; swap them")

    def check(self, name: str, value: float) -> None:
        """Raise ValueError unless a value lies inside."""
        above = self.lower is None or value > self.lower
        below = self.upper is None or value < self.upper
        if not (above and below):
            raise ValueError(
                f"expected a first guess of {name} between {self.lower} and {self.upper}, got {value}; change the "
                f"guess or give model.inverse.bounds.{name}=[LOWEST,HIGHEST] (null for no bound)"
            )

    def value(self, free: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Return the number inside of a free number.

        >>> Bounds(1.0, 3.0).value(torch.tensor(0.0))
        tensor(2.)
        """
        if self.lower is None and self.upper is None:
            return torch.sinh(free)
        if self.upper is None:
            return self.lower + free.exp()
        if self.lower is None:
            return self.upper - (-free).exp()
        return self.lower + (self.upper - self.lower) * torch.sigmoid(free)

    def slope(self, free: Float[Tensor, ""]) -> float:
        """Return the derivative of `value`."""
        z = free.detach().clone().requires_grad_()
        return float(torch.autograd.grad(self.value(z), z)[0])

    def free(self, value: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Return the free number of a number inside; the inverse of `value`."""
        if self.lower is None and self.upper is None:
            return torch.asinh(value)
        if self.upper is None:
            return (value - self.lower).log()
        if self.lower is None:
            return -(self.upper - value).log()
        return ((value - self.lower) / (self.upper - value)).log()
