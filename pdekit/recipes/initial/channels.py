"""Another sampler for each field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pdekit.fields import Field, Grid


@dataclass(frozen=True)
class Channels:
    """One sampler for each field, in their order; the numbers are drawn one after the other.

    Args:
        samplers: as many as fields.
    """

    configurable = True

    samplers: tuple[Callable[..., Tensor], ...]

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        if len(self.samplers) != len(fields):
            raise ValueError(
                f"expected a sampler for each of the fields {[item.name for item in fields]}, "
                f"got {len(self.samplers)}; give one for each"
            )
        parts = [sampler(grid, (item,), generator) for sampler, item in zip(self.samplers, fields, strict=True)]
        return torch.cat(parts)


@dataclass(frozen=True)
class Constant:
    """The same value everywhere.

    Args:
        value: value of every field.
    """

    configurable = True

    value: float = 0.0

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        return torch.full((len(fields), *grid.shape), self.value, dtype=torch.float64)


@dataclass(frozen=True)
class RandomConstant:
    """For each field a normal number, the same everywhere: starts of systems without space.

    Args:
        mean, std: mean and standard deviation of the numbers.
    """

    configurable = True

    mean: float = 0.0
    std: float = 1.0

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        values = torch.from_numpy(self.mean + self.std * generator.standard_normal(len(fields)))
        return values.reshape(-1, *[1] * grid.ndim).expand(-1, *grid.shape).clone()
