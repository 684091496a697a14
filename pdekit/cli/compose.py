"""Compose a configuration from what was typed: files of ``pdekit/configs``, overrides, one job or the jobs of a sweep.

Hydra only composes: nothing of it runs around a job.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdekit.cli.command_line import CONFIGS, did_you_mean

OPEN = ("data.", "model.", "instance.", "requires.")  # whose options are those of the class that their file names
SEVERAL, FOLDER, SHOW = ("-m", "--multirun"), ("--config-dir", "-cd"), ("--cfg", "-c")
SEARCH = "hydra.searchpath"


@dataclass(frozen=True)
class Typed:
    """Options and overrides that follow the name of a command.

    Args:
        overrides: ``key=value``.
        several: whether lists of values mean jobs of a sweep (``-m``).
        show: whether to print the configuration only (``--cfg job``).
    """

    overrides: tuple[str, ...]
    several: bool = False
    show: bool = False


def read_arguments(arguments: Sequence[str]) -> Typed:
    """Separate options from overrides.

    Raises:
        ValueError: on an option that does not exist, or a folder that does not.

    >>> read_arguments(["model=fno,unet", "-m"])
    Typed(overrides=('model=fno,unet',), several=True, show=False)
    """
    overrides: list[str] = []
    several = show = False
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        option, equals, value = argument.partition("=")
        if option in (*FOLDER, *SHOW) and not equals:
            value = waiting.pop(0) if waiting else ""
        if argument in SEVERAL:
            several = True
        elif option in SHOW and value == "job":
            show = True
        elif option in FOLDER:
            if not Path(value).is_dir():
                raise ValueError(f"expected a folder of configurations as {option}, found {value!r}; correct it")
            overrides.append(f"{SEARCH}=[file://{Path(value).resolve()}]")
        elif argument.startswith("-"):
            raise ValueError(
                f"expected key=value, --help, -m, --cfg job or --config-dir=FOLDER, found {argument!r}; correct it"
            )
        elif option.lstrip("+~").startswith("hydra") and option != SEARCH:
            raise ValueError(
                f"expected settings of pdekit, or {SEARCH}=[file://FOLDER], found {argument!r}; leave it out"
            )
        else:
            overrides.append(argument)
    return Typed(tuple(overrides), several, show)


def jobs(typed: Typed) -> list[tuple[str, ...]]:
    """Return the overrides of each job: of the only one, or of every combination of the values of a sweep.

    Raises:
        ValueError: on overrides that cannot be read, or several values without ``-m``.

    >>> jobs(Typed(("model=fno,unet", "seed=1"), several=True))
    [('model=fno', 'seed=1'), ('model=unet', 'seed=1')]
    """
    parsed = _parsed(typed.overrides)
    choices: list[list[str]] = []
    for text, read in zip(typed.overrides, parsed, strict=True):
        if not read.is_sweep_override():
            choices.append([text])
        elif typed.several:
            key = read.get_key_element()
            choices.append([f"{key}={value}" for value in read.sweep_string_iterator()])
        else:
            key, _, values = text.partition("=")
            raise ValueError(f"expected one value of {key}, found {values!r}; add -m to run all combinations")
    return list(itertools.product(*choices))


def _parsed(overrides: Sequence[str]) -> list[Any]:
    """Return overrides as Hydra reads them, each with its key, its place and its values.

    Raises:
        ValueError: on one that its grammar does not have, with the form that it needs.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from pdekit.command_words import override

    parser, parsed = OverridesParser.create(), []
    for text in overrides:
        try:
            parsed.append(parser.parse_override(text))
        except HydraException as error:
            key, equals, value = text.partition("=")
            remedy = f"values with special signs need quotes: {override(key, value)}" if equals else "write KEY=VALUE"
            reason = str(error).partition("\n")[0]
            raise ValueError(f"expected one setting as key=value, found {text!r} ({reason}); {remedy}") from error
    return parsed


