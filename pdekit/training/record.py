"""Configuration and record that `fit` writes: a model made in Python leaves a run like any other."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from lightning import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only

from pdekit.data.domain import domain_of, save_domain
from pdekit.data.loading import Loading
from pdekit.data.module import DataModule
from pdekit.models.base import Surrogate
from pdekit.provenance import RECORD, provenance, sha256, write_json
from pdekit.runs import WEIGHTS, configuration_or_none, method_name, save_config, save_weights
from pdekit.settings import Engine, Training

IN_MEMORY = "arrays"  # name of data that lie in no folder
RESULTS = ("scores.nc", "forecasts.nc", "report.html", "reconstruction.nc", "parameters.json", "measurements.csv")
"""Files of a run that say something of its weights."""


def fit_config(
    model: Surrogate, data: LightningDataModule, settings: Training, engine: Engine, seed: int, folder: Path
) -> dict[str, Any]:
    """Return the configuration of a run of objects, in the form of the command line's ``config.yaml``."""
    module = _data_module(data)
    place = None if module is None else module.folder
    name = IN_MEMORY if place is None else place.name
    return {
        "model": configuration_or_none(model),
        "data": None,
        "instance": None,
        "path": None if place is None else str(place),
        "name": name,
        "seed": seed,
        "runs_dir": str(folder.parent),
        "data_dir": None,
        "evaluate": True,
        "training": dataclasses.asdict(settings),
        "loading": dataclasses.asdict(Loading() if module is None else module.loading),
        "trainer": dataclasses.asdict(engine),
        "evaluation": {},
        "choices": {"model": method_name(model), "data": name, "trainer": engine.accelerator},
    }


def begin_record(folder: Path, config: dict[str, Any]) -> None:
    """Write ``config.yaml``; remove what an earlier run in the folder has found out about weights that are replaced.

    In a folder that holds no run, files of these names belong to the user and stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    earlier = any((folder / name).exists() for name in ("config.yaml", RECORD, WEIGHTS))
    save_config(folder, config)
    for name in (RECORD, *RESULTS) if earlier else ():
        (folder / name).unlink(missing_ok=True)


def record_domain(folder: Path, data: LightningDataModule) -> None:
    """Write the range of the training split, see `pdekit.data.domain`; nothing for batches from elsewhere."""
    module = _data_module(data)
    if module is not None and rank_zero_only.rank == 0:
        save_domain(folder, domain_of(module.sources["train"]))


def _data_module(data: LightningDataModule) -> DataModule | None:
    """Return the data if they are pdekit's; batches from elsewhere have neither folder nor settings of loading."""
    return data if isinstance(data, DataModule) else None


def end_record(folder: Path, model: Surrogate, config: dict[str, Any], steps: int, seconds: float) -> None:
    """Write ``weights.safetensors``, and ``provenance.json`` with their hash."""
    save_weights(folder, model, config["choices"]["model"], config)
    record = {"seed": config["seed"], "steps": steps, "seconds": {"training": round(seconds, 2)}}
    record["parameters"] = model.n_parameters
    record |= {"data": {"name": config["name"], "path": config["path"]}, "weights": sha256(folder / WEIGHTS)}
    write_json(folder / RECORD, provenance(**record))
