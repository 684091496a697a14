"""The protocol of all judges: a family of scores is one class that reads the forecasts of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.forecasting import Contender, Forcing
from pdekit.evaluation.setup import Context, Models, Sampling, Scoring
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.sums import FieldSums, Sums


@dataclass(frozen=True)
class Setup:
    """Facts about an evaluation that are known before its first forecast; judges are made from it.

    Args:
        problem: problem of the reference.
        contenders: all models that forecast, in the order of their rows.
        lead: nominal lead times of the frames, "time".
        n_samples: trajectories times starts.
        history: frames that are given.
        batch_size: samples of a batch; the last batch may have fewer.
        block: frames of a block; the last block may have fewer.
        models, sampling, scoring, context: the settings of the evaluation.
    """

    problem: Problem
    contenders: tuple[Contender, ...]
    lead: np.ndarray
    n_samples: int
    history: int
    batch_size: int
    block: int
    models: Models
    sampling: Sampling
    scoring: Scoring
    context: Context

    @property
    def device(self) -> torch.device:
        """The device of all models."""
        return self.contenders[0].device

    @property
    def horizon(self) -> int:
        """Frames to forecast."""
        return len(self.lead)

    @property
    def units(self) -> str:
        """Units of the fields, each once."""
        return " ".join(dict.fromkeys(field.unit for field in self.problem.fields))


@dataclass(frozen=True)
class Batch:
    """Samples that are forecast together.

    Args:
        rows: their places in the archive, along "sample".
        last: whether it is the last batch.
        trajectories, starts: trajectory of each sample, and the number of its first given frame.
        given: the frames and inputs that the models get.
        t: times of the frames to forecast, "batch time".
        lead: the same, counted from the last given frame.
        mask: 1 where the fields exist, "batch field *space", or None.
        forcing: the forcing of frames that are counted from the first given one.
    """

    rows: slice
    last: bool
    trajectories: tuple[int, ...]
    starts: tuple[int, ...]
    given: Trajectory
    t: Tensor
    lead: Tensor
    mask: Tensor | None
    forcing: Forcing


@dataclass(frozen=True)
class ReferenceBlock:
    """Consecutive frames of the reference of a batch.

    Args:
        rows: places of the samples in the archive.
        frames: places of the frames, counted from the first one to forecast.
        sums: the frames, and their sums over space.
    """

    rows: slice
    frames: slice
    sums: Sums

    @property
    def u(self) -> Tensor:
        """The frames, "batch time channel *space"."""
        return self.sums.u


@dataclass(frozen=True)
class ForecastBlock:
    """The same frames of one member of one model.

    Args:
        rows, frames: see `ReferenceBlock`.
        sums: sums over space of the forecast, of the reference and of the error.
    """

    rows: slice
    frames: slice
    sums: FieldSums

    @property
    def u(self) -> Tensor:
        """The forecast, "batch time channel *space"."""
        return self.sums.forecast.u

    @property
    def reference(self) -> Tensor:
        """The reference, "batch time channel *space"."""
        return self.sums.reference.u


@runtime_checkable
class Judge(Protocol):
    """A family of scores. Methods that are not overridden do nothing.

    `declare` is called once. Then, for each batch, `begin`; for each block of it `reference`, and `forecast` for every
    member of every model; and `finish` after the last block. A judge is made by ``Judge(setup)``.
    """

    def declare(self, archive: Archive) -> None:
        """Add coordinates and variables to the archive of scores."""
        return

    def begin(self, batch: Batch) -> None:
        """Take in the samples of a batch."""
        return

    def reference(self, block: ReferenceBlock) -> None:
        """Take in a block of the reference; blocks of a batch follow each other."""
        return

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        """Score the same block of a forecast: of a member, a number, of the model in a row of the table."""
        return

    def finish(self) -> None:
        """Write what needs all frames of the batch."""
        return
