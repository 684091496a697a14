"""Other trained surrogates that a method needs: loaded from their runs, or trained first."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only
from torch import distributed

from pdekit.models.base import Surrogate
from pdekit.runs import WEIGHTS, Run, build_model, load, save_model
from pdekit.settings import Engine, Training
from pdekit.training.callbacks import Interrupted
from pdekit.training.module import train_stages


class OutOfTime(TimeoutError):
    """The time limit has passed before a required surrogate was trained."""


def train_required(
    model: Surrogate,
    data: LightningDataModule,
    settings: Training,
    engine: Engine,
    folder: Path,
    seed: int = 0,
    runs: Mapping[str, str | Path | None] | None = None,
) -> dict[str, Path]:
    """Give the surrogates that a method ``requires`` their trained weights.

    Each one is a submodule of the method. It takes the weights of the run that is named, of an earlier training in
    ``<folder>/<name>``, or is trained there first, on the same data and with the same settings.

    Args:
        model: whose submodules are meant.
        data: data module; it is cut into the windows of ``model`` afterwards.
        settings, engine, seed: settings, engine and seed of the training.
        folder: folder of the run of ``model``.
        runs: folders of trained runs by name; None, or no entry: it is trained.

    Returns:
        The file of the weights of each one.

    Raises:
        ValueError: if a run has no such name, another problem, weights of another shape, or other layers.
        Interrupted: if its training was interrupted; called again, it goes on.
        OutOfTime: if the time limit of its training has passed; called again, it goes on.
    """
    runs, found = dict(runs or {}), {}
    check_required(model, runs)
    for name in model.requires:
        child, place = model.get_submodule(name), Path(runs.get(name) or folder / name)
        if runs.get(name) is None and not (place / WEIGHTS).exists():
            _train(child, data, settings, engine, place, seed)
        load(place, model=child)
        child.train()
        found[name] = place / WEIGHTS
    data.set_window(*model.window)
    return found


def check_required(
    model: Surrogate, runs: Mapping[str, str | Path | None], sized: bool = True
) -> dict[str, str | None]:
    """Return the runs which are named with whole paths, if they are required, finished, and fit the method.

    Args:
        model: whose submodules are meant.
        runs: folders of trained runs by name, or None.
        sized: whether the shapes of its weights are final, so that the runs can be compared with them.

    Raises:
        ValueError: if a method requires no such run, or a folder has no weights, or those of another problem or model.
    """
    unknown = sorted({name for name, run in runs.items() if run is not None} - set(model.requires))
    if unknown:
        raise ValueError(f"expected runs of {list(model.requires)}, found {unknown}; correct requires.*")
    for name, run in runs.items():
        if run is not None and not (Path(run) / WEIGHTS).exists():
            raise ValueError(
                f"expected a finished run as requires.{name}, found no {WEIGHTS} in {run}; give its folder, or "
                "leave it out to train it first"
            )
        if run is not None and sized:
            check_run(model.get_submodule(name), name, Path(run))
    return {name: None if run is None else str(Path(run).resolve()) for name, run in runs.items()}


def check_run(child: Surrogate, name: str, place: Path) -> None:
    """Check that a run has the problem, the weights and the layers of a required surrogate, which is left as it is.

    Raises:
        ValueError: if something differs.
    """
    try:
        run = load(place, model=copy.deepcopy(child))
    except ValueError as error:
        raise ValueError(
            f"expected a run of {type(child).__name__} on the same data as requires.{name}, found another in {place}; "
            f"give one that fits: {error}"
        ) from error
    check_layers(child, name, run)


def check_layers(child: Surrogate, name: str, run: Run) -> None:
    """Check that a surrogate has the layers with which the weights of a run were trained.

    A stride is a layer's own and no part of its weights, which fit another one as well. A run whose configuration names
    no model, or code outside the package, is not looked at.

    Raises:
        ValueError: if layers differ.
    """
    config = run.config.get("model")
    try:
        stored = None if config is None else build_model(config, child.problem)
    except ValueError:
        return
    if stored is not None and str(stored) != str(child):
        pairs = zip_longest(str(child).splitlines(), str(stored).splitlines())
        ours, theirs = next(pair for pair in pairs if pair[0] != pair[1])
        raise ValueError(
            f"expected a run with the layers of model.{name} as requires.{name}, found {(theirs or 'none').strip()} "
            f"instead of {(ours or 'none').strip()} in {run.path}; set model.{name} as in that run"
        )


def _train(
    child: Surrogate, data: LightningDataModule, settings: Training, engine: Engine, place: Path, seed: int
) -> None:
    data.set_window(*child.window)
    child.calibrate(data.calibration_batches())
    outcome = train_stages(child, data, settings, engine, place, seed, (place / "last.ckpt").exists())
    if outcome.interrupted:
        raise Interrupted
    if not outcome.finished:
        raise OutOfTime(f"out of time after {outcome.steps} of {settings.steps} steps of {place.name}")
    if rank_zero_only.rank == 0:
        save_model(place, child)
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()  # the other processes load what the first one has written
