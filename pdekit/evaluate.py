"""Evaluate a trained run next to baselines and solvers, over any horizon.

python -m pdekit.evaluate run=runs/2026-01-01-pde_refiner-kolmogorov horizon=200 members=8
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pdekit.cli.command_line import HELP, callable_module, listing, take
from pdekit.cli.compose import by_kind, composed, defaults_of, jobs, read_arguments, shown
from pdekit.cli.scored_files import USAGE as OF_FILES
from pdekit.cli.scored_files import asks_for_files, score_files
from pdekit.cli.sentences import sentences
from pdekit.cli.sweep import Sweep

if TYPE_CHECKING:
    from pathlib import Path

    from pdekit.data.module import DataModule
    from pdekit.runs import Run


USAGE = """\
Evaluate a trained run next to baselines and solvers, and write scores.nc, forecasts.nc and report.html.

  python -m pdekit.evaluate run=PATH [evaluation=EVALUATION] [horizon=FRAMES] [members=N] [key=value ...]

The files of an earlier evaluation in the same folder are replaced.

settings:
  horizon=1000              frames to forecast, in bounded memory; as many as are stored if not given, and beyond
                            them the data's own solver goes on with the reference
  members=8                 ensemble members, each scored by itself
  n_trajectories=16         test trajectories; all if not given
  starts=[0,20]             frames of each trajectory to begin at
  batch_size=16             trajectories forecast together; times are measured with it
  resolution=128            points of each axis to forecast on; those of the data if not given
  resolutions=[0.5,1,2]     errors on other grids, as shares of the data grid, in a table of their own
  measures=[rmse,vrmse]     names in pdekit.metrics.catalogue; all that suit if not given
  sweep.sizes=[0.5,1.0]     solver grids, as shares of the data grid; [] for no solvers
  sweep.steps=[1,4]         solver steps between frames
  sweep.refinements=[0.25]  where a case made the data: its solver with shares of its resolution; [] for none
  sweep.orders=[2]          and with elements of these orders in addition to its own
  sweep.precisions=[float64]  of the solvers; float32 and float64 if not given
  timing_batches=[1,64]     batches with which forecasts are timed in addition to batch_size
  error=correlation_time    first axis of the cost chart; if not given, nrmse, or correlation_time of
                            chaotic problems
  compare_at=20             its lead time; if not given, the last one at which the better of surrogate and
                            solver still forecasts; "useful": the last one at which the surrogate does
  coupling=true             what the coupling of the fields does, and how much of it was learnt
  lyapunov_exponent=0.087   correlation times also in Lyapunov times; the equation's own if not given
  data=NAME                 another dataset of the same problem
  path=FOLDER or path=FILE  published files of the dataset instead of generated ones
  keep.n_samples=3          number of samples whose forecasts are kept and shown, the first ones;
  keep.samples=[0,7]        or their numbers
  keep.n_members=3          members of each that are kept
  constrain=[conserved]     constraints on the forecasts of the run, in a row of their own: conserved, zero_mean,
                            divergence, boundary, positive, each for all fields or as in positive:h
  judges=[physics]          families of scores; errors and costs are always there
  folder=PATH device=cuda seed=0 data_dir=PATH progress=false trust=PACKAGE

evaluations, whose settings can still be changed:
{evaluation}

datasets, each with the CPU time that generates it on first use, and that of a full evaluation (–: not measured):
{data}

{files}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate once, or for each job of a sweep. Everything heavy is imported after the configuration is checked.

    Args:
        arguments: as typed; those of the process if None.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with sentences():
        if not arguments or HELP & set(arguments):
            print(USAGE.format(data=listing("data"), evaluation=listing("evaluation"), files=OF_FILES))
            return
        trust = take(arguments, "trust")
        if asks_for_files(arguments):
            print(score_files(arguments, trust))
            return
        typed = read_arguments(preset_at_top(arguments))
        sweep = Sweep(typed.several)
        for overrides in jobs(typed):
            with sweep.job(overrides) as job:
                register_evaluation()
                config, chosen = composed("evaluate", overrides)
                if not config["run"]:
                    raise ValueError("expected run=PATH, the folder of a trained run, found none; give it")
                if typed.show:
                    print(shown(config))
                    continue
                print(evaluation_workflow().evaluate_run(config, chosen.get("data"), trust))
                job.result = str(config["folder"] or config["run"])
        if sweep.end():
            sys.exit(1)


def evaluation_workflow() -> ModuleType:
    """Return the module that evaluates."""
    from pdekit import machine

    machine.prepare()
    from pdekit.workflows import evaluation_run

    return evaluation_run


def preset_at_top(arguments: Sequence[str]) -> list[str]:
    """Arguments in which ``evaluation=NAME`` chooses settings that stand at the top level of the configuration.

    >>> preset_at_top(["evaluation=quick", "horizon=5"])
    ['evaluation@_global_=quick', 'horizon=5']
    """
    return [f"evaluation@_global_={a.partition('=')[2]}" if a.startswith("evaluation=") else a for a in arguments]


def register_evaluation() -> None:
    """Names and defaults of the settings, so that a wrong name is refused when it is typed."""
    from hydra.core.config_store import ConfigStore

    from pdekit.evaluation.settings import Evaluation, Request

    node = defaults_of(Evaluation) | defaults_of(Request) | {"data": None}
    ConfigStore.instance().store("evaluate_schema", node)


def evaluate(
    run: str | Path | Run,
    data: str | DataModule | None = None,
    overrides: Sequence[str] = (),
    trust: Sequence[str] = (),
) -> str:
    """Score a trained run and write its report in Python: ``pdekit.evaluate(run, overrides=["horizon=200"])``.

    Args:
        run: the run, or its folder.
        data: name of another dataset of the same problem, or a data module; None for the run's own data. A run that
            was trained on arrays in memory needs them again.
        overrides: any settings as they are typed, e.g. ``["members=8", "folder=PATH"]``.
        trust: packages in addition to pdekit that the run may name.

    Returns:
        The closing lines: how the model did, and where the report is.

    Raises:
        FileNotFoundError: if there is no such run.
        ValueError: on settings that do not exist, or data of another problem.
    """
    evaluation_run = evaluation_workflow()
    from pdekit.runs import Run

    register_evaluation()
    named, objects = by_kind({"data": data})
    typed = [f"{key}={item}" for key, item in named.items()]
    loaded = run if isinstance(run, Run) else None
    folder = str(run if loaded is None else loaded.path)
    config, chosen = composed("evaluate", [*typed, *preset_at_top(overrides)], {"run": folder})
    return evaluation_run.evaluate_run(config, chosen.get("data"), trust, loaded, **objects)


callable_module(__name__, evaluate)

if __name__ == "__main__":
    main()
