"""An equation in time: random parameters and starts, warm-up, steps of a solver, frames on the requested grid."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Ends
from pdekit.calculus.mirrored import resample_mirrored, signs_at_walls
from pdekit.calculus.remap import remap
from pdekit.calculus.resample import bring, moves, resample
from pdekit.fields import Grid, Problem
from pdekit.pdes import PDE
from pdekit.simulators.base import SAME, Draw, Frame, Refinement, Tick, parameters, silent
from pdekit.simulators.joint import JointParams
from pdekit.solvers.step import Step

DTYPES = ("float32", "float64")
REFINED = 1.5  # of the grid, in each axis, in the check
State = Float[Tensor, "sample channel *space"]


@dataclass(frozen=True)
class Prepared:
    """A solver's step for the parameters of some samples: on its grid, with so many steps between frames."""

    step: Step
    grid: Grid
    substeps: int


@dataclass(frozen=True, kw_only=True)
class Stepping:
    """The simulator of an equation in time.

    Args:
        pde: the equation with the parameters that do not vary.
        solver: called as ``solver(pde, grid, dt, dtype=..., device=...)``, returns a step. On a grid that is not
            periodic it is also given ``boundary``. None for a problem that is only stated: it cannot be marched.
        dt: time between frames; nominal where it varies.
        initial: a sampler of pdekit.recipes.initial; None if every start is given.
        shape: points of the solver's grid; those of the frames if None.
        substeps: steps of the solver between frames.
        warmup: time before the first frame, in units of the nominal dt where that varies.
        params: varying numbers by name: parameters of the equation, and ``length_x|y|z`` and ``dt``. Each has a draw
            of its own, or all are drawn together (`JointParams`).
        boundary: (lower, upper) condition of each axis; that of the grid's layout if empty.
        dtype: the precision of the solver, float64 or float32.

    Raises:
        ValueError: on an unknown parameter or precision, invalid numbers, or parameters at which the equation is
            ill-posed (`PDE.check`).
    """

    pde: PDE
    solver: Callable[..., Any] | None
    dt: float
    initial: Callable[..., Any] | None = None
    shape: tuple[int, ...] | None = None
    substeps: int = 1
    warmup: float = 0.0
    params: Mapping[str, Any] = field(default_factory=dict)
    boundary: Sequence[Ends] = ()
    dtype: str = "float64"

    # raised when a change of the simulation itself alters numbers
    version: ClassVar[int] = 1
    steps: ClassVar[bool] = True

    def __post_init__(self):
        if self.substeps < 1 or self.dt <= 0 or self.warmup < 0:
            raise ValueError(
                f"expected substeps >= 1, dt > 0 and warmup >= 0, got {self.substeps}, {self.dt} and {self.warmup}; "
                "correct the recipe"
            )
        if self.dtype not in DTYPES:
            raise ValueError(f"expected dtype among {DTYPES}, got {self.dtype!r}; correct the recipe")
        self.pde.check()
        known = [item.name for item in dataclasses.fields(self.pde)]
        known += ["dt", *(f"length_{letter}" for letter in "xyz")]
        for name in self.params:
            if name not in known:
                raise ValueError(f"expected varying params among {known}, got {name!r}; correct the recipe")

    @property
    def averages(self) -> bool:
        """True if values are averages over cells (conservation laws), and not samples of a band-limited field."""
        return self.pde.averages

    @property
    def remedy(self) -> str:
        return (
            f"the solver is unstable there: raise substeps (now {self.substeps}), refine solver_shape or soften the "
            "initial condition"
        )

    def problem(self, grid: Grid, n_frames: int) -> Problem:
        return Problem(
            grid,
            self.pde.fields,
            self.dt,
            n_frames,
            boundary=self.boundary,
            params=tuple(self.params),
            pde=self.pde,
            has_mask=self.pde.has_mask,
        )

    def existing(self, draws: Sequence[Draw], grid: Grid, device: Any = "cpu") -> State | None:
        """The mask of the equation's obstacles on a grid; None where fields exist everywhere."""
        if not self.pde.has_mask:
            return None
        params = parameters(self, draws)
        pde, box, _ = self.problem(grid, 1).at(None if params is None else params.to(device))
        mask = pde.existing(box).to(device)
        return mask.expand(len(draws), *mask.shape[1:])

    def random_inputs(self, generator: np.random.Generator) -> Draw:
        of_params, of_start = generator.spawn(2)
        seed: Any = of_start.bit_generator.seed_seq

        def start(grid: Grid) -> Tensor:
            return self.initial(grid, self.pde.fields, np.random.default_rng(seed))

        if isinstance(self.params, JointParams):
            return Draw(self.params.draw(of_params), start=start)
        return Draw({name: draw(of_params) for name, draw in self.params.items()}, start=start)

    # Resolution

    def shape_at(self, grid: Grid, refinement: Refinement = SAME) -> tuple[int, ...]:
        """Points of the solver's grid; an even number on a periodic axis of a refined band-limited field."""
        shape = self.shape or grid.shape
        even = [layout == "periodic" and not self.averages for layout in grid.layout]
        return tuple(
            n if factor == 1 else 2 * round(factor * n / 2) if pairs else round(factor * n)
            for n, factor, pairs in zip(shape, refinement.along(grid.ndim), even, strict=True)
        )

    def resolution(self, grid: Grid, refinement: Refinement = SAME) -> dict[str, Any]:
        return {
            "solver_shape": list(self.shape_at(grid, refinement)),
            "substeps": max(1, round(self.substeps * refinement.time)),
        }

    def checks(self, grid: Grid) -> dict[str, tuple[Refinement, Refinement]]:
        """Half the step, and a finer grid (see `finer_shape`) at half the step."""
        own = grid.resized(self.shape or grid.shape)
        finer = finer_shape(own, grid if self.averages else None)
        space = tuple(new / old for new, old in zip(finer, own.shape, strict=True))
        half, fine = Refinement(time=2.0), Refinement(space, 2.0)
        return {"step": (SAME, half), "space": (half, fine)}

    @property
    def spectral_degree(self) -> int | None:
        return self.pde.degree if self.pde.degree > 1 else None

    @property
    def warmup_steps(self) -> int:
        """Steps of the solver before the first frame."""
        return round(self.warmup / self.dt * self.substeps)

    def work(self, n_frames: int, refinement: Refinement = SAME, started: bool = False) -> int:
        """Steps."""
        steps = max(1, round(self.substeps * refinement.time)) * (n_frames - 1)
        return steps + (0 if started else self.warmup_steps)

    # Marching

    def prepare(
        self,
        params: Float[Tensor, "sample param"] | None,
        grid: Grid,
        refinement: Refinement = SAME,
        device: Any = "cpu",
    ) -> Prepared:
        """The solver's step for the parameters of some samples.

        Raises:
            ValueError: if the solver does not support the grid's layout or the boundary.
        """
        assert self.solver is not None, "recipes without a solver are refused before"
        problem = self.problem(grid, 1)
        pde, box, dt = problem.at(None if params is None else params.to(device))
        substeps = max(1, round(self.substeps * refinement.time))
        box = box.resized(self.shape_at(grid, refinement))
        options = {"dtype": getattr(torch, refinement.dtype or self.dtype), "device": device}
        if not grid.periodic:
            check_has_boundary(self.solver, grid)
            options["boundary"] = problem.boundary
        return Prepared(self.solver(pde, box, dt / substeps, **options), box, substeps)

    def march(
        self,
        draws: Sequence[Draw],
        grid: Grid,
        refinement: Refinement = SAME,
        start: State | None = None,
        device: str = "cpu",
        tick: Tick = silent,
    ) -> Iterator[Frame]:
        with torch.no_grad():
            ready = self.prepare(parameters(self, draws), grid, refinement, device)
            if start is None:
                start = self._warmed(draws, ready, device, tick)
            state = ready.step.encode(self.brought(start, ready.grid, ready.grid.shape))
            mask = self.existing(draws, grid, device)
        while True:
            with torch.no_grad():
                own = ready.step.decode(state)
                u = self.stored(own, ready.grid, grid.shape)
            yield Frame(u if mask is None else u * mask, mask=mask, own=own)
            with torch.no_grad():
                for _ in range(ready.substeps):
                    state = ready.step.advance(state)
            tick(len(draws) * ready.substeps)

    def first_state(self, draws: Sequence[Draw], grid: Grid, device: str = "cpu", tick: Tick = silent) -> State:
        """The state of the first frame on the solver's grid: the random start, after the warm-up."""
        with torch.no_grad():
            return self._warmed(draws, self.prepare(parameters(self, draws), grid, SAME, device), device, tick)

    def settled(self, draws: Sequence[Draw], grid: Grid, device: str = "cpu", tick: Tick = silent) -> State | None:
        if self.warmup == 0:
            return None
        if self.averages or not (grid.periodic or set(grid.layout) == {"cells"}):
            raise ValueError(
                f"expected no warm-up for {type(self.pde).__name__} on layout {grid.layout}, got {self.warmup}; a "
                "state after a warm-up is only refined where it is band-limited: set warmup to 0"
            )
        return self.first_state(draws, grid, device, tick)

    def brought(self, u: State, grid: Grid, shape: Sequence[int]) -> Float[Tensor, "sample channel *new"]:
        """A state on another number of points of the box: averages remapped, samples interpolated trigonometrically.

        Samples on cells are continued across the ends as at free-slip walls, the only walls that a solver of them has.
        """
        moved = moves(grid, grid.resized(shape))
        if self.averages and any(moved):
            raise ValueError(
                "expected cells centred at the points i L/n of a periodic axis for averages on another grid, found the "
                f"origin {grid.origin}; set the origin of the grid to the end of the box, or solve on the grid itself"
            )
        if self.averages:
            return remap(u, shape, grid.layout)
        return resample(u, shape, moved) if grid.periodic else self._resampled_between_walls(u, shape)

    def stored(self, own: State, grid: Grid, shape: Sequence[int]) -> Float[Tensor, "sample channel *new"]:
        """A frame of the solver's grid on the points of the data: see `bring`, and `brought` for samples on cells."""
        if self.averages or grid.periodic:
            return bring(own, grid, shape, self.averages)
        return self._resampled_between_walls(own, shape)

    def _resampled_between_walls(self, u: State, shape: Sequence[int]) -> Float[Tensor, "sample channel *new"]:
        return resample_mirrored(u, shape, signs_at_walls(self.pde.fields, len(shape)))

    def _warmed(self, draws: Sequence[Draw], ready: Prepared, device: Any, tick: Tick) -> State:
        state = ready.step.encode(_sampled(draws, ready.grid).to(device))
        for _ in range(self.warmup_steps):
            state = ready.step.advance(state)
            tick(len(draws))
        return ready.step.decode(state)


