"""Scores of posterior samples: error, spread and calibration, at observed and at unobserved points."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem
from pdekit.metrics.ensembles import crps

COVERED = (0.5, 0.9)


def scores_of(
    members: Float[Tensor, "member batch joint *space"],
    truth: Float[Tensor, "batch joint *space"],
    known: Float[Tensor, "batch joint *space"],
    problem: Problem,
    groups: Mapping[str, list[int]],
) -> dict[str, dict[str, Tensor]]:
    """Score members against the truth, "batch" for each group of channels and each score.

    Args:
        members, truth: in any unit, the same for both; scores but the first have it.
        known: 1 where a value was observed.
        problem: gives the weights of the points.
        groups: channels by name.

    Returns:
        For each group:

        - ``relative_error``: ‖mean - truth‖ / ‖truth‖ over all points, in the unit of the arguments;
        - ``error_observed``, ``error_unobserved``: rms of mean - truth there; NaN where there is none;
        - ``spread``: rms of the members' deviation at unobserved points;
        - ``crps``: at all points, fair;
        - ``coverage_50``, ``coverage_90``: share of unobserved points whose truth lies in the central interval of the
          members, whose ends are interpolated between them: p (M - 1) / (M + 1) of a calibrated ensemble of M members,
          for p = 0.9 so 0.70 of 8 and 0.79 of 16;
        - ``sample_error``: relative error of one member, the mean over members.
    """
    members, truth = members.double(), truth.double()
    mean, deviation = members.mean(0), members.std(0)
    found = {}
    for name, channels in groups.items():
        one, reference, centre = members[:, :, channels], truth[:, channels], mean[:, channels]
        free = (known[:, channels] == 0).double()
        norm = reference.flatten(1).norm(dim=1)
        found[name] = {
            "relative_error": (centre - reference).flatten(1).norm(dim=1) / norm,
            "error_observed": _rms(centre - reference, 1 - free),
            "error_unobserved": _rms(centre - reference, free),
            "spread": _rms(deviation[:, channels], free),
            "crps": crps(one[:, :, None], reference[:, None], problem).mean((1, 2)),
            "sample_error": ((one - reference).flatten(2).norm(dim=2) / norm).mean(0),
        }
        for level in COVERED:
            low, high = (torch.quantile(one, 0.5 + sign * level / 2, dim=0) for sign in (-1, 1))
            inside = ((reference >= low) & (reference <= high)).double()
            found[name][f"coverage_{100 * level:.0f}"] = (inside * free).flatten(1).sum(1) / free.flatten(1).sum(1)
    return found


def rank_histogram(
    members: Float[Tensor, "member batch joint *space"],
    truth: Float[Tensor, "batch joint *space"],
    known: Float[Tensor, "batch joint *space"],
) -> Float[Tensor, "rank"]:
    """Return the share of unobserved points whose truth has each rank among the members; flat if calibrated.

    >>> members = torch.tensor([[[0.0, 0.0]], [[1.0, 1.0]]]).unsqueeze(2)
    >>> rank_histogram(members, torch.tensor([[[0.5, 2.0]]]), torch.zeros(1, 1, 2)).tolist()
    [0.0, 0.5, 0.5]
    """
    rank = (members < truth).sum(0)[known == 0]
    return torch.bincount(rank, minlength=len(members) + 1).double() / max(1, len(rank))


def _rms(values: Tensor, where: Tensor) -> Tensor:
    """Return the rms of each sample where ``where`` is one; NaN if it is nowhere."""
    return ((values.square() * where).flatten(1).sum(1) / where.flatten(1).sum(1)).sqrt()
