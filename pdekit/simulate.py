"""`pdekit.solve`: trajectories or steady samples of a known equation in memory, with names and units."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from omegaconf import DictConfig, OmegaConf

from pdekit.fields import Problem
from pdekit.given import check_device, check_size, scalar, state
from pdekit.labelled import to_dataset
from pdekit.plain import by_name, is_whole
from pdekit.recipes.base import BaseRecipe, frame_times
from pdekit.recipes.cases import SolvedRecipe
from pdekit.recipes.trajectories import recipe_from, with_equation
from pdekit.simulators.base import Frame, collected, parameters
from pdekit.simulators.joint import JointParams
from pdekit.typed_values import MAX_FRAMES, check_numbers_of

RECIPES = Path(__file__).parent / "configs" / "data"


def named_problem(problem: Any) -> tuple[Any, BaseRecipe | None]:
    """Return what is known of arrays, and the recipe of a dataset that is named.

    Args:
        problem: name of a dataset, whose problem is returned with its recipe; anything else is returned as it is.

    Raises:
        ValueError: if there is no such dataset.
    """
    recipe = recipe_named(problem) if problem and isinstance(problem, str) else None
    return (problem if recipe is None else recipe.problem("test")), recipe


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
        name: name of a dataset, e.g. "ks", "kolmogorov" or "darcy"; it sets equation, box, solver, step and
            random draws.
        u0: the starts, "sample channel *space" (or one of them; "*space" alone if there is one field; or an xarray
            object with those axes), in physical units; None draws them as the dataset does, warm-up included.
        n_frames: frames to return, the first one included; the dataset's test length if None.
        n_trajectories: number of initial states to draw; ignored with u0.
        params: parameters of the equation that shall have another value; of a case (steady problems, geometries), what
            it draws or its own numbers.
        shape: points of the grid that is solved on and returned; the dataset's if None.
        seed: seed of the initial states; that of the dataset if None.
        device: "cpu" or "cuda".

    Returns:
        One variable for each field, dims (sample, time, x, y, z), in the precision of the dataset's solver. Of a case
        also its inputs: coefficient fields (sample, x, y, z) and drawn scalars (sample); NaN where a field does not
        exist.

    Raises:
        ValueError: unknown dataset, parameter, device; a parameter outside the limits of the equation; numbers below 1;
            u0 with another shape, names, dimensions or coordinates, or with values that are not real and finite.
    """
    check_numbers_of(n_trajectories=n_trajectories, n_frames=n_frames)
    check_device(device)
    if n_frames is not None and n_frames > MAX_FRAMES:
        raise ValueError(f"expected n_frames from 1 to {MAX_FRAMES:,}, got {n_frames}; correct n_frames")
    recipe = recipe_named(name)
    simulator = recipe.simulator
    if not simulator.steps and (u0 is not None or n_frames is not None):
        raise ValueError(f"expected no u0 and no n_frames for {name}, which is solved as a whole; leave them out")
    recipe, given = _with_params(recipe, by_name(params, "params"), checked_shape(shape, recipe.problem("test").ndim))
    if seed is not None:
        recipe = dataclasses.replace(recipe, seed=seed)
    problem = recipe.problem("test")
    if u0 is not None:
        u0 = _start(u0, problem).to(device)
        n_trajectories = len(u0)
    problem = dataclasses.replace(problem, n_frames=problem.n_frames if n_frames is None else n_frames)
    check_size("the solution", n_trajectories, problem.n_frames, problem.n_channels, *problem.grid.shape)
    draws = [recipe.draw("test", number) for number in range(n_trajectories)]
    draws = [dataclasses.replace(one, params={**one.params, **given}) for one in draws]
    u, last = collected(recipe.simulator.march(draws, recipe.grid, start=u0, device=device), problem.n_frames)
    t = frame_times(problem, parameters(recipe.simulator, draws), len(draws))
    data = _labelled(u, last, t if "dt" in problem.params else t[0], problem)
    for key in () if simulator.steps else problem.params:
        data[key] = ("sample", np.array([one.params[key] for one in draws]))
    return data


