"""Parts shared by coordinate nets: points in, fields out, with periodicity and scales built in.

A coordinate net is a function of place and time, u = net(x, t). It is written with ordinary torch functions, so
that the same `forward` serves tensors and whatever else carries derivatives through those functions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS = {"tanh": torch.tanh, "sin": torch.sin, "gelu": functional.gelu}


@dataclass(frozen=True)
class Domain:
    """The box of the points of a coordinate net.

    Args:
        lower, upper: ends of each coordinate, time last.
        periodic: which coordinates are periodic (exactly, by construction).

    Raises:
        ValueError: if they are not of the same coordinates.
    """

    lower: Sequence[float]
    upper: Sequence[float]
    periodic: Sequence[bool]

    def __post_init__(self):
        if not len(self.lower) == len(self.upper) == len(self.periodic):
            raise ValueError(
                f"expected lower, upper and periodic for the same coordinates, got {self.lower}, {self.upper} and "
                f"{self.periodic}; give one entry for each coordinate"
            )


@dataclass(frozen=True)
class RandomParts:
    """Random parts of a coordinate net, none by default.

    Args:
        features: random Fourier features of the embedding, rows of the matrix B.
        scale: standard deviation of B.
        factorised: whether every layer has a random weight factorisation, see `FactorisedLinear`.
    """

    configurable = True

    features: int = 0
    scale: float = 1.0
    factorised: bool = False


class Embedding(nn.Module):
    """Features of a point: harmonics along periodic axes, the coordinate scaled to [-s, s] along others.

    A periodic axis of period P gives cos(2 pi m x / P) and sin(2 pi m x / P) for m = 1 ... harmonics, and nothing
    else: whatever follows is periodic with all its derivatives (Dong and Ni 2021). Random features, if any, are
    cos(B z) and sin(B z) of the features z so far, B normal with the given standard deviation and not trained
    (Tancik et al. 2020).

    Args:
        domain: box of the points.
        harmonics: largest m.
        stretch: s. A net begins with slow functions of what it sees: where fields oscillate n times over the span of
            time, s of about n lets it begin with the right ones.
        random: random features; none if None.
    """

    def __init__(self, domain: Domain, harmonics: int = 1, stretch: float = 1.0, random: RandomParts | None = None):
        super().__init__()
        random = random or RandomParts()
        if harmonics < 1 or random.features < 0:
            raise ValueError(
                f"expected harmonics >= 1 and random features >= 0, got {harmonics} and {random.features}; correct them"
            )
        if not stretch > 0:
            raise ValueError(f"expected stretch > 0, got {stretch}; 1 scales coordinates to [-1, 1]")
        self.lower, self.upper = tuple(map(float, domain.lower)), tuple(map(float, domain.upper))
        self.periodic = tuple(bool(p) for p in domain.periodic)
        self.harmonics, self.stretch = harmonics, float(stretch)
        size = sum(2 * harmonics if p else 1 for p in self.periodic)
        matrix = random.scale * torch.randn(random.features, size) if random.features else None
        self.register_buffer("random", matrix)
        self.size = 2 * random.features or size

    def axis(self, coordinate: Any, axis: int) -> Any:
        """Features of one coordinate, "point 1"."""
        span = self.upper[axis] - self.lower[axis]
        if not self.periodic[axis]:
            rate = 2 * self.stretch / span
            return coordinate * rate + (-self.stretch - rate * self.lower[axis])
        phase = coordinate * (2 * pi / span)
        waves = [phase if m == 1 else phase * m for m in range(1, self.harmonics + 1)]
        return torch.cat([torch.cos(w) for w in waves] + [torch.sin(w) for w in waves], -1)

    def forward(self, points: Float[Tensor, "point coordinate"] | Any) -> Any:
        features = torch.cat([self.axis(points[:, i : i + 1], i) for i in range(len(self.periodic))], -1)
        if self.random is None:
            return features
        projected = functional.linear(features, self.random)
        return torch.cat((torch.cos(projected), torch.sin(projected)), -1)


class FactorisedLinear(nn.Module):
    """A linear layer with weights diag(exp(g)) V, which trains each neuron at a rate of its own.

    Random weight factorisation (Wang et al. 2022): g is drawn normally, V so that the product is Glorot's start.

    Args:
        inputs, outputs: features.
        mean: mean of g.
        deviation: deviation of g.
    """

    def __init__(self, inputs: int, outputs: int, mean: float = 1.0, deviation: float = 0.1):
        super().__init__()
        weight = torch.empty(outputs, inputs)
        nn.init.xavier_normal_(weight)
        log_scale = mean + deviation * torch.randn(outputs)
        self.log_scale = nn.Parameter(log_scale)
        self.direction = nn.Parameter(weight / torch.exp(log_scale).unsqueeze(-1))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, features: Any) -> Any:
        return functional.linear(features, torch.exp(self.log_scale).unsqueeze(-1) * self.direction, self.bias)


def dense(inputs: int, outputs: int, factorised: bool) -> nn.Module:
    """A linear layer with Glorot's normal start and zero biases, factorised or not."""
    if factorised:
        return FactorisedLinear(inputs, outputs)
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class CoordinateNet(nn.Module, ABC):
    """A function of points.

    Every coordinate net has these arguments, followed by options of its own.

    Args:
        domain: box of the points.
        out_channels: fields.
        width: features of a layer.
        depth: hidden layers, or blocks.
        activation: tanh, sin or gelu.
        harmonics, stretch: arguments of `Embedding`.
        random: random features and factorised weights; none if None.
    """

    def __init__(
        self,
        domain: Domain,
        out_channels: int,
        width: int = 30,
        depth: int = 3,
        activation: str = "tanh",
        harmonics: int = 1,
        stretch: float = 1.0,
        random: RandomParts | None = None,
    ):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"expected an activation among {tuple(ACTIVATIONS)}, got {activation!r}; choose one of these"
            )
        if width < 1 or depth < 1:
            raise ValueError(f"expected width >= 1 and depth >= 1, got {width} and {depth}; set positive numbers")
        random = random or RandomParts()
        self.embedding = Embedding(domain, harmonics, stretch, random)
        self.activation = ACTIVATIONS[activation]
        self.out_channels = out_channels
        self.width, self.depth, self.factorised = width, depth, random.factorised
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make the layers."""

    @abstractmethod
    def features(self, points: Float[Tensor, "point coordinate"] | Any) -> Any:
        """The last hidden layer, "point feature"."""

    @abstractmethod
    def on_grid(self, points: Float[Tensor, "point coordinate"] | Any, columns: Sequence[Any]) -> Any:
        """Fields "point channel" at all combinations of the points of each axis.

        Args:
            points: the combinations; the last coordinate changes most slowly, of the others the first.
            columns: the points of each axis, "point 1".
        """

    def forward(self, points: Float[Tensor, "point coordinate"] | Any) -> Any:
        """Fields "point channel"."""
        return self.last(self.features(points))
