"""Incompressible flow in a box with walls, inflow, outflow and obstacles: a projection method on a staggered grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdekit.boundaries import Boundary, Ends, Inflow, Outflow, Periodic, Wall, sides_of
from pdekit.calculus.base import lengths_vary, per_sample
from pdekit.fields import Grid
from pdekit.pdes.incompressible_flow import IncompressibleFlow
from pdekit.solvers.obstacles import Obstacles
from pdekit.solvers.pressure import PressureSolver
from pdekit.solvers.spectral import step_size
from pdekit.solvers.staggered import SAME_OUTSIDE, Rule, Staggered, mean_of_neighbours, mirror, tangential
from pdekit.solvers.step import Step, rounded
from pdekit.solvers.strong_stability import courant_limited, ssp_3
from pdekit.solvers.traced import traced

VERSION = 1
PROFILES = ("uniform", "parabolic")
Velocity = list[Tensor]
State = Float[Tensor, "batch value"]


def projection(
    pde: IncompressibleFlow,
    grid: Grid,
    dt: Any,
    courant: float = 1.0,
    inflow: str = "parabolic",
    boundary: Sequence[Ends] = (),
    dtype: torch.dtype = torch.float64,
    device: Any = None,
) -> Step:
    """A step of (u, v), (u, v, s) or (u, v, s, absorbed) on cells, periodic or with ends: second order in space.

    Velocities lie on faces, the scalar at centres. Differences are central and conservative: without viscosity the
    advection keeps the kinetic energy. Runge-Kutta of order 3 in time (strong-stability-preserving); each
    stage is projected onto fields without divergence, exact to rounding. Within one dt there are as many equal steps as
    the Courant number asks for, by advection and diffusion, for each trajectory its own; the last one lands on dt.

    Ends: `Wall("no_slip", speed)`, `Wall("free_slip")`, `Periodic`, `Inflow(mean normal speed into the box)`, and
    `Outflow` (pressure 0, nothing changes across it). The scalar at walls is that of the equation's `scalar_at`, or no
    flux passes; what flows in has the scalar of `scalar_at`, or 0. Where the equation `absorbs`, outflows take the
    scalar of the cell next to them, nothing comes back through them, nothing diffuses through inflows, and the last
    field keeps what has left.

    Obstacles are the cells whose centres the equation calls `solid`: their faces have no velocity, and no scalar passes
    them. Bodies have steps, so that the order is 1 there.

    Args:
        pde: its parameters may be tensors "batch 1 *1".
        grid: plane; periodic points or cells. Cell i is centred at point i.
        dt: a number, or a tensor "batch 1 *1".
        courant: largest product of the step and of the sum over axes of |u| / h + 2 nu / h^2. 1 is safe.
        inflow: the profile over an inflow, "uniform" or "parabolic" (a channel that has filled).
        boundary: (lower, upper) condition of each axis; none is needed on a periodic grid.
        dtype: float64 (default) or float32.
        device: "cpu" or "cuda".

    Raises:
        ValueError: an unknown profile, boundary or layout; inflow without outflow, or into a body; lengths that vary.

    Limits: explicit in the viscosity. Central differences oscillate where |u| h / nu or |u| h / kappa is far above 2.
    `encode` interpolates to faces and `decode` averages from them, so that a state that is stored and read again is
    smoothed by an error of fourth order inside and second order at ends.

    Source: Harlow and Welch (1965), the grid; Chorin (1968), the projection; steps as in
    `pdekit.solvers.strong_stability`.
    """
    if inflow not in PROFILES or not courant > 0:
        raise ValueError(
            f"expected an inflow among {PROFILES} and a Courant number above 0, got {inflow!r} and {courant}; correct "
            "the solver"
        )
    flow = Flow.of(pde, grid, boundary, inflow, (dtype, device))
    dt = per_sample(step_size(dt, device, dtype), 2)
    rate, frequency = (traced(_free_function(method)) for method in (flow.rate, flow.frequency))
    advance = courant_limited(ssp_3, rate, dt, courant, frequency)
    return Step(flow.encode, lambda state: flow.without_divergence(advance(state)), flow.decode)


projection.configurable = True


def _free_function(method: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same as a function of one argument: a bound method cannot be recorded."""
    return lambda state: method(state)


