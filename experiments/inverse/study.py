"""Forward and inverse problems by a joint prior, by kriging and by the adjoint of the solver, with the same data.

    OMP_NUM_THREADS=1 python experiments/inverse/study.py run=RUN [samples=8] [members=16] [data_dir=PATH] [out=FOLDER]
        [only=inverse+adjoint]

RUN is a run of `model=diffusion_pde`. Prints the tables of the README; adjoint is for one input and one solution field.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from adjoint import adjoint

from pdekit.inference.settings import Inference
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.pdes import Darcy
from pdekit.runs import load
from pdekit.workflows.inference import data_of, run_inference

HALFWAY, HALFWAY_IN_LOG = 7.5, 6.0  # between the two phases of Darcy, 3 and 12: of a mean of a, and of a mean of ln a
COLUMNS = ("coverage_50", "coverage_90", "crps", "spread")


def tasks_of(model: DiffusionPDE) -> dict[str, Inference]:
    """Return the tasks: the solution is inferred from the input, or the input from the solution."""
    given, wanted = "+".join(model.names[: model.n_given]), "+".join(model.names[model.n_given :])
    tasks = {
        "inverse": Inference(observe=wanted, method="amortised+mmps+kriging"),
        "inverse with equation": Inference(observe=wanted, method="mmps", equation=1.0),
        "forward": Inference(observe=given, share=1.0, method="amortised+kriging"),
        "forward, 3 % seen": Inference(observe=given, method="amortised+mmps+kriging"),
    }
    return tasks if model.problem.steady else {name: one for name, one in tasks.items() if not one.equation}


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    run, n = load(options["run"]), int(options.get("samples", 8))
    data = data_of(run, options.get("data_dir"), ())
    tasks = tasks_of(run.model)
    only = options.get("only", "+".join((*tasks, "adjoint"))).split("+")
    for name in (name for name in tasks if name in only):
        task = tasks[name]
        task.n_samples, task.members = n, int(options.get("members", 16))
        folder = Path(options.get("out", "inverse")) / name.replace(" ", "_").replace(",", "").replace("%", "percent")
        found = run_inference(run, task, folder, data)
        print(f"\n### {name}, {n} samples\n")
        show(run.model, found, json.loads((folder / "summary.json").read_text()))
    if "adjoint" in only:
        tasks["inverse"].n_samples = n
        inputs, exact = adjoint(run.model, data, tasks["inverse"])
        if isinstance(run.problem.pde, Darcy):
            wrong = two_phase_error(torch.stack(inputs), exact, HALFWAY_IN_LOG)
            print(f"adjoint: points in the wrong phase {wrong:.1f} %")


def show(model: DiffusionPDE, found, summary: dict) -> None:
    """Print medians over samples, the mean over the channels of input and of solution."""
    groups = {"input": model.names[: model.n_given], "solution": model.names[model.n_given :]}
    columns = ("relative error, % (range)", "inside 50 / 90 %", "CRPS / spread", "residual (floor)", "CPU s")
    print("| method | channels | " + " | ".join(columns) + " |\n|---|---|---|---|---|---|---|")
    for method in found.posteriors:
        one = summary["methods"][method]
        residual = f"{one['residual']:.3g} ({one['residual_floor']:.3g})" if "residual" in one else ""
        for group, names in groups.items():
            scores = found.scores.sel(model=method, channel=list(names)).mean("channel")
            error = scores.relative_error
            middle, low, high = (100 * float(part) for part in (error.median(), error.min(), error.max()))
            inner, outer, crps, spread = (float(scores[column].median()) for column in COLUMNS)
            print(
                f"| {method} | {group} | {middle:.1f} ({low:.1f} to {high:.1f}) | {100 * inner:.0f} / {100 * outer:.0f}"
                f" | {crps:.3g} / {spread:.3g} | {residual} | {one['cpu_seconds_per_sample']:.2g} |",
                flush=True,
            )
        if isinstance(model.problem.pde, Darcy):
            posterior, name = found.posteriors[method], model.names[0]
            wrong = two_phase_error(posterior[f"{name} mean"].values, posterior[f"{name} truth"].values, HALFWAY)
            print(f"{method}: points in the wrong phase {wrong:.1f} % (median)", flush=True)
    if "errors_by_level" in summary:
        for name, values in summary["errors_by_level"].items():
            print(f"{name}: " + ", ".join(f"{value:.2g}" for value in values))


def two_phase_error(found, truth, halfway: float) -> float:
    """Return the share of points on the wrong side of the two phases, in percent, median over samples."""
    wrong = (torch.as_tensor(found) > halfway) != (torch.as_tensor(truth) > HALFWAY)
    return 100 * float(wrong.double().flatten(1).mean(1).quantile(0.5))


if __name__ == "__main__":
    main()
