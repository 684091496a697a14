"""Forecasts of several runs in one file; scores and names are tested with the command (tests/test_compare.py)."""

import xarray as xr

from pdekit.evaluation.merging import merge
from pdekit.evaluation.settings import KeptForecasts
from tests.evaluation.waves import FEW, PROBLEM, Shift, run


def test_runs_with_and_without_members(tmp_path):
    for name, noise in (("a", 0.0), ("b", 0.1)):
        options = {"members": 3, "keep": KeptForecasts(n_samples=1), "measures": FEW}
        run(tmp_path / name, {name: Shift(PROBLEM, noise=noise)}, **options).close()
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    with xr.open_dataset(tmp_path / "both" / "forecasts.nc", engine="h5netcdf") as kept:
        there = kept.u.notnull().all(("sample", "time", "x"))
        assert there.sel(model="b").all() and there.sel(member=0).all()
        assert not there.sel(model=["a", "reference"], member=[1, 2]).any()
