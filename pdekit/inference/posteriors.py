"""Posterior samples of the joint by each method, with the same observations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.guidance import guided
from pdekit.diffusion.kriging import krige
from pdekit.diffusion.levels import log_levels
from pdekit.diffusion.posterior import DDS, DPS, MMPS, DiffPIR, FlowChef, Guide, PiGDM
from pdekit.diffusion.projection import soft_constraint
from pdekit.diffusion.samplers.base import Sampler
from pdekit.diffusion.samplers.ddim import DDIM
from pdekit.fields import Problem, Trajectory
from pdekit.inference.observed import Observed
from pdekit.models.base import repeat
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.equation_loss import EquationLoss
from pdekit.models.inputs import normalised
from pdekit.models.noise import Noise

GUIDES: dict[str, Guide] = {
    "mmps": MMPS(),
    "pigdm": PiGDM(),
    "dps": DPS(),
    "dds": DDS(),
    "diffpir": DiffPIR(),
    "flowchef": FlowChef(),
}
# those whose steps assume Euler's rule, or were published with fresh noise; the others use the model's own sampler
SAMPLERS: dict[str, Sampler] = {"dps": DDIM(), "flowchef": DDIM(), "dds": DDIM(0.85), "diffpir": DDIM(1.0)}


@torch.no_grad()
def posterior_members(
    model: DiffusionPDE,
    batch: Trajectory,
    observed: Observed,
    method: str,
    members: int,
    seed: int,
    residual: Callable[[Tensor], Tensor] | None = None,
    levels: int = 0,
) -> Float[Tensor, "member batch joint *space"]:
    """Sample the normalised joint given observations, with a diffusion prior.

    Args:
        model: trained.
        batch: its params, mask and forcing are known; its fields and coefficients are not looked at.
        observed: of each sample.
        method: one of `GUIDES`, or "amortised".
        members: posterior samples.
        seed: of the noise.
        residual: of the equation, scaled to one, see `scaled_residual`; None for no such term.
        levels: of the sampler; 0 for the model's own.

    Raises:
        ValueError: if the method is amortised and the net is not, or the observations are not points of the grid.
    """
    if method == "amortised" and (not model.amortised or observed.mask is None):
        raise ValueError(
            "expected a net trained with known values, and observations at points of the grid, for method=amortised; "
            "use method=mmps"
        )
    given = repeat(normalised(batch, model.normaliser), members)
    shape = (len(given), model.n_joint, *given.u.shape[3:])
    source = Noise(torch.Generator().manual_seed(seed), members, batch.index, len(batch))
    ticks = torch.zeros(len(batch), dtype=torch.long)
    like = torch.zeros(shape).to(model.normaliser.like)
    grid = log_levels(levels, model.levels.k_max, model.levels.k_min) if levels else model.levels.grid()
    observation = observed.observation(members)
    known, values = torch.zeros_like(like), torch.zeros_like(like)
    if method == "amortised":
        assert observed.mask is not None
        known, values = observed.mask.repeat(members, *(1,) * (like.ndim - 1)).to(like), observation.values.to(like)
    context = model.context(given, values * known, known)
    denoise: Denoise = model.denoiser(context, given)
    if method != "amortised":
        denoise = GUIDES[method](denoise, observation, grid)
    if residual is not None:
        denoise = guided(denoise, soft_constraint(residual, 1.0))
    sampler = SAMPLERS.get(method, model.sampler)
    start = model.levels.k_max * source.draw(like, ticks, 0)
    joint = sampler(denoise, start, grid, lambda i: source.draw(like, ticks, i + 1))
    # the amortised net takes known values as exact, and is not trained to return them
    return torch.where(known > 0, values, joint).unflatten(0, (members, len(batch)))


def kriging_members(
    training: Float[Tensor, "train joint *space"], observed: Observed, members: int, seed: int
) -> Float[Tensor, "member batch joint *space"]:
    """Sample the normalised joint by kriging, sample by sample."""
    generator = torch.Generator().manual_seed(seed)
    found = [krige(training, observed.sample(i).observation(), members, generator) for i in range(len(observed.values))]
    return torch.stack(found, 1)


def training_joint(model: DiffusionPDE, batches: Iterable[Trajectory]) -> Float[Tensor, "train joint *space"]:
    """Return the normalised joint of the training samples: frames one after another of whole trajectories."""
    parts = (part for batch in batches for part in model.windows(batch))
    return torch.cat([model.joint(normalised(part, model.normaliser)) for part in parts])


def has_equation(problem: Problem) -> bool:
    """True if the residual of a joint sample is defined: a steady equation of the problem's own fields."""
    try:
        EquationLoss(problem)
    except ValueError:
        return False
    return not problem.has_mask and not problem.params


def equation_residual(model: DiffusionPDE, joint: Float[Tensor, "batch joint *space"]) -> Tensor:
    """Return the equation's residual of a joint in physical units, "batch equation *space"."""
    coeffs, u = model.split(joint)
    batch = Trajectory(u=u, t=u.new_zeros(len(u), 1), coeffs=coeffs if model.problem.coeffs else None)
    return EquationLoss(model.problem).residual(u[:, 0], batch)


def scaled_residual(
    model: DiffusionPDE, training: Float[Tensor, "train joint *space"], weight: float
) -> Callable[[Tensor], Tensor]:
    """Return the residual as a function of the normalised joint, divided by its rms on training samples times a weight.

    Raises:
        ValueError: if the problem has no such residual.
    """
    if not has_equation(model.problem):
        raise ValueError(
            "expected a steady equation without mask and params for equation > 0, got none; set equation=0"
        )

    def of_normalised(joint: Tensor) -> Tensor:
        return equation_residual(model, joint.double() * model.scale.double() + model.mean.double())

    size = weight * of_normalised(training).square().mean().sqrt()
    return lambda joint: of_normalised(joint) / size
