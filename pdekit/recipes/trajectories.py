"""A recipe of trajectories: random starts of an equation in time, advanced by a solver's step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch

from pdekit.fields import Grid, Problem
from pdekit.pdes import PDE
from pdekit.plain import from_plain
from pdekit.recipes.base import BaseRecipe, check_counts
from pdekit.recipes.initial.fixed import Fixed
from pdekit.simulators.joint import JointParams
from pdekit.simulators.stepping import Stepping, check_has_boundary


@dataclass(frozen=True)
class Uniform:
    """A parameter that is uniform in [low, high] over the trajectories."""

    configurable = True

    low: float
    high: float

    def __post_init__(self):
        if not self.low <= self.high:
            raise ValueError(f"expected low <= high, got {self.low} and {self.high}; swap them")

    def __call__(self, generator: np.random.Generator) -> float:
        return float(generator.uniform(self.low, self.high))


@runtime_checkable
class StateOfEquation(Protocol):
    """Initial state that has parameters of the equation among its own, by the names ``of_equation``."""

    of_equation: ClassVar[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Recipe(BaseRecipe):
    """Recipe of a dataset of trajectories; see `BaseRecipe` and `Stepping` for the other arguments.

    Args:
        pde, initial, solver, dt, substeps, warmup, params, dtype: arguments of the simulator. Frames are stored
            in float32. Without a solver (null) the problem is stated, and no data are generated.
        n_frames: number of frames of each split.
        solver_shape: points of the solver's grid, the stored grid's if None; frames are brought to the stored grid
            exactly for the modes that it holds (as averages of an odd number of cells for a conservation law).

    Raises:
        ValueError: on an unknown split, parameter or precision, a grid with ends for a solver that knows none, numbers
            that cannot be, or parameters, fixed or drawn, for which the equation is ill-posed.
    """

    configurable = True

    grid: Grid
    pde: PDE
    initial: Callable[..., Any]
    solver: Callable[..., Any] | None
    dt: float
    n_frames: Mapping[str, int]
    solver_shape: tuple[int, ...] | None = None
    substeps: int = 1
    warmup: float = 0.0
    params: Mapping[str, Uniform] | JointParams = field(default_factory=dict)
    dtype: str = "float64"

    starts: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        for name in ("dt", "warmup"):
            object.__setattr__(self, name, float(getattr(self, name)))
        check_counts("n_frames", self.n_frames)
        if self.solver_shape is not None and len(self.solver_shape) != self.grid.ndim:
            raise ValueError(
                f"expected a solver_shape of {self.grid.ndim} numbers, got {self.solver_shape}; correct the recipe"
            )
        _check_state(self.initial, self.pde, self.params)
        if self.solver is not None:
            check_has_boundary(self.solver, self.grid)
        simulator = self.simulator  # what it refuses, is refused when the recipe is made
        simulator.problem(self.grid, 1)
        for name, draw in self.params.items():
            if name == "dt" or name.startswith("length_"):
                if draw.low <= 0:
                    raise ValueError(f"expected a positive {name}, got one from {draw.low:g} on; correct the recipe")
            else:
                self.pde.check({name: torch.tensor([draw.low, draw.high])})

    @property
    def solved(self) -> bool:
        return self.solver is not None

    @property
    def simulator(self) -> Stepping:
        return Stepping(
            pde=self.pde,
            solver=self.solver,
            dt=self.dt,
            initial=self.initial,
            shape=self.solver_shape or self.grid.shape,
            substeps=self.substeps,
            warmup=self.warmup,
            params=self.params,
            boundary=self.boundary or (),
            dtype=self.dtype,
        )

    def frames_of(self, split: str) -> int:
        return self.n_frames[split]

    def problem(self, split: str) -> Problem:
        state = self.initial.state if isinstance(self.initial, Fixed) else None
        return dataclasses.replace(super().problem(split), instance=state)


def shared_parameters(initial: Any) -> tuple[str, ...]:
    """Names of the parameters that an initial state shares with its equation."""
    return initial.of_equation if isinstance(initial, StateOfEquation) else ()


def _check_state(initial: Any, pde: PDE, params: Iterable[str]) -> None:
    """Raise ValueError if an initial state has another value of a parameter than its equation."""
    for name in shared_parameters(initial):
        if name not in [item.name for item in dataclasses.fields(pde)] or name in params:
            raise ValueError(
                f"expected an equation with one {name} for all trajectories, which {type(initial).__name__} has, too, "
                f"got {type(pde).__name__}{' in which it is drawn' if name in params else ''}; choose another initial "
                "state, or fix it"
            )
        ours, theirs = (float(getattr(part, name)) for part in (pde, initial))
        if ours != theirs:
            raise ValueError(
                f"expected an initial state with the {name} {ours:g} of {type(pde).__name__}, got {theirs:g}; set "
                f"data.initial.{name} and data.pde.{name} to one value"
            )


def with_equation(recipe: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a recipe changes with parameters of its equation: also an initial state that has them, too."""
    changed: dict[str, Any] = {"pde": dataclasses.replace(recipe.pde, **values)}
    shared = {name: values[name] for name in shared_parameters(recipe.initial) if name in values}
    if shared:
        changed["initial"] = dataclasses.replace(recipe.initial, **shared)
    return changed


def recipe_from(config: Mapping[str, Any], trust: Any = ()) -> BaseRecipe:
    """The recipe of a configuration (plain values), see pdekit/configs/data; its instances are left aside.

    Raises:
        ValueError: if it is no recipe, or a value in it is wrong.
    """
    recipe = from_plain({key: value for key, value in config.items() if key != "instances"}, trust, "data")
    if not isinstance(recipe, BaseRecipe):
        raise ValueError(
            "expected a recipe (_target_: pdekit.recipes.trajectories.Recipe, or "
            "pdekit.recipes.cases.SolvedRecipe for a case), "
            f"got {type(recipe).__name__} with {sorted(config)}; correct the data configuration"
        )
    return recipe
