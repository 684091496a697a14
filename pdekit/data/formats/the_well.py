"""Files of The Well, read into the windows that everything else uses.

Axes that do not vary are absent in a file and are tiled here. Constant fields become coeffs, constant scalars that
differ between trajectories, files or splits become params, scalars that vary in time become forcing that is constant
in space. A box or a time step that differs becomes the reserved param ``length_x|y|z`` or ``dt``.
Source: The Well, Ohana et al. 2024, "Data format".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from pdekit.boundaries import Sides
from pdekit.data.formats.the_well_header import Column, Header, read_header
from pdekit.data.hdf5 import FileFault, dataset, open_hdf5, reading
from pdekit.data.inputs import narrowed
from pdekit.data.probe import check_readable
from pdekit.fields import AXES, Field, Grid, Problem, Trajectory

KEYS = {"boundary_conditions", "dimensions", "scalars", "t0_fields", "t1_fields"}
SAME = 1e-4  # relative difference below which boxes, steps and origins count as one; float32 rounding is 1e-7


def is_the_well(file: h5py.File) -> bool:
    """Return whether an open file has the groups of this layout."""
    with reading(file, ""):
        return set(file) >= KEYS and "n_trajectories" in file.attrs


class TheWell:
    """The trajectories of the files of one split, one file after the other.

    Args:
        paths: files of one dataset, on one uniform Cartesian grid; see `on_each_grid` for several.

    Raises:
        ValueError: if a file is damaged, its grid is not uniform or not Cartesian, or the files do not fit together;
            the message names file and key.

    Limits: boundaries are taken whole for each axis; grids that vary with time are refused.
    """

    def __init__(self, paths: Sequence[Path]):
        for path in paths:
            check_readable(Path(path))
        self.headers = [read_header(Path(path)) for path in paths]
        self._ends = np.cumsum([header.n_trajectories for header in self.headers])
        self.n_trajectories = int(self._ends[-1])
        self._opened: dict[int, _Opened] = {}
        self._process = -1
        fit_together([self])

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_opened": {}, "_process": -1}

    def describe(self, problem: Problem) -> None:
        """Take the problem of all splits in place of that of this split; its params may be constant here."""
        self.problem = problem
        table = _table(self.headers)
        self._params = narrowed(np.stack([table[name] for name in problem.params], 1)) if problem.params else None

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Some frames of one trajectory, as a batch of one; one read for each dataset, of these frames only."""
        if self._process != os.getpid():
            self._opened, self._process = {}, os.getpid()
        i = int(np.searchsorted(self._ends, trajectory, side="right"))
        if i not in self._opened:
            self._opened[i] = _Opened(self.headers[i], self.problem.grid.shape)
        opened, header = self._opened[i], self.headers[i]
        sample = trajectory - int(self._ends[i]) + header.n_trajectories
        times = self.times(trajectory, frames)
        return Trajectory(
            u=opened.read(opened.fields, sample, frames, times.shape[1]),
            t=times,
            coeffs=opened.read(opened.coeffs, sample, frames, None) if opened.coeffs else None,
            forcing=opened.read(opened.forcing, sample, frames, times.shape[1]) if opened.forcing else None,
            params=None if self._params is None else torch.from_numpy(self._params[trajectory][None]),
            index=torch.tensor([trajectory]),
        )

    def times(self, trajectory: int, frames: slice = slice(None)) -> torch.Tensor:
        """Times of some frames of one trajectory, "1 time"."""
        i = int(np.searchsorted(self._ends, trajectory, side="right"))
        header = self.headers[i]
        sample = trajectory - int(self._ends[i]) + header.n_trajectories
        row = header.times[sample if len(header.times) > 1 else 0, frames]
        return torch.from_numpy(np.ascontiguousarray(row))[None]


class _Opened:
    """A file that is open in one process: its datasets, looked up once."""

    def __init__(self, header: Header, space: tuple[int, ...]):
        self.file, self.space = open_hdf5(header.path), space
        pairs = [(column, dataset(self.file, column.key, column.shape, "fiu")) for column in header.columns]
        self.fields = [pair for pair in pairs if pair[0].time_varying]
        self.coeffs = [pair for pair in pairs if not pair[0].time_varying]
        self.forcing = [(column, dataset(self.file, column.key, column.shape, "fiu")) for column in header.forcing]

    def read(
        self, pairs: list[tuple[Column, h5py.Dataset]], sample: int, frames: slice, count: int | None
    ) -> torch.Tensor:
        """Channels "1 time channel *space" in float32, or "1 channel *space" where count is None."""
        lead = () if count is None else (count,)
        channels = sum(len(column.fields) for column, _ in pairs)
        out = np.empty((*lead, channels, *self.space), dtype=np.float32)
        first = 0
        for column, stored in pairs:
            where = (sample,) * column.sample_varying + ((frames,) if column.time_varying else ())
            try:
                values = stored[where]
            except (OSError, RuntimeError, MemoryError) as error:
                raise FileFault(
                    f"expected readable data in {column.key} of {self.file.filename}, found damage ({error}); fetch or "
                    "generate the file again"
                ) from None
            parts = len(column.fields)
            values = values.reshape(*lead, *column.space, parts)
            for part in range(parts):
                channel = out[:, first + part] if lead else out[first + part]
                channel[:] = values[..., part]
            first += parts
        return torch.from_numpy(out)[None]


