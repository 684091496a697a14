"""The Lightning engine on the pretended device of `tests.pretend_device`: what a Trainer takes to train there."""

from __future__ import annotations

from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.utils import _pytree as pytree

from tests.pretend_device import NAME, PretendTensor


class PretendAccelerator(Accelerator):
    """One device."""

    def setup_device(self, device: torch.device) -> None:
        pass

    def teardown(self) -> None:
        pass

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        return devices

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        return [torch.device(NAME, 0)]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return NAME

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        return {}


class FromDevice(TorchCheckpointIO):
    """Writes tensors of the device as those of the CPU: pickle does not know their class."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        held = pytree.tree_map_only(PretendTensor, lambda tensor: tensor.held, checkpoint)
        super().save_checkpoint(held, path, storage_options)


def options(device: torch.device) -> dict[str, Any]:
    """Arguments of a Trainer, instead of its accelerator and strategy."""
    strategy = SingleDeviceStrategy(device=device, accelerator=PretendAccelerator())
    return {"accelerator": "auto", "strategy": strategy, "plugins": [FromDevice()]}
