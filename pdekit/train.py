"""Train a method on a dataset, evaluate it, and write a run folder.

python -m pdekit.train model=pde_refiner data=kolmogorov
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pdekit.cli import command_line
from pdekit.cli.command_line import listing, take
from pdekit.cli.stored import check_config, read_config
from pdekit.cli.sweep import Sweep

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
    command_line.stoppable(command)


def command() -> None:
    """Compose the configuration and train, once or for each job of a sweep."""
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
        sweep.do(lambda: carry_out(config, trust))

    sweep = Sweep()
    typed, sys.argv[1:] = sys.argv[1:], command_line.open_options(arguments)
    try:
        command_line.run(job)
    finally:
        sweep.end()


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
    plain = read_config(run / "config.yaml")
    check_config(plain, run / "config.yaml")
    stored = OmegaConf.create(plain)
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
    carry_out(OmegaConf.to_container(stored, resolve=False), trust, run.resolve())


def carry_out(config: dict[str, Any], trust: Sequence[str] = (), resume: Path | None = None) -> Path:
    """Generate, train, evaluate, report; the heavy imports are timed.

    Args:
        config: resolved and plain, as in a run's ``config.yaml``.
        trust: packages beside pdekit that it may name.
        resume: folder of the run to continue.

    Returns:
        The run folder.

    Raises:
        KeyboardInterrupt: if the training was interrupted; its message says how to go on.
    """
    from pdekit import machine

    machine.prepare()
    began = time.monotonic()
    from pdekit.workflows import training_run

    seconds = {"imports": round(time.monotonic() - began, 2)}
    try:
        return training_run.carry_out(training_run.plan_run(config, trust, seconds), resume)
    except training_run.Stopped as stop:
        raise KeyboardInterrupt(str(stop)) from None


if __name__ == "__main__":
    main()
