"""Folders of meshes that meshio reads: VTU, legacy VTK and XDMF; needs the extra meshio.

    FOLDER/a.vtu, b.vtu, ...            a sample in each file (steady)
    FOLDER/a.xdmf, b.xdmf, ...          a trajectory in each file, if it is a series in time
    FOLDER/a/0.vtu, 1.vtu, ...[, *.pvd]  a trajectory in each folder; its meshes do not move; or FOLDER/a.pvd
    FOLDER/train, valid, test           the same, by split

Arrays at points are the fields; those at cells are not read. Vectors "point 2" or "point 3" become NAME_x, NAME_y and
NAME_z; on a mesh in the plane z = 0 a last component that is zero in the first file is left out. Times are those of a
.pvd file or of XDMF, else the numbers of the frames. Opening reads the first mesh of every trajectory whole. XDMF may
name HDF5 files of its own folder only.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch

from pdekit.data.formats.contract import WHOLE, Format
from pdekit.data.formats.evenly import step_of
from pdekit.data.hdf5 import FAULTS, FileFault
from pdekit.data.natural_order import by_number
from pdekit.fields import Field, Points, Problem, Trajectory
from pdekit.mesh_order import corners_of, filled_up, order_of

KINDS = {"vtu": rb"<VTKFile[^>]*type=\"UnstructuredGrid\"", "vtk": rb"^# vtk DataFile", "xdmf": rb"<Xdmf\b"}
CELLS = {2: ("triangle", "quad"), 3: ("tetra", "pyramid", "wedge", "hexahedron")}
SPLITS = ("train", "valid", "test")
OTHER_FILE = re.compile(rb">\s*([^<>:\s]+):/")
ROUNDED = 1e-2  # of the mean distance of neighbours, by which single precision may move a point
DAMAGE = (*FAULTS, SyntaxError, AssertionError, AttributeError, zlib.error, EOFError)


@dataclass(frozen=True)
class MeshFrame:
    """One frame: a file, the step of a series in it, and the time."""

    file: Path
    step: int | None
    time: float


@dataclass(frozen=True)
class MeshContent:
    """Content of a frame: points "point dim", cells "cell corner" of one kind after the other, arrays by name, and
    meshio's name of the kind of each block of cells."""

    points: np.ndarray
    cells: tuple[np.ndarray, ...]
    arrays: Mapping[str, np.ndarray]
    kinds: tuple[str, ...]


def _kind(path: Path) -> str:
    """Return the kind of a file by its first bytes, "" for another."""
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        head = file.read(1024)
    return next((kind for kind, mark in KINDS.items() if re.search(mark, head)), "")


def _meshes(path: Path) -> list[Path]:
    """Return the mesh files of a folder in the order of the numbers in their names."""
    found = [file for file in path.iterdir() if _kind(file)]
    return by_number(found)


def _parts(path: Path) -> dict[str, list[Path]]:
    """Return the files or folders of the trajectories of each split."""
    if not path.is_dir():
        return {}
    found = {split: _trajectories(path / split) for split in SPLITS if (path / split).is_dir()}
    found = found or {WHOLE: _trajectories(path)}
    return {split: parts for split, parts in found.items() if parts}


def _trajectories(path: Path) -> list[Path]:
    return _meshes(path) or [item for item in by_number(path.iterdir()) if item.is_dir() and _meshes(item)]


def _recognises(path: Path) -> bool:
    return bool(_parts(path))


def _damaged(path: Path, error: object) -> FileFault:
    said = " ".join(str(error).split())[:160]
    return FileFault(f"expected a mesh that meshio reads in {path}, but: {said}; write it again")


def mesh_frames(path: Path) -> list[MeshFrame]:
    """Return the frames of a trajectory."""
    if path.is_dir():
        files = _meshes(path)
        times = _times_of(path, len(files))
        return [MeshFrame(file, None, time) for file, time in zip(files, times, strict=True)]
    if _kind(path) != "xdmf":
        return [MeshFrame(path, None, 0.0)]
    try:
        times = [item.get("Value") for item in ElementTree.parse(path).getroot().iter("Time")]
        return [MeshFrame(path, i, float(time)) for i, time in enumerate(times)] or [MeshFrame(path, None, 0.0)]
    except DAMAGE as error:
        raise _damaged(path, error) from None


