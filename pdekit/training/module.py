"""Training: the one LightningModule, and the loop over the stages of a method.

A run that was killed and resumed gives bit for bit the weights of one that was not: the order of the samples is a
function of (seed, epoch), the loader remembers its place, and every step draws from a seed of its own.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, LearningRateMonitor, Timer
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from pdekit.fields import Trajectory
from pdekit.metrics.pointwise import nrmse
from pdekit.metrics.sums import rounding_of
from pdekit.metrics.vanishing import frame_rms, vanished
from pdekit.models.base import Surrogate
from pdekit.models.noise import derived_seed
from pdekit.models.resolution import on_grid_of
from pdekit.models.stages import OwnStep, Stage
from pdekit.settings import Engine, Training
from pdekit.training.callbacks import Interrupted, MetricsFile, SaveLast, SeedBySteps, StepProgress, ema
from pdekit.training.checkpoints import check_checkpoint, load_checkpoint, load_weights
from pdekit.training.compilation import compiled
from pdekit.training.devices import silence_advice
from pdekit.training.record import begin_record, end_record, fit_config, record_domain

DOUBLE = "64-true"
VALIDATION = 1  # keeps the seeds of validation apart from those of training


class Diverged(FloatingPointError):
    """The training loss is not finite."""


@dataclass(frozen=True)
class Outcome:
    """End of a training.

    Args:
        finished: whether all stages took all their steps, or stopped by their own rule.
        interrupted: whether it was asked to stop.
        steps: optimiser steps taken in this call and before it.
        seconds: wall time of this call.
    """

    finished: bool
    interrupted: bool
    steps: int
    seconds: float


class StageModule(LightningModule):
    """One stage of any method, as Lightning sees it."""

    def __init__(self, model: Surrogate, stage: Stage, index: int, seed: int, offset: int):
        super().__init__()
        self.model = model
        self.stage = stage
        self.index = index
        self.seed = seed
        self.offset = offset  # steps of earlier stages
        self.automatic_optimization = stage.step is None
        self._begun = -1  # the step that has begun; several batches make a step if gradients accumulate

    def on_train_batch_start(self, batch: Trajectory, batch_idx: int) -> None:
        if self._begun != self.global_step:
            self._begun = self.global_step
            self.model.before_step(self.stage, self.global_step)

    def training_step(self, batch: Trajectory, batch_idx: int) -> Tensor | None:
        if self.stage.step is not None:
            self._own_step(self.stage.step, batch)
            return None
        loss, numbers = self.model.loss(batch)
        if not torch.isfinite(loss):
            raise Diverged(f"expected a finite training loss, found {loss.item()} at step {self.global_step}")
        self._log("train", numbers, len(batch))
        return loss

    def _own_step(self, step: OwnStep, batch: Trajectory) -> None:
        """The step function of a stage, which moves its optimisers itself; the first one counts the steps."""
        counted = self.optimizers()
        first = counted[0] if isinstance(counted, list) else counted
        optimisers = (first, *self.trainer.optimizers[1:])
        numbers = step(batch, optimisers, self.manual_backward)
        wrong = [name for name, value in numbers.items() if not torch.isfinite(value).all()]
        if wrong:
            raise Diverged(f"expected finite training losses, found NaN or Inf in {wrong} at step {self.global_step}")
        self._log("train", numbers, len(batch))
        for configured in self.trainer.lr_scheduler_configs:
            configured.scheduler.step()

    def validation_step(self, batch: Trajectory, batch_idx: int) -> None:
        seed = derived_seed(self.seed, VALIDATION, batch_idx)
        torch.manual_seed(seed)
        _, numbers = self.model.loss(batch)
        history = self.model.window[0]
        generator = torch.Generator().manual_seed(seed)
        u, problem, there = self.model.attempt(batch, generator), on_grid_of(self.model.problem, batch), batch.existing
        reached = slice(history, history + u.shape[1])
        error = nrmse(u.to(batch.u.dtype), batch.u[:, reached], problem, there)
        gone = vanished(frame_rms(batch.u, problem, there), problem, rounding_of(batch.u))[:, reached]
        gone = gone & error.isfinite()
        self._log("valid", numbers, len(batch))
        # a frame in which the reference vanishes has no relative error, and no weight
        self._log("valid", {"nrmse": error[~gone].sum() / (~gone).sum().clamp_min(1)}, int((~gone).sum()))

    def _log(self, split: str, numbers: dict[str, Tensor], batch_size: int) -> None:
        named = {f"{split}/{name}": value for name, value in numbers.items()}
        self.log_dict(named, prog_bar=True, batch_size=batch_size, sync_dist=split == "valid")

    def configure_optimizers(self) -> list[dict]:
        made = self.stage.optimiser(self.stage.trained(self.model))
        several = isinstance(made, Sequence)
        if several != (self.stage.step is not None):
            raise ValueError(
                f"expected one optimiser, or several with a step function, found {type(made).__name__} and "
                f"step={self.stage.step} in the stage {self.stage.name!r}; give both or neither"
            )
        schedule = torch.optim.lr_scheduler.LambdaLR
        return [
            {"optimizer": one, "lr_scheduler": {"scheduler": schedule(one, self.stage.schedule), "interval": "step"}}
            for one in (made if several else [made])
        ]

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        rule = self.trainer.early_stopping_callback
        checkpoint["stage"], checkpoint["offset"] = self.index, self.offset
        checkpoint["ended"] = rule is not None and rule.stopping_reason != EarlyStoppingReason.NOT_STOPPED


class Batches(LightningDataModule):
    """The loaders of one method: what it trains on is its own choice."""

    def __init__(self, model: Surrogate, data: LightningDataModule):
        super().__init__()
        self.model = model
        self.data = data

    def train_dataloader(self):
        self.data.trainer = self.trainer  # the loaders ask it for rank and device
        return self.model.batches(self.data)

    def val_dataloader(self):
        self.data.trainer = self.trainer
        return self.data.val_dataloader()


def fit(
    model: Surrogate,
    data: LightningDataModule,
    settings: Training,
    engine: Engine,
    folder: Path,
    seed: int = 0,
    resume: bool = False,
    progress: bool = True,
) -> Outcome:
    """Train a calibrated method through all its stages.

    The folder becomes a run: ``config.yaml``, ``last.ckpt``, ``metrics.csv`` and, when training ends,
    ``weights.safetensors`` and ``provenance.json``. `pdekit.load` opens it, ``pdekit.evaluate(folder, data)`` scores it
    and writes its report, and ``resume=True``, or ``pdekit.train(model, data, resume=folder)``, continues it. The model
    ends with the running average of its weights, if the settings ask for one.

    Raises:
        Diverged: if the loss is not finite; the model then holds the last good weights.
        FileNotFoundError: if there is no checkpoint to resume from.
    """
    main_process = rank_zero_only.rank == 0
    config = fit_config(model, data, settings, engine, seed, Path(folder).resolve())
    if main_process and not resume:
        begin_record(folder, config)
    outcome = train_stages(model, data, settings, engine, folder, seed, resume, progress)
    if main_process and not outcome.interrupted:
        end_record(folder, model, config, outcome.steps, outcome.seconds)
    return outcome


def train_stages(
    model: Surrogate,
    data: LightningDataModule,
    settings: Training,
    engine: Engine,
    folder: Path,
    seed: int = 0,
    resume: bool = False,
    progress: bool = True,
) -> Outcome:
    """Do what `fit` does without saving the weights: train through all stages, with checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "last.ckpt"
    first, done, offset, ended = 0, None, 0, False
    if resume:
        found = load_checkpoint(checkpoint)
        first, done, offset, ended = (found[key] for key in ("stage", "global_step", "offset", "ended"))
        check_checkpoint(model, found, checkpoint)
    if engine.threads is not None:
        torch.set_num_threads(engine.threads)
    stages, began = model.stages(settings), time.monotonic()
    if not resume:
        for stale in (folder / "metrics.csv", checkpoint):  # of an earlier training, from which nothing goes on
            stale.unlink(missing_ok=True)
        record_domain(folder, data)
    for index, stage in enumerate(stages[first:], first):
        if ended or done == stage.steps:  # stopped after its end: Lightning would not run, nor take the average
            load_weights(model, checkpoint)
            offset, done, ended = offset + (done or 0), None, False
            continue
        save = SaveLast(checkpoint, settings.checkpoint_every, settings.validate_every * settings.accumulate)
        loggers: list[Logger] = [MetricsFile(folder / "metrics.csv", offset, done or 0)]
        if engine.tensorboard:
            loggers.append(TensorBoardLogger(folder, "tensorboard", ""))
        trainer = _trainer(stage, settings, engine, loggers, [SeedBySteps(derived_seed(seed, index)), save], progress)
        double = (stage.precision or engine.precision) == DOUBLE
        # not .to(dtype), which would make complex weights real
        module = StageModule(model.double() if double else model.float(), stage, index, seed, offset)
        start = {name: value.detach().clone() for name, value in model.state_dict().items()}
        try:
            with compiled(model, engine.compile):
                trainer.fit(
                    module,
                    datamodule=Batches(model, data),
                    ckpt_path=None if done is None else checkpoint,
                    weights_only=True,
                )
        except Interrupted:
            return Outcome(False, True, offset + trainer.global_step, time.monotonic() - began)
        except Diverged as error:
            kept = _restore_good(model, save, start)
            raise Diverged(
                f"{error}; the model keeps {kept}. Lower training.lr, raise training.warmup or look at the data"
            ) from None
        if save.interrupted:  # in the hooks after the last step
            return Outcome(False, True, offset + trainer.global_step, time.monotonic() - began)
        offset, done = offset + trainer.global_step, None
        if _out_of_time(trainer):
            return Outcome(False, False, offset, time.monotonic() - began)
    return Outcome(True, False, offset, time.monotonic() - began)


