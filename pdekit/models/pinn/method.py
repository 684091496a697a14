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

from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.base import Surrogate
from pdekit.models.pinn.balancing import gradient_norm_weights
from pdekit.models.pinn.cloud import Cloud
from pdekit.models.pinn.collocation import Collocation
from pdekit.models.pinn.conditions import walls_of
from pdekit.models.pinn.form import Form
from pdekit.models.pinn.inverse import Inverse, Unknowns, finding
from pdekit.models.pinn.plan import SecondOrder, place_of, shares, window_stages
from pdekit.models.pinn.solution import Known, Solution
from pdekit.models.pinn.weighting import Weighting
from pdekit.models.stages import Stage
from pdekit.pdes.base import PDE
from pdekit.pdes.initial_states import sampled
from pdekit.settings import Training

CHECKED = 4096  # points of a validation
MISMATCH = 1e-3  # relative distance of a given state from the instance's


class PINN(Surrogate):
    """Fits one instance: its initial state as a function, its parameters, its time span. It needs no data.

    The loss is the mean square of what the equation says must vanish, `pde.residual`, at collocation points; the
    unknowns of its Poisson equations are outputs of the net with residuals of their own. Initial conditions (unless
    ``form.initial`` is soft), periodicity and Dirichlet conditions hold by construction; Neumann and Robin
    conditions are terms of the loss (see `walls_of`).

    Args:
        problem: with an equation and an instance (`instance=published` on the command line), without varying params.
        net: factory of a coordinate net, called with lower, upper, periodic and out_channels.
        form: how the net becomes a solution.
        collocation: where the equation is imposed.
        weighting: of the terms of the loss and of the points.
        second: the stage after Adam.
        inverse: unknown parameters of the equation, and observations to find them from; None for none.

    Raises:
        ValueError: for a problem without equation or instance, with varying params, or with a boundary that is not
            honoured; for options that do not fit together.

    Source: Raissi, Perdikaris and Karniadakis (2019); causal weights of Wang, Sankaran and Perdikaris (2022).
    """

    configurable = True

    def __init__(
        self,
        problem: Problem,
        net: Callable[..., nn.Module],
        form: Form | None = None,
        collocation: Collocation | None = None,
        weighting: Weighting | None = None,
        second: SecondOrder | None = None,
        inverse: Inverse | None = None,
    ):
        check_problem(problem)
        super().__init__(problem, (1, "all"))
        form, walls = form or Form(), walls_of(problem)
        self.weighting, self.second = weighting or Weighting(), second or SecondOrder()
        self.soft = form.initial == "soft"
        self.solution = Solution(problem, net, form, walls)
        self.cloud = Cloud(collocation or Collocation(), self.weighting, walls.asked, problem.ndim + 1)
        self.unknowns = None
        if inverse is not None:
            self.unknowns = Unknowns(inverse, problem.pde, problem.ndim, problem.n_channels)
        check_options(form, self.second, inverse, bool(walls.asked))
        self.register_buffer("term_weights", torch.ones(len(self.terms)))
        self.register_buffer("window_now", torch.zeros((), dtype=torch.long))
        self._fixed = False  # whether weights are fixed within a step, for a line search
        self._known: Known | None = None  # of the points; loaded ones are others
        self.register_load_state_dict_post_hook(lambda module, keys: setattr(module, "_known", None))

    def calibrate(self, batches: Iterable[Trajectory]) -> None:
        """Read nothing, unless a coefficient is to be found: then read observations."""
        if self.unknowns is not None:
            self.unknowns.observe(batches, self.problem)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms of the loss."""
        conditions = ["initial"] * self.soft + ["boundary"] * bool(self.solution.walls.asked)
        return ("equation", *self.solution.auxiliary, *conditions)

    @property
    def pde(self) -> PDE:
        """The equation, with the present values of its unknown parameters."""
        return self.problem.pde if self.unknowns is None else self.unknowns.equation()

    def squares(self, points: Tensor, window: int, known: Known | None = None) -> Float[Tensor, "term point"]:
        """Squared residuals of the equation and of each auxiliary one, summed over channels."""
        parts = self.solution.residual(self.pde, points, window, known)
        return torch.stack([part.square().sum(1) for part in parts])

    def initial_loss(self, window: int) -> Float[Tensor, ""]:
        """Weighted mean square of the error at the start; zero if it is exact by construction."""
        if not self.soft:
            return self.cloud.points.new_zeros(())
        return self.weighting.initial * self.solution.initial_error(window, self.cloud.points).square().mean()

    def boundary_loss(self, window: int) -> Float[Tensor, ""]:
        """Weighted mean square of the errors of the boundary conditions that the loss asks for, summed over them."""
        errors = self.solution.boundary_errors(self.cloud.sides, window)
        return self.weighting.boundary * torch.stack([error.square().mean() for error in errors]).sum()

    def _condition_losses(self, window: int, start: Tensor) -> list[Tensor]:
        boundary = [self.boundary_loss(window)] if self.solution.walls.asked else []
        return [start] * self.soft + boundary

    def loss(self, batch: Trajectory) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the weighted mean square of the residuals.

        A batch without frames stands for the method's own points and weights. One with frames is a check, at some
        of its points and times and without weights.
        """
        if batch.u.shape[1]:
            return self._check_at(batch)
        window, cloud = int(self.window_now), self.cloud
        if self._known is None:
            self._known = self.solution.known(cloud.points, window, cloud.columns)
        squares = self.squares(cloud.points, window, self._known)
        start = self.initial_loss(window)
        if not self._fixed:
            cloud.weigh(squares.detach().sum(0), start.detach())
        terms = [*(cloud.weights * squares).mean(1), *self._condition_losses(window, start)]
        loss = (self.term_weights * torch.stack(terms)).sum()
        numbers = {name: term.detach() for name, term in zip(self.terms, terms, strict=True)}
        if self.weighting.causality is not None:
            numbers |= {"min_weight": cloud.causal.min(), "tolerance": torch.tensor(cloud.epsilon)}
        if self.unknowns is not None:
            misfit = self.unknowns.misfit(lambda points: self.solution.outputs(points, window))
            loss = loss + misfit
            numbers |= {"data": misfit.detach(), **self.unknowns.values()}
        return loss, {"loss": loss.detach(), **numbers}

    def _check_at(self, batch: Trajectory) -> tuple[Tensor, dict[str, Tensor]]:
        like = self.cloud.points
        columns = [axis.reshape(-1) for axis in self.problem.grid.mesh(like.dtype, like.device)]
        space, t = torch.stack(columns, 1), batch.t[0].to(like)
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
        """Name the unknown parameters: the value that was found, and the one that the equation of the data has."""
        found = {} if self.unknowns is None else self.unknowns.values()
        return [finding(name, float(value), float(getattr(self.problem.pde, name))) for name, value in found.items()]

    def batches(self, data: Any) -> Iterable[Trajectory]:
        """Return empty batches without end: no data are needed."""
        shape = (1, 0, self.problem.n_channels, *self.problem.grid.shape)
        return Endless(Trajectory(u=torch.zeros(shape), t=torch.zeros(1, 0)))

    def before_step(self, stage: Stage, step: int) -> None:
        """Set new points, causal weights and weights of terms, where they are due."""
        window, second = place_of(stage)
        every = self.cloud.collocation.every
        if window != int(self.window_now):
            self._enter(window)
        self._fixed = second
        due = second or (every > 0 and step % every == 0)
        if step == 0 or (due and every > 0):
            self._draw(window)
        self.cloud.tighten()
        if second and (self.weighting.causality is not None or self.weighting.balancing == "residual"):
            with torch.no_grad():
                self.cloud.weigh(self.squares(self.cloud.points, window).sum(0), self.initial_loss(window))
        if due and self.weighting.balancing == "gradient_norm" and len(self.term_weights) > 1:
            self._balance(window)

    def _enter(self, window: int) -> None:
        self.solution.enter(window)
        self.window_now.fill_(window)
        self.cloud.reset()
        self.term_weights.fill_(1.0)

    def _draw(self, window: int) -> None:
        lower, upper = self.solution.box(window, self.cloud.points)
        self.cloud.draw(lower, upper, lambda points: self.squares(points, window).sum(0))
        self._known = None

    def _balance(self, window: int) -> None:
        with torch.enable_grad():
            losses = [*(self.cloud.causal * self.squares(self.cloud.points, window)).mean(1)]
            losses += self._condition_losses(window, self.initial_loss(window))
            parameters = list(self.solution.nets[window].parameters())
            self.term_weights.copy_(gradient_norm_weights(losses, parameters, self.term_weights))

    def linearised(self) -> tuple[Float[Tensor, "residual"], Float[Tensor, "residual parameter"]]:
        """Weighted residuals whose mean square is the loss (times the number of points), and their Jacobian."""
        weights = self.cloud.weights * self.term_weights[:, None]
        return self.solution.linearised(self.pde, self.cloud.points, int(self.window_now), weights.sqrt())

    def forecast(
        self,
        given: Trajectory,
        t: Float[Tensor, "batch time"],
        members: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "member batch time channel *space"]:
        """Return the solution of the one instance that was fitted.

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
    """Repeats one batch without end.

    Args:
        batch: repeated.
    """

    batch: Trajectory

    def __iter__(self) -> Iterator[Trajectory]:
        return itertools.repeat(self.batch)


def check_problem(problem: Problem) -> None:
    """Refuse problems that are not one instance of an equation in time on a uniform grid.

    Raises:
        ValueError: on such a problem.
    """
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


def check_options(form: Form, second: SecondOrder, inverse: Inverse | None, asked: bool) -> None:
    """Refuse options that exclude each other.

    Args:
        form, second, inverse: of a PINN.
        asked: whether boundary conditions are terms of the loss.

    Raises:
        ValueError: naming the options.
    """
    if inverse is not None and form.initial == "carried":
        raise ValueError(
            "expected initial=hard or soft with unknown parameters, got carried, which would need to know them; use "
            "hard"
        )
    others = form.initial == "soft" or inverse is not None or asked or form.derivatives != "taylor"
    if second.optimiser == "levenberg_marquardt" and others:
        raise ValueError(
            "expected derivatives=taylor, hard initial conditions, boundary conditions that hold by construction and "
            "no unknown parameters for levenberg_marquardt, found others; use self_scaled_broyden"
        )
