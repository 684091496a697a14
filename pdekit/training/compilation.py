"""`torch.compile` around the nets of a method, during training only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def compiled(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Compile the forward of each part of a method that has parameters; undo it afterwards.

    Names of parameters stay as they are, and evaluation times are those of the plain nets.

    Args:
        model: a method.
        wanted: whether to do so.
    """
    nets = [child for child in model.children() if wanted and any(True for _ in child.parameters())]
    for net in nets:
        net.forward = torch.compile(net.forward)
    try:
        yield
    finally:
        for net in nets:
            del net.forward  # that of the class remains
