"""The same numbers on a GPU."""

from math import pi

import pytest
import torch

from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky, NavierStokes2D
from pdekit.solvers import etdrk, imex, integrate, runge_kutta

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("make", [etdrk, imex, runge_kutta], ids=["etdrk", "imex", "explicit"])
@pytest.mark.parametrize("dtype, bar", [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=["float64", "float32"])
def test_vorticity_on_a_gpu_equals_that_on_the_cpu(make, dtype, bar, smooth):
    pde, grid = NavierStokes2D(1e-3, 1.0, 4, 0.1), Grid((64, 64), (2 * pi, 2 * pi))
    u = 3 * smooth(grid, 3)
    expected = integrate(make(pde, grid, 0.01), u, 3, 20)
    found = integrate(make(pde, grid, 0.01, dtype=dtype, device="cuda"), u.to("cuda", dtype), 3, 20)
    assert found.is_cuda and found.dtype == dtype
    assert float((found.double().cpu() - expected).norm() / expected.norm()) < bar


def test_a_batch_with_its_own_parameters_runs_on_a_gpu(smooth):
    nu = torch.tensor([0.8, 1.2], dtype=torch.float64).reshape(-1, 1, 1)
    length = torch.tensor([60.0, 70.0], dtype=torch.float64).reshape(-1, 1, 1)
    u = smooth(Grid((64,), (64.0,)), 2)
    expected = integrate(etdrk(KuramotoSivashinsky(nu), Grid((64,), (length,)), nu / 20), u, 2, 20)
    device = torch.device("cuda")
    step = etdrk(
        KuramotoSivashinsky(nu.to(device)), Grid((64,), (length.to(device),)), nu.to(device) / 20, device=device
    )
    torch.testing.assert_close(integrate(step, u.to(device), 2, 20).cpu(), expected, rtol=1e-9, atol=1e-10)


def test_coupled_channels_and_gradients_on_a_gpu(smooth, sound_waves):
    grid = Grid((32,), (6.0,))
    u = 0.2 * smooth(grid, 2, 2)
    gradients = []
    for device in ("cpu", "cuda"):
        start = u.to(device).requires_grad_()
        (integrate(etdrk(sound_waves(), grid, 0.01, device=device), start, 2, 10)[:, -1] ** 2).sum().backward()
        gradients.append(start.grad.cpu())
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)
