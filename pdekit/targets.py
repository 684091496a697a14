"""What a configuration may name: ``_target_: pdekit.models.one_step.OneStep``.

A configuration is somebody's file, so only objects that *pdekit itself defines* may be named; a package of one's
own needs to be trusted by the person who types the command.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

HOME = "pdekit"


def locate(path: str, trust: Sequence[str] = ()) -> Any:
    """The object of a dotted path, refused unless pdekit or a trusted package defines it.

    The place of definition decides, not the path: ``pdekit.machine.os.system`` is not pdekit's.

    Args:
        path: package.module.name.
        trust: packages, beside pdekit, whose objects may be named.

    Raises:
        ValueError: if the target is not defined in pdekit or a trusted package, or does not exist.

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
    return target


def _within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)
