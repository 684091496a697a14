"""Any surrogate with constraints on its forecasts, switched on after training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Trajectory
from pdekit.models.base import Surrogate
from pdekit.models.constraints import constraints_of


class Constrained(Surrogate):
    """A surrogate whose forecasts fulfil constraints; its weights and its training are unchanged.

    The constraints act on the frames that a forecast returns, and not between the steps of a rollout.

    Args:
        model: trained.
        names: see `pdekit.models.constraints.constraints_of`.

    Raises:
        ValueError: if a constraint is unknown or does not suit the problem, or integrals shall stay those of a frame
            that the surrogate is not given.
    """

    def __init__(self, model: Surrogate, names: Sequence[str]):
        super().__init__(model.problem, model.window)
        self.constraints = constraints_of(names, model.problem)
        if not model.window[0] and any(str(name).partition(":")[0] == "conserved" for name in names):
            raise ValueError(
                "expected a method that is given a frame, whose integrals are kept, for constrain=conserved, got "
                f"{type(model).__name__}, which is given none; leave it out"
            )
        self.model, self.stochastic = model, model.stochastic

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the surrogate: constraints have none."""
        return self.model.n_parameters

    @property
    def unconstrained(self) -> Surrogate:
        return self.model

    @property
    def n_reached(self) -> int | None:
        return self.model.n_reached

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        self.model.calibrate(batches)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        return self.model.loss(batch)

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        return self.within(self.model.forecast(given, t, members, generator), given)

    def within(
        self, u: Float[Tensor, "member batch time channel *space"], given: Trajectory
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return frames of the surrogate within the constraints, one after the other."""
        for constraint in self.constraints:
            u = constraint(u, given)
        return u
