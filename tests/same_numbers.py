"""Record the numbers of tiny runs through the command line, and compare two records.

A refactoring must not change a number. Each problem below is generated, trained on, evaluated and reported by the
public commands alone, so that one script serves any two versions of pdekit::

    python tests/same_numbers.py record before.npz                    # in the old checkout
    python tests/same_numbers.py record after.npz --only ks,darcy     # in the new one
    python tests/same_numbers.py compare before.npz after.npz

A record holds the generated fields, the training and validation losses, the trained weights, all scores and the words
and numbers of the report's tables. Times, costs and dates are left out. The comparison prints one line for each group:
equal, the largest relative difference, or what is missing on one side; it fails on differences above --tolerance.
"""

import argparse
import csv
import html
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from safetensors.numpy import load_file

TRAINING = ["training.steps=8", "training.validate_every=4", "training.checkpoint_every=8", "loading.batch_size=2"]
# one solver: which of several a table shows depends on their times
QUICK = [
    "evaluation.sweep.sizes=[0.5]",
    "evaluation.sweep.steps=[1]",
    "evaluation.sweep.refinements=[0.5]",
    "evaluation.sweep.precisions=[float64]",
]
FNO = ["model=fno", "model.net.width=4", "model.net.modes=3", "model.net.n_layers=1"]
UNET = ["model=unet", "model.net.width=4"]
REFINER = ["model=pde_refiner", "model.net.width=4", "evaluation.members=2"]
POINTS = [
    "model=pinn",
    "model.second.steps=1",
    "model.second.iterations=3",
    "model.collocation.n_points=64",
    "training.steps=5",  # four of Adam
]
IN_TIME = ["data.n_trajectories={train: 4, valid: 2, test: 3}", "data.n_frames={train: 6, valid: 6, test: 8}"]
STEADY = ["data.n_trajectories={train: 4, valid: 2, test: 3}"]

# one problem of each kind, and each method once
RUNS = {
    "ks": [*FNO, "data=ks", "data.grid.shape=[32]", "data.warmup=0.8", "data.substeps=8", *IN_TIME],
    "ks_unet": [*UNET, "data=ks", "data.grid.shape=[32]", "data.warmup=0.8", "data.substeps=8", *IN_TIME],
    "kolmogorov": [*REFINER, "data=kolmogorov", "data.grid.shape=[16,16]", "data.warmup=0.5", *IN_TIME],
    "shallow_water": [*UNET, "data=shallow_water", "data.grid.shape=[32,32]", *IN_TIME],
    "burgers": ["model=pod_deeponet", "data=burgers", "data.grid.shape=[32]", *IN_TIME],
    "lorenz_96": ["model=persistence", "data=lorenz_96", *IN_TIME],
    "darcy": ["model=deeponet", "data=darcy", *STEADY],
    "te_heat": [
        *FNO,
        "data=te_heat",
        "evaluation.coupling=true",
        "data.grid.shape=[16,16]",
        "data.case.order=2",
        "data.case.size=0.03",
        *STEADY,
    ],
    "elder": [*FNO, "data=elder", "data.grid.shape=[12,12]", "data.case.cells=24", "data.case.n_frames=4", *STEADY],
    "pinn": [*POINTS, "data=burgers", "instance=published"],
}
TIMES = re.compile(r"second|time_per|_ms|cost|energy_used|duration|date|memory|kwh|break_even|host", re.IGNORECASE)


