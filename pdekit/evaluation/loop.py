"""The loop of an evaluation: every model forecasts the same frames, every judge scores them. Nothing is averaged."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.checks import check_horizon, check_problem
from pdekit.evaluation.forecasting import CPU, Contender, block_size, device_of
from pdekit.evaluation.judges.base import Batch, ForecastBlock, Judge, ReferenceBlock, Setup
from pdekit.evaluation.judges.catalogue import JUDGES
from pdekit.evaluation.judges.costs import cost_attrs
from pdekit.evaluation.judges.kept import Kept
from pdekit.evaluation.references.stored import Reference, Span, mask_of
from pdekit.evaluation.setup import Context, Models, Sampling, Scoring
from pdekit.fields import Trajectory, n_values
from pdekit.metrics.sums import FieldSums, Sums
from pdekit.plain import to_json
from pdekit.recipes.base import silent

REFERENCE_VALUES = 2**25
"""Values of a frame of a batch, at most: 128 MiB in float32."""

ROUNDED = 1e-3
"""Share by which a stored time of the reference's check may differ from the true one."""


def judge_models(
    models: Models,
    reference: Reference,
    folder: Path | str,
    sampling: Sampling,
    scoring: Scoring,
    context: Context,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Forecast with every model from the same frames, and write ``scores.nc`` and ``forecasts.nc`` into a folder.

    Every model is given the frames that the one with the longest history needs. Reference and forecasts advance
    together, block by block, and scores go to disk as they come: memory is bounded whatever the horizon.

    Args:
        models, reference: the rows of the table, and what they are compared with.
        folder: folder of the files, which appear whole or not at all.
        sampling, scoring: choice of the forecasts; choice of the scores, and of the forecasts to keep.
        context: facts from outside the evaluation that are written next to the scores.
        device: device of all models; that of the first surrogate if None.
        progress: whether to draw a progress bar.

    Returns:
        The scores, read lazily from the file (close it, or use ``with``): dims model, member, sample, time, field and
        shell; time is counted from the last given frame. Models without randomness fill member 0 only.

    Raises:
        ValueError: if a model belongs to another problem, or the horizon does not fit into the data.
    """
    setup, spans = set_up(models, reference, sampling, scoring, context, device)
    folder, attrs, makers = Path(folder), attributes(setup), JUDGES if scoring.judges is None else scoring.judges
    with (
        Archive(folder / "scores.nc", coordinates(setup), attrs) as archive,
        Archive(folder / "forecasts.nc", {}, attrs) as kept,
        _bar(progress) as bar,
    ):
        write_samples(archive, setup, spans)
        judges: list[Judge] = [*(make(setup) for make in makers.values()), Kept(setup, kept)]
        for judge in judges:
            judge.declare(archive)
        reference.tick = _told(bar, sum(reference.work(span) for span in spans))
        task = bar.add_task("evaluate", total=len(spans) * setup.horizon * sum(c.members for c in setup.contenders))
        for batch, blocks in sample_batches(reference, spans, setup):
            archive.write("lead_time", (batch.rows,), batch.lead)
            for judge in judges:
                judge.begin(batch)
            for known, forecasts in blocks_of(batch, blocks, setup):
                for judge in judges:
                    judge.reference(known)
                for row, member, u in forecasts:
                    block = ForecastBlock(known.rows, known.frames, FieldSums(u.to(known.u.device), known.sums))
                    for judge in judges:
                        judge.forecast(row, member, block)
                    del block  # its sums are let go of before the next ones are made
                    bar.update(task, description=setup.contenders[row].name, advance=u.shape[1])
            for judge in judges:
                judge.finish()
        write_context(archive, setup)
    return xr.open_dataset(folder / "scores.nc", engine="h5netcdf")


def sample_batches(
    reference: Reference, spans: Sequence[Span], setup: Setup
) -> Iterator[tuple[Batch, Iterator[tuple[slice, Trajectory]]]]:
    """Yield each batch of samples, and the blocks of its reference: their places and frames."""
    for number, span in enumerate(spans):
        frames = reference.frames(span)
        given, t, first = next(frames), reference.times(span), number * setup.batch_size
        mask = mask_of(given)
        batch = Batch(
            rows=slice(first, first + len(span.starts)),
            last=first + len(span.starts) == setup.n_samples,
            trajectories=span.trajectories,
            starts=span.starts,
            given=given,
            t=t[:, setup.history :],
            lead=lead_times(t, setup.history),
            mask=None if mask is None else mask.to(setup.device),
            forcing=functools.partial(reference.forcing, span),
        )
        yield batch, zip(span.blocks, frames, strict=True)


def blocks_of(
    batch: Batch, blocks: Iterable[tuple[slice, Trajectory]], setup: Setup
) -> Iterator[tuple[ReferenceBlock, Iterator[tuple[int, int, Tensor]]]]:
    """Yield each block of the reference, and its forecasts: row of the model, number of the member, frames."""
    streams = [c.forecast(batch.given, batch.t, batch.forcing, setup.block) for c in setup.contenders]
    for frames, wanted in blocks:
        known = ReferenceBlock(batch.rows, frames, Sums(wanted.u.to(setup.device), setup.problem, batch.mask))
        rows = ((row, next(stream)) for row, stream in enumerate(streams))
        yield known, ((row, member, u) for row, members in rows for member, u in enumerate(members))


def set_up(
    models: Models,
    reference: Reference,
    sampling: Sampling,
    scoring: Scoring,
    context: Context,
    device: torch.device | str | None,
) -> tuple[Setup, list[Span]]:
    """Check models, horizon and samples, and cut the samples into batches and the horizon into blocks."""
    problem = reference.problem
    device = torch.device(device or next((device_of(model) for model in models.surrogates.values()), CPU))
    contenders = tuple(
        Contender(name, model, kind, sampling.seed, sampling.members, device)
        for kind, group in models.kinds.items()
        for name, model in group.items()
    )
    for contender in contenders:
        check_problem(contender.name, contender.model.problem, problem)
    history = max(contender.history for contender in contenders)
    horizon = check_horizon(sampling.horizon, history, max(sampling.starts), problem)
    n = min(sampling.n_trajectories or reference.n_trajectories, reference.n_trajectories)
    samples = [(trajectory, start) for trajectory in range(n) for start in sampling.starts]
    room = REFERENCE_VALUES // (problem.n_channels * n_values(problem.grid))
    batch_size = max(1, min(sampling.batch_size, len(samples), room))
    size = min(horizon, block_size(problem, batch_size))
    spans = [
        Span(tuple(trajectories), tuple(starts), history, horizon, size)
        for i in range(0, len(samples), batch_size)
        for trajectories, starts in [zip(*samples[i : i + batch_size], strict=True)]
    ]
    lead = lead_times(reference.times(spans[0]), history)[0].numpy()
    groups = models, sampling, scoring, context
    return Setup(problem, contenders, lead, len(samples), history, batch_size, size, *groups), spans


def coordinates(setup: Setup) -> dict[str, Any]:
    """Dimensions that all judges share."""
    return {
        "model": [contender.name for contender in setup.contenders],
        "member": np.arange(setup.sampling.members),
        "sample": np.arange(setup.n_samples),
        "time": setup.lead,
        "field": [field.name for field in setup.problem.fields],
    }


def attributes(setup: Setup) -> dict[str, object]:
    """Return the attributes of both files, which describe the evaluation as a whole."""
    grid = setup.problem.grid
    return {
        "history": setup.history,
        "batch_size": setup.batch_size,
        "seed": setup.sampling.seed,
        "threads": torch.get_num_threads(),
        **cost_attrs(setup.contenders, setup.device, setup.models.spent),
        "absent": to_json(dict(setup.models.absent)),
        "n_space": len(grid.shape),
        "shape": " x ".join(map(str, grid.shape)),
        "horizon": setup.horizon,
        "params": ", ".join(setup.problem.params),
        "data_seconds": setup.context.data_seconds,
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        **setup.context.attrs,
    }


def write_samples(archive: Archive, setup: Setup, spans: Sequence[Span]) -> None:
    """Say which samples and fields there are."""
    archive.declare("lead_time", ("sample", "time"), {"long_name": "time since the last given frame"})
    archive.put("trajectory", ("sample",), [number for span in spans for number in span.trajectories])
    archive.put("start", ("sample",), [start for span in spans for start in span.starts])
    archive.put("unit", ("field",), [field.unit for field in setup.problem.fields])
    archive.put("group", ("field",), [field.group for field in setup.problem.fields])


def write_context(archive: Archive, setup: Setup) -> None:
    """Write the floor of the reference and further tables of the models, where they are known."""
    floor, table = setup.context.floor, setup.context.table
    if floor is not None:
        archive.put("nrmse_floor", ("time",), reference_error(setup.lead, *floor))
    if table is not None:
        for name in table.coords:
            if name != "model":
                archive.coordinate(str(name), table[name].values)
        archive.put_all(table.reindex(model=[contender.name for contender in setup.contenders]))


def reference_error(lead: np.ndarray, time: Sequence[float], nrmse: Sequence[float]) -> np.ndarray:
    """The reference's own nRMSE at lead times, interpolated between the times of its check; NaN beyond them.

    Times of the check are stored with four digits: a lead time may exceed the last one by as much.

    >>> reference_error(np.array([0.5, 1.0, 1.0001, 2.0]), [0.0, 1.0], [0.0, 0.2]).tolist()
    [0.1, 0.2, 0.2, nan]
    """
    outside = (lead < time[0] * (1 - ROUNDED)) | (lead > time[-1] * (1 + ROUNDED))
    return np.where(outside, np.nan, np.interp(lead, time, nrmse))


def lead_times(t: Tensor, history: int) -> Tensor:
    """Times of the frames that are wanted, "batch time", counted from the last given one; 0 of a steady problem."""
    return t[:, history:] - (t[:, history - 1 : history] if history else 0.0)


def _told(bar: Progress, work: int) -> Callable[[int], None]:
    """Shows the work on the reference, if there is any."""
    if not work:
        return silent
    task = bar.add_task("reference", total=work)
    return lambda done: bar.advance(task, done)


def _bar(shown: bool) -> Progress:
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), disable=not shown)
