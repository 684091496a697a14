"""Natural convection: de Vahl Davis's cavity, conduction, balances, an independent discretisation, the residual."""

import dataclasses

import numpy as np
import pytest
import torch

from pdekit.calculus import FiniteDifference
from pdekit.cases.base import Draw
from pdekit.cases.finite_elements import Ellipse, square_mesh
from pdekit.cases.thermo_fluid import LENGTH, Convection, ThermoFluidCase
from pdekit.fields import Grid
from pdekit.pdes.thermo_fluid import ThermoFluid

ng = pytest.importorskip("ngsolve")

DRAWN = Draw({"heat": 80.0, "disc_x": -0.008, "disc_y": -0.004, "disc_radius": 0.014})
DISC = Ellipse((0.014, 0.014), (-0.008, -0.004))


def grid(n):
    return Grid((n, n), (LENGTH, LENGTH), (-LENGTH / 2, -LENGTH / 2), ("cells", "cells"))


def cavity(size):
    """The unit square, of air."""
    from netgen.geom2d import SplineGeometry

    geometry = SplineGeometry()
    geometry.AddRectangle((0, 0), (1, 1), bcs=("bottom", "right", "top", "left"))
    geometry.SetMaterial(1, "outside")
    return ng.Mesh(geometry.GenerateMesh(maxh=size))


def unit_air(rayleigh, prandtl=0.71):
    """Air whose lengths, temperatures and diffusivity are 1: density, heat capacity and conductivity are 1."""
    return ThermoFluid(1.0, prandtl, 1.0, 1.0, 1.0, 1.0, gravity=rayleigh * prandtl)


@pytest.mark.parametrize(("rayleigh", "nusselt", "size"), [(1e4, 2.2448, 0.16), (1e5, 4.5216, 0.11)])
@pytest.mark.slow
def test_nusselt_number_of_the_cavity_of_de_vahl_davis(rayleigh, nusselt, size):
    """Benchmark of de Vahl Davis (1983); the digits are those of later high-order solutions (Le Quere 1991)."""
    flow = Convection(cavity(size), unit_air(rayleigh), ng.CF(0.0), {"left": 1.0, "right": 0.0}, 4)
    through = flow.velocity[0] * flow.rise - ng.grad(flow.rise)[0]  # its integral over any upright line is Nu
    assert ng.Integrate(through, flow.mesh, order=12) == pytest.approx(nusselt, rel=1e-4)
    assert flow.heat_through("right") == pytest.approx(nusselt, rel=1e-2)
    assert flow.heat_through("left") == pytest.approx(-nusselt, rel=1e-2)
    assert flow.velocity(flow.mesh(0.1, 0.5))[1] > 0 > flow.velocity(flow.mesh(0.9, 0.5))[1]  # up along the hot side


def test_conduction_is_exact_without_coupling():
    """Between two sides at different temperatures and with a constant source the profile is a parabola."""
    pde = dataclasses.replace(unit_air(1e4), coupling=0.0)
    flow = Convection(cavity(0.5), pde, ng.CF(3.0), {"left": 1.0, "right": 0.0}, 2)
    for x, y in ((0.1, 0.2), (0.5, 0.5), (0.83, 0.4)):
        assert flow.rise(flow.mesh(x, y)) == pytest.approx(1 - x + 1.5 * x * (1 - x), abs=1e-12)
    assert ng.Integrate(ng.Norm(flow.velocity), flow.mesh) == 0


