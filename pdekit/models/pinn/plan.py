"""The stages of a PINN: for each time window Adam, then a method of second order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pdekit.models.stages import Stage, adam_stage
from pdekit.optimisers import BFGS, LevenbergMarquardt, SelfScaledBroyden
from pdekit.settings import Training

OPTIMISERS = ("auto", "adam", "self_scaled_broyden", "bfgs", "levenberg_marquardt")
DOUBLE = "64-true"
ADAM = "adam"
DENSE = 12_000  # parameters up to which `auto` keeps a dense inverse Hessian (1.2 GB)


@dataclass(frozen=True)
class SecondOrder:
    """Settings of the second stage of each window.

    Args:
        optimiser: auto takes self_scaled_broyden for up to 12 000 parameters and stays with adam beyond.
        steps: steps of second order of each window, at its end and among those of ``training.steps``; the points may
            change before each of them.
        iterations: number of iterations of each step, on fixed points.
    """

    configurable = True

    optimiser: str = "auto"
    steps: int = 20
    iterations: int = 100

    def __post_init__(self):
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"expected an optimiser among {OPTIMISERS}, got {self.optimiser!r}; correct it")
        if self.steps < 1 or self.iterations < 1:
            raise ValueError(
                f"expected steps and iterations >= 1, got {self.steps} and {self.iterations}; set positive numbers"
            )

    def chosen(self, n_parameters: int) -> str:
        """Return the name of the optimiser for so many parameters."""
        if self.optimiser != "auto":
            return self.optimiser
        return "self_scaled_broyden" if n_parameters <= DENSE else "adam"


def shares(steps: int, n_windows: int) -> list[int]:
    """Steps of each window, which differ by at most one and have the sum ``steps``.

    Raises:
        ValueError: if there are fewer steps than windows.

    >>> shares(11, 3)
    [4, 4, 3]
    """
    if steps < n_windows:
        raise ValueError(
            f"expected training.steps >= {n_windows}, one for each time window, got {steps}; raise training.steps or "
            "lower the number of windows"
        )
    return [steps // n_windows + (window < steps % n_windows) for window in range(n_windows)]


def window_stages(
    settings: Training,
    second: SecondOrder,
    window: int,
    parameters: tuple[str, ...],
    n_parameters: int,
    linearise: Callable[[], tuple[Tensor, Tensor]],
) -> tuple[Stage, ...]:
    """Adam in float64, then the second stage, for the net of one window.

    The last ``second.steps`` are those of the second stage; Adam takes the others, and at least one.

    Args:
        settings: learning rate and warm-up of Adam; ``steps`` of both stages together.
        second: the second stage.
        window: number of the window.
        parameters: prefixes of what is trained in it.
        n_parameters: number of these parameters.
        linearise: residuals and Jacobian, for Levenberg-Marquardt.
    """
    name = second.chosen(n_parameters)
    n_second = 0 if name == ADAM else min(second.steps, settings.steps - 1)
    adam = adam_stage(dataclasses.replace(settings, steps=settings.steps - n_second))
    first = Stage(
        steps=adam.steps,
        optimiser=adam.optimiser,
        schedule=adam.schedule,
        parameters=parameters,
        precision=DOUBLE,
        name=ADAM,
        window=window,
    )
    if not n_second:
        return (first,)

    def optimiser(trained):
        if name == "levenberg_marquardt":
            return LevenbergMarquardt(trained, linearise, second.iterations)
        return (BFGS if name == "bfgs" else SelfScaledBroyden)(trained, second.iterations)

    last = Stage(
        steps=n_second,
        optimiser=optimiser,
        schedule=lambda step: 1.0,
        parameters=parameters,
        precision=DOUBLE,
        name=name,
        window=window,
    )
    return first, last


def place_of(stage: Stage) -> tuple[int, bool]:
    """Number of the window, and whether it is the second stage, of a stage that `window_stages` made."""
    return stage.window or 0, stage.name != ADAM
