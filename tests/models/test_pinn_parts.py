"""Points, weights of terms, and conditions by construction."""

import math

import pytest
import torch

from pdekit.calculus.jets import Jet
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.models.pinn.ansatz import Ansatz
from pdekit.models.pinn.balancing import gradient_norm_weights, residual_weights
from pdekit.models.pinn.collocation import Collocation, columns_of, rad_density
from pdekit.models.pinn.form import Form
from pdekit.models.pinn.inverse import Inverse, Unknowns
from pdekit.pdes.allen_cahn import AllenCahn
from pdekit.pdes.initial_states import ParabolicCosine, Sech, Wave, Waves, interpolated, sampled

LOWER = torch.tensor([-1.0, 0.0], dtype=torch.float64)
UPPER = torch.tensor([1.0, 2.0], dtype=torch.float64)


def peak(points):
    """A residual that is large near (0.5, 1)."""
    return torch.exp(-50 * ((points[:, 0] - 0.5) ** 2 + (points[:, 1] - 1) ** 2))


@pytest.mark.parametrize("sampling", ["uniform", "sobol", "rad"])
def test_points_lie_in_the_box_and_fill_it(sampling):
    points = Collocation(512, sampling).draw(LOWER, UPPER, lambda p: torch.ones(len(p), dtype=p.dtype))
    assert points.shape == (512, 2) and points.dtype == torch.float64
    assert (points >= LOWER).all() and (points <= UPPER).all()
    counts = torch.histogramdd(points, bins=[4, 4])[0]
    assert counts.min() > 8, "32 expected in each cell"


def test_a_grid_is_a_product_in_the_order_of_time_and_can_be_taken_apart():
    lower, upper = torch.tensor([0.0, 10.0, 20.0]), torch.tensor([1.0, 11.0, 21.0])
    points = Collocation(27, "grid").draw(lower, upper, peak)
    assert (points >= lower).all() and (points <= upper).all() and (points[:, 2].diff() >= 0).all()
    x, y, t = columns_of(points, 3)
    assert all(len(column.unique()) == 3 for column in (x, y, t))
    assert torch.equal(points, torch.stack([torch.cat((a, b, c)) for c in t for a in x for b in y]))
    with pytest.raises(ValueError, match="try 25"):
        Collocation(27, "grid").side(2)


def test_sobol_points_are_more_even_than_random_ones():
    def unevenness(sampling):
        points = Collocation(256, sampling).draw(LOWER, UPPER, peak)
        return torch.histogramdd(points, bins=[8, 8])[0].std()

    assert unevenness("sobol") < 0.5 * unevenness("uniform")


def test_residual_adaptive_points_gather_where_the_residual_is_large():
    def inside(points):
        return ((points - torch.tensor([0.5, 1.0])).abs() < 0.25).all(1).double().mean()

    uniform = inside(Collocation(1024, "uniform").draw(LOWER, UPPER, peak))
    adaptive = inside(Collocation(1024, "rad", pool=8).draw(LOWER, UPPER, peak))
    everywhere = inside(Collocation(1024, "rad", pool=8, c=1e6).draw(LOWER, UPPER, peak))
    assert adaptive > 3 * uniform
    assert everywhere < 1.5 * uniform


def test_density_is_that_of_the_formula_and_survives_extremes():
    r = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert torch.allclose(rad_density(r, 2.0, 0.5), r**2 / (14 / 3) + 0.5)
    assert torch.equal(rad_density(0 * r, 1.0, 1.0), torch.ones(3))
    assert torch.equal(rad_density(torch.tensor([1.0, math.inf]), 1.0, 1.0), torch.ones(2))


def test_drawing_is_a_function_of_the_seed():
    def draw():
        torch.manual_seed(3)
        return Collocation(64, "rad").draw(LOWER, UPPER, peak)

    assert torch.equal(draw(), draw())


def test_gradient_balancing_makes_gradients_equally_long():
    x = torch.randn(6, dtype=torch.float64, requires_grad=True)
    losses = [(1000 * x[:3]).square().sum(), x[2:].square().sum(), (0.01 * x).sum()]
    weights = torch.ones(3, dtype=torch.float64)
    for _ in range(400):
        weights = gradient_norm_weights(losses, [x], weights)
    norms = [
        (w * torch.autograd.grad(loss, x, retain_graph=True)[0]).norm() for w, loss in zip(weights, losses, strict=True)
    ]
    assert max(norms) < 1.0001 * min(norms)


def test_attention_grows_where_the_residual_stays_large_and_is_bounded():
    squares, weights = torch.tensor([1.0, 0.01, 0.0], dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    for _ in range(20_000):
        weights = residual_weights(squares, weights)
    assert torch.allclose(weights, torch.tensor([10.0, 1.0, 0.0], dtype=torch.float64), atol=1e-6)


def ansatz(layout="periodic", **options):
    grid = Grid((32,), (2.0,), (-1.0,), (layout,))
    kept = ((layout != "periodic",) * 2,)
    return Ansatz(ParabolicCosine(), grid, (0.5, 2.5), torch.tensor([3.0]), Form(**options), kept)


def test_the_initial_state_is_exact_whatever_the_net_says():
    form, x = ansatz(decay=4.0), torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]
    points = torch.cat((x, torch.full_like(x, 0.5)), 1)
    outputs = torch.randn(9, 2, dtype=torch.float64)
    u = form.fields(outputs, form.known(points))
    assert torch.equal(u[:, :1], x * x * torch.cos(math.pi * x))
    assert torch.equal(u[:, 1:], outputs[:, 1:]), "auxiliary outputs are not touched"


