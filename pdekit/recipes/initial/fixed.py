"""u_0 = a given function: the same start for every trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from pdekit.fields import Field, Grid, InitialState
from pdekit.pdes.initial_states import sampled


@dataclass(frozen=True)
class Fixed:
    """A state of pdekit.pdes.initial_states on the grid; nothing is random.

    Args:
        state: the initial state as a function.
    """

    configurable = True

    state: InitialState

    version: ClassVar[int] = 1

    def __call__(self, grid: Grid, fields: tuple[Field, ...], generator: np.random.Generator) -> Tensor:
        u = sampled(self.state, grid)
        if len(u) != len(fields):
            raise ValueError(
                f"expected a state of {len(fields)} fields ({', '.join(f.name for f in fields)}), got {len(u)}; "
                "correct the initial state"
            )
        return u
