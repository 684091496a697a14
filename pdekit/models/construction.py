"""The configuration of a model that was constructed in Python, from which it can be built again."""

from __future__ import annotations

import inspect
from typing import Any

from pdekit.models.base import Surrogate
from pdekit.plain import mappings_in, to_plain

PROBLEM = "problem"  # what every method is constructed for; a run stores it by itself


def configuration(model: Surrogate) -> dict[str, Any]:
    """Return the configuration of a model: its class and the options that it was constructed with, as plain values.

    Raises:
        ValueError: if an option has no plain form (a lambda, a net that is constructed already), or the class cannot be
            imported by its name.

    >>> from pdekit.fields import Field, Grid, Problem
    >>> from pdekit.models.baselines.persistence import Persistence
    >>> configuration(Persistence(Problem(Grid((8,), (1.0,)), (Field("u"),), 0.1, 3)))
    {'_target_': 'pdekit.models.baselines.persistence.Persistence'}
    """
    arguments, options = model.arguments
    given = dict(inspect.signature(type(model)).bind(*arguments, **options).arguments)
    if PROBLEM not in given:
        raise ValueError(
            f"expected a method whose constructor takes {PROBLEM}, got {type(model).__name__}, which takes "
            f"{sorted(given)}; name it so"
        )
    del given[PROBLEM]
    plain = {"_target_": to_plain(type(model))["_target_"], **{name: to_plain(item) for name, item in given.items()}}
    _check_importable(plain)
    return plain


def _check_importable(node: Any) -> None:
    """Refuse classes and functions of the script that runs: another process has another script."""
    for target in (str(part.get("_target_", "")) for part in mappings_in(node)):
        if target.startswith("__main__."):
            raise ValueError(
                f"expected classes and functions of modules, got {target}, of the script that runs; move it into "
                "a module and import it"
            )
