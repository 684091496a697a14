"""The reference of a batch, in parts of a size that fits into a cache."""

from __future__ import annotations

import torch
from torch import Tensor

from pdekit.evaluation.forecasting import VALUES
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.pair import Known


class References:
    """What is computed of a part of the reference is kept for all models."""

    def __init__(self, wanted: Trajectory, problem: Problem):
        self.u, self.problem, self.mask = wanted.u, problem, mask_of(wanted)
        self._known: dict[tuple[int, int, torch.device], Known] = {}

    def part(self, frames: slice, device: torch.device) -> Known:
        key = (frames.start, frames.stop, device)
        if key not in self._known:
            mask = None if self.mask is None else self.mask.to(device)
            self._known[key] = Known(self.u[:, frames].to(device), self.problem, mask)
        return self._known[key]


def mask_of(batch: Trajectory) -> Tensor | None:
    """Where fields exist, "batch field *space": the mask, and on a mesh the points that are no padding."""
    if batch.point_mask is None:
        return batch.mask
    real = batch.point_mask.unsqueeze(1)
    return real if batch.mask is None else batch.mask * real


def parts_of(u: Tensor) -> list[slice]:
    """Frames of "batch time ..." in parts of at most `VALUES` values."""
    n_frames = u.shape[1]
    size = max(1, VALUES * n_frames // u.numel())
    return [slice(start, min(start + size, n_frames)) for start in range(0, n_frames, size)]
