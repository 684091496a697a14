"""The Fourier symbol of a linear operator: L(exp(i k.x)) = symbol(k) exp(i k.x)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from jaxtyping import Complex
from torch import Tensor

from pdekit.calculus.base import Calculus
from pdekit.calculus.fourier import Fourier, FourierField


class Symbol(Calculus):
    """Reads a linear operator with constant coefficients mode by mode; anything else is refused.

    A field is the vector of the amplitudes of one mode exp(i k.x), for all k at once.

    Args:
        fourier: says which modes.
    """

    def __init__(self, fourier: Fourier):
        self.fourier, self.ndim = fourier, fourier.ndim

    def unit(self, channel: int, n_channels: int) -> FourierField:
        """Every mode with amplitude 1 in one channel."""
        shape = (1, n_channels, *self.fourier.spectrum_shape)
        amplitudes = torch.zeros(shape, dtype=torch.complex128, device=self.fourier.device)
        amplitudes[:, channel] = 1
        return self.fourier.from_spectrum(amplitudes)

    def partial(self, u: FourierField, orders: tuple[int, ...]) -> FourierField:
        return self.fourier.partial(u, orders)

    def components(self, u: FourierField) -> tuple[FourierField, ...]:
        return self.fourier.components(u)

    def stack(self, *fields: FourierField) -> FourierField:
        return self.fourier.stack(*fields)

    def poisson(self, name: str, rhs: FourierField) -> FourierField:
        return self.fourier.poisson(name, rhs)

    def t(self, u: FourierField) -> NoReturn:
        raise ValueError("expected a linear operator in space, got a time derivative; write u_t = linear + nonlinear")

    @property
    def coordinates(self) -> NoReturn:
        raise ValueError("expected constant coefficients in linear(), got coordinates; move that term to nonlinear()")

    @property
    def time(self) -> NoReturn:
        raise ValueError("expected constant coefficients in linear(), got the time; move that term to nonlinear()")


def symbol(
    linear: Callable[[FourierField, Calculus], Any], fourier: Fourier, n_channels: int
) -> Complex[Tensor, "batch row column *modes"]:
    """The matrix of a linear operator for each mode, complex128.

    Args:
        linear: maps a field of n_channels channels to one of as many, linearly, with constant coefficients.
        fourier: a float64 calculus that says which modes.

    Returns:
        L with u_hat_t[row] = sum over column of L[row, column] u_hat[column]; batch is 1 unless parameters or
        box lengths vary over it.

    Raises:
        ValueError: if an operator depends on the coordinates or the time, or does not act on each mode alone.
    """
    d = Symbol(fourier)
    columns = [linear(d.unit(c, n_channels), d).spectrum for c in range(n_channels)]
    squares = sum((m**2 for m in fourier.modes), start=torch.zeros((), dtype=torch.float64, device=fourier.device))
    weights = 1 + 1 / (1 + squares)  # a linear operator with constant coefficients commutes with these
    for c, column in enumerate(columns):
        again = linear(fourier.from_spectrum(d.unit(c, n_channels).spectrum * weights), d).spectrum
        if not torch.allclose(again, column * weights, rtol=1e-6, atol=1e-8 * float(column.detach().abs().max())):
            raise ValueError(
                f"expected linear() to multiply each Fourier mode by a number, got products, constants or coefficients "
                f"that vary in space (in channel {c}); move them to nonlinear() or source()"
            )
    full = torch.broadcast_shapes(*(c.shape for c in columns))
    return torch.stack([c.expand(full) for c in columns], dim=2)
