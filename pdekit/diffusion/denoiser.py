"""Denoisers D(y, k) = E[x | y = x + k e], the one thing that samplers see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pdekit.diffusion.parametrisations import Parametrisation
from pdekit.diffusion.paths import Path

Denoise = Callable[[Tensor, float], Tensor]
"""(y "batch ...", k) -> D "batch ..."; the condition of a conditional model is bound already."""


@dataclass(frozen=True)
class NetDenoiser:
    """A trained net as a denoiser.

    Args:
        net: (z, k) -> output, of one level for the whole batch.
        path: diffusion path of the training; gives z = signal y.
        parametrisation: meaning of the output of the net.
    """

    net: Callable[[Tensor, float], Tensor]
    path: Path
    parametrisation: Parametrisation

    def __call__(self, y: Tensor, k: float) -> Tensor:
        """Return D."""
        z, signal, sigma = self._at(y, k)
        return self.parametrisation.clean(self.net(z, k), z, signal, sigma)

    def noise(self, y: Tensor, k: float) -> Tensor:
        """Return the estimate of e = (y - D) / k, without the loss of digits of that difference."""
        z, signal, sigma = self._at(y, k)
        return self.parametrisation.noise(self.net(z, k), z, signal, sigma)

    def _at(self, y: Tensor, k: float) -> tuple[Tensor, Tensor, Tensor]:
        level = torch.tensor(k, dtype=torch.float64)
        signal, sigma = (part.to(y) for part in (self.path.signal(level), self.path.sigma(level)))
        return signal * y, signal, sigma


def centred(denoise: Denoise, mean: Tensor, scale: float) -> Denoise:
    """Return the denoiser of x = mean + scale u, from a denoiser of u: D_x(y, k) = mean + scale D_u((y - mean) / scale,
    k / scale).

    With the forecast of a deterministic model as the mean and the size of its error as the scale, this is the
    mean-reverting equation of Li et al. (2025, MaRS): it is the variance-preserving path of the residual.
    """

    def denoised(y: Tensor, k: float) -> Tensor:
        return mean + scale * denoise((y - mean) / scale, k / scale)

    return denoised


def checkpointed(denoise: Denoise) -> Denoise:
    """Return a denoiser that stores no activations: a gradient through a sampler computes each call again.

    The gradient is that of the discrete sampler, exactly; memory grows by one state per call instead of all the
    activations of the net. Costs one more forward call for each call.
    """

    def denoised(y: Tensor, k: float) -> Tensor:
        return checkpoint(denoise, y, k, use_reentrant=False)

    return denoised
