"""The forecasts of a few samples, kept for looking at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.forecasting import Contender
from pdekit.fields import Grid, Problem, n_values

MOST_VALUES = 2**26
"""Values of all forecasts that are kept: 256 MiB in float32, before compression."""
MOST_FRAMES = 200


class Kept:
    """``forecasts.nc``: the forecasts of a few samples, at most `MOST_FRAMES` evenly spaced frames of each."""

    def __init__(
        self,
        folder: Path,
        problem: Problem,
        contenders: Sequence[Contender],
        n_samples: int,
        lead: np.ndarray,
        attrs: dict[str, Any],
    ):
        frame_size = problem.n_channels * n_values(problem.grid) * n_samples * (len(contenders) + 1)
        self.every = -(-len(lead) // max(2, min(MOST_FRAMES, MOST_VALUES // max(1, frame_size))))
        self.n_samples, self.problem = n_samples, problem
        grid = problem.grid
        axes = {name: grid.coordinates(i).numpy() for i, name in enumerate(grid.axes)} if isinstance(grid, Grid) else {}
        self.space = tuple(axes) or (("point",) if grid.shape else ())
        axes = axes or {name: np.arange(n) for name, n in zip(self.space, grid.shape, strict=True)}
        coords = {
            "model": ["reference", *(c.name for c in contenders)],
            "sample": np.arange(n_samples),
            "time": lead[self.every - 1 :: self.every],
            **axes,
        }
        if isinstance(grid, Grid):
            described = {"layout": list(grid.layout), "extent": [float(x) for x in grid.extent]}
            attrs = {**attrs, "grid": json.dumps(described)}
        self.archive = Archive(folder / "forecasts.nc", coords, attrs)
        self.archive.put("kind", ("model",), ["reference", *(c.kind for c in contenders)])
        for field in problem.fields:
            self.archive.declare(field.name, ("model", "sample", "time", *self.space), {"units": field.unit})

    def write_reference(self, first_sample: int, frames: slice, u: Tensor) -> None:
        self._write(0, first_sample, frames.start, u)

    def write(self, row: int, member: int, first_sample: int, frames: slice, u: Tensor) -> None:
        """The first member of each model."""
        if member == 0:
            self._write(row + 1, first_sample, frames.start, u)

    def _write(self, row: int, first_sample: int, start: int, u: Tensor) -> None:
        n = min(len(u), self.n_samples - first_sample)
        chosen = range(-(start + 1) % self.every, u.shape[1], self.every)
        if n <= 0 or not chosen:
            return
        values = u[:n, list(chosen)].float().cpu().numpy()
        place = (start + 1 + chosen[0]) // self.every - 1
        where = (slice(first_sample, first_sample + n), slice(place, place + len(chosen)))
        for channel, field in enumerate(self.problem.fields):
            self.archive.write(field.name, (row, *where), values[:, :, channel])
