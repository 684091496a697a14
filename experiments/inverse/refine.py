"""A forecast pulled towards a joint prior: error, and energy of the fine scales, at several levels and weights.

    OMP_NUM_THREADS=1 python experiments/inverse/refine.py run=RUN prior=PRIOR [data_dir=PATH] [samples=16]

RUN is any surrogate of a periodic problem in one dimension, PRIOR a run of `model=diffusion_pde` on the same data.
Prints the table of the README.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from pdekit.metrics.pointwise import nrmse
from pdekit.models.refined import Refined
from pdekit.runs import load
from pdekit.workflows.inference import data_of

LEVELS, WEIGHTS = (0.02, 0.05, 0.1), (0.1, 1.0)


def fine(u: Tensor) -> Tensor:
    """Return the energy of the upper half of the wavenumbers."""
    return torch.fft.rfft(u)[..., u.shape[-1] // 4 :].abs().square().sum()


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    run, prior = load(options["run"]), load(options["prior"])
    data = data_of(run, options.get("data_dir"), ())
    batch = data.test.trajectories(list(range(int(options.get("samples", 16)))))
    given, t = batch.frames(slice(0, 1)), batch.t[:, 1:2]
    exact = batch.u[:, 1:2].double()
    models = {"forecast": run.model} | {
        f"level {level:g}, weight {weight:g}": Refined(run.model, prior.model, level, weight)
        for level in LEVELS
        for weight in WEIGHTS
    }
    print("| | nRMSE, median | energy of the fine scales / exact |\n|---|---|---|")
    for name, model in models.items():
        u = model.forecast(given, t)[0].double()
        error = float(nrmse(u, exact, run.problem).median())
        print(f"| {name} | {error:.3g} | {float(fine(u) / fine(exact)):.3g} |", flush=True)


if __name__ == "__main__":
    main()
