"""Training: exact resume, the running average, divergence, interruption, stages."""

import csv
import dataclasses
import multiprocessing
import os
import shutil
import signal
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.metrics.pointwise import nrmse
from pdekit.models.noise import derived_seed
from pdekit.models.one_step import OneStep
from pdekit.models.pde_refiner import PDERefiner
from pdekit.models.stages import Stage, adam_stage, warmup_cosine
from pdekit.settings import Engine, Training
from pdekit.training.callbacks import SeedBySteps
from pdekit.training.module import VALIDATION, Diverged, StageModule, fit, load_checkpoint
from tests.models.small import PointwiseNet

SETTINGS = Training(steps=24, lr=3e-2, ema=0.9, validate_every=10, validate_batches=2, checkpoint_every=7)


def waves():
    """Travelling waves: 6 trajectories of 9 frames; 40 training windows are 10 batches an epoch."""
    phase = np.random.default_rng(0).uniform(0, 6, (6, 1, 1, 1))
    x, t = np.arange(16) * 2 * np.pi / 16, np.arange(9)[:, None, None] * 0.3
    return from_arrays(np.sin(x + phase - t), dt=0.3, extent=(2 * np.pi,), fields=["u"], loading=Loading(batch_size=4))


class Disturbed(PDERefiner):
    """PDE-Refiner, whose loss draws noise and measures its finest level, that does something at one of its losses."""

    at: int | None = None
    act = staticmethod(lambda: None)

    def __init__(self, problem, net):
        super().__init__(problem, net, sigma_min="auto")

    def loss(self, batch):
        if torch.is_grad_enabled():
            self.n_losses = getattr(self, "n_losses", 0) + 1
            if self.n_losses == self.at:
                self.act()
        return super().loss(batch)


def train(folder, at=None, act=None, resume=False, settings=SETTINGS, method=Disturbed, engine=None):
    data = waves()
    torch.manual_seed(0)
    model = method(data.problem, PointwiseNet)
    model.at, model.act = at, act
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    outcome = fit(model, data, settings, engine or Engine(), folder, seed=3, resume=resume, progress=False)
    return model, outcome


def forked(function, *arguments) -> int:
    """Run in a child process; its exit code."""
    child = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    child.start()
    child.join()
    return child.exitcode


def assert_equal_weights(a, b):
    for name, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[name]), name


def metrics(folder):
    with (folder / "metrics.csv").open() as lines:
        return [(int(row["step"]), row["name"], row["value"]) for row in csv.DictReader(lines)]


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return (*train(folder), folder)


@pytest.mark.parametrize("step", [9, 16, 23])
def test_a_killed_run_resumes_bit_for_bit(undisturbed, tmp_path, step):
    """Killed in the middle of the first, second and third epoch, with the running average on."""
    assert forked(train, tmp_path, step, kill) == -signal.SIGKILL
    assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == 7 * ((step - 1) // 7)
    model, outcome = train(tmp_path, resume=True)
    assert_equal_weights(model, undisturbed[0])
    assert outcome.finished and outcome.steps == 24
    assert metrics(tmp_path) == metrics(undisturbed[2])


def test_a_run_that_had_taken_its_last_step_resumes_with_the_average(undisturbed, tmp_path):
    shutil.copy(undisturbed[2] / "last.ckpt", tmp_path)
    model, outcome = train(tmp_path, resume=True)
    assert_equal_weights(model, undisturbed[0])
    assert outcome.finished and outcome.steps == 24


def interrupted(folder, number, queue):
    _, outcome = train(folder, 17, lambda: os.kill(os.getpid(), number))
    queue.put((outcome.interrupted, outcome.finished, outcome.steps))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_step_and_the_run_resumes_bit_for_bit(undisturbed, tmp_path, number):
    queue = multiprocessing.get_context("fork").SimpleQueue()
    assert forked(interrupted, tmp_path, number, queue) == 0
    assert queue.get() == (True, False, 17)
    assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == 17
    assert_equal_weights(train(tmp_path, resume=True)[0], undisturbed[0])
    assert metrics(tmp_path) == metrics(undisturbed[2])


def test_no_number_is_lost_where_a_run_stops(tmp_path):
    """Lightning logs the tenth step after all hooks; no validation follows it here."""
    settings = dataclasses.replace(SETTINGS, steps=12, validate_every=8)
    train(tmp_path / "whole", settings=settings)
    expected = metrics(tmp_path / "whole")
    assert (9, "train/loss") in {row[:2] for row in expected}
    for step in (9, 10, 11, 12):
        folder = tmp_path / str(step)
        _, outcome = train(folder, step, interrupt, settings=settings)
        assert (outcome.interrupted, outcome.steps) == (True, step)
        train(folder, resume=True, settings=settings)
        assert metrics(folder) == expected, step


def test_ctrl_c_twice_stops_at_once(tmp_path):
    def twice():
        interrupt()
        interrupt()

    assert forked(train, tmp_path, 17, twice) == 1
    assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == 14


def test_resuming_without_a_checkpoint_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"last\.ckpt to resume from, found none"):
        train(tmp_path, resume=True)


