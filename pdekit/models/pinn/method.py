"""A physics-informed network: minimise the residual of u(x, t) = ansatz(net(x, t)) at scattered points."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdekit.boundaries import Dirichlet, Periodic, Wall
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.base import Surrogate
from pdekit.models.pinn.balancing import BALANCING, gradient_norm_weights, residual_weights
from pdekit.models.pinn.causality import Causality, by_time, point_weights
from pdekit.models.pinn.collocation import Collocation, columns_of
from pdekit.models.pinn.inverse import Inverse, Unknowns, finding
from pdekit.models.pinn.plan import SecondOrder, place_of, shares, window_stages
from pdekit.models.pinn.solution import Known, Solution
from pdekit.models.stages import Stage
from pdekit.pdes.base import PDE
from pdekit.pdes.initial_states import sampled
from pdekit.settings import Training

CHECKED = 4096  # points of a validation
MISMATCH = 1e-3  # relative distance of a given state from the instance's


class PINN(Surrogate):
    """Fits one instance: its initial state as a function, its parameters, its time span. It needs no data.

    The loss is the mean square of what the equation says must vanish, `pde.residual`, at collocation points; the
    unknowns of its Poisson equations are outputs of the net with residuals of their own. Boundary conditions hold
    by construction, initial conditions too unless `initial` is soft.

    Args:
        problem: with an equation and an instance (`instance=published` on the command line), without varying params.
        net: factory of a coordinate net, called with lower, upper, periodic and out_channels.
        initial: hard (exact by construction), carried (exact, and carried on by the linear part of the equation) or
            soft (a term of the loss).
        decay: with hard or carried initial conditions, how fast the share of the initial state fades over a window.
        initial_weight: of the soft initial condition.
        collocation: where the equation is imposed.
        causality: causal weights; None for none.
        balancing: of the terms of the loss by their gradients, of points by their residual, or none.
        second: the stage after Adam, whose steps are those of the training settings.
        n_windows: time windows, each with a net of its own that starts from the end of the one before it.
        derivatives: taylor (fast), or nested differentiation (slow, any net).
        inverse: unknown parameters of the equation, and observations to find them from; None for none.

    Raises:
        ValueError: for a problem without equation or instance, with varying params, or with a boundary other than
            Dirichlet conditions that the initial state fulfils.

    Source: Raissi, Perdikaris and Karniadakis (2019); causal weights of Wang, Sankaran and Perdikaris (2022).
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        initial: str = "hard",
        decay: float = 0.0,
        initial_weight: float = 100.0,
        collocation: Collocation | None = None,
        causality: Causality | None = None,
        balancing: str = "none",
        second: SecondOrder | None = None,
        n_windows: int = 1,
        derivatives: str = "taylor",
        inverse: Inverse | None = None,
    ):
        _check(problem, balancing)
        super().__init__(problem, (1, "all"))
        self.collocation, self.second = collocation or Collocation(), second or SecondOrder()
        self.causality, self.balancing, self.initial_weight = causality, balancing, initial_weight
        if causality is not None and self.collocation.n_points % causality.n_chunks:
            raise ValueError(
                f"expected collocation.n_points that {causality.n_chunks} chunks divide, got "
                f"{self.collocation.n_points}; choose a multiple"
            )
        self.soft = initial == "soft"
        self.solution = Solution(problem, net, initial, decay, n_windows, derivatives)
        self.unknowns = None
        if inverse is not None and initial == "carried":
            raise ValueError(
                "expected initial=hard or soft with unknown parameters, got carried, which would need to know them; "
                "use hard"
            )
        if inverse is not None:
            self.unknowns = Unknowns(inverse, problem.pde, problem.ndim, problem.n_channels)
        if self.second.optimiser == "levenberg_marquardt" and (self.soft or inverse or derivatives != "taylor"):
            raise ValueError(
                "expected derivatives=taylor, hard initial conditions and no unknown parameters for "
                "levenberg_marquardt, found others; use self_scaled_broyden"
            )
        n, n_terms = self.collocation.n_points, 1 + len(self.solution.auxiliary) + self.soft
        self.register_buffer("points", torch.zeros(n, problem.ndim + 1))
        # no weight is known before the first loss: zeros keep the first tolerance until then
        self.register_buffer("causal", torch.full((n,), float(causality is None)))
        self.register_buffer("attention", torch.ones(n))
        self.register_buffer("term_weights", torch.ones(n_terms))
        self.register_buffer("tolerance", torch.zeros((), dtype=torch.long))
        self.register_buffer("window_now", torch.zeros((), dtype=torch.long))
        self._side = self.collocation.side(problem.ndim + 1) if self.collocation.sampling == "grid" else 0
        self._fixed = False  # whether weights are fixed within a step, for a line search
        self._known: Known | None = None  # of the points; loaded ones are others
        self.register_load_state_dict_post_hook(lambda module, keys: setattr(module, "_known", None))

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Nothing is read, unless a coefficient is to be found: then observations are."""
        if self.unknowns is not None:
            self.unknowns.observe(batches, self.problem)

    @property
    def pde(self) -> PDE:
        """The equation, with the present values of its unknown parameters."""
        return self.problem.pde if self.unknowns is None else self.unknowns.equation()

    def squares(self, points: Tensor, window: int, known: Known | None = None) -> Float[Tensor, "term point"]:
        """Squared residuals of the equation and of each auxiliary one, summed over channels."""
        parts = self.solution.residual(self.pde, points, window, known)
        return torch.stack([part.square().sum(1) for part in parts])

    def initial_loss(self, window: int) -> Float[Tensor, ""]:
        """The weighted mean square of the error at the start; zero if it is exact by construction."""
        if not self.soft:
            return self.points.new_zeros(())
        return self.initial_weight * self.solution.initial_error(window, self.points).square().mean()

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The weighted mean square of the residuals.

        A batch without frames stands for the method's own points and weights. One with frames is a check, at some
        of its points and times and without weights.
        """
        if batch.u.shape[1]:
            return self._check_at(batch)
        window = int(self.window_now)
        if self._known is None:
            columns = columns_of(self.points, self._side) if self._side else ()
            self._known = self.solution.known(self.points, window, columns)
        squares = self.squares(self.points, window, self._known)
        start = self.initial_loss(window)
        if not self._fixed:
            self._weigh(squares.detach().sum(0), start.detach())
        terms = [*(self._point_weights() * squares).mean(1), *([start] if self.soft else [])]
        loss = (self.term_weights * torch.stack(terms)).sum()
        names = ["equation", *self.solution.auxiliary, *(["initial"] if self.soft else [])]
        numbers = {name: term.detach() for name, term in zip(names, terms, strict=True)}
        if self.causality is not None:
            numbers["min_weight"] = self.causal.min()
            numbers["tolerance"] = torch.tensor(self.causality.tolerances[int(self.tolerance)])
        if self.unknowns is not None:
            misfit = self.unknowns.misfit(lambda points: self.solution.outputs(points, window))
            loss = loss + misfit
            numbers |= {"data": misfit.detach(), **self.unknowns.values()}
        return loss, {"loss": loss.detach(), **numbers}

    def _weigh(self, squares: Tensor, start: Tensor) -> None:
        """Weights of points from their squared residuals."""
        if self.balancing == "residual":
            self.attention.copy_(residual_weights(squares, self.attention))
        if self.causality is not None:
            eps = self.causality.tolerances[int(self.tolerance)]
            self.causal.copy_(point_weights(squares, start, eps, self.causality.n_chunks))

    def _point_weights(self) -> Tensor:
        return self.causal * self.attention.square() if self.balancing == "residual" else self.causal

    def _check_at(self, batch: Trajectory) -> tuple[Tensor, dict[str, Tensor]]:
        columns = [axis.reshape(-1) for axis in self.problem.grid.mesh(self.points.dtype, self.points.device)]
        space, t = torch.stack(columns, 1), batch.t[0].to(self.points)
        points = torch.cat((space.repeat(len(t), 1), t.repeat_interleave(len(space))[:, None]), 1)
        points = points[:: max(1, len(points) // CHECKED)]
        with torch.no_grad():
            parts = [self.squares(inside, window).sum(0) for window, inside in self.solution.by_window(points)]
        loss = torch.cat(parts).mean()
        return loss, {"loss": loss}

    def stages(self, settings: Training) -> Sequence[Stage]:
        """Adam, then the second stage, in float64, for each window in turn: ``settings.steps`` in all.

        Raises:
            ValueError: if there are fewer steps than windows.
        """
        found: list[Stage] = []
        nets = self.solution.nets
        for window, (net, steps) in enumerate(zip(nets, shares(settings.steps, len(nets)), strict=True)):
            own = dataclasses.replace(settings, steps=steps)
            prefixes = (f"solution.nets.{window}.", *(("unknowns.",) if self.unknowns else ()))
            n = sum(p.numel() for p in net.parameters())
            found += window_stages(own, self.second, window, prefixes, n, self.linearised)
        return tuple(found)

    def findings(self) -> Sequence[str]:
        """The unknown parameters: what was found, and what the equation of the data has."""
        found = {} if self.unknowns is None else self.unknowns.values()
        return [finding(name, float(value), float(getattr(self.problem.pde, name))) for name, value in found.items()]

    def batches(self, data: Any) -> Iterable[Trajectory]:
        """No data: empty batches, for ever."""
        shape = (1, 0, self.problem.n_channels, *self.problem.grid.shape)
        return Endless(Trajectory(u=torch.zeros(shape), t=torch.zeros(1, 0)))

    def before_step(self, stage: Stage, step: int) -> None:
        """New points, causal weights and weights of terms, where they are due."""
        window, second = place_of(stage)
        if window != int(self.window_now):
            self._enter(window)
        self._fixed = second
        due = second or (self.collocation.every > 0 and step % self.collocation.every == 0)
        if step == 0 or (due and self.collocation.every > 0):
            self._draw(window)
        if self.causality is not None:
            self.tolerance.fill_(self.causality.next_stage(int(self.tolerance), float(self.causal.min())))
        if second and (self.causality is not None or self.balancing == "residual"):
            with torch.no_grad():
                self._weigh(self.squares(self.points, window).sum(0), self.initial_loss(window))
        if due and self.balancing == "gradient_norm" and len(self.term_weights) > 1:
            self._balance(window)

    def _enter(self, window: int) -> None:
        self.solution.enter(window)
        self.window_now.fill_(window)
        self.tolerance.zero_()
        self.causal.fill_(float(self.causality is None))
        self.attention.fill_(1.0)
        self.term_weights.fill_(1.0)

    def _draw(self, window: int) -> None:
        def size(points: Tensor) -> Tensor:
            with torch.no_grad():
                return self.squares(points, window).sum(0).sqrt()

        points = self.collocation.draw(*self.solution.box(window, self.points), size)
        self.points.copy_(points[by_time(points[:, -1])])
        self.attention.fill_(1.0)
        self._known = None

    def _balance(self, window: int) -> None:
        with torch.enable_grad():
            losses = [*(self.causal * self.squares(self.points, window)).mean(1)]
            losses += [self.initial_loss(window)] if self.soft else []
            parameters = list(self.solution.nets[window].parameters())
            self.term_weights.copy_(gradient_norm_weights(losses, parameters, self.term_weights))

    def linearised(self) -> tuple[Float[Tensor, "residual"], Float[Tensor, "residual parameter"]]:
        """Weighted residuals whose mean square is the loss (times the number of points), and their Jacobian."""
        weights = self._point_weights() * self.term_weights[:, None]
        return self.solution.linearised(self.pde, self.points, int(self.window_now), weights.sqrt())

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """The solution of the one instance that was fitted.

        Raises:
            ValueError: if the state given at t = 0 is not that of the instance, or a time is beyond its span.
        """
        last = self.solution.spans[-1][1]
        if bool((t > last * (1 + 1e-6)).any()) or bool((t < 0).any()):
            raise ValueError(
                f"expected times in [0, {last:g}], the span that was fitted, found {float(t.min()):g} to "
                f"{float(t.max()):g}; a PINN does not go beyond its span: train it on a longer one"
            )
        at_start = given.t[:, -1].abs() <= 1e-6 * last
        if bool(at_start.any()):
            start = sampled(self.problem.instance, self.problem.grid).to(given.u.device)
            error = (given.u[at_start, -1].double() - start).flatten(1).norm(dim=1) / start.norm()
            if bool((error > MISMATCH).any()):
                raise ValueError(
                    f"expected the initial state of the instance that was fitted, found one that differs by "
                    f"{float(error.max()):.1%}; a PINN solves one instance: train another one for this state"
                )
        u = self.solution.frames(t.reshape(-1)).unflatten(0, tuple(t.shape)).to(given.u.dtype)
        return u.expand(members, *u.shape)


@dataclass(frozen=True)
class Endless:
    """The same batch, for ever.

    Args:
        batch: repeated.
    """

    batch: Trajectory

    def __iter__(self) -> Iterator[Trajectory]:
        return itertools.repeat(self.batch)


def _check(problem: Problem, balancing: str) -> None:
    if not isinstance(problem.pde, PDE) or not isinstance(problem.grid, Grid) or problem.steady:
        raise ValueError(
            "expected a problem in time with an equation on a uniform grid, found another; a PINN is not defined for it"
        )
    if problem.instance is None or problem.params:
        found = f"varying {', '.join(problem.params)}" if problem.params else "none"
        raise ValueError(
            f"expected one instance (an initial state as a function, fixed parameters), found {found}; "
            "choose one with instance=published, instance=smooth or instance=sample:0"
        )
    _check_walls(problem)
    if balancing not in BALANCING:
        raise ValueError(f"expected balancing among {BALANCING}, got {balancing!r}; correct model.balancing")


def _check_walls(problem: Problem) -> None:
    """Raises ValueError on a boundary that the ansatz does not honour: at walls, fields keep their initial values."""
    walled = dataclasses.replace(problem.grid, layout=("nodes",) * problem.ndim)
    for axis, ends in enumerate(problem.boundary):
        for side, end in zip((0, -1), ends, strict=True):
            if end in (Periodic(), Wall()):
                continue
            if not isinstance(end, Dirichlet) or not isinstance(end.value, float):
                raise ValueError(
                    f"expected a boundary among dirichlet (with a number) and wall on axis {problem.grid.axes[axis]}, "
                    f"got '{end}'; a PINN keeps the initial values at walls (Dirichlet conditions): use a periodic "
                    "grid, or another method"
                )
            found = sampled(problem.instance, walled).select(1 + axis, side)
            if not torch.allclose(found, torch.full_like(found, end.value), atol=MISMATCH):
                raise ValueError(
                    f"expected an initial state of {end.value:g} at the end of axis {problem.grid.axes[axis]}, as its "
                    f"boundary '{end}' says, found values up to {float(found.abs().max()):.3g}; a PINN keeps the "
                    "initial values at walls: correct one of the two"
                )
