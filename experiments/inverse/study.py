"""Forward and inverse Darcy flow by a joint prior, by kriging and by the adjoint of the solver, with the same data.

    OMP_NUM_THREADS=1 python experiments/inverse/study.py run=RUN [samples=8] [members=16] [data_dir=PATH] [out=FOLDER]
        [only=inverse+adjoint]

RUN is a run of `model=diffusion_pde data=darcy`. Prints the tables of the README.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from pdekit.inference.settings import Inference
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.runs import load
from pdekit.solvers.elliptic_adjoint import elliptic_solution
from pdekit.workflows.inference import data_of, decoded, observations_of, run_inference

MODES = 80  # of the logarithm of the permeability, by variance
ITERATIONS = 40
HALFWAY, HALFWAY_IN_LOG = 7.5, 6.0  # between the two phases, 3 and 12: of a mean of a, and of a mean of ln a

TASKS = {
    "inverse": Inference(observe="solution", share=0.03, noise=0.01, method="amortised+mmps+kriging"),
    "inverse with equation": Inference(observe="solution", share=0.03, noise=0.01, method="mmps", equation=1.0),
    "forward": Inference(observe="coefficients", share=1.0, noise=0.01, method="amortised+mmps+kriging"),
    "forward, 3 % seen": Inference(observe="coefficients", share=0.03, noise=0.01, method="amortised+mmps+kriging"),
}


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    run, n = load(options["run"]), int(options.get("samples", 8))
    data = data_of(run, options.get("data_dir"), ())
    only = options.get("only", "+".join((*TASKS, "adjoint"))).split("+")
    for name, task in TASKS.items():
        if name not in only:
            continue
        task.n_samples, task.members = n, int(options.get("members", 16))
        folder = Path(options.get("out", "inverse")) / name.replace(" ", "_").replace(",", "").replace("%", "percent")
        found = run_inference(run, task, folder, data)
        print(f"\n{name}, {n} samples\n{found.table}")
        for method, one in json.loads((folder / "summary.json").read_text())["methods"].items():
            print(f"{method}: residual {one['residual']:.3g}, floor {one['residual_floor']:.3g}")
        for method, posterior in found.posteriors.items():
            wrong = two_phase_error(posterior["permeability mean"].values, posterior["permeability truth"].values)
            print(f"{method}: points in the wrong phase {wrong:.1f} % (median)", flush=True)
    if "adjoint" in only:
        TASKS["inverse"].n_samples = n
        adjoint(run.model, data, TASKS["inverse"])


def two_phase_error(found, truth) -> float:
    """Return the share of points on the wrong side of the two phases, in percent, median over samples."""
    wrong = (torch.as_tensor(found) > HALFWAY) != (torch.as_tensor(truth) > HALFWAY)
    return 100 * float(wrong.double().flatten(1).mean(1).quantile(0.5))


def adjoint(model: DiffusionPDE, data, task: Inference) -> None:
    """Fit the leading modes of ln a to the same observations by L-BFGS through the solver; print errors and cost."""
    data.set_window(*model.window)
    batch, truth, observed = observations_of(model, data, task)
    exact = decoded(model, truth)
    spacing, scale = model.problem.grid.spacing, float(model.scale[1])
    training = torch.cat([one.coeffs for one in data.calibration_batches()]).double()[:, 0]
    stored = torch.cat([one.u for one in data.calibration_batches()]).double()[:20, 0, 0]
    with torch.no_grad():
        coarse = torch.stack([elliptic_solution(a, 1.0, spacing) for a in training[:20]])
    model_error = float((coarse - stored).square().mean().sqrt())
    logs = training.log().flatten(1)
    mean, (_, values, vectors) = logs.mean(0), torch.linalg.svd(logs - logs.mean(0), full_matrices=False)
    modes = values[:MODES, None] * vectors[:MODES] / (len(logs) - 1) ** 0.5
    error = (float(observed.noise * scale) ** 2 + model_error**2) ** 0.5
    rows = []
    for i in range(len(batch)):
        mask = observed.mask[i, 1] > 0
        wanted = decoded(model, observed.values)[i, 1][mask]
        began = time.process_time()
        a, u, solves = fitted(mean, modes, wanted, mask, error, spacing)
        seconds = time.process_time() - began
        rows.append((_relative(a, exact[i, 0]), _relative(u, exact[i, 1]), _wrong(a, exact[i, 0]), solves, seconds))
    a_error, u_error, wrong, solves, seconds = torch.tensor(rows).double().quantile(0.5, dim=0).tolist()
    print(f"\nadjoint: a {a_error:.2f} %, u {u_error:.2f} %, wrong phase {wrong:.1f} %")
    print(f"cost: {solves:.0f} solves, {seconds:.2g} CPU s a sample; model error of the grid {model_error / scale:.3f}")
    forward = [_relative(c, s) for c, s in zip(coarse, stored, strict=True)]
    print(f"solver on the stored grid, a known: u {sorted(forward)[len(forward) // 2]:.2f} %")


def fitted(
    mean: Tensor, modes: Tensor, wanted: Tensor, mask: Tensor, error: float, spacing
) -> tuple[Tensor, Tensor, int]:
    """Return (a, u, number of solves) of the most probable a: misfit of u plus the Gaussian prior of the modes."""
    weights = torch.zeros(len(modes), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=ITERATIONS, line_search_fn="strong_wolfe")
    calls = 0

    def coefficient() -> Tensor:
        return torch.exp(mean + weights @ modes).reshape(mask.shape)

    def closure() -> Tensor:
        nonlocal calls
        calls += 1
        optimiser.zero_grad()
        misfit = (elliptic_solution(coefficient(), 1.0, spacing)[mask] - wanted) / error
        loss = 0.5 * misfit.square().sum() + 0.5 * weights.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        return coefficient(), elliptic_solution(coefficient(), 1.0, spacing), 2 * calls


def _relative(found: Tensor, truth: Tensor) -> float:
    return 100 * float((found - truth).norm() / truth.norm())


def _wrong(found: Tensor, truth: Tensor) -> float:
    return 100 * float(((found > HALFWAY_IN_LOG) != (truth > HALFWAY_IN_LOG)).double().mean())


if __name__ == "__main__":
    main()
