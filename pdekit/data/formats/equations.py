"""Equations that a published layout states, named as in a configuration: formats import no equations."""

from __future__ import annotations

from typing import Any

from pdekit.plain import from_plain


def equation(name: str, **parameters: float) -> Any:
    """Return the equation of a class of `pdekit.pdes`.

    Args:
        name: name of the class.
        parameters: values of its fields; those left out keep their defaults.

    Raises:
        ValueError: if there is no such class, or it has no such parameter.

    >>> equation("Burgers", viscosity=0.25)
    Burgers(viscosity=0.25)
    """
    return from_plain({"_target_": f"pdekit.pdes.{name}", **parameters})
