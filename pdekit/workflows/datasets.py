"""The data of a run: of a recipe, published files of a dataset, files of the user, or an object in memory."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pdekit.data.loading import Loading
from pdekit.data.module import DataModule
from pdekit.data.published import open_published
from pdekit.recipes.base import BaseRecipe
from pdekit.recipes.instance import in_words, instance_from
from pdekit.recipes.trajectories import with_equation

NAME = re.compile(r"\w[\w.-]*")  # becomes part of the name of a folder


def recipe_of(config: Mapping[str, Any], trust: Sequence[str] = ()) -> BaseRecipe | None:
    """Return the recipe that a configuration names; None for files of the user (``path=PATH name=NAME``).

    Raises:
        ValueError: if neither a dataset nor files are named, or both.
    """
    name, path = config.get("name"), config.get("path")
    if config.get("data") is not None:
        if name is not None:
            raise ValueError(
                f"expected data=NAME for a dataset of pdekit or name={name} for files of your own, found both; leave "
                "out one of them"
            )
        # parameters that a run found from measurements take the place of those of the dataset
        return with_parameters(instance_from(config["data"], config.get("instance"), trust), config.get("found", {}))
    if not path:
        raise ValueError(
            "expected data=NAME, or path=FOLDER (or FILE) name=NAME for your own files, found neither; a run of "
            "arrays in memory needs data= in Python, or path=FOLDER after from_arrays(folder=FOLDER)"
        )
    if config.get("instance"):
        raise ValueError(f"expected a dataset of pdekit for instance={config['instance']}, found files; leave it out")
    check_name(name)
    return None


def instance_in_words(config: Mapping[str, Any], recipe: BaseRecipe | None, trust: Sequence[str] = ()) -> str:
    """Return a line that says which instance a run solves; nothing if it solves no single one."""
    if recipe is None or not config.get("instance"):
        return ""
    return "\n" + in_words(instance_from(config["data"], None, trust), recipe, config["instance"])


def with_parameters(recipe: BaseRecipe, values: Mapping[str, float]) -> BaseRecipe:
    """Return the recipe with other parameters of its equation; the recipe itself without any."""
    if not values:
        return recipe
    return dataclasses.replace(recipe, **with_equation(recipe, values))


def check_name(name: str | None) -> None:
    """Refuse names of a user's dataset that are missing or cannot be part of the name of a folder.

    Raises:
        ValueError: on such a name.
    """
    if name is None or not NAME.fullmatch(str(name)):
        raise ValueError(
            f"expected a name of letters, digits, '_', '-' and '.' for your own data, found {name!r}; give name=NAME "
            "(or data=NAME for published files of a dataset of pdekit)"
        )


def open_files(
    path: str | Path, name: str, recipe: BaseRecipe | None, loading: Loading | None = None, trust: Sequence[str] = ()
) -> DataModule:
    """Open files of the user, or published files in place of those that a recipe generates.

    Args:
        path: folder, see `pdekit.data.published.open_published`.
        name: name of the dataset.
        recipe: recipe of the dataset; None for files of the user.
        loading: batch sizes, workers, seed.
        trust: packages in addition to pdekit that a stored equation may come from.

    Raises:
        FileNotFoundError, ValueError: if nothing known is there, or the files hold other fields than the dataset.
    """
    data = open_published(path, name if recipe is None else recipe.name, loading, trust)
    if recipe is not None:
        wanted, found = ([field.name for field in p.fields] for p in (recipe.problem("train"), data.problem))
        if wanted != found:
            raise ValueError(
                f"expected files of {recipe.name!r} with the fields {wanted} in {path}, found {found}; give files of "
                "another dataset a name of their own: path=FOLDER name=NAME without data="
            )
    return data
