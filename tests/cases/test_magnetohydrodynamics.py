"""Liquid metal below a magnet: Hartmann's profile, balances of charge, momentum and energy, symmetry, the residual."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.integrate import solve_bvp

from pdekit.calculus import FiniteDifference
from pdekit.cases.base import Draw
from pdekit.cases.magnetohydrodynamics import (
    ELECTRODE,
    EXTENT,
    Duct,
    MagnetohydrodynamicsCase,
    _friction,
    developed,
    duct_mesh,
)
from pdekit.fields import Grid
from pdekit.pdes.magnetohydrodynamics import Magnetohydrodynamics

ng = pytest.importorskip("ngsolve")

DRAWN = Draw({"field_peak": 0.12, "field_x": -0.003, "field_y": 0.004, "field_width": 0.006})
PDE = Magnetohydrodynamics(**DRAWN.params)
SPEED, CURRENT = 2e-3, 100.0


def grid(nx, ny):
    return Grid((nx, ny), EXTENT, tuple(-length / 2 for length in EXTENT), ("cells", "cells"))


def gaussian(pde):
    r2 = (ng.x - pde.field_x) ** 2 + (ng.y - pde.field_y) ** 2
    return pde.field_peak * ng.exp(-r2 / (2 * pde.field_width**2))


@pytest.mark.parametrize("ha", [0.03, 0.5, 3.0, 40.0])
def test_friction_is_that_of_hartmanns_flow_across_the_gap(ha):
    """mu w'' + (E - w B) sigma B = p_x between walls that do not conduct: no net current fixes E; solved numerically.

    In units of the half gap and with p_x = -1, mu = 1: w'' - ha^2 (w - mean) = -1.
    """

    def rhs(z, y):  # w, w', the integral of w, its mean as an unknown
        return np.stack((y[1], ha**2 * (y[0] - y[3]) - 1, y[0], 0 * y[0]))

    def ends(a, b):
        return np.array((a[1], a[2], b[0], b[2] - b[3]))

    z = np.linspace(0, 1, 400) ** 0.5
    mean = solve_bvp(rhs, ends, z, np.ones((4, len(z))), tol=1e-8, max_nodes=40000).y[3, 0]
    pde = Magnetohydrodynamics()
    b = torch.tensor(ha / pde.hartmann(1.0), dtype=torch.float64)
    assert float(pde.friction(b)) * pde.half_gap**2 / pde.viscosity == pytest.approx(1 / mean, rel=1e-6)


def test_friction_is_smooth_where_its_series_ends():
    pde = Magnetohydrodynamics()
    b = torch.tensor([0.1 - 1e-9, 0.1 + 1e-9], dtype=torch.float64) / pde.hartmann(1.0)
    below, above = pde.friction(b).tolist()
    assert below == pytest.approx(above, rel=1e-8)
    assert float(pde.friction(torch.tensor(-0.05))) == float(pde.friction(torch.tensor(0.05)))


@pytest.mark.parametrize("b", [0.0, 0.05])
@pytest.mark.slow
def test_duct_in_a_uniform_field_has_hartmanns_profile_and_no_current(b):
    """The closed form of `developed` with its pressure drop; the potential is the integral of u b."""
    duct = Duct(duct_mesh(15), PDE, ng.CF(b), SPEED, 0.0, 6, upstream=b)
    exact = developed(PDE, SPEED, b)
    error = ng.Integrate((duct.velocity[0] - exact) ** 2 + duct.velocity[1] ** 2, duct.mesh)
    assert error**0.5 < 1e-4 * ng.Integrate(exact**2, duct.mesh) ** 0.5
    assert ng.Integrate(exact, duct.mesh, order=12) / (EXTENT[0] * EXTENT[1]) == pytest.approx(SPEED, rel=1e-6)
    induced = PDE.conductivity * b * SPEED
    assert ng.Integrate(ng.Norm(duct.current), duct.mesh) <= 1e-3 * induced * EXTENT[0] * EXTENT[1] + 1e-12
    # mean(u) friction + mu u'(wall) 2 / width is the slope of the pressure
    k = (float(PDE.friction(torch.tensor(b))) / PDE.viscosity) ** 0.5
    a = EXTENT[1] / 2
    slope = -PDE.viscosity * k**2 * SPEED / (1 - np.tanh(k * a) / (k * a))
    drop = duct.pressure(duct.mesh(0.01, 0.003)) - duct.pressure(duct.mesh(-0.01, 0.003))
    assert drop == pytest.approx(0.02 * slope, rel=1e-4)
    assert abs(duct.velocity(duct.mesh(0.0, a - 1e-12))[0]) < 1e-9  # side walls hold the metal


@pytest.fixture(scope="module")
def duct():
    return Duct(duct_mesh(24), PDE, gaussian(PDE), SPEED, CURRENT, 4)


def line(duct, function, x=None, y=None):
    """The integral of a function along x = const or y = const, by the midpoint rule."""
    length = EXTENT[1] if y is None else EXTENT[0]
    s = length * ((np.arange(6000) + 0.5) / 6000 - 0.5)
    points = duct.mesh(x + 0 * s, s) if y is None else duct.mesh(s, y + 0 * s)
    return np.asarray(function(points)).mean() * length


@pytest.mark.slow
def test_charge_and_volume_pass_every_section(duct):
    total = -CURRENT * ELECTRODE
    for y in (-0.01, 0.0, 0.007):
        assert line(duct, duct.current[1], y=y) == pytest.approx(total, rel=5e-3)
    for x in (-0.02, 0.0, 0.011, 0.03):
        assert line(duct, duct.velocity[0], x=x) == pytest.approx(SPEED * EXTENT[1], rel=1e-4)
        assert abs(line(duct, duct.current[0], x=x)) < 3e-3 * abs(total)


def test_electric_power_is_heat_and_work(duct):
    """The source's power is Joule heat less what the flow gives: int J.J / sigma = -contour V J.n - int u.(J x B)."""
    b, current = PDE.coupling * gaussian(PDE), duct.current
    heat = ng.Integrate(ng.InnerProduct(current, current) / PDE.conductivity, duct.mesh, order=12)
    force = b * ng.CF((current[1], -current[0]))
    work = ng.Integrate(force * duct.velocity, duct.mesh, order=12)
    density = CURRENT * ng.IfPos(ELECTRODE - ng.Norm(ng.x), (1 + ng.cos(np.pi * ng.x / ELECTRODE)) / 2, 0.0)
    sides = [
        ng.Integrate(density * duct.potential, duct.mesh, definedon=duct.mesh.Boundaries(side), order=12)
        for side in ("top", "bottom")
    ]
    source = (sides[0] - sides[1]) / PDE.conductivity
    assert work < 0 and heat == pytest.approx(source - work, rel=1e-3)


