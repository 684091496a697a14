"""Do samples follow their prompts? Counts, places and buoyancy of plumes in generated smoke.

    OMP_NUM_THREADS=1 python experiments/text2pde/follow.py RUN [--guidance 1 2] [--calls 4 8] [--picture PNG]

The captions of the test split are the prompts. Flows are judged by `pdekit.metrics.plumes`, which reads inlets and
buoyancy from the fields alone. Simulations and what the parts of the model make of them (reconstructions of the
autoencoder, continuations of first frames) are judged in the same way, against their own captions and against those of
another trajectory. Prints the table of the README.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

import pdekit
from pdekit.captions.reading import SmokeReading, read_smoke
from pdekit.data.module import DataModule
from pdekit.fields import Problem, Trajectory
from pdekit.metrics.plumes import Plumes, follows_prompt, inlets, plumes_of
from pdekit.models.prompts import levels_for
from pdekit.recipes.generation import generate
from pdekit.recipes.instance import instance_from
from pdekit.runs import Run

COLUMNS = ("count", "places", "buoyancy", "all")


def by_balance(u: Tensor, problem: Problem) -> list[Plumes]:
    """Inlets and buoyancy from the equations: source of the smoke and forcing of the vorticity over all frames."""
    return plumes_of(u, problem.grid, float(problem.dt), problem.pde.viscosity, problem.pde.diffusivity)


def by_first_frame(u: Tensor, problem: Problem) -> list[Plumes]:
    """Inlets from the maxima of the smoke in the first frame, which has risen a little; buoyancy from the balance."""
    found = []
    for flow, whole in zip(u, by_balance(u, problem), strict=True):
        centres, rates = inlets(flow[0, 2].double(), problem.grid)
        found.append(Plumes(centres, rates, whole.buoyancy, whole.misfit))
    return found


JUDGES = {"balance": by_balance, "first frame": by_first_frame}


def shares(found: Sequence[Plumes], prompts: Sequence[SmokeReading], problem: Problem) -> list[float]:
    """Share of flows that agree with their prompt in each of `COLUMNS`."""
    rows = []
    for flow, prompt in zip(found, prompts, strict=True):
        agreed = follows_prompt(flow, problem.grid, prompt.count, prompt.cells, prompt.buoyancy)
        rows.append([bool(agreed.count), bool(agreed.places), bool(agreed.buoyancy), agreed.all])
    return torch.tensor(rows).double().mean(0).tolist()


@dataclass(frozen=True)
class Sampling:
    """Guidance of samples, and calls of the net; None for the calls of the run."""

    guidance: float
    calls: int | None = None

    def __str__(self) -> str:
        return f"guidance {self.guidance:g}" + ("" if self.calls is None else f", {self.calls} calls")


def sampled(run: Run, batch: Trajectory, sampling: Sampling, seed: int = 0) -> Tensor:
    """One sample for each caption of a batch."""
    changes: dict[str, Any] = {"guidance": sampling.guidance}
    if sampling.calls is not None:
        generation = run.model.generation
        n = levels_for(generation.sampler, sampling.calls)
        changes["levels"] = dataclasses.replace(generation.levels, n=n)
    model = run.model.with_generation(**changes).eval()
    return model.forecast(batch.known(0), batch.t, generator=torch.Generator().manual_seed(seed))[0]


def parts(run: Run, batch: Trajectory) -> dict[str, Tensor]:
    """Flows that show what the autoencoder and the continuation lose, without the transformer."""
    model = run.model
    if model.continuation is None:
        return {"reconstructions": model.autoencoder.reconstruct(batch)}
    first = batch.known(model.continuation.history)
    again = dataclasses.replace(first, u=model.autoencoder.reconstruct(first))
    t = batch.t[:, model.continuation.history :]
    return {
        name: torch.cat((start.u, model.continuation.forecast(start, t)[0].to(start.u)), 1)
        for name, start in (("first frames, continued", first), ("reconstructed first frames, continued", again))
    }


def correlation(found: Sequence[Plumes], prompts: Sequence[SmokeReading]) -> float:
    """Correlation of the buoyancy of flows with that of their prompts."""
    pairs = [(flow.buoyancy, prompt.buoyancy) for flow, prompt in zip(found, prompts, strict=True)]
    return float(torch.corrcoef(torch.tensor(pairs).double().T)[0, 1])


def nearest_training(u: Tensor, data: DataModule) -> tuple[float, float]:
    """Median relative distance of flows to the nearest training trajectory, and of test trajectories to theirs."""
    train = data.train.trajectories(range(data.train.n_trajectories)).u.flatten(1)
    test = data.test.trajectories(range(data.sources["test"].n_trajectories)).u.flatten(1)
    near = [
        (torch.cdist(some, train).amin(1) / some.norm(dim=1)).median().item() for some in (u.flatten(1).float(), test)
    ]
    return near[0], near[1]


def table(run: Run, data: DataModule, samplings: Sequence[Sampling]) -> dict[Sampling, Tensor]:
    """Print the table; return the samples."""
    batch = data.test.trajectories(range(data.sources["test"].n_trajectories))
    prompts = [read_smoke(text) for text in batch.text or ()]
    problem = run.problem
    flows = {"simulations": batch.u, **parts(run, batch)}
    samples = {}
    for sampling in samplings:
        began = time.process_time()
        samples[sampling] = sampled(run, batch, sampling)
        print(f"{sampling}: {(time.process_time() - began) / len(batch):.3f} CPU s per sample")
        flows[f"samples, {sampling}"] = samples[sampling]
    print(f"| flows | judge | prompts | {' | '.join(COLUMNS)} | correlation of buoyancy |")
    print("|---|---|---|" + "---|" * (len(COLUMNS) + 1))
    for name, u in flows.items():
        for judge, read in JUDGES.items():
            found = read(u, problem)
            for which, wanted in (("own", prompts), ("of another", prompts[1:] + prompts[:1])):
                row = " | ".join(f"{share:.0%}" for share in shares(found, wanted, problem))
                print(f"| {name} | {judge} | {which} | {row} | {correlation(found, wanted):.2f} |")
    for sampling, u in samples.items():
        ours, theirs = nearest_training(u, data)
        print(f"{sampling}: nearest training trajectory at {ours:.2f}, that of test trajectories at {theirs:.2f}")
    return samples


def picture(
    samples: Tensor, batch: Trajectory, path: Path, rows: int = 5, frames: Sequence[int] = (0, 7, 15, 23)
) -> None:
    """Draw the smoke of the first samples, to the right of the simulations that had their captions."""
    rows = min(rows, len(samples))
    figure = Figure(figsize=(2.2 * len(frames), 1.25 * rows), dpi=80)
    axes = figure.subplots(rows, 2 * len(frames), squeeze=False, gridspec_kw={"wspace": 0.05, "hspace": 0.3})
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.93)
    for row, line in enumerate(axes):
        line[0].text(0, 35, (batch.text or ())[row], fontsize=7)
        top = float(batch.u[row, :, 2].max())
        for column, axis in enumerate(line):
            u = (batch.u if column < len(frames) else samples)[row, frames[column % len(frames)], 2]
            axis.imshow(u.T, origin="lower", vmin=0, vmax=top, cmap="magma")
            axis.set_axis_off()
    figure.savefig(path)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--picture", type=Path, help="PNG of simulations (left) and samples (right)")
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("--calls", type=int, nargs="+", default=[], help="of the net, with the last guidance")
    arguments = parser.parse_args()
    run = pdekit.load(arguments.run)
    base = run.config.get("data_dir")
    recipe = instance_from(run.config["data"], None)
    data = DataModule.from_folder(generate(recipe, Path(base) if base else None))
    by_guidance = [Sampling(weight) for weight in arguments.guidance]
    samples = table(run, data, [*by_guidance, *(Sampling(arguments.guidance[-1], n) for n in arguments.calls)])
    if arguments.picture:
        batch = data.test.trajectories(range(data.sources["test"].n_trajectories))
        picture(samples[by_guidance[-1]], batch, arguments.picture)


if __name__ == "__main__":
    main()
