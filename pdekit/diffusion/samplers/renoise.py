"""Noise and denoise in turn, with a fresh draw at each level: PDE-Refiner's loop."""

from __future__ import annotations

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels
from pdekit.diffusion.samplers.base import Draws


def renoise(denoise: Denoise, clean: Tensor, levels: Levels, noise: Draws) -> Tensor:
    """Return x after x <- D(x + k e, k) for each level k, in the order given.

    With one level again and again this is a Markov chain on the learnt distribution, whose autocorrelation is
    v / (v + k^2) a move for a Gaussian mode of variance v. With falling levels it removes ever smaller
    errors of a first estimate (Lippe et al. 2023).

    Args:
        denoise: D(y, k).
        clean: the first estimate.
        levels: finite and positive; none returns the estimate itself.
        noise: its i-th draw is for the i-th level.
    """
    for i, k in enumerate(float(level) for level in levels):
        clean = denoise(clean + k * noise(i), k)
    return clean
