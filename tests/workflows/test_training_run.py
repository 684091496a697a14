"""The training run without the command line: what it leaves, and how it ends."""

import dataclasses
import json

import pytest
import yaml

from pdekit.recipes.instance import instance_from
from pdekit.runs import save_config
from pdekit.training import Diverged
from pdekit.training.module import Outcome
from pdekit.workflows import training_run
from tests.test_configs import composed
from tests.test_contract import LITTLE, SMALL, data_of


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A small run of Burgers' equation."""
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path / "datasets"))
    found = composed("model=fno", "data=ks", *SMALL["fno"], *LITTLE)
    names = {"model": "fno", "data": "line", "trainer": "cpu"}
    return found | {"data": data_of("line"), "choices": names, "runs_dir": str(tmp_path / "runs")}


def test_an_interrupted_run_raises_and_can_be_continued(config, monkeypatch):
    """A library function does not end the process."""
    plan = training_run.plan_run(config, ("tests",))
    monkeypatch.setattr(training_run, "train_stages", lambda *arguments: Outcome(False, True, 1, 0.0))
    with pytest.raises(training_run.Stopped, match=r"stopped after 1 steps.*resume="):
        training_run.carry_out(plan)


def test_a_diverged_run_raises_and_leaves_its_weights(config, monkeypatch, tmp_path):
    def diverge(*arguments):
        raise Diverged("expected a finite training loss")

    plan = training_run.plan_run(config, ("tests",))
    monkeypatch.setattr(training_run, "train_stages", diverge)
    with pytest.raises(Diverged):
        training_run.carry_out(plan)
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "weights.safetensors").exists() and (run / "config.yaml").exists()


def test_the_stored_configuration_is_what_was_given(tmp_path):
    config = {"seed": 0, "training": {"lr": 1e-5, "clip": None}, "choices": {"data": "µ"}, "shape": [1, 2]}
    save_config(tmp_path, config)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text("utf-8")) == config
    assert json.dumps(yaml.safe_load((tmp_path / "config.yaml").read_text("utf-8"))) == json.dumps(config)


def test_a_net_that_does_not_take_the_grid_is_refused_before_data_are_made(config, monkeypatch):
    monkeypatch.setattr(training_run, "generate", lambda *arguments: pytest.fail("data were generated"))
    small = composed("model=unet", "data=ks", *SMALL["unet"])["model"]
    problem = instance_from(config["data"], None, ("tests",)).problem("train")
    odd = [n - n % 2 + 1 for n in problem.grid.shape]
    data = config["data"] | {"grid": config["data"]["grid"] | {"shape": odd}}
    with pytest.raises(ValueError, match="expected"):
        training_run.plan_run(config | {"model": small, "data": data}, ("tests",))


def test_an_instance_is_named_with_its_dataset(config):
    plan = training_run.plan_run(config, ("tests",))
    assert plan.data_name == "line"
    assert dataclasses.replace(plan, config=plan.config | {"instance": "sample:3"}).data_name == "line-sample-3"


def test_runs_that_are_required_are_given_by_name(config, monkeypatch):
    monkeypatch.setattr(training_run, "generate", lambda *arguments: pytest.fail("data were generated"))
    with pytest.raises(ValueError, match="expected requires by name, got 'runs/one'; give requires="):
        training_run.plan_run(config | {"requires": "runs/one"}, ("tests",))
