"""Error of samplers against the number of calls of a trained net: the prior of a run of `model=diffusion_pde`.

    OMP_NUM_THREADS=1 python experiments/samplers/trained.py run=RUN [data_dir=PATH] [samples=32]

Prints the table of the README. The error is that against the net's own flow on 256 levels, from the same noise:
relative rms of each Fourier mode of each channel, averaged over the modes of variance above 1e-4. For periodic boxes.
"""

from __future__ import annotations

import sys
from statistics import median

import torch
from torch import Tensor

from pdekit.diffusion.levels import log_levels
from pdekit.diffusion.samplers.adams_bashforth import AdamsBashforth
from pdekit.diffusion.samplers.base import Sampler, no_noise
from pdekit.diffusion.samplers.ddim import DDIM
from pdekit.diffusion.samplers.exponential import Exponential
from pdekit.diffusion.samplers.heun import Heun
from pdekit.diffusion.samplers.spectral import Spectral, fourier_modes
from pdekit.inference.posteriors import training_joint
from pdekit.models.inputs import normalised
from pdekit.runs import load
from pdekit.workflows.inference import data_of

CALLS, FINE, SEEDS = (4, 6, 8, 12, 16), 256, (0, 1, 2)


def error(found: Tensor, exact: Tensor, ndim: int, variance: Tensor) -> float:
    """Return the mean of the relative rms errors of the modes that matter."""
    modes = fourier_modes(ndim)
    wrong = modes.forward(found - exact).abs().square().mean(0)
    right = modes.forward(exact).abs().square().mean(0)
    return float((wrong / right).sqrt()[variance > 1e-4].mean())


@torch.no_grad()
def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    run, n = load(options["run"]), int(options.get("samples", 32))
    model, data = run.model, data_of(run, options.get("data_dir"), ())
    data.set_window(*model.window)
    ndim, levels = model.problem.ndim, model.levels
    joint = training_joint(model, data.calibration_batches())
    variance = fourier_modes(ndim).forward(joint - joint.mean(0)).abs().square().mean(0)
    samplers: dict[str, Sampler] = {
        "DDIM": DDIM(),
        "DPM-Solver++ 2M": Exponential("clean", 2),
        "DPM-Solver++ 3M": Exponential("clean", 3),
        "Adams-Bashforth 2": AdamsBashforth(),
        "GHVB 2.5": AdamsBashforth(3, 0.5),
        "Heun": Heun(),
        "spectral": Spectral(variance, fourier_modes(ndim)),
        "spectral, corrected": Spectral(variance, fourier_modes(ndim), corrected=True),
    }
    given = normalised(data.test.trajectories([0]).frames(slice(0, model.n_frames)), model.normaliser)
    given = given.samples(torch.zeros(n, dtype=torch.long))
    nothing = torch.zeros(n, model.n_joint, *joint.shape[2:]).to(model.normaliser.like)
    denoise = model.denoiser(model.context(given, nothing, nothing), given)
    errors: dict[tuple[str, int], list[float]] = {}
    for seed in SEEDS:
        noise = torch.randn(nothing.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        start = (levels.k_max * noise).to(nothing)
        exact = Exponential("clean", 2)(denoise, start, log_levels(FINE, levels.k_max, levels.k_min), no_noise)
        for name, sampler in samplers.items():
            for calls in CALLS:
                count = max(m for m in range(1, calls + 1) if sampler.calls(m) <= calls)
                found = sampler(denoise, start, log_levels(count, levels.k_max, levels.k_min), no_noise)
                errors.setdefault((name, calls), []).append(error(found, exact, ndim, variance))
    print("| sampler | " + " | ".join(f"{calls} calls" for calls in CALLS) + " |\n|---|" + "---|" * len(CALLS))
    for name in samplers:
        rows = [errors[name, calls] for calls in CALLS]
        cells = [f"{median(row):.2g} ({min(row):.2g} to {max(row):.2g})" for row in rows]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
