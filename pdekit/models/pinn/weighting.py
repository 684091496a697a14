"""Settings of how the terms of a PINN's loss, and its points, are weighted."""

from __future__ import annotations

from dataclasses import dataclass

from pdekit.models.pinn.balancing import BALANCING
from pdekit.models.pinn.causality import Causality


@dataclass(frozen=True)
class Weighting:
    """Weights of the terms of the loss and of the points.

    Args:
        initial: weight of a soft initial condition.
        boundary: weight of boundary conditions that are terms of the loss.
        balancing: balance terms by their gradients (gradient_norm), points by their residual (residual), or none.
        causality: causal weights; None for none.

    Raises:
        ValueError: on an unknown balancing or a negative weight.
    """

    configurable = True

    initial: float = 100.0
    boundary: float = 10.0
    balancing: str = "none"
    causality: Causality | None = None

    def __post_init__(self):
        if self.balancing not in BALANCING:
            raise ValueError(
                f"expected balancing among {BALANCING}, got {self.balancing!r}; correct model.weighting.balancing"
            )
        if not (self.initial > 0 and self.boundary > 0):
            raise ValueError(
                f"expected positive weights of initial and boundary conditions, got {self.initial} and "
                f"{self.boundary}; correct model.weighting"
            )
