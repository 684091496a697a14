"""The training command: help, errors, a whole run, its continuation, and code of one's own."""

import contextlib
import csv
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from pdekit import train as training_command
from pdekit.evaluation import run as evaluation
from pdekit.models.one_step import OneStep
from pdekit.runs import load

SMALL = [
    "data=ks",
    "data.grid.shape=[32]",
    "data.grid.extent=[22.0]",
    "data.warmup=0.8",
    "data.substeps=8",
    "data.n_trajectories={train: 4, valid: 2, test: 2}",
    "data.n_frames={train: 6, valid: 6, test: 6}",
    "loading.batch_size=4",
    "training.steps=12",
    "training.validate_every=6",
    "training.checkpoint_every=5",
    "evaluation.sweep.sizes=[1.0]",
    "evaluation.sweep.steps=[1]",
]
FNO = ["model=fno", "model.net.width=4", "model.net.modes=4", "model.net.n_layers=1"]


@pytest.fixture(scope="module", autouse=True)
def datasets(tmp_path_factory):
    """The tests share what they generate."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PDEKIT_DATA", str(tmp_path_factory.mktemp("datasets")))
        yield


def command(monkeypatch, folder, *arguments):
    """Run the command in this process, in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["pdekit-train", *arguments])
    threads = torch.get_num_threads()
    try:
        training_command.main()
    finally:
        torch.set_num_threads(threads)


@pytest.fixture
def unevaluated(monkeypatch):
    """For tests of what comes before the evaluation."""
    monkeypatch.setattr(evaluation, "evaluate_models", lambda *arguments, **further: "not evaluated")


def failure(monkeypatch, folder, *arguments) -> str:
    with pytest.raises(SystemExit) as stop:
        command(monkeypatch, folder, *arguments)
    return str(stop.value)


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def test_help_is_quick_and_lists_what_there_is():
    """No torch, no Lightning, no Hydra; from any directory."""
    code = "import runpy, sys; sys.argv = ['train', '--help']; "
    code += "runpy.run_module('pdekit.train', run_name='__main__'); "
    code += "print('heavy:', sorted({'torch', 'lightning', 'hydra', 'numpy', 'xarray'} & set(sys.modules)))"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "heavy: []" in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3
    for name in ("pde_refiner", "fno", "persistence", "kolmogorov", "ks", "ddp"):
        assert any(line.split()[:1] == [name] and len(line.split()) > 3 for line in done.stdout.splitlines()), name


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["model=fmo", "data=ks"], ["Could not find 'model/fmo'", "did you mean 'fno'", "pde_refiner"]),
        (["model=fno", "data=kss"], ["did you mean 'ks'", "kolmogorov"]),
        (["model=fno"], ["You must specify 'data'", "kolmogorov"]),
        (["model=fno", "data=ks", "training.lrr=1"], ["Key 'lrr'", "did you mean 'lr'", "steps"]),
        (["model=fno", "data=ks", "model.net.widht=3"], ["did you mean 'width'", "modes"]),
        (["model=fno", "data=ks", "training.lr=abc"], ["expected training.lr as a finite number, got 'abc'"]),
        (["model=fno", "data=ks", "training.steps=0"], ["expected training.steps > 0, got 0"]),
        (["model=fno", "data=ks", "loading.batch_size=0"], ["expected batch_size >= 1, got 0"]),
        (["model=fno", "data=ks", "model.target=delta"], ["target among ('state', 'change'), got 'delta'"]),
        (["model=fno", "data=ks", "data.dt=-1"], ["dt > 0"]),
        (["model=fno", "data=ks", "evaluation.measures=[rmsee]"], ["rmsee", "vrmse"]),
        (["model=fno", "data=ks", "evaluation.horizon=0"], ["expected horizon >= 1, got 0"]),
        (["model=fno", "data=ks", "evaluation.error=speed"], ["expected an error among correlation_time", "'speed'"]),
        (["resume=nowhere"], ["expected a run at nowhere", "resume=<its folder>"]),
    ],
)
def test_what_is_misspelt_is_named_and_what_exists_is_said(monkeypatch, tmp_path, arguments, messages):
    small = SMALL[1:] if "data=ks" in arguments and "model=fno" in arguments else []
    found = failure(monkeypatch, tmp_path, *small, *arguments)
    for message in messages:
        assert message in found
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*/weights*"))


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """A whole run: its folder, and what was printed."""
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as monkeypatch, contextlib.redirect_stdout(Printed()) as printed:
        command(monkeypatch, folder, *SMALL, *FNO)
    return only_run(folder), str(printed)


class Printed:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return False

    def __str__(self):
        return self.text


def test_a_run_leaves_everything_behind(small_run):
    run, printed = small_run
    files = {path.name for path in run.iterdir()}
    assert {"config.yaml", "weights.safetensors", "last.ckpt", "metrics.csv", "provenance.json"} <= files
    assert run.name.endswith("-fno-ks") and {path.name for path in run.parents[1].iterdir()} == {"runs"}
    assert str(run) in printed
    config = OmegaConf.load(run / "config.yaml")
    assert config.model.net.width == 4 and config.training.lr == 3e-3
    assert config.choices == {"model": "fno", "data": "ks", "trainer": "cpu"}
    record = json.loads((run / "provenance.json").read_text())
    assert record["seed"] == 0 and record["steps"] == 12 and record["data"]["name"] == "ks"
    assert {"data", "calibration", "training"} <= set(record["seconds"])


