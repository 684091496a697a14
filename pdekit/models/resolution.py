"""Models on another grid of the same box: the weights are shared, the problem is another."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from pdekit.fields import Grid, Points, Problem, Trajectory
from pdekit.models.base import Stepper, Surrogate
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.operator import Operator
from pdekit.models.super_resolved import SuperResolved
from pdekit.models.wdno import WDNO
from pdekit.nets.fno import limited


def at_resolution(name: str, model: Surrogate, shape: Sequence[int]) -> Surrogate:
    """The same model on another grid of the same box; the two share their weights.

    Modes of an FNO that its training grid does not resolve were never trained. They are left out on a finer grid.

    Raises:
        ValueError: if the method is not one that steps with a net, or the net does not work on such a grid.
    """
    if tuple(shape) == tuple(model.problem.grid.shape):
        return model
    return _resized(model, name, shape)


@singledispatch
def _resized(model: Surrogate, name: str, shape: Sequence[int]) -> Surrogate:
    raise _refusal(model, name)


def _refusal(model: Surrogate, name: str) -> ValueError:
    return ValueError(
        f"expected a method whose net takes any grid, got {type(model).__name__} for {name!r}: it was made for "
        f"{'x'.join(map(str, model.problem.grid.shape))} points; evaluate it there"
    )


@_resized.register(Operator)
@_resized.register(Persistence)
def _same_weights(model: Any, name: str, shape: Sequence[int]) -> Any:
    resized = copy.copy(model)
    resized.problem = dataclasses.replace(model.problem, grid=model.problem.grid.resized(shape))
    return resized


@_resized.register(WDNO)
def _doubled(model: WDNO, name: str, shape: Sequence[int]) -> Surrogate:
    """Return the model on a coarser grid of its training, or refined to a grid of twice the points, or of more."""
    if model.pyramid is None:
        raise _refusal(model, name)
    halvings = model.pyramid.halvings(shape, model.n_target)[0]
    return SuperResolved(model, -halvings) if halvings < 0 else _same_weights(model, name, shape)


@_resized.register(Stepper)
def _tried(model: Stepper, name: str, shape: Sequence[int]) -> Stepper:
    resized = _same_weights(model, name, shape)
    resized._modules = {
        name: child if child is None else limited(child, model.problem.grid.shape)
        for name, child in model._modules.items()
    }
    try_step(resized)
    return resized


def on_grid_of(problem: Problem, batch: Trajectory) -> Problem:
    """Return the problem on the grid of a batch, which has as many points of each axis as its fields."""
    shape = tuple(batch.u.shape[3:])
    if not problem.on_box or problem.grid.shape == shape:
        return problem
    return dataclasses.replace(problem, grid=problem.grid.resized(shape))


def check_grids(name: str, model: Surrogate, grids: Sequence[Grid | Points]) -> None:
    """Raise ValueError if a model cannot train on data on several grids, with the reason that its method or net gives.

    Args:
        name: name of the model.
        model: the model, of the largest of the grids.
        grids: grids of the data.
    """
    for grid in grids if len(grids) > 1 else ():
        try:
            at_resolution(name, model, grid.shape)
        except ValueError as reason:
            sizes = ", ".join("x".join(map(str, other.shape)) for other in grids)
            raise ValueError(
                f"expected a method and a net that take the grids {sizes} of the data, got {name}: {reason}; train "
                "another model, or give data on one grid"
            ) from None


def try_step(model: Stepper) -> None:
    """One step from zero, so that a net which refuses the grid of the problem does so with its own sentence."""
    problem, place = model.problem, model.normaliser.like

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(1, *shape, *problem.grid.shape).to(place)

    on_points = not problem.grid.uniform
    frames = zeros(model.history, problem.n_channels)
    given = Trajectory(
        u=frames,
        forcing=zeros(model.history + 1, len(problem.forcing)) if problem.forcing else None,
        t=torch.zeros(1, model.history),
        coeffs=zeros(len(problem.coeffs)) if problem.coeffs else None,
        mask=zeros(problem.n_channels) if problem.has_mask else None,
        points=torch.zeros(1, *problem.grid.shape, problem.ndim).to(place) if on_points else None,
        point_mask=torch.ones(1, *problem.grid.shape, dtype=torch.bool, device=place.device) if on_points else None,
        params=torch.zeros(1, len(problem.params)).to(place) if problem.params else None,
        text=("",) if problem.has_text else None,
    )
    with torch.no_grad():
        model.step(frames, given, lambda like, call: torch.zeros_like(like))
