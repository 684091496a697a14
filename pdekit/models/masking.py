"""Masks of training: which values of a sample a net is given clean, and which were measured at all."""

from __future__ import annotations

from dataclasses import dataclass

from pdekit.fields import Problem


@dataclass(frozen=True)
class Masking:
    """Treatment of known and of missing values by a joint prior.

    Args:
        amortised: whether the net also sees known values, so that it samples posteriors directly.
        observed_only: whether the mask of a training sample says where its fields were measured, instead of where they
            exist: what is missing enters neither net nor loss, and samples are complete.
    """

    configurable = True

    amortised: bool = True
    observed_only: bool = False


def checked_masking(problem: Problem, masking: Masking | None) -> Masking:
    """Return the masks of training, of known values only if None.

    Raises:
        ValueError: on observed_only for a problem without a mask.
    """
    masking = masking or Masking()
    if masking.observed_only and not problem.has_mask:
        raise ValueError(
            "expected data with a mask (1 where a field was measured) for observed_only=true, got none; set "
            "model.masking.observed_only=false, or give a mask for each trajectory"
        )
    return masking
