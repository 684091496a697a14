"""A reference of any length: the recipe's simulator, advanced in step with the forecasts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.resample import bring
from pdekit.data.windows import Source
from pdekit.evaluation.references.stored import Span, check_finite, read
from pdekit.fields import Trajectory
from pdekit.recipes.base import BaseRecipe, frame_times
from pdekit.simulators.base import Tick, parameters, silent


class Continued:
    """The test trajectories of a recipe, as long as wanted and on any grid that the solver's frames can be brought to.

    A trajectory is made as its dataset was: the same random start, the same warm-up, the same solver, grid, step and
    precision. So its first frames are those that are stored (on the machine that made them; elsewhere until
    predictability ends), and no restart from a restricted frame comes between. Only the frames of a block and the
    state of the solver are held. A trajectory does not depend on the others of its batch.

    Args:
        recipe: recipe of the dataset, whose simulator advances in steps.
        source: its test split, for parameters and captions.
        n_frames: number of frames of a trajectory.
        shape: points of each axis of the frames; the stored grid's if None. See `bring`.
        device: device of the solver.

    Raises:
        ValueError: if the solver's frames cannot be brought to that shape.
    """

    def __init__(
        self,
        recipe: BaseRecipe,
        source: Source,
        n_frames: int,
        shape: Sequence[int] | None = None,
        device: torch.device | str = "cpu",
    ):
        self.recipe, self.source, self.device = recipe, source, str(device)
        self.simulator = recipe.simulator
        self.tick: Tick = silent
        grid = source.problem.grid.resized(shape or recipe.grid.shape)
        self.problem = dataclasses.replace(source.problem, n_frames=n_frames, grid=grid)
        self.n_trajectories = source.n_trajectories
        own = recipe.grid.resized(self.simulator.shape_at(grid))
        bring(torch.zeros(1, 1, *own.shape), own, grid.shape, self.simulator.averages)  # refused before the wait

    def work(self, span: Span) -> int:
        """Steps x trajectories."""
        return len(set(span.trajectories)) * self.simulator.work(max(span.starts) + span.parts[-1].stop)

    def frames(self, span: Span) -> Iterator[Trajectory]:
        numbers = sorted(set(span.trajectories))
        rows = [numbers.index(trajectory) for trajectory in span.trajectories]
        still = read(self.source, span.trajectories, span.starts, slice(0, 1))
        draws = [self.recipe.draw("test", number) for number in numbers]
        grid = self.recipe.grid.resized(self.problem.grid.shape)
        t, marching = self.times(span), self.simulator.march(draws, grid, device=self.device, tick=self.tick)
        first, last = min(span.starts), max(span.starts)
        held: dict[int, Tensor] = {}
        made = 0
        for part in span.parts:
            while made < part.stop + last:
                held[made], made = next(marching).u.float().cpu(), made + 1
            u = still.u.new_zeros(len(rows), part.stop - part.start, *next(iter(held.values())).shape[1:])
            for sample, (row, start) in enumerate(zip(rows, span.starts, strict=True)):
                for place, frame in enumerate(range(start + part.start, start + part.stop)):
                    u[sample, place] = held[frame][row]
            batch = dataclasses.replace(still, u=u, t=t[:, part])
            check_finite(batch, span.trajectories)
            yield batch
            held = {frame: kept for frame, kept in held.items() if frame >= first + part.stop}

    def forcing(self, span: Span, frames: slice) -> Tensor | None:
        return None  # recipes have none

    def times(self, span: Span) -> Float[Tensor, "batch time"]:
        params = parameters(self.simulator, [self.recipe.draw("test", number) for number in span.trajectories])
        step = frame_times(dataclasses.replace(self.problem, n_frames=2), params, len(span.trajectories))[:, 1:]
        frames = torch.arange(span.history + span.horizon, dtype=torch.float64)
        return (torch.tensor(span.starts, dtype=torch.float64)[:, None] + frames) * step
