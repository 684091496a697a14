"""Gas dynamics by finite volumes: exact Riemann solutions, orders, conservation, positivity, ends, adaptive steps."""

from math import e, log2

import pytest
import torch

from pdekit.fields import Grid
from pdekit.pdes import CompressibleEuler, ShallowWater
from pdekit.pdes.exact_riemann import exact_riemann
from pdekit.solvers import Scheme, finite_volume, integrate

SOD = (1.0, 0.0, 1.0), (0.125, 0.0, 0.1)
APART = (1.0, -2.0, 0.4), (1.0, 2.0, 0.4)  # Toro's second test: two rarefactions leave almost a vacuum
OPEN = [("outflow", "outflow")]
SHARP = Scheme("muscl", "van_leer", "hllc", courant=0.4)


def gas(density, velocity, pressure, gamma=1.4):
    """Fields "1 channel x" of a line."""
    return torch.stack((density, density * velocity, pressure / (gamma - 1) + density * velocity**2 / 2))[None]


def tube(n, left, right, place=0.5):
    grid = Grid((n,), (1.0,), layout=("cells",))
    below = grid.coordinates(0) < place
    return grid, gas(*(torch.where(below, a, b).double() for a, b in zip(left, right, strict=True)))


def cell_averages(left, right, grid, t, place=0.5, fine=20):
    """Density of the exact solution, averaged over cells."""
    points = grid.resized((grid.shape[0] * fine,)).coordinates(0)
    return exact_riemann(left, right, (points - place) / t)[0].unflatten(0, (-1, fine)).mean(1)


@pytest.mark.parametrize(
    ("left", "right", "pressure", "speed"),
    [
        (*SOD, 0.30313, 0.92745),
        (*APART, 0.00189, 0.0),
        ((1.0, 0.0, 1000.0), (1.0, 0.0, 0.01), 460.894, 19.5975),
        ((1.0, 0.0, 0.01), (1.0, 0.0, 100.0), 46.0950, -6.19633),
        ((5.99924, 19.5975, 460.894), (5.99242, -6.19633, 46.0950), 1691.64, 8.68975),
    ],
)
def test_the_exact_solution_has_the_middle_states_of_toros_table(left, right, pressure, speed):
    """Toro (2009), table 4.2."""
    near = torch.tensor([speed - 1e-6, speed + 1e-6], dtype=torch.float64)
    _, velocity, found = exact_riemann(left, right, near)
    assert found.tolist() == pytest.approx([pressure] * 2, rel=3e-3 if pressure < 0.01 else 1e-5)
    assert velocity.tolist() == pytest.approx([speed] * 2, rel=1e-5, abs=1e-5)


def test_the_exact_solution_has_the_precision_of_its_places():
    """Behind the right shock of Sod's tube the density follows from the pressure (Rankine and Hugoniot)."""
    place = torch.tensor([1.2, 2.0], dtype=torch.float64)
    density, _, pressure = exact_riemann(*SOD, place)
    whole, _, _ = exact_riemann(*SOD, torch.tensor([0, 1]))
    assert torch.equal(whole, exact_riemann(*SOD, torch.tensor([0.0, 1.0], dtype=torch.float64))[0])
    ratio = float(pressure[0]) / 0.1
    assert float(density[0]) == pytest.approx(0.125 * (6 * ratio + 1) / (ratio + 6), rel=1e-14)
    assert (float(density[1]), float(pressure[1])) == (0.125, 0.1)


def test_an_exact_solution_with_a_vacuum_is_refused():
    with pytest.raises(ValueError, match="no vacuum between them"):
        exact_riemann((1.0, -9.0, 0.4), (1.0, 9.0, 0.4), torch.zeros(1))
    with pytest.raises(ValueError, match="positive density and pressure, got 1 and -1"):
        exact_riemann((1, 0, -1), (1, 0, 1), torch.zeros(1))


@pytest.mark.parametrize(
    ("scheme", "bar"),
    [
        (SHARP, 6e-3),
        (Scheme("weno5", flux="hll", courant=0.4), 8e-3),
        (Scheme("muscl", "minmod", "rusanov", courant=0.4), 0.014),
    ],
)
def test_sods_tube_converges_at_first_order(scheme, bar):
    """L1 error of density at t = 0.2 over the exact solution; contacts keep it below first order."""
    errors = []
    for n in (50, 100):
        grid, u = tube(n, *SOD)
        end = finite_volume(CompressibleEuler(), grid, 0.2, scheme, boundary=OPEN)(u)[0, 0]
        errors.append(float((end - cell_averages(*SOD, grid, 0.2)).abs().mean()))
    assert 0.7 < log2(errors[0] / errors[1]) < 1.3 and errors[1] < bar, errors


