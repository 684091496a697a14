"""A reference of any length: the recipe's own solver, advanced in step with the forecasts that it is compared with."""

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
from pdekit.recipes.base import Tick, silent
from pdekit.recipes.simulation import setting
from pdekit.recipes.trajectories import Recipe


class Continued:
    """The test trajectories of a recipe, as long as wanted and on any grid that the solver's frames can be brought to.

    A trajectory is made as its dataset was: the same random start, the same warm-up, the same solver, grid, step and
    precision. So its first frames are those that are stored (on the machine that made them; elsewhere until
    predictability ends), and no restart from a restricted frame comes between. Only the frames of a block and the
    state of the solver are held. A trajectory does not depend on the others of its batch.

    Args:
        recipe: of the dataset.
        source: its test split, for parameters and captions.
        n_frames: of a trajectory.
        shape: points of each axis of the frames; the stored grid's if None. See `bring`.
        device: where the solver runs.

    Raises:
        ValueError: if the solver's frames cannot be brought to that shape.
    """

    def __init__(
        self,
        recipe: Recipe,
        source: Source,
        n_frames: int,
        shape: Sequence[int] | None = None,
        device: torch.device | str = "cpu",
    ):
        shape = tuple(shape or recipe.grid.shape)
        self.recipe, self.source, self.device = recipe, source, str(device)
        self.tick: Tick = silent
        self.problem = dataclasses.replace(source.problem, n_frames=n_frames, grid=source.problem.grid.resized(shape))
        self.n_trajectories = source.n_trajectories
        solver_grid = recipe.grid.resized(recipe.solver_shape or recipe.grid.shape)
        nothing = torch.zeros(1, 1, *solver_grid.shape)
        bring(nothing, solver_grid, shape, recipe.averages)  # what is refused, is refused before the wait

    def work(self, span: Span) -> int:
        """Steps x trajectories."""
        steps = self.recipe.warmup_steps + self.recipe.substeps * (max(span.starts) + span.parts[-1].stop - 1)
        return len(set(span.trajectories)) * steps

    def frames(self, span: Span) -> Iterator[Trajectory]:
        numbers = sorted(set(span.trajectories))
        rows = [numbers.index(trajectory) for trajectory in span.trajectories]
        still = read(self.source, span.trajectories, span.starts, slice(0, 1))
        t, march = self.times(span), self._march(numbers)
        first, last = min(span.starts), max(span.starts)
        held: dict[int, Tensor] = {}
        made = 0
        for part in span.parts:
            while made < part.stop + last:
                held[made], made = next(march), made + 1
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
        dt = setting(self.recipe, "test", span.trajectories).dt
        dt = dt.reshape(-1, 1) if isinstance(dt, Tensor) else dt
        frames = torch.arange(span.history + span.horizon, dtype=torch.float64)
        return (torch.tensor(span.starts, dtype=torch.float64)[:, None] + frames) * dt

    def _march(self, numbers: Sequence[int]) -> Iterator[Float[Tensor, "trajectory channel *space"]]:
        """Frame after frame of some trajectories, from the first stored one on."""
        with torch.no_grad():
            chosen = setting(self.recipe, "test", numbers, self.device)
            step = chosen.step(chosen.grid, chosen.substeps)
            state = step.encode(chosen.start(self.tick))
        shape, averages = self.problem.grid.shape, self.recipe.averages
        while True:
            with torch.no_grad():
                frame = bring(step.decode(state), chosen.grid, shape, averages).float().cpu()
            yield frame
            with torch.no_grad():
                for _ in range(chosen.substeps):
                    state = step.advance(state)
            self.tick(len(numbers) * chosen.substeps)
