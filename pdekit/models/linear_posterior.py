"""Best linear denoiser of training samples of which some values are known: kriging at every level of noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NOTHING = 1e12  # variance of a number of which there is no observation
KNOWN_ERROR = 0.01  # of known values, in units of the deviation of a channel


@dataclass(frozen=True)
class KnownValues:
    """Known values of samples, "batch channel *space", and their mask, 1 where a value is known.

    ``measured`` is 1 where y is an observation; None for everywhere.
    """

    values: Tensor
    mask: Tensor
    measured: Tensor | None = None


@dataclass(frozen=True)
class GaussianModel:
    """Gaussian of mean m and covariance C = sum_i max(v_i - r_i, 0) e_i e_i^T + diag(r), r_i = sum_j r_j e_ij^2.

    This is sum_i v_i e_i e_i^T + r (1 - sum_i e_i e_i^T) if r is the same for all channels and below each v_i.

    Args:
        mean: m, "number", of the numbers of a sample.
        modes: directions e_i, "mode number", orthonormal.
        variance: v_i, "mode".
        rest: r, "number".
    """

    mean: Tensor
    modes: Tensor
    variance: Tensor
    rest: Tensor

    def denoised(
        self, y: Float[Tensor, "batch number"], k: Float[Tensor, "batch"], known: KnownValues
    ) -> Float[Tensor, "batch number"]:
        """Return E[x | y, known values], in float64, with y = x + k e and known values of error s = `KNOWN_ERROR`.

        Both observations are one, z, of variance n = 1 / (1 / k^2 + mask / s^2) at each number (without 1 / k^2 where y
        is not measured), and

            E = m + C (C + diag(n))^-1 (z - m),

        by Woodbury's identity: a system of as many unknowns as there are modes for each sample. With strong noise it is
        kriging of the known values; without known values it is the best linear denoiser.
        """
        mask, values = known.mask.double(), known.values.double()
        there = torch.ones_like(mask) if known.measured is None else known.measured.double()
        of_y, of_known = there / k.double().square()[:, None], mask / KNOWN_ERROR**2
        noise = 1 / (of_y + of_known).clamp_min(1 / NOTHING)
        centred = noise * (of_y * y.double() + of_known * values) - self.mean
        factor = self.modes * (self.variance - self.modes.square() @ self.rest).clamp_min(0).sqrt()[:, None]
        white = self.rest + noise
        system = torch.stack([(factor / one) @ factor.T for one in white])
        system = system + torch.eye(len(factor), dtype=system.dtype, device=system.device)
        amplitudes = torch.linalg.solve(system, ((centred / white) @ factor.T)[..., None])[..., 0]
        weight = (centred - amplitudes @ factor) / white
        return self.mean + self.rest * weight + amplitudes @ factor
