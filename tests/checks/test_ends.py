"""Which reflections and quarter turns the ends of a box allow."""

import pytest

from pdekit.checks.ends import no_mirror, no_turn
from pdekit.fields import Field, Grid, Problem

VECTOR = (Field("u", vector="velocity"), Field("v", vector="velocity"))
CELLS = Grid((4, 4), (1.0, 1.0), layout=("cells", "cells"))
REST = ("wall no_slip", "wall no_slip")


def box(*boundary, grid=CELLS):
    return Problem(grid, VECTOR, dt=1.0, n_frames=2, boundary=boundary)


@pytest.mark.parametrize(("ends", "axis", "signs", "reason"), [
    ((REST, REST), 0, (-1, 1), ""),
    ((REST, REST), 1, (1, -1), ""),
    ((REST, ("wall no_slip", "wall no_slip 1")), 0, (-1, 1), "slides along itself"),
    ((REST, ("wall no_slip", "wall free_slip")), 0, (-1, 1), ""),
    ((REST, ("wall no_slip", "wall free_slip")), 1, (1, -1), "the ends of the axis y differ"),
    ((("inflow 1", "outflow"), REST), 1, (1, -1), "fluid enters"),
    ((("dirichlet", "dirichlet"), REST), 0, (-1, 1), ""),
    ((("dirichlet 2", "dirichlet 2"), REST), 0, (-1, 1), "a value of one sign"),
    ((("dirichlet 2", "dirichlet 2"), REST), 0, (1, 1), ""),
    ((("neumann 1", "neumann 2"), REST), 1, (1, 1), ""),
])  # fmt: skip
def test_a_reflection_maps_the_ends_of_its_axis_on_each_other(ends, axis, signs, reason):
    found = no_mirror(box(*ends), axis, signs)
    assert reason in found and bool(reason) == bool(found)


@pytest.mark.parametrize(("problem", "reason"), [
    (box(REST, REST), ""),
    (box(REST, ("wall free_slip", "wall free_slip")), "the ends of the axes x and y differ"),
    (box(("wall no_slip 1",) * 2, ("wall no_slip 1",) * 2), "slides along itself"),
    (box(grid=Grid((4, 4), (1.0, 2.0))), "not square"),
    (box(grid=Grid((4, 4), (1.0, 1.0), layout=("cells", "periodic"))), "the ends of the axes x and y differ"),
    (box(grid=Grid((4, 4), (1.0, 1.0), layout=("half_open", "half_open"))), "differ"),
])  # fmt: skip
def test_a_quarter_turn_needs_four_equal_ends(problem, reason):
    found = no_turn(problem)
    assert reason in found and bool(reason) == bool(found)


def test_a_half_open_axis_has_no_reflection():
    grid = Grid((4, 4), (1.0, 1.0), layout=("half_open", "cells"))
    assert "a point at one end only" in no_mirror(box(REST, REST, grid=grid), 0, (-1, 1))
