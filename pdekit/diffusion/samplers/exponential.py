"""Exponential multistep integrators of dy/dk = (y - D) / k: DPM-Solver++ (on D) and DPM-Solver (on the noise)."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler
from pdekit.diffusion.samplers.quadrature import lagrange_weights

FORMS = ("clean", "noise", "level")


@dataclass(frozen=True)
class Exponential(Sampler):
    """A polynomial through the last ``order`` outputs is integrated exactly, with s = ln k.

    ``clean``  y' = (k'/k) y - k' int D(s) exp(-s) ds, D a polynomial in s    (DPM-Solver++, Lu et al. 2022b)
    ``noise``  y' = y + int e(s) exp(s) ds, e = (y - D)/k a polynomial in s   (DPM-Solver, Lu et al. 2022a)
    ``level``  y' = y + int e(k) dk, e a polynomial in k                      (DEIS, Zhang and Chen 2023, rho form)

    Difference from the papers: the polynomials are integrated exactly on any grid of levels. The first steps have
    a lower order: order 3 is reached where they are short, as on a grid that is even in k. Limits: order 3 of ``clean``
    overshoots with fewer than ten wide steps.

    Args:
        form: "clean", "noise" or "level".
        order: 1 to 3.
    """

    configurable = True

    form: str = "clean"
    order: int = 2

    def __post_init__(self):
        if self.form not in FORMS or self.order not in (1, 2, 3):
            raise ValueError(
                f"expected a form among {FORMS} and an order 1 to 3, got {self.form!r}, {self.order}; correct them"
            )

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        ks = checked_levels(levels)
        outputs: list[Tensor] = []
        for i in range(len(ks) - 1):
            clean = denoise(y, ks[i])
            outputs.insert(0, clean if self.form == "clean" else (y - clean) / ks[i])
            del outputs[self.order :]
            factor, weights = self.weights(ks, i, len(outputs))
            y = factor * y + sum(weight * output for weight, output in zip(weights, outputs, strict=True))
        return denoise(y, ks[-1])

    def weights(self, ks: list[float], i: int, n_outputs: int) -> tuple[float, list[float]]:
        """Return (factor of y, weight of each output, newest first) of the step from level i."""
        k, finer = ks[i], ks[i + 1]
        nodes = [ks[i - j] for j in range(n_outputs)]
        if self.form == "level":
            return 1.0, [float(c) for c in lagrange_weights(nodes, k, finer, torch.ones_like)]
        sign = -1.0 if self.form == "clean" else 1.0
        # in s = ln(k'' / k), so that the kernel is of order one
        integrals = lagrange_weights(
            [log(node / k) for node in nodes], 0.0, log(finer / k), lambda s: torch.exp(sign * s)
        )
        if self.form == "clean":
            return finer / k, [-finer / k * float(c) for c in integrals]
        return 1.0, [k * float(c) for c in integrals]
