"""Domain: distance of the states and their parameters from the training split.

A state is as far from training as from its nearest neighbour there, sqrt(mean over fields of <(u - u_j)^2> / unit^2).
What is usual is the median distance of training states to their own nearest neighbours. The damage is what is above
that, and the scale is that distance. Parameters are measured by how far they lie outside of the box of the training
split, in widths of the box.

The distance does not depend on the forecaster: solver and baseline have no training.

`domain.error` asks if the error of a step, in units of that of the baseline, rises with this distance: by the rank
correlation over states (Spearman), whose standard error without a relation is 1 / sqrt(n - 1).

Limits: shifted copies of a training state are far away, although a model may have the symmetry.
Several states of one trajectory are not independent, so that chance gives larger rank correlations than stated.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from pdekit.checks.base import CheckRow
from pdekit.checks.ground import Forecaster, Ground
from pdekit.checks.verdict import CANNOT_SAY, FAIL, PASS, Decision

FEWEST = 17
"""Number of states below which no rank correlation is stated: by chance it is 0.25 then."""


def domain_rows() -> tuple[CheckRow, ...]:
    """Return the rows of starts and of parameters."""
    return (
        CheckRow(
            "domain.start",
            "Are the states as near to the training split as its own states are?",
            _beyond,
            _usual,
            _no_states,
            floor=_zeros,
        ),
        CheckRow(
            "domain.params",
            "Do the parameters lie within the box of the training split?",
            lambda forecaster, ground: _outside(ground),
            lambda ground: torch.ones(len(ground.given), dtype=torch.float64),
            _no_params,
            floor=_zeros,
        ),
        CheckRow(
            "domain.error",
            "Is the error of a step the same far from the training split and near to it?",
            _error,
            lambda ground: torch.ones(len(ground.given), dtype=torch.float64),
            _too_few,
            floor=_zeros,
            over_states=lambda forecaster, ground: rising(
                nearest_distance(_inputs(ground), _known(ground)), _error(forecaster, ground)
            ),
        ),
    )


def _no_states(surrogate: Forecaster, ground: Ground) -> str:
    if ground.problem.steady and ground.given.coeffs is None:
        return "a steady problem without input fields has no start"
    if ground.training is None or len(ground.training.states) < 2:
        return "the training split is not known"
    if not ground.problem.grid.uniform:
        return "the points of each state are its own"
    if not all(torch.isfinite(states).all() for states in (ground.training.states, _inputs(ground))):
        return "the fields exist in a part of the box only"
    same = ground.training.states.shape[1:] == _inputs(ground).shape[1:]
    return "" if same else "the training split has another number of points"


def _too_few(surrogate: Forecaster, ground: Ground) -> str:
    reason, n = _no_states(surrogate, ground), len(ground.given)
    few = (
        f"{n} states are too few for a rank correlation; ask for n_states={FEWEST}, with a shorter horizon= if need be"
    )
    return reason or ("" if n >= FEWEST else few)


def _error(forecaster: Forecaster, ground: Ground) -> Tensor:
    missed = ground.missed(1)
    error = ground.distance(ground.frames(forecaster, 1)[:, -1], ground.reference[:, 0])
    return torch.where(missed > 0, error / missed, torch.where(error > 0, torch.inf, 0.0))


def rising(distance: Tensor, error: Tensor) -> Decision:
    """Decide if an error rises with a distance, "state" each.

    With the rank correlation rho and its standard error s without a relation: FAIL for rho > 2 s, PASS for rho < s, and
    CANNOT SAY between the two, and where all distances or all errors are the same. Infinite errors are the largest.

    >>> n = torch.arange(17.0)
    >>> rising(n, n).verdict, rising(n, -n).verdict
    ('FAIL', 'PASS')
    """
    ranks = [rankdata(values.numpy()) for values in (distance, error)]
    if any(rank.std() == 0 for rank in ranks):
        return Decision(CANNOT_SAY, "all states have the same distance from the training split, or the same error")
    rho, by_chance = float(np.corrcoef(*ranks)[0, 1]), (len(distance) - 1) ** -0.5
    verdict = FAIL if rho > 2 * by_chance else PASS if rho < by_chance else CANNOT_SAY
    return Decision(verdict, f"rank correlation {rho:.2f} over {len(distance)} states, {by_chance:.2f} by chance")


def _no_params(surrogate: Forecaster, ground: Ground) -> str:
    if ground.training is None or ground.training.params is None or ground.given.params is None:
        return "no parameter varies"
    return ""


def _inputs(ground: Ground) -> Tensor:
    """Return what a forecast starts from: the last frame given, or the input fields of a steady problem."""
    return ground.given.coeffs.double() if ground.problem.steady else ground.given.u[:, -1]


def _known(ground: Ground) -> Tensor:
    assert ground.training is not None  # refused before
    return ground.training.states


def nearest_distance(states: Tensor, known: Tensor, apart: bool = False) -> Tensor:
    """Return the distance of each state "state channel *space" to the nearest known one.

    Args:
        states: states to measure.
        known: known states; fields are divided by their deviation over these.
        apart: leave out each state itself, where the two are the same set.
    """
    axes = (0, *range(2, known.ndim))
    unit = known.std(axes, keepdim=True)
    unit = torch.where(unit > 0, unit, 1.0)
    a, b = ((u / unit).flatten(1) for u in (states, known))
    found = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") / a.shape[1] ** 0.5
    if apart:
        found = found + torch.diag(torch.full((len(b),), torch.inf, dtype=found.dtype))
    return found.amin(1)


def _beyond(forecaster: Forecaster, ground: Ground) -> Tensor:
    return (nearest_distance(_inputs(ground), _known(ground)) - _usual(ground)).clamp_min(0)


def _usual(ground: Ground) -> Tensor:
    known = _known(ground)
    return nearest_distance(known, known, apart=True).median().expand(len(ground.given))


def _zeros(ground: Ground) -> Tensor:
    return torch.zeros(len(ground.given), dtype=torch.float64)


def _outside(ground: Ground) -> Tensor:
    assert ground.training is not None and ground.training.params is not None  # refused before
    low, high = ground.training.params.amin(0), ground.training.params.amax(0)
    width = torch.where(high > low, high - low, torch.where(high != 0, high.abs(), 1.0))
    params = ground.given.params.double()
    return (((low - params).clamp_min(0) + (params - high).clamp_min(0)) / width).amax(1)