def test_hot_disc_without_coupling_conducts_as_a_line_source():
    """Far sides at one temperature: outside of the disc the rise is source / (2 pi k) log(distance)."""
    case, disc = ThermoFluidCase("off"), Ellipse((0.005, 0.005))
    mesh = square_mesh(LENGTH, disc, 0.012, case.order, 0.003)
    pde = dataclasses.replace(case.pde, disc_radius=0.005)
    source = mesh.MaterialCF({"inside": 50.0}, default=0.0)
    flow = Convection(mesh, pde, source, dict.fromkeys(("left", "right", "bottom", "top"), 0.0), case.order)
    near, far = (flow.rise(mesh(*point)) for point in ((0.006, 0.0), (0.0, 0.012)))
    expected = 50.0 * np.pi * 0.005**2 / (2 * np.pi * pde.k_air) * np.log(2)
    assert near - far == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_heat_of_the_disc_leaves_through_the_cold_sides():
    case = ThermoFluidCase()
    mesh = square_mesh(LENGTH, DISC, 0.1 * LENGTH, case.order, 0.05 * LENGTH)
    source = mesh.MaterialCF({"inside": 80.0}, default=0.0)
    flow = Convection(mesh, dataclasses.replace(case.pde, **DRAWN.params), source, {"left": 0.0, "right": 0.0}, 4)
    made = 80.0 * np.pi * 0.014**2
    left, right, top = (flow.heat_through(side) for side in ("left", "right", "top"))
    assert left + right == pytest.approx(made, rel=5e-3) and min(left, right) > 0.3 * made
    assert abs(top) < 5e-3 * made
    # the flow lets no air escape and its pressure has no mean
    shear = ng.Integrate(ng.InnerProduct(ng.Grad(flow.velocity), ng.Grad(flow.velocity)), mesh)
    assert ng.Integrate(ng.div(flow.velocity) ** 2, mesh) < 1e-4 * shear
    assert abs(ng.Integrate(flow.pressure, mesh, definedon=mesh.Materials("outside"))) < 1e-12


@pytest.fixture(scope="module")
def sample():
    return ThermoFluidCase().solve(DRAWN, grid(32))


@pytest.mark.slow
def test_plume_rises_above_the_disc(sample):
    u, v, rise, _ = sample.u[0]
    x, y = (axis.numpy() for axis in grid(32).mesh())
    above = (np.abs(x + 0.008) < 0.006) & (y > 0.014) & (y < 0.04)
    below = (np.abs(x + 0.008) < 0.006) & (y < -0.025)
    assert v[above].min() > 0.002 and v[above].mean() > 3 * np.abs(v[below]).mean()
    assert max(v[np.abs(x) > 0.058].max(), v[np.abs(x) > 0.05].mean()) < 1e-4  # it sinks along the cold sides
    assert rise[above].mean() > rise[below].mean() + 0.1
    # at the lid the air parts
    lid = (y > 0.05) & (y < 0.056)
    assert u[lid & (x < -0.02)].mean() < 0 < u[lid & (x > 0.01)].mean()


def test_masks_and_values_are_those_of_the_case(sample):
    """Published range: speed up to 1.02e-2 m/s, temperature up to 0.41 K above the sides'."""
    x, y = (axis.numpy() for axis in grid(32).mesh())
    inside = (x + 0.008) ** 2 + (y + 0.004) ** 2 < 0.014**2
    for channel in (0, 1, 3):
        np.testing.assert_array_equal(sample.mask[channel], ~inside)
        assert np.abs(sample.u[0, channel][inside]).max() == 0
    assert sample.mask[2].min() == 1
    assert 0.004 < np.hypot(*sample.u[0, :2]).max() < 0.0105
    assert sample.u[0, 2].min() > 0 and 0.15 < sample.u[0, 2].max() < 0.41
    np.testing.assert_allclose(sample.coeffs[0], np.where(inside, 80 * np.exp(x + y), 0), rtol=1e-12)
    assert np.ptp(sample.u[0, 2][inside]) < 1e-3  # copper


@pytest.mark.slow
def test_mirrored_disc_gives_the_mirrored_flow(sample):
    """The meshes differ, so to their error; and the source grows a little with x."""
    mirrored = ThermoFluidCase().solve(Draw({**DRAWN.params, "disc_x": 0.008, "heat": 80 * np.exp(-0.016)}), grid(32))
    signs = np.array((-1, 1, 1, 1))[:, None, None]
    expected = (signs * sample.u[0])[:, ::-1]
    difference = np.linalg.norm(mirrored.u[0] - expected, axis=(1, 2))
    assert (difference / np.linalg.norm(expected, axis=(1, 2)) < 5e-3).all()


