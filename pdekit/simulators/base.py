"""The protocol of everything that makes data: it draws random inputs and yields the frames that follow from them.

Generation, the self-convergence check, horizons longer than stored, other resolutions, references on a finer grid and
the solver baseline are written once, in terms of this protocol.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.fields import Grid, Problem

Tick = Callable[[int], None]
"""Called with the units of work that have been done since the last call."""


def silent(work: int) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Refinement:
    """A resolution relative to that of a simulator.

    Args:
        space: factor on the number of points or elements, one for all axes or one for each; below 1 is coarser.
        time: factor on the number of steps between frames.
        dtype: "float32" or "float64"; that of the simulator if None.
    """

    space: float | tuple[float, ...] = 1.0
    time: float = 1.0
    dtype: str | None = None

    def __post_init__(self):
        if not all(factor > 0 for factor in (self.time, *self.along(1))):
            raise ValueError(f"expected a refinement > 0, got {self}; 0.5 is half of the simulator's resolution")

    def along(self, ndim: int) -> tuple[float, ...]:
        """Return the factor on the points of each axis."""
        return self.space if isinstance(self.space, tuple) else (self.space,) * ndim

    @property
    def of_all_axes(self) -> float:
        """The factor of a solver that refines all axes together.

        Raises:
            ValueError: if the factors of the axes differ.

        >>> Refinement(space=1.5).of_all_axes
        1.5
        """
        first, *others = self.along(1)
        if any(factor != first for factor in others):
            raise ValueError(f"expected one factor for all axes, got {self.space}; this solver refines them together")
        return first


SAME = Refinement()


@dataclass(frozen=True)
class Draw:
    """Random inputs of one sample.

    Args:
        params: scalars by name. They are fields of the equation (or ``length_x|y|z`` and ``dt``), are stored with the
            sample, and models are conditioned on them.
        noise: unit normal numbers of which random fields are made, the same for every grid; not stored.
        start: the random start of an equation in time as a function of the grid, "channel *space"; not stored.
    """

    params: dict[str, float]
    noise: np.ndarray | None = None
    start: Callable[[Grid], Tensor] | None = None


@dataclass(frozen=True)
class Nodes:
    """Meshes of several samples on `Points`.

    Args:
        points: "sample point dim".
        there: "sample point", true for points and false for padding.
        cells: "sample cell corner", numbers of points, -1 in the padding.
    """

    points: Float[Tensor, "sample point dim"]
    there: Tensor
    cells: Tensor


@dataclass(frozen=True)
class Frame:
    """One time of several samples on the requested grid; zero where a field does not exist.

    Args:
        u: "sample channel *space".
        coeffs: "sample coeff *space", the input fields, the same at each time; None if there are none.
        mask: "sample channel *space", 1 where each field exists; None if everywhere.
        own: "sample channel *own", the same on the solver's own grid; None where it has no other.
        nodes: the meshes of the samples, the same at each time; None on a uniform grid.
    """

    u: Float[Tensor, "sample channel *space"]
    coeffs: Float[Tensor, "sample coeff *space"] | None = None
    mask: Float[Tensor, "sample channel *space"] | None = None
    own: Float[Tensor, "sample channel *own"] | None = None
    nodes: Nodes | None = None

    @property
    def existing(self) -> Tensor | None:
        """The mask, "sample channel *space", without padding of points; None where all fields exist everywhere."""
        if self.nodes is None:
            return self.mask
        there = self.nodes.there[:, None].expand(self.u.shape)
        return there.to(self.u) if self.mask is None else there * self.mask


@runtime_checkable
class Simulator(Protocol):
    """A frozen dataclass of numbers that makes data.

    `steps` is true where a state is advanced in time: samples are then advanced together, go on as long as wanted, and
    may begin at a given state. Elsewhere a sample is solved as a whole, and ``start`` is None.
    """

    version: ClassVar[int]
    steps: ClassVar[bool]

    @property
    def pde(self) -> Any:
        """The equation, with nominal values of what is drawn."""

    @property
    def params(self) -> Mapping[str, Any] | Sequence[str]:
        """Names of the scalars that a draw holds, in the order in which they are stored."""

    def problem(self, grid: Any, n_frames: int) -> Problem:
        """The description of its data on a grid."""

    def random_inputs(self, generator: np.random.Generator) -> Draw:
        """The random inputs of one sample from the generator of that sample."""

    def march(
        self,
        draws: Sequence[Draw],
        grid: Any,
        refinement: Refinement = SAME,
        start: Tensor | None = None,
        device: str = "cpu",
        tick: Tick = silent,
    ) -> Iterator[Frame]:
        """Frame after frame of some samples on a grid, whatever the solver's own resolution.

        Args:
            draws: random inputs of the samples.
            grid: nominal, of the frames, a `Grid` or `Points`; lengths that a draw holds replace its own.
            refinement: refinement of the solver.
            start: "sample channel *space", the first frame, on any number of points; drawn if None.
            device: device of the solver.
            tick: called with the work that is done.
        """

    def settled(self, draws: Sequence[Draw], grid: Any, device: str = "cpu", tick: Tick = silent) -> Tensor | None:
        """The first frame on the solver's own grid, from which all refinements of a check begin; None where each
        begins from the random inputs."""

    def checks(self, grid: Any) -> dict[str, tuple[Refinement, Refinement]]:
        """Pairs of refinements whose difference shows an error, by name."""

    @property
    def spectral_degree(self) -> int | None:
        """Degree of the nonlinearity that fills the spectrum of a periodic state; None where it has none."""

    def resolution(self, grid: Any, refinement: Refinement = SAME) -> dict[str, Any]:
        """A refinement in numbers, to be stored with a check."""

    def work(self, n_frames: int, refinement: Refinement = SAME, started: bool = False) -> int:
        """Units of work that `march` reports to ``tick`` for one sample."""

    @property
    def remedy(self) -> str:
        """Advice for a value that is not finite."""


def parameters(simulator: Simulator, draws: Sequence[Draw]) -> Float[Tensor, "sample param"] | None:
    """The scalars of draws in float64, in the order of the simulator's params; None if there are none."""
    names = list(simulator.params)
    rows = [[draw.params[name] for name in names] for draw in draws]
    return torch.tensor(rows, dtype=torch.float64) if names else None


def collected(
    marching: Iterator[Frame], n_frames: int, watch: Callable[[Frame], None] | None = None
) -> tuple[Float[Tensor, "sample time channel *space"], Frame]:
    """The first frames of `Simulator.march`, stacked on the CPU, and the last of them as it is.

    Args:
        marching: iterator over the frames of some samples.
        n_frames: number of frames to take.
        watch: called with each frame.
    """
    made = []
    with torch.no_grad():
        for frame in itertools.islice(marching, n_frames):
            made.append(frame.u)
            if watch is not None:
                watch(frame)
        return torch.stack(made, 1).cpu(), frame