def test_the_result_is_the_running_average(tmp_path, undisturbed):
    """w_ema of every step by hand; the statistics are those of the data, bit for bit."""
    seen = []

    class Watched(OneStep):
        def loss(self, batch):
            if torch.is_grad_enabled():
                seen.append({name: p.detach().clone() for name, p in self.named_parameters()})
            return super().loss(batch)

    data = waves()
    torch.manual_seed(0)
    model = Watched(data.problem, PointwiseNet)
    model.calibrate(data.calibration_batches())
    statistics = {name: value.clone() for name, value in model.normaliser.state_dict().items()}
    settings = dataclasses.replace(SETTINGS, ema=0.0)
    fit(model, data, settings, Engine(), tmp_path / "plain", progress=False)
    last = {name: p.detach().clone() for name, p in model.named_parameters()}
    steps = [*seen[1:], last]
    average = dict(steps[0])
    for n, weights in enumerate(steps[1:], 1):
        decay = min(0.9, (1 + n) / (10 + n))
        average = {name: decay * value + (1 - decay) * weights[name] for name, value in average.items()}

    torch.manual_seed(0)
    averaged = OneStep(data.problem, PointwiseNet)
    averaged.calibrate(data.calibration_batches())
    fit(averaged, data, SETTINGS, Engine(), tmp_path / "averaged", progress=False)
    for name, p in averaged.named_parameters():
        torch.testing.assert_close(p, average[name], rtol=1e-5, atol=1e-7)
        assert not torch.equal(p, last[name])
    for name, value in averaged.normaliser.state_dict().items():
        assert torch.equal(value, statistics[name])


def test_what_it_logs(undisturbed):
    rows = metrics(undisturbed[2])
    assert {name for _, name, _ in rows} == {"train/loss", "valid/loss", "valid/nrmse", "lr-AdamW"}
    assert [step for step, name, _ in rows if name == "valid/nrmse"] == [9, 19]
    rates = [float(value) for _, name, value in rows if name == "lr-AdamW"]
    assert rates == pytest.approx([3e-2 * warmup_cosine(24, 0.05)(step) for step in (9, 19)], rel=1e-6)


class Poisoned(OneStep):
    """Its loss becomes NaN at one step."""

    at, act, n_losses = None, None, 0

    def loss(self, batch):
        loss, numbers = super().loss(batch)
        if torch.is_grad_enabled():
            self.n_losses += 1
        return (loss * torch.nan if self.n_losses == self.at else loss), numbers


@pytest.mark.parametrize(("at", "kept"), [(17, "step 14"), (3, "that this stage began with")])
def test_a_divergence_stops_and_keeps_the_last_good_weights(tmp_path, at, kept):
    data = waves()
    model = Poisoned(data.problem, PointwiseNet)
    model.calibrate(data.calibration_batches())
    start = {name: value.clone() for name, value in model.state_dict().items()}
    model.at = at
    with pytest.raises(Diverged, match=f"found nan at step {at - 1}; the model keeps the weights.*{kept}.*training.lr"):
        fit(model, data, SETTINGS, Engine(), tmp_path, progress=False)
    good = start
    if at == 17:
        good = load_checkpoint(tmp_path / "last.ckpt")["state_dict"]
        good = {name.removeprefix("model."): value for name, value in good.items()}
    assert all(torch.equal(value, good[name]) for name, value in model.state_dict().items())


