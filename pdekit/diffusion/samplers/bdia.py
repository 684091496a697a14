"""BDIA: a two-step rule that can be run backwards exactly, to encode a sample as noise."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels, checked_levels
from pdekit.diffusion.samplers.base import Draws, Sampler

MAX_GROWTH = 1e6  # of rounding errors in the inversion


@dataclass(frozen=True)
class BDIA(Sampler):
    """Zhang et al. (2024), with g = 1 - gamma of the paper and e = (y - D) / k:

        y_(i+1) = g y_(i-1) + (1 - g) y_i + [(k_(i+1) - k_i) - g (k_(i-1) - k_i)] e_i,    first step Euler's.

    Second order for g = 1 (the leapfrog rule), first order below, with a small error constant.

    Args:
        g: share of the state before the last, 0.5 to 1. The inversion divides by it: rounding grows as g^-N.
    """

    configurable = True

    g: float = 0.9

    def __post_init__(self):
        if not 0.5 <= self.g <= 1:
            raise ValueError(f"expected 0.5 <= g <= 1, got {self.g}; 0.9 is stable and damps oscillations")

    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor:
        return denoise(self.pair(denoise, y, levels)[1], checked_levels(levels)[-1])

    def pair(self, denoise: Denoise, y: Tensor, levels: Levels) -> tuple[Tensor, Tensor]:
        """Return the states at the last two levels: together they encode y, see `invert`.

        Raises:
            ValueError: if there are fewer than two levels.
        """
        ks = two_levels(levels)
        before, now = y, y + (ks[1] - ks[0]) * (y - denoise(y, ks[0])) / ks[0]
        for i in range(1, len(ks) - 1):
            after = self.g * before + (1 - self.g) * now + self.step(ks, i) * (now - denoise(now, ks[i])) / ks[i]
            before, now = now, after
        return before, now

    def invert(self, denoise: Denoise, pair: tuple[Tensor, Tensor], levels: Levels) -> Tensor:
        """Return the state y at the first level from which `pair` arrives at these two.

        Raises:
            ValueError: if rounding errors would grow by more than 1e6.
        """
        ks = two_levels(levels)
        if self.g ** -len(ks) > MAX_GROWTH:
            raise ValueError(
                f"expected g^-N <= {MAX_GROWTH:g}, got {self.g ** -len(ks):.3g} for {len(ks)} levels; raise g or take "
                "fewer levels"
            )
        now, after = pair
        for i in range(len(ks) - 2, 0, -1):
            slope = (now - denoise(now, ks[i])) / ks[i]
            now, after = (after - (1 - self.g) * now - self.step(ks, i) * slope) / self.g, now
        return now

    def step(self, ks: list[float], i: int) -> float:
        """Return the factor of the slope at level i."""
        return (ks[i + 1] - ks[i]) - self.g * (ks[i - 1] - ks[i])


def two_levels(levels: Levels) -> list[float]:
    """Return the levels, checked; there must be two at least."""
    ks = checked_levels(levels)
    if len(ks) < 2:
        raise ValueError(f"expected at least two levels, got {ks}; a two-step rule needs them")
    return ks
