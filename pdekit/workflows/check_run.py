"""A check of a trained run: load it, open its data, ask every row, write the files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pdekit.checks.catalogue import chosen_rows
from pdekit.checks.ground import Forecaster, Ground, TrainingRange
from pdekit.checks.output import FILE, findings_table, write_findings, write_junit
from pdekit.checks.run import Finding, run_check
from pdekit.checks.verdict import CANNOT_SAY, FAIL, LIMIT
from pdekit.data.module import DataModule
from pdekit.data.windows import Source, collate
from pdekit.evaluation.checks import check_problem
from pdekit.evaluation.references.stored import read
from pdekit.fields import Problem, Trajectory
from pdekit.given import check_device
from pdekit.models.base import Surrogate
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.baselines.simulator import SimulatorBaseline
from pdekit.models.baselines.solver import stepping_for
from pdekit.recipes.base import BaseRecipe
from pdekit.recipes.generation import generate
from pdekit.report.page import write_report
from pdekit.runs import WEIGHTS, Run, load
from pdekit.typed_values import MAX_FRAMES
from pdekit.workflows.datasets import open_files, recipe_of

AGAINST = ("solver", "data")
KNOWN = 256
"""Training trajectories whose first and last frames are compared with the states of a check."""


@dataclass(frozen=True)
class CheckSettings:
    """Settings of a check.

    Args:
        against: "solver": the reference solver says what cannot be done better, and which symmetries the equation
            has; "data": only the stored frames are known.
        rows: names or patterns of rows; all if None.
        n_states: states that a check starts from.
        horizon: frames of the rollout.
        long: frames of the long rollout.
        members: ensemble members of a stochastic method, over which its forecasts are averaged.
        limit: largest share of the damage that passes.
        seed: seed of the members.
    """

    against: str = "solver"
    rows: Sequence[str] | None = None
    n_states: int = 8
    horizon: int = 10
    long: int = 50
    members: int = 4
    limit: float = LIMIT
    seed: int = 0

    def __post_init__(self):
        if self.against not in AGAINST:
            raise ValueError(f"expected against among {AGAINST}, got {self.against!r}; correct it")
        for name in ("n_states", "horizon", "long", "members"):
            if not 1 <= getattr(self, name) <= MAX_FRAMES:
                raise ValueError(f"expected {name} from 1 to {MAX_FRAMES:,}, got {getattr(self, name)}; correct it")
        if isinstance(self.rows, str) or (self.rows is not None and not len(self.rows)):
            raise ValueError(
                f'expected rows as a list of names or patterns, or None for all, got {self.rows!r}; give ["symmetry.*"]'
            )


def check_settings(values: Mapping[str, Any]) -> CheckSettings:
    """Return the settings with these values; texts become the numbers that they write.

    Raises:
        ValueError: on a name that does not exist, or a text that is no such number.
    """
    kinds = {field.name: type(field.default) for field in dataclasses.fields(CheckSettings)}
    known: dict[str, Any] = {}
    for name, value in values.items():
        if name not in kinds:
            raise ValueError(f"expected a setting among {', '.join(kinds)}, got {name!r}; correct it")
        try:
            known[name] = value if name == "rows" else kinds[name](value)
            whole = kinds[name] is not int or isinstance(value, str) or known[name] == value
        except (TypeError, ValueError):
            whole = False
        if not whole:
            raise ValueError(f"expected a number for {name}, got {value!r}; correct {name}=") from None
    return CheckSettings(**known)


@dataclass(frozen=True)
class Check:
    """Result of a check.

    Args:
        findings: the answer to each row.
        table: table of them.
        folder: folder of ``check.json``; None if it is not written.
    """

    findings: list[Finding]
    table: str
    folder: Path | None

    @property
    def passed(self) -> bool:
        """True if no row fails."""
        return all(finding.verdict.verdict != FAIL for finding in self.findings)

    @property
    def decided(self) -> bool:
        """True if a row passes or fails; otherwise nothing is known of the surrogate."""
        return any(finding.verdict.verdict != CANNOT_SAY for finding in self.findings)

    @property
    def undecided(self) -> str:
        """A sentence for a check that is not `decided`."""
        reason = self.findings[0].verdict.reason if self.findings else "there is no row"
        return (
            f"expected one row or more that can be asked, found {len(self.findings)} that are all {CANNOT_SAY} "
            f"(the first: {reason}); choose other rows=, more states (n_states=), or data with a reference solver"
        )


def check_stored_run(
    run: str | Path | Run,
    settings: CheckSettings,
    places: dict[str, Any] | None = None,
    data: DataModule | None = None,
    trust: Sequence[str] = (),
    tick: Callable[[str], None] | None = None,
) -> Check:
    """Check a run and write ``check.json`` into its folder, and the report again if there is one.

    Args:
        run: the run, or its folder.
        settings: what is asked.
        places: ``folder`` of the results (the run's if not given), ``junit`` for a file of JUnit XML, ``data_dir``,
            ``device``.
        data: a data module; None for the run's own data.
        trust: packages in addition to pdekit that the run may name.
        tick: called with the name of each row.

    Raises:
        FileNotFoundError: if there is no such run.
        ValueError: if the run makes no forecasts, its data are of another problem, or a row does not exist.
    """
    places = places or {}
    check_device(places.get("device", "cpu"))
    device = torch.device(places.get("device", "cpu"))
    loaded = load(run, trust, str(device))
    if not loaded.model.forecasts:
        raise ValueError(f"expected a run that makes forecasts, found {loaded.name}, which makes none; check another")
    recipe = None
    if data is None:
        data, recipe = data_of_run(loaded, places.get("data_dir"), trust)
    if len(data.grids) > 1:
        data = data.on(loaded.problem.grid)
    check_problem(loaded.name, loaded.problem, data.sources["test"].problem)
    rows = chosen_rows(loaded.problem, settings.rows, loaded.model.stochastic)
    ground = ground_of(loaded.model.window[0], data, recipe, settings)

    def reload() -> Surrogate:
        return load(loaded.path, trust, str(device)).model

    as_stored = (loaded.path / WEIGHTS).is_file() and loaded.model.unconstrained is loaded.model
    stored = reload if as_stored else None
    surrogate = Forecaster(loaded.name, loaded.model, settings.members, settings.seed, device, stored)
    findings = run_check(surrogate, ground, rows, settings.limit, tick)
    folder = Path(places.get("folder") or loaded.path)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"run": str(loaded.path.name), "model": loaded.name, "limit": settings.limit, "against": settings.against,
             "states": len(ground.given), "horizon": ground.horizon}  # fmt: skip
    write_findings(folder / FILE, findings, about)
    if places.get("junit"):
        write_junit(Path(places["junit"]), findings, "pdekit.check")
    if (folder / "scores.nc").is_file():
        write_report(folder)
    solver = "" if ground.solver is not None else ", without a reference solver"
    title = f"{loaded.name} from {len(ground.given)} states, rollouts of {ground.horizon} frames{solver}"
    return Check(findings, findings_table(findings, title), folder)


def data_of_run(run: Run, data_dir: str | None, trust: Sequence[str]) -> tuple[DataModule, BaseRecipe | None]:
    """Return the data of a run, and their recipe; None for files."""
    recipe = recipe_of(run.config, trust)
    name = run.config.get("choices", {}).get("data", "data")
    if run.config.get("path"):
        return open_files(run.config["path"], name, recipe, trust=trust), None
    assert recipe is not None  # data of neither a recipe nor a path are refused by recipe_of
    base = data_dir or run.config.get("data_dir")
    return DataModule.from_folder(generate(recipe, Path(base) if base else None), trust=trust), recipe


def ground_of(history: int, data: DataModule, recipe: BaseRecipe | None, settings: CheckSettings) -> Ground:
    """Return the states of a check: the first frames of test trajectories, and later ones if there are too few.

    Args:
        history: frames that the surrogate is given.
        data: data of the problem.
        recipe: recipe of the data; None for data from elsewhere.
        settings: settings of the check.

    Raises:
        ValueError: if the trajectories are too short.
    """
    source = data.sources["test"]
    problem = source.problem
    history = 0 if problem.steady else max(1, history)
    horizon = min(settings.horizon, problem.n_frames - history)
    if horizon < 1:
        raise ValueError(
            f"expected test trajectories of more than the {history} frames that the model is given, found "
            f"{problem.n_frames}; generate longer ones"
        )
    last = problem.n_frames - history - horizon
    per_trajectory = -(-settings.n_states // source.n_trajectories)
    starts = sorted({round(last * k / max(1, per_trajectory - 1)) for k in range(per_trajectory)})
    places = [(i, start) for start in starts for i in range(source.n_trajectories)][: settings.n_states]
    trajectories, first = [i for i, _ in places], [start for _, start in places]
    batch = read(source, trajectories, first, slice(0, history + horizon))
    return Ground(
        problem,
        batch.known(history).to(torch.float64),
        batch.u[:, history:].double(),
        batch.t[:, history:].double(),
        baseline_of(problem, data.calibration_batches() if problem.steady else ()),
        solver_of(problem, recipe) if settings.against == "solver" else None,
        training_range(data.sources["train"]),
        settings.long,
    )


def baseline_of(problem: Problem, batches: Iterable[Trajectory]) -> Forecaster:
    """Return persistence, or for a steady problem the mean of training batches."""
    model: Surrogate = Mean(problem) if problem.steady else Persistence(problem)
    model.calibrate(batches)
    return Forecaster("mean" if problem.steady else "persistence", model)


def solver_of(problem: Problem, recipe: BaseRecipe | None) -> Forecaster | None:
    """Return the solver that made the data, or else one that is chosen from the equation; None if there is none."""
    try:
        if recipe is None:
            return Forecaster("solver", SimulatorBaseline(problem, stepping_for(problem)))
        if not recipe.solved:
            return None
        return Forecaster("solver", SimulatorBaseline(problem, recipe.simulator, draw=partial(recipe.draw, "test")))
    except ValueError:  # no solver is defined for this problem
        return None


def training_range(source: Source) -> TrainingRange:
    """Return the first and the last frame of training trajectories, and their parameters."""
    numbers = range(min(KNOWN, source.n_trajectories))
    frames = [0] if source.problem.steady else [0, source.problem.n_frames - 1]
    batch = collate([source.read(i, slice(frame, frame + 1)) for frame in frames for i in numbers])
    inputs = batch.coeffs if source.problem.steady else batch.u[:, 0]
    states = torch.empty(0, 0) if inputs is None else inputs.double()
    return TrainingRange(states, None if batch.params is None else batch.params.double())
