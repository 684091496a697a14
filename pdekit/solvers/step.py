"""Time-stepping solvers: a step advances a state of its own and knows the way from samples and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


def rounded(equation: Any, dtype: torch.dtype, device: Any = None) -> Any:
    """The same frozen dataclass (an equation, a grid) with its tensors in another precision.

    A float64 parameter "batch 1 *1" would make every product with a float32 state float64.

    Args:
        equation: whose fields may be tensors, or tuples that hold tensors.
        dtype, device: type and device of the returned tensors.
    """

    def moved(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(moved(item) for item in value)
        return value.to(device=device, dtype=dtype) if isinstance(value, Tensor) else value

    values = {item.name: moved(getattr(equation, item.name)) for item in dataclasses.fields(equation) if item.init}
    return dataclasses.replace(equation, **values)


def integrate(
    step: Step,
    u: Float[Tensor, "batch channel *space"],
    n_frames: int,
    substeps: int = 1,
    warmup: int = 0,
) -> Float[Tensor, "batch time channel *space"]:
    """Frames of a solver, the first being the start (after the warm-up); the state stays in its own form between.

    Args:
        step: a step of dt / substeps, if frames are dt apart.
        u: the start.
        n_frames: frames to return, the first one included.
        substeps: steps between frames.
        warmup: steps before the first frame.
    """
    state = step.encode(u)
    for _ in range(warmup):
        state = step.advance(state)
    frames = [step.decode(state)]
    for _ in range(1, n_frames):
        for _ in range(substeps):
            state = step.advance(state)
        frames.append(step.decode(state))
    return torch.stack(frames, dim=1)
