"""Check that what leaves pdekit has a value everywhere: NaN and Inf are named before a file is written."""

from __future__ import annotations

import torch

from pdekit.fields import Trajectory


def check_written(batch: Trajectory, where: str) -> None:
    """Raise ValueError if fields or inputs are NaN or Inf where they exist.

    Fields and coefficients are checked inside the mask, and not in the padding of points.

    Args:
        batch: some trajectories.
        where: which ones these are, for the message.
    """
    there = batch.existing
    inside = None if there is None else (there > 0).any(1, keepdim=True)
    masks = {
        "u": None if there is None else there[:, None] > 0,
        "coeffs": inside,
        "forcing": None if inside is None else inside[:, None],
        "params": None,
        "t": None,
        "points": None,
    }
    for part, mask in masks.items():
        values = getattr(batch, part)
        if values is None:
            continue
        bad = ~torch.isfinite(values)
        bad = bad if mask is None else bad & mask
        if bad.any():
            what = "fields" if part == "u" else part
            raise ValueError(
                f"expected finite {what}, found {int(bad.sum())} NaN or Inf in {where}; remove or repair it (values "
                "where a field does not exist belong under a mask)"
            )
