"""Observations of a joint sample: points of the grid, or sensors of a user anywhere in the box."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.diffusion.observations import LinearOperator, Observation, masked, point_sensors
from pdekit.fields import Grid
from pdekit.models.diffusion_pde import DiffusionPDE


@dataclass(frozen=True)
class Observed:
    """Observations of the normalised joint.

    Args:
        values: normalised, "batch joint *space" with a mask, 0 where nothing is observed; "batch sensor" with sensors.
        noise: standard deviation of their error, normalised.
        mask: "batch joint *space", or None for sensors.
        sensors: the operator of sensors, the same for all samples, or None for a mask.
    """

    values: Tensor
    noise: float
    mask: Tensor | None = None
    sensors: LinearOperator | None = None

    def observation(self, members: int = 1) -> Observation:
        """Return the observation of ``members`` copies of the batch."""
        values = self.values.repeat(members, *(1,) * (self.values.ndim - 1))
        if self.mask is not None:
            return Observation(masked(self.mask.repeat(members, *(1,) * (self.mask.ndim - 1))), values, self.noise)
        assert self.sensors is not None
        return Observation(self.sensors, values, self.noise)

    def sample(self, i: int) -> Observed:
        """Return the observations of one sample."""
        mask = None if self.mask is None else self.mask[i : i + 1]
        return Observed(self.values[i : i + 1], self.noise, mask, self.sensors)


def channels_observed(model: DiffusionPDE, observe: str) -> list[int]:
    """Return the channels of the joint that a text names.

    Raises:
        ValueError: if it names none, or one that does not exist.
    """
    n = len(model.problem.coeffs)
    groups = {"coefficients": range(n), "solution": range(n, model.n_joint), "all": range(model.n_joint)}
    chosen: list[int] = []
    for name in observe.split("+"):
        if name not in groups and name not in model.names:
            raise ValueError(
                f"expected observe= solution, coefficients, all, or names among {', '.join(model.names)}, got "
                f"{name!r}; correct it"
            )
        chosen += [*groups[name]] if name in groups else [model.names.index(name)]
    if not chosen:
        raise ValueError(f"expected something to observe, got {observe!r} of a problem without coefficients; change it")
    return sorted(set(chosen))


def random_points(
    truth: Float[Tensor, "batch joint *space"],
    channels: list[int],
    share: float,
    noise: float,
    generator: torch.Generator,
) -> Observed:
    """Observe a share of the points of some channels, the same points of all of them, with an error.

    Args:
        truth: normalised.
        channels: of the joint.
        share: of the points; at least one point is observed.
        noise: standard deviation of the error.
        generator: chooses points and errors.
    """
    space = truth.shape[2:]
    n_points = max(1, round(share * space.numel()))
    order = torch.rand(len(truth), space.numel(), generator=generator, dtype=torch.float64).argsort(1)
    points = (order.argsort(1) < n_points).reshape(len(truth), 1, *space)
    mask = torch.zeros_like(truth)
    mask[:, channels] = points.to(truth).to(truth.device).expand(-1, len(channels), *space)
    error = torch.randn(truth.shape, generator=generator, dtype=torch.float64).to(truth)
    return Observed(mask * (truth + noise * error), noise, mask)


def read_observed(path: str | Path, model: DiffusionPDE, noise: float) -> Observed:
    """Read observations of one sample from a CSV file: columns x, y, z as far as they exist, then channels.

    A column is named like a channel of the joint (`DiffusionPDE.names`), values are in physical units, and an empty
    cell is a value that was not observed.

    Args:
        path: of the file.
        model: whose joint is observed.
        noise: standard deviation of the error, as a share of each channel's deviation.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: on missing or unknown columns, values that are no numbers, or points outside the box.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a CSV file of observations at {path}, found none; correct file=")
    with path.open(newline="", encoding="utf-8-sig") as opened:  # a spreadsheet marks its encoding
        reader = csv.DictReader(opened, skipinitialspace=True)
        rows = list(reader)
    grid = model.problem.box
    columns = [str(name) for name in reader.fieldnames or ()]
    absent = [axis for axis in grid.axes if axis not in columns]
    unknown = [name for name in columns if name not in (*grid.axes, *model.names)]
    if absent or unknown or not set(columns) & set(model.names) or len(set(columns)) < len(columns):
        raise ValueError(
            f"expected columns {list(grid.axes)} and some of {list(model.names)} in {path}, found {columns}; add or "
            "rename them"
        )
    places: list[list[float]] = []
    channels: list[int] = []
    values: list[float] = []
    for number, row in enumerate(rows, 2):
        if None in row:
            raise ValueError(
                f"expected {len(columns)} cells in row {number} of {path}, found more; write numbers with a point"
            )
        for name in (column for column in columns if column in model.names):
            if (row[name] or "").strip():
                places.append([_number(row[axis], path, number) for axis in grid.axes])
                channels.append(model.names.index(name))
                values.append(_number(row[name], path, number))
    if not values:
        raise ValueError(f"expected at least one observed value in {path}, found none; fill in a cell")
    channel = torch.tensor(channels)
    mean, scale = (part.flatten().double().cpu() for part in (model.mean, model.scale))
    scaled = (torch.tensor(values, dtype=torch.float64) - mean[channel]) / scale[channel]
    sensors = point_sensors(
        grid_index(torch.tensor(places, dtype=torch.float64), grid),
        channel,
        (model.n_joint, *grid.shape),
        [layout == "periodic" for layout in grid.layout],
    )
    return Observed(scaled[None].to(model.normaliser.like), noise, sensors=sensors)


def grid_index(places: Float[Tensor, "sensor axis"], grid: Grid) -> Float[Tensor, "sensor axis"]:
    """Return coordinates in units of the grid: 0 at the first point, 1 at the next one.

    >>> grid_index(torch.tensor([[0.5]]), Grid((4,), (2.0,), layout=("cells",))).tolist()
    [[0.5]]
    """
    first = torch.tensor([float(grid.coordinates(axis)[0]) for axis in range(grid.ndim)], dtype=torch.float64)
    return (places.double() - first) / torch.tensor([float(h) for h in grid.spacing], dtype=torch.float64)


def _number(text: str | None, path: Path, row: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if value != value or abs(value) == float("inf"):
        raise ValueError(f"expected a finite number, found {text!r} in row {row} of {path}; correct or empty the cell")
    return value


def observed_mask(observed: Observed, shape: tuple[int, ...]) -> Float[Tensor, "batch joint *space"]:
    """Return 1 where a point of the grid is observed; of sensors, the points that they read."""
    if observed.mask is not None:
        return (observed.mask > 0).double()
    assert observed.sensors is not None
    return (observed.sensors.adjoint(torch.ones_like(observed.values)).reshape(1, *shape) > 0).double()
