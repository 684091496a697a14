"""Values of settings, checked against the types that a dataclass declares.

This is the one place for the command line and for Python: both refuse a value in the same words.
Nothing here imports torch or Hydra.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import sys
import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

Settings = TypeVar("Settings")

MAX_FRAMES = 1_000_000
"""Frames of one trajectory that are solved, forecast or scored at most."""
LARGEST_SEED = 2**63 - 1
"""Largest seed: torch takes one bit more, a stored configuration does not (`pdekit.plain.MAX_INTEGER`)."""
TAKEN: Mapping[type, Any] = {bool: bool, int: Integral, float: Real, str: (str, Real, os.PathLike)}
WORDS = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a word"}
SEVERAL = {bool: "a list of true and false", int: "a list of whole numbers", float: "a list of finite numbers",
           str: "a list of words"}  # fmt: skip
EXAMPLES = {bool: "true", int: "1", float: "0.5", str: "name"}


def check_types(settings: Any, group: str = "") -> None:
    """Check that each value of settings has the type that its field declares; called by ``__post_init__``.

    A list becomes a tuple, a whole number a float where a float is declared, and a number a text where a text is
    declared (a folder named 2026). Fields of other types are not looked at.

    Args:
        settings: a dataclass whose fields are declared as bool, int, float, str, tuples of these, or one of them or
            None.
        group: name of the group, for the error message; empty for settings that stand at the top level.

    Raises:
        ValueError: naming the first field whose value is of another type; seeds that torch does not take.
    """
    values = {item.name: getattr(settings, item.name) for item in dataclasses.fields(settings)}
    for name, value in typed(type(settings), values, group).items():
        object.__setattr__(settings, name, value)  # a frozen dataclass, too


def typed(kind: type, values: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Return values of a dataclass as its fields declare them; see `check_types`."""
    hints, found = typing.get_type_hints(kind), {}
    for key, value in values.items():
        name = f"{group}.{key}" if group else key
        found[key] = of_type(value, hints[key], name)
        if key == "seed":
            check_seed(found[key], name)
    return found


def of_type(value: Any, hint: Any, name: str) -> Any:
    """Return a value as the type that is declared for it.

    Raises:
        ValueError: if it is of another type.

    >>> of_type([1, 2], tuple[float, ...], "sizes"), of_type(None, int | None, "horizon"), of_type(7, str, "name")
    ((1.0, 2.0), None, '7')
    """
    options = typing.get_args(hint) if typing.get_origin(hint) is types.UnionType else (hint,)
    if value is None and type(None) in options:
        return None
    kind = next(option for option in options if option is not type(None))
    inner = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind
    if inner not in WORDS:
        return value
    several = inner is not kind
    listed = isinstance(value, (list, tuple))
    items = value if several and listed else (value,)
    taken = tuple(_scalar(item, inner) for item in items)
    if (several and not listed) or None in taken:
        expected = (SEVERAL if several else WORDS)[inner]
        example = f"[{EXAMPLES[inner]}]" if several else EXAMPLES[inner]
        or_null = ", or null" if type(None) in options else ""
        found = list(value) if listed else value
        raise ValueError(f"expected {name} as {expected}{or_null}, got {found!r}; for example {name}={example}")
    return taken if several else taken[0]


def _scalar(value: Any, kind: type) -> Any:
    """A value as a scalar of a kind; None if it is of another kind, NaN or infinite."""
    fits = isinstance(value, TAKEN[kind]) and isinstance(value, bool) == (kind is bool)
    if not fits or (kind is float and not abs(value) <= sys.float_info.max):
        return None
    return kind(value)


def check_seed(value: Any, name: str = "seed") -> int:
    """Return a seed that generators take.

    Raises:
        ValueError: if it is no whole number from 0 to 2^63 - 1.

    >>> check_seed(3)
    3
    """
    seed = _scalar(value, int)
    if seed is None or not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"expected {name} as a whole number from 0 to 2^63 - 1, got {value!r}; for example {name}=0")
    return seed


def check_numbers_of(**counts: Any) -> None:
    """Check that numbers of things are whole numbers of at least one; None is passed over.

    Raises:
        ValueError: naming the first one that is not.

    >>> check_numbers_of(members=2, n_frames=None)
    """
    for name, value in counts.items():
        if value is not None and (_scalar(value, int) is None or value < 1):
            raise ValueError(f"expected {name} >= 1 and whole, got {value!r}; for example {name}=1")


def settings_from(kind: type[Settings], values: Any, name: str, group: str | None = None) -> Settings:
    """Return settings made from stored values.

    Args:
        kind: a class of settings.
        values: a mapping of values by name, as it is stored or typed.
        name: name of the group, for the error message.
        group: as values are typed, "" for settings at the top level; ``name`` if None.

    Raises:
        ValueError: on an unknown name, or a value of a kind that the settings cannot use.

    >>> from pdekit.settings import Training
    >>> settings_from(Training, {"steps": 5}, "training").steps
    5
    """
    return kind(**known_values(kind, values, name, group))


def known_values(kind: type, values: Any, name: str, group: str | None = None) -> dict[str, Any]:
    """Return stored values of a class of settings as its fields declare them; see `settings_from`."""
    if not isinstance(values, Mapping):
        raise ValueError(f"expected {name} as a mapping of its settings, got {values!r}; set {name}.NAME=VALUE")
    dataclass: Any = kind  # no type says that a class is a dataclass
    known = [item.name for item in dataclasses.fields(dataclass)]
    group = name if group is None else group
    for found in values:
        if found not in known:
            close = difflib.get_close_matches(str(found), known, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(
                f"expected the settings of {name}, found others: {found!r}; {hint}There are: {', '.join(known)}"
            )
    return typed(kind, values, group)
