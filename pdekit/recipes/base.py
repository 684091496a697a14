"""All recipes: a simulator with a grid, sizes, keyed random numbers, and the hash that names the dataset."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.boundaries import Ends
from pdekit.calculus.base import per_sample
from pdekit.captions.caption import LEVELS, MIXED, VERSION, captions_of
from pdekit.data.writer import check_batch
from pdekit.fields import Grid, Points, Problem, Trajectory
from pdekit.plain import is_whole, to_json, to_plain, versions
from pdekit.simulators.base import Draw, Simulator, Tick, collected, parameters, silent
from pdekit.simulators.check import check_work, self_convergence
from pdekit.typed_values import check_seed

SPLITS = ("train", "valid", "test")
# Trajectories of the check of a reference, the first of the test split.
CHECKED = 4


@dataclass(frozen=True, kw_only=True)
class BaseRecipe(ABC):
    """Everything that a generated dataset depends on.

    Args:
        name: name of the dataset and its folder.
        grid: grid of the stored frames; nominal where a length varies.
        n_trajectories: trajectories of each split (train, valid, test); a steady sample is a trajectory of one frame.
        boundary: (lower, upper) condition of each axis; that of the grid's layout if None.
        text: the level of detail of the captions that are stored (`pdekit.captions.LEVELS`), true for a level of each
            trajectory's own, false for none.
        seed: seed of all random numbers; each trajectory has its own, keyed by (seed, split, number).
        chunk: trajectories that are made together, and that are lost when a run is interrupted.

    Raises:
        ValueError: on an unknown split, invalid numbers, or what the simulator refuses.
    """

    name: str
    grid: Grid | Points
    n_trajectories: Mapping[str, int]
    boundary: Sequence[Ends] | None = None
    text: bool | str = False
    seed: int = 0
    chunk: int = 32

    # raised when a change of the generation itself alters numbers
    version: ClassVar[int] = 1
    # whether every trajectory has a random start, from which an instance can be made
    starts: ClassVar[bool] = False

    def __post_init__(self):
        if Path(self.name).name != self.name or self.name in ("", ".."):  # of a file of someone else, perhaps
            raise ValueError(f"expected a name without folders for a dataset, got {self.name!r}; correct data.name")
        check_seed(self.seed)
        check_counts("n_trajectories", self.n_trajectories)
        if not isinstance(self.text, bool) and self.text not in LEVELS:
            raise ValueError(
                f"expected text to be true, false or one of {LEVELS}, got {self.text!r}; correct the recipe"
            )
        if self.chunk < 1:
            raise ValueError(f"expected chunk >= 1, got {self.chunk}; correct the recipe")

    @property
    def solved(self) -> bool:
        """True if a solver makes reference solutions; False for a problem that is only stated."""
        return True

    def uncoupled(self) -> BaseRecipe | None:
        """Return the recipe of the same test samples with the coupling of their fields cut; None if nothing is."""
        return None

    @property
    @abstractmethod
    def simulator(self) -> Simulator:
        """The simulator that makes the data."""

    @abstractmethod
    def frames_of(self, split: str) -> int:
        """The number of frames of each trajectory of a split."""

    def problem(self, split: str) -> Problem:
        """The description of the data of a split."""
        problem = self.simulator.problem(self.grid, self.frames_of(split))
        return dataclasses.replace(problem, boundary=self.boundary or (), has_text=bool(self.text))

    def draw(self, split: str, number: int) -> Draw:
        """The random inputs of one trajectory: the same whatever else is generated, where and when."""
        key = np.random.SeedSequence(self.seed, spawn_key=(SPLITS.index(split), number))
        return self.simulator.random_inputs(np.random.default_rng(key))

    def simulate(self, split: str, numbers: Sequence[int], device: str = "cpu", tick: Tick = silent) -> Trajectory:
        """Some trajectories of a split, fields in float32, times and parameters in float64.

        Raises:
            ValueError: if one cannot be made or a value is not finite; the message names the trajectory.
        """
        simulator, problem = self.simulator, self.problem(split)
        draws = [self.draw(split, number) for number in numbers]
        groups = [range(len(draws))] if simulator.steps else [[row] for row in range(len(draws))]
        made = []
        for rows in groups:
            some = [draws[row] for row in rows]
            try:
                marching = simulator.march(some, self.grid, device=device, tick=tick)
                made.append(collected(marching, problem.n_frames))
            except ValueError as error:
                if simulator.steps:
                    raise
                raise ValueError(
                    f"sample {numbers[rows[0]]} of {split} of {self.name} cannot be solved: {error}"
                ) from error
        params = parameters(simulator, draws)
        t = frame_times(problem, params, len(draws))
        u = torch.cat([u for u, _ in made])
        coeffs, mask = (
            torch.cat([getattr(last, part) for _, last in made]) if getattr(made[0][1], part) is not None else None
            for part in ("coeffs", "mask")
        )
        nodes = [last.nodes for _, last in made if last.nodes is not None]
        named = [f"trajectory {number} of {split}{_values(one)}" for number, one in zip(numbers, draws, strict=True)]
        _check_finite(u, t, named, simulator.remedy)
        if coeffs is not None:
            _check_finite(coeffs[:, None], t[:, :1], named, simulator.remedy)
        text = None
        if self.text:
            keys = [(self.seed, SPLITS.index(split), number) for number in numbers]
            text = captions_of(problem, params, u[:, 0], keys, MIXED if self.text is True else self.text)
        batch = Trajectory(
            u=u.float(),
            t=t,
            coeffs=None if coeffs is None else coeffs.float(),
            mask=None if mask is None else mask.float(),
            params=params,
            text=text,
            index=torch.tensor(list(numbers)),
            points=torch.cat([one.points for one in nodes]).float() if nodes else None,
            point_mask=torch.cat([one.there for one in nodes]) if nodes else None,
            cells=torch.cat([one.cells for one in nodes]) if nodes else None,
        )
        check_batch(batch, problem)
        return batch

    def work(self, split: str, n_trajectories: int) -> int:
        """Units of work that `simulate` reports to ``tick`` for so many trajectories."""
        return n_trajectories * self.simulator.work(self.frames_of(split))

    def check(self, device: str = "cpu", tick: Tick = silent) -> dict[str, Any]:
        """The self-convergence of the first `CHECKED` test trajectories, as plain values."""
        draws = [self.draw("test", number) for number in range(CHECKED)]
        return self_convergence(self.simulator, draws, self.grid, self.frames_of("test"), device, tick)

    @property
    def check_work(self) -> int:
        """Units of work that `check` reports to ``tick``."""
        return check_work(self.simulator, self.grid, self.frames_of("test"), CHECKED)

    def document(self) -> dict[str, Any]:
        """The recipe and the versions of what it names, as plain values."""
        return {"recipe": to_plain(self), "versions": self.versions()}

    def versions(self) -> dict[str, int]:
        """Versions of all that the data depend on."""
        found = versions(self)
        return found | {"pdekit.captions": VERSION} if self.text else found

    @property
    def hash(self) -> str:
        """Twelve digits that name the dataset: of the recipe's values and the versions of what it names."""
        text = to_json(self.document(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_counts(name: str, found: Mapping[str, int]) -> None:
    """Refuse what is no whole number of at least one for each split."""
    whole = isinstance(found, Mapping) and set(found) == set(SPLITS)
    if not whole or not all(is_whole(n) and n >= 1 for n in found.values()):
        raise ValueError(
            f"expected {name} >= 1 for each of {SPLITS}, got {found!r}; set data.{name}.NAME=NUMBER for each"
        )


def frame_times(problem: Problem, params: Tensor | None, n: int) -> Tensor:
    """Times of n trajectories in float64, "trajectory time", from 0 on."""
    dt = problem.at(params)[2] if problem.grid.uniform else problem.dt
    step = per_sample(0.0 if dt is None else dt, 2)
    return (torch.arange(problem.n_frames, dtype=torch.float64) * step).expand(n, -1).clone()


def _values(drawn: Draw) -> str:
    return f" with {drawn.params}" if drawn.params else ""


def _check_finite(u: Tensor, t: Tensor, named: Sequence[str], remedy: str) -> None:
    """Refuse NaN and Inf, naming trajectory and time."""
    bad = ~torch.isfinite(u).flatten(2).all(-1)
    if bad.any():
        row, frame = bad.nonzero()[0].tolist()
        raise ValueError(
            f"expected finite values, got NaN or Inf in {named[row]} at t = {t[row, frame]:.4g} (frame {frame}); "
            f"{remedy}"
        )
