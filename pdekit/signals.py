"""Numbers that vary in time: values of boundary conditions.

    Harmonic(mean, amplitude, frequency, phase)   mean + amplitude sin(2 pi frequency t + phase)
    TableSignal(times, values)                          straight lines between given values

Each has a short text, which configurations use: "harmonic 20 5 0.5", "table 0:20 1:25 4:22".
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import pi
from typing import ClassVar

import torch
from torch import Tensor


class Signal(ABC):
    """Base of all: frozen dataclasses of numbers, called with times."""

    word: ClassVar[str]  # the first word of its text

    @abstractmethod
    def __call__(self, t: Tensor) -> Tensor:
        """Return the values at times t, in their shape and precision."""

    @abstractmethod
    def __str__(self) -> str:
        """Return the text from which `signal_of` makes it again."""


@dataclass(frozen=True)
class Harmonic(Signal):
    """mean + amplitude sin(2 pi frequency t + phase).

    Args:
        mean, amplitude: mean and amplitude in the unit of the value.
        frequency: frequency in 1 / time.
        phase: phase in radians.

    >>> Harmonic(20, 5, 0.25)(torch.tensor([0.0, 1.0]))
    tensor([20., 25.])
    >>> str(Harmonic(20, 5, 0.25))
    'harmonic 20 5 0.25 0'
    """

    configurable = True
    word: ClassVar = "harmonic"

    mean: float
    amplitude: float
    frequency: float
    phase: float = 0.0

    def __post_init__(self):
        for name in ("mean", "amplitude", "frequency", "phase"):
            object.__setattr__(self, name, _finite(getattr(self, name), self.word))

    def __call__(self, t: Tensor) -> Tensor:
        return self.mean + self.amplitude * torch.sin(2 * pi * self.frequency * t + self.phase)

    def __str__(self) -> str:
        numbers = (self.mean, self.amplitude, self.frequency, self.phase)
        return " ".join([self.word, *(_short(number) for number in numbers)])


@dataclass(frozen=True)
class TableSignal(Signal):
    """Straight lines between values at given times; constant before the first time and after the last.

    Args:
        times: increasing.
        values: one for each time.

    >>> TableSignal((0, 1, 4), (20, 26, 20))(torch.tensor([-1.0, 0.5, 2.0, 9.0]))
    tensor([20., 23., 24., 20.])
    >>> str(TableSignal((0, 1), (20, 25.5)))
    'table 0:20 1:25.5'
    """

    configurable = True
    word: ClassVar = "table"

    times: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self):
        for name in ("times", "values"):
            object.__setattr__(self, name, tuple(_finite(number, self.word) for number in getattr(self, name)))
        increasing = all(a < b for a, b in zip(self.times, self.times[1:], strict=False))
        if len(self.times) != len(self.values) or len(self.times) < 2 or not increasing:
            raise ValueError(
                f"expected two or more increasing times with a value each, got {self.times} and {self.values}; correct "
                "the table"
            )

    def __call__(self, t: Tensor) -> Tensor:
        times, values = (torch.tensor(part, dtype=t.dtype, device=t.device) for part in (self.times, self.values))
        inside = t.detach().clamp(times[0], times[-1])
        right = torch.searchsorted(times, inside.contiguous()).clamp(1, len(times) - 1)
        share = (inside - times[right - 1]) / (times[right] - times[right - 1])
        return values[right - 1] + share * (values[right] - values[right - 1])

    def __str__(self) -> str:
        pairs = zip(self.times, self.values, strict=True)
        return " ".join([self.word, *(f"{_short(time)}:{_short(value)}" for time, value in pairs)])


def is_signal(text: str) -> bool:
    """Return whether a text begins like that of a signal."""
    return text.split(" ")[0] in (Harmonic.word, TableSignal.word)


def signal_of(text: str) -> Signal:
    """Return the signal of a text.

    Raises:
        ValueError: if there is none of that text.

    >>> signal_of("table 0:20 1:25.5")
    TableSignal(times=(0.0, 1.0), values=(20.0, 25.5))
    """
    word, *parts = text.split()
    if word == Harmonic.word and len(parts) in (3, 4):
        return Harmonic(*(_finite(part, word) for part in parts))
    if word == TableSignal.word and parts and all(part.count(":") == 1 for part in parts):
        times, values = zip(*([_finite(one, word) for one in part.split(":")] for part in parts), strict=True)
        return TableSignal(times, values)
    raise ValueError(
        f"expected 'harmonic MEAN AMPLITUDE FREQUENCY [PHASE]' or 'table TIME:VALUE TIME:VALUE ...', got {text!r}; "
        "correct the value"
    )


def _finite(value: float | str, word: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"expected finite numbers in '{word}', got {value!r}; correct the value")
    return number


def _short(number: float) -> str:
    return repr(number).removesuffix(".0")
