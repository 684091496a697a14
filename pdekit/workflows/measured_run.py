"""A run that finds parameters from measurements: what it reads before training, and leaves after it.

parameters.json     values, standard deviations, correlation, misfit and noise
measurements.csv    each measured point with its measured and its predicted value
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from pdekit.data.no_reference import NoReference
from pdekit.fields import Problem
from pdekit.measurements import read_measurements
from pdekit.models.base import Surrogate
from pdekit.models.pinn import PINN
from pdekit.models.pinn.estimate import Estimate
from pdekit.provenance import write_json

PARAMETERS, TABLE = "parameters.json", "measurements.csv"


def take_measurements(path: str, model: Surrogate, config: dict[str, Any]) -> NoReference:
    """Read a file of measurements and give it to a model.

    Args:
        path: path of the file.
        model: finds parameters.
        config: configuration of the run; the whole path and the number of measurements are written into it.

    Returns:
        The data of the run: none, because no trajectory of the unknown parameters is known.

    Raises:
        FileNotFoundError, ValueError: if the file does not fit, or the model does not find parameters.
    """
    config["measurements"] = str(Path(path).resolve())
    if not isinstance(model, PINN):
        raise ValueError(
            f"expected a method that finds parameters for measurements={path}, got {type(model).__name__}; use "
            "model=pinn_inverse"
        )
    if config["data"] is None:
        raise ValueError(
            f"expected data=NAME, a dataset of pdekit whose solver can solve the equation, with measurements={path}, "
            "found files or arrays; write a configuration of your problem, or use `PINN.measure` in Python"
        )
    found = read_measurements(path, model.problem)
    model.measure(found)
    if config["model"] is not None:
        config["model"]["inverse"]["n_observations"] = len(found)
    return NoReference(model.problem)


def write_found(folder: Path, estimate: Estimate, problem: Problem) -> dict[str, float]:
    """Write the two files.

    Returns:
        The values that were found, by name.
    """
    names = [field.name for field in problem.fields]
    found = dict(zip(estimate.names, estimate.values, strict=True))
    columns = {"value": estimate.values, "standard_deviation": estimate.deviations, "trained": estimate.trained}
    rows = zip(estimate.names, *columns.values(), strict=True)
    document: dict[str, Any] = {
        "parameters": {name: {k: _plain(v) for k, v in zip(columns, values, strict=True)} for name, *values in rows},
        "correlation": [[_plain(value) for value in row] for row in estimate.correlation.tolist()],
        "misfit": {name: _plain(value) for name, value in zip(names, estimate.misfit, strict=True)},
        "noise": {name: _plain(value) for name, value in zip(names, estimate.noise, strict=True)},
        "residuals_corrected": estimate.corrected,
    }
    write_json(folder / PARAMETERS, document)
    header = [*problem.grid.axes, "t", *(f"{name}_{kind}" for name in names for kind in ("measured", "predicted"))]
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(header)
        for point, measured, predicted in zip(
            estimate.points.tolist(), estimate.observed.tolist(), estimate.predicted.tolist(), strict=True
        ):
            pairs = (value for pair in zip(measured, predicted, strict=True) for value in pair)
            writer.writerow([*point, *("" if math.isnan(value) else repr(value) for value in pairs)])
    return found


def _plain(value: float) -> float | None:
    """Return a number that JSON has, or None."""
    return value if math.isfinite(value) else None
