"""Runs from Python: the same folder as the command line's, for arrays, files and objects of the user."""

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

import pdekit
from pdekit.data import from_arrays
from pdekit.models.one_step import OneStep
from pdekit.nets.fno import FNO
from pdekit.settings import Engine, Training
from pdekit.training import fit

FOLDER = {
    "config.yaml", "domain.json", "forecasts.nc", "last.ckpt", "metrics.csv", "provenance.json", "report.html",
    "scores.nc", "weights.safetensors",
}  # fmt: skip
SHORT = [
    "training.steps=4", "training.checkpoint_every=2", "training.validate_every=4", "evaluation.progress=false",
    "evaluation.timing_batches=[1]", "evaluation.measures=[vrmse]", "evaluation.judges=[horizons]",
]  # fmt: skip
NET = ["model.net.width=4", "model.net.modes=3", "model.net.n_layers=1"]


def waves(folder=None):
    x, t = np.arange(16) / 16, 0.1 * np.arange(6)[None, :, None, None]
    phase = np.random.default_rng(0).uniform(0, 6, (12, 1, 1, 1))
    u = np.sin(2 * np.pi * (x - t) + phase)
    return from_arrays(u[:8], u[8:10], u[10:], dt=0.1, extent=(1.0,), fields=["height"], folder=folder)


def small(data, net=None):
    torch.manual_seed(0)
    return OneStep(data.problem, net or partial(FNO, modes=3, width=4, n_layers=1), target="state")


