"""Whether surrogates obey the equation: residuals and integrals, frame by frame, beside those of the reference."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.forecasting import Contender
from pdekit.evaluation.references import parts_of
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.physics import has_residual, kept_integrals, residual_norm


class Physics:
    """Writes residual norms and integrals of the first member of every surrogate, and of the reference.

    A residual needs a frame on either side, the last given one being the first of them: the last frame of the horizon
    has none (NaN). Nothing is written where the equation is not known or the fields do not determine its terms.

    Args:
        archive: of scores, with a coordinate ``integral`` if there are any.
        contenders: solvers and baselines are passed over.
        problem: theirs.
        integrals: names, see `integrals_of`.
    """

    def __init__(self, archive: Archive, contenders: Sequence[Contender], problem: Problem, integrals: list[str]):
        self.archive, self.problem, self.integrals = archive, problem, integrals
        self.rows = {row for row, contender in enumerate(contenders) if contender.kind == "surrogate"}
        self.active = has_residual(problem)
        self.tails: dict[int, Tensor] = {}
        self.params: Tensor | None = None
        self.first: Tensor | None = None
        if self.active:
            for name in ("residual_floor", "residual_scale"):
                archive.declare(name, ("sample", "time"), {"long_name": "of the reference"})
            archive.declare("residual_norm", ("model", "sample", "time"), {})
        if integrals:
            archive.declare("integral_value", ("model", "sample", "time", "integral"), {})
            archive.declare("integral_reference", ("sample", "time", "integral"), {})

    @staticmethod
    def integrals_of(problem: Problem) -> list[str]:
        """Names of what the problem's equation keeps or never lets grow."""
        if not has_residual(problem):
            return []
        any_state = torch.ones(1, 1, problem.n_channels, *problem.grid.shape)
        params = torch.ones(1, len(problem.params)) if problem.params else None
        return list(kept_integrals(any_state, problem, params))

    def begin(self, given: Trajectory) -> None:
        """Take in the samples of a batch: the last frame that is given, and the params."""
        if not self.active:
            return
        self.params, self.first = given.params, given.u[:, -1:]
        self.tails = {}

    def follow(self, samples: slice, frames: slice, u: Tensor) -> None:
        """Score one block of the reference; blocks of a batch follow each other."""
        if self.active:
            self._write(None, samples, frames, u)

    def score(self, row: int, samples: slice, frames: slice, u: Tensor) -> None:
        """Score one stretch of frames of a model; stretches of a batch follow each other."""
        if self.active and row in self.rows:
            self._write(row, samples, frames, u)

    def _write(self, row: int | None, samples: slice, frames: slice, u: Tensor) -> None:
        for part in parts_of(u):
            start, piece = frames.start + part.start, u[:, part]
            tail = self.first if start == 0 else self.tails[-1 if row is None else row]
            joined = torch.cat([tail.to(piece), piece], 1)
            self.tails[-1 if row is None else row] = joined[:, -2:]
            params = None if self.params is None else self.params.to(piece.device)
            inner = slice(start - tail.shape[1] + 1, start + piece.shape[1] - 1)
            if inner.stop > inner.start:
                norm, scale = residual_norm(joined, self.problem, params)
                self._put("residual_norm" if row is not None else "residual_floor", row, (samples, inner), norm)
                if row is None:
                    self._put("residual_scale", None, (samples, inner), scale)
            if self.integrals:
                found = kept_integrals(piece, self.problem, params)
                values = torch.stack([found[name] for name in self.integrals], -1)
                where = (samples, slice(start, start + piece.shape[1]))
                self._put("integral_value" if row is not None else "integral_reference", row, where, values)

    def _put(self, name: str, row: int | None, where: tuple[slice, ...], values: Tensor) -> None:
        place = where if row is None else (row, *where)
        self.archive.write(name, place, values.float().cpu().numpy())
