"""Dynamic mode decomposition: u(t + dt) = A [u(t), u(t - dt), ...], the best linear step of the training split."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, n_values
from pdekit.models.baselines.regressed_step import RegressedStep


class DynamicModes(RegressedStep):
    """DMD for one frame of history, Hankel-DMD for several.

    Limits: a linear step of a chaotic system has no attractor other than a point or a torus; its forecasts decay or
    grow. With noise-free linear data the step is exact.

    Source: Schmid (2010), doi:10.1017/S0022112010001217; with delays Arbabi and Mezic (2017), doi:10.1137/17M1125236.
    Here the matrix is found by ridge regression and not cut to a rank.

    Args:
        problem, ridge: see `RegressedStep`.
        history: frames that a step sees, the delays.
    """

    configurable = True

    def __init__(self, problem: Problem, history: int = 1, ridge: float = 1e-10):
        super().__init__(problem, history, history * problem.n_channels * n_values(problem.grid), ridge)

    def features(self, x: Float[Tensor, "batch time value"]) -> Float[Tensor, "batch feature"]:
        return x.flatten(1)
