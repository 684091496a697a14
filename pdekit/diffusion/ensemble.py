"""The weighted ensemble: posterior samples whose weights are right whatever guides them, the reference for guidance."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.observations import Observation
from pdekit.diffusion.samplers.base import Draws


@dataclass(frozen=True)
class WeightedSamples:
    """Samples with weights.

    Args:
        x: "particle ...".
        weight: "particle", of sum one.
        effective: "level", the effective number of particles before each resampling, 1 / sum of squared weights.
    """

    x: Tensor
    weight: Float[Tensor, "particle"]
    effective: Float[Tensor, "level"]

    def mean(self) -> Tensor:
        """Return the weighted mean."""
        return torch.tensordot(self.weight, self.x, 1)

    def deviation(self) -> Tensor:
        """Return the weighted standard deviation."""
        return torch.tensordot(self.weight, (self.x - self.mean()).square(), 1).sqrt()


def weighted_ensemble(
    denoise: Denoise,
    guided: Denoise,
    observation: Observation,
    y: Tensor,
    levels: Levels,
    noise: Draws,
) -> WeightedSamples:
    """Sample the posterior of one observation by sequential Monte Carlo (twisted diffusion, Wu et al. 2023).

    Particles move by the ancestral kernel around the guided D_y; the prior's own is N(y'; m, u^2) around D, with
    m = D + (k'/k)^2 (y - D), u^2 = k'^2 (1 - (k'/k)^2). The twist psi(y, k) = N(values; A D, s^2 + k^2 / (1 + k^2))
    becomes the likelihood at the end, and each step multiplies a weight by

        p(y' | y) psi(y', k') / (q(y' | y) psi(y, k)).

    The weighted samples tend to the posterior of the discrete sampler as particles are added, for every guide. The
    Feynman-Kac correctors of Skreta et al. (2025) are the limit of short steps. Particles are resampled
    (systematically) when fewer than half of them are effective.

    Limits: the weights collapse where the guide is far from the posterior and observations are many: read
    ``effective``. The discrete prior is that of the ancestral sampler: take enough levels.

    Args:
        denoise: D of the prior.
        guided: D_y, for instance of `pdekit.diffusion.posterior.MMPS`; with D itself this is importance sampling.
        observation: of one sample; its values broadcast over the particles.
        y: "particle ...", k_0 times unit noise.
        levels: k_0 > k_1 > ...
        noise: draws of y's shape; one more, its first number uniform after the normal distribution, for resampling.
    """
    ks = checked_levels(levels)
    clean = denoise(y, ks[0])
    twist = _log_twist(clean, observation, ks[0])
    log_weight = twist.clone()
    effective = []
    for i, (k, finer) in enumerate(pairwise(ks)):
        share, spread = (finer / k) ** 2, finer * (1 - (finer / k) ** 2) ** 0.5
        weight = torch.softmax(log_weight, 0)
        effective.append(1 / weight.square().sum())
        if float(effective[-1]) < len(y) / 2:
            kept = _systematic(weight, noise(2 * i + 1))
            y, clean, twist, log_weight = y[kept], clean[kept], twist[kept], torch.zeros_like(log_weight)
        prior = clean + share * (y - clean)
        wanted = guided(y, k)
        e = noise(2 * i)
        y = wanted + share * (y - wanted) + spread * e
        step = 0.5 * (e.square() - ((y - prior) / spread).square()).flatten(1).sum(1)
        clean = denoise(y, finer)
        before, twist = twist, _log_twist(clean, observation, finer if i < len(ks) - 2 else 0.0)
        log_weight = log_weight + step + twist - before
    weight = torch.softmax(log_weight, 0)
    effective.append(1 / weight.square().sum())
    return WeightedSamples(clean, weight, torch.stack(effective))


def _log_twist(clean: Tensor, observation: Observation, k: float) -> Tensor:
    """Return ln N(values; A D, s^2 + k^2 / (1 + k^2)) of each particle; unobserved entries of a mask cancel."""
    residual = observation.residual(clean)
    variance = (observation.variance.to(clean) + k**2 / (1 + k**2)).expand_as(residual)
    return -0.5 * (residual.square() / variance + variance.log()).flatten(1).sum(1)


def _systematic(weight: Tensor, noise: Tensor) -> Tensor:
    """Return the indices of systematic resampling; the offset is the normal distribution's value of one draw."""
    offset = torch.special.ndtr(noise.flatten()[0].double())
    places = (torch.arange(len(weight), device=weight.device) + offset) / len(weight)
    return torch.searchsorted(torch.cumsum(weight.double(), 0), places).clamp_max(len(weight) - 1)
