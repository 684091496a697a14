"""Lyapunov exponents by another estimator on another solver: tangent vectors of exponax's steps, by automatic
differentiation, where ours are differences of states of our own steps."""

import numpy as np
import pytest
import torch

from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky
from pdekit.solvers import Copies, etdrk, integrate, lyapunov_exponents

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
ex = pytest.importorskip("exponax")

pytestmark = pytest.mark.oracle

LENGTH, N, DT = 64.0, 96, 0.1


def theirs(u, v, n_steps, every):
    """Growth of log|v| in every interval, "batch interval", in float64."""
    stepper = ex.stepper.KuramotoSivashinskyConservative(1, LENGTH, N, DT, order=4)

    def step(carry, _):
        u, v = carry
        return jax.jvp(stepper, (u,), (v,)), None

    def interval(carry, _):
        (u, v), _ = jax.lax.scan(step, carry, None, length=every)
        size = jax.numpy.linalg.norm(v)
        return (u, v / size), jax.numpy.log(size)

    def one(u, v):
        return jax.lax.scan(interval, (u, v / jax.numpy.linalg.norm(v)), None, length=n_steps // every)[1]

    both = (jax.numpy.asarray(w.numpy()) for w in (u, v))
    return torch.from_numpy(np.array(jax.jit(jax.vmap(one))(*both)))


@pytest.fixture(scope="module")
def states():
    torch.manual_seed(0)
    step = etdrk(KuramotoSivashinsky(), Grid((N,), (LENGTH,)), DT)
    return step, integrate(step, torch.randn(64, 1, N, dtype=torch.float64), 2, 4000)[:, -1]


def test_growth_along_the_same_trajectories_is_the_same(states):
    """Before chaos has separated the two solvers, whose orders four are different schemes."""
    step, u = states
    generator = torch.Generator().manual_seed(1)
    found = lyapunov_exponents(step, u[:8], DT, 200, copies=Copies(every=20), generator=generator).growth[..., 0]
    v = torch.randn(8, N, 1, dtype=torch.float64, generator=generator.manual_seed(1)).movedim(-1, 1)
    torch.testing.assert_close(found, theirs(u[:8], v, 200, 20) / (20 * DT), rtol=0, atol=2e-3)


def test_exponents_agree_within_their_errors(states):
    step, u = states
    n_steps, aligned = 4000, 1500
    ours = lyapunov_exponents(step, u, DT, n_steps, copies=Copies(every=10), transient=aligned).growth[..., 0].mean(1)
    v = torch.randn(64, 1, N, dtype=torch.float64)
    other = theirs(u, v, aligned + n_steps, 10)[:, aligned // 10 :].mean(1) / (10 * DT)
    # over 400 units, from states that have not found the stable cells yet
    errors = [float(found.std()) / 8 for found in (ours, other)]
    assert max(errors) < 3e-3
    assert abs(float(ours.mean() - other.mean())) < 3 * (errors[0] ** 2 + errors[1] ** 2) ** 0.5
