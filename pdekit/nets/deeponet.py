"""DeepONet: u_c(y) = sum_k b_ck(input) t_ck(y) + bias_c, coefficients from a branch and functions from a trunk.

Lu et al. (2021), Nature Machine Intelligence 3, 218, https://arxiv.org/abs/1910.03193; the variant whose functions
are the principal components of the training outputs: Lu et al. (2022), CMAME 393, 114778 (POD-DeepONet).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.nets.branch import PerceptronBranch
from pdekit.nets.condition import Condition
from pdekit.nets.coordinate import Domain, Embedding
from pdekit.nets.interpolation import interpolate
from pdekit.nets.operator_net import OperatorNet, stack_of_layers


@dataclass(frozen=True)
class Trunk:
    """The functions of a DeepONet: a perceptron of place and time.

    Args:
        n_products: functions, and terms of the sum, for each channel.
        width: features of a hidden layer.
        depth: hidden layers.
        harmonics: harmonics of a periodic coordinate that it sees.

    Raises:
        ValueError: if one of them is not positive.
    """

    configurable = True

    n_products: int = 64
    width: int = 128
    depth: int = 3
    harmonics: int = 4

    def __post_init__(self):
        if min(self.n_products, self.width, self.depth, self.harmonics) < 1:
            raise ValueError(f"expected positive numbers for a trunk, got {self}; correct model.net.trunk")


class DeepONet(OperatorNet):
    """A branch and a trunk, with as many products for each output channel: every field has functions of its own.

    Args:
        branch: factory, see pdekit.nets.branch.
        trunk: sizes of the trunk; the defaults of `Trunk` if None.

    Limits: the sensors are fixed. Output is a sum of n_products functions that are the same for all samples, so that
    a front that moves needs many (Lanthaler et al. 2022, on linear reconstruction).
    """

    configurable = True

    def __init__(
        self,
        shape: Sequence[int],
        in_channels: int,
        out_channels: int,
        n_conditions: int,
        layout: Sequence[str],
        in_time: bool = False,
        branch: Callable[..., nn.Module] = PerceptronBranch,
        trunk: Trunk | None = None,
    ):
        super().__init__(shape, in_channels, out_channels, n_conditions, layout, in_time)
        trunk = trunk or Trunk()
        self.n_products = trunk.n_products
        features = out_channels * trunk.n_products
        self.branch = branch(self.shape, in_channels, n_conditions, self.layout, features)
        n = len(self.periodic)
        self.embedding = Embedding(Domain((0.0,) * n, (1.0,) * n, self.periodic), trunk.harmonics)
        self.trunk = stack_of_layers([self.embedding.size, *[trunk.width] * trunk.depth, features])
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(
        self,
        u: Float[Tensor, "batch channel *space"],
        query: Float[Tensor, "point coordinate"],
        condition: Condition | None = None,
    ) -> Float[Tensor, "batch out point"]:
        self.check(u, query, condition)
        coefficients = self.branch(u, condition).unflatten(1, (self.out_channels, self.n_products))
        functions = self.trunk(self.embedding(query)).unflatten(1, (self.out_channels, self.n_products))
        total = torch.einsum("bck,pck->bcp", coefficients, functions) / sqrt(self.n_products)
        return total + self.bias[:, None]


class PODDeepONet(OperatorNet):
    """A branch alone; the functions are the mean and the principal components of the training outputs.

    The components are those of all channels together, orthonormal over the points, each times its standard deviation,
    so that the coefficients to learn are of order one. Between the points of the training grid they are interpolated
    linearly.

    Args:
        branch: factory, see pdekit.nets.branch.
        n_modes: components kept; training samples span at most one less than there are of them.
    """

    configurable = True

    def __init__(
        self,
        shape: Sequence[int],
        in_channels: int,
        out_channels: int,
        n_conditions: int,
        layout: Sequence[str],
        in_time: bool = False,
        branch: Callable[..., nn.Module] = PerceptronBranch,
        n_modes: int = 64,
    ):
        super().__init__(shape, in_channels, out_channels, n_conditions, layout, in_time)
        if n_modes < 1:
            raise ValueError(f"expected n_modes >= 1, got {n_modes}; set a positive number")
        self.n_modes = n_modes
        self.branch = branch(self.shape, in_channels, n_conditions, self.layout, n_modes)
        # functions "1 + mode channel *target" and the axes they are given on; of no size until calibrated
        self.register_buffer("functions", torch.zeros(0))
        for i in range(len(self.periodic)):
            self.register_buffer(f"axis_{i}", torch.zeros(0))

    @property
    def learns_basis(self) -> bool:
        return True

    def calibrate(self, outputs: Float[Tensor, "sample channel *target"], axes: Sequence[Float[Tensor, "_"]]) -> None:
        """Principal components by a singular value decomposition; modes that the samples do not span stay zero."""
        flat = outputs.double().flatten(1)
        mean = flat.mean(0)
        _, deviations, components = torch.linalg.svd(flat - mean, full_matrices=False)
        scaled = components[: self.n_modes] * (deviations[: self.n_modes, None] / sqrt(len(flat)))
        missing = scaled.new_zeros(self.n_modes - len(scaled), flat.shape[1])
        functions = torch.cat((mean[None], scaled, missing)).unflatten(1, outputs.shape[1:])
        self.functions = functions.to(self.functions)
        for i, axis in enumerate(axes):
            setattr(self, f"axis_{i}", axis.to(self.functions))

    def forward(
        self,
        u: Float[Tensor, "batch channel *space"],
        query: Float[Tensor, "point coordinate"],
        condition: Condition | None = None,
    ) -> Float[Tensor, "batch out point"]:
        self.check(u, query, condition)
        axes = [getattr(self, f"axis_{i}") for i in range(len(self.periodic))]
        periods = [1.0 if periodic else None for periodic in self.periodic]
        functions = interpolate(self.functions, axes, query, periods)
        coefficients = self.branch(u, condition)
        return functions[0] + torch.einsum("bk,kcp->bcp", coefficients, functions[1:])

    def _load_from_state_dict(self, state, prefix, *arguments):
        """Buffers take the size that they were saved with."""
        for name in ("functions", *(f"axis_{i}" for i in range(len(self.periodic)))):
            if prefix + name in state:
                setattr(self, name, torch.empty_like(state[prefix + name], device=self.functions.device))
        super()._load_from_state_dict(state, prefix, *arguments)