def test_weights_that_are_not_finite_do_not_replace_the_checkpoint(tmp_path):
    """The loss of a step may be finite and its gradient not."""

    class Steep(Poisoned):
        def loss(self, batch):
            loss, numbers = OneStep.loss(self, batch)
            if torch.is_grad_enabled():
                self.n_losses += 1
                if self.n_losses == self.at:
                    loss = loss + torch.sqrt(loss - loss.detach())  # its slope is infinite
            return loss, numbers

    data = waves()
    model = Steep(data.problem, PointwiseNet)
    model.calibrate(data.calibration_batches())
    model.at = 14
    with pytest.raises(Diverged, match="step 7"):
        fit(model, data, SETTINGS, Engine(), tmp_path, progress=False)
    assert all(torch.isfinite(p).all() for p in model.parameters())


class TwoStages(OneStep):
    """First the offsets with Adam, then everything with SGD in float64."""

    at, act = None, None

    def stages(self, settings):
        first = dataclasses.replace(adam_stage(settings), steps=5, parameters=("net.mix.bias",), name="offsets")
        second = Stage(6, lambda p: torch.optim.SGD(p, 1e-2), lambda step: 1.0, name="all", precision="64-true")
        return (first, second)


def test_stages_follow_one_another(tmp_path):
    seen = []

    class Watched(TwoStages):
        def loss(self, batch):
            loss, numbers = super().loss(batch)
            if torch.is_grad_enabled():
                seen.append((self.net.mix.weight.detach().clone(), loss.dtype))
            return loss, numbers

    settings = dataclasses.replace(SETTINGS, ema=0.0, checkpoint_every=2)
    model, outcome = train(tmp_path, method=Watched, settings=settings)
    assert outcome.steps == 11 and outcome.finished
    assert all(torch.equal(weight, seen[0][0]) for weight, _ in seen[:6])  # it rests in the first stage
    assert not torch.equal(seen[6][0].float(), seen[0][0])
    assert [dtype for _, dtype in seen] == [torch.float32] * 5 + [torch.float64] * 6
    assert model.net.mix.weight.dtype == torch.float64
    assert load_checkpoint(tmp_path / "last.ckpt")["stage"] == 1


def test_steps_are_counted_over_all_stages(tmp_path):
    settings = dataclasses.replace(SETTINGS, ema=0.0, validate_every=2)
    train(tmp_path, method=TwoStages, settings=settings)
    assert [step for step, name, _ in metrics(tmp_path) if name == "valid/loss"] == [1, 3, 6, 8, 10]


def test_gradients_are_clipped_to_the_norm_asked_for(tmp_path):
    """One step of gradient descent with rate 1 moves the weights by the clipped gradient."""

    class Descent(OneStep):
        at, act = None, None

        def stages(self, settings):
            return (Stage(1, lambda p: torch.optim.SGD(p, 1.0), lambda step: 1.0),)

        def loss(self, batch):
            self.before = [p.detach().clone() for p in self.parameters()]
            loss, numbers = super().loss(batch)
            return 1e6 * loss, numbers

    settings = dataclasses.replace(SETTINGS, ema=0.0, clip=1e-2, validate_every=2)
    model, _ = train(tmp_path, method=Descent, settings=settings)
    moved = [(p.detach() - q).norm() for p, q in zip(model.parameters(), model.before, strict=True)]
    assert float(torch.stack(moved).norm()) == pytest.approx(1e-2, rel=1e-3)


