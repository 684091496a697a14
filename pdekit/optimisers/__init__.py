"""Optimisers of second order in float64, for few parameters and a deterministic loss."""

from pdekit.optimisers.bfgs import BFGS
from pdekit.optimisers.self_scaled_broyden import SelfScaledBroyden

__all__ = ["BFGS", "SelfScaledBroyden"]
