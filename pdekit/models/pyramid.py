"""A trajectory on grids each half as fine as the one before, in space and in time, and interpolation between them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.calculus.resample import moves, resample, restrict
from pdekit.fields import Grid, Problem, Trajectory

SMALLEST = 1e-6  # of the rms of a band of the fields: what is left of it is rounding
NODES = 4  # of the polynomial that interpolates along an axis with ends: a cubic


@dataclass(frozen=True)
class Rung:
    """A resolution, and what is known of a coarser one.

    Args:
        space, time: halvings of the training grid and of the number of frames; negative beyond them.
        from_space, from_time: whether the trajectory with half as many points, or frames, is known.
    """

    space: int = 0
    time: int = 0
    from_space: bool = False
    from_time: bool = False

    @property
    def refines(self) -> bool:
        """True if a coarser trajectory is known."""
        return self.from_space or self.from_time

    @property
    def kind(self) -> int:
        """Number of the kind of what is known, from 0 (nothing) to 3."""
        return self.from_space + 2 * self.from_time


@dataclass(frozen=True)
class Coarser:
    """A coarser trajectory on the grid and at the times of a finer one.

    Args:
        frames: its interpolation, "batch time channel *space", normalised; zeros where nothing is known.
        rung: resolution of the finer one.
    """

    frames: Tensor
    rung: Rung


class Pyramid(nn.Module):
    """The resolutions on which one net is trained: the grid of the problem, and ``depth`` halvings of space and time.

    Space: periodic axes keep the modes that the coarser grid holds, and are interpolated trigonometrically; every
    second node is kept, and nodes between are interpolated by cubics. Time: every second frame is kept, and cubics
    interpolate, through the frame that is given and those that are kept.

    Buffer: ``rms`` (space, time, kind, channel), the rms of each band of what a net adds to the interpolation, one
    until it is set.

    Args:
        problem: problem whose grid is the finest one of the training.
        n_target: frames that are generated.
        depth: halvings.
        n_channels: bands of the frames.

    Raises:
        ValueError: on axes of another layout, a mask, varying time steps, or points or frames that cannot be halved.
    """

    n_scalars = 4

    def __init__(self, problem: Problem, n_target: int, depth: int, n_channels: int):
        super().__init__()
        nested = all(where in ("periodic", "nodes") for where in problem.box.layout)
        if not nested or problem.has_mask or "dt" in problem.params:
            raise ValueError(
                "expected periodic axes or nodes, no mask and one time step for resolutions > 0, got another problem; "
                "set model.resolutions=0"
            )
        self.grid, self.n_target, self.depth, self.steady = problem.box, n_target, depth, problem.steady
        counts = {"frames": n_target} if not problem.steady else {}
        for axis, n, where in zip(self.grid.axes, self.grid.shape, self.grid.layout, strict=True):
            counts[f"intervals along {axis}"] = n - (where == "nodes")
        for what, n in counts.items():
            if n % 2**depth:
                raise ValueError(
                    f"expected a number of {what} that can be halved {depth} times, got {n}; set model.resolutions to "
                    "fewer, or generate another grid or another number of frames"
                )
        self.register_buffer("rms", torch.ones(depth + 1, depth + 1, 4, n_channels))

    def rungs(self) -> list[Rung]:
        """Return all resolutions of the training with all that may be known of a coarser one."""
        kinds = [(False, False), (True, False)] if self.steady else itertools.product((False, True), repeat=2)
        return [
            Rung(space, time, from_space, from_time)
            for from_space, from_time in kinds
            for space in range(self.depth + 1 - from_space)
            for time in range(1 if self.steady else self.depth + 1 - from_time)
        ]

    def draw(self, space: int) -> Rung:
        """Draw one of `rungs`, from torch's global generator; half of the draws are the data as they are.

        Args:
            space: halvings of the grid of the data; finer rungs are left out.
        """
        rungs = [rung for rung in self.rungs() if rung.space >= space]
        n = int(torch.randint(2 * len(rungs), ()))
        return rungs[n] if n < len(rungs) else Rung(space)

    def rung(self, shape: Sequence[int], n_frames: int, from_space: bool, from_time: bool) -> Rung:
        """Return the rung of a trajectory of that size.

        Raises:
            ValueError: see `halvings`, and if the coarser trajectory is coarser than those of the training.
        """
        space, time = self.halvings(shape, n_frames)
        if space + from_space > self.depth or time + from_time > self.depth:
            raise ValueError(
                f"expected at most {self.depth} halvings of {tuple(self.grid.shape)} points and {self.n_target} "
                f"frames, as in training, got {tuple(shape)} and {n_frames} and coarser ones; choose a finer size"
            )
        return Rung(space, time, from_space, from_time)

    def halvings(self, shape: Sequence[int], n_frames: int) -> tuple[int, int]:
        """Return how often points and frames are halved to give these, negative if they are doubled.

        Raises:
            ValueError: if the sizes are not those of the training times one power of two for space, one for time.
        """
        ends = [where == "nodes" for where in self.grid.layout]
        sizes = [(old - end, new - end) for old, new, end in zip(self.grid.shape, shape, ends, strict=True)]
        space, time = {_halvings(*pair) for pair in sizes}, _halvings(self.n_target, n_frames)
        level = space.pop()
        if space or level is None or time is None:
            raise ValueError(
                f"expected {tuple(self.grid.shape)} points and {self.n_target} frames times powers of two, got "
                f"{tuple(shape)} and {n_frames}; choose such a size"
            )
        return level, time

    def scalars(self, rung: Rung, like: Tensor) -> Float[Tensor, "batch 4"]:
        """Return what a net is given of a rung: halvings of space and time, shares of the depth, and what is known.

        Beyond the training it is given the finest pair of it.
        """
        halvings = max(rung.space, 0) / self.depth, max(rung.time, 0) / self.depth
        known = (*halvings, float(rung.from_space), float(rung.from_time))
        return like.new_tensor(known).expand(len(like), -1)

    def coarsened(self, batch: Trajectory, space: int, time: int) -> Trajectory:
        """Return a trajectory, its first frame the one that is given, with halved points and steps."""
        stride = 2**time
        u, forcing = batch.u[:, ::stride], batch.forcing
        batch = dataclasses.replace(
            batch, u=u, t=batch.t[:, ::stride], forcing=None if forcing is None else forcing[:, ::stride]
        )
        if not space:
            return batch
        return dataclasses.replace(
            batch,
            u=self.halved(batch.u, space),
            coeffs=None if batch.coeffs is None else self.halved(batch.coeffs[:, None], space)[:, 0],
            forcing=None if batch.forcing is None else self.halved(batch.forcing, space),
        )

    def halved(self, u: Float[Tensor, "batch time channel *space"], times: int) -> Tensor:
        """Return fields on the grid whose axes are halved some times."""
        grid = self.grid.resized(u.shape[3:])
        shape = [
            ((n - 1) >> times) + 1 if where == "nodes" else n >> times
            for n, where in zip(grid.shape, grid.layout, strict=True)
        ]
        return restrict(u.flatten(1, 2), grid, shape).unflatten(1, u.shape[1:3])

    def at(self, batch: Trajectory, rung: Rung) -> tuple[Trajectory, Coarser]:
        """Return a normalised trajectory at a resolution, and the coarser one next to it.

        Args:
            batch: on the grid of the training, or on a coarser one.
            rung: resolution wanted, not finer than the batch.
        """
        found = self.halvings(batch.u.shape[3:], self.n_target)[0]
        fine, history = self.coarsened(batch, rung.space - found, rung.time), int(not self.steady)
        if not rung.refines:
            return fine, Coarser(torch.zeros_like(fine.u[:, history:]), rung)
        coarse = self.coarsened(fine, int(rung.from_space), int(rung.from_time)).u[:, history:]
        return fine, Coarser(self.interpolated(fine.u[:, :history], coarse, rung), rung)

    def calibrate(self, batches: Sequence[Trajectory], bands: Callable[[Tensor], Tensor]) -> None:
        """Set the rms of each channel of what the net makes, on normalised trajectories; one on the grid itself.

        A channel that is zero to rounding keeps a millionth, so that nothing is magnified.
        """
        history = int(not self.steady)
        for rung in self.rungs():
            if rung == Rung():
                continue
            pairs = [self.at(b, rung) for b in batches if self.halvings(b.u.shape[3:], self.n_target)[0] <= rung.space]
            left = torch.cat([bands(fine.u[:, history:] - coarser.frames) for fine, coarser in pairs])
            rms = left.square().mean([0, *range(2, left.ndim)]).sqrt()
            self.rms[rung.space, rung.time, rung.kind] = rms.clamp_min(SMALLEST)

    def rms_of(self, rung: Rung) -> Float[Tensor, "channel"]:
        """Return the rms of each channel of what the net makes at a resolution.

        Beyond the training, each doubling changes it by the ratio of the two finest pairs of the training, at most one;
        with one pair it stays.
        """
        space, time = max(rung.space, 0), max(rung.time, 0)
        beyond = max(-rung.space, 0) * rung.from_space, max(-rung.time, 0) * rung.from_time
        finest, coarser = self.rms[space, time, rung.kind], Rung(space + (beyond[0] > 0), time + (beyond[1] > 0))
        if coarser.space + rung.from_space > self.depth or coarser.time + rung.from_time > self.depth:
            return finest
        return finest * (finest / self.rms[coarser.space, coarser.time, rung.kind]).clamp(max=1) ** max(beyond)

    def interpolated(
        self,
        first: Float[Tensor, "batch time channel *fine"],
        coarse: Float[Tensor, "batch coarse_time channel *coarse"],
        rung: Rung,
    ) -> Float[Tensor, "batch fine_time channel *fine"]:
        """Return a coarser trajectory on the finer grid and at all times.

        Args:
            first: frames that are given, on the finer grid; none of a steady problem.
            coarse: frames after them.
            rung: what of it is coarse.
        """
        if rung.from_space:
            coarse = on_doubled_grid(coarse, self.grid)
        if not rung.from_time:
            return coarse
        known = torch.cat((first[:, -1:], coarse), 1)
        return with_midpoints(known, 1)[:, 1:]


def pyramid_of(problem: Problem, n_target: int, depth: int, history: int, n_channels: int) -> Pyramid | None:
    """Return the pyramid of a problem, None for one resolution.

    Raises:
        ValueError: on a negative depth, more than one frame of history, or what `Pyramid` refuses.
    """
    if depth < 0 or (depth and history > 1):
        raise ValueError(
            f"expected resolutions >= 0, and history=1 with resolutions > 0 (frames have several distances in time), "
            f"got resolutions={depth}, history={history}; set model.history=1"
        )
    return Pyramid(problem, n_target, depth, n_channels) if depth else None


def with_midpoints(u: Float[Tensor, "..."], axis: int) -> Float[Tensor, "..."]:
    """Return samples with new ones half-way between along an axis, by the cubic through the four nearest ones.

    Exact for cubics; with n < 4 samples the polynomial has degree n - 1.

    >>> with_midpoints(torch.tensor([0.0, 1.0, 4.0]), 0).tolist()
    [0.0, 0.25, 1.0, 2.25, 4.0]
    """
    n = u.shape[axis]
    width = min(NODES, n)
    matrix = torch.zeros(2 * n - 1, n, dtype=torch.float64)
    for row in range(2 * n - 1):
        begin = min(max(row // 2 - (width - 1) // 2, 0), n - width)
        nodes = torch.arange(begin, begin + width, dtype=torch.float64)
        for j in range(width):
            others = torch.cat((nodes[:j], nodes[j + 1 :]))
            matrix[row, begin + j] = ((row / 2 - others) / (nodes[j] - others)).prod()
    return torch.tensordot(u, matrix.to(u), ([axis], [1])).movedim(-1, axis)


def on_doubled_grid(
    u: Float[Tensor, "batch time channel *space"], grid: Grid
) -> Float[Tensor, "batch time channel *fine"]:
    """Return fields with twice the intervals of each axis: `resample` of periodic axes, `with_midpoints` of nodes."""
    old = grid.resized(u.shape[3:])
    shape = [2 * n - (where == "nodes") for n, where in zip(old.shape, old.layout, strict=True)]
    moved = moves(old, grid.resized(shape))
    for axis, where in enumerate(old.layout):
        if where == "nodes":
            u = with_midpoints(u, 3 + axis)
    return resample(u.flatten(1, 2), shape, moved).unflatten(1, u.shape[1:3])


def _halvings(old: int, new: int) -> int | None:
    """Return how often ``old`` is halved to give ``new``, negative if it is doubled; None for other ratios."""
    small, large = sorted((old, new))
    ratio = large // small if small else 0
    if not ratio or ratio * small != large or ratio & (ratio - 1):
        return None
    return (ratio.bit_length() - 1) * (1 if new <= old else -1)
