"""The evaluation of forecasts that were made elsewhere: the loop, the baselines and the report of a trained run."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from pdekit.data.forecasts import Forecast
from pdekit.data.windows import Source
from pdekit.evaluation.folder import writing_to
from pdekit.evaluation.loop import judge_models
from pdekit.evaluation.references.stored import StoredReference
from pdekit.evaluation.run import Origin, chosen_sections, known_of, sampling_of, scoring_of, with_baselines
from pdekit.evaluation.settings import Evaluation
from pdekit.evaluation.setup import Context, Models
from pdekit.evaluation.stored_forecasts import StoredForecasts
from pdekit.evaluation.training_cost import data_seconds, trust_in
from pdekit.fields import Trajectory
from pdekit.report.page import write_report
from pdekit.report.summary import closing_lines, summarise

OF_MODELS = ("members", "starts", "resolution", "resolutions", "coupling", "seed")
"""Settings of an evaluation that ask a model to forecast again."""


def score_forecasts(
    forecasts: Mapping[str, Forecast],
    reference: Source,
    given: int,
    folder: Path,
    settings: Evaluation,
    origin: Origin,
    training: Source | None = None,
) -> str:
    """Score stored forecasts next to baselines and solvers, and write the files and the report of an evaluation.

    Args:
        forecasts: by name; see `read_forecast`.
        reference: that they are scored against.
        given: frames of the reference that were known to the forecasts.
        folder: where ``scores.nc``, ``forecasts.nc`` and ``report.html`` go.
        settings: of the evaluation, without those of `OF_MODELS`.
        origin: name of the data, their recipe if it is known, and the packages whose scores may be named.
        training: trajectories that the mean, and baselines of steady problems, are taken from; None for no such rows.

    Returns:
        The closing lines of an evaluation.

    Raises:
        ValueError: if the forecasts do not fit the reference or each other, or too long a horizon is asked for.
    """
    scoring, sections = scoring_of(settings, origin.trust), chosen_sections(settings.sections, origin.trust)
    problem = reference.problem
    stored = {name: StoredForecasts(problem, found, given) for name, found in forecasts.items()}
    settings = dataclasses.replace(
        settings,
        horizon=common_horizon(stored, given, problem.n_frames, settings.horizon),
        members=max(model.members for model in stored.values()),
    )
    if given == 0 and not problem.steady:
        _warn_of_copies(stored, reference)

    def batches() -> Iterator[Trajectory]:
        assert training is not None
        return (training.read(i) for i in range(training.n_trajectories))

    recipe = origin.recipe if origin.recipe is not None and origin.recipe.simulator.steps else None
    rows = with_baselines(stored, problem, None if training is None else batches, settings, recipe, {})
    trust = trust_in(reference)
    context = Context(
        floor=None if trust is None else (trust.time, trust.nrmse),
        data_seconds=data_seconds(reference),
        attrs=known_of(problem, reference, settings, origin.data),
    )
    with (
        writing_to(folder),
        judge_models(
            _known_enough(rows, given), StoredReference(reference), folder, sampling_of(settings), scoring, context,
            progress=settings.progress,
        ) as scores,
    ):  # fmt: skip
        report = write_report(folder, sections)
        return closing_lines(summarise(scores), scores) + f"\nreport: {report}"


def common_start(forecasts: Mapping[str, Forecast], n_frames: int) -> int:
    """Return the frame of the reference at which all forecasts begin.

    Forecasts without times end with the reference.

    Raises:
        ValueError: if they begin at different frames, or a forecast is longer than the reference.
    """
    starts = {}
    for name, found in forecasts.items():
        if found.n_frames > n_frames:
            raise ValueError(
                f"expected at most the {n_frames} frames of the reference in the forecast {name!r}, found "
                f"{found.n_frames}; cut it, or give a longer reference"
            )
        starts[name] = n_frames - found.n_frames if found.first is None else found.first
        if found.first == 0 and found.n_frames < n_frames:
            warnings.warn(
                f"the times of the forecast {name!r} begin with those of the reference, although it has fewer frames; "
                "give it as an array if its file states no times",
                stacklevel=3,
            )
    if len(set(starts.values())) > 1:
        raise ValueError(
            f"expected forecasts that begin at one frame of the reference, found {starts}; give given=FRAMES, the "
            "number of frames that were known to all of them"
        )
    return next(iter(starts.values()))


def common_horizon(stored: Mapping[str, StoredForecasts], given: int, n_frames: int, horizon: int | None) -> int:
    """Return the number of frames to score.

    Raises:
        ValueError: if forecasts have other numbers of frames, or not as many as are asked for.
    """
    available = {name: model.n_frames for name, model in stored.items()}
    if min(available.values()) < 1 or given < 0 or given + max(available.values()) > n_frames:
        raise ValueError(
            f"expected given={given} frames and those of the forecasts, {available}, within the {n_frames} frames of "
            "the reference; correct given=, or give the frames that belong to each other"
        )
    if horizon is None and len(set(available.values())) > 1:
        raise ValueError(
            f"expected as many frames in each forecast, found {available}; give horizon={min(available.values())} to "
            "score the frames that all of them have"
        )
    horizon = horizon or min(available.values())
    if horizon > min(available.values()):
        raise ValueError(f"expected a horizon of at most {min(available.values())} frames, got {horizon}; shorten it")
    return horizon


def _warn_of_copies(stored: Mapping[str, StoredForecasts], reference: Source) -> None:
    """Warn of forecasts whose first frame is that of the reference."""
    first = reference.read(0, slice(0, 1))
    for name, model in stored.items():
        if torch.equal(next(model.replay(0, [0], first.t, 1)).double(), first.u.double()):
            warnings.warn(
                f"the first frame of the forecast {name!r} is that of the reference, and its error of 0 is counted; "
                "give given=1 if that frame was known",
                stacklevel=4,
            )


def _known_enough(rows: Models, given: int) -> Models:
    """The rows of the table without models that need more frames than were given."""
    absent = dict(rows.absent)
    kept: dict[str, dict] = {"baselines": {}, "solvers": {}}
    for group, found in kept.items():
        for name, model in getattr(rows, group).items():
            if model.window[0] <= given:
                found[name] = model
            else:
                absent[name if group == "baselines" else "solver"] = (
                    f"expected given={model.window[0]}: it starts from a known frame, found given={given}"
                )
    return dataclasses.replace(rows, **kept, absent=absent)
