"""Points at which a PINN's equation is imposed, and their weights: state of its training next to the net."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.models.pinn.balancing import residual_weights
from pdekit.models.pinn.causality import by_time, point_weights
from pdekit.models.pinn.collocation import Collocation, columns_of
from pdekit.models.pinn.conditions import SideCondition
from pdekit.models.pinn.weighting import Weighting


class Cloud(nn.Module):
    """Points in space and time, points of the sides, and weights of points, as buffers.

    Args:
        collocation: method that draws the points.
        weighting: whether weights are causal or follow the residual.
        asked: boundary conditions that the loss asks for.
        n_coordinates: number of coordinates of a point, time included.

    Raises:
        ValueError: if the points are not a multiple of the causal chunks, or no power for a grid.
    """

    def __init__(
        self, collocation: Collocation, weighting: Weighting, asked: Sequence[SideCondition], n_coordinates: int
    ):
        super().__init__()
        self.collocation, self.weighting, self.asked = collocation, weighting, tuple(asked)
        n, causality = collocation.n_points, weighting.causality
        if causality is not None and n % causality.n_chunks:
            raise ValueError(
                f"expected collocation.n_points that {causality.n_chunks} chunks divide, got {n}; choose a multiple"
            )
        self.side = collocation.side(n_coordinates) if collocation.sampling == "grid" else 0
        self.register_buffer("points", torch.zeros(n, n_coordinates))
        self.register_buffer("sides", torch.zeros(len(self.asked) * collocation.n_boundary, n_coordinates))
        # no weight is known before the first loss: zeros keep the first tolerance until then
        self.register_buffer("causal", torch.full((n,), float(causality is None)))
        self.register_buffer("attention", torch.ones(n))
        self.register_buffer("tolerance", torch.zeros((), dtype=torch.long))

    @property
    def columns(self) -> list[Float[Tensor, "side 1"]]:
        """Points of each axis if they form a grid; none if they are scattered."""
        return columns_of(self.points, self.side) if self.side else []

    @property
    def weights(self) -> Float[Tensor, "point"]:
        """Weight of each point in the mean square of the residual."""
        return self.causal * self.attention.square() if self.weighting.balancing == "residual" else self.causal

    @property
    def epsilon(self) -> float:
        """Present tolerance of the causal weights."""
        return self.weighting.causality.tolerances[int(self.tolerance)]

    def weigh(self, squares: Float[Tensor, "point"], start: Float[Tensor, ""]) -> None:
        """Set the weights of points from their squared residuals and the loss of the initial condition."""
        if self.weighting.balancing == "residual":
            self.attention.copy_(residual_weights(squares, self.attention))
        if self.weighting.causality is not None:
            n_chunks = self.weighting.causality.n_chunks
            self.causal.copy_(point_weights(squares, start, self.epsilon, n_chunks))

    def tighten(self) -> None:
        """Go on to the next tolerance if all times are solved as far as the present one can tell."""
        causality = self.weighting.causality
        if causality is not None:
            self.tolerance.fill_(causality.next_stage(int(self.tolerance), float(self.causal.min())))

    def reset(self) -> None:
        """Begin a new window: the first tolerance and equal weights."""
        self.tolerance.zero_()
        self.causal.fill_(float(self.weighting.causality is None))
        self.attention.fill_(1.0)

    def draw(
        self,
        lower: Float[Tensor, "coordinate"],
        upper: Float[Tensor, "coordinate"],
        squares: Callable[[Tensor], Tensor],
    ) -> None:
        """Draw new points in a box, ordered in time, and new points of its sides.

        Args:
            lower, upper: corners of the box; time last.
            squares: points -> their squared residuals "point", for rad.
        """

        def size(points: Tensor) -> Tensor:
            with torch.no_grad():
                return squares(points).sqrt()

        points = self.collocation.draw(lower, upper, size)
        self.points.copy_(points[by_time(points[:, -1])])
        self.attention.fill_(1.0)
        if self.asked:
            n = self.collocation.n_boundary
            self.sides.copy_(torch.cat([condition.points(n, lower, upper) for condition in self.asked]))
