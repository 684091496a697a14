"""Estimates of unknown parameters with their spread: one Gauss-Newton step that takes the equation as a constraint.

With weights w of the net, unknowns p, constraints c (residuals of the equation and of conditions in the loss) and
errors e = u - measured, a small change of p changes w so that c + C_w dw + C_p dp vanishes in the least-squares sense:

    dw = -C_w^+ (c + C_p dp),      e + E_w dw = (e - E_w C_w^+ c) + S dp,      S = -E_w C_w^+ C_p

S holds the sensitivities du/dp of the solution. With noise of standard deviation s the step is the linear regression
dp = -(S'S)^-1 S' (e - E_w C_w^+ c), and its covariance s^2 (S'S)^-1: the Laplace approximation of the posterior with a
flat prior.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdekit.models.pinn.inverse import Unknowns

Rows = Callable[[], Float[Tensor, "_"]]
CHUNK = 64  # residuals of one graph, whose rows of the Jacobian are taken one by one
CUT = 1e-6  # share of the largest singular value of C_w below which a direction of the weights is left alone
PER_WEIGHT = 4  # residuals for each weight, below which they say more of their points than of the equation
MOST_ENTRIES = 1 << 26  # of the Jacobian of the residuals, in float64: 512 MB
SINGULAR = 1e-6  # share of the largest singular value of S, its columns scaled, below which unknowns are not determined
FAR = 0.5  # change of a free parameter beyond which the step is no linear one any more


@dataclass(frozen=True)
class Estimate:
    """Values of unknown parameters, found from observations.

    Args:
        names: names of the unknowns.
        values: their estimates.
        deviations: standard deviations of these, +inf where the observations do not determine one.
        correlation: correlation of the estimates, "unknown unknown".
        trained: values that the training ended with, before the Gauss-Newton step.
        near: whether the step was small enough to be linear; if not, ``values`` are the trained ones.
        misfit: root mean square of the errors of each field, nan where it was not observed.
        noise: standard deviation that the spread was computed with, of each field.
        n_residuals, n_weights: numbers of residuals and of weights of the net.
        points: "row coordinate", time last; observed, predicted: "row field".
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    deviations: tuple[float, ...]
    correlation: Float[Tensor, "unknown unknown"]
    trained: tuple[float, ...]
    near: bool
    misfit: tuple[float, ...]
    noise: tuple[float, ...]
    n_residuals: int
    n_weights: int
    points: Float[Tensor, "row coordinate"]
    observed: Float[Tensor, "row field"]
    predicted: Float[Tensor, "row field"]

    @property
    def corrected(self) -> bool:
        """True if the step corrected what training left of the residuals."""
        return enough(self.n_residuals, self.n_weights)


def enough(n_residuals: int, n_weights: int) -> bool:
    """Return whether there are so many residuals that they say more of the equation than of their points."""
    return n_residuals >= PER_WEIGHT * n_weights


