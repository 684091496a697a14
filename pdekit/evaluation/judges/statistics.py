"""Statistics of forecasts next to those of their references, over the second half of the horizon."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, ReferenceBlock, Setup
from pdekit.evaluation.references.stored import mask_of
from pdekit.fields import Problem
from pdekit.metrics.statistics import (
    FEWEST_FRAMES,
    QUANTILES,
    STATISTICS,
    Window,
    descriptions,
    dimension,
    points_of,
)


class Statistics(Judge):
    """Writes the statistics of every member of every model, of the reference, and their floor.

    Windows are open for one batch: memory holds one frame and the series of each member of each model.
    Nothing is written where the window would be shorter than `FEWEST_FRAMES`.
    """

    def __init__(self, setup: Setup):
        self.setup, self.problem = setup, setup.problem
        self.n_frames = frames_of(setup.horizon)
        self.first = setup.horizon - self.n_frames
        self.active = self.n_frames > 0
        grid = self.problem.grid
        whole = self.problem.on_box and not self.problem.has_mask
        self.measures = [measure for measure in STATISTICS if whole or not measure.whole_box]
        self.spectral = whole
        self.without_space = not grid.shape
        self.windows: dict[tuple[int, int], Window] = {}

    def declare(self, archive: Archive) -> None:
        self.archive, units = archive, self.setup.units
        if not self.active:
            return
        for name, values in self.coords(self.problem, self.setup.horizon).items():
            archive.coordinate(name, values)
        for measure in self.measures:
            dims = () if measure.joint else ("field",)
            attrs = {"units": units if measure.unit_power else "1"}
            self.archive.declare(measure.name, ("model", "member", "sample", *dims), attrs)
            self.archive.declare(f"{measure.name}_floor", ("sample", *dims), attrs)
        declared = {
            "autocorrelation_time": (("field",), "time"),
            "frequency_spectrum": (("field", "frequency"), f"({units})^2"),
            "one_point_quantile": (("field", "quantile"), units),
        } | ({"correlation_dimension": ((), "1")} if self.without_space else {})
        for name, (extra, unit) in declared.items():
            kind = "f8" if name == "frequency_spectrum" else "f4"  # squares of 1e20 are no numbers of float32
            self.archive.declare(name, ("model", "member", "sample", *extra), {"units": unit}, kind=kind)
            self.archive.declare(f"{name}_reference", ("sample", *extra), {"units": unit}, kind=kind)

    @staticmethod
    def coords(problem: Problem, horizon: int) -> dict[str, Any]:
        """Frequencies (at the nominal step) and shares of the quantiles; none if there will be no statistics."""
        n = frames_of(horizon)
        if not n:
            return {}
        frequency = np.arange(n // 2 + 1) / (n * problem.step)
        return {"frequency": frequency, "quantile": (np.arange(QUANTILES) + 0.5) / QUANTILES}

    def begin(self, batch: Batch) -> None:
        """Open the windows of a batch."""
        if not self.active:
            return
        self.samples, self.mask, self.windows = batch.rows, mask_of(batch.given), {}
        self.dt = (batch.t[:, -1] - batch.t[:, 0]) / (batch.t.shape[1] - 1)
        self.points = points_of(self.problem, len(batch.t), self.n_frames, self.mask)
        self.halves = self._window(), self._window()

    def reference(self, block: ReferenceBlock) -> None:
        if not self.active:
            return
        frames, half = block.frames, self.n_frames // 2
        for number, window in enumerate(self.halves):
            start = self.first + number * half
            inside = slice(max(start - frames.start, 0), min(start + half, frames.stop) - frames.start)
            if inside.stop > inside.start:
                window.update(block.sums, inside)

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        if self.active and block.frames.stop > self.first:
            window = self.windows.setdefault((row, member), self._window())
            window.update(block.sums.forecast, slice(max(self.first - block.frames.start, 0), None))

    def finish(self) -> None:
        """Write the statistics of a batch, all frames of which have come."""
        if not self.active:
            return
        reference = self.halves[0].joined(self.halves[1])
        for measure in self.measures:
            self._put(f"{measure.name}_floor", (), measure.function(*self.halves))
        for name, value in self._descriptions(reference).items():
            self._put(f"{name}_reference", (), value)
        for place, window in self.windows.items():
            for measure in self.measures:
                self._put(measure.name, place, measure.function(window, reference))
            for name, value in self._descriptions(window).items():
                self._put(name, place, value)
        self.windows = {}

    def _descriptions(self, window: Window) -> dict[str, Tensor]:
        found = descriptions(window)
        found["autocorrelation_time"] = found["autocorrelation_time"] * self.dt.unsqueeze(-1)
        if self.without_space:
            found["correlation_dimension"] = dimension(window)
        return found

    def _window(self) -> Window:
        return Window(self.problem, self.points, self.spectral, self.mask)

    def _put(self, name: str, place: tuple[int, ...], values: Tensor) -> None:
        self.archive.write(name, (*place, self.samples), values)


def frames_of(horizon: int) -> int:
    """Frames of the window: an even number, at most half of the horizon; none if they would be too few."""
    n = horizon // 2 // 2 * 2
    return n if n >= FEWEST_FRAMES else 0
