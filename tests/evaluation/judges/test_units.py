"""Evaluation and report of fields in any unit, of constants, zeros and offsets, and what counts as blown up."""

import dataclasses
import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pdekit.metrics.catalogue import MEASURES
from pdekit.report.page import write_report
from pdekit.report.summary import closing_lines, summarise
from tests.evaluation.scoring import evaluate
from tests.evaluation.waves import PROBLEM, Shift, Waves

CHOSEN = [MEASURES[name] for name in ("rmse", "nrmse", "correlation", "energy_spectrum", "log_spectral_distance")]
"""Enough for the report."""

UNITS = (
    *((unit, dtype) for unit in (1e-22, 1e20) for dtype in (torch.float32, torch.float64)),
    (1e-30, torch.float64),
    (1e30, torch.float32),
)
"""Those that the fast tests leave out."""


class Changed(Waves):
    """The waves, each field times a number plus another; decaying if asked."""

    def __init__(self, factors, offsets=(0.0, 0.0), dtype=torch.float32, decay=0.0):
        super().__init__()
        self.factors, self.offsets, self.dtype, self.decay = factors, offsets, dtype, decay

    def read(self, trajectory, frames):
        found = super().read(trajectory, frames)
        factors, offsets = (torch.tensor(v, dtype=torch.float64)[:, None] for v in (self.factors, self.offsets))
        fading = torch.exp(-self.decay * (found.t - 3.0))[..., None, None]
        return dataclasses.replace(found, u=(fading * factors * found.u.double() + offsets).to(self.dtype))


class Bump(Shift):
    """The exact step, and a constant for each field added."""

    def __init__(self, problem, added):
        super().__init__(problem)
        self.added = torch.tensor(added).reshape(1, -1, 1)

    def step(self, frames, given, noise):
        return super().step(frames, given, noise) + self.added.to(frames)


def scored(folder, source, model, report=False):
    with evaluate({"model": model}, source, folder, measures=CHOSEN, progress=False, attrs={"error": "nrmse"}) as found:
        row = next(row for row in summarise(found).rows if row.name == "model")
        if report:
            write_report(folder)
            assert "nan" not in closing_lines(summarise(found), found)
        return found.load(), row


@functools.cache
def scored_in_unit_one(dtype):
    """What `scored` gives of the waves as they are, made once for all units."""
    with tempfile.TemporaryDirectory() as folder:
        return scored(Path(folder) / "one", Changed((1.0, 1.0), dtype=dtype), Shift(PROBLEM, growth=0.02))


@pytest.mark.parametrize(
    ("unit", "dtype"),
    [
        (1e-30, torch.float32),
        (1e30, torch.float64),
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in UNITS),
    ],
    ids=str,
)
def test_a_unit_changes_no_score_without_one(unit, dtype, tmp_path):
    unit = 2.0 ** round(np.log2(unit))
    one, row = scored_in_unit_one(dtype)
    found, other = scored(tmp_path, Changed((unit, unit), dtype=dtype), Shift(PROBLEM, growth=0.02), report=True)
    for measure in CHOSEN:
        values, expected = (s[measure.name].values.astype(np.float64) for s in (found, one))
        size = np.nanmax(abs(expected)) if measure.name == "energy_spectrum" else 1.0
        np.testing.assert_allclose(values / unit**measure.unit_power, expected, rtol=2e-5, atol=2e-6 * size)
    assert row.diverged == other.diverged == 0
    assert np.isfinite(found.frequency_spectrum).all() if "frequency_spectrum" in found else True


@pytest.mark.parametrize(
    "factors, offsets",
    [((1.0, 0.0), (0.0, 0.0)), ((1.0, 0.0), (0.0, 3.0)), ((0.0, 0.0), (0.0, 0.0)), ((0.0, 0.0), (7.0, 7.0)),
     ((1.0, 1.0), (1e8, 1e8))],
    ids=["zero channel", "constant channel", "all zero", "all constant", "offset"],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.slow)], ids=str)
def test_constants_and_offsets_have_a_report(factors, offsets, dtype, tmp_path):
    _, row = scored(tmp_path, Changed(factors, offsets, dtype), Shift(PROBLEM, growth=0.01), report=True)
    assert row.diverged == 0 and (tmp_path / "report.html").exists()


def test_a_field_of_zeros_makes_no_forecast_diverge(tmp_path):
    found, row = scored(tmp_path, Changed((1.0, 0.0)), Bump(PROBLEM, (0.0, 1e-6)))
    assert np.isnan(found.nrmse.sel(field="v")).all() and np.isfinite(found.nrmse.sel(field="u")).all()
    assert row.diverged == 0 and row.errors[-1].median < 1e-5
    found, row = scored(tmp_path / "nan", Changed((1.0, 0.0)), Bump(PROBLEM, (0.0, float("nan"))))
    assert np.isposinf(found.nrmse.sel(field="v")).all() and row.diverged == 1


def test_a_finite_forecast_blows_up_and_a_lagging_one_does_not(tmp_path):
    """An nRMSE of 4e5 counted as stable; persistence of a field that decays has one, too, and does not grow."""
    found, row = scored(tmp_path / "grows", Waves(), Shift(PROBLEM, growth=2.0))
    assert row.diverged == 1 and found.nrmse.values.max() > 4e5
    assert np.isfinite(found.nrmse).all() and (found.blow_up_time_censored == 0).all()
    found, row = scored(tmp_path / "lags", Changed((1.0, 1.0), decay=10.9), Shift(PROBLEM))
    assert found.nrmse.values.max() > 4e5 and row.diverged == 0 and (found.blow_up_time_censored == 1).all()
    assert json.loads(found.attrs["absent"]) == {}
