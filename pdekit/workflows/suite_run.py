"""The jobs of a benchmark in a folder: one run each, claimed, resumed and recorded; several processes share them.

FOLDER/PROBLEM/MODEL-SEED/   job.json (its settings), failed.json (the sentence of its failure), and the run folder
FOLDER/PROBLEM/baselines/    job.json and the scores of baselines and solvers
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pdekit.data.module import DataModule
from pdekit.evaluation import run as scoring
from pdekit.evaluation.folder import writing_to
from pdekit.evaluation.merging import SCORES
from pdekit.plain import as_texts, from_json, mapping_or_empty
from pdekit.provenance import write_json
from pdekit.recipes.claims import Observer, claimed, left_behind
from pdekit.recipes.generation import generate
from pdekit.workflows.datasets import open_files, recipe_of
from pdekit.workflows.training_run import carry_out, checked_run, checked_settings, plan_run

JOB, FAILED = "job.json", "failed.json"
CLAIMS = ".claims"


def result_of(folder: Path) -> Path | None:
    """Return the run of a job that is evaluated; None if there is none."""
    for scores in sorted((*folder.glob(SCORES), *folder.glob(f"*/{SCORES}"))):
        return scores.parent
    return None


def begun(folder: Path) -> Path | None:
    """Return the run of a job that was begun and is not evaluated; None if there is none."""
    runs = sorted(path.parent for path in folder.glob("*/config.yaml"))
    return runs[-1] if runs else None


def why_failed(folder: Path) -> str:
    """Return the sentence with which a job failed; "" if it did not."""
    path = folder / FAILED
    return str(_stored(path).get("error") or f"failed; {path} is damaged") if path.is_file() else ""


def _stored(path: Path) -> Mapping[str, Any]:
    """Return the record of a job; nothing if the file is damaged."""
    try:
        return mapping_or_empty(from_json(path.read_text(encoding="utf-8")))
    except ValueError:
        return {}


def check_begun(folder: Path, settings: Sequence[str]) -> None:
    """Record the settings of a job, or check that they are those of an earlier session.

    Raises:
        ValueError: if the job was begun with other settings.
    """
    path, wanted = folder / JOB, {"settings": list(settings)}
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, wanted)
        return
    found = _stored(path)
    if found != wanted:
        other = sorted({*as_texts(found.get("settings"))} ^ {*settings}) or ["another order"]
        raise ValueError(
            f"expected the settings with which {folder} was begun, found others ({', '.join(other)}); give another "
            "folder=, or remove this one to begin the job again"
        )


@contextmanager
def taken(root: Path, name: str) -> Iterator[bool]:
    """Hold the claim on a job during the block; yield False if another process has it.

    A process looks at a claim once and does not wait: the age of a claim shows that its machine is gone.
    """
    claims = root / CLAIMS
    claims.mkdir(parents=True, exist_ok=True)
    part = name.replace("/", "--")
    number = Observer(claims).free([part]).get(part, left_behind(claims, part))
    if number is None:
        yield False
        return
    with claimed(claims, part, number) as ours:
        yield ours


@contextmanager
def failure_recorded(folder: Path, sentence: Callable[[Exception], str]) -> Iterator[None]:
    """Record the failure of a job in its folder, for the page; a success removes the record.

    Args:
        folder: folder of the job.
        sentence: the words for an error.
    """
    try:
        yield
    except Exception as error:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FAILED, {"error": sentence(error) or type(error).__name__})
        raise
    (folder / FAILED).unlink(missing_ok=True)


def train_job(config: Mapping[str, Any], folder: Path, trust: Sequence[str], resume: Path | None) -> Path:
    """Train and evaluate a model on a problem.

    Args:
        config: resolved and plain, that of the run to continue if there is one.
        folder: folder of the job.
        trust: packages in addition to pdekit that the configuration may name.
        resume: the run to continue; None for a new one.

    Returns:
        The run folder.

    Raises:
        ValueError: if the method makes no forecast that could be scored.
    """
    config = dict(config) if resume else {**config, "runs_dir": str(folder), "evaluate": True}
    run = carry_out(plan_run(config, trust), resume)
    if not (run / SCORES).is_file():
        raise ValueError(
            f"expected a method whose forecasts are scored, found {config['choices']['model']}, which leaves no "
            f"{SCORES}; leave it out of models="
        )
    return run


def score_baselines(config: Mapping[str, Any], folder: Path, trust: Sequence[str]) -> Path:
    """Score the baselines and the swept solver of a problem, without any surrogate.

    Args:
        config: resolved and plain, of any run on the problem.
        folder: folder of the scores.
        trust: packages in addition to pdekit that the configuration may name.

    Returns:
        The folder.
    """
    config = dict(config) | checked_run(config)
    loading, evaluation = checked_settings(config, trust)
    recipe, name = recipe_of(config, trust), config["choices"]["data"]
    base = Path(config["data_dir"]) if config["data_dir"] else None
    if config.get("path"):
        data, recipe = open_files(config["path"], name, recipe, loading, trust), None
    else:
        assert recipe is not None  # without a path the data are of a recipe
        data = DataModule.from_folder(generate(recipe, base), loading, trust)
    data.set_window(0 if data.problem.steady else 1, 1)
    with writing_to(folder):
        scoring.evaluate_models({}, data, folder, evaluation, scoring.Origin(name, folder, recipe, base, tuple(trust)))
    return folder
