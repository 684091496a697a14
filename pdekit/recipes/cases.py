"""A recipe of samples that are solved as wholes: a case (equation, geometry, random inputs, solver) on a grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pdekit.boundaries import Ends
from pdekit.cases.base import Case, Draw, Solved
from pdekit.data.writer import check_batch
from pdekit.fields import Problem, Trajectory
from pdekit.plain import versions
from pdekit.recipes.base import CHECKED, INITIAL, BaseRecipe, Tick, silent

REFINEMENT = 1.5  # of the solver's resolution, in the check
REFINED_WORK = 2  # what a refined sample costs, in plain ones


@dataclass(frozen=True, kw_only=True)
class SolvedRecipe(BaseRecipe):
    """How to make a dataset of a case: see `BaseRecipe` for what all recipes share.

    Args:
        case: what is drawn and solved. Its numbers, and the versions of case and equation, are covered by the hash.
        boundary: (lower, upper) condition of each axis; that of the grid's layout if None.
        chunk: samples of one file of an unfinished dataset: what is lost when a run is interrupted.

    Raises:
        ValueError: if a parameter of the case is none of its equation, or has the name of a coefficient or field.
    """

    configurable = True

    case: Case
    boundary: Sequence[Ends] | None = None
    chunk: int = 8

    def __post_init__(self):
        super().__post_init__()
        known = [item.name for item in dataclasses.fields(self.case.pde)]
        for name in self.case.params:
            if name not in known:
                raise ValueError(
                    f"expected params of {type(self.case).__name__} among the fields {known} of its equation, got "
                    f"{name!r}; add the field to the equation"
                )
            for kind, items in (("coefficient", self.case.pde.coeffs), ("field", self.case.pde.fields)):
                if name in [item.name for item in items]:
                    raise ValueError(
                        f"expected one name for one thing, got a parameter and a {kind} {name!r} of "
                        f"{type(self.case).__name__}: an equation could not tell them apart; rename the parameter"
                    )

    def problem(self, split: str) -> Problem:
        case = self.case
        return Problem(
            self.grid,
            case.pde.fields,
            case.dt,
            case.n_frames,
            boundary=self.boundary or (),
            coeffs=case.pde.coeffs,
            params=case.params,
            has_text=self.text,
            pde=case.pde,
            has_mask=case.has_mask,
        )

    def versions(self) -> dict[str, int]:
        """Of what the recipe names, and of the equation, which the case makes itself."""
        return {**super().versions(), **versions(self.case.pde)}

    def draw(self, split: str, number: int) -> Draw:
        """The random inputs of one sample."""
        return self.case.draw(self.generator(split, number, INITIAL))

    def simulate(self, split: str, numbers: Sequence[int], device: str = "cpu", tick: Tick = silent) -> Trajectory:
        _on_cpu(device)
        draws = [self.draw(split, number) for number in numbers]
        samples = []
        for number, drawn in zip(numbers, draws, strict=True):
            samples.append(self._solve(split, number, drawn, 1.0))
            tick(1)
        params = [[drawn.params[name] for name in self.case.params] for drawn in draws]
        times = torch.arange(self.case.n_frames, dtype=torch.float64) * (self.case.dt or 0.0)
        batch = Trajectory(
            u=_stacked([sample.u for sample in samples]),
            t=times.expand(len(samples), -1).clone(),
            coeffs=_stacked([sample.coeffs for sample in samples]) if self.case.pde.coeffs else None,
            mask=_stacked([sample.mask for sample in samples]) if self.case.has_mask else None,
            params=torch.tensor(params, dtype=torch.float64) if self.case.params else None,
            text=tuple(self.case.pde.describe(drawn.params) for drawn in draws) if self.text else None,
            index=torch.tensor(list(numbers)),
        )
        check_batch(batch, self.problem(split))
        return batch

    def work(self, split: str, n_trajectories: int) -> int:
        return n_trajectories

    def check(self, device: str = "cpu", tick: Tick = silent) -> dict[str, Any]:
        """The same samples with the solver's resolution 1.5 times as fine.

        Beside ``error_space`` (the worst field or group at each time, ||u - finer|| / ||finer||) there are
        ``error_by_field``, the same of each field, and ``deviation_by_field``, the error divided by the finer one's
        deviation from its mean (what counts for a temperature in kelvin), the largest over time for each sample.
        """
        _on_cpu(device)
        fields = self.case.pde.fields
        found: dict[str, Any] = {
            "trajectories": CHECKED,
            "refinement": REFINEMENT,
            "time": [n * (self.case.dt or 0.0) for n in range(self.case.n_frames)],
            "error_space": [],
            "error_by_field": {field.name: [] for field in fields},
            "deviation_by_field": {field.name: [] for field in fields},
        }
        for number in range(CHECKED):
            drawn = self.draw("test", number)
            plain = self._solve("test", number, drawn, 1.0)
            tick(1)
            finer = self._solve("test", number, drawn, REFINEMENT)
            tick(REFINED_WORK)
            found["error_space"].append(_rounded(worst_error(plain, finer, [field.group for field in fields])))
            for i, field in enumerate(fields):
                error, deviation = errors(plain, finer, [i])
                found["error_by_field"][field.name].append(_rounded(error.max(keepdims=True))[0])
                found["deviation_by_field"][field.name].append(_rounded(deviation.max(keepdims=True))[0])
        return found

    @property
    def check_work(self) -> int:
        return CHECKED * (1 + REFINED_WORK)

    def _solve(self, split: str, number: int, drawn: Draw, refinement: float) -> Solved:
        """One sample, of which every value is finite.

        Raises:
            ValueError: if it is not, or the case fails; the message names the sample.
        """
        try:
            solved = self.case.solve(drawn, self.grid, refinement)
        except ValueError as error:
            raise ValueError(f"sample {number} of {split} of {self.name} cannot be solved: {error}") from error
        for part, values in (("u", solved.u), ("coeffs", solved.coeffs)):
            if not np.isfinite(values).all():
                raise ValueError(
                    f"expected finite values, got NaN or Inf in {part} of sample {number} of {split} with "
                    f"{drawn.params}; the case must give zero where a field does not exist, and fail otherwise"
                )
        if (solved.mask is None) == self.case.has_mask:
            raise ValueError(
                f"expected {'a' if self.case.has_mask else 'no'} mask as has_mask of {type(self.case).__name__} says, "
                f"got {'none' if solved.mask is None else 'one'} in sample {number} of {split}; correct the case"
            )
        return solved


def errors(one: Solved, other: Solved, channels: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """||one - other|| of some channels at each time, divided by ||other|| and by its deviation from its mean.

    Points where both exist count. A norm of zero gives an error of zero if there is no difference.
    """
    picked = list(channels)
    a, b = one.u[:, picked], other.u[:, picked]
    inside = np.ones_like(b)
    if one.mask is not None and other.mask is not None:
        inside = np.broadcast_to((one.mask[picked] > 0) & (other.mask[picked] > 0), b.shape).astype(float)
    axes = tuple(range(2, b.ndim))
    mean = (inside * b).sum(axes, keepdims=True) / inside.sum(axes, keepdims=True).clip(1)

    def norm(values: np.ndarray) -> np.ndarray:
        return np.sqrt((inside * values**2).sum((1, *axes)))

    tiny = np.finfo(float).tiny
    return norm(a - b) / norm(b).clip(tiny), norm(a - b) / norm(b - mean).clip(tiny)


def worst_error(one: Solved, other: Solved, groups: Sequence[str]) -> np.ndarray:
    """The relative error of the worst group of channels (vector, complex pair, single field) at each time."""
    members = [[i for i, name in enumerate(groups) if name == group] for group in dict.fromkeys(groups)]
    return np.max([errors(one, other, channels)[0] for channels in members], axis=0)


def _on_cpu(device: str) -> None:
    if device != "cpu":
        raise ValueError(f"expected device=cpu for samples that a case solves, got {device!r}; use workers=N instead")


def _stacked(parts: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(parts).astype(np.float32))


def _rounded(values: np.ndarray) -> list[float]:
    """Four digits are enough to be read."""
    return [float(f"{value:.4g}") for value in values]
