"""Scores of surrogates, baselines and solvers on the same trajectories: nothing is averaged here."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from pdekit.data.windows import Source
from pdekit.evaluation.archive import Archive
from pdekit.evaluation.background import Spent
from pdekit.evaluation.checks import check_horizon, check_kept, check_problem
from pdekit.evaluation.forecasting import CPU, Contender, block_size, device_of
from pdekit.evaluation.judges.costs import cost_attrs, write_costs
from pdekit.evaluation.judges.coupling import Coupling
from pdekit.evaluation.judges.ensembles import Ensembles
from pdekit.evaluation.judges.fields import Scorer
from pdekit.evaluation.judges.horizons import write_horizons
from pdekit.evaluation.judges.kept import Kept
from pdekit.evaluation.judges.physics import Physics
from pdekit.evaluation.judges.places import Places
from pdekit.evaluation.judges.statistics import Statistics
from pdekit.evaluation.references.stored import Reference, References, Span, Stored, mask_of, parts_of
from pdekit.fields import Problem, n_values
from pdekit.metrics.catalogue import CATALOGUE, Measure
from pdekit.metrics.spectra import wavenumbers
from pdekit.metrics.sums import FieldSums
from pdekit.models.base import Surrogate
from pdekit.recipes.base import silent

REFERENCE_VALUES = 2**25
"""Values of a frame of a batch, at most: 128 MiB in float32."""

ROUNDED = 1e-3
"""Share by which a stored time of the reference's check may differ from the true one."""