def _times_of(folder: Path, n: int) -> list[float]:
    """Return the times of a .pvd file in a folder or next to it, of its name; numbers of the frames without one."""
    found = sorted(folder.glob("*.pvd")) or [file for file in [folder.with_suffix(".pvd")] if file.is_file()]
    if not found:
        return [float(i) for i in range(n)]
    try:
        times = [float(item.get("timestep", "nan")) for item in ElementTree.parse(found[0]).getroot().iter("DataSet")]
    except DAMAGE as error:
        raise _damaged(found[0], error) from None
    if len(times) != n:
        raise FileFault(f"expected {n} time steps in {found[0]}, one for each mesh, found {len(times)}; write it again")
    return times


def _read(frame: MeshFrame) -> MeshContent:
    """Return what a frame holds of the dimension of its points, in float64.

    Raises:
        ValueError: as `read_mesh`.
    """
    content = read_mesh(frame)
    points = content.points.astype(np.float64)
    ndim = 2 if points.shape[1] == 2 or not points[:, 2].any() else 3
    kept = tuple(cells for cells, kind in zip(content.cells, content.kinds, strict=True) if kind in CELLS[ndim])
    return MeshContent(points[:, :ndim], kept, content.arrays, ())


def read_mesh(frame: MeshFrame) -> MeshContent:
    """Return everything that a frame holds.

    Raises:
        ValueError: if the file is damaged, or refers to files of other folders.
    """
    try:
        import meshio
    except ImportError:
        raise FileFault(f"expected meshio for {frame.file}, found none; pip install pdekit[meshio]") from None
    path, kind = frame.file, _kind(frame.file)
    try:
        if kind == "xdmf":
            named = {name.decode(errors="replace") for name in OTHER_FILE.findall(path.read_bytes())}
            if any(Path(name).name != name for name in named):
                raise ValueError(f"it refers to {sorted(named)}, which is not next to it")
        if frame.step is not None:
            with meshio.xdmf.TimeSeriesReader(path) as series:
                points, cells = series.read_points_cells()
                _, arrays, _ = series.read_data(frame.step)
        else:
            mesh = {"vtu": meshio.vtu, "vtk": meshio.vtk, "xdmf": meshio.xdmf}[kind].read(path)
            points, cells, arrays = mesh.points, mesh.cells, mesh.point_data
        return MeshContent(
            np.asarray(points),
            tuple(np.asarray(block.data) for block in cells),
            {str(name): np.asarray(array) for name, array in arrays.items()},
            tuple(block.type for block in cells),
        )
    except (*DAMAGE, meshio.ReadError, SystemExit) as error:
        raise _damaged(path, error) from None


def _check_single(path: Path, points: np.ndarray) -> None:
    """Refuse coordinates "point dim" so far from the origin that single precision, in which nets see them, moves them.

    Raises:
        ValueError: if rounding exceeds a hundredth of the mean distance of neighbours.
    """
    lengths = np.ptp(points, axis=0) if len(points) else np.zeros(1)
    if not (np.isfinite(points).all() and lengths.any()):
        return
    wide = lengths[lengths > 0]
    distance = float(np.exp(np.log(wide).mean())) / len(points) ** (1 / len(wide))
    rounding = float(np.abs(points - points.astype(np.float32)).max())
    if rounding > ROUNDED * distance:
        raise FileFault(
            f"expected coordinates that single precision keeps to {ROUNDED:g} of the distance of points in {path}, "
            f"found them up to {np.abs(points).max():.3g} with a mean distance of {distance:.2g}; subtract the corner "
            "of the box from them"
        )


