"""Tables and charts of measures: every variable of the scores has its place, and the numbers are the right ones."""

import json

import numpy as np
import pytest
import xarray as xr

from pdekit.report.charts.curves import Line, Panel
from pdekit.report.sections.fields import MEAN, marked, measure_choice, measure_tables
from pdekit.report.sections.published import SUMMARIES, published_table
from pdekit.report.sections.resolutions import resolution_tables
from pdekit.report.sections.statistics import profile_chart, profile_choice, total_tables
from pdekit.report.variables import variables

SHOWN = {"fno": Line(1), "mean": Line(7)}
T = np.arange(1.0, 33)
FRAME = ("model", "member", "sample", "time", "field")


def scores_of():
    """nRMSE 0.01 n and 0.5 in two fields; a spectrum, statistics, a cascade and another grid."""
    grow = np.broadcast_to((0.01 * T)[:, None], (2, 1, 3, 32, 2)).copy()
    grow[1] = 0.5
    shells = np.arange(6.0)
    spectrum = np.broadcast_to(1 / (1 + shells) ** 4, (2, 1, 3, 32, 2, 6))
    values = np.sort(np.random.default_rng(0).normal(size=(2, 3, 2, 16)))
    data = {
        "nrmse": (FRAME, grow),
        "vrmse": (FRAME, grow),
        "rmse": (FRAME, 2 * grow, {"units": "m K"}),
        "bias": (FRAME, -grow, {"units": "m K"}),
        "energy_spectrum": ((*FRAME, "shell"), spectrum, {"units": "(m K)^2"}),
        "energy_spectrum_reference": (("sample", "time", "field", "shell"), spectrum[0, 0]),
        "one_point_quantile": (("model", "sample", "field", "quantile"), values),
        "one_point_quantile_reference": (("sample", "field", "quantile"), values[0]),
        "energy_flux": (("model", "sample", "shell"), np.broadcast_to(shells - 2, (2, 3, 6))),
        "time_mean_rmse": (("model", "sample", "field"), np.full((2, 3, 2), 0.3), {"units": "m K"}),
        "time_mean_rmse_floor": (("sample", "field"), np.full((3, 2), 0.1)),
        "autocorrelation_time": (("model", "sample", "field"), [[[2.0, 1]] * 3, [[9.0, 1]] * 3]),
        "autocorrelation_time_reference": (("sample", "field"), np.full((3, 2), 2.5)),
        "unit": ("field", ["m", "K"]),
    }
    coords = {"model": list(SHOWN), "time": T, "field": ["h", "T"], "shell": shells, "quantile": np.arange(16) / 16}
    return xr.Dataset(data, coords)


def by_choice(chosen):
    return {part.choice: part for part in chosen.parts}


def line_of(table, label):
    (line,) = [line for line in table.lines if line.label == label]
    return line


def test_every_measure_has_a_chart_for_every_field():
    scores = scores_of()
    charts = by_choice(measure_choice(scores, SHOWN, variables(scores)))
    assert set(charts) == {("nRMSE", MEAN), ("VRMSE", MEAN)} | {
        (measure, field) for measure in ("nRMSE", "VRMSE", "RMSE", "bias") for field in ("h", "T")
    }
    assert "RMSE of T (K)" in charts["RMSE", "T"].charts[0] and "mean over fields" in charts["nRMSE", MEAN].charts[0]


def test_tables_hold_medians_in_the_unit_of_the_field_and_mark_the_best():
    scores = scores_of()
    tables = by_choice(measure_tables(scores, SHOWN, variables(scores), [0, 31], {"T": "about 300 K"}))
    assert set(tables) == {(t, field) for t in ("t = 1", "t = 32") for field in (MEAN, "h", "T")}
    part = tables["t = 32", "T"]
    assert part.note == "about 300 K"
    fno, mean = line_of(part.table, "RMSE (K)").cells
    assert (fno.text, fno.best, mean.text, mean.best) == ("0.64", True, "1", False)
    assert [line.label for line in tables["t = 1", MEAN].table.lines] == ["nRMSE", "VRMSE"], "no mean over units"


def test_what_is_not_defined_is_a_dash_and_what_diverged_is_never_best():
    cells = marked([[np.nan] * 3, [np.inf] * 3, [2.0, 1.0, 3.0], [4.0, 4.0, 4.0]], 0.0)
    assert [cell.text for cell in cells] == ["–", "diverged", "2", "4"]
    assert [cell.best for cell in cells] == [False, False, True, False]
    assert cells[2].small == ("1 – 3",) and cells[3].small == ()
    assert [c.best for c in marked([[2.0] * 3, [4.0] * 3], np.inf)] == [False, True]
    assert not any(c.best for c in marked([[2.0] * 3, [np.nan] * 3], 0.0)), "one alone is not the best"


def test_profiles_are_drawn_at_times_or_over_all():
    scores = scores_of()
    at_times = by_choice(profile_choice(scores, SHOWN, variables(scores), [0, 31], in_time=True))
    assert set(at_times) == {("energy spectrum", field, t) for field in ("h", "T") for t in ("t = 1", "t = 32")}
    assert "reference" in at_times["energy spectrum", "T", "t = 1"].charts[0]
    over_all = by_choice(profile_choice(scores, SHOWN, variables(scores), [0, 31], in_time=False))
    assert set(over_all) == {("one point quantile", "h"), ("one point quantile", "T"), ("energy flux", "all fields")}
    assert "density" in over_all["one point quantile", "T"].charts[0]
    assert "−2" in over_all["energy flux", "all fields"].charts[0], "a flux has a sign"