def evaluate(
    models: Mapping[str, Surrogate],
    source: Source,
    folder: Path | str,
    *,
    baselines: Mapping[str, Surrogate] | None = None,
    solvers: Mapping[str, Surrogate] | None = None,
    absent: Mapping[str, str] | None = None,
    horizon: int | None = None,
    members: int = 1,
    seed: int = 0,
    batch_size: int = 16,
    n_trajectories: int | None = None,
    starts: Sequence[int] = (0,),
    measures: Sequence[Measure] = CATALOGUE,
    floor: tuple[Sequence[float], Sequence[float]] | None = None,
    n_kept: int = 3,
    keep: Sequence[int] | None = None,
    n_kept_members: int = 3,
    statistics: bool = True,
    physics: bool = True,
    timing_batches: Sequence[int] = (1,),
    spent: Mapping[str, Spent] | None = None,
    data_seconds: float = math.nan,
    attrs: Mapping[str, Any] | None = None,
    progress: bool = True,
    reference: Reference | None = None,
    device: torch.device | str | None = None,
    table: xr.Dataset | None = None,
    uncoupled: Source | None = None,
) -> xr.Dataset:
    """Forecast with every model from the same frames, and write ``scores.nc`` and ``forecasts.nc`` into a folder.

    Every model is given the frames that the one with the longest history needs and forecasts the ``horizon`` frames
    after them. Memory is bounded whatever the horizon: reference and forecasts advance side by side, block by block,
    each from its own last frames (a solver from its own state), and scores go to disk as they come. A whole-trajectory
    model forecasts as many frames at once as it was made for.

    Args:
        models: trained surrogates by name.
        source: the trajectories to forecast; a split of a data module (``data.sources["test"]``).
        folder: where to write; files appear whole or not at all.
        baselines, solvers: more rows, scored alike. Of solvers the report shows the two that matter.
        absent: baselines that are not defined for this problem, with the reason.
        horizon: frames to forecast; None for all that the source has.
        members: ensemble members of each surrogate, every one scored by itself.
        seed: of the members.
        batch_size: trajectories forecast together, the same for all models; it is what times are measured with.
        n_trajectories: use only so many.
        starts: frames of each trajectory to begin at; every (trajectory, start) is a sample.
        measures: those that do not suit the problem are left out.
        floor: lead times and the nRMSE that the reference itself has at them, from its self-convergence.
        n_kept: number of samples whose forecasts are kept, the first ones.
        keep: numbers of the samples to keep instead.
        n_kept_members: number of members of each model whose forecasts are kept, the first ones.
        statistics, physics: whether to write the statistics of the second half of the horizon, and what the equation
            of a problem in time says of forecasts.
        timing_batches: sizes of batches with which one more forecast is timed, beside ``batch_size``.
        spent: what training took, by name of the model, as far as it is known.
        data_seconds: what it took to generate the data, NaN if that is not known.
        attrs: what else to write into the files: provenance, description.
        progress: whether to draw a progress bar.
        reference: where the truth comes from if not from the source: a `Continued`, for horizons beyond it.
        device: where everything runs; that of the first model if None.
        table: more variables to write, of some of the models: `across_resolutions`.
        uncoupled: the same trajectories with the coupling of their fields cut: `uncoupled_test`.

    Returns:
        The scores, read lazily from the file (close it, or use ``with``): dims model, member, sample, time, field and
        shell; time is counted from the last given frame. Models without randomness fill member 0 only.

    Raises:
        ValueError: if a model belongs to another problem, or the horizon does not fit into the data.
    """
    reference = reference or Stored(source)
    problem = reference.problem
    device = torch.device(device or next((device_of(model) for model in models.values()), CPU))
    contenders = [
        Contender(name, model, kind, seed, members, device)
        for kind, group in (("surrogate", models), ("baseline", baselines or {}), ("solver", solvers or {}))
        for name, model in group.items()
    ]
    for contender in contenders:
        check_problem(contender.name, contender.model.problem, problem)
    history = max(contender.history for contender in contenders)
    horizon = check_horizon(horizon, history, max(starts), problem)
    n = reference.n_trajectories if n_trajectories is None else min(n_trajectories, reference.n_trajectories)
    samples = [(trajectory, start) for trajectory in range(n) for start in starts]
    room = REFERENCE_VALUES // (problem.n_channels * n_values(problem.grid))
    batch_size = max(1, min(batch_size, len(samples), room))
    size = min(horizon, block_size(problem, batch_size))
    spans = [
        Span(*zip(*samples[i : i + batch_size], strict=True), history, horizon, size)
        for i in range(0, len(samples), batch_size)
    ]

    suitable = [m for m in measures if m.suits(problem, masked=problem.has_mask)]
    lead = lead_times(reference.times(spans[0]), history)[0].numpy()
    coords = {
        "model": [c.name for c in contenders],
        "member": np.arange(members),
        **({"rank": np.arange(members + 1)} if members > 1 else {}),
        "sample": np.arange(len(samples)),
        "time": lead,
        "field": [f.name for f in problem.fields],
    }
    if any(m.whole_box for m in suitable):
        coords["shell"] = wavenumbers(problem.grid).numpy()
    attributes = {
        "history": history,
        "batch_size": batch_size,
        "seed": seed,
        "threads": torch.get_num_threads(),
        **cost_attrs(contenders, device, spent or {}),
        "absent": json.dumps(dict(absent or {})),
        "n_space": len(problem.grid.shape),
        "shape": " x ".join(map(str, problem.grid.shape)),
        "horizon": horizon,
        "params": ", ".join(problem.params),
        "data_seconds": data_seconds,
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        **(attrs or {}),
    }
    if physics:
        coords |= Physics.coords(problem)
    if statistics:
        coords |= Statistics.coords(problem, horizon)
    coords |= Places.coords(problem)
    coords["batch"] = sorted({*timing_batches, batch_size})
    if table is not None:
        coords |= {name: table[name].values for name in table.coords if name != "model"}
    seconds = np.full((len(contenders), len(coords["batch"])), math.nan)
    folder = Path(folder)
    kept_samples = check_kept(keep, n_kept, len(samples))
    kept = Kept(folder, problem, contenders, kept_samples, n_kept_members, lead, attributes)
    with kept.archive, Archive(folder / "scores.nc", coords, attributes) as archive, _bar(progress) as bar:
        _declare(archive, problem, samples)
        scorer = Scorer(archive, suitable, problem, batch_size, size)
        ensembles = Ensembles(archive, contenders, problem)
        physicist = Physics(archive, contenders, problem, coords, horizon, physics)
        statistician = Statistics(archive, problem, horizon, statistics)
        coupling = Coupling(archive, problem, uncoupled)
        places = Places(archive, problem)
        reference.tick = _told(bar, sum(reference.work(span) for span in spans))
        task = bar.add_task("evaluate")
        for number, span in enumerate(spans):
            rows = slice(number * batch_size, number * batch_size + len(span.starts))
            truth, t = reference.frames(span), reference.times(span)
            given, wanted_t = next(truth), t[:, history:]
            archive.write("lead_time", (rows,), lead_times(t, history).numpy())
            forcing = functools.partial(reference.forcing, span)
            scorer.begin(rows)
            physicist.begin(given)
            coupling.begin(span, given)
            kept.write_inputs(rows.start, given)
            places.begin(given)
            statistician.begin(rows, wanted_t, mask_of(given))
            if number == 0:
                for row, contender in enumerate(contenders):
                    bar.update(task, description=contender.name)
                    contender.warm_up(given, wanted_t, forcing)
                    for place, together in enumerate(coords["batch"]):
                        if together != batch_size:
                            seconds[row, place] = contender.seconds_with(together, given, wanted_t, forcing)
                kept.declare()
                bar.update(task, total=len(spans) * horizon * sum(c.members for c in contenders))
            forecasts = [contender.forecast(given, wanted_t, forcing, size) for contender in contenders]
            for frames, wanted in zip(span.blocks, truth, strict=True):
                references = References(wanted, problem, frames.start)
                for part in references.parts:
                    known = references.part(part, CPU)
                    scorer.follow(known)
                    statistician.follow(part, known)
                physicist.follow(rows, frames, wanted.u)
                coupling.follow(rows, frames, wanted.u)
                places.follow(rows, wanted.u)
                kept.write_reference(rows.start, frames, wanted.u)
                for row, contender in enumerate(contenders):
                    bar.update(task, description=contender.name)
                    members_u = next(forecasts[row])
                    if len(members_u) > 1:
                        ensembles.score(row, rows, frames, members_u, references)
                    for member, u in enumerate(members_u):
                        for part in parts_of(u):
                            among_all = slice(frames.start + part.start, frames.start + part.stop)
                            sums = FieldSums(u[:, part], references.part(among_all, u.device))
                            scorer.score(row, member, sums)
                            statistician.update(row, member, among_all, sums.forecast)
                            del sums  # before the next ones are made
                        coupling.score(row, member, rows, frames, u)
                        if member == 0:
                            physicist.score(row, rows, frames, u)
                            places.score(row, rows, u)
                        kept.write(row, member, rows.start, frames, u)
                        bar.advance(task, frames.stop - frames.start)
                scorer.advance(frames.stop, last=frames.stop == horizon)
            statistician.finish()
            physicist.finish(rows)
        ensembles.finish()
        write_horizons(archive)
        write_costs(archive, contenders, seconds, coords["batch"], batch_size, spent or {})
        if floor is not None:
            archive.put("nrmse_floor", ("time",), floor_at(lead, *floor))
        if table is not None:
            archive.put_all(table.reindex(model=coords["model"]))
    return xr.open_dataset(folder / "scores.nc", engine="h5netcdf")


