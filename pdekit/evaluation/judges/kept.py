"""The forecasts of a few samples, kept for looking at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from pdekit.data.windows import collate
from pdekit.evaluation.archive import Archive
from pdekit.evaluation.forecasting import Contender
from pdekit.fields import Grid, Problem, Trajectory, n_values

MOST_VALUES = 2**26
"""Values of all forecasts that are kept: 256 MiB in float32, before compression."""
MOST_FRAMES = 200


class Kept:
    """``forecasts.nc``: the forecasts of a few samples, at most `MOST_FRAMES` evenly spaced frames of each.

    Beside them stand the inputs of the samples: coefficients by name (sample, *space*), ``mask`` (sample, field,
    *space*), and ``points``, ``point_mask`` and ``cells`` of a mesh. The coordinate ``sample`` is that of the scores.
    Where a model may have several members there is a dimension ``member``; the reference and models without randomness
    have the first one alone, NaN stands for the others.

    Args:
        folder, problem, contenders, attrs: of the evaluation.
        samples: numbers of those to keep.
        members: of each model that are kept, at most: the first ones.
        lead: lead times.
    """

    def __init__(
        self,
        folder: Path,
        problem: Problem,
        contenders: Sequence[Contender],
        samples: Sequence[int],
        members: int,
        lead: np.ndarray,
        attrs: dict[str, Any],
    ):
        self.samples = sorted(set(samples))
        self.members, self.contenders = members, contenders
        n_forecasts = 1 + sum(min(members, c.members) for c in contenders)
        frame_size = problem.n_channels * n_values(problem.grid) * len(self.samples) * n_forecasts
        self.every = -(-len(lead) // max(2, min(MOST_FRAMES, MOST_VALUES // max(1, frame_size))))
        self.problem = problem
        grid = problem.grid
        axes = {name: grid.coordinates(i).numpy() for i, name in enumerate(grid.axes)} if isinstance(grid, Grid) else {}
        self.space = tuple(axes) or (("point",) if grid.shape else ())
        axes = axes or {name: np.arange(n) for name, n in zip(self.space, grid.shape, strict=True)}
        coords = {
            "model": ["reference", *(c.name for c in contenders)],
            "sample": np.array(self.samples),
            "time": lead[self.every - 1 :: self.every],
            **({"field": [field.name for field in problem.fields]} if problem.has_mask else {}),
            **axes,
        }
        if isinstance(grid, Grid):
            described = {"layout": list(grid.layout), "extent": [float(x) for x in grid.extent]}
            attrs = {**attrs, "grid": json.dumps(described)}
        self.archive = Archive(folder / "forecasts.nc", coords, attrs)
        self.archive.put("kind", ("model",), ["reference", *(c.kind for c in contenders)])
        self._given: list[Trajectory] = []

    def declare(self) -> None:
        """Room for the forecasts, once it is known which models have members (see `Contender.warm_up`)."""
        self.members = min(self.members, max(c.members for c in self.contenders))
        forecast = ("model", "member") if self.members > 1 else ("model",)
        if self.members > 1:
            self.archive.coordinate("member", np.arange(self.members))
        for field in self.problem.fields:
            self.archive.declare(field.name, (*forecast, "sample", "time", *self.space), {"units": field.unit})

    def _places(self, first_sample: int, n: int) -> tuple[list[int], slice]:
        """Rows of a batch that are kept, and where they go."""
        rows = [sample - first_sample for sample in self.samples if first_sample <= sample < first_sample + n]
        before = sum(sample < first_sample for sample in self.samples)
        return rows, slice(before, before + len(rows))

    def write_inputs(self, first_sample: int, given: Trajectory) -> None:
        """What is known of a batch of samples; batches follow each other."""
        rows, places = self._places(first_sample, len(given))
        if rows:
            self._given.append(given.samples(torch.tensor(rows)))
            if places.stop == len(self.samples):
                self._put_inputs(collate(self._given))

    def _put_inputs(self, kept: Trajectory) -> None:
        for channel, field in enumerate(self.problem.coeffs):
            values = kept.coeffs[:, channel].cpu().numpy()
            self.archive.put(field.name, ("sample", *self.space), values, {"units": field.unit})
        if self.problem.has_mask:
            shape = (len(self.samples), self.problem.n_channels, *kept.mask.shape[2:])
            self.archive.put("mask", ("sample", "field", *self.space), kept.mask.expand(shape).cpu().numpy())
        mesh = {"points": ("point", "dim"), "point_mask": ("point",), "cells": ("cell", "corner")}
        there = {name: getattr(kept, name) for name in mesh if getattr(kept, name) is not None}
        self.archive.put_all(
            xr.Dataset({name: (("sample", *mesh[name]), values.cpu().numpy()) for name, values in there.items()})
        )

    def write_reference(self, first_sample: int, frames: slice, u: Tensor) -> None:
        self._write(0, 0, first_sample, frames.start, u)

    def write(self, row: int, member: int, first_sample: int, frames: slice, u: Tensor) -> None:
        """A part of a forecast, if its member is among those that are kept."""
        if member < self.members:
            self._write(row + 1, member, first_sample, frames.start, u)

    def _write(self, row: int, member: int, first_sample: int, start: int, u: Tensor) -> None:
        rows, places = self._places(first_sample, len(u))
        chosen = range(-(start + 1) % self.every, u.shape[1], self.every)
        if not rows or not chosen:
            return
        values = u[rows][:, list(chosen)].float().cpu().numpy()
        first = (start + 1 + chosen[0]) // self.every - 1
        forecast = (row, member) if self.members > 1 else (row,)
        where = (*forecast, places, slice(first, first + len(chosen)))
        for channel, field in enumerate(self.problem.fields):
            self.archive.write(field.name, where, values[:, :, channel])
