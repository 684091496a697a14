"""Samples of a trained generative model in files: NetCDF, an animation and a picture; and files to start from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr
from jaxtyping import Float
from torch import Tensor

from pdekit.data.formats.contract import read_plain
from pdekit.data.given import load_numpy
from pdekit.fields import Problem
from pdekit.given import state
from pdekit.models.prompts import Prompt
from pdekit.plain import mapping_or_empty, to_json
from pdekit.report.animation import write_animation, write_picture
from pdekit.runs import Run
from pdekit.workflows.results import appearing_in, folder_for, write_results

DATA, ANIMATION, PICTURE, REQUEST = "sample.nc", "sample.gif", "sample.png", "request.json"
LARGEST = 1 << 20  # bytes of a request


def write_sample(run: Run, prompt: Prompt, folder: Path | None = None) -> tuple[xr.Dataset, Path]:
    """Sample, and write ``sample.nc`` with all members, ``sample.gif`` and ``sample.png`` of the first one.

    Args:
        run: trained.
        prompt: what to sample.
        folder: where to write; ``RUN/samples/SEED`` if None, with a number behind it if that holds another sample.

    Returns:
        The samples, see `Run.sample`, and the folder, which also holds the prompt in ``request.json``.

    Raises:
        ValueError: see `Run.sample`; if the folder holds the samples of another prompt.
        OSError: if the disk is full; no file has changed then.
    """
    request = dataclasses.asdict(dataclasses.replace(prompt, start=None))
    if prompt.start is not None:
        request["start"] = hashlib.sha256(prompt.start.numpy().tobytes()).hexdigest()
    usual = run.path / "samples" / str(prompt.seed)
    place = folder_for(folder or usual, request, _request_in, folder is not None)
    samples = run.sample(prompt).assign_attrs(run=str(run.path))
    first = samples.isel(member=0)
    with appearing_in(place) as aside:
        write_results(samples, aside / DATA)
        write_animation(first, aside / ANIMATION)
        write_picture(first, aside / PICTURE)
        (aside / REQUEST).write_text(to_json(request, 1) + "\n", encoding="utf-8")
    return samples, place


def _request_in(folder: Path) -> Mapping[str, Any] | None:
    """The prompt of the samples that a folder holds; {} if it is not known, None without samples."""
    if not (folder / DATA).exists():
        return None
    return mapping_or_empty(read_plain(folder / REQUEST, LARGEST))


def start_frame(path: Path, problem: Problem) -> Float[Tensor, "channel *space"]:
    """Return the first frame that a file holds for a sample.

    Args:
        path: ``.npy``, "channel *space", or a NetCDF with a variable for each field, of which the first member and the
            last time are taken.
        problem: of the model.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: on another kind of file, or fields that do not fit.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected a file for start={path}, found none; correct the path")
    if path.suffix == ".npy":
        return _only(state(load_numpy(path), problem), path)
    if path.suffix != ".nc":
        raise ValueError(f"expected .npy or .nc for start={path}, found {path.suffix!r}; write one of them")
    with xr.open_dataset(path, engine="h5netcdf") as found:
        ends = {name: at for name, at in (("member", 0), ("time", -1)) if name in found.dims}
        return _only(state(found.isel(ends).load().drop_vars(list(ends), errors="ignore"), problem), path)


def _only(states: Tensor, path: Path) -> Tensor:
    """The one frame of states "sample time channel *space"."""
    if len(states) > 1:
        raise ValueError(f"expected one first frame in {path}, found {len(states)} samples; write one of them")
    return states[0, 0]
