"""`pdekit.score`: forecasts that pdekit did not make, scored with every measure, and the report."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from pdekit.data.arrays import Arrays
from pdekit.data.description import Description
from pdekit.data.forecasts import check_samples, first_date, forecasts_by_name, read_forecast
from pdekit.data.module import DataModule
from pdekit.data.scored import read_reference, read_training
from pdekit.data.windows import Source
from pdekit.evaluation.run import Origin
from pdekit.evaluation.settings import Evaluation, evaluation_from
from pdekit.evaluation.stored_run import OF_MODELS, common_start, score_forecasts
from pdekit.fields import Problem
from pdekit.plain import is_whole
from pdekit.report.summary import summarise
from pdekit.report.tables import markdown
from pdekit.simulate import named_problem

NAME = "forecast"
"""Name of the row of a single forecast."""
Fields = np.ndarray | torch.Tensor | xr.Dataset | xr.DataArray | str | Path | Source


class Scored:
    """Scores of forecasts, and where they lie.

    Args:
        folder: with ``scores.nc``, ``forecasts.nc`` and ``report.html``.
        lines: the closing lines of the evaluation.
        temporary: whether the folder is removed together with this object.
    """

    def __init__(self, folder: Path, lines: str, temporary: bool = False):
        self.folder, self.lines = folder, lines
        if temporary:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        with xr.open_dataset(folder / "scores.nc", engine="h5netcdf") as scores:
            self.scores: xr.Dataset = scores.load()

    def __str__(self) -> str:
        return self.lines

    def table(self) -> str:
        """Return the table of the report in Markdown: a row for each forecast, baseline and solver."""
        return markdown(summarise(self.scores))

    def report(self, path: str | Path) -> Path:
        """Write the report, one page with everything in it, to a path."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(self.folder / "report.html", target))


def score(
    forecast: Fields | Mapping[str, Fields],
    reference: Fields,
    problem: str | Problem | Any = None,
    *,
    given: int | None = None,
    train: Fields | DataModule | None = None,
    folder: str | Path | None = None,
    trust: Sequence[str] = (),
    **options: Any,
) -> Scored:
    """Score forecasts against a reference: every measure, baselines that need no training, and the report.

    Args:
        forecast: "[member] sample time channel *space": a NumPy array or tensor; an xarray object with the dimensions
            member (if there is an ensemble), sample, time, x, y, z; or the path of a file that pdekit reads. A mapping
            of names to such objects is a table of several. NaN or Inf is a divergence.
        reference: the same without members, finite wherever its fields exist.
        problem: the equation, for residuals, budgets and solvers: a PDE, the name of a dataset of pdekit, or a
            `Problem`. The latter two also say time step, box, boundary and fields of arrays that do not state them.
        given: frames of the reference that were known to the forecasts; None for those before their first frame, which
            their times state. Without times, forecasts end with the reference.
        train: trajectories for the mean and the baselines of steady problems; a data module for its training split.
        folder: where the files go; a temporary folder if None.
        trust: packages whose formats, equations and scores may be named.
        options: parts of a `pdekit.data.Description` for a reference that does not describe itself (dt, extent, layout,
            fields, boundary, mask, coeffs, params, ...), and settings of an evaluation (horizon, measures, ``sweep``
            and ``keep`` as mappings, ...).

    Returns:
        An object with ``scores`` (xarray), ``table()`` and ``report(path)``.

    Raises:
        FileNotFoundError, ValueError: if fields, points, times or trajectories of a forecast are not those of the
            reference, or the reference is not finite.
        TypeError: on options that do not exist.

    >>> import numpy as np
    >>> truth = np.sin(np.linspace(0, 9, 4 * 6 * 32)).reshape(4, 6, 1, 32)
    >>> found = score(1.1 * truth, truth, given=1, dt=0.1, extent=(1.0,), fields=["u"], progress=False)
    >>> round(float(found.scores.nrmse.sel(model="forecast").mean()), 3)
    0.1
    """
    about, settings = _sorted(options)
    known, recipe = named_problem(problem)
    name = "" if recipe is None else str(problem)
    found = read_reference(reference, known, about, trust)
    several = forecasts_by_name(forecast, NAME)
    check_asked(several, reference, given)
    since = first_date(reference)
    read = {name: read_forecast(name, data, found, trust, since) for name, data in several.items()}
    given = common_start(read, found.problem.n_frames) if given is None else given
    if given == 0 and isinstance(found, Arrays) and all(item.first is None for item in read.values()):
        found = found.later(found.problem.dt or 0.0)  # no times are stated: the first frame is one step ahead
    training = None if train is None else read_training(train, found.problem, known, about, trust)
    origin = Origin(name, None, recipe, None, tuple(trust))
    with _folder_for(folder) as into:
        return Scored(into, score_forecasts(read, found, given, into, settings, origin, training), folder is None)


@contextmanager
def _folder_for(folder: str | Path | None) -> Iterator[Path]:
    """Yield a folder, a temporary one if None, which is removed if the scoring fails."""
    into = Path(tempfile.mkdtemp(prefix="pdekit-score-") if folder is None else folder)
    try:
        yield into
    except BaseException:
        if folder is None:
            shutil.rmtree(into, ignore_errors=True)
        raise


def check_asked(forecasts: Mapping[str, Any], reference: Any, given: Any) -> None:
    """Raise ValueError on names that the table cannot show, samples in another order, or a wrong number of frames."""
    if not forecasts:
        raise ValueError("expected at least one forecast, got none; give forecast=")
    if "reference" in forecasts or not all(forecasts):
        raise ValueError(
            f"expected names of forecasts that are not empty and not 'reference', got {list(forecasts)}; rename them"
        )
    if given is not None and not is_whole(given):
        raise ValueError(f"expected a whole number of frames that were known, got given={given!r}; correct it")
    for name, data in forecasts.items():
        check_samples(name, data, reference)


def _sorted(options: Mapping[str, Any]) -> tuple[Description, Evaluation]:
    """Options as a description of the reference, and as settings of the evaluation.

    Raises:
        TypeError: on a name that is neither.
    """
    parts, settings = ([item.name for item in dataclasses.fields(kind)] for kind in (Description, Evaluation))
    parts.remove("text")  # captions are not scored
    settings = [name for name in settings if name not in OF_MODELS]
    unknown = sorted(set(options) - {*parts, *settings})
    if unknown:
        raise TypeError(
            f"expected parts of a description ({', '.join(parts)}) or settings of an evaluation "
            f"({', '.join(settings)}), got {unknown}; correct them"
        )
    about = Description(**{name: value for name, value in options.items() if name in parts})
    chosen = {name: value for name, value in options.items() if name in settings}
    return about, evaluation_from(chosen)
