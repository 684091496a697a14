"""One instance of a dataset's equation: its initial state as a function, fixed parameters, a span of time.

A recipe file may hold a block ``instances: {name: {...}}``. A block gives the ``state`` (a function of
pdekit.pdes.initial_states) and whatever of the recipe is different for this instance: equation, grid, solver_shape,
dt, substeps, n_frames. The instance is a dataset of its own with one trajectory, for methods that solve one instance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pdekit.pdes.initial_states import interpolated
from pdekit.plain import by_name, is_number, is_whole
from pdekit.recipes.base import SPLITS, BaseRecipe
from pdekit.recipes.initial.fixed import Fixed
from pdekit.recipes.trajectories import Recipe, recipe_from

SAMPLE = "sample"


def instance_from(config: Mapping[str, Any], instance: str | None, trust: Sequence[str] = ()) -> BaseRecipe:
    """The recipe of one instance of a data configuration.

    Args:
        config: plain values, see pdekit/configs/data.
        instance: the name of a block of the configuration; ``sample:N`` for the start of trajectory N of the test
            split (periodic grids only), as the trigonometric polynomial through its grid values; None for the
            recipe itself.
        trust: packages in addition to pdekit that the configuration may name.

    Raises:
        ValueError: if there is no such instance; the message lists those that exist.
    """
    if instance is None:
        return recipe_from(config, trust)
    kind, _, number = instance.partition(":")
    blocks, name = by_name(config.get("instances"), "instances"), config.get("name")
    if kind == SAMPLE and number.isdigit():
        recipe: Any = recipe_from(config, trust)
        if not recipe.starts:
            raise ValueError(
                f"expected a dataset with random starts for instance={instance}, got {recipe.name}; "
                "choose another dataset"
            )
        return sample_instance(recipe, int(number))
    if instance not in blocks:
        known = possible_instances(recipe_from(config, trust), blocks)
        if not known:
            raise ValueError(
                f"expected a dataset with an instance, found {name}, which has none: no block of instances, and no "
                "random starts on a periodic box; choose another dataset or method"
            )
        raise ValueError(
            f"expected instance=NAME of {name} among {', '.join(known)}, got {instance!r} (a PINN takes 'published' "
            f"where none is named); choose one of these, or add a block to instances of {name}"
        )
    block = by_name(blocks[instance], f"instances.{instance}")
    changed = {**config, "params": {}, "warmup": 0.0, "text": False, **block}
    changed["initial"] = {"_target_": f"{Fixed.__module__}.Fixed", "state": changed.pop("state")}
    changed["n_trajectories"] = dict.fromkeys(SPLITS, 1)
    n_frames = changed["n_frames"]
    changed["n_frames"] = dict.fromkeys(SPLITS, n_frames if is_whole(n_frames) else n_frames["test"])
    return recipe_from(changed, trust)


def possible_instances(recipe: BaseRecipe, blocks: Mapping[str, Any]) -> list[str]:
    """Return the instances that a dataset has: its blocks, and test trajectories that start on a periodic box."""
    starts = recipe.starts and recipe.grid.periodic and recipe.grid.ndim > 0
    return [*blocks, *([f"{SAMPLE}:N"] if starts else [])]


def in_words(dataset: BaseRecipe, chosen: BaseRecipe, instance: str) -> str:
    """Return a sentence that says which instance is solved, and where it differs from its dataset.

    Args:
        dataset: the recipe of the data configuration.
        chosen: number of the instance's trajectory.
        instance: its name.
    """
    ours, theirs = _numbers(chosen), _numbers(dataset)
    changed = [
        f"{name} {value} ({theirs[name]} in the dataset)" for name, value in ours.items() if value != theirs[name]
    ]
    differs = f", which differs from the dataset in {'; '.join(changed)}" if changed else ""
    return f"instance {instance} of {dataset.name}{differs}"


def _numbers(recipe: BaseRecipe) -> dict[str, str]:
    """Return what makes an instance, as texts by name."""
    found = {item.name: getattr(recipe.pde, item.name) for item in dataclasses.fields(recipe.pde)}
    found = {name: f"{value:.4g}" for name, value in found.items() if is_number(value)}
    found["box"] = " x ".join(f"{float(length):.4g}" for length in recipe.grid.extent)
    found["points"] = " x ".join(str(n) for n in recipe.grid.shape)
    return found | {"dt": f"{recipe.dt:.4g}", "frames": str(recipe.n_frames["test"])}


def sample_instance(recipe: Recipe, number: int) -> Recipe:
    """The instance of one test trajectory: its first frame (after the warm-up) and its parameters."""
    if not recipe.grid.periodic:
        raise ValueError(
            f"expected a periodic grid for instance=sample:{number}, got layout {recipe.grid.layout}; "
            "choose a dataset on a periodic box"
        )
    if number >= recipe.n_trajectories["test"]:
        raise ValueError(
            f"expected sample:N with N < {recipe.n_trajectories['test']}, the test trajectories, got {number}; lower N"
        )
    drawn, simulator = recipe.draw("test", number), recipe.simulator
    values = dict(drawn.params)
    extent = [values.pop(f"length_{letter}", length) for letter, length in zip("xyz", recipe.grid.extent, strict=False)]
    own = dataclasses.replace(recipe.grid, extent=tuple(extent)).resized(simulator.shape_at(recipe.grid))
    state = interpolated(simulator.first_state([drawn], recipe.grid)[0], own)
    return dataclasses.replace(
        recipe,
        dt=values.pop("dt", recipe.dt),
        grid=dataclasses.replace(recipe.grid, extent=tuple(extent)),
        pde=dataclasses.replace(recipe.pde, **values),
        initial=Fixed(state),
        params={},
        warmup=0.0,
        n_trajectories=dict.fromkeys(SPLITS, 1),
        n_frames=dict.fromkeys(SPLITS, recipe.n_frames["test"]),
    )
