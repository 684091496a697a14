"""Packed forecasts: what the page unpacks is what was kept, to the width of a step."""

import base64
import json
import zlib

import numpy as np
import pytest
import xarray as xr

from pdekit.report.charts.scene import Scene
from pdekit.report.viewer import MOST_VALUES, STEPS, pack, viewer


def unpack(block):
    """As viewer.js does it."""
    low, high, shape, text = block
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(2, -1).astype(np.uint16)
    codes = np.cumsum((planes[0] + 256 * planes[1]).reshape(shape), axis=0, dtype=np.uint16)
    values = low + (high - low) * (codes.astype(float) - 2) / STEPS
    return np.where(codes == 0, np.nan, np.where(codes == 1, np.inf, values))


def test_what_is_packed_comes_back():
    values = np.cumsum(np.random.default_rng(0).normal(size=(9, 5, 6)), 0)
    values[3:, 1, 1] = np.inf
    values[:, 2, 2] = np.nan
    low, high = np.nanmin(values), values[np.isfinite(values)].max()
    found = unpack(pack(values, low, high))
    assert (np.isnan(found) == np.isnan(values)).all() and (np.isinf(found) == np.isinf(values)).all()
    finite = np.isfinite(values)
    assert np.abs(found[finite] - values[finite]).max() <= 0.51 * (high - low) / STEPS


def test_a_forecast_that_runs_away_keeps_its_first_frames_readable():
    values = np.linspace(-1, 1, 12).reshape(1, 3, 4) * 10.0 ** np.arange(9).reshape(-1, 1, 1)
    found = unpack(pack(values, -1.0, 1.0))
    assert np.abs(found[0] - values[0]).max() < 0.01 and found[-1].max() == pytest.approx(9, rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
def test_constant_fields_are_packed(value):
    found = unpack(pack(np.full((2, 3, 3), value), 0.0, 1.0))
    assert found == pytest.approx(np.full((2, 3, 3), value), abs=1e-3, nan_ok=True)


def kept_of(shape, n_time=5, n_sample=3, n_member=None, models=("reference", "fno", "solver")):
    dims = [*(["member"] if n_member else []), "sample", "time", *("x", "y", "z")[: len(shape)]]
    sizes = [*([n_member] if n_member else []), n_sample, n_time, *shape]
    values = np.random.default_rng(1).normal(size=(len(models), *sizes)).astype("f4")
    if n_member:
        values[[0, 2], 1:] = np.nan  # only the surrogate has members
    coords = {d: np.linspace(0, 1, n) for d, n in zip(("x", "y", "z"), shape, strict=False)}
    return xr.Dataset(
        {"u": (("model", *dims), values, {"units": "K"})},
        {"model": list(models), "time": 0.1 * np.arange(1, n_time + 1), **coords},
    )


def made(kept, models=("fno", "solver")):
    view = viewer(kept, Scene(kept, (True,) * (len(kept.u.dims) - 3 - ("member" in kept.dims))), list(models))
    return view, json.loads(view.data)


def test_every_choice_has_its_block():
    kept = kept_of((6, 8), n_member=3)
    view, data = made(kept)
    assert view.kind == "map" and view.members == 3 and data["members"] == [3, 1]
    for sample in range(3):
        for row, model in enumerate(("reference", "fno", "solver")):
            for member in range(3 if model == "fno" else 1):
                block = data["blocks"][f"0|{sample}|0|{row - 1}|{member}"]
                exact = kept.u.sel(model=model).isel(member=member, sample=sample).values
                assert np.abs(unpack(block) - exact).max() < 2e-3
    assert len(data["blocks"]) == 3 * (1 + 3 + 1)


def test_a_line_has_rows_of_time_and_charts_to_fill():
    view, data = made(kept_of((16,)))
    assert view.kind == "line" and data["blocks"]["0|0|0|0|0"][2] == [5, 1, 16]
    ((svg, span),) = view.profiles
    assert "live-reference" in svg and "live-forecast" in svg and len(json.loads(span)) == 4


def test_given_fields_of_steady_problems_are_packed():
    kept = kept_of((6, 8), n_time=1)
    kept["kappa"] = (("sample", "x", "y"), np.random.default_rng(2).normal(size=(3, 6, 8)), {"units": "W/m/K"})
    view, data = made(kept)
    assert view.inputs == ("kappa",) and data["inputs"][0]["unit"] == "W/m/K"
    assert np.abs(unpack(data["blocks"]["input 0|2|0"])[0] - kept.kappa.values[2]).max() < 2e-3


def test_what_does_not_fit_is_thinned_and_stays_in_order():
    kept = kept_of((96, 96), n_time=80)
    view, data = made(kept)
    count = sum(np.prod(block[2]) for block in data["blocks"].values())
    assert count <= MOST_VALUES and view.times[0] == kept.time[0] and view.times[-1] == kept.time[-1]
    assert (np.diff(view.times) > 0).all() and data["blocks"]["0|0|0|0|0"][2][1:] == [96, 96]


def test_nothing_to_paint():
    assert viewer(kept_of(()), Scene(kept_of(()), ()), ["fno"]) is None
    assert viewer(kept_of((8,), n_time=1), Scene(kept_of((8,), n_time=1), (True,)), ["fno"]) is None
