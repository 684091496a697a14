"""Flows between walls: closed forms, order, balances, published cavities and convection, obstacles, refusals."""

from dataclasses import dataclass
from math import log2, pi

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from pdekit.fields import Grid
from pdekit.pdes import RayleighBenard, ViscousFlow
from pdekit.pdes.rayleigh_benard import CRITICAL, CRITICAL_WAVENUMBER
from pdekit.solvers import projection
from pdekit.solvers.projection import Flow

FREE = (("wall free_slip",) * 2,) * 2
CLOSED = (("wall no_slip",) * 2,) * 2
LID = (("wall no_slip",) * 2, ("wall no_slip", "wall no_slip 1"))
PLATES = (("periodic",) * 2, ("wall no_slip",) * 2)
CHANNEL = (("inflow 1", "outflow"), ("wall no_slip",) * 2)
DOUBLE = (torch.float64, None)


def box(n, m=None, length=1.0, layout=("cells", "cells")):
    return Grid((n, m or n), (length, 1.0), layout=layout)


def random_state(flow, channels, batch=2):
    generator = torch.Generator().manual_seed(0)
    shape = (batch, channels, *flow.mesh.grid.shape)
    return flow.encode(torch.randn(shape, generator=generator, dtype=torch.float64))


def velocity_of(flow, state):
    return flow.mesh.parts(state, flow.n_scalars)[:2]


def divergence_in(flow, state):
    return float(flow.mesh.divergence(velocity_of(flow, state)).abs().max())


@pytest.mark.parametrize(("layout", "boundary"), [(("periodic",) * 2, ()), (("cells",) * 2, FREE)])
def test_vortices_fade_at_second_order_without_divergence(layout, boundary):
    pde = ViscousFlow(0.04)
    (solution,) = pde.exact()
    errors = []
    for n in (16, 32):
        grid = box(n, layout=layout)
        flow = Flow.of(pde, grid, boundary, "uniform", DOUBLE)
        step = projection(pde, grid, 0.3, boundary=boundary)
        state = step.advance(step.encode(solution.on(grid, 0.0)))
        errors.append(float((step.decode(state) - solution.on(grid, 0.3)).abs().max()))
        assert divergence_in(flow, state) < 1e-13 * n
    assert errors[1] < 2e-3 and 1.7 < log2(errors[0] / errors[1]) < 2.4


def test_a_channel_settles_to_the_parabola():
    """The steady state of the scheme is known too: u = a (y (1 - y) + h^2 / 4) / (2 nu), h = 1/8."""
    grid = box(4, 8, 4.0, layout=("periodic", "cells"))
    step = projection(ViscousFlow(0.5, force=0.8), grid, 6.0, boundary=PLATES)
    u = step(torch.zeros(1, 2, 4, 8, dtype=torch.float64))
    y = grid.mesh()[1]
    torch.testing.assert_close(u[0, 0], 0.8 * (y * (1 - y) + 1 / 256), rtol=0, atol=1e-12)
    assert float(u[0, 1].abs().max()) < 1e-14


def test_two_plates_in_motion_make_a_linear_profile():
    boundary = (("periodic",) * 2, ("wall no_slip -1", "wall no_slip 3"))
    grid = box(4, 8, 4.0, layout=("periodic", "cells"))
    u = projection(ViscousFlow(0.5), grid, 6.0, boundary=boundary)(torch.zeros(1, 2, 4, 8, dtype=torch.float64))
    torch.testing.assert_close(u[0, 0], -1 + 4 * grid.mesh()[1], rtol=0, atol=1e-12)


def test_what_flows_in_flows_out_and_a_filled_channel_stays():
    """The parabola of the inflow runs through to the outlet; each section passes the same volume, to rounding."""
    grid = box(8, 12, 4.0)
    flow = Flow.of(ViscousFlow(0.1), grid, CHANNEL, "parabolic", DOUBLE)
    step = projection(ViscousFlow(0.1), grid, 4.0, boundary=CHANNEL)
    state = step.advance(step.encode(torch.zeros(1, 2, 8, 12, dtype=torch.float64)))
    u, v = velocity_of(flow, state)
    torch.testing.assert_close(u.mean(2), torch.ones(1, 9, dtype=torch.float64), rtol=0, atol=1e-12)
    y = grid.mesh()[1][0]
    torch.testing.assert_close(u[0, -1], 6 * y * (1 - y), rtol=0, atol=0.02)
    assert float(v.abs().max()) < 0.02 and divergence_in(flow, state) < 1e-12


