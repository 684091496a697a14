"""Strong-stability-preserving Runge-Kutta steps, with a fixed step or with steps that a Courant number limits.

A step of each scheme is a mean of Euler steps, so that what an Euler step keeps (positivity, bounds) is kept.
Source: Shu and Osher (1988), equations 2.16 to 2.18.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Advance = Callable[[Tensor], Tensor]
OneStep = Callable[[Advance, Tensor, Any], Tensor]
"""(rate of change, state, dt) -> state one dt later."""

MOST = 10_000  # steps within one dt; a state that needs more has blown up


def euler(rate: Advance, u: Tensor, dt: Any) -> Tensor:
    """First order: u + dt rate(u)."""
    return u + dt * rate(u)


def ssp_2(rate: Advance, u: Tensor, dt: Any) -> Tensor:
    """Second order, two stages (Heun)."""
    a = u + dt * rate(u)
    return u / 2 + (a + dt * rate(a)) / 2


def ssp_3(rate: Advance, u: Tensor, dt: Any) -> Tensor:
    """Third order, three stages."""
    a = u + dt * rate(u)
    b = 3 * u / 4 + (a + dt * rate(a)) / 4
    return u / 3 + 2 * (b + dt * rate(b)) / 3


BY_ORDER: dict[int, OneStep] = {1: euler, 2: ssp_2, 3: ssp_3}


def fixed_step(scheme: OneStep, rate: Advance, dt: Any) -> Advance:
    """Return an advance by one step of dt."""
    return lambda u: scheme(rate, u, dt)


def courant_limited(scheme: OneStep, rate: Advance, dt: Any, courant: float, frequency: Advance) -> Advance:
    """Return an advance by exactly dt in as many steps as the Courant number asks for.

    With the time that is left, each step is left / ceil(left frequency(u) / courant): the last one lands on dt, and no
    step is much shorter than the others. Each trajectory has steps of its own, so that a batch returns the same values
    as its trajectories one by one.

    Args:
        scheme: one of `BY_ORDER`.
        rate: d/dt of the state.
        dt: a number, or a tensor "batch 1 *1".
        courant: largest product of step and frequency.
        frequency: cells that the fastest wave crosses per unit time, "batch 1 *1".

    A state that is not finite, or that needs more than `MOST` steps, becomes NaN.
    """

    def advance(u: Tensor) -> Tensor:
        ahead = torch.as_tensor(dt, dtype=u.dtype, device=u.device)
        ahead = ahead * torch.ones(len(u), *(1,) * (u.ndim - 1), dtype=u.dtype, device=u.device)
        while True:
            steps = torch.ceil(ahead * frequency(u) / courant).clamp(min=1.0)
            steps = torch.where(steps <= MOST, steps, torch.nan)
            u = torch.where(ahead <= 0, u, scheme(rate, u, ahead / steps))
            ahead = torch.where(steps <= 1, torch.zeros_like(ahead), ahead - ahead / steps)
            if not bool((ahead > 0).any()):
                return u

    return advance
