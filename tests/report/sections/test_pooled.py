"""Statistics of all trajectories together, as a table."""

import numpy as np
import pytest
import xarray as xr

from pdekit.metrics.summaries import pooled_wasserstein
from pdekit.report.charts.curves import Line
from pdekit.report.sections.pooled import pooled_table

SHOWN = {"fno": Line(1), "mean": Line(7)}


def scores_of(params="", n_samples=8):
    """Trajectories that differ among each other much more than all of fno's do from all of the reference's."""
    rng = np.random.default_rng(0)
    reference = np.sort(rng.normal(size=(n_samples, 1, 32)) + np.arange(n_samples)[:, None, None])
    fno = np.stack([reference[::-1] + 0.01, reference + 0.03, np.full_like(reference, np.nan)])
    mean = np.stack([np.full_like(reference, reference.mean()), *[np.full_like(reference, np.nan)] * 2])
    data = {
        "one_point_quantile": (("model", "member", "sample", "field", "quantile"), np.stack([fno, mean])),
        "one_point_quantile_reference": (("sample", "field", "quantile"), reference),
        "unit": ("field", ["K"]),
    }
    return xr.Dataset(data, {"model": list(SHOWN), "field": ["T"]}, {"params": params})


def test_distances_are_those_of_all_trajectories_with_the_median_over_members():
    scores = scores_of()
    table = pooled_table(scores, SHOWN)
    (line,) = table.lines
    assert line.label == "W₁ of the one-point distribution (K)" and table.heads[1][0] == "fno"
    assert line.cells[0].text == "0.02", "of 0.01 and 0.03; the third member was never made"
    assert line.cells[0].best and not line.cells[1].best
    known = scores.one_point_quantile_reference.values[:, 0]
    assert float(line.note.removeprefix("floor ")) == pytest.approx(pooled_wasserstein(known[:4], known[4:]), rel=0.01)


def test_trajectories_of_different_parameters_are_not_put_together():
    assert pooled_table(scores_of(params="viscosity"), SHOWN) is None
    assert pooled_table(scores_of(n_samples=3), SHOWN) is None, "no halves to make a floor of"
    assert pooled_table(scores_of().drop_attrs(), SHOWN) is None, "not known of older files"
