"""Trajectories of a recipe: random parameters and starts, warm-up, steps, frames on the stored grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.resample import restrict
from pdekit.fields import Grid, Trajectory
from pdekit.recipes.base import INITIAL, PARAMS, Tick, silent
from pdekit.recipes.trajectories import Recipe


@dataclass(frozen=True)
class Setting:
    """Some trajectories of a recipe, ready to be advanced.

    Args:
        pde, grid, dt: with the parameters of the trajectories; values that vary are "batch 1 *1". The grid is the
            solver's, dt the time between frames.
        params: "batch param" in float64, None if nothing varies.
        key: split and numbers of the trajectories.
    """

    recipe: Recipe
    pde: Any
    grid: Grid
    dt: Any
    params: Tensor | None
    key: tuple[str, tuple[int, ...]]
    device: str

    @property
    def substeps(self) -> int:
        return self.recipe.substeps

    def step(self, grid: Grid, substeps: int) -> Any:
        """The recipe's solver on a grid, with so many steps between frames."""
        options = {"dtype": getattr(torch, self.recipe.dtype), "device": self.device}
        if not grid.periodic:
            options["boundary"] = self.recipe.problem(self.key[0]).boundary
        return self.recipe.solver(self.pde, grid, self.dt / substeps, **options)

    def sample(self, grid: Grid) -> Float[Tensor, "batch channel *space"]:
        """The random starts on a grid."""
        split, numbers = self.key
        starts = []
        for row, number in enumerate(numbers):
            extent = [float(length.flatten()[row]) if isinstance(length, Tensor) else length for length in grid.extent]
            own = Grid(grid.shape, tuple(extent), grid.origin, grid.layout)
            generator = self.recipe.generator(split, number, INITIAL)
            starts.append(self.recipe.initial(own, self.pde.fields, generator))
        return torch.stack(starts).to(self.device)

    def start(self, tick: Tick = silent) -> Float[Tensor, "batch channel *space"]:
        """The state of the first frame on the solver's grid: the random start, after the warm-up."""
        step = self.step(self.grid, self.substeps)
        state = step.encode(self.sample(self.grid))
        for _ in range(self.recipe.warmup_steps):
            state = step.advance(state)
            tick(len(self.key[1]))
        return step.decode(state)

    def march(
        self,
        u: Float[Tensor, "batch channel *space"],
        grid: Grid,
        n_frames: int,
        substeps: int,
        tick: Tick = silent,
    ) -> Float[Tensor, "batch time channel *stored"]:
        """Frames on the stored grid from a start on a solver's grid; the start is the first."""
        step = self.step(grid, substeps)
        stored = self.recipe.grid.shape
        state = step.encode(u)
        averages = self.recipe.averages
        frames = [restrict(step.decode(state), grid, stored, averages)]
        for _ in range(n_frames - 1):
            for _ in range(substeps):
                state = step.advance(state)
            frames.append(restrict(step.decode(state), grid, stored, averages))
            tick(len(u) * substeps)
        return torch.stack(frames, 1).cpu()


def setting(recipe: Recipe, split: str, numbers: Sequence[int], device: str = "cpu") -> Setting:
    """Draw the parameters of some trajectories."""
    rows = []
    for number in numbers:
        generator = recipe.generator(split, number, PARAMS)
        rows.append([draw(generator) for draw in recipe.params.values()])
    params = torch.tensor(rows, dtype=torch.float64) if recipe.params else None
    pde, grid, dt = recipe.problem(split).at(None if params is None else params.to(device))
    grid = grid.resized(recipe.solver_shape or recipe.grid.shape)
    return Setting(recipe, pde, grid, dt, params, (split, tuple(numbers)), device)


@torch.no_grad()
def simulate(
    recipe: Recipe, split: str, numbers: Sequence[int], device: str = "cpu", tick: Tick = silent
) -> Trajectory:
    """Some trajectories of a split.

    Raises:
        ValueError: if a value is not finite; the message names trajectory and time.
    """
    chosen = setting(recipe, split, numbers, device)
    u = chosen.march(chosen.start(tick), chosen.grid, recipe.n_frames[split], recipe.substeps, tick)
    t = torch.arange(u.shape[1], dtype=torch.float64)
    dt = chosen.dt.cpu().reshape(-1, 1) if isinstance(chosen.dt, Tensor) else chosen.dt
    t = (t * dt).expand(len(u), -1).clone()
    _check_finite(recipe, chosen, u, t)
    names = list(recipe.params)
    text = None
    if recipe.text:
        rows = [[]] * len(u) if chosen.params is None else chosen.params.tolist()
        text = tuple(recipe.pde.describe(dict(zip(names, row, strict=True))) for row in rows)
    return Trajectory(u=u.to(torch.float32), t=t, params=chosen.params, text=text, index=torch.tensor(chosen.key[1]))


def _check_finite(recipe: Recipe, chosen: Setting, u: Tensor, t: Tensor) -> None:
    bad = ~torch.isfinite(u).flatten(2).all(-1)
    if not bad.any():
        return
    row, frame = bad.nonzero()[0].tolist()
    split, numbers = chosen.key
    values = (
        "" if chosen.params is None else f" with {dict(zip(recipe.params, chosen.params[row].tolist(), strict=True))}"
    )
    raise ValueError(
        f"expected finite values, got NaN or Inf in trajectory {numbers[row]} of {split}{values} at t = "
        f"{t[row, frame]:.4g} (frame {frame}); the solver is unstable there: raise substeps (now {recipe.substeps}), "
        "refine solver_shape or soften the initial condition"
    )
