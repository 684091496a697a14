"""Runs side by side: merged scores, tables, and what is refused."""

import dataclasses
import functools
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from pdekit import compare as comparison
from pdekit.data.arrays import Arrays
from pdekit.evaluation.merging import merge, of_whole_horizon
from pdekit.evaluation.references.resampled import Resampled
from pdekit.evaluation.training_cost import Spent
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.metrics.costs import Front
from pdekit.models.base import Stepper
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.resolution import at_resolution
from pdekit.report.summary import Row, Spread, Summary, summarise
from pdekit.report.tables import latex, markdown
from tests.evaluation.scoring import evaluate
from tests.evaluation.waves import FEW

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


def waves(seed=0, n_trajectories=3, n_frames=9):
    u = torch.randn(n_trajectories, 1, 1, 16, generator=torch.Generator().manual_seed(seed))
    u = torch.cat([u.roll(n, -1) for n in range(n_frames)], 1)
    t = (0.5 * torch.arange(float(n_frames))).double().expand(n_trajectories, n_frames).clone()
    return Arrays(dataclasses.replace(PROBLEM, n_frames=n_frames), Trajectory(u=u, t=t))


@functools.cache
def plain(factor):
    """A scored run without options, made once for all tests."""
    folder = tempfile.TemporaryDirectory()
    scored(Path(folder.name) / "run", factor, waves())
    return folder


def scored(folder, factor, source=None, name="fno", **options):
    """A scored run with one surrogate."""
    if source is None and name == "fno" and not options:
        return Path(shutil.copytree(Path(plain(factor).name) / "run", folder))
    source = source or waves()
    baselines = {"persistence": Persistence(source.problem)}
    options = {"baselines": baselines, "progress": False, "attrs": {"data": "waves"}} | options
    evaluate({name: at_resolution(name, Shift(factor), source.problem.grid.shape)}, source, folder, **options).close()
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [scored(folder / "a", 1.1), scored(folder / "b", 1.2, horizon=5, members=2)]


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


