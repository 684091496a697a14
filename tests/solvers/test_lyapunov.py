"""Lyapunov exponents against closed forms and published values."""

from math import log

import pytest
import torch

from pdekit.fields import Grid, Problem
from pdekit.pdes import KuramotoSivashinsky, Lorenz96
from pdekit.simulate import recipe_named
from pdekit.solvers import Copies, Step, etdrk, integrate, lyapunov_exponents, still_changing


def rk4(slope, dt):
    def step(u):
        a = slope(u)
        b = slope(u + dt / 2 * a)
        c = slope(u + dt / 2 * b)
        return u + dt / 6 * (a + 2 * b + 2 * c + slope(u + dt * c))

    return step


def lorenz63(u):
    x, y, z = u.unbind(1)
    return torch.stack((10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z), dim=1)


def lorenz96(u):
    return (u.roll(-1, -1) - u.roll(2, -1)) * u.roll(1, -1) - u + 8.0


def test_a_linear_map_has_the_logarithms_of_its_eigenvalues():
    eigenvalues = torch.tensor([3.0, 0.9, 0.2], dtype=torch.float64)
    basis = torch.randn(3, 3, dtype=torch.float64)
    matrix = basis @ torch.diag(eigenvalues) @ torch.linalg.inv(basis)
    origin = torch.ones(2, 3, dtype=torch.float64)  # the fixed point; perturbations around it are linear

    found = lyapunov_exponents(
        lambda u: origin[:1] + (u - origin[:1]) @ matrix.T, origin, 0.5, 200, copies=Copies(3), transient=50
    )
    torch.testing.assert_close(found.exponents, eigenvalues.log() / 0.5, rtol=1e-7, atol=1e-7)
    assert found.growth.shape == (2, 200, 3)
    assert found.lyapunov_time == pytest.approx(0.5 / log(3.0))


@pytest.mark.slow
def test_lorenz_63_has_its_known_spectrum():
    """0.9056, 0, -14.5723 (Sprott 2003, p. 431); the sum is the divergence -(10 + 1 + 8/3), dimension 2.062."""
    u = torch.randn(40, 3, dtype=torch.float64) + torch.tensor([0.0, 0.0, 25.0])
    found = lyapunov_exponents(rk4(lorenz63, 0.01), u, 0.01, n_steps=6000, copies=Copies(n=3, every=10), transient=2000)
    expected = torch.tensor([0.9056, 0.0, -14.5723], dtype=torch.float64)
    error = (found.exponents - expected).abs()
    assert error.max() < 0.01
    assert (error < 4 * found.standard_error + 2e-3).all()
    assert float(found.exponents.sum()) == pytest.approx(-(10 + 1 + 8 / 3), abs=1e-3)
    assert found.kaplan_yorke_dimension == pytest.approx(2.062, abs=0.002)


@pytest.mark.slow
def test_lorenz_96_has_its_known_largest_exponent():
    """n = 40, F = 8: 1.67 to 1.69 per unit time, 13 positive exponents, dimension 27.1 (Lorenz and Emanuel 1998)."""
    u = 8 + torch.randn(24, 40, dtype=torch.float64)
    found = lyapunov_exponents(rk4(lorenz96, 0.02), u, 0.02, n_steps=5000, copies=Copies(n=30, every=5), transient=1000)
    assert 1.66 < found.exponents[0] < 1.70
    assert int((found.exponents > 2e-3).sum()) == 13
    assert found.kaplan_yorke_dimension == pytest.approx(27.1, abs=0.2)


def on_a_line(length, n, batch, dt=0.1, settle=1000):
    grid = Grid((n,), (length,))
    step = etdrk(KuramotoSivashinsky(), grid, dt)
    return step, integrate(step, torch.randn(batch, 1, n, dtype=torch.float64), 2, settle)[:, -1]


@pytest.mark.slow
def test_kuramoto_sivashinsky_is_chaotic_at_the_known_rate():
    step, u = on_a_line(64.0, 96, batch=16)
    found = lyapunov_exponents(step, u, 0.1, 2000, copies=Copies(every=10), transient=500)
    assert 0.001 < found.standard_error[0] < 0.01
    assert abs(float(found.exponents[0]) - 0.0864) < 0.008


@pytest.mark.slow
def test_kuramoto_sivashinsky_at_length_64_has_its_known_exponent():
    """0.086 to 0.089 per unit time, within two standard errors, by the protocol of experiments/lyapunov at half its
    length: of the trajectories that are still changing long after the average, whatever their exponents."""
    step, u = on_a_line(64.0, 96, batch=256, settle=2000)
    found = lyapunov_exponents(step, u, 0.1, 10000, copies=Copies(every=10), transient=3000)
    stayed = still_changing(step, found.states, n_steps=5000, apart=100)
    chaos = found.over(stayed)
    error = float(chaos.standard_error[0])
    assert int(stayed.sum()) > 230 and error < 5e-4
    assert 0.086 - 2 * error < float(chaos.exponents[0]) < 0.089 + 2 * error
    settled = found.growth[~stayed, -100:].mean(dim=1)  # what the criterion left out is what has no exponent
    assert len(settled) == 0 or settled.median() < 0.06


