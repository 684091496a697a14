"""Train and evaluate models x problems x seeds, and write one page.

python -m pdekit.benchmark suite=multiphysics budget=quick
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from types import ModuleType
from typing import Any

from pdekit.cli.command_line import HELP, callable_module, did_you_mean, key_and_text, listing, take
from pdekit.cli.sentences import sentence_of, sentences
from pdekit.cli.stored import check_config, read_config
from pdekit.cli.suites import BASELINES, Suite, SuiteJob, check_folders, chosen_from, suite_named
from pdekit.cli.sweep import Sweep
from pdekit.train import typed_config

USAGE = """\
Train and evaluate models x problems x seeds, one run each, and write one page with tables, ranks and costs.

  python -m pdekit.benchmark suite=SUITE [budget=BUDGET] [models=[...]] [problems=[...]] [seeds=[...]] [key=value ...]
  python -m pdekit.benchmark page=FOLDER           write the page again, from scores alone

suites:
{suite}

suite=FILE.yaml           a suite of your own
budget=quick              a budget of the suite: its seeds and settings
models=[fno,unet]         models of the suite or of pdekit, or your own: PATH/model/NAME.yaml
problems=[ks]             problems of the suite or of pdekit, or your own: PATH/data/NAME.yaml
seeds=[0,1,2]             seeds of every model on every problem
folder=PATH               where runs and page go; runs/benchmark-SUITE-BUDGET if not given
job=PROBLEM/MODEL-SEED    this job alone, without the page; list=true prints the command of each job
trust=PACKAGE             lets configurations name your package
key=value                 a setting of every job, as of python -m pdekit.train

