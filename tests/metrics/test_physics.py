"""Residuals and integrals: what they are for exact solutions, what they see, and where they are defined."""

import math
from inspect import isabstract

import pytest
import torch

from pdekit import pdes
from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.physics import has_residual, kept_integrals, near, places_of, residual
from pdekit.pdes import Advection, Diffusion, KuramotoSivashinsky, NavierStokes2D
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.wave import WaveEquation
from pdekit.solvers import etdrk


def residual_norm(u, problem, params=None):
    found = residual(u, problem, params)
    return found.norm, found.scale


def problem_of(pde, grid, dt, params=()):
    return Problem(grid, pde.fields, dt=dt, n_frames=5, pde=pde, params=params)


def decaying(dt, frames, rate=1.0, wave=1):
    x = Grid((16,), (2 * math.pi,)).coordinates(0)
    return torch.stack([math.exp(-rate * n * dt) * torch.sin(wave * x) for n in range(frames)])[None, :, None]


def test_the_residual_of_an_exact_solution_falls_with_the_square_of_the_distance_of_frames():
    shares = []
    for dt in (0.2, 0.1, 0.05):
        problem = problem_of(Diffusion(diffusivity=1.0), Grid((16,), (2 * math.pi,)), dt)
        norm, scale = residual_norm(decaying(dt, 3), problem)
        assert norm.shape == (1, 1)
        shares.append((norm / scale).item())
    # (sinh(dt)/dt - 1) exp(-dt) over the same with sinh(dt)/dt: dt^2/6 to leading order
    assert shares == pytest.approx([1 - dt / math.sinh(dt) for dt in (0.2, 0.1, 0.05)], rel=1e-9)


def test_a_wrong_rate_is_a_residual():
    # decay at rate 3 under diffusivity 1: u_t - u_xx = -3 u + u
    problem = problem_of(Diffusion(diffusivity=1.0), Grid((16,), (2 * math.pi,)), 1e-4)
    norm, scale = residual_norm(decaying(1e-4, 3, rate=3.0), problem)
    assert (norm / scale).item() == pytest.approx(2 / 3, rel=1e-6)
    assert norm.item() == pytest.approx(2 / math.sqrt(2), rel=1e-3)


def test_parameters_and_steps_may_vary():
    dt, nu = torch.tensor([[0.05, 0.1], [1.0, 0.5]], dtype=torch.float64)
    problem = problem_of(Diffusion(), Grid((16,), (2 * math.pi,)), 0.07, params=("dt", "diffusivity"))
    u = torch.cat([decaying(0.05, 4), decaying(0.1, 4, rate=0.5)])
    norm, scale = residual_norm(u, problem, torch.stack([dt, nu], 1))
    expected = [1 - z / math.sinh(z) for z in (0.05, 0.05)]
    for frame in range(2):
        assert (norm / scale)[:, frame].tolist() == pytest.approx(expected, rel=1e-5)
    exchanged, _ = residual_norm(u, problem, torch.stack([dt, nu.flip(0)], 1))
    assert (exchanged > 5 * norm).all()


def test_bounded_axes_have_finite_differences():
    grid = Grid((41,), (1.0,), layout=("nodes",))
    x = grid.coordinates(0)
    problem = Problem(grid, Advection().fields, dt=0.001, n_frames=5, pde=Advection())
    u = torch.stack([torch.sin(3 * (x - Advection().velocity_x * 0.001 * n)) for n in range(3)])[None, :, None]
    norm, scale = residual_norm(u, problem)
    assert (norm / scale).item() < 1e-3


def test_a_flow_whose_velocity_is_solved_for():
    pde, grid = NavierStokes2D(viscosity=0.01, forcing=0.0), Grid((32, 32), (2 * math.pi,) * 2)
    x, y = grid.mesh()
    frames = [(torch.cos(x) * torch.cos(2 * y) + torch.sin(3 * x + y))[None, None]]
    step = etdrk(pde, grid, 1e-3)
    for _ in range(4):
        frames.append(step(frames[-1]))
    u = torch.stack(frames, 1)
    norm, scale = residual_norm(u, problem_of(pde, grid, 1e-3))
    assert (norm < 1e-4 * scale).all()
    turned, _ = residual_norm(-u, problem_of(pde, grid, 1e-3))
    assert (turned > 0.1 * scale).all(), "the flow backwards is no solution"
    found = kept_integrals(u, problem_of(pde, grid, 1e-3))
    assert set(found) == {"energy", "enstrophy", "circulation"}
    assert found["enstrophy"][0, 0].item() == pytest.approx((0.25 + 0.5) / 2 * 4 * math.pi**2)
    assert (found["energy"].diff(dim=1) < 0).all()


def test_divergence_is_infinite_and_stays_with_its_sample_and_its_neighbours():
    problem = problem_of(Burgers(0.1), Grid((16,), (2 * math.pi,)), 0.1)
    u = torch.randn(2, 6, 1, 16, dtype=torch.float64)
    clean, _ = residual_norm(u, problem)
    u[1, 3, 0, 5] = math.nan
    norm, _ = residual_norm(u, problem)
    assert norm.isinf().tolist() == [[False] * 4, [False, True, True, True]]
    torch.testing.assert_close(norm[~norm.isinf()], clean[~norm.isinf()])
    assert kept_integrals(u, problem)["mass"].isinf().tolist() == [[False] * 6, [False] * 3 + [True] + [False] * 2]


