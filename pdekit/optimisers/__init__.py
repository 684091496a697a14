"""Optimisers of second order in float64, for few parameters and a deterministic loss."""

from pdekit.optimisers.bfgs import BFGS
from pdekit.optimisers.levenberg_marquardt import LevenbergMarquardt
from pdekit.optimisers.self_scaled_broyden import SelfScaledBroyden

__all__ = ["BFGS", "LevenbergMarquardt", "SelfScaledBroyden"]
