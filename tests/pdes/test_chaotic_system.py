"""Chaotic systems: the trace of their Jacobian, Hamilton's equations, and their Lyapunov exponents."""

import pytest
import torch

from pdekit.fields import Grid, Problem
from pdekit.metrics.pointwise import nrmse
from pdekit.pdes import ChaoticSystem
from pdekit.pdes.chaotic_system import SYSTEMS
from pdekit.solvers import Copies, lyapunov_exponents, runge_kutta

HAMILTONIAN = [name for name, facts in SYSTEMS.items() if facts.energy is not None]


def states(name, n=5):
    return torch.randn(n, len(SYSTEMS[name].names), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def rate(name):
    return lambda x: torch.stack(SYSTEMS[name].rate(*x.unbind(-1)), -1)


@pytest.mark.parametrize("name", [name for name, facts in SYSTEMS.items() if facts.divergence is not None])
def test_the_sum_of_all_exponents_is_the_trace_of_the_jacobian(name):
    jacobian = torch.func.vmap(torch.func.jacrev(rate(name)))(states(name))
    trace = jacobian.diagonal(dim1=1, dim2=2).sum(-1)
    torch.testing.assert_close(trace, torch.full_like(trace, SYSTEMS[name].divergence), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", HAMILTONIAN)
def test_hamiltons_equations(name):
    """q' = dH/dp, p' = -dH/dq."""
    x = states(name).requires_grad_()
    (slope,) = torch.autograd.grad(SYSTEMS[name].energy(*x.unbind(1)).sum(), x)
    n = x.shape[1] // 2
    torch.testing.assert_close(rate(name)(x), torch.cat((slope[:, n:], -slope[:, :n]), 1), rtol=1e-12, atol=1e-12)


def test_duffings_force_is_a_cosine_of_the_published_frequency():
    facts = SYSTEMS["duffing"]
    _, _, dc, ds = facts.rate(*(torch.tensor(v, dtype=torch.float64) for v in (0.3, 0.2, 0.6, 0.8)))
    assert (float(dc), float(ds)) == pytest.approx((-1.4 * 0.8, 1.4 * 0.6))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lorenz", "halvorsen", "thomas"])
def test_the_largest_exponent_is_the_measured_one(name):
    """Within four standard errors, of some percent, and 3 %."""
    facts = SYSTEMS[name]
    step = runge_kutta(ChaoticSystem(name), Grid((), ()), facts.dt)
    u = torch.tensor(facts.start, dtype=torch.float64) + 0.02 * states(name, 24)
    n = 20 * round(20 / facts.exponent / facts.dt / 20)
    found = lyapunov_exponents(step, u, facts.dt, n, Copies(1, every=20), transient=20 * (n // 60))
    error = 4 * float(found.standard_error[0]) + 0.03 * facts.exponent
    assert abs(float(found.exponents[0]) - facts.exponent) < error


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_error_is_that_of_the_whole_state(name):
    """A variable that passes zero has no relative error of its own: valid times of Lorenz's system were 30 % short."""
    problem = Problem(Grid((), ()), ChaoticSystem(name).fields, dt=0.1, n_frames=2)
    reference = torch.full((1, 1, len(problem.fields)), 4.0, dtype=torch.float64)
    reference[..., 0] = 1e-9
    error = nrmse(reference + 0.01, reference, problem)
    assert (error < 0.004).all() and (error == error[..., :1]).all()


def test_an_unknown_system_is_refused():
    with pytest.raises(ValueError, match=r"expected a chaotic system among lorenz, .* found 'lorentz'"):
        ChaoticSystem("lorentz")
