"""Guidance: a denoiser is replaced by another, D_y, and every sampler works unchanged."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.diffusion.denoiser import Denoise

Update = Callable[[Tensor, Tensor, float], Tensor]
"""(D, y, k) -> D_y, both "batch ..."."""


def guided(denoise: Denoise, update: Update, until: float = 0.0) -> Denoise:
    """Return the denoiser D_y = update(D, y, k).

    Args:
        denoise: D.
        update: term that observations, an equation or an objective add.
        until: guidance is off at levels below this one.
    """

    def denoised(y: Tensor, k: float) -> Tensor:
        clean = denoise(y, k)
        return update(clean, y, k) if k >= until else clean

    return denoised


def descent(objective: Callable[[Tensor], Tensor], strength: float) -> Update:
    """Return the update for p(x) exp(-strength J(x)), to first order in J and for data of variance one:

        D_y = D - strength k^2 / (1 + k^2) dJ/dx at D.

    Exact for independent Gaussian components of variance one and a linear J. There is no gradient through the net.

    Args:
        objective: J, "batch ..." -> "batch"; a misfit, or the squared residual of an equation.
        strength: weight of J, whose scale is that of a negative log-likelihood.
    """

    def update(clean: Tensor, y: Tensor, k: float) -> Tensor:
        with torch.enable_grad():
            x = clean.detach().requires_grad_()
            (slope,) = torch.autograd.grad(objective(x).sum(), x)
        return clean - strength * k**2 / (1 + k**2) * slope

    return update


def classifier_free(conditional: Denoise, unconditional: Denoise, weight: float, until: float = 0.0) -> Denoise:
    """Return D_u + weight (D_c - D_u) (Ho and Salimans 2022).

    Args:
        conditional: D_c.
        unconditional: D_u.
        weight: 1 is D_c; more sharpens.
        until: below this level D_c alone is called, which halves the cost there.
    """

    def denoised(y: Tensor, k: float) -> Tensor:
        clean = conditional(y, k)
        if weight == 1 or k < until:
            return clean
        free = unconditional(y, k)
        return free + weight * (clean - free)

    return denoised
