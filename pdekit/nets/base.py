"""What every grid net has in common: its signature, and the check of what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class GridNet(nn.Module, ABC):
    """A map from fields on a uniform grid to fields on the same grid.

    Args (the same for every net, followed by options of its own):
        ndim: number of spatial axes, 1 to 3.
        in_channels: channels of the input. History frames, coefficients, masks are concatenated by the method.
        out_channels: channels of the output.
        n_conditions: scalars that condition the net (0: none), each of order one: normalised parameters, a
            noise or refinement level in [0, 1].
        periodic: which axes are periodic; None means all of them.

    Calling it with u "batch channel *space" and, if ``n_conditions`` is not 0, a condition "batch scalar"
    returns a tensor of u's shape with ``out_channels`` channels.
    """

    def __init__(
        self,
        ndim: int,
        in_channels: int,
        out_channels: int,
        n_conditions: int = 0,
        periodic: Sequence[bool] | None = None,
    ):
        super().__init__()
        periodic = (True,) * ndim if periodic is None else tuple(bool(p) for p in periodic)
        if ndim not in (1, 2, 3):
            raise ValueError(f"expected ndim 1, 2 or 3, got {ndim}; a grid net works on one to three spatial axes")
        if len(periodic) != ndim:
            raise ValueError(f"expected periodic with {ndim} entries, one for each axis, got {periodic}")
        if in_channels < 1 or out_channels < 1 or n_conditions < 0:
            raise ValueError(
                f"expected in_channels >= 1, out_channels >= 1 and n_conditions >= 0, "
                f"got {in_channels}, {out_channels}, {n_conditions}"
            )
        self.ndim = ndim
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.n_conditions = n_conditions
        self.periodic = periodic

    @abstractmethod
    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Float[Tensor, "batch scalar"] | None = None
    ) -> Float[Tensor, "batch out *space"]: ...

    def check(self, u: Tensor, condition: Tensor | None) -> None:
        """Raises ValueError if u or the condition do not fit the net."""
        if u.ndim != self.ndim + 2 or u.shape[1] != self.in_channels:
            raise ValueError(
                f"expected u with {self.in_channels} channels and {self.ndim} spatial axes (batch channel *space), "
                f"got shape {tuple(u.shape)}; build the net with the channels and axes of the data"
            )
        found = 0 if condition is None else condition.shape[-1]
        if found != self.n_conditions:
            raise ValueError(
                f"expected {self.n_conditions} conditions for each sample, got {found}; "
                "n_conditions of the net is the number of scalars it is given"
            )


def bounded_coordinates(u: Tensor, periodic: Sequence[bool]) -> Tensor:
    """Appends a channel for each bounded axis: the coordinate (2 i + 1) / n - 1 in (-1, 1) of its point i.

    Walls make the place matter; a periodic axis gets none, so that the net stays equivariant along it.
    """
    columns = [u]
    for axis, is_periodic in enumerate(periodic, start=2):
        if not is_periodic:
            n = u.shape[axis]
            line = (2 * torch.arange(n, dtype=u.dtype, device=u.device) + 1) / n - 1
            line = line.reshape([-1 if a == axis else 1 for a in range(u.ndim)])
            columns.append(line.expand(u.shape[0], 1, *u.shape[2:]))
    return torch.cat(columns, 1) if len(columns) > 1 else u
