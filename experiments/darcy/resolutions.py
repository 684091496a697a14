"""Errors of trained runs of Darcy flow on other grids than that of their training, odd and even, coarser and finer.

    python experiments/darcy/resolutions.py 'runs/*-darcy' [SAMPLES]

The same test samples are solved on each grid; the input is the permeability at its points. A row is a model: the median
over its seeds, and the lowest and highest, of the median nRMSE over the samples.
"""

from __future__ import annotations

import glob
import sys
from collections import defaultdict
from pathlib import Path

import torch

import pdekit
from pdekit.evaluation.references.solved_again import SolvedAgain
from pdekit.metrics.pointwise import nrmse
from pdekit.models.resolution import at_resolution
from pdekit.simulate import recipe_named

SIZES = (15, 22, 29, 36, 43, 57, 85, 113)
BATCH = 8


def main() -> None:
    runs = [Path(path) for path in sorted(glob.glob(sys.argv[1])) if (Path(path) / "scores.nc").exists()]
    if not runs:
        sys.exit(f"expected evaluated runs at {sys.argv[1]!r}, found none")
    models = defaultdict(list)
    for path in runs:
        run = pdekit.load(path)
        models[run.name].append(run.model)
    recipe, n_samples = recipe_named("darcy"), int(sys.argv[2]) if len(sys.argv) > 2 else 50
    rows = {name: [] for name in models}
    for n in SIZES:
        source = SolvedAgain(recipe, "test", (n, n))
        parts = [source.recipe.simulate("test", range(i, i + BATCH)) for i in range(0, n_samples, BATCH)]
        for name, seeds in models.items():
            medians = []
            for model in seeds:
                resized = at_resolution(name, model, (n, n))
                errors = [
                    nrmse(resized.forecast(part.frames(slice(0, 0)), part.t), part.u, source.problem, None)[0, :, 0, 0]
                    for part in parts
                ]
                medians.append(torch.cat(errors).median().item())
            medians.sort()
            rows[name].append(f"{medians[len(medians) // 2]:.3g} ({medians[0]:.3g} to {medians[-1]:.3g})")
    print("| | " + " | ".join(f"{n}²" for n in SIZES) + " |\n|" + "---|" * (len(SIZES) + 1))
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
