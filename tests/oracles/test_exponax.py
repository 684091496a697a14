"""The same equations in exponax: orders 1 to 3 of ETDRK are the same formulas there, so that steps agree to rounding.

With a number of points divisible by three both keep the same modes. exponax's order 4 is the scheme of Cox and
Matthews, ours that of Krogstad: they agree to the error of the step.
"""

import json
from math import pi

import numpy as np
import pytest
import torch

from pdekit.data.formats import recognised
from pdekit.fields import Grid
from pdekit.pdes import KuramotoSivashinsky, NavierStokes2D
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.korteweg_de_vries import KortewegDeVries
from pdekit.pdes.navier_stokes_3d import NavierStokes3D
from pdekit.solvers import etdrk, integrate

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
ex = pytest.importorskip("exponax")

pytestmark = pytest.mark.oracle


def theirs(stepper, u, steps=1):
    """Advance "batch channel *space"."""
    many = jax.jit(jax.vmap(ex.repeat(stepper, steps)))
    return torch.from_numpy(np.array(many(jax.numpy.asarray(u.numpy()))))


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


def waves(grid, channels=1, top=6):
    """Random fields of the first modes, so that both keep all of them; mean zero, rms about 1."""
    u_hat = torch.zeros(2, channels, *grid.shape[:-1], grid.shape[-1] // 2 + 1, dtype=torch.complex128)
    corner = (..., *[slice(top)] * grid.ndim)
    u_hat[corner] = torch.randn(u_hat[corner].shape, dtype=torch.complex128)
    u_hat[(..., *[0] * grid.ndim)] = 0
    u = torch.fft.irfftn(u_hat, s=grid.shape)
    return u / u.std()


def kuramoto_sivashinsky(n, dt, order):
    return (
        KuramotoSivashinsky(viscosity=0.9),
        Grid((n,), (32.0,)),
        ex.stepper.KuramotoSivashinskyConservative(1, 32.0, n, dt, fourth_order_scale=0.9, order=order),
    )


def burgers(n, dt, order):
    return (
        Burgers(viscosity=0.03),
        Grid((n,), (2 * pi,)),
        ex.stepper.Burgers(1, 2 * pi, n, dt, diffusivity=0.03, conservative=True, order=order),
    )


def korteweg_de_vries(n, dt, order):
    return (
        KortewegDeVries(nonlinearity=6.0, dispersion=0.7),
        Grid((n,), (20.0,)),
        ex.stepper.KortewegDeVries(
            1,
            20.0,
            n,
            dt,
            convection_scale=6.0,
            dispersivity=0.7,
            hyper_diffusivity=0.0,
            conservative=True,
            order=order,
        ),
    )


LINES = {"ks": (kuramoto_sivashinsky, 0.1), "burgers": (burgers, 0.01)}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_steps_on_a_line_are_the_same_numbers(name, order):
    make, dt = LINES[name]
    pde, grid, stepper = make(96, dt, order)
    u = waves(grid)
    assert relative(integrate(etdrk(pde, grid, dt, order), u, 2, 10)[:, -1], theirs(stepper, u, 10)) < 1e-10


@pytest.mark.parametrize("name", LINES)
def test_orders_four_converge_to_each_other(name):
    make, dt = LINES[name]
    differences = []
    for steps in (10, 20):
        pde, grid, stepper = make(96, 10 * dt / steps, 4)
        u = waves(grid, top=5) if not differences else u
        ours = integrate(etdrk(pde, grid, 10 * dt / steps), u, 2, steps)[:, -1]
        differences.append(relative(ours, theirs(stepper, u, steps)))
    assert differences[0] < 2e-4
    assert differences[1] < differences[0] / 9 or differences[1] < 1e-11


def test_korteweg_de_vries_is_their_limit_for_small_steps():
    """exponax 0.2.0 keeps the real part only of coefficients that are complex for a dispersive equation: whatever its
    order, it converges like the first power of the step. What it converges to is ours."""
    t, errors = 0.02, []
    for steps in (50, 100, 200):
        pde, grid, stepper = korteweg_de_vries(96, t / steps, 4)
        u = waves(grid) if not errors else u
        ours = integrate(etdrk(pde, grid, t / 40), u, 2, 40)[:, -1]
        errors.append(relative(theirs(stepper, u, steps), ours))
    assert errors[0] < 1e-3
    extrapolated = 2 * errors[2] - errors[1]
    assert errors[0] > 1.9 * errors[1] > 3.6 * errors[2] and abs(extrapolated) < 0.01 * errors[2]


def test_kuramoto_sivashinsky_errs_less_at_the_same_step():
    dt, t = 0.25, 10.0
    pde, grid, stepper = kuramoto_sivashinsky(96, dt, 4)
    u = integrate(etdrk(pde, grid, 0.05), waves(grid), 2, 1000)[:, -1]
    reference = integrate(etdrk(pde, grid, 0.01), u, 2, 1000)[:, -1]
    ours = integrate(etdrk(pde, grid, dt), u, 2, round(t / dt))[:, -1]
    assert relative(ours, reference) < 0.5 * relative(theirs(stepper, u, round(t / dt)), reference)


def turned(u, shift):
    """exponax's positive vortices turn clockwise: its vorticity is minus ours, and its force must be moved by half a
    wavelength for the same flow."""
    return -torch.roll(u, shift, -1)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kolmogorov_flow_is_the_same_numbers(order):
    n, dt, k = 96, 0.005, 4
    pde, grid = NavierStokes2D(viscosity=0.02, forcing=1.3, wavenumber=k, drag=0.1), Grid((n, n), (2 * pi, 2 * pi))
    stepper = ex.stepper.KolmogorovFlowVorticity(
        2, 2 * pi, n, dt, diffusivity=0.02, drag=-0.1, injection_mode=k, injection_scale=1.3, order=order
    )
    u = 4 * waves(grid)
    shift = n // (2 * k)
    expected = turned(theirs(stepper, turned(u, shift), 20), -shift)
    assert relative(integrate(etdrk(pde, grid, dt, order), u, 2, 20)[:, -1], expected) < 1e-10
    assert relative(u, expected) > 0.1


def test_decaying_turbulence_agrees_at_order_four_where_nothing_is_stiff():
    n, dt = 96, 0.01
    pde, grid = NavierStokes2D(viscosity=0.005), Grid((n, n), (2 * pi, 2 * pi))
    u = 4 * waves(grid)
    stepper = ex.stepper.NavierStokesVorticity(2, 2 * pi, n, dt, diffusivity=0.005, order=4)
    expected = -theirs(stepper, -u, 50)
    found = integrate(etdrk(pde, grid, dt), u, 2, 50)[:, -1]
    assert relative(found, expected) < 1e-6
    mirrored = theirs(stepper, u, 50)  # without the change of sign it is another flow
    assert relative(found, mirrored) > 0.1


@pytest.mark.parametrize("order", [1, 2])
def test_three_dimensional_flow_is_the_same_numbers(order):
    n, dt = 24, 0.01
    pde, grid = NavierStokes3D(viscosity=0.02), Grid((n, n, n), (2 * pi,) * 3)
    x, y, z = grid.mesh()
    u = torch.stack((torch.sin(x) * torch.cos(y) * torch.cos(z), -torch.cos(x) * torch.sin(y) * torch.cos(z), 0 * x))
    u = u[None] + 0.3 * torch.stack((torch.cos(2 * y + z), torch.sin(z - 2 * x), torch.cos(x + y)))[None]
    stepper = ex.stepper.NavierStokesVelocity(3, 2 * pi, n, dt, diffusivity=0.02, order=order)
    assert relative(integrate(etdrk(pde, grid, dt, order), u, 2, 10)[:, -1], theirs(stepper, u, 10)) < 1e-9


@pytest.mark.parametrize("name", ["2d_phy_decay_turb", "2d_phy_kolm_flow"])
def test_flows_of_apebench_obey_the_equation_that_is_attached(tmp_path, name):
    """Frames of exponax in APEBench's layout are forecast from the first one by pdekit's solver."""
    n, dt, kolmogorov = 48, 0.02, name.endswith("flow")
    grid = Grid((n, n), (2 * pi, 2 * pi))
    forced = {"drag": -0.1, "injection_mode": 4, "injection_scale": 1.0}
    kind = ex.stepper.KolmogorovFlowVorticity if kolmogorov else ex.stepper.NavierStokesVorticity
    stepper = kind(2, 2 * pi, n, dt, diffusivity=0.02, order=2, **(forced if kolmogorov else {}))
    frames = [4 * waves(grid)]
    for _ in range(3):
        frames.append(theirs(stepper, frames[-1], 5))
    about = {"num_spatial_dims": 2, "num_points": n, "domain_extent": 2 * pi, "dt": 5 * dt, "diffusivity": 0.02}
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps({"name": name, "info": about | (forced if kolmogorov else {})}))
    for split in ("train", "test"):
        np.save(tmp_path / f"{name}_{split}.npy", torch.stack(frames, 1).float().numpy())
    source = recognised(path).open(path)["test"]
    batch, pde = source.read(0), source.problem.pde
    step = etdrk(pde, source.problem.grid, dt, 2)  # the same formulas there
    found = integrate(step, batch.u[:, 0].double(), 4, 5)
    assert source.problem.fields[0].name == "vorticity" and pde.viscosity == 0.02
    assert relative(found[:, -1], batch.u[:, -1].double()) < 1e-5 < 0.1 < relative(found[:, 0], batch.u[:, -1].double())
