"""The start that the linear part of the equation carries: its value, its equation, its derivatives, what it refuses."""

import math
from functools import partial

import pytest
import torch

from pdekit.calculus.jets import Jet
from pdekit.calculus.taylor import Taylor, jet_derivatives, required
from pdekit.fields import Grid, Problem, Trajectory
from pdekit.models.pinn import PINN, Collocation, Form, Inverse, SecondOrder
from pdekit.models.pinn.ansatz import Ansatz
from pdekit.models.pinn.carried import Carried, resolving
from pdekit.nets.mlp import MLP
from pdekit.pdes.advection import Advection
from pdekit.pdes.allen_cahn import AllenCahn
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.initial_states import ParabolicCosine, Wave, Waves
from pdekit.pdes.korteweg_de_vries import KortewegDeVries
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky
from pdekit.pdes.navier_stokes_2d import NavierStokes2D
from pdekit.pdes.nonlinear_schroedinger import NonlinearSchroedinger
from pdekit.pdes.shallow_water import ShallowWater
from pdekit.pdes.wave import WaveEquation
from pdekit.settings import Training
from pdekit.solvers import etdrk

LINE = Grid((16,), (2.0,), (-1.0,))
SQUARE = Grid((8, 8), (2 * math.pi, math.pi), (0.3, -0.2))
ONE = Waves(1, (Wave(0, 0.7, (2 * math.pi,), 0.4), Wave(0, -0.3, (math.pi,), 1.0), Wave(0, 0.2, (0.0,))))
TWO = Waves(2, (*ONE.waves, Wave(1, 0.5, (math.pi,), -0.3)))
FLOW = Waves(1, (Wave(0, 0.5, (1.0, 2.0), 0.2), Wave(0, 0.4, (2.0, -4.0)), Wave(0, 0.3, (0.0, 2.0), 1.0)))
CASES = {
    "diffusion and growth": (AllenCahn(diffusivity=0.05, reaction=2.0), ONE, LINE),
    "dispersion": (KortewegDeVries(), ONE, LINE),
    "fourth order": (KuramotoSivashinsky(viscosity=0.02), ONE, LINE),
    "a complex field": (NonlinearSchroedinger(), TWO, LINE),
    "two coupled fields": (WaveEquation(speed=1.3), TWO, LINE),
    "two dimensions": (NavierStokes2D(viscosity=0.1), FLOW, SQUARE),
}


def somewhere(grid: Grid, n: int = 40, start: float = 0.5) -> torch.Tensor:
    """Points in the box and half a unit of time."""
    lower = torch.tensor([*grid.origin, start], dtype=torch.float64)
    return lower + torch.rand(n, grid.ndim + 1, dtype=torch.float64) * torch.tensor([*grid.extent, 0.5])


@pytest.mark.parametrize("case", CASES)
def test_the_start_is_the_initial_state(case):
    pde, state, grid = CASES[case]
    points = somewhere(grid)
    points[:, -1] = 0.5
    expected = torch.cat(state(points[:, :-1].split(1, 1)), 1)
    assert (Carried(state, pde, grid, 0.5, rate=3.0)(points) - expected).abs().max() < 1e-12


@pytest.mark.parametrize("case", CASES)
def test_it_solves_the_linear_equation_with_a_decay(case):
    """u_t = L u - a u, read by the calculus of the networks."""
    pde, state, grid = CASES[case]
    points, n = somewhere(grid), len(pde.fields)

    def missing(u, d):
        return d.t(u) - pde.linear(u, d) + 3.0 * u

    jet = Carried(state, pde, grid, 0.5, rate=3.0)(Jet.of_points(points, required(missing, grid.ndim, n)))
    d = Taylor(points.split(1, 1), jet_derivatives(jet), n)
    largest = pde.linear(d.field, d).value.abs().max()
    assert missing(d.field, d).value.abs().max() < 1e-12 * largest


@pytest.mark.parametrize("case", CASES)
def test_derivatives_are_those_of_autograd(case):
    pde, state, grid = CASES[case]
    carried, points = Carried(state, pde, grid, 0.5, rate=1.0), somewhere(grid).requires_grad_()
    orders = [tuple(int(a == axis) for a in range(grid.ndim + 1)) for axis in range(grid.ndim + 1)]
    twice = (2, *[0] * (grid.ndim - 1), 1)
    jet = carried(Jet.of_points(points.detach(), (twice, *orders)))
    for channel in range(len(pde.fields)):
        u = carried(points)[:, channel]
        gradient = torch.autograd.grad(u.sum(), points, create_graph=True)[0]
        for axis, order in enumerate(orders):
            assert torch.allclose(jet.derivative(order)[:, channel], gradient[:, axis], rtol=1e-11, atol=1e-11)
        for axis in (0, 0):
            u = torch.autograd.grad(u.sum(), points, create_graph=True)[0][:, axis]
        u = torch.autograd.grad(u.sum(), points)[0][:, -1]
        assert torch.allclose(jet.derivative(twice)[:, channel], u, rtol=1e-10, atol=1e-9 * u.abs().max())


