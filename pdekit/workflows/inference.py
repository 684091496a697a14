"""An inference with a trained joint prior: load the run, observe, sample the posterior, score it, write a folder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pdekit.data.formats.contract import read_plain
from pdekit.data.module import DataModule
from pdekit.fields import Trajectory
from pdekit.inference.diagnostics import errors_by_level
from pdekit.inference.observed import Observed, channels_observed, observed_mask, random_points, read_observed
from pdekit.inference.output import draw_posterior, posterior_dataset, scores_dataset, table_of
from pdekit.inference.posteriors import (
    equation_residual,
    has_equation,
    kriging_members,
    posterior_members,
    scaled_residual,
    training_joint,
)
from pdekit.inference.scores import rank_histogram, scores_of
from pdekit.inference.settings import Inference
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.inputs import normalised
from pdekit.plain import mapping_or_empty, to_json
from pdekit.recipes.generation import generate
from pdekit.runs import Run, load
from pdekit.workflows.datasets import open_files, recipe_of
from pdekit.workflows.results import appearing_in, folder_for, write_results

SUMMARY = "summary.json"
LARGEST = 1 << 24  # bytes of a summary


@dataclasses.dataclass(frozen=True)
class Inferred:
    """Result of an inference.

    Args:
        folder: of the files.
        posteriors: datasets by method, see `pdekit.inference.output.posterior_dataset`.
        scores: dataset with the dimensions (model, channel, sample), a model for each method; None without a truth.
        table: in Markdown.
    """

    folder: Path
    posteriors: dict[str, Any]
    scores: Any
    table: str


def run_inference(
    run: str | Path | Run,
    settings: Inference,
    folder: str | Path | None = None,
    data: DataModule | None = None,
    data_dir: str | Path | None = None,
    trust: Sequence[str] = (),
) -> Inferred:
    """Infer test samples, or what a file of observations comes from, by each method.

    Args:
        run: of `model=diffusion_pde`, or its folder.
        settings: what is observed, and how it is inferred.
        folder: of the results; ``RUN/inference`` if None, with a number behind it if that holds an inference with other
            settings. Files appear when all are written.
        data: test and training samples; None for the run's own, which observations from a file need for kriging and
            for the equation only.
        data_dir: where datasets lie.
        trust: packages in addition to pdekit that the run may name.

    Returns:
        Posterior samples and scores; the folder holds them as ``posterior_<method>.nc`` and ``.png``, ``scores.nc``,
        ``table.md`` and ``summary.json``.

    Raises:
        FileNotFoundError: if there is no such run or file.
        ValueError: if the run has no joint prior, a method does not suit it, or the folder that is named holds an
            inference with other settings.
        OSError: if the disk is full; no file has changed then.
    """
    loaded = load(run, trust)
    model = joint_model(loaded)
    needed = settings.equation > 0 or "kriging" in settings.methods
    if data is None and (needed or settings.file is None):
        data = data_of(loaded, data_dir, trust)
    asked = dataclasses.asdict(settings)
    place = folder_for(Path(folder or loaded.path / "inference"), asked, _settings_in, folder is not None)
    case = observations_of(model, data, settings)
    with torch.no_grad():
        training = training_joint(model, data.calibration_batches()) if needed and data else None
    with appearing_in(place) as aside:
        return dataclasses.replace(_inferred(model, case, settings, training, aside), folder=place)


def _inferred(
    model: DiffusionPDE,
    case: tuple[Trajectory, Tensor | None, Observed],
    settings: Inference,
    training: Tensor | None,
    into: Path,
) -> Inferred:
    """Sample with each method, and write all files into a folder."""
    batch, truth, observed = case
    known = observed_mask(observed, (model.n_joint, *batch.u.shape[3:]))
    shown = decoded(model, observed.values if observed.mask is not None else known * torch.nan)
    exact = None if truth is None else decoded(model, truth)
    posteriors, scores, summary = {}, {}, {}
    for method in settings.methods:
        began = time.process_time()
        members = members_of(model, batch, observed, method, settings, training)
        physical = decoded(model, members)
        summary[method] = {"cpu_seconds_per_sample": (time.process_time() - began) / len(batch)}
        posteriors[method] = posterior_dataset(model, physical, known, shown, exact)
        write_posterior(posteriors[method], model, into, method, settings)
        if exact is not None:
            groups = {name: [i] for i, name in enumerate(model.names)}
            scores[method] = scores_of(physical, exact, known, model.problem, groups)
            summary[method]["rank_histogram"] = rank_histogram(physical, exact, known).tolist()
            summary[method] |= residuals(model, physical, exact)
    record: dict[str, Any] = {"settings": dataclasses.asdict(settings), "methods": summary}
    if training is not None and truth is not None:
        generator = torch.Generator().manual_seed(settings.seed)
        record["errors_by_level"] = errors_by_level(model, batch, training, generator)
    (into / SUMMARY).write_text(to_json(record, 1) + "\n", encoding="utf-8")
    return Inferred(into, posteriors, *write_scores(scores, summary, into))


def _settings_in(folder: Path) -> Mapping[str, Any] | None:
    """The settings of the inference that a folder holds; {} if they are not known, None without one."""
    path = folder / SUMMARY
    if not path.exists():
        return None
    return mapping_or_empty(mapping_or_empty(read_plain(path, LARGEST)).get("settings"))


def write_scores(scores: dict[str, Any], summary: dict[str, Any], into: Path) -> tuple[Any, str]:
    """Write and return scores and table; (None, "") without a truth."""
    if not scores:
        return None, ""
    found = scores_dataset(scores)
    write_results(found, into / "scores.nc")
    table = table_of(found, {method: one["cpu_seconds_per_sample"] for method, one in summary.items()})
    (into / "table.md").write_text(table + "\n")
    return found, table


@torch.no_grad()
def observations_of(
    model: DiffusionPDE, source: DataModule | None, settings: Inference
) -> tuple[Trajectory, Tensor | None, Observed]:
    """Return (the batch, its normalised joint or None, what is observed of it): test samples, or a user's file."""
    if settings.file is not None:
        return nothing_given(model), None, read_observed(settings.file, model, settings.noise)
    assert source is not None  # only a file needs no test samples
    source.set_window(*model.window)
    n = min(settings.n_samples, source.test.n_trajectories)
    batch = source.test.trajectories(list(range(n))).frames(slice(0, model.n_frames))
    inner = normalised(batch, model.normaliser)
    truth, generator = model.joint(inner), torch.Generator().manual_seed(settings.seed)
    channels = channels_observed(model, settings.observe)
    observed = random_points(truth, channels, settings.share, settings.noise, generator)
    return batch, truth, observed


