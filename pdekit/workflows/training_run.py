"""A training run: build the model, open or generate the data, train, save, evaluate, report.

The command line and ``pdekit.train`` both call these two functions, so that they write the same run folder.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from pdekit.command_words import override
from pdekit.data.formats.contract import located
from pdekit.data.loading import Loading
from pdekit.data.module import DataModule
from pdekit.data.no_reference import NoReference
from pdekit.energy import Energy
from pdekit.evaluation import run as scoring
from pdekit.evaluation.checks import check_problem
from pdekit.evaluation.folder import writing_to
from pdekit.evaluation.reconstruction import score_reconstruction
from pdekit.evaluation.request import check_reach, check_request
from pdekit.evaluation.settings import Evaluation, evaluation_from
from pdekit.models.base import Stepper, Surrogate
from pdekit.models.modes import uses_auto, with_modes, without_unresolved
from pdekit.models.resolution import check_grids, try_step
from pdekit.plain import by_name, from_plain
from pdekit.provenance import RECORD, provenance, read_record, sha256, write_json
from pdekit.recipes.base import BaseRecipe
from pdekit.recipes.generation import generate
from pdekit.runs import WEIGHTS, build_model, new_folder, save_config, save_weights
from pdekit.settings import Engine, RunSettings, Training
from pdekit.training.callbacks import Interrupted
from pdekit.training.devices import check_engine, is_main_process
from pdekit.training.module import Diverged, evaluation_device, train_stages
from pdekit.training.required import OutOfTime, check_required, train_required
from pdekit.typed_values import settings_from
from pdekit.workflows.datasets import instance_in_words, open_files, recipe_of, with_parameters
from pdekit.workflows.measured_run import take_measurements, write_found
from pdekit.workflows.unsolved_run import without_reference

RUN = "PDEKIT_RUN"  # environment variable in which the first of several processes names its folder to the others


class Stopped(KeyboardInterrupt):
    """Training was interrupted before its last step; the message says how to continue it."""


@dataclass(frozen=True)
class Plan:
    """A training run that is ready to start.

    Args:
        model: built, not calibrated.
        data: cut into the model's windows; `NoReference` for a run with measurements or without a reference.
        recipe: recipe of the data; None for files and arrays of a user.
        config: resolved and plain, as in ``config.yaml``; ``config["choices"]`` names model, data and trainer.
        seconds: wall time that has been spent already, by step.
        trust: packages in addition to pdekit that the configuration may name.
        instance: a line that says which instance is solved; empty if not a single one is.
    """

    model: Surrogate
    data: DataModule | NoReference
    recipe: BaseRecipe | None
    config: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    trust: tuple[str, ...] = ()
    instance: str = ""

    @property
    def engine(self) -> Engine:
        return settings_from(Engine, self.config["trainer"], "trainer")

    @property
    def training(self) -> Training:
        return settings_from(Training, self.config["training"], "training")

    @property
    def evaluation(self) -> Evaluation:
        return evaluation_from(from_plain(self.config["evaluation"]), "evaluation")

    @property
    def base(self) -> Path | None:
        """The data directory; None for the default one."""
        return None if self.config["data_dir"] is None else Path(self.config["data_dir"])

    @property
    def data_name(self) -> str:
        """The dataset, and the instance of its equation that is solved, if there is one ("ks-published")."""
        instance = self.config.get("instance")
        data = self.config["choices"]["data"]
        return data if instance is None else f"{data}-{instance.replace(':', '-')}"

    @property
    def name(self) -> str:
        return self.config["choices"]["model"]


def plan_run(
    config: Mapping[str, Any],
    trust: Sequence[str] = (),
    seconds: Mapping[str, float] | None = None,
    model: Surrogate | None = None,
    data: DataModule | None = None,
) -> Plan:
    """Build the model and open its data, which are generated if a recipe makes them.

    Args:
        config: resolved and plain, as in a run's ``config.yaml``.
        trust: packages in addition to pdekit that it may name.
        seconds: wall time that has been spent already, by step.
        model: a model that is constructed already, instead of the one that the configuration names.
        data: a data module instead of what the configuration names.

    Raises:
        ValueError: before data are generated, if model and data do not fit, a setting is wrong, or the recipe of a
            resumed run has changed.
    """
    # parameters that a finished run found are not those that it began with
    config, seconds = {key: value for key, value in config.items() if key != "found"}, dict(seconds or {})
    config |= checked_run(config)
    loading, evaluation = checked_settings(config, trust)
    recipe = None if data else recipe_of(config, trust)
    check_continued(config, recipe, model)
    if data is None and config.get("path"):
        config["path"] = located(config["path"])
        data = open_files(config["path"], config["choices"]["data"], recipe, loading, trust)
    problems = [data.problem, data.test.problem] if data else [recipe.problem(split) for split in ("train", "test")]
    torch.manual_seed(config["seed"])
    chosen = model is None
    if model is None:
        config["model"] = without_unresolved(config["model"], problems[0])
        model = build_model(config["model"], problems[0], trust)
    else:
        check_problem(config["choices"]["model"], model.problem, problems[0])
    sized = not (chosen and uses_auto(config["model"]))  # else the data choose shapes of weights later
    check_model(model, config, sized, data.grids if data else ())
    if recipe is not None and data is None and not recipe.solved:
        data = without_reference(recipe, model, config)
    elif config.get("evaluate", True) and model.forecasts:
        n_test = data.sources["test"].n_trajectories if data else recipe.n_trajectories["test"]
        check_request(evaluation, model.window[0], problems[1], n_test, None if data else recipe)
        check_reach(model, evaluation, problems[1])
    if config.get("measurements"):
        data = take_measurements(config["measurements"], model, config)
    if data is None:
        base = Path(config["data_dir"]) if config["data_dir"] else None
        assert recipe is not None  # data are given, opened, or made by a recipe
        with timed(seconds, "data"):
            data = DataModule.from_folder(generate(recipe, base), loading, trust)
    if not sized:
        config["model"] = with_modes(config["model"], problems[0], data.calibration_batches())
        torch.manual_seed(config["seed"])
        model = build_model(config["model"], problems[0], trust)
    data.set_window(*model.window)
    config["ranges"] = data.param_ranges()
    words = instance_in_words(config, recipe, trust)
    return Plan(model, data, None if config.get("path") else recipe, config, seconds, tuple(trust), words)


def check_model(model: Surrogate, config: dict[str, Any], sized: bool, grids: Sequence[Any]) -> None:
    """Check that a net takes all grids and that runs that the method requires fit; note their whole paths.

    Raises:
        ValueError: before data are made.
    """
    if config.get("requires"):
        config["requires"] = check_required(model, by_name(config["requires"], "requires"), sized)
    if isinstance(model, Stepper):
        try_step(model)
    check_grids(config["choices"]["model"], model, grids)


def checked_run(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that belong to no group, of those that a configuration has.

    Raises:
        ValueError: on a value of another kind.
    """
    given = {item.name: config[item.name] for item in dataclasses.fields(RunSettings) if item.name in config}
    checked = dataclasses.asdict(settings_from(RunSettings, given, "train", ""))
    return {name: checked[name] for name in given}