def run(arguments: list[str], folder: Path) -> None:
    environment = {**os.environ, "PDEKIT_DATA": str(folder / "datasets"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pdekit.train", *arguments, "trainer.threads=1"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")


def fields_of(folder: Path) -> dict[str, np.ndarray]:
    """Numbers of all arrays of the generated files, by file, group and name."""
    found = {}
    for path in sorted(folder.glob("datasets/**/*.hdf5")):
        with h5py.File(path) as file:

            def take(name, item, prefix=f"data/{path.parent.name}/{path.name}"):
                if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub":
                    found[f"{prefix}/{name}"] = np.asarray(item[()])

            file.visititems(take)
    return found


def tables_of(report: Path) -> dict[str, np.ndarray]:
    """The cells of each table of a report as text, without the columns of times and costs."""
    found = {}
    tables = re.findall(r"<table.*?</table>", report.read_text(), re.DOTALL)
    for number, table in enumerate(tables):
        rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
        text = [" | ".join(html.unescape(re.sub(r"<.*?>|\s+", " ", cell)).strip() for cell in row) for row in cells]
        text = [line for line in text if not re.search(r"\b(m?s|ms|min|J|kWh|GB|MB)\b|seconds|20\d\d-", line)]
        found[f"report/table {number}"] = np.array(text or [""], dtype=str)
    return found


def numbers_of(folder: Path) -> dict[str, np.ndarray]:
    found = fields_of(folder)
    (written,) = sorted(path for path in (folder / "runs").iterdir() if path.is_dir())
    for path in sorted(written.rglob("*.safetensors")):
        found |= {f"weights/{name}": values for name, values in load_file(path).items()}
    for path in sorted(written.rglob("metrics.csv")):
        with path.open() as file:
            rows = list(csv.DictReader(file))
        for column in {name for row in rows for name in row if "loss" in name}:
            found[f"losses/{column}"] = np.array([float(row[column] or "nan") for row in rows])
    for path in sorted(written.rglob("scores.nc")):
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as scores:
            for name, values in scores.variables.items():
                if values.dtype.kind in "fiub" and not TIMES.search(str(name)):
                    found[f"scores/{name}"] = np.asarray(values.values)
    for path in sorted(written.rglob("report.html")):
        found |= tables_of(path)
    return found


def record(out: Path, names: list[str]) -> None:
    found = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            run([*RUNS[name], *([] if name == "lorenz_96" else TRAINING), *QUICK], Path(folder))
            numbers = numbers_of(Path(folder))
        found |= {f"{name}: {key}": values for key, values in numbers.items()}
        print(f"{name}: {len(numbers)} arrays", flush=True)
    np.savez_compressed(out, **{key.replace("/", "\\"): values for key, values in found.items()})


def difference(before: np.ndarray, after: np.ndarray) -> float:
    """The largest difference relative to the largest value; inf if the shapes, texts or places of NaN differ."""
    if before.shape != after.shape:
        return np.inf
    if before.dtype.kind in "US":
        return 0.0 if (before == after).all() else np.inf
    a, b = before.astype(float), after.astype(float)
    finite = np.isfinite(a)
    if not (finite == np.isfinite(b)).all() or not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return np.inf
    scale = np.abs(a[finite]).max(initial=0.0)
    gap = np.abs(a[finite] - b[finite]).max(initial=0.0)
    return float(gap / scale) if scale > 0 else float(gap)


def compare(before: Path, after: Path, tolerance: float) -> bool:
    old, new = (dict(np.load(path)) for path in (before, after))
    problems = {key.split(":")[0] for key in new}
    old = {key: values for key, values in old.items() if key.split(":")[0] in problems}
    groups = sorted({key.split("\\")[0] for key in (*old, *new)})
    good = True
    for group in groups:
        mine = [key for key in old if key.split("\\")[0] == group]
        gone = sorted(set(mine) - set(new))
        added = sorted(key for key in new if key.split("\\")[0] == group and key not in old)
        gaps = {key: difference(old[key], new[key]) for key in mine if key in new}
        worst = max(gaps, key=gaps.get, default=None)
        largest = gaps[worst] if worst else 0.0
        good &= largest <= tolerance and not gone
        equal = sum(gap == 0 for gap in gaps.values())
        print(f"{group}: {equal} of {len(gaps)} arrays equal, largest relative difference {largest:.1e}", end="")
        print(f" in {worst}" if largest else "")
        over = sorted((gap, key) for key, gap in gaps.items() if gap > tolerance)[::-1]
        for gap, key in over[:12]:
            print(f"    {gap:.1e}  {key}")
        for word, keys in (("missing", gone), ("new", added)):
            if keys:
                print(f"    {word}: {', '.join(keys[:12])}{' ...' if len(keys) > 12 else ''}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("out", type=Path)
    recording.add_argument("--only", default=",".join(RUNS), help=f"names among {', '.join(RUNS)}")
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--tolerance", type=float, default=1e-10)
    given = parser.parse_args()
    if given.command == "record":
        record(given.out.resolve(), given.only.split(","))
    elif not compare(given.before, given.after, given.tolerance):
        sys.exit(1)


if __name__ == "__main__":
    main()
