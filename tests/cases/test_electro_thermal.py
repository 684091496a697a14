"""A wave that warms silicon against the series of a dielectric cylinder, balances, residuals and refinement."""

import dataclasses
from math import pi

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import hankel2, jv

from pdekit.cases.base import Draw
from pdekit.cases.electro_thermal import LENGTH, STRENGTHS, ElectroThermalCase, WarmPlate
from pdekit.fields import Grid
from pdekit.pdes.electro_thermal import VACUUM_PERMITTIVITY, ElectroThermal
from tests.cases.steady import cells, difference, names, residual, slopes

pytest.importorskip("ngsolve")

GRID = cells((-LENGTH / 2, -LENGTH / 2), LENGTH, 64)
DRAWN = Draw(
    {
        "ellipse_a": 0.025,
        "ellipse_b": 0.013,
        "ellipse_angle": 0.6,
        "conductivity_prefactor": 2.3e11,
        "alumina_conduction": 14.0,
    }
)


def slope(bessel, n, z):
    return (bessel(n - 1, z) - bessel(n + 1, z)) / 2


def scattered_by_a_cylinder(x, y, radius, permittivity, k, direction):
    """The total field of a unit plane wave and a dielectric cylinder, magnetically like its surroundings.

    With m^2 = permittivity (complex if it is lossy), E = sum over n of (-j)^n exp(j n (angle - direction)) times
    J_n(k r) + b_n H_n(k r) outside and c_n J_n(m k r) inside, where E and dE/dr go on across the surface. Hankel
    functions of the second kind leave, for exp(j omega t). van de Hulst (1957), section 15.21.
    """
    m = np.sqrt(permittivity)
    r, angle = np.hypot(x, y), np.arctan2(y, x) - direction
    outside = r > radius
    total = np.zeros(x.shape, dtype=complex)
    for n in range(-25, 26):
        j, dj = jv(n, k * radius), slope(jv, n, k * radius)
        h, dh = hankel2(n, k * radius), slope(hankel2, n, k * radius)
        i, di = jv(n, m * k * radius), m * slope(jv, n, m * k * radius)
        b = (di * j - i * dj) / (i * dh - di * h)
        c = (j + b * h) / i
        radial = np.where(outside, jv(n, k * r) + b * hankel2(n, k * np.maximum(r, radius)), c * jv(n, m * k * r))
        total += (-1j) ** n * np.exp(1j * n * angle) * radial
    return total


@pytest.mark.parametrize(("coupling", "order", "tolerance"), [(0.0, 3, 3e-3), (0.0, 5, 3e-5), (2e6, 4, 1e-4)])
@pytest.mark.slow
def test_the_field_of_a_cylinder_is_that_of_the_series(coupling, order, tolerance):
    """Without loss, and with the loss of silicon at one temperature: what warms it does not conduct heat here."""
    # the plate stays at the ambient temperature
    case = ElectroThermalCase(order=order, cooling=1e9, stretching=3.0)
    radius = 0.02
    pde = ElectroThermal(
        coupling=coupling,
        alumina_conductivity=0.0,
        alumina_conduction=1e9,
        silicon_conduction=1e9,
        ellipse_a=radius,
        ellipse_b=radius,
    )
    plate = WarmPlate(pde, case)
    x, y = (column.numpy() for column in GRID.mesh())
    found = np.asarray(plate.total(plate.mesh(x.ravel(), y.ravel()))).reshape(x.shape)
    sigma = coupling * 1.602 * 2e11 * np.exp(-1.12 / (8.6173e-5 * 293.15))
    permittivity = 11.7 - 1j * sigma / (pde.omega * VACUUM_PERMITTIVITY)
    exact = 3e5 * scattered_by_a_cylinder(x, y, radius, permittivity, pde.wavenumber, pi / 3)
    assert np.linalg.norm(found - exact) < tolerance * np.linalg.norm(exact)


def test_an_even_plate_is_as_warm_as_the_series_says():
    """All one material without contrast: |E| is that of the wave, and the heating 4500 W/m^3 everywhere. With
    mu tan(mu L/2) = h/kappa, the modes cos(mu x) carry it to the sides (Carslaw and Jaeger 1959, section 5.3)."""
    conduction, half = 0.5, LENGTH / 2
    even = ElectroThermal(
        coupling=0.0,
        silicon_permittivity=1.0,
        gap=0.0,
        elementary=1.0,
        conductivity_prefactor=1e-7,
        alumina_conduction=conduction,
        silicon_conduction=conduction,
    )
    plate = WarmPlate(even, ElectroThermalCase())
    x, y = (column.numpy() for column in cells((-half, -half), LENGTH, 16).mesh())
    found = np.asarray(plate.rise(plate.mesh(x.ravel(), y.ravel()))).reshape(x.shape)
    biot = 15.0 * half / conduction
    roots = [brentq(lambda z: z * np.sin(z) - biot * np.cos(z), n * pi, (n + 0.5) * pi) for n in range(60)]
    mu = np.array(roots)[:, None] / half
    share = 2 * np.sin(mu * half) / (mu * half + np.sin(mu * half) * np.cos(mu * half))  # of 1 in each mode
    along, across = (share * np.cos(mu * place) for place in (x[:, 0], y[0]))
    weight = 4500.0 / (conduction * (mu**2 + mu.T**2))
    exact = np.einsum("ij,ix,jy->xy", weight, along, across)
    assert exact.max() > 1.5 * exact.min() and abs(found - exact).max() < 2e-4 * exact.max()


