"""Diagnostics of a joint prior: its error at each level next to that of the best linear denoiser."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Trajectory
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.inputs import normalised


@torch.no_grad()
def errors_by_level(
    model: DiffusionPDE,
    batch: Trajectory,
    training: Float[Tensor, "train joint *space"],
    generator: torch.Generator,
) -> dict[str, list[float]]:
    """Return ``level``, ``net`` and ``linear``: mean square of D - x at each level, with nothing known.

    The linear denoiser has mean and covariance C of the training samples, D = m + C (C + k^2)^-1 (y - m). For Gaussian
    data it is the best one, and its error the floor. For other data a trained net is below it; a net above it has not
    learnt that level. Both see the same samples and the same noise, at all levels.

    Args:
        model: trained.
        batch: test samples, in physical units, of the joint's frames.
        training: normalised.
        generator: of the noise.
    """
    inner = normalised(batch, model.normaliser)
    clean = model.joint(inner)
    nothing = torch.zeros_like(clean)
    denoise = model.denoiser(model.context(inner, nothing, nothing), inner)
    mean = training.flatten(1).double().mean(0)
    _, singular, vectors = torch.linalg.svd(training.flatten(1).double() - mean, full_matrices=False)
    variance = singular.square() / (len(training) - 1)
    found: dict[str, list[float]] = {"level": [], "net": [], "linear": []}
    noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64).to(clean)
    for k in model.levels.grid().tolist():
        noisy = clean + k * noise
        modes = (noisy.flatten(1).double() - mean) @ vectors.T
        linear = mean + (variance / (variance + k**2) * modes) @ vectors
        found["level"].append(k)
        found["net"].append(float((denoise(noisy, k) - clean).double().square().mean()))
        found["linear"].append(float((linear - clean.flatten(1).double()).square().mean()))
    return found
