"""The most memory that tensors take at once while a function runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(function: Callable[[], object], device: torch.device) -> int:
    """Bytes of all tensors made by a function that are alive at once, at most; what existed before does not count.

    On a GPU the allocator's own figure; elsewhere tensors are followed from operation to operation. Work space inside
    an operation (of a transform, say) is then not seen, and what runs outside of torch's operations is not either.

    >>> peak_bytes(lambda: torch.zeros(1000) + torch.ones(1000), torch.device("cpu"))
    12000
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _Living() as living:
        function()
    return living.peak


class _Living(TorchDispatchMode):
    """Counts the bytes of storages from their first appearance as a result until nothing refers to them."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        old = {id(storage) for storage in _storages((args, kwargs))}
        for storage in _storages(result):
            self._meet(storage, old)
        return result

    def _meet(self, storage: torch.UntypedStorage, old: set[int]) -> None:
        key = id(storage)
        if key in self.sizes or key in old:  # a view, or written in place
            return
        self.sizes[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._leave, key)

    def _leave(self, key: int) -> None:
        self.now -= self.sizes.pop(key)


def _storages(tree: Any) -> list[torch.UntypedStorage]:
    """The memory of all tensors in nested values."""
    return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]
