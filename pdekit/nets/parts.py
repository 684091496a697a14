"""Taking a batch in parts that stay in a processor's cache from one operation to the next."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

NUMBERS = 2**18  # of a part: one megabyte in single precision, what a core has of second-level cache


def parts(batch: Tensor, size: int) -> Iterator[slice]:
    """Slices of the first axis of a batch whose samples take ``size`` numbers each; one slice on devices that
    gain nothing (GPUs) and in compiled graphs.

    >>> list(parts(torch.zeros(5, 3), size=2**17))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    whole = batch.device.type != "cpu" or torch.compiler.is_compiling()
    step = max(1, len(batch) if whole else NUMBERS // size)
    return (slice(start, start + step) for start in range(0, len(batch), step))
