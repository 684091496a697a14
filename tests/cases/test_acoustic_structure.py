"""Sound and an elastic disc against the series of Faran (1951), balances, residuals and refinement."""

import dataclasses
from math import pi

import numpy as np
import pytest
from scipy.special import hankel2, jv

from pdekit.cases.acoustic_structure import LENGTH, RADIUS, STRENGTHS, AcousticStructureCase, Sound
from tests.cases.steady import around_an_ellipse, cells, difference, names, slopes

pytest.importorskip("ngsolve")

GRID = cells((-LENGTH / 2, -LENGTH / 2), LENGTH, 64)
ANGLES = 2 * pi * np.arange(48) / 48


def slope(bessel, n, z):
    return (bessel(n - 1, z) - bessel(n + 1, z)) / 2


class Faran:
    """One mode exp(j n angle) of a disc in a fluid of constant density: a wave J_n of amplitude 1 comes in.

    In the fluid p = J_n(k r) + b H_n(k r), with Hankel's second kind for exp(j omega t); in the disc the displacement
    is grad(A J_n(k_l r)) + curl(B J_n(k_t r)). Continuity of normal motion and traction give b, A and B.
    """

    def __init__(self, pde, n):
        self.pde, self.n = pde, n
        lame, shear = pde.lame
        self.speeds = (np.sqrt((lame + 2 * shear) / pde.solid_density), np.sqrt(shear / pde.solid_density))
        k, omega, rho = pde.wavenumber, pde.omega, pde.density_floor
        (radial, _), (normal, tangential) = self.motion(RADIUS), self.traction(RADIUS)
        inertia = pde.coupling * omega**2
        matrix = np.array(
            [
                [k * slope(hankel2, n, k * RADIUS) / rho, *(-inertia * radial)],
                [hankel2(n, k * RADIUS), *normal],
                [0.0, *tangential],
            ]
        )
        right = np.array([-k * slope(jv, n, k * RADIUS) / rho, -jv(n, k * RADIUS), 0.0])
        scale = abs(matrix).max(axis=0)
        self.b, *self.amplitudes = np.linalg.solve(matrix / scale, right) / scale

    def potentials(self, r):
        """J_n and its first two derivatives, longitudinal and transverse."""
        q = self.pde.omega / np.array(self.speeds)
        j, dj = jv(self.n, q * r), q * slope(jv, self.n, q * r)
        return j, dj, -dj / r - (q**2 - self.n**2 / r**2) * j

    def motion(self, r):
        """Radial and tangential displacement of unit potentials."""
        j, dj, _ = self.potentials(r)
        m = 1j * self.n / r
        return np.array([dj[0], m * j[1]]), np.array([m * j[0], -dj[1]])

    def traction(self, r):
        """S_rr and S_rt of unit potentials."""
        lame, shear = self.pde.lame
        j, dj, ddj = self.potentials(r)
        m = 1j * self.n / r
        radial, tangential = self.motion(r)
        stretch = np.array([ddj[0], m * (dj[1] - j[1] / r)])
        turn = np.array([m * (dj[0] - j[0] / r), -ddj[1]])
        q = self.pde.omega / self.speeds[0]
        dilation = np.array([-(q**2) * j[0], 0.0])
        return lame * dilation + 2 * shear * stretch, shear * (m * radial + turn - tangential / r)


def modes(function, mesh, r):
    """Amplitudes of exp(j n angle) on a circle, n = 0, 1, ..., -1; a vector is taken in polar components."""
    c, s = np.cos(ANGLES), np.sin(ANGLES)
    values = np.asarray(function(mesh(r * c, r * s))).reshape(len(ANGLES), -1)
    if values.shape[1] == 2:
        values = np.stack((c * values[:, 0] + s * values[:, 1], c * values[:, 1] - s * values[:, 0]), axis=1)
    return np.fft.fft(values, axis=0).T / len(ANGLES)


def uniform(coupling, **changes):
    """In a fluid of constant density."""
    case = AcousticStructureCase(coupling=coupling, **changes)
    return dataclasses.replace(case.pde, density_peak=0.0, density_floor=1000.0), case


