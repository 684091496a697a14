"""The machine: settings to make before torch is imported, and a description for the record.

Entry points call `prepare` first. This module imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

# parameters of glibc's mallopt(3)
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


def tune_allocator() -> bool:
    """Let glibc keep the memory of freed tensors instead of handing it back to the kernel.

    By default every block of more than 32 MiB is mapped when allocated and unmapped when freed, so that each
    operation on a large tensor first faults all its pages in. Here blocks below 1 GiB come from the heap, and
    the heap is not trimmed. The process keeps its peak memory until it ends.

    Returns:
        Whether the settings were accepted. False on anything but Linux with glibc (musl has no mallopt), and
        on a glibc that refuses so large a threshold: nothing is lost then but speed.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])


def set_threads_policy() -> bool:
    """Let idle OpenMP threads sleep instead of spinning, unless OMP_WAIT_POLICY is set already.

    A spinning pair of threads next to another busy process can take ten times the time of one thread.

    Returns:
        Whether the policy can still take effect: OpenMP reads it once, when torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    return "torch" not in sys.modules


def prepare() -> None:
    """Make the settings of this module. Call it before torch is imported; calling it again changes nothing."""
    tune_allocator()
    set_threads_policy()


def describe_machine() -> dict[str, str | int | float | None]:
    """Return what a measured time depends on: processor, cores, threads, memory, GPU, Python, platform.

    Returns:
        ``cpu`` (model), ``cores`` (that this process may use), ``memory_gib``, ``torch_threads``, ``gpu``
        (names, None without one), ``gpu_memory_gib`` (of the first), ``python``, ``torch``, ``platform``.
    """
    import torch

    gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return {
        "cpu": _cpu_model(),
        "cores": _usable_cores(),
        "memory_gib": _memory_gib(),
        "torch_threads": torch.get_num_threads(),
        "gpu": ", ".join(gpu.name for gpu in gpus) or None,
        "gpu_memory_gib": round(gpus[0].total_memory / 2**30, 1) if gpus else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
    }


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux: platform knows
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    if sys.platform.startswith("linux"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None  # no sysconf, as on Windows