def fit_together(sources: Sequence[TheWell]) -> None:
    """Give the sources of one dataset one problem: what differs between any two trajectories becomes a param.

    The files of a source have one grid; the sources may have several, of one box.

    Raises:
        ValueError: if files differ in what has no param: points within a source, fields, frames within a source,
            boundaries, layouts, origins; the message names file and key.
    """
    headers = [header for source in sources for header in source.headers]
    base = headers[0]
    for header in headers[1:]:
        _same_kind(header, base)
    for source in sources:
        for header in source.headers[1:]:
            _same(header, source.headers[0], "dimensions", header.shape, source.headers[0].shape)
            _same(header, source.headers[0], "dimensions/time", header.n_frames, source.headers[0].n_frames)
    table = _table(headers)
    reserved = ("dt", *(f"length_{letter}" for letter in AXES))
    names = [name for name, column in table.items() if not _constant(column, SAME if name in reserved else 0.0)]
    fields = tuple(field for column in base.columns if column.time_varying for field in column.fields)
    coeffs = tuple(field for column in base.columns if not column.time_varying for field in column.fields)
    forcing = tuple(field for column in base.forcing for field in column.fields)
    grid = Grid(
        base.shape,
        tuple(float(axis.lengths[0]) for axis in base.axes),
        tuple(float(axis.origins[0]) for axis in base.axes),
        tuple(axis.layout for axis in base.axes),
    )
    for source in sources:
        frames = source.headers[0].n_frames
        dt = float(base.steps[0]) if base.n_frames > 1 and frames > 1 else None
        own = grid.resized(source.headers[0].shape)
        source.describe(
            Problem(own, fields, dt, frames, base.boundary, coeffs, tuple(names), forcing=forcing),
        )


def on_each_grid(paths: Sequence[Path]) -> list[TheWell]:
    """Return the files of one split as a source for each grid, the first file's first.

    Raises:
        ValueError: as `TheWell`.
    """
    groups: dict[tuple[int, ...], list[Path]] = {}
    for path in paths:
        check_readable(Path(path))
        groups.setdefault(read_header(Path(path)).shape, []).append(path)
    return [TheWell(files) for files in groups.values()]


def _constant(column: np.ndarray, tolerance: float) -> bool:
    return bool(np.abs(column - column[0]).max() <= tolerance * abs(column[0]))


def _table(headers: Sequence[Header]) -> dict[str, np.ndarray]:
    """One number for each trajectory: scalars of the files, then time step and box lengths under reserved names."""
    table = {name: np.concatenate([header.scalars[name] for header in headers]) for name in headers[0].scalars}
    derived = {"dt": [(header, header.steps) for header in headers]} if headers[0].n_frames > 1 else {}
    for axis, letter in enumerate(AXES[: len(headers[0].axes)]):
        derived[f"length_{letter}"] = [(header, header.axes[axis].lengths) for header in headers]
    for name, rows in derived.items():
        found = np.concatenate([np.broadcast_to(row, (header.n_trajectories,)) for header, row in rows])
        stated = table.pop(name, None)
        # Lengths and steps that agree with a stored scalar are that scalar, which is not rounded.
        agrees = stated is not None and np.allclose(stated, found, rtol=SAME, atol=0.0)
        if stated is not None and not agrees and not _constant(stated, 0.0):
            raise FileFault(
                f"expected scalars/{name} of {headers[0].path} to be what dimensions say, found {stated[0]:.6g} and "
                f"{found[0]:.6g}; rename the scalar"
            )
        table[name] = found if stated is None or not agrees else stated
    return table


def _same_kind(header: Header, base: Header) -> None:
    """Refuse a file that differs in what has no param."""
    for key, part, words in (
        ("t0_fields, t1_fields, t2_fields", lambda h: [(c.fields, c.time_varying) for c in h.columns], _names),
        ("scalars", lambda h: (sorted(h.scalars), [column.fields for column in h.forcing]), _short),
        ("dimensions", lambda h: len(h.shape), _short),
        ("boundary_conditions", lambda h: h.boundary, _conditions),
    ):
        _same(header, base, key, part(header), part(base), words)
    for letter, axis, other in zip(AXES, header.axes, base.axes, strict=False):
        _same(header, base, f"dimensions/{letter}", axis.layout, other.layout)
    for item in (base, header):
        for letter, axis, other in zip(AXES, item.axes, base.axes, strict=False):
            shift = np.abs(axis.origins - other.origins[0])
            if shift.max() > SAME * other.lengths[0]:
                _same(item, base, f"dimensions/{letter} (its lower end)", axis.origins.tolist()[:4], other.origins[0])


def _same(
    header: Header, base: Header, key: str, found: Any, expected: Any, words: Callable[[Any], str] | None = None
) -> None:
    if found != expected:
        words = words or _short
        raise FileFault(
            f"expected files of one grid, one set of fields and one length, got {words(found)} for {key} of "
            f"{header.path}, and {words(expected)} in {base.path}; open them apart"
        )


def _conditions(sides: Sides) -> str:
    axes = (" and ".join(dict.fromkeys(map(str, ends))) for ends in sides)
    return ", ".join(f"'{ends}' along {letter}" for ends, letter in zip(axes, AXES, strict=False))


def _names(columns: Sequence[tuple[Sequence[Field], bool]]) -> str:
    return str([field.name for fields, _ in columns for field in fields])


def _short(value: object) -> str:
    return str(value)[:160]


__all__ = ["TheWell", "fit_together", "is_the_well", "on_each_grid"]