@pytest.mark.parametrize("boundary", [FREE, CLOSED], ids=["free_slip", "no_slip"])
def test_advection_keeps_the_kinetic_energy(boundary):
    """Energy changes by the viscous loss alone: d/dt of |u|^2/2 over all faces is zero for a viscosity of 1e-30."""
    flow = Flow.of(ViscousFlow(1e-30), box(9, 7), boundary, "uniform", DOUBLE)
    state = random_state(flow, 2)
    power = (state * flow.rate(state)).sum(1)
    assert float((power / (state * state).sum(1)).abs().max()) < 1e-12


def test_heat_between_insulated_walls_is_kept_and_buoyancy_works():
    """Without plates along x the heat changes by what the plates conduct; the power of buoyancy is sum of v T."""
    pde, grid = RayleighBenard(1e4, 0.7), box(8, 8)
    flow = Flow.of(pde, grid, CLOSED, "uniform", DOUBLE)
    state = random_state(flow, 3)
    temperature = flow.mesh.parts(state, 1)[2]
    rate = flow.mesh.parts(flow.rate(state), 1)[2]
    kappa, h = pde.scalar_diffusivity, 1 / 8
    conducted = 2 * kappa / h**2 * ((1 - temperature[:, :, 0]) - temperature[:, :, -1]).sum(1)
    torch.testing.assert_close(rate.sum((1, 2)), conducted, rtol=1e-11, atol=1e-11)
    calm, warm = state.clone(), state.clone()
    calm[:, -64:] = 0.0
    work = ((flow.rate(warm) - flow.rate(calm)) * state)[:, :-64].sum(1)
    v = velocity_of(flow, state)[1]
    middle = (temperature[:, :, 1:] + temperature[:, :, :-1]) / 2
    torch.testing.assert_close(work, (v[:, :, 1:-1] * middle).sum((1, 2)), rtol=1e-10, atol=1e-11)


def test_a_batch_is_its_trajectories_one_by_one_and_steps_land_on_dt():
    """Each has steps of its own; the step of half of dt twice differs by its error in time alone."""
    ra = torch.tensor([1e4, 3e5], dtype=torch.float64).reshape(2, 1, 1, 1)
    grid = box(8, 8, 2.0, layout=("periodic", "cells"))
    generator = torch.Generator().manual_seed(1)
    u = torch.rand(2, 3, 8, 8, dtype=torch.float64, generator=generator)
    together = projection(RayleighBenard(ra), grid, 0.7, boundary=PLATES)(u)
    for row in range(2):
        alone = projection(RayleighBenard(float(ra[row])), grid, 0.7, boundary=PLATES)(u[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-13)
    half = projection(RayleighBenard(ra), grid, 0.35, boundary=PLATES)
    twice = half.decode(half.advance(half.advance(half.encode(u))))
    torch.testing.assert_close(twice, together, rtol=0, atol=1e-3)
    single = projection(RayleighBenard(ra), grid, 0.7, boundary=PLATES, dtype=torch.float32)(u)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), together, rtol=0, atol=1e-4)


def test_a_stored_frame_is_read_back_at_fourth_order():
    errors = []
    for n in (16, 32):
        grid = box(n, layout=("periodic",) * 2)
        flow = Flow.of(ViscousFlow(), grid, (), "uniform", DOUBLE)
        state = flow.encode(ViscousFlow(0.01).exact()[0].on(grid, 0.0))
        errors.append(float((flow.encode(flow.decode(state)) - state).abs().max()))
    assert errors[1] < 1e-3 and 3.7 < log2(errors[0] / errors[1]) < 4.4


# Published flows

HEIGHTS = [0.0547, 0.1016, 0.1719, 0.2813, 0.4531, 0.5, 0.6172, 0.7344, 0.8516, 0.9531, 0.9766]
ALONG_X = {
    100: [-0.03717, -0.06434, -0.1015, -0.15662, -0.2109, -0.20581, -0.13641, 0.00332, 0.23151, 0.68717, 0.84123],
    400: [-0.08186, -0.14612, -0.24299, -0.32726, -0.17119, -0.11477, 0.02135, 0.16256, 0.29093, 0.55892, 0.75837],
}
"""u on the vertical middle line: Ghia, Ghia and Shin (1982), table I."""
CENTRES = {100: (0.6172, 0.7344), 400: (0.5547, 0.6055)}
"""Of the primary vortex: the same, table V."""


