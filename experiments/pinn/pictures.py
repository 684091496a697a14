"""Space-time pictures of a trained run in one dimension: solution, reference, error, residual, causal weights.

python experiments/pinn/pictures.py RUN [OUT.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import torch

import pdekit
from pdekit.data.instance import instance_from
from pdekit.data.simulation import setting

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def main(run_folder: str, out: str | None = None) -> None:
    run = pdekit.load(run_folder)
    model, recipe = run.model, instance_from(run.config["data"], run.config["instance"])
    if recipe.grid.ndim != 1:
        sys.exit(f"error: expected a run in one dimension, got {recipe.grid.ndim}; look at its report.html instead")
    chosen, n = setting(recipe, "test", [0]), recipe.n_frames["test"]
    reference = chosen.march(chosen.start(), chosen.grid, n, recipe.substeps)[0, :, 0]
    t = torch.arange(n, dtype=torch.float64) * recipe.dt
    u = model.solution.frames(t)[:, 0]
    x = recipe.grid.coordinates(0)
    points = torch.stack((x.repeat(n), t.repeat_interleave(len(x))), 1)
    with torch.no_grad():
        squares = [(p, model.squares(p, window).sum(0)) for window, p in model.solution.by_window(points)]
    residual = torch.cat([values for _, values in squares]).sqrt().reshape(n, -1)
    panels = {
        "solution": (u, "RdBu_r"),
        "reference": (reference, "RdBu_r"),
        "error": ((u - reference).abs().log10(), "viridis"),
        "residual": (residual.log10(), "viridis"),
    }
    figure, axes = plt.subplots(1, 5, figsize=(17, 3), layout="constrained")
    extent = (float(t[0]), float(t[-1]), float(x[0]), float(x[0]) + float(recipe.grid.extent[0]))
    for panel, (title, (values, colours)) in zip(axes, panels.items(), strict=False):
        image = panel.imshow(values.mT, origin="lower", aspect="auto", extent=extent, cmap=colours)
        panel.set(title=title if colours == "RdBu_r" else f"log₁₀ |{title}|", xlabel="t")
        figure.colorbar(image, ax=panel)
    axes[4].plot(model.points[:, -1], model.causal, ".", ms=2)
    axes[4].set(title="causal weights of the last points", xlabel="t", ylim=(-0.02, 1.02))
    axes[0].set_ylabel("x")
    path = Path(out) if out else Path(run_folder) / "space_time.png"
    figure.savefig(path, dpi=130)
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
