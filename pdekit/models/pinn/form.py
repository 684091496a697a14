"""Settings of how a net becomes a solution: what holds by construction, in which windows, with which derivatives."""

from __future__ import annotations

from dataclasses import dataclass

INITIAL = ("hard", "carried", "soft")
DERIVATIVES = ("taylor", "nested")


@dataclass(frozen=True)
class Form:
    """Choices by which a net becomes a solution.

    Args:
        initial: hard (exact by construction), carried (exact, and carried on by the linear part of the equation) or
            soft (a term of the loss).
        decay: with hard or carried initial conditions, how fast the share of the initial state fades over a window.
        n_windows: time windows, each with a net of its own that starts from the end of the one before it.
        derivatives: taylor (fast), or nested differentiation (slow, any net).

    Raises:
        ValueError: on an unknown name or a number out of range.
    """

    configurable = True

    initial: str = "hard"
    decay: float = 0.0
    n_windows: int = 1
    derivatives: str = "taylor"

    def __post_init__(self):
        if self.initial not in INITIAL:
            raise ValueError(
                f"expected an initial condition among {INITIAL}, got {self.initial!r}; set model.form.initial"
            )
        if self.decay < 0 or (self.decay > 0 and self.initial == "soft"):
            raise ValueError(
                f"expected decay >= 0, and 0 for soft initial conditions, got {self.decay}; set model.form.decay"
            )
        if self.n_windows < 1:
            raise ValueError(f"expected n_windows >= 1, got {self.n_windows}; correct model.form.n_windows")
        if self.derivatives not in DERIVATIVES:
            raise ValueError(
                f"expected derivatives among {DERIVATIVES}, got {self.derivatives!r}; set model.form.derivatives"
            )
