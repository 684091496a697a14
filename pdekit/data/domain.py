"""Range of the training split, stored with a run, and the distance of a start from it.

The range is a box: the smallest and largest value of each parameter, and of the mean and the deviation over space of
each field in the first and the last frames of training trajectories. The distance is how far a start lies outside, in
widths of the box, the largest of all. The width of a mean is at least the largest deviation of its field.

Limits: a box says nothing of shapes: a start within it may be unlike all training states (``python -m pdekit.check``
compares it with its nearest neighbour).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from torch import Tensor

from pdekit.data.windows import Source
from pdekit.fields import Problem, Trajectory
from pdekit.plain import check_ranges, from_json, to_json
from pdekit.provenance import write_whole

DOMAIN = "domain.json"
KNOWN = 128
"""Training trajectories that are read."""
OUTSIDE = 0.2
"""Widths of the box beyond which a start counts as outside."""

Range = tuple[float, float]


@dataclass(frozen=True)
class KnownRange:
    """A box of numbers by name: ``viscosity``, ``mean of u``, ``deviation of u``."""

    ranges: Mapping[str, Range]

    def distances(self, given: Trajectory, problem: Problem) -> dict[str, float]:
        """Return how far starts lie outside, in widths of the box, by name; the farthest start, and 0 inside."""
        found = {}
        for name, values in numbers_of(given, problem).items():
            if name not in self.ranges:
                continue
            low, high = self.ranges[name]
            width = self._width(name)
            beyond = max(float((low - values).max()), float((values - high).max()), 0.0) / width
            found[name] = beyond if math.isfinite(beyond) else math.inf
        return found

    def _width(self, name: str) -> float:
        """Return the width of a range; of a mean at least the largest deviation, because many equations keep means."""
        low, high = self.ranges[name]
        if name.startswith("mean of "):
            return max(high - low, self.ranges["deviation" + name.removeprefix("mean")][1]) or 1.0
        return high - low or abs(high) or 1.0

    def noted(self, given: Trajectory, problem: Problem) -> str:
        """Return `in_words`, with a warning if a start lies outside."""
        words = self.in_words(given, problem)
        if words.startswith("outside"):
            warnings.warn(f"the forecast starts {words}; do not trust it without a check", stacklevel=4)
        return words

    def in_words(self, given: Trajectory, problem: Problem) -> str:
        """Return one line: "inside the training range", or what lies outside of it and how far."""
        found = {name: far for name, far in self.distances(given, problem).items() if far > OUTSIDE}
        if not found:
            return "inside the training range"
        worst = sorted(found, key=found.__getitem__, reverse=True)
        parts = [
            f"{name} by {found[name]:.2g} widths of [{self.ranges[name][0]:.4g}, {self.ranges[name][1]:.4g}]"
            for name in worst
        ]
        return f"outside the training range: {', '.join(parts)}"


def numbers_of(batch: Trajectory, problem: Problem) -> dict[str, Tensor]:
    """Parameters, and mean and deviation over space of each field of the last frame given, "sample" each, by name."""
    found: dict[str, Tensor] = {}
    if batch.params is not None:
        found |= {name: batch.params[:, i].double() for i, name in enumerate(problem.params)}
    if problem.has_mask or not problem.grid.uniform:
        return found  # a mean over points that do not exist, or lie unevenly, says little
    fields = [] if not batch.u.shape[1] else [(f.name, batch.u[:, -1, i]) for i, f in enumerate(problem.fields)]
    if batch.coeffs is not None:
        fields += [(f.name, batch.coeffs[:, i]) for i, f in enumerate(problem.coeffs)]
    for name, values in fields:
        flat = values.double().reshape(len(values), -1)  # a system without space has one value
        found[f"mean of {name}"] = flat.mean(1)
        found[f"deviation of {name}"] = flat.std(1, unbiased=False)
    return found


def domain_of(source: Source) -> KnownRange:
    """Return the range of a training split, whose trajectories may lie on several grids."""
    problem = source.problem
    last = problem.n_frames - 1
    ranges: dict[str, Range] = {}
    for i in range(min(KNOWN, source.n_trajectories)):
        for frame in sorted({0, last}):
            read = source.read(i, slice(frame, frame + 1))
            for name, values in numbers_of(read.known(0) if problem.steady else read, problem).items():
                low, high = ranges.get(name, (math.inf, -math.inf))
                ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))
    return KnownRange(ranges)


def with_domain(forecast: xr.Dataset, folder: Path, given: Trajectory, problem: Problem) -> xr.Dataset:
    """Return a forecast with the attribute "domain", which says if its start lies in the range of the training split.

    A start outside is warned of. Unchanged if the run has stored no range.
    """
    known = load_domain(folder)
    return forecast if known is None else forecast.assign_attrs(domain=known.noted(given, problem))


def save_domain(folder: Path, domain: KnownRange) -> None:
    """Write ``domain.json`` into the folder of a run."""
    write_whole(folder / DOMAIN, to_json({"ranges": domain.ranges}, indent=1) + "\n")


def load_domain(folder: Path) -> KnownRange | None:
    """Return the range that a run has stored; None if there is none.

    Raises:
        ValueError: if the file is damaged.
    """
    path = folder / DOMAIN
    if not path.is_file():
        return None
    try:
        stored = from_json(path.read_text(encoding="utf-8"))["ranges"]
        ranges = check_ranges(stored, "ranges")
        means = [name.removeprefix("mean of ") for name in ranges if name.startswith("mean of ")]
        if not all(f"deviation of {name}" in ranges for name in means):
            raise ValueError("a mean without a deviation")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"expected the range of a training split in {path}, found a damaged file ({error}); restore it, or remove "
            "it"
        ) from None
    return KnownRange(ranges)
