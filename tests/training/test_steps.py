"""What a step is: accumulated gradients, a stage with a step of its own, compiled nets."""

import dataclasses
import signal
import subprocess
import sys

import pytest
import torch

from pdekit.models.one_step import OneStep
from pdekit.models.stages import Stage
from pdekit.settings import Engine
from pdekit.training.module import fit, load_checkpoint
from tests.models.small import PointwiseNet
from tests.training.test_module import SETTINGS, assert_equal_weights, forked, kill, metrics, train, waves


def accumulated(folder, batch_size, accumulate, steps=6, ema=0.9):
    """A step from each pair of half batches, in order; the loss is a mean over samples."""
    data = waves()
    data.loading = dataclasses.replace(data.loading, batch_size=batch_size)
    torch.manual_seed(0)
    model = OneStep(data.problem, PointwiseNet)
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    settings = dataclasses.replace(SETTINGS, steps=steps, accumulate=accumulate, ema=ema, checkpoint_every=2)
    outcome = fit(model, data, settings, Engine(), folder, seed=3, progress=False)
    return model, outcome


def test_two_half_batches_make_the_step_of_a_whole_one(tmp_path):
    whole, outcome = accumulated(tmp_path / "whole", 8, 1)
    halves, counted = accumulated(tmp_path / "halves", 4, 2)
    assert outcome.steps == counted.steps == 6
    for name, value in whole.named_parameters():
        torch.testing.assert_close(halves.get_parameter(name), value, rtol=1e-6, atol=1e-7)
    one, two = (metrics(tmp_path / name) for name in ("whole", "halves"))
    assert [row[:2] for row in one] == [row[:2] for row in two]


def test_a_killed_run_that_accumulates_resumes_bit_for_bit(tmp_path):
    settings = dataclasses.replace(SETTINGS, accumulate=2, validate_every=5, checkpoint_every=3)
    expected, _ = train(tmp_path / "whole", settings=settings)
    assert forked(train, tmp_path / "killed", 2 * 14, kill, False, settings) == -signal.SIGKILL
    assert load_checkpoint(tmp_path / "killed" / "last.ckpt")["global_step"] == 12
    model, outcome = train(tmp_path / "killed", resume=True, settings=settings)
    assert_equal_weights(model, expected)
    assert outcome.steps == 24 and metrics(tmp_path / "killed") == metrics(tmp_path / "whole")


class Adversarial(OneStep):
    """Two optimisers: one descends the loss by the weights, the other ascends it by the offsets."""

    at, act = None, None

    def stages(self, settings):
        def optimisers(trained):
            return torch.optim.SGD([self.net.mix.weight], 1e-2), torch.optim.SGD([self.net.mix.bias], 1e-3)

        return (Stage(7, optimisers, lambda step: 1 / (1 + step), step=self.play, name="play"),)

    def play(self, batch, optimisers, backward):
        numbers = {}
        for name, sign, optimiser in zip(("down", "up"), (1, -1), optimisers, strict=True):
            loss, _ = self.loss(batch)
            optimiser.zero_grad()
            backward(sign * loss)
            optimiser.step()
            numbers[name] = loss.detach()
        return numbers


def test_a_stage_may_have_a_step_of_its_own_with_two_optimisers(tmp_path):
    settings = dataclasses.replace(SETTINGS, ema=0.0, validate_every=3, checkpoint_every=2)
    model, outcome = train(tmp_path / "fit", method=Adversarial, settings=settings)
    assert outcome.steps == 7 and outcome.finished
    rows = metrics(tmp_path / "fit")
    assert {"valid/loss", "valid/nrmse"} <= {name for _, name, _ in rows}
    data = waves()
    torch.manual_seed(0)
    by_hand = Adversarial(data.problem, PointwiseNet)
    data.set_window(*by_hand.window)
    by_hand.calibrate(data.calibration_batches())
    for n, batch in zip(range(7), data.train_dataloader(), strict=False):
        for parameter, rate in ((by_hand.net.mix.weight, 1e-2), (by_hand.net.mix.bias, -1e-3)):
            (gradient,) = torch.autograd.grad(by_hand.loss(batch)[0], parameter)
            parameter.data -= rate / (1 + n) * gradient
    for name, value in by_hand.named_parameters():
        torch.testing.assert_close(model.get_parameter(name), value, rtol=1e-5, atol=1e-6)


def test_several_optimisers_need_a_step_of_their_own(tmp_path):
    class Wrong(Adversarial):
        def stages(self, settings):
            return (dataclasses.replace(super().stages(settings)[0], step=None),)

    with pytest.raises(ValueError, match="expected one optimiser, or several with a step function"):
        train(tmp_path, method=Wrong)


PROGRAM = """
import dataclasses, sys, torch
from pathlib import Path
from pdekit.models.one_step import OneStep
from pdekit.settings import Engine
from pdekit.training import fit
from pdekit.nets.dilated_resnet import DilatedResNet
from tests.training.test_module import SETTINGS, waves
weights = []
for compiled in (False, True):
    data = waves()
    torch.manual_seed(0)
    model = OneStep(data.problem, lambda **sizes: DilatedResNet(**sizes, width=4, blocks=1))
    model.calibrate(data.calibration_batches())
    graphs = []
    if compiled:
        def backend(graph, inputs):
            graphs.append(graph)
            return graph.forward
        compile = torch.compile
        torch.compile = lambda function: compile(function, backend=backend)
    settings, engine = dataclasses.replace(SETTINGS, steps=6), Engine(compile=compiled)
    fit(model, data, settings, engine, Path(sys.argv[1]), progress=False)
    assert bool(graphs) == compiled and "forward" not in vars(model.net)
    weights.append(model.state_dict())
for name, value in weights[0].items():
    torch.testing.assert_close(weights[1][name], value, rtol=1e-5, atol=1e-6)
"""


@pytest.mark.slow
def test_compiled_training_gives_the_same_weights(tmp_path):
    """In a process of its own: the run-time type checks of the tests are not traceable."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