@pytest.mark.slow
def test_kuramoto_sivashinsky_at_length_22_has_its_known_exponent():
    """0.043 (Edson et al. 2019) to 0.048 (Cvitanovic, Davidchack and Siminos 2010) per unit time; ours is 0.0484."""
    step, u = on_a_line(22.0, 48, batch=128, settle=2000)
    found = lyapunov_exponents(step, u, 0.1, 10000, copies=Copies(every=10), transient=3000)
    assert bool(still_changing(step, found.states, n_steps=1000, apart=100).all())
    error = float(found.standard_error[0])
    assert error < 1e-3 and 0.043 - 2 * error < float(found.exponents[0]) < 0.048 + 2 * error


@pytest.mark.slow
def test_growth_is_that_of_the_tangent_map():
    """Differences of states against the exact derivative of the steps, along the same trajectories."""
    step, u = on_a_line(22.0, 32, batch=3, settle=300)
    generator = torch.Generator().manual_seed(3)
    found = lyapunov_exponents(step, u, 0.1, 200, copies=Copies(every=20), transient=0, generator=generator)
    v = torch.randn(3, 32, 1, dtype=torch.float64, generator=generator.manual_seed(3))
    v = torch.linalg.qr(v).Q.movedim(-1, 1)
    for _ in range(200):
        u, v = torch.func.jvp(step, (u,), (v,))
    growth = v.flatten(1).norm(dim=1).log() / 20.0
    torch.testing.assert_close(found.growth[..., 0].mean(dim=1), growth, rtol=0, atol=1e-5)
    assert torch.equal(found.states, u) or (found.states - u).abs().max() < 1e-9


@pytest.mark.parametrize(("every", "size"), [(1, 1e-6), (50, 1e-6), (10, 1e-4), (10, 1e-8)])
@pytest.mark.slow
def test_neither_the_interval_nor_the_size_of_perturbations_matters(every, size):
    u = torch.randn(4, 3, dtype=torch.float64) + torch.tensor([0.0, 0.0, 25.0])
    settings = {"n_steps": 1000, "transient": 500}
    draw = torch.Generator()
    expected = lyapunov_exponents(
        rk4(lorenz63, 0.01), u, 0.01, copies=Copies(every=10), generator=draw.manual_seed(0), **settings
    )
    step = rk4(lorenz63, 0.01)
    found = lyapunov_exponents(
        step, u, 0.01, copies=Copies(every=every, size=size), generator=draw.manual_seed(0), **settings
    )
    difference = (found.growth.mean(dim=1) - expected.growth.mean(dim=1)).abs().max()
    assert difference < 100 * size + 1e-4  # of about 0.9; along the same trajectories


def test_what_has_settled_is_told_from_what_is_still_changing():
    """Cells at rest, cells that travel, and chaos; on a plane, and without space."""
    step, chaos = on_a_line(64.0, 64, batch=2, settle=1000)
    x = Grid((64,), (64.0,)).coordinates(0)
    cells = 2.4 * torch.cos(16 * torch.pi * x / 64).expand(2, 1, 64) + torch.tensor([0.0, 0.3]).reshape(2, 1, 1)
    u = torch.cat((integrate(step, cells, 2, 1000)[:, -1], chaos))
    moved = integrate(step, u, 2, 100)[:, -1] - u
    assert moved[0].abs().max() < 1e-6 and moved[1].abs().max() > 1  # the mean carries the second ones along
    assert still_changing(step, u, n_steps=200, apart=100).tolist() == [False, False, True, True]

    plane = torch.randn(2, 3, 8, 6)
    assert not still_changing(lambda u: u.roll((1, 2), (-1, -2)), plane, n_steps=4, apart=2).any()
    assert still_changing(lambda u: u + torch.randn(8, 6), plane, n_steps=4, apart=2).all()

    ring = torch.tensor([[1.0, 2.0, 3.0]])
    assert still_changing(lambda u: u.roll(1, 1), ring, n_steps=3, apart=1).all()  # channels are not places
    assert not still_changing(torch.clone, ring, n_steps=3, apart=1).any()


def test_a_spectrum_over_some_trajectories_is_theirs():
    u = torch.stack((torch.full((1, 4), 2.0), torch.full((1, 4), 3.0))).double()

    found = lyapunov_exponents(lambda u: 1.1 * u, u, 0.1, 20)
    first = found.over(torch.tensor([True, False]))
    torch.testing.assert_close(first.states, u[:1] * 1.1**20)
    assert first.growth.shape == (1, 20, 1) and torch.equal(first.growth[0], found.growth[0])
    with pytest.raises(ValueError, match="at least one of 2"):
        found.over(torch.tensor([False, False]))


