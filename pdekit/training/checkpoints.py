"""Read ``last.ckpt``, from which a training goes on."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pdekit.models.weights import check_weights, fill

NEEDED = ("state_dict", "stage", "offset", "ended", "global_step")
"""Entries of a checkpoint without which no training goes on."""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return what ``last.ckpt`` holds, without running code from it.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is empty, cut, damaged, or no checkpoint of this package.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"expected a checkpoint at {path} to resume from, found none; the run was stopped before its first one: "
            "start a new run"
        )
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, LookupError, TypeError) as error:
        reason = str(error).partition("\n")[0] if path.stat().st_size else "it is empty"
        raise ValueError(
            f"expected a checkpoint at {path} to resume from, found a damaged file: {reason}; restore it, or start a "
            "new run"
        ) from error
    missing = [name for name in NEEDED if not isinstance(found, dict) or name not in found]
    if missing:
        raise ValueError(
            f"expected a checkpoint of this version of pdekit at {path}, found a file without {', '.join(missing)}; "
            "start a new run"
        )
    return found


def check_checkpoint(model: nn.Module, found: dict[str, Any], path: Path) -> None:
    """Check that a checkpoint holds weights of a model.

    Raises:
        ValueError: if names or shapes differ.
    """
    check_weights(model, _weights(found), path)


def load_weights(model: nn.Module, path: Path) -> None:
    """Give a model the weights of a checkpoint: their running average, if there is one.

    Raises:
        ValueError: if they are of another model, or the file is damaged.
    """
    fill(model, _weights(load_checkpoint(path)), path)


def _weights(found: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("model."): value for name, value in found["state_dict"].items()}
