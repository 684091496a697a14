"""Draw two columns of a table in a README against each other: what a forecast costs, and what it is worth.

    python experiments/cost_chart.py experiments/ks/README.md cost "mean, then count, 0.8" figure.png

A cell is "median" or "median (lowest to highest)"; "at least 10" counts as 10. Rows without one of the two are left
out. Solvers are dots, surrogates diamonds.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
SOLVERS = ("solver", "ETDRK4")


def rows_of(text: str, columns: tuple[str, str]) -> dict[str, list[list[float]]]:
    """Name of each row of the first table with both columns -> [median, lowest, highest] of each of the two."""
    found: dict[str, list[list[float]]] = {}
    places: list[int] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if set(columns) <= set(cells):
            places = [cells.index(column) for column in columns]
        elif places and not line.startswith("|"):
            break
        elif places and len(cells) > max(places):
            numbers = [[float(n) for n in NUMBER.findall(cells[place])] for place in places]
            if all(numbers):
                found[cells[0]] = [[n[0], min(n), max(n)] for n in numbers]
    return found


def draw(rows: dict[str, list[list[float]]], columns: tuple[str, str], path: str) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for n, (name, (cost, worth)) in enumerate(sorted(rows.items(), key=lambda row: row[1][0])):
        solver = name.startswith(SOLVERS)
        bars = [[[v[0] - v[1]], [v[2] - v[0]]] for v in (cost, worth)]
        colour, mark = ("0.35", "o") if solver else ("C0", "D")
        axes.errorbar(cost[0], worth[0], bars[1], bars[0], fmt=mark, color=colour, capsize=2, lw=1)
        axes.annotate(
            name, (cost[0], worth[0]), (6, -13 if n % 2 else 5), textcoords="offset points", fontsize=8, color=colour
        )
    axes.set(xscale="log", xlabel=f"{columns[0]} of a forecast, in the unit of the table", ylabel=columns[1])
    axes.margins(x=0.25, y=0.12)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    page, *chosen, figure_path = sys.argv[1:]
    draw(rows_of(Path(page).read_text(encoding="utf-8"), (chosen[0], chosen[1])), (chosen[0], chosen[1]), figure_path)
