"""A simulator as a baseline: the one that made the data, at a resolution of its own. It has nothing to learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square, steps_to, time_steps
from pdekit.models.stages import Stage
from pdekit.pdes import ConservationLaw
from pdekit.settings import Training
from pdekit.simulators.base import SAME, Draw, Refinement, Simulator, collected
from pdekit.simulators.stepping import Prepared
from pdekit.solvers import stable_dt


def changed_solver(model: Surrogate, problem: Problem | None = None, time: float = 1.0) -> SimulatorBaseline:
    """Return a solver for another problem of the same equation, or with more steps.

    Args:
        model: solver, a surrogate that has a simulator.
        problem: other problem, on another grid; None for the same.
        time: factor on the number of steps between frames.
    """
    assert isinstance(model, SimulatorBaseline)
    refinement = replace(model.refinement, time=time * model.refinement.time)
    return SimulatorBaseline(problem or model.problem, model.simulator, refinement, model.draw)


class SimulatorBaseline(Surrogate):
    """Forecasts with a simulator at another resolution, scored on the data grid like everything else.

    A simulator that advances in steps starts from the last frame given: it is brought to the solver's grid, integrated,
    and brought back. Parameters, box lengths and time steps that vary are read from the sample. A frame step is divided
    into equal parts not longer than the nominal ones, and for a conservation law not longer than `stable_dt` of the
    frame given.

    Elsewhere a sample is solved again from its own random inputs, with the geometry and the random fields as they are,
    not their samples on the data grid. A sample that cannot be solved on a mesh so coarse is NaN: it counts as
    diverged.

    Limits: samples that are solved again are found by their number, so that they must be those of the recipe.

    Args:
        problem: problem of the data.
        simulator: simulator of the data.
        refinement: refinement of its resolution; below 1 it is cheaper.
        draw: the random inputs of the sample of a number, where samples are solved again.

    Raises:
        ValueError: if a simulator in steps gets a problem on points, or the fields are not those of the simulator.
    """

    simulator: Simulator

    def __init__(
        self,
        problem: Problem,
        simulator: Simulator,
        refinement: Refinement = SAME,
        draw: Callable[[int], Draw] | None = None,
    ):
        if simulator.steps and not problem.grid.uniform:
            raise ValueError(
                f"expected a problem on a uniform grid, got {type(problem.grid).__name__}; the solver baseline is not "
                "defined for it"
            )
        names = [item.name for item in simulator.pde.fields]
        if [item.name for item in problem.fields] != names:
            raise ValueError(
                f"expected the fields {names} of the equation, found {[item.name for item in problem.fields]}; the "
                "solver needs all of them"
            )
        window: tuple[int, int | Literal["all"]] = (1, 1)
        if not simulator.steps:
            window = (0, 1) if problem.steady else (1, "all")
        super().__init__(problem, window)
        self.simulator, self.refinement, self.draw = simulator, refinement, draw
        self.register_buffer("place", torch.empty(0), persistent=False)  # where `to` has moved the solver
        self._prepared: dict[torch.device, Prepared] = {}

    @property
    def precision(self) -> str:
        """Of the solver's state; "" where a sample is solved as a whole, in whatever its parts need."""
        return (self.refinement.dtype or self.simulator.dtype) if self.simulator.steps else ""

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Nothing to read."""

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean squared error of the frames after those that are given, one for a stepper, in physical units."""
        history = self.window[0]
        given = batch.frames(slice(0, max(history, 0)))
        wanted = batch.frames(slice(history, history + 1 if self.simulator.steps else None))
        loss = mean_square(self.forecast(given, wanted.t)[0] - wanted.u, batch.existing)
        return loss, {"loss": loss}

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        (out,) = self.march(given, t, t.shape[1])
        return out.expand(members, *out.shape)

    def march(
        self, given: Trajectory, t: Float[Tensor, "batch time"], size: int
    ) -> Iterator[Float[Tensor, "batch time channel *space"]]:
        """The same forecast in blocks of ``size`` frames; between them the state of a stepper stays on its own grid and
        in its own precision, so that nothing depends on the size."""
        blocks = self._stepped if self.simulator.steps else self._solved_again
        yield from blocks(given.to(self.place.device), t.to(self.place.device), size)

    @torch.no_grad()
    def _stepped(self, given: Trajectory, t: Tensor, size: int) -> Iterator[Tensor]:
        steps, _ = steps_to(t, given.t[:, -1], time_steps(self.problem, given))
        u = given.u[:, -1].double()
        ready = self.prepare(None if given.params is None else given.params.double(), u)
        grid, brought = self.problem.grid, self.simulator.brought
        state, done = ready.step.encode(brought(u, grid, ready.grid.shape)), 0
        for block in steps.split(size):
            frames = []
            for wanted in block.tolist():
                for _ in range((wanted - done) * ready.substeps):
                    state = ready.step.advance(state)
                done = wanted
                frames.append(brought(ready.step.decode(state), grid, grid.shape).to(given.u.dtype))
            yield torch.stack(frames, 1)

    def prepare(self, params: Float[Tensor, "batch param"] | None, u: Tensor) -> Prepared:
        """The solver's step for some samples with the frame u given.

        Where no parameter varies the step is made once and kept: its coefficients are set-up, not forecast.
        """
        simulator, place = self.simulator, u.device
        limited = isinstance(simulator.pde, ConservationLaw)
        kept = not self.problem.params and not limited
        if kept and place in self._prepared:
            return self._prepared[place]
        pde, grid, dt = self.problem.at(params)
        largest = self.problem.dt / (simulator.substeps * self.refinement.time)
        if limited:
            shape = simulator.shape_at(self.problem.grid, self.refinement)
            largest = min(largest, stable_dt(pde, simulator.brought(u, self.problem.grid, shape), grid.resized(shape)))
        n = substeps(float(torch.as_tensor(dt).max()), largest)
        refinement = Refinement(self.refinement.space, n / simulator.substeps, self.refinement.dtype)
        ready = simulator.prepare(params, self.problem.grid, refinement, place)
        if kept:
            self._prepared[place] = ready
        return ready

    @torch.no_grad()
    def _solved_again(self, given: Trajectory, t: Tensor, size: int) -> Iterator[Tensor]:
        """The frames at the times t; the frames given are not used."""
        if given.index is None or self.draw is None:
            raise ValueError("expected samples with their number (index), got none; their random inputs are not known")
        frames = torch.zeros_like(t) if self.problem.steady else t / self.problem.dt
        u = [
            self._sample(number)[rows]
            for number, rows in zip(given.index.tolist(), frames.round().long().cpu(), strict=True)
        ]
        yield from torch.stack(u).to(given.u.device, given.u.dtype).split(size, 1)

    def _sample(self, number: int) -> Float[Tensor, "time channel *space"]:
        problem = self.problem
        try:
            draws = [self.draw(number)]
            return collected(self.simulator.march(draws, problem.grid, self.refinement), problem.n_frames)[0][0]
        except ValueError:
            shape = (problem.n_frames, problem.n_channels, *problem.grid.shape)
            return torch.full(shape, torch.nan, dtype=torch.float64)

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()


def substeps(dt: float, largest: Any) -> int:
    """Smallest number of equal steps in dt that are no longer than `largest`, up to float32 rounding.

    >>> [substeps(0.5, largest) for largest in (1.0, 0.5, 0.3, 0.1)]
    [1, 1, 2, 5]
    >>> substeps(0.200000003, 0.025)  # 0.2 as a parameter is stored
    8
    """
    return max(1, math.ceil(dt / largest * (1 - 1e-6)))
