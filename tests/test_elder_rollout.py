"""Elder's problem as a rollout: a net that steps through time from coefficients, parameters and its own last frame."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

import pdekit
from pdekit.fields import Trajectory
from pdekit.recipes.instance import instance_from
from pdekit.workflows.training_run import carry_out, plan_run
from tests.test_configs import composed
from tests.test_contract import LITTLE, SMALL

YEARS = 63072000.0  # two of them, the time between frames


@pytest.mark.slow
def test_an_fno_steps_through_elder_and_is_scored_over_all_frames(tmp_path, monkeypatch):
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path))
    settings = [
        *("data.case.cells=8", "data.case.n_frames=3", "data.grid.shape=[8,8]"),
        "data.n_trajectories={train: 4, valid: 2, test: 3}",
        *("evaluation.coupling=true", "evaluation.sweep.refinements=[]"),
    ]
    config = composed(
        "model=fno", "data=elder", *SMALL["fno"], *(s for s in LITTLE if "refinements" not in s), *settings
    )
    config |= {"choices": {"model": "fno", "data": "elder", "trainer": "cpu"}, "runs_dir": str(tmp_path / "runs")}
    folder = carry_out(plan_run(config))
    with xr.open_dataset(folder / "scores.nc", engine="h5netcdf") as scores:
        assert {"fno", "persistence", "mean"} <= set(scores.model.values)
        assert scores.field.values.tolist() == ["velocity_x", "velocity_y", "concentration"]
        np.testing.assert_allclose(scores.time, [YEARS, 2 * YEARS])
        assert scores.nrmse.sel(model="fno").shape == (1, 3, 2, 3) and scores.nrmse.sel(model="fno").notnull().all()
        assert (scores.coupling_effect.median("sample") > 0.01).all(), "without buoyancy nothing flows"
    page = (folder / "report.html").read_text()
    assert "With the coupling cut and all else the same" in page

    model = pdekit.load(folder).model
    assert model.window == (1, 1) and model.problem.coeffs
    batch = instance_from(config["data"], None, ()).simulate("test", [0, 1])
    given = batch.frames(slice(0, 1))
    whole = model.forecast(given, batch.t[:, 1:])[0]
    frames, last = [], given
    for n in range(1, 3):
        u = model.forecast(last, batch.t[:, n : n + 1])[0]
        last = dataclasses.replace(given, u=u, t=batch.t[:, n : n + 1])
        frames.append(u)
    assert isinstance(last, Trajectory) and (torch.cat(frames, 1) - whole).abs().max() < 1e-5 * whole.abs().max()
    assert (whole[:, 0, 2] - whole[:, 1, 2]).abs().max() > 0, "each step is one of its own"
