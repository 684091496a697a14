"""A numerical solver as a baseline: restrict, integrate, interpolate back. It has nothing to learn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.resample import resample
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.base import Surrogate, steps_to, time_steps
from pdekit.models.stages import Stage
from pdekit.pdes.base import SemilinearPDE
from pdekit.settings import Training
from pdekit.solvers import etdrk

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


class Solver(Surrogate):
    """Integrates the last frame given with ETDRK on a grid, a step and a precision of its own.

    The frame is restricted to the solver's grid spectrally, integrated, and interpolated back, so that it is scored
    on the data grid like everything else. Parameters, box lengths and time steps that vary are read from the sample.

    Args:
        problem: with a semilinear equation on a periodic grid.
        shape: points of each axis; one number for all axes; None for the data grid.
        dt: largest time step; the frame step is divided into equal parts not longer than this. None: frame step.
        precision: "float32" or "float64".
        order: of ETDRK, 1 to 4.

    Raises:
        ValueError: if the problem has no equation, or one that this solver does not integrate.
    """

    def __init__(
        self,
        problem: Problem,
        shape: Sequence[int] | int | None = None,
        dt: float | None = None,
        precision: str = "float64",
        order: int = 4,
    ):
        if problem.pde is None:
            raise ValueError(
                "expected a problem with an equation, found none; the solver baseline is not defined for it"
            )
        if (
            not isinstance(problem.pde, SemilinearPDE)
            or not isinstance(problem.grid, Grid)
            or not problem.grid.periodic
        ):
            raise ValueError(
                f"expected a semilinear equation on a periodic grid, found {type(problem.pde).__name__} on "
                f"{problem.grid}; the solver baseline is not defined for it"
            )
        if precision not in PRECISIONS:
            raise ValueError(f"expected a precision among {tuple(PRECISIONS)}, got {precision!r}; set model.precision")
        names, known = [f.name for f in problem.fields], [f.name for f in problem.pde.fields]
        if names != known:
            raise ValueError(
                f"expected the fields {known} of the equation, found {names}; the solver needs all of them"
            )
        super().__init__(problem, (1, 1))
        if shape is None:
            shape = problem.grid.shape
        self.shape = (shape,) * problem.ndim if isinstance(shape, int) else tuple(shape)
        self.largest_dt = dt
        self.dtype = PRECISIONS[precision]
        self.order = order

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Nothing to read."""

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean squared error of one frame, in physical units."""
        error = self.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])[0] - batch.u[:, 1:2]
        loss = error.square().mean()
        return loss, {"loss": loss}

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        steps, _ = steps_to(t, given.t[:, -1], time_steps(self.problem, given))
        params = None if given.params is None else given.params.double()
        pde, grid, dt = self.problem.at(params)
        n = self.substeps(float(torch.as_tensor(dt).max()))
        step = etdrk(pde, grid.resized(self.shape), dt / n, self.order, self.dtype, given.u.device)
        state, frames, done = step.encode(resample(given.u[:, -1].double(), self.shape)), [], 0
        for wanted in steps.tolist():
            for _ in range((wanted - done) * n):
                state = step.advance(state)
            done = wanted
            frames.append(resample(step.decode(state), self.problem.grid.shape).to(given.u.dtype))
        out = torch.stack(frames, 1)
        return out.expand(members, *out.shape)

    def substeps(self, dt: float) -> int:
        """Steps between frames."""
        return 1 if self.largest_dt is None else max(1, math.ceil(dt / self.largest_dt * (1 - 1e-9)))

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()