def test_a_linear_equation_is_solved_before_any_training():
    """What is carried is the solver's answer, and a net of zeros leaves no residual."""
    pde = WaveEquation(speed=1.3)
    problem = Problem(LINE, pde.fields, dt=0.1, n_frames=6, pde=pde, instance=TWO)
    model = PINN(problem, partial(MLP, width=4, depth=1), form=Form("carried"), collocation=Collocation(64)).double()
    with torch.no_grad():
        for p in model.solution.nets.parameters():
            p.zero_()
    model.before_step(model.stages(Training(steps=1))[0], 0)
    assert model.loss(next(iter(model.batches(None))))[0] < 1e-22
    u, step = model.solution.frames(torch.tensor([0.0, 0.5])), etdrk(pde, LINE, 0.5)
    assert (step(u[:1]) - u[1:]).abs().max() < 1e-12


@pytest.mark.parametrize("case", ["diffusion and growth", "a complex field", "two dimensions"])
def test_both_kinds_of_derivatives_give_the_same_loss(case):
    pde, state, grid = CASES[case]
    problem = Problem(grid, pde.fields, dt=0.1, n_frames=6, pde=pde, instance=state)
    losses = []
    for derivatives in ("taylor", "nested"):
        torch.manual_seed(0)
        options = dict(form=Form("carried", 4.0, derivatives=derivatives), collocation=Collocation(32))
        model = PINN(problem, partial(MLP, width=6, depth=1), **options).double()
        model.before_step(model.stages(Training(steps=1))[0], 0)
        losses.append(model.loss(next(iter(model.batches(None))))[0].item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)


def test_new_points_get_their_own_start():
    """What is kept of it belongs to the points."""
    pde, state, grid = CASES["diffusion and growth"]
    problem = Problem(grid, pde.fields, dt=0.1, n_frames=6, pde=pde, instance=state)
    options = dict(form=Form("carried", n_windows=2), collocation=Collocation(32, every=1), second=SecondOrder(steps=2))
    model = PINN(problem, partial(MLP, width=6, depth=1), **options).double()
    stages = model.stages(Training(steps=8))
    for stage, step in ((stages[0], 0), (stages[0], 1), (stages[1], 0), (stages[2], 0), (stages[3], 1)):
        model.before_step(stage, step)
        loss = model.loss(next(iter(model.batches(None))))[0]
        fresh = model.squares(model.cloud.points, int(model.window_now)).mean(1).sum()
        assert loss.item() == pytest.approx(fresh.item(), rel=1e-12)
    ends = [model.solution.frames(torch.tensor([0.25]), window) for window in (0, 1)]
    assert (ends[0] - ends[1]).abs().max() < 1e-9, "the second window starts from the end of the first"


def test_a_kink_is_smoothed_from_the_start():
    """At a distance z from x = 1 the second derivative of x^2 cos(pi x) is 4 delta(z) + pi^2 - 2 - 6 pi^2 |z| + ...:
    under diffusion, u_xx = 4 / sqrt(4 pi D t) + pi^2 - 2 - 6 pi^2 sqrt(4 D t / pi) at z = 0."""
    grid, diffusivity = Grid((1024,), (2.0,), (-1.0,)), 1e-4
    carried = Carried(ParabolicCosine(), AllenCahn(diffusivity, 5.0), grid, 0.0, rate=15.0)
    for t in (0.01, 0.1, 1.0):
        jet = carried(Jet.of_points(torch.tensor([[-1.0, t]], dtype=torch.float64), ((2, 0),)))
        spread = math.sqrt(4 * diffusivity * t)
        expected = 4 / (math.sqrt(math.pi) * spread) + math.pi**2 - 2 - 6 * math.pi**1.5 * spread
        found = jet.derivative((2, 0)).item() * math.exp(10 * t)
        assert found == pytest.approx(expected, rel=2e-4 / t), "4096 points do not hold the first moments"
    x = torch.linspace(-1, 1, 3001, dtype=torch.float64)[:, None]
    error = carried(torch.cat((x, 0 * x), 1)) - x * x * torch.cos(math.pi * x)
    assert error.abs().max() < 2e-4 and error.square().mean().sqrt() < 4e-6, "what the docstring says is left out"


