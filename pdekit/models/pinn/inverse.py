"""Unknown parameters of an equation, from observations of its solution: settings, observations, misfit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.measurements import Measurements
from pdekit.models.pinn.bounds import Bounds
from pdekit.pdes.base import PDE
from pdekit.plain import for_each_name, is_number


@dataclass(frozen=True)
class Inverse:
    """Unknown parameters, and the observations that they are found from.

    Args:
        start: first guess of each unknown parameter of the equation, by name.
        n_observations, noise, seed: without measurements of your own, observations are drawn from the training
            trajectory: so many values of all fields at random points and times, with noise of so much of the
            standard deviation of each field. With measurements, n_observations is their number.
        weight: weight of the mean squared misfit in the loss.
        bounds: (lowest, highest) of an unknown, by name; null for none. An unknown without an entry stays positive.
        deviation: standard deviation of the noise of measurements, in the unit of the field, by its name or one number
            for all; null: it is estimated from the misfit.

    Raises:
        ValueError: without a first guess, for one that lies outside its bounds, or invalid numbers.
    """

    configurable = True

    start: Mapping[str, float]
    n_observations: int = 200
    noise: float = 0.01
    weight: float = 10.0
    seed: int = 0
    bounds: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    deviation: Any = None

    def __post_init__(self):
        if not self.start:
            raise ValueError(
                "expected a first guess of one or more unknown parameters, got none; give "
                "model.inverse.start.NAME=VALUE"
            )
        strange = sorted(set(self.bounds) - set(self.start))
        if strange:
            raise ValueError(
                f"expected bounds of the unknowns {sorted(self.start)}, got some of {strange}; correct the names"
            )
        for name, value in self.start.items():
            self.bounds_of(name).check(name, value)
        if self.n_observations < 1 or self.noise < 0 or not self.weight > 0:
            raise ValueError(
                f"expected n_observations >= 1, noise >= 0 and weight > 0, got {self.n_observations}, {self.noise} and "
                f"{self.weight}; correct model.inverse"
            )

    def bounds_of(self, name: str) -> Bounds:
        """Return the bounds of one unknown."""
        return Bounds(*self.bounds.get(name, (0.0, None)))

    def deviations(self, problem: Problem) -> Float[Tensor, "field"] | None:
        """Return the standard deviation of the noise of each field; None if it is not known.

        Raises:
            ValueError: on an unknown field or a number that is not positive.
        """
        names = [field.name for field in problem.fields]
        if self.deviation is None:
            return None
        given = for_each_name(self.deviation, names)
        if set(given) != set(names) or any(not float(value) > 0 for value in given.values()):
            raise ValueError(
                f"expected a positive standard deviation for each of {names}, got {self.deviation}; correct "
                "model.inverse.deviation, or leave it out to have it estimated"
            )
        return torch.tensor([float(given[name]) for name in names], dtype=torch.float64)


class Unknowns(nn.Module):
    """Parameters of an equation that are trained within their bounds; and the observations.

    Args:
        inverse: the unknowns.
        problem: whose equation has them; its own values of them are not used.

    Raises:
        ValueError: for an unknown that is no numeric parameter of the equation.
    """

    def __init__(self, inverse: Inverse, problem: Problem):
        super().__init__()
        pde: Any = problem.pde
        n_fields = problem.n_channels
        if pde is None:
            raise ValueError("expected a problem with an equation for unknown parameters, got none; add its pde")
        known = [item.name for item in dataclasses.fields(pde) if is_number(getattr(pde, item.name))]
        wrong = sorted(set(inverse.start) - set(known))
        if wrong:
            raise ValueError(
                f"expected unknowns among the parameters {known} of {type(pde).__name__}, got {wrong}; correct "
                "model.inverse.start"
            )
        self.inverse, self.pde = inverse, pde
        self.bounds = {name: inverse.bounds_of(name) for name in inverse.start}
        pde.check({name: float(value) for name, value in inverse.start.items()})
        self.free = nn.ParameterDict(
            {name: nn.Parameter(self.bounds[name].free(torch.tensor(float(v)))) for name, v in inverse.start.items()}
        )
        self.stated = inverse.deviations(problem)
        n = inverse.n_observations
        self.places: Tensor
        self.observed: Tensor
        self.size: Tensor
        self.register_buffer("places", torch.zeros(n, problem.ndim + 1))
        self.register_buffer("observed", torch.zeros(n, n_fields))
        self.register_buffer("size", torch.ones(n_fields))
        self.register_buffer("measured", torch.zeros((), dtype=torch.bool))

    def equation(self) -> PDE:
        """Return the equation with the present values."""
        values = {name: self.bounds[name].value(free) for name, free in self.free.items()}
        return dataclasses.replace(self.pde, **values)

    def values(self) -> dict[str, Tensor]:
        """Return the present values by name."""
        return {name: self.bounds[name].value(free.detach()) for name, free in self.free.items()}

    def noise(self) -> Float[Tensor, "field"] | None:
        """Return the standard deviation of the noise of each field; None if it is not known."""
        if self.measured:
            return self.stated
        return self.inverse.noise * self.size if self.inverse.noise else None

    def observe(self, batches: Iterable[Trajectory], problem: Problem) -> None:
        """Draw observations from the first trajectory, unless there are measurements."""
        if self.measured:
            return
        batch = next(iter(batches))
        generator = torch.Generator().manual_seed(self.inverse.seed)
        u, n = batch.u[0].double().cpu(), self.inverse.n_observations
        values = u.movedim(1, -1).reshape(-1, u.shape[1])  # "time*space channel"
        chosen = torch.randint(len(values), (n,), generator=generator)
        columns = torch.stack([axis.reshape(-1) for axis in problem.grid.mesh()], 1)
        size = values.std(0).clamp_min(torch.finfo(torch.float64).tiny)
        noise = self.inverse.noise * size * torch.randn(n, u.shape[1], generator=generator, dtype=torch.float64)
        times = batch.t[0].double().cpu()[chosen // len(columns)]
        self.places.copy_(torch.cat((columns[chosen % len(columns)], times[:, None]), 1))
        self.observed.copy_(values[chosen] + noise)
        self.size.copy_(size)

    def measure(self, measurements: Measurements) -> None:
        """Take measurements instead of observations that are drawn; the misfit is in units of their deviation."""
        self.inverse = dataclasses.replace(self.inverse, n_observations=len(measurements))
        values = measurements.values
        count = torch.isfinite(values).sum(0).clamp_min(1)
        mean = values.nansum(0) / count
        size = ((values - mean).square().nansum(0) / count).sqrt()
        size = torch.where(size > 0, size, mean.abs())
        like = self.places
        self.places, self.observed = measurements.points.to(like), values.to(like)
        self.size.copy_(torch.where(size > 0, size, torch.ones_like(size)))
        self.measured.fill_(True)

    def errors(self, solution: Callable[[Tensor], Tensor], rows: slice = slice(None)) -> Float[Tensor, "row field"]:
        """Return the difference of a solution from the observations; zero where nothing was measured."""
        observed = self.observed[rows]
        difference = solution(self.places[rows])[:, : observed.shape[1]] - observed
        return torch.where(observed.isnan(), torch.zeros_like(difference), difference)

    def misfit(self, solution: Callable[[Tensor], Tensor]) -> Float[Tensor, ""]:
        """Return the weighted mean squared difference from the observations, in units of each field's deviation."""
        count = (~self.observed.isnan()).sum()
        return self.inverse.weight * (self.errors(solution) / self.size).square().sum() / count


def finding(name: str, found: float, spread: float, true: float) -> str:
    """Return a sentence with the value that was found of a parameter, its standard deviation, and the true value.

    >>> finding("viscosity", 0.0031796, 2.94e-5, 0.0031831)
    'viscosity 0.00318 +- 2.9e-05 found, 0.003183 true (-0.11 % off)'
    """
    error = f" ({100 * (found / true - 1):+.2g} % off)" if true else ""
    return f"{name} {found:.4g} +- {spread:.2g} found, {true:.4g} true{error}"
