"""Options of a class or function, checked before it is called, with the keys that a user types in the messages."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pdekit.typed_values import of_type

SCALARS = (str, int, float, bool)
VALUES = {*SCALARS, Any, list, tuple, Sequence, typing.Literal}


def with_place(target: str, place: str) -> str:
    """Return the words for a target in a message.

    >>> with_place("pdekit.nets.fno.FNO", "model.net"), with_place("pdekit.nets.fno.FNO", "")
    ('model.net (pdekit.nets.fno.FNO)', 'pdekit.nets.fno.FNO')
    """
    return f"{place} ({target})" if place else target


def check_declared(found: Callable, options: Mapping[str, Any], target: str, place: str = "") -> None:
    """Check names and plain values of options against what a class or function declares.

    Args:
        found: the class or function.
        options: values by name; objects that are made already are not looked at.
        target: its dotted path, for messages.
        place: key of its options as a user types it ("model.net"); empty for a stored document.

    Raises:
        ValueError: on an unknown name, a plain value where a group of options is declared, or a value of another kind
            than the number, word or list that is declared.
    """
    known = list(inspect.signature(found).parameters)
    inside = f"{place}." if place else ""
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else "remove it"
            raise ValueError(f"expected options of {with_place(target, place)} among {known}, got {option!r}; {hint}")
    stated = {name: value for name, value in options.items() if isinstance(value, (*SCALARS, tuple))}
    declared = declared_by(found) if stated else {}
    for name, value in stated.items():
        kinds = declared.get(name, ())
        if groups_alone(kinds):
            raise ValueError(
                f"expected {inside}{name} of {target} as values by name, got {value!r}; set {inside}{name}.NAME=VALUE, "
                f"or '{inside}{name}={{NAME: VALUE}}' with all names"
            )
        if place and len(kinds) == 1 and _is_plain(value):
            of_type(value, kinds[0], inside + name)


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number, a word, or a sequence of them."""
    return all(isinstance(item, SCALARS) for item in (value if isinstance(value, tuple) else (value,)))


def declared_by(found: Callable) -> dict[str, tuple[Any, ...]]:
    """Return the kinds of value that a class or function declares for each option; None is left out.

    >>> from pdekit.models.inputs import Preparation
    >>> declared_by(Preparation)["distance"]
    (<class 'bool'>,)
    """
    declared: Any = found
    if inspect.isclass(declared) and not dataclasses.is_dataclass(declared):
        declared = declared.__init__
    try:
        hints = typing.get_type_hints(declared)
    except (NameError, TypeError):  # names that only a type checker imports: the class itself has to look
        return {}
    alone = {name: typing.get_args(hint) if _is_union(hint) else (hint,) for name, hint in hints.items()}
    return {name: tuple(kind for kind in some if kind is not type(None)) for name, some in alone.items()}


def groups_alone(kinds: tuple[Any, ...]) -> bool:
    """Return whether an option is declared as a group of options (a mapping, a dataclass, a function) and no value.

    >>> groups_alone((Mapping[str, float],)), groups_alone((str, Mapping[str, str])), groups_alone(())
    (True, False, False)
    """
    plain = {typing.get_origin(kind) or kind for kind in kinds}
    grouped = any(kind in (Mapping, dict, Callable) or dataclasses.is_dataclass(kind) for kind in plain)
    return grouped and plain.isdisjoint(VALUES)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (types.UnionType, typing.Union)
