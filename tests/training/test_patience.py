"""Checkpoints at validations: exact resume with a stopping rule, and signals during a validation."""

import dataclasses
import multiprocessing
import os
import signal

import pytest
import torch

from pdekit.training.module import load_checkpoint
from tests.training.test_module import SETTINGS, Disturbed, assert_equal_weights, forked, kill, metrics, train

# 40 windows in batches of 4: an epoch ends after 10 steps, with the second of its validations
PATIENT = dataclasses.replace(SETTINGS, steps=60, lr=1e-12, validate_every=5, checkpoint_every=5, patience=3)


class InValidation(Disturbed):
    """Does something in the validation of one step."""

    def loss(self, batch):
        if not torch.is_grad_enabled() and getattr(self, "n_losses", 0) == self.at:
            self.at = None
            self.act()
        at, self.at = self.at, None
        loss = super().loss(batch)
        self.at = at
        return loss


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return (*train(folder, settings=PATIENT), folder)


def test_the_rule_stops_the_run(whole):
    """The loss improves at the first validation only: three more follow."""
    assert whole[1].finished and whole[1].steps == 20
    assert load_checkpoint(whole[2] / "last.ckpt")["ended"]


@pytest.mark.parametrize("step", [8, 11, *(pytest.param(step, marks=pytest.mark.slow) for step in (6, 13, 16, 18))])
def test_a_killed_run_stops_where_one_that_was_not_stops(whole, tmp_path, step):
    """Its last checkpoint is of a validation, in the middle and at the end of an epoch."""
    assert forked(train, tmp_path, step, kill, False, PATIENT) == -signal.SIGKILL
    assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == 5 * ((step - 1) // 5)
    model, outcome = train(tmp_path, resume=True, settings=PATIENT)
    assert outcome.finished and outcome.steps == 20
    assert_equal_weights(model, whole[0])
    assert metrics(tmp_path) == metrics(whole[2])


@pytest.mark.slow
@pytest.mark.parametrize("step", [5, 10, 15])
def test_a_run_that_is_killed_in_a_validation_repeats_it(whole, tmp_path, step):
    assert forked(train, tmp_path, step, kill, False, PATIENT, InValidation) == -signal.SIGKILL
    if step == 5:
        assert not (tmp_path / "last.ckpt").exists()
        return
    assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == step - 5
    model, outcome = train(tmp_path, resume=True, settings=PATIENT)
    assert outcome.steps == 20 and metrics(tmp_path) == metrics(whole[2])
    assert_equal_weights(model, whole[0])


def stopped(folder, step, act, settings, queue):
    _, outcome = train(folder, step, act, settings=settings, method=InValidation)
    queue.put((outcome.interrupted, outcome.finished, outcome.steps))


@pytest.mark.parametrize(
    ("settings", "step"),
    [
        pytest.param(PATIENT, 10, marks=pytest.mark.slow),
        (PATIENT, 20),  # the validation that ends the run by its rule
        (dataclasses.replace(SETTINGS, steps=20), 20),  # the validation after the last step
        pytest.param(
            dataclasses.replace(SETTINGS, steps=20, checkpoint_every=7), 10, marks=pytest.mark.slow
        ),  # not due
    ],
)
def test_a_signal_in_a_validation_is_honoured(tmp_path, settings, step):
    queue = multiprocessing.get_context("fork").SimpleQueue()
    assert forked(stopped, tmp_path / "cut", step, terminate, settings, queue) == 0
    assert queue.get() == (True, False, step)
    assert load_checkpoint(tmp_path / "cut" / "last.ckpt")["global_step"] == step
    again, outcome = train(tmp_path / "cut", resume=True, settings=settings)
    expected, uncut = train(tmp_path / "whole", settings=settings)
    assert outcome.finished and outcome.steps == uncut.steps == 20
    assert_equal_weights(again, expected)
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")


def test_a_run_that_its_rule_has_ended_is_not_trained_further(whole, tmp_path):
    train(tmp_path, settings=PATIENT)
    model, outcome = train(tmp_path, resume=True, settings=PATIENT)
    assert outcome.finished and outcome.steps == 20
    assert_equal_weights(model, whole[0])
