"""What all recipes have in common: sizes, keyed random numbers, and the hash that names the dataset."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pdekit.fields import Grid, Problem, Trajectory
from pdekit.plain import to_plain, versions

SPLITS = ("train", "valid", "test")
# What a generator of random numbers is for; each use has its own stream.
PARAMS, INITIAL = 0, 1
# Trajectories of the check of a reference, the first of the test split.
CHECKED = 4
Tick = Callable[[int], None]  # told the work that has been done


def silent(work: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, kw_only=True)
class BaseRecipe(ABC):
    """Everything that a generated dataset depends on.

    Args:
        name: of the dataset and its folder.
        grid: of the stored frames; nominal where a length varies.
        n_trajectories: of each split (train, valid, test); a steady sample is a trajectory of one frame.
        text: whether to store the equation's caption of each trajectory.
        seed: of all random numbers; each trajectory has its own, keyed by (seed, split, number).
        chunk: trajectories that are made together, and that are lost when a run is interrupted.

    Raises:
        ValueError: on an unknown split, or numbers that cannot be.
    """

    name: str
    grid: Grid
    n_trajectories: Mapping[str, int]
    text: bool = False
    seed: int = 0
    chunk: int = 32

    # raised when a change of the generation itself alters numbers
    version: ClassVar[int] = 1

    def __post_init__(self):
        check_counts("n_trajectories", self.n_trajectories)
        if self.chunk < 1:
            raise ValueError(f"expected chunk >= 1, got {self.chunk}; correct the recipe")

    @abstractmethod
    def problem(self, split: str) -> Problem:
        """What the files of a split will say of themselves."""

    @abstractmethod
    def simulate(self, split: str, numbers: Sequence[int], device: str = "cpu", tick: Tick = silent) -> Trajectory:
        """Some trajectories of a split, fields in float32, times and parameters in float64.

        Raises:
            ValueError: if one cannot be made; the message names it.
        """

    @abstractmethod
    def work(self, split: str, n_trajectories: int) -> int:
        """What `simulate` tells its ``tick`` of so many trajectories, in all."""

    @abstractmethod
    def check(self, device: str = "cpu", tick: Tick = silent) -> dict[str, Any]:
        """How far the reference can be trusted, as plain values: ``time`` and, for each check, ``error_<check>``, the
        relative error of the worst field for each of the first `CHECKED` test trajectories at each time."""

    @property
    @abstractmethod
    def check_work(self) -> int:
        """What `check` tells its ``tick`` in all."""

    def generator(self, split: str, trajectory: int, use: int) -> np.random.Generator:
        """The random numbers of one trajectory: the same whatever else is generated, where and when."""
        key = np.random.SeedSequence(self.seed, spawn_key=(SPLITS.index(split), trajectory, use))
        return np.random.default_rng(key)

    def document(self) -> dict[str, Any]:
        """The recipe and the versions of what it names, as plain values."""
        return {"recipe": to_plain(self), "versions": self.versions()}

    def versions(self) -> dict[str, int]:
        """Of all that the data depend on."""
        return versions(self)

    @property
    def hash(self) -> str:
        """Twelve digits that name the dataset: of the recipe's values and the versions of what it names."""
        text = json.dumps(self.document(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_counts(name: str, found: Mapping[str, int]) -> None:
    """Refuse numbers that are not given for each split, or below one."""
    if set(found) != set(SPLITS) or any(n < 1 for n in found.values()):
        raise ValueError(f"expected {name} >= 1 for each of {SPLITS}, got {dict(found)}; correct the recipe")
