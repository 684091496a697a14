"""Kolmogorov flow and Kuramoto-Sivashinsky in jax-cfd, where it is installed (it is no longer maintained)."""

from math import log2, pi

import numpy as np
import pytest
import torch

from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky, NavierStokes2D
from pdekit.solvers import etdrk, integrate

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
grids = pytest.importorskip("jax_cfd.base.grids")
equations = pytest.importorskip("jax_cfd.spectral.equations")
time_stepping = pytest.importorskip("jax_cfd.spectral.time_stepping")

pytestmark = pytest.mark.oracle


def theirs(equation, u, dt, steps):
    step = time_stepping.crank_nicolson_rk4(equation, dt)
    u_hat = jax.numpy.fft.rfftn(jax.numpy.asarray(u.numpy()))
    u_hat = jax.lax.fori_loop(0, steps, lambda _, s: step(s), u_hat)
    return torch.from_numpy(np.array(jax.numpy.fft.irfftn(u_hat, s=u.shape)))


def test_kolmogorov_flow_agrees_to_the_second_order_of_their_viscous_term():
    n, t, nu = 96, 0.5, 0.02
    pde, grid = NavierStokes2D(nu, 1.0, 4, 0.1), Grid((n, n), (2 * pi, 2 * pi))
    x, y = grid.mesh()
    u = 3 * torch.cos(x + 0.4) * torch.sin(2 * y) + 2 * torch.sin(3 * x - y) + torch.cos(2 * x + 2 * y)
    ours = integrate(etdrk(pde, grid, t / 200), u[None, None], 2, 200)[0, -1, 0]
    equation = equations.ForcedNavierStokes2D(nu, grids.Grid((n, n), domain=((0, 2 * pi),) * 2), smooth=True)
    errors = []
    for steps in (25, 50):
        expected = theirs(equation, u, t / steps, steps)
        errors.append(float((ours - expected).norm() / expected.norm()))
    assert errors[1] < 2e-6
    assert 1.7 < log2(errors[0] / errors[1]) < 2.4


def test_kuramoto_sivashinsky_agrees_within_the_error_of_their_scheme():
    n, length, t, steps = 96, 32.0, 5.0, 2000
    x = length * torch.arange(n, dtype=torch.float64) / n
    u = torch.cos(2 * pi * x / length) + 0.5 * torch.sin(6 * pi * x / length)
    ours = integrate(etdrk(KuramotoSivashinsky(), Grid((n,), (length,)), 0.01), u[None, None], 2, 500)[0, -1, 0]
    equation = equations.KuramotoSivashinsky(grids.Grid((n,), domain=((0, length),)))
    expected = theirs(equation, u, t / steps, steps)
    assert float((ours - expected).norm() / expected.norm()) < 1e-6
