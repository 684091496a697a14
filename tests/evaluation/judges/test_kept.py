"""Forecasts that are kept for looking at."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from pdekit.evaluation import forecasting
from pdekit.evaluation.settings import KeptForecasts
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.models.baselines.mean import Mean
from tests.evaluation import scoring, waves
from tests.evaluation.waves import DT, FEW, N_FRAMES, PROBLEM, Shift, Waves

evaluate, run = partial(scoring.evaluate, measures=FEW), partial(waves.run, measures=FEW)


def test_forecasts_are_kept(tmp_path):
    with run(tmp_path, {"exact": Shift(PROBLEM)}, keep=KeptForecasts(n_samples=2), batch_size=1):
        pass
    with xr.open_dataset(tmp_path / "forecasts.nc", engine="h5netcdf") as kept:
        assert dict(kept.sizes) == {"model": 2, "sample": 2, "time": N_FRAMES - 1, "x": 16}
        assert kept.model.values.tolist() == ["reference", "exact"] and kept.u.attrs["units"] == "m/s"
        np.testing.assert_allclose(kept.v.sel(model="exact"), kept.v.sel(model="reference"), rtol=1e-6)
        np.testing.assert_allclose(kept.u.sel(model="reference", sample=1)[2], Waves().read(1, slice(3, 4)).u[0, 0, 0])


def test_kept_frames_are_thinned_evenly_whatever_the_stretches(tmp_path, monkeypatch):
    monkeypatch.setattr("pdekit.evaluation.judges.kept.MOST_FRAMES", 4)
    monkeypatch.setattr(forecasting, "VALUES", 2 * 2 * 2 * 16)
    with run(tmp_path, {"exact": Shift(PROBLEM)}, batch_size=2):
        pass
    with xr.open_dataset(tmp_path / "forecasts.nc", engine="h5netcdf") as kept:
        np.testing.assert_allclose(kept.time, DT * np.array([3, 6, 9, 12]), rtol=1e-9)
        assert kept.u.notnull().all()
        np.testing.assert_allclose(kept.u.sel(model="exact"), kept.u.sel(model="reference"), atol=1e-6)


def test_inputs_and_masks_of_kept_samples_stand_beside_them(tmp_path):
    """Batches of two, three samples kept."""
    grid = Grid((5, 4), (1.0, 1.0), layout=("cells", "cells"))
    problem = Problem(grid, (Field("u"), Field("T", "K")), coeffs=(Field("a", "m"),), has_mask=True)
    draw = torch.Generator().manual_seed(0)
    batch = Trajectory(
        u=torch.randn(5, 1, 2, 5, 4, generator=draw),
        t=torch.zeros(5, 1, dtype=torch.float64),
        coeffs=torch.randn(5, 1, 5, 4, generator=draw),
        mask=(torch.rand(5, 2, 5, 4, generator=draw) > 0.3).float(),
        index=torch.arange(5),
    )
    source = SimpleNamespace(
        problem=problem, n_trajectories=5, read=lambda n, frames: batch.samples(slice(n, n + 1)).frames(frames)
    )
    mean = Mean(problem)
    mean.calibrate([batch])
    evaluate({"mean": mean}, source, tmp_path, keep=KeptForecasts(n_samples=3), batch_size=2, progress=False).close()
    with xr.open_dataset(tmp_path / "forecasts.nc", engine="h5netcdf") as kept:
        assert kept["a"].attrs["units"] == "m" and np.array_equal(kept["a"], batch.coeffs[:3, 0])
        assert kept["mask"].dims == ("sample", "field", "x", "y")
        assert np.array_equal(kept["mask"].sel(field="T"), batch.mask[:3, 1])


def test_any_samples_can_be_kept(tmp_path):
    """Of five in batches of two: the last of one batch, and one alone in the last."""
    with run(tmp_path, {"exact": Shift(PROBLEM)}, keep=KeptForecasts(samples=(4, 1)), batch_size=2):
        pass
    with xr.open_dataset(tmp_path / "forecasts.nc", engine="h5netcdf") as kept:
        assert kept.sample.values.tolist() == [1, 4]
        for sample in (1, 4):
            expected = Waves().read(sample, slice(1, None)).u[0]
            for model in ("reference", "exact"):
                found = kept.sel(model=model, sample=sample)
                np.testing.assert_allclose(found.u, expected[:, 0], atol=1e-6)
                np.testing.assert_allclose(found.v, expected[:, 1], rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected samples to keep from 0 to 4, at least one, got \[5\]"):
        run(tmp_path, {"exact": Shift(PROBLEM)}, keep=KeptForecasts(samples=(5,)))


def test_the_first_members_are_kept(tmp_path):
    """Of a model that has randomness; the others and the reference have one."""
    models = {"noisy": Shift(PROBLEM, noise=0.1), "exact": Shift(PROBLEM)}
    with run(tmp_path, models, members=4, keep=KeptForecasts(n_samples=2, n_members=2), batch_size=1) as scores:
        rmse = scores.rmse.sel(model="noisy", field="u", sample=1).values
    with xr.open_dataset(tmp_path / "forecasts.nc", engine="h5netcdf") as kept:
        assert kept.u.dims == ("model", "member", "sample", "time", "x") and kept.sizes["member"] == 2
        known = kept.u.sel(model="reference", member=0)
        error = ((kept.u.sel(model="noisy") - known) ** 2).mean("x") ** 0.5
        np.testing.assert_allclose(error.sel(sample=1), rmse[:2], rtol=1e-5)  # each is the one that was scored
        for model in ("reference", "exact"):
            assert kept.u.sel(model=model, member=0).notnull().all()
            assert kept.u.sel(model=model, member=1).isnull().all()


def test_no_members_without_randomness(tmp_path):
    with run(tmp_path, {"exact": Shift(PROBLEM)}, members=4):
        pass
    with xr.open_dataset(tmp_path / "forecasts.nc", engine="h5netcdf") as kept:
        assert "member" not in kept.dims