def checked_settings(config: Mapping[str, Any], trust: Sequence[str] = ()) -> tuple[Loading, Evaluation]:
    """Check all settings of a run; return those of loading and evaluation.

    Raises:
        ValueError: on a wrong name or value.
    """
    check_engine(settings_from(Engine, config["trainer"], "trainer"))
    settings_from(Training, config["training"], "training")
    evaluation = evaluation_from(from_plain(config["evaluation"]), "evaluation")
    scoring.scoring_of(evaluation, trust)
    return settings_from(Loading, config["loading"], "loading"), evaluation


def check_continued(config: dict[str, Any], recipe: BaseRecipe | None, model: Surrogate | None) -> None:
    """Check that a run that is continued finds its data and its model; a new run notes the hash of its recipe.

    Raises:
        ValueError: if the recipe has changed, or an object in memory is needed again.
    """
    if recipe is not None and not config.get("path") and config.setdefault("recipe", recipe.hash) != recipe.hash:
        raise ValueError(
            f"expected the dataset {config['recipe']} that the run began with, found {recipe.hash}: the equation, the "
            "solver or the recipe has another version now; start a new run"
        )
    if model is None and config["model"] is None:
        raise ValueError(
            "expected the model of a run whose configuration cannot name it, got none; construct it as before and give "
            "pdekit.train(model=..., resume=RUN)"
        )


