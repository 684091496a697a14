"""Electro-osmosis against Rayleigh's array, a second discretisation, balances, residuals and refinement."""

import dataclasses

import numpy as np
import pytest

from pdekit.cases.base import Draw
from pdekit.cases.electro_osmosis import LENGTH, STRENGTHS, ElectroOsmosisCase, Plate
from tests.cases.steady import around_an_ellipse, cells, difference, names, slopes

pytest.importorskip("ngsolve")

HALF = LENGTH / 2
GRID = cells((-HALF, -HALF), LENGTH, 48)
DRAWN = Draw(
    {
        "conductivity_peak": 1.2e-2,
        "conductivity_x": 3e-4,
        "conductivity_y": 2e-4,
        "conductivity_width": 5e-4,
        "hole_x": -1e-4,
        "hole_y": 5e-5,
        "hole_a": 1.5e-4,
        "hole_b": 1.3e-4,
    }
)
SIDES = ("left", "right", "bottom", "top", "ellipse")


def plate(drawn=DRAWN, coupling="strong", refinement=1.0, **changes):
    case = ElectroOsmosisCase(coupling=coupling)
    return Plate(dataclasses.replace(case.pde, **{**drawn.params, **changes}), case, refinement)


@pytest.fixture(scope="module")
def strong():
    return plate()


@pytest.fixture(scope="module")
def samples():
    return {coupling: ElectroOsmosisCase(coupling=coupling).solve(DRAWN, GRID) for coupling in STRENGTHS}


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_water_flows_through_an_array_of_cylinders_as_rayleigh_says(share):
    """A round hole in the middle is a cell of a square array of obstacles, which fill this share of the area:
    Rayleigh (1892), with the terms of Perrins, McKenzie and McPhedran (1979)."""
    radius = np.sqrt(share / np.pi) * LENGTH
    found = plate(coupling="published", hole_x=0.0, hole_y=0.0, hole_a=radius, hole_b=radius)
    f = share
    lattice = 1 + f - 0.305827 * f**4 / (1 - 1.402958 * f**8) - 0.013362 * f**8
    expected = 7.5e-9 * 1013.0 * (1 - 2 * f / lattice)
    assert np.isclose(found.outflow(found.velocity, "left"), expected, rtol=2e-5)  # from high to low pressure
    assert np.isclose(found.outflow(found.velocity, "right"), -expected, rtol=2e-5)


def test_charge_and_water_are_kept(strong):
    import ngsolve as ng

    current = strong.conductivity * ng.grad(strong.potential)
    charges = {side: strong.outflow(current, side) for side in SIDES}
    water = {side: strong.outflow(strong.velocity, side) for side in SIDES}
    # charge leaves through the grounded hole what comes in through both sides
    assert abs(sum(charges.values())) < 2e-3 * abs(charges["ellipse"])
    assert charges["left"] > 0 and charges["right"] > 0
    assert abs(charges["top"]) + abs(charges["bottom"]) < 1e-4 * abs(charges["ellipse"])
    assert abs(sum(water.values())) < 1e-4 * water["left"] and water["left"] > 0
    assert abs(water["top"]) + abs(water["bottom"]) + abs(water["ellipse"]) < 1e-4 * water["left"]


@pytest.mark.parametrize("coupling", ["off", "published"])
def test_the_published_velocity_does_not_feel_the_potential(coupling):
    """u = -grad(phi), phi = k_p p - k_V V harmonic, whose boundary values differ by k_p times the pressure alone."""
    import ngsolve as ng

    with_field = plate(coupling=coupling)
    without = plate(coupling=coupling, mobility=0.0, conductivity_width=2e-4)
    gap = with_field.velocity - without.velocity
    size = ng.Integrate(without.velocity * without.velocity, without.mesh)
    assert ng.Integrate(gap * gap, without.mesh) < 1e-20 * size  # on one mesh: the hole is the same
    pressures = [one.pressure(one.mesh(0.0, 4e-4)) for one in (with_field, without)]
    assert abs(pressures[0] - pressures[1]) > 10.0  # it is the pressure that adapts


def test_the_peak_of_the_conductivity_drops_out():
    one, other = plate(), plate(conductivity_peak=3e-3)
    for name in ("potential", "velocity"):
        a, b = (np.array(getattr(p, name)(p.mesh(2e-4, -3e-4))) for p in (one, other))
        assert np.allclose(a, b, rtol=1e-10)


