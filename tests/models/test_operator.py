"""The operator method: steady and in time, sensors and queries on other grids, masks, spans."""

import dataclasses
from functools import partial

import pytest
import torch

from pdekit.fields import Field, Grid
from pdekit.models.operator import Operator, shifted
from pdekit.nets.branch import PerceptronBranch
from pdekit.nets.deeponet import DeepONet, PODDeepONet, Trunk
from pdekit.nets.operator_net import OperatorNet
from pdekit.pdes import Burgers, NavierStokes2D
from tests.models.small import make_batch, make_problem

BRANCH = partial(PerceptronBranch, width=16, depth=2)
NET = partial(DeepONet, branch=BRANCH, trunk=Trunk(8, width=16, depth=2))
POD = partial(PODDeepONet, branch=BRANCH, n_modes=2)
STEADY = dict(dt=None, n_frames=1, coeffs=(Field("c"),))
NODES = Grid((9, 7), (2.0, 1.0), layout=("nodes", "nodes"))


def calibrated(problem, net=NET, n=4, **options):
    torch.manual_seed(0)
    model = Operator(problem, net, **options).double()
    batch = make_batch(problem, n)
    model.calibrate([batch])
    return model, batch


@pytest.mark.parametrize("net", [NET, POD])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"params": ("p", "q")},
        {"has_mask": True},
        STEADY,
        {**STEADY, "grid": NODES, "has_mask": True, "params": ("p",)},
    ],
)
def test_loss_is_that_of_the_forecast(net, changes):
    """The mean squared error of the normalised forecast, inside the mask."""
    problem = make_problem(**changes)
    model, batch = calibrated(problem, net)
    loss, _ = model.loss(batch)
    given = batch.frames(slice(0, model.history))
    u = model.forecast(given, batch.t[:, model.history :])[0]
    error = model.normaliser.encode(u) - model.normaliser.encode(batch.u[:, model.history :])
    inside = torch.ones_like(error) if batch.mask is None else batch.mask[:, None].expand_as(error)
    assert float(loss.detach()) == pytest.approx(float((error.square() * inside).sum() / inside.sum()), rel=1e-10)


@pytest.mark.slow
def test_some_points_estimate_the_loss_at_all_of_them():
    problem = make_problem()
    model, batch = calibrated(problem)
    whole = float(model.loss(batch)[0].detach())
    model.n_points = 11
    drawn = torch.tensor([float(model.loss(batch)[0].detach()) for _ in range(400)])
    assert abs(float(drawn.mean()) - whole) < 4 * float(drawn.std()) / 20 and drawn.std() > 0


def test_a_sample_is_forecast_alone_as_in_a_batch_and_times_may_be_any():
    model, batch = calibrated(make_problem())
    given, t = batch.frames(slice(0, 1)), batch.t[:, 1:]
    u = model.forecast(given, t, members=2)
    assert u.shape == (2, 4, 5, 2, 8) and torch.equal(u[0], u[1])
    assert torch.allclose(model.forecast(given.samples(slice(2, 3)), t[2:3])[0], u[0, 2:3], atol=1e-12)
    between = model.forecast(given, t[:, 1:2] + 0.1)
    assert not torch.allclose(between[:, :, 0], u[:, :, 1], atol=1e-6)
    assert torch.allclose(model.forecast(given, t[:, 2:4])[0], u[0, :, 2:4], atol=1e-12)


def test_times_beyond_the_span_are_refused():
    model, batch = calibrated(make_problem())
    with pytest.raises(ValueError, match=r"times up to 2\.5 after the last given frame"):
        model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:] + 0.5)
    uneven = batch.t[:, 1:] + torch.arange(4)[:, None] * 0.01
    with pytest.raises(ValueError, match="same times"):
        model.forecast(batch.frames(slice(0, 1)), uneven)


def test_a_smooth_input_on_another_grid_gives_the_same_solution():
    """Periodic: the sensors see the same samples exactly. Bounded: nodes of a grid twice as fine coincide."""
    x = Grid((8,), (2.0,)).coordinates(0)
    model, batch = calibrated(make_problem())
    smooth = dataclasses.replace(batch.frames(slice(0, 1)), u=torch.sin(torch.pi * x).expand(4, 1, 2, 8).clone())
    fine_x = Grid((24,), (2.0,)).coordinates(0)
    fine = dataclasses.replace(smooth, u=torch.sin(torch.pi * fine_x).expand(4, 1, 2, 24).clone())
    t = batch.t[:, 1:]
    assert torch.allclose(model.forecast(fine, t)[..., ::3], model.forecast(smooth, t), atol=1e-10)

    model, batch = calibrated(make_problem(**STEADY, grid=NODES))
    coeffs = torch.nn.functional.interpolate(batch.coeffs, (17, 13), mode="bilinear", align_corners=True)
    fine = dataclasses.replace(batch.frames(slice(0, 0)), u=coeffs.new_zeros(4, 0, 2, 17, 13), coeffs=coeffs)
    u, coarse = model.forecast(fine, batch.t), model.forecast(batch.frames(slice(0, 0)), batch.t)
    assert u.shape[-2:] == (17, 13) and torch.allclose(u[..., ::2, ::2], coarse, atol=1e-10)