def checked_shape(shape: Any, ndim: int) -> tuple[int, ...] | None:
    """A shape that was given, as whole numbers.

    Raises:
        ValueError: if it is not a sequence of one whole number above zero for each axis.
    """
    sizes = [] if isinstance(shape, str) or not isinstance(shape, Iterable) else list(shape)
    if shape is None or (len(sizes) == ndim and all(is_whole(n) and n >= 1 for n in sizes)):
        return None if shape is None else tuple(int(n) for n in sizes)
    example = ", ".join(["64"] * ndim) + ("," if ndim == 1 else "")
    raise ValueError(f"expected shape as {ndim} whole numbers above zero, got {shape!r}; for example shape=({example})")


def only_value(name: str, value: Any) -> float:
    """The one value of a parameter.

    Raises:
        ValueError: if it is not one finite number.
    """
    values = scalar(f"params[{name!r}]", value)
    if len(values) > 1:
        raise ValueError(f"expected one value for params[{name!r}], got {len(values)}; solve for one value at a time")
    return float(values)


def _start(u0: Any, problem: Problem) -> torch.Tensor:
    """The starts that were given, "sample channel *space", on the grid of the problem."""
    u = state(u0, problem)[:, 0]
    if tuple(u.shape[2:]) != problem.grid.shape:
        raise ValueError(
            f"expected an array that ends in {(problem.n_channels, *problem.grid.shape)}, got {tuple(u.shape)}; "
            f"give shape={tuple(u.shape[2:])} to solve on its grid"
        )
    return u


def _labelled(u: torch.Tensor, last: Frame, t: torch.Tensor, problem: Problem) -> xr.Dataset:
    """Frames and coefficient fields with names and units; NaN where a field does not exist."""
    if last.mask is not None:
        u = torch.where(last.mask[:, None] > 0, u, torch.nan)
    data = to_dataset(u, t, problem)
    for coeff, values in zip(problem.coeffs, () if last.coeffs is None else last.coeffs.unbind(1), strict=True):
        about = {"units": coeff.unit, "long_name": coeff.name}
        data[coeff.name] = (("sample", *problem.grid.axes), values.numpy(), about)
    return data


@singledispatch
def _with_params(
    recipe: BaseRecipe, params: dict[str, Any], shape: Sequence[int] | None
) -> tuple[BaseRecipe, dict[str, float]]:
    """The recipe with other parameters of its equation, which do not vary then, on another grid; and those that replace
    what is drawn, where parameters are drawn together."""
    known = [item.name for item in dataclasses.fields(recipe.pde)]
    wrong = sorted(set(params) - set(known))
    if wrong:
        raise ValueError(
            f"expected parameters of {type(recipe.pde).__name__} among {known}, got {wrong}; correct params"
        )
    changes: dict[str, Any] = {}
    values = {key: int(value) if is_whole(value) else only_value(key, value) for key, value in params.items()}
    drawn: dict[str, float] = {}
    joint = isinstance(recipe.params, JointParams)
    if joint:
        drawn = {key: values.pop(key) for key in recipe.params if key in values}
        recipe.pde.check(drawn)
    if values:
        changes |= with_equation(recipe, values)
        changes["pde"].check()
        if not joint:
            changes["params"] = {key: draw for key, draw in recipe.params.items() if key not in params}
    if shape is not None:
        changes.update(grid=recipe.grid.resized(shape), solver_shape=None)
    return dataclasses.replace(recipe, **changes), drawn


@_with_params.register(SolvedRecipe)
def _with_case_params(
    recipe: SolvedRecipe, params: dict[str, Any], shape: Sequence[int] | None
) -> tuple[BaseRecipe, dict[str, float]]:
    """The recipe with other numbers of its case on another grid, and those that replace what is drawn."""
    case = recipe.case
    own = {item.name for item in dataclasses.fields(case)}
    wrong = sorted(set(params) - set(case.params) - own)
    if wrong:
        raise ValueError(
            f"expected numbers that {type(case).__name__} draws ({', '.join(case.params) or 'none'}) or "
            f"has ({', '.join(sorted(own))}), got {wrong}; correct params"
        )
    changed = {key: value for key, value in params.items() if key not in case.params}
    recipe = dataclasses.replace(
        recipe,
        case=dataclasses.replace(case, **changed),
        grid=recipe.grid if shape is None else recipe.grid.resized(shape),
    )
    return recipe, {key: value for key, value in params.items() if key in case.params}
