"""Methods learn: Kuramoto-Sivashinsky chaos on 64 points, better than persistence by a wide margin."""

import math
from functools import partial

import pytest
import torch

from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.fields import Grid
from pdekit.metrics.pointwise import nrmse
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.one_step import OneStep
from pdekit.models.pde_refiner import PDERefiner
from pdekit.nets.fno import FNO
from pdekit.nets.unet import UNet
from pdekit.pdes import KuramotoSivashinsky
from pdekit.settings import Engine, Training
from pdekit.solvers import etdrk, integrate
from pdekit.training.module import fit

DT = 1.0


@pytest.fixture(scope="module")
def data():
    """40 trajectories of 21 frames after the transient; the last four are for the test."""
    pde, grid = KuramotoSivashinsky(), Grid((64,), (22.0,))
    generator = torch.Generator().manual_seed(0)
    x = torch.arange(64, dtype=torch.float64) * 2 * math.pi / 64
    modes = torch.arange(1, 4)[:, None]
    phase = 2 * math.pi * torch.rand(40, 3, 1, dtype=torch.float64, generator=generator)
    u = torch.cos(modes * x + phase).sum(1, keepdim=True)
    u = integrate(etdrk(pde, grid, DT / 10), u, 21, substeps=10, warmup=1000).numpy()
    loading = Loading(batch_size=32)
    return from_arrays(u[:32], u[32:36], u[36:], dt=DT, extent=(22.0,), fields=["u"], pde=pde, loading=loading)


def one_step_error(model, data) -> float:
    batch = data.test.trajectories(range(4))
    given = batch.u[:, :-1].flatten(0, 1)[:, None]
    pairs = type(batch)(given, torch.zeros(len(given), 1))
    u = model.forecast(pairs, torch.full((len(given), 1), DT), generator=torch.Generator().manual_seed(0))
    return nrmse(u[0], batch.u[:, 1:].flatten(0, 1)[:, None], data.problem).mean().item()


# net and learning rate, and a bound on the one-step nRMSE: more than twice what was measured (fno 0.006, the others
# 0.014 to 0.018), and less than half of persistence (0.149)
METHODS = {
    "fno": (partial(OneStep, net=partial(FNO, width=24, modes=12)), 3e-3, 0.02),
    "unet": (partial(OneStep, net=partial(UNet, width=16)), 2e-3, 0.04),
    "refiner": (partial(PDERefiner, net=partial(UNet, width=16)), 2e-3, 0.04),
    "refiner, v": (partial(PDERefiner, net=partial(UNet, width=16), variant="v_prediction"), 2e-3, 0.04),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_method_learns(name, data, tmp_path):
    method, lr, bound = METHODS[name]
    torch.manual_seed(0)
    model = method(data.problem)
    data.set_window(*model.window)
    model.calibrate(data.calibration_batches())
    fit(model, data, Training(steps=400, lr=lr, ema=0.99), Engine(), tmp_path, progress=False)
    error, persistence = one_step_error(model.eval(), data), one_step_error(Persistence(data.problem), data)
    assert error < bound < persistence / 2