def test_fewer_sensors_than_points():
    model, batch = calibrated(make_problem(), sensors=(4,))
    assert model.net.shape == (4,)
    assert model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:]).shape == (1, 4, 5, 2, 8)


def test_principal_components_reproduce_what_they_span():
    """With as many modes as the data have, the best coefficients give zero loss."""
    problem = make_problem(**STEADY)
    model, batch = calibrated(problem, partial(PODDeepONet, branch=BRANCH, n_modes=3))
    target = model.normaliser.encode(batch.u)[:, 0]
    basis = model.net.functions[1:].flatten(1)
    centred = (target - model.net.functions[0]).flatten(1)
    left = centred - torch.linalg.lstsq(basis.T, centred.T).solution.T @ basis
    assert left.abs().max() < 1e-9


@pytest.mark.parametrize(
    ("changes", "options", "sentence"),
    [
        ({"grid": Grid((), ())}, {}, "uniform grid of one to three axes"),
        ({}, {"history": 6}, "expected 1 <= history < 6"),
        ({}, {"n_points": 0}, "expected n_points >= 1"),
        ({"dt": None, "n_frames": 1}, {}, "an operator needs an input field"),
    ],
)
def test_what_it_does_not_do_it_refuses(changes, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Operator(make_problem(**changes), NET, **options)


def test_a_query_is_place_then_time_as_shares_of_box_and_span():
    seen = []

    class Spy(OperatorNet):
        def forward(self, u, query, condition=None):
            seen.append(query)
            return u.new_zeros(len(u), self.out_channels, len(query))

    model = Operator(make_problem(), Spy).double()
    batch = make_batch(make_problem())
    model.calibrate([batch])
    model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:])
    query = seen[0].unflatten(0, (5, 8))
    for frame, point in ((0, 0), (1, 3), (4, 7)):
        assert query[frame, point].tolist() == pytest.approx([point / 8, (frame + 1) / 5])


def test_shifts_move_all_fields_of_a_sample_together_and_each_sample_by_itself():
    grid = Grid((8, 5), (2.0, 1.0), layout=("periodic", "nodes"))
    problem = make_problem(grid=grid, coeffs=(Field("c"),), has_mask=True)
    batch = make_batch(problem, 6)
    torch.manual_seed(0)
    moved = shifted(batch, grid)
    found = []
    for i in range(6):
        (by,) = [k for k in range(8) if torch.equal(batch.u[i].roll(k, -2), moved.u[i])]
        assert torch.equal(batch.coeffs[i].roll(by, -2), moved.coeffs[i])
        assert torch.equal(batch.mask[i].roll(by, -2), moved.mask[i])
        found.append(by)
    assert len(set(found)) > 2


def test_shifts_are_for_training_and_for_equations_that_are_the_same_everywhere():
    problem = make_problem(pde=Burgers(), fields=(Field("u"),), grid=Grid((8,), (2.0,)))
    model, batch = calibrated(problem, shifts=True)
    plain, _ = calibrated(problem)
    assert torch.equal(model.eval().loss(batch)[0], plain.loss(batch)[0])
    torch.manual_seed(0)
    one, other = model.train().loss(batch)[0], model.loss(batch)[0]
    assert one != other
    forced = NavierStokes2D(forcing=1.0)
    with pytest.raises(ValueError, match="the same everywhere for shifts=true, got NavierStokes2D with a source"):
        Operator(make_problem(grid=Grid((8, 8), (1.0, 1.0)), pde=forced), NET, shifts=True)
    with pytest.raises(ValueError, match="expected a periodic axis for shifts=true"):
        Operator(make_problem(**STEADY, grid=NODES), NET, shifts=True)


def test_a_time_step_that_varies_is_refused():
    with pytest.raises(ValueError, match="a dt that varies"):
        Operator(make_problem(params=("dt",)), lambda **sizes: DeepONet(**sizes))
