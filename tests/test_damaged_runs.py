"""Damaged and changed files of a run: each ends with one sentence that names the file and the remedy."""

import json
import shutil

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pdekit import evaluate as evaluation_command
from pdekit import train as training_command
from pdekit.report.sections.base import text_of
from pdekit.runs import WEIGHTS, load
from pdekit.training.checkpoints import load_checkpoint
from tests.entry_points import command, failure, trained_run

TINY = [
    "model=fno", "model.net.width=4", "model.net.modes=3", "model.net.n_layers=1", "data=ks", "data.grid.shape=[16]",
    "data.grid.extent=[22.0]", "data.warmup=0.8", "data.substeps=4",
    "data.n_trajectories={train: 2, valid: 1, test: 1}",
    "data.n_frames={train: 3, valid: 3, test: 3}", "training.steps=4", "training.checkpoint_every=2", "evaluate=false",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield trained_run(monkeypatch, folder, *TINY)


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_a_whole_run_resumes(run, monkeypatch):
    before = load_file(run / "weights.safetensors")
    command(monkeypatch, training_command, f"resume={run}")
    after = load_file(run / "weights.safetensors")
    assert before.keys() == after.keys() and all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda whole: b"", "found a damaged file: it is empty"),
        (lambda whole: whole[: len(whole) // 2], "found a damaged file"),
        (lambda whole: b"not a checkpoint at all", "found a damaged file"),
    ],
)
def test_a_damaged_checkpoint(run, monkeypatch, content, message):
    path = run / "last.ckpt"
    path.write_bytes(content(path.read_bytes()))
    said = failure(monkeypatch, training_command, f"resume={run}")
    assert str(path) in said and message in said and "start a new run" in said


def test_a_checkpoint_of_another_version(tmp_path):
    torch.save({"state_dict": {}, "global_step": 3}, tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match=r"of this version of pdekit .* without stage, offset, ended; start a new run"):
        load_checkpoint(tmp_path / "last.ckpt")
    torch.save(torch.zeros(2), tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match="without state_dict"):
        load_checkpoint(tmp_path / "last.ckpt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda whole: "", "found an empty file"),
        (lambda whole: "\n".join(whole.splitlines()[:4]) + "\n", "the file may have been cut"),
        (lambda whole: "a: [1, 2", "found a damaged file"),
        (lambda whole: "- 1\n- 2\n", "found a list"),
    ],
)
def test_a_damaged_configuration(run, monkeypatch, content, message):
    path = run / "config.yaml"
    path.write_text(content(path.read_text()))
    said = failure(monkeypatch, training_command, f"resume={run}")
    assert str(path) in said and message in said and "restore it, or start a new run" in said


@pytest.mark.parametrize("done", [2, 4])
def test_a_checkpoint_with_weights_of_another_shape(run, monkeypatch, done):
    path, checkpoint = run / "config.yaml", run / "last.ckpt"
    config = yaml.safe_load(path.read_text())
    config["model"]["net"]["width"] = 6
    path.write_text(yaml.safe_dump(config))
    torch.save(load_checkpoint(checkpoint) | {"global_step": done}, checkpoint)
    said = failure(monkeypatch, training_command, f"resume={run}")
    assert f"expected weights of the configured model in {checkpoint}" in said and "in the model" in said


def rewritten(run, **changes):
    """Replace parts of the header of the weights."""
    with safe_open(run / WEIGHTS, "pt") as stored:
        header = stored.metadata()
        tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    kept = {key: value for key, value in (header | changes).items() if value is not None}
    save_file(tensors, run / WEIGHTS, metadata=kept)


def test_weights_of_another_shape(run, monkeypatch):
    (run / "provenance.json").unlink()
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["model"]["net"]["width"] = 6
    rewritten(run, config=json.dumps(config))
    said = failure(monkeypatch, evaluation_command, f"run={run}")
    assert f"expected weights of the configured model in {run / WEIGHTS}" in said
    assert "(6, " in said and "restore the run's configuration, or train again" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(config=None, name=None), "expected name, config in the header"),
        (dict(config="[1]"), r"expected config by name in the header of .* found \[1\]"),
        (dict(config="{}"), "expected a run whose configuration names its model"),
        (dict(problem="{"), r"in problem of the header of .*weights.safetensors: expected JSON, found a damaged text"),
        (dict(config="{"), r"in config of the header of .*weights.safetensors: expected JSON, found a damaged text"),
    ],
)
def test_a_header_that_lacks_parts(run, changes, message):
    (run / "provenance.json").unlink()
    rewritten(run, **changes)
    with pytest.raises(ValueError, match=message):
        load(run)


def test_weights_that_are_not_those_of_the_record(run, monkeypatch):
    weights = bytearray((run / WEIGHTS).read_bytes())
    weights[-5] ^= 1
    (run / WEIGHTS).write_bytes(weights)
    said = failure(monkeypatch, evaluation_command, f"run={run}")
    assert "expected weights with the SHA-256" in said and "remove provenance.json to use the weights" in said
    (run / "provenance.json").unlink()
    load(run)


@pytest.mark.parametrize("damage", [b'{"seed": 0, "versions": {"pyt', b"\xfe\xffno text"])
def test_a_damaged_record(damage, run, monkeypatch):
    path = run / "provenance.json"
    path.write_bytes(damage)
    for entry_point, argument in ((evaluation_command, f"run={run}"), (training_command, f"resume={run}")):
        said = failure(monkeypatch, entry_point, argument)
        assert f"in {path}, found a damaged file (" in said and "restore it, or remove it" in said


def test_a_report_shows_a_damaged_configuration(tmp_path):
    """An evaluation reads the weights' own configuration; the text of the other is only shown, at its very end."""
    (tmp_path / "config.yaml").write_bytes(b"seed: \xfe")
    assert text_of(tmp_path / "config.yaml") == "seed: \ufffd"