def test_places_share_out_the_residual():
    grid = Grid((12, 10), (2.0, 1.0), layout=("cells", "periodic"))
    problem = problem_of(Diffusion(diffusivity=0.3), grid, 0.1)
    u = torch.randn(2, 4, 1, 12, 10, dtype=torch.float64)
    found = residual(u, problem)
    assert tuple(found.places) == places_of(problem) == ("interior", "boundary")
    shared = (100 * found.places["interior"] ** 2 + 20 * found.places["boundary"] ** 2) / 120
    torch.testing.assert_close(shared, found.norm**2)
    assert not residual(u[..., :10, :], problem_of(Diffusion(), Grid((10, 10), (1.0, 1.0)), 0.1)).places


def test_an_error_at_an_obstacle_is_one_of_the_interface():
    grid, dt = Grid((24, 20), (2 * math.pi,) * 2), 1e-3
    pde = Diffusion(diffusivity=1.0)
    problem = Problem(grid, pde.fields, dt=dt, n_frames=5, pde=pde, has_mask=True)
    assert has_residual(problem) and places_of(problem) == ("interior", "interface")
    x, y = grid.mesh()
    wave = torch.sin(3 * x) * torch.sin(2 * y)
    u = torch.stack([math.exp(-13 * n * dt) * wave for n in range(4)])[None, :, None]
    mask = torch.ones(1, 1, 24, 20)
    mask[..., 8:13, 5:10] = 0
    u = u.masked_fill(mask.unsqueeze(1) == 0, math.nan)  # never looked at
    found = residual(u, problem, mask=mask)
    # fourth-order differences know the wave; the cut to zero is a jump of it, and the equation does not say that
    assert (found.places["interior"] < 0.02 * found.scale).all()
    assert (found.places["interface"] > 0.2 * found.scale).all()
    touched = u.clone()
    touched[0, :, 0, 14, 7] += 0.1  # two points away from the obstacle
    far = u.clone()
    far[0, :, 0, 20, 15] += 0.1
    assert (residual(touched, problem, mask=mask).places["interface"] != found.places["interface"]).all()
    assert (residual(far, problem, mask=mask).places["interface"] == found.places["interface"]).all()


def test_neighbours_end_at_a_wall_and_go_around_a_period():
    grid = Grid((6, 6), (1.0, 1.0), layout=("nodes", "periodic"))
    points = torch.zeros(1, 6, 6, dtype=torch.bool)
    points[0, 0, 0] = True
    found = {(int(i), int(j)) for _, i, j in near(points, grid, 2).nonzero()}
    assert found == {(0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (0, 4), (0, 5), *found} and (5, 0) not in found


def test_where_it_is_defined():
    grid = Grid((16,), (22.0,))
    assert has_residual(problem_of(KuramotoSivashinsky(), grid, 0.5))
    assert not has_residual(Problem(grid, (Field("u"),), dt=0.5, n_frames=5))
    assert not has_residual(Problem(grid, (Field("u"), Field("v")), dt=0.5, n_frames=5, pde=KuramotoSivashinsky()))
    walls = Grid((8, 8), (1.0, 1.0), layout=("nodes", "nodes"))
    assert not has_residual(problem_of(NavierStokes2D(), walls, 0.5)), "the streamfunction is not among the fields"
    with pytest.raises(ValueError, match="at least 3 frames"):
        residual_norm(torch.zeros(1, 2, 1, 16), problem_of(KuramotoSivashinsky(), grid, 0.5))


def equations():
    found = {
        name: value for name, value in vars(pdes).items() if isinstance(value, type) and hasattr(value, "residual")
    }
    in_time = [v for v in found.values() if not isabstract(v) and not v.coeffs and not issubclass(v, pdes.SteadyPDE)]
    return [(value, ndim) for value in in_time for ndim in value().dims if ndim]


@pytest.mark.parametrize("equation, ndim", equations(), ids=lambda v: getattr(v, "__name__", str(v)))
def test_every_equation_can_be_asked(equation, ndim):
    pde, grid = equation(), Grid((8,) * ndim, (2 * math.pi,) * ndim)
    problem = problem_of(pde, grid, 0.1)
    still = torch.ones(2, 1, len(pde.fields), *grid.shape).expand(-1, 4, *[-1] * (ndim + 1))
    rough = still + 0.1 * torch.rand(2, 4, len(pde.fields), *grid.shape)
    assert has_residual(problem)
    norm, _ = residual_norm(rough, problem)
    assert norm.shape == (2, 2) and norm.isfinite().all() and (norm > 0).all()
    assert (residual_norm(still, problem)[1] == 0).all(), "nothing moves"
    for values in kept_integrals(still, problem).values():
        torch.testing.assert_close(values, values[:, :1].expand(-1, 4))


def test_the_norm_of_two_equations_is_the_root_of_their_mean_square():
    """u = 0 and v = 2 at all times leave u_t - v = -2 of the first equation, and nothing of the second."""
    problem = problem_of(WaveEquation(speed=1.0), Grid((16,), (2 * math.pi,)), 0.1)
    u = torch.tensor([0.0, 2.0], dtype=torch.float64)[:, None].expand(1, 3, 2, 16)
    assert residual(u, problem).norm.item() == pytest.approx(math.sqrt(2), rel=1e-12)