def carry_out(plan: Plan, resume: Path | None = None) -> Path:
    """Train, save, and unless ``evaluate=false`` evaluate and report.

    Args:
        plan: model, data and settings of the run.
        resume: folder of the run to continue; None for a new one.

    Returns:
        The run folder.

    Raises:
        Diverged: if the loss is not finite; the last good weights are saved.
        Stopped: if the training was interrupted; its checkpoint is saved.
        OutOfTime: if the time limit has passed before a surrogate was trained that the method requires.
    """
    model, config, seconds, engine = plan.model, plan.config, dict(plan.seconds), plan.engine
    seed, data = config["seed"], plan.data_name
    worker = not is_main_process(os.environ)  # one of several processes; the first one makes the folder
    run = resume or shared_folder(worker) or new_folder(config["runs_dir"], plan.name, data)
    n_parameters = model.n_parameters
    if not worker:
        print(f"{plan.name} on {data}: {n_parameters:,} parameters, run {run}{plan.instance}")
        if not resume:
            save_config(run, config)
    required = prepare_model(plan, run, seconds)
    seconds["training"], joules = spent_before(resume)
    continued = resume is not None and (run / "last.ckpt").exists()
    try:
        gpu = evaluation_device(engine).type == "cuda"
        with named_to_others(run), Energy(gpu=gpu) as energy, timed(seconds, "training"):
            energy.joules |= joules
            outcome = train_stages(model, plan.data, plan.training, engine, run, seed, continued)
    except Diverged:
        if not worker:
            (run / RECORD).unlink(missing_ok=True)  # it names the weights of an earlier session
            save_weights(run, model, plan.name, config)
        raise
    if worker:
        return run
    record = {"seed": seed, "steps": outcome.steps, "parameters": n_parameters, "seconds": seconds}
    record |= {"energy": energy.record(), "requires": required}
    write_json(run / RECORD, provenance(**record))
    if outcome.interrupted:
        raise Stopped(f"stopped after {outcome.steps} steps. {how_to_go_on(config, run)}")
    if not outcome.finished:
        print(f"out of time after {outcome.steps} steps. {how_to_go_on(config, run, 'trainer.max_time=null')}")
    if config.get("measurements"):
        config["found"] = write_found(run, model.estimate(), model.problem)
        save_config(run, config)
    save_weights(run, model, plan.name, config)
    record |= {"findings": list(model.findings()), "data": origin(plan), "weights": sha256(run / WEIGHTS)}
    write_json(run / RECORD, provenance(**record))
    closing = unevaluated(plan, run)
    if config.get("evaluate", True):  # runs of earlier versions do not say
        with timed(seconds, "evaluation"):
            closing = evaluate_plan(plan, run)
        write_json(run / RECORD, provenance(**record))
    print(*record["findings"], closing, sep="\n")
    print(f"run: {run} (in Python: pdekit.load({str(run)!r}))")
    return run


def unevaluated(plan: Plan, run: Path) -> str:
    """Return the closing line of a run that is not evaluated."""
    if plan.recipe is not None and not plan.recipe.solved:
        return "trained. There is no reference solution to evaluate it against."
    return f"trained, not evaluated. To evaluate: python -m pdekit.evaluate {override('run', run)}"


