"""Weights that keep the terms of a loss, or its points, comparable."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

BALANCING = ("none", "gradient_norm", "residual")
MEMORY = 0.9  # of the running average of the weights of terms
DECAY, RATE = 0.999, 0.01  # of the weights of points


def gradient_norm_weights(
    losses: Sequence[Float[Tensor, ""]], parameters: Sequence[Tensor], old: Float[Tensor, "term"]
) -> Float[Tensor, "term"]:
    """w_i = (sum over j of |g_j|) / |g_i| for the gradients g_i of the terms, averaged with the old weights.

    Every weighted term then has a gradient of the same length.

    Args:
        losses: one for each term, without weights.
        parameters: with respect to which.
        old: weights so far; 90 % of them is kept.

    Source: Wang, Sankaran, Wang and Perdikaris (2023), equations 4.1 and 4.2.
    """
    norms = []
    for loss in losses:
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        norms.append(torch.sqrt(sum(g.square().sum() for g in gradients if g is not None)))
    norms = torch.stack(norms).detach()
    weights = norms.sum() / norms.clamp_min(torch.finfo(norms.dtype).eps * norms.sum())
    return MEMORY * old + (1 - MEMORY) * weights.to(old)


def residual_weights(squares: Float[Tensor, "point"], old: Float[Tensor, "point"]) -> Float[Tensor, "point"]:
    """w <- 0.999 w + 0.01 |r| / max |r|: points whose residual stays large count more.

    The weights lie between 0 and 10. Points must stay the same; new points start with weight 1.

    Source: Anagnostopoulos et al. (2024), residual-based attention, equation 6.
    """
    size = squares.detach().sqrt()
    return DECAY * old + RATE * (size / size.max().clamp_min(torch.finfo(size.dtype).tiny)).to(old)
