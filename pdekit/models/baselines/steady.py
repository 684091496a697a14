"""Parts shared by baselines of steady problems: the training split as pairs of input vector and field."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.normaliser import Normaliser
from pdekit.models.stages import Stage
from pdekit.settings import Training


class SteadyBaseline(Surrogate):
    """A map from inputs to a steady field that is read off the training split, without gradients.

    The inputs of a sample are one vector: its normalised coefficient fields and its mask, each point divided by the
    square root of their number, then its normalised params. The squared distance of two samples is so the mean square
    difference of each field plus the square difference of each param. Outputs are normalised channel by channel, 0
    outside the mask.

    Limits: the training split is held in memory.

    Args:
        problem: steady, on a uniform grid, with coeffs or params.
        sized: names of the buffers whose sizes the training split decides.

    Raises:
        ValueError: on any other problem.
    """

    def __init__(self, problem: Problem, sized: Sequence[str]):
        name = type(self).__name__
        if not problem.steady:
            raise ValueError(
                f"expected a steady problem, got one of {problem.n_frames} frames; {name} is for one frame"
            )
        if not problem.grid.uniform:
            raise ValueError(
                f"expected a uniform grid, got {type(problem.grid).__name__}; on meshes that differ, {name} has no "
                "points to compare"
            )
        if not problem.coeffs and not problem.params:
            raise ValueError(f"expected coeffs or params, found none; without inputs {name} is the mean")
        super().__init__(problem, (0, 1))
        self.normaliser = Normaliser(problem)
        self.sized = tuple(sized)

    @abstractmethod
    def fit(self, inputs: Float[Tensor, "sample input"], outputs: Float[Tensor, "sample output"]) -> None:
        """Take in the training split, normalised and in float64."""

    @abstractmethod
    def predict(self, inputs: Float[Tensor, "sample input"]) -> Float[Tensor, "sample output"]:
        """Normalised outputs."""

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        batches = [batch.to("cpu") for batch in batches]
        self.normaliser.cpu().calibrate(batches)
        inputs = torch.cat([self.inputs_of(batch) for batch in batches])
        outputs = []
        for batch in batches:
            u = self.normaliser.encode(batch.u[:, :1].double())
            outputs.append((u if batch.mask is None else torch.where(batch.mask[:, None] > 0, u, 0.0)).flatten(1))
        self.fit(inputs, torch.cat(outputs))

    def inputs_of(self, batch: Trajectory) -> Float[Tensor, "sample input"]:
        """The vector of inputs of each sample, in float64."""
        parts: list[Tensor] = []
        weight = 1 / math.sqrt(math.prod(self.problem.grid.shape))
        inside = None if batch.mask is None else batch.mask.double() > 0
        if self.problem.coeffs:
            coeffs = self.normaliser.encode_coeffs(batch.coeffs.double())
            if inside is not None:  # a coefficient may be NaN where no field exists
                coeffs = torch.where(inside.any(1, keepdim=True), coeffs, 0.0)
            parts.append(weight * coeffs.flatten(1))
        if inside is not None:
            parts.append(weight * inside.double().flatten(1))
        if self.problem.params:
            parts.append(self.normaliser.encode_params(batch.params.double()))
        return torch.cat(parts, 1)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean squared error of normalised fields."""
        forecast = self.forecast(batch.frames(slice(0, 0)), batch.t)[0]
        error = self.normaliser.encode(forecast) - self.normaliser.encode(batch.u)
        loss = mean_square(error, batch.mask)
        return loss, {"loss": loss}

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        given = given.to(self.normaliser.like.device)
        u = self.predict(self.inputs_of(given)).reshape(-1, 1, self.problem.n_channels, *self.problem.grid.shape)
        u = self.normaliser.decode(u).to(given.u.dtype)
        return u.expand(members, *u.shape)

    def stages(self, settings: Training) -> Sequence[Stage]:
        return ()

    def _load_from_state_dict(self, state_dict, prefix, *further) -> None:
        for name in self.sized:  # as large as the training split of the run that is loaded
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *further)
