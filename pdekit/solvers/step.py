"""What a time-stepping solver is: it advances a state of its own and knows the way from samples and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Step:
    """One step of a solver.

    Args:
        encode: "batch channel *space" -> state (a spectrum, cell averages, ...).
        advance: state -> state one dt later.
        decode: state -> "batch channel *space".
    """

    encode: Callable[[Tensor], Tensor]
    advance: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]

    def __call__(self, u: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        return self.decode(self.advance(self.encode(u)))


def integrate(
    step: Step,
    u: Float[Tensor, "batch channel *space"],
    n_frames: int,
    substeps: int = 1,
    warmup: int = 0,
    on_frame: Callable[[int], None] | None = None,
) -> Float[Tensor, "batch time channel *space"]:
    """Frames of a solver, the first being the start (after the warm-up); the state stays in its own form between.

    Args:
        step: of dt / substeps, if frames are dt apart.
        u: the start.
        n_frames: frames to return, the first one included.
        substeps: steps between frames.
        warmup: steps before the first frame.
        on_frame: called with the number of frames done, for progress.
    """
    state = step.encode(u)
    for _ in range(warmup):
        state = step.advance(state)
    frames = [step.decode(state)]
    for n in range(1, n_frames):
        for _ in range(substeps):
            state = step.advance(state)
        frames.append(step.decode(state))
        if on_frame is not None:
            on_frame(n + 1)
    return torch.stack(frames, dim=1)
