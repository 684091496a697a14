"""A float32 step has no float64 tensor in its loop, whatever varies from trajectory to trajectory."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pdekit.fields import Grid
from pdekit.pdes import (
    AllenCahn,
    Burgers,
    CompressibleEuler,
    GrayScott,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes2D,
    ShallowWater,
    WaveEquation,
)
from pdekit.solvers import Scheme, etdrk, finite_volume, imex, runge_kutta

DOUBLE = {torch.float64, torch.complex128}


class Watch(TorchDispatchMode):
    """The precisions of all tensors that operations return."""

    def __init__(self):
        super().__init__()
        self.found: set[torch.dtype] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, torch.Tensor):
                self.found.add(value.dtype)
        return result


def varying(ndim: int, *values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, *[1] * ndim)


EQUATIONS = {
    "ks": (1, KuramotoSivashinsky, {"viscosity": varying(1, 0.9, 1.1)}),
    "burgers": (1, Burgers, {"viscosity": varying(1, 0.05, 0.1)}),
    "kdv": (1, KortewegDeVries, {"nonlinearity": varying(1, 5.0, 6.0)}),
    "allen_cahn": (2, AllenCahn, {"reaction": varying(2, 1.0, 2.0)}),
    "gray_scott": (2, GrayScott, {"feed": varying(2, 0.03, 0.04), "kill": varying(2, 0.06, 0.062)}),
    "navier_stokes": (2, NavierStokes2D, {"viscosity": varying(2, 1e-2, 2e-2), "forcing": varying(2, 0.5, 1.0)}),
    "wave": (1, WaveEquation, {"speed": varying(1, 1.0, 2.0)}),
}


def made(name: str, dtype: torch.dtype):
    """(equation, grid with a varying length, varying step, start) of an equation with varying parameters."""
    ndim, kind, params = EQUATIONS[name]
    pde = kind(**params)
    grid = Grid((16,) * ndim, (varying(ndim, 6.0, 6.5), *(6.0,) * (ndim - 1)))
    u = torch.rand(2, len(pde.fields), *grid.shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    return pde, grid, varying(ndim, 1e-3, 2e-3), u


@pytest.mark.parametrize("solver", [etdrk, imex, runge_kutta])
@pytest.mark.parametrize("name", EQUATIONS)
def test_spectral_steps_stay_in_float32(name, solver):
    pde, grid, dt, u = made(name, torch.float32)
    step = solver(pde, grid, dt, dtype=torch.float32)
    step(u)  # multipliers are computed in float64 once, before the loop
    with Watch() as watch:
        found = step(u)
    assert found.dtype == torch.float32 and not watch.found & DOUBLE
    double = solver(pde, grid, dt, dtype=torch.float64)(u.double())
    torch.testing.assert_close(found.double(), double, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_finite_volumes_stay_in_float32(order):
    pde = ShallowWater(gravity=varying(2, 1.0, 2.0))
    grid = Grid((16, 16), (varying(2, 5.0, 6.0), 5.0))
    u = 1 + torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    step = finite_volume(pde, grid, varying(2, 1e-3, 2e-3), order=order, dtype=torch.float32)
    with Watch() as watch:
        found = step(u)
    assert found.dtype == torch.float32 and not watch.found & DOUBLE
    double = finite_volume(pde, grid, varying(2, 1e-3, 2e-3), order=order)(u.double())
    torch.testing.assert_close(found.double(), double, rtol=1e-5, atol=1e-6)


def test_gas_dynamics_stay_in_float32():
    """With steps that a Courant number limits, WENO and a state at an end."""
    pde = CompressibleEuler(gamma=varying(1, 1.4, 1.6))
    grid = Grid((16,), (1.0,), layout=("cells",))
    u = torch.tensor([1.0, 0.1, 2.5]).reshape(1, 3, 1) + 0.1 * torch.rand(
        2, 3, 16, generator=torch.Generator().manual_seed(0)
    )
    scheme = Scheme("weno5", flux="hllc", courant=0.4, states={"gas": (1.0, 0.1, 2.5)})
    options = {"scheme": scheme, "boundary": [("dirichlet gas", "outflow")]}
    step = finite_volume(pde, grid, varying(1, 0.1, 0.2), dtype=torch.float32, **options)
    with Watch() as watch:
        found = step(u)
    assert found.dtype == torch.float32 and not watch.found & DOUBLE
    double = finite_volume(pde, grid, varying(1, 0.1, 0.2), **options)(u.double())
    torch.testing.assert_close(found.double(), double, rtol=1e-4, atol=1e-4)


def test_a_step_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="positive, finite step"):
        finite_volume(ShallowWater(), Grid((8, 8), (1.0, 1.0)), 0.0)
