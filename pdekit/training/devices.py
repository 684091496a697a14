"""Check that a trainer exists before anything is generated or written."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pdekit.settings import Engine

ADVICE = ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda")
"""Loggers of Lightning that list devices and advertise other products."""


def silence_advice() -> None:
    """Let the loggers of `ADVICE` report errors only."""
    for name in ADVICE:
        logging.getLogger(name).setLevel(logging.ERROR)


def check_engine(engine: Engine) -> None:
    """Check that the accelerator, the number of devices, the strategy, the precision and the time limit exist.

    Raises:
        ValueError: if training could not start with them.
    """
    import torch

    if engine.accelerator in ("gpu", "cuda"):
        if not torch.cuda.is_available():
            raise ValueError(
                f"expected a GPU for trainer.accelerator={engine.accelerator}, found none that torch can use; "
                "use trainer=cpu, or trainer=ddp trainer.accelerator=cpu for several processes"
            )
        if engine.devices > torch.cuda.device_count():
            raise ValueError(
                f"expected {engine.devices} GPUs, found {torch.cuda.device_count()}; lower trainer.devices"
            )
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import Trainer

    silence_advice()
    try:
        Trainer(
            accelerator=engine.accelerator,
            devices=engine.devices,
            strategy=engine.strategy,
            precision="32-true" if engine.precision == "64-true" else engine.precision,
            max_time=engine.max_time,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError, RuntimeError, TypeError) as error:
        first = str(error).partition("\n")[0]
        raise ValueError(
            f"expected trainer settings that Lightning accepts, found: {first}; correct trainer.*"
        ) from error


def is_main_process(environ: Mapping[str, str]) -> bool:
    """Return whether this is the first of all processes of a run, over all nodes.

    The global rank decides; where a launcher gives none, it is the first process of the first node.

    >>> is_main_process({}), is_main_process({"LOCAL_RANK": "0", "NODE_RANK": "1"})
    (True, False)
    >>> is_main_process({"LOCAL_RANK": "0", "RANK": "4"})
    False
    """
    if "RANK" in environ:
        return int(environ["RANK"]) == 0
    if int(environ.get("SLURM_NTASKS", 1)) > 1:
        return int(environ.get("SLURM_PROCID", 0)) == 0
    return all(int(environ.get(name, 0)) == 0 for name in ("NODE_RANK", "GROUP_RANK", "LOCAL_RANK"))
