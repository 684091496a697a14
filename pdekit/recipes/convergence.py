"""How far a recipe's reference can be trusted: the same trajectories with half the step, and on a finer grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.resample import resample
from pdekit.fields import Field, Grid
from pdekit.recipes.base import CHECKED, Tick, silent
from pdekit.recipes.simulation import setting
from pdekit.recipes.trajectories import Recipe

REFINEMENT = 1.5  # of the grid, in each axis
ERROR, CORRELATION = 0.1, 0.8  # thresholds of the times of agreement


@torch.no_grad()
def self_convergence(recipe: Recipe, device: str = "cpu", tick: Tick = silent) -> dict[str, Any]:
    """Errors of the reference on the first trajectories of the test split, from the first frame on.

    "step" compares the recipe's step with half of it; "space" compares the recipe's grid with a finer one (see
    `refined`), both with half the step. Both start from the state of the first frame, or from the same random function
    on the finer grid if there is no warm-up.

    Returns:
        Plain values to store with the data: ``time`` (frames, in nominal dt), for both checks the relative error and
        the correlation of each trajectory at each time (the worst field), and the times until which they agree:
        error < 0.1 and correlation > 0.8, for each trajectory, null where they agree to the end.
    """
    n_frames = recipe.n_frames["test"]
    chosen = setting(recipe, "test", range(CHECKED), device)
    start = chosen.start(tick)
    fine_grid = chosen.grid.resized(refined(chosen.grid, recipe.grid if recipe.averages else None))
    fine_start = chosen.sample(fine_grid) if recipe.warmup == 0 else _prolong(recipe, start, chosen.grid, fine_grid)
    substeps = chosen.substeps
    plain = chosen.march(start, chosen.grid, n_frames, substeps, tick)
    half = chosen.march(start, chosen.grid, n_frames, 2 * substeps, tick)
    fine = chosen.march(fine_start, fine_grid, n_frames, 2 * substeps, tick)
    time = torch.arange(n_frames, dtype=torch.float64) * recipe.dt
    found: dict[str, Any] = {
        "trajectories": CHECKED,
        "solver_shape": list(chosen.grid.shape),
        "finer_shape": list(fine_grid.shape),
        "substeps": substeps,
        "time": _rounded(time),
    }
    for name, one, other in (("step", plain, half), ("space", half, fine)):
        error = relative_error(one, other, recipe.pde.fields)
        correlation = lowest_correlation(one, other, recipe.pde.fields)
        found[f"error_{name}"] = _rounded(error)
        found[f"correlation_{name}"] = _rounded(correlation)
        found[f"time_of_error_{name}"] = first_time(time, error >= ERROR)
        found[f"time_of_correlation_{name}"] = first_time(time, correlation <= CORRELATION)
    return found


def refined(grid: Grid, stored: Grid | None = None) -> tuple[int, ...]:
    """1.5 times as many points (an even number) on periodic axes, twice as many intervals on the others.

    For averages over cells, the next grid with an odd number of cells in each cell of the stored grid.
    """
    if stored is not None:
        return tuple(n + 2 * m for n, m in zip(grid.shape, stored.shape, strict=True))
    return tuple(
        2 * round(REFINEMENT * n / 2) if layout == "periodic" else 2 * n - 1 if layout == "nodes" else 2 * n
        for n, layout in zip(grid.shape, grid.layout, strict=True)
    )


def _prolong(recipe: Recipe, u: Tensor, grid: Grid, fine: Grid) -> Tensor:
    """A state on a finer grid, band-limited."""
    if not grid.periodic or recipe.averages:
        raise ValueError(
            f"expected no warm-up for {type(recipe.pde).__name__} on layout {grid.layout}, got {recipe.warmup}; a "
            "state after a warm-up is only refined where it is band-limited: set warmup to 0"
        )
    return resample(u, fine.shape)


Frames = Float[Tensor, "batch time channel *space"]
Scores = Float[Tensor, "batch time"]


def relative_error(u: Frames, reference: Frames, fields: Sequence[Field]) -> Scores:
    """||u - reference|| / ||reference|| of the worst field or group (vector, complex pair) at each time.

    One that passes through zero is measured against a thousandth of its largest norm.
    """
    worst = torch.zeros(u.shape[:2], dtype=torch.float64)
    for one, other in _groups(u, reference, fields):
        norm = torch.linalg.vector_norm(other, dim=-1)
        scale = torch.maximum(norm, 1e-3 * norm.amax(1, keepdim=True)).clamp_min(1e-300)
        worst = torch.maximum(worst, torch.linalg.vector_norm(one - other, dim=-1) / scale)
    return worst


def lowest_correlation(u: Frames, reference: Frames, fields: Sequence[Field]) -> Scores:
    """Pearson's correlation over space of the worst field or group at each time; 1 where the reference is uniform."""
    worst = torch.ones(u.shape[:2], dtype=torch.float64)
    for one, other in _groups(u, reference, fields):
        a, b = one - one.mean(-1, keepdim=True), other - other.mean(-1, keepdim=True)
        norms = torch.linalg.vector_norm(a, dim=-1) * torch.linalg.vector_norm(b, dim=-1)
        varies = norms > 1e-20 * other.square().sum(-1)
        worst = torch.minimum(worst, torch.where(varies, (a * b).sum(-1) / norms.clamp_min(1e-300), 1.0))
    return worst


def _groups(u: Frames, reference: Frames, fields: Sequence[Field]) -> Iterator[tuple[Tensor, Tensor]]:
    """Each group of channels as "batch time value" in float64."""
    for name in dict.fromkeys(field.group for field in fields):
        which = [i for i, field in enumerate(fields) if field.group == name]
        yield u[:, :, which].flatten(2).to(torch.float64), reference[:, :, which].flatten(2).to(torch.float64)


def first_time(time: Float[Tensor, "time"], crossed: Tensor) -> list[float | None]:
    """For each trajectory the first time at which something holds, None if never."""
    found: list[float | None] = []
    for row in crossed:
        where = row.nonzero()
        found.append(float(time[where[0, 0]]) if len(where) else None)
    return found


def _rounded(values: Tensor) -> list:
    """Four digits are enough to be read, and keep the file small."""
    if values.ndim > 1:
        return [_rounded(row) for row in values]
    return [float(f"{value:.4g}") for value in values.tolist()]
