"""Callbacks around a training step: seeds, the running average of the weights, checkpoints, progress."""

from __future__ import annotations

import csv
import os
import signal
import threading
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, WeightAveraging
from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from pdekit.models.noise import derived_seed


class SeedBySteps(Callback):
    """Seeds torch at every training batch with a function of (seed, step, rank), and of its place in the step.

    A resumed run then draws the numbers that an uninterrupted one would have drawn, and the numbers do not depend
    on loader workers, validation or anything else that draws in between.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self._step, self._part = -1, 0  # several batches make a step if gradients accumulate

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch, batch_idx: int) -> None:
        self._part = self._part + 1 if trainer.global_step == self._step else 0
        self._step = trainer.global_step
        part = (self._part,) if self._part else ()
        torch.manual_seed(derived_seed(self.seed, trainer.global_step, trainer.global_rank, *part))


def ema(decay: float) -> WeightAveraging:
    """Lightning's running average of the weights, w_ema <- w_ema + (1 - d) (w - w_ema).

    d = min(decay, (1 + n) / (10 + n)) after n updates, so that a short run does not remember its start. Buffers
    (the statistics of the normaliser) are copied, not averaged: an average of equal numbers is only nearly equal.
    """

    def update(averaged: list[Tensor], current: list[Tensor], n: Tensor) -> None:
        n = float(n)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))

    return WeightAveraging(use_buffers=False, multi_avg_fn=update)


class Interrupted(Exception):
    """The training was asked to stop; its checkpoint is written."""


class SaveLast(Checkpoint):
    """Writes ``last.ckpt`` every so many steps, at the last step, and after Ctrl-C or SIGTERM.

    It runs after every other callback, so that the file holds the state after the step. At a step that a scheduled
    validation follows it is written after the validation, with the early-stopping state that results; a checkpoint
    from before would lose the validation, because Lightning does not repeat it. The file is replaced whole, and never
    by weights that are not finite: after a divergence it holds the last good ones. Between the batches of a step, whose
    gradients no checkpoint holds, it is not written. A training that was asked to stop ends when the next batch begins,
    because Lightning logs the numbers of a step after its hooks.

    Args:
        path: path of the checkpoint.
        every: steps between checkpoints.
        validate_every: batches between validations.
    """

    def __init__(self, path: Path, every: int, validate_every: int):
        self.path = path
        self.every = every
        self.validate_every = validate_every
        self._step = 0  # steps that were taken
        self._between = False  # whether some batches of a step are done, and others are not
        self.saved_step: int | None = None
        self.interrupted = False
        self._waits = False  # a checkpoint is due, and the validation of its step comes first
        self._stops = False  # the state to go on from is saved
        self._previous: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._step = trainer.global_step
        if threading.current_thread() is threading.main_thread():
            # a person, and a cluster that takes the machine back
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_interrupt)

    def _on_interrupt(self, number, frame) -> None:
        if self.interrupted:
            raise KeyboardInterrupt  # the second time: at once, as the person insists
        self.interrupted = True

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch, batch_idx: int) -> None:
        if self._stops:
            raise Interrupted

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, outputs, batch, batch_idx: int) -> None:
        self._agree(trainer)
        step = trainer.global_step
        self._between, self._step = step == self._step, step
        if self._between and not trainer.should_stop:
            return
        due = step % self.every == 0 or step == trainer.max_steps or trainer.should_stop or self.interrupted
        if due and self._validation_follows(trainer):
            self._waits = True
            return
        if due:
            self._save(trainer, module)
        self._stops = self.interrupted

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        self._agree(trainer)
        if self._between and not trainer.should_stop:
            return
        if self._validation_follows(trainer) and (self._waits or self.interrupted or trainer.should_stop):
            self._save(trainer, module)
        self._waits = False
        self._stops = self.interrupted

    def _validation_follows(self, trainer: Trainer) -> bool:
        """Return whether a validation is scheduled after this batch (one at a time limit is not)."""
        n_batches = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        return trainer.enable_validation and n_batches % self.validate_every == 0

    def _agree(self, trainer: Trainer) -> None:
        """Stop all processes if one of them was asked to stop."""
        if trainer.world_size > 1:
            self.interrupted = trainer.strategy.reduce_boolean_decision(self.interrupted, all=False)

    def _save(self, trainer: Trainer, module: LightningModule) -> None:
        if not all(bool(torch.isfinite(p).all()) for p in module.parameters()):
            return
        partial = self.path.with_suffix(".partial")
        try:
            trainer.save_checkpoint(partial, weights_only=False)
        except OSError:  # a full disk: the checkpoint before it stays
            partial.unlink(missing_ok=True)
            raise
        if trainer.is_global_zero:
            os.replace(partial, self.path)
        self.saved_step = trainer.global_step

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


class MetricsFile(Logger):
    """``metrics.csv`` with the columns step, name, value: one line for each number, appended as it comes.

    Lines that lie in the future of where this run continues from are dropped first.

    Args:
        path: path of the file.
        offset: steps of earlier stages.
        done: steps of this stage taken before.
    """

    def __init__(self, path: Path, offset: int = 0, done: int = 0):
        super().__init__()
        self.path = path
        self.offset = offset
        self._start(offset + done)

    @rank_zero_only
    def _start(self, step: int) -> None:
        rows = []
        if self.path.exists():
            with self.path.open(newline="") as lines:
                rows = [row for row in csv.DictReader(lines) if int(row["step"]) < step]
        with self.path.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, ("step", "name", "value"))
            writer.writeheader()
            writer.writerows(rows)

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Path:
        return self.path

    @rank_zero_only
    def log_hyperparams(self, params) -> None:
        """Settings are kept in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        with self.path.open("a", newline="") as lines:
            writer = csv.writer(lines)
            for name, value in metrics.items():
                if name != "epoch":
                    writer.writerow((self.offset + (step or 0), name, f"{value:.8g}"))


class StepProgress(Callback):
    """One bar over all steps of a stage, with the latest losses and the time left."""

    def __init__(self):
        self.bar: Progress | None = None

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
            disable=not trainer.is_global_zero,
            refresh_per_second=4,
        )
        self.bar.start()
        self.task = self.bar.add_task(
            f"training {module.stage.title}".removesuffix(" train"),
            total=trainer.max_steps,
            completed=trainer.global_step,
            numbers="",
        )

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, outputs, batch, batch_idx: int) -> None:
        if trainer.global_step % 10 == 0 or trainer.global_step == trainer.max_steps:
            latest = trainer.progress_bar_metrics
            shown = {name.removeprefix("train/"): value for name, value in latest.items() if name.startswith("train/")}
            if "valid/nrmse" in latest:
                shown["valid nrmse"] = latest["valid/nrmse"]
            numbers = "  ".join(f"{name} {float(value):.3g}" for name, value in shown.items())
            self.bar.update(self.task, completed=trainer.global_step, numbers=numbers)

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        if self.bar is not None:  # there may have been nothing left to train
            self.bar.stop()
