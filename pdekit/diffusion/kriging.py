"""Gaussian-process regression (kriging) with the covariance of training samples: the classical competitor."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.observations import Observation


def krige(
    training: Float[Tensor, "train ..."], observation: Observation, members: int, generator: torch.Generator
) -> Float[Tensor, "member ..."]:
    """Return posterior samples of one observation under the Gaussian with mean and covariance of training samples.

    With anomalies X and their images Y = A X, the gain is X Y^T (Y Y^T + (P - 1) s^2)^-1. Members follow Matheron's
    rule: a training sample plus the gain applied to the observation minus the perturbed observation of that sample.
    Their mean and covariance are those of the closed form, as the number of members grows.

    Limits: the covariance has at most P - 1 directions; a prior that is not Gaussian enters by two moments.

    Args:
        training: samples, P of them.
        observation: of one sample: values of batch size one.
        members: at most P, drawn without repetition.
        generator: chooses the samples and perturbs their observations.

    Raises:
        ValueError: if there are fewer training samples than members, or fewer than two.
    """
    if not 1 <= members <= len(training) or len(training) < 2:
        raise ValueError(
            f"expected two or more training samples, and at most as many members, got {len(training)} and {members}; "
            "ask for fewer members"
        )
    seen = observation.operator.forward(training).flatten(1).double()
    noise = observation.variance.double().sqrt().expand(observation.values.shape).flatten()
    values = observation.values.double().flatten()
    kept = seen.abs().amax(0) > 0  # a mask observes nothing elsewhere
    seen, noise, values = seen[:, kept], noise[kept], values[kept]
    anomalies = training.flatten(1).double() - training.flatten(1).double().mean(0)
    images = seen - seen.mean(0)
    system = images.T @ images + (len(training) - 1) * torch.diag(noise.square())
    chosen = torch.randperm(len(training), generator=generator)[:members].to(training.device)
    error = noise * torch.randn(members, len(values), dtype=torch.float64, generator=generator).to(noise.device)
    innovation = torch.linalg.solve(system, (values - seen[chosen] - error).T)
    found = training[chosen].flatten(1).double() + (images @ innovation).T @ anomalies
    return found.reshape(members, *training.shape[1:]).to(training.dtype)
