"""Spectral form of an equation on a periodic grid: the linear part as an operator on modes, the rest as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from pdekit.calculus import Fourier, symbol
from pdekit.calculus.base import per_sample
from pdekit.fields import Grid
from pdekit.pdes.base import SemilinearPDE
from pdekit.solvers.step import rounded

Apply = Callable[[Tensor], Tensor]


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
    nonlinear: Apply | None
    mask: Tensor

    @cached_property
    def coupled(self) -> bool:
        """True if channels couple in the linear part."""
        off = self.linear.clone()
        torch.diagonal(off, dim1=1, dim2=2).zero_()
        return bool(off.abs().max() > 0) if off.numel() else False

    @cached_property
    def grows(self) -> bool:
        """True if the linear part lets some mode grow."""
        if not self.coupled:
            return bool(diagonal(self, self.linear).real.max() > 0)
        values = torch.linalg.eigvals(self.linear.movedim((1, 2), (-2, -1)))
        return bool(values.real.max() > 1e-6 * values.abs().max())

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
    pde = rounded(pde, dtype, device)  # the linear part is rounded as a whole, by `mode_operator`
    source = _source(pde, fourier)
    nonlinear = None
    if pde.degree > 1:

        def nonlinear(u_hat: Tensor) -> Tensor:
            value = pde.nonlinear(fourier.from_spectrum(u_hat), fourier)
            return (value if source is None else value + fourier.from_spectrum(source)).spectrum

    elif source is not None:

        def nonlinear(u_hat: Tensor) -> Tensor:
            return source.expand_as(u_hat)

    return SpectralForm(fourier, linear, nonlinear, fourier.mask)


def keep_real(form: SpectralForm, advance: Apply) -> Apply:
    """The step, followed by a projection onto spectra of real fields where the linear part lets something grow.

    In 2-D and 3-D the spectrum of a real field holds modes of the last axis' column 0 twice, as u_hat(k) and
    u_hat(-k) = conj u_hat(k). Rounding makes them differ; the samples do not show the difference, so that the
    nonlinear part never damps it and it grows like exp(dt L): with Allen-Cahn's rate of 5 it reaches 1e15 at t = 14
    and takes the digits of the solution with it.
    """
    if form.fourier.ndim < 2 or not form.grows:
        return advance
    space = tuple(range(2, 1 + form.fourier.ndim))

    def advance_real(u_hat: Tensor) -> Tensor:
        u_hat = advance(u_hat)
        plane = u_hat[..., 0]
        mirrored = torch.roll(torch.flip(plane, space), (1,) * len(space), space).conj()
        return torch.cat((((plane + mirrored) / 2).unsqueeze(-1), u_hat[..., 1:]), dim=-1)

    return advance_real


def _source(pde: SemilinearPDE, fourier: Fourier) -> Tensor | None:
    source = pde.source(fourier)
    if source is None:
        return None
    shape = torch.broadcast_shapes(source.shape, (1, len(pde.fields), *fourier.grid.shape))
    return fourier.forward(source.to(fourier.dtype).expand(shape))


@dataclass(frozen=True)
class ModeOperator:
    """A linear operator on spectra, mode by mode; zero on the modes that are not kept.

    Args:
        values: "batch channel *modes", or "batch row column *modes" where channels couple; contiguous.
        coupled: True for coupled channels.
    """

    values: Tensor
    coupled: bool

    def __call__(self, u_hat: Tensor, plus: Tensor | None = None, sign: int = 1) -> Tensor:
        """plus + sign operator(u_hat), in one pass over memory where channels do not couple."""
        if self.coupled:
            product = (self.values * u_hat.unsqueeze(1)).sum(dim=2)
            return product if plus is None else torch.add(plus, product, alpha=sign)
        if plus is None:
            return u_hat * self.values
        return torch.addcmul(plus, u_hat, self.values, value=sign)


def mode_operator(form: SpectralForm, values: Tensor, times: Any = 1.0) -> ModeOperator:
    """An operator in the precision of the state from values in complex128.

    Args:
        values: "batch channel *modes", or "batch row column *modes" where channels couple.
        times: a number or "batch 1 *1" (the step).
    """
    scaled = values * (form.mask * per_sample(times, values.ndim))
    return ModeOperator(scaled.to(form.fourier.complex_dtype).contiguous(), form.coupled)


def diagonal(form: SpectralForm, matrices: Tensor) -> Tensor:
    """Values for `mode_operator`: matrices "batch row column *modes", or their diagonal if nothing couples."""
    return matrices if form.coupled else torch.diagonal(matrices, dim1=1, dim2=2).movedim(-1, 1)


def step_size(dt: Any, device: Any, dtype: torch.dtype = torch.float64) -> Any:
    """The step as a number, or as a tensor "batch 1 *1" on the device.

    Raises:
        ValueError: if it is not positive and finite.
    """
    steps = torch.as_tensor(dt, dtype=torch.float64, device=device)
    if not bool(((steps > 0) & steps.isfinite()).all()):
        raise ValueError(f"expected a positive, finite step, got dt = {dt}; give the time between two states")
    return steps.to(dtype) if steps.ndim else dt