def test_a_wave_of_density_is_followed_at_fifth_order_by_weno():
    """Averages of a sine, carried at 0.8; the step of third order is short enough not to count."""
    pde, errors = CompressibleEuler(), []
    for n in (20, 40):
        grid = Grid((n,), (1.0,))
        damped = torch.sinc(torch.tensor(1.0 / n, dtype=torch.float64))  # the average of a sine over a cell

        def averages(t, grid=grid, damped=damped):
            density = 1 + damped * (pde.exact()[0].on(grid, t)[0, 0] - 1)
            return gas(density, 0.8 * torch.ones_like(density), torch.ones_like(density))

        step = finite_volume(pde, grid, 0.1 / 50, Scheme("weno5", flux="hllc"), order=3)
        end = integrate(step, averages(0.0), 2, 50)[:, -1]
        errors.append(float((end - averages(0.1))[:, 0].abs().mean()))
    assert 4.7 < log2(errors[0] / errors[1]) < 5.4 and errors[1] < 2e-6, errors


def test_the_isentropic_vortex_is_followed_at_second_order():
    pde, errors = CompressibleEuler(1.4, 2), []
    vortex = pde.exact()[1]
    for n in (32, 64):
        grid = vortex.grid(n, n)
        end = finite_volume(pde, grid, 0.5, SHARP)(vortex.on(grid, 0.0))
        errors.append(float((end - vortex.on(grid, 0.5)).abs().mean()))
    assert 1.7 < log2(errors[0] / errors[1]) < 2.4 and errors[1] < 2e-3, errors


