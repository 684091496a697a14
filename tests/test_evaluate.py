"""The evaluation command: a trained run scored again, and what is said when something does not fit."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import pdekit
from pdekit import evaluate as evaluation_command
from tests.entry_points import command, failure, trained_run

SMALL = [
    "model=fno", "data=ks", "data.grid.shape=[32]", "data.grid.extent=[22.0]", "data.warmup=0.8", "data.substeps=8",
    "data.n_trajectories={train: 4, valid: 2, test: 3}", "data.n_frames={train: 6, valid: 6, test: 9}",
    "training.steps=2", "model.net.width=4", "model.net.modes=4", "model.net.n_layers=1",
    "evaluation.sweep.sizes=[1.0]", "evaluation.sweep.steps=[1]", "evaluation.sweep.precisions=[float64]",
    "evaluation.progress=false",
]  # fmt: skip
QUICK = ["sweep.sizes=[1.0]", "sweep.steps=[4]", "sweep.precisions=[float64]", "progress=false"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two training steps."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield trained_run(monkeypatch, folder, *SMALL)


def test_training_leaves_scores_and_a_report(run):
    assert {"scores.nc", "forecasts.nc", "report.html"} <= {path.name for path in run.iterdir()}
    with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["fno", "persistence", "mean", "solver 32, dt 0.8"]
        assert scores.nrmse_floor.shape == (8,) and float(scores.nrmse_floor.max()) < 1
        assert float(scores.training_seconds.sel(model="fno")) > 0 and scores.attrs["data_seconds"] > 0
        assert scores.attrs["lyapunov_exponent"] == 0.0484  # the equation knows it at this length


@pytest.mark.slow
def test_a_run_is_scored_again_elsewhere(run, tmp_path, monkeypatch, capsys):
    options = [f"folder={tmp_path}", "horizon=5", "members=2", "starts=[0,2]", "n_trajectories=2", "seed=1"]
    command(
        monkeypatch,
        evaluation_command,
        f"run={run}",
        *options,
        *QUICK,
        "lyapunov_exponent=0.05",
        "constrain=[conserved]",
    )
    closing = capsys.readouterr().out
    assert "persistence" in closing and f"report: {tmp_path / 'report.html'}" in closing
    with xr.open_dataset(tmp_path / "scores.nc", engine="h5netcdf") as scores:
        assert (scores.sizes["time"], scores.sizes["member"], scores.sizes["sample"]) == (5, 2, 4)
        assert scores.attrs["data"] == "ks" and scores.attrs["lyapunov_exponent"] == 0.05
        assert set(scores.kind.values) == {"surrogate", "baseline", "solver"}
        solver = scores.nrmse.sel(model="solver 32, dt 0.2", member=0)
        persistence = scores.nrmse.sel(model="persistence", member=0)
        assert float(solver.max()) < 0.1 * float(persistence.min()), "a finer step is nearly the reference"
        constrained = scores.nrmse.sel(model="fno, constrained")
        assert not np.array_equal(constrained, scores.nrmse.sel(model="fno"))


def test_a_run_forecasts_within_constraints(run):
    loaded, u0 = pdekit.load(run), np.sin(np.arange(32) * np.pi / 8) + 0.7
    free, kept = (one.forecast(u0, [0.8, 1.6]).u.mean("x") for one in (loaded, loaded.constrained("conserved")))
    np.testing.assert_allclose(kept, u0.mean(), rtol=1e-6)
    assert not np.allclose(free, u0.mean(), rtol=1e-4)


@pytest.mark.slow
def test_evaluating_again_gives_the_same_scores(run, tmp_path, monkeypatch):
    for name in ("a", "b"):
        command(monkeypatch, evaluation_command, f"run={run}", f"folder={tmp_path / name}", "measures=[rmse]", *QUICK)
    with (
        xr.open_dataset(tmp_path / "a" / "scores.nc", engine="h5netcdf") as a,
        xr.open_dataset(tmp_path / "b" / "scores.nc", engine="h5netcdf") as b,
    ):
        np.testing.assert_array_equal(a.rmse, b.rmse)
        assert "nrmse" in a and "correlation" in a and "energy_spectrum" not in a


@pytest.mark.slow
def test_beyond_the_stored_frames(run, tmp_path, monkeypatch):
    """The first frames are scored as ever, and the solver of the data goes on with the reference."""
    for name, horizon in (("stored", 8), ("beyond", 20)):
        options = [f"folder={tmp_path / name}", f"horizon={horizon}", "n_trajectories=2", *QUICK]
        command(monkeypatch, evaluation_command, f"run={run}", *options)
    with (
        xr.open_dataset(tmp_path / "stored" / "scores.nc", engine="h5netcdf") as stored,
        xr.open_dataset(tmp_path / "beyond" / "scores.nc", engine="h5netcdf") as beyond,
    ):
        assert beyond.sizes["time"] == 20
        np.testing.assert_allclose(beyond.time, 0.8 * np.arange(1, 21))
        for name in ("nrmse", "correlation"):
            np.testing.assert_allclose(beyond[name][..., :8, :], stored[name], rtol=1e-4, atol=1e-7)
        solver = beyond.nrmse.sel(model="solver 32, dt 0.2", member=0)
        assert float(solver.max()) < 0.05, "the reference goes on as the equation says"
        # its own checks agree to the end of what is stored, and nothing is known beyond
        assert beyond.attrs["predictability_checked_until"] == pytest.approx(6.4)
        assert "predictable_until" not in beyond.attrs and "compare_at" not in beyond.attrs
        assert beyond.nrmse_floor[:8].notnull().all() and beyond.nrmse_floor[8:].isnull().all()
        assert beyond.attrs["error"] == "correlation_time", "the problem is chaotic"


@pytest.mark.slow
def test_another_resolution(run, tmp_path, monkeypatch):
    options = [f"folder={tmp_path}", "resolution=48", "resolutions=[0.5,2]", "horizon=3", "compare_at=useful", *QUICK]
    command(monkeypatch, evaluation_command, f"run={run}", *options)
    with xr.open_dataset(tmp_path / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["fno", "persistence", "mean", "solver 48, dt 0.2"]
        assert scores.sizes["shell"] == 25 and scores.attrs["compare_at"] == "useful"
        solver, still = (scores.nrmse.sel(model=name, member=0) for name in ("solver 48, dt 0.2", "persistence"))
        assert float(solver.max()) < 0.1 * float(still.min())
        table = scores.nrmse_by_resolution
        assert table.resolution.values.tolist() == ["16", "17", "64", "65"]
        assert scores.resolution_points.values.tolist() == [16, 17, 64, 65]
        assert table.sel(model=["fno", "persistence"]).notnull().all()
        assert table.sel(model=["mean", "solver 48, dt 0.2"]).isnull().all() and table.attrs["absent"] == "{}"
        finer = table.sel(model="persistence", resolution="64")
        np.testing.assert_allclose(finer, table.sel(model="persistence", resolution="65"), rtol=1e-3)


@pytest.mark.slow
def test_other_data_on_another_grid(run, tmp_path, monkeypatch):
    """Another recipe of the same problem, with 48 points: refused as it is, brought to 32 or to 48 when told so."""
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path / "datasets"))
    other = [*(item for item in SMALL if item.startswith("data")), "data.grid.shape=[48]", "data.seed=5"]
    said = failure(monkeypatch, evaluation_command, f"run={run}", *other, f"data_dir={tmp_path}")
    assert "set resolution=32 or resolution=48 to evaluate it there" in said
    for n in (32, 48):
        options = [*other, f"data_dir={tmp_path}", f"resolution={n}", f"folder={tmp_path / str(n)}"]
        command(monkeypatch, evaluation_command, f"run={run}", *options, *QUICK)
    with (
        xr.open_dataset(tmp_path / "32" / "scores.nc", engine="h5netcdf") as coarse,
        xr.open_dataset(tmp_path / "48" / "scores.nc", engine="h5netcdf") as fine,
    ):
        assert (coarse.attrs["shape"], fine.attrs["shape"]) == ("32", "48")
        np.testing.assert_allclose(*(one.nrmse.sel(model="persistence") for one in (coarse, fine)), rtol=1e-3)
        assert float(fine.nrmse.sel(model="solver 48, dt 0.2").max()) < 0.01


class TestErrors:
    def test_no_run(self, monkeypatch):
        assert "expected run=PATH" in failure(monkeypatch, evaluation_command, "horizon=3")

    def test_a_folder_without_a_run(self, monkeypatch, tmp_path):
        assert "expected weights.safetensors in" in failure(monkeypatch, evaluation_command, f"run={tmp_path}")

    def test_a_misspelt_setting(self, monkeypatch, run):
        assert "did you mean 'horizon'?" in failure(monkeypatch, evaluation_command, f"run={run}", "horizn=3")

    def test_a_wrong_value(self, monkeypatch, run):
        assert "horizon" in failure(monkeypatch, evaluation_command, f"run={run}", "horizon=many")
        assert "expected members >= 1, got 0" in failure(monkeypatch, evaluation_command, f"run={run}", "members=0")

    def test_an_unknown_precision(self, monkeypatch, run):
        assert "expected sweep.precisions among float32" in failure(
            monkeypatch, evaluation_command, f"run={run}", "sweep.precisions=[half]"
        )

    def test_an_unknown_measure(self, monkeypatch, run):
        assert "expected measures among rmse, nrmse" in failure(
            monkeypatch, evaluation_command, f"run={run}", "measures=[rms]"
        )

    def test_an_unknown_error(self, monkeypatch, run):
        assert "expected an error among correlation_time, rmse" in failure(
            monkeypatch, evaluation_command, f"run={run}", "error=speed"
        )

    def test_a_resolution_of_too_many_axes(self, monkeypatch, run):
        said = failure(monkeypatch, evaluation_command, f"run={run}", "resolution=[64,64]")
        assert "expected a resolution of one number or 1, got [64, 64]" in said

    def test_data_of_another_problem(self, monkeypatch, run):
        said = failure(monkeypatch, evaluation_command, f"run={run}", "data=kolmogorov")
        assert (
            "expected data with the fields that 'fno' was made for" in said and "evaluate it on data of its own" in said
        )


def test_help_answers_without_torch():
    code = (
        "import sys; sys.argv = ['pdekit.evaluate', '--help']; import pdekit.evaluate as command; command.main(); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "horizon=1000" in done.stdout and "kolmogorov" in done.stdout