@dataclass(frozen=True)
class Flow:
    """An equation on a staggered grid: the rate of change of a state, and the way from samples and back.

    Args:
        pde: with parameters "batch *1".
        mesh: the staggered grid.
        pressure: solver of the Poisson equation.
        free: 1 on faces whose velocity is not prescribed, for each axis.
        entering: the prescribed normal velocity of faces, for each axis.
        obstacles: forces of obstacles; None if there are none.
        n_scalars: fields at centres: 0, the scalar, or the scalar and what outflows have absorbed of it.
    """

    pde: IncompressibleFlow
    mesh: Staggered
    pressure: PressureSolver
    free: tuple[Tensor, ...]
    entering: tuple[Tensor, ...]
    obstacles: Obstacles | None
    n_scalars: int

    @classmethod
    def of(cls, pde: IncompressibleFlow, grid: Grid, boundary: Sequence[Ends], inflow: str, place: tuple) -> Flow:
        """Raises ValueError on a grid or boundary that the solver cannot honour."""
        sides = sides_of(boundary, grid.layout, grid.axes)
        _check(pde, grid, [end for ends in sides for end in ends])
        dtype, device = place
        mesh = Staggered(grid, sides)
        pressure = PressureSolver(mesh, dtype, device)
        free = tuple(mesh.free_faces(axis, dtype, device) for axis in range(grid.ndim))
        entering = tuple(_entering(mesh, axis, inflow, place) for axis in range(grid.ndim))
        solid = pde.solid(grid.mesh(dtype, device))
        obstacles = None
        if solid is not None:
            solid = solid.to(device=device, dtype=dtype).reshape(-1, *grid.shape)
            double = pressure if dtype == torch.float64 else PressureSolver(mesh, torch.float64, device)
            solvers = {dtype: pressure, torch.float64: double}
            obstacles = Obstacles(mesh, solid, lambda fields: _projected(mesh, solvers[fields[0].dtype], fields))
            _check_inflow_is_free(obstacles, entering)
        flat = _flat_parameters(rounded(pde, dtype, device), grid.ndim)
        return cls(flat, mesh, pressure, free, entering, obstacles, len(pde.fields) - grid.ndim)

    def rate(self, state: State) -> State:
        """d/dt of a state without divergence."""
        parts = self.mesh.parts(state, self.n_scalars)
        velocity, scalars = parts[: self.mesh.ndim], parts[self.mesh.ndim :]
        rates = [self._carried(velocity, axis) for axis in range(self.mesh.ndim)]
        rates[0] = rates[0] + self.pde.acceleration
        for s in scalars[:1]:
            rates[-1] = rates[-1] + self.pde.lift * self._at_faces(s, self.mesh.ndim - 1)
        rates = self._projected([rate * free for rate, free in zip(rates, self.free, strict=True)])
        if scalars:
            rates += self._scalar_rates(scalars[0], velocity)
        return torch.cat([rate.flatten(1) for rate in rates], 1)

    def frequency(self, state: State) -> Float[Tensor, "batch 1"]:
        """Sum over axes of |u| / h + 2 nu / h^2, with the larger one of both diffusivities."""
        nu = self.pde.momentum_diffusivity
        if self.pde.scalar_diffusivity is not None:
            nu = torch.maximum(*(torch.as_tensor(value) for value in (nu, self.pde.scalar_diffusivity)))
        total = torch.zeros(len(state), 1, dtype=state.dtype, device=state.device)
        for axis, u in enumerate(self.mesh.parts(state, self.n_scalars)[: self.mesh.ndim]):
            h = self.mesh.grid.spacing[axis]
            total = total + u.abs().flatten(1).amax(1, keepdim=True) / h + per_sample(2 * nu / h**2, 2)
        return total

    def without_divergence(self, state: State) -> State:
        """The same state, with the rounding of many steps projected away."""
        parts = self.mesh.parts(state, self.n_scalars)
        velocity = self._projected(parts[: self.mesh.ndim])
        return torch.cat([part.flatten(1) for part in (*velocity, *parts[self.mesh.ndim :])], 1)

    def encode(self, u: Float[Tensor, "batch channel *space"]) -> State:
        """Interpolate velocities to the faces, prescribe those of the ends, remove the divergence."""
        u = u.to(self.free[0])
        parts = []
        for axis, (free, entering) in enumerate(zip(self.free, self.entering, strict=True)):
            parts.append(self._interpolated(u[:, axis], axis) * free + entering)
        parts = self._projected(parts) + list(u[:, self.mesh.ndim :].unbind(1))
        return torch.cat([part.flatten(1) for part in parts], 1)

    def decode(self, state: State) -> Float[Tensor, "batch channel *space"]:
        """Means of the two faces of each cell; scalars as they are."""
        parts = self.mesh.parts(state, self.n_scalars)
        for axis in range(self.mesh.ndim):
            parts[axis] = mean_of_neighbours(self.mesh.all_faces(parts[axis], axis), axis)
        return torch.stack(parts, 1)

    def _carried(self, velocity: Velocity, a: int) -> Tensor:
        """-div(velocity u_a) + nu laplacian(u_a) on the faces of the axis a."""
        mesh, nu = self.mesh, self.pde.momentum_diffusivity
        faces = mesh.all_faces(velocity[a], a)
        middle, h = mean_of_neighbours(faces, a), mesh.grid.spacing[a]
        through = middle * middle - nu * torch.diff(faces, dim=1 + a) / h
        # beyond an outflow the velocity is that of its face
        ends = [faces.narrow(1 + a, place, 1) ** 2 for place in (0, mesh.grid.shape[a])]
        through = through if mesh.periodic(a) else torch.cat((ends[0], through, ends[1]), 1 + a)
        if mesh.periodic(a):
            through = torch.cat((through.narrow(1 + a, through.shape[1 + a] - 1, 1), through), 1 + a)
        rate = -torch.diff(through, dim=1 + a) / h
        for b in range(mesh.ndim):
            if b != a:
                lower, upper = (tangential(end, a, b) for end in mesh.sides[b])
                padded = mesh.padded(velocity[a], b, lower, upper)
                speed = self._at_faces_of(velocity[b], a, b)
                flux = mean_of_neighbours(padded, b) * speed - nu * torch.diff(padded, dim=1 + b) / mesh.grid.spacing[b]
                rate = rate - torch.diff(flux, dim=1 + b) / mesh.grid.spacing[b]
        return rate

    def _at_faces_of(self, u: Tensor, a: int, b: int) -> Tensor:
        """The velocity along b at the edges that a face of the axis a has across b."""
        lower, upper = (tangential(end, b, a) for end in self.mesh.sides[a])
        padded = self.mesh.padded(self.mesh.all_faces(u, b), a, lower, upper)
        return self.mesh.own_faces(mean_of_neighbours(padded, a), a)

    def _scalar_rules(self, axis: int) -> tuple[Rule, Rule]:
        """Ghosts of the scalar at both ends of an axis."""
        rules = []
        for side, end in enumerate(self.mesh.sides[axis]):
            value = self.pde.scalar_at(axis, side)
            if end.word == Inflow.word:
                value = value or 0.0
            rules.append(SAME_OUTSIDE if value is None or end == Outflow() else mirror(value))
        return rules[0], rules[1]

    def _at_faces(self, s: Tensor, axis: int) -> Tensor:
        padded = self.mesh.padded(s, axis, *self._scalar_rules(axis))
        return self.mesh.own_faces(mean_of_neighbours(padded, axis), axis)

    def _scalar_rates(self, s: Tensor, velocity: Velocity) -> list[Tensor]:
        """-div(velocity s) + kappa laplacian(s), and the flux into outflows where the equation absorbs."""
        mesh, rate, absorbed = self.mesh, torch.zeros_like(s), torch.zeros_like(s)
        for axis, u in enumerate(velocity):
            padded, h = mesh.padded(s, axis, *self._scalar_rules(axis)), mesh.grid.spacing[axis]
            slope = torch.diff(padded, dim=1 + axis) / h
            if self.obstacles is not None:
                slope = slope * mesh.all_faces(self.obstacles.open[axis], axis)
            flux = mesh.all_faces(u, axis) * mean_of_neighbours(padded, axis) - self.pde.scalar_diffusivity * slope
            if self.pde.absorbs:
                flux, into = self._through_openings(flux, velocity[axis], s, axis)
                absorbed = absorbed + into
            rate = rate - torch.diff(flux, dim=1 + axis) / h
        return [rate, absorbed] if self.pde.absorbs else [rate]

    def _through_openings(self, flux: Tensor, u: Tensor, s: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """The flux without diffusion through inflows and with that of outflows from inside, and what these absorb."""
        dim, absorbed = 1 + axis, torch.zeros_like(s)
        for side, end in enumerate(self.mesh.sides[axis]):
            outward, face, cell = (1, flux.shape[dim] - 1, s.shape[dim] - 1) if side else (-1, 0, 0)
            if end.word == Inflow.word:
                brought = (self.pde.scalar_at(axis, side) or 0.0) * u.narrow(dim, face, 1)
                flux = flux.slice_scatter(brought, dim, face, face + 1)
            elif self.mesh.opens(axis, side):
                leaving = (outward * u.narrow(dim, face, 1)).clamp_min(0) * s.narrow(dim, cell, 1)
                flux = flux.slice_scatter(outward * leaving, dim, face, face + 1)
                absorbed = absorbed.slice_scatter(leaving / self.mesh.grid.spacing[axis], dim, cell, cell + 1)
        return flux, absorbed

    def _projected(self, velocity: Sequence[Tensor]) -> Velocity:
        found = _projected(self.mesh, self.pressure, velocity)
        return found if self.obstacles is None else self.obstacles.kept_out(found)[0]

    def _interpolated(self, u: Tensor, axis: int) -> Tensor:
        """Values on faces whose means over two faces are u, to fourth order: (-1, 5, 5, -1) / 8."""
        rules = []
        for side, end in enumerate(self.mesh.sides[axis]):
            place = 0 if side == 0 else -1
            normal = self.entering[axis].narrow(axis, place % self.entering[axis].shape[axis], 1)
            rules.append(SAME_OUTSIDE if end == Outflow() else mirror(normal))
        padded = self.mesh.padded(u, axis, rules[0], rules[1], width=2)
        near = mean_of_neighbours(padded, axis)
        dim, n = 1 + axis, near.shape[1 + axis] - 2
        before, here, after = (near.narrow(dim, start, n) for start in range(3))
        return self.mesh.own_faces(here - (before - 2 * here + after) / 4, axis)


def _projected(mesh: Staggered, pressure: PressureSolver, velocity: Sequence[Tensor]) -> Velocity:
    """The part of a velocity without divergence; prescribed faces keep theirs."""
    p = pressure(mesh.divergence(velocity))
    return [u - mesh.gradient(p, axis) for axis, u in enumerate(velocity)]


def _entering(mesh: Staggered, axis: int, profile: str, place: tuple) -> Tensor:
    """The normal velocity that the ends of an axis prescribe, "*faces"; zero elsewhere."""
    found = torch.zeros(mesh.face_shape(axis), dtype=place[0], device=place[1])
    for side, end in enumerate(mesh.sides[axis]):
        if end.word == Inflow.word:
            shape = torch.ones((), dtype=place[0], device=place[1])
            if profile == "parabolic":
                for other in range(mesh.ndim):
                    if other != axis and not mesh.periodic(other):
                        n = mesh.grid.shape[other]
                        y = (torch.arange(n, dtype=place[0], device=place[1]) + 0.5) / n
                        parabola = y * (1 - y)
                        shape = shape * (parabola / parabola.mean())
            found.select(axis, -side).copy_((end.number or 0.0) * (1 - 2 * side) * shape)
    return found


def _check_inflow_is_free(obstacles: Obstacles, entering: Sequence[Tensor]) -> None:
    """Raise ValueError if a body closes faces through which fluid enters: no flow has such a divergence."""
    if any(bool((speed * (1 - free)).any()) for speed, free in zip(entering, obstacles.open, strict=True)):
        raise ValueError(
            "expected bodies away from an inflow, found one that closes a part of it; move the body, or make the end "
            "a wall"
        )


def _flat_parameters(pde: Any, ndim: int) -> Any:
    """The same equation with its parameters "batch *1" instead of "batch 1 *1"."""
    values = {item.name: getattr(pde, item.name) for item in dataclasses.fields(pde)}
    return dataclasses.replace(pde, **{name: per_sample(value, ndim + 1) for name, value in values.items()})


def _check(pde: IncompressibleFlow, grid: Grid, ends: Sequence[Boundary]) -> None:
    """Raise ValueError on a layout, a length or an end that the solver cannot honour."""
    if grid.ndim not in pde.dims or lengths_vary(grid):
        raise ValueError(
            f"expected a plane box with fixed lengths for {type(pde).__name__}, got {grid}; leave length_x and "
            "length_y out of the params"
        )
    if any(layout not in ("periodic", "cells") or n < 4 for layout, n in zip(grid.layout, grid.shape, strict=True)):
        raise ValueError(
            f"expected periodic axes or cells, at least 4 of them, got {grid.shape} {grid.layout}; set layout= to cells"
        )
    for end in ends:
        known = end in (Periodic(), Outflow(), Wall("free_slip"))
        if not (known or end.no_slip or end.word == Inflow.word):
            raise ValueError(
                "expected ends among periodic, wall no_slip (with a speed), wall free_slip, inflow with a number and "
                f"outflow, got '{end}'; correct boundary="
            )
        if end.word == Inflow.word and end.number is None:
            raise ValueError(f"expected the mean speed of an inflow as a number, got '{end}'; correct boundary=")
    inflow = sum(end.word == Inflow.word for end in ends)
    if inflow and Outflow() not in ends:
        raise ValueError("expected an outflow for what flows in, got none; set an end to outflow")