def test_modes_that_have_decayed_are_left_out_to_within_rounding():
    """Points of one time next to the same points among others of all times."""
    grid = Grid((1024,), (2.0,), (-1.0,))
    carried = Carried(ParabolicCosine(), AllenCahn(), grid, 0.0, rate=15.0)
    late = somewhere(grid, 50, start=0.4)
    early = torch.cat((late[:, :1], torch.full_like(late[:, :1], 1e-4)), 1)
    together = carried.derivatives(torch.cat((late, early)), ((0, 0), (2, 0)))[:, :50]
    alone = torch.cat([carried.derivatives(point[None], ((0, 0), (2, 0))) for point in late], 1)
    assert (together - alone).abs().amax((1, 2)).div(alone.abs().amax((1, 2))).max() < 1e-10


def test_a_smooth_state_needs_no_finer_grid_and_a_kink_the_finest():
    assert resolving(ONE, LINE) == LINE
    assert resolving(ParabolicCosine(), LINE).shape == (4096,)
    high = Waves(1, (Wave(0, 1.0, (7 * math.pi,)),))
    assert resolving(high, LINE).shape == (32,)


def test_fields_keep_float32_points_and_the_outputs_beyond_them():
    form = Ansatz(
        FLOW, SQUARE, (0.5, 2.5), torch.tensor([3.0]), Form("carried", 1.0), ((False, False),) * 2, NavierStokes2D()
    )
    points = somewhere(SQUARE).float()
    points[:, -1] = 0.5
    outputs = torch.randn(len(points), 2)
    u = form.fields(outputs, form.known(points))
    assert u.dtype == torch.float32 and torch.equal(u[:, 1:], outputs[:, 1:])
    assert (u[:, :1] - FLOW(points[:, :2].split(1, 1))[0]).abs().max() < 1e-5


def test_what_cannot_be_carried_is_refused():
    wall = Grid((16,), (2.0,), (-1.0,), ("nodes",))
    drift = Waves(2, (Wave(1, 0.5, (0.0,)),))
    for pde, state, grid, message in (
        (AllenCahn(), ONE, wall, "layout"),
        (ShallowWater(), TWO, LINE, "ShallowWater"),
        (WaveEquation(), drift, LINE, "eigenvectors"),
    ):
        with pytest.raises(ValueError, match=message):
            Carried(state, pde, grid, 0.0)
    problem = Problem(LINE, (Burgers.fields), dt=0.1, n_frames=6, pde=Burgers(), instance=ONE)
    with pytest.raises(ValueError, match="need to know them"):
        PINN(problem, partial(MLP, width=4), form=Form("carried"), inverse=Inverse({"viscosity": 0.1}))


def test_advection_is_carried_exactly():
    shifted = Carried(ONE, Advection(velocity_x=0.5), LINE, 0.0)
    points = somewhere(LINE)
    assert (shifted(points) - ONE((points[:, :1] - 0.5 * points[:, 1:],))[0]).abs().max() < 1e-12


def test_a_forecast_begins_with_the_state():
    pde, state, grid = CASES["diffusion and growth"]
    problem = Problem(grid, pde.fields, dt=0.1, n_frames=6, pde=pde, instance=state)
    model = PINN(problem, partial(MLP, width=4, depth=1), form=Form("carried", 6.0))
    u = torch.cat(state((grid.coordinates(0)[:, None],)), 1).mT.float()[None, None]
    found = model.forecast(Trajectory(u, torch.zeros(1, 1)), torch.tensor([[0.0, 0.3]]))
    assert (found[0, 0, 0] - u[0, 0]).abs().max() < 1e-6 and found.dtype == torch.float32


def test_the_mode_at_nyquist_is_not_carried():
    """Its phase is not known from the samples; the rest of the start stays what it is."""
    n, grid = 4096, Grid((4096,), (2 * math.pi,))
    low = Waves(1, (Wave(0, 0.7, (3.0,), 0.4),))
    state = Waves(1, (*low.waves, Wave(0, 0.5, (n / 2,), 0.0)))
    points = somewhere(grid)
    points[:, -1] = 0.5
    expected = torch.cat(low(points[:, :-1].split(1, 1)), 1)
    assert (Carried(state, AllenCahn(diffusivity=0.05), grid, 0.5)(points) - expected).abs().max() < 1e-11
