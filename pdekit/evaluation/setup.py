"""Settings of an evaluation, grouped: models, samples, what is scored and kept, and what else is known of the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from pdekit.data.windows import Source
from pdekit.evaluation.settings import KeptForecasts
from pdekit.evaluation.training_cost import Spent
from pdekit.metrics.catalogue import CATALOGUE, Measure
from pdekit.models.base import Surrogate


@dataclass(frozen=True)
class Models:
    """Rows of the table.

    Args:
        surrogates: trained models by name.
        baselines, solvers: more rows, scored alike. Of solvers the report shows the two that matter.
        absent: baselines that are not defined for this problem, with the reason.
        spent: training cost by name of the model, where it is known.
    """

    surrogates: Mapping[str, Surrogate]
    baselines: Mapping[str, Surrogate] = field(default_factory=dict)
    solvers: Mapping[str, Surrogate] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    spent: Mapping[str, Spent] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, Mapping[str, Surrogate]]:
        """The models by kind."""
        return {"surrogate": self.surrogates, "baseline": self.baselines, "solver": self.solvers}


@dataclass(frozen=True)
class Sampling:
    """Choice of the forecasts.

    Args:
        horizon: frames to forecast; None for all that the source has.
        members: ensemble members of each surrogate, every one scored by itself.
        seed: seed of the members.
        batch_size: trajectories forecast together, the same for all models; it is what times are measured with.
        n_trajectories: use only so many.
        starts: frames of each trajectory to begin at; every (trajectory, start) is a sample.
    """

    horizon: int | None = None
    members: int = 1
    seed: int = 0
    batch_size: int = 16
    n_trajectories: int | None = None
    starts: Sequence[int] = (0,)


@dataclass(frozen=True)
class Scoring:
    """Choice of the scores, and of the forecasts to keep.

    Args:
        judges: makers of judges by name, in the order in which they are called; None for all of pdekit.
        measures: those that do not suit the problem are left out.
        timing_batches: sizes of batches with which one more forecast is timed, next to ``batch_size``.
        keep: the forecasts that are kept.
    """

    judges: Mapping[str, Callable[[Any], Any]] | None = None
    measures: Sequence[Measure] = CATALOGUE
    timing_batches: Sequence[int] = (1,)
    keep: KeptForecasts = field(default_factory=KeptForecasts)


@dataclass(frozen=True)
class Context:
    """Facts from outside the evaluation that are written next to the scores.

    Args:
        floor: lead times and the nRMSE that the reference itself has at them, from its self-convergence.
        data_seconds: time to generate the data; NaN if it is not known.
        attrs: more attributes of the files: provenance, description.
        table: more variables to write, of some of the models: `across_resolutions`.
        uncoupled: the same trajectories with the coupling of their fields cut: `uncoupled_test`.
    """

    floor: tuple[Sequence[float], Sequence[float]] | None = None
    data_seconds: float = math.nan
    attrs: Mapping[str, Any] = field(default_factory=dict)
    table: xr.Dataset | None = None
    uncoupled: Source | None = None
