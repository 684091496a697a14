"""Correlation and valid times: the three definitions, their units, and what the horizon hides."""

import numpy as np
import pytest
import xarray as xr

from pdekit.report.charts.curves import Line
from pdekit.report.sections.horizons import horizon_tables, time_cell

T = 0.5 * np.arange(1, 9)
SHOWN = {"fno": Line(1), "broken": Line(2)}


def scores_of():
    """Correlations fall in steps of 0.1 and 0.02 a frame; "broken" is infinite from frame 4 on."""
    fall = np.stack([1 - 0.1 * np.arange(1, 9), 1 - 0.02 * np.arange(1, 9)])
    error = 1 - fall
    rho = np.stack([fall, np.where(np.arange(8) < 4, fall, -np.inf)])[..., None]
    nrmse = np.stack([error, np.where(np.arange(8) < 4, error, np.inf)])[..., None]
    dims = ("model", "sample", "time", "field")
    data = {"correlation": (dims, rho), "nrmse": (dims, nrmse), "lead_time": (("sample", "time"), np.tile(T, (2, 1)))}
    return xr.Dataset(data, {"model": list(SHOWN), "time": T, "field": ["u"]}, {"lyapunov_exponent": 0.5})


def cells(name, model="fno"):
    chosen = {part.choice[0]: part.table for part in horizon_tables(scores_of(), SHOWN).parts}
    (line,) = [line for line in chosen[name].lines if line.label == model]
    return dict(zip([head for head, _ in chosen[name].heads[1:]], line.cells, strict=True))


def test_the_three_definitions_differ_and_are_named():
    found = cells("correlation time: correlation above 0.8")
    # each: one falls below at t = 1, the other (0.84 at the end) never does: half are censored, the median lies between
    assert found["first crossing"].text == "≥ 2.5" and "50 % censored" in found["first crossing"].small
    # the mean falls by 0.06 a frame: 0.8 is passed at 3 1/3 frames; three frames lie above
    assert found["mean then first"].text == "1.67" and found["mean then count"].text == "1.5"
    assert found["mean then count"].small == ("3 steps, 0.75 Lyapunov",)


def test_a_valid_time_is_that_of_an_error():
    found = cells("valid time: nRMSE below 0.4")  # the mean rises by 0.06 a frame
    assert found["mean then first"].text == "3.33" and found["mean then count"].text == "3"


def test_what_diverges_is_said():
    found = cells("correlation time: correlation above 0.8", "broken")
    assert found["stable"].text == "0 %" and found["first blow-up"].text == "t = 2.5"
    assert found["mean then count"].text == "1.5", "frames before the blow-up count"
    whole = cells("correlation time: correlation above 0.8")
    assert whole["stable"].text == "100 %" and whole["first blow-up"].text == "–"


def test_all_thresholds_have_their_own_choice():
    choice = horizon_tables(scores_of(), SHOWN)
    assert len(choice.parts) == 6 and choice.labels == ("how long",)
    assert not horizon_tables(scores_of().isel(time=[0]), SHOWN)


@pytest.mark.parametrize(
    "share, text, last", [(0.0, "3", "6 steps"), (0.6, "≥ 3", "60 % censored"), (1.0, "≥ 3", "all censored")]
)
def test_cells_show_censoring(share, text, last):
    found = time_cell(3.0, share, 0.5, 0.0, [2.0, 4.0])
    assert found.text == text and found.small[-1] == last
