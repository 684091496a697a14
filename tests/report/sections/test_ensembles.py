"""Charts of ensembles and physics: what is drawn, from scores whose meaning is known."""

import numpy as np
import pytest
import xarray as xr

from pdekit.report.charts.curves import Line
from pdekit.report.sections.ensembles import ensemble_choice, ensembles_of, horizons
from pdekit.report.sections.physics import floor_share, physics_choice, physics_words
from pdekit.report.variables import variables

TIMES = np.arange(1.0, 6)
SHOWN = {"refiner": Line(1), "fno": Line(2)}


def scores_of(floor=0.01):
    """Two models, of which one is an ensemble of three members; four samples; correlation falls by 0.1 n a frame."""
    sample = np.arange(1, 5)[:, None]
    fall = 1 - 0.05 * sample * TIMES
    blank = np.full((4, 5, 1), np.nan)
    members = np.stack([fall + shift for shift in (-0.01, 0.0, 0.01)])[..., None]
    alone = np.concatenate([fall[None, ..., None] - 0.1, np.full((2, 4, 5, 1), np.nan)])
    ensemble = ("model", "sample", "time", "field")
    variables = {
        name: (ensemble, np.stack([np.broadcast_to(value, (4, 5))[..., None], blank]))
        for name, value in {"crps": 0.1 * TIMES, "spread": 0.2 * TIMES, "skill": 0.3 * TIMES, "agreement": fall}.items()
    }
    variables |= {
        "correlation": (("model", "member", "sample", "time", "field"), np.stack([members, alone])),
        "rank_histogram": (("model", "field", "rank"), [[[0.4, 0.1, 0.1, 0.4]], [[np.nan] * 4]]),
        "lead_time": (("sample", "time"), np.tile(TIMES, (4, 1))),
        "unit": ("field", ["m/s"]),
        "residual_floor": (("sample", "time"), np.full((4, 5), floor)),
        "residual_scale": (("sample", "time"), np.ones((4, 5))),
        "residual_norm": (("model", "sample", "time"), np.full((2, 4, 5), 0.5)),
        "integral_value": (("model", "sample", "time", "integral"), np.ones((2, 4, 5, 1))),
        "integral_reference": (("sample", "time", "integral"), np.ones((4, 5, 1))),
    }
    coords = {"model": ["refiner", "fno"], "time": TIMES, "field": ["u"], "rank": range(4), "integral": ["mass"]}
    return xr.Dataset(variables, coords)


def test_models_without_an_ensemble_are_left_out():
    scores = scores_of()
    assert ensembles_of(scores) == ["refiner"]
    assert ensembles_of(scores.drop_vars("spread")) == []
    (part,) = ensemble_choice(scores, SHOWN).parts
    charts = part.charts
    assert len(charts) == 4 and all("var(--series-1)" in chart and "var(--series-2)" not in chart for chart in charts)
    assert "spread, skill of u (m/s)" in charts[1]


def test_members_predict_the_horizon():
    predicted, held = horizons(scores_of(), "refiner")
    expected = [5, 2, 4 / 3, 1]  # where 1 - 0.05 n t falls to 0.8; the first outlasts the horizon only just
    assert predicted[1:] == pytest.approx(expected[1:]) and held[1:] == pytest.approx(expected[1:], abs=0.02)


def test_a_floor_that_is_too_high_is_said_instead_of_a_judgement():
    assert floor_share(scores_of(0.02)) == pytest.approx(0.02)
    assert "under it nothing is known" in physics_words(scores_of(0.02))
    assert "frames are too far apart" in physics_words(scores_of(0.3))
    assert physics_words(scores_of().drop_vars("residual_floor")) == ""


def physics_of(scores, names=("refiner", "fno")):
    chosen = physics_choice(scores, {name: SHOWN[name] for name in names}, variables(scores))
    return {part.choice[0]: part.charts[0] for part in chosen.parts}


def test_physics_is_drawn_for_what_there_is():
    scores = scores_of()
    charts = physics_of(scores)
    assert set(charts) == {"residual norm", "integral: mass"}
    assert "/ ‖∂u/∂t‖" in charts["residual norm"] and "floor" in charts["residual norm"]
    assert "mass of the field" in charts["integral: mass"] and "reference" in charts["integral: mass"]
    assert set(physics_of(scores.drop_dims("integral"))) == {"residual norm"}
    assert physics_of(scores.drop_dims("integral").drop_vars("residual_norm")) == {}


def test_residuals_of_regions_have_a_chart_each():
    scores = scores_of()
    region = np.array(["interior", "boundary", "interface"])
    values = np.full((2, 4, 5, 3), 0.5)
    values[..., 2] = np.nan  # no interface here
    scores["region_residual"] = (("model", "sample", "time", "region"), values)
    scores = scores.assign_coords(region=region)
    scores["region_residual_floor"] = (("sample", "time", "region"), np.full((4, 5, 3), 0.1))
    charts = physics_of(scores, ("fno",))
    assert "region residual: interior" in charts and "region residual: boundary" in charts
    assert "region residual: interface" not in charts, "nothing to draw"
    assert "floor" in charts["region residual: boundary"]
