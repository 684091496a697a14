"""Parts of every command: help that answers at once, options with a line each, and names that exist.

Nothing here imports torch or Hydra.
"""

from __future__ import annotations

import difflib
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"
GENERATION, EVALUATION = "# generation:", "# evaluation:"
HELP = {"--help", "-h"}


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

    The times are those of the cards in datasets/, measured on two busy cores.

    >>> generation_times()["ks"]
    '11 s'
    """
    return _stated(GENERATION, folder)


def evaluation_times(folder: Path = CONFIGS) -> dict[str, str]:
    """CPU time of one core of a full evaluation of one FNO, from the line "# evaluation:" of each file.

    Measured with an FNO of one training step (a reservoir computer on systems without space, a latent grid on points),
    on two busy cores.
    """
    return _stated(EVALUATION, folder)


def _stated(word: str, folder: Path) -> dict[str, str]:
    """Return what the files of datasets state after a word at the beginning of a line."""
    found = {}
    for path in sorted((folder / "data").glob("*.yaml")):
        lines = path.read_text().splitlines()
        stated = [line.removeprefix(word) for line in lines if line.startswith(word)]
        found[path.stem] = next(iter(stated), "").strip()
    return found


def listing(group: str) -> str:
    """Options of a group as indented lines; datasets with the times of generation and evaluation."""
    options = choices(group)
    if group == "data":
        evaluated = evaluation_times()
        times = {name: f"{time:>6} {evaluated[name]:>8}" for name, time in generation_times().items()}
        options = {name: f"{time}  {options[name]}" for name, time in times.items()}
    width = max((len(name) for name in options), default=0)
    return "\n".join(f"  {name:<{width}}  {line}".rstrip() for name, line in options.items())


def take(arguments: list[str], key: str) -> list[str]:
    """Remove every ``key=value`` from the arguments; return the values. ``key=[a,b]`` gives two.

    >>> arguments = ["model=fno", "trust=[mine,yours]"]
    >>> take(arguments, "trust"), arguments
    (['mine', 'yours'], ['model=fno'])
    """
    taken = [argument for argument in arguments if argument.startswith(f"{key}=")]
    arguments[:] = [argument for argument in arguments if argument not in taken]
    texts = [argument.partition("=")[2].strip() for argument in taken]
    parts = [text[1:-1].split(",") if text[:1] == "[" and text[-1:] == "]" else [text] for text in texts]
    return [value.strip().strip("'\"") for part in parts for value in part if value.strip()]


def key_and_text(argument: str, command: str) -> tuple[str, str]:
    """Return both sides of ``key=value``.

    Raises:
        ValueError: if the argument has another form.

    >>> key_and_text("prompt=a plume = b", "sample")
    ('prompt', 'a plume = b')
    """
    key, equals, text = argument.partition("=")
    if not equals or not key or key.startswith("-"):
        raise ValueError(f"expected key=value, got {argument!r}; see python -m pdekit.{command} --help")
    return key, text


def did_you_mean(found: str, known: Sequence[str]) -> str:
    """Text that names what exists, the nearest first.

    >>> did_you_mean("lrr", ["steps", "lr"])
    "did you mean 'lr'? There are: lr, steps"
    """
    close = difflib.get_close_matches(found, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}There are: {', '.join(sorted(known))}"


def callable_module(name: str, function: Callable) -> None:
    """Make a module callable like the function that does its work in Python.

    ``pdekit.train`` has to be a module for ``python -m pdekit.train``, and Python sets it as an attribute of the
    package whenever it is imported. As a callable module it can also be called, ``pdekit.train(model=..., data=...)``,
    whatever was imported before. Setting ``__class__`` is the way that Python documents to customise a module.
    """
    module_class = type("CallableModule", (types.ModuleType,), {"__call__": staticmethod(function)})
    sys.modules[name].__class__ = module_class
