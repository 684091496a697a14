"""Still pictures and profiles: what is in them, and on which scales."""

import base64
import io

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from pdekit.report.charts.colours import scales
from pdekit.report.charts.curves import Line
from pdekit.report.charts.scene import Scene
from pdekit.report.sections.kept import colour_bars, difference, maps, profiles, space_times


def kept_of(shape, n_time=4, members=False):
    dims = ("x", "y", "z")[: len(shape)]
    rng = np.random.default_rng(0)
    values = 1 + rng.uniform(size=(2, 2, 2, n_time, *shape))
    data = xr.Dataset(
        {"u": (("model", "member", "sample", "time", *dims), values, {"units": "K"})},
        {"model": ["reference", "fno"], "time": 0.5 * np.arange(1, n_time + 1),
         **{d: np.arange(n) / n for d, n in zip(dims, shape, strict=True)}},
    )  # fmt: skip
    return data if members else data.isel(member=0)


def scene_of(shape, **options):
    return Scene(kept_of(shape, **options), (True,) * len(shape))


def pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


@pytest.mark.parametrize("members", [False, True])
def test_maps_show_reference_forecast_and_difference_at_the_times_asked_for(members):
    scene = scene_of((64, 64), members=members)
    (view,) = maps(scene, ["fno"], (0.5, 2.0))
    assert view.heads == ("t = 0.5", "t = 2") and [label for label, _ in view.rows] == [
        "reference",
        "fno",
        "difference",
    ]
    first = scene.kept.u.isel(sample=0, time=0)
    first = first.isel(member=0) if members else first
    reference, forecast = (first.sel(model=m).values for m in ("reference", "fno"))
    known = scene.kept.u.isel(sample=0).sel(model="reference")
    scale, error_scale = scales((known.isel(member=0) if members else known).values)
    assert (pixels(view.rows[1][1][0][0]) == scale.rgba(forecast.T[::-1])).all(), "the reference's scale"
    assert (pixels(view.rows[2][1][0][0]) == error_scale.rgba((forecast - reference).T[::-1])).all()
    assert view.rows[1][1][0][1] == "fno at t = 0.5, u", "said in words"
    assert [bar.label for bar in view.bars] == ["u (K)", "difference of u (K)"]


def test_blocks_have_a_view_for_each_plane():
    views = maps(scene_of((4, 6, 8)), ["fno"], (1.0,))
    assert [view.choice for view in views] == [("u", "z = 0.5"), ("u", "y = 0.5"), ("u", "x = 0.5")]


def test_steady_problems_have_one_row_with_what_is_given():
    kept = kept_of((8, 8), n_time=1)
    kept["kappa"] = (("sample", "x", "y"), np.ones((2, 8, 8)), {"units": "W"})
    (view,) = maps(Scene(kept, (True, True)), ["fno"], (0.5,))
    assert view.heads == ("given: kappa", "reference", "fno", "difference") and len(view.rows) == 1
    assert [bar.label for bar in view.bars] == ["kappa (W)", "u (K)", "difference of u (K)"]


@pytest.mark.parametrize("members", [False, True])
def test_lines_are_seen_over_time_and_as_profiles(members):
    scene = scene_of((64,), members=members, n_time=70)
    (view,) = space_times(scene, ["fno"])
    assert [label for label, _ in view.rows] == ["reference", "fno", "difference"]
    assert pixels(view.rows[0][1][0][0]).shape == (64, 70, 4)
    assert (view.across.low, view.across.high) == (0.25, 35.25)
    charts = profiles(scene, {"fno": Line(1)}, (0.5, 35.0))
    assert len(charts) == 2 and "t = 0.5" in charts[0] and "t = 35" in charts[1] and "u (K)" in charts[0]


@pytest.mark.parametrize("members", [False, True])
def test_systems_without_space_are_seen_in_time(members):
    (chart,) = profiles(scene_of((), members=members), {"fno": Line(1)}, (0.5,))
    assert "lead time" in chart and "<title>reference</title>" in chart


def test_what_has_diverged_stays_so_and_a_hole_stays_one():
    found = difference(np.array([1.0, np.inf, np.nan]), np.array([0.5, 1.0, np.nan]))
    assert found[0] == 0.5 and found[1] == np.inf and np.isnan(found[2])


def test_a_shared_scale_has_one_bar():
    shared = scales(np.array([-1.0, 1.0]))
    assert [bar.label for bar in colour_bars(*shared, "u", "1")] == ["u, and its difference"]
    assert [bar.low for bar in colour_bars(*scales(np.array([280.0, 300.0])), "T", "K")] == ["280", "−10"]
