"""The sampler of hard constraints: from the corrected D straight to the next level, with noise kept or fresh."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler


@dataclass(frozen=True)
class Corrected(Sampler):
    """y' = D + k' e with one noise for all levels, that of the start: e = y_0 / k_0.

    With D corrected by a projection this is PCFM (Utkarsh et al. 2025). With ``fresh`` the noise is drawn again at
    each mix, and with ``mixes`` D is computed several times at a level, as in ECI (Cheng et al. 2025).

    Args:
        mixes: calls of D at each level, the last of which leads to the next one.
        fresh: whether each mix draws new noise.
    """

    configurable = True

    mixes: int = 1
    fresh: bool = False

    def __post_init__(self):
        if self.mixes < 1:
            raise ValueError(f"expected mixes >= 1, got {self.mixes}; choose 1 to 5")

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        ks = checked_levels(levels)
        e = y / ks[0]
        for i, k in enumerate(ks[:-1]):
            for mix in range(self.mixes):
                clean = denoise(y, k)
                if self.fresh:
                    e = noise(i * self.mixes + mix)
                y = clean + (ks[i + 1] if mix == self.mixes - 1 else k) * e
        return denoise(y, ks[-1])

    def calls(self, n_levels: int) -> int:
        return self.mixes * (n_levels - 1) + 1
