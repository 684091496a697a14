"""A method that needs another trained run: trained first, loaded, resumed, stored with its weights."""

import dataclasses
import json
import os
import signal
import time
from unittest.mock import Mock

import pytest
import torch

import pdekit
from pdekit.evaluation.reconstruction import FILE
from pdekit.models.one_step import OneStep
from pdekit.models.stages import adam_stage
from pdekit.provenance import RECORD, sha256
from pdekit.runs import WEIGHTS, save_model
from pdekit.settings import Engine
from pdekit.training.callbacks import Interrupted
from pdekit.training.record import RESULTS, begin_record
from pdekit.training.required import OutOfTime, train_required
from tests.models.small import PointwiseNet
from tests.training.test_module import SETTINGS, train, waves


class Corrected(OneStep):
    """Learns what a coarse step, which is trained first, leaves."""

    configurable = True
    requires = ("coarse",)

    def __init__(self, problem, net):
        super().__init__(problem, net, target="state")
        self.coarse = OneStep(problem, net)

    def step(self, frames, given, noise=None):
        with torch.no_grad():
            coarse = self.coarse.step(frames, given)
        return coarse + super().step(frames, given)

    def stages(self, settings):
        return (dataclasses.replace(adam_stage(settings), parameters=("net.",)),)


class WideNet(PointwiseNet):
    """Weights of other names."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.wide = torch.nn.Linear(2, 2)


def made(folder):
    folder.mkdir()
    return folder


SHORT = dataclasses.replace(SETTINGS, steps=5)


def required(folder, runs=None, act=None, engine=None):
    data = waves()
    torch.manual_seed(0)
    model = Corrected(data.problem, PointwiseNet)
    if act is not None:
        model.coarse.before_step = lambda stage, step: act() if step == 3 else None
    return model, data, lambda: train_required(model, data, SHORT, engine or Engine(), folder, 3, runs)


def test_what_is_required_is_trained_first_and_only_once(tmp_path):
    model, data, go = required(tmp_path)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    assert go() == {"coarse": tmp_path / "coarse" / WEIGHTS}
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, start[name])}
    assert {"coarse.net.mix.weight", "coarse.normaliser.scale"} < changed
    assert all(name.startswith("coarse.") for name in changed)
    assert (data.train.history, data.train.target) == model.window
    again, _, go = required(tmp_path)
    written = (tmp_path / "coarse" / WEIGHTS).stat().st_mtime_ns
    go()
    assert (tmp_path / "coarse" / WEIGHTS).stat().st_mtime_ns == written
    assert torch.equal(again.coarse.net.mix.weight, model.coarse.net.mix.weight)


def test_all_processes_wait_until_what_is_required_is_written(tmp_path, monkeypatch):
    """Two processes on a CPU: the second one found no weights."""
    group, written = Mock(), []
    group.barrier = lambda: written.append((tmp_path / "coarse" / WEIGHTS).exists())
    monkeypatch.setattr("pdekit.training.required.distributed", group)
    required(tmp_path)[2]()
    assert written == [True]


def test_a_run_that_is_named_is_loaded(tmp_path):
    model, _, go = required(tmp_path / "first")
    files = go()
    other, _, go = required(tmp_path / "second", {"coarse": tmp_path / "first" / "coarse"})
    assert go() == files and not (tmp_path / "second").exists()
    assert torch.equal(other.coarse.net.mix.weight, model.coarse.net.mix.weight)
    with pytest.raises(ValueError, match=r"expected runs of \['coarse'\], found \['fine'\]"):
        required(tmp_path, {"fine": "x"})[2]()


def test_a_run_that_does_not_serve_is_refused_before_the_wait(tmp_path):
    data = waves()
    save_model(made(tmp_path / "wide"), OneStep(data.problem, WideNet))
    shorter = dataclasses.replace(data.problem, dt=0.1)
    save_model(made(tmp_path / "shorter"), OneStep(shorter, PointwiseNet))
    for requires, sentence in (
        (f"coarse={tmp_path / 'wide'}", r"expected a run of OneStep on the same data as requires\.coarse.*net\.wide"),
        (f"coarse={tmp_path / 'shorter'}", "expected a run of OneStep on the same data as .* expected a model of the"),
        ("fine=x", r"expected runs of \['coarse'\], found \['fine'\]"),
        (f"coarse={tmp_path}", r"expected a finished run as requires\.coarse, found no weights"),
    ):
        with pytest.raises(ValueError, match=sentence):
            model = Corrected(data.problem, PointwiseNet)
            pdekit.train(model, data, [f"requires.{requires}", f"runs_dir={tmp_path / 'runs'}"])
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_named_is_found_from_another_folder(tmp_path, monkeypatch):
    required(tmp_path)[2]()
    monkeypatch.chdir(tmp_path)
    overrides = ["requires.coarse=coarse", "training.steps=2", "evaluate=false", "runs_dir=runs"]
    data = waves()
    run = pdekit.train(Corrected(data.problem, PointwiseNet), data, overrides)
    folder = run.path.resolve()
    monkeypatch.chdir(tmp_path / "coarse")
    again = pdekit.train(Corrected(data.problem, PointwiseNet), waves(), resume=folder)
    assert again.config["requires"] == {"coarse": str(tmp_path / "coarse")}


def test_an_interrupted_training_goes_on(tmp_path):
    expected, _, go = required(tmp_path / "whole")
    go()
    _, _, go = required(tmp_path / "stopped", act=lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        go()
    model, _, go = required(tmp_path / "stopped")
    go()
    assert torch.equal(model.coarse.net.mix.weight, expected.coarse.net.mix.weight)


def test_a_time_limit_leaves_it_to_be_finished(tmp_path):
    """An unfinished surrogate is not used: a run that goes on would keep it."""
    expected, _, go = required(tmp_path / "whole")
    go()
    limit = Engine(max_time="00:00:00:01")
    _, _, go = required(tmp_path / "stopped", act=lambda: time.sleep(1.1), engine=limit)
    with pytest.raises(OutOfTime, match="out of time after 4 of 5 steps of coarse"):
        go()
    assert not (tmp_path / "stopped" / "coarse" / WEIGHTS).exists()
    model, _, go = required(tmp_path / "stopped")
    go()
    assert torch.equal(model.coarse.net.mix.weight, expected.coarse.net.mix.weight)


def test_a_run_out_of_time_says_how_to_go_on(tmp_path):
    model = Corrected(waves().problem, PointwiseNet)
    model.coarse.before_step = lambda stage, step: time.sleep(1.1)
    options = ["training.steps=3", "training.ema=0", "evaluate=false", f"runs_dir={tmp_path}"]
    with pytest.raises(OutOfTime, match=r"which the method requires\. To go on: .* overrides=.*max_time=null") as end:
        pdekit.train(model, waves(), [*options, "trainer.max_time=00:00:00:01"])
    assert "out of time after 1 of 3 steps of coarse" in str(end.value)
    (folder,) = tmp_path.iterdir()
    model = Corrected(waves().problem, PointwiseNet)
    again = pdekit.train(model, waves(), ["trainer.max_time=null"], resume=folder)
    assert (folder / "coarse" / WEIGHTS).exists() and again.config["trainer"]["max_time"] is None


def test_a_run_holds_the_weights_of_both(tmp_path):
    data = waves()
    overrides = ["training.steps=4", "evaluate=false", f"runs_dir={tmp_path}", "training.validate_every=4"]
    run = pdekit.train(Corrected(data.problem, PointwiseNet), data, overrides)
    record = json.loads((run.path / "provenance.json").read_text())
    assert record["requires"] == {"coarse": sha256(run.path / "coarse" / WEIGHTS)}
    loaded = pdekit.load(run.path, trust=("tests",)).model
    for name, value in pdekit.load(run.path / "coarse", trust=("tests",)).model.state_dict().items():
        assert torch.equal(loaded.coarse.state_dict()[name], value), name


def test_a_new_training_in_an_old_folder_removes_what_was_found_of_other_weights(tmp_path):
    assert FILE in RESULTS
    for name in (*RESULTS, RECORD, "notes.txt"):
        (tmp_path / name).write_text("{}")
    begin_record(tmp_path, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "notes.txt"]
    own = tmp_path / "own"
    own.mkdir()
    (own / "measurements.csv").write_text("x,t,u")
    begin_record(own, {})
    assert (own / "measurements.csv").read_text() == "x,t,u", "no run was there: the file is the user's"


def test_a_training_that_ends_at_once_leaves_no_checkpoint_of_an_earlier_one(tmp_path):
    (tmp_path / "last.ckpt").write_text("of another training")

    def end():
        raise RuntimeError("ended")

    with pytest.raises(RuntimeError, match="ended"):
        train(tmp_path, at=1, act=end)
    assert not (tmp_path / "last.ckpt").exists()
