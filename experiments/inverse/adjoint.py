"""The classical competitor: the most probable input of a solver, by gradients through it, from the same observations.

The input (a coefficient, or the first frame) is its training mean plus its leading modes, whose weights have a normal
prior; of a permeability it is the logarithm. L-BFGS minimises the misfit of the solution plus that prior.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pdekit.fields import Problem
from pdekit.inference.posteriors import training_joint
from pdekit.inference.settings import Inference
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.pdes import Darcy, Helmholtz, Poisson
from pdekit.solvers import etdrk
from pdekit.solvers.elliptic_adjoint import elliptic_solution
from pdekit.solvers.fast_transforms import helmholtz
from pdekit.workflows.inference import decoded, observations_of

MODES = 80  # of the input, by variance
ITERATIONS = 40
CHECKED = 20  # training samples on which the error of the stored grid is measured
SPEED = 3.0  # no state is faster: a step of the solver of problems in time crosses at most one spacing

Solve = Callable[[Tensor], Tensor]
"""input "*space" -> solution "*space", in float64, differentiable."""


class _Symmetric(torch.autograd.Function):
    """u with laplacian(u) + k^2 u = a and u = 0 on the boundary: the map is its own adjoint."""

    @staticmethod
    def forward(ctx, a: Tensor, spacing: tuple[float, ...], wavenumber: float) -> Tensor:
        ctx.spacing, ctx.wavenumber = spacing, wavenumber
        return torch.from_numpy(helmholtz(a.detach().numpy(), spacing, wavenumber))

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None, None]:
        return torch.from_numpy(helmholtz(grads[0].numpy(), ctx.spacing, ctx.wavenumber)), None, None


def solver_of(problem: Problem) -> Solve:
    """Return the solver on the stored grid."""
    spacing, pde = tuple(problem.grid.spacing), problem.pde
    match pde:
        case Darcy():
            return lambda a: elliptic_solution(a, 1.0, spacing)
        case Poisson():
            return lambda a: _Symmetric.apply(a, spacing, 0.0)
        case Helmholtz():
            return lambda a: _Symmetric.apply(a, spacing, pde.wavenumber)
    steps = math.ceil(problem.dt * SPEED / min(spacing))
    step = etdrk(pde, problem.grid, problem.dt / steps, order=4)

    def marched(u: Tensor) -> Tensor:
        state = step.encode(u[None, None])
        for _ in range(steps):
            state = step.advance(state)
        return step.decode(state)[0, 0]

    return marched


@dataclass(frozen=True)
class Prior:
    """A field as its mean and modes, of its logarithm if ``positive``."""

    mean: Tensor
    modes: Tensor
    positive: bool

    def field(self, weights: Tensor) -> Tensor:
        found = self.mean + torch.einsum("m,m...->...", weights, self.modes)
        return found.exp() if self.positive else found


def prior_of(training: Tensor, positive: bool) -> Prior:
    """Return the prior of training samples "sample *space"."""
    values = training.log() if positive else training
    flat = values.flatten(1)
    _, singular, vectors = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
    modes = singular[:MODES, None] * vectors[:MODES] / (len(flat) - 1) ** 0.5
    return Prior(values.mean(0), modes.reshape(-1, *values.shape[1:]), positive)


def fitted(solve: Solve, prior: Prior, wanted: Tensor, mask: Tensor, error: float) -> tuple[Tensor, Tensor, int]:
    """Return (input, solution, calls of the solver and its adjoint) of the most probable input."""
    weights = torch.zeros(len(prior.modes), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=ITERATIONS, line_search_fn="strong_wolfe")
    calls = 0

    def closure() -> Tensor:
        nonlocal calls
        calls += 1
        optimiser.zero_grad()
        misfit = (solve(prior.field(weights))[mask] - wanted) / error
        loss = 0.5 * misfit.square().sum() + 0.5 * weights.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        found = prior.field(weights)
        return found, solve(found), 2 * calls


def adjoint(model: DiffusionPDE, data, task: Inference) -> tuple[list[Tensor], Tensor]:
    """Infer the test samples of an inverse task with one input field and one solution field.

    Returns:
        The inputs that were found, and their truth; prints errors and cost.
    """
    batch, truth, observed = observations_of(model, data, task)
    exact, solve = decoded(model, truth), solver_of(model.problem)
    training = decoded(model, training_joint(model, data.calibration_batches()))
    with torch.no_grad():
        coarse = torch.stack([solve(a) for a in training[:CHECKED, 0]])
    stored, scale = training[:CHECKED, 1], float(model.scale[1])
    model_error = float((coarse - stored).square().mean().sqrt())
    prior = prior_of(training[:, 0], positive=isinstance(model.problem.pde, Darcy))
    error = ((observed.noise * scale) ** 2 + model_error**2) ** 0.5
    inputs, rows = [], []
    for i in range(len(batch)):
        mask = observed.mask[i, 1] > 0
        began = time.process_time()
        a, u, calls = fitted(solve, prior, decoded(model, observed.values)[i, 1][mask], mask, error)
        seconds = time.process_time() - began
        inputs.append(a)
        rows.append((relative(a, exact[i, 0]), relative(u, exact[i, 1]), calls, seconds))
    a_error, u_error, calls, seconds = torch.tensor(rows).double().quantile(0.5, dim=0).tolist()
    forward = torch.tensor([relative(c, s) for c, s in zip(coarse, stored, strict=True)]).quantile(0.5)
    print(
        f"\n| adjoint | {a_error:.1f} % | {u_error:.1f} % | | | {calls:.0f} solves | {seconds:.2g} |\n"
        f"solver on the stored grid, input known: {float(forward):.2f} % (training samples)",
        flush=True,
    )
    return inputs, exact[:, 0]


def relative(found: Tensor, truth: Tensor) -> float:
    return 100 * float((found - truth).norm() / truth.norm())