def evaluation_device(engine: Engine) -> torch.device:
    """Device of the evaluation: the GPU if the model was trained on one (Lightning returns it on the CPU)."""
    gpu = engine.accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    return torch.device("cuda" if gpu else "cpu")


def _trainer(
    stage: Stage,
    settings: Training,
    engine: Engine,
    loggers: list[Logger],
    callbacks: list[Callback],
    progress: bool,
) -> Trainer:
    callbacks = [*callbacks, LearningRateMonitor("step")]
    if settings.ema:
        callbacks.append(ema(settings.ema))
    if stage.patience is not None:
        callbacks.append(EarlyStopping("valid/loss", patience=stage.patience))
    if progress:
        callbacks.append(StepProgress())
    silence_advice()
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # reading is not the bottleneck
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", module="lightning.*")
    warnings.filterwarnings("ignore", message=".*across ranks is zero.*")  # data without a reference validate nothing
    precision = stage.precision or engine.precision
    return Trainer(
        accelerator=engine.accelerator,
        devices=engine.devices,
        strategy=engine.strategy,
        precision="32-true" if precision == DOUBLE else precision,  # double: the model is, and takes what it is given
        max_time=engine.max_time,
        max_steps=stage.steps,
        max_epochs=-1,
        gradient_clip_val=settings.clip if stage.step is None else None,
        accumulate_grad_batches=settings.accumulate,
        val_check_interval=settings.validate_every * settings.accumulate,
        check_val_every_n_epoch=None,
        limit_val_batches=settings.validate_batches,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        logger=loggers,
        callbacks=callbacks,
        enable_checkpointing=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,  # the loaders deal the samples to the ranks themselves
    )


def _out_of_time(trainer: Trainer) -> bool:
    return any(isinstance(c, Timer) and c.time_remaining() <= 0 for c in trainer.callbacks)


def _restore_good(model: Surrogate, save: SaveLast, start: dict[str, Tensor]) -> str:
    """Put the last good weights back, and return words that name them."""
    if save.saved_step is None:
        model.load_state_dict(start)
        return "the weights that this stage began with"
    load_weights(model, save.path)
    return f"the weights of step {save.saved_step} (also in {save.path})"