def test_statistics_stand_beside_their_floor_or_the_reference():
    scores = scores_of()
    table = by_choice(total_tables(scores, SHOWN, variables(scores)))[("h",)].table
    assert line_of(table, "time mean RMSE (m)").note == "floor 0.1"
    line = line_of(table, "autocorrelation time")
    assert line.note == "reference 2.5" and [c.best for c in line.cells] == [True, False], "2 is nearer to 2.5 than 9"


def test_statistics_without_fields_have_one_table():
    scores = scores_of()[["energy_flux"]]
    scores["sliced"] = (("model", "sample", "region"), np.ones((2, 3, 2)))
    scores = scores.assign_coords(region=["in", "out"], field=["h", "T"])
    ((choice, part),) = by_choice(total_tables(scores, SHOWN, variables(scores))).items()
    assert choice == ("all fields",) and [line.label for line in part.table.lines] == ["sliced, in", "sliced, out"]


def test_summaries_of_other_benchmarks():
    scores = scores_of()
    table = published_table(scores, SHOWN)
    geometric = line_of(table, SUMMARIES[0].title)
    assert float(geometric.cells[0].text) == pytest.approx(np.exp(np.log(0.01 * T).mean()), rel=0.005)
    assert line_of(table, "VRMSE, frames 6:12").cells[0].text == "0.095"  # frames 7 to 12 from one
    assert line_of(table, "VRMSE, frames 13:30").cells[1].text == "0.5"
    assert not [line for line in table.lines if "cRMSE" in line.label], "no mean over fields of different units"
    alone = published_table(scores.isel(field=[0]), SHOWN)
    assert line_of(alone, "cRMSE (m)").cells[1].text == "0.5"
    short = published_table(scores.isel(time=slice(0, 20)), SHOWN)
    assert not [line for line in short.lines if "13:30" in line.label]


def test_other_grids_have_a_line_each_or_a_reason():
    scores = scores_of()
    values = np.full((2, 3, 4, 2), 0.2)
    values[:, 2] = np.nan
    values[1] = np.nan
    reasons = {"128": {"fno": "nothing is known between the points", "mean": "made for its grid"}}
    dims = ("model", "resolution", "resolution_sample", "resolution_time")
    scores["nrmse_by_resolution"] = (dims, values, {"absent": json.dumps(reasons)})
    scores = scores.assign_coords(resolution=["32", "33", "128"], resolution_time=[1.0, 10.0])
    chosen = by_choice(resolution_tables(scores, SHOWN))
    assert set(chosen) == {("t = 1",), ("t = 10",)}
    lines = chosen[("t = 1",)].table.lines
    assert [line.label for line in lines] == ["32", "33", "128"] and lines[0].cells[0].text == "0.2"
    assert len(lines[0].cells) == 1, "a model that was never asked has no column"
    assert "nothing is known" in lines[2].reason
    assert not resolution_tables(scores_of(), SHOWN)


def test_a_time_that_forecasts_outlast_is_a_lower_bound():
    scores = scores_of()
    where = ("model", "member", "sample")
    scores["valid_time"] = where, np.array([[[2.0, 32, 3]], [[32, 32, 32]]]), {"units": "time"}
    scores["valid_time_censored"] = where, np.array([[[0, 1, 0]], [[1, 1, 1]]], dtype=np.int8)
    line = line_of(by_choice(total_tables(scores, SHOWN, variables(scores)))["h",].table, "valid time (time)")
    assert [cell.text for cell in line.cells] == ["3", "≥ 32"]
    assert [cell.small[-1] for cell in line.cells] == ["33 % censored", "all censored"]


def test_quartiles_are_shown_where_one_of_them_differs():
    one_sided, equal = marked([[1.0, 1.0, 2.0], [3.0, 3.0, 3.0]], best=0.0)
    assert one_sided.small and not equal.small


def curves_of(chart, monkeypatch):
    """What a chart draws: values by the name of the curve."""
    drawn = {}
    monkeypatch.setattr(Panel, "curve", lambda self, x, y, line, width=1.6, name="": drawn.update({name: (x, y)}))
    chart()
    return drawn


def test_a_density_is_the_share_between_quantiles_over_their_distance(monkeypatch):
    scores = scores_of()
    n = scores.sizes["quantile"]
    scores["one_point_quantile"][:] = 2 * (np.arange(n) + 0.5) / n  # uniform on (0, 2)
    (variable,) = [v for v in variables(scores) if v.name == "one_point_quantile"]
    drawn = curves_of(lambda: profile_chart(scores, SHOWN, variable, "h", None), monkeypatch)
    np.testing.assert_allclose(drawn["fno"][1], 0.5)
    np.testing.assert_allclose(drawn["fno"][0], 2 * np.arange(1, n) / n)


def test_a_shell_below_rounding_is_not_drawn(monkeypatch):
    scores = scores_of().copy(deep=True)
    scores["energy_spectrum_reference"][..., 0] = 1.0
    scores["energy_spectrum_reference"][..., -1] = 1e-13
    (variable,) = [v for v in variables(scores) if v.name == "energy_spectrum"]
    drawn = curves_of(lambda: profile_chart(scores, SHOWN, variable, "h", 0), monkeypatch)
    assert np.isfinite(drawn["reference"][1]).tolist() == [True] * 5 + [False]
