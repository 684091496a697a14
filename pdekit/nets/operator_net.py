"""Signature of all operator nets: functions known at sensors in, functions at any points out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.condition import Condition, check_condition
from pdekit.nets.layout import checked_layout


class OperatorNet(nn.Module, ABC):
    """A map from fields on a grid of sensors to fields at any points.

    Every operator net has these arguments, followed by options of its own.

    Args:
        shape: points of the sensors' grid along each axis.
        in_channels: channels of the input.
        out_channels: channels of the output.
        n_conditions: scalars that condition the net, each of order one. Operator nets take no tokens and no fields.
        layout: layout of the sensors of each axis, "periodic", "cells", "nodes" or "half_open".
        in_time: whether queries have the time as one more coordinate, after those of space. Every coordinate runs over
            [0, 1].
    """

    def __init__(
        self,
        shape: Sequence[int],
        in_channels: int,
        out_channels: int,
        n_conditions: int,
        layout: Sequence[str],
        in_time: bool = False,
    ):
        super().__init__()
        self.shape = tuple(int(n) for n in shape)
        self.in_channels, self.out_channels, self.n_conditions = in_channels, out_channels, n_conditions
        if not 1 <= len(self.shape) <= 3:
            raise ValueError(
                f"expected one to three axes, got a grid of sensors of shape {self.shape}; choose another grid"
            )
        self.layout, self.in_time = checked_layout(layout, len(self.shape)), in_time
        if in_channels < 1 or out_channels < 1 or n_conditions < 0:
            raise ValueError(
                f"expected in_channels >= 1, out_channels >= 1 and n_conditions >= 0, got {in_channels}, "
                f"{out_channels}, {n_conditions}; an operator needs an input field"
            )

    @property
    def periodic(self) -> tuple[bool, ...]:
        """True for each periodic coordinate of a query point; time is not periodic."""
        return (*(where == "periodic" for where in self.layout), *(False,) * self.in_time)

    @property
    def learns_basis(self) -> bool:
        """True if `calibrate` needs the outputs of the training split."""
        return False

    def calibrate(self, outputs: Float[Tensor, "sample channel *target"], axes: Sequence[Float[Tensor, "_"]]) -> None:
        """Read from normalised outputs what is not learnt by gradients; by default nothing.

        Args:
            outputs: outputs of the training split, zero where they do not exist.
            axes: the coordinates of their axes, those of a query.
        """

    @abstractmethod
    def forward(
        self,
        u: Float[Tensor, "batch channel *space"],
        query: Float[Tensor, "point coordinate"],
        condition: Condition | None = None,
    ) -> Float[Tensor, "batch out point"]:
        """The fields at the points of ``query``, the same for all samples."""

    def check(self, u: Tensor, query: Tensor, condition: Condition | None) -> None:
        """Raises ValueError if inputs do not fit the net."""
        if tuple(u.shape[1:]) != (self.in_channels, *self.shape):
            raise ValueError(
                f"expected u of {self.in_channels} channels on the sensors' grid {self.shape}, got shape "
                f"{tuple(u.shape)}; bring it to the sensors first"
            )
        if query.ndim != 2 or query.shape[1] != len(self.periodic):
            raise ValueError(
                f'expected queries "point coordinate" with {len(self.periodic)} coordinates, '
                f"got {tuple(query.shape)}; correct them"
            )
        check_condition(condition, len(u), self.n_conditions, token_width=0, n_fields=0)


class Branch(nn.Module, ABC):
    """The part of an operator net that reads the sensors.

    Every branch has these arguments, followed by options of its own.

    Args:
        shape, in_channels, n_conditions: as of `OperatorNet`.
        layout: as of `OperatorNet`.
        features: length of the vector that it returns for each sample.
    """

    @abstractmethod
    def forward(
        self, u: Float[Tensor, "batch channel *space"], condition: Condition | None
    ) -> Float[Tensor, "batch feature"]: ...


def stack_of_layers(sizes: Sequence[int], activation: type[nn.Module] = nn.GELU) -> nn.Sequential:
    """Linear layers of the given sizes with an activation between them, which keep the size of what goes through.

    PyTorch's own initial weights let the dependence on the input shrink in each layer: with them the functions of a
    trunk of four vary by 0.01 from point to point, and a DeepONet of Burgers' equation has an error of 0.40 after 600
    steps; with these they vary by 0.4, and it has 0.28.
    """
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers += [activation()] if i else []
        layers.append(nn.Linear(inputs, outputs))
        kept_size(layers[-1], activated=i < len(sizes) - 2)
    return nn.Sequential(*layers)


def kept_size(layer: nn.Linear, activated: bool) -> None:
    """Weights that make the output as large as the input, behind a GELU too: variance 2 / inputs if the output is
    activated, else 1 / inputs (He et al. 2015). Biases of what is activated place its kinks, those of others are 0."""
    nn.init.normal_(layer.weight, std=((1 + activated) / layer.in_features) ** 0.5)
    bound = 0.5 if activated else 0.0
    nn.init.uniform_(layer.bias, -bound, bound)


def conditioned(features: Tensor, gain_and_offset: tuple[Tensor, Tensor] | None) -> Tensor:
    """FiLM of a feature vector, if there is a condition."""
    if gain_and_offset is None:
        return features
    gain, offset = gain_and_offset
    return torch.addcmul(offset, gain, features)