@pytest.fixture(scope="module")
def plates():
    cases = {coupling: ElectroThermalCase(coupling=coupling) for coupling in STRENGTHS}
    return {name: WarmPlate(dataclasses.replace(case.pde, **DRAWN.params), case) for name, case in cases.items()}


@pytest.fixture(scope="module")
def samples(plates):
    return {coupling: plate.sample(GRID) for coupling, plate in plates.items()}


@pytest.mark.parametrize("coupling", ["published", "strong"])
@pytest.mark.slow
def test_the_sides_give_away_what_the_plate_absorbs(plates, coupling):
    plate = plates[coupling]
    assert abs(plate.power(plate.sigma) - plate.cooled()) < 1e-8 * plate.cooled()
    assert 30 < plate.cooled() < 120  # 15 W/(m^2 K) along 0.512 m at about 9 K


def test_the_wave_loses_what_silicon_takes(plates):
    """The power that enters through a circle around it, (omega eps0 / 2 k0^2) Im(conj(E) dE/dr), is that of sigma_w."""
    import ngsolve as ng

    plate = plates["strong"]
    pde, r = plate.pde, 0.045
    angle = 2 * pi * np.arange(200) / 200
    points = plate.mesh(r * np.cos(angle), r * np.sin(angle))
    field = np.asarray(plate.total(points))[:, 0]
    along = np.array([np.cos(pi / 3), np.sin(pi / 3)])
    incident = -1j * pde.wavenumber * np.asarray(plate.incident(points)) * along
    rise = np.asarray(ng.grad(plate.scattered)(points)) + incident
    outward = rise[:, 0] * np.cos(angle) + rise[:, 1] * np.sin(angle)
    entering = np.imag(np.conj(field) * outward).mean() * 2 * pi * r
    entering *= pde.omega * VACUUM_PERMITTIVITY / (2 * pde.wavenumber**2)
    inside = plate.mesh.MaterialCF({"inside": 1.0}, default=0.0)
    assert np.isclose(entering, plate.power(inside * plate.sigma_wave), rtol=2e-3)
    assert plate.power(inside * plate.sigma_wave) > 1e5 * plate.power(inside * plate.sigma)


def test_published_silicon_changes_the_wave_by_a_millionth(samples):
    effect = difference(samples["published"], samples["off"])
    assert 1e-9 < effect.max() < 1e-5


def test_the_knob_couples_both_ways(samples):
    weak, strong = (difference(samples[name], samples["off"]) for name in ("weak", "strong"))
    assert (weak > 2e-3).all() and (weak < 0.15).all()
    assert (strong > 0.1).all() and (strong > 2 * weak).all()
    assert (samples["strong"].coeffs == samples["off"].coeffs).all()
    with pytest.raises(ValueError, match="coupling"):
        ElectroThermalCase(coupling="hot")


def test_a_strong_wave_feels_the_temperature():
    """Not the conductivity alone: at another ambient temperature, other things equal, silicon absorbs more."""
    case = ElectroThermalCase(coupling="strong", order=3)
    taken = []
    for ambient in (288.15, 293.15):
        pde = dataclasses.replace(case.pde, **DRAWN.params, ambient=ambient, coupling=1e5)
        plate = WarmPlate(pde, case)
        taken.append(plate.power(plate.mesh.MaterialCF({"inside": 1.0}, default=0.0) * plate.sigma_wave))
    assert 1.7 < taken[1] / taken[0] < 2.5  # exp(gap / k_B (1/288 - 1/293)) = 2.1 at small loss


def test_a_finer_mesh_changes_little(samples):
    finer = ElectroThermalCase().solve(DRAWN, GRID, refinement=1.5)
    assert difference(samples["published"], finer).max() < 1e-4


@pytest.mark.parametrize(("corner", "side"), [((-0.006, -0.006), 0.012), ((0.02, -0.05), 0.03)])
@pytest.mark.slow
def test_residuals_vanish_at_the_order_of_the_differences(corner, side):
    """In the silicon, and in the alumina."""
    case = ElectroThermalCase(order=5)
    order, residuals = slopes(case, DRAWN, corner, side, 12)
    assert order.min() > 1.7 and order.max() < 2.4
    k2 = case.pde.wavenumber**2 * (11.7 if corner[0] < 0 else 1.0)
    assert (residuals < np.array([0.03 * k2 * 2e5] * 2 + [300.0])).all()


