"""NetCDF files and Zarr folders that pdekit wrote (`pdekit.data.exports.named`): the problem is an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from pdekit.data.formats import named_files
from pdekit.data.formats.blocks import Hdf5Store, Store
from pdekit.data.formats.contract import WHOLE, Format, is_hdf5
from pdekit.data.formats.stated import ATTRIBUTE, stated_problem
from pdekit.data.hdf5 import FAULTS, FileFault
from pdekit.data.inputs import narrowed
from pdekit.fields import AXES, Field, Trajectory

MASKED = "masked"


class Exported:
    """Trajectories of such a file, read by slices.

    Args:
        path: path of the file or folder.
        trust: packages in addition to pdekit that the stored equation may come from.

    Raises:
        ValueError: if the attribute or a variable is damaged or absent.
    """

    def __init__(self, path: Path, trust: Sequence[str] = ()):
        self.store = named_files.NamedStore(path)
        # NetCDF 4 is HDF5: xarray needs milliseconds for each window
        self._arrays: Store = Hdf5Store(path) if is_hdf5(path) else self.store
        data = self.store.data
        try:
            self.problem = stated_problem(str(data.attrs[ATTRIBUTE]), f"the attribute {ATTRIBUTE!r} of {path}", trust)
            self.n_trajectories = int(data.sizes["sample"])
            self._masked = bool(data.attrs.get(MASKED, 0))
            self._check(data)
            self._timed = "time_of_sample" in data.variables
            self._times = np.array(data.variables["time_of_sample" if self._timed else "time"].values, np.float64)
            self._texts = data.variables["text"].values if self.problem.has_text else ()
            columns = [np.asarray(data.variables[name].values, dtype=np.float64) for name in self.problem.params]
            self._params = torch.from_numpy(narrowed(np.stack(columns, 1))) if columns else None
        except FileFault:
            raise
        except FAULTS as error:
            raise FileFault(
                f"expected a problem in the attribute {ATTRIBUTE!r} of {path}, found {error}; export it again"
            ) from None

    def _check(self, data: xr.Dataset) -> None:
        problem, n = self.problem, self.n_trajectories
        space, frames = tuple(problem.grid.shape), problem.n_frames
        wanted = {item.name: (n, frames, *space) for item in (*problem.fields, *problem.forcing)}
        wanted |= {item.name: (n, *space) for item in problem.coeffs} | dict.fromkeys(problem.params, (n,))
        wanted |= {"text": (n,)} if problem.has_text else {}
        wanted |= {} if problem.grid.uniform else {axis: (n, *space) for axis in AXES[: problem.ndim]}
        wanted |= {"time_of_sample": (n, frames)} if "time_of_sample" in data.variables else {"time": (frames,)}
        for name, shape in wanted.items():
            found = data.variables[name].shape if name in data.variables else "none"
            if found != shape:
                raise FileFault(
                    f"expected {name} of shape {shape} in {self.store.path}, found {found}; export it again"
                )

    def read(self, trajectory: int, frames: slice = slice(None)) -> Trajectory:
        """Return some frames of one trajectory, as a batch of one, in the precision that is stored."""
        problem = self.problem
        if problem.grid.uniform:
            points, point_mask, cells = None, None, None
        else:
            axes = [self._values(axis, trajectory) for axis in AXES[: problem.ndim]]
            points, point_mask = torch.from_numpy(np.stack(axes, -1))[None], self._optional("point_mask", trajectory)
            cells = self._optional("cells", trajectory)
        t = self._times[trajectory, frames] if self._timed else self._times[frames]
        u, mask = self._stacked(problem.fields, 1, trajectory, frames), None
        if self._masked:
            mask = torch.isfinite(u[:, 0]).float()
            u = torch.where(mask[:, None] > 0, u, 0.0)
        return Trajectory(
            u=u,
            t=torch.from_numpy(t.copy())[None],
            coeffs=self._stacked(problem.coeffs, 0, trajectory) if problem.coeffs else None,
            forcing=self._stacked(problem.forcing, 1, trajectory, frames) if problem.forcing else None,
            mask=mask,
            points=points,
            point_mask=point_mask,
            cells=cells,
            params=None if self._params is None else self._params[trajectory : trajectory + 1],
            text=(str(self._texts[trajectory]),) if problem.has_text else None,
            index=torch.tensor([trajectory]),
        )

    def _values(self, name: str, *where: int | slice) -> np.ndarray:
        return np.asarray(self._arrays.array(name)[where])

    def _optional(self, name: str, trajectory: int) -> torch.Tensor | None:
        there = name in self.store.data.variables
        return torch.from_numpy(self._values(name, trajectory).copy())[None] if there else None

    def _stacked(self, fields: Sequence[Field], axis: int, *where: int | slice) -> torch.Tensor:
        return torch.from_numpy(np.stack([self._values(field.name, *where) for field in fields], axis))[None]


def recognises_exported(path: Path) -> bool:
    """Return whether a NetCDF file or Zarr folder was written by pdekit."""
    return named_files.is_named(path) and ATTRIBUTE in named_files.NamedStore(path).data.attrs


def open_exported(path: Path, trust: Sequence[str] = ()) -> dict[str, Exported]:
    """Open a file or folder that pdekit wrote."""
    return {WHOLE: Exported(path, trust)}


FORMATS = (Format("NetCDF or Zarr of pdekit", recognises_exported, open_exported, open_trusting=open_exported),)
