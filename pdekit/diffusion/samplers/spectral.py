"""The spectral sampler: exact for Gaussian fields of a known spectrum in a single step, second order otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    ``corrected``: V at the end of a step is that of the predicted state. Once it is known, the step is taken again with
    the quadratic in ln k through it and the two before it, and the next step begins from

        Y + c (Y_again - Y),    c = min(1, 1 / (2 h^2)),

    h the step in ln k. It costs no call (the corrector of UniPC, Zhao et al. 2023, relaxed in long steps, where a full
    correction adds to the error).

    The closed form of DPM-Solver-v3 (Zheng et al. 2023) whose statistics are the spectrum of the data. A spectrum wrong
    by a factor of three in v costs accuracy at few calls, and the rule still converges.

    Args:
        variance: v of each mode, broadcastable to the modes of one sample; raised to 1e-12 of the largest.
        modes: the transform to modes.
        order: 1 or 2.
        corrected: whether each step is corrected by V at its end.
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
    corrected: bool = False

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
        changes: list[Tensor] = []  # V at the levels, the newest first
        begun: Tensor | None = None  # Y at the level before
        for i in range(len(ks) - 1):
            k, finer = ks[i], ks[i + 1]
            state, total = self.modes.forward(y), (v + k**2).to(y)
            rest = self.modes.forward(denoise(y, k)) - v.to(y) / total * state
            changes = [-rest * torch.sqrt(total) / (k * v.sqrt()).to(y), *changes[:2]]
            turned = state / torch.sqrt(total)
            if self.corrected and begun is not None:
                again = begun + increment(v, ks[i - 1], k, ks[i::-1], changes)
                turned = turned + relaxation(log(ks[i - 1] / k)) * (again - turned)
            begun = turned
            known = changes[: self.order if finer else 1]
            turned = turned + increment(v, k, finer, ks[i::-1], known)
            y = self.modes.inverse(turned * torch.sqrt(v + finer**2).to(y))
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


def relaxation(h: float) -> float:
    """Return the share of a correction that is taken after a step h in ln k.

    >>> relaxation(0.5), relaxation(2.0)
    (1.0, 0.125)
    """
    return min(1.0, 0.5 / h**2)


def increment(v: Tensor, k: float, finer: float, levels: Sequence[float], changes: Sequence[Tensor]) -> Tensor:
    """Return the increment of Y from level k to a finer one: V is the polynomial in ln k through given values.

    Args:
        v: variances of the modes.
        k, finer: levels of the step; the finer one may be 0 with one value.
        levels: where V is known, as many as ``changes`` or more.
        changes: V there.
    """
    q = v.sqrt()
    # atan(a) - atan(b) in a form that keeps its digits for small angles: the weights of a constant V
    turned = torch.atan((finer - k) * q / (v + k * finer))
    nodes = [log(level) for level, _ in zip(levels, changes, strict=False)]

    def kernel(s: Tensor) -> Tensor:
        return q[..., None] * torch.exp(s) / (v[..., None] + torch.exp(2 * s))

    others = lagrange_weights(nodes, log(k), log(finer), kernel)[1:] if len(nodes) > 1 else []
    weights = [turned - sum(others), *others]
    return sum(weight.to(change.real) * change for weight, change in zip(weights, changes, strict=True))
