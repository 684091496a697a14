"""The one loop: a solver and a surrogate are both a step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def rollout(
    step: Callable[[Tensor], Tensor], frames: Float[Tensor, "batch history channel *space"], n_frames: int
) -> Float[Tensor, "batch time channel *space"]:
    """Repeat a step that maps the last frames to the next one.

    Args:
        step: "batch history channel *space" -> "batch channel *space".
        frames: the frames to start from.
        n_frames: number of frames to compute.

    Returns:
        The new frames only. NaN and Inf are kept: a divergence is a result.
    """
    made = []
    for _ in range(n_frames):
        frame = step(frames)
        made.append(frame)
        frames = torch.cat((frames[:, 1:], frame.unsqueeze(1)), dim=1)
    return torch.stack(made, dim=1)
