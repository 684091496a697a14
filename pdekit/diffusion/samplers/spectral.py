"""The spectral sampler: exact for Gaussian fields of a known spectrum in a single step, second order otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler
from pdekit.diffusion.samplers.quadrature import lagrange_weights

FINISHES = ("denoise", "flow")
FLOOR = 1e-12  # of the largest variance: the rule divides by the deviation of a mode


@dataclass(frozen=True)
class Modes:
    """A unitary transform to modes whose variances are known.

    Args:
        forward: "batch ..." -> modes of the same shape (real or complex).
        inverse: modes -> "batch ...", real.
    """

    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]


POINTWISE = Modes(lambda y: y, lambda modes: modes)


def fourier_modes(ndim: int) -> Modes:
    """Return the unitary Fourier transform over the last ``ndim`` axes."""
    axes = tuple(range(-ndim, 0))
    return Modes(
        lambda y: torch.fft.fftn(y, dim=axes, norm="ortho"),
        lambda modes: torch.fft.ifftn(modes, dim=axes, norm="ortho").real,
    )


@dataclass(frozen=True)
class Spectral(Sampler):
    """For each mode of variance v = q^2, with Y = y / sqrt(v + k^2) and the angle phi = atan(k / q):

        dY / dphi = V,    V = -(D - v y / (v + k^2)) sqrt(v + k^2) / (k q),

    exactly. V is zero for a Gaussian field of these variances, and changes slowly otherwise. Order 1 takes V as
    constant in a step, order 2 extrapolates it linearly in ln k (the first step is of order 1).

    The closed form of DPM-Solver-v3 (Zheng et al. 2023) whose statistics are the spectrum of the data. A spectrum wrong
    by a factor of three in v costs accuracy at few calls, and the rule still converges.

    Args:
        variance: v of each mode, broadcastable to the modes of one sample; raised to 1e-12 of the largest.
        modes: the transform to modes.
        order: 1 or 2.
        finish: at the last level, "denoise" jumps to D; "flow" takes a step of order 1 to k = 0, so that components of
            variance below k_min^2 come out with the variance of the spectrum instead of none.

    Sampling may begin at a low level, about three times the largest deviation, if y there comes from `start`: above it
    the steps would be exact anyway.

    Limits: the variances are those around a mean of zero. A conditional distribution is sampled around its mean, with
    `denoiser.centred`; with the spectrum of all the data, `Exponential` is more accurate there.
    """

    variance: Tensor
    modes: Modes = POINTWISE
    order: int = 2
    finish: str = "denoise"

    def __post_init__(self):
        if self.order not in (1, 2):
            raise ValueError(f"expected order 1 or 2, got {self.order}; choose one of these")
        if self.finish not in FINISHES:
            raise ValueError(f"expected a finish among {FINISHES}, got {self.finish!r}; choose one of these")
        if not bool((self.variance >= 0).all()) or not float(self.variance.max()) > 0:
            raise ValueError("expected variances >= 0, one of them positive; measure them on the training data")

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        ks, v = checked_levels(levels), self.raised()
        n_levels = len(ks)
        if self.finish == "flow":
            ks.append(0.0)
        before: Tensor | None = None
        for i in range(len(ks) - 1):
            k, finer = ks[i], ks[i + 1]
            state, total = self.modes.forward(y), (v + k**2).to(y)
            rest = self.modes.forward(denoise(y, k)) - v.to(y) / total * state
            change = -rest * torch.sqrt(total) / (k * v.sqrt()).to(y)
            step = self.increment(v, ks, i, change, before)
            y = self.modes.inverse((state / torch.sqrt(total) + step) * torch.sqrt(v + finer**2).to(y))
            before = change
        return y if len(ks) > n_levels else denoise(y, ks[-1])

    def start(self, noise: Tensor, k: float) -> Tensor:
        """Return y at level k from unit normal numbers of its shape: sqrt(v + k^2) e in the modes.

        Limits: where the data are not Gaussian, a k that is not large leaves their higher moments out of the start.
        """
        return self.modes.inverse(torch.sqrt(self.raised() + k**2).to(noise) * self.modes.forward(noise))

    def raised(self) -> Tensor:
        """Return the variances in float64, raised to the floor."""
        v = self.variance.double()
        return v.clamp_min(FLOOR * float(v.max()))

    def increment(self, v: Tensor, ks: list[float], i: int, change: Tensor, before: Tensor | None) -> Tensor:
        """Return the increment of Y from level i to the next, from V there and at the level before."""
        k, finer, q = ks[i], ks[i + 1], v.sqrt()
        # atan(a) - atan(b) in a form that keeps its digits for small angles
        turned = torch.atan((finer - k) * q / (v + k * finer))
        if before is None or self.order == 1 or finer == 0:
            return turned.to(change.real) * change
        nodes = [log(k), log(ks[i - 1])]

        def kernel(s: Tensor) -> Tensor:
            return q[..., None] * torch.exp(s) / (v[..., None] + torch.exp(2 * s))

        share = lagrange_weights(nodes, log(k), log(finer), kernel)[1]
        return (turned - share).to(change.real) * change + share.to(change.real) * before
