"""Conservation, order, symmetry, and the exact dam break."""

from dataclasses import dataclass
from math import log2, sqrt
from typing import Any, ClassVar

import pytest
import torch

from pdekit.calculus.remap import limited_slope
from pdekit.fields import Field, Grid
from pdekit.pdes import ShallowWater
from pdekit.pdes.base import ConservationLaw
from pdekit.solvers import finite_volume, integrate, stable_dt


@dataclass(frozen=True)
class InviscidBurgers(ConservationLaw):
    """u_t + (u^2/2)_x = 0."""

    speed: Any = 1.0

    dims: ClassVar = (1,)
    fields: ClassVar = (Field("u"),)

    def flux(self, u, axis, d):
        return self.speed * u * u / 2

    def wave_speeds(self, u, axis, d):
        return self.speed * u, self.speed * u

    def describe(self, params):
        return "Shocks."


def run(pde, grid, u, t, scheme="muscl", order=2, courant=0.4):
    n_steps = int(t / stable_dt(pde, u, grid, courant) * 1.3) + 1  # speeds may grow by 30 %
    return integrate(finite_volume(pde, grid, t / n_steps, scheme, order), u, 2, n_steps)[:, -1]


def radial_dam(n, length=5.0):
    grid = Grid((n, n), (length, length), origin=(-length / 2, -length / 2), layout=("periodic",) * 2)
    x, y = (c + length / n / 2 for c in grid.mesh())  # cell centres symmetric about 0
    r = torch.sqrt(x**2 + y**2)
    depth = 1 + torch.sigmoid((0.5 - r) / (0.25 * length / n))
    return grid, torch.stack((depth, 0 * r, 0 * r))[None], r


def test_mass_and_momentum_are_kept_through_shocks():
    pde, (grid, u, _) = ShallowWater(), radial_dam(32)
    u[:, 1] += 0.3
    before, after = pde.invariants(u, grid), pde.invariants(run(pde, grid, u, 1.0), grid)
    for name, value in before.items():
        assert float((after[name] - value).abs()) < 1e-12 * float(before["mass"]), name


def test_energy_is_lost_in_shocks():
    pde, (grid, u, _) = ShallowWater(), radial_dam(32)
    energies = [pde.dissipated(v, grid)["energy"].item() for v in (u, run(pde, grid, u, 0.5), run(pde, grid, u, 1.0))]
    assert energies[0] > energies[1] > energies[2] > 0.9 * energies[0]


def test_a_lake_at_rest_stays_at_rest():
    pde, grid = ShallowWater(9.81), Grid((8, 6), (1.0, 2.0))
    u = torch.zeros(1, 3, 8, 6, dtype=torch.float64)
    u[:, 0] = 1.7
    assert torch.equal(run(pde, grid, u, 1.0), u)


@pytest.mark.parametrize(("scheme", "order", "slope", "bar"), [("constant", 1, 1, 2e-3), ("muscl", 2, 2, 2e-4)])
def test_the_error_of_a_smooth_flow_falls_at_the_declared_order(scheme, order, slope, bar):
    """A travelling vortex, error in the mean; upwinding needs finer grids than these to show its full order."""
    pde = ShallowWater()
    solution, errors = pde.exact()[0], []
    for n in (48, 96):
        grid = solution.grid(n, n)
        end = run(pde, grid, solution.on(grid, 0.0), 1.0, scheme, order)
        errors.append(float((end - solution.on(grid, 1.0)).abs().mean()))
    assert slope - 0.3 < log2(errors[0] / errors[1]) < slope + 0.4 and errors[1] < bar


@pytest.mark.parametrize("order", [1, 2, 3])
def test_time_stepping_has_its_order(order):
    """The same spatial scheme with steps halved, next to a fine step of order 3."""
    pde = ShallowWater()
    solution = pde.exact()[0]
    grid = solution.grid(16, 16)
    u = solution.on(grid, 0.0)

    def end(n_steps, order):
        return integrate(finite_volume(pde, grid, 0.8 / n_steps, "constant", order), u, 2, n_steps)[:, -1]

    reference = end(128, 3)
    coarse, fine = ((end(n, order) - reference).norm() for n in (4, 8))
    assert order - 0.3 < log2(coarse / fine) < order + 0.4


