"""Random parameters of a trajectory that depend on each other: places that keep a distance, numbers of objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DrawnRange:
    """The interval in which a parameter lies.

    Args:
        low, high: its ends.
    """

    low: float
    high: float


class JointParams(Mapping[str, DrawnRange], ABC):
    """Names and ranges of parameters that are drawn together, in the order in which they are stored.

    Subclasses are frozen dataclasses of numbers, like all parts of a recipe.
    """

    @property
    @abstractmethod
    def ranges(self) -> dict[str, DrawnRange]:
        """The range of each parameter."""

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> dict[str, float]:
        """The parameters of one trajectory."""

    def check_ends(self, what: str, *names: str) -> None:
        """Check the fields that are ranges (least, most).

        Raises:
            ValueError: on a range whose ends are exchanged, naming it as one of ``what``.
        """
        for name in names:
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f"expected (least, most) as {name} of {what}, got {low} and {high}; exchange them")

    def __getitem__(self, name: str) -> DrawnRange:
        return self.ranges[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.ranges)

    def __len__(self) -> int:
        return len(self.ranges)
