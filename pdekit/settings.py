"""Settings of training: dataclasses of plain values, so that an entry point can check them without torch."""

from __future__ import annotations

from dataclasses import dataclass

from pdekit.typed_values import check_types


@dataclass
class Training:
    """Settings of the optimisation.

    Args:
        steps: optimiser steps.
        lr: peak learning rate.
        weight_decay: weight decay of AdamW.
        warmup: share of the steps in which the learning rate rises linearly to its peak; then a cosine to zero.
        clip: largest norm of the gradient; null for none.
        ema: decay of the running average of the weights that is kept and evaluated; 0 for none.
        validate_every: steps between validations.
        validate_batches: batches of a validation.
        checkpoint_every: steps between checkpoints.
        patience: stop after so many validations without a better loss; null for never.
        accumulate: batches of a step; their gradients are averaged, as those of one batch that is so much larger.
    """

    steps: int = 2000
    lr: float = 1e-3
    weight_decay: float = 0.0
    warmup: float = 0.05
    clip: float | None = 1.0
    ema: float = 0.995
    validate_every: int = 250
    validate_batches: int = 4
    checkpoint_every: int = 250
    patience: int | None = None
    accumulate: int = 1

    def __post_init__(self):
        check_types(self, "training")
        for name in ("steps", "lr", "validate_every", "validate_batches", "checkpoint_every", "accumulate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected training.{name} > 0, got {getattr(self, name)}; set a positive value")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"expected 0 <= training.warmup < 1 (a share of the steps), got {self.warmup}; try 0.05")
        if not 0 <= self.ema < 1:
            raise ValueError(f"expected 0 <= training.ema < 1, got {self.ema}; try 0.995, or 0 for no average")


@dataclass
class Engine:
    """On what to train: the arguments of Lightning's Trainer that a person turns.

    Args:
        accelerator: cpu or gpu.
        devices: number of devices.
        strategy: auto, ddp, ...
        precision: 32-true, bf16-mixed, 16-mixed or 64-true.
        max_time: wall-clock limit of training, DD:HH:MM:SS; null for none.
        threads: number of torch's threads on the CPU; null for torch's choice.
        compile: whether torch.compile fuses the nets while they are trained.
        tensorboard: whether to log for TensorBoard in addition to metrics.csv.
    """

    accelerator: str = "cpu"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    max_time: str | None = None
    threads: int | None = None
    compile: bool = False
    tensorboard: bool = False

    def __post_init__(self):
        check_types(self, "trainer")


@dataclass
class RunSettings:
    """Settings of a training run that belong to no group.

    Args:
        seed: seed of initial weights, noise and the order of samples.
        runs_dir: folder of run folders.
        evaluate: whether to evaluate the run after its training.
        data_dir: where datasets lie.
        path: published or own files instead of generated data.
        name: name of own files.
        instance: one instance of the data's equation.
        measurements: file of measurements.
    """

    seed: int = 0
    runs_dir: str = "runs"
    evaluate: bool = True
    data_dir: str | None = None
    path: str | None = None
    name: str | None = None
    instance: str | None = None
    measurements: str | None = None

    def __post_init__(self):
        check_types(self)
