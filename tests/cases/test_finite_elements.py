"""The shared pieces of finite-element cases: mesh, values on a grid, knob."""

import sys
from math import pi

import numpy as np
import pytest

from pdekit.cases.base import COUPLING, coupling_strength
from pdekit.cases.finite_elements import (
    Ellipse,
    real_and_imaginary,
    require_ngsolve,
    square_mesh,
    values_on_grid,
)
from pdekit.fields import Grid

ELLIPSE = Ellipse((0.3, 0.15), (0.1, -0.05), 0.5)
CELLS = Grid((32, 24), (2.0, 2.0), (-1.0, -1.0), ("cells", "cells"))


def test_a_missing_library_is_said_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "ngsolve", None)
    with pytest.raises(ImportError, match=r"pdekit\[fem\]"):
        require_ngsolve()


def test_the_knob_has_four_settings():
    strengths = dict(zip(COUPLING, (0.0, 0.1, 1.0, 10.0), strict=True))
    assert [coupling_strength(name, strengths) for name in ("off", "weak", "published", "strong")] == [0, 0.1, 1, 10]
    with pytest.raises(ValueError, match="'on'"):
        coupling_strength("on", strengths)


def test_an_ellipse_is_turned_counter_clockwise():
    upright = Ellipse((2.0, 1.0), angle=pi / 2)
    assert np.allclose(upright.place(1.0, 0.0), (0.0, 2.0)) and np.isclose(upright.level(0.0, 2.0), 1.0)
    assert upright.level(0.0, 1.5) < 1 < upright.level(1.5, 0.0)
    assert np.isclose(ELLIPSE.level(*ELLIPSE.place(np.cos(1.2), np.sin(1.2))), 1.0)


def test_curved_boundaries_have_the_area_and_length_of_the_ellipse():
    ng = pytest.importorskip("ngsolve")
    errors = []
    for order in (1, 2, 4):
        mesh = square_mesh(2.0, ELLIPSE, 0.4, order, ring=0.2)
        inside = ng.Integrate(mesh.MaterialCF({"inside": 1.0}, default=0.0), mesh)
        errors.append(abs(inside - pi * 0.3 * 0.15) / (pi * 0.3 * 0.15))
        assert np.isclose(ng.Integrate(ng.CF(1), mesh), 2.4**2)
        assert np.isclose(ng.Integrate(ng.CF(1), mesh, definedon=mesh.Boundaries("left|top")), 4.0)
        assert np.isclose(ng.Integrate(ng.CF(1), mesh, definedon=mesh.Boundaries("outer")), 9.6)
    assert errors[0] > 1e-2 and errors[1] < 1e-3 and errors[2] < 1e-5


@pytest.mark.parametrize("hole", [True, False])
def test_normals_point_out_of_the_square_and_out_of_the_ellipse(hole):
    ng = pytest.importorskip("ngsolve")
    mesh = square_mesh(2.0, ELLIPSE, 0.4, 4, hole=hole)
    normal = ng.specialcf.normal(2)
    assert np.isclose(ng.Integrate(normal[0], mesh, definedon=mesh.Boundaries("right")), 2.0)
    outward = ng.CF((ng.x, ng.y)) * normal
    assert np.isclose(ng.Integrate(outward, mesh, definedon=mesh.Boundaries("ellipse")), 2 * pi * 0.045, rtol=1e-4)


@pytest.mark.parametrize("hole", [True, False])
def test_values_stand_at_their_points_and_the_mask_is_the_geometry(hole):
    ng = pytest.importorskip("ngsolve")
    mesh = square_mesh(2.0, ELLIPSE, 0.4, 4, ellipse_size=0.1, hole=hole)
    values, mask = values_on_grid([ng.x * ng.x, ng.CF((ng.y, 1j * ng.x))], mesh, CELLS, ["outside"])
    x, y = (column.numpy() for column in CELLS.mesh())
    expected = ELLIPSE.level(x, y) > 1
    assert (mask == expected).all() and 0 < expected.mean() < 1
    for channel, exact in zip(values, (x * x, y, 1j * x), strict=True):
        assert np.abs(channel - exact * expected).max() < 1e-13


def test_no_element_of_the_ring_crosses_the_lines_of_the_square():
    """An absorbing layer has its kinks there: crossed, they cost a factor of ten in the field of a scatterer."""
    pytest.importorskip("ngsolve")
    mesh = square_mesh(2.0, ELLIPSE, 0.5, 2, ring=0.3)
    assert set(mesh.GetMaterials()) == {"outside", "inside", "ring"}
    for element in mesh.Elements():
        corners = np.array([mesh[vertex].point for vertex in element.vertices])
        for axis in range(2):
            for line in (-1.0, 1.0):
                beyond = corners[:, axis] - line
                assert (beyond <= 1e-12).all() or (beyond >= -1e-12).all()
        within = (abs(corners) <= 1 + 1e-12).all()
        assert (element.mat == "ring") == (not within)


def test_points_outside_of_the_mesh_have_no_value():
    ng = pytest.importorskip("ngsolve")
    mesh = square_mesh(1.0, Ellipse((0.2, 0.2)), 0.4, 2)
    values, mask = values_on_grid([ng.CF(3.0)], mesh, CELLS)
    x, y = (column.numpy() for column in CELLS.mesh())
    assert (mask == ((abs(x) < 0.5) & (abs(y) < 0.5))).all() and (values[0] == 3 * mask).all()
    far = Grid((3, 4), (1.0, 1.0), (5.0, 5.0), ("cells", "cells"))
    values, mask = values_on_grid([ng.CF((1.0, 2.0))], mesh, far)
    assert values.shape == (2, 3, 4) and not values.any() and not mask.any()


def test_complex_channels_become_pairs():
    values = np.arange(6).reshape(2, 3) * (1 + 2j)
    pairs = real_and_imaginary(values)
    assert pairs.shape == (4, 3) and (pairs[2] == values[1].real).all() and (pairs[1] == values[0].imag).all()