def test_the_residual_knows_the_signs():
    """Loss takes from the wave and heat is a source: with either sign turned the residual is as large as the term."""
    case = ElectroThermalCase(coupling="strong")
    grid = cells((-0.006, -0.006), 0.012, 24)
    sample = case.solve(DRAWN, grid)
    right = residual(case, DRAWN, sample, grid, order=4)
    conjugate = dataclasses.replace(sample, u=sample.u * np.array([1.0, -1.0, 1.0])[:, None, None])
    warmer = dataclasses.replace(sample, u=sample.u + np.array([0.0, 0.0, 3.0])[:, None, None])
    assert (residual(case, DRAWN, conjugate, grid, order=4)[:2] > 10 * right[:2]).all()
    assert (residual(case, DRAWN, warmer, grid, order=4) > 3 * right).all()


def test_values_are_those_of_the_publication(samples):
    sample, case = samples["published"], ElectroThermalCase()
    real, imag, rise = sample.u[0]
    x, y = (column.numpy() for column in GRID.mesh())
    assert sample.mask is None and not case.has_mask and sample.u.shape == (1, 3, 64, 64)
    modulus = np.hypot(real, imag)
    # published: |E| of mean 2.7e5 and deviation 1.1e5, T from 300.9 to 304.6 K
    assert 2.4e5 < modulus.mean() < 3.0e5 and 0.7e5 < modulus.std() < 1.5e5
    assert 293.15 + rise.min() > 300.5 and 293.15 + rise.max() < 305.0
    # silicon is turned counter-clockwise by 0.6: the point (0.02, 0.012) lies in it, (0.02, -0.012) does not
    silicon = sample.coeffs[0] > 0
    assert silicon[np.unravel_index(np.hypot(x - 0.018, y - 0.012).argmin(), x.shape)]
    assert not silicon[np.unravel_index(np.hypot(x - 0.018, y + 0.012).argmin(), x.shape)]
    assert abs(silicon.mean() - pi * 0.025 * 0.013 / LENGTH**2) < 0.003
    assert np.allclose(sample.coeffs[0][silicon], 2.3e11)
    assert np.allclose(sample.coeffs[1], np.where(silicon, 70.0, 14.0))


def test_the_lower_side_of_the_wave_is_where_it_comes_from(samples):
    """It travels towards 60 degrees: what the silicon throws back makes standing waves on the lower left."""
    modulus = np.hypot(*samples["published"].u[0, :2])
    x, y = (column.numpy() for column in GRID.mesh())
    ahead = x * np.cos(pi / 3) + y * np.sin(pi / 3)
    assert modulus[ahead < -0.03].std() > 1.2 * modulus[ahead > 0.05].std()


def test_a_name_means_one_thing():
    found = names(ElectroThermalCase())
    assert len(set(found)) == len(found)


def test_draws_are_those_of_the_publication():
    case = ElectroThermalCase()
    draws = [case.propose(np.random.default_rng(i)) for i in range(200)]
    for name, low, high in (
        ("ellipse_a", 0.01, 0.03),
        ("ellipse_b", 0.01, 0.02),
        ("ellipse_angle", 0.0, 2 * pi),
        ("conductivity_prefactor", 1e11, 3e11),
        ("alumina_conduction", 10.0, 20.0),
    ):
        values, margin = np.array([draw[name] for draw in draws]), 0.05 * (high - low)
        assert low <= values.min() < low + margin and high - margin < values.max() <= high
    assert "silicon" in case.pde.describe(draws[0])


@pytest.mark.slow
def test_a_plate_that_runs_away_is_drawn_again():
    """The number 12 is nearly round and in resonance; what takes its place is the same whatever the coupling."""
    case = ElectroThermalCase()
    proposed = case.propose(np.random.default_rng(12))
    assert not case.settles(proposed)
    with pytest.raises(ValueError, match="more heating than cooling"):
        case.solve(Draw(proposed), GRID)
    drawn = case.draw(np.random.default_rng(12))
    assert drawn.params != proposed and drawn == ElectroThermalCase(coupling="strong").draw(np.random.default_rng(12))
    assert case.draw(np.random.default_rng(3)).params == case.propose(np.random.default_rng(3))


def test_nodes_on_the_sides_of_the_plate_have_its_values():
    """The sides belong to the plate and to the layer around it, where nothing was sampled: zeros stood there."""
    plate = WarmPlate(dataclasses.replace(ElectroThermal(), **DRAWN.params), ElectroThermalCase(order=2, size=0.009))
    origin, shape = (-LENGTH / 2, -LENGTH / 2), (17, 17)
    nodes = plate.sample(Grid(shape, (LENGTH, LENGTH), origin, ("nodes", "nodes")))
    short = 1e-5 * LENGTH
    inner = Grid(shape, (LENGTH - 2 * short,) * 2, tuple(o + short for o in origin), ("nodes", "nodes"))
    within = plate.sample(inner)
    assert (nodes.u[0, 2] > 0).all() and (nodes.coeffs[1] > 0).all()
    for found, expected in ((nodes.u[0], within.u[0]), (nodes.coeffs, within.coeffs)):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4 * abs(other).max())
