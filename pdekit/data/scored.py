"""The reference that forecasts made elsewhere are scored against, and training data for baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from pdekit.data.arrays import Arrays
from pdekit.data.assembly import batches_of
from pdekit.data.description import Description
from pdekit.data.forecasts import opened_file
from pdekit.data.from_xarray import is_xarray
from pdekit.data.given import is_numpy_file, is_path
from pdekit.data.module import DataModule
from pdekit.data.windows import Source, on_one_grid
from pdekit.fields import AXES, Equation, Problem
from pdekit.same_box import rounded_as

OF_FILES = ("boundary", "pde")
"""Parts of a description that a file may lack."""


class Described:
    """A source whose problem is known better than its file says.

    Args:
        source: of the file.
        problem: of the same fields on the same grid.
    """

    def __init__(self, source: Source, problem: Problem):
        self.source, self.problem, self.n_trajectories = source, problem, source.n_trajectories
        self.read = source.read


def read_reference(data: Any, known: Any, about: Description, trust: Sequence[str] = ()) -> Source:
    """Return the trajectories that forecasts are scored against; float64 stays float64.

    Args:
        data: an array or tensor "sample time channel *space", an xarray object, the path of a file, or a source.
        known: the equation, or a problem that says what arrays do not state.
        about: what the data do not state themselves.
        trust: packages that formats may come from.

    Raises:
        FileNotFoundError, ValueError: if the data do not fit the description, or state more than one thing.
    """
    problem = known if isinstance(known, Problem) else None
    pde = known if problem is None else problem.pde
    if pde is not None and not isinstance(pde, Equation):
        raise ValueError(
            f"expected an equation of pdekit.pdes, the name of a dataset or a Problem, got {pde!r}; correct problem="
        )
    if pde is not None and about.pde is not None:
        raise ValueError("expected the equation once, got problem= and pde=; leave one out")
    about = dataclasses.replace(about, pde=pde or about.pde)
    if is_path(data) and not is_numpy_file(data):
        data = opened_file(data, trust)
    if isinstance(data, Source):
        return _with_equation(data, about)
    stated = is_xarray(data)
    n_axes = len({*AXES} & {*map(str, data.dims)}) if stated else np.ndim(data) - 3
    if pde is not None and not is_path(data) and n_axes not in pde.dims:
        raise ValueError(
            f"expected a reference with {' or '.join(map(str, pde.dims))} axes of space for {type(pde).__name__}, "
            f"found {n_axes}; correct problem=, or the axes sample time channel x y z"
        )
    if problem is not None:
        about = _filled(about, problem, stated)
    elif pde is not None and about.fields is None and not stated:
        about = dataclasses.replace(about, fields=pde.fields)
    try:
        found, batch = batches_of({"train": data}, about, exact=True)["train"]
        _check_equation(found)
        return Arrays(found, batch)
    except ValueError as error:
        raise ValueError(f"in the reference: {error}") from None


def _filled(about: Description, known: Problem, stated: bool) -> Description:
    """The description with what a problem says; an xarray object keeps its own coordinates and names."""
    if not known.grid.uniform:
        raise ValueError("expected a problem on a grid for arrays, got a point cloud; give files with their points")
    parts: dict[str, Any] = {"boundary": known.boundary}
    if not stated:
        grid = known.grid
        parts |= {"dt": known.dt, "extent": grid.extent, "origin": grid.origin, "layout": grid.layout}
        parts["fields"] = known.fields
    lacking = {name: value for name, value in parts.items() if not getattr(about, name)}
    return dataclasses.replace(about, **lacking)


def _with_equation(source: Source, about: Description) -> Source:
    """A file with its equation and boundary, if they are given."""
    usual = Description()
    parts = {item.name: getattr(about, item.name) for item in dataclasses.fields(about)}
    more = {name: value for name, value in parts.items() if value is not None and value != getattr(usual, name)}
    wrong = sorted(set(more) - set(OF_FILES))
    if wrong:
        raise ValueError(f"expected no {', '.join(wrong)} for a file that states them itself; leave them out")
    if not more:
        return source
    problem = dataclasses.replace(source.problem, **more)
    _check_equation(problem)
    return Described(source, problem)


def _check_equation(problem: Problem) -> None:
    """Raise ValueError if an equation has other unknowns or dimensions than the data."""
    pde = problem.pde
    if pde is None:
        return
    if len(pde.fields) != problem.n_channels or problem.ndim not in pde.dims:
        raise ValueError(
            f"expected the {len(pde.fields)} fields {[field.name for field in pde.fields]} of {type(pde).__name__} in "
            f"{' or '.join(map(str, pde.dims))} dimensions, found {[field.name for field in problem.fields]} in "
            f"{problem.ndim}; give the data's own equation, or none"
        )


def read_training(data: Any, like: Problem, known: Any, about: Description, trust: Sequence[str] = ()) -> Source:
    """Return training trajectories of the problem of a reference.

    Args:
        data: as in `read_reference`, or a data module, of which the training split is taken.
        like: problem of the reference.
        known, about, trust: as in `read_reference`; inputs and masks of the reference are not those of training.

    Raises:
        ValueError: if fields, grid, time step or inputs are others.
    """
    if isinstance(data, DataModule):
        source = on_one_grid(data.sources["train"], "to score")
    else:
        mask = about.mask if about.mask is not None and np.ndim(about.mask) == like.ndim else None
        about = dataclasses.replace(about, coeffs=None, params=None, mask=mask)
        if known is None and like.grid.uniform:  # arrays have the box and the time step of the reference
            known, about = like, dataclasses.replace(about, pde=None)
        try:
            source = read_reference(data, known, about, trust)
        except ValueError as error:
            raise ValueError(f"in train: {error}") from None
    problem = rounded_as(source.problem, like)
    for part in ("fields", "coeffs", "params", "grid", "dt"):
        found, expected = getattr(problem, part), getattr(like, part)
        if found != expected:
            raise ValueError(f"expected train with the {part} of the reference, {expected}, found {found}; correct it")
    return source
