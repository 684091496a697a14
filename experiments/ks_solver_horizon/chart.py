"""The study's table and chart, from the run that swept the solver.

    OMP_NUM_THREADS=1 python experiments/ks_solver_horizon/chart.py RUN horizon.png

Correlation times are the run's own scores. Costs are measured here: CPU seconds of one thread, the lowest of several
rounds in which all take turns, so that they compare on a machine that has other work.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pdekit import machine
from pdekit.cli.command_line import CONFIGS
from pdekit.data.module import DataModule
from pdekit.evaluation.baselines import solvers
from pdekit.fields import Trajectory
from pdekit.metrics.horizons import correlation_time_first_crossing, correlation_time_mean_then_count
from pdekit.models.base import Surrogate
from pdekit.recipes.generation import generate
from pdekit.recipes.trajectories import recipe_from
from pdekit.runs import build_model
from pdekit.train import register_training

LYAPUNOV = 0.0864  # largest exponent of Kuramoto-Sivashinsky at L = 64, per unit time (experiments/lyapunov)
FRAMES = 160  # of a forecast in the published setting: 128 units in steps of 0.8
PUBLISHED = {"U-Net, MSE": (75.4, 1), "PDE-Refiner, 4 steps": (98.3, 5)}  # horizon; network calls for each frame
DRAWS = 500  # of trajectories, for the uncertainty of a correlation time


def horizons(correlation: np.ndarray, dt: float) -> dict[str, float]:
    """Correlation times at 0.8, with one standard deviation of the first from drawing trajectories with replacement."""
    t = dt * np.arange(1, correlation.shape[-1] + 1)
    draw = np.random.default_rng(0).integers(len(correlation), size=(DRAWS, len(correlation)))
    again = [float(correlation_time_mean_then_count(correlation[rows], t, 0.8).time.item()) for rows in draw]
    return {
        "mean, then count": float(correlation_time_mean_then_count(correlation, t, 0.8).time.item()),
        "±": float(np.std(again)),
        "first crossing, median": float(np.median(correlation_time_first_crossing(correlation, t, 0.8).time)),
    }


def cost(model: Surrogate, batch: Trajectory, frames: int) -> float:
    """CPU milliseconds of one trajectory's forecast of `FRAMES` frames, from one of `frames`, in a batch."""
    given, t = batch.frames(slice(0, 1)), batch.t[:, 1 : frames + 1]
    began = time.process_time()
    with torch.no_grad():
        model.forecast(given, t)
    return 1e3 * (time.process_time() - began) / len(batch) * FRAMES / frames


def costs(models: dict[str, Surrogate], batch: Trajectory, frames: int, rounds: int) -> dict[str, float]:
    found = [{name: cost(model, batch, frames) for name, model in models.items()} for _ in range(rounds)]
    return {name: min(one[name] for one in found) for name in models}


def networks(data: DataModule) -> dict[str, Surrogate]:
    """Untrained networks of the published size: their weights do not matter to what a call costs."""
    register_training()
    found = {}
    for name, model, change in (
        ("U-Net, MSE", "ks_paper_unet", []),
        ("PDE-Refiner, 4 steps", "ks_paper_refiner", ["model.n_refinements=4"]),
    ):
        study = Path(__file__).parents[1] / "ks"
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            overrides = [f"hydra.searchpath=[file://{study}]", f"model={model}", "data=ks_paper", *change]
            config = OmegaConf.to_container(compose("train", overrides), resolve=True)
        built = build_model(config["model"], data.sources["test"].problem)
        built.calibrate([data.test.trajectories([0]).frames(slice(0, 2))])
        found[name] = built.eval()
    return found


