"""The effect of coupling: reference and forecasts next to the same samples with the coupling cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pdekit.data.module import DataModule
from pdekit.data.windows import Source
from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, ReferenceBlock, Setup
from pdekit.evaluation.judges.reference_size import ReferenceSize
from pdekit.evaluation.references.stored import read
from pdekit.evaluation.request import uncoupled_recipe
from pdekit.metrics.coupling import coupling_captured, coupling_effect
from pdekit.recipes.base import BaseRecipe
from pdekit.recipes.generation import generate

PER_MODEL = ("coupling_captured", "coupling_relative")


def uncoupled_test(recipe: BaseRecipe | None, base: Path | None) -> Source:
    """The test split of a recipe with the coupling of its case cut, and all else the same; generated on first use.

    Raises:
        ValueError: if nothing is coupled, or no case made the data.
    """
    return DataModule.from_folder(generate(uncoupled_recipe(recipe), base)).sources["test"]


class Coupling(Judge):
    """Writes the effect of the coupling on every field, and what each model has captured of it.

    Nothing is written where the samples without coupling (`Context.uncoupled`) are not known.
    """

    def __init__(self, setup: Setup):
        self.problem, self.uncoupled, self.history = setup.problem, setup.context.uncoupled, setup.history
        self.members = [contender.members for contender in setup.contenders]
        self.size = ReferenceSize(setup.problem)

    def declare(self, archive: Archive) -> None:
        self.archive = archive
        if self.uncoupled is not None:
            archive.declare("coupling_effect", ("sample", "time", "field"), {"units": "1"})
            for name in PER_MODEL:
                archive.declare(name, ("model", "member", "sample", "time", "field"), {"units": "1"})

    def begin(self, batch: Batch) -> None:
        self.batch = batch
        self.size.begin(batch)

    def reference(self, block: ReferenceBlock) -> None:
        if self.uncoupled is None:
            return
        self.size.add(block)
        part = slice(self.history + block.frames.start, self.history + block.frames.stop)
        self.cut = read(self.uncoupled, self.batch.trajectories, self.batch.starts, part).u.to(block.u)
        effect = coupling_effect(block.u, self.cut, self.problem, self.batch.mask)
        self.archive.write("coupling_effect", (block.rows, block.frames), effect)

    def forecast(self, row: int, member: int, block: ForecastBlock) -> None:
        if self.uncoupled is None:
            return
        u = block.u.to(block.reference)
        found = coupling_captured(u, block.reference, self.cut, self.problem, self.batch.mask)
        for name, values in zip(PER_MODEL, found, strict=True):
            self.archive.write(name, (row, member, block.rows, block.frames), values)

    def finish(self) -> None:
        """Write NaN where the reference vanishes, but for forecasts that have diverged."""
        if self.uncoupled is None:
            return
        gone = self.size.vanished().numpy()
        places = [(name, (row, m)) for name in PER_MODEL for row, n in enumerate(self.members) for m in range(n)]
        for name, place in [("coupling_effect", ()), *places] if gone.any() else ():
            where: tuple[int | slice, ...] = (*place, self.batch.rows)
            values = self.archive.read(name, where)
            values[gone & (np.isfinite(values) | (name == "coupling_effect"))] = np.nan
            self.archive.write(name, where, values)
