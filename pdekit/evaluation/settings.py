"""Settings of an evaluation: plain values, so that an entry point can check them without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pdekit.plain import is_whole
from pdekit.typed_values import check_types, known_values, of_type

USEFUL = "useful"


@dataclass
class SolverSweep:
    """Settings of the solvers in the table.

    Args:
        sizes: solver grids, in points of each axis as shares of the data grid; none for no solvers.
        steps: solver steps between frames.
        precisions: precisions of the solvers, "float32" and "float64".
        refinements: where a case made the data (steady problems, geometries): its solver with these shares of the
            reference's resolution; none for no solvers.
        orders: orders of its elements in addition to its own, where they are lower.
    """

    sizes: tuple[float, ...] = (0.5, 0.75, 1.0, 1.5)
    steps: tuple[int, ...] = (1, 2, 4, 8)
    precisions: tuple[str, ...] = ("float32", "float64")
    refinements: tuple[float, ...] = (0.125, 0.25, 0.5)
    orders: tuple[int, ...] = (2,)

    def __post_init__(self):
        check_types(self, "sweep")
        if not {*self.precisions} <= {"float32", "float64"} or not self.precisions:
            raise ValueError(
                f"expected sweep.precisions among float32 and float64, at least one, got {self.precisions}; "
                "set sweep.sizes=[] for no solvers"
            )
        if any(order < 2 for order in self.orders):
            raise ValueError(
                f"expected sweep.orders >= 2, because a pressure takes one less than the velocity, got {self.orders}; "
                "set sweep.orders=[2], or [] for the case's own"
            )
        if any(size <= 0 for size in (*self.sizes, *self.refinements)) or any(n < 1 for n in self.steps):
            raise ValueError(
                f"expected positive sizes, refinements and steps of the sweep, got {self.sizes}, {self.refinements} "
                f"and {self.steps}; sizes and refinements are shares, steps are whole numbers"
            )


@dataclass
class KeptForecasts:
    """Settings of the forecasts that are kept and shown.

    Args:
        n_samples: number of samples, the first ones.
        samples: numbers of the samples to keep instead; null for the first ones.
        n_members: number of members of each model, the first ones.
    """

    n_samples: int = 3
    samples: tuple[int, ...] | None = None
    n_members: int = 3

    def __post_init__(self):
        check_types(self, "keep")
        if self.n_samples < 1 or self.n_members < 1:
            raise ValueError(
                f"expected keep.n_samples >= 1 and keep.n_members >= 1, got {self.n_samples} and {self.n_members}; set "
                "positive numbers"
            )


@dataclass
class Evaluation:
    """Settings of an evaluation.

    Args:
        horizon: frames to forecast; null for all that the data have. Beyond them the recipe's solver makes the
            reference.
        members: ensemble members of each surrogate.
        n_trajectories: test trajectories; null for all.
        starts: frames to begin at; every (trajectory, start) is a sample.
        batch_size: trajectories forecast together, the same for all models; times are measured with it.
        seed: seed of the members.
        resolution: points of each axis on which to forecast, one number for all; null for the data grid.
        resolutions: grids on which the error is given in addition, as shares of the data grid; each with the odd (or
            even) size next to it.
        measures: names in pdekit.metrics.catalogue; null for all. Those that do not suit the problem are left out.
            A measure of your own is named by its entry point or, with trust, by its dotted path.
        sweep: the solvers in the table, see `SolverSweep`.
        timing_batches: batches with which forecasts are timed, too; 1 is the latency of one forecast.
        judges: families of scores, names in pdekit.evaluation.judges.catalogue; null for all. Errors and costs are
            always there. A judge of your own is named by its entry point or, with trust, by its dotted path.
        sections: sections of your own for the report, named in the same way.
        coupling: whether to measure the effect of the coupling of the fields, and the share of it that each model has
            captured; the test samples are solved once more with the coupling cut.
        error: the measure on the first axis of the cost chart: one of the catalogue that is 0 for a perfect forecast,
            or "correlation_time"; null for "correlation_time" of chaotic problems and "nrmse" of others.
        compare_at: lead time at which surrogates and solvers are compared; null for the last one at which the better of
            the two still forecasts (median nRMSE below 0.5 or correlation above 0.8), within the reference's own
            predictability; "useful" for the last one at which the surrogate's median correlation exceeds 0.8.
        keep: the forecasts that are kept and shown, see `KeptForecasts`.
        lyapunov_exponent: largest one, in whose units correlation times are given, too; null for what the equation says
            of itself (`lyapunov_exponent` of pdekit.pdes.base).
        progress: whether to draw a bar.
    """

    horizon: int | None = None
    members: int = 1
    n_trajectories: int | None = None
    starts: tuple[int, ...] = (0,)
    batch_size: int = 16
    seed: int = 0
    resolution: Any = None
    resolutions: tuple[float, ...] = ()
    measures: tuple[str, ...] | None = None
    sweep: SolverSweep = field(default_factory=SolverSweep)
    timing_batches: tuple[int, ...] = (1, 64)
    judges: tuple[str, ...] | None = None
    sections: tuple[str, ...] = ()
    coupling: bool = False
    error: str | None = None
    compare_at: Any = None
    keep: KeptForecasts = field(default_factory=KeptForecasts)
    lyapunov_exponent: float | None = None
    progress: bool = True

    def __post_init__(self):
        check_types(self)
        for name in ("horizon", "members", "n_trajectories", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"expected {name} >= 1, got {value}; set a positive number")
        if not self.starts or min(self.starts) < 0:
            raise ValueError(f"expected starts >= 0, at least one, got {self.starts}; set starts=[0]")
        if any(size < 1 for size in self.timing_batches):
            raise ValueError(f"expected timing_batches >= 1, got {self.timing_batches}; set timing_batches=[1]")
        sizes = (1,) if self.resolution is None else self._sizes(1)
        if not all(is_whole(n) and n >= 1 for n in sizes):
            raise ValueError(
                f"expected a resolution of one number of points or one for each axis, got {self.resolution!r}; set "
                "resolution=128 or resolution=[64,128]"
            )
        if any(share <= 0 for share in self.resolutions):
            raise ValueError(
                f"expected resolutions > 0, shares of the data grid, got {self.resolutions}; try [0.5,1,2]"
            )
        if self.compare_at not in (None, USEFUL):
            try:
                self.compare_at = of_type(self.compare_at, float, "compare_at")
            except ValueError:
                raise ValueError(
                    f"expected compare_at=TIME, null or {USEFUL}, got {self.compare_at!r}; correct it"
                ) from None

    def _sizes(self, ndim: int) -> tuple[Any, ...]:
        several = isinstance(self.resolution, (list, tuple))
        sizes = tuple(self.resolution) if several else (self.resolution,) * ndim
        return tuple(int(n) if is_whole(n) else n for n in sizes)  # NumPy's integers are plain ones in a document

    def shape_of(self, ndim: int) -> tuple[int, ...]:
        """The resolution as points of each of so many axes.

        Raises:
            ValueError: if there are more or fewer.

        >>> Evaluation(resolution=64).shape_of(2), Evaluation(resolution=(64, 128)).shape_of(2)
        ((64, 64), (64, 128))
        """
        shape = self._sizes(ndim)
        if len(shape) != ndim:
            raise ValueError(
                f"expected a resolution of one number or {ndim}, got {list(shape)}; give one for each axis"
            )
        return shape


@dataclass
class Request:
    """Run to evaluate, and where.

    Args:
        run: folder of the run.
        folder: where the files go; null for the run's own folder.
        device: cpu or cuda.
        data_dir: where datasets lie.
        path: published files instead of generated data.
        constrain: constraints on the forecasts, see `pdekit.models.constraints`.
    """

    run: str = ""
    folder: str | None = None
    device: str = "cpu"
    data_dir: str | None = None
    path: str | None = None
    constrain: tuple[str, ...] = ()

    def __post_init__(self):
        check_types(self)


def evaluation_from(values: Mapping[str, Any], place: str = "") -> Evaluation:
    """Return the settings of an evaluation from plain values, where groups are mappings and lists may be tuples.

    Args:
        values: settings by name.
        place: key under which they are typed ("evaluation" of a training), for error messages; empty at the top level.

    Raises:
        ValueError: on an unknown name or a wrong value.

    >>> evaluation_from({"horizon": 5, "sweep": {"sizes": [1.0]}}).sweep.sizes
    (1.0,)
    """
    found = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name, kind in (("sweep", SolverSweep), ("keep", KeptForecasts)):
        group = found.get(name, kind())
        found[name] = group if isinstance(group, kind) else _placed(kind, group, place, f"{place}.{name}".lstrip("."))
    return _placed(Evaluation, found, place, "evaluation", place)


def _placed(kind: Any, values: Any, place: str, name: str, group: str | None = None) -> Any:
    """Return settings from plain values; a bound that their class states is named with the place where it is typed."""
    checked = known_values(kind, values, name, group)
    try:
        return kind(**checked)
    except ValueError as error:
        raise ValueError(f"in {place}: {error}" if place else str(error)) from None