def test_the_share_of_the_initial_state_fades_and_that_of_the_net_grows():
    form, points = ansatz(decay=4.0), torch.tensor([[0.7, 2.5]], dtype=torch.float64)
    start = 0.49 * math.cos(0.7 * math.pi)
    u = form.fields(torch.tensor([[2.0]], dtype=torch.float64), form.known(points))
    assert u.item() == pytest.approx(start * math.exp(-4) + 3 * 2.0)


@pytest.mark.parametrize("initial", ["hard", "soft"])
def test_fields_keep_their_initial_values_at_walls(initial):
    form = ansatz("nodes", initial=initial)
    points = torch.tensor([[-1.0, 1.3], [1.0, 2.1], [0.0, 1.3]], dtype=torch.float64)
    for outputs in torch.randn(3, 3, 1, dtype=torch.float64):
        u = form.fields(outputs, form.known(points))
        assert u[:2, 0].tolist() == pytest.approx([-1.0, -1.0], abs=1e-14)
        assert abs(u[2, 0]) > 1e-3


def test_a_soft_start_on_a_periodic_box_is_the_net_alone():
    form, points = ansatz(initial="soft"), torch.rand(4, 2, dtype=torch.float64)
    outputs = torch.randn(4, 1, dtype=torch.float64)
    assert torch.equal(form.fields(outputs, form.known(points)), 3 * outputs)


def test_wrong_ansatz_is_refused():
    with pytest.raises(ValueError, match="among"):
        ansatz(initial="none")
    with pytest.raises(ValueError, match="decay"):
        ansatz(initial="soft", decay=1.0)


@pytest.mark.parametrize("shape", [(16,), (8, 6)])
def test_samples_become_a_trigonometric_polynomial_and_come_back(shape):
    grid = Grid(shape, (2.0, 5.0)[: len(shape)], (-1.0, 0.3)[: len(shape)])
    u = torch.randn(2, *shape, dtype=torch.float64)
    assert (sampled(interpolated(u, grid), grid) - u).abs().max() < 1e-12


def test_the_polynomial_is_right_between_the_samples():
    grid = Grid((16, 16), (2 * math.pi, math.pi))
    waves = Waves(1, (Wave(0, 0.7, (3.0, -4.0), 0.4), Wave(0, -1.1, (0.0, 2.0), 1.0), Wave(0, 0.2, (0.0, 0.0))))
    found, fine = interpolated(sampled(waves, grid), grid), grid.resized((36, 40))
    assert len(found.waves) == 3
    assert (sampled(found, fine) - sampled(waves, fine)).abs().max() < 1e-12


@pytest.mark.parametrize("state", [ParabolicCosine(), Sech(2.0, 0.5, 0.1, 2), Waves(2, (Wave(1, 2.0, (3.0,), 0.2),))])
def test_initial_states_carry_derivatives(state):
    x = torch.linspace(-0.9, 0.8, 5, dtype=torch.float64)[:, None].requires_grad_()
    jet = torch.cat(state((Jet.of_points(x.detach(), [(4,)]),)), -1)
    for channel, value in enumerate(state((x,))):
        for order in range(5):
            assert torch.allclose(jet.derivative((order,))[:, channel : channel + 1], value, atol=1e-10)
            value = torch.autograd.grad((value + 0 * x).sum(), x, create_graph=True)[0]


def test_samples_between_walls_are_refused():
    with pytest.raises(ValueError, match="periodic"):
        interpolated(torch.zeros(1, 8, dtype=torch.float64), Grid((8,), (1.0,), layout=("nodes",)))


def test_balanced_weights_are_those_of_the_formula():
    """Gradients of length 3 and 4: weights 7/3 and 7/4, of which a tenth is taken."""
    x = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    found = gradient_norm_weights([3 * x[0], 4 * x[1]], [x], torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert found.tolist() == pytest.approx([0.9 + 0.7 / 3, 1.8 + 0.7 / 4], rel=1e-12)


def test_noise_is_a_share_of_the_deviation_of_each_field():
    grid = Grid((64,), (1.0,))
    u = torch.stack([100 + 5 * torch.sin(2 * math.pi * grid.coordinates(0)), 0.1 * torch.cos(2 * math.pi *
                     grid.coordinates(0))])  # fmt: skip
    batch = Trajectory(u=u.expand(1, 3, 2, 64), t=torch.arange(3.0)[None], index=torch.tensor([0]))
    problem = Problem(grid, (Field("a"), Field("b")), dt=1.0, n_frames=3, pde=AllenCahn())
    seen = []
    for noise in (0.0, 0.2):
        unknowns = Unknowns(Inverse({"diffusivity": 1.0}, n_observations=20_000, noise=noise), problem)
        unknowns.observe([batch], problem)
        seen.append(unknowns.observed.double())
    deviation = (seen[1] - seen[0]).std(0)
    assert deviation.tolist() == pytest.approx([0.2 * 5 / math.sqrt(2), 0.02 / math.sqrt(2)], rel=0.03)