def weights(run):
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model and data in memory, trained, evaluated and reported."""
    folder, data = tmp_path_factory.mktemp("runs"), waves()
    return pdekit.train(model=small(data), data=data, overrides=[*SHORT, f"runs_dir={folder}"], name="mine")


def test_objects_leave_the_folder_of_the_command_line(run):
    assert {path.name for path in run.path.glob("[!.]*")} == FOLDER and run.path.name.endswith("-one_step-mine")
    assert_same(weights(pdekit.load(run.path)), weights(run))
    record = json.loads((run.path / "provenance.json").read_text())
    assert record["data"] == {"name": "mine", "path": None} and record["steps"] == 4
    with xr.open_dataset(run.path / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist()[0] == "one_step" and scores.attrs["data"] == "mine"
    u0 = np.sin(2 * np.pi * np.arange(16) / 16)
    assert run.forecast(u0, t=[0.1]).height.shape == (1, 1, 1, 16)


@pytest.mark.slow
def test_it_is_evaluated_again_with_the_data(run, tmp_path):
    options = ["measures=[rmse]", "timing_batches=[1]", "progress=false", "horizon=2"]
    closing = pdekit.evaluate(run.path, waves(), [*options, f"folder={tmp_path}"])
    assert str(tmp_path / "report.html") in closing
    with xr.open_dataset(tmp_path / "scores.nc", engine="h5netcdf") as scores:
        assert "rmse" in scores and scores.sizes["time"] == 2
    with pytest.raises(ValueError, match=r"arrays in memory needs data= in Python, or path=FOLDER"):
        pdekit.evaluate(run)


@pytest.mark.slow
def test_it_is_resumed_with_the_same_objects(tmp_path):
    """A run that is continued from its checkpoint at step 2 has the weights of one that was not."""
    data = waves()
    whole = pdekit.train(model=small(data), data=data, overrides=[*SHORT, f"runs_dir={tmp_path}"])
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / "config.yaml").write_text((whole.path / "config.yaml").read_text())
    config = yaml.safe_load((folder / "config.yaml").read_text())
    model = small(data)
    model.calibrate(data.calibration_batches())
    with pytest.raises(RuntimeError, match="killed"):
        fit(Cut.of(model), data, Training(**config["training"]), Engine(), folder, progress=False)
    again = pdekit.train(model=small(data), data=waves(), resume=folder)
    assert again.path == folder
    with pytest.raises(ValueError, match=r"arrays in memory needs data= in Python"):
        pdekit.train(model=small(data), resume=folder)
    config["model"] = None
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=r"construct it as before and give pdekit\.train\(model="):
        pdekit.train(data=data, resume=folder)
    assert_same(weights(again), weights(whole))


class Cut(OneStep):
    """Fails in its fourth step, as if the process were killed."""

    @classmethod
    def of(cls, model):
        made = cls(*model.arguments[0], **model.arguments[1])
        made.load_state_dict(model.state_dict())
        return made

    def before_step(self, stage, step):
        if step == 3:
            raise RuntimeError("killed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    waves(folder)
    return folder


class TestOwnFiles:
    @pytest.mark.slow
    def test_they_have_a_name_of_their_own(self, folder, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        arguments = ["model=fno", f"path={folder}", "name=mine", *NET, *SHORT]
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        pdekit.train.main()
        (run,) = (tmp_path / "runs").iterdir()
        assert run.name.endswith("-fno-mine")
        record = json.loads((run / "provenance.json").read_text())
        assert record["data"] == {"name": "mine", "path": str(folder)}
        config = yaml.safe_load((run / "config.yaml").read_text())
        assert config["data"] is None and "recipe" not in config
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["evaluate", f"run={run}", "timing_batches=[1]", "horizon=2"])
        pdekit.evaluate.main()
        assert "persistence" in capsys.readouterr().out
        in_python = pdekit.train(model="fno", data=waves(folder), overrides=[*NET, *SHORT], name="mine")
        assert_same(weights(in_python), weights(pdekit.load(run)))

    def test_files_do_not_borrow_the_name_of_a_dataset(self, folder):
        with pytest.raises(ValueError, match=r"fields \['u'\].*found \['height'\].*name=NAME without data="):
            pdekit.train(model="fno", data="ks", overrides=[f"path={folder}"])
        with pytest.raises(ValueError, match=r"found both; leave out one"):
            pdekit.train(model="fno", data="ks", overrides=[f"path={folder}"], name="mine")

    @pytest.mark.parametrize("name", [None, "a/b", "", ".."])
    def test_they_need_a_name(self, folder, name):
        with pytest.raises(ValueError, match=r"give name=NAME"):
            pdekit.train(model="fno", overrides=[f"path={folder}"], name=name)


class TestErrors:
    def test_neither_data_nor_files(self):
        with pytest.raises(ValueError, match=r"expected data=NAME, or path=FOLDER .or FILE. name=NAME"):
            pdekit.train(model="fno")

    def test_a_setting_that_does_not_exist(self):
        with pytest.raises(ValueError, match=r"did you mean 'lr'"):
            pdekit.train(model="fno", data=waves(), overrides=["training.lrr=1"])

    @pytest.mark.parametrize("override", ["model.net.width=3", "loading.batch_size=2", "data.dt=1", "path=mine"])
    def test_a_setting_of_an_object(self, override):
        data = waves()
        with pytest.raises(ValueError, match=r"is an object already, found"):
            pdekit.train(model=small(data), data=data, overrides=[override])

    def test_a_model_of_another_problem(self):
        other = from_arrays(np.zeros((3, 4, 1, 16)), dt=0.2, extent=(1.0,), fields=["height"])
        with pytest.raises(ValueError, match=r"expected data with the dt"):
            pdekit.train(model=small(other), data=waves(), overrides=SHORT)


class TestFit:
    def trained(self, folder, net=None):
        data = waves()
        model = small(data, net)
        data.set_window(*model.window)
        model.calibrate(data.calibration_batches())
        fit(model, data, Training(steps=2), Engine(), folder, progress=False)
        return model

    def test_it_leaves_a_run_that_loads(self, tmp_path):
        model = self.trained(tmp_path)
        run = pdekit.load(tmp_path)
        assert run.name == "one_step" and run.config["model"]["net"]["modes"] == 3
        assert_same(weights(run), model.state_dict())

    @pytest.mark.slow
    def test_it_leaves_a_run_that_is_evaluated_and_reported(self, tmp_path):
        self.trained(tmp_path)
        record = json.loads((tmp_path / "provenance.json").read_text())
        assert record["steps"] == 2 and record["data"] == {"name": "arrays", "path": None}
        pdekit.evaluate(tmp_path, waves(), ["evaluation=quick", "progress=false"])
        assert {path.name for path in tmp_path.glob("[!.]*")} == FOLDER
        with xr.open_dataset(tmp_path / "scores.nc", engine="h5netcdf") as scores:
            assert scores.model.values.tolist()[:2] == ["one_step", "persistence"]
            assert float(scores.training_seconds.sel(model="one_step")) > 0

    def test_it_leaves_a_run_that_is_resumed(self, tmp_path):
        """By `fit` and by `pdekit.train`, from a checkpoint in the middle: the weights of a run without a stop."""
        data, settings = waves(), Training(steps=4, checkpoint_every=2)
        whole = small(data)
        whole.calibrate(data.calibration_batches())
        fit(whole, data, settings, Engine(), tmp_path / "whole", progress=False)
        for again in ("fit", "train"):
            model = small(data)
            model.calibrate(data.calibration_batches())
            with pytest.raises(RuntimeError, match="killed"):
                fit(Cut.of(model), data, settings, Engine(), tmp_path / again, progress=False)
        fit(model, data, settings, Engine(), tmp_path / "fit", resume=True, progress=False)
        assert_same(model.state_dict(), whole.state_dict())
        resumed = pdekit.train(small(data), waves(), resume=tmp_path / "train", overrides=["evaluate=false"])
        assert_same(weights(resumed), whole.state_dict())

    @pytest.mark.slow
    def test_data_in_a_folder_need_not_be_given_again(self, tmp_path):
        data = waves(tmp_path / "files")
        model = small(data)
        model.calibrate(data.calibration_batches())
        fit(model, data, Training(steps=2), Engine(), tmp_path / "run", progress=False)
        assert pdekit.load(tmp_path / "run").config["path"] == str(tmp_path / "files")
        pdekit.evaluate(tmp_path / "run", overrides=["evaluation=quick", "progress=false"])
        assert (tmp_path / "run" / "report.html").exists()

    def test_a_net_without_a_name_is_given_again(self, tmp_path):
        with pytest.warns(UserWarning, match=r"only with load\(path, model=\.\.\.\).*<lambda>"):
            model = self.trained(tmp_path, lambda **sizes: FNO(**sizes, modes=3, width=4, n_layers=1))
        with pytest.raises(ValueError, match=r"a lambda.*load\(path, model=\.\.\.\)"):
            pdekit.load(tmp_path)
        assert_same(weights(pdekit.load(tmp_path, model=small(waves()))), model.state_dict())
        other = from_arrays(np.zeros((3, 4, 1, 16)), dt=0.2, extent=(1.0,), fields=["height"])
        with pytest.raises(ValueError, match=r"expected a model of the run's problem"):
            pdekit.load(tmp_path, model=small(other))


@pytest.mark.parametrize("first", ["", "import pdekit.train, pdekit.evaluate; ", "from pdekit import train; "])
def test_the_functions_are_there_whatever_is_imported_first(first):
    code = f"{first}import pdekit; pdekit.train; import pdekit.train, pdekit.evaluate; "
    code += "assert callable(pdekit.train) and callable(pdekit.evaluate) and callable(pdekit.train.main); "
    code += "import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
