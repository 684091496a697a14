"""A WDNO on a finer grid, at shorter steps, or both: a forecast on its own grid, refined by the same net."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Trajectory
from pdekit.models.base import Surrogate, in_physical_units, repeat, steps_wanted
from pdekit.models.inputs import check_history, from_frame, normalised
from pdekit.models.noise import Noise
from pdekit.models.wdno import WDNO

CALLS = 1 << 16  # draws of a forecast or of one doubling, at most


class SuperResolved(Surrogate):
    """A forecast of a trained WDNO on its own grid, doubled in space and in time as often as wanted.

    Each doubling interpolates, and adds a sample of what the interpolation leaves (`WDNO.finer`), block by block. The
    initial frames and what else is known are those of the finer grid: the coarse forecast sees them restricted.

    Args:
        model: trained with ``resolutions`` > 0.
        space: doublings of the points of each axis.
        time: halvings of the step.
        interpolate: whether to leave the sample out: the interpolated forecast, for comparison.

    Raises:
        ValueError: on a model of one resolution, a steady problem in time, or negative numbers.
    """

    stochastic = True

    def __init__(self, model: WDNO, space: int = 1, time: int = 0, interpolate: bool = False):
        if model.pyramid is None:
            raise ValueError("expected a model trained with model.resolutions > 0, got 0; train one")
        if space < 0 or time < 0 or (time and model.problem.steady):
            raise ValueError(
                f"expected doublings >= 0 in space and time, none in time for a steady problem, got {space} and "
                f"{time}; choose others"
            )
        problem, grid = model.problem, model.problem.box
        ends = [where == "nodes" for where in grid.layout]
        shape = [((n - end) << space) + end for n, end in zip(grid.shape, ends, strict=True)]
        dt = None if problem.dt is None else problem.dt / 2**time
        finer = dataclasses.replace(problem, grid=grid.resized(shape), dt=dt)
        super().__init__(finer, model.window)
        self.model, self.space, self.time, self.interpolate = model, space, time, interpolate

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        self.model.calibrate(batches)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        return self.model.loss(batch)

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the frames at times ``t``, multiples of the shorter step after the last frame given.

        Raises:
            ValueError: if they are not, the frames given are not ``history`` many, or forcing is missing.
        """
        check_history(given, self.model.history)
        steps, _ = steps_wanted(self.problem, given, t)
        pyramid, n_target = self.model.pyramid, self.model.n_target
        blocks = -(-int(steps[-1]) // (n_target << self.time))
        times = t[:, :1]
        if not self.problem.steady:
            ahead = torch.arange(1, blocks * n_target + 1, dtype=torch.float64, device=given.t.device)
            times = given.t[:, -1:] + ahead * self.model.problem.dt
        u = self.model.forecast(pyramid.coarsened(given, self.space, self.time), times, members, generator)
        frames = self.model.normaliser.encode(u.flatten(0, 1)).to(self.model.normaliser.like)
        source = Noise(generator, members, given.index, len(given))
        known = repeat(normalised(given, self.model.normaliser), members)
        for n in range(max(self.space, self.time)):
            draw = partial(drawn, source, (n + 1) * CALLS)
            left = max(self.space - 1 - n, 0), max(self.time - 1 - n, 0)
            frames = self._doubled(pyramid.coarsened(known, *left), frames.chunk(blocks, 1), n < self.time, draw)
        return in_physical_units(frames[:, steps - 1], self.model.normaliser, u, members)

    def _doubled(
        self, known: Trajectory, coarse: Sequence[Tensor], in_time: bool, draw: Callable[[int, Tensor, int], Tensor]
    ) -> Tensor:
        """Return the frames after the history of ``known``, at its resolution, given the blocks of a coarser one."""
        made = known.u
        for number, block in enumerate(coarse):
            done = made.shape[1] - self.model.history
            frames = made[:, done:]
            coarser = self.model.interpolated(frames, block, in_time)
            fine = coarser.frames
            if not self.interpolate:
                fine = self.model.finer(frames, from_frame(known, done), coarser, partial(draw, number))
            made = torch.cat((made, fine), 1)
        return made[:, self.model.history :]


def drawn(source: Noise, first: int, block: int, like: Tensor, call: int) -> Tensor:
    """Return a draw of a refinement, whose numbers begin beyond those of the coarse forecast."""
    ticks = torch.full((len(source.index),), block, dtype=torch.long, device=like.device)
    return source.draw(like, ticks, first + call)
