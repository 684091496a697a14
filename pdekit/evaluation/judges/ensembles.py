"""Scores of ensembles: what can only be said of all members together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.forecasting import Contender
from pdekit.evaluation.references.stored import References, parts_of
from pdekit.fields import Problem
from pdekit.metrics.probabilistic import ENSEMBLE, rank_counts

DIMS = ("model", "sample", "time", "field")


class Ensembles:
    """Writes the measures of `pdekit.metrics.probabilistic` into an archive of scores.

    A model with one member has none: NaN. Ranks are counted over all samples, times and points.
    """

    def __init__(self, archive: Archive, contenders: Sequence[Contender], problem: Problem):
        self.archive, self.problem = archive, problem
        self.measures = ENSEMBLE if problem.grid.shape else {k: v for k, v in ENSEMBLE.items() if k != "agreement"}
        self.members = max(contender.members for contender in contenders)
        if self.members > 1:
            units = " ".join(dict.fromkeys(field.unit for field in problem.fields))
            for name in self.measures:
                archive.declare(name, DIMS, {"units": "1" if name == "agreement" else units})
        self.ranks = np.zeros((len(contenders), len(problem.fields), self.members + 1))

    def score(
        self, row: int, samples: slice, frames: slice, forecasts: Sequence[Tensor], references: References
    ) -> None:
        """Score the members of one stretch of frames."""
        for part in parts_of(forecasts[0]):
            among_all = slice(frames.start + part.start, frames.start + part.stop)
            u = torch.stack([forecast[:, part] for forecast in forecasts])
            known = references.part(among_all, u.device)
            for name, measure in self.measures.items():
                values = measure(u, known.u, self.problem, known.mask)
                self.archive.write(name, (row, samples, among_all), values.float().cpu().numpy())
            self.ranks[row] += rank_counts(u, known.u, known.mask).cpu().numpy()

    def finish(self) -> None:
        """Write the ranks; those of models without an ensemble are NaN."""
        if self.members > 1:
            total = self.ranks.sum(-1, keepdims=True)
            share = np.divide(self.ranks, total, where=total > 0, out=np.full_like(self.ranks, np.nan))
            self.archive.put("rank_histogram", ("model", "field", "rank"), share)