class MeshSeries:
    """Trajectories on meshes in files.

    Args:
        path: folder, for messages.
        parts: file or folder of each trajectory.

    Raises:
        ValueError: if a file is damaged, or trajectories have other fields, dimensions or times.
    """

    def __init__(self, path: Path, parts: list[Path]):
        self.path, self._frames = path, [mesh_frames(part) for part in parts]
        self._first = [_read(frames[0]) for frames in self._frames]
        for part, content in zip(parts, self._first, strict=True):
            _check_single(part, content.points)
        self.n_trajectories, first = len(parts), self._first[0]
        self._columns = [column for name in sorted(first.arrays) for column in self._components(name)]
        if not self._columns:
            raise FileFault(f"expected arrays at the points of {parts[0]}, found none; write point data")
        times = [[frame.time for frame in frames] for frames in self._frames]
        if {content.points.shape[1] for content in self._first} != {first.points.shape[1]}:
            raise FileFault(f"expected meshes of one dimension in {path}, found two and three; open them apart")
        if any(row != times[0] for row in times):
            raise FileFault(f"expected the same times for all trajectories in {path}, found others; open them apart")
        fields = tuple(
            Field(name if axis is None else f"{name}_{'xyz'[axis]}", vector=None if axis is None else name)
            for name, axis in self._columns
        )
        frames, step = len(times[0]), None
        if frames > 1:
            step = step_of(f"times of {path}", np.array(times[0]))
        self.problem = Problem(Points(first.points.shape[1], 1), fields, step, frames)
        blocks = [block for content in self._first for block in content.cells]
        self.size = (
            max(len(content.points) for content in self._first),
            max((sum(map(len, content.cells)) for content in self._first), default=0),
            max((block.shape[1] for block in blocks), default=0),
        )
        self._times = torch.tensor(times[:1], dtype=torch.float64)

    def _components(self, name: str) -> list[tuple[str, int | None]]:
        """Return the fields of an array: the array itself, or components of a vector."""
        content = self._first[0]
        array = content.arrays[name]
        if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
            return [(name, None)]
        if array.ndim != 2 or array.shape[1] > 3:
            raise FileFault(
                f"expected numbers or vectors in {name} of {self.path}, found {array.shape}; split the array"
            )
        flat = content.points.shape[1] == 2 and array.shape[1] == 3 and not array[:, 2].any()
        return [(name, axis) for axis in range(2 if flat else array.shape[1])]

    def padded_to(self, size: tuple[int, int, int]) -> MeshSeries:
        """Return this source with meshes padded to so many points, cells and corners."""
        self.size = size
        points = Points(self.problem.ndim, size[0])
        self.problem = Problem(points, self.problem.fields, self.problem.dt, self.problem.n_frames)
        return self

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one."""
        mesh, (n_points, n_cells, n_corners) = self._first[trajectory], self.size
        order, n = order_of(mesh.points), len(mesh.points)
        rows = [self._row(frame, n)[:, order] for frame in self._frames[trajectory][frames]]
        u = np.stack(rows) if rows else np.zeros((0, len(self._columns), n), np.float32)
        cells = np.full((n_cells, n_corners), -1, np.int64)
        first = 0
        for block in mesh.cells:
            try:
                cells[first : first + len(block)] = corners_of(block, order, (len(block), n_corners))
            except (ValueError, IndexError) as error:
                raise _damaged(self._frames[trajectory][0].file, error) from None
            first += len(block)
        there = torch.arange(n_points) < n
        return Trajectory(
            u=torch.from_numpy(filled_up(u, n_points))[None],
            t=self._times[:, frames],
            points=torch.from_numpy(filled_up(mesh.points[order].T.astype(np.float32), n_points).T.copy())[None],
            point_mask=there[None],
            cells=torch.from_numpy(cells)[None],
            index=torch.tensor([trajectory]),
        )

    def _row(self, frame: MeshFrame, n: int) -> np.ndarray:
        """Return the fields of one frame, "channel point"."""
        arrays = _read(frame).arrays
        row: list[Any] = []
        for name, axis in self._columns:
            array = arrays.get(name)
            if array is None or array.shape[:1] != (n,) or array.dtype.kind not in "fiub":
                found = "none" if array is None else f"{array.shape} of {array.dtype}"
                raise FileFault(
                    f"expected numbers at {n} points in {name} of {frame.file}, found {found}; write it again"
                )
            row.append(array.reshape(n) if axis is None else array.reshape(n, -1)[:, axis])
        double = any(column.dtype == np.float64 for column in row)
        return np.stack(row).astype(np.float64 if double else np.float32)


def _open_folder(path: Path) -> dict[str, MeshSeries]:
    """Open a folder of meshes; they are padded to one size.

    Raises:
        ValueError: as `MeshSeries`.
    """
    found = {split: MeshSeries(path, parts) for split, parts in _parts(path).items()}
    points, cells, corners = (max(sizes) for sizes in zip(*(source.size for source in found.values()), strict=True))
    return {split: source.padded_to((points, cells, corners)) for split, source in found.items()}


FORMATS = (Format("meshes (VTU, VTK, XDMF)", _recognises, _open_folder),)
