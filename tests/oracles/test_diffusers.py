"""Samplers in diffusers: the same samples on a common grid of levels, of a field with calm and bursting samples."""

import pytest
import torch

from pdekit.diffusion.closed_forms import IntermittentModes
from pdekit.diffusion.samplers.base import no_noise
from pdekit.diffusion.samplers.ddim import DDIM
from pdekit.diffusion.samplers.exponential import Exponential
from pdekit.diffusion.samplers.heun import Heun

diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.oracle

DENOISE = IntermittentModes(torch.logspace(0, -3, 6, dtype=torch.float64))
STEPS = 12
# their levels and weights are in float32
TOLERANCE = {"rtol": 2e-5, "atol": 2e-5}


def start(k: float) -> torch.Tensor:
    return k * torch.randn(20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def theirs(scheduler, levels: list[float], y: torch.Tensor, scaled: bool) -> torch.Tensor:
    """The sample of a scheduler that is given D at each call; its state is y / sqrt(1 + k^2) if it is scaled."""
    assert len(levels) == len(scheduler.timesteps)
    state = y / (1 + levels[0] ** 2) ** 0.5 if scaled else y
    for k, t in zip(levels, scheduler.timesteps, strict=True):
        clean = DENOISE(state * (1 + k**2) ** 0.5 if scaled else state, k)
        state = scheduler.step(clean, t, state).prev_sample
    return state


def test_ddim():
    scheduler = diffusers.DDIMScheduler(prediction_type="sample", clip_sample=False)
    scheduler.set_timesteps(STEPS)
    kept = scheduler.alphas_cumprod[scheduler.timesteps].double()
    levels = ((1 - kept) / kept).sqrt()
    y = start(float(levels[0]))
    expected = theirs(scheduler, levels.tolist(), y, scaled=True)
    torch.testing.assert_close(DDIM()(DENOISE, y, levels, no_noise), expected, **TOLERANCE)


@pytest.mark.parametrize("order", [1, 2])
def test_dpm_solver(order):
    """Its solver_type "heun" integrates the line through two outputs exactly, as ours does."""
    scheduler = diffusers.DPMSolverMultistepScheduler(
        prediction_type="sample",
        algorithm_type="dpmsolver++",
        solver_order=order,
        solver_type="heun",
        lower_order_final=False,
    )
    scheduler.set_timesteps(STEPS)
    levels = scheduler.sigmas[:-1].double()
    y = start(float(levels[0]))
    expected = theirs(scheduler, levels.tolist(), y, scaled=True)
    torch.testing.assert_close(Exponential("clean", order)(DENOISE, y, levels, no_noise), expected, **TOLERANCE)


def test_heun():
    scheduler = diffusers.HeunDiscreteScheduler(prediction_type="sample")
    scheduler.set_timesteps(STEPS)
    levels = scheduler.sigmas[:-1].double()
    y = start(float(levels[0]))
    expected = theirs(scheduler, levels.tolist(), y, scaled=False)
    falling = levels[torch.cat((torch.tensor([True]), levels.diff() < 0))]
    assert len(falling) == STEPS
    torch.testing.assert_close(Heun()(DENOISE, y, falling, no_noise), expected, **TOLERANCE)
