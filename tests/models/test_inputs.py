"""Input channels: their order, forcing in training and forecasts, what is unknown outside a mask."""

import dataclasses

import pytest
import torch

from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.models.inputs import InputChannels, from_frame, normalised
from pdekit.models.normaliser import Normaliser
from pdekit.models.one_step import OneStep
from pdekit.models.operator import Operator
from pdekit.models.pde_refiner import PDERefiner
from pdekit.models.resolution import try_step
from pdekit.nets.deeponet import DeepONet, PODDeepONet
from tests.evaluation.scoring import evaluate
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

FORCED = dict(forcing=(Field("f"), Field("g")))


def test_channels_come_in_one_order():
    problem = make_problem(**FORCED, coeffs=(Field("c"),), has_mask=True)
    batch = make_batch(problem)
    channels = InputChannels(problem, history=2, forced=3, distance=True)
    seen = channels.assembled(batch.u[:, :2], batch)
    assert seen.shape[1] == channels.count == 2 * 2 + 1 + 3 * 2 + 2 + 2
    mask = batch.mask.expand(-1, 2, -1)
    parts = [batch.u[:, 0], batch.u[:, 1], batch.coeffs, *batch.forcing[:, :3].unbind(1), mask]
    assert torch.equal(seen[:, :-2], torch.cat(parts, 1))


def test_forcing_is_normalised_as_its_statistics_say():
    problem = make_problem(**FORCED)
    normaliser, batch = Normaliser(problem), make_batch(problem, n=40)
    normaliser.calibrate([batch])
    assert normaliser.forcing_mean.tolist() == pytest.approx([7, 7], abs=0.3)
    inner = normalised(batch, normaliser.double()).forcing
    assert inner.mean().abs() < 1e-12 and (inner.square().mean() - 1).abs() < 1e-9
    assert not any("forcing" in name for name in Normaliser(make_problem()).state_dict())
    assert {"forcing_mean", "forcing_scale"} <= set(normaliser.state_dict())


