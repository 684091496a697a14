"""Fluxes through a face between two states: approximate solvers of the Riemann problem.

With the states L and R, their fluxes f(L) and f(R), and the slowest and fastest signed wave speed s and S of both
(Davis 1988: s = min(s_L, s_R), S = max(S_L, S_R)):

    rusanov   (f(L) + f(R)) / 2 - a (R - L) / 2,  a = max(|s|, |S|)
    hll       (S' f(L) - s' f(R) + s' S' (R - L)) / (S' - s'),  s' = min(s, 0), S' = max(S, 0)
    hllc      hll with a third wave between s and S, which keeps contacts and shear layers sharp
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.calculus import Calculus
from pdekit.pdes.base import ConservationLaw

Flux = Callable[[ConservationLaw, Tensor, Tensor, int, Calculus], Tensor]
"""(equation, state on the lower side, state on the upper side, axis, calculus) -> flux of each channel."""


def rusanov(pde: ConservationLaw, left: Tensor, right: Tensor, axis: int, d: Calculus) -> Tensor:
    """Return the flux with one speed for all waves: the most diffusive, and the most robust.

    Source: Rusanov (1961), with the local speed.
    """
    slow, fast = _bounds(pde, left, right, axis, d)
    speed = torch.maximum(slow.abs(), fast.abs())
    return (pde.flux(left, axis, d) + pde.flux(right, axis, d) - speed * (right - left)) / 2


def hll(pde: ConservationLaw, left: Tensor, right: Tensor, axis: int, d: Calculus) -> Tensor:
    """Return the flux of the mean state between the slowest and the fastest wave.

    Source: Harten, Lax and van Leer (1983), equation 3.12.
    """
    slow, fast = _bounds(pde, left, right, axis, d)
    slow, fast = slow.clamp(max=0.0), fast.clamp(min=0.0)
    from_left, from_right = pde.flux(left, axis, d), pde.flux(right, axis, d)
    still = fast == slow  # no wave moves: both fluxes are the same
    mean = (fast * from_left - slow * from_right + slow * fast * (right - left)) / torch.where(still, 1.0, fast - slow)
    return torch.where(still, from_left, mean)


def hllc(pde: ConservationLaw, left: Tensor, right: Tensor, axis: int, d: Calculus) -> Tensor:
    """Return the flux of two mean states with the middle wave of the equation between them.

    Source: Toro, Spruce and Speares (1994); the states of each equation stand in its `star_states`.
    """
    slow, fast = _bounds(pde, left, right, axis, d)
    middle, left_star, right_star = pde.star_states(left, right, (slow, fast), axis, d)
    from_left, from_right = pde.flux(left, axis, d), pde.flux(right, axis, d)
    upwind = torch.where(middle >= 0, from_left + slow * (left_star - left), from_right + fast * (right_star - right))
    return torch.where(slow >= 0, from_left, torch.where(fast <= 0, from_right, upwind))


FLUXES: dict[str, Flux] = {"rusanov": rusanov, "hll": hll, "hllc": hllc}


def _bounds(pde: ConservationLaw, left: Tensor, right: Tensor, axis: int, d: Calculus) -> tuple[Tensor, Tensor]:
    """The slowest and the fastest speed of either side."""
    slow_left, fast_left = pde.wave_speeds(left, axis, d)
    slow_right, fast_right = pde.wave_speeds(right, axis, d)
    return torch.minimum(slow_left, slow_right), torch.maximum(fast_left, fast_right)
