"""A recipe: everything that a generated dataset depends on, and the hash that names it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pdekit.data.initial.fixed import Fixed
from pdekit.data.plain import from_plain, to_plain, versions
from pdekit.fields import Grid, Problem
from pdekit.pdes import PDE, ConservationLaw

SPLITS = ("train", "valid", "test")
DTYPES = ("float32", "float64")
# What a generator of random numbers is for; each use has its own stream.
PARAMS, INITIAL = 0, 1


@dataclass(frozen=True)
class Uniform:
    """A parameter that is uniform in [low, high] over the trajectories."""

    low: float
    high: float

    def __post_init__(self):
        if not self.low <= self.high:
            raise ValueError(f"expected low <= high, got {self.low} and {self.high}; exchange them")

    def __call__(self, generator: np.random.Generator) -> float:
        return float(generator.uniform(self.low, self.high))


@dataclass(frozen=True)
class Recipe:
    """How to make a dataset.

    Args:
        name: of the dataset and its folder.
        pde: the equation with the parameters that do not vary.
        grid: of the stored frames; nominal where a length varies.
        initial: a sampler of pdekit.data.initial.
        solver: called as ``solver(pde, grid, dt, dtype=..., device=...)``, returns a step.
        dt: time between frames; nominal where it varies.
        n_trajectories: of each split (train, valid, test).
        n_frames: of each split.
        solver_shape: points of the solver's grid, the stored grid's if None; frames are brought to the stored grid
            exactly for the modes that it holds (as averages of an odd number of cells for a conservation law).
        substeps: steps of the solver between frames.
        warmup: time before the first frame, in units of the nominal dt where that varies.
        params: what varies, by name: parameters of the equation, and ``length_x|y|z`` and ``dt``.
        boundary: (lower, upper) condition of each axis; that of the grid's layout if None.
        text: whether to store the equation's caption of each trajectory.
        seed: of all random numbers; each trajectory has its own, keyed by (seed, split, number).
        dtype: the precision of the solver, float64 or float32. Frames are stored in float32.
        chunk: trajectories that the solver advances together, and that are lost when a run is interrupted.

    Raises:
        ValueError: on an unknown split, parameter or precision, or numbers that cannot be.
    """

    name: str
    pde: PDE
    grid: Grid
    initial: Callable[..., Any]
    solver: Callable[..., Any]
    dt: float
    n_trajectories: Mapping[str, int]
    n_frames: Mapping[str, int]
    solver_shape: tuple[int, ...] | None = None
    substeps: int = 1
    warmup: float = 0.0
    params: Mapping[str, Uniform] = field(default_factory=dict)
    boundary: tuple[tuple[str, str], ...] | None = None
    text: bool = False
    seed: int = 0
    dtype: str = "float64"
    chunk: int = 32

    # raised when a change of the generation itself alters numbers
    version: ClassVar[int] = 1

    def __post_init__(self):
        for name in ("dt", "warmup"):
            object.__setattr__(self, name, float(getattr(self, name)))
        for name in ("n_trajectories", "n_frames"):
            found = getattr(self, name)
            if set(found) != set(SPLITS) or any(n < 1 for n in found.values()):
                raise ValueError(f"expected {name} >= 1 for each of {SPLITS}, got {dict(found)}; correct the recipe")
        if min(self.substeps, self.chunk) < 1 or self.dt <= 0 or self.warmup < 0:
            raise ValueError(
                f"expected substeps, chunk >= 1, dt > 0 and warmup >= 0, got {self.substeps}, {self.chunk}, {self.dt} "
                f"and {self.warmup}; correct the recipe"
            )
        if self.dtype not in DTYPES:
            raise ValueError(f"expected dtype among {DTYPES}, got {self.dtype!r}; correct the recipe")
        known = [item.name for item in dataclasses.fields(self.pde)]
        known += ["dt", *(f"length_{letter}" for letter in self.grid.axes)]
        for name in self.params:
            if name not in known:
                raise ValueError(f"expected varying params among {known}, got {name!r}; correct the recipe")
        if self.solver_shape is not None and len(self.solver_shape) != self.grid.ndim:
            raise ValueError(f"expected a solver_shape of {self.grid.ndim} numbers, got {self.solver_shape}")

    def problem(self, split: str) -> Problem:
        """What the files of a split will say of themselves."""
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

    def generator(self, split: str, trajectory: int, use: int) -> np.random.Generator:
        """The random numbers of one trajectory: the same whatever else is generated, where and when."""
        key = np.random.SeedSequence(self.seed, spawn_key=(SPLITS.index(split), trajectory, use))
        return np.random.default_rng(key)

    def document(self) -> dict[str, Any]:
        """The recipe and the versions of what it names, as plain values."""
        return {"recipe": to_plain(self), "versions": versions(self)}

    @property
    def hash(self) -> str:
        """Twelve digits that name the dataset: of the recipe's values and the versions of what it names."""
        text = json.dumps(self.document(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def recipe_from(config: Mapping[str, Any], trust: Sequence[str] = ()) -> Recipe:
    """The recipe of a configuration (plain values), see pdekit/configs/data; its instances are left aside.

    Raises:
        ValueError: if it is no recipe, or a value in it is wrong.
    """
    recipe = from_plain({key: value for key, value in config.items() if key != "instances"}, trust)
    if not isinstance(recipe, Recipe):
        raise ValueError(
            f"expected a recipe (_target_: pdekit.data.recipe.Recipe), got {type(recipe).__name__} with "
            f"{sorted(config)}; correct the data configuration"
        )
    return recipe
