"""Noise draws e of unit variance at each point: white, with the spectrum of a random field, or heavy-tailed (PFGM++).

Each is a function (shape of "batch channel *space", generator) -> float64 tensor. The generator is one of torch's; None
is the global one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

Draw = Callable[[Sequence[int], torch.Generator | None], Tensor]


def white(shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
    """Draw independent unit normal numbers."""
    return torch.randn(tuple(shape), dtype=torch.float64, generator=generator)


def random_field(exponent: float, length: float) -> Draw:
    """Return a draw of periodic Gaussian fields with the spectrum (1 + (length k)^2)^(-exponent / 2).

    k counts waves per box on each axis, so ``length`` is a correlation length in units of box / (2 pi). The variance is
    one at each point. Noise must not be smoother than the data: the drift towards the data is unbounded otherwise.
    """

    def draw(shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        noise = white(shape, generator)
        space = noise.shape[2:]
        square = torch.zeros(space, dtype=torch.float64)
        for axis, n in enumerate(space):
            waves = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
            square = square + waves.square().reshape([-1 if a == axis else 1 for a in range(len(space))])
        power = (1 + length**2 * square) ** (-0.5 * exponent)
        root = torch.sqrt(power / power.mean())
        axes = tuple(range(2, noise.ndim))
        return torch.fft.ifftn(root * torch.fft.fftn(noise, dim=axes), dim=axes).real

    return draw


def poisson_flow(extra: int) -> Draw:
    """Return the draw of PFGM++ (Xu et al. 2023): a uniform direction times a heavy-tailed radius.

    With N values in a sample, R = sqrt(D B / (1 - B)) and B ~ Beta(N/2, D/2), so that E|e|^2 = N D / (D - 2), which
    tends to white noise as D grows. A level multiplies the draw, as it does for white noise.

    Args:
        extra: D, the number of extra dimensions, at least 3; 128 to 2048 in the paper.
    """
    if extra < 3:
        raise ValueError(
            f"expected at least 3 extra dimensions (the variance is infinite below), got {extra}; raise extra"
        )

    def draw(shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        noise = white(shape, generator)
        n, flat = prod(noise.shape[1:]), noise.flatten(1)
        # chi-squared numbers of n and D degrees of freedom: their ratio is B / (1 - B)
        radius2 = white((len(noise), n), generator).square().sum(1)
        tail2 = white((len(noise), extra), generator).square().sum(1)
        radius = torch.sqrt(extra * radius2 / tail2)
        return (radius[:, None] * flat / flat.norm(dim=1, keepdim=True)).reshape(noise.shape)

    return draw