@pytest.mark.parametrize("coupling", ["off", "published", "strong"])
def test_the_disc_scatters_as_the_series_says(coupling):
    """Whatever comes back from the sides: at two radii the pressure is split into what comes in and what leaves."""
    pde, case = uniform(coupling)
    sound = Sound(pde, case)
    near, far = 0.008, 0.014
    pressures = [modes(sound.pressure, sound.mesh, r)[0] for r in (near, far)]
    radial, tangential = modes(sound.load, sound.mesh, 0.003)
    k = pde.wavenumber
    scattered, moved = [], []
    for n in range(-3, 4):
        waves = [[jv(n, k * r), hankel2(n, k * r)] for r in (near, far)]
        a, b = np.linalg.solve(waves, [p[n] for p in pressures])
        exact = Faran(pde, n)
        scattered.append((b, exact.b * a))
        load = pde.solid_density * pde.omega**2 * a * np.array(exact.motion(0.003)) @ exact.amplitudes
        moved.append(((radial[n], tangential[n]), load))
    for found in (scattered, moved):
        value, expected = (np.array(part) for part in zip(*found, strict=True))
        assert abs(value - expected).max() < 3e-5 * abs(expected).max()
    assert abs(Faran(pde, 1).b) > 0.1


def test_little_of_the_scattered_sound_comes_back_from_the_sides():
    """The condition of first order: 4 % of the wave on the small square, less on a larger one."""
    worst = []
    for length in (LENGTH, 2 * LENGTH):
        pde, case = uniform("published", length=length)
        sound = Sound(pde, case)
        k = pde.wavenumber
        pressures = [modes(sound.pressure, sound.mesh, r)[0] for r in (0.008, 0.014)]
        errors = []
        for n in range(-3, 4):
            waves = [[jv(n, k * r), hankel2(n, k * r)] for r in (0.008, 0.014)]
            a, _ = np.linalg.solve(waves, [p[n] for p in pressures])
            errors.append(abs(a - (-1j) ** n * np.exp(-1j * n * case.direction)))
        worst.append(max(errors))
    assert 0.01 < worst[0] < 0.04 and worst[1] < 0.01


@pytest.fixture(scope="module")
def drawn():
    return AcousticStructureCase().draw(np.random.default_rng(5))


@pytest.fixture(scope="module")
def sounds(drawn):
    found = {}
    for coupling in STRENGTHS:
        case = AcousticStructureCase(coupling=coupling)
        found[coupling] = Sound(dataclasses.replace(case.pde, **drawn.params), case)
    return found


@pytest.fixture(scope="module")
def samples(sounds):
    return {coupling: sound.sample(GRID) for coupling, sound in sounds.items()}


def test_a_second_discretisation_agrees_where_the_density_varies(drawn, sounds):
    """scikit-fem around a disc at rest: straight quadratic triangles of another mesh, another solver."""
    skfem = pytest.importorskip("skfem")
    from skfem.helpers import dot, grad

    pde, half = dataclasses.replace(AcousticStructureCase().pde, **drawn.params), LENGTH / 2
    k, heading = pde.wavenumber, np.array([np.cos(-pi / 6), np.sin(-pi / 6)])
    mesh = around_an_ellipse(half, np.zeros(2), np.full(2, RADIUS), 96, 24)
    element = skfem.ElementTriP2()
    water = skfem.Basis(mesh, element, intorder=6)
    sides = mesh.facets_satisfying(lambda x: np.maximum(abs(x[0]), abs(x[1])) > 0.999 * half, boundaries_only=True)
    rim = skfem.FacetBasis(mesh, element, facets=sides, intorder=6)

    def lightness(x):
        r2 = (x[0] - pde.density_x) ** 2 + (x[1] - pde.density_y) ** 2
        return 1 / (pde.density_floor + pde.density_peak * np.exp(-r2 / (2 * pde.density_width**2)))

    def away(x):
        return 1j * k + 0.5 / np.hypot(x[0], x[1])

    def arriving(x, n):
        wave = np.exp(-1j * k * (heading[0] * x[0] + heading[1] * x[1]))
        return (away(x) - 1j * k * (heading[0] * n[0] + heading[1] * n[1])) * wave

    helmholtz = skfem.BilinearForm(lambda u, v, w: lightness(w.x) * (dot(grad(u), grad(v)) - k**2 * u * v), complex)
    leaving = skfem.BilinearForm(lambda u, v, w: lightness(w.x) * away(w.x) * u * v, complex)
    load = skfem.LinearForm(lambda v, w: lightness(w.x) * arriving(w.x, w.n) * v, complex)
    p = skfem.solve((helmholtz.assemble(water) + leaving.assemble(rim)).tocsc(), load.assemble(rim))
    x = np.random.default_rng(0).uniform(-0.98 * half, 0.98 * half, (400, 2))
    x = x[np.hypot(*x.T) > 1.1 * RADIUS].T
    sound = sounds["off"]
    expected = np.asarray(sound.pressure(sound.mesh(*x)))[:, 0]
    assert np.linalg.norm(water.probes(x) @ p - expected) < 1e-3 * np.linalg.norm(expected)


