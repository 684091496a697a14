"""The solver of a case as a baseline: the same sample with a coarser mesh or grid of its own. Nothing to learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.cases.base import Case, Draw
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.stages import Stage
from pdekit.settings import Training


class CaseSolver(Surrogate):
    """Solves a sample anew with a share of the reference's resolution, and tells it at the points of the data.

    It sees the geometry and the random fields as they are, not their samples on the data grid. A sample that cannot
    be solved on a mesh so coarse is NaN: it counts as diverged.

    Limits: it finds the inputs of a sample by its number, so that only samples of the recipe can be solved.

    Args:
        problem: of the data.
        case: that made them.
        draw: the random inputs of the sample of a number.
        refinement: factor on the resolution of the reference; below 1 to be cheaper.

    Raises:
        ValueError: if the problem lies on no grid, or the refinement is not positive.
    """

    def __init__(self, problem: Problem, case: Case, draw: Callable[[int], Draw], refinement: float):
        if not isinstance(problem.grid, Grid):
            raise ValueError(f"expected a problem on a uniform grid, got {type(problem.grid).__name__}")
        if not refinement > 0:
            raise ValueError(f"expected a refinement > 0, got {refinement}; 0.5 is half of the reference's resolution")
        super().__init__(problem, (0, 1) if problem.steady else (1, "all"))
        self.case, self.draw, self.refinement = case, draw, refinement

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Nothing to read."""

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean squared error of the frames after those that are given, in physical units."""
        wanted = batch.frames(slice(self.window[0], None))
        loss = mean_square(self.forecast(batch, wanted.t)[0] - wanted.u, batch.mask)
        return loss, {"loss": loss}

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """The frames of the case at the times t; the frames given are not used.

        Raises:
            ValueError: if the samples have no number.
        """
        if given.index is None:
            raise ValueError("expected samples with their number (index), got none; their random inputs are not known")
        frames = torch.zeros_like(t) if self.problem.steady else t / self.problem.dt
        u = [
            self._solved(number)[rows]
            for number, rows in zip(given.index.tolist(), frames.round().long().cpu(), strict=True)
        ]
        out = torch.stack(u).to(given.u.device, given.u.dtype)
        return out.expand(members, *out.shape)

    def _solved(self, number: int) -> Float[Tensor, "time channel *space"]:
        try:
            solved = self.case.solve(self.draw(number), self.problem.grid, self.refinement)
        except ValueError:
            shape = (self.problem.n_frames, self.problem.n_channels, *self.problem.grid.shape)
            return torch.full(shape, torch.nan, dtype=torch.float64)
        return torch.from_numpy(np.ascontiguousarray(solved.u))

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()
