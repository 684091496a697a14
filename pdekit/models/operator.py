"""The solution operator at once: u(x, t) = net(inputs)(x, t) for all points and times, by regression.

A steady problem is the operator from its coefficients to its solution, a problem in time the one from its history to
every later frame. Lu et al. (2021), https://arxiv.org/abs/1910.03193.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.calculus.fourier import Fourier
from pdekit.calculus.resample import moves, resample
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.base import Surrogate, mean_square
from pdekit.models.inputs import (
    InputChannels,
    Preparation,
    check_history,
    checked_inputs,
    forcing_of,
    history_of,
    normalised,
)
from pdekit.models.normaliser import Normaliser
from pdekit.nets.condition import Condition
from pdekit.nets.interpolation import interpolate
from pdekit.nets.operator_net import OperatorNet

# a time may lie this share of the span beyond it: rounding of float32 times
TOLERANCE = 1e-3


class Operator(Surrogate):
    """An operator net trained by the mean squared error of normalised fields at the points and times of the data.

    The net sees the forcing of all frames of a trajectory at once. Where a forecast is given fewer, the last one holds
    on: what acts later does not change earlier fields.

    Args:
        problem: problem to forecast, on a uniform grid.
        net: factory of an operator net, called with shape, in_channels, out_channels, n_conditions, layout and in_time.
        history: frames that the net sees; a steady problem has none.
        sensors: points of each axis at which the net sees its input; those of the problem's grid if None. Data on
            another grid are brought there: spectrally if periodic, else by linear interpolation.
        n_points: points of space and time, drawn again in each training step, at which the loss is taken; all if None.
        shifts: whether training moves each sample by a random number of points along the periodic axes. Where the
            equation is the same everywhere, what has been moved is a solution, too; an operator net, unlike a
            convolution, has to be shown so.
        inputs: the way in which fields become input channels; by mean and standard deviation if None.

    Raises:
        ValueError: on a problem without a grid, an input field, or with a varying dt; for shifts, if no axis is
            periodic or the equation has a source that depends on the place.
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., OperatorNet],
        history: int = 1,
        sensors: Sequence[int] | None = None,
        n_points: int | None = None,
        shifts: bool = False,
        inputs: Preparation | None = None,
    ):
        if not problem.on_box:
            raise ValueError(
                f"expected a problem on a uniform grid of one to three axes, got {problem.grid}; the sensors lie "
                "on one: model=point_deeponet and latent_grid take points"
            )
        if "dt" in problem.params:
            raise ValueError(
                "expected one time step for all trajectories, got a dt that varies: the net takes the same times "
                "for all samples; use a stepper (model=fno, unet, pde_refiner)"
            )
        if n_points is not None and n_points < 1:
            raise ValueError(f"expected n_points >= 1, or null for all, got {n_points}; correct model.n_points")
        if shifts:
            check_shifts(problem)
        history = history_of(problem, history)
        super().__init__(problem, (history, 1 if problem.steady else "all"))
        self.history, self.n_points, self.shifts = history, n_points, shifts
        inputs = checked_inputs(problem, inputs)
        self.channels = InputChannels(problem, history, problem.n_frames, inputs.distance)
        self.sensors = problem.grid.resized(sensors or problem.grid.shape)
        self.span = 0.0 if problem.steady else (problem.n_frames - history) * problem.step
        self.normaliser = Normaliser(problem, inputs.normalisation)
        self.net = net(
            shape=self.sensors.shape,
            in_channels=self.channels.count,
            out_channels=problem.n_channels,
            n_conditions=len(problem.params),
            layout=problem.grid.layout,
            in_time=not problem.steady,
        )

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        kept = []

        def watched():
            for batch in batches:
                if self.net.learns_basis:
                    kept.append((batch.u[:, self.history :], batch.mask))
                yield batch

        self.normaliser.calibrate(watched())
        if kept:
            if len({u.shape[3:] for u, _ in kept}) > 1:
                raise ValueError(
                    f"expected training data on one grid for {type(self.net).__name__}, whose functions are read from "
                    "them, found several grids; train deeponet or fno, or give data on one grid"
                )
            outputs = []
            for u, mask in kept:
                like = self.normaliser.like
                u = self.normaliser.encode(u.to(like.device)).to(like)
                outputs.append(u if mask is None else torch.where(mask[:, None] > 0, u, 0.0))
            target = torch.cat(outputs).movedim(1, -1)  # sample channel *space time
            axes = [*_unit_axes(self.problem.box, self.problem.box)]
            if self.problem.steady:
                target = target[..., 0]
            else:
                axes.append(torch.arange(1, target.shape[-1] + 1, dtype=torch.float64) / target.shape[-1])
            self.net.calibrate(target, axes)

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        batch = shifted(batch, self.problem.box) if self.shifts and self.training else batch
        known, condition = self.inputs(batch)
        target = self.normaliser.encode(batch.u[:, self.history :].to(known.device)).to(known)
        grid = self.problem.grid.resized(batch.u.shape[3:])
        # "batch channel time point"
        target = target.flatten(3).movedim(1, 2)
        mask = None if batch.mask is None else batch.mask.to(known).flatten(2)[:, :, None].expand_as(target)
        if mask is not None:
            target = torch.where(mask > 0, target, 0.0)
        query = _queries(
            grid, self.problem.box, self.times(batch.t[:, self.history :], batch.t[:, : self.history]), known
        )
        target = target.flatten(2)
        mask = None if mask is None else mask.flatten(2)
        if self.n_points is not None and self.n_points < len(query):
            chosen = torch.randperm(len(query), device="cpu")[: self.n_points].to(query.device)
            query, target = query[chosen], target[..., chosen]
            mask = None if mask is None else mask[..., chosen]
        loss = mean_square(self.net(known, query, condition) - target, mask)
        return loss, {"loss": loss.detach()}

    @torch.no_grad()
    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """All times at once; they need not be those of the data, but lie within the span that was trained.

        Raises:
            ValueError: if they do not, or the frames given are not ``history`` many.
        """
        check_history(given, self.history)
        known, condition = self.inputs(given)
        space = given.u.shape[3:]
        query = _queries(self.problem.grid.resized(space), self.problem.box, self.times(t, given.t), known)
        u = self.net(known, query, condition)
        u = u.unflatten(2, (1 if self.problem.steady else t.shape[1], *space)).movedim(2, 1)
        u = self.normaliser.decode(u.to(torch.promote_types(u.dtype, given.u.dtype)))
        return u.expand(members, *u.shape)

    def inputs(self, batch: Trajectory) -> tuple[Tensor, Condition | None]:
        """Return the input channels of the branch at the sensors, and the condition of the net, see `InputChannels`."""
        if self.problem.forcing:
            batch = dataclasses.replace(batch, forcing=held(batch, self.problem.n_frames))
        known = normalised(batch, self.normaliser)
        seen = self.to_sensors(self.channels.assembled(known.u[:, : self.history], known))
        return seen, self.channels.condition(known)

    def to_sensors(self, fields: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *sensor"]:
        """Fields of any resolution at the sensors."""
        if fields.shape[2:] == self.sensors.shape:
            return fields
        own = self.sensors.resized(fields.shape[2:])
        if self.sensors.periodic:
            return resample(fields, self.sensors.shape, moves(own, self.sensors))
        axes = _unit_axes(own, self.sensors)
        periods = [1.0 if layout == "periodic" else None for layout in self.sensors.layout]
        points = _mesh(_unit_axes(self.sensors, self.sensors)).to(fields)
        found = interpolate(fields, [axis.to(fields) for axis in axes], points, periods)
        return found.unflatten(2, self.sensors.shape)

    def times(self, t: Tensor, before: Tensor) -> Tensor | None:
        """Shares of the trained span, "time"; None for a steady problem. See `shares_of_span`."""
        return None if self.problem.steady else shares_of_span(self.span, t, before)


def shares_of_span(span: float, t: Tensor, before: Tensor) -> Float[Tensor, "time"]:
    """Return times after the last given frame as shares of the trained span.

    Args:
        span: the span.
        t: times wanted, "batch time".
        before: times of the given frames, "batch time".

    Raises:
        ValueError: if samples ask for different ones, or one lies outside the span.
    """
    shares = (t.double() - before[:, -1:].double()) / span
    if (shares - shares[:1]).abs().max() > TOLERANCE:
        raise ValueError(
            "expected the same times after the last given frame for all samples; forecast samples with other times "
            "separately"
        )
    if shares.min() <= 0 or shares.max() > 1 + TOLERANCE:
        raise ValueError(
            f"expected times up to {span:g} after the last given frame, as in training, got "
            f"{float(shares.min()) * span:g} to {float(shares.max()) * span:g}; forecast again from the "
            "last frame to go on"
        )
    return shares[0]


def held(batch: Trajectory, n_frames: int) -> Float[Tensor, "batch time force *space"]:
    """The forcing of so many frames, the last one that is known being repeated."""
    forcing = forcing_of(batch, batch.u.shape[1])
    last = forcing[:, -1:].expand(-1, max(0, n_frames - forcing.shape[1]), *forcing.shape[2:])
    return torch.cat((forcing, last), 1)[:, :n_frames]


def check_shifts(problem: Problem) -> None:
    """Raises ValueError if a solution moved along the periodic axes is none."""
    if "periodic" not in problem.grid.layout:
        raise ValueError("expected a periodic axis for shifts=true, got bounded ones only; set model.shifts=false")
    pde = problem.pde
    if pde is not None and pde.source(Fourier(problem.box)) is not None:
        raise ValueError(
            f"expected an equation that is the same everywhere for shifts=true, got {type(pde).__name__} with a source "
            "in space; set model.shifts=false"
        )


def shifted(batch: Trajectory, grid: Grid) -> Trajectory:
    """Each sample moved by a random number of points along each periodic axis, all its fields together."""
    axes = [axis for axis, layout in enumerate(grid.layout) if layout == "periodic"]
    sizes = [batch.u.shape[3 + axis] for axis in axes]
    moves = [[int(torch.randint(n, ())) for n in sizes] for _ in range(len(batch))]

    def moved(fields: Tensor | None) -> Tensor | None:
        if fields is None:
            return None
        dims = [axis - grid.ndim for axis in axes]
        return torch.stack([one.roll(move, dims) for one, move in zip(fields, moves, strict=True)])

    parts = {name: moved(getattr(batch, name)) for name in ("u", "coeffs", "forcing", "mask")}
    return dataclasses.replace(batch, **parts)


def _unit_axes(grid: Grid, box: Grid) -> list[Tensor]:
    """Coordinates of each axis as shares of the box, from the first point of the grid that is meant by the box."""
    unit = Grid(grid.shape, (1.0,) * grid.ndim, moves(box, grid), grid.layout)
    return [unit.coordinates(axis) for axis in range(grid.ndim)]


def _mesh(axes: Sequence[Tensor]) -> Tensor:
    """All points of a product of axes, "point coordinate", the last axis running fastest."""
    return torch.stack([c.flatten() for c in torch.meshgrid(*axes, indexing="ij")], -1)


def _queries(grid: Grid, box: Grid, times: Tensor | None, like: Tensor) -> Float[Tensor, "point coordinate"]:
    """All times and points, time running slowest; the coordinates of a query are those of space, then time."""
    axes = _unit_axes(grid, box)
    if times is None:
        return _mesh(axes).to(like)
    points = _mesh([times.cpu(), *axes])
    return torch.cat((points[:, 1:], points[:, :1]), 1).to(like)