def keys_of(overrides: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what each override sets: the first part of its key, and the place that an option of a group is put at.

    Raises:
        ValueError: on overrides that cannot be read.

    >>> keys_of(["training.lr=1e-3", "model@data_dir=fno", "~data"])
    [('training',), ('model', 'data_dir'), ('data',)]
    """
    parsed = _parsed(overrides)
    places = [[one.key_or_group, *([one.package] if one.package else [])] for one in parsed]
    return [tuple(key.strip().split(".")[0].split("/")[0] for key in keys) for keys in places]


def composed(
    config_name: str, arguments: Sequence[str], own: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Compose one configuration.

    Args:
        config_name: name of the configuration of the entry point; its schema is registered.
        arguments: overrides as they are typed.
        own: values to set after composing, which need no quoting.

    Returns:
        The resolved, plain configuration, and the option that is chosen in each group.

    Raises:
        ValueError: on an argument that the configuration does not have; the message says what exists.
    """
    import yaml
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf, open_dict
    from omegaconf.errors import OmegaConfBaseException

    from pdekit.plain_yaml import fault_of

    try:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            found = compose(config_name, open_options(arguments), return_hydra_config=True)
            chosen = {str(group): name for group, name in found.hydra.runtime.choices.items()}
            with open_dict(found):
                del found["hydra"]
            found.merge_with(own or {})
            values: dict[str, Any] = OmegaConf.to_container(found, resolve=True)
            return check_groups(values, chosen), chosen
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(explain(error)) from error
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark.name if error.problem_mark is not None else "--config-dir"
        raise ValueError(f"expected a configuration in {where}, found {fault_of(error)}; correct the file") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"expected configurations in UTF-8, found {error}; correct the file in --config-dir") from None


def check_groups(values: dict[str, Any], chosen: Mapping[str, str | None]) -> dict[str, Any]:
    """Return a configuration in which each group that is chosen has options by name.

    Raises:
        ValueError: if the file of one holds a list or a single value.
    """
    for group, name in chosen.items():
        found = values.get(group)
        if found is not None and not isinstance(found, dict):
            raise ValueError(f"expected options by name in {group}/{name}.yaml, found {found!r}; correct the file")
    return values


def by_kind(given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the arguments that are names of configurations, and those that are objects.

    >>> by_kind({"model": "fno", "data": None})
    ({'model': 'fno'}, {})
    """
    named = {key: item for key, item in given.items() if isinstance(item, str)}
    return named, {key: item for key, item in given.items() if item is not None and key not in named}


def open_options(arguments: Sequence[str]) -> list[str]:
    """Arguments in which options of the data and of the model may be ones that their file leaves at the default.

    Hydra would refuse them; whoever builds the recipe or the model knows all of them, and refuses what does not exist.

    >>> open_options(["model=fno", "data.warmup=3", "training.lr=1e-3"])
    ['model=fno', '++data.warmup=3', 'training.lr=1e-3']
    """
    return [f"++{argument}" if argument.startswith(OPEN) else argument for argument in arguments]


def shown(config: Mapping[str, Any]) -> str:
    """Text of a configuration in YAML, for ``--cfg job``."""
    import yaml

    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)


def defaults_of(settings: type) -> dict[str, Any]:
    """Return the names and defaults of a dataclass, by which Hydra knows the settings of a command.

    Values are checked where the dataclass is made (`pdekit.typed_values`), so that the command line and Python refuse
    them in the same words.

    >>> from pdekit.evaluation.settings import KeptForecasts
    >>> defaults_of(KeptForecasts)
    {'n_samples': 3, 'samples': None, 'n_members': 3}
    """
    return dataclasses.asdict(settings())


def explain(error: BaseException) -> str:
    """Return what is wrong with a configuration, and what exists instead."""
    from hydra.errors import MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    lines = [str(error).partition("Config search path")[0].rstrip()]
    cause: BaseException | None = error
    while cause is not None:
        first = str(cause).partition("\n")[0]
        if first not in lines[0] and "$" not in first:  # some causes are templates that were not filled in
            lines.append(first)
        if isinstance(cause, MissingConfigException) and cause.options and cause.missing_cfg_file:
            close = difflib.get_close_matches(cause.missing_cfg_file.rpartition("/")[2], cause.options, 1)
            lines += [f"did you mean {name!r}?" for name in close]
        if isinstance(cause, OmegaConfBaseException) and cause.parent_node is not None and cause.key is not None:
            known = [str(key) for key in cause.parent_node]
            if str(cause.key) not in known:
                lines.append(did_you_mean(str(cause.key), known))
                break
        cause = cause.__cause__ or cause.__context__
    return "\n".join(lines)
