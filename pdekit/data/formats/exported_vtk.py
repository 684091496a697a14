"""Series of VTK files that pdekit wrote (`pdekit.data.exports.vtk`): ``problem.json`` holds what VTK has no place for.

Fields are arrays of the points by name, a vector with three components; a field is NaN where it does not exist.
Parameters are columns of ``parameters.csv``. Only points of a mesh that are no padding are stored: padding is 0 again.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pdekit.data.formats.contract import WHOLE, Format, read_plain
from pdekit.data.formats.mesh_files import MeshContent, mesh_frames, read_mesh
from pdekit.data.formats.stated import ATTRIBUTE, stated_problem
from pdekit.data.hdf5 import FAULTS, FileFault
from pdekit.data.inputs import narrowed
from pdekit.fields import Field, Trajectory
from pdekit.mesh_order import filled_up
from pdekit.plain import mapping_or_empty

STATEMENT, PARAMETERS = "problem.json", "parameters.csv"
LARGEST = 1 << 20  # bytes of the statement


def placed(fields: Sequence[Field]) -> dict[str, list[int]]:
    """Return the channels of each array of the points: a vector's components lie in one.

    >>> placed([Field("u", vector="velocity"), Field("v", vector="velocity"), Field("p")])
    {'velocity': [0, 1], 'p': [2]}
    """
    groups: dict[str, list[int]] = {}
    for channel, field in enumerate(fields):
        groups.setdefault(field.vector or field.name, []).append(channel)
    return groups


class VtkSeries:
    """Trajectories of such a folder, read frame by frame.

    Args:
        path: folder of the series of one split.
        trust: packages in addition to pdekit that the stored equation may come from.

    Raises:
        ValueError: if the statement, a series or the parameters are damaged or absent.
    """

    def __init__(self, path: Path, trust: Sequence[str] = ()):
        self.path, stated = path, _statement(path)
        try:
            self.problem = stated_problem(str(stated[ATTRIBUTE]), str(path / STATEMENT), trust)
            self.n_trajectories = int(stated["trajectories"])
            self._masked = bool(stated["masked"])
            self._cells = None if stated["cells"] is None else tuple(int(n) for n in stated["cells"])
            self._frames = [mesh_frames(path / f"{i:05d}") for i in range(self.n_trajectories)]
        except FileFault:
            raise
        except FAULTS as error:
            raise FileFault(f"expected a whole {STATEMENT} in {path}, found {error}; export it again") from None
        for i, frames in enumerate(self._frames):
            if len(frames) != self.problem.n_frames:
                place = path / f"{i:05d}"
                raise FileFault(
                    f"expected {self.problem.n_frames} frames in {place}, found {len(frames)}; export it again"
                )
        self._params = self._read_parameters()

    def _read_parameters(self) -> torch.Tensor | None:
        names, place = self.problem.params, self.path / PARAMETERS
        if not names:
            return None
        try:
            with place.open(newline="", encoding="utf-8") as lines:
                rows = list(csv.reader(lines))
            if rows[0] != ["trajectory", *names] or len(rows) != self.n_trajectories + 1:
                raise ValueError(f"columns {rows[0]} in {len(rows)} rows")
            return torch.from_numpy(narrowed(np.array([row[1:] for row in rows[1:]], dtype=np.float64)))
        except FAULTS as error:
            raise FileFault(
                f"expected a row of {list(names)} for each of {self.n_trajectories} trajectories in {place}, found "
                f"{error}; export it again"
            ) from None

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one, in the precision that is stored."""
        problem, chosen = self.problem, self._frames[trajectory][frames]
        first = read_mesh(self._frames[trajectory][0])
        found = [read_mesh(frame) for frame in chosen]
        u = self._stacked(problem.fields, found)
        mask = torch.isfinite(u[:, 0]).float() if self._masked else None
        points, point_mask, cells = (None, None, None) if problem.grid.uniform else self._mesh(first)
        return Trajectory(
            u=u if mask is None else torch.where(mask[:, None] > 0, u, 0.0),
            t=torch.tensor([[frame.time for frame in chosen]], dtype=torch.float64),
            coeffs=self._stacked(problem.coeffs, [first])[:, 0] if problem.coeffs else None,
            forcing=self._stacked(problem.forcing, found) if problem.forcing else None,
            mask=mask,
            points=points,
            point_mask=point_mask,
            cells=cells,
            params=None if self._params is None else self._params[trajectory : trajectory + 1],
            index=torch.tensor([trajectory]),
        )

    def _mesh(self, content: MeshContent) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return points, the mask of those that are no padding, and cells filled with -1."""
        size, n = self.problem.grid.shape[0], len(content.points)
        points = filled_up(content.points[:, : self.problem.ndim].T, size).T
        there = torch.arange(size) < n
        if self._cells is None:
            return torch.from_numpy(points.copy())[None], there[None], None
        cells, before = np.full(self._cells, -1, np.int64), 0
        for block in content.cells:
            cells[before : before + len(block), : block.shape[1]] = block
            before += len(block)
        return torch.from_numpy(points.copy())[None], there[None], torch.from_numpy(cells)[None]

    def _stacked(self, fields: Sequence[Field], found: Sequence[MeshContent]) -> torch.Tensor:
        """Return fields of some frames, "1 time channel *space"."""
        size = int(np.prod(self.problem.grid.shape))
        rows = [filled_up(self._channels(fields, content.arrays), size) for content in found]
        whole = np.stack(rows) if rows else np.zeros((0, len(fields), size), np.float32)
        return torch.from_numpy(whole.reshape(len(rows), len(fields), *self.problem.grid.shape))[None]

    def _channels(self, fields: Sequence[Field], arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        columns: dict[int, np.ndarray] = {}
        for name, channels in placed(fields).items():
            array = arrays.get(name)
            shape = None if array is None else array.reshape(len(array), -1).shape
            if array is None or shape is None or shape[1] < len(channels):
                raise FileFault(
                    f"expected {len(channels)} components of {name} at the points in {self.path}, found {shape}; "
                    "export it again"
                )
            columns |= dict(zip(channels, array.reshape(shape).T, strict=False))
        return np.stack([columns[channel] for channel in range(len(fields))])


def _statement(path: Path) -> Mapping[str, Any]:
    found = mapping_or_empty(read_plain(path / STATEMENT, LARGEST))
    return found if {ATTRIBUTE, "trajectories", "masked", "cells"} <= set(found) else {}


def recognises_series(path: Path) -> bool:
    """Return whether a folder holds series that pdekit wrote."""
    return path.is_dir() and bool(_statement(path))


def open_series(path: Path, trust: Sequence[str] = ()) -> dict[str, VtkSeries]:
    """Open a folder of series that pdekit wrote."""
    return {WHOLE: VtkSeries(path, trust)}


FORMATS = (Format("VTK of pdekit", recognises_series, open_series, open_trusting=open_series),)
