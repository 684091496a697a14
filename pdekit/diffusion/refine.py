"""Pull a given field towards a diffusion prior, without sampling (Kollovieh et al. 2023, TSDiff, "refine")."""

from __future__ import annotations

import torch
from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.samplers.base import Draws


def refine(
    denoise: Denoise,
    base: Tensor,
    k: float,
    weight: float,
    draws: Draws,
    free: Tensor | float = 1.0,
    steps: int = 20,
) -> Tensor:
    """Descend from u = base on the energy of the noise prediction plus the distance to base,

        E(u) = mean over e of ‖u - D(u + k e, k)‖² + weight ‖u - base‖²,

    which is k^2 times ‖(y - D) / k - e‖² for y = u + k e. The noise is new in each step and comes in pairs e, -e, so
    that for Gaussian data the gradient has no noise. A mode of variance v of a Gaussian ends at

        u = base / (1 + (k^2 / (v + k^2))^2 / weight):

    scales well above the level are left alone, scales below it shrink by at most 1 / (1 + 1 / weight). The step is
    1 / (1 + weight), which is stable for every Gaussian; each step leaves at most the share 1 / (1 + weight) of the
    distance to the end.

    Differences from the paper: pairs of noise, a step that follows from the curvature, and no pinball loss.

    Limits: it is a point, and not a sample of the posterior. Two calls and two gradients of the net in each step.

    Args:
        denoise: D of the prior.
        base: the field, in the units of the prior.
        k: level; errors of the base of about that size are corrected.
        weight: of the distance to the base.
        draws: unit normal noise of the shape of base, by number of the step.
        free: 1 where the field may change, 0 where it is known; broadcastable to base.
        steps: of the descent.
    """
    u = base
    for i in range(steps):
        noise = draws(i)
        pull = weight * (u - base)
        for e in (noise, -noise):
            with torch.enable_grad():
                state = u.detach().requires_grad_()
                clean = denoise(state + k * e, k)
                gap = (state - clean).detach()
                (back,) = torch.autograd.grad(clean, state, gap)
            pull = pull + 0.5 * (gap - back)
        u = u - free * pull / (1 + weight)
    return u
