"""Stages of training: which parameters, which optimiser, in which precision, until when."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pdekit.fields import Trajectory
from pdekit.settings import Training

Optimisers = Sequence[torch.optim.Optimizer]
OwnStep = Callable[[Trajectory, Optimisers, Callable[[Tensor], None]], dict[str, Tensor]]
"""(batch, optimisers, backward) -> numbers to log. ``backward(loss)`` stands for ``loss.backward()``."""


@dataclass(frozen=True)
class Stage:
    """One stage of training; the trainer runs the stages of a method one after the other.

    Args:
        steps: optimiser steps.
        optimiser: makes the optimiser of the stage's parameters, or several for a stage with a ``step``.
        schedule: step -> factor of the learning rate.
        parameters: prefixes of the names of the parameters to train; the others rest.
        precision: one of Lightning's precisions; None takes the engine's.
        patience: stop after so many validations without a better loss; None for never.
        name: name of the optimiser or phase, for progress and error messages.
        window: number of the part of time that is trained; None for all of it.
        step: a step function instead of one descent of the model's ``loss``, for losses with several optimisers (an
            adversarial one). It calls ``zero_grad``, ``backward`` and the optimisers' ``step``. The first optimiser
            counts the steps and must step once. ``training.clip`` and ``training.accumulate`` do not apply.
    """

    steps: int
    optimiser: Callable[[Iterable[Tensor]], torch.optim.Optimizer | Optimisers]
    schedule: Callable[[int], float]
    parameters: tuple[str, ...] = ("",)
    precision: str | None = None
    patience: int | None = None
    name: str = "train"
    window: int | None = None
    step: OwnStep | None = None

    @property
    def title(self) -> str:
        """Name of the stage for display, with its window."""
        return self.name if self.window is None else f"{self.name}, window {self.window}"

    def trained(self, model: nn.Module) -> list[Tensor]:
        """The parameters of the model that this stage trains.

        Raises:
            ValueError: if there are none.
        """
        chosen = [p for name, p in model.named_parameters() if name.startswith(self.parameters)]
        if not chosen:
            raise ValueError(
                f"expected parameters whose names start with one of {self.parameters}, found none; "
                f"correct the stage {self.name!r}"
            )
        return chosen


def warmup_cosine(steps: int, warmup: float) -> Callable[[int], float]:
    """Factor of the learning rate: linear from 1/n to 1 over the first n = warmup x steps, then half a cosine to 0.

    >>> factor = warmup_cosine(100, 0.1)
    >>> [round(factor(step), 3) for step in (0, 9, 10, 55, 100)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    n_warmup = round(warmup * steps)

    def factor(step: int) -> float:
        if step < n_warmup:
            return (step + 1) / n_warmup
        progress = min(1.0, (step - n_warmup) / max(1, steps - n_warmup))
        return 0.5 * (1 + math.cos(math.pi * progress))

    return factor


def adam_stage(settings: Training) -> Stage:
    """AdamW on all parameters, warm-up and cosine: what most methods need."""

    def optimiser(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay)

    return Stage(
        steps=settings.steps,
        optimiser=optimiser,
        schedule=warmup_cosine(settings.steps, settings.warmup),
        patience=settings.patience,
    )
