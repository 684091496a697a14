"""Geometry: planes through boxes, rasters of meshes, and what lies outside."""

import numpy as np
import pytest
import xarray as xr

from pdekit.report.charts.scene import PIXELS, Scene, SceneAxis, triangles

RNG = np.random.default_rng(0)


def box(shape, **more):
    dims = ("x", "y", "z")[: len(shape)]
    values = RNG.normal(size=(2, 1, 3, *shape))
    coords = {dim: np.arange(n) / n for dim, n in zip(dims, shape, strict=True)}
    return xr.Dataset(
        {"u": (("model", "sample", "time", *dims), values, {"units": "K"}), **more},
        {"model": ["reference", "fno"], "time": [0.1, 0.2, 0.3], **coords},
    )


def test_a_square_has_one_plane_whose_axes_end_half_a_square_out():
    scene = Scene(box((8, 4)), (True, False))
    (plane,) = scene.planes
    assert (plane.across.low, plane.across.high) == (-1 / 16, 15 / 16) and plane.periodic == (True, False)
    assert scene.fields == ["u"] and scene.unit("u") == "K" and scene.seen and scene.inputs == []
    values = scene.values(scene.kept.u.sel(model="fno"), plane, 0)
    assert (values == scene.kept.u.sel(model="fno").values[0]).all()
    assert all(0 <= place <= 100 for _, place in plane.across.marks)


@pytest.mark.parametrize(
    "low, high, label, marks",
    [
        (-6.4e-4, 6.4e-4, "x · 10⁶", ["−500", "0", "500"]),
        (0.0, 5e4, "x · 10⁻³", ["0", "20", "40"]),
        (-150.0, 150.0, "x", ["−100", "0", "100"]),
    ],
)
def test_very_small_and_large_coordinates_are_in_powers_of_a_thousand(low, high, label, marks):
    axis = SceneAxis.of("x", low, high)
    assert (axis.low, axis.high, axis.label) == (low, high, label)
    assert [text for text, _ in axis.marks] == marks
    assert [place for _, place in axis.marks if place == pytest.approx(50)] or low == 0


def test_a_block_has_three_planes_that_meet_in_the_middle():
    scene = Scene(box((4, 6, 8)), (True, True, False))
    assert [plane.dims for plane in scene.planes] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert [plane.title for plane in scene.planes] == ["z = 0.5", "y = 0.5", "x = 0.5"]
    u = scene.kept.u.sel(model="fno")
    found = [scene.values(u, plane, 0) for plane in scene.planes]
    assert (found[1] == u.values[0][:, :, 3, :]).all() and (found[2] == u.values[0][:, 2]).all()
    assert found[0][0, 2, 3] == found[1][0, 2, 4] == found[2][0, 3, 4], "the point where they meet"


def test_outside_of_a_mask_is_a_hole_and_what_diverges_inside_is_not():
    mask = np.ones((1, 1, 4, 4))
    mask[0, 0, 1, 2] = 0
    kept = box((4, 4), mask=(("sample", "field", "x", "y"), mask)).assign_coords(field=["u"])
    kept.u[1, 0, 2, 3, 3] = np.nan
    scene = Scene(kept, (False, False))
    values = scene.values(kept.u.sel(model="fno"), scene.planes[0], 0)
    assert np.isnan(values[:, 1, 2]).all() and np.isnan(values).sum() == 3 and np.isposinf(values[2, 3, 3])


def test_where_the_reference_is_nan_there_is_a_hole_too():
    kept = box((4, 4))
    kept.u[0, :, :, 0, 0] = np.nan
    scene = Scene(kept, (False, False))
    assert np.isnan(scene.values(kept.u.sel(model="fno"), scene.planes[0], 0)[:, 0, 0]).all()


def test_given_fields_are_found_by_their_dimensions():
    kept = box(
        (4, 4), permeability=(("sample", "x", "y"), np.ones((1, 4, 4))), mask=(("sample", "x", "y"), np.ones((1, 4, 4)))
    )
    assert Scene(kept, (False, False)).inputs == ["permeability"]


def mesh(points, cells=None, real=None):
    n = len(points)
    kept = xr.Dataset(
        {
            "u": (
                ("model", "sample", "time", "point"),
                np.tile(points @ [1.0, 2.0, 0.0][: points.shape[1]], (2, 1, 1, 1)),
            ),
            "points": (("sample", "point", "dim"), points[None]),
        },
        {"model": ["reference", "fno"], "time": [1.0], "point": np.arange(n)},
    )
    if cells is not None:
        kept["cells"] = (("sample", "cell", "corner"), np.asarray(cells)[None])
    if real is not None:
        kept["point_mask"] = (("sample", "point"), np.asarray(real)[None])
    return Scene(kept, (False, False))


def test_a_linear_field_on_triangles_is_exact_inside_and_blank_outside():
    points = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]])
    scene = mesh(points, [[0, 1, 4], [1, 2, 4], [2, 3, 4], [0, 0, 0]])  # a quarter is missing; one cell is padding
    (plane,) = scene.planes
    (picture,) = scene.values(scene.kept.u.sel(model="fno"), plane, 0)
    assert picture.shape == (PIXELS, PIXELS)
    at = (np.arange(PIXELS) + 0.5) / PIXELS
    x, y = np.meshgrid(at, at, indexing="ij")
    inside = np.isfinite(picture)
    assert np.allclose(picture[inside], (x + 2 * y)[inside], atol=1e-12)
    missing = (x < y - 0.01) & (x < 1 - y - 0.01)
    assert not inside[missing].any() and inside.mean() == pytest.approx(0.75, abs=0.02)


def test_points_without_cells_are_discs():
    points = RNG.uniform(size=(200, 2))
    real = np.r_[np.ones(150), np.zeros(50)]
    scene = mesh(points, real=real)
    (picture,) = scene.values(scene.kept.u.sel(model="fno"), scene.planes[0], 0)
    seen = np.unique(picture[np.isfinite(picture)])
    assert set(seen) <= set(points[:150] @ [1.0, 2.0]) and len(seen) > 120, "padding is never seen"
    assert 0.4 < np.isfinite(picture).mean() < 1


def test_points_in_space_are_seen_in_three_slabs():
    scene = mesh(RNG.uniform(size=(3000, 3)))
    assert [plane.title for plane in scene.planes] == [f"middle slab in {axis}" for axis in "zyx"]
    (picture,) = scene.values(scene.kept.u.sel(model="fno"), scene.planes[0], 0)
    assert np.isfinite(picture).mean() > 0.3


def test_quadrangles_are_two_triangles():
    assert triangles(np.array([[3, 2, 1, 0]])).tolist() == [[3, 2, 1], [3, 1, 0]]


def test_no_pictures_without_space_or_places():
    assert not Scene(box(()), ()).seen and Scene(box(()), ()).planes == ()
    assert not Scene(box((5,)), (True,)).seen
    blind = mesh(np.eye(2)).kept.drop_vars("points")
    assert not Scene(blind, ()).seen
