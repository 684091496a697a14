"""Random inlets of smoke: their number, places, radii and rates, and the buoyancy of the smoke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pdekit.pdes.boussinesq import SLOTS
from pdekit.simulators.joint import DrawnRange, JointParams

ABSENT = {"x": 0.5, "y": 0.25, "radius": 0.06, "rate": 0.0}
"""Parameters of an inlet that is not there."""
TRIES = 1000


@dataclass(frozen=True, eq=True)
class Inlets(JointParams):
    """Parameters of `pdekit.pdes.Boussinesq`: one to three inlets with a least distance, from left to right.

    All numbers are uniform in their ranges, the number of inlets too. Places too near each other are drawn again. The
    parameters of an inlet that is not there are those of `ABSENT`.

    Args:
        number: (least, most) inlets.
        x, y: (least, most) coordinates of a centre.
        radius: (least, most) standard deviation of the Gaussian.
        rate: (least, most) smoke per unit of time at the centre.
        buoyancy: (least, most) upward force per mass for smoke 1.
        distance: least distance of two centres.

    Raises:
        ValueError: on a range that is none, or a number of inlets outside 1 to 3.
    """

    configurable = True

    number: tuple[int, int] = (1, 3)
    x: tuple[float, float] = (0.18, 0.82)
    y: tuple[float, float] = (0.18, 0.55)
    radius: tuple[float, float] = (0.04, 0.07)
    rate: tuple[float, float] = (0.6, 1.4)
    buoyancy: tuple[float, float] = (0.2, 0.8)
    distance: float = 0.25

    version: ClassVar[int] = 1

    def __post_init__(self):
        self.check_ends("inlets", "number", "x", "y", "radius", "rate", "buoyancy")
        if not 1 <= self.number[0] <= self.number[1] <= len(SLOTS):
            raise ValueError(f"expected 1 to {len(SLOTS)} inlets, got number={self.number}; correct the recipe")

    @property
    def ranges(self) -> dict[str, DrawnRange]:
        found = {"buoyancy": DrawnRange(*self.buoyancy)}
        for n in SLOTS:
            for name in ABSENT:
                low, high = getattr(self, name)
                found[f"{name}_{n}"] = DrawnRange(min(low, ABSENT[name]) if n > self.number[0] else low, high)
        return found

    def draw(self, generator: np.random.Generator) -> dict[str, float]:
        """The parameters of one trajectory.

        Raises:
            ValueError: if no places with the least distance are found.
        """
        values = {"buoyancy": float(generator.uniform(*self.buoyancy))}
        count = int(generator.integers(*self.number, endpoint=True))
        places = self._places(count, generator)
        for n in SLOTS:
            inlet = dict(ABSENT)
            if n <= count:
                x, y = places[n - 1]
                inlet = {"x": x, "y": y, **{k: float(generator.uniform(*getattr(self, k))) for k in ("radius", "rate")}}
            values |= {f"{name}_{n}": inlet[name] for name in ABSENT}
        return values

    def _places(self, count: int, generator: np.random.Generator) -> list[tuple[float, float]]:
        """Centres from left to right."""
        low, high = zip(self.x, self.y, strict=True)
        for _ in range(TRIES):
            found = generator.uniform(low, high, (count, 2))
            apart = np.linalg.norm(found[:, None] - found, axis=-1)[np.triu_indices(count, 1)]
            if (apart >= self.distance).all():
                return sorted((float(x), float(y)) for x, y in found)
        raise ValueError(
            f"expected room for {count} inlets with the distance {self.distance}, found none in {TRIES} tries; "
            "lower distance= or widen x= and y="
        )