@pytest.mark.slow
def test_a_glob_and_names_that_differ(tmp_path):
    scored(tmp_path / "x1", 1.1)
    scored(tmp_path / "x2", 1.2, name="unet_1")
    runs = comparison.found([f"{tmp_path}/x*", str(tmp_path / "x1")])
    assert [run.name for run in runs] == ["x1", "x2"]
    merge(runs, tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["fno", "unet_1", "persistence"]
        assert r"unet\_1 &" in latex(summarise(scores))


@pytest.mark.slow
def test_times_that_do_not_compare_are_said_to(tmp_path):
    merge([scored(tmp_path / "a", 1.1), scored(tmp_path / "b", 1.2, batch_size=1)], tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert "different batch_size: their times do not compare" in scores.attrs["caution"]


@pytest.mark.slow
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


def test_a_copy_of_a_run_is_no_further_seed(tmp_path):
    """Two copies of seed 0 and one of seed 1: the spread is that of two seeds, not of three."""
    for name, seed in (("a", 0), ("b", 0), ("c", 1), ("d", 1)):
        (tmp_path / name).mkdir()
        width = 4 if name != "d" else 8
        (tmp_path / name / "config.yaml").write_text(f"seed: {seed}\nmodel: {{width: {width}}}\n")
    found = comparison.methods_of([tmp_path / name for name in "abcd"])
    assert [None if one is None else one["model"]["width"] for one in found.values()] == [4, None, 4, 8]


@pytest.mark.slow
def test_a_diverged_seed_counts(tmp_path, monkeypatch):
    """The median of three is finite, the worst is not, and a third of the forecasts has diverged."""
    runs = [scored(tmp_path / name, factor) for name, factor in (("a", 1.1), ("b", 1.2), ("c", 1e30))]
    for seed, run in enumerate(runs):
        (run / "config.yaml").write_text(f"seed: {seed}\n")
    command(monkeypatch, f"runs={tmp_path}/?", f"folder={tmp_path / 'out'}")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        row = summarise(scores).rows[0]
    assert row.name == "fno, 3 seeds" and row.diverged == pytest.approx(1 / 3)
    assert row.errors[-1].median == pytest.approx(1.2**8 - 1, rel=1e-4) and row.errors[-1].upper == np.inf
    assert "fno, 3 seeds (median, best and worst seed)" in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.slow
def test_what_is_known_of_one_run_only(tmp_path):
    """Joules that one machine counts; statistics of a horizon that another run does not have."""
    spent = {"fno": Spent(5.0, 70.0, "")}
    runs = [
        scored(tmp_path / "a", 1.1, waves(n_frames=41), spent=spent),
        scored(tmp_path / "b", 1.2, waves(n_frames=41)),
    ]
    merge(runs, tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert scores.training_joules.values.tolist()[:2] == pytest.approx([70, np.nan], nan_ok=True)
        assert scores.training_joules.sel(model="persistence") == 0 and "one_point_wasserstein" in scores
    short = scored(tmp_path / "c", 1.1, waves(n_frames=41), horizon=36)
    merge([runs[0], short], tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert scores.sizes["time"] == 36 and "nrmse" in scores
        assert not [name for name in scores.data_vars if "wasserstein" in name], "of other windows"
        assert {"trajectory", "start", "lead_time"} <= set(scores.data_vars)


@pytest.mark.filterwarnings("error::FutureWarning")
@pytest.mark.slow
def test_solvers_that_one_run_was_scored_beside(tmp_path, monkeypatch, capsys):
    """A later run may have the sweep: its baselines, its solvers and what it says of those that are absent."""
    few = scored(tmp_path / "a", 1.1, absent={"solver": "left out"})
    many = scored(tmp_path / "b", 1.2, solvers={"solver 16": Shift(1.01)}, absent={"mean": "no data"})
    command(monkeypatch, f"runs=[{few},{many}]", f"folder={tmp_path / 'out'}")
    said = capsys.readouterr().out
    assert "solver 16" in said and "no data" in said and "left out" not in said
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["fno (a)", "fno (b)", "persistence", "solver 16"]
    with xr.open_dataset(tmp_path / "out" / "forecasts.nc", engine="h5netcdf") as kept:
        assert {"reference", "fno (a)", "fno (b)", "solver 16"} <= set(kept.model.values.tolist())


@pytest.mark.slow
def test_a_run_that_does_not_fit_is_named_and_the_rest_goes_on(runs, tmp_path, monkeypatch, capsys):
    other = scored(tmp_path / "other", 1.1, waves(seed=1), horizon=2)
    (tmp_path / "empty").mkdir()
    broken = scored(tmp_path / "broken", 1.1)
    (broken / "scores.nc").write_bytes((broken / "scores.nc").read_bytes()[:500])
    given = [tmp_path / "empty", runs[0], other, broken, runs[1]]
    command(monkeypatch, f"runs=[{','.join(map(str, given))}]", f"folder={tmp_path / 'out'}")
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said[:3]] == [
        f"left out {run}" for run in (tmp_path / "empty", other, broken)
    ]
    assert "evaluate it first" in said[0] and "scored on different trajectories" in said[1]
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["fno (a)", "fno (b)", "persistence"]
        assert scores.sizes["time"] == 5, "the horizon of a run that is left out does not count"


@pytest.mark.parametrize(
    ("dims", "kind", "whole"),
    [
        (("model", "member", "sample"), "int8", True),  # a flag
        (("model", "field", "rank"), "float32", True),
        (("sample", "field"), "float32", True),  # of the reference
        (("sample",), "int64", False),  # the number of a trajectory
        (("model", "member", "sample", "time", "field"), "float32", False),
        (("model",), "float64", False),
        (("model", "batch"), "float64", False),
        (("model", "resolution", "resolution_sample", "resolution_time"), "float32", False),
        (("field",), "float32", False),
    ],
)
def test_scores_of_a_whole_horizon(dims, kind, whole):
    assert of_whole_horizon(xr.DataArray(np.zeros((1,) * len(dims), kind), dims=dims)) == whole


@pytest.mark.slow
def test_flags_of_a_longer_horizon_are_left_out(runs, tmp_path):
    with xr.open_dataset(runs[0] / "scores.nc", engine="h5netcdf") as scores:
        assert {"correlation_time_censored", "blow_up_time_censored"} <= set(scores.data_vars)
    merge(runs, tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "scores.nc", engine="h5netcdf") as scores:
        whole = [name for name in scores.data_vars if "censored" in name or name == "stable_steps"]
        assert whole == [] and scores.attrs["horizon"] == 5
        assert "different horizon" in scores.attrs["caution"], "times are of whole horizons"
        assert {"trajectory", "start", "seconds_by_batch", "network_calls"} <= set(scores.data_vars)
    merge([runs[0]], tmp_path / "one")
    with xr.open_dataset(tmp_path / "one" / "scores.nc", engine="h5netcdf") as scores:
        assert "correlation_time_censored" in scores


def test_special_characters_in_tables():
    one = Spread(0.1, 0.1, 0.2)
    names = [r"a_b|c*\{x}$~^", "[link](here) <b>", "50 % & #1"]
    rows = tuple(Row(name, "surrogate", errors=(one,), floored=(n == 2,)) for n, name in enumerate(names))
    rows += (Row("solver", "absent", "expected x_1 | y,\ngot <z>"),)
    summary = Summary(rows, (), (0,), (1.0,), 0, Front((), ()))
    lines = markdown(summary).splitlines()
    assert len(lines) == 6 and all(line.replace(r"\|", "").count("|") == 7 for line in lines)
    assert r"a\_b\|c\*\\{x}\$\~^" in lines[2] and r"\[link\](here) \<b\>" in lines[3] and r"\< floor" in lines[4]
    assert "0.1 [0.1, 0.2]" in lines[2] and r"expected x\_1 \| y, got \<z\>" in lines[5]
    table = latex(summary).splitlines()[4:-2]
    assert r"a\_b$|$c*\textbackslash{}\{x\}\$\textasciitilde{}\textasciicircum{} &" in table[0]
    assert table[1].startswith("{}[link](here) $<$b$>$ &"), "a bracket after a line's end would be its argument"
    assert r"50 \% \& \#1 & $<$ floor" in table[2] and r"expected x\_1 $|$ y, got $<$z$>$" in table[3]
    assert all(line.replace(r"\&", "").count("&") == 5 for line in table)


class TestErrors:
    def test_other_trajectories(self, runs, tmp_path, monkeypatch):
        other = scored(tmp_path / "c", 1.1, waves(seed=1), measures=FEW)
        assert "scored on different trajectories" in failure(monkeypatch, f"runs=[{runs[0]},{other}]")

    def test_another_number_of_trajectories(self, runs, tmp_path, monkeypatch):
        other = scored(tmp_path / "c", 1.1, waves(n_trajectories=4), measures=FEW)
        assert "expected the trajectory of a, [0, 1, 2] (3), found [0, 1, 2, 3] (4) in c" in failure(
            monkeypatch, f"runs=[{runs[0]},{other}]"
        )

    def test_another_resolution(self, runs, tmp_path, monkeypatch):
        finer = scored(tmp_path / "c", 1.1, Resampled(waves(), (32,)), measures=FEW)
        assert "expected the 16 points of a, found 32 in c" in failure(monkeypatch, f"runs=[{runs[0]},{finer}]")

    def test_no_such_run(self, monkeypatch, tmp_path):
        assert "expected folders of runs" in failure(monkeypatch, f"runs=[{tmp_path / 'nothing'}]")
        (tmp_path / "empty").mkdir()
        assert "evaluate it first" in failure(monkeypatch, f"runs=[{tmp_path / 'empty'}]")

    def test_another_argument(self, monkeypatch):
        assert "did you mean 'runs'?" in failure(monkeypatch, "run=x")


def test_help(monkeypatch, capsys):
    command(monkeypatch, "--help")
    said = capsys.readouterr().out
    assert "runs='runs/*-ks'" in said and "of the run that has most of them" in said and "left out" in said
