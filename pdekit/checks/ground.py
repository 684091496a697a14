"""The states that a check starts from, the forecasters that it asks, and the distance in which it measures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.evaluation.forecasting import CPU, Contender
from pdekit.evaluation.references.stored import mask_of
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.quadrature import average, joint
from pdekit.models.base import Surrogate, time_steps
from pdekit.models.baselines.simulator import changed_solver
from pdekit.models.resolution import at_resolution


@dataclass(frozen=True)
class Forecaster:
    """A model whose forecasts of the states of a check are compared.

    Args:
        name: its name in the table.
        model: trained surrogate, baseline or solver.
        members: ensemble members of a stochastic method, over which a forecast is averaged.
        seed: seed of the members.
        device: device of the forecasts.
        reload: loads the model again from its run; None for a model in memory.
    """

    name: str
    model: Surrogate
    members: int = 1
    seed: int = 0
    device: torch.device = CPU
    reload: Callable[[], Surrogate] | None = None

    def __call__(self, given: Trajectory, t: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time channel *space"]:
        """Return the mean over members of the frames at the times ``t``, in float64 on the CPU."""
        return self.ensemble(given, t).mean(0)

    def ensemble(
        self, given: Trajectory, t: Float[Tensor, "batch time"]
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the frames of each member at the times ``t``, in float64 on the CPU."""
        kind = "surrogate" if self.model.simulator is None else "solver"
        contender = Contender(self.name, self.model, kind, self.seed, self.members, self.device)

        def forcing(frames: slice) -> Tensor | None:
            return None if given.forcing is None else given.forcing[:, frames]

        return torch.stack(next(contender.forecast(given, t, forcing))).double().cpu()

    def singles(self, count: int) -> list[Forecaster]:
        """Return single members of a stochastic method, each with a seed of its own."""
        return [dataclasses.replace(self, members=1, seed=self.seed + 1 + m) for m in range(count)]

    def unable(self, row: str) -> str:
        """Return the reason why this forecaster does not answer a row; empty if it does."""
        return ""

    def at(self, shape: Sequence[int]) -> Forecaster:
        """Return the same forecaster on another grid of the same box.

        Raises:
            ValueError: if the model refuses that grid.
        """
        model = self.model
        if model.simulator is not None:
            problem = dataclasses.replace(model.problem, grid=model.problem.box.resized(shape))
            return dataclasses.replace(self, model=changed_solver(model, problem=problem))
        return dataclasses.replace(self, model=at_resolution(self.name, model, shape))


@dataclass(frozen=True)
class TrainingRange:
    """Range of the training split.

    Args:
        states: a selection of its frames "sample channel *space", or of the input fields of a steady problem.
        params: parameters of its trajectories, "sample param"; None if none vary.
    """

    states: Float[Tensor, "sample channel *space"]
    params: Float[Tensor, "sample param"] | None = None


@dataclass(frozen=True)
class Ground:
    """Everything that the rows of a check need, except the surrogate.

    Args:
        problem: problem of the data.
        given: the frames that are known, of each state; in float64.
        reference: the frames after them, from the data; in float64.
        times: times of these frames.
        baseline: persistence, or the mean of the training split where a problem is steady.
        solver: the reference solver. None for data without one, and with ``against=data``.
        training: range of the training split; None if it is not known.
        long: frames of the long rollout.
        kept: forecasts that were made already.
        kept_members: ensembles that were made already, of the whole horizon.
    """

    problem: Problem
    given: Trajectory
    reference: Float[Tensor, "batch time channel *space"]
    times: Float[Tensor, "batch time"]
    baseline: Forecaster
    solver: Forecaster | None = None
    training: TrainingRange | None = None
    long: int = 50
    kept: dict[tuple[Forecaster, int], Tensor] = field(default_factory=dict, repr=False, compare=False)
    kept_members: dict[Forecaster, Tensor] = field(default_factory=dict, repr=False, compare=False)

    @property
    def horizon(self) -> int:
        """Frames of the rollout."""
        return self.times.shape[1]

    @property
    def solved_whole(self) -> bool:
        """True if the reference solver does not advance a state: its forecasts do not depend on where they start."""
        return self.solver is not None and not (self.solver.model.simulator and self.solver.model.simulator.steps)

    @cached_property
    def mask(self) -> Tensor | None:
        """Mask of where fields exist; None if everywhere."""
        return mask_of(self.given)

    @cached_property
    def unit(self) -> Float[Tensor, "channel"]:
        """Deviation of each field over states, frames and space; joint for the components of a vector.

        1 for a field that never varies.
        """
        frames = torch.cat([self.given.u, self.reference], 1)
        mean = average(frames, self.problem, self.mask).mean((0, 1))
        centred = frames - mean.reshape(-1, *[1] * self.problem.ndim)
        variance = joint(average(centred**2, self.problem, self.mask).mean((0, 1)), self.problem)
        return torch.where(variance > 0, variance.sqrt(), 1.0)

    def frames(self, forecaster: Forecaster, n: int) -> Float[Tensor, "batch time channel *space"]:
        """Return the first n frames after the states themselves; forecast once for each forecaster."""
        if (forecaster, n) not in self.kept:
            self.kept[forecaster, n] = forecaster(self.given, self.times[:, :n])
        return self.kept[forecaster, n]

    def last_members(self, forecaster: Forecaster) -> Float[Tensor, "member batch channel *space"]:
        """Return the last frame of each member of the rollout; forecast once for each forecaster."""
        if forecaster not in self.kept_members:
            self.kept_members[forecaster] = forecaster.ensemble(self.given, self.times)[:, :, -1]
        return self.kept_members[forecaster]

    def distance(self, a: Tensor, b: Tensor | float, problem: Problem | None = None) -> Float[Tensor, "batch"]:
        """sqrt(mean over fields of <(a - b)^2> / unit^2) of single frames "batch channel *space"; +inf if not finite.

        Args:
            a, b: frames on the grid of the problem.
            problem: the problem on another grid; that of the states if None.
        """
        mask = self.mask if problem is None else None
        square = average(((a - b) ** 2).unsqueeze(1), problem or self.problem, mask)[:, 0]
        found = (square / self.unit**2).mean(1).sqrt()
        return torch.where(torch.isfinite(found), found, math.inf)

    def starting(self, u: Tensor) -> Trajectory:
        """Return what is known with other frames."""
        return dataclasses.replace(self.given, u=u)

    def later(self, n: int) -> Float[Tensor, "batch time"]:
        """Times of the n frames after those that are given."""
        steps = time_steps(self.problem, self.given)
        return self.given.t[:, -1:].double() + torch.arange(1, n + 1, dtype=torch.float64) * steps[:, None]

    def missed(self, n: int) -> Float[Tensor, "batch"]:
        """Error of the baseline at frame n: the size of what happens until then."""
        return self.distance(self.frames(self.baseline, n)[:, -1], self.reference[:, n - 1])
