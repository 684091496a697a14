"""Channels that a net sees and what conditions it, assembled once and in one order for steppers and operators.

history frames, oldest first | coeffs | forcing, oldest first | mask of each field | signed distance of each field
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Problem, Trajectory
from pdekit.models.distance import signed_distance
from pdekit.models.normaliser import Normaliser
from pdekit.nets.condition import Condition


@dataclass(frozen=True)
class Preparation:
    """The way in which fields become input channels.

    Args:
        normalisation: method for fields and coeffs: "deviation", "quantile" for heavy tails, "log" for positive
            fields, or one of them for each name, see `Normaliser`.
        distance: whether the net also sees the signed distance to the edge of each field's mask.
    """

    configurable = True

    normalisation: str | Mapping[str, str] = "deviation"
    distance: bool = False


@dataclass(frozen=True)
class InputChannels:
    """The input channels of a net.

    Args:
        problem: whose coeffs, forcing and mask belong to them.
        history: frames of the fields.
        forced: frames of the forcing, counted from the first frame of the history.
        distance: whether the signed distance to the edge of each field's mask is among them.
    """

    problem: Problem
    history: int
    forced: int
    distance: bool = False

    @property
    def count(self) -> int:
        """Number of channels."""
        fields, forces = self.problem.n_channels, len(self.problem.forcing)
        geometry = fields * (self.problem.has_mask + self.distance)
        return self.history * fields + len(self.problem.coeffs) + self.forced * forces + geometry

    def condition(self, given: Trajectory, level: Float[Tensor, "batch"] | None = None) -> Condition | None:
        """Return what conditions a net in addition to its channels: a level, then the params; None without either.

        Args:
            given: normalised params, see `normalised`.
            level: of noise or refinement, of order one.
        """
        scalars = [] if level is None else [level[:, None]]
        if self.problem.params:
            scalars.append(given.params)
        return Condition(torch.cat(scalars, 1)) if scalars else None

    def assembled(
        self, frames: Float[Tensor, "batch time channel *space"], given: Trajectory
    ) -> Float[Tensor, "batch input *space"]:
        """Return the channels of normalised history frames and of what else is known, see `normalised`.

        Args:
            frames: frames of the history.
            given: normalised coeffs, the mask, and forcing from the first frame of the history on (see `from_frame`).

        Raises:
            ValueError: if there are fewer frames of the forcing than the net sees.
        """
        space = frames.shape[3:]
        parts = [frames.flatten(1, 2)]
        if self.problem.coeffs:
            parts.append(given.coeffs)
        if self.problem.forcing:
            parts.append(forcing_of(given, self.forced).flatten(1, 2))
        if self.problem.has_mask:
            parts.append(given.mask.expand(-1, self.problem.n_channels, *space))
        if self.distance:
            away = signed_distance(given.mask, self.problem.grid.resized(space))
            parts.append(away.expand(-1, self.problem.n_channels, *space))
        return torch.cat(parts, 1)


def normalised(batch: Trajectory, normaliser: Normaliser) -> Trajectory:
    """Return the batch in normalised units, in the precision and on the device of the model.

    Fields are zero where the mask says that they do not exist; so is a coefficient that is not finite there.
    """
    batch = batch.to(normaliser.like.device)
    u = normaliser.encode(batch.u)  # before the precision is reduced: offsets may be large
    coeffs = None if batch.coeffs is None else normaliser.encode_coeffs(batch.coeffs)
    there = batch.existing
    if there is not None:
        u = torch.where(there[:, None] > 0, u, 0.0)
        if coeffs is not None:
            inside = (there > 0).any(1, keepdim=True)
            coeffs = torch.where(inside | torch.isfinite(coeffs), coeffs, 0.0)
    inner = dataclasses.replace(
        batch,
        u=u,
        coeffs=coeffs,
        forcing=None if batch.forcing is None else normaliser.encode_forcing(batch.forcing),
        params=None if batch.params is None else normaliser.encode_params(batch.params),
    )
    return dataclasses.replace(inner.to(normaliser.like.dtype), points=inner.points)  # the model reads shares of a box


def checked_inputs(problem: Problem, inputs: Preparation | None) -> Preparation:
    """Return how fields become input channels, by mean and standard deviation if None.

    Raises:
        ValueError: if distances to a mask are wanted of a problem on points or without a mask.
    """
    inputs = inputs or Preparation()
    if inputs.distance and not (problem.has_mask and problem.grid.uniform):
        raise ValueError(
            "expected a problem on a grid with a mask for distance=true, got another; set model.inputs.distance=false"
        )
    return inputs


def check_axes(problem: Problem, why: str) -> None:
    """Raise ValueError on a problem without a uniform grid with axes, and say why they are needed."""
    if not problem.on_box:
        raise ValueError(
            f"expected a problem on a uniform grid with axes, got {problem.grid}; {why}: use another model"
        )


def check_history(given: Trajectory, history: int) -> None:
    """Raise ValueError if a forecast is given another number of frames than ``history``."""
    if given.u.shape[1] != history:
        raise ValueError(f"expected {history} history frames, got {given.u.shape[1]}; cut given.u")


def history_of(problem: Problem, history: int) -> int:
    """Return the history of a method that forecasts all other frames at once; 0 for a steady problem.

    Raises:
        ValueError: if no frame is left to forecast.
    """
    if problem.steady:
        return 0
    if not 1 <= history < problem.n_frames:
        raise ValueError(
            f"expected 1 <= history < {problem.n_frames}, the frames of a trajectory, got {history}; "
            "set model.history=1"
        )
    return history


def forcing_of(given: Trajectory, n_frames: int) -> Float[Tensor, "batch forced force *space"]:
    """Return the first frames of the forcing.

    Raises:
        ValueError: if there are fewer.
    """
    found = 0 if given.forcing is None else given.forcing.shape[1]
    if given.forcing is None or found < n_frames:
        raise ValueError(
            f"expected the forcing of {n_frames} frames, from the first frame of the history to the last one that is "
            f"forecast, got {found}; give Trajectory.forcing for all of them"
        )
    return given.forcing[:, :n_frames]


def from_frame(given: Trajectory, n: int) -> Trajectory:
    """Return what is known for a step whose history begins n frames later: the forcing from that frame on."""
    return given if given.forcing is None or not n else dataclasses.replace(given, forcing=given.forcing[:, n:])
