"""Put stored weights into a model, or say in one sentence why they do not belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pdekit.plain import from_json


def fill(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give a model stored parameters and buffers; it becomes float64 if the parameters are.

    Args:
        model: built as for training.
        tensors: tensors by name.
        path: file of the tensors, for the error message.

    Raises:
        ValueError: if names or shapes differ; the message names the first differences.
    """
    if any(tensors[name].dtype == torch.float64 for name, _ in model.named_parameters() if name in tensors):
        model.double()
    check_weights(model, tensors, path)
    model.load_state_dict(tensors)


def check_weights(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Check that stored weights have the names and shapes of a model's.

    A tensor without values in the model, such as the functions of a POD-DeepONet, has the shape that calibration
    gave it, and any stored shape is right.

    Raises:
        ValueError: naming at most three differences.
    """
    ours = {name: tuple(value.shape) for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    theirs = {name: tuple(value.shape) for name, value in tensors.items()}
    calibrated = {name for name in ours if 0 in ours[name] and name in theirs}
    different = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name) and name not in calibrated]
    if not different:
        return
    named = [f"{name} {ours.get(name, 'none')} in the model, {theirs.get(name, 'none')} stored" for name in different]
    raise ValueError(
        f"expected weights of the configured model in {path}, found {len(different)} others ("
        f"{'; '.join(named[:3])}{'; ...' if len(named) > 3 else ''}); restore the run's configuration, or train again"
    )


def header_entry(header: Mapping[str, str], key: str, path: Path) -> dict[str, Any]:
    """Return the names and values of one entry in the header of stored weights.

    Raises:
        ValueError: if they are damaged or no names and values; the message names file and entry.
    """
    try:
        found = from_json(header[key])
    except ValueError as error:
        raise ValueError(f"in {key} of the header of {path}: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected {key} by name in the header of {path}, found {found!r}; train again")
    return found