def floor_at(lead: np.ndarray, time: Sequence[float], nrmse: Sequence[float]) -> np.ndarray:
    """The reference's own nRMSE at lead times, interpolated between the times of its check; NaN beyond them.

    Times of the check are stored with four digits: a lead time may exceed the last one by as much.

    >>> floor_at(np.array([0.5, 1.0, 1.0001, 2.0]), [0.0, 1.0], [0.0, 0.2]).tolist()
    [0.1, 0.2, 0.2, nan]
    """
    outside = (lead < time[0] * (1 - ROUNDED)) | (lead > time[-1] * (1 + ROUNDED))
    return np.where(outside, np.nan, np.interp(lead, time, nrmse))


def lead_times(t: Tensor, history: int) -> Tensor:
    """Times of the frames that are wanted, "batch time", counted from the last given one; 0 of a steady problem."""
    return t[:, history:] - (t[:, history - 1 : history] if history else 0.0)


def _declare(archive: Archive, problem: Problem, samples: Sequence[tuple[int, int]]) -> None:
    archive.declare("lead_time", ("sample", "time"), {"long_name": "time since the last given frame"})
    archive.put("trajectory", ("sample",), [trajectory for trajectory, _ in samples])
    archive.put("start", ("sample",), [start for _, start in samples])
    archive.put("unit", ("field",), [field.unit for field in problem.fields])
    archive.put("group", ("field",), [field.group for field in problem.fields])


def _told(bar: Progress, work: int) -> Callable[[int], None]:
    """Shows the work on the reference, if there is any."""
    if not work:
        return silent
    task = bar.add_task("reference", total=work)
    return lambda done: bar.advance(task, done)


def _bar(shown: bool) -> Progress:
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), disable=not shown)
