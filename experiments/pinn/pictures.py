"""Space-time pictures of a run in one dimension: solution, reference, error, residual, points with their weights.

python experiments/pinn/pictures.py RUN [OUT.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import torch

import pdekit
from pdekit.models.pinn import PINN
from pdekit.recipes.instance import instance_from
from pdekit.recipes.trajectories import Recipe
from pdekit.simulators.base import collected

matplotlib.use("Agg")
from matplotlib import pyplot as plt

LARGEST = 200  # samples shown along each axis of a panel


def draw(model: PINN, recipe: Recipe, path: Path) -> None:
    """Five panels of place against time, for the first field; logarithms to base ten."""
    n = recipe.n_frames["test"]
    reference = collected(recipe.simulator.march([recipe.draw("test", 0)], recipe.grid), n)[0][0, :, 0]
    t = torch.arange(n, dtype=torch.float64) * recipe.dt
    model = model.double()
    u, x = model.solution.frames(t)[:, 0], recipe.grid.coordinates(0)
    stride = max(1, len(x) // LARGEST)
    places = x[::stride].double()
    points = torch.stack((places.repeat(n), t.repeat_interleave(len(places))), 1)
    with torch.no_grad():
        squares = [model.squares(inside, window).sum(0) for window, inside in model.solution.by_window(points)]
    residual = torch.cat(squares).sqrt().reshape(n, -1)
    error, largest = (u - reference)[:, ::stride].abs(), float(reference.abs().max())
    panels = {
        "solution": (u[:, ::stride], {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}),
        "reference": (reference[:, ::stride], {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}),
        "log error": (error.log10().clamp_min(float(error.max().log10()) - 5), {"cmap": "viridis"}),
        "log residual": (residual.log10(), {"cmap": "viridis"}),
    }
    figure, axes = plt.subplots(1, 5, figsize=(15, 2.8), layout="constrained", sharex=True, sharey=True)
    extent = (float(t[0]), float(t[-1]), float(x[0]), float(x[0]) + float(recipe.grid.extent[0]))
    for panel, (title, (values, colours)) in zip(axes, panels.items(), strict=False):
        image = panel.imshow(values.mT, origin="lower", aspect="auto", extent=extent, **colours)
        panel.set(title=title, xlabel="t")
        figure.colorbar(image, ax=panel)
    places, times = model.cloud.points.T
    weights = model.cloud.causal * model.cloud.attention.square()
    dots = axes[4].scatter(times, places, 2.0, weights, cmap="viridis_r", vmin=0, linewidths=0)
    axes[4].set(title="last points, their weights", xlabel="t")
    axes[0].set(ylabel="x", xlim=extent[:2], ylim=extent[2:])
    figure.colorbar(dots, ax=axes[4])
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main(run_folder: str, out: str | None = None) -> None:
    run = pdekit.load(run_folder)
    recipe = instance_from(run.config["data"], run.config["instance"])
    if recipe.grid.ndim != 1:
        sys.exit(f"error: expected a run in one dimension, got {recipe.grid.ndim}; look at its report.html instead")
    path = Path(out) if out else Path(run_folder) / "space_time.png"
    draw(run.model, recipe, path)
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