def joint_model(run: Run) -> DiffusionPDE:
    """Return the model of a run that has a joint prior.

    Raises:
        ValueError: if it is another one, or its fields exist in a part of the box only.
    """
    if not isinstance(run.model, DiffusionPDE):
        raise ValueError(
            f"expected a run of model=diffusion_pde, which knows coefficients and solution together, got {run.name}; "
            "train one"
        )
    if run.problem.has_mask:
        raise ValueError("expected fields that exist everywhere for an inference, got a mask; use run.forecast")
    return run.model


def data_of(run: Run, data_dir: str | Path | None, trust: Sequence[str]) -> DataModule:
    """Return the data that a run was trained on, generated again if they are gone."""
    base = data_dir or run.config.get("data_dir")
    recipe = recipe_of(run.config, trust)
    if run.config.get("path"):
        return open_files(run.config["path"], run.config.get("choices", {}).get("data") or "files", recipe, trust=trust)
    assert recipe is not None  # without files the run names a recipe
    return DataModule.from_folder(generate(recipe, Path(base) if base else None), trust=trust)


def nothing_given(model: DiffusionPDE) -> Trajectory:
    """Return a batch of one sample of which nothing is known, for observations from a file.

    Raises:
        ValueError: if the problem has params or forcing, which a file of observations does not hold.
    """
    problem = model.problem
    if problem.params or problem.forcing:
        raise ValueError(
            "expected a problem without params and forcing for file=, because the file does not hold them; infer "
            "in Python with data= instead"
        )
    shape = problem.grid.shape
    return Trajectory(
        u=torch.zeros(1, model.n_frames, problem.n_channels, *shape),
        t=torch.zeros(1, model.n_frames),
        coeffs=torch.zeros(1, len(problem.coeffs), *shape) if problem.coeffs else None,
        index=torch.zeros(1, dtype=torch.long),
    )


def members_of(
    model: DiffusionPDE,
    batch: Trajectory,
    observed: Observed,
    method: str,
    settings: Inference,
    training: Tensor | None,
) -> Tensor:
    """Return posterior samples of a method, normalised."""
    if method == "kriging":
        assert training is not None
        return kriging_members(training, observed, settings.members, settings.seed)
    residual = None
    if settings.equation:
        assert training is not None
        residual = scaled_residual(model, training, settings.equation)
    return posterior_members(model, batch, observed, method, settings.members, settings.seed, residual, settings.levels)


@torch.no_grad()
def residuals(model: DiffusionPDE, members: Tensor, truth: Tensor) -> dict[str, float]:
    """Return the rms residual of the equation of members, and of the truth on the same grid: its floor.

    Args:
        members, truth: in physical units.

    Returns:
        Nothing where the problem has no such residual, see `has_equation`.
    """
    if not has_equation(model.problem):
        return {}
    return {
        "residual": float(equation_residual(model, members.flatten(0, 1)).square().mean().sqrt()),
        "residual_floor": float(equation_residual(model, truth).square().mean().sqrt()),
    }


def decoded(model: DiffusionPDE, joint: Tensor) -> Tensor:
    """Return a joint in physical units, in float64."""
    return joint.double() * model.scale.double() + model.mean.double()


def write_posterior(posterior: Any, model: DiffusionPDE, into: Path, method: str, settings: Inference) -> None:
    """Write the samples and the picture of a method."""
    write_results(posterior, into / f"posterior_{method}.nc")
    what = settings.file or f"{100 * settings.share:g} % of {settings.observe}"
    draw_posterior(posterior, model, into / f"posterior_{method}.png", f"{method}: {what} observed")
