"""The forecasts of a few samples, kept for looking at."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from pdekit.data.windows import collate
from pdekit.evaluation.archive import Archive
from pdekit.evaluation.checks import check_kept
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, ReferenceBlock, Setup
from pdekit.fields import Trajectory, n_values
from pdekit.plain import to_json

MOST_VALUES = 2**26
"""Values of all forecasts that are kept: 256 MiB in float32, before compression."""
MOST_FRAMES = 200


class Kept(Judge):
    """``forecasts.nc``: the forecasts of a few samples, at most `MOST_FRAMES` evenly spaced frames of each.

    The file also holds the inputs of the samples: coefficients by name (sample, *space*), ``mask`` (sample, field,
    *space*), and ``points``, ``point_mask`` and ``cells`` of a mesh. The coordinate ``sample`` is that of the scores.
    Where a model may have several members there is a dimension ``member``; the reference and models without randomness
    have the first one alone, NaN stands for the others.

    Args:
        setup: setup of the evaluation.
        archive: the file of forecasts.
    """

    def __init__(self, setup: Setup, archive: Archive):
        scoring, self.problem, self.contenders = setup.scoring, setup.problem, setup.contenders
        self.archive = archive
        self.samples = sorted(set(check_kept(scoring.keep, setup.n_samples)))
        self.members = min(scoring.keep.n_members, max(c.members for c in self.contenders))
        n_forecasts = 1 + sum(min(scoring.keep.n_members, c.members) for c in self.contenders)
        frame_size = self.problem.n_channels * n_values(self.problem.grid) * len(self.samples) * n_forecasts
        self.every = -(-setup.horizon // max(2, min(MOST_FRAMES, MOST_VALUES // max(1, frame_size))))
        self.lead = setup.lead[self.every - 1 :: self.every]
        self._given: list[Trajectory] = []

    def declare(self, archive: Archive) -> None:
        """Add coordinates and fields to the file of forecasts; nothing to that of scores."""
        grid, kept = self.problem.grid, self.archive
        axes = {name: grid.coordinates(i).numpy() for i, name in enumerate(grid.axes)} if grid.uniform else {}
        self.space = tuple(axes) or (("point",) if grid.shape else ())
        axes = axes or {name: np.arange(n) for name, n in zip(self.space, grid.shape, strict=True)}
        fields = {"field": [field.name for field in self.problem.fields]} if self.problem.has_mask else {}
        models = {"model": ["reference", *(c.name for c in self.contenders)]}
        samples = {"sample": np.array(self.samples), "time": self.lead}
        members = {"member": np.arange(self.members)} if self.members > 1 else {}
        for name, values in (models | samples | fields | axes | members).items():
            kept.coordinate(name, values)
        if grid.uniform:
            kept.say("grid", to_json({"layout": list(grid.layout), "extent": [float(x) for x in grid.extent]}))
        kept.put("kind", ("model",), ["reference", *(c.kind for c in self.contenders)])
        forecast = ("model", "member") if self.members > 1 else ("model",)
        for field in self.problem.fields:
            kept.declare(field.name, (*forecast, "sample", "time", *self.space), {"units": field.unit})

    def begin(self, batch: Batch) -> None:
        """Take in what is known of a batch of samples; batches follow each other."""
        self.first = batch.rows.start
        rows, places = self._places(self.first, len(batch.given))
        if rows:
            self._given.append(batch.given.samples(torch.tensor(rows)))
            if places.stop == len(self.samples):
                self._put_inputs(collate(self._given))

    def reference(self, block: ReferenceBlock) -> None:
        self._write(0, 0, block.frames.start, block.u)

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        """Write a part of a forecast, if its member is among those that are kept."""
        if member < self.members:
            self._write(row + 1, member, block.frames.start, block.u)

    def _places(self, first_sample: int, n: int) -> tuple[list[int], slice]:
        """Rows of a batch that are kept, and where they go."""
        rows = [sample - first_sample for sample in self.samples if first_sample <= sample < first_sample + n]
        before = sum(sample < first_sample for sample in self.samples)
        return rows, slice(before, before + len(rows))

    def _put_inputs(self, kept: Trajectory) -> None:
        coeffs = () if kept.coeffs is None else kept.coeffs.unbind(1)
        for field, values in zip(self.problem.coeffs, coeffs, strict=True):
            self.archive.put(field.name, ("sample", *self.space), values.cpu().numpy(), {"units": field.unit})
        if self.problem.has_mask:
            shape = (len(self.samples), self.problem.n_channels, *kept.mask.shape[2:])
            self.archive.put("mask", ("sample", "field", *self.space), kept.mask.expand(shape).cpu().numpy())
        mesh = {"points": ("point", "dim"), "point_mask": ("point",), "cells": ("cell", "corner")}
        there = {name: getattr(kept, name) for name in mesh if getattr(kept, name) is not None}
        whole = {
            name: values.to(torch.int8) if values.dtype == torch.bool else values for name, values in there.items()
        }
        self.archive.put_all(
            xr.Dataset({name: (("sample", *mesh[name]), values.cpu().numpy()) for name, values in whole.items()})
        )

    def _write(self, row: int, member: int, start: int, u: Tensor) -> None:
        rows, places = self._places(self.first, len(u))
        chosen = range(-(start + 1) % self.every, u.shape[1], self.every)
        if not rows or not chosen:
            return
        values = u[rows][:, list(chosen)].float().cpu().numpy()
        first = (start + 1 + chosen[0]) // self.every - 1
        forecast = (row, member) if self.members > 1 else (row,)
        where = (*forecast, places, slice(first, first + len(chosen)))
        for channel, field in enumerate(self.problem.fields):
            self.archive.write(field.name, where, values[:, :, channel])
