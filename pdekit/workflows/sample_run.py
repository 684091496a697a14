"""Samples of a trained generative model in files: NetCDF, an animation and a picture."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from pdekit.models.prompts import Prompt
from pdekit.report.animation import write_animation, write_picture
from pdekit.runs import Run

DATA, ANIMATION, PICTURE = "sample.nc", "sample.gif", "sample.png"


def write_sample(run: Run, prompt: Prompt, folder: Path) -> xr.Dataset:
    """Sample, and write ``sample.nc`` with all members, ``sample.gif`` and ``sample.png`` of the first one.

    Args:
        run: trained.
        prompt: what to sample.
        folder: where to write; it is made.

    Returns:
        The samples, see `Run.sample`.

    Raises:
        ValueError: see `Run.sample`.
    """
    samples = run.sample(prompt).assign_attrs(run=str(run.path))
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{DATA}.part"
    samples.to_netcdf(partial, engine="h5netcdf")
    os.replace(partial, folder / DATA)
    first = samples.isel(member=0)
    write_animation(first, folder / ANIMATION)
    write_picture(first, folder / PICTURE)
    return samples