def main() -> None:
    machine.prepare()
    torch.set_num_threads(1)
    run, picture = Path(sys.argv[1]), Path(sys.argv[2])
    config = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))
    settings = config["evaluation"]
    folder = generate(recipe_from(config["data"]), config["data_dir"] and Path(config["data_dir"]))
    data = DataModule.from_folder(folder)
    data.set_window(1, 1)
    problem = data.sources["test"].problem
    sweep, _ = solvers(problem, *(settings["sweep"][name] for name in ("sizes", "steps", "precisions")))
    batch = data.test.trajectories(range(64))
    spent = costs(sweep, batch, frames=FRAMES, rounds=2)
    nets = networks(data)
    calls = costs(nets, data.test.trajectories(range(16)), frames=1, rounds=2)
    rows = {}
    with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
        for name, solver in sweep.items():
            own = scores.correlation.sel(model=name).isel(member=0, field=0).values
            precision = "float32" if solver.dtype == torch.float32 else "float64"
            rows[solver.shape[0], solver.largest_dt, precision] = horizons(own, problem.dt) | {"ms": spent[name]}
    table(rows, calls)
    chart(rows, calls, picture)


def table(rows: dict[tuple, dict[str, float]], calls: dict[str, float]) -> None:
    columns = ["points", "step at most", "precision", "mean, then count", "first crossing, median", "Lyapunov times"]
    columns += ["CPU ms a forecast"]
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for (n, dt, precision), row in rows.items():
        count, first = row["mean, then count"], row["first crossing, median"]
        cells = [
            str(n),
            f"{dt:g}",
            precision,
            f"{count:.1f} ± {row['±']:.1f}",
            f"{first:.1f}",
            f"{LYAPUNOV * count:.1f}",
        ]
        print("| " + " | ".join([*cells, f"{row['ms']:.2g}"]) + " |")
    for name, (horizon, n_calls) in PUBLISHED.items():
        cells = [f"{name}, {n_calls} x {FRAMES} calls", "0.8", "float32", f"{horizon} (published)", ""]
        print("| " + " | ".join([*cells, f"{LYAPUNOV * horizon:.1f}", f"{calls[name]:.0f}"]) + " |")


def chart(rows: dict[tuple, dict[str, float]], calls: dict[str, float], path: Path) -> None:
    """Horizon against cost: a line for each grid, along which the step falls."""
    fig, axes = plt.subplots(figsize=(8.5, 5.0), layout="constrained")
    sizes = sorted({n for n, _, _ in rows})
    colours = plt.colormaps["viridis"](np.linspace(0, 0.92, len(sizes)))
    for n, colour in zip(sizes, colours, strict=True):
        for precision, style in (("float64", "o-"), ("float32", "s:")):
            line = [row for (m, _, p), row in rows.items() if (m, p) == (n, precision)]
            label = f"ETDRK4, {n} points" if precision == "float64" else None
            x, y = [row["ms"] for row in line], [row["mean, then count"] for row in line]
            face = colour if precision == "float64" else "white"
            axes.plot(x, y, style, color=colour, ms=4, lw=1, mfc=face, label=label)
    axes.plot([], [], "s:", color="0.4", ms=4, lw=1, mfc="white", label="the same in float32")
    for number, (name, (horizon, n_calls)) in enumerate(PUBLISHED.items()):
        colour = ("tab:red", "tab:purple")[number]
        axes.axhline(horizon, color=colour, lw=1, ls="--")
        label = f"cost of a net of that size, {n_calls} call{'s' * (n_calls > 1)} a frame"
        axes.plot(calls[name], horizon, "*", color=colour, ms=13, label=label)
        place = axes.get_yaxis_transform()
        axes.text(0.4, horizon + 1.5, f"{name}: {horizon} (published)", color=colour, fontsize=8, transform=place)
    axes.axhline(128, color="0.5", lw=1, ls=":")
    axes.text(0.4, 129.5, "end of the published test", color="0.4", fontsize=8, transform=axes.get_yaxis_transform())
    axes.set(xlabel="CPU milliseconds for one forecast of 128 time units (one thread, in batches)", xscale="log")
    axes.set(ylabel="correlation time at 0.8 (mean over 128, then count)", ylim=(0, None))
    right = axes.secondary_yaxis("right", functions=(lambda t: LYAPUNOV * t, lambda m: m / LYAPUNOV))
    right.set_ylabel("Lyapunov times")
    axes.grid(alpha=0.3)
    fig.legend(fontsize=8, frameon=False, loc="outside right upper")
    fig.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