def test_exchanging_the_axes_exchanges_the_solution():
    pde, (grid, u, _) = ShallowWater(), radial_dam(24)
    u = u + 0.05 * torch.rand_like(u)

    def exchange(v):
        return v[:, [0, 2, 1]].transpose(2, 3)

    assert float((run(pde, grid, exchange(u), 0.5) - exchange(run(pde, grid, u, 0.5))).abs().max()) < 1e-13


def test_a_radial_dam_break_stays_radial():
    """Its reflections and its diagonal mirror to rounding; the spread of depth over a circle is that of the grid."""
    pde, (grid, u, r) = ShallowWater(), radial_dam(64)
    h = run(pde, grid, u, 0.7)[0, 0]
    assert float((h - h.flip(0)).abs().max()) < 1e-12 and float((h - h.T).abs().max()) < 1e-12
    rings = [h[(r > a) & (r < a + 0.05)] for a in (0.2, 0.5, 1.6)]  # away from the bore at r of about 1.3
    assert max(float(ring.std() / ring.mean()) for ring in rings) < 0.02


@pytest.mark.slow
def test_a_radial_dam_break_agrees_with_the_equation_in_the_radius():
    """h_t + (h u)_r = -h u / r and so on, solved on 1500 cells with splitting of the geometric source."""
    pde, (grid, u, r) = ShallowWater(), radial_dam(96)
    h = run(pde, grid, u, 0.7)[0, 0]
    n, length = 1500, 5.0
    line = Grid((n,), (length,))
    radius = line.coordinates(0) + length / n / 2
    depth = 1 + torch.sigmoid((0.5 - radius) / (0.25 * 5.0 / 96))
    w = torch.stack((depth, 0 * depth, 0 * depth))[None]
    n_steps = 1000
    step = finite_volume(pde, line, 0.7 / n_steps)
    for _ in range(n_steps):
        w = step(w)
        speed, dt = w[:, 1] / w[:, 0], 0.7 / n_steps
        w = torch.stack((w[:, 0] - dt * w[:, 1] / radius, w[:, 1] - dt * w[:, 1] * speed / radius, w[:, 2]), dim=1)
        w[:, 1, -n // 4 :] = 0  # the line is periodic: keep its far end, which no wave reaches, at rest
        w[:, 0, -n // 4 :] = 1
    inside = r < 2.0
    index = ((r[inside] / length * n) - 0.5).round().long()
    assert float((h[inside] - w[0, 0, index]).abs().mean()) < 0.01
    assert float((h[inside] - 1).abs().mean()) > 0.04


def stoker(xi, left, right, g):
    """The dam break over a wet bottom: depth and velocity at xi = x / t (Stoker 1957, section 10.8)."""
    low, high = right, left
    for _ in range(100):  # bisection on the depth between rarefaction and bore
        middle = (low + high) / 2
        rarefaction = 2 * (sqrt(g * left) - sqrt(g * middle))
        bore = (middle - right) * sqrt(g / 2 * (1 / middle + 1 / right))
        low, high = (middle, high) if rarefaction > bore else (low, middle)
    speed = 2 * (sqrt(g * left) - sqrt(g * middle))
    front = middle * speed / (middle - right)
    fan = (2 * sqrt(g * left) - xi) ** 2 / (9 * g)
    depth = torch.where(xi < -sqrt(g * left), left, fan)
    depth = torch.where(xi > speed - sqrt(g * middle), middle, depth)
    return torch.where(xi > front, right, depth), front


def test_the_dam_break_has_its_bore_where_stoker_has_it():
    pde, grid, t = ShallowWater(9.81), Grid((800,), (40.0,), (-20.0,)), 1.5
    x = grid.coordinates(0)
    depth = torch.where((x < 0) & (x > -15), 2.0, 1.0).double()  # the second dam is too far away to matter
    u = torch.stack((depth, 0 * x, 0 * x))[None]
    h = run(pde, grid, u, t)[0, 0]
    exact, front = stoker((x + 0.025) / t, 2.0, 1.0, 9.81)  # the dam is at a face, half a cell below x = 0
    near = (x > -7) & (x < 12)
    assert float((h - exact)[near].abs().mean()) < 3e-3
    crossing = x[near][h[near] > (exact[near][-1] + 0.25)][-1]
    assert abs(float(crossing) - front * t) < 2 * 0.05


def test_the_rankine_hugoniot_speed_of_burgers_shocks():
    """From a step 1 -> 0 the shock runs with the mean 1/2; the monotone step never over- or undershoots."""
    pde, grid = InviscidBurgers(), Grid((200,), (4.0,))
    x = grid.coordinates(0)
    u = ((x > 0.5) & (x < 2.0)).double()[None, None]
    end = run(pde, grid, u, 1.0)[0, 0]
    assert float(end.max()) <= 1 + 1e-12 and float(end.min()) >= -1e-12
    assert float(x[end > 0.5].max()) == pytest.approx(2.5, abs=0.04)
    assert float(end[(x > 0.5) & (x < 1.4)][20]) == pytest.approx((0.5 + 20.5 * 0.02 - 0.5), abs=0.02)  # the fan x/t


def test_muscl_resolves_a_bore_better_than_constant_states():
    pde, grid = ShallowWater(), Grid((100,), (10.0,), (-5.0,))
    x = grid.coordinates(0)
    u = torch.stack((torch.where(x < 0, 1.5, 1.0), 0 * x, 0 * x))[None].double()
    exact, _ = stoker((x + 0.05) / 1.5, 1.5, 1.0, 1.0)
    near = (x > -2.2) & (x < 2.8)
    errors = [float((run(pde, grid, u, 1.5, s)[0, 0] - exact)[near].abs().mean()) for s in ("constant", "muscl")]
    assert errors[1] < 0.5 * errors[0]


def test_the_limiter():
    u = torch.tensor([[[0.0, 1.0, 3.0, 3.5, 1.0]]])
    assert limited_slope(u, 2).tolist() == [[[0.0, 1.5, 1.0, 0.0, -1.75]]]


def test_the_step_bound_of_a_lake():
    """Courant number over the sum of the speeds in cells per unit time."""
    u = torch.tensor([4.0, 0.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert stable_dt(ShallowWater(1.0), u, Grid((4, 4), (1.0, 2.0)), 0.5) == pytest.approx(0.5 / (2 / 0.25 + 2 / 0.5))


def test_a_negative_depth_is_reported_as_nan():
    u = torch.tensor([-1.0, 0.0, 0.0]).reshape(1, 3, 1).expand(1, 3, 8).double()
    assert bool(finite_volume(ShallowWater(), Grid((8,), (1.0,)), 0.01)(u).isnan().any())


def test_gradients_reach_the_start():
    grid, u, _ = radial_dam(8)
    u.requires_grad_()
    finite_volume(ShallowWater(), grid, 0.01)(u)[:, 0].square().sum().backward()
    assert bool(u.grad.isfinite().all()) and float(u.grad.abs().min(dim=1).values.max()) > 0


def test_bad_arguments_are_refused():
    pde, grid = ShallowWater(), Grid((8, 8), (1.0, 1.0))
    with pytest.raises(ValueError, match="scheme among"):
        finite_volume(pde, grid, 0.1, "weno")
    with pytest.raises(ValueError, match="order of time stepping among 1, 2, 3, got 4"):
        finite_volume(pde, grid, 0.1, order=4)
    with pytest.raises(ValueError, match="grid of 1 or 2 dimensions for ShallowWater"):
        finite_volume(pde, Grid((4, 4, 4), (1.0,) * 3), 0.1)


# Ends


def basin(n, length=4.0):
    """A line of cells with a bump of depth that runs into both ends, mirrored and doubled in a periodic box."""
    cells = Grid((n,), (length,), layout=("cells",))
    x = cells.coordinates(0)
    depth = 1 + torch.exp(-((x - 0.7 * length) ** 2) / 0.1)
    u = torch.stack((depth, 0.2 * depth, 0.1 * x))[None]
    mirrored = u.flip(2) * torch.tensor([1.0, -1.0, 1.0]).reshape(1, 3, 1)
    return cells, u, Grid((2 * n,), (2 * length,)), torch.cat((u, mirrored), 2)


@pytest.mark.parametrize("scheme", ["constant", "muscl"])
def test_a_wall_is_a_mirror(scheme):
    """A closed basin is half of a periodic box whose other half is its mirror image."""
    pde = ShallowWater()
    cells, u, box, doubled = basin(32)
    walls = [("wall free_slip", "wall free_slip")]
    step, twice = finite_volume(pde, cells, 0.02, scheme, 2, walls), finite_volume(pde, box, 0.02, scheme)
    end, expected = integrate(step, u, 2, 150)[:, -1], integrate(twice, doubled, 2, 150)[:, -1]
    assert float((end - expected[..., :32]).abs().max()) < 1e-12
    assert float((end - u).abs().max()) > 0.1
    mass = [pde.invariants(v, cells)["mass"] for v in (u, end)]
    assert float((mass[1] - mass[0]).abs()) < 1e-12


def test_walls_of_one_axis_leave_the_other_periodic():
    pde, grid = ShallowWater(), Grid((12, 10), (1.0, 1.0), layout=("periodic", "cells"))
    u = torch.rand(1, 3, 12, 10, dtype=torch.float64) + torch.tensor([2.0, 0, 0]).reshape(1, 3, 1, 1)
    boundary = [("periodic", "periodic"), ("wall free_slip", "wall free_slip")]
    step = finite_volume(pde, grid, 0.005, boundary=boundary)
    end = integrate(step, u, 2, 20)[:, -1]
    assert float((end[:, 0].mean() - u[:, 0].mean()).abs()) < 1e-13
    assert float((step(u.roll(3, 2)) - step(u).roll(3, 2)).abs().max()) < 1e-14
    doubled = Grid((12, 20), (1.0, 2.0))
    mirrored = u.flip(3) * torch.tensor([1.0, 1.0, -1.0]).reshape(1, 3, 1, 1)
    expected = integrate(finite_volume(pde, doubled, 0.005), torch.cat((u, mirrored), 3), 2, 20)[:, -1]
    assert float((end - expected[..., :10]).abs().max()) < 1e-12


def test_a_shock_of_burgers_leaves_through_an_open_end():
    """All characteristics leave at the upper end: a longer box gives the same solution inside, because the face states
    of the constant scheme depend on what lies upwind only."""
    pde = InviscidBurgers()
    short, long = Grid((40,), (2.0,), layout=("cells",)), Grid((80,), (4.0,), layout=("cells",))
    ends = [("inflow 0", "outflow")]

    def final(grid):
        x = grid.coordinates(0)
        u = ((x > 0.5) & (x < 1.5)).double()[None, None]
        return integrate(finite_volume(pde, grid, 0.02, "constant", boundary=ends), u, 2, 150)[0, -1, 0]

    end = final(short)
    assert float((end - final(long)[:40]).abs().max()) < 1e-12
    assert float(end.sum() * 0.05) < 0.75, "a part of the unit mass has left"


def test_what_enters_drives_a_shock():
    """u = 1 enters a box at rest: the shock runs with 1/2, and the box gains the flux 1/2 in unit time."""
    grid = Grid((100,), (2.0,), layout=("cells",))
    u = torch.zeros(1, 1, 100, dtype=torch.float64)
    step = finite_volume(InviscidBurgers(), grid, 0.008, boundary=[("inflow 1", "outflow")])
    end = integrate(step, u, 2, 250)[0, -1, 0]  # t = 2
    x = grid.coordinates(0)
    assert float(x[end > 0.5].max()) == pytest.approx(1.0, abs=0.03)
    assert float(end.sum() * 0.02) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(
    "layout, ends, sentence",
    [
        ("nodes", ("outflow", "outflow"), "cells on the axis x for finite volumes, got 8 nodes"),
        ("cells", (), "expected a boundary among wall free_slip, outflow .* got 'wall'"),
        ("cells", ("wall no_slip", "outflow"), "got 'wall no_slip'"),
        ("cells", ("outflow", "dirichlet 1"), "got 'dirichlet 1'"),
        ("cells", ("inflow 1", "outflow"), "got 'inflow 1'"),
        ("cells", ("periodic", "outflow"), "both periodic or both bounded"),
        ("periodic", ("outflow", "outflow"), "both periodic or both bounded"),
    ],
)
def test_ends_that_finite_volumes_do_not_honour_are_refused(layout, ends, sentence):
    with pytest.raises(ValueError, match=sentence):
        finite_volume(ShallowWater(), Grid((8,), (1.0,), layout=(layout,)), 0.1, boundary=[ends] if ends else ())
