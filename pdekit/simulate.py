"""`pdekit.solve`: trajectories or steady samples of a known equation in memory, with names and units."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from omegaconf import DictConfig, OmegaConf

from pdekit.calculus.remap import remap
from pdekit.calculus.resample import resample
from pdekit.given import scalar, state
from pdekit.labelled import to_dataset
from pdekit.recipes.base import BaseRecipe
from pdekit.recipes.cases import SolvedRecipe
from pdekit.recipes.simulation import setting
from pdekit.recipes.trajectories import Recipe, recipe_from

RECIPES = Path(__file__).parent / "configs" / "data"


def recipe_named(name: str) -> BaseRecipe:
    """A recipe that ships with pdekit.

    Raises:
        ValueError: if there is none of that name; the message lists those that exist.
    """
    path = RECIPES / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in RECIPES.glob("*.yaml"))
        raise ValueError(f"expected the name of a dataset, got {name!r}; there are: {', '.join(known)}")
    return recipe_from(OmegaConf.to_container(_composed(path), resolve=True))


def _composed(path: Path) -> DictConfig:
    """A recipe file upon the files that its ``defaults`` name, as Hydra composes them."""
    config = OmegaConf.load(path)
    bases = [base for base in config.pop("defaults", []) if base != "_self_"]
    return OmegaConf.merge(*(_composed(path.with_name(f"{base}.yaml")) for base in bases), config)


@torch.no_grad()
def solve(
    name: str,
    u0: Any = None,
    n_frames: int | None = None,
    n_trajectories: int = 1,
    params: Mapping[str, float] | None = None,
    shape: Sequence[int] | None = None,
    seed: int | None = None,
    device: str = "cpu",
) -> xr.Dataset:
    """Solve the equation of a dataset with its reference solver.

    Args:
        name: of a dataset, e.g. "ks", "kolmogorov" or "darcy"; it says equation, box, solver, step and what is random.
        u0: the starts, "sample channel *space" (or one of them; "*space" alone if there is one field; or an xarray
            object with those axes), in physical units; None draws them as the dataset does, warm-up included.
        n_frames: frames to return, the first one included; the dataset's test length if None.
        n_trajectories: how many starts to draw; ignored with u0.
        params: parameters of the equation that shall have another value; of a case (steady problems, geometries), what
            it draws or its own numbers.
        shape: points of the grid that is solved on and returned; the dataset's if None.
        seed: of the starts that are drawn; the dataset's if None.
        device: "cpu" or "cuda".

    Returns:
        One variable for each field, dims (sample, time, x, y, z), in the precision of the dataset's solver. Of a case
        also its inputs: coefficient fields (sample, x, y, z) and drawn scalars (sample); NaN where a field does not
        exist.

    Raises:
        ValueError: unknown dataset or parameter, or a parameter outside the limits of the equation; numbers below one;
            u0 with another shape, names, dimensions or coordinates, or with values that are not real and finite.
    """
    if n_trajectories < 1 or (n_frames is not None and n_frames < 1):
        raise ValueError(f"expected n_frames and n_trajectories >= 1, got {n_frames} and {n_trajectories}")
    recipe = recipe_named(name)
    if isinstance(recipe, SolvedRecipe):
        if u0 is not None or n_frames is not None:
            raise ValueError(f"expected no u0 and no n_frames for {name}, which is solved as a whole; leave them out")
        return _solve_case(recipe, n_trajectories, dict(params or {}), shape, seed)
    recipe = _changed(recipe, params or {}, shape, seed)
    problem = recipe.problem("test")
    if u0 is not None:
        u0 = state(u0, problem)[:, 0].to(device)
        if tuple(u0.shape[2:]) != problem.grid.shape:
            raise ValueError(
                f"expected an array that ends in {(problem.n_channels, *problem.grid.shape)}, got {tuple(u0.shape)}; "
                f"give shape={tuple(u0.shape[2:])} to solve on its grid"
            )
        n_trajectories = len(u0)
    chosen = setting(recipe, "test", range(n_trajectories), device)
    # averages over cells are no samples of a band-limited field
    refined = remap if recipe.averages else resample
    start = chosen.start() if u0 is None else refined(u0, chosen.grid.shape)
    n_frames = recipe.n_frames["test"] if n_frames is None else n_frames
    u = chosen.march(start, chosen.grid, n_frames, recipe.substeps)
    t = torch.arange(n_frames, dtype=torch.float64)
    steps = chosen.dt.cpu().reshape(-1, 1) if isinstance(chosen.dt, torch.Tensor) else chosen.dt
    return to_dataset(u, t * steps, problem)


def _changed(recipe: Recipe, params: Mapping[str, Any], shape: Sequence[int] | None, seed: int | None) -> Recipe:
    """Return a recipe with other parameters of the equation, another grid and another seed."""
    known = [item.name for item in dataclasses.fields(recipe.pde)]
    wrong = sorted(set(params) - set(known))
    if wrong:
        raise ValueError(f"expected parameters of {type(recipe.pde).__name__} among {known}, got {wrong}")
    changes: dict[str, Any] = {}
    if params:
        values = {
            key: value if isinstance(value, int) else float(scalar(f"params[{key!r}]", value))
            for key, value in params.items()
        }
        changes["pde"] = dataclasses.replace(recipe.pde, **values)
        changes["pde"].check()
        changes["params"] = {key: draw for key, draw in recipe.params.items() if key not in params}
    if shape is not None:
        changes.update(grid=recipe.grid.resized(shape), solver_shape=None)
    if seed is not None:
        changes["seed"] = seed
    return dataclasses.replace(recipe, **changes)


def _solve_case(
    recipe: SolvedRecipe, n_samples: int, params: dict[str, Any], shape: Sequence[int] | None, seed: int | None
) -> xr.Dataset:
    """Samples of a case, drawn as those of the test split."""
    own = {item.name for item in dataclasses.fields(recipe.case)}
    wrong = sorted(set(params) - set(recipe.case.params) - own)
    if wrong:
        raise ValueError(
            f"expected numbers that {type(recipe.case).__name__} draws ({', '.join(recipe.case.params) or 'none'}) or "
            f"has ({', '.join(sorted(own))}), got {wrong}"
        )
    changed = {key: value for key, value in params.items() if key not in recipe.case.params}
    recipe = dataclasses.replace(
        recipe,
        case=dataclasses.replace(recipe.case, **changed),
        grid=recipe.grid if shape is None else recipe.grid.resized(shape),
        seed=recipe.seed if seed is None else seed,
    )
    problem, case, drawn, solved = recipe.problem("test"), recipe.case, [], []
    for number in range(n_samples):
        one = recipe.draw("test", number)
        one = dataclasses.replace(one, params={name: params.get(name, value) for name, value in one.params.items()})
        drawn.append(one)
        solved.append(case.solve(one, recipe.grid))
    u = np.stack([one.u if one.mask is None else np.where(one.mask > 0, one.u, np.nan) for one in solved])
    data = to_dataset(torch.from_numpy(u), torch.arange(u.shape[1], dtype=torch.float64) * (case.dt or 0.0), problem)
    for i, coeff in enumerate(problem.coeffs):
        values = np.stack([one.coeffs[i] for one in solved])
        data[coeff.name] = (("sample", *problem.grid.axes), values, {"units": coeff.unit, "long_name": coeff.name})
    for name in case.params:
        data[name] = ("sample", np.array([one.params[name] for one in drawn]))
    return data
