"""The exact solution of the Riemann problem of an ideal gas: two uniform states that meet at x = 0.

It depends on x / t alone: a shock or a rarefaction on either side, and a contact between them.
Source: Toro (2009), Riemann solvers and numerical methods for fluid dynamics, sections 4.2 to 4.5.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
from jaxtyping import Float, Real
from torch import Tensor

State = tuple[float, float, float]
"""(density, velocity, pressure)"""


def exact_riemann(
    left: State, right: State, ratio: Real[Tensor, "*place"], gamma: float = 1.4
) -> tuple[Float[Tensor, "*place"], Float[Tensor, "*place"], Float[Tensor, "*place"]]:
    """Density, velocity and pressure at x / t = ratio.

    Args:
        left, right: the states for x < 0 and x > 0 at t = 0.
        ratio: x / t; integers are taken as float64.
        gamma: ratio of specific heats.

    Raises:
        ValueError: if a density or pressure is not positive, or the states move apart so fast that a vacuum opens.

    >>> density, velocity, pressure = exact_riemann((1, 0, 1), (0.125, 0, 0.1), torch.tensor([0.5, 1.2, 2.0]))
    >>> [round(float(value), 4) for value in (density[0], density[1], pressure[0])]  # Sod's tube
    [0.4263, 0.2656, 0.3031]
    """
    ratio = ratio if ratio.is_floating_point() else ratio.double()
    for name, (density, _, pressure) in (("left", left), ("right", right)):
        if not (density > 0 and pressure > 0):
            raise ValueError(
                f"expected positive density and pressure, got {density} and {pressure} in the {name} state; correct it"
            )
    sound = [sqrt(gamma * p / density) for density, _, p in (left, right)]
    if 2 * sum(sound) / (gamma - 1) <= right[1] - left[1]:
        raise ValueError(f"expected states that leave no vacuum between them, got {left} and {right}; slow them down")
    middle = _middle_pressure(left, right, gamma)
    speed = (left[1] + right[1] + _jump(middle, right, gamma) - _jump(middle, left, gamma)) / 2
    # the right side is the left side of the mirrored problem
    on_left = _one_side(left, middle, speed, ratio, gamma)
    on_right = _one_side((right[0], -right[1], right[2]), middle, -speed, -ratio, gamma)
    mirrored = (on_right[0], -on_right[1], on_right[2])
    density, velocity, pressure = (torch.where(ratio < speed, a, b) for a, b in zip(on_left, mirrored, strict=True))
    return density, velocity, pressure


def _jump(pressure: float, state: State, gamma: float) -> float:
    """The change of velocity from a state to the pressure behind its shock or rarefaction."""
    density, _, before = state
    if pressure > before:
        return (pressure - before) * sqrt(2 / density / ((gamma + 1) * pressure + (gamma - 1) * before))
    sound = sqrt(gamma * before / density)
    return 2 * sound / (gamma - 1) * ((pressure / before) ** ((gamma - 1) / (2 * gamma)) - 1)


def _middle_pressure(left: State, right: State, gamma: float) -> float:
    """The pressure between both waves, by bisection: the jumps of velocity grow with it."""

    def excess(pressure: float) -> float:
        return _jump(pressure, left, gamma) + _jump(pressure, right, gamma) + right[1] - left[1]

    return _root(excess, max(left[2], right[2]))


def _root(growing: Callable[[float], float], start: float) -> float:
    low, high = 0.0, start
    while growing(high) < 0:
        low, high = high, 2 * high
    for _ in range(200):
        centre = (low + high) / 2
        low, high = (centre, high) if growing(centre) < 0 else (low, centre)
    return (low + high) / 2


def _one_side(
    state: State, pressure: float, speed: float, ratio: Tensor, gamma: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the state to the left of the contact for each x / t."""
    density, velocity, before = state
    sound = sqrt(gamma * before / density)
    share = (gamma - 1) / (gamma + 1)
    compressed = pressure / before
    if compressed > 1:
        behind = density * (compressed + share) / (share * compressed + 1)
        front = velocity - sound * sqrt((gamma + 1) / (2 * gamma) * compressed + (gamma - 1) / (2 * gamma))
        values = zip(state, (behind, speed, pressure), strict=True)
        density, velocity, before = (torch.where(ratio < front, ratio.new_tensor(a), b) for a, b in values)
        return density, velocity, before
    behind = density * compressed ** (1 / gamma)
    tail = speed - sqrt(gamma * pressure / behind)
    cooled = (2 / (gamma + 1) + share / sound * (velocity - ratio)).clamp_min(0.0)  # sound speed over that outside
    fan = (
        density * cooled ** (2 / (gamma - 1)),
        2 / (gamma + 1) * (sound + (gamma - 1) / 2 * velocity + ratio),
        before * cooled ** (2 * gamma / (gamma - 1)),
    )
    inside = (behind, speed, pressure)
    found = [
        torch.where(ratio < velocity - sound, outer, torch.where(ratio < tail, middle, inner)).to(ratio)
        for outer, middle, inner in zip(state, fan, inside, strict=True)
    ]
    return found[0], found[1], found[2]
