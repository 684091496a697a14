"""Objects as plain values (what JSON and YAML hold) and back, without pickle.

A frozen dataclass becomes ``{"_target_": "module.Class", field: value, ...}``, a function or a partial
``{"_target_": "module.function", "_partial_": True, option: value, ...}``. This is the form of the configuration
files, of the equation stored with a dataset and of what a recipe's hash covers.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, singledispatch
from numbers import Integral, Real
from types import FunctionType
from typing import Any, TypeGuard

from pdekit.options import check_declared, with_place
from pdekit.targets import locate

MAX_DEPTH = 64
MAX_VALUES = 1_000_000
MAX_INTEGER = 2**63 - 1
"""Bounds of plain values: levels of nesting, values in all, size of an integer. A configuration has far less."""


def _name(thing: Callable) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


@singledispatch
def to_plain(value: Any) -> Any:
    """Plain form of a value: numbers, texts, tuples, dictionaries, dataclasses and functions with options.

    Raises:
        ValueError: if a value has no plain form (a tensor, a lambda, an open file).

    >>> from pdekit.fields import Field
    >>> to_plain(Field("u", "m/s"))["_target_"]
    'pdekit.fields.Field'
    """
    if not dataclasses.is_dataclass(value) or inspect.isclass(value):
        raise ValueError(
            f"expected numbers, texts, tuples, dictionaries, dataclasses or functions, got {type(value).__name__}; "
            "only these can be stored with a dataset"
        )
    plain = {"_target_": _name(type(value))}
    for item in dataclasses.fields(value):
        if item.init:
            plain[item.name] = to_plain(getattr(value, item.name))
    return plain


@to_plain.register(type(None))
@to_plain.register(bool)
@to_plain.register(int)
@to_plain.register(str)
def _(value):
    return value


@to_plain.register(float)
def _(value):
    if not math.isfinite(value):
        raise ValueError(f"expected finite numbers, got {value}; correct the recipe or the equation")
    return float(value)


@to_plain.register(tuple)
@to_plain.register(list)
def _(value):
    return [to_plain(item) for item in value]


@to_plain.register(dict)
def _(value):
    return {str(key): to_plain(item) for key, item in value.items()}


@to_plain.register(partial)
def _(value):
    if value.args:
        raise ValueError(f"expected a partial with named options only, got the positional ones {value.args}; name them")
    return {**to_plain(value.func), **to_plain(value.keywords)}


@to_plain.register(type)
@to_plain.register(FunctionType)
def _(value):
    if "<" in value.__qualname__:
        raise ValueError(
            f"expected a function or class defined in a module, got {_name(value)}; define it at the top of a file"
        )
    return {"_target_": _name(value), "_partial_": True}


def is_whole(value: Any) -> TypeGuard[int]:
    """Return whether a value is an integer, NumPy's included; true and false are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is an integer or a float, NumPy's included; true and false are neither.

    >>> is_number(2), is_number(0.5), is_number(True), is_number("2")
    (True, True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def is_text(value: Any) -> TypeGuard[str]:
    """Return whether a value is a text."""
    return isinstance(value, str)


def is_list_of(value: Any, holds: Callable[[Any], bool]) -> TypeGuard[list[Any]]:
    """Return whether a plain value is a list whose items all pass a check.

    >>> is_list_of([1, 2], is_whole), is_list_of([1, 0.5], is_whole), is_list_of("12", is_text)
    (True, False, False)
    """
    return isinstance(value, list) and all(map(holds, value))


def are_texts(values: Iterable[Any]) -> bool:
    """Return whether all of some plain values are texts.

    >>> are_texts(["u", "v"]), are_texts(["u", 2])
    (True, False)
    """
    return all(map(is_text, values))


def as_texts(values: Any) -> list[str]:
    """Return a list of plain values as texts; nothing for any other value.

    >>> as_texts(["u", 2]), as_texts({"u": 2})
    (['u', '2'], [])
    """
    return [str(value) for value in values] if isinstance(values, list) else []


def for_each_name(given: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return a value by name, given as a mapping or as one value for all names.

    >>> for_each_name(0.5, ["u", "v"]), for_each_name({"u": 1}, ["u", "v"])
    ({'u': 0.5, 'v': 0.5}, {'u': 1})
    """
    return dict(given) if isinstance(given, Mapping) else dict.fromkeys(names, given)


def by_name(given: Any, what: str) -> dict[Any, Any]:
    """Return values that are given by name; nothing for None.

    Raises:
        ValueError: if they are given otherwise.

    >>> by_name({"nu": 0.1}, "params"), by_name(None, "params")
    ({'nu': 0.1}, {})
    """
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"expected {what} by name, got {str(given)[:80]!r}; give {what}={{NAME: VALUE}}")
    return dict(given or {})


def check_ranges(found: Any, where: str) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest value of numbers by name.

    Args:
        found: as a file states them.
        where: file and key, for the message.

    Raises:
        ValueError: if they are no pairs of ordered, finite numbers by name.

    >>> check_ranges({"viscosity": [0.1, 0.2]}, "config.yaml: ranges")
    {'viscosity': (0.1, 0.2)}
    """
    whole = isinstance(found, dict) and are_texts(found) and all(
        isinstance(pair, Sequence) and len(pair) == 2 and all(map(is_number, pair))
        and -math.inf < pair[0] <= pair[1] < math.inf
        for pair in found.values()
    )  # fmt: skip
    if not whole:
        raise ValueError(
            f"expected the smallest and the largest value of each number in {where}, as name: [low, high], found "
            f"{str(found)[:80]}; restore the file"
        )
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}


def mapping_or_empty(value: Any) -> Mapping[Any, Any]:
    """Return a mapping as it is, and nothing for any other value.

    >>> from types import MappingProxyType
    >>> mapping_or_empty(MappingProxyType({"a": 1}))["a"], mapping_or_empty([1])
    (1, {})
    """
    return value if isinstance(value, Mapping) else {}


def mappings_in(node: Any) -> Iterator[Mapping[Any, Any]]:
    """Yield all mappings in plain values, each before those that it holds.

    >>> list(mappings_in([1, {"a": {"b": 2}}]))
    [{'a': {'b': 2}}, {'b': 2}]
    """
    waiting = [node]
    while waiting:  # not recursive: JSON of strangers may be deep
        value = waiting.pop()
        if found := mapping_or_empty(value):
            yield found
        waiting += reversed([*_held_by(value)])


def _held_by(node: Any) -> Iterable[Any]:
    """Return the values directly inside a mapping or a sequence of plain values; nothing for any other value."""
    return node if isinstance(node, (list, tuple)) else mapping_or_empty(node).values()


def check_bounds(node: Any) -> None:
    """Check plain values before anything is made from them.

    Every value counts as often as it is reached, so that a value that is shared many times over is refused.

    Raises:
        ValueError: on more than MAX_DEPTH levels, MAX_VALUES values, integers beyond 63 bits, or keys that are no text.

    >>> check_bounds({"shape": [8, 10**30]})
    Traceback (most recent call last):
    ValueError: expected integers of at most 63 bits, found one of 100 bits; correct the configuration
    """
    waiting, n_values = [(node, 1)], 0
    while waiting:
        value, depth = waiting.pop()
        n_values += 1
        if depth > MAX_DEPTH or n_values > MAX_VALUES:
            raise ValueError(
                f"expected at most {MAX_DEPTH} levels and {MAX_VALUES:,} values in a configuration, found more; "
                "do not use this file"
            )
        if is_whole(value) and abs(value) > MAX_INTEGER:
            raise ValueError(
                f"expected integers of at most 63 bits, found one of {value.bit_length()} bits; "
                "correct the configuration"
            )
        for key in mapping_or_empty(value):
            if not isinstance(key, str):
                raise ValueError(f"expected names as keys, found {key!r}; correct the configuration")
        waiting += [(item, depth + 1) for item in _held_by(value)]


def _null(constant: str) -> None:
    """Return the JSON of NaN or an infinity."""


def to_json(
    value: Any,
    indent: int | None = None,
    sort_keys: bool = False,
    compact: bool = False,
    constant: Callable[[str], Any] = _null,
) -> str:
    """Return plain values as JSON. NaN and infinities, which JSON does not have, become null.

    Args:
        value: numbers, texts, lists and dictionaries.
        indent: spaces of each level; None for one line.
        sort_keys: whether keys are sorted.
        compact: whether to write no spaces.
        constant: gives what to write instead of "NaN", "Infinity" and "-Infinity".

    >>> to_json({"residual": float("nan"), "found": [1, float("inf")]})
    '{"residual": null, "found": [1, null]}'
    """
    separators = (",", ":") if compact else None
    finite = json.loads(json.dumps(value), parse_constant=constant)
    return json.dumps(finite, indent=indent, sort_keys=sort_keys, separators=separators, allow_nan=False)


def from_json(text: str) -> Any:
    """Return the plain values of a stored JSON text, within the bounds of `check_bounds`.

    Raises:
        ValueError: if the text is damaged or out of bounds.

    >>> from_json('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    """
    try:
        values = json.loads(text)
    except RecursionError:
        raise ValueError(f"expected at most {MAX_DEPTH} levels of JSON, found more; do not use this file") from None
    except ValueError as error:
        raise ValueError(f"expected JSON, found a damaged text: {error}; write the file again") from None
    check_bounds(values)
    return values


def from_plain(node: Any, trust: Sequence[str] = (), place: str = "") -> Any:
    """Return the object of a plain form; lists become tuples.

    Args:
        node: plain values, as `to_plain` or a configuration file gives them.
        trust: packages in addition to pdekit whose classes and functions may be called.
        place: key of the values as a user types it ("model"), for error messages; empty for a stored document.

    Raises:
        ValueError: on values out of bounds, a target that may not be named, an unknown option, or a value that the
            class refuses.

    >>> from_plain({"_target_": "pdekit.fields.Grid", "shape": [8], "extent": [1.0]}).shape
    (8,)
    """
    check_bounds(node)
    return _made(node, trust, place)


@singledispatch
def _made(node: Any, trust: Sequence[str], place: str) -> Any:
    return node


@_made.register(list)
@_made.register(tuple)
def _(node, trust, place):
    return tuple(_made(item, trust, f"{place}[{i}]" if place else "") for i, item in enumerate(node))


@_made.register(dict)
def _(node, trust, place):
    inside = f"{place}." if place else ""
    if "_target_" not in node:
        return {key: _made(item, trust, place and inside + key) for key, item in node.items()}
    if not isinstance(node["_target_"], str):
        raise ValueError(f"expected a dotted path as _target_, found {node['_target_']!r}; write package.module.name")
    found = locate(node["_target_"], trust)
    stated = {key: item for key, item in node.items() if key not in ("_target_", "_partial_")}
    options = {key: _made(item, trust, place and inside + key) for key, item in stated.items()}
    check_declared(found, options, node["_target_"], place)
    if node.get("_partial_", False):
        return partial(found, **options) if options else found
    try:
        return found(**options)
    except (TypeError, AttributeError, ArithmeticError, LookupError) as error:
        raise ValueError(
            f"expected all that {with_place(node['_target_'], place)} requires, in the form that it requires, got "
            f"{sorted(options)}: {error}; correct the configuration"
        ) from error


def versions(value: Any) -> dict[str, int]:
    """The versions that the classes (``version``) and modules of functions (``VERSION``) in a value declare.

    A class or module that declares none counts as version 1.
    """
    found: dict[str, int] = {}
    for target in (node["_target_"] for node in mappings_in(to_plain(value)) if "_target_" in node):
        module_name, _, name = target.rpartition(".")
        module = importlib.import_module(module_name)
        declared: Any = getattr(getattr(module, name), "version", None) or getattr(module, "VERSION", 1)
        found[target] = int(declared)
    return dict(sorted(found.items()))
