"""Runs side by side: merged scores, tables, and what is refused."""

import sys

import numpy as np
import pytest
import torch
import xarray as xr

from pdekit import compare as comparison
from pdekit.data.arrays import Arrays
from pdekit.evaluation.merging import merge
from pdekit.evaluation.scores import evaluate
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.models.base import Stepper
from pdekit.models.persistence import Persistence
from pdekit.report.summary import summarise
from pdekit.report.tables import latex

PROBLEM = Problem(Grid((16,), (1.0,)), (Field("u"),), dt=0.5, n_frames=9)


class Shift(Stepper):
    """The exact step of a wave that moves by a grid point in each frame, times a factor."""

    calls_per_step = 1

    def __init__(self, factor):
        super().__init__(PROBLEM, 1, 1)
        self.factor = factor

    def loss(self, batch):
        raise NotImplementedError

    def step(self, frames, given, noise):
        return self.factor * frames[:, -1].roll(1, -1)


def waves(seed=0, n_trajectories=3):
    u = torch.randn(n_trajectories, 1, 1, 16, generator=torch.Generator().manual_seed(seed))
    u = torch.cat([u.roll(n, -1) for n in range(9)], 1)
    return Arrays(PROBLEM, Trajectory(u=u, t=(0.5 * torch.arange(9.0)).double().expand(n_trajectories, 9).clone()))


def scored(folder, factor, source=None, name="fno", **options):
    """A scored run with one surrogate."""
    baselines = {"persistence": Persistence(PROBLEM)}
    options = {"baselines": baselines, "progress": False, "attrs": {"data": "waves"}} | options
    evaluate({name: Shift(factor)}, source or waves(), folder, **options).close()
    return folder


@pytest.fixture
def runs(tmp_path):
    return [scored(tmp_path / "runs" / "a", 1.1), scored(tmp_path / "runs" / "b", 1.2, horizon=5, members=2)]


def command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, arguments)])
    comparison.main()


def failure(monkeypatch, *arguments):
    with pytest.raises(SystemExit) as stop:
        command(monkeypatch, *arguments)
    return str(stop.value)


def test_two_runs(runs, tmp_path, monkeypatch, capsys):
    command(monkeypatch, f"runs=[{runs[0]},{runs[1]}]", f"folder={tmp_path / 'out'}")
    assert {"scores.nc", "forecasts.nc", "report.html", "table.md", "table.tex"} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["fno (a)", "fno (b)", "persistence"]
        assert scores.sizes["time"] == 5 and scores.sizes["member"] == 2
        first = scores.nrmse.sel(member=0).mean(("sample", "field"))
        np.testing.assert_allclose(first.sel(model="fno (a)"), 1.1 ** np.arange(1, 6) - 1, rtol=1e-5)
        np.testing.assert_allclose(first.sel(model="fno (b)"), 1.2 ** np.arange(1, 6) - 1, rtol=1e-5)
        assert scores.nrmse.sel(model="fno (a)", member=1).isnull().all()
    with xr.open_dataset(tmp_path / "out" / "forecasts.nc", engine="h5netcdf") as kept:
        assert set(kept.model.values) == {"reference", "fno (a)", "fno (b)", "persistence"}
        ratio = kept.u.sel(model="fno (b)") / kept.u.sel(model="reference")
        np.testing.assert_allclose(ratio.isel(time=1), 1.44, rtol=1e-5)
    table = (tmp_path / "out" / "table.md").read_text().splitlines()
    assert table[0].startswith("| model | nRMSE, one step |") and "| fno (b) | 0.2 [0.2, 0.2] |" in table[3]
    assert r"fno (a) & 0.1 [0.1, 0.1] &" in (tmp_path / "out" / "table.tex").read_text()
    assert "fno (a) and fno (b) on waves" in (tmp_path / "out" / "report.html").read_text()
    assert "report: " in capsys.readouterr().out


def test_a_glob_and_names_that_differ(tmp_path):
    scored(tmp_path / "x1", 1.1)
    scored(tmp_path / "x2", 1.2, name="unet_1")
    runs = comparison.found([f"{tmp_path}/x*", str(tmp_path / "x1")])
    assert [run.name for run in runs] == ["x1", "x2"]
    merge(runs, tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["fno", "unet_1", "persistence"]
        assert r"unet\_1 &" in latex(summarise(scores))


def test_times_that_do_not_compare_are_said_to(tmp_path):
    merge([scored(tmp_path / "a", 1.1), scored(tmp_path / "b", 1.2, batch_size=1)], tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert "different batch_size: their times do not compare" in scores.attrs["caution"]


def test_seeds_of_one_configuration_are_one_method(tmp_path, monkeypatch, capsys):
    runs = [scored(tmp_path / name, factor) for name, factor in (("a", 1.1), ("b", 1.2), ("c", 1.4))]
    for seed, run in enumerate(runs):
        width = 8 if run.name == "c" else 4
        (run / "config.yaml").write_text(f"seed: {seed}\nloading: {{seed: {seed}}}\nmodel: {{width: {width}}}\n")
    command(monkeypatch, f"runs=[{','.join(map(str, runs))}]", f"folder={tmp_path / 'out'}")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert scores.method.values.tolist() == ["fno (a)", "fno (a)", "fno (c)", ""]
        row = summarise(scores).rows[0]
        assert row.name == "fno (a), 2 seeds" and row.errors[0].median == pytest.approx(0.15, rel=1e-4)
    table = (tmp_path / "out" / "table.md").read_text()
    assert "fno (a), 2 seeds (median, best and worst seed) | 0.15 [0.1, 0.2]" in table


class TestErrors:
    def test_other_trajectories(self, runs, tmp_path, monkeypatch):
        other = scored(tmp_path / "c", 1.1, waves(seed=1))
        assert "scored on different trajectories" in failure(monkeypatch, f"runs=[{runs[0]},{other}]")

    def test_another_number_of_trajectories(self, runs, tmp_path, monkeypatch):
        other = scored(tmp_path / "c", 1.1, waves(n_trajectories=4))
        assert "expected the trajectory of a, [0, 1, 2] (3), found [0, 1, 2, 3] (4) in c" in failure(
            monkeypatch, f"runs=[{runs[0]},{other}]"
        )

    def test_no_such_run(self, monkeypatch, tmp_path):
        assert "expected folders of runs" in failure(monkeypatch, f"runs=[{tmp_path / 'nothing'}]")
        (tmp_path / "empty").mkdir()
        assert "evaluate it first" in failure(monkeypatch, f"runs=[{tmp_path / 'empty'}]")

    def test_another_argument(self, monkeypatch):
        assert "did you mean 'runs'?" in failure(monkeypatch, "run=x")


def test_help(monkeypatch, capsys):
    command(monkeypatch, "--help")
    assert "runs='runs/*-ks'" in capsys.readouterr().out
