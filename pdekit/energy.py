"""Energy that processors and GPUs take, from their own counters, where these can be read.

Processors: the package counters of RAPL under /sys/class/powercap (on Linux; since 2020 they are readable by the
administrator only unless that was changed). GPUs: the total energy counter of NVML (Volta and newer). Both count all
that runs on the machine. Nothing but the standard library is needed.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
INTERVAL = 30.0
"""Seconds between readings: a counter of RAPL starts again at zero after minutes to hours."""


class Energy:
    """Joules between entering and leaving a ``with`` block, by source.

    Args:
        gpu: whether to count GPUs.
        powercap: folder with the counters of processors.

    After the block ``joules`` holds what could be read ("processor", "gpu") and ``absent`` why the rest could not.
    """

    def __init__(self, gpu: bool = False, powercap: Path = POWERCAP):
        self.joules: dict[str, float] = {}
        self.absent: dict[str, str] = {}
        self._counters: list[tuple[str, Counter]] = []
        sources = {"processor": rapl(powercap)} | ({"gpu": nvml()} if gpu else {})
        for source, (counters, reason) in sources.items():
            self._counters += [(source, counter) for counter in counters]
            if reason:
                self.absent[source] = reason
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Energy:
        for _, counter in self._counters:
            counter.read()
        if self._counters:
            self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        if self._counters:
            self._thread.join()
        for source, counter in self._counters:
            counter.read()
            self.joules[source] = self.joules.get(source, 0.0) + counter.joules

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            for _, counter in self._counters:
                counter.read()

    def record(self) -> dict[str, dict[str, float] | dict[str, str]]:
        """For a file: joules by source, and reasons for the sources that could not be read."""
        return {"joules": {source: round(joules, 1) for source, joules in self.joules.items()}, "absent": self.absent}


class Counter:
    """A counter that only rises, until it starts again at zero.

    Args:
        now: gives its value in joules.
        period: the value at which it starts again; infinity for never.
    """

    def __init__(self, now, period: float = float("inf")):
        self.now, self.period = now, period
        self.joules = 0.0
        self._last: float | None = None

    def read(self) -> None:
        """Add what has been taken since the last reading."""
        value = self.now()
        if self._last is not None:
            self.joules += value - self._last + (self.period if value < self._last else 0.0)
        self._last = value


def rapl(powercap: Path = POWERCAP) -> tuple[list[Counter], str]:
    """Counters of all processor packages, or no counters and the reason."""
    packages = [zone for zone in sorted(powercap.glob("intel-rapl:*")) if zone.name.count(":") == 1]
    if not packages:
        return [], f"no RAPL counters in {powercap}"
    try:
        return [
            Counter(_file(zone / "energy_uj"), _file(zone / "max_energy_range_uj")()) for zone in _readable(packages)
        ], ""
    except OSError as error:
        return [], f"the RAPL counters in {powercap} may not be read ({error.strerror})"


def _readable(zones: list[Path]) -> Iterator[Path]:
    for zone in zones:
        (zone / "energy_uj").read_text()  # raises at once, and not at the end of a training
        yield zone


def _file(path: Path):
    """Reads microjoules as joules."""
    return lambda: int(path.read_text()) / 1e6


def nvml() -> tuple[list[Counter], str]:
    """Counters of all GPUs of the machine, or no counters and the reason."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return [], "NVML is not installed"
    if library.nvmlInit_v2():
        return [], "NVML does not start: no driver, or no GPU"
    number = ctypes.c_uint()
    library.nvmlDeviceGetCount_v2(ctypes.byref(number))
    counters = []
    for index in range(number.value):
        device, value = ctypes.c_void_p(), ctypes.c_ulonglong()
        library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device))
        if library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(value)):
            return [], f"GPU {index} counts no energy"
        counters.append(Counter(_device(library, device)))
    return counters, "" if counters else "NVML finds no GPU"


def _device(library: ctypes.CDLL, device: ctypes.c_void_p):
    """Reads millijoules as joules."""

    def now() -> float:
        value = ctypes.c_ulonglong()
        library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(value))
        return value.value / 1e3

    return now
