"""All rows of a check, in the order of the table."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from pdekit.checks.base import CheckRow
from pdekit.checks.conservation import conservation_rows
from pdekit.checks.domain import domain_rows
from pdekit.checks.engineering import engineering_rows
from pdekit.checks.grid_and_time import grid_rows
from pdekit.checks.locality import locality_rows
from pdekit.checks.members import members_rows
from pdekit.checks.rest import rest_rows
from pdekit.checks.scaling import scaling_rows
from pdekit.checks.symmetry import symmetry_rows
from pdekit.checks.uncertainty import uncertainty_rows
from pdekit.fields import Problem


def rows_of(problem: Problem) -> tuple[CheckRow, ...]:
    """Return all rows of a problem."""
    physical = (*rest_rows(), *symmetry_rows(problem), *scaling_rows(), *conservation_rows(problem))
    return (
        *physical,
        *grid_rows(),
        *locality_rows(),
        *engineering_rows(),
        *domain_rows(),
        *uncertainty_rows(),
        *members_rows(physical),
    )


def chosen_rows(problem: Problem, names: Sequence[str] | None, stochastic: bool = True) -> tuple[CheckRow, ...]:
    """Return the rows of these names.

    Args:
        problem: problem of the surrogate.
        names: names or patterns such as ``symmetry.*``; all rows if None.
        stochastic: False leaves out the rows of members, unless they are named.

    Raises:
        ValueError: if no row has a name.
    """
    rows = rows_of(problem)
    if names is None:
        return tuple(row for row in rows if stochastic or not row.name.startswith("members."))
    for name in names:
        if not any(fnmatchcase(row.name, name) for row in rows):
            known = ", ".join(row.name for row in rows)
            raise ValueError(f"expected rows among {known}, got {name!r}; correct rows=, a pattern is symmetry.*")
    return tuple(row for row in rows if any(fnmatchcase(row.name, name) for name in names))
