"""Error of samplers against the number of network calls, on distributions with a known denoiser.

    OMP_NUM_THREADS=1 python experiments/samplers/table.py [--seeds 0 1 2] [--samples 64]

Prints the tables of the README. All samplers start from the same unit noise e. The error is that of the end point,
compared with the exact solution of the probability-flow equation at k = 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from pdekit.diffusion.closed_forms import GaussianModes, IntermittentModes, PointMixture
from pdekit.diffusion.denoiser import Denoise
from pdekit.diffusion.levels import log_levels, path_levels
from pdekit.diffusion.paths import FlowPath
from pdekit.diffusion.samplers.adams_bashforth import AdamsBashforth
from pdekit.diffusion.samplers.base import Sampler, no_noise
from pdekit.diffusion.samplers.bdia import BDIA
from pdekit.diffusion.samplers.ddim import DDIM
from pdekit.diffusion.samplers.exponential import Exponential
from pdekit.diffusion.samplers.flow import FlowRungeKutta
from pdekit.diffusion.samplers.heun import Heun
from pdekit.diffusion.samplers.spectral import Spectral

CALLS = (4, 6, 8, 12, 16, 32)
K_MAX, K_MIN = 20.0, 1e-3
LOW = 3.0  # largest deviations at which the low starts begin


@dataclass(frozen=True)
class Setting:
    """One distribution: its denoiser, the variances of its modes, and what an end point is measured by."""

    denoise: Denoise
    variance: Tensor
    error: Callable[[Tensor, Tensor], float]


def per_mode(variance: Tensor) -> Callable[[Tensor, Tensor], float]:
    """Relative rms error of each mode of variance above 1e-5, averaged over the modes."""

    def error(found: Tensor, exact: Tensor) -> float:
        share = ((found - exact).square().mean(0) / exact.square().mean(0)).sqrt()
        return float(share[variance > 1e-5].mean())

    return error


def in_deviations(variance: Tensor) -> Callable[[Tensor, Tensor], float]:
    """Rms error of each mode of variance above 1e-6 in units of its deviation, averaged over the modes."""

    def error(found: Tensor, exact: Tensor) -> float:
        return float(((found - exact).square().mean(0) / variance).sqrt()[variance > 1e-6].mean())

    return error


def rms(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).square().mean().sqrt())


def settings() -> dict[str, Setting]:
    powers = torch.arange(1, 49, dtype=torch.float64) ** -4.0
    angles = torch.arange(6, dtype=torch.float64) * torch.pi / 3
    centres = torch.stack((torch.cos(angles), torch.sin(angles)), 1) * torch.tensor([1.3, 0.8], dtype=torch.float64)
    mean = powers.sqrt() * torch.randn(1, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(1000))
    narrow = 1e-4 * powers**0.5  # 1 % of the deviation of the first mode, 48 % of that of the last
    spread = centres.var(0, correction=0) + 0.04
    return {
        "intermittent field, 48 modes": Setting(IntermittentModes(powers), powers, per_mode(powers)),
        "Gaussian field, 48 modes": Setting(GaussianModes(powers), powers, per_mode(powers)),
        "mixture of six points": Setting(PointMixture(centres, 0.2), spread, rms),
        "nearly deterministic conditional, 48 modes": Setting(
            GaussianModes(narrow, mean), powers, in_deviations(narrow)
        ),
    }


def samplers(variance: Tensor) -> dict[str, Callable[[Denoise, Tensor, int], Tensor]]:
    """Each maps (denoiser, unit noise, number of calls) to samples."""
    low = LOW * float(variance.max()) ** 0.5
    exact = Spectral(variance)

    def high(sampler: Sampler, levels=log_levels):
        def run(denoise: Denoise, noise: Tensor, calls: int) -> Tensor:
            n = max(n for n in range(1, calls + 1) if sampler.calls(n) <= calls)
            return sampler(denoise, K_MAX * noise, levels(n, K_MAX, K_MIN), no_noise)

        return run

    def from_low(sampler: Sampler):
        def run(denoise: Denoise, noise: Tensor, calls: int) -> Tensor:
            # unit noise scaled as the exact flow of the spectrum scales K_MAX e
            y = K_MAX * noise * torch.sqrt((variance + low**2) / (variance + K_MAX**2))
            return sampler(denoise, y, log_levels(calls, low, K_MIN), no_noise)

        return run

    return {
        "DDIM": high(DDIM()),
        "DPM-Solver++ 2M": high(Exponential("clean", 2)),
        "DPM-Solver++ 3M": high(Exponential("clean", 3)),
        "DPM-Solver 2M": high(Exponential("noise", 2)),
        "DEIS 3": high(Exponential("level", 3)),
        "Adams-Bashforth 2": high(AdamsBashforth()),
        "GHVB 2.5": high(AdamsBashforth(3, 0.5)),
        "BDIA 0.9": high(BDIA()),
        "Heun": high(Heun()),
        "flow midpoint": high(FlowRungeKutta(2)),
        "flow Euler, even in t": high(FlowRungeKutta(1), lambda *ends: path_levels(FlowPath(), *ends)),
        "DPM-Solver++ 2M, low start": from_low(Exponential("clean", 2)),
        "GHVB 2.5, low start": from_low(AdamsBashforth(3, 0.5)),
        "spectral": high(exact),
        "spectral, corrected": high(Spectral(variance, corrected=True)),
        "spectral, low start": from_low(exact),
        "spectral, corrected, low start": from_low(Spectral(variance, corrected=True)),
        "spectral, low start, flow finish": from_low(Spectral(variance, finish="flow")),
        "spectral, variance x 3, low start": from_low(Spectral(3 * variance)),
        "spectral, variance / 3, low start": from_low(Spectral(variance / 3)),
    }


def exact_end(setting: Setting, noise: Tensor) -> Tensor:
    """Return the end at k = 0: in closed form for Gaussian modes, else by 2000 steps of Heun's rule down to 1e-6."""
    if isinstance(setting.denoise, GaussianModes):
        return setting.denoise.flow(K_MAX * noise, K_MAX, 0.0)
    return Heun()(setting.denoise, K_MAX * noise, log_levels(2000, K_MAX, 1e-6), no_noise)


def unit_noise(seed: int, n_samples: int, n_modes: int) -> Tensor:
    return torch.randn(n_samples, n_modes, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samples", type=int, default=64)
    chosen = parser.parse_args()
    for name, setting in settings().items():
        print(f"\n### {name}\n\n| sampler | " + " | ".join(f"{n} calls" for n in CALLS) + " |")
        print("|---|" + "---|" * len(CALLS))
        noises = [unit_noise(seed, chosen.samples, len(setting.variance)) for seed in chosen.seeds]
        ends = [exact_end(setting, noise) for noise in noises]
        for label, run in samplers(setting.variance).items():
            cells = []
            for calls in CALLS:
                errors = [
                    setting.error(run(setting.denoise, noise, calls), end)
                    for noise, end in zip(noises, ends, strict=True)
                ]
                spread = f" ({min(errors):.2g} to {max(errors):.2g})" if max(errors) > 1.1 * min(errors) else ""
                cells.append(f"{median(errors):.2g}{spread}")
            print(f"| {label} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
