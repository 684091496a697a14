"""Train a method on a dataset, evaluate it, and write a run folder.

python -m pdekit.train model=pde_refiner data=kolmogorov
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pdekit.cli.command_line import HELP, callable_module, listing, take
from pdekit.cli.compose import Typed, by_kind, composed, defaults_of, jobs, read_arguments, shown
from pdekit.cli.mapping import with_path
from pdekit.cli.sentences import sentences
from pdekit.cli.stored import check_config, read_config
from pdekit.cli.sweep import Sweep

if TYPE_CHECKING:
    from pdekit.data.module import DataModule
    from pdekit.models.base import Surrogate
    from pdekit.runs import Run

IN_MEMORY = "arrays"  # name of data in memory that are given none

USAGE = """\
Train a surrogate on a dataset, evaluate it next to baselines and write a report.

  python -m pdekit.train model=MODEL data=DATA [trainer=TRAINER] [evaluation=EVALUATION] [key=value ...]
  python -m pdekit.train resume=RUN                continue a run that was stopped

models:
{model}

datasets, each with the CPU time that generates it on first use, and that of a full evaluation (–: not measured):
{data}

trainers:
{trainer}

evaluations (evaluate=false: none):
{evaluation}

path=FOLDER or path=FILE trains on published files of the dataset instead of generated ones.
path=FOLDER or path=FILE name=NAME, without data=, trains on your own files (pdekit.data.from_arrays writes them).
path=FILE name=NAME fields.u=/KEY axes=stxy dt=0.1 extent=[1,2] layout=periodic trains on any HDF5 file.
Frequent settings: training.steps=2000 training.lr=1e-3 loading.batch_size=16 seed=0 trainer.max_time=00:00:05:00
--cfg job shows all of them, with their values. -m model=fno,unet seed=0,1,2 runs every combination.
Your own code: hydra.searchpath=[file://FOLDER] finds your configurations, trust=PACKAGE lets them name your package.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train once, or for each job of a sweep. Everything heavy is imported after the configuration is checked.

    Args:
        arguments: as typed; those of the process if None.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with sentences():
        if not arguments or HELP & set(arguments):
            print(USAGE.format(**{group: listing(group) for group in ("model", "data", "trainer", "evaluation")}))
            return
        arguments = with_path(arguments)
        trust, resume = take(arguments, "trust"), take(arguments, "resume")
        run = Path(resume[-1]) if resume else None
        typed = Typed(tuple(arguments)) if run else read_arguments(without_dataset(arguments))
        sweep = Sweep(typed.several)
        for overrides in jobs(typed):
            with sweep.job(overrides) as job:
                config = resumed(run, overrides) if run else typed_config(overrides)
                if typed.show:
                    print(shown(config))
                    continue
                check_processes(config, typed.several)
                training_run, seconds = training_workflow()
                plan = training_run.plan_run(config, trust, seconds)
                job.result = str(training_run.carry_out(plan, run and run.resolve()))
        if sweep.end():
            sys.exit(1)


def training_workflow() -> tuple[ModuleType, dict[str, float]]:
    """Return the module that trains, and the wall time of its imports."""
    from pdekit import machine

    machine.prepare()
    began = time.monotonic()
    from pdekit.workflows import training_run

    return training_run, {"imports": round(time.monotonic() - began, 2)}


def typed_config(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of a new run, with the chosen names of model, data and trainer."""
    register_training()
    config, chosen = composed("train", overrides)
    config["choices"] = chosen_names(config, chosen)
    return config


def check_processes(config: Mapping[str, Any], several: bool) -> None:
    """Refuse several processes in a sweep: they are started with the same command line, the whole sweep's.

    Raises:
        ValueError: if both are asked for.
    """
    if several and config["trainer"]["devices"] != 1:
        raise ValueError(
            f"expected one process for each job of a sweep, found trainer.devices={config['trainer']['devices']}; "
            "start the jobs one by one"
        )


def without_dataset(arguments: Sequence[str]) -> list[str]:
    """Arguments that do not ask for a dataset if files of the user are given: ``path=FOLDER name=NAME``.

    >>> without_dataset(["model=fno", "path=mine", "name=waves"])
    ['model=fno', 'path=mine', 'name=waves', '~data']
    """
    keys = {argument.partition("=")[0] for argument in arguments}
    own = {"path", "name"} <= keys and "data" not in keys
    return [*arguments, *(["~data"] if own else [])]


def chosen_names(config: dict[str, Any], chosen: Mapping[str, str | None]) -> dict[str, str | None]:
    """Names of model, data and trainer, for the run folder and the report."""
    config.setdefault("data", None)
    names = {group: chosen[group] for group in ("model", "trainer")}
    return names | {"data": chosen.get("data") or config.get("name")}


def register_training() -> None:
    """Names and defaults of the settings, so that a wrong name is refused when it is typed."""
    from hydra.core.config_store import ConfigStore

    from pdekit.data.loading import Loading
    from pdekit.evaluation.settings import Evaluation
    from pdekit.settings import Engine, Training

    groups = {"training": Training, "loading": Loading, "trainer": Engine, "evaluation": Evaluation}
    node: dict[str, Any] = {name: defaults_of(cls) for name, cls in groups.items()}
    ConfigStore.instance().store("train_schema", node)


def resumed(run: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of a run to continue; only settings of the trainer, and ``evaluate``, may differ.

    Raises:
        FileNotFoundError: if there is no such run.
        ValueError: if the arguments ask for something else than the run.
    """
    from omegaconf import OmegaConf

    if not (run / "config.yaml").exists():
        raise FileNotFoundError(f"expected a run at {run}, found no config.yaml there; give resume=<its folder>")
    plain = read_config(run / "config.yaml")
    check_config(plain, run / "config.yaml")
    stored = OmegaConf.create(plain)
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise ValueError(f"expected key=value after resume=RUN, found {argument!r}; leave it out")
        if key.startswith("trainer.") or key == "evaluate":
            OmegaConf.update(stored, key, OmegaConf.from_dotlist([f"value={value}"]).value)
            continue
        wanted = OmegaConf.from_dotlist([f"value={value}"]).value
        found = OmegaConf.select(stored, f"choices.{key}" if key in stored.choices else key)
        if wanted != found:
            raise ValueError(
                f"expected the run's own {key}={found}, found {argument}; a run continues with its settings (only "
                "trainer.* and evaluate may change): leave it out, or start a new run"
            )
    return OmegaConf.to_container(stored, resolve=False)


def train(
    model: str | Surrogate | None = None,
    data: str | DataModule | None = None,
    overrides: Sequence[str] = (),
    name: str | None = None,
    trust: Sequence[str] = (),
    resume: str | Path | None = None,
) -> Run:
    """Train, save, evaluate and report in Python: ``pdekit.train(model="fno", data=data)``.

    The run folder is the one that the command line writes.

    Args:
        model: name of a configuration, or a model constructed for ``data.problem``.
        data: name of a dataset, or a data module, e.g. of `pdekit.data.from_arrays`. None with overrides
            ``path=FOLDER``: your own files.
        overrides: any settings as they are typed, e.g. ``["training.steps=500", "model.net.width=32", "seed=1"]``.
        name: name of your own data, for the run folder and the report.
        trust: packages in addition to pdekit that configurations may name.
        resume: folder of a run to continue. Model and data are those of the run; they need to be given again if they
            were objects in memory. Only overrides of ``trainer.*`` and ``evaluate`` are
            allowed.

    Returns:
        The run, with its trained model.

    Raises:
        ValueError: on settings that do not exist or do not fit together.
        Diverged: if the loss is not finite.
        Stopped: a KeyboardInterrupt, if the training is interrupted.
    """
    from pdekit import machine

    machine.prepare()
    from pdekit.runs import Run
    from pdekit.workflows import training_run

    _, objects = by_kind({"model": model, "data": data})
    if resume is not None:
        config = resumed(Path(resume), overrides)
        resume = Path(resume).resolve()
    else:
        config = in_python(model, data, overrides, name)
    plan = training_run.plan_run(config, trust, **objects)
    run = training_run.carry_out(plan, resume)
    return Run(run, plan.name, plan.model, plan.config)


def in_python(
    model: str | Surrogate | None, data: str | DataModule | None, overrides: Sequence[str], name: str | None
) -> dict[str, Any]:
    """The configuration of a run that is started in Python."""
    import dataclasses

    from pdekit.runs import configuration_or_none, method_name
    from pdekit.workflows.datasets import check_name

    register_training()
    named, objects = by_kind({"model": model, "data": data})
    groups = [f"{key}={item}" for key, item in named.items()]
    refuse_options_of(list(objects), overrides)
    absent = [f"~{key}" for key in ("model", "data") if key in objects or (key == "data" and data is None)]
    config, chosen = composed("train", [*groups, *absent, *overrides], {"name": name} if name else {})
    if "model" in objects:
        chosen["model"], config["model"] = method_name(objects["model"]), configuration_or_none(objects["model"])
    if "data" in objects:
        data = objects["data"]
        folder = data.folder
        config["name"] = config["name"] or (folder.name if folder else IN_MEMORY)
        check_name(config["name"])
        config |= {"path": None if folder is None else str(folder), "loading": dataclasses.asdict(data.loading)}
    config["choices"] = chosen_names(config, chosen)
    return config


def refuse_options_of(objects: Sequence[str], overrides: Sequence[str]) -> None:
    """Refuse settings that an object has already, which they would not change.

    Raises:
        ValueError: naming the first one.
    """
    fixed = {"model": ["model"], "data": ["data", "loading", "path", "instance"]}
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0].partition(".")[0]
        for thing in objects:
            if key in fixed[thing]:
                raise ValueError(
                    f"expected settings other than those of the {thing}, which is an object already, found "
                    f"{override!r}; set it where the {thing} is made"
                )


callable_module(__name__, train)

if __name__ == "__main__":
    main()
