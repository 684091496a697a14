"""The decision rule of a check.

Each state i gives the damage v_i of the surrogate, the damage s_i of the reference solver, and the damage p_i of a
forecast that does not have the property. The *share* is

    r_i = (v_i - s_i) / (p_i - s_i):  0 as good as the solver, 1 as bad as a forecast without the property.

p_i is what persistence does where persistence lacks the property (it does not move, keeps no budget). Persistence
commutes with shifts, turns and reflections and keeps every invariant, so that its own value proves nothing there. p_i
is then the damage that an error as large as that of persistence does. Units and size of the fields drop out.

- PASS: the upper quartile of r is at most the limit (0.2 unless set)
- FAIL: the lower quartile is above it
- CANNOT SAY: the quartiles lie on both sides; or the solver and the scale do not differ (the median of s is above the
  limit times the median of p): then the equation has no such property, or this grid does not resolve it; or nothing
  can be lost (p = 0); or the question cannot be asked

The share is linear and not a logarithm: a solver that holds a property to 1e-14 would ask a surrogate for 1e-7 on a
logarithmic scale, which no use needs. A forecast that is not finite has the share +inf.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

PASS, FAIL, CANNOT_SAY = "PASS", "FAIL", "CANNOT SAY"
LIMIT = 0.2
"""Share of the damage up to which a property holds."""

Quartiles = tuple[float, float, float]


@dataclass(frozen=True)
class Decision:
    """A verdict with its reason, and the quartiles of the share; NaN where there is none."""

    verdict: str
    reason: str = ""
    share: Quartiles = (math.nan, math.nan, math.nan)


def decide(
    value: Float[Tensor, "state"],
    floor: Float[Tensor, "state"],
    scale: Float[Tensor, "state"],
    limit: float = LIMIT,
) -> Decision:
    """Decide by the rule of this module.

    Args:
        value: damage of the surrogate, v.
        floor: damage of the reference solver, s; zeros if there is none.
        scale: damage of a forecast without the property, p.
        limit: largest share that passes.

    >>> one = torch.ones(4)
    >>> decide(0.1 * one, 0.0 * one, one).verdict, decide(0.9 * one, 0.0 * one, one).verdict
    ('PASS', 'FAIL')
    >>> decide(0.1 * one, 0.9 * one, one).verdict
    'CANNOT SAY'
    """
    solver, whole = float(floor.median()), float(scale.median())
    if not math.isfinite(solver) or not math.isfinite(whole):
        return Decision(CANNOT_SAY, "the reference solver or the baseline is not finite here")
    if whole <= 0:
        return Decision(CANNOT_SAY, "nothing happens in these states, so that nothing can be lost")
    if solver > limit * whole:
        return Decision(
            CANNOT_SAY,
            f"the reference solver itself has {solver / whole:.2g} of the damage: the equation has no such property, "
            "or this grid does not resolve it",
        )
    share = (value - floor) / (scale - floor)
    share = torch.where(scale > floor, share, torch.where(value > floor, math.inf, 0.0))
    share = torch.where(torch.isfinite(value), share, math.inf)
    low, middle, high = found = quartiles_of(share)
    if high <= limit:
        return Decision(PASS, share=found)
    if low > limit:
        return Decision(FAIL, "" if math.isfinite(middle) else "the forecast diverges", found)
    return Decision(CANNOT_SAY, f"the quartiles lie on both sides of {limit:g}", found)


def quartiles_of(values: Float[Tensor, "state"]) -> Quartiles:
    """Return the quartiles of some values, each one of them; infinite ones count as the largest.

    >>> quartiles_of(torch.tensor([4.0, 1.0, math.inf, 2.0, 3.0]))
    (2.0, 3.0, 4.0)
    """
    ordered = torch.where(torch.isnan(values), math.inf, values.double()).sort().values
    last = len(ordered) - 1
    low, middle, high = (float(ordered[place]) for place in (last // 4, last // 2, last - last // 4))
    return low, middle, high
