"""Cost against accuracy of several steady problems, and the number of forecasts after which a surrogate pays.

    python experiments/steady/chart.py CHART.png NAME='runs/benchmark-multiphysics-study/mhd/*/*' [NAME=PATTERN ...]

Seconds are those of one forecast in the batches of the evaluation, one thread; errors are nRMSE, averaged over fields,
the median over samples (and times). The solver is that of the data with less resolution. A surrogate (every seed a
diamond) pays when its training and its data have cost less than the solver of the same error would; a solver's time at
that error is interpolated on the front and never extrapolated.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from table import by_model, median, opened, spread

from pdekit.metrics.costs import Front, Verdict, judge

COLOURS = {"fno": "tab:blue", "unet": "tab:orange", "deeponet": "tab:green"}
FREE = {"POD regression": "s", "nearest neighbour": "^"}


def point(one: xr.Dataset) -> tuple[float, float]:
    return float(one.seconds_per_forecast), median(one.nrmse)


def words(verdicts: list[Verdict], front: Front) -> tuple[str, str]:
    """Milliseconds of a solver of equal error, and the number of forecasts after which the surrogate pays; over seeds.

    Where every solver is more accurate, a solver of equal error would be faster than the fastest one: the number for
    that one is a lower bound. Where every solver is less accurate, the number for the slowest one is an upper bound.
    """
    equal = [1e3 * verdict.at_equal_error for verdict in verdicts if verdict.at_equal_error is not None]
    if equal:
        return spread(equal), spread([verdict.break_even for verdict in verdicts if verdict.break_even is not None])
    better = verdicts[0].less_accurate
    compared = front.seconds[0 if better else -1]
    after = [(one.training + one.data) / (compared - one.seconds) for one in verdicts]
    return ("none so bad", f"more than {spread(after)}") if better else ("none so good", f"less than {spread(after)}")


def panel(ax: Axes, name: str, pattern: str) -> None:
    runs = opened(pattern)
    rows, first = by_model(runs), runs[0][1]
    floor = median(first.nrmse_floor)
    solvers = sorted(point(several[0]) for model, several in rows.items() if model.startswith("solver"))
    front = Front.of(solvers, floor)
    ax.plot(*zip(*solvers, strict=True), "o-", color="black", label="solver")
    if floor > 0.01:
        ax.axhline(floor, color="black", linestyle=":", label="the reference's own error")
    for model, several in rows.items():
        trained = several[0].attrs["trained"]
        if not trained and model not in FREE:
            continue
        points = [point(one) for one in several]
        style = {"marker": "D", "color": COLOURS[model]} if trained else {"marker": FREE[model], "color": "tab:gray"}
        ax.plot(*np.transpose(points), linestyle="", label=model, **style)
        verdicts = [
            judge(
                model, *at, front, floor, one.attrs["training"] if trained else 0.0, float(first.attrs["data_seconds"])
            )
            for at, one in zip(points, several, strict=True)
        ]
        errors, times = [error for _, error in points], [1e3 * seconds for seconds, _ in points]
        cells = words(verdicts, front) if max(errors) > floor else ("below the reference's own error", "not known")
        print("| " + " | ".join((name, model, spread(errors), spread(times), *cells)) + " |")
    ax.set(xscale="log", yscale="log", title=name.replace("_", " "), xlabel="seconds a forecast", ylabel="nRMSE")
    ax.grid(alpha=0.3, which="both", linewidth=0.4)


def main() -> None:
    path, *named = sys.argv[1:]
    across = min(3, len(named))
    down = -(-len(named) // across)
    fig, axes = plt.subplots(down, across, figsize=(3.6 * across, 3.1 * down), squeeze=False, layout="constrained")
    print("| problem | model | nRMSE | ms a forecast | ms of a solver of that error | pays after forecasts |")
    print("|---|---|---|---|---|---|")
    for ax, argument in zip(axes.flat, named, strict=False):
        panel(ax, *argument.split("=", 1))
    named_once = {label: line for ax in axes.flat for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(named_once.values(), named_once.keys(), loc="outside lower center", ncols=len(named_once), fontsize=8)
    fig.savefig(Path(path), dpi=90)


if __name__ == "__main__":
    main()
