"""Scores of an autoencoder: the error of its reconstructions by field, time and shell of wavenumbers.

reconstruction.nc    nrmse (sample, time, field), shell_error (sample, time, field, shell), compression, frames

`frames` is the number of stored frames. The times are those of the frames that the autoencoder has learnt: all of
them, or the first ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import xarray as xr

from pdekit.data.module import DataModule
from pdekit.evaluation.archive import Archive
from pdekit.evaluation.checks import check_problem
from pdekit.evaluation.forecasting import CPU
from pdekit.evaluation.references.stored import mask_of
from pdekit.metrics.spectra import wavenumbers
from pdekit.metrics.sums import FieldSums, Sums, filled_shells
from pdekit.models.autoencoder import Autoencoder

FILE = "reconstruction.nc"
BATCH = 8
DIMS = ("sample", "time", "field")
QUARTERS = 4  # into which the shells are divided in the lines that a person reads


def score_reconstruction(
    model: Autoencoder, data: DataModule, folder: Path, name: str = "", device: torch.device | str = CPU
) -> str:
    """Reconstruct the learnt frames of the test trajectories and write ``reconstruction.nc``: sqrt(<e^2> / <u^2>) at
    the points of each frame, and the same ratio of each shell of wavenumbers; NaN where the shell of the reference is
    empty.

    Args:
        model: trained.
        data: of its problem.
        folder: where to write.
        name: of the data.
        device: where it runs.

    Returns:
        A few lines: medians by field, and by quarter of the shells.

    Raises:
        ValueError: if the data are of another problem.
    """
    source = data.sources["test"]
    problem = source.problem
    check_problem("autoencoder", model.problem, problem)
    model.to(device).eval()
    points, shells = [], []
    for first in range(0, source.n_trajectories, BATCH):
        batch = model.opening(data.test.trajectories(range(first, min(first + BATCH, source.n_trajectories))))
        there = mask_of(batch)
        mask = None if there is None else there.expand(-1, problem.n_channels, *batch.u.shape[3:])
        found = FieldSums(model.reconstruct(batch.to(device)).cpu(), Sums(batch.u, problem, mask))
        points.append((found.error.square / found.reference.square).sqrt().numpy())
        if mask is None:
            share = (found.error.power / found.reference.power).sqrt()
            shells.append(share.where(filled_shells(found.reference.power), torch.nan).numpy())
    coords = {
        "sample": np.arange(source.n_trajectories),
        "time": np.arange(model.n_frames) * problem.step,
        "field": np.array([field.name for field in problem.fields]),
    }
    attrs = {"data": name, "compression": model.compression, "frames": problem.n_frames}
    with Archive(folder / FILE, coords, attrs) as archive:
        archive.put("nrmse", DIMS, np.concatenate(points).astype("f4"))
        if shells:
            archive.coordinate("shell", wavenumbers(problem.box).numpy())
            archive.put("shell_error", (*DIMS, "shell"), np.concatenate(shells).astype("f4"))
    with xr.open_dataset(folder / FILE, engine="h5netcdf") as scores:
        return in_lines(scores) + f"\nscores: {folder / FILE}"


def in_lines(scores: xr.Dataset) -> str:
    """Return the compression, and medians over samples and times of the error of each field and quarter of shells."""
    learnt, stored = scores.sizes["time"], int(scores.frames)
    which = "" if learnt == stored else f", the first {learnt} of {stored} frames"
    head = f"reconstruction of {scores.sizes['sample']} test trajectories{which}"
    lines = [f"{head}, compression {scores.compression:.3g}"]
    for name in scores.field.values:
        error = float(scores.nrmse.sel(field=name).median())
        line = f"  {name}: relative error {error:.3g}"
        if "shell_error" in scores:
            by_shell = scores.shell_error.sel(field=name).median(("sample", "time")).values[1:]
            by_shell = by_shell[np.isfinite(by_shell)]
            parts = np.array_split(by_shell, min(QUARTERS, len(by_shell))) if len(by_shell) else []
            line += f"; shells from coarse to fine {', '.join(f'{np.median(part):.2g}' for part in parts)}"
        lines.append(line)
    return "\n".join(lines)
