"""The error of a model on other grids than the one that it was trained on: coarser, finer, even and odd."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr

from pdekit.data.windows import Source
from pdekit.evaluation.baselines import shape_text
from pdekit.evaluation.forecasting import CPU, Contender
from pdekit.evaluation.references.choose import reference_for
from pdekit.evaluation.references.stored import Span
from pdekit.fields import Grid
from pdekit.metrics.horizons import mean_where_defined
from pdekit.metrics.pointwise import nrmse
from pdekit.metrics.sums import rounding_of
from pdekit.metrics.vanishing import frame_rms, vanished
from pdekit.models.base import Surrogate
from pdekit.models.resolution import at_resolution
from pdekit.plain import to_json
from pdekit.recipes.base import BaseRecipe

FRAMES = 10
SAMPLES = 8
SMALLEST = 4


def sizes_of(grid: Grid, shares: Sequence[float]) -> list[tuple[int, ...]]:
    """Grids that are these shares of a grid, each followed by the one with a point more on each axis.

    Of an axis of nodes it is the intervals that are counted, so that nodes fall on nodes.

    >>> sizes_of(Grid((64,), (1.0,)), (0.5, 1.0)), sizes_of(Grid((29,), (1.0,), layout=("nodes",)), (0.5, 2.0))
    ([(32,), (33,), (64,), (65,)], [(15,), (16,), (57,), (58,)])
    """
    ends = [layout == "nodes" for layout in grid.layout]
    grids = [
        tuple(max(SMALLEST, round(share * (n - end)) + end) for n, end in zip(grid.shape, ends, strict=True))
        for share in shares
    ]
    return list(dict.fromkeys(size for grid in grids for size in (grid, tuple(n + 1 for n in grid))))


def across_resolutions(
    models: Mapping[str, Surrogate],
    source: Source,
    recipe: BaseRecipe | None,
    shares: Sequence[float],
    horizon: int,
    device: torch.device = CPU,
    seed: int = 0,
) -> xr.Dataset:
    """nRMSE of each model on each grid, mean over fields, of a few samples from their first frame on.

    Returns:
        ``nrmse_by_resolution`` (model, resolution, resolution_sample, resolution_time): after one step and after
        `FRAMES` (or the horizon, if that is shorter). ``resolution`` is text ("64²"); NaN where a model refuses a grid
        or the reference cannot be brought to it, with the reason in the attribute ``absent`` (JSON: resolution, then
        model). ``resolution_points`` is the number of points along the first axis.
    """
    sizes = sizes_of(source.problem.box, shares)
    history = max(model.window[0] for model in models.values())
    n = 1 if source.problem.steady else min(FRAMES, horizon)
    picked = sorted({0, n - 1})
    n_samples = min(SAMPLES, source.n_trajectories)
    found = np.full((len(models), len(sizes), n_samples, len(picked)), np.nan, np.float32)
    lead, absent = np.zeros(len(picked)), {}
    span = Span(tuple(range(n_samples)), (0,) * n_samples, history, n, n)
    for column, shape in enumerate(sizes):
        reasons: dict[str, str] = {}
        try:
            reference = reference_for(source, recipe, history + n, shape, device)
        except ValueError as reason:
            absent[shape_text(shape)] = dict.fromkeys(models, str(reason))
            continue
        given, wanted = reference.frames(span)
        joined = torch.cat([given.u, wanted.u], 1)
        size = frame_rms(joined, reference.problem, wanted.mask)
        gone = vanished(size, reference.problem, rounding_of(joined))[:, -n:][:, picked]
        lead = (wanted.t[0] - (given.t[0, -1] if history else 0.0)).numpy()[picked]
        for row, (name, model) in enumerate(models.items()):
            try:
                contender = Contender(name, at_resolution(name, model, shape), "surrogate", seed, 1, device)
            except ValueError as reason:
                reasons[name] = str(reason)
                continue
            (u,) = next(contender.forecast(given, wanted.t, functools.partial(reference.forcing, span)))
            error = nrmse(u[:, picked].cpu(), wanted.u[:, picked], reference.problem, wanted.mask)
            found[row, column] = mean_where_defined(error.masked_fill(gone, torch.nan).numpy())
        if reasons:
            absent[shape_text(shape)] = reasons
    dims = ("model", "resolution", "resolution_sample", "resolution_time")
    attrs = {"units": "1", "long_name": "nRMSE on other grids", "absent": to_json(absent)}
    return xr.Dataset(
        {"nrmse_by_resolution": (dims, found, attrs), "resolution_points": ("resolution", [s[0] for s in sizes])},
        {"model": list(models), "resolution": [shape_text(s) for s in sizes], "resolution_time": lead},
    )