def test_eight_cells_at_length_64_are_stable():
    """Cells of wavenumber 0.77 to 0.84 are stable (Frisch, She and Thual 1986); 2 pi 8/64 = 0.785.

    Chaos at this length is a long transient. The leading exponents of the cells are 0: of their translation, and of a
    change of the mean, which makes them drift, so that a difference grows like t and its exponent falls like 1/t.
    """
    grid = Grid((64,), (64.0,))
    u = torch.cos(16 * torch.pi * grid.coordinates(0) / 64).reshape(1, 1, 64) + 0.01 * torch.randn(1, 1, 64).double()
    step = etdrk(KuramotoSivashinsky(), grid, 0.2)
    u = integrate(step, u, 2, 2500)[:, -1]
    amplitudes = torch.fft.rfft(u[0, 0]).abs() / 64
    assert amplitudes[8] > 1 and amplitudes[1:7].max() < 1e-3
    assert (
        abs(float(lyapunov_exponents(step, u, 0.2, 1000, copies=Copies(every=10), transient=500).exponents[0])) < 0.01
    )


def test_the_stated_error_is_the_spread_of_repetitions():
    estimates = []
    for _ in range(12):
        u = torch.randn(4, 3, dtype=torch.float64) + torch.tensor([0.0, 0.0, 25.0])
        estimates.append(
            lyapunov_exponents(rk4(lorenz63, 0.02), u, 0.02, 600, copies=Copies(1, every=10), transient=300)
        )
    spread = torch.stack([e.exponents[0] for e in estimates]).std()
    stated = torch.stack([e.standard_error[0] for e in estimates]).mean()
    assert 0.4 < float(stated / spread) < 2.5


def test_a_step_object_and_a_function_are_the_same_to_it():
    grid = Grid((32,), (22.0,))
    step = etdrk(KuramotoSivashinsky(), grid, 0.1)
    assert isinstance(step, Step)
    u = torch.randn(2, 1, 32, dtype=torch.float64)
    found = [
        lyapunov_exponents(
            f, u, 0.1, 20, copies=Copies(2), blocks=2, generator=torch.Generator().manual_seed(1)
        ).exponents
        for f in (step, lambda u: step.decode(step.advance(step.encode(u))))
    ]
    assert torch.equal(*found)


def test_bad_input_says_what_was_expected():
    u = torch.ones(1, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="between 1 and 3 exponents"):
        lyapunov_exponents(torch.clone, u, 0.1, 10, copies=Copies(n=4))
    with pytest.raises(ValueError, match="multiples of every"):
        lyapunov_exponents(torch.clone, u, 0.1, 101, copies=Copies(every=10))
    with pytest.raises(ValueError, match="float64 states"):
        lyapunov_exponents(torch.clone, u.float(), 0.1, 10)
    with pytest.raises(ValueError, match="bounded flow"):
        lyapunov_exponents(lambda u: u**3 * 1e9, u, 0.1, 40)
    with pytest.raises(ValueError, match="apart <= n_steps"):
        still_changing(torch.clone, u, n_steps=1, apart=2)
    with pytest.raises(ValueError, match="ask for more than 1 exponents"):
        _ = lyapunov_exponents(lambda u: 1.5 * u, u, 0.1, 10).kaplan_yorke_dimension


def problem_of(pde, shape, extent, params=()):
    return Problem(Grid(shape, extent), pde.fields, dt=0.1, n_frames=10, params=params, pde=pde)


def test_equations_know_their_measured_exponents():
    line = problem_of(KuramotoSivashinsky(), (256,), (64.0,), params=("length_x", "dt"))  # within 10 %
    assert line.pde.lyapunov_exponent(line) == 0.0864
    # u(x, t) of nu is u(x/sqrt(nu), t/nu)/sqrt(nu) of 1
    stretched = problem_of(KuramotoSivashinsky(viscosity=0.25), (256,), (32.0,))
    assert stretched.pde.lyapunov_exponent(stretched) == pytest.approx(4 * 0.0864)
    for length, params in ((40.0, ()), (64.0, ("viscosity",))):
        other = problem_of(KuramotoSivashinsky(), (256,), (length,), params)
        assert other.pde.lyapunov_exponent(other) is None

    ring = problem_of(Lorenz96(), (), ())
    assert ring.pde.lyapunov_exponent(ring) == 1.69
    assert Lorenz96(n_sites=36).lyapunov_exponent(ring) is None

    for name, expected in (("kolmogorov", 0.39), ("kolmogorov_re1000", 0.61), ("decaying_turbulence", None)):
        square = recipe_named(name).problem("test")
        assert square.pde.lyapunov_exponent(square) == expected
