"""A recipe of trajectories: random starts of an equation in time, advanced by a solver's step."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pdekit.boundaries import Ends
from pdekit.fields import Problem, Trajectory
from pdekit.pdes import PDE, ConservationLaw
from pdekit.plain import from_plain
from pdekit.recipes.base import CHECKED, BaseRecipe, Tick, check_counts, silent
from pdekit.recipes.initial.fixed import Fixed

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Uniform:
    """A parameter that is uniform in [low, high] over the trajectories."""

    configurable = True

    low: float
    high: float

    def __post_init__(self):
        if not self.low <= self.high:
            raise ValueError(f"expected low <= high, got {self.low} and {self.high}; exchange them")

    def __call__(self, generator: np.random.Generator) -> float:
        return float(generator.uniform(self.low, self.high))


@dataclass(frozen=True, kw_only=True)
class Recipe(BaseRecipe):
    """How to make a dataset of trajectories: see `BaseRecipe` for what all recipes share.

    Args:
        pde: the equation with the parameters that do not vary.
        initial: a sampler of pdekit.recipes.initial.
        solver: called as ``solver(pde, grid, dt, dtype=..., device=...)``, returns a step. On a grid that is not
            periodic it is also given ``boundary``.
        dt: time between frames; nominal where it varies.
        n_frames: of each split.
        solver_shape: points of the solver's grid, the stored grid's if None; frames are brought to the stored grid
            exactly for the modes that it holds (as averages of an odd number of cells for a conservation law).
        substeps: steps of the solver between frames.
        warmup: time before the first frame, in units of the nominal dt where that varies.
        params: what varies, by name: parameters of the equation, and ``length_x|y|z`` and ``dt``.
        boundary: (lower, upper) condition of each axis; that of the grid's layout if None.
        dtype: the precision of the solver, float64 or float32. Frames are stored in float32.

    Raises:
        ValueError: on an unknown split, parameter or precision, a grid with ends for a solver that knows none, or
            numbers that cannot be.
    """

    configurable = True

    pde: PDE
    initial: Callable[..., Any]
    solver: Callable[..., Any]
    dt: float
    n_frames: Mapping[str, int]
    solver_shape: tuple[int, ...] | None = None
    substeps: int = 1
    warmup: float = 0.0
    params: Mapping[str, Uniform] = field(default_factory=dict)
    boundary: Sequence[Ends] | None = None
    dtype: str = "float64"

    def __post_init__(self):
        super().__post_init__()
        for name in ("dt", "warmup"):
            object.__setattr__(self, name, float(getattr(self, name)))
        check_counts("n_frames", self.n_frames)
        if self.substeps < 1 or self.dt <= 0 or self.warmup < 0:
            raise ValueError(
                f"expected substeps >= 1, dt > 0 and warmup >= 0, got {self.substeps}, {self.dt} and {self.warmup}; "
                "correct the recipe"
            )
        if self.dtype not in DTYPES:
            raise ValueError(f"expected dtype among {DTYPES}, got {self.dtype!r}; correct the recipe")
        known = [item.name for item in dataclasses.fields(self.pde)]
        known += ["dt", *(f"length_{letter}" for letter in self.grid.axes)]
        for name in self.params:
            if name not in known:
                raise ValueError(f"expected varying params among {known}, got {name!r}; correct the recipe")
        if not self.grid.periodic and "boundary" not in inspect.signature(self.solver).parameters:
            raise ValueError(
                f"expected a periodic grid for a solver without boundary conditions, got layout {self.grid.layout}; "
                "choose periodic axes, or a solver with the argument boundary (finite_volume)"
            )
        if self.solver_shape is not None and len(self.solver_shape) != self.grid.ndim:
            raise ValueError(f"expected a solver_shape of {self.grid.ndim} numbers, got {self.solver_shape}")

    def problem(self, split: str) -> Problem:
        return Problem(
            self.grid,
            self.pde.fields,
            self.dt,
            self.n_frames[split],
            boundary=self.boundary or (),
            params=tuple(self.params),
            has_text=self.text,
            pde=self.pde,
            instance=self.initial.state if isinstance(self.initial, Fixed) else None,
        )

    @property
    def averages(self) -> bool:
        """Whether values are averages over cells (conservation laws), and not samples of a band-limited field."""
        return isinstance(self.pde, ConservationLaw)

    # the functions are written in terms of a recipe, so that they are imported when they are called

    def simulate(self, split: str, numbers: Sequence[int], device: str = "cpu", tick: Tick = silent) -> Trajectory:
        from pdekit.recipes.simulation import simulate

        return simulate(self, split, numbers, device, tick)

    def work(self, split: str, n_trajectories: int) -> int:
        """Steps x trajectories."""
        return n_trajectories * (self.warmup_steps + self.substeps * (self.n_frames[split] - 1))

    def check(self, device: str = "cpu", tick: Tick = silent) -> dict[str, Any]:
        from pdekit.recipes.convergence import self_convergence

        return self_convergence(self, device, tick)

    @property
    def check_work(self) -> int:
        return CHECKED * (self.warmup_steps + 5 * self.substeps * (self.n_frames["test"] - 1))

    @property
    def warmup_steps(self) -> int:
        """Steps of the solver before the first frame."""
        return round(self.warmup / self.dt * self.substeps)


def recipe_from(config: Mapping[str, Any], trust: Sequence[str] = ()) -> BaseRecipe:
    """The recipe of a configuration (plain values), see pdekit/configs/data; its instances are left aside.

    Raises:
        ValueError: if it is no recipe, or a value in it is wrong.
    """
    recipe = from_plain({key: value for key, value in config.items() if key != "instances"}, trust)
    if not isinstance(recipe, BaseRecipe):
        raise ValueError(
            "expected a recipe (_target_: pdekit.recipes.trajectories.Recipe, or "
            "pdekit.recipes.cases.SolvedRecipe for a case), "
            f"got {type(recipe).__name__} with {sorted(config)}; correct the data configuration"
        )
    return recipe
