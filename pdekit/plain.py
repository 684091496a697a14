"""Objects as plain values (what JSON and YAML hold) and back, without pickle.

A frozen dataclass becomes ``{"_target_": "module.Class", field: value, ...}``, a function or a partial
``{"_target_": "module.function", "_partial_": True, option: value, ...}``. This is the form of the configuration
files, of the equation stored with a dataset and of what a recipe's hash covers.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial, singledispatch
from types import FunctionType
from typing import Any

from pdekit.targets import locate


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


@to_plain.register(FunctionType)
def _(value):
    if "<" in value.__qualname__:
        raise ValueError(f"expected a function defined in a module, got {_name(value)}; define it at the top of a file")
    return {"_target_": _name(value), "_partial_": True}


def from_plain(node: Any, trust: Sequence[str] = ()) -> Any:
    """The object of a plain form; lists become tuples.

    Args:
        node: plain values, as `to_plain` or a configuration file gives them.
        trust: packages beside pdekit whose classes and functions may be called.

    Raises:
        ValueError: on a target outside the trusted packages, an unknown option, or a value that the class refuses.

    >>> from_plain({"_target_": "pdekit.fields.Grid", "shape": [8], "extent": [1.0]}).shape
    (8,)
    """
    if isinstance(node, (list, tuple)):
        return tuple(from_plain(item, trust) for item in node)
    if not isinstance(node, dict):
        return node
    options = {key: from_plain(item, trust) for key, item in node.items() if key not in ("_target_", "_partial_")}
    if "_target_" not in node:
        return options
    found = locate(node["_target_"], trust)
    _check_options(found, options, node["_target_"])
    if node.get("_partial_", False):
        return partial(found, **options) if options else found
    try:
        return found(**options)
    except TypeError as error:
        raise ValueError(f"expected all that {node['_target_']} requires, got {sorted(options)}: {error}") from None


def _check_options(found: Callable, options: dict, target: str) -> None:
    known = list(inspect.signature(found).parameters)
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else "remove it"
            raise ValueError(f"expected options of {target} among {known}, got {option!r}; {hint}")


def versions(value: Any) -> dict[str, int]:
    """The versions that the classes (``version``) and modules of functions (``VERSION``) in a value declare.

    A class or module that declares none counts as version 1.
    """
    found: dict[str, int] = {}
    _collect_versions(to_plain(value), found)
    return dict(sorted(found.items()))


def _collect_versions(node: Any, found: dict[str, int]) -> None:
    if isinstance(node, list):
        for item in node:
            _collect_versions(item, found)
    if isinstance(node, dict):
        if "_target_" in node:
            module_name, _, name = node["_target_"].rpartition(".")
            module = importlib.import_module(module_name)
            declared = getattr(getattr(module, name), "version", None) or getattr(module, "VERSION", 1)
            found[node["_target_"]] = int(declared)
        for item in node.values():
            _collect_versions(item, found)
