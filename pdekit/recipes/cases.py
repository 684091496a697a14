"""A recipe of samples that are solved as wholes: a case (equation, geometry, random inputs, solver) on a grid."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from pdekit.boundaries import boundary_of, sides_of
from pdekit.cases.base import Case
from pdekit.plain import versions
from pdekit.recipes.base import BaseRecipe


@dataclass(frozen=True, kw_only=True)
class SolvedRecipe(BaseRecipe):
    """Recipe of a dataset of a case; see `BaseRecipe` for what all recipes share.

    Args:
        case: the case to draw and solve. The hash covers its numbers, and the versions of case and equation.
        chunk: samples of one file of an unfinished dataset: what is lost when a run is interrupted.

    Raises:
        ValueError: if a parameter of the case is none of its equation, or has the name of a coefficient or field, or if
            the equation is ill-posed for the numbers of the case, or the boundary is not that of the case.
    """

    configurable = True

    case: Case
    chunk: int = 8

    def __post_init__(self):
        super().__post_init__()
        self.case.pde.check()
        self._check_ends()
        known = [item.name for item in dataclasses.fields(self.case.pde)]
        for name in self.case.params:
            if name not in known:
                raise ValueError(
                    f"expected params of {type(self.case).__name__} among the fields {known} of its equation, got "
                    f"{name!r}; add the field to the equation"
                )
            for kind, items in (("coefficient", self.case.pde.coeffs), ("field", self.case.pde.fields)):
                if name in [item.name for item in items]:
                    raise ValueError(
                        f"expected different names, got a parameter and a {kind} {name!r} of "
                        f"{type(self.case).__name__}: an equation could not distinguish them; rename the parameter"
                    )

    def _check_ends(self) -> None:
        """Raise ValueError if the boundary is another one than the case solves with."""
        sides = sides_of(self.boundary, self.grid.layout, self.grid.axes) if self.boundary else ()
        solved = self.case.all_ends
        for end in (end for ends in sides for end in ends):
            if solved is not None and end != boundary_of(solved):
                raise ValueError(
                    f"expected {solved} on all sides, as the ends of the case say, got '{end}' in the boundary; set "
                    "boundary and case.ends alike"
                )

    @property
    def simulator(self) -> Case:
        return self.case

    def frames_of(self, split: str) -> int:
        return self.case.n_frames

    def uncoupled(self) -> SolvedRecipe | None:
        case, count = self.case.uncoupled(), {"train": 1, "valid": 1, "test": self.n_trajectories["test"]}
        return None if case is None else dataclasses.replace(self, case=case, n_trajectories=count)

    def versions(self) -> dict[str, int]:
        """Versions of what the recipe names, and of the equation, which the case makes itself."""
        return {**super().versions(), **versions(self.case.pde)}
