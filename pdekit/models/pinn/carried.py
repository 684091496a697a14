"""u(x, t) = sum_k exp((t - t_0) (L(k) - a)) u_0(k) exp(i k.x): a start, carried by the linear part of its equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus import Fourier, symbol
from pdekit.calculus.faa_di_bruno import MultiIndex
from pdekit.calculus.jets import Jet
from pdekit.fields import Grid
from pdekit.pdes.base import PDE, SemilinearPDE
from pdekit.pdes.initial_states import sampled

RESOLVED = 1e-10  # share of the largest mode at which those of the upper half may be left out
MOST_POINTS = 4096  # of the series: a kink is never resolved to that share
DROPPED = 1e-14  # share of the largest term below which one is left out
LARGEST_BLOCK = 1 << 18  # points x terms at once: 4 MB
INDEPENDENT = 1e-8  # size of what makes an eigenvector another one


class Carried:
    """The solution of u_t = L u - a u that starts from a state, at scattered points and with its derivatives.

    The state is expanded in a Fourier series on a grid that is refined until it is resolved, or has 4096 points in
    all. Where channels couple, L(k) is a matrix, and its eigenvectors take the part of the channels. Points are taken
    in the order of time: a mode is left out where it has decayed to rounding, which are most of a diffusing kink's.

    Args:
        state: u_0, the state at `start`, as a function.
        pde: whose linear part carries it.
        grid: the box, periodic.
        start: t_0.
        rate: a, a further decay in 1/time.

    Raises:
        ValueError: for an equation without a linear part of constant coefficients, a box with walls, or a start
            with a mode that is no sum of eigenvectors of L(k).

    Limits: the series of a state with a kink is its interpolant: for x^2 cos(pi x) on [-1, 1] it is off by 1e-4 of the
    largest value next to the kink, by 3e-6 in the mean square, and at the start only.
    """

    def __init__(
        self,
        state: Callable[[Sequence[Any]], tuple[Any, ...]],
        pde: PDE,
        grid: Grid,
        start: float,
        rate: float = 0.0,
    ):
        if not isinstance(pde, SemilinearPDE) or not grid.periodic:
            found = type(pde).__name__ if grid.periodic else f"a box with layout {grid.layout}"
            raise ValueError(
                f"expected an equation with a linear part on a periodic box for initial=carried, found {found}; "
                "use initial=hard"
            )
        grid = resolving(state, grid)
        fourier, n = Fourier(grid), torch.Size(grid.shape).numel()
        spectrum = fourier.forward(sampled(state, grid)) * (_multiplicity(fourier) / n)
        held = spectrum.abs().amax(0) > DROPPED * spectrum.abs().max()
        k = torch.stack([k.expand(held.shape)[held] for k in fourier.wavenumbers], 1)
        matrices = symbol(pde.linear, fourier, len(spectrum)).expand(1, -1, -1, *held.shape)[0, :, :, held]
        rates, amplitudes = _terms(matrices.movedim(-1, 0), spectrum[:, held].mT)
        self.k = k.repeat_interleave(len(spectrum), 0)  # "term axis"
        self.rates = rates - rate  # "term"
        self.amplitudes = amplitudes  # "term channel"
        self.origin = torch.tensor([float(o) for o in grid.origin] + [float(start)], dtype=torch.float64)

    def __call__(self, points: Any) -> Any:
        """The state at "point coordinate", a tensor or the jet of points; as it, "point channel"."""
        if isinstance(points, Jet):
            parts = self.derivatives(points.values[0], points.wanted).to(points.dtype)
            return Jet(parts, points.wanted, points.wanted)
        zero = (0,) * points.shape[1]
        return self.derivatives(points, (zero,))[0].to(points.dtype)

    def derivatives(
        self, points: Float[Tensor, "point coordinate"], wanted: Sequence[MultiIndex]
    ) -> Float[Tensor, "derivative point channel"]:
        """D^a of the state, in float64.

        Args:
            points: time last; differentiable with respect to them.
            wanted: multi-indices a, time last.
        """
        k, rates, amplitudes = (part.to(points.device) for part in (self.k, self.rates, self.amplitudes))
        by = torch.cat((1j * k, rates[:, None]), 1)  # what a derivative along each coordinate multiplies by
        factors = [torch.stack([by[:, i] ** m for i, m in enumerate(index)]).prod(0) for index in wanted]
        table = torch.cat([factor[:, None] * amplitudes for factor in factors], 1)  # "term derivative*channel"
        shifted = points.double() - self.origin.to(points.device)
        order = shifted[:, -1].detach().argsort()
        shifted = shifted[order]
        t = shifted[:, -1].detach()
        sizes = table.abs().amax(1)
        growth = torch.exp(rates.real.clamp_min(0) * t[-1])
        parts, first = [], 0
        while first < len(t):
            kept = sizes * growth * torch.exp(rates.real.clamp_max(0) * t[first]) > DROPPED * sizes.max()
            block = shifted[first : first + max(1, LARGEST_BLOCK // max(1, int(kept.sum())))]
            phase = block[:, :-1] @ k[kept].T + block[:, -1:] * rates.imag[kept]
            terms = torch.complex(block[:, -1:] * rates.real[kept], phase).exp()
            parts.append((terms @ table[kept]).real)
            first += len(block)
        values = torch.cat(parts)[order.argsort()]
        return values.unflatten(1, (len(wanted), -1)).movedim(1, 0)


def resolving(state: Callable[[Sequence[Any]], tuple[Any, ...]], grid: Grid) -> Grid:
    """The grid, refined until the upper half of the modes of a state is rounding or it has 4096 points in all."""
    while True:
        finer = grid.resized(tuple(2 * n for n in grid.shape))
        if torch.Size(finer.shape).numel() > MOST_POINTS:
            return grid
        fourier = Fourier(grid)
        spectrum = fourier.forward(sampled(state, grid)).abs()
        upper = torch.zeros(fourier.spectrum_shape, dtype=torch.bool)
        for m, n in zip(fourier.modes, grid.shape, strict=True):
            upper = upper | (m.abs() > n // 4)
        if not (spectrum * upper).max() > RESOLVED * spectrum.max():
            return grid
        grid = finer


def _multiplicity(fourier: Fourier) -> Tensor:
    """Count each mode of the half spectrum in the whole one; 0 for those at Nyquist, which are not carried."""
    counts = torch.where(fourier.modes[-1] == 0, 1.0, 2.0).to(torch.float64).expand(fourier.spectrum_shape).clone()
    for m, n in zip(fourier.modes, fourier.grid.shape, strict=True):
        counts = counts * (2 * m.abs() != n)
    return counts


def _terms(matrices: Tensor, modes: Tensor) -> tuple[Tensor, Tensor]:
    """Rates "term" and amplitudes "term channel" of exp(t L) u, of "mode row column" and "mode channel"."""
    if matrices.shape[-1] == 1:
        return matrices[:, 0, 0], modes
    rates, vectors = torch.linalg.eig(matrices)
    shares = torch.linalg.pinv(vectors, rtol=INDEPENDENT) @ modes.unsqueeze(-1)  # "mode eigenvector 1"
    if (vectors @ shares - modes.unsqueeze(-1)).abs().max() > INDEPENDENT * modes.abs().max():
        raise ValueError(
            "expected a start made of eigenvectors of the linear part, found a mode that is not (a mean velocity "
            "that moves the mean of a displacement, say); use initial=hard"
        )
    return rates.reshape(-1), (vectors.mT * shares).flatten(0, 1)
