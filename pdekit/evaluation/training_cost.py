"""Trust in the reference, and the cost of training and data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pdekit.data.store import Split
from pdekit.data.windows import Source
from pdekit.provenance import read_record

NOT_RECORDED = "training did not record it"


@dataclass(frozen=True)
class Trust:
    """Trust in a reference, from its self-convergence: half the step, finer space.

    Args:
        time: lead times of the check.
        nrmse: the reference's own error at them: the larger of its checks, in the median over their trajectories.
        until: time at which the correlation of its checks falls below 0.8, the sooner of them, in the median over
            trajectories: the end of its predictability. Infinity if they agree to the end of the check.
    """

    time: tuple[float, ...]
    nrmse: tuple[float, ...]
    until: float = math.inf

    @property
    def attrs(self) -> dict[str, float]:
        """Attributes of the file of scores; `predictable_until` is absent if the checks agree to their end."""
        seen = {"predictable_until": self.until} if self.until < math.inf else {}
        return seen | {"predictability_checked_until": self.time[-1]}


def trust_in(source: Source) -> Trust | None:
    """The self-convergence that is stored with generated data; None for data from elsewhere."""
    found = _document(source, "self_convergence")
    if not found:
        return None
    checks = [name for name in ("step", "space") if f"error_{name}" in found]
    errors = xr.DataArray([found[f"error_{name}"] for name in checks], dims=("check", "trajectory", "time"))
    nrmse = errors.max("check").median("trajectory").values.tolist()
    ends = [found.get(f"time_of_correlation_{name}") for name in checks]
    numbers = np.array([[math.inf if end is None else end for end in row] for row in ends if row is not None])
    # the lower of the two in the middle: a mean with infinity is none
    until = float(np.quantile(numbers.min(0), 0.5, method="lower")) if numbers.size else math.inf
    return Trust(tuple(found["time"]), tuple(nrmse), until)


@dataclass(frozen=True)
class Spent:
    """Cost of a training, from the ``provenance.json`` of its run; NaN and a reason for what is not known."""

    seconds: float = math.nan
    joules: float = math.nan
    energy_absent: str = NOT_RECORDED


def spent_by(run: Path) -> Spent:
    """Seconds and joules of the training of a run."""
    found = read_record(run)
    seconds = float(found.get("seconds", {}).get("training", math.nan))
    energy = found.get("energy")
    if energy is None:
        return Spent(seconds)
    reasons = "; ".join(f"{source}: {reason}" for source, reason in energy["absent"].items())
    return Spent(seconds, sum(energy["joules"].values()) if energy["joules"] else math.nan, reasons)


def data_seconds(source: Source) -> float:
    """Seconds that it took to generate the data, times the processes that did; NaN for data from elsewhere."""
    found = _document(source, "provenance")
    return float(found.get("seconds", math.nan)) * int(found.get("workers", 1))


def _document(source: Source, name: str) -> dict[str, Any]:
    """Document that is stored with generated data under a name; empty for data from elsewhere."""
    return source.documents.get(name, {}) if isinstance(source, Split) else {}
