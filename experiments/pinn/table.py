"""The table and the picture of results/curves.csv.

    python experiments/pinn/table.py

Prints, for each problem and variant, the CPU-seconds until an error was first reached and the error at the end of the
run (of what came before, the last row): median, and the range over the seeds. Draws error against CPU time into
results/curves.png.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"
AIMS = {"burgers": 7e-5, "allen_cahn": 2.5e-4, "kdv": 2e-3}


def read() -> dict[tuple[str, str], dict[str, list[tuple[float, float]]]]:
    """(problem, variant) -> seed -> (CPU-seconds, error)."""
    runs: dict = defaultdict(lambda: defaultdict(list))
    with (RESULTS / "curves.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            point = float(row["cpu_seconds"]), float(row["error"])
            runs[row["problem"], row["variant"]][row["seed"]].append(point)
    return runs


def spread(values: list[float]) -> str:
    """Median and range."""
    if len(values) == 1:
        return f"{values[0]:.3g}"
    return f"{median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def table(runs: dict) -> str:
    lines = ["| problem | variant | seeds | CPU-s | error | CPU-s until the aim |", "|---|---|---|---|---|---|"]
    for (problem, variant), seeds in runs.items():
        ends = [curve[-1] for curve in seeds.values()]
        aim = AIMS.get(problem)
        reached = [next((s for s, error in curve if aim and error <= aim), None) for curve in seeds.values()]
        times = [s for s in reached if s is not None]
        until = f"{spread(times)} for {aim:g}, {len(times)} of {len(seeds)}" if times else ""
        cells = (problem, variant, str(len(seeds)), spread([s for s, _ in ends]), spread([e for _, e in ends]), until)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(runs: dict) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    problems = list(dict.fromkeys(problem for problem, _ in runs))
    figure, axes = plt.subplots(1, len(problems), figsize=(3.2 * len(problems), 3), squeeze=False, sharey=True)
    for panel, problem in zip(axes[0], problems, strict=True):
        variants = [variant for other, variant in runs if other == problem]
        for number, variant in enumerate(variants):
            for place, curve in enumerate(runs[problem, variant].values()):
                panel.semilogy(*zip(*curve, strict=True), color=f"C{number}", lw=1, label=None if place else variant)
        panel.set(title=problem, xlabel="CPU-seconds")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    axes[0, 0].set_ylabel("relative L2 error")
    path = RESULTS / "curves.png"
    figure.savefig(path, dpi=130, bbox_inches="tight")
    return path


if __name__ == "__main__":
    found = read()
    print(table(found))
    print(picture(found))
