"""Points in space and time at which the equation is imposed, drawn again now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

SAMPLING = ("uniform", "sobol", "rad", "grid")
RAD_BLOCK = 4096  # points whose residual is evaluated at once


@dataclass(frozen=True)
class Collocation:
    """Settings by which points are chosen.

    - uniform: independent points.
    - sobol: a scrambled low-discrepancy sequence.
    - rad: of a uniform pool, points drawn without repetition with a probability proportional to
      |r|^k / mean |r|^k + c with their residual r (Wu et al. 2023, equation 2).
    - grid: all combinations of independent random points along each axis, as many on each. A separable net is cheap
      there. Quasi-Newton methods fit the few times and places of a small grid too well.

    Args:
        n_points: number of points.
        sampling: one of the above.
        every: steps between drawings; 0 keeps the first points. Quasi-Newton methods fit a fixed set too well.
        pool: candidates for each point of rad.
        k, c: parameters of rad; large k follows the residual, large c is uniform.
        n_boundary: points of each boundary condition that the loss asks for.
    """

    configurable = True

    n_points: int = 4096
    sampling: str = "rad"
    every: int = 100
    pool: int = 4
    k: float = 1.0
    c: float = 1.0
    n_boundary: int = 128

    def __post_init__(self):
        if self.sampling not in SAMPLING:
            raise ValueError(f"expected a sampling among {SAMPLING}, got {self.sampling!r}; correct it")
        if min(self.n_points, self.n_boundary) < 1 or self.every < 0 or self.pool < 2 or self.k < 0 or self.c < 0:
            raise ValueError(
                "expected n_points >= 1, n_boundary >= 1, every >= 0, pool >= 2, k >= 0 and c >= 0, got "
                f"{self.n_points}, {self.n_boundary}, {self.every}, {self.pool}, {self.k} and {self.c}; correct "
                "model.collocation"
            )

    def side(self, n_coordinates: int) -> int:
        """Points along each axis of a grid.

        Raises:
            ValueError: if n_points is not the power of a whole number.
        """
        side = round(self.n_points ** (1 / n_coordinates))
        if side**n_coordinates != self.n_points:
            raise ValueError(
                f"expected n_points to be a power of {n_coordinates} for sampling=grid, got {self.n_points}; "
                f"try {side**n_coordinates}"
            )
        return side

    def draw(
        self,
        lower: Float[Tensor, "coordinate"],
        upper: Float[Tensor, "coordinate"],
        residual: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "point coordinate"]:
        """Points in a box, with torch's random numbers.

        Args:
            lower, upper: corners; time last. A grid is ordered in time.
            residual: points -> their residuals "point", not negative; used by rad.
        """
        if self.sampling == "grid":
            n = len(lower)
            unit = torch.rand(self.side(n), n, dtype=lower.dtype).to(lower.device)
            return product((lower + unit * (upper - lower)).split(1, dim=1))
        if self.sampling == "sobol":
            seed = int(torch.randint(2**31, ()))
            engine = torch.quasirandom.SobolEngine(len(lower), scramble=True, seed=seed)
            unit = engine.draw(self.n_points, dtype=torch.float64).to(lower)
        else:
            n = self.n_points * (self.pool if self.sampling == "rad" else 1)
            unit = torch.rand(n, len(lower), dtype=lower.dtype).to(lower.device)
        points = lower + unit * (upper - lower)
        if self.sampling != "rad":
            return points
        values = torch.cat([residual(block) for block in points.split(RAD_BLOCK)])
        return points[torch.multinomial(rad_density(values, self.k, self.c), self.n_points)]


def product(columns: Sequence[Float[Tensor, "_ 1"]]) -> Float[Tensor, "point coordinate"]:
    """All combinations of the points of each axis, each axis sorted; the last one, time, changes most slowly."""
    *space, t = (column[:, 0].sort().values for column in columns)
    t, *space = torch.meshgrid(t, *space, indexing="ij")
    return torch.stack([part.reshape(-1) for part in (*space, t)], 1)


def columns_of(points: Float[Tensor, "point coordinate"], side: int) -> list[Float[Tensor, "side 1"]]:
    """The points of each axis of a product, time last."""
    n = points.shape[1]
    steps = [side ** (n - 2 - axis) for axis in range(n - 1)] + [side ** (n - 1)]
    return [points[: side * step : step, axis : axis + 1] for axis, step in enumerate(steps)]


def rad_density(residual: Float[Tensor, "point"], k: float, c: float) -> Float[Tensor, "point"]:
    """|r|^k / mean |r|^k + c; uniform where all residuals vanish or one is not finite.

    >>> rad_density(torch.tensor([1.0, 3.0]), k=1.0, c=1.0)
    tensor([1.5000, 2.5000])
    """
    powers = residual.abs() ** k
    mean = powers.mean()
    if not torch.isfinite(mean) or mean == 0:
        return torch.ones_like(residual)
    return powers / mean + c
