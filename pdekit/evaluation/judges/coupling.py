"""The effect of coupling: reference and forecasts beside the same samples with the coupling cut."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from pdekit.data.module import DataModule
from pdekit.data.windows import Source
from pdekit.evaluation.archive import Archive
from pdekit.evaluation.references.stored import Span, mask_of, read
from pdekit.evaluation.request import uncoupled_recipe
from pdekit.fields import Problem, Trajectory
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


class Coupling:
    """Writes the effect of the coupling on every field, and what each model has captured of it.

    Args:
        archive: of scores.
        problem: of the reference.
        uncoupled: the same samples without coupling; nothing is written if None.
    """

    def __init__(self, archive: Archive, problem: Problem, uncoupled: Source | None):
        self.archive, self.problem, self.uncoupled = archive, problem, uncoupled
        self.mask: Tensor | None = None
        if uncoupled is not None:
            archive.declare("coupling_effect", ("sample", "time", "field"), {"units": "1"})
            for name in PER_MODEL:
                archive.declare(name, ("model", "member", "sample", "time", "field"), {"units": "1"})

    def begin(self, span: Span, given: Trajectory) -> None:
        """Take in the samples of a batch."""
        self.span, self.mask = span, mask_of(given)

    def follow(self, samples: slice, frames: slice, wanted: Tensor) -> None:
        """One block of the reference."""
        if self.uncoupled is None:
            return
        n = self.span.history
        part = slice(n + frames.start, n + frames.stop)
        self.reference = wanted
        self.cut = read(self.uncoupled, self.span.trajectories, self.span.starts, part).u.to(wanted)
        effect = coupling_effect(wanted, self.cut, self.problem, self.mask)
        self.archive.write("coupling_effect", (samples, frames), effect.float().numpy())

    def score(self, row: int, member: int, samples: slice, frames: slice, u: Tensor) -> None:
        """The same block of a forecast."""
        if self.uncoupled is None:
            return
        found = coupling_captured(u.to(self.reference), self.reference, self.cut, self.problem, self.mask)
        for name, values in zip(PER_MODEL, found, strict=True):
            self.archive.write(name, (row, member, samples, frames), values.float().numpy())
