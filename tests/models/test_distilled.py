"""Distillation on a conditional Gaussian, whose map from noise to sample is known."""

from functools import partial

import pytest
import torch

from pdekit.diffusion.closed_forms import GaussianModes
from pdekit.diffusion.levels import LogLevels
from pdekit.diffusion.samplers.base import no_noise
from pdekit.diffusion.samplers.ddim import DDIM
from pdekit.evaluation.forecasting import Contender
from pdekit.fields import Field, Grid
from pdekit.models.constrained import Constrained
from pdekit.models.distilled import Distilled
from pdekit.models.generation import BlockSampling
from pdekit.models.one_step import OneStep
from pdekit.models.wdno import WDNO
from pdekit.settings import Training
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

LEVELS = LogLevels(10, 0.02, 20.0)
TEACHER = partial(WDNO, net=PointwiseNet, wavelet=None, levels=LEVELS)


def prior(frames) -> GaussianModes:
    """The next frame, given a normalised one: mean 0.5 u and variance 0.36."""
    return GaussianModes(torch.tensor(0.36, dtype=torch.float64), 0.5 * frames)


def exact_net(path, parametrisation):
    """The output of the right denoiser."""

    def net(u, scalars):
        k = LEVELS.k_min * (LEVELS.k_max / LEVELS.k_min) ** float(scalars[0, 0])
        level = torch.tensor(k, dtype=torch.float64)
        signal, sigma = path.signal(level), path.sigma(level)
        y = u[:, :1] / signal
        clean = prior(u[:, 1:])(y, k)
        return parametrisation.output(clean, (y - clean) / k, signal, sigma)

    return FunctionNet(net)


def exact_ends(path, parametrisation):
    """The output of the map to the end of the flow."""

    def net(u, scalars):
        k = LEVELS.k_min * (LEVELS.k_max / LEVELS.k_min) ** float(scalars[0, 0])
        level = torch.tensor(k, dtype=torch.float64)
        signal, sigma = path.signal(level), path.sigma(level)
        y = u[:, :1] / signal
        end = prior(u[:, 1:]).flow(y, k, 0.0)
        return parametrisation.output(end, (y - end) / k, signal, sigma)

    return FunctionNet(net)


def distilled() -> tuple:
    """A student with a linear net, whose least squares problem is solved, and its batch."""
    problem = make_problem(grid=Grid((8,), (1.0,)), fields=(Field("u"),), n_frames=2)
    batch = make_batch(problem, n=64)
    torch.manual_seed(0)
    model = Distilled(problem, TEACHER).double()
    model.teacher.calibrate([batch])
    model.calibrate([batch])
    model.teacher.net = exact_net(model.teacher.path, model.teacher.parametrisation)
    model.student.net = PointwiseNet((), 2, 1)
    model.double()
    optimiser = torch.optim.LBFGS(model.student.net.parameters(), max_iter=5, line_search_fn="strong_wolfe")

    def closure():
        torch.manual_seed(1)
        optimiser.zero_grad()
        loss = model.loss(batch)[0]
        loss.backward()
        return loss

    optimiser.step(closure)
    return model, batch


def taught_spread(model, batch) -> float:
    """The deviation of the teacher's members: it is linear in the noise."""
    denoise, like = model.teacher.conditional(batch)
    one, zero = (
        model.teacher.sampler(denoise, y, LEVELS.grid(), no_noise)
        for y in (torch.full_like(like, LEVELS.k_max), torch.zeros_like(like))
    )
    return float((one - zero).mean())


def test_one_call_is_the_map_of_the_teacher_and_keeps_its_spread():
    """x(e) = m + sqrt(v / (v + k_0^2)) (k_0 e - m) for a conditional Gaussian, up to the error of 10 levels."""
    model, batch = distilled()
    denoise, like = model.student.conditional(batch)
    y = LEVELS.k_max * torch.randn(like.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    frames = model.student.normaliser.encode(batch.u[:, :1])[:, 0][:, :, None]
    exact = prior(frames).endpoint(y, LEVELS.k_max, LEVELS.k_min)
    found = model.student.sampler(denoise, y, LEVELS.grid(), no_noise).detach()
    taught = model.teacher.sampler(model.teacher.conditional(batch)[0], y, LEVELS.grid(), no_noise)
    error = (taught - exact).square().mean().sqrt().item()
    assert (found - taught).abs().max().item() < 1e-4 and error < 0.06
    n_calls = len(model.student.net.calls)
    model.student.sampler(denoise, y, LEVELS.grid(), no_noise)
    assert len(model.student.net.calls) == n_calls + 1 and model.student.sampler.calls(LEVELS.n) == 1
    members = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:], 200, torch.Generator().manual_seed(0))
    spread = (members / model.student.normaliser.scale.reshape(1, 1)).std(0).mean().item()
    assert spread == pytest.approx(taught_spread(model, batch), rel=0.02)
    assert spread == pytest.approx(0.6, rel=0.05)


