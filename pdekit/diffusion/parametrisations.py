"""Parametrisations: what a net returns, out = a x + b e, and the clean data x and noise e that follow from it.

With z = signal x + sigma e, the pair (z, out) determines (x, e):

    x = (b z - sigma out) / det,    e = (signal out - a z) / det,    det = signal b - sigma a.

| name     | a               | b              | source                                              |
|----------|-----------------|----------------|-----------------------------------------------------|
| epsilon  | 0               | 1              | Ho et al. (2020)                                    |
| clean    | 1               | 0              | x0-prediction; see the limit below                  |
| v        | -sigma          | signal         | Salimans and Ho (2022)                              |
| velocity | -1              | 1              | Lipman et al. (2023), dz/dt of the flow path        |
| edm(s)   | sigma / (s r)   | -s signal / r  | Karras et al. (2022), table 1, r^2 = s^2 signal^2 + sigma^2 |

Limits: an error of 1 % in ``clean`` stays an error of 1 % of the sample, at every level; in the others it shrinks with
k. ``epsilon`` needs signal > 0 for x, ``clean`` needs sigma > 0 for e; v, velocity and edm need neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Shares = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Parametrisation:
    """Meaning of the output of a net, as a linear combination of data and noise.

    Args:
        shares: (signal, sigma) -> (a, b), tensors that broadcast with them.

    In the methods ``signal`` and ``sigma`` are tensors that broadcast with the data.
    """

    shares: Shares

    def output(self, clean: Tensor, noise: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
        """Return out = a x + b e, the target of training."""
        a, b = self.shares(signal, sigma)
        return a * clean + b * noise

    def clean(self, output: Tensor, z: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
        """Return x from the output and z."""
        a, b = self.shares(signal, sigma)
        return (b * z - sigma * output) / (signal * b - sigma * a)

    def noise(self, output: Tensor, z: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
        """Return e from the output and z."""
        a, b = self.shares(signal, sigma)
        return (signal * output - a * z) / (signal * b - sigma * a)

    def gain(self, signal: Tensor, sigma: Tensor) -> Tensor:
        """Return |dx / d out|: an error of the output times this is the error of the denoised data."""
        a, b = self.shares(signal, sigma)
        return sigma / (signal * b - sigma * a).abs()


def _epsilon(signal: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    return torch.zeros_like(signal), torch.ones_like(signal)


def _clean(signal: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    return torch.ones_like(signal), torch.zeros_like(signal)


def _v(signal: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    return -sigma, signal


def _velocity(signal: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    return -torch.ones_like(signal), torch.ones_like(signal)


EPSILON = Parametrisation(_epsilon)
CLEAN = Parametrisation(_clean)
V = Parametrisation(_v)
VELOCITY = Parametrisation(_velocity)


def edm(scale: float = 1.0) -> Parametrisation:
    """Return the preconditioning of Karras et al. (2022) for data of standard deviation ``scale``.

    D = s^2 / (s^2 + k^2) y + s k / sqrt(s^2 + k^2) out, so that the target of the net has variance one at every level.

    Raises:
        ValueError: if the scale is not positive.
    """
    if not scale > 0:
        raise ValueError(f"expected scale > 0, the standard deviation of the data, got {scale}; measure it")

    def shares(signal: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        root = torch.sqrt((scale * signal).square() + sigma.square())
        return sigma / (scale * root), -scale * signal / root

    return Parametrisation(shares)
