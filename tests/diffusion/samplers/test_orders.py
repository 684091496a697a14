"""Every sampler converges at its declared order to the solution of the probability-flow equation of a mixture."""

import math
from functools import cache

import pytest
import torch

from pdekit.diffusion.closed_forms import PointMixture
from pdekit.diffusion.levels import log_levels, path_levels
from pdekit.diffusion.paths import FlowPath
from pdekit.diffusion.samplers.adams_bashforth import AdamsBashforth
from pdekit.diffusion.samplers.base import no_noise
from pdekit.diffusion.samplers.bdia import BDIA
from pdekit.diffusion.samplers.ddim import DDIM
from pdekit.diffusion.samplers.exponential import Exponential
from pdekit.diffusion.samplers.flow import FlowRungeKutta
from pdekit.diffusion.samplers.heun import Heun
from pdekit.diffusion.samplers.spectral import Spectral

K_MAX, K_MIN = 4.0, 0.1
CENTRES = torch.tensor([[1.5, 0.0], [-1.0, 1.0], [-0.5, -1.2]], dtype=torch.float64)
MIXTURE = PointMixture(CENTRES, 0.4)
SPECTRUM = CENTRES.var(0, correction=0) + 0.16


def even(n, k_max, k_min):
    return torch.linspace(k_max, k_min, n, dtype=torch.float64)


def flow(n, k_max, k_min):
    return path_levels(FlowPath(), n, k_max, k_min)


# sampler, grid, steps, declared order, largest rms error with twice these steps (twice what was measured). Orders 3 and
# 4 need short first steps, which have order 1: the grid that is even in k
CASES = {
    "DDIM": (DDIM(), log_levels, 40, 1, 2.5e-2),
    "Heun": (Heun(), log_levels, 40, 2, 4.7e-4),
    "BDIA, g = 1": (BDIA(1.0), log_levels, 40, 2, 3.5e-3),
    "Adams-Bashforth 2": (AdamsBashforth(), even, 80, 2, 1e-3),
    "Adams-Bashforth 3": (AdamsBashforth(3), even, 80, 3, 5e-5),
    "Adams-Bashforth 4": (AdamsBashforth(4), even, 80, 4, 1.3e-5),
    "GHVB 2.5": (AdamsBashforth(3, 0.5), even, 80, 3, 1.1e-4),
    "spectral 1": (Spectral(SPECTRUM, order=1), log_levels, 40, 1, 1.2e-2),
    "spectral 2": (Spectral(SPECTRUM), log_levels, 40, 2, 5.3e-4),
    "spectral 2, corrected": (Spectral(SPECTRUM, corrected=True), log_levels, 40, 3, 1.8e-5),
    "flow Euler": (FlowRungeKutta(1), flow, 40, 1, 2.1e-2),
    "flow midpoint": (FlowRungeKutta(2), flow, 40, 2, 1.4e-4),
    "flow RK4": (FlowRungeKutta(4), flow, 10, 4, 4e-6),
    "DPM-Solver++ 1": (Exponential("clean", 1), log_levels, 40, 1, 2.5e-2),
    "DPM-Solver++ 2": (Exponential("clean", 2), log_levels, 40, 2, 4.3e-4),
    "DPM-Solver++ 3": (Exponential("clean", 3), even, 160, 3, 3e-5),
    "DPM-Solver 2": (Exponential("noise", 2), log_levels, 40, 2, 9.1e-4),
    "DPM-Solver 3": (Exponential("noise", 3), even, 80, 3, 1.9e-4),
    "DEIS 2": (Exponential("level", 2), log_levels, 40, 2, 1.8e-3),
    "DEIS 3": (Exponential("level", 3), even, 80, 3, 5e-5),
}


@cache
def start_and_end():
    y = K_MAX * torch.randn(64, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return y, FlowRungeKutta(4)(MIXTURE, y, flow(401, K_MAX, K_MIN), no_noise)


def error(sampler, grid, steps):
    y, end = start_and_end()
    return (sampler(MIXTURE, y, grid(steps + 1, K_MAX, K_MIN), no_noise) - end).square().mean().sqrt().item()


@pytest.mark.parametrize("name", CASES)
def test_the_order_is_the_declared_one(name):
    sampler, grid, steps, order, bound = CASES[name]
    coarse, fine = error(sampler, grid, steps), error(sampler, grid, 2 * steps)
    assert fine < bound
    assert order - 0.3 < math.log2(coarse / fine) < order + 0.4


@pytest.mark.parametrize("name", CASES)
def test_calls_are_counted(name):
    sampler, grid, *_ = CASES[name]
    calls = []

    def counting(y, k):
        calls.append(k)
        return MIXTURE(y, k)

    sampler(counting, start_and_end()[0], grid(9, K_MAX, K_MIN), no_noise)
    assert len(calls) == sampler.calls(9) and min(calls) == pytest.approx(K_MIN)


def test_first_orders_are_one_and_the_same_rule():
    """DDIM is Euler's rule in k, and order 1 of each exponential form and of each polynomial."""
    y, levels = start_and_end()[0], log_levels(6, K_MAX, K_MIN)
    euler = DDIM()(MIXTURE, y, levels, no_noise)
    for same in (Exponential("clean", 1), Exponential("noise", 1), Exponential("level", 1), AdamsBashforth(1)):
        torch.testing.assert_close(same(MIXTURE, y, levels, no_noise), euler, rtol=1e-12, atol=1e-12)
    unit = Spectral(torch.full((2,), 1e-8, dtype=torch.float64), order=1)
    # a spectrum of next to nothing takes D as constant
    torch.testing.assert_close(unit(MIXTURE, y, levels, no_noise), euler, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_levels_without_signal_are_refused(name):
    with pytest.raises(ValueError, match=r"samplers\.ancestral"):
        CASES[name][0](MIXTURE, start_and_end()[0], torch.tensor([math.inf, 1.0, 0.1]), no_noise)


def test_impossible_options_are_refused():
    one = torch.ones(2)
    for make in (
        lambda: DDIM(1.5),
        lambda: Heun(-1.0),
        lambda: BDIA(0.2),
        lambda: AdamsBashforth(5),
        lambda: AdamsBashforth(2, 0.0),
        lambda: Exponential("x0"),
        lambda: Exponential("clean", 4),
        lambda: FlowRungeKutta(3),
        lambda: Spectral(one, order=3),
        lambda: Spectral(one, finish="jump"),
        lambda: Spectral(-one),
        lambda: Spectral(0 * one),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()
