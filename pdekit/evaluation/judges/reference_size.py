"""Size of the reference over the trajectory, from which a judge knows the frames in which a field vanishes."""

from __future__ import annotations

import torch
from torch import Tensor

from pdekit.evaluation.judges.base import Batch, ReferenceBlock
from pdekit.fields import Problem
from pdekit.metrics.quadrature import joint
from pdekit.metrics.sums import rounding_of
from pdekit.metrics.vanishing import frame_rms, vanished


class ReferenceSize:
    """RMS of every frame of the reference of a batch, those that are given included.

    Args:
        problem: of the reference.
    """

    def __init__(self, problem: Problem):
        self.problem = problem

    def begin(self, batch: Batch) -> None:
        """Start a batch with the frames that are given."""
        u = batch.given.u
        self._given = frame_rms(u, self.problem, None if batch.mask is None else batch.mask.to(u.device)).cpu()
        self._found: list[Tensor] = []
        self._eps = rounding_of(u)

    def add(self, block: ReferenceBlock) -> None:
        """Take in the next frames."""
        self._found.append(joint(block.sums.square, self.problem).sqrt().cpu())

    @property
    def last(self) -> Tensor:
        """RMS of the frames that came last, "batch time channel"."""
        return self._found[-1]

    def vanished(self) -> Tensor:
        """True where a field is zero or has faded in each frame to forecast so far, "batch time channel"."""
        found = torch.cat(self._found, 1)
        return vanished(found, self.problem, self._eps, torch.cat([self._given, found], 1).amax(1))