@pytest.mark.parametrize("coupling", STRENGTHS)
def test_pressure_moves_the_disc_and_no_energy_is_lost(sounds, coupling):
    """Its load is what the pressure pushes; through any circle around it as much power leaves as comes in."""
    import ngsolve as ng

    sound = sounds[coupling]
    edge = ng.ds("ellipse")
    push = [ng.Integrate(sound.pressure * ng.specialcf.normal(2)[i] * edge, sound.mesh) for i in range(2)]
    load = [ng.Integrate(sound.load[i] * ng.dx("inside"), sound.mesh) for i in range(2)]
    assert np.allclose(load, push, rtol=1e-9)  # x = -div S, and S n = -p n
    r, c, s = 0.01, np.cos(ANGLES), np.sin(ANGLES)
    points = sound.mesh(r * c, r * s)
    p, rho = sound.pressure(points)[:, 0], sound.density(points)[:, 0]
    rise = np.asarray(ng.grad(sound.pressure)(points))
    flow = np.imag(np.conj(p) * (rise[:, 0] * c + rise[:, 1] * s)) / rho
    assert abs(flow.sum()) < 1e-3 * abs(flow).sum()


def test_traction_and_motion_fit_at_the_edge(sounds):
    import ngsolve as ng

    sound = sounds["published"]
    c, s = np.cos(ANGLES), np.sin(ANGLES)
    inner = sound.mesh((RADIUS - 1e-6) * c, (RADIUS - 1e-6) * s)
    outer = sound.mesh((RADIUS + 1e-6) * c, (RADIUS + 1e-6) * s)
    xx, xy, yy = (np.asarray(part(inner))[:, 0] for part in sound.stress)
    p, load = sound.pressure(outer)[:, 0], np.asarray(sound.load(inner))
    assert abs(xx * c + xy * s + p * c).max() < 0.01 * abs(p).max()
    assert abs(xy * c + yy * s + p * s).max() < 0.01 * abs(p).max()
    rise = np.asarray(ng.grad(sound.pressure)(outer))
    pushed = (rise[:, 0] * c + rise[:, 1] * s) / sound.density(outer)[:, 0]
    moved = (load[:, 0] * c + load[:, 1] * s) / 2730.0
    assert abs(pushed - moved).max() < 0.01 * abs(pushed).max()


def test_a_mirror_image_is_a_solution(drawn):
    """Reflected in the x axis: shear and vertical motion change their sign."""
    case = AcousticStructureCase()
    mirrored = dataclasses.replace(drawn, params={**drawn.params, "density_y": -drawn.params["density_y"]})
    one = case.solve(drawn, GRID).u
    other = AcousticStructureCase(direction=pi / 6).solve(mirrored, GRID).u[..., ::-1]
    signs = np.array([1, 1, 1, 1, -1, -1, 1, 1, 1, 1, -1, -1])[:, None, None]
    errors = np.sqrt(((one - signs * other) ** 2).sum(axis=(0, 2, 3)) / (one**2).sum(axis=(0, 2, 3)))
    assert errors.max() < 2e-3 and errors[:2].max() < 1e-4