def test_a_second_discretisation_agrees(strong):
    """scikit-fem: straight quadratic triangles of another mesh, other forms, another solver."""
    skfem = pytest.importorskip("skfem")
    from skfem.helpers import dot, grad

    pde, p = ElectroOsmosisCase(coupling="strong").pde, DRAWN.params
    centre, axes = np.array([p["hole_x"], p["hole_y"]]), np.array([p["hole_a"], p["hole_b"]])
    mesh = around_an_ellipse(HALF, centre, axes, 96, 28)
    basis = skfem.Basis(mesh, skfem.ElementTriP2(), intorder=6)

    def gaussian(x):
        r2 = (x[0] - p["conductivity_x"]) ** 2 + (x[1] - p["conductivity_y"]) ** 2
        return np.exp(-r2 / (2 * p["conductivity_width"] ** 2))

    def mobility(x):
        return pde.mobility * (1 + pde.coupling * (1 - gaussian(x)))

    def solve(diffusivity, load, values):
        form = skfem.BilinearForm(lambda u, v, w: diffusivity(w.x) * dot(grad(u), grad(v)))
        w = basis.zeros()
        fixed = []
        for where, value in values:
            dofs = basis.get_dofs(mesh.facets_satisfying(where, boundaries_only=True)).all()
            w[dofs] = value
            fixed.append(dofs)
        return skfem.solve(*skfem.condense(form.assemble(basis), load, x=w, D=np.concatenate(fixed)))

    def left(x):
        return x[0] < -0.999 * HALF

    def right(x):
        return x[0] > 0.999 * HALF

    def hole(x):
        return np.maximum(abs(x[0]), abs(x[1])) < 0.999 * HALF

    potential = solve(gaussian, basis.zeros(), [(left, 50.0), (right, 50.0), (hole, 0.0)])
    drag = skfem.LinearForm(lambda v, w: mobility(w.x) * dot(grad(w["V"]), grad(v)))
    load = drag.assemble(basis, V=basis.interpolate(potential))
    pressure = solve(lambda x: pde.permeability + 0 * x[0], load, [(left, 0.0), (right, 1013.0)])
    fields = {"V": basis.interpolate(potential), "p": basis.interpolate(pressure)}
    mass = skfem.BilinearForm(lambda u, v, w: u * v).assemble(basis)
    found = [potential, pressure]
    for axis in range(2):
        component = skfem.LinearForm(
            lambda v, w, i=axis: (mobility(w.x) * grad(w["V"])[i] - pde.permeability * grad(w["p"])[i]) * v
        )
        found.append(skfem.solve(mass, component.assemble(basis, **fields)))
    x = np.random.default_rng(0).uniform(-0.98 * HALF, 0.98 * HALF, (400, 2))
    x = x[np.linalg.norm((x - centre) / axes, axis=1) > 1.1].T
    probe = basis.probes(x)
    velocity = np.asarray(strong.velocity(strong.mesh(*x))).T
    expected = [np.asarray(f(strong.mesh(*x)))[:, 0] for f in (strong.potential, strong.pressure)] + [*velocity]
    for one, other, tolerance in zip(found, expected, (5e-4, 5e-4, 2e-3, 5e-3), strict=True):
        assert np.linalg.norm(probe @ one - other) < tolerance * np.linalg.norm(other)


def test_a_finer_mesh_changes_little(samples):
    case = ElectroOsmosisCase(coupling="strong")
    finer = case.solve(DRAWN, GRID, refinement=2.0)
    assert (difference(samples["strong"], finer) < [1e-5, 1e-4, 1e-3]).all()
    low = ElectroOsmosisCase(coupling="strong", order=2).solve(DRAWN, GRID)
    assert (difference(low, finer) > 5 * difference(samples["strong"], finer)).all()


def test_residuals_vanish_at_the_order_of_the_differences():
    order, residuals = slopes(ElectroOsmosisCase(coupling="strong", order=6), DRAWN, (1.5e-4, -5e-4), 3e-4, 10)
    assert order.min() > 1.7 and order.max() < 2.6
    # of the terms: 40 V and 6 mm/s over 0.3 mm, conductivity 6 mS/m
    assert (residuals < 0.01 * np.array([6e-3 * 40 / 9e-8, 6e-3 / 3e-4, 6e-3 / 3e-4])).all()


def test_values_are_those_of_the_publication(samples):
    sample, case = samples["published"], ElectroOsmosisCase()
    x, y = (column.numpy() for column in GRID.mesh())
    solid = ((x + 1e-4) / 1.5e-4) ** 2 + ((y - 5e-5) / 1.3e-4) ** 2 > 1
    assert (sample.mask == solid).all() and ((sample.coeffs[0] > 0) == solid).all() and case.has_mask
    assert not sample.u[0][sample.mask == 0].any() and sample.u.shape == (1, 3, 48, 48)
    potential, u, v = sample.u[0]
    assert potential.min() >= 0 and 45 < potential.max() <= 50 and 15 < potential[solid].mean() < 40
    assert u.min() > -0.012 and u.max() < 1e-3 and -6.5e-3 < u[solid].mean() < -5e-3
    assert 2e-3 < abs(v).max() < 8e-3


def test_the_knob_turns_the_velocity_alone(samples):
    weak, strong = (difference(samples[name], samples["off"]) for name in ("weak", "strong"))
    assert (difference(samples["published"], samples["off"]) < 1e-10).all()
    assert weak[0] < 1e-12 and strong[0] < 1e-12
    assert (strong[1:] > 0.1).all() and np.allclose(strong[1:], 10 * weak[1:], rtol=1e-6)
    with pytest.raises(ValueError, match="coupling"):
        ElectroOsmosisCase(coupling="wet")


def test_a_name_means_one_thing():
    found = names(ElectroOsmosisCase())
    assert len(set(found)) == len(found)


def test_draws_are_those_of_the_publication():
    case = ElectroOsmosisCase()
    draws = [case.draw(np.random.default_rng(i)).params for i in range(200)]
    bounds = {
        "conductivity_peak": (2e-3, 2.2e-2),
        "conductivity_x": (0.0, 5e-4),
        "conductivity_width": (2e-4, 1e-3),
        "hole_y": (-LENGTH / 8, LENGTH / 8),
        "hole_a": (LENGTH / 10, LENGTH / 8),
    }
    for name, (low, high) in bounds.items():
        values, margin = np.array([draw[name] for draw in draws]), 0.05 * (high - low)
        assert low <= values.min() < low + margin and high - margin < values.max() <= high
    assert case.draw(np.random.default_rng(3)) == ElectroOsmosisCase("strong").draw(np.random.default_rng(3))
    assert "porous" in case.pde.describe(draws[0])