def test_forcing_that_is_not_finite_is_refused():
    problem = make_problem(**FORCED)
    batch = make_batch(problem)
    batch.forcing[1, 2, 1, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN or Inf in the forcing g of sample 1"):
        Normaliser(problem).calibrate([batch])


def test_each_step_sees_the_forcing_of_its_history_and_of_the_next_frame():
    problem = make_problem(**FORCED)
    model = OneStep(problem, PointwiseNet, history=2, unroll=2).double()
    batch = make_batch(problem)
    model.calibrate([batch])
    inner = model.normalised(batch)
    model.loss(batch.frames(slice(0, 4)))
    model.forecast(batch.known(2), batch.t[:, [3, 5]])
    calls = [seen[:, -6:] for seen, _ in model.net.calls]
    for n, seen in enumerate(calls[:2]):
        assert torch.equal(seen, inner.forcing[:, n : n + 3].flatten(1, 2))
    for n, seen in enumerate(calls[2:]):
        assert torch.equal(seen, inner.forcing[:, n : n + 3].flatten(1, 2))
    assert len(calls) == 6


def test_forcing_that_does_not_reach_the_last_time_is_refused():
    problem = make_problem(**FORCED)
    model = OneStep(problem, PointwiseNet).double()
    batch = make_batch(problem)
    model.calibrate([batch])
    known = dataclasses.replace(batch.known(1), forcing=batch.forcing[:, :4])
    assert model.forecast(known, batch.t[:, 1:4]).shape[2] == 3
    with pytest.raises(ValueError, match=r"expected the forcing of 5 frames, .*got 4; give Trajectory.forcing"):
        model.forecast(known, batch.t[:, 1:5])
    with pytest.raises(ValueError, match=r"expected the forcing of 2 frames, .*got 0"):
        model.forecast(dataclasses.replace(known, forcing=None), batch.t[:, 1:2])
    assert from_frame(known, 2).forcing.shape[1] == 2


@pytest.mark.parametrize("method", [OneStep, PDERefiner])
def test_a_forced_problem_is_stepped_before_data_are_made(method):
    model = method(make_problem(**FORCED), PointwiseNet)
    try_step(model)
    assert model.n_context == 2 + 2 * 2


class Forced:
    """A source of trajectories that are their own forcing: u(t) = f(t), f random in time and space."""

    problem = Problem(Grid((8,), (1.0,)), (Field("u"),), dt=0.5, n_frames=9, forcing=(Field("f"),))
    n_trajectories = 4

    def read(self, trajectory, frames=slice(None)):
        generator = torch.Generator().manual_seed(trajectory)
        u = torch.randn(1, 9, 1, 8, generator=generator)[:, frames]
        return Trajectory(u, 0.5 * torch.arange(9.0)[frames][None], forcing=u, index=torch.tensor([trajectory]))


def test_an_evaluation_gives_a_stepper_the_forcing_of_each_frame(tmp_path):
    """A net that returns the forcing of the next frame is exact in every frame of the evaluation."""
    source = Forced()
    net = FunctionNet(lambda u, condition: u[:, -1:])
    model = OneStep(source.problem, lambda **sizes: net, target="state")
    model.calibrate(source.read(i) for i in range(4))
    with evaluate({"exact": model}, source, tmp_path, progress=False) as scores:
        assert float(scores.nrmse.sel(model="exact").max()) < 1e-6


@pytest.mark.parametrize("net", [DeepONet, PODDeepONet])
def test_an_operator_sees_the_forcing_of_the_whole_trajectory(net):
    problem = make_problem(**FORCED)
    torch.manual_seed(0)
    model = Operator(problem, net).double()
    batch = make_batch(problem)
    model.calibrate([batch])
    assert model.net.in_channels == 2 + 6 * 2
    model.loss(batch)[0].backward()
    whole = model.forecast(batch.known(1), batch.t[:, 1:])
    changed = dataclasses.replace(batch, forcing=batch.forcing + 1)
    assert not torch.allclose(model.forecast(changed.known(1), batch.t[:, 1:]), whole)
    # of the first four frames only: the last one holds on
    early = dataclasses.replace(batch.known(1), forcing=batch.forcing[:, :4])
    held = torch.cat((batch.forcing[:, :4], batch.forcing[:, 3:4].expand(-1, 2, -1, -1)), 1)
    expected = model.forecast(dataclasses.replace(early, forcing=held), batch.t[:, 1:4])
    assert torch.equal(model.forecast(early, batch.t[:, 1:4]), expected)


@pytest.mark.parametrize("make", [lambda p: OneStep(p, PointwiseNet), lambda p: Operator(p, DeepONet)])
def test_a_coefficient_may_be_unknown_where_no_field_exists(make):
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("k"),), has_mask=True)
    batch = make_batch(problem)
    coeffs = torch.where(batch.mask > 0, batch.coeffs, torch.nan)
    batch = dataclasses.replace(batch, coeffs=coeffs)
    assert coeffs.isnan().any()
    model = make(problem).double()
    model.calibrate([batch])
    loss, _ = model.loss(batch)
    assert torch.isfinite(loss) and torch.isfinite(model.forecast(batch.known(0), batch.t)).all()


def test_a_coefficient_that_is_unknown_where_one_of_two_fields_exists_stays_unknown():
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("k"),), has_mask=True)
    batch = make_batch(problem)
    normaliser = Normaliser(problem).double()
    normaliser.calibrate([batch])
    mask, coeffs = torch.ones(len(batch), 2, *problem.grid.shape), batch.coeffs.clone()
    mask[:, 0, 0], mask[:, :, 1], coeffs[..., :2] = 0, 0, torch.nan
    found = normalised(dataclasses.replace(batch, coeffs=coeffs, mask=mask), normaliser).coeffs
    assert found[..., 0].isnan().all() and (found[..., 1] == 0).all() and found[..., 2:].isfinite().all()
