"""The solution as a network: one net for each time window, conditions by construction, derivatives by Taylor mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.calculus.autodiff import Autodiff
from pdekit.calculus.jets import Jet
from pdekit.calculus.taylor import Taylor, jet_derivatives, required
from pdekit.fields import Problem
from pdekit.models.pinn.ansatz import Ansatz
from pdekit.models.pinn.causality import windows
from pdekit.models.pinn.checks import parts_of
from pdekit.models.pinn.conditions import SideCondition, Walls, allowed_mismatch, initial_values
from pdekit.models.pinn.form import Form
from pdekit.nets.coordinate import Domain
from pdekit.pdes.base import PDE
from pdekit.pdes.initial_states import interpolated, sampled

BLOCK = 65_536  # points evaluated at once
N_INITIAL = 512  # points of a soft initial condition
OVERLAP = 0.01  # share of its span by which a window's net reaches beyond the end, so that the end is interior


@dataclass(frozen=True)
class Known:
    """Parts of the solution that stay the same while the points do.

    Args:
        ansatz: the part that does not depend on the net.
        columns: the points of each axis, where they form a grid.
    """

    ansatz: tuple[Any, Any]
    columns: list[Jet] | None = None


class Solution(nn.Module):
    """u(x, t) of one instance.

    Args:
        problem: with an equation, an instance and a uniform grid.
        net: factory of a coordinate net.
        form: form of the fields in terms of the net, time windows and derivatives.
        walls: conditions at the ends of the axes.

    Raises:
        ValueError: for several windows on a box with ends, or a decay where fields keep values that are not zero.
    """

    def __init__(self, problem: Problem, net: Callable[..., nn.Module], form: Form, walls: Walls):
        super().__init__()
        check_form(form, walls, problem)
        self.problem, self.form, self.walls = problem, form, walls
        grid, ndim, n = problem.box, problem.ndim, problem.n_channels
        pde, instance = parts_of(problem)
        self.auxiliary = pde.auxiliary
        self.spans = windows(0.0, problem.step * (problem.n_frames - 1), form.n_windows)
        self.lower = [float(origin) for origin in grid.origin]
        self.upper = [float(o) + float(length) for o, length in zip(grid.origin, grid.extent, strict=True)]
        periodic = [layout == "periodic" for layout in grid.layout] + [False]
        self.nets = nn.ModuleList(
            net(
                domain=Domain([*self.lower, first], [*self.upper, self.end(window)], periodic),
                out_channels=n + len(self.auxiliary),
            )
            for window, (first, _) in enumerate(self.spans)
        )
        start = sampled(instance, grid)
        largest = start.abs().amax(dim=tuple(range(1, ndim + 1)))
        for condition in walls.asked:
            made = condition.field_size(float(grid.extent[condition.axis]), self.spans[-1][1])
            largest = largest.clamp_min(made)
        self.scale = torch.where(largest > 0, largest, torch.ones_like(largest))
        self.orders = required(problem.pde.residual, ndim, n, self.auxiliary)
        self.register_buffer("starts", start.repeat(form.n_windows, *[1] * (ndim + 1)))
        self._ansatz: dict[int, Ansatz] = {}
        self.register_load_state_dict_post_hook(lambda module, keys: module._ansatz.clear())

    def end(self, window: int) -> float:
        """Return the time up to which a window's net is trained."""
        first, last = self.spans[window]
        return last + OVERLAP * (last - first) * (window + 1 < len(self.spans))

    def box(self, window: int, like: Tensor) -> tuple[Float[Tensor, "coordinate"], Float[Tensor, "coordinate"]]:
        """Corners of a window in space and time."""
        lower, upper = [*self.lower, self.spans[window][0]], [*self.upper, self.end(window)]
        return torch.tensor(lower).to(like), torch.tensor(upper).to(like)

    def enter(self, window: int) -> None:
        """Let a window start from the end of the one before it."""
        t = torch.full((1,), self.spans[window][0], dtype=torch.float64)
        self.starts[window] = self.frames(t, window - 1)[0].to(self.starts)
        self._ansatz.pop(window, None)

    def ansatz(self, window: int) -> Ansatz:
        """Return the form in which the outputs of a window's net become fields."""
        if window not in self._ansatz:
            grid, (pde, instance) = self.problem.box, parts_of(self.problem)
            state = instance if window == 0 else interpolated(self.starts[window].cpu(), grid)
            self._ansatz[window] = Ansatz(state, grid, self.spans[window], self.scale, self.form, self.walls.kept, pde)
        return self._ansatz[window]

    def known(self, points: Tensor, window: int, columns: Sequence[Tensor] = ()) -> Known | None:
        """Return what stays the same while the points do; to be given to `residual`.

        Args:
            points: "point coordinate".
            window: their number.
            columns: the points of each axis, if they form a grid.
        """
        if self.form.derivatives != "taylor":
            return None
        jets = [Jet.of_coordinate(column, axis, self.orders) for axis, column in enumerate(columns)]
        return Known(self.ansatz(window).known(Jet.of_points(points, self.orders)), jets or None)

    def outputs(self, points: Any, window: int, known: Known | None = None) -> Any:
        """Fields, then auxiliary unknowns, "point output", of a tensor or a jet of points."""
        ansatz, net = self.ansatz(window), self.nets[window]
        if known is None:
            return ansatz.fields(net(points), ansatz.known(points))
        return ansatz.fields(net(points) if known.columns is None else net.on_grid(points, known.columns), known.ansatz)

    def residual(
        self, pde: PDE, points: Float[Tensor, "point coordinate"], window: int, known: Known | None = None
    ) -> list[Tensor]:
        """Return what must vanish: "point equation" of the equation, then "point 1" of each auxiliary one."""
        if self.form.derivatives == "taylor":
            return self._taylor(pde, points, self.outputs(Jet.of_points(points, self.orders), window, known))
        n = self.problem.n_channels
        with torch.enable_grad():
            columns = tuple(column.detach().clone().requires_grad_() for column in points.split(1, dim=1))
            u = self.outputs(torch.cat(columns, 1), window)
            d = Autodiff(columns, {name: u[:, n + i : n + i + 1] for i, name in enumerate(self.auxiliary)})
            found = pde.residual(u[:, :n], d)
            return [found, *(d.auxiliary_residuals[name] for name in self.auxiliary)]

    def _taylor(self, pde: PDE, points: Tensor, jet: Jet) -> list[Tensor]:
        d = Taylor(points.split(1, dim=1), jet_derivatives(jet), self.problem.n_channels, self.auxiliary)
        found = pde.residual(d.field, d).value
        return [found, *(d.auxiliary_residuals[name].value for name in self.auxiliary)]

    def initial_error(self, window: int, like: Tensor) -> Float[Tensor, "point field"]:
        """The difference from the initial state, over the scale of each field, at fixed points."""
        grid = self.problem.grid
        stride = max(1, torch.Size(grid.shape).numel() // N_INITIAL)
        columns = [axis.reshape(-1, 1)[::stride].to(like) for axis in grid.mesh()]
        points = torch.cat([*columns, torch.full_like(columns[0], self.spans[window][0])], 1)
        found = self.outputs(points, window)[:, : self.problem.n_channels]
        return (found - torch.cat(self.ansatz(window).state(tuple(columns)), 1)) / self.scale.to(like)

    def boundary_errors(self, points: Float[Tensor, "point coordinate"], window: int) -> list[Tensor]:
        """Return alpha u + beta du/dn - g of each condition that the loss asks for, "point field", over its size.

        Args:
            points: as many for each condition, in the order of the conditions.
            window: their number.
        """
        asked, found = self.walls.asked, []
        for condition, own in zip(asked, points.chunk(max(1, len(asked))), strict=False):
            length = float(self.problem.grid.extent[condition.axis])
            found.append(self._on_side(condition, own, window) / condition.size(self.scale, length).to(own))
        return found

    def _on_side(self, condition: SideCondition, points: Tensor, window: int) -> Tensor:
        n, t = self.problem.n_channels, points[:, -1:]
        if self.form.derivatives == "taylor":
            order = tuple(int(axis == condition.axis) for axis in range(self.problem.ndim + 1))
            jet = jet_derivatives(self.outputs(Jet.of_points(points, (order,)), window))
            d = Taylor(points.split(1, dim=1), jet, n, self.auxiliary)
            return condition.error(d.field, d, t).value
        with torch.enable_grad():
            columns = tuple(column.detach().clone().requires_grad_() for column in points.split(1, dim=1))
            u = self.outputs(torch.cat(columns, 1), window)
            return condition.error(u[:, :n], Autodiff(columns), t)

    def linearised(
        self, pde: PDE, points: Float[Tensor, "point coordinate"], window: int, shares: Float[Tensor, "term point"]
    ) -> tuple[Float[Tensor, "residual"], Float[Tensor, "residual parameter"]]:
        """Residuals times a share for each term and point, and their Jacobian.

        Every point gets weights of its own in the layers, equal in value, so that one backward pass gives the
        gradient of each residual: points do not interact.
        """
        net, n = self.nets[window], len(points)
        copies = {name: p.detach().expand(n, *p.shape).clone().requires_grad_() for name, p in net.named_parameters()}
        jet, ansatz = Jet.of_points(points, self.orders), self.ansatz(window)
        outputs = ansatz.fields(torch.func.functional_call(net, copies, (jet,)), ansatz.known(jet))
        rows, jacobians = [], []
        for part, share in zip(self._taylor(pde, points, outputs), shares, strict=True):
            for column in part.unbind(1):
                weighted = share * column
                gradients = torch.autograd.grad(
                    weighted.sum(), list(copies.values()), retain_graph=True, allow_unused=True, materialize_grads=True
                )
                rows.append(weighted.detach())
                jacobians.append(torch.cat([g.reshape(n, -1) for g in gradients], 1))
        return torch.cat(rows), torch.cat(jacobians)

    def frames(self, t: Float[Tensor, "time"], window: int | None = None) -> Float[Tensor, "time channel *space"]:
        """The solution on the grid at some times, in the precision of the parameters.

        Args:
            t: times.
            window: whose net is asked; None: that of each time.
        """
        grid, like = self.problem.grid, next(self.nets.parameters())
        space = torch.stack([axis.reshape(-1) for axis in grid.mesh(like.dtype, like.device)], 1)
        made = []
        for time in t.tolist():
            which = int(self.window_of(torch.tensor([time]))) if window is None else window
            points = torch.cat((space, torch.full_like(space[:, :1], time)), 1)
            with torch.no_grad():
                u = torch.cat([self.outputs(block, which) for block in points.split(BLOCK)])
            made.append(u[:, : self.problem.n_channels].mT.reshape(-1, *grid.shape))
        return torch.stack(made)

    def by_window(self, points: Float[Tensor, "point coordinate"]) -> Iterator[tuple[int, Tensor]]:
        """The points of each window that has some."""
        which = self.window_of(points[:, -1])
        for window in which.unique().tolist():
            yield window, points[which == window]

    def window_of(self, t: Tensor) -> Tensor:
        """The window of each time; its end belongs to it."""
        ends = torch.tensor([last for _, last in self.spans[:-1]], dtype=torch.float64, device=t.device)
        return torch.bucketize(t.double().contiguous() * (1 - 1e-9), ends)


def check_form(form: Form, walls: Walls, problem: Problem) -> None:
    """Refuse forms that do not fit a box with ends.

    Raises:
        ValueError: see `Solution`.
    """
    if form.n_windows > 1 and not problem.grid.periodic:
        raise ValueError(f"expected n_windows=1 on a box with ends, got {form.n_windows}; correct model.form.n_windows")
    kept = [(axis, side) for axis, ends in enumerate(walls.kept) for side in (0, 1) if ends[side]]
    largest = max((float(initial_values(problem, *end).abs().max()) for end in kept), default=0.0)
    if form.decay > 0 and largest > allowed_mismatch(problem):
        raise ValueError(
            f"expected decay=0 where fields keep their initial values at ends, which are up to {largest:.3g} and would "
            f"fade, got {form.decay:g}; set model.form.decay=0"
        )
