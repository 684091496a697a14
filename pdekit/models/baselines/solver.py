"""A numerical solver as a baseline: restrict, integrate, interpolate back. It has nothing to learn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.remap import remap
from pdekit.calculus.resample import resample
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.base import Surrogate, steps_to, time_steps
from pdekit.models.stages import Stage
from pdekit.pdes.base import PDE, ConservationLaw, SemilinearPDE
from pdekit.settings import Training
from pdekit.solvers import Step, etdrk, finite_volume, stable_dt

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


class Solver(Surrogate):
    """Integrates the last frame given on a grid, a step and a precision of its own.

    The frame is brought to the solver's grid, integrated, and brought back, so that it is scored on the data grid like
    everything else: semilinear equations by ETDRK, spectrally restricted and interpolated; conservation laws by finite
    volumes (MUSCL), with averages over cells. Parameters, box lengths and time steps that vary are read from the
    sample.

    Args:
        problem: with a semilinear equation or a conservation law on a periodic grid.
        shape: points of each axis; one number for all axes; None for the data grid.
        dt: largest time step; the frame step is divided into equal parts not longer than this. None: the frame step.
            The step of a conservation law is never longer than `stable_dt` of the frame given.
        precision: "float32" or "float64".
        order: of the time stepping: of ETDRK 1 to 4, of finite volumes at most 3.

    Raises:
        ValueError: if the problem has no equation, or one that this solver does not integrate.
    """

    configurable = True

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
        known = isinstance(problem.pde, (SemilinearPDE, ConservationLaw))
        if not known or not isinstance(problem.grid, Grid) or not problem.grid.periodic:
            raise ValueError(
                f"expected a semilinear equation or a conservation law on a periodic grid, found "
                f"{type(problem.pde).__name__} on {problem.grid}; the solver baseline is not defined for it"
            )
        if precision not in PRECISIONS:
            raise ValueError(f"expected a precision among {tuple(PRECISIONS)}, got {precision!r}; set model.precision")
        if [f.name for f in problem.fields] != [f.name for f in problem.pde.fields]:
            raise ValueError(
                f"expected the fields {[f.name for f in problem.pde.fields]} of the equation, found "
                f"{[f.name for f in problem.fields]}; the solver needs all of them"
            )
        super().__init__(problem, (1, 1))
        if shape is None:
            shape = problem.grid.shape
        self.shape = (shape,) * problem.ndim if isinstance(shape, int) else tuple(shape)
        self.largest_dt = math.inf if dt is None else dt
        self.dtype = PRECISIONS[precision]
        self.order = order
        self.register_buffer("place", torch.empty(0), persistent=False)  # where `to` has moved the solver
        self.steps: dict[torch.device, Step] = {}
        self.averages = isinstance(problem.pde, ConservationLaw)
        self.to_grid = remap if self.averages else resample

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Nothing to read."""

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean squared error of one frame, in physical units."""
        error = self.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])[0] - batch.u[:, 1:2]
        loss = error.square().mean()
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

    @torch.no_grad()
    def march(
        self, given: Trajectory, t: Float[Tensor, "batch time"], size: int
    ) -> Iterator[Float[Tensor, "batch time channel *space"]]:
        """The same forecast in blocks of ``size`` frames; between them the state stays on the solver's own grid and in
        its own precision, so that nothing depends on the size."""
        given, t = given.to(self.place.device), t.to(self.place.device)
        steps, _ = steps_to(t, given.t[:, -1], time_steps(self.problem, given))
        params = None if given.params is None else given.params.double()
        pde, grid, dt = self.problem.at(params)
        u = self.to_grid(given.u[:, -1].double(), self.shape)
        step, n = self.step(pde, grid.resized(self.shape), dt, u)
        state, done = step.encode(u), 0
        for block in steps.split(size):
            frames = []
            for wanted in block.tolist():
                for _ in range((wanted - done) * n):
                    state = step.advance(state)
                done = wanted
                frames.append(self.to_grid(step.decode(state), self.problem.grid.shape).to(given.u.dtype))
            yield torch.stack(frames, 1)

    def step(self, pde: PDE, grid: Grid, dt: Any, u: Tensor) -> tuple[Step, int]:
        """A step of the solver, and how many of them lie between frames.

        Where no parameter varies the step is made once and kept: its coefficients are set-up, not forecast.
        """
        frame = float(torch.as_tensor(dt).max())
        if not self.averages:
            n = substeps(frame, self.largest_dt)
            if self.problem.params:
                return etdrk(pde, grid, dt / n, self.order, self.dtype, u.device), n
            if u.device not in self.steps:
                self.steps[u.device] = etdrk(pde, grid, dt / n, self.order, self.dtype, u.device)
            return self.steps[u.device], n
        n = substeps(frame, min(self.largest_dt, stable_dt(pde, u, grid)))
        return finite_volume(pde, grid, dt / n, order=min(self.order, 3), dtype=self.dtype, device=u.device), n

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()


def substeps(dt: float, largest: float) -> int:
    """How many equal steps, none longer than the largest one, lie in dt; longer by no more than float32 rounds.

    >>> [substeps(0.5, largest) for largest in (1.0, 0.5, 0.3, 0.1)]
    [1, 1, 2, 5]
    >>> substeps(0.200000003, 0.025)  # 0.2 as a parameter is stored
    8
    """
    return max(1, math.ceil(dt / largest * (1 - 1e-6)))