def _sampled(draws: Sequence[Draw], grid: Grid) -> State:
    """The random starts on a grid, whose lengths may be one for each sample."""
    lengths = [torch.as_tensor(a, dtype=torch.float64).reshape(-1).expand(len(draws)) for a in grid.extent]
    starts = []
    for row, drawn in enumerate(draws):
        extent = tuple(float(length[row]) for length in lengths)
        starts.append(drawn.start(dataclasses.replace(grid, extent=extent)))
    return torch.stack(starts)


def check_has_boundary(solver: Callable[..., Any], grid: Grid) -> None:
    """Raise ValueError if a grid has ends and a solver takes no boundary."""
    if not grid.periodic and "boundary" not in inspect.signature(solver).parameters:
        raise ValueError(
            f"expected a periodic grid for a solver without boundary conditions, got layout {grid.layout}; "
            "choose periodic axes, or a solver with the argument boundary (finite_volume)"
        )


def finer_shape(grid: Grid, stored: Grid | None = None) -> tuple[int, ...]:
    """1.5 times as many points (an even number) on periodic axes, twice as many intervals on the others.

    For averages over cells, the next grid with an odd number of cells in each cell of the stored grid.
    """
    if stored is not None:
        return tuple(n + 2 * m for n, m in zip(grid.shape, stored.shape, strict=True))
    return tuple(
        2 * round(REFINED * n / 2) if layout == "periodic" else 2 * n - 1 if layout == "nodes" else 2 * n
        for n, layout in zip(grid.shape, grid.layout, strict=True)
    )
