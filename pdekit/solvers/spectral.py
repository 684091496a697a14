"""What all periodic spectral schemes share: the linear part as an operator on modes, the rest as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus import Fourier, symbol
from pdekit.fields import Grid
from pdekit.pdes.base import SemilinearPDE


@dataclass(frozen=True)
class SpectralForm:
    """u_hat_t = linear u_hat + nonlinear(u_hat), on the modes that the nonlinearity keeps.

    Args:
        fourier: the calculus of the state.
        linear: "batch row column *modes", complex128; batch is 1 unless parameters vary.
        nonlinear: spectrum -> spectrum, forcing included, not masked; None for a linear equation.
        mask: 1 on the modes to keep.
    """

    fourier: Fourier
    linear: Tensor
    nonlinear: Callable[[Tensor], Tensor] | None
    mask: Tensor

    @property
    def coupled(self) -> bool:
        """Whether channels couple in the linear part."""
        off = self.linear.clone()
        torch.diagonal(off, dim1=1, dim2=2).zero_()
        return bool(off.abs().max() > 0) if off.numel() else False

    def encode(self, u: Tensor) -> Tensor:
        return self.fourier.forward(u.to(self.fourier.dtype)) * self.mask.to(self.fourier.dtype)

    def decode(self, u_hat: Tensor) -> Tensor:
        return self.fourier.inverse(u_hat)


def spectral_form(
    pde: SemilinearPDE, grid: Grid, dtype: torch.dtype = torch.float64, device: Any = None
) -> SpectralForm:
    """Read an equation on a periodic grid.

    Raises:
        ValueError: if the equation does not exist in the grid's dimension, or the grid is not periodic.
    """
    if grid.ndim not in pde.dims:
        raise ValueError(
            f"expected a grid of {' or '.join(map(str, pde.dims))} dimensions for {type(pde).__name__}, got shape "
            f"{grid.shape}; choose another equation or grid"
        )
    fourier = Fourier(grid, dtype, device, degree=pde.degree)
    exact = Fourier(grid, torch.float64, device, degree=pde.degree)
    linear = symbol(pde.linear, exact, len(pde.fields))
    source = _source(pde, fourier)
    nonlinear = None
    if pde.degree > 1:

        def nonlinear(u_hat: Tensor) -> Tensor:
            value = pde.nonlinear(fourier.from_spectrum(u_hat), fourier).spectrum
            return value if source is None else value + source

    elif source is not None:

        def nonlinear(u_hat: Tensor) -> Tensor:
            return source.expand_as(u_hat)

    return SpectralForm(fourier, linear, nonlinear, fourier.mask)


def _source(pde: SemilinearPDE, fourier: Fourier) -> Tensor | None:
    source = pde.source(fourier)
    if source is None:
        return None
    shape = torch.broadcast_shapes(source.shape, (1, len(pde.fields), *fourier.grid.shape))
    return fourier.forward(source.to(fourier.dtype).expand(shape))
