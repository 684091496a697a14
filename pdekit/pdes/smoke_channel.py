"""u_t + u.grad u = -grad p + nu laplacian(u) + b s e_y, s_t + u.grad s = kappa laplacian(s), around blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Field, Grid
from pdekit.pdes.base import integral
from pdekit.pdes.incompressible_flow import IncompressibleFlow

UNIT = 1 / 12
"""Edges of blocks and exits are multiples of this length [m]: a grid whose cells divide it holds them exactly."""
LENGTH = 2.0
"""Length of the channel [m]; its height is 1 m."""
EXITS = ((1, 3), (5, 7), (9, 11))
"""Lower and upper end of each exit in the wall at the end of the channel, in `UNIT`."""
BLOCKS = (1, 2, 3)
"""Numbers of the blocks; one without a width is not there."""


@dataclass(frozen=True)
class SmokeChannel(IncompressibleFlow):
    """Smoke that a stream carries around blocks to three exits, which absorb it. See `IncompressibleFlow`.

    The channel is 2 m long and 1 m high. Fluid without smoke enters at x = 0. The wall at x = 2 is one `UNIT` thick
    and has three exits. Smoke is lighter than the fluid and rises with the acceleration b s. The field `absorbed` lies
    in the last cells before the exits: the smoke that has left through each face, per volume of the cell.

    Behaviour: jets between the blocks, wakes behind them, smoke that splits at a block and leaves by different exits.

    Limits: laminar and two-dimensional. Blocks have corners, where the error of a solver falls slower than inside.

    Good values: viscosity and diffusivity 5e-3 with a mean speed of 1 at the inflow, buoyancy 0 to 2.

    Source: the task follows the smoke control of WDNO (Hu et al. 2025), whose exits absorb in the data only. Here the
    momentum equation is solved, and the score (`exit_shares`) reads what the data absorbed.

    Args:
        buoyancy: b, upward force per mass for smoke 1 [m/s^2].
        viscosity, diffusivity: nu, kappa [m^2/s].
        x_1, y_1, width_1, height_1: lower left corner and lengths of the first block [m], and so on for the others.
    """

    configurable = True

    buoyancy: Any = 1.0
    viscosity: Any = 5e-3
    diffusivity: Any = 5e-3
    x_1: Any = 1.0
    y_1: Any = 0.5
    width_1: Any = 0.0
    height_1: Any = 0.0
    x_2: Any = 1.0
    y_2: Any = 0.5
    width_2: Any = 0.0
    height_2: Any = 0.0
    x_3: Any = 1.0
    y_3: Any = 0.5
    width_3: Any = 0.0
    height_3: Any = 0.0

    positive: ClassVar = ("viscosity", "diffusivity")
    non_negative: ClassVar = tuple(f"{name}_{n}" for name in ("width", "height") for n in BLOCKS)
    smoothing: ClassVar = ("viscosity", "diffusivity")
    absorbs: ClassVar = True
    has_mask: ClassVar = True
    fading: ClassVar = {"smoke": 0.05, "absorbed": 0.05}
    fields: ClassVar = (
        Field("velocity_x", "m/s", vector="velocity"),
        Field("velocity_y", "m/s", vector="velocity"),
        Field("smoke"),
        Field("absorbed"),
    )
    equations: ClassVar = ("volume (1/s)", "vorticity (1/s^2)", "smoke (1/s)")

    @property
    def momentum_diffusivity(self) -> Any:
        return self.viscosity

    @property
    def scalar_diffusivity(self) -> Any:
        return self.diffusivity

    @property
    def lift(self) -> Any:
        return self.buoyancy

    def solid(self, coordinates: tuple[Tensor, ...]) -> Tensor:
        """1 in the blocks and in the wall between the exits."""
        x, y = coordinates
        open_end = torch.zeros_like(y, dtype=torch.bool)
        for low, high in EXITS:
            open_end |= (y > low * UNIT) & (y < high * UNIT)
        solid = (x > LENGTH - UNIT) & ~open_end
        for n in BLOCKS:
            left, bottom, width, height = (getattr(self, f"{name}_{n}") for name in ("x", "y", "width", "height"))
            solid = solid | ((x > left) & (x < left + width) & (y > bottom) & (y < bottom + height))
        return solid.to(x.dtype)

    def existing(self, grid: Grid) -> Float[Tensor, "batch channel *space"]:
        """Velocity and smoke outside solids; `absorbed` in the last cells before the exits."""
        fluid = 1 - self.solid(grid.mesh()).reshape(-1, 1, *grid.shape)
        last = torch.zeros_like(fluid)
        last[..., -1, :] = 1.0
        return torch.cat([fluid, fluid, fluid, fluid * last], 1)

    def invariants(self, u: Float[Tensor, "batch channel *space"], grid: Grid) -> dict[str, Float[Tensor, "batch"]]:
        """The smoke in the channel and the smoke that the exits have absorbed, together."""
        return {"total smoke": integral(u[:, 2] + u[:, 3], grid)}

    def exit_shares(self, u: Float[Tensor, "batch channel *space"], grid: Grid) -> Float[Tensor, "batch exit"]:
        """Share of all smoke that each exit has absorbed, from the lowest to the highest.

        A control task maximises one of them; their sum and the share that is left in the channel make 1.
        """
        y = grid.mesh()[1].to(u)
        taken = []
        for low, high in EXITS:
            taken.append(integral(u[:, 3] * ((y > low * UNIT) & (y < high * UNIT)), grid))
        return torch.stack(taken, 1) / self.invariants(u, grid)["total smoke"][:, None]

    def describe(self, params: dict[str, float]) -> str:
        blocks = []
        for n in BLOCKS:
            if params.get(f"width_{n}", getattr(self, f"width_{n}")):
                x, y, width, height = (self.value(f"{name}_{n}", params) for name in ("x", "y", "width", "height"))
                blocks.append(f"{width} m x {height} m at ({x}, {y}) m")
        around = f" around {len(blocks)} block{'s'[: len(blocks) - 1]} ({', '.join(blocks)})" if blocks else ""
        return (
            f"A stream carries smoke with buoyancy {self.value('buoyancy', params)} m/s^2 through a channel{around} "
            "to three exits."
        )
