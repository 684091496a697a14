"""Parts shared by all samplers: sample(denoise, y, levels, noise) -> x."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import Levels

Draws = Callable[[int], Tensor]
"""i -> unit normal numbers of y's shape, for the i-th draw of a sample."""


class Sampler(ABC):
    """An algorithm that carries y from the first level to the last and jumps from there to x = D.

    Called with:
        denoise: D(y, k).
        y: "batch ...", the state at the first level, y = x + k_0 e; in practice k_0 e with k_0 large.
        levels: k_0 > ... > k_(N-1) > 0, see `pdekit.diffusion.levels`.
        noise: draws of a stochastic sampler; the others make none.

    Raises ValueError if the levels are not finite, positive and falling. A gradient flows through every sampler.
    """

    configurable: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, denoise: Denoise, y: Tensor, levels: Levels, noise: Draws) -> Tensor: ...

    def calls(self, n_levels: int) -> int:
        """Return the number of calls of the denoiser."""
        return n_levels


def no_noise(i: int) -> Tensor:
    """The draws of a sampler that makes none.

    Raises:
        ValueError: if it makes one after all.
    """
    raise ValueError(f"expected a sampler that draws no noise, got one that asks for draw {i}; give it draws")
