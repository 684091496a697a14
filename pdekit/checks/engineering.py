"""Engineering: the same forecast alone and in a batch, in double precision, on the accelerator, reloaded, repeated.

The scale is a hundredth of the error of persistence: these properties hold up to rounding, or they do not hold.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from pdekit.checks.base import CheckRow, always, missed_after
from pdekit.checks.ground import Forecaster, Ground
from pdekit.fields import Trajectory

STAKE = 0.01
CUDA = torch.device("cuda")

Ask = Callable[[Forecaster, Trajectory, Tensor], Tensor]


def engineering_rows() -> tuple[CheckRow, ...]:
    """Return the rows of this group."""

    def no_device(surrogate: Forecaster, ground: Ground) -> str:
        return "" if torch.cuda.is_available() else "there is no accelerator here"

    def no_file(surrogate: Forecaster, ground: Ground) -> str:
        return "" if surrogate.reload is not None else "the model is not the one in the folder of a run"

    return (
        _same("batch", "Is a forecast the same alone and in a batch?", _alone),
        _same("precision", "Is a forecast in double precision the same?", _double),
        _same("device", "Is a forecast the same on the accelerator?", _on_device, no_device),
        _same("reload", "Is a forecast the same after the run is loaded again?", _reloaded, no_file),
        _same("seed", "Is a forecast with the same seed the same again?", lambda f, given, t: f(given, t)),
    )


def _same(name: str, question: str, other: Ask, excluded: Callable[[Forecaster, Ground], str] = always) -> CheckRow:
    def value(forecaster: Forecaster, ground: Ground) -> Tensor:
        times = ground.times[:, :1]
        a, b = ground.frames(forecaster, 1)[:, -1], other(forecaster, ground.given, times)[:, -1]
        return ground.distance(a, b)

    return CheckRow(f"engineering.{name}", question, value, missed_after(1), excluded, stake=STAKE)


def _alone(forecaster: Forecaster, given: Trajectory, t: Tensor) -> Tensor:
    parts = [slice(i, i + 1) for i in range(len(given))]
    return torch.cat([forecaster(given.samples(part), t[part]) for part in parts])


def _double(forecaster: Forecaster, given: Trajectory, t: Tensor) -> Tensor:
    try:
        return dataclasses.replace(forecaster, model=copy.deepcopy(forecaster.model).double())(given, t)
    except RuntimeError as error:  # a net that mixes precisions
        first = str(error).partition("\n")[0]
        raise ValueError(f"the model does not run in double precision: {first}; cast its inputs") from error


def _on_device(forecaster: Forecaster, given: Trajectory, t: Tensor) -> Tensor:
    model, other = copy.deepcopy(forecaster.model), torch.device("cpu") if forecaster.device.type == "cuda" else CUDA
    return dataclasses.replace(forecaster, model=model, device=other)(given, t)


def _reloaded(forecaster: Forecaster, given: Trajectory, t: Tensor) -> Tensor:
    model = forecaster.model if forecaster.reload is None else forecaster.reload()
    return dataclasses.replace(forecaster, model=model)(given, t)