def test_force_of_the_magnet_is_borne_by_pressure(duct):
    """Along the duct: momentum in and out, pressure, friction on all four walls and J x B are in balance."""
    mesh, b, u = duct.mesh, PDE.coupling * gaussian(PDE), duct.velocity
    lorentz = ng.Integrate(b * duct.current[1], mesh, order=12)
    ha = PDE.hartmann(1.0) * b + 1e-3
    tanh = 1 - 2 / (ng.exp(2 * ha) + 1)
    friction = PDE.viscosity / PDE.half_gap**2 * ha**2 * tanh / (ha - tanh)
    gap = ng.Integrate(friction * u[0], mesh, order=12)
    assert lorentz < 0 < gap
    normal = ng.specialcf.normal(2)
    traction = PDE.viscosity * ng.BoundaryFromVolumeCF(ng.Grad(u)) * normal
    outflow = PDE.density * u[0] * (u * normal) + duct.pressure * normal[0] - traction[0]
    total = ng.Integrate(outflow, mesh, ng.BND, order=12)
    assert total == pytest.approx(lorentz - gap, rel=5e-3)


@pytest.fixture(scope="module")
def sample():
    return MagnetohydrodynamicsCase(order=4).solve(DRAWN, grid(48, 24))


@pytest.mark.slow
def test_metal_flows_around_the_magnet(sample):
    _, _, u, v, p = sample.u[0]
    b = sample.coeffs[0]
    off = MagnetohydrodynamicsCase("off", order=3).solve(DRAWN, grid(48, 24)).u[0]
    below = b > 0.8 * b.max()
    assert u[below].mean() < 0.3 * off[2][below].mean()
    x, y = (axis.numpy() for axis in grid(48, 24).mesh())
    beside = (np.abs(x + 0.003) < 0.003) & (y < -0.005)
    assert u[beside].max() > 1.3 * off[2][beside].max()
    before = (np.abs(x + 0.013) < 0.003) & (np.abs(y) < 0.004)
    assert v[before].max() < 0  # the magnet stands above the middle: it turns down
    assert p[:8].mean() - p[-8:].mean() > 1.5 * (off[4][:8].mean() - off[4][-8:].mean())