def test_mean_flow_has_no_loss_where_one_call_is_exact():
    problem = make_problem(grid=Grid((8,), (1.0,)), fields=(Field("u"),), n_frames=2)
    batch = make_batch(problem, n=8)
    model = Distilled(problem, TEACHER, mean_flow=True).double()
    model.teacher.calibrate([batch])
    model.calibrate([batch])
    form = model.teacher.path, model.teacher.parametrisation
    losses = {}
    for name, net in {"ends": exact_ends(*form), "denoiser": exact_net(*form)}.items():
        model.teacher.net, model.student.net = exact_net(*form), net
        net.register_parameter("unused", torch.nn.Parameter(torch.zeros((), dtype=torch.float64)))
        torch.manual_seed(0)
        losses[name] = sum(model.loss(batch)[0].item() for _ in range(8)) / 8
    assert losses["ends"] < 1e-7 and losses["denoiser"] > 1e-2
    model.student.net = exact_ends(*form)
    denoise, like = model.student.conditional(batch)
    y = LEVELS.k_max * torch.ones_like(like)
    known = model.student.known(model.student.normaliser.encode(batch.u[:, :1]))[:, :, None]
    found = model.student.sampler(denoise, y, LEVELS.grid(), no_noise)
    torch.testing.assert_close(found, prior(known).flow(y, LEVELS.k_max, 0.0), rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="expected rectified or mean_flow, got both"):
        Distilled(problem, TEACHER, rectified=True, mean_flow=True)


def test_the_lines_of_a_rectified_flow_lead_from_the_noise_to_the_sample():
    """With the right answer at every level there is no loss, and two calls along the line are exact."""
    problem = make_problem(grid=Grid((8,), (1.0,)), fields=(Field("u"),), n_frames=2)
    model = Distilled(problem, TEACHER, 2, rectified=True).double()
    sample, start = torch.randn(2, 4, 1, 1, 8, dtype=torch.float64)
    seen = []

    def known(y, k):
        seen.append((y, k))
        return sample

    torch.manual_seed(0)
    assert model.pair_loss(known, start, sample).item() == 0
    y, k = seen[0]
    torch.testing.assert_close(y, sample + k * (start - sample) / LEVELS.k_max)
    assert torch.equal(model.student.sampler(known, start, LEVELS.grid(), no_noise), sample)
    y, k = seen[-1]  # the second call lies on the line, too
    torch.testing.assert_close(y, sample + k * (start - sample) / LEVELS.k_max)
    assert 0 < k < LEVELS.k_max and len(seen) == 3


def test_the_student_begins_as_the_teacher_which_rests(problem, batch):
    model = Distilled(problem, TEACHER)
    torch.nn.init.normal_(model.teacher.net.mix.weight)
    model.teacher.calibrate([batch])
    model.calibrate([batch])
    for name, value in model.teacher.state_dict().items():
        assert torch.equal(value, model.student.state_dict()[name])
    model.loss(batch)[0].backward()
    trained = model.stages(Training())[0].trained(model)
    assert {id(p) for p in trained} == {id(p) for p in model.student.net.parameters()}
    assert all(p.grad is None for p in model.teacher.parameters())


def test_the_parameters_of_a_student_are_its_own_and_its_teacher_can_be_trained_first(problem):
    model = Distilled(problem, TEACHER)
    whole = sum(p.numel() for p in model.parameters())
    assert (
        model.n_parameters
        == model.student.n_parameters
        == whole / 2
        == Contender("d", model, "surrogate", 0, 1).parameters
    )
    assert Constrained(model, ["zero_mean"]).n_parameters == model.n_parameters
    assert all(p.requires_grad for p in model.teacher.parameters())


def test_impossible_students_are_refused(problem):
    with pytest.raises(ValueError, match="expected one call of a net that learns the map"):
        Distilled(problem, TEACHER, calls=2)
    with pytest.raises(ValueError, match=r"expected a teacher that samples by a diffusion model .* got OneStep"):
        Distilled(problem, partial(OneStep, net=PointwiseNet))
    with pytest.raises(ValueError, match="expected at least one call, got 0"):
        Distilled(problem, TEACHER, calls=0, rectified=True)


def test_a_teacher_that_draws_noise_teaches_no_map(problem, batch):
    with pytest.raises(ValueError, match=r"expected a teacher whose sampler draws no noise.* set model.teacher.samp"):
        Distilled(problem, partial(WDNO, net=PointwiseNet, sampling=BlockSampling(DDIM(1.0)))).loss(batch)
