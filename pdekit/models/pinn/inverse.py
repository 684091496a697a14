"""Unknown coefficients of an equation from sparse, noisy observations of its solution."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.fields import Problem, Trajectory
from pdekit.pdes.base import PDE


@dataclass(frozen=True)
class Inverse:
    """What is to be found, and from what.

    Args:
        start: first guess of each unknown parameter of the equation, by name; positive, and it stays so.
        n_observations: values of all fields at random points and times of the training trajectory.
        noise: standard deviation of the noise that is added to them, as a share of that of each field.
        weight: of the mean squared misfit in the loss.
        seed: of points and noise.
    """

    configurable = True

    start: Mapping[str, float]
    n_observations: int = 200
    noise: float = 0.01
    weight: float = 10.0
    seed: int = 0

    def __post_init__(self):
        if not self.start or any(not value > 0 for value in self.start.values()):
            raise ValueError(f"expected a positive first guess for each unknown, got {dict(self.start)}")
        if self.n_observations < 1 or self.noise < 0:
            raise ValueError(f"expected n_observations >= 1 and noise >= 0, got {self.n_observations}, {self.noise}")


class Unknowns(nn.Module):
    """Parameters of an equation that are trained, by their logarithms; and the observations.

    Args:
        inverse: what is to be found.
        pde: the equation; its own values of the unknowns are not used.
        ndim: of space.
        n_fields: of the equation.
    """

    def __init__(self, inverse: Inverse, pde: PDE, ndim: int, n_fields: int):
        super().__init__()
        known = [item.name for item in dataclasses.fields(pde)]
        wrong = sorted(set(inverse.start) - set(known))
        if wrong:
            raise ValueError(f"expected unknowns among the parameters {known} of {type(pde).__name__}, got {wrong}")
        self.inverse, self.pde = inverse, pde
        self.logarithms = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(float(value)).log()) for name, value in inverse.start.items()}
        )
        self.register_buffer("places", torch.zeros(inverse.n_observations, ndim + 1))
        self.register_buffer("observed", torch.zeros(inverse.n_observations, n_fields))
        self.register_buffer("size", torch.ones(n_fields))

    def equation(self) -> PDE:
        """The equation with the present values."""
        return dataclasses.replace(self.pde, **{name: value.exp() for name, value in self.logarithms.items()})

    def values(self) -> dict[str, Tensor]:
        return {name: value.detach().exp() for name, value in self.logarithms.items()}

    def observe(self, batches: Iterable[Trajectory], problem: Problem) -> None:
        """Draw the observations from the first trajectory."""
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

    def misfit(self, solution: Callable[[Tensor], Tensor]) -> Float[Tensor, ""]:
        """The weighted mean squared difference from the observations, in units of each field's deviation."""
        difference = solution(self.places)[:, : self.observed.shape[1]] - self.observed
        return self.inverse.weight * (difference / self.size).square().mean()


def finding(name: str, found: float, true: float) -> str:
    """What was found of a parameter, in words.

    >>> finding("viscosity", 0.0031796, 0.0031831)
    'viscosity 0.00318 found, 0.003183 true (-0.11 % off)'
    """
    error = f" ({100 * (found / true - 1):+.2g} % off)" if true else ""
    return f"{name} {found:.4g} found, {true:.4g} true{error}"