def test_induced_current_brakes(sample):
    """Without electrodes every bit of force works against the flow: the integral of u.(J x B) is minus Joule heat."""
    case = MagnetohydrodynamicsCase(current=0.0, order=3)
    solved = case.solve(DRAWN, grid(96, 48))
    (jx, jy, u, v, _), b = solved.u[0], solved.coeffs[0]
    work = (b * (u * jy - v * jx)).sum()
    heat = ((jx**2 + jy**2) / PDE.conductivity).sum()
    assert work < 0 and work == pytest.approx(-heat, rel=2e-2)


def test_values_are_of_the_published_size(sample):
    """Published: |J| up to 300 A/m^2, |u| up to 3 mm/s; here the metal conducts, and jets are faster."""
    assert 60 < np.hypot(*sample.u[0, :2]).max() < 400
    assert 2.5e-3 < np.hypot(*sample.u[0, 2:4]).max() < 9e-3
    assert sample.coeffs.max() == pytest.approx(0.12, rel=0.02) and sample.mask is None


def test_without_coupling_the_flow_and_the_currents_know_nothing_of_the_magnet():
    one, other = (
        MagnetohydrodynamicsCase("off", cells=12).solve(Draw({**DRAWN.params, "field_x": x}), grid(24, 12)).u
        for x in (-0.005, 0.005)
    )
    np.testing.assert_allclose(one, other, atol=1e-12 * np.abs(one).max())
    jx, jy, u, v, _ = one[0]
    assert np.abs(v).max() < 1e-3 * u.max() and np.ptp(u, axis=0).max() < 1e-3 * u.max()
    assert jy.max() < 0
    np.testing.assert_allclose(jx, -jx[::-1], atol=1e-6 * np.abs(jy).max())


@pytest.mark.slow
def test_mirrored_magnet_gives_the_mirrored_flow(sample):
    """y -> -y with B and the current of the electrodes as they are: signs +, -, +, -, + after charges are mirrored."""
    mirrored = MagnetohydrodynamicsCase(order=4).solve(Draw({**DRAWN.params, "field_y": -0.004}), grid(48, 24)).u[0]
    expected = sample.u[0][:, :, ::-1] * np.array((-1, 1, 1, -1, 1))[:, None, None]
    scale = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(mirrored - expected) < 1e-7 * scale).all()


def test_lower_order_changes_little(sample):
    """Cubic against quartic elements."""
    coarse = MagnetohydrodynamicsCase(order=3).solve(DRAWN, grid(48, 24)).u[0]
    error = np.linalg.norm(sample.u[0] - coarse, axis=(1, 2)) / np.linalg.norm(sample.u[0], axis=(1, 2))
    assert (error < 0.02).all() and error[2] < 3e-3, error


@pytest.mark.slow
def test_finer_mesh_changes_little():
    sample, finer = (MagnetohydrodynamicsCase().solve(DRAWN, grid(48, 24), refinement=n) for n in (1.0, 1.5))
    error = np.linalg.norm(sample.u[0] - finer.u[0], axis=(1, 2)) / np.linalg.norm(finer.u[0], axis=(1, 2))
    assert (error < 1e-3).all() and error[2] < 1e-4, error


