"""Suites of a benchmark: problems, models, seeds and budgets in a YAML file, and the jobs that they make.

``docs/benchmark.md`` shows such a file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdekit.cli.command_line import CONFIGS, choices, did_you_mean
from pdekit.cli.compose import SEARCH, Typed, jobs, keys_of, read_arguments
from pdekit.cli.stored import read_config
from pdekit.plain import is_list_of, is_text, is_whole

SINGLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]*")  # a name becomes a part of the name of a folder
PARTS = ("problems", "models", "seeds", "settings", "budgets")
GROUPS = {"problems": "data", "models": "model"}
"""Parts of a suite of which each entry chooses a configuration, and its group."""
OURS = ("seed", "runs_dir", "evaluate", "measurements")
"""Settings that the runner sets itself."""
TYPED_ONLY = ("data_dir",)
"""Settings that say where files are written, which a file of someone else may not choose."""
BASELINES = "baselines"
"""Name of the job that scores baselines and solvers."""
NO_SWEEP = ("evaluation.sweep.sizes=[]", "evaluation.sweep.refinements=[]")


@dataclass(frozen=True)
class SuiteJob:
    """One training run of a benchmark, or the evaluation of the baselines and solvers of a problem.

    Args:
        problem: name of its problem.
        model: name of its model; `BASELINES` for baselines and solvers.
        seed: seed of the run.
        overrides: settings as they are typed after ``python -m pdekit.train``.
    """

    problem: str
    model: str
    seed: int
    overrides: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Folder of the job within that of the benchmark."""
        name = self.model if self.model == BASELINES else f"{self.model}-{self.seed}"
        return Path(self.problem) / name

    @property
    def name(self) -> str:
        """The job as ``job=NAME`` names it."""
        return str(self.folder)


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Args:
        problems, models: settings of each, by name.
        seeds: seeds of every model on every problem.
        settings: settings of every job, after those of problem and model.
    """

    problems: Mapping[str, tuple[str, ...]]
    models: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    settings: tuple[str, ...] = ()

    def jobs(self) -> list[SuiteJob]:
        """Return the jobs: of each problem the baselines first, then every model with every seed."""
        found = []
        for problem, data in self.problems.items():
            found.append(SuiteJob(problem, BASELINES, 0, _merged(data, ("model=mean",), self.settings, ("seed=0",))))
            for seed, (name, model) in itertools.product(self.seeds, self.models.items()):
                overrides = _merged(data, model, self.settings, (f"seed={seed}",), NO_SWEEP)
                found.append(SuiteJob(problem, name, seed, overrides))
        return found


def _merged(*parts: Sequence[str]) -> tuple[str, ...]:
    """Settings in their order; the folders in which configurations are looked up in one setting."""
    every = [setting for part in parts for setting in part]
    folders = [setting.partition("=")[2].strip("[]") for setting in every if setting.startswith(f"{SEARCH}=")]
    kept = [setting for setting in every if not setting.startswith(f"{SEARCH}=")]
    return (*([f"{SEARCH}=[{','.join(dict.fromkeys(folders))}]"] if folders else []), *kept)


def suite_named(name: str, budget: str | None = None) -> Suite:
    """Return a suite by its name in ``pdekit/configs/suite`` or the path of a YAML file.

    Args:
        name: name or path.
        budget: name of a budget of the suite, whose seeds and settings replace and follow those of the suite.

    Raises:
        FileNotFoundError: if there is no such suite.
        ValueError: if the file does not describe one.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = CONFIGS / "suite" / f"{name}.yaml"
        if not path.is_file() or not SINGLE.fullmatch(name):
            known = did_you_mean(name, list(choices("suite")))
            raise FileNotFoundError(f"expected a suite, found {name!r}; {known}, or give the path of a YAML file")
    elif not path.is_file():
        raise FileNotFoundError(f"expected a suite at {name}, found no file; correct suite=")
    remedy = "write problems: and models:, as in docs/benchmark.md"
    found = _mapping(read_config(path, remedy), path, "a suite", PARTS)
    budgets = _mapping(found.get("budgets", {}), path, "budgets")
    if budget is not None and budget not in budgets:
        raise ValueError(f"expected a budget of {path}, found {budget!r}; {did_you_mean(budget, list(budgets))}")
    chosen = _mapping(budgets[budget], path, f"budgets.{budget}", ("seeds", "settings")) if budget else {}
    parts = {}
    for part, group in GROUPS.items():
        entries = _mapping(found.get(part, {}), path, part)
        parts[part] = {str(key): _entry(key, value, group, path) for key, value in entries.items()}
        if not entries:
            raise ValueError(f"expected {part} in {path}, found none; list at least one")
    settings = _settings(found.get("settings", []), path, "settings")
    settings += _settings(chosen.get("settings", []), path, f"budgets.{budget}.settings")
    return Suite(**parts, seeds=_seeds(chosen.get("seeds", found.get("seeds", [0])), str(path)), settings=settings)


