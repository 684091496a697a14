"""Signature of all grid nets, and the check of their input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.condition import Condition, check_condition
from pdekit.nets.layout import axes_of


class GridNet(nn.Module, ABC):
    """A map from fields on a uniform grid to fields on the same grid.

    Every net has these arguments, followed by options of its own.

    Args:
        layout: where the points of each of the one to three axes lie, "periodic", "cells", "nodes" or "half_open" (see
            pdekit.nets.layout); a number n means n periodic axes.
        in_channels: channels of the input. History frames, coefficients, masks are concatenated by the method.
        out_channels: channels of the output.
        n_conditions: scalars that condition the net (0: none), each of order one: normalised parameters, a
            noise or refinement level in [0, 1].
        token_width: length of the tokens that condition the net; 0 for a net that takes none.
        n_condition_fields: channels of the fields that condition it; 0 for a net that takes none.

    Calling it with u "batch channel *space" and a `Condition` (None: nothing) returns a tensor of u's shape with
    ``out_channels`` channels. A net that takes tokens or fields passes their sizes on to this constructor.
    """

    def __init__(
        self,
        layout: int | Sequence[str],
        in_channels: int,
        out_channels: int,
        n_conditions: int = 0,
        token_width: int = 0,
        n_condition_fields: int = 0,
    ):
        super().__init__()
        self.layout = axes_of(layout)
        self.ndim = len(self.layout)
        if in_channels < 1 or out_channels < 1 or n_conditions < 0:
            raise ValueError(
                f"expected in_channels >= 1, out_channels >= 1 and n_conditions >= 0, "
                f"got {in_channels}, {out_channels}, {n_conditions}; correct them"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.n_conditions = n_conditions
        self.token_width, self.n_condition_fields = token_width, n_condition_fields

    @property
    def periodic(self) -> tuple[bool, ...]:
        """True for each periodic axis."""
        return tuple(where == "periodic" for where in self.layout)

    @abstractmethod
    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None = None
    ) -> Float[Tensor, "batch out *space"]: ...

    def check(self, u: Tensor, condition: Condition | None) -> None:
        """Raises ValueError if u or the condition do not fit the net."""
        if u.ndim != self.ndim + 2 or u.shape[1] != self.in_channels:
            raise ValueError(
                f"expected u with {self.in_channels} channels and {self.ndim} spatial axes (batch channel *space), "
                f"got shape {tuple(u.shape)}; build the net with the channels and axes of the data"
            )
        check_condition(condition, len(u), self.n_conditions, self.token_width, self.n_condition_fields)
