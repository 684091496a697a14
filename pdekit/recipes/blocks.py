"""Random blocks in a channel: their number, sizes and places, and the buoyancy of the smoke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pdekit.pdes.smoke_channel import BLOCKS, UNIT
from pdekit.simulators.joint import DrawnRange, JointParams

ABSENT = {"x": 1.0, "y": 0.5, "width": 0.0, "height": 0.0}
"""Parameters of a block that is not there."""
TRIES = 1000


@dataclass(frozen=True, eq=True)
class Blocks(JointParams):
    """Parameters of `pdekit.pdes.SmokeChannel`: one to three blocks with gaps between them, from left to right.

    Lengths are whole numbers of `UNIT`, uniform in their ranges, so that a grid whose cells divide it holds all edges.
    Blocks too near each other are drawn again. The parameters of a block that is not there are those of `ABSENT`.

    Args:
        number: (least, most) blocks.
        x: (least, most) of the lower left corner and the right edge, in `UNIT`.
        y: (least, most) of the lower and the upper edge, in `UNIT`.
        width, height: (least, most) lengths, in `UNIT`.
        gap: least distance of two blocks along x or along y, in `UNIT`.
        buoyancy: (least, most) upward force per mass for smoke 1.

    Raises:
        ValueError: on a range that is none, or a number of blocks outside 1 to 3.
    """

    configurable = True

    number: tuple[int, int] = (2, 3)
    x: tuple[int, int] = (8, 20)
    y: tuple[int, int] = (1, 11)
    width: tuple[int, int] = (1, 3)
    height: tuple[int, int] = (2, 5)
    gap: int = 2
    buoyancy: tuple[float, float] = (0.0, 2.0)

    version: ClassVar[int] = 1

    def __post_init__(self):
        self.check_ends("blocks", "number", "x", "y", "width", "height", "buoyancy")
        if not 1 <= self.number[0] <= self.number[1] <= len(BLOCKS):
            raise ValueError(f"expected 1 to {len(BLOCKS)} blocks, got number={self.number}; correct the recipe")

    @property
    def ranges(self) -> dict[str, DrawnRange]:
        found = {"buoyancy": DrawnRange(*self.buoyancy)}
        for n in BLOCKS:
            for name, absent in ABSENT.items():
                low, high = (UNIT * value for value in getattr(self, name))
                if n > self.number[0]:
                    low, high = min(low, absent), max(high, absent)
                found[f"{name}_{n}"] = DrawnRange(low, high)
        return found

    def draw(self, generator: np.random.Generator) -> dict[str, float]:
        """The parameters of one trajectory.

        Raises:
            ValueError: if no places with the least distance are found.
        """
        values = {"buoyancy": float(generator.uniform(*self.buoyancy))}
        count = int(generator.integers(*self.number, endpoint=True))
        blocks = sorted(self._places(count, generator))
        for n in BLOCKS:
            block = [UNIT * length for length in blocks[n - 1]] if n <= count else ABSENT.values()
            values |= {f"{name}_{n}": length for name, length in zip(ABSENT, block, strict=True)}
        return values

    def _places(self, count: int, generator: np.random.Generator) -> list[tuple[int, ...]]:
        """(x, y, width, height) of each block in `UNIT`."""
        for _ in range(TRIES):
            found: list[tuple[int, ...]] = []
            for _ in range(count):
                width, height = (int(generator.integers(*which, endpoint=True)) for which in (self.width, self.height))
                x = int(generator.integers(self.x[0], self.x[1] - width, endpoint=True))
                y = int(generator.integers(self.y[0], self.y[1] - height, endpoint=True))
                found.append((x, y, width, height))
            if all(self._apart(a, b) for i, a in enumerate(found) for b in found[:i]):
                return found
        raise ValueError(
            f"expected room for {count} blocks with the gap {self.gap}, found none in {TRIES} tries; lower gap= or "
            "widen x= and y="
        )

    def _apart(self, a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        gaps = [max(a[i], b[i]) - min(a[i] + a[i + 2], b[i] + b[i + 2]) for i in (0, 1)]
        return max(gaps) >= self.gap
