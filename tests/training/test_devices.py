"""Devices and trainers that do not exist are refused; the global rank decides which process is the first."""

import logging

import pytest
import torch

from pdekit.given import check_device
from pdekit.settings import Engine
from pdekit.training.devices import ADVICE, check_engine, is_main_process


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="use device=cpu"):
        check_device("cuda")
    for strategy in ("auto", "ddp"):
        with pytest.raises(ValueError, match=r"expected a GPU for trainer.accelerator=gpu, found none"):
            check_engine(Engine(accelerator="gpu", devices=2, strategy=strategy))


@pytest.mark.parametrize(
    "change", [dict(accelerator="gpuu"), dict(strategy="dddp"), dict(precision="8-bit"), dict(max_time="soon")]
)
def test_trainer_settings_that_do_not_exist_are_refused(change):
    with pytest.raises(ValueError, match="expected trainer settings"):
        check_engine(Engine(**change))


def test_an_engine_that_exists_is_accepted():
    assert check_engine(Engine()) is None
    assert check_engine(Engine(precision="64-true", max_time="00:00:00:01")) is None


@pytest.mark.parametrize(
    ("environ", "main"),
    [
        ({}, True),
        ({"LOCAL_RANK": "0"}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "RANK": "4"}, False),
        ({"LOCAL_RANK": "0", "GROUP_RANK": "1"}, False),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "4", "SLURM_LOCALID": "0"}, False),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, True),
    ],
)
def test_the_first_process_of_all_nodes_is_the_main_one(environ, main):
    assert is_main_process(environ) is main


def test_the_check_says_nothing():
    """Lightning logs what devices there are, and advice about other products, when a Trainer is made."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    loggers = [logging.getLogger(name) for name in ADVICE]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    try:
        check_engine(Engine())
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    assert [record.getMessage() for record in records] == []