@pytest.mark.slow
@pytest.mark.parametrize(("reynolds", "n", "t", "bound"), [(100, 32, 15.0, 4e-3), (400, 40, 32.0, 0.02)])
def test_a_lid_driven_cavity_is_the_published_one(reynolds, n, t, bound):
    grid = box(n)
    u = projection(ViscousFlow(1 / reynolds), grid, t, boundary=LID)(torch.zeros(1, 2, n, n, dtype=torch.float64))
    middle = u[0, 0, n // 2 - 1 : n // 2 + 1].mean(0)
    profile = CubicSpline([0, *grid.coordinates(1).tolist(), 1], [0, *middle.tolist(), 1])
    assert np.abs(profile(HEIGHTS) - ALONG_X[reynolds]).max() < bound
    psi = torch.cumsum(u[0, 0], 1) / n
    row, column = divmod(int(psi.abs().argmax()), n)
    assert abs((row + 0.5) / n - CENTRES[reynolds][0]) <= 1.1 / n
    assert abs((column + 1) / n - CENTRES[reynolds][1]) <= 1.1 / n


@pytest.mark.slow
def test_convection_begins_at_the_critical_rayleigh_number():
    """Growth rates in diffusive units are linear in Ra near 1708; second order: 1694 on 16 x 24 cells."""
    ra = torch.tensor([1650.0, 1750.0], dtype=torch.float64).reshape(2, 1, 1, 1)
    grid = box(12, 20, 2 * pi / CRITICAL_WAVENUMBER, layout=("periodic", "cells"))
    step = projection(RayleighBenard(ra), grid, 4.0, boundary=PLATES)
    x, y = grid.mesh()
    u = torch.zeros(2, 3, 12, 20, dtype=torch.float64)
    u[:, 2] = 1 - y + 1e-4 * torch.cos(CRITICAL_WAVENUMBER * x) * torch.sin(pi * y)
    state, sizes = step.encode(u), []
    for _ in range(4):
        state = step.advance(state)
        sizes.append(step.decode(state)[:, 1].flatten(1).norm(dim=1).log())
    growth = (sizes[-1] - sizes[-2]) * ra.flatten().sqrt()
    found = 1650 - 100 * float(growth[0] / (growth[1] - growth[0]))
    assert growth[0] < growth[1] and abs(found / CRITICAL - 1) < 0.02


@pytest.mark.slow
def test_rolls_carry_the_published_heat():
    """Nu = 2.116 at Ra = 5000, Pr = 0.71 and the critical wavenumber: Clever and Busse (1974); both plates agree."""
    n = 16
    grid = box(n, n, 2 * pi / CRITICAL_WAVENUMBER, layout=("periodic", "cells"))
    x, y = grid.mesh()
    u = torch.zeros(1, 3, n, n, dtype=torch.float64)
    u[:, 2] = 1 - y + 0.2 * torch.cos(CRITICAL_WAVENUMBER * x) * torch.sin(pi * y)
    u = projection(RayleighBenard(5000.0, 0.71), grid, 80.0, boundary=PLATES)(u)
    lower, upper = float(2 * n * (1 - u[0, 2, :, 0].mean())), float(2 * n * u[0, 2, :, -1].mean())
    assert abs(lower / 2.116 - 1) < 0.02 and abs(upper / lower - 1) < 1e-3


# Obstacles


@dataclass(frozen=True)
class Block(ViscousFlow):
    """A square body in a channel."""

    def solid(self, coordinates):
        x, y = coordinates
        return ((x - 0.75).abs() < 0.2) & ((y - 0.5).abs() < 0.2)


@pytest.fixture(scope="module")
def past_a_block():
    """Flow at Re = 8 past a square of width 0.375 after 1.5 units of time, on 32 x 16 cells: solver and state."""
    grid, pde = box(32, 16, 2.0), Block(0.05)
    step = projection(pde, grid, 1.5, boundary=CHANNEL)
    state = step.advance(step.encode(torch.zeros(1, 2, 32, 16, dtype=torch.float64)))
    return Flow.of(pde, grid, CHANNEL, "parabolic", DOUBLE), state


def test_no_fluid_enters_an_obstacle(past_a_block):
    flow, state = past_a_block
    for u, free in zip(velocity_of(flow, state), flow.obstacles.open, strict=True):
        assert (1 - free).any() and float((u * (1 - free)).abs().max()) == 0.0
    assert divergence_in(flow, state) < 1e-11
    u, v = velocity_of(flow, state)
    torch.testing.assert_close(u.mean(2), torch.ones(1, 33, dtype=torch.float64), rtol=0, atol=1e-11)
    torch.testing.assert_close(u, u.flip(2), rtol=0, atol=1e-10)  # as symmetric as the channel
    torch.testing.assert_close(v, -v.flip(2), rtol=0, atol=1e-10)
    gap, middle = float(u[0, 12, 1:4].mean()), float(u[0, 12, 7:9].mean())
    assert gap > 1.3 and middle == 0.0, "the flow is faster next to the body, and there is none inside"


@dataclass(frozen=True)
class Rib(ViscousFlow):
    """A body that stands on the lower wall."""

    def solid(self, coordinates):
        x, y = coordinates
        return ((x - 0.75).abs() < 0.2) & (y < 0.4)


@dataclass(frozen=True)
class Gate(ViscousFlow):
    """A wall at the outflow that leaves a gap."""

    def solid(self, coordinates):
        x, y = coordinates
        return (x > 1.7) & ((y < 0.25) | (y > 0.75))


@pytest.mark.parametrize("body", [Block, Rib, Gate])
def test_trajectories_of_a_batch_have_one_body_and_no_divergence(body):
    grid = box(16, 8, 2.0)
    flow = Flow.of(body(0.05), grid, CHANNEL, "parabolic", DOUBLE)
    state = random_state(flow, 2, batch=3)
    assert divergence_in(flow, state) < 1e-11 and divergence_in(flow, flow.rate(state)) < 1e-9
    for u, free, ends in zip(velocity_of(flow, state), flow.obstacles.open, flow.free, strict=True):
        assert float((u * (1 - free) * ends).abs().max()) == 0.0
    u = torch.randn(3, 2, 16, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(state[1:2], flow.encode(u[1:2]), rtol=0, atol=1e-12)


def test_a_body_in_an_inflow_is_refused():
    grid = box(16, 8, 1.0)  # the block begins at x = 0.55
    entering = (("outflow", "wall no_slip"), ("inflow 1", "wall no_slip"))
    shifted = Grid(grid.shape, grid.extent, (0.75, 0.0), grid.layout)
    Flow.of(Block(0.05), grid, entering, "uniform", DOUBLE)
    with pytest.raises(ValueError, match="expected bodies away from an inflow"):
        Flow.of(Block(0.05), shifted, CHANNEL, "parabolic", DOUBLE)


def test_a_body_is_dragged_along_the_flow(past_a_block):
    """Its forces on the fluid point upstream and balance what pressure and walls do not: no force across."""
    flow, state = past_a_block
    velocity = velocity_of(flow, state)
    rates = [flow._carried(velocity, axis) * flow.free[axis] for axis in range(2)]
    from_flow = [rate - flow.mesh.gradient(flow.pressure(flow.mesh.divergence(rates)), axis)
                 for axis, rate in enumerate(rates)]  # fmt: skip
    _, forces = flow.obstacles.kept_out(from_flow)
    along, across = (float(force.sum()) * (1 / 16) ** 2 for force in forces)
    assert -6.0 < along < -1.0 and abs(across) < 1e-8


# Refusals


@pytest.mark.parametrize(
    ("grid", "boundary", "options", "message"),
    [
        (box(8), CLOSED, {"inflow": "cubic"}, "an inflow among"),
        (box(8), CLOSED, {"courant": 0.0}, "Courant number above 0"),
        (box(8), (("dirichlet 1",) * 2,) * 2, {}, "ends among periodic, wall no_slip"),
        (box(8), (("wall",) * 2,) * 2, {}, "ends among periodic, wall no_slip"),
        (box(8), (("inflow 1", "wall no_slip"), ("wall no_slip",) * 2), {}, "expected an outflow"),
        (box(8), (("inflow speed", "outflow"), ("wall no_slip",) * 2), {}, "mean speed of an inflow as a number"),
        (box(3), CLOSED, {}, "at least 4 of them"),
        (box(8, layout=("nodes", "nodes")), CLOSED, {}, "set layout= to cells"),
        (Grid((8, 8, 8), (1.0,) * 3, layout=("cells",) * 3), (("wall no_slip",) * 2,) * 3, {}, "a plane box"),
    ],
)
def test_what_cannot_be_honoured_is_refused(grid, boundary, options, message):
    with pytest.raises(ValueError, match=message):
        projection(ViscousFlow(), grid, 0.1, boundary=boundary, **options)
