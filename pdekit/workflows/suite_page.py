"""The page of a benchmark from the scores in its folder alone: neither data nor weights are read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pdekit.evaluation.merging import SCORES, fitting, merged_scores
from pdekit.provenance import write_whole
from pdekit.report.benchmark import BenchmarkProblem, benchmark_pages
from pdekit.workflows.suite_run import JOB, result_of, why_failed

BASELINES = "baselines"


def write_benchmark_page(folder: Path) -> Path:
    """Write ``benchmark.html`` and ``benchmark.md`` of a benchmark.

    Args:
        folder: folder of the benchmark, with the scores of each job in ``PROBLEM/MODEL-SEED``.

    Returns:
        The path of ``benchmark.html``.

    Raises:
        FileNotFoundError: if the folder holds no job.
    """
    problems = sorted({path.parents[1] for path in folder.glob(f"*/*/{JOB}")}) if folder.is_dir() else []
    if not problems:
        raise FileNotFoundError(f"expected jobs of a benchmark in {folder}, found none; give page=FOLDER of one")
    found = [problem_scores(problem) for problem in problems]
    for name, text in benchmark_pages(f"Benchmark {folder.resolve().name}", found).items():
        write_whole(folder / name, text)
    return folder / "benchmark.html"


def problem_scores(folder: Path) -> BenchmarkProblem:
    """Return the scores of all jobs of a problem in one table, and the reason of each job that has none."""
    jobs = sorted((path.parent for path in folder.glob(f"*/{JOB}")), key=lambda job: (job.name != BASELINES, job.name))
    runs = {job: run for job in jobs if (run := result_of(job)) is not None}
    failed = {job.name: why_failed(job) or "not finished" for job in jobs if job not in runs}
    if not runs:
        return BenchmarkProblem(folder.name, None, failed)
    chosen, left_out = fitting(list(runs.values()), [SCORES], least=0)
    labelled = {run: job.name.rpartition("-")[0] for job, run in runs.items()}
    failed |= {job.name: left_out[run] for job, run in runs.items() if run in left_out}
    if not chosen:
        return BenchmarkProblem(folder.name, None, failed)
    seeds = Counter(labelled[run] for run in chosen)
    others = {str(n) for (one,) in chosen.values() for n in one.model.values[one.kind.values != "surrogate"]}
    names: dict[Path, dict[str, str]] = {}
    methods: dict[str, str] = {}
    for job, run in ((job, run) for job, run in runs.items() if run in chosen):
        (scores,) = chosen[run]
        called = labelled[run] if seeds[labelled[run]] == 1 else f"{labelled[run]}, seed {job.name.rpartition('-')[2]}"
        called = f"{called} as a model" if called in others else called
        surrogates = scores.model.values[scores.kind.values == "surrogate"].tolist()
        names[run] = dict.fromkeys(surrogates, called)
        methods |= {called: labelled[run]} if surrogates else {}
    return BenchmarkProblem(folder.name, merged_scores({r: s for r, (s,) in chosen.items()}, names, methods), failed)
