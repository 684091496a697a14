"""Objects that a configuration may name: ``_target_: pdekit.models.one_step.OneStep``.

A configuration may come from an untrusted source: a run folder, the header of weights or a data file. Of
pdekit it may name only classes and functions that carry the mark ``configurable = True`` themselves. They compute from
numbers and from one another; none of them takes a path, a target or trust. Every object that a package of the user
defines may be named once the person who types the command trusts that package.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import FunctionType
from typing import Any

HOME = "pdekit"
MARK = "configurable"
"""Attribute of the classes and functions of pdekit that a configuration may name."""


def is_configurable(target: Any) -> bool:
    """Return whether a class or function carries the mark itself; a mark of a base class does not count.

    >>> from pdekit.fields import Grid
    >>> is_configurable(Grid), is_configurable(locate)
    (True, False)
    """
    return isinstance(target, (type, FunctionType)) and vars(target).get(MARK) is True


def locate(path: str, trust: Sequence[str] = ()) -> Any:
    """Return the object of a dotted path if pdekit marks it as configurable, or a trusted package defines it.

    The module that defines the object decides, not the path: ``pdekit.machine.os.system`` is not of pdekit.

    Args:
        path: package.module.name.
        trust: packages in addition to pdekit whose objects may be named. Their modules are imported.

    Raises:
        ValueError: if the target does not exist, is defined elsewhere, or is of pdekit and not configurable.

    >>> locate("pdekit.fields.Field").__name__
    'Field'
    """
    allowed = (HOME, *trust)
    module_name, _, name = path.rpartition(".")
    if not _within(module_name, allowed):
        raise ValueError(
            f"expected a target of {' or '.join(allowed)}, found {path!r}; a configuration may not name other code: "
            f"if it is yours, add trust={path.partition('.')[0]} to the command line"
        )
    try:
        target = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"expected the target {path!r} to exist, found: {error}; correct _target_") from error
    home = getattr(target, "__module__", None) or ""
    if not callable(target) or not _within(home, allowed):
        raise ValueError(
            f"expected a class or function defined in {' or '.join(allowed)}, found {path!r} of {home or 'no module'}; "
            "name it where it is defined"
        )
    if _within(home, (HOME,)) and not is_configurable(target):
        raise ValueError(
            f"expected a class or function that is meant for configurations (it has the mark {MARK} = True), found "
            f"{path!r}; correct _target_"
        )
    return target


def _within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)