def test_a_run_can_be_loaded_and_used(small_run):
    run = load(small_run[0])
    result = run.forecast(torch.zeros(1, 32).numpy(), t=[0.8, 1.6])
    assert result["u"].shape == (1, 1, 2, 32)


def test_a_run_goes_on_where_it_was(monkeypatch, unevaluated, tmp_path, small_run, capfd):
    """Ctrl-C at a step, then the same command with resume: the weights are those of a run that was not stopped."""
    n_losses, loss = [0], OneStep.loss

    def interrupted(self, batch):
        n_losses[0] += torch.is_grad_enabled()
        if n_losses[0] == 8 and torch.is_grad_enabled():
            os.kill(os.getpid(), signal.SIGINT)
        return loss(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(OneStep, "loss", interrupted)
        assert forked(command, patched, tmp_path, *SMALL, *FNO) == 130
    run = only_run(tmp_path)
    assert f"stopped after 8 steps. To go on: python -m pdekit.train resume={run}" in capfd.readouterr().out
    assert not (run / "weights.safetensors").exists()
    record = json.loads((run / "provenance.json").read_text())
    record["seconds"]["training"] += 1000
    record["energy"]["joules"] = {"processor": 5000.0}
    (run / "provenance.json").write_text(json.dumps(record))
    command(monkeypatch, tmp_path, *SMALL, *FNO, f"resume={run}", "trainer.max_time=00:01:00:00")
    both = json.loads((run / "provenance.json").read_text())
    assert record["steps"] == 8 and both["steps"] == 12, "what training took is what all of its sessions did"
    assert both["seconds"]["training"] > record["seconds"]["training"] > 1000
    assert both["energy"]["joules"]["processor"] >= 5000
    assert only_run(tmp_path) == run
    expected, found = load(small_run[0]).model.state_dict(), load(run).model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    with (run / "metrics.csv").open() as lines:
        assert [int(row["step"]) for row in csv.DictReader(lines) if row["name"] == "valid/loss"] == [5, 11]


@pytest.mark.slow
def test_a_finished_run_is_evaluated_again_when_resumed(monkeypatch, tmp_path, small_run):
    run = shutil.copytree(small_run[0], tmp_path / "copy")
    for name in ("weights.safetensors", "scores.nc", "report.html"):
        (run / name).unlink()
    command(monkeypatch, tmp_path, f"resume={run}")
    assert (run / "report.html").exists()
    expected, found = load(small_run[0]).model.state_dict(), load(run).model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_a_run_that_was_stopped_before_its_first_step_begins_anew(monkeypatch, unevaluated, tmp_path, small_run):
    run = tmp_path / "begun"
    run.mkdir()
    shutil.copy(small_run[0] / "config.yaml", run)
    command(monkeypatch, tmp_path, f"resume={run}")
    expected, found = load(small_run[0]).model.state_dict(), load(run).model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_a_run_does_not_go_on_with_other_data(monkeypatch, tmp_path, small_run):
    run = shutil.copytree(small_run[0], tmp_path / "copy")
    config = OmegaConf.load(run / "config.yaml")
    config.recipe = "0123456789ab"
    OmegaConf.save(config, run / "config.yaml")
    found = failure(monkeypatch, tmp_path, f"resume={run}")
    assert "expected the dataset 0123456789ab that the run began with" in found and "start a new run" in found


def test_a_divergence_ends_with_a_sentence_and_the_last_good_weights(monkeypatch, tmp_path):
    found = failure(monkeypatch, tmp_path, *SMALL, *FNO, "training.lr=1e30", "training.clip=null")
    assert "expected a finite training loss" in found and "Lower training.lr" in found
    assert all(torch.isfinite(value).all() for value in load(only_run(tmp_path)).model.state_dict().values())


def test_a_time_limit_says_how_to_go_on(monkeypatch, unevaluated, tmp_path, capsys):
    command(monkeypatch, tmp_path, *SMALL, *FNO, "training.steps=100000", "trainer.max_time=00:00:00:01")
    run = only_run(tmp_path)
    printed = capsys.readouterr().out
    assert "out of time after" in printed and f"resume={run} trainer.max_time=null" in printed
    assert "not evaluated" in printed and (run / "weights.safetensors").exists()


def trained_apart(folder: Path, *arguments: str) -> Path:
    """The run of a command in a process of its own."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "pdekit.train", *SMALL, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run: ") == 1
    return only_run(folder)


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_same_global_batch(tmp_path):
    """Gradients are averaged over 2 x 2 samples in place of 4: equal weights but for rounding, in one folder."""
    two = [*FNO, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "loading.batch_size=2"]
    shared = load(trained_apart(tmp_path / "two", *two)).model.state_dict()
    alone = load(trained_apart(tmp_path / "one", *FNO, "loading.batch_size=4")).model.state_dict()
    start = load(trained_apart(tmp_path / "start", *FNO, "loading.batch_size=4", "training.steps=1")).model.state_dict()
    filled = [name for name, value in alone.items() if value.numel()]
    moved = max(float((alone[name] - start[name]).abs().max()) for name in filled)
    assert moved > 0
    for name in filled:
        assert float((shared[name] - alone[name]).abs().max()) < 1e-3 * moved, name


@pytest.mark.slow
def test_a_training_in_bfloat16_follows_that_in_float32(tmp_path):
    """A U-Net: an FNO computes in float32 whatever the precision, because of its transforms."""
    unet, losses = ["model=unet", "model.net.width=4", "model.net.multipliers=[1,2]"], []
    for precision in ("32-true", "bf16-mixed"):
        run = trained_apart(tmp_path / precision, *unet, f"trainer.precision={precision}")
        rows = [row.split(",") for row in (run / "metrics.csv").read_text().splitlines()]
        losses.append([float(value) for _, name, value in rows if name == "valid/loss"])
    assert losses[0] and losses[1] == pytest.approx(losses[0], rel=0.05) and losses[0] != losses[1]


def forked(function, *arguments) -> int:
    """Run in a child process; its exit code."""
    child = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    child.start()
    child.join()
    return child.exitcode


def test_a_run_goes_on_with_its_own_settings(monkeypatch, small_run, tmp_path):
    run = small_run[0]
    assert "expected the run's own model=fno, found model=unet" in failure(
        monkeypatch, tmp_path, "model=unet", f"resume={run}"
    )
    assert "expected the run's own training.lr=0.003, found training.lr=1" in failure(
        monkeypatch, tmp_path, f"resume={run}", "training.lr=1"
    )


OWN_NET = """
from torch import nn

class OwnNet(nn.Module):
    def __init__(self, layout, in_channels, out_channels, n_conditions=0, width=2):
        super().__init__()
        self.width = width
        self.convolution = nn.Conv1d(in_channels, out_channels, 3, padding=1, padding_mode="circular")

    def forward(self, u, condition=None):
        return self.convolution(u)
"""
OWN_CONFIG = """
# a net of one's own
_target_: pdekit.models.one_step.OneStep
net: {_target_: own_package_for_a_test.OwnNet, _partial_: true, width: 3}
"""


@pytest.fixture
def own_code(tmp_path):
    """A package and a configuration outside pdekit."""
    (tmp_path / "own_package_for_a_test.py").write_text(OWN_NET)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "own.yaml").write_text(OWN_CONFIG)
    yield tmp_path
    sys.modules.pop("own_package_for_a_test", None)


def test_code_of_ones_own_needs_trust(monkeypatch, unevaluated, own_code):
    arguments = ["model=own", *SMALL, f"hydra.searchpath=[file://{own_code}]"]
    monkeypatch.syspath_prepend(own_code)
    assert "add trust=own_package_for_a_test to the command line" in failure(monkeypatch, own_code, *arguments)
    command(monkeypatch, own_code, *arguments, "trust=own_package_for_a_test")
    run = next(run for run in (own_code / "runs").iterdir() if (run / "weights.safetensors").exists())
    with pytest.raises(ValueError, match="trust="):
        load(run)
    assert load(run, trust=["own_package_for_a_test"]).model.net.width == 3


def test_a_file_cannot_trust_itself(monkeypatch, own_code):
    (own_code / "model" / "own.yaml").write_text("# @package _global_\ntrust: [own_package_for_a_test]\nmodel:{}")
    indented = OWN_CONFIG.replace("\n", "\n  ")
    text = f"# @package _global_\ntrust: [own_package_for_a_test]\nmodel:{indented}\n"
    (own_code / "model" / "own.yaml").write_text(text)
    monkeypatch.syspath_prepend(own_code)
    arguments = ["model=own", *SMALL, f"hydra.searchpath=[file://{own_code}]"]
    assert "add trust=own_package_for_a_test" in failure(monkeypatch, own_code, *arguments)


@pytest.mark.parametrize("model", ["mean", "persistence", "solver"])
@pytest.mark.slow
def test_a_baseline_can_be_run_by_itself(monkeypatch, tmp_path, model):
    command(monkeypatch, tmp_path, *SMALL, f"model={model}")
    run = load(only_run(tmp_path))
    assert run.forecast(torch.ones(1, 32).numpy(), t=[0.8])["u"].shape == (1, 1, 1, 32)


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(tmp_path):
    """A real process, a real signal."""
    arguments = [*SMALL, *FNO, "training.steps=100000", "training.checkpoint_every=1000000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pdekit.train", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    try:
        for _ in range(600):
            if (
                list(tmp_path.glob("runs/*/metrics.csv"))
                and len(next(tmp_path.glob("runs/*/metrics.csv")).read_text()) > 200
            ):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    run = only_run(tmp_path)
    assert process.returncode == 130
    assert f"python -m pdekit.train resume={run}" in printed
    assert (run / "last.ckpt").exists() and not (run / "weights.safetensors").exists()