def n_missing_points(n_points: int, per_point: int, n_weights: int) -> int:
    """Return how many points more make four residuals for each weight; 0 where their Jacobian would be too large.

    Args:
        n_points: points that there are.
        per_point: residuals of each point.
        n_weights: weights of the net.

    >>> n_missing_points(100, 2, 60), n_missing_points(120, 2, 60), n_missing_points(100, 1, 5000)
    (20, 0, 0)
    """
    n_residuals = PER_WEIGHT * n_weights
    return max(0, -(-n_residuals // per_point) - n_points) if n_residuals * n_weights <= MOST_ENTRIES else 0


@dataclass(frozen=True)
class Regression:
    """The Gauss-Newton step of free parameters, a linear regression.

    Args:
        change: dp.
        covariance: covariance of p; +inf on the diagonal where it is not determined.
        noise: standard deviation of each field.
    """

    change: Float[Tensor, "unknown"]
    covariance: Float[Tensor, "unknown unknown"]
    noise: Float[Tensor, "field"]


def jacobian(
    residuals: Sequence[Rows], parameters: Sequence[Tensor]
) -> tuple[Float[Tensor, "row"], Float[Tensor, "row parameter"]]:
    """Return residuals and their gradients, row by row; works for any net.

    Args:
        residuals: each makes some of them.
        parameters: with respect to which.
    """
    values, rows = [], []
    for make in residuals:
        found = make()
        values.append(found.detach())
        for one in found.unbind():
            parts = torch.autograd.grad(one, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
            rows.append(torch.cat([part.reshape(-1) for part in parts]))
    return torch.cat(values), torch.stack(rows)


def gauss_newton(
    constraints: tuple[Float[Tensor, "row"], Float[Tensor, "row parameter"]],
    errors: tuple[Float[Tensor, "value"], Float[Tensor, "value parameter"]],
    n_unknowns: int,
    field: Int[Tensor, "value"],
    noise: Float[Tensor, "field"] | None,
    size: Float[Tensor, "field"],
) -> Regression:
    """Return the step of the unknowns, and its covariance.

    Args:
        constraints: c, and its Jacobian whose last columns are those of the unknowns.
        errors: e of all observed values, and their Jacobian.
        n_unknowns: number of columns that are unknowns.
        field: number of the field of each value.
        noise: standard deviation of each field; None: that of the errors after the step.
        size: size of each field; weighs the fields where the noise is not known.
    """
    (c, jacobian_c), (e, jacobian_e) = constraints, errors
    n = jacobian_c.shape[1] - n_unknowns
    right = torch.cat((jacobian_c[:, n:], c[:, None]), 1)
    solved = torch.linalg.lstsq(jacobian_c[:, :n], right, rcond=CUT, driver="gelsd").solution
    moved = jacobian_e[:, :n] @ solved
    sensitivity, left = jacobian_e[:, n:] - moved[:, :n_unknowns], e - moved[:, n_unknowns]
    scale = (size if noise is None else noise)[field]
    weighted = sensitivity / scale[:, None]
    lengths = weighted.norm(dim=0).clamp_min(torch.finfo(weighted.dtype).tiny)
    singular = torch.linalg.svdvals(weighted / lengths)
    if len(e) <= n_unknowns or singular[-1] < SINGULAR * singular[0]:
        unknown = torch.diag(torch.full((n_unknowns,), torch.inf, dtype=e.dtype))
        return Regression(torch.zeros(n_unknowns, dtype=e.dtype), unknown, torch.full_like(size, torch.nan))
    change = -torch.linalg.lstsq(weighted, (left / scale)[:, None], driver="gelsd").solution[:, 0]
    after = left + sensitivity @ change
    found = size.clone() if noise is None else noise
    if noise is None:
        for number in field.unique().tolist():
            own = after[field == number]
            found[number] = (own.square().sum() / max(1, len(own) - n_unknowns)).sqrt()
        weighted = sensitivity / found[field].clamp_min(torch.finfo(e.dtype).tiny)[:, None]
    return Regression(change, torch.linalg.inv(weighted.mT @ weighted), found)


def estimate_of(
    unknowns: Unknowns, solution: Callable[[Tensor], Tensor], weights: Sequence[Tensor], constraints: Sequence[Rows]
) -> Estimate:
    """Return the unknown parameters and their spread.

    Args:
        unknowns: trained, with their observations.
        solution: points -> fields, trained; differentiable with respect to the weights.
        weights: weights of the net.
        constraints: each makes some of the residuals that must vanish, weighted as in the loss.

    With fewer than four residuals for each weight, c is taken as zero: the step then does not correct what is left of
    the residuals. A PINN adds points of its own until there are as many (`n_missing_points`), for nets of up to 4096
    weights.

    Limits: the trained solution must be near the solution of the equation, because the step is linear; where the step
    changes a free parameter by more than 0.5, the trained value is kept. The spread holds what the noise of the
    observations does, not errors of the equation or of its conditions.
    """
    names, observed = tuple(unknowns.free), unknowns.observed.detach()
    parameters = [*weights, *unknowns.free.values()]
    present = ~observed.isnan()

    def errors(rows: slice) -> Rows:
        return lambda: unknowns.errors(solution, rows)[present[rows]]

    chunks = [slice(first, first + CHUNK) for first in range(0, len(observed), CHUNK)]
    found = jacobian([errors(rows) for rows in chunks], parameters)
    size, fields, noise = unknowns.size.to(found[0]), present.nonzero()[:, 1], unknowns.noise()
    stated = None if noise is None else noise.to(size)
    c, slopes_c = jacobian(constraints, parameters)
    n_weights = slopes_c.shape[1] - len(names)
    c = c if enough(len(c), n_weights) else torch.zeros_like(c)
    step = gauss_newton((c, slopes_c), found, len(names), fields, stated, size)
    bounds = [unknowns.bounds[name] for name in names]
    trained = torch.stack([free.detach() for free in unknowns.free.values()]).to(size)
    near = bool(step.change.abs().max() <= FAR)
    moved = trained + step.change if near else trained
    slopes = torch.tensor([one.slope(z) for one, z in zip(bounds, moved, strict=True)], dtype=moved.dtype)
    deviations = step.covariance.diagonal().sqrt()
    with torch.no_grad():
        predicted = solution(unknowns.places)[:, : observed.shape[1]]
    count = present.sum(0)
    squares = torch.where(present, predicted - observed, 0.0).square().sum(0)
    return Estimate(
        names,
        tuple(float(one.value(z)) for one, z in zip(bounds, moved, strict=True)),
        tuple((deviations * slopes.abs()).tolist()),
        step.covariance / deviations.outer(deviations),
        tuple(float(one.value(z)) for one, z in zip(bounds, trained, strict=True)),
        near,
        tuple(torch.where(count > 0, (squares / count).sqrt(), torch.nan).tolist()),
        tuple(step.noise.tolist()),
        len(c),
        n_weights,
        unknowns.places.detach(),
        observed,
        predicted,
    )


def estimate_in_words(estimate: Estimate, stated: bool, fields: Sequence[str]) -> list[str]:
    """Return what was found, a sentence each.

    Args:
        estimate: estimate of the unknowns.
        stated: whether the noise was stated by the user.
        fields: names of the fields.
    """
    said = []
    for name, value, deviation in zip(estimate.names, estimate.values, estimate.deviations, strict=True):
        if math.isinf(deviation):
            said.append(
                f"{name} {value:.4g}: the measurements do not determine it; measure more, or fix other unknowns"
            )
        else:
            said.append(f"{name} {value:.4g} +- {deviation:.2g} (one standard deviation, Gauss-Newton)")
    if not estimate.near:
        said.append(
            "the Gauss-Newton step was too large to be linear, and the values are those of the training: train longer, "
            "or start from a better guess"
        )
    said += uncorrected_in_words(estimate)
    for name, misfit, noise in zip(fields, estimate.misfit, estimate.noise, strict=True):
        if math.isnan(misfit):
            continue
        said.append(
            f"misfit of {name} {misfit:.3g} (root mean square), noise {noise:.3g} {'stated' if stated else 'estimated'}"
        )
        if stated and misfit > 1.5 * noise:
            said.append(
                f"the misfit of {name} is {misfit / noise:.2g} times the stated noise: the equation, its conditions or "
                "the noise are not those of the measurements, or the training was too short; the spread is too small"
            )
    return said


def uncorrected_in_words(estimate: Estimate) -> list[str]:
    """Return a sentence if the step did not correct what training left of the residuals, and the remedy."""
    if estimate.corrected:
        return []
    return [
        f"what training left of the residuals is not corrected, and the spread does not hold its effect: "
        f"{estimate.n_residuals} residuals for {estimate.n_weights} weights, expected {PER_WEIGHT} or more for each; "
        f"take a smaller net (model.net.width; up to {isqrt(MOST_ENTRIES // PER_WEIGHT)} weights get the points that "
        f"they need), or give about {PER_WEIGHT * estimate.n_weights} points (model.collocation.n_points)"
    ]