@pytest.mark.parametrize("coupling", ["off", "weak", "strong"])
@pytest.mark.slow
def test_coupling_makes_the_air_move_and_cools_the_disc(sample, coupling):
    solved = ThermoFluidCase(coupling, order=3).solve(DRAWN, grid(16))
    speed, hottest = np.hypot(*solved.u[0, :2]).max(), solved.u[0, 2].max()
    published = np.hypot(*sample.u[0, :2]).max(), sample.u[0, 2].max()
    if coupling == "off":
        assert speed == 0 and hottest > published[1] + 0.1
    elif coupling == "weak":
        assert 0.1 < speed / published[0] < 0.5 and hottest > published[1]
    else:
        assert 1.2 < speed / published[0] < 3 and hottest < published[1]


def test_lower_order_changes_little(sample):
    """Cubic against quartic elements."""
    coarse = ThermoFluidCase(order=3).solve(DRAWN, grid(32)).u[0]
    error = np.linalg.norm(sample.u[0] - coarse, axis=(1, 2)) / np.linalg.norm(sample.u[0], axis=(1, 2))
    assert (error < 0.02).all() and error[2] < 3e-3, error


@pytest.mark.slow
def test_finer_mesh_changes_little(sample):
    finer = ThermoFluidCase().solve(DRAWN, grid(32), refinement=1.5).u[0]
    error = np.linalg.norm(sample.u[0] - finer, axis=(1, 2)) / np.linalg.norm(finer, axis=(1, 2))
    assert (error < 3e-3).all() and error[2] < 5e-4, error


@pytest.mark.slow
def test_residual_falls_with_the_grid(sample):
    """By finite differences, away from walls and from the edge of the disc, of the size of each equation's terms."""
    found = []
    for n in (32, 64):
        points = grid(n)
        solved = sample if n == 32 else ThermoFluidCase().solve(DRAWN, points)
        pde = dataclasses.replace(ThermoFluidCase().pde, **DRAWN.params)
        d = FiniteDifference(points, 2, coeffs={"heat_source": torch.from_numpy(solved.coeffs[None])})
        u = d.field(torch.from_numpy(solved.u))
        residual = pde.residual(u, d)[0]
        x, y = points.mesh()
        radius = ((x + 0.008) ** 2 + (y + 0.004) ** 2).sqrt()
        away = (radius > 0.014 + 0.01) & (torch.maximum(x.abs(), y.abs()) < 0.054)
        assert residual[:3, radius < 0.014].abs().max() == 0
        _, v, rise, p = d.components(u)
        terms = (d.y(v), d.x(p), d.y(p), pde.k_air * d.xx(rise))
        scale = torch.stack([term[0, 0][away].norm() for term in terms])
        found.append(residual[:, away].norm(dim=1) / scale)
    assert (found[1] < 0.4 * found[0]).all() and (found[1] < 0.05).all(), found


def test_draws_are_those_of_the_publication():
    draws = [ThermoFluidCase(name).draw(np.random.default_rng(3)) for name in ("off", "strong")]
    assert draws[0] == draws[1]
    many = [ThermoFluidCase().draw(np.random.default_rng(i)).params for i in range(300)]
    heats = {one["heat"] for one in many}
    assert heats <= set(range(50, 101)) and {min(heats), max(heats)} == {50, 100}
    radii, centres = (np.array([one[name] for one in many]) for name in ("disc_radius", "disc_x"))
    assert 0.0128 < radii.min() < radii.max() < 0.016 and 0.015 < np.abs(centres).max() < 0.016


def test_failure_of_newtons_method_is_an_error_that_names_the_parameters():
    with pytest.raises(ValueError, match=r"failed beyond .* of the coupling with ThermoFluid\(density=1.0"):
        Convection(cavity(0.5), unit_air(1e9), ng.CF(0.0), {"left": 1.0, "right": 0.0}, 2)
    with pytest.raises(ValueError, match="expected a coupling"):
        ThermoFluidCase("loud")


def test_description_names_the_disc():
    assert "radius 0.014 m at (-0.008, -0.004) m, heated by 80 W/m^3" in ThermoFluid().describe(DRAWN.params)