def prepare_model(plan: Plan, run: Path, seconds: dict[str, float]) -> dict[str, str]:
    """Train what the method requires, if no run is named, and calibrate it.

    Returns:
        SHA-256 of the weights of each required surrogate.

    Raises:
        Stopped: if a required training was interrupted.
        OutOfTime: if its time limit has passed before it was finished.
    """
    config, model, data = plan.config, plan.model, plan.data
    settings, runs = plan.training, config.get("requires")
    try:
        with timed(seconds, "required"), named_to_others(run):
            files = train_required(model, data, settings, plan.engine, run, config["seed"], runs)
    except Interrupted:
        raise Stopped(f"stopped in the training of what the method requires. {how_to_go_on(config, run)}") from None
    except OutOfTime as limit:
        remedy = how_to_go_on(config, run, "trainer.max_time=null")
        raise OutOfTime(f"{limit}, which the method requires. {remedy}") from None
    with timed(seconds, "calibration"):
        model.calibrate(data.calibration_batches())
    return {name: sha256(file) for name, file in files.items()}


def evaluate_plan(plan: Plan, run: Path) -> str:
    """Score the trained model of a plan into its run folder and write the report; return the closing lines.

    A model that found parameters from measurements is compared with the solution that has these parameters.
    """
    data, recipe, name, found = plan.data, plan.recipe, plan.data_name, plan.config.get("found")
    if found and recipe is not None:  # parameters are found in an instance of a recipe
        recipe, name = with_parameters(recipe, found), f"{name}-found"
        data = DataModule.from_folder(generate(recipe, plan.base), trust=plan.trust)
        data.set_window(*plan.model.window)
    device = evaluation_device(plan.engine)
    source = scoring.Origin(name, run, recipe, plan.base, plan.trust)
    models = {plan.name: plan.model.eval()}
    with writing_to(run):
        if not plan.model.forecasts:
            return score_reconstruction(plan.model, data, run, name, device)
        return scoring.evaluate_models(models, data, run, plan.evaluation, source, device)


def shared_folder(worker: bool) -> Path | None:
    """Return the folder that the environment names for all processes of a run; the first process makes it.

    Raises:
        ValueError: if it names none to a process that is not the first, as on a second node.
        FileExistsError: if the first process finds that the folder exists.
    """
    folder = Path(os.environ[RUN]).resolve() if RUN in os.environ else None
    if folder is None and worker:
        raise ValueError(
            f"expected {RUN}=FOLDER in the environment of every process of a run over several nodes, found none; set "
            "it to a new folder that all nodes see, the same for all of them"
        )
    if folder is not None and not worker:
        if folder.exists():
            raise FileExistsError(f"expected a new folder as {RUN}, found {folder}; name another one, or give resume=")
        folder.mkdir(parents=True)
    return folder


@contextmanager
def named_to_others(run: Path) -> Iterator[None]:
    """Name the folder of a run to the processes that are started meanwhile."""
    before = os.environ.get(RUN)
    os.environ[RUN] = str(run)
    try:
        yield
    finally:
        os.environ.pop(RUN)
        if before is not None:
            os.environ[RUN] = before


def how_to_go_on(config: Mapping[str, Any], run: Path, override: str = "") -> str:
    """The command, or the call for a run of objects that no command can name, that continues a run."""
    if config["model"] and (config["data"] or config.get("path")):
        return f"To go on: python -m pdekit.train resume={quote(str(run))} {override}".rstrip()
    overrides = f", overrides=[{override!r}]" if override else ""
    return f"To go on: pdekit.train(model=..., data=..., resume={str(run)!r}{overrides}), the same model and data"


def origin(plan: Plan) -> dict[str, Any]:
    """Return the origin of the data of a run, for its provenance: a recipe, a folder of files, or memory."""
    name = plan.config["choices"]["data"]
    if plan.recipe is not None:
        return {"name": plan.recipe.name, "recipe": plan.recipe.hash}
    return {"name": name, "path": plan.config.get("path")}


def spent_before(run: Path | None) -> tuple[float, dict[str, float]]:
    """Seconds and joules that the earlier sessions of a run's training took; none of those that were killed."""
    found = {} if run is None else read_record(run)
    return found.get("seconds", {}).get("training", 0.0), found.get("energy", {}).get("joules", {})


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the wall time of a block to a record."""
    began = time.monotonic()
    try:
        yield
    finally:
        seconds[name] = round(seconds.get(name, 0.0) + time.monotonic() - began, 2)