What is finished is not repeated, what was interrupted goes on, and a job that fails is a row with its reason. The same
command in several processes, or on machines that share the folder, divides the jobs.
"""

OPTIONS = ("suite", "budget", "models", "problems", "seeds", "folder", "job", "list", "page", "trust")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a benchmark, or write its page again.

    Args:
        arguments: as typed; those of the process if None.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with sentences():
        if not arguments or HELP & set(arguments):
            print(USAGE.format(suite=listing("suite")))
            return
        given = options_taken(arguments)
        for argument in arguments:
            key_and_text(argument, "benchmark")
        if given["page"]:
            if arguments or any(values for key, values in given.items() if key != "page"):
                raise ValueError("expected page=FOLDER alone, found more; the page is made from the scores in it")
            print(f"page: {write_page(Path(given['page'][-1]))}")
            return
        suite, folder = suite_of(given, arguments)
        if given["list"][-1:] == ["true"]:
            print("\n".join(command_of(job, given, arguments) for job in suite.jobs()))
            return
        jobs = {job.name: job for job in suite.jobs()}
        unknown = [name for name in given["job"] if name not in jobs]
        if unknown:
            known = did_you_mean(unknown[0], list(jobs))
            raise ValueError(f"expected a job of the suite, found job={unknown[0]}; {known}")
        wanted = [jobs[name] for name in given["job"] or jobs]
        failed = run_jobs(wanted, folder, given["trust"])
        if not given["job"]:
            print(f"page: {write_page(folder)}")
        if failed:
            sys.exit(1)


def options_taken(arguments: list[str]) -> dict[str, list[str]]:
    """Remove the options of the runner from the arguments; return the values of each.

    Raises:
        ValueError: if one has no value, or ``list`` another one than true and false.
    """
    typed = {argument.partition("=")[0] for argument in arguments if "=" in argument}
    given = {key: take(arguments, key) for key in OPTIONS}
    for key, values in given.items():
        if key in typed and not values:
            raise ValueError(f"expected a value of {key}=, found none; give one, or leave {key}= out")
    if given["list"] and given["list"][-1] not in ("true", "false"):
        raise ValueError(f"expected list=true or list=false, found list={given['list'][-1]}; correct it")
    return given


def suite_of(given: dict[str, list[str]], settings: Sequence[str]) -> tuple[Suite, Path]:
    """Return the suite that was asked for, and its folder.

    Raises:
        FileNotFoundError, ValueError: if there is none, a part of it does not exist, or the folder is a file.
    """
    if len(given["suite"]) != 1 or len(given["budget"]) > 1:
        raise ValueError(f"expected suite=NAME once, and budget= at most once, found {given['suite']}; give one")
    (name,), budget = given["suite"], next(iter(given["budget"]), None)
    suite = chosen_from(suite_named(name, budget), given["problems"], given["models"], given["seeds"], settings)
    usual = "-".join(["benchmark", Path(name).stem, *([budget] if budget else [])])
    folder = Path(given["folder"][-1] if given["folder"] else Path("runs") / usual)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"expected a folder for the runs, found the file {folder}; give another folder=")
    return suite, folder


def command_of(job: SuiteJob, given: dict[str, list[str]], settings: Sequence[str]) -> str:
    """Return the command that runs one job, for a launcher."""
    lists = {key: f"[{','.join(values)}]" for key, values in given.items() if values and key not in ("list", "job")}
    words = [f"{key}={text[1:-1]}" if key in ("suite", "budget", "folder") else f"{key}={text}"
             for key, text in lists.items()]  # fmt: skip
    every = [*words, *settings, f"job={job.name}"]
    return " ".join(["python -m pdekit.benchmark", *map(quote, every)])


def run_jobs(jobs: Sequence[SuiteJob], root: Path, trust: Sequence[str]) -> int:
    """Run the jobs of a benchmark that are not finished; return the number that failed."""
    sweep = Sweep(several=True)
    workflow = benchmark_workflow()
    for job in jobs:
        folder = root / job.folder
        with sweep.job([job.name]) as entry, workflow.taken(root, job.name) as ours:
            if not ours:
                entry.result = "in another process"
                continue
            with workflow.failure_recorded(folder, sentence_of):
                entry.result = str(run_job(job, folder, trust, workflow))
    return sweep.end()


def run_job(job: SuiteJob, folder: Path, trust: Sequence[str], workflow: ModuleType) -> Path:
    """Run one job, unless it is finished; return the folder with its scores.

    Raises:
        ValueError: if its settings are wrong, or not those with which it was begun.
    """
    resume = workflow.begun(folder)
    workflow.check_begun(folder, job.overrides)
    done = workflow.result_of(folder)
    if done is not None:
        return done
    if resume is not None:
        config = read_config(resume / "config.yaml")
        check_config(config, resume / "config.yaml")
    else:
        config = typed_config(job.overrides)
    check_folders(config, job.overrides)
    if job.model == BASELINES:
        return workflow.score_baselines(config, folder, trust)
    return workflow.train_job(config, folder.resolve(), trust, resume)


def benchmark_workflow() -> ModuleType:
    """Return the module that runs jobs."""
    from pdekit import machine

    machine.prepare()
    from pdekit.workflows import suite_run

    return suite_run


def write_page(folder: Path) -> Path:
    """Write ``benchmark.html`` and ``benchmark.md`` from the scores in a folder; return the path of the former.

    Raises:
        FileNotFoundError: if there are none.
    """
    from pdekit.workflows.suite_page import write_benchmark_page

    return write_benchmark_page(folder)


def benchmark(
    suite: str | Path,
    budget: str | None = None,
    models: Sequence[str] = (),
    problems: Sequence[str] = (),
    seeds: Sequence[int] = (),
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
    trust: Sequence[str] = (),
) -> Path:
    """Train and evaluate models x problems x seeds in Python: ``pdekit.benchmark("multiphysics", budget="quick")``.

    Args:
        suite: name of a suite, or the path of a YAML file.
        budget: name of a budget of the suite.
        models, problems: names in the suite or of pdekit's configurations, or paths of your own
            (``.../model/NAME.yaml``, ``.../data/NAME.yaml``); empty for all of the suite.
        seeds: seeds of every model on every problem; empty for those of the suite.
        folder: where runs and page go; None for ``runs/benchmark-SUITE-BUDGET``.
        overrides: settings of every job, as they are typed.
        trust: packages in addition to pdekit that configurations may name.

    Returns:
        The page, ``benchmark.html``; ``benchmark.md`` stands next to it. A job that failed is a row of it.

    Raises:
        FileNotFoundError, ValueError: if a part of the suite does not exist.
    """
    options: dict[str, Any] = {"suite": [suite], "budget": [budget] if budget else [], "models": models}
    options |= {"problems": problems, "seeds": seeds, "folder": [folder] if folder else []}
    given = {key: [str(value) for value in values] for key, values in options.items()}
    chosen, place = suite_of(given, overrides)
    run_jobs(chosen.jobs(), place, trust)
    return write_page(place)


callable_module(__name__, benchmark)

if __name__ == "__main__":
    main()
