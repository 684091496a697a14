"""The tables and the picture of results/curves.csv.

    python experiments/pinn/table.py

Prints, for each problem and variant, the CPU-seconds until an error was first reached and the error at the end of the
run (of what came before, the last row): median, and the range over the seeds. For problems with several variants a
second table compares them after equally many steps of the second stage, because CPU-seconds of one and the same run
differ by up to a factor of two with the load of the machine; runs without a second stage are compared at their end.
Draws error against CPU time into curves.png.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import NamedTuple

RESULTS = Path(__file__).parent / "results"
COLUMNS = 5  # of panels
AIMS = {"burgers": (7e-5,), "allen_cahn": (2.5e-4, 5e-5, 1e-5), "kdv": (2e-3,)}


class Look(NamedTuple):
    """One row."""

    seconds: float
    error: float
    step: int | None  # of the second stage
    unknown: float | None


Runs = dict[tuple[str, str], dict[str, list[Look]]]


def read() -> Runs:
    """(problem, variant) -> seed -> rows; problems in the order of the file, the default first of each."""
    runs: Runs = defaultdict(lambda: defaultdict(list))
    with (RESULTS / "curves.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            step = None if row["stage"].startswith("adam") else int(row["step"])
            unknown = float(row["unknown_error"]) if row["unknown_error"] else None
            look = Look(float(row["cpu_seconds"]), float(row["error"]), step, unknown)
            runs[row["problem"], row["variant"]][row["seed"]].append(look)
    order = list(dict.fromkeys(problem for problem, _ in runs))
    return {key: runs[key] for key in sorted(runs, key=lambda key: (order.index(key[0]), key[1] != "default"))}


def spread(values: list[float]) -> str:
    """Median and range."""
    if len(values) == 1:
        return f"{values[0]:.3g}"
    return f"{median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def when(curves: list[list[Look]], aim: float) -> str:
    """The CPU-seconds after which an error was first seen to be reached; empty if it never was."""
    reached = [next((look.seconds for look in curve if look.error <= aim), None) for curve in curves]
    times = [seconds for seconds in reached if seconds is not None]
    return f"{spread(times)} for {aim:g}, {len(times)} of {len(curves)}" if times else ""


def table(runs: Runs) -> str:
    header = ["problem", "variant", "seeds", "CPU-s", "error", "CPU-s until the aim", "error of unknowns"]
    lines = [header, ["---"] * len(header)]
    for (problem, variant), seeds in runs.items():
        ends = [curve[-1] for curve in seeds.values()]
        until = "; ".join(filter(None, (when(list(seeds.values()), aim) for aim in AIMS.get(problem, ()))))
        unknown = [look.unknown for look in ends if look.unknown is not None]
        cells = [spread([look.seconds for look in ends]), spread([look.error for look in ends]), until]
        lines.append([problem, variant, str(len(seeds)), *cells, spread(unknown) if unknown else ""])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def after_equal_steps(runs: Runs, problem: str) -> str:
    """The variants of a problem after as many steps of the second stage as all of them took."""
    chosen = {variant: list(seeds.values()) for (name, variant), seeds in runs.items() if name == problem}
    last = [
        max((look.step for look in curve if look.step is not None), default=None)
        for c in chosen.values()
        for curve in c
    ]
    step = min(n for n in last if n is not None)
    lines = [["variant", "seeds", "CPU-s", f"error after {step} steps"], ["---"] * 4]
    for variant, curves in chosen.items():
        looks = [next((look for look in curve if look.step == step), curve[-1]) for curve in curves]
        cells = [spread([look.seconds for look in looks]), spread([look.error for look in looks])]
        lines.append([variant, str(len(curves)), *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def picture(runs: Runs) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    problems = list(dict.fromkeys(problem for problem, _ in runs))
    rows = -(-len(problems) // COLUMNS)
    size = (3.4 * COLUMNS, 2.8 * rows)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=size, squeeze=False, sharey=True, layout="constrained")
    for panel in axes.flat[len(problems) :]:
        panel.set_visible(False)
    for panel, problem in zip(axes.flat, problems, strict=False):
        variants = [variant for other, variant in runs if other == problem]
        for number, variant in enumerate(variants):
            for place, curve in enumerate(runs[problem, variant].values()):
                x, y = [look.seconds for look in curve], [look.error for look in curve]
                panel.semilogy(x, y, color=f"C{number % 10}", lw=1, label=None if place else variant)
        panel.set(title=problem, xlabel="CPU-seconds")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    for panel in axes[:, 0]:
        panel.set_ylabel("relative L2 error")
    path = RESULTS.parent / "curves.png"
    figure.savefig(path, dpi=80)
    return path


if __name__ == "__main__":
    found = read()
    print(table(found))
    for name in dict.fromkeys(problem for problem, _ in found):
        if sum(problem == name for problem, _ in found) > 1:
            print(f"\n{name}\n\n{after_equal_steps(found, name)}")
    print(picture(found))