@pytest.mark.slow
def test_residual_falls_with_the_grid(sample):
    found = []
    for shape in ((48, 24), (96, 48)):
        points = grid(*shape)
        solved = sample if shape[0] == 48 else MagnetohydrodynamicsCase(order=4).solve(DRAWN, points)
        d = FiniteDifference(points, 2, coeffs={"magnetic_field": torch.from_numpy(solved.coeffs[None])})
        w = d.field(torch.from_numpy(solved.u))
        jx, _, u, v, p = d.components(w)
        residual = PDE.residual(w, d)[0]
        x, y = points.mesh()
        away = (x.abs() < 0.036) & (y.abs() < 0.009)
        induced = PDE.conductivity * u * d.x(d.coeff("magnetic_field"))
        terms = (d.x(jx), induced, d.y(v), d.x(p), d.y(p))
        scale = torch.stack([term[0, 0][away].norm() for term in terms])
        found.append(residual[:, away].norm(dim=1) / scale)
    assert (found[1] < 0.6 * found[0]).all() and (found[1] < 0.03).all(), found


def test_coupling_scales_the_field_everywhere():
    """Strong coupling of a field is published coupling of a field twice as strong."""
    strong = MagnetohydrodynamicsCase("strong", cells=12).solve(DRAWN, grid(24, 12))
    twice = MagnetohydrodynamicsCase(cells=12).solve(Draw({**DRAWN.params, "field_peak": 0.24}), grid(24, 12))
    np.testing.assert_allclose(strong.u, twice.u, rtol=1e-9, atol=1e-12 * np.abs(twice.u).max())
    np.testing.assert_allclose(2 * strong.coeffs, twice.coeffs, rtol=1e-12)


def test_draws_are_the_same_for_every_coupling_and_in_range():
    draws = [MagnetohydrodynamicsCase(name).draw(np.random.default_rng(3)) for name in ("off", "strong")]
    assert draws[0] == draws[1]
    peaks = [MagnetohydrodynamicsCase().draw(np.random.default_rng(i)).params["field_peak"] for i in range(200)]
    assert 0.02 < min(peaks) < 0.03 and 0.19 < max(peaks) < 0.2


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="expected cells in multiples of 12"):
        MagnetohydrodynamicsCase(cells=20)
    with pytest.raises(ValueError, match="expected a coupling"):
        MagnetohydrodynamicsCase("loud")
    wide = dataclasses.replace(grid(8, 8), extent=(0.1, 0.0275))
    with pytest.raises(ValueError, match="expected a grid within the duct"):
        MagnetohydrodynamicsCase(cells=12).solve(DRAWN, wide)


def test_description_names_magnet_and_hartmann_number():
    assert "0.12 T at (-0.003, 0.004) m, 0.006 m wide (Hartmann number 24)" in PDE.describe(DRAWN.params)


@pytest.mark.parametrize(("refinement", "error"), [(0.5, 0.05), (0.125, 0.7)])
def test_a_coarse_solver_is_cheap_and_still_a_flow(sample, refinement, error):
    coarse = MagnetohydrodynamicsCase(order=4).solve(DRAWN, grid(48, 24), refinement).u[0]
    errors = np.linalg.norm(sample.u[0] - coarse, axis=(1, 2)) / np.linalg.norm(sample.u[0], axis=(1, 2))
    assert (errors < error).all() and errors.max() > 1e-3, errors


@pytest.mark.parametrize("hartmann", [1e-3, 0.03, 0.099, 0.101, 2.0])
def test_friction_is_the_closed_form_at_every_hartmann_number(hartmann):
    """Ha^2 tanh Ha / (Ha - tanh Ha), in extended precision, where it cancels and a series stands for it."""
    pde = Magnetohydrodynamics()
    ha = np.longdouble(hartmann)
    expected = float(ha**2 * np.tanh(ha) / (ha - np.tanh(ha)))
    b = hartmann / float(pde.hartmann(1.0))
    unit = pde.half_gap**2 / pde.viscosity
    assert float(pde.friction(torch.tensor(b, dtype=torch.float64))) * unit == pytest.approx(expected, rel=1e-8)
    ng = pytest.importorskip("ngsolve")
    mesh = ng.Mesh(pytest.importorskip("netgen.geom2d").unit_square.GenerateMesh(maxh=1.0))
    assert _friction(pde, ng.CF(b))(mesh(0.3, 0.4)) * unit == pytest.approx(expected, rel=1e-8)