def test_a_finer_mesh_changes_little(drawn, samples):
    coarse = AcousticStructureCase(order=2).solve(drawn, GRID)
    finer = AcousticStructureCase().solve(drawn, GRID, refinement=2.0)
    change = difference(samples["published"], finer)
    assert change[:2].max() < 5e-5 and change[2:8].max() < 2e-3 and change[8:].max() < 5e-5
    assert (difference(coarse, finer)[:2] > 10 * change[:2]).all()


@pytest.mark.parametrize(
    ("corner", "side", "channels"), [((0.007, -0.005), 0.01, (0, 2)), ((-3e-3,) * 2, 6e-3, (2, 12))]
)
def test_residuals_vanish_at_the_order_of_the_differences(drawn, corner, side, channels):
    """In the water, and in the disc."""
    case, picked = AcousticStructureCase(order=6), slice(*channels)
    order, residuals = slopes(case, drawn, corner, side, 10, picked)
    assert order.min() > 1.7 and order.max() < 2.4
    k2 = case.pde.wavenumber**2
    # of the terms: k^2 rho p; stresses of 3 Pa; loads of 500 N/m^3
    scale = np.array([k2 * 300 * 3] * 2 + [3.0] * 6 + [500.0] * 4)
    assert (residuals < 0.03 * scale[picked]).all()


def test_each_field_exists_in_its_material_and_has_the_size_of_the_publication(samples):
    case, sample = AcousticStructureCase(), samples["published"]
    x, y = (column.numpy() for column in GRID.mesh())
    water = np.hypot(x, y) > RADIUS
    assert (sample.mask == np.stack([water] * 2 + [~water] * 10)).all()
    assert not sample.u[0][sample.mask == 0].any() and ((sample.coeffs[0] > 0) == water).all()
    assert sample.u.shape == (1, len(case.pde.fields), 64, 64) and case.has_mask
    # table of ranges of the published files: p within +-6 Pa, load at most about 800, their means over the whole square
    largest = abs(sample.u[0]).max(axis=(1, 2))
    means = abs(sample.u[0][0::2] + 1j * sample.u[0][1::2]).mean(axis=(1, 2))
    assert 1 < largest[:2].max() < 8 and 200 < largest[8:].max() < 1000
    assert 0.01 < means[1:4].max() < 0.5 and 5 < means[4:].max() < 60


def test_the_knob_turns_the_feedback_alone(drawn, samples):
    assert AcousticStructureCase(coupling="strong").draw(np.random.default_rng(5)) == drawn
    effects = {name: difference(samples[name], samples["off"]) for name in ("weak", "published", "strong")}
    assert 1e-3 < effects["weak"].max() < 0.2 * effects["published"].max()
    assert 0.02 < effects["published"][:2].max() < 0.5
    assert (effects["strong"] > 0.1).all() and (effects["strong"] > effects["published"]).all()
    with pytest.raises(ValueError, match="coupling"):
        AcousticStructureCase(coupling="loose")


def test_a_name_means_one_thing():
    found = names(AcousticStructureCase())
    assert len(set(found)) == len(found)


def test_draws_are_those_of_the_publication():
    draws = [AcousticStructureCase().draw(np.random.default_rng(i)).params for i in range(200)]
    for name, low, high in (
        ("density_peak", 500, 900),
        ("density_x", -0.01, 0.01),
        ("density_y", -0.01, 0.01),
        ("density_width", 5e-3, 2e-2),
    ):
        values = np.array([draw[name] for draw in draws])
        margin = 0.05 * (high - low)
        assert low <= values.min() < low + margin and high - margin < values.max() <= high
    assert "kg/m^3" in AcousticStructureCase().pde.describe(draws[0])
