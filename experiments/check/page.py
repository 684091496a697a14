"""The tables of the study from its ``check.json`` files: verdicts and shares, and what predicts the horizon.

    python experiments/check/page.py RESULTS > experiments/check/tables.md

A cell of the first tables is the verdict of each seed (P pass, F fail, ? cannot say) and the median over seeds of the
median share. The last table ranks: Spearman's correlation over methods of the median over seeds of a quantity with that
of the horizon, averaged over datasets. Its interval is the middle 90 % of a bootstrap over methods.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import defaultdict
from pathlib import Path
from statistics import StatisticsError, correlation, fmean, median

Runs = dict[str, dict[str, list[dict]]]
"""Files by dataset and method, one for each seed."""
STEP_ERROR = "error of a step"
Quantity = dict[str, dict[str, tuple[float, float]]]
"""(value, horizon) by dataset and method."""
DRAWS = 300
WEAKEST = -0.6
"""Correlation above which a quantity is left out of the last table."""
FEWEST = 6
"""Methods that a rank correlation needs."""


def read(results: Path) -> Runs:
    """All files, the datasets and methods in the order in which they were written."""
    found: Runs = defaultdict(lambda: defaultdict(list))
    for path in sorted(results.rglob("*.json"), key=lambda path: path.stat().st_mtime):
        one = json.loads(path.read_text())
        found[one["data"]][one["method"]].append(one)
    return found


def rows_of(run: dict) -> dict[str, dict]:
    """The findings of a run by the name of the row."""
    return {row["row"]: row for row in run["rows"]}


def share(row: dict) -> float:
    """The median share of a row; NaN if it was not asked."""
    return float(row["verdict"]["share"][1])


def cell(found: list[dict]) -> str:
    """The verdicts of all seeds, and the median share."""
    shares = [share(row) for row in found if not math.isnan(share(row))]
    letters = "".join({"PASS": "P", "FAIL": "F"}.get(row["verdict"]["verdict"], "?") for row in found)
    return f"{letters} {median(shares):.2g}" if shares else ""


def table(runs: dict[str, list[dict]]) -> list[str]:
    """The verdicts of all methods of a dataset."""
    lines = [f"| row | {' | '.join(runs)} |", f"|{'---|' * (len(runs) + 1)}"]
    known = {method: [rows_of(run) for run in seeds] for method, seeds in runs.items()}
    for name in dict.fromkeys(name for seeds in known.values() for one in seeds for name in one):
        cells = [cell([one[name] for one in seeds if name in one]) for seeds in known.values()]
        if any(cells):
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
    errors = [f"{median(run['step_error'] for run in seeds):.3g}" for seeds in runs.values()]
    lines.append(f"| {STEP_ERROR} | {' | '.join(errors)} |")
    if "horizon" in next(iter(runs.values()))[0]:
        longest = next(iter(runs.values()))[0]["longest"]
        times = [f"{horizon(seeds):.3g}" for seeds in runs.values()]
        lines.append(f"| horizon, of {longest} frames | {' | '.join(times)} |")
    return lines


def horizon(seeds: list[dict]) -> float:
    """The median over seeds of the median horizon of the trajectories."""
    return median(median(run["horizon"]) for run in seeds)


def quantities(runs: Runs) -> dict[str, Quantity]:
    """(value, horizon) by quantity, dataset and method; larger values are worse."""
    found: dict[str, Quantity] = defaultdict(lambda: defaultdict(dict))
    for data, methods in runs.items():
        for method, seeds in methods.items():
            if "horizon" not in seeds[0]:
                continue
            ends = horizon(seeds)
            found[STEP_ERROR][data][method] = (median(run["step_error"] for run in seeds), ends)
            for name in rows_of(seeds[0]):
                shares = [share(rows_of(run)[name]) for run in seeds]
                if not any(math.isnan(value) for value in shares):
                    found[name][data][method] = (median(shares), ends)
    return found


def ranks(values: list[float]) -> list[float]:
    """The rank of each value, the mean one for equal values."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]


def spearman(pairs: list[tuple[float, float]]) -> float:
    """Spearman's correlation; NaN if one of the two does not vary."""
    a, b = (ranks(list(values)) for values in zip(*pairs, strict=True))
    try:
        return correlation(a, b)
    except StatisticsError:
        return math.nan


def averaged(quantity: Quantity, methods: list[str]) -> float:
    """The mean over datasets of the correlation over these methods, each as often as it is drawn."""
    found = [[pairs[method] for method in methods if method in pairs] for pairs in quantity.values()]
    known = [value for pairs in found if len(set(pairs)) > 2 and not math.isnan(value := spearman(pairs))]
    return fmean(known) if known else math.nan


def middle(values: list[float]) -> str:
    """The middle 90 % of some values."""
    known = sorted(value for value in values if not math.isnan(value))
    return f"[{known[len(known) // 20]:+.2f}, {known[-1 - len(known) // 20]:+.2f}]"


def ranking(runs: Runs) -> list[str]:
    """The table of what predicts the horizon: rows without a relation in the sign are left out."""
    known = {
        name: {data: pairs for data, pairs in quantity.items() if len(pairs) >= FEWEST}
        for name, quantity in quantities(runs).items()
    }
    methods = sorted({method for quantity in known.values() for pairs in quantity.values() for method in pairs})
    drawn = random.Random(0)
    draws = [drawn.choices(methods, k=len(methods)) for _ in range(DRAWS)]
    lines = [
        "| quantity | datasets | correlation with the horizon | less that of the error of a step |",
        "|---|---|---|---|",
    ]
    found = []
    for name, quantity in known.items():
        value = averaged(quantity, methods)
        if math.isnan(value) or value > WEAKEST:
            continue
        same = {data: {method: known[STEP_ERROR][data][method] for method in pairs} for data, pairs in quantity.items()}
        values, others = ([averaged(one, draw) for draw in draws] for one in (quantity, same))
        less = f"{value - averaged(same, methods):+.2f} {middle([a - b for a, b in zip(values, others, strict=True)])}"
        gain = "" if name == STEP_ERROR else less
        found.append((value, f"| `{name}` | {len(quantity)} | {value:+.2f} {middle(values)} | {gain} |"))
    return [*lines, *(line for _, line in sorted(found))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    runs = {data: methods for data, methods in read(parser.parse_args().results).items() if len(methods) >= FEWEST}
    print("# Check of small surrogates: tables\n\nMade by `page.py`; [README.md](README.md) says how.")
    for data, methods in runs.items():
        print(f"\n## {data}\n")
        print("\n".join(table(methods)))
    print("\n## What predicts the horizon\n")
    print("\n".join(ranking(runs)))


if __name__ == "__main__":
    main()