@pytest.mark.parametrize("scheme", [SHARP, Scheme("weno5", flux="rusanov", courant=0.3)])
def test_mass_momentum_and_energy_are_kept_in_three_dimensions(scheme):
    pde, grid = CompressibleEuler(5 / 3, 3), Grid((8, 7, 6), (1.0, 1.2, 0.9))
    u = torch.rand(2, 5, 8, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u = u + torch.tensor([1.0, 0, 0, 0, 3.0]).reshape(1, 5, 1, 1, 1)
    end = finite_volume(pde, grid, 0.1, scheme)(u)
    before, after = pde.invariants(u, grid), pde.invariants(end, grid)
    assert all(torch.allclose(after[name], value, rtol=1e-13, atol=1e-13) for name, value in before.items())
    assert float((end - u).abs().max()) > 0.1


@pytest.mark.parametrize("reconstruction", ["muscl", "weno5"])
def test_two_strong_rarefactions_stay_positive(reconstruction):
    pde, (grid, u) = CompressibleEuler(), tube(100, *APART)
    end = finite_volume(pde, grid, 0.15, Scheme(reconstruction, courant=0.4), boundary=OPEN)(u)
    density, energy = end[0, 0], end[0, 2] - end[0, 1] ** 2 / (2 * end[0, 0])
    assert float(density.min()) > 0 and float(energy.min()) > 0
    assert float((density - cell_averages(*APART, grid, 0.15)).abs().mean()) < 0.02


def test_a_symmetric_tube_stays_symmetric():
    u = tube(60, *SOD)[1]
    u = torch.cat((u, u.flip(2) * torch.tensor([1.0, -1.0, 1.0]).reshape(1, 3, 1)), 2)
    end = finite_volume(CompressibleEuler(), Grid((120,), (2.0,)), 0.3, Scheme("weno5", flux="hllc", courant=0.4))(u)
    assert float((end[:, 0] - end[:, 0].flip(1)).abs().max()) < 1e-10
    assert float((end[:, 1] + end[:, 1].flip(1)).abs().max()) < 1e-10


def test_hllc_keeps_a_contact_at_rest():
    """A jump of density in still gas: exact with the middle wave, smeared without it."""
    grid, u = tube(40, (2.0, 0.0, 1.0), (1.0, 0.0, 1.0))
    sharp, smeared = (
        finite_volume(CompressibleEuler(), grid, 0.2, Scheme(flux=flux, courant=0.4), boundary=OPEN)(u)
        for flux in ("hllc", "hll")
    )
    assert float((sharp - u).abs().max()) < 1e-13 and float((smeared - u).abs().max()) > 0.1


def test_hllc_keeps_a_shear_layer_of_shallow_water_at_rest():
    """Momentum along a face jumps, nothing moves across it."""
    grid = Grid((40,), (1.0,), layout=("cells",))
    x = grid.coordinates(0)
    u = torch.stack((torch.ones_like(x), 0 * x, torch.sign(x - 0.5)))[None]
    sharp, smeared = (
        finite_volume(ShallowWater(), grid, 0.2, Scheme(flux=flux, courant=0.4), boundary=OPEN)(u)
        for flux in ("hllc", "hll")
    )
    assert float((sharp - u).abs().max()) < 1e-13 and float((smeared - u).abs().max()) > 0.1


def test_two_blasts_between_walls_keep_mass_and_energy():
    """Woodward and Colella (1984): pressures of 1000, 0.01 and 100, whose shocks meet the walls and each other."""
    pde, grid = CompressibleEuler(), Grid((60,), (1.0,), layout=("cells",))
    x = grid.coordinates(0)
    pressure = torch.where(x < 0.1, 1000.0, torch.where(x > 0.9, 100.0, 0.01)).double()
    u = gas(torch.ones_like(x), 0 * x, pressure)
    end = finite_volume(pde, grid, 0.038, SHARP, boundary=[("wall free_slip", "wall free_slip")])(u)
    before, after = pde.invariants(u, grid), pde.invariants(end, grid)
    for name in ("density", "energy"):
        assert float(after[name]) == pytest.approx(float(before[name]), rel=1e-12)
    assert float(end[0, 0].min()) > 0 and 3.0 < float(end[0, 0].max()) < 6.5  # 6.5 on the finest grids
    assert 0.6 < float(x[end[0, 0].argmax()]) < 0.82


def test_what_enters_has_the_state_of_the_inflow():
    """A gas at Mach 3 pushes one at rest: the front of the exact solution, with the state entering at the lower end."""
    left, right, t = (1.0, 3.55, 1.0), (1.0, 0.0, 1.0), 0.1
    grid, u = tube(60, left, right, place=0.2)
    scheme = Scheme(
        "muscl", "van_leer", "hllc", 0.4, {"jet": tuple(gas(*torch.tensor(left)[:, None])[0, :, 0].tolist())}
    )
    ends = {kind: [(f"{kind} jet", "outflow")] for kind in ("inflow", "dirichlet")}
    first, second = (
        finite_volume(CompressibleEuler(), grid, t, scheme, boundary=one)(u)[0, 0] for one in ends.values()
    )
    assert torch.equal(first, second)
    assert float((first - cell_averages(left, right, grid, t, 0.2)).abs().mean()) < 0.05
    with pytest.raises(
        ValueError, match=r"inflow or dirichlet with one of the states jet, outflow .* got 'inflow fan'"
    ):
        finite_volume(CompressibleEuler(), grid, t, scheme, boundary=[("inflow fan", "outflow")])
    with pytest.raises(ValueError, match=r"a state of 3 numbers \(density, momentum_x, energy\), got jet=\[1.0\]"):
        finite_volume(CompressibleEuler(), grid, t, Scheme(states={"jet": (1.0,)}), boundary=OPEN)


def test_adaptive_steps_are_those_of_each_trajectory_alone():
    """A batch of a slow and a fast gas; a step that is short enough is taken as it is."""
    pde, (grid, slow) = CompressibleEuler(), tube(50, *SOD)
    density = slow[0, 0]
    fast = gas(density, 0 * density, 50 * torch.ones_like(density))
    step = finite_volume(pde, grid, 0.01, SHARP, boundary=OPEN)
    together = step(torch.cat((slow, fast)))
    assert torch.equal(together, torch.cat((step(slow), step(fast))))
    fixed = finite_volume(pde, grid, 1e-3, Scheme("muscl", "van_leer", "hllc"), boundary=OPEN)
    short = finite_volume(pde, grid, 1e-3, SHARP, boundary=OPEN)
    assert torch.equal(short(slow), fixed(slow))


def test_a_state_without_pressure_is_reported_as_nan():
    grid, u = tube(20, *SOD)
    u[:, 2] = -1.0
    assert bool(finite_volume(CompressibleEuler(), grid, 0.1, SHARP, boundary=OPEN)(u).isnan().all())


def test_parts_that_do_not_exist_are_refused():
    for part in ("reconstruction", "limiter", "flux"):
        with pytest.raises(ValueError, match=f"expected a {part} of the scheme among"):
            Scheme(**{part: "roe"})
    with pytest.raises(ValueError, match="Courant number above 0"):
        Scheme(courant=0.0)
    with pytest.raises(ValueError, match="dimension of 1, 2 or 3, got 4"):
        CompressibleEuler(1.4, 4)
    with pytest.raises(ValueError, match="gamma above 1"):
        CompressibleEuler(1.0)


def test_the_entropy_is_that_of_an_ideal_gas():
    """-rho log(p / rho^gamma) / (gamma - 1) = -2.5 for rho = 1 and p = e, over a box of length 2."""
    pde = CompressibleEuler(gamma=1.4)
    u = torch.tensor([1.0, 0.0, e / 0.4], dtype=torch.float64).reshape(1, 3, 1).expand(1, 3, 4)
    found = pde.dissipated(u, Grid((4,), (2.0,)))["negative_entropy"]
    assert float(found) == pytest.approx(-5.0)
