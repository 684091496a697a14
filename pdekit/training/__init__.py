"""Training: one Lightning module, stages, checkpoints and exact resume."""

from pdekit.training.module import Diverged, Outcome, fit

__all__ = ["Diverged", "Outcome", "fit"]
