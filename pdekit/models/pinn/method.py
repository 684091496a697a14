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

from pdekit.fields import Problem, Trajectory
from pdekit.measurements import Measurements
from pdekit.models.base import Surrogate
from pdekit.models.pinn.balancing import gradient_norm_weights
from pdekit.models.pinn.checks import check_given, check_one_instance, check_options, parts_of
from pdekit.models.pinn.cloud import Cloud
from pdekit.models.pinn.collocation import Collocation
from pdekit.models.pinn.conditions import walls_of
from pdekit.models.pinn.estimate import (
    CHUNK,
    Estimate,
    Rows,
    estimate_in_words,
    estimate_of,
    n_missing_points,
    uncorrected_in_words,
)
from pdekit.models.pinn.form import Form
from pdekit.models.pinn.inverse import Inverse, Unknowns, finding
from pdekit.models.pinn.plan import SecondOrder, place_of, shares, window_stages
from pdekit.models.pinn.solution import Known, Solution
from pdekit.models.pinn.weighting import Weighting
from pdekit.models.stages import Stage
from pdekit.pdes.base import PDE
from pdekit.settings import Training

CHECKED = 4096  # points of a validation
INVERSE = 6  # place of `inverse` among the arguments


class PINN(Surrogate):
    """Fits one instance: its initial state as a function, its parameters, its time span. It needs no data.

    The loss is the mean square of what the equation says must vanish, `pde.residual`, at collocation points; the
    unknowns of its Poisson equations are outputs of the net with residuals of their own. Initial conditions (unless
    ``form.initial`` is soft), periodicity and Dirichlet conditions hold by construction; Neumann and Robin
    conditions are terms of the loss (see `walls_of`).

    Args:
        problem: with an equation and an instance (`instance=published` on the command line), without varying params.
        net: factory of a coordinate net, called with domain and out_channels.
        form: form of the solution in terms of the net.
        collocation: points at which the equation is imposed.
        weighting: weighting of the terms of the loss and of the points.
        second: the stage after Adam.
        inverse: unknown parameters of the equation, and observations to find them from; None for none.

    Raises:
        ValueError: for a problem without equation or instance, with varying params, or with a boundary that is not
            supported; for options that do not fit together.

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
        check_one_instance(problem)
        super().__init__(problem, (1, "all"))
        form, walls = form or Form(), walls_of(problem)
        self.weighting, self.second = weighting or Weighting(), second or SecondOrder()
        self.soft = form.initial == "soft"
        self.solution = Solution(problem, net, form, walls)
        self.cloud = Cloud(collocation or Collocation(), self.weighting, walls.asked, problem.ndim + 1)
        self.unknowns = None
        if inverse is not None:
            self.unknowns = Unknowns(inverse, problem)
        check_options(form, self.second, inverse, bool(walls.asked))
        self.register_buffer("term_weights", torch.ones(len(self.terms)))
        self.register_buffer("window_now", torch.zeros((), dtype=torch.long))
        self._fixed = False  # whether weights are fixed within a step, for a line search
        self._known: Known | None = None  # of the points; loaded ones are others
        self._estimate: Estimate | None = None  # of the present weights
        self.register_load_state_dict_post_hook(lambda module, keys: module._forget())

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
        return parts_of(self.problem)[0] if self.unknowns is None else self.unknowns.equation()

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

    def measure(self, measurements: Measurements) -> None:
        """Find the unknown parameters from measurements, instead of observations drawn from the data.

        Raises:
            ValueError: if there are no unknown parameters.
        """
        if self.unknowns is None:
            raise ValueError(
                "expected unknown parameters for measurements, got none; use model=pinn_inverse and give "
                "model.inverse.start.NAME=FIRST_GUESS"
            )
        self.unknowns.measure(measurements)
        given, options = self.arguments  # from which a run builds the model again
        self.arguments = (given[:INVERSE], {**options, "inverse": self.unknowns.inverse})

    def estimate(self) -> Estimate:
        """Return the unknown parameters with their spread, see `pdekit.models.pinn.estimate`.

        Raises:
            ValueError: if there are no unknown parameters.
        """
        if self.unknowns is None:
            raise ValueError("expected a model with unknown parameters, got one without; set model.inverse.start")

        def solution(points: Tensor) -> Tensor:
            return self.solution.outputs(points, window)

        window = int(self.window_now)
        if self._estimate is None:
            weights = list(self.solution.nets[window].parameters())
            self._estimate = estimate_of(self.unknowns, solution, weights, self._rows(window))
        return self._estimate

    def _rows(self, window: int) -> list[Rows]:
        """Residuals of the equation and of conditions in the loss, weighted as there, in chunks of points."""
        points = self._estimate_points(window)
        share = (self.term_weights[: 1 + len(self.solution.auxiliary)] / len(points)).sqrt()

        def equation(chunk: Tensor) -> Rows:
            def rows() -> Tensor:
                parts = zip(self.solution.residual(self.pde, chunk, window), share, strict=True)
                return torch.cat([(part * weight).reshape(-1) for part, weight in parts])

            return rows

        def boundary() -> Tensor:
            errors = self.solution.boundary_errors(self.cloud.sides, window)
            return torch.cat([(e * (self.weighting.boundary / e.numel()) ** 0.5).reshape(-1) for e in errors])

        def initial() -> Tensor:
            errors = self.solution.initial_error(window, self.cloud.points)
            return (errors * (self.weighting.initial / errors.numel()) ** 0.5).reshape(-1)

        conditions = [initial] * self.soft + [boundary] * bool(self.solution.walls.asked)
        return [*(equation(chunk) for chunk in points.split(CHUNK)), *conditions]

    def _estimate_points(self, window: int) -> Float[Tensor, "point coordinate"]:
        """Points of the training, and so many more of a fixed Sobol sequence that they outnumber the weights."""
        points, auxiliary = self.cloud.points, len(self.solution.auxiliary)
        n_weights = sum(p.numel() for p in self.solution.nets[window].parameters())
        n = n_missing_points(len(points), self.problem.n_channels + auxiliary, n_weights)
        if not n:  # of which SobolEngine draws -1
            return points
        lower, upper = self.solution.box(window, points)
        unit = torch.quasirandom.SobolEngine(len(lower), scramble=True, seed=0).draw(n, dtype=torch.float64)
        return torch.cat((points, lower + unit.to(points) * (upper - lower)))

    def findings(self) -> Sequence[str]:
        """Say what was found of unknown parameters, next to the values of the data's equation where these are known."""
        if self.unknowns is None:
            return []
        found, names = self.estimate(), [field.name for field in self.problem.fields]
        if self.unknowns.measured:
            return estimate_in_words(found, self.unknowns.stated is not None, names)
        values = zip(found.names, found.values, found.deviations, strict=True)
        said = [finding(name, value, spread, float(getattr(self.problem.pde, name))) for name, value, spread in values]
        return [*said, *uncorrected_in_words(found)]

    def batches(self, data: Any) -> Iterable[Trajectory]:
        """Return empty batches without end: no data are needed."""
        shape = (1, 0, self.problem.n_channels, *self.problem.grid.shape)
        return Endless(Trajectory(u=torch.zeros(shape), t=torch.zeros(1, 0)))

    def before_step(self, stage: Stage, step: int) -> None:
        """Set new points, causal weights and weights of terms, where they are due."""
        window, second = place_of(stage)
        self._estimate = None
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

    def _forget(self) -> None:
        self._known = self._estimate = None

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
        check_given(self.problem, self.solution.spans[-1][1], given, t)
        u = self.solution.frames(t.reshape(-1)).unflatten(0, tuple(t.shape)).to(given.u.dtype)
        return u.expand(members, *u.shape)


@dataclass(frozen=True)
class Endless:
    """Repeats one batch without end.

    Args:
        batch: the batch to repeat.
    """

    batch: Trajectory

    def __iter__(self) -> Iterator[Trajectory]:
        return itertools.repeat(self.batch)