def chosen_from(
    suite: Suite, problems: Sequence[str], models: Sequence[str], seeds: Sequence[Any], settings: Sequence[str]
) -> Suite:
    """Return a part of a suite, to which problems and models of pdekit and of the user may be added.

    Args:
        suite: the suite.
        problems, models: names in the suite, names of configurations of pdekit, or paths ``.../data/NAME.yaml`` and
            ``.../model/NAME.yaml`` of your own; empty for all of the suite.
        seeds: seeds; empty for those of the suite.
        settings: settings of every job, after those of the suite.

    Raises:
        ValueError: on a name that does not exist, or settings that the runner sets itself.
    """
    parts = {}
    for part, names in (("problems", problems), ("models", models)):
        known, group = getattr(suite, part), GROUPS[part]
        entries: dict[str, tuple[str, ...]] = {}
        for given in names:
            name = Path(given).stem if given.endswith(".yaml") else given
            entry = known.get(given) or _added(given, group, known)
            if name == BASELINES or entries.setdefault(name, entry) != entry:
                raise ValueError(f"expected {part} of different names, other than {BASELINES}, found {name!r} in "
                                 f"{', '.join(names)}; rename a file")  # fmt: skip
        parts[part] = entries or known
    chosen = _seeds([int(s) if str(s).isdigit() else s for s in seeds], "the command line") if seeds else suite.seeds
    more = _settings(list(settings), None, "settings")
    return Suite(**parts, seeds=chosen, settings=suite.settings + more)


def _added(name: str, group: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    if name.endswith(".yaml"):
        return _own(name, group, Path())
    if name not in choices(group):
        kind = "problem" if group == GROUPS["problems"] else "model"
        raise ValueError(f"expected a {kind} of the suite or of pdekit, found {name!r}; "
                         f"{did_you_mean(name, list({*known, *choices(group)}))}")  # fmt: skip
    return (f"{group}={name}",)


def _own(text: str, group: str, base: Path) -> tuple[str, ...]:
    """Settings that choose a configuration of the user by its path, from the folder of the suite."""
    path = (base / text).resolve()
    if path.parent.name != group or not path.is_file() or "," in str(path):
        raise ValueError(
            f"expected the path of a configuration in a folder named {group!r} (.../{group}/NAME.yaml), found "
            f"{text!r}; correct it, or move the file"
        )
    return (f"{SEARCH}=[file://{path.parents[1]}]", f"{group}={path.stem}")


def _entry(name: Any, value: Any, group: str, path: Path) -> tuple[str, ...]:
    """Settings of a problem or a model of a suite: a list of them, or the path of a configuration."""
    if not isinstance(name, str) or not SINGLE.fullmatch(name) or name == BASELINES:
        raise ValueError(
            f"expected names of letters, digits, '_' and '.' in {path}, other than {BASELINES}, found {name!r}; rename"
        )
    return _own(value, group, path.parent) if isinstance(value, str) else _settings(value, path, name, group)


def _settings(value: Any, path: Path | None, name: str, group: str | None = None) -> tuple[str, ...]:
    """Check settings ``key=value`` of a suite in a file, or of the command line if there is no path.

    Args:
        value: the settings.
        path: file of the suite.
        name: of the part of the suite.
        group: "data" for settings that choose a problem, "model" for those that choose a model, None for others.

    Raises:
        ValueError: on another kind of value, an option, several values of one setting, one of the runner's own, or a
            choice of a model or of data in another place than its own.
    """
    place = f"{name} of {path or 'the command line'}"
    if not is_list_of(value, is_text) or not all("=" in item for item in value):
        raise ValueError(f"expected a list of settings key=value as {place}, found {value!r}; correct it")
    ours = OURS if path is None else OURS + TYPED_ONLY
    for item, keys in zip(value, keys_of(value), strict=True):
        if any(key in ours or key.startswith("hydra") for key in keys):
            raise ValueError(
                f"expected settings other than {', '.join(ours)} and hydra's as {place}, found {item!r}; leave it out: "
                "the benchmark sets seeds and folders itself"
            )
    jobs(Typed(read_arguments(value).overrides))
    _check_choice([item.partition("=")[0].lstrip("+~") for item in value], place, group)
    return tuple(value)


def _check_choice(keys: Sequence[str], place: str, group: str | None) -> None:
    """Check that settings choose a problem, a model, or neither: each row of the page is named after its choice.

    Raises:
        ValueError: if they do not.
    """
    others = [key for key in GROUPS.values() if key in keys and key != group]
    if others:
        part = next(part for part, key in GROUPS.items() if key == others[0])
        raise ValueError(
            f"expected settings without {others[0]}= as {place}, found it; choose it by {part}=[NAME], or by an entry "
            f"of {part} in a suite"
        )
    if group and not {group, *(("path",) if group == GROUPS["problems"] else ())} & {*keys}:
        raise ValueError(f"expected {group}=NAME among the settings of {place}, found {list(keys)}; add it")


def check_folders(config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Refuse a data directory that was not typed, but chosen by a configuration of a suite.

    Raises:
        ValueError: naming it.
    """
    typed = any(key in TYPED_ONLY for keys in keys_of(overrides) for key in keys)
    if config["data_dir"] is not None and not typed:
        raise ValueError(
            f"expected data_dir on the command line only, found {config['data_dir']!r} in a configuration of the "
            "suite, which may not choose where files are written; type it, or leave it out of the file"
        )


def _seeds(value: Any, origin: str) -> tuple[int, ...]:
    if not is_list_of(value, is_whole) or not value or min(value) < 0 or len(set(value)) < len(value):
        raise ValueError(
            f"expected a list of different whole numbers as seeds of {origin}, found {value!r}; correct it"
        )
    return tuple(value)


def _mapping(value: Any, path: Path, name: str, keys: Sequence[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected {name} in {path} with entries name: value, found {value!r}; correct it")
    unknown = [key for key in value if keys is not None and key not in keys]
    if unknown:
        raise ValueError(
            f"expected {', '.join(keys or ())} in {name} of {path}, found {unknown[0]!r}; "
            f"{did_you_mean(str(unknown[0]), list(keys or ()))}"
        )
    return value