def test_a_validation_draws_by_its_batch_and_takes_the_mean_error():
    data = waves()
    model = PDERefiner(data.problem, PointwiseNet)
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    batch, logged = next(iter(data.val_dataloader())), []
    module = StageModule(model, adam_stage(SETTINGS), 0, seed=3, offset=0)
    module._log = lambda split, numbers, size: logged.append((numbers, size))
    quiet = dataclasses.replace(batch, u=torch.cat([batch.u[:, :1], 1e-13 * batch.u[:, 1:]], 1))
    for number, given in ((0, batch), (1, batch), (0, batch), (0, quiet)):
        module.validation_step(given, number)
    (first, second, again, _), errors = ([numbers for numbers, _ in logged[::2]], logged[1::2])
    assert first["loss"] == again["loss"] != second["loss"], "noise is a function of seed and batch"
    torch.manual_seed(derived_seed(3, VALIDATION, 0))
    generator = torch.Generator().manual_seed(derived_seed(3, VALIDATION, 0))
    u = model.forecast(batch.known(1), batch.t[:, 1:], generator=generator)[0]
    error = nrmse(u.to(batch.u.dtype), batch.u[:, 1:], data.problem)
    found, weight = errors[0]
    assert weight == error.numel() > 1 and float(found["nrmse"]) == pytest.approx(float(error.mean()), rel=1e-6)
    assert errors[-1] == ({"nrmse": 0.0}, 0), "no weight where the reference vanishes"


def test_the_numbers_of_a_step_depend_on_seed_step_and_rank():
    drawn = {}
    for seed, step, rank in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        trainer = Mock(spec=Trainer, global_step=step, global_rank=rank)
        SeedBySteps(seed).on_train_batch_start(trainer, Mock(spec=LightningModule), None, 7)
        drawn[seed, step, rank] = float(torch.rand(()))
    assert len(set(drawn.values())) == 4
    SeedBySteps(0).on_train_batch_start(
        Mock(spec=Trainer, global_step=0, global_rank=0), Mock(spec=LightningModule), 0, 0
    )
    assert float(torch.rand(())) == drawn[0, 0, 0], "and on nothing else"


class Killed(TwoStages):
    def loss(self, batch):
        if torch.is_grad_enabled():
            self.n_losses = getattr(self, "n_losses", 0) + 1
            if self.n_losses == self.at:
                kill()
        return super().loss(batch)


def test_a_run_resumes_in_its_stage(tmp_path):
    settings = dataclasses.replace(SETTINGS, checkpoint_every=2)
    expected, _ = train(tmp_path / "whole", method=Killed, settings=settings)
    assert forked(train, tmp_path / "killed", 9, kill, False, settings, Killed) == -signal.SIGKILL
    model, outcome = train(tmp_path / "killed", resume=True, method=Killed, settings=settings)
    assert_equal_weights(model, expected)
    assert outcome.steps == 11


def test_a_run_resumes_between_stages(tmp_path):
    settings = dataclasses.replace(SETTINGS, checkpoint_every=100)
    expected, _ = train(tmp_path / "whole", method=TwoStages, settings=settings)
    assert forked(train, tmp_path / "killed", 6, kill, False, settings, Killed) == -signal.SIGKILL
    found = load_checkpoint(tmp_path / "killed" / "last.ckpt")
    assert (found["stage"], found["global_step"]) == (0, 5)
    model, outcome = train(tmp_path / "killed", resume=True, method=Killed, settings=settings)
    assert_equal_weights(model, expected)
    assert outcome.steps == 11


def test_a_time_limit_ends_training_and_it_can_go_on(tmp_path):
    settings = dataclasses.replace(SETTINGS, steps=100_000)
    _, outcome = train(tmp_path, settings=settings, engine=Engine(max_time="00:00:00:01"))
    assert not outcome.finished and not outcome.interrupted and 0 < outcome.steps < 100_000
    assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == outcome.steps


def test_patience_ends_a_stage(tmp_path):
    settings = dataclasses.replace(SETTINGS, steps=1000, lr=1e-12, patience=2)
    _, outcome = train(tmp_path, settings=settings)
    assert outcome.finished and outcome.steps < 100


def test_tensorboard_is_written_when_asked_for(tmp_path):
    pytest.importorskip("tensorboard")
    train(tmp_path, settings=dataclasses.replace(SETTINGS, steps=10), engine=Engine(tensorboard=True))
    assert list((tmp_path / "tensorboard").glob("events.*"))


@pytest.mark.parametrize("change", [dict(steps=0), dict(lr=-1.0), dict(warmup=1.0), dict(ema=1.0)])
def test_impossible_settings_are_refused(change):
    with pytest.raises(ValueError, match=f"training.{next(iter(change))}"):
        dataclasses.replace(SETTINGS, **change)
