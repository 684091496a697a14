"""Measures, judges and sections of a report that a user wrote outside of pdekit, by entry point or by dotted path."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import metadata
from typing import Any

from pdekit.targets import locate


def own_object(kind: str, name: str, known: Collection[str], trust: Sequence[str] = ()) -> Any:
    """Return what an installed package of the user offers under a name, or what a dotted path of it names.

    Only entry points that are named are loaded. A path needs trust in its package, as every target of a configuration.

    Args:
        kind: "measures", "judges" or "sections": entry points belong to the group ``pdekit.KIND``.
        name: name of the entry point, or package.module.name.
        known: names that pdekit itself has, for the error message.
        trust: packages whose objects may be named by a path.

    Raises:
        ValueError: if there is none of that name, or its package is not trusted.
    """
    found = tuple(metadata.entry_points(group=f"pdekit.{kind}", name=name))
    if found:
        return found[0].load()
    if "." in name:
        return locate(name, trust)
    there = [*known, *metadata.entry_points(group=f"pdekit.{kind}").names]
    raise ValueError(
        f"expected {kind} among {', '.join(there) or 'entry points'}, or package.module.name, got {name!r}; correct "
        f"{kind}=[...]"
    )
