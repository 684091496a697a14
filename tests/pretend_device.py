"""A device that is not there: tensors that report ``pretend:0``, keep their values on the CPU, and refuse to mix.

`torch.cuda` raises when an operation gets tensors of several devices. Code that forgets a ``.to(device)`` passes all
tests on a CPU and fails on the first GPU. On this device it fails in a test: every operation whose arguments live on
different devices raises, except where CUDA allows it (a CPU tensor without dimensions, copies between devices, and
CPU indices). NumPy and values that leave the device by ``.numpy()`` raise as well.

    with pretend():
        net.to(DEVICE)(u.to(DEVICE))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "pretend"
DEVICE = torch.device("privateuseone", 0)  # its name until the first `pretend()`

aten = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default}
# index arguments may stay on the CPU, as they may with CUDA
WITH_INDICES = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}


class PretendTensor(Tensor):
    """A tensor on the pretended device; `held` has its values."""

    __module__ = "torch"  # libraries such as opt_einsum choose their functions by it

    @staticmethod
    def __new__(cls, held: Tensor) -> PretendTensor:
        return Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
            requires_grad=held.requires_grad,
        )

    def __init__(self, held: Tensor) -> None:
        self.held = held

    def __repr__(self) -> str:
        return f"PretendTensor({self.held!r})"

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], _, size, stride) -> PretendTensor:
        return PretendTensor(inner["held"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """Sends operations that name the device, and have no tensor there yet, to `_run`."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Literals(TorchFunctionMode):
    """Makes tensors of Python numbers on the CPU and copies them: their construction reaches no dispatch mode.

    A generator of the CPU is refused by factories on the device, as CUDA does.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        there = torch.device(kwargs.get("device") or "cpu").type == NAME
        if there and kwargs.get("generator") is not None:
            raise RuntimeError(f"expected a {NAME} generator, found one of the cpu")
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[1], tuple | list):
            parts = args[1] if isinstance(args[1], tuple) else (args[1],)
            index = tuple(torch.tensor(part) if isinstance(part, list) else part for part in parts)
            return func(args[0], index, *args[2:])
        if func is Tensor.tolist and isinstance(args[0], PretendTensor):  # CUDA copies, too
            return args[0].cpu().tolist()
        literal = func in (torch.tensor, torch.as_tensor, torch.asarray) and not isinstance(args[0], Tensor)
        if literal and there:
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        return func(*args, **kwargs)


def _run(func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    here = [tensor for tensor in tensors if isinstance(tensor, PretendTensor)]
    target = kwargs.get("device")
    wanted = bool(here) if target is None else torch.device(target).type == DEVICE.type
    if func is aten.copy_.default:
        wanted = isinstance(args[0], PretendTensor)
    elif func not in COPIES:
        _refuse_mixing(func, args, here, tensors)
    if target is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    held_args, held_kwargs = pytree.tree_map_only(PretendTensor, lambda tensor: tensor.held, (args, kwargs))
    if func is aten._to_copy.default and target is not None:
        held_kwargs["device"] = None
        out = func(*held_args, **held_kwargs)
        return PretendTensor(out) if wanted else out
    out = func(*held_args, **held_kwargs)
    if not wanted:
        return out
    out = pytree.tree_map_only(Tensor, PretendTensor, out)
    if not here:
        return out
    return return_and_correct_aliasing(func, args, kwargs, out)


def _refuse_mixing(func: Any, args: tuple, here: list[PretendTensor], tensors: list[Tensor]) -> None:
    if not here or len(here) == len(tensors):
        return
    elsewhere = [tensor for tensor in tensors if not isinstance(tensor, PretendTensor) and tensor.ndim > 0]
    if func in WITH_INDICES and isinstance(args[0], PretendTensor):
        indices = [index for index in args[1] if index is not None]
        elsewhere = [tensor for tensor in elsewhere if not any(tensor is index for index in indices)]
    if elsewhere:
        raise RuntimeError(
            f"expected all tensors of {func} on one device, found {DEVICE} and cpu {tuple(elsewhere[0].shape)}"
        )


class _Backend(_DummyBackendModule):
    """The functions that torch asks of a device's module."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


_ready = False


@contextmanager
def pretend() -> Iterator[torch.device]:
    """Make the device usable inside the block."""
    global _ready
    if not _ready:
        _setup_privateuseone_for_python_backend(NAME, _Backend())
        _ready = True
    with _Factories(), _Literals():
        yield DEVICE
