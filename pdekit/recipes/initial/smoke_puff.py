"""A round puff of smoke in a uniform stream: s = cos(pi r / (2 R))^2 for r < R."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class SmokePuff:
    """Velocity (speed, 0) and a puff of smoke with a random place and radius; all other fields are 0.

    A solver removes the divergence of the stream at walls and blocks: the flow begins as the potential flow.

    Args:
        speed: velocity along x; the mean speed of the inflow.
        x, y: (least, most) coordinates of the centre.
        radius: (least, most) radius R, beyond which there is no smoke.

    Raises:
        ValueError: if the first three fields are no velocity and a smoke on a plane box.
    """

    configurable = True

    speed: float = 1.0
    x: tuple[float, float] = (0.25, 0.4)
    y: tuple[float, float] = (0.25, 0.75)
    radius: tuple[float, float] = (0.12, 0.22)

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        names = [field.name for field in fields]
        if grid.ndim != 2 or names[:3] != ["velocity_x", "velocity_y", "smoke"]:
            raise ValueError(
                f"expected velocity_x, velocity_y and smoke on a plane box, got {names} on {grid}; choose another "
                "initial condition"
            )
        place = [float(generator.uniform(*which)) for which in (self.x, self.y)]
        radius = float(generator.uniform(*self.radius))
        x, y = grid.mesh()
        r = ((x - place[0]) ** 2 + (y - place[1]) ** 2).sqrt() / radius
        puff = torch.where(r < 1, torch.cos(pi / 2 * r) ** 2, torch.zeros_like(r))
        rest = [torch.zeros_like(x)] * (len(fields) - 3)
        return torch.stack([torch.full_like(x, self.speed), torch.zeros_like(x), puff, *rest])
