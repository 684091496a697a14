"""Constraints on forecasts: exact after a projection in closed form, whatever surrogate made them.

A constraint is called with frames "member batch time channel *space" in physical units and with what the forecast was
given, and returns frames of the same shape. All are computed in float64 and returned in the precision of the frames, to
whose rounding they hold. A gradient flows through all of them, and a second application changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from pdekit.boundaries import Boundary
from pdekit.calculus.projections import divergence_free, vectors
from pdekit.fields import Problem, Trajectory

SPREADS = ("uniform", "members")
FLOOR = 1e-6  # share of the mean variance of members that every point has at least


class Constraint(ABC):
    """A constraint on the fields of a problem.

    Called with:
        u: frames "member batch time channel *space", in physical units.
        given: what the forecast was given: the last frame of its history, params, coeffs.

    Returns frames of the same shape that fulfil the constraint.
    """

    @abstractmethod
    def __call__(self, u: Tensor, given: Trajectory) -> Tensor: ...


class Conserved(Constraint):
    """Integrals that stay those of the last frame given, by the Gaussian update of ProbConserv (Hansen et al. 2023).

    With u ~ N(mu, S) and the integrals G u = b, the mean given b is mu - S G^T (G S G^T)^-1 (G mu - b). S is diagonal:
    equal variances ("uniform", the nearest field), or the variance of the members at each point ("members"), so that
    the correction goes where the forecast is uncertain.

    Args:
        problem: in time, on a uniform grid without a mask.
        fields: names of fields whose own integrals are kept; none for the linear ones among the invariants that the
            equation declares, which hold on a periodic box.
        variance: "uniform" or "members".

    Limits: a field with a flux through its boundary, or a source, has no such integral.

    Raises:
        ValueError: if there is no integral to keep.
    """

    def __init__(self, problem: Problem, fields: Sequence[str] = (), variance: str = "uniform"):
        check_box(problem, "conserved")
        if problem.steady:
            raise ValueError("expected a problem in time for constrain=conserved, got a steady one; leave it out")
        if variance not in SPREADS:
            raise ValueError(f"expected a variance among {SPREADS}, got {variance!r}; choose one")
        self.variance = variance
        chosen = channels_of(problem, fields) if fields else []
        weights = problem.grid.weights() / problem.grid.weights().sum()
        rows = [
            torch.stack([weights if channel == i else 0 * weights for i in range(problem.n_channels)])
            for channel in chosen
        ]
        self.rows = torch.stack(rows) if rows else linear_invariants(problem)
        if not len(self.rows):
            raise ValueError(
                f"expected an equation that keeps a linear integral for constrain=conserved, got "
                f"{type(problem.pde).__name__}; name fields, as in conserved:{problem.fields[0].name}"
            )

    def __call__(self, u: Tensor, given: Trajectory) -> Tensor:
        rows, wide = self.rows.to(u.device).flatten(1), u.double().flatten(-len(self.rows.shape) + 1)
        wanted = given.u[:, -1:].to(u.device).double().flatten(2) @ rows.T
        if self.variance == "members":
            if len(u) < 2:
                raise ValueError("expected two or more members for their variance, got one; set members=8")
            variance = wide.var(0, keepdim=True)
            mean = variance.mean(-1, keepdim=True)
            variance = torch.where(mean > 0, variance + FLOOR * mean, 1.0)
        else:
            variance = torch.ones(1, 1, 1, 1, dtype=wide.dtype, device=wide.device)
        weighted = variance.unsqueeze(-2) * rows  # "... integral value"
        excess = wide @ rows.T - wanted
        correction = torch.linalg.solve(weighted @ rows.T, excess.unsqueeze(-1))
        return (wide - (correction * weighted).sum(-2)).reshape(u.shape).to(u.dtype)


class ZeroMean(Constraint):
    """Fields without a mean over the box, with the weights of the grid: u - <u>.

    Args:
        problem: on a uniform grid without a mask.
        fields: names; all fields if there are none.
    """

    def __init__(self, problem: Problem, fields: Sequence[str] = ()):
        check_box(problem, "zero_mean")
        self.weights, self.chosen = problem.grid.weights(), chosen_mask(problem, fields)

    def __call__(self, u: Tensor, given: Trajectory) -> Tensor:
        mean = _average(u.double(), self.weights)
        return (u.double() - self.chosen.to(u.device) * mean).to(u.dtype)


class Solenoidal(Constraint):
    """Vectors without divergence, see `pdekit.calculus.projections.divergence_free`.

    Args:
        problem: on a uniform grid without a mask, with a vector of as many components as axes.
        fields: names of vectors; all if there are none.
    """

    def __init__(self, problem: Problem, fields: Sequence[str] = ()):
        check_box(problem, "divergence")
        found = vectors(problem)
        unknown = [name for name in fields if name not in found]
        if unknown or not found:
            raise ValueError(
                f"expected a vector of {problem.ndim} components for constrain=divergence, found {list(found)}"
                f"{f' and not {unknown}' if unknown else ''}; leave it out, or set Field(vector=...)"
            )
        self.problem = problem
        self.channels = [found[name] for name in fields] if fields else list(found.values())

    def __call__(self, u: Tensor, given: Trajectory) -> Tensor:
        members, _, frames = u.shape[:3]
        params = given.params
        if params is not None:  # of each frame of each member
            params = params.to(u.device).double().repeat_interleave(frames, 0).repeat(members, 1)
        grid, flat = self.problem.at(params)[1], u.flatten(0, 2)
        for channels in self.channels:
            place = torch.tensor(channels, device=u.device)
            flat = flat.index_copy(1, place, divergence_free(flat[:, channels], grid))
        return flat.reshape(u.shape)


class BoundaryValues(Constraint):
    """Values at the ends of the box, where a `Dirichlet` or no-slip condition prescribes them and a point lies there.

    Of a no-slip wall the components of vectors are zero; of one that slides, the component along the first axis that
    lies in it is its speed. A value that is the name of a coefficient is read there.

    Args:
        problem: on a uniform grid.

    Raises:
        ValueError: if no end has both a value and a point, or a value varies in time; when called, if the coefficient
            that an end names is missing.
    """

    def __init__(self, problem: Problem, fields: Sequence[str] = ()):
        check_grid(problem, "boundary")
        self.chosen, self.problem = channels_of(problem, fields), problem
        moving = [channel for channel in self.chosen if problem.fields[channel].vector is not None]
        self.ends: list[tuple[int, int, list[int], float, str | None]] = []  # axis, place, channels, number or field
        self.names = [field.name for field in problem.coeffs]
        for axis, (layout, sides) in enumerate(zip(problem.grid.layout, problem.sides, strict=True)):
            for place, side in zip((0, -1), sides, strict=True):
                if not (layout == "nodes" or (layout == "half_open" and place == 0)):
                    continue
                if side.no_slip and moving:
                    along = [c for c in moving if component(problem, c) == (0 if axis else 1)]
                    self.ends += [(axis, place, moving, 0.0, None), (axis, place, along, side.speed, None)]
                elif side.coefficients == (1.0, 0.0):
                    self._check_value(side)
                    self.ends.append((axis, place, self.chosen, side.number or 0.0, side.field))
        if not self.ends:
            raise ValueError(
                "expected an end with a point and a prescribed value for constrain=boundary, found "
                f"{problem.boundary} on {problem.grid.layout}; leave it out"
            )

    def _check_value(self, side: Boundary) -> None:
        """Raise ValueError if an end has neither a number nor the values of a coefficient."""
        if side.number is None and side.field not in self.names:
            raise ValueError(
                f"expected a number or the name of a coefficient at the boundary, got {side.given}; leave out "
                "constrain=boundary"
            )

    def __call__(self, u: Tensor, given: Trajectory) -> Tensor:
        for axis, place, channels, number, field in self.ends:
            dim = axis - self.problem.ndim
            at_end = torch.zeros(u.shape[dim], dtype=torch.bool, device=u.device)
            at_end[place] = True
            at_end = at_end.reshape([-1 if i == axis else 1 for i in range(self.problem.ndim)])
            chosen = torch.zeros(self.problem.n_channels, dtype=torch.bool, device=u.device)
            chosen[channels] = True
            wanted = number if field is None else self._named(field, given).to(u)
            where = chosen.reshape(-1, *(1,) * self.problem.ndim) & at_end
            u = torch.where(where, torch.as_tensor(wanted, dtype=u.dtype, device=u.device), u)
        return u

    def _named(self, field: str, given: Trajectory) -> Tensor:
        """Return the values of the coefficient that an end names, "batch 1 1 *space"."""
        if given.coeffs is None:
            raise ValueError(
                f"expected the coefficient {field!r}, whose values constrain=boundary sets at an end, found no "
                "coefficients; give coeffs, or leave out the constraint"
            )
        return given.coeffs[:, None, [self.names.index(field)]]


class Positive(Constraint):
    """Fields that are nowhere negative and keep their integral: max(u, 0) <u> / <max(u, 0)>; 0 where <u> <= 0.

    Args:
        problem: on a uniform grid without a mask.
        fields: names; all fields if there are none.
    """

    def __init__(self, problem: Problem, fields: Sequence[str] = ()):
        check_box(problem, "positive")
        self.weights, self.chosen = problem.grid.weights(), chosen_mask(problem, fields)

    def __call__(self, u: Tensor, given: Trajectory) -> Tensor:
        wide = u.double()
        clipped = wide.clamp_min(0)
        mean, upper = _average(wide, self.weights), _average(clipped, self.weights)
        share = torch.where(upper > 0, mean.clamp_min(0) / torch.where(upper > 0, upper, 1.0), 0.0)
        return torch.where(self.chosen.to(u.device) > 0, share * clipped, wide).to(u.dtype)


CONSTRAINTS = {
    "conserved": Conserved,
    "zero_mean": ZeroMean,
    "divergence": Solenoidal,
    "boundary": BoundaryValues,
    "positive": Positive,
}


def constraints_of(names: Sequence[str], problem: Problem) -> list[Constraint]:
    """Return the constraints of texts such as "conserved" or "positive:h+depth", in their order.

    Later ones are applied to the result of earlier ones. "divergence", "conserved" and "zero_mean" do not disturb each
    other on a periodic box, and "positive" keeps integrals; "boundary" changes them.

    Raises:
        ValueError: on an unknown name or field, or a constraint that does not suit the problem.
    """
    found = []
    for text in names:
        name, _, fields = str(text).partition(":")
        if name not in CONSTRAINTS:
            raise ValueError(f"expected a constraint among {', '.join(CONSTRAINTS)}, got {name!r}; correct constrain=")
        found.append(CONSTRAINTS[name](problem, tuple(fields.split("+")) if fields else ()))
    return found


def linear_invariants(problem: Problem) -> Tensor:
    """Return the rows "integral channel *space" of the invariants of the equation that are linear in the fields."""
    rows: list[Tensor] = []
    if problem.pde is None or not problem.grid.periodic:
        return torch.zeros(0, problem.n_channels, *problem.grid.shape, dtype=torch.float64)
    size = (1, problem.n_channels, *problem.grid.shape)
    probe = torch.sin(torch.arange(problem.n_channels * problem.grid.weights().numel(), dtype=torch.float64) ** 2)
    probe, volume = probe.reshape(size), problem.grid.weights().sum()
    origin = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        values = problem.pde.invariants(origin, problem.box)
        slopes = {
            name: torch.autograd.grad(value.sum(), origin, retain_graph=True)[0] for name, value in values.items()
        }
    for name, at_probe in problem.pde.invariants(probe, problem.box).items():
        # an integral of second degree has no slope at zero, or does not agree with it at the probe
        predicted = (slopes[name] * probe).sum()
        size_of = slopes[name].abs().sum()
        if size_of > 0 and torch.isclose(at_probe.sum(), predicted, rtol=1e-9, atol=1e-9 * float(size_of)):
            rows.append(slopes[name][0] / volume)
    return torch.stack(rows) if rows else torch.zeros(0, *size[1:], dtype=torch.float64)


def channels_of(problem: Problem, fields: Sequence[str]) -> list[int]:
    """Return the channels of named fields, all if none are named.

    Raises:
        ValueError: on an unknown name.
    """
    names = [field.name for field in problem.fields]
    unknown = [name for name in fields if name not in names]
    if unknown:
        raise ValueError(f"expected fields among {names}, got {unknown}; correct constrain=")
    return [names.index(name) for name in dict.fromkeys(fields)] if fields else list(range(len(names)))


def component(problem: Problem, channel: int) -> int:
    """Return the number of a component within its vector, which is that of its axis."""
    return sum(field.vector == problem.fields[channel].vector for field in problem.fields[:channel])


def chosen_mask(problem: Problem, fields: Sequence[str]) -> Tensor:
    """Return 1 for the channels of named fields, "channel *one"."""
    mask = torch.zeros(problem.n_channels, dtype=torch.float64)
    mask[channels_of(problem, fields)] = 1
    return mask.reshape(-1, *(1,) * problem.ndim)


def check_grid(problem: Problem, name: str) -> None:
    """Raises ValueError on a problem that has no uniform grid with axes."""
    if not problem.on_box:
        raise ValueError(f"expected a uniform grid with axes for constrain={name}, got {problem.grid}; leave it out")


def check_box(problem: Problem, name: str) -> None:
    """Raises ValueError on a problem without a uniform grid, or with a mask."""
    check_grid(problem, name)
    if problem.has_mask:
        raise ValueError(f"expected fields that exist everywhere for constrain={name}, got a mask; leave it out")


def _average(u: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over space, with the axes kept."""
    dims = tuple(range(-weights.ndim, 0))
    return (u * weights.to(u.device)).sum(dims, keepdim=True) / weights.sum()
