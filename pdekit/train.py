"""Train a method on a dataset, evaluate it, and write a run folder.

python -m pdekit.train model=pde_refiner data=kolmogorov
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pdekit.cli import command_line
from pdekit.cli.command_line import listing, take

RUN = "PDEKIT_RUN"  # environment variable in which the first of several processes tells the others its folder

USAGE = """\
Train a surrogate on a dataset, evaluate it beside baselines and write a report.

  python -m pdekit.train model=MODEL data=DATA [trainer=TRAINER] [key=value ...]
  python -m pdekit.train resume=RUN                continue a run that was stopped

models:
{model}

data sets (generated on first use):
{data}

trainers:
{trainer}

path=FOLDER trains on published files of the data set instead of generated ones.
Frequent settings: training.steps=2000 training.lr=1e-3 loading.batch_size=16 seed=0 trainer.max_time=00:00:05:00
--cfg job shows all of them, with their values. -m model=fno,unet seed=0,1,2 runs every combination.
Your own code: hydra.searchpath=[file://FOLDER] finds your configurations, trust=PACKAGE lets them name your package.
"""


def main() -> None:
    """The command line. Everything heavy is imported later."""
    arguments = sys.argv[1:]
    if not arguments or {"--help", "-h"} & set(arguments):
        print(USAGE.format(**{group: listing(group) for group in ("model", "data", "trainer")}))
        return
    trust, resume = take(arguments, "trust"), take(arguments, "resume")
    if resume:
        command_line.tell(lambda: resumed(Path(resume[-1]), arguments, trust))
        return
    import hydra
    from omegaconf import DictConfig, OmegaConf

    register_schema()

    @hydra.main(config_path=str(command_line.CONFIGS), config_name="train", version_base="1.3")
    def job(composed: DictConfig) -> None:
        from hydra.core.hydra_config import HydraConfig

        config = OmegaConf.to_container(composed, resolve=True)
        chosen = dict(HydraConfig.get().runtime.choices)
        config["choices"] = {group: chosen[group] for group in ("model", "data", "trainer")}
        sys.argv[1:] = typed  # several processes are started with the same command line
        command_line.tell(lambda: train(config, trust=trust))

    typed, sys.argv[1:] = sys.argv[1:], command_line.open_options(arguments)
    command_line.run(job)


def register_schema() -> None:
    """Types of the settings, so that a wrong name or value is refused when it is typed."""
    from hydra.core.config_store import ConfigStore

    from pdekit.data.loading import Loading
    from pdekit.evaluation.settings import Evaluation
    from pdekit.settings import Engine, Training

    node = {"training": Training, "loading": Loading, "trainer": Engine, "evaluation": Evaluation}
    ConfigStore.instance().store("schema", {name: command_line.schema(cls) for name, cls in node.items()})


def resumed(run: Path, arguments: Sequence[str], trust: Sequence[str]) -> None:
    """Continue a run with its own settings; only those of the trainer may be given anew.

    Raises:
        FileNotFoundError: if there is no such run.
        ValueError: if the arguments ask for something else than the run.
    """
    from omegaconf import OmegaConf

    if not (run / "config.yaml").exists():
        raise FileNotFoundError(f"expected a run at {run}, found no config.yaml there; give resume=<its folder>")
    stored = OmegaConf.load(run / "config.yaml")
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key.startswith("trainer."):
            OmegaConf.update(stored, key, OmegaConf.from_dotlist([f"value={value}"]).value)
            continue
        wanted = OmegaConf.from_dotlist([f"value={value}"]).value
        found = OmegaConf.select(stored, f"choices.{key}" if key in stored.choices else key)
        if wanted != found:
            raise ValueError(
                f"expected the run's own {key}={found}, found {argument}; a run continues with its settings (only "
                "trainer.* may change): leave it out, or start a new run"
            )
    train(OmegaConf.to_container(stored, resolve=True), trust, run.resolve())


def train(config: dict[str, Any], trust: Sequence[str] = (), resume: Path | None = None) -> Path:
    """Generate, train, evaluate, report.

    Args:
        config: resolved and plain, as in a run's ``config.yaml``.
        trust: packages beside pdekit that it may name.
        resume: folder of the run to continue.

    Returns:
        The run folder.
    """
    from pdekit import machine

    machine.prepare()
    seconds: dict[str, float] = {}
    with timed(seconds, "imports"):
        import torch
        from omegaconf import OmegaConf

        from pdekit.data.loading import Loading
        from pdekit.data.module import DataModule
        from pdekit.data.published import open_published
        from pdekit.energy import Energy
        from pdekit.evaluation.checks import check_horizon
        from pdekit.evaluation.references.choose import can_go_on
        from pdekit.evaluation.run import chosen_measures, evaluate_models
        from pdekit.evaluation.settings import Evaluation
        from pdekit.plain import from_plain
        from pdekit.provenance import provenance, sha256, write_json
        from pdekit.recipes.generation import generate
        from pdekit.recipes.instance import instance_from
        from pdekit.runs import WEIGHTS, build_model, new_folder, save_weights
        from pdekit.settings import Engine, Training
        from pdekit.training.module import Diverged, device_of, fit

    settings, engine = Training(**config["training"]), Engine(**config["trainer"])
    loading, evaluation = Loading(**config["loading"]), Evaluation(**from_plain(config["evaluation"]))
    names, seed = config["choices"], config["seed"]
    recipe = instance_from(config["data"], config.get("instance"), trust)
    if config.setdefault("recipe", recipe.hash) != recipe.hash:
        raise ValueError(
            f"expected the dataset {config['recipe']} that the run began with, found {recipe.hash}: the equation, the "
            "solver or the recipe has another version now; start a new run"
        )
    torch.manual_seed(seed)
    chosen_measures(evaluation.measures, evaluation.error)  # what is refused, is refused before the wait
    data = None
    if config.get("path"):
        config["path"] = str(Path(config["path"]).resolve())
        data = open_published(config["path"], recipe.name, loading, trust)
    problems = [data.problem, data.test.problem] if data else [recipe.problem(split) for split in ("train", "test")]
    model = build_model(config["model"], problems[0], trust)
    if evaluation.horizon is not None and (data is not None or not can_go_on(recipe)):
        check_horizon(evaluation.horizon, model.window[0], max(evaluation.starts), problems[1])
    base = None if config["data_dir"] is None else Path(config["data_dir"])
    if data is None:
        with timed(seconds, "data"):
            data = DataModule.from_folder(generate(recipe, base), loading, trust)
    data.set_window(*model.window)
    worker = int(os.environ.get("LOCAL_RANK", 0)) > 0  # one of several processes; the first one makes the folder
    run = resume or (Path(os.environ[RUN]) if worker else new_folder(config["runs_dir"], names["model"], names["data"]))
    os.environ[RUN] = str(run)
    n_parameters = sum(p.numel() for p in model.parameters())
    if not worker:
        print(f"{names['model']} on {names['data']}: {n_parameters:,} parameters, run {run}")
        if not resume:
            OmegaConf.save(config, run / "config.yaml")
    with timed(seconds, "calibration"):
        model.calibrate(data.calibration_batches())
    seconds["training"], joules = spent_before(resume)
    try:
        with Energy(gpu=device_of(engine).type == "cuda") as energy, timed(seconds, "training"):
            energy.joules |= joules
            outcome = fit(model, data, settings, engine, run, seed, resume is not None and (run / "last.ckpt").exists())
    except Diverged as error:
        save_weights(run, model, names["model"], config)
        sys.exit(f"error: {error}")
    if worker:
        return run
    record = {"seed": seed, "steps": outcome.steps, "parameters": n_parameters, "seconds": seconds}
    record["energy"] = energy.record()
    write_json(run / "provenance.json", provenance(**record))
    again = f"To go on: python -m pdekit.train resume={run}"
    if outcome.interrupted:
        print(f"stopped after {outcome.steps} steps. {again}")
        sys.exit(130)
    if not outcome.finished:
        print(f"out of time after {outcome.steps} steps. {again} trainer.max_time=null")
    save_weights(run, model, names["model"], config)
    record["findings"] = list(model.findings())
    record |= {"data": {"name": recipe.name, "recipe": recipe.hash}, "weights": sha256(run / WEIGHTS)}
    write_json(run / "provenance.json", provenance(**record))
    with timed(seconds, "evaluation"):
        closing = evaluate_models(
            {names["model"]: model.eval()}, data, run, evaluation, {"data": names["data"]},
            recipe=None if config.get("path") else recipe, device=device_of(engine), base=base,
        )  # fmt: skip
    write_json(run / "provenance.json", provenance(**record))
    print(*model.findings(), closing, sep="\n")
    print(f"run: {run} (in Python: pdekit.load({str(run)!r}))")
    return run


def spent_before(run: Path | None) -> tuple[float, dict[str, float]]:
    """Seconds and joules that the earlier sessions of a run's training took; none of those that were killed."""
    path = None if run is None else run / "provenance.json"
    if path is None or not path.is_file():
        return 0.0, {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found["seconds"].get("training", 0.0), found.get("energy", {}).get("joules", {})


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the wall time of a block to a record."""
    began = time.monotonic()
    try:
        yield
    finally:
        seconds[name] = round(seconds.get(name, 0.0) + time.monotonic() - began, 2)


if __name__ == "__main__":
    main()
