"""What the entry points share: help that answers at once, choices with a line each, and errors that say what exists.

Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import difflib
import errno
import os
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

CONFIGS = Path(__file__).parents[1] / "configs"
REFUSALS = (ValueError, OSError, FloatingPointError)
"""Errors whose message says what the person who typed can do: wrong values, files, a training that diverged."""
GENERATION = "# generation:"
OPEN = ("data.", "model.", "instance.")  # whose options are those of the class that their file names


def choices(group: str, folder: Path = CONFIGS) -> dict[str, str]:
    """Options of a configuration group, each with its first comment line."""
    found = {}
    for path in sorted((folder / group).glob("*.yaml")):
        lines = (line.strip() for line in path.read_text().splitlines())
        comments = (line.lstrip("# ") for line in lines if line.startswith("#") and "@package" not in line)
        found[path.stem] = next(comments, "")
    return found


def generation_times(folder: Path = CONFIGS) -> dict[str, str]:
    """CPU time of one core that generates each dataset, its check included, from the line "# generation:" of its file.

    The times are those of the cards in datasets/, measured on two busy cores. Empty where the file states none.

    >>> generation_times()["ks"]
    '11 s'
    """
    found = {}
    for path in sorted((folder / "data").glob("*.yaml")):
        lines = path.read_text().splitlines()
        stated = [line.removeprefix(GENERATION) for line in lines if line.startswith(GENERATION)]
        found[path.stem] = next(iter(stated), "").strip()
    return found


def listing(group: str) -> str:
    """Options of a group as indented lines; datasets with the time that generates them."""
    options = choices(group)
    if group == "data":
        options = {name: f"{time:>6}  {options[name]}" for name, time in generation_times().items()}
    width = max((len(name) for name in options), default=0)
    return "\n".join(f"  {name:<{width}}  {line}".rstrip() for name, line in options.items())


def take(arguments: list[str], key: str) -> list[str]:
    """Remove every ``key=value`` from the arguments; the values. ``key=[a,b]`` gives two.

    >>> arguments = ["model=fno", "trust=[mine,yours]"]
    >>> take(arguments, "trust"), arguments
    (['mine', 'yours'], ['model=fno'])
    """
    taken = [argument for argument in arguments if argument.startswith(f"{key}=")]
    arguments[:] = [argument for argument in arguments if argument not in taken]
    texts = [argument.partition("=")[2].strip() for argument in taken]
    parts = [text[1:-1].split(",") if text[:1] == "[" and text[-1:] == "]" else [text] for text in texts]
    return [value.strip().strip("'\"") for part in parts for value in part if value.strip()]


def open_options(arguments: Sequence[str]) -> list[str]:
    """Arguments in which options of the data and of the model may be ones that their file leaves at the default.

    Hydra would refuse them; whoever builds the recipe or the model knows all of them, and refuses what does not exist.

    >>> open_options(["model=fno", "data.warmup=3", "training.lr=1e-3"])
    ['model=fno', '++data.warmup=3', 'training.lr=1e-3']
    """
    return [f"++{argument}" if argument.startswith(OPEN) else argument for argument in arguments]


def schema(settings: type) -> type:
    """A class with the fields, types and defaults of a dataclass that a composed configuration is checked with.

    Frozen dataclasses would make the configuration read-only.
    """
    types = typing.get_type_hints(settings)
    fields = [(f.name, types[f.name], dataclasses.field(default=f.default)) for f in dataclasses.fields(settings)]
    return dataclasses.make_dataclass(settings.__name__, fields)


def callable_module(name: str, function: Callable) -> None:
    """Make a module callable like the function that does its work in Python.

    ``pdekit.train`` has to be a module for ``python -m pdekit.train``, and Python sets it as an attribute of the
    package whenever it is imported. As a callable module it can also be called, ``pdekit.train(model=..., data=...)``,
    whatever was imported before. Setting ``__class__`` is the way that Python documents to customise a module.
    """
    module_class = type("CallableModule", (types.ModuleType,), {"__call__": staticmethod(function)})
    sys.modules[name].__class__ = module_class


def composed(
    config_name: str, arguments: Sequence[str], own: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Compose a configuration in Python as the command line does.

    Args:
        config_name: of the entry point; its schema is registered.
        arguments: as they are typed.
        own: values to set after composing, which need no quoting.

    Returns:
        The resolved, plain configuration, and the option that is chosen in each group.

    Raises:
        ValueError: on an argument that the configuration does not have; the message says what exists.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf, open_dict
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            found = compose(config_name, open_options(arguments), return_hydra_config=True)
            chosen = {str(group): name for group, name in found.hydra.runtime.choices.items()}
            with open_dict(found):
                del found["hydra"]
            found.merge_with(own or {})
            return OmegaConf.to_container(found, resolve=True), chosen
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(explain(error).removeprefix("error: ")) from error


def run(job: Callable[[], Any]) -> Any:
    """Run a Hydra job; a configuration that Hydra refuses ends with a sentence and what exists instead.

    HYDRA_FULL_ERROR=1 in the environment shows the trace.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors come here instead of being printed
    try:
        return job()
    except (HydraException, OmegaConfBaseException) as error:
        if before == "1":
            raise
        sys.exit(explain(error))
    finally:
        os.environ["HYDRA_FULL_ERROR"] = before or "0"


def tell(work: Callable[[], Any]) -> Any:
    """Do the work of a command; end with a sentence instead of a stack trace if the person who typed can mend it.

    Called within a Hydra job, it ends before Hydra prints lines of its own. PDEKIT_FULL_ERROR=1 in the environment
    shows the trace.
    """
    try:
        return work()
    except REFUSALS as error:
        if os.environ.get("PDEKIT_FULL_ERROR") == "1":
            raise
        sys.exit(f"error: {sentence(error)}\n(PDEKIT_FULL_ERROR=1 shows where)")
    except KeyboardInterrupt as stop:
        stopped(stop)


def stoppable(command: Callable[[], Any]) -> Any:
    """Run a whole command, with its imports; Ctrl-C at any time ends it with a word and the exit status 130."""
    try:
        return command()
    except KeyboardInterrupt as stop:
        stopped(stop)


def stopped(stop: KeyboardInterrupt) -> NoReturn:
    """Print how to go on, or that nothing is left to resume, and exit with the status of an interrupted command."""
    if str(stop):
        print(stop, flush=True)
    else:
        print("stopped", file=sys.stderr)
    sys.exit(130)


def sentence(error: Exception) -> str:
    """What an error says, without the number that the system gives it.

    >>> sentence(OSError(28, "No space left on device", "runs/last.ckpt"))
    'No space left on device: runs/last.ckpt; free some, or choose another disk, and go on with resume=RUN'
    """
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    where = "".join(f": {name}" for name in (error.filename2 or error.filename,) if name)
    own = str(error.strerror).startswith("expected")  # says what to do already
    full = error.errno == errno.ENOSPC and not own
    return f"{error.strerror}{where}" + full * "; free some, or choose another disk, and go on with resume=RUN"


def explain(error: BaseException) -> str:
    """What is wrong with a configuration, and what exists instead."""
    from hydra.errors import MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    lines, cause = [f"error: {str(error).partition('Config search path')[0].rstrip()}"], error
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


def did_you_mean(found: str, known: Sequence[str]) -> str:
    """What exists, the nearest first.

    >>> did_you_mean("lrr", ["steps", "lr"])
    "did you mean 'lr'? There are: lr, steps"
    """
    close = difflib.get_close_matches(found, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}There are: {', '.join(sorted(known))}"
