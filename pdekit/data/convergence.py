"""How far a recipe's reference can be trusted: the same trajectories with half the step, and on a finer grid."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.resample import resample
from pdekit.data.recipe import Recipe
from pdekit.data.simulation import Tick, setting, silent
from pdekit.fields import Grid

TRAJECTORIES = 4
REFINEMENT = 1.5  # of the grid, in each axis
ERROR, CORRELATION = 0.1, 0.8  # thresholds of the times of agreement


@torch.no_grad()
def self_convergence(recipe: Recipe, device: str = "cpu", tick: Tick = silent) -> dict[str, Any]:
    """Errors of the reference on the first trajectories of the test split, from the first frame on.

    "step" compares the recipe's step with half of it; "space" compares the recipe's grid with one 1.5 times finer
    (twice on cells), both with half the step. Both start from the state of the first frame, or from the same random
    function on the finer grid if there is no warm-up.

    Returns:
        Plain values to store with the data: ``time`` (frames, in nominal dt), for both checks the relative error and
        the correlation of each trajectory at each time (the worst field), and the times until which they agree:
        error < 0.1 and correlation > 0.8, for each trajectory, null where they agree to the end.
    """
    n_frames = recipe.n_frames["test"]
    chosen = setting(recipe, "test", range(TRAJECTORIES), device)
    start = chosen.start(tick)
    fine_grid = chosen.grid.resized(refined(chosen.grid))
    fine_start = chosen.sample(fine_grid) if recipe.warmup == 0 else _prolong(start, chosen.grid, fine_grid)
    substeps = chosen.substeps
    plain = chosen.march(start, chosen.grid, n_frames, substeps, tick)
    half = chosen.march(start, chosen.grid, n_frames, 2 * substeps, tick)
    fine = chosen.march(fine_start, fine_grid, n_frames, 2 * substeps, tick)
    time = torch.arange(n_frames, dtype=torch.float64) * recipe.dt
    found: dict[str, Any] = {
        "trajectories": TRAJECTORIES,
        "solver_shape": list(chosen.grid.shape),
        "finer_shape": list(fine_grid.shape),
        "substeps": substeps,
        "time": _rounded(time),
    }
    for name, one, other in (("step", plain, half), ("space", half, fine)):
        error, correlation = relative_error(one, other), lowest_correlation(one, other)
        found[f"error_{name}"] = _rounded(error)
        found[f"correlation_{name}"] = _rounded(correlation)
        found[f"time_of_error_{name}"] = first_time(time, error >= ERROR)
        found[f"time_of_correlation_{name}"] = first_time(time, correlation <= CORRELATION)
    return found


def work(recipe: Recipe) -> int:
    """Steps x trajectories of the check, for a progress bar."""
    warmup = round(recipe.warmup / recipe.dt * recipe.substeps)
    return TRAJECTORIES * (warmup + 5 * recipe.substeps * (recipe.n_frames["test"] - 1))


def refined(grid: Grid) -> tuple[int, ...]:
    """1.5 times as many points (an even number) on periodic axes, twice as many intervals on the others."""
    return tuple(
        2 * round(REFINEMENT * n / 2) if layout == "periodic" else 2 * n if layout == "cells" else 2 * n - 1
        for n, layout in zip(grid.shape, grid.layout, strict=True)
    )


def _prolong(u: Tensor, grid: Grid, fine: Grid) -> Tensor:
    """A state on a finer grid: band-limited, or the same mean in both halves of a cell."""
    if grid.periodic:
        return resample(u, fine.shape)
    for axis, layout in enumerate(grid.layout, start=2):
        if layout == "nodes":
            raise ValueError(f"expected periodic or cell axes for a warm-up, got {grid.layout}; set warmup to 0")
        u = u.repeat_interleave(fine.shape[axis - 2] // grid.shape[axis - 2], axis)
    return u


Frames = Float[Tensor, "batch time channel *space"]
Scores = Float[Tensor, "batch time"]


def relative_error(u: Frames, reference: Frames) -> Scores:
    """||u - reference|| / ||reference|| of the worst channel at each time.

    A channel that passes through zero is measured against a thousandth of its largest norm.
    """
    u, reference = _flat(u), _flat(reference)
    norm = torch.linalg.vector_norm(reference, dim=-1)
    floor = 1e-3 * norm.amax(1, keepdim=True)
    error = torch.linalg.vector_norm(u - reference, dim=-1)
    return (error / torch.maximum(norm, floor).clamp_min(1e-300)).amax(-1)


def lowest_correlation(u: Frames, reference: Frames) -> Scores:
    """Pearson's correlation over space of the worst channel at each time; 1 where both are uniform."""
    a, b = _flat(u), _flat(reference)
    scale = 1e-20 * b.square().sum(-1)
    a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
    norms = torch.linalg.vector_norm(a, dim=-1) * torch.linalg.vector_norm(b, dim=-1)
    return torch.where(norms > scale, (a * b).sum(-1) / norms.clamp_min(1e-300), 1.0).amin(-1)


def _flat(u: Tensor) -> Tensor:
    """ "batch time channel point" in float64."""
    return u.reshape(*u.shape[:3], -1).to(torch.float64)


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
