"""Forecasters with one fault each, which a check must find: all but the fault is the reference solver."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.checks.ground import Forecaster, Ground
from pdekit.models.base import Surrogate
from pdekit.models.baselines.simulator import SimulatorBaseline

Step = Callable[[Tensor, Tensor], Tensor]


class Trap(Surrogate):
    """A stepper whose step is a function of (the last frame, the solver's next frame), "batch channel *space" each.

    Args:
        solver: the reference solver.
        step: the step.
        stochastic: True if its members are meant to differ.
    """

    def __init__(self, solver: SimulatorBaseline, step: Step, stochastic: bool = False):
        super().__init__(solver.problem, (1, 1))
        self.solver, self.fault, self.stochastic = solver, step, stochastic

    def calibrate(self, batches):
        """Nothing to read."""

    def loss(self, batch):
        raise AssertionError("a trap is not trained")

    def forecast(self, given, t, members=1, generator=None):
        made = []
        for n in range(t.shape[1]):
            after = self.solver.forecast(given, t[:, n : n + 1])[0]
            after = self.fault(given.u[:, -1], after[:, 0])[:, None]
            given = type(given)(u=after, t=t[:, n : n + 1], params=given.params, index=given.index)
            made.append(after)
        return torch.cat(made, 1).expand(members, *[-1] * made[0].ndim)


class TrapForecaster(Forecaster):
    """A trap that takes any grid."""

    def at(self, shape):
        solver = Forecaster("solver", self.model.solver).at(shape).model
        return dataclasses.replace(self, model=Trap(solver, self.model.fault, self.model.stochastic))


def trapped(ground: Ground, step: Step, stochastic: bool = False) -> Forecaster:
    return TrapForecaster("trap", Trap(ground.solver.model, step, stochastic))
