"""Scores of ensembles, which need all members together."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, Setup
from pdekit.metrics.ensembles import ENSEMBLE, rank_counts

DIMS = ("model", "sample", "time", "field")


class Ensembles(Judge):
    """Writes the measures of `pdekit.metrics.ensembles`; a model with one member has none: NaN.

    Ranks are counted over all samples, times and points.
    """

    def __init__(self, setup: Setup):
        self.setup, self.problem = setup, setup.problem
        space = bool(self.problem.grid.shape)
        self.measures = {name: f for name, f in ENSEMBLE.items() if space or name != "agreement"}
        self.members = max(contender.members for contender in setup.contenders)
        self.ranks = np.zeros((len(setup.contenders), len(self.problem.fields), self.members + 1))
        self.held: list[Tensor] = []

    def declare(self, archive: Archive) -> None:
        self.archive = archive
        if self.members > 1:
            archive.coordinate("rank", np.arange(self.members + 1))
            for name in self.measures:
                archive.declare(name, DIMS, {"units": "1" if name == "agreement" else self.setup.units})

    def begin(self, batch: Batch) -> None:
        self.last = batch.last

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        n = self.setup.contenders[row].members
        if n == 1:
            return
        self.held = [*(self.held if member else ()), block.u]
        if member < n - 1:
            return
        u, reference, mask = torch.stack(self.held), block.reference, block.sums.mask
        for name, measure in self.measures.items():
            values = measure(u, reference, self.problem, mask)
            self.archive.write(name, (row, block.rows, block.frames), values)
        self.ranks[row] += rank_counts(u, reference, mask).cpu().numpy()
        self.held = []

    def finish(self) -> None:
        """Write the ranks after the last batch; those of models without an ensemble are NaN."""
        if self.last and self.members > 1:
            total = self.ranks.sum(-1, keepdims=True)
            share = np.divide(self.ranks, total, where=total > 0, out=np.full_like(self.ranks, np.nan))
            self.archive.put("rank_histogram", ("model", "field", "rank"), share)
