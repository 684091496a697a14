"""PDE-Refiner: a perfect net is exact, what is trained is what is used, K = 0 is plain regression."""

import dataclasses
import math

import pytest
import torch

from pdekit.fields import Field, Grid
from pdekit.models.finest_noise import FinestNoise
from pdekit.models.one_step import OneStep
from pdekit.models.pde_refiner import VARIANTS, PDERefiner
from pdekit.models.stages import adam_stage
from pdekit.settings import Training
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem


def refiner(problem, **options) -> PDERefiner:
    torch.manual_seed(3)
    model = PDERefiner(problem, PointwiseNet, **options).double()
    model.calibrate([make_batch(problem)])
    return model


def level_of(condition, model):
    return (condition[:, 0] * max(model.n_refinements, 1)).round().long()


def perfect_net(model, clean):
    """The net that knows the answer: it reads the noise off its input."""

    def net(u, condition):
        estimate, level = u[:, : clean.shape[1]], level_of(condition, model)
        shape = (-1,) + (1,) * (clean.ndim - 1)
        if model.variant == "paper":
            sigma = model.sigmas[level].reshape(shape)
            return torch.where((level == 0).reshape(shape), clean, (estimate - clean) / sigma)
        signal, sigma = model.chain.at(level, clean)
        return signal * (estimate - signal * clean) / sigma - sigma * clean

    return net


@pytest.mark.parametrize("target", ["change", "state"])
@pytest.mark.parametrize("n_refinements", [0, 1, 3, 8])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_perfect_net_gives_the_exact_answer(problem, batch, variant, n_refinements, target):
    model = refiner(problem, variant=variant, n_refinements=n_refinements, target=target)
    inside = model.normalised(batch).u
    clean = inside[:, 1] - inside[:, 0] if target == "change" else inside[:, 1]
    model.net = FunctionNet(perfect_net(model, clean / model.scale(clean)))
    forecast = model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])
    torch.testing.assert_close(forecast[0], batch.u[:, 1:2], rtol=1e-12, atol=1e-12)
    for seed in range(5):
        torch.manual_seed(seed)
        # the noise is read off the input by a division by sigma_min: 1e-16 / 6e-4, squared
        assert model.loss(batch)[0].item() < 1e-22


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_levels_trained_are_the_levels_used(variant):
    """Also their order, and that a step takes K + 1 calls."""
    problem = make_problem()
    model, batch = refiner(problem, variant=variant, n_refinements=4), make_batch(problem, n=40)
    model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])
    used = [level_of(condition, model) for _, condition in model.net.calls]
    assert [level[0].item() for level in used] == [0, 1, 2, 3, 4] and len(used) == model.calls_per_step
    model.net.calls.clear()
    for _ in range(25):
        model.loss(batch)
    trained = torch.cat([level_of(condition, model) for _, condition in model.net.calls])
    counts = torch.bincount(trained, minlength=5)
    assert counts.shape == (5,)
    assert (counts - 200).abs().max() < 5 * 200**0.5  # uniform: five standard deviations


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_and_forecast_show_the_net_the_same_inputs(variant):
    """At every level, the deviation of the estimate from clean data is the same when training and when forecasting."""
    problem = make_problem(grid=Grid((4096,), (1.0,)), fields=(Field("u"),), n_frames=2)
    model, batch = refiner(problem, variant=variant, n_refinements=2, sigma_min=0.05), make_batch(problem, n=30)
    inside = model.normalised(batch).u
    clean = (inside[:, 1] - inside[:, 0]) / model.scale(inside[:, 1])
    net, seen = perfect_net(model, clean), []

    def watching(u, condition):
        level = level_of(condition, model)
        seen.extend((int(k), (u[i, 0] - signal[k] * clean[i, 0]).std()) for i, k in enumerate(level))
        return net(u, condition)

    signal = model.chain.signal if variant == "v_prediction" else torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
    model.net = FunctionNet(watching)
    model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])
    used = {k: torch.stack([s for level, s in seen if level == k]).mean() for k in range(3)}
    seen.clear()
    model.loss(batch)
    trained = {k: torch.stack([s for level, s in seen if level == k]).mean() for k in range(3)}
    for k in range(3):
        assert trained[k].item() == pytest.approx(used[k].item(), rel=0.02)


def test_without_refinements_it_is_the_plain_model(problem, batch):
    """Same weights on the context, and K = 0: the loss and the forecast of one_step."""
    refined = refiner(problem, variant="paper", n_refinements=0, target="state")
    plain = OneStep(problem, PointwiseNet, target="state").double()
    plain.normaliser.load_state_dict(refined.normaliser.state_dict())
    with torch.no_grad():
        plain.net.mix.weight.copy_(refined.net.mix.weight[:, problem.n_channels :])
        plain.net.mix.bias.copy_(refined.net.mix.bias + refined.net.offset.bias)
    torch.testing.assert_close(refined.loss(batch)[0], plain.loss(batch)[0], rtol=1e-13, atol=0)
    given, t = batch.frames(slice(0, 1)), batch.t[:, 1:5]
    torch.testing.assert_close(refined.forecast(given, t), plain.forecast(given, t), rtol=1e-12, atol=1e-12)


def test_the_change_is_scaled_to_one(problem, batch):
    model = refiner(problem)
    inside = model.normalised(batch).u
    change = inside.diff(dim=1) / model.normaliser.change_scale[:, None]
    torch.testing.assert_close(change.std((0, 1, 3), correction=0), torch.ones(2).double(), rtol=1e-6, atol=0)


def test_the_first_call_of_the_paper_sees_zeros(problem, batch):
    model = refiner(problem, variant="paper")
    model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2])
    first, _ = model.net.calls[0]
    assert torch.equal(first[:, :2], torch.zeros_like(first[:, :2]))
    assert torch.equal(first[:, 2:], model.normalised(batch).u[:, 0])


def test_levels_and_parameters_condition_the_net():
    problem = make_problem(params=("nu",))
    model, batch = refiner(problem, n_refinements=3), make_batch(problem)
    model.forecast(batch.frames(slice(0, 1)), batch.t[:, 1:2], members=2)
    for k, (_, condition) in enumerate(model.net.calls):
        torch.testing.assert_close(condition[:, 0], torch.full((6,), k / 3, dtype=torch.float64))
        assert torch.equal(condition[:3, 1:], model.normaliser.encode_params(batch.params))


def noisy_problem(deviation: float) -> tuple:
    """Two frames whose change is a linear function of the first one and noise of this share of its deviation."""
    problem = make_problem(fields=(Field("u"),), n_frames=2)
    batch = make_batch(problem, n=200)
    share = (1 - deviation**2) ** 0.5 * batch.u[:, 0] + deviation * batch.u[:, 1]
    u = torch.stack((batch.u[:, 0], batch.u[:, 0] + share), 1)
    return problem, dataclasses.replace(batch, u=u)


def observed(model, batch, steps: int) -> PDERefiner:
    """The model after the losses of a training whose weights rest."""
    stage = adam_stage(Training(steps=steps))
    for step in range(steps):
        torch.manual_seed(step)
        model.before_step(stage, step)
        model.loss(batch)
    return model


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_finest_noise_is_the_error_that_a_net_cannot_avoid(variant):
    """A change of which 5 % are noise: the best net has that error, and sigma_min finds it."""
    problem, batch = noisy_problem(0.05)
    model = refiner(problem, sigma_min="auto", variant=variant)
    model.calibrate([batch])
    best = ((1 - 0.05**2) ** 0.5 * batch.u[:, 0] + 0.05 * 3) / 2  # fields have mean 3 and deviation 2
    sign = 1 if variant == "paper" else -1  # the velocity of the first level is -y
    model.net = FunctionNet(lambda u, condition: sign * best)
    observed(model, batch, 20)
    assert model.finest.value == pytest.approx(0.05, rel=0.1)
    assert float(model.sigmas[-1]) == float(model.chain.sigma[-1]) == model.finest.value
    assert model.findings()[0].startswith(f"sigma_min = {model.finest.value:.3g}")


def shared_level(rank, place, found):
    torch.distributed.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=2)
    finest = FinestNoise()
    finest.observe(torch.tensor([0.01, 0.03][rank]))
    shared = float(finest.mean)
    finest.observe(torch.tensor([math.nan, 0.04][rank]), [0, 5][rank])  # the first has no sample of the finest level
    found[rank] = (shared, float(finest.mean))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_measure_one_level(tmp_path):
    with torch.multiprocessing.Manager() as manager:
        found = manager.dict()
        torch.multiprocessing.spawn(shared_level, (tmp_path / "meeting", found), 2)
        assert found[0] == found[1] == pytest.approx((0.02, 0.03))


def test_a_measured_level_is_stored_rests_at_the_end_and_in_validation(problem, batch):
    model, other = refiner(problem, sigma_min="auto"), refiner(problem, sigma_min="auto")
    stage = adam_stage(Training(steps=100))
    model.finest.observe(torch.tensor(0.01))
    model.before_step(stage, 74)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.sigmas, model.sigmas) and float(model.sigmas[-1]) == pytest.approx(0.1)
    mean = model.finest.mean.clone()
    model.eval().loss(batch)
    assert torch.equal(model.finest.mean, mean)
    model.finest.observe(torch.tensor(0.0001))
    model.before_step(stage, 75)
    assert torch.equal(other.sigmas, model.sigmas)


def test_weights_multiply_the_squared_error_of_their_level():
    """A net that is wrong by 0.1 at level 0 and by 0.2 at level 1."""
    problem = make_problem()
    model, batch = refiner(problem, n_refinements=1, level_weights=[3, 1]), make_batch(problem, n=40)
    inside, levels, wrong = model.normalised(batch).u, [], torch.tensor([0.1, 0.2], dtype=torch.float64)
    net = perfect_net(model, (inside[:, 1] - inside[:, 0]) / model.scale(inside[:, 1]))

    def offset(u, condition):
        levels.append(level_of(condition, model))
        return net(u, condition) + wrong[levels[-1]].reshape(-1, 1, 1)

    model.net = FunctionNet(offset)
    loss = model.loss(batch)[0]
    weights = torch.tensor([1.5, 0.5], dtype=torch.float64)[levels[0]]
    torch.testing.assert_close(loss, (weights * wrong[levels[0]].square()).mean())


def test_a_steady_problem_can_be_refined():
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("k"),))
    model, batch = refiner(problem), make_batch(problem)
    assert model.forecast(batch.frames(slice(0, 0)), batch.t, members=2).shape == (2, 3, 1, 2, 8)
    assert torch.isfinite(model.loss(batch)[0])


@pytest.mark.parametrize(
    "options",
    [
        dict(variant="ddpm"),
        dict(target="delta"),
        dict(n_refinements=-1),
        dict(sigma_min="small"),
        dict(level_weights=[1.0]),
        dict(level_weights=[1.0, 1.0, 0.0, 1.0]),
    ],
)
def test_impossible_options_are_refused(problem, options):
    with pytest.raises(ValueError, match="expected"):
        PDERefiner(problem, PointwiseNet, **options)


def published_loop(model, call, noise, zeros):
    """The two loops as the paper and its code write them, in the order of their operations."""
    if model.variant == "paper":
        clean = call(zeros, 0)
        for k in range(1, model.n_refinements + 1):
            sigma = float(model.sigmas[k])
            noisy = clean + sigma * noise(k)
            clean = noisy - sigma * call(noisy, k)
        return clean
    signal, sigma, noisy = model.chain.signal, model.chain.sigma, noise(0)
    for k in range(model.n_refinements + 1):
        clean = signal[k] * noisy - sigma[k] * call(noisy, k)
        if k < model.n_refinements:
            beta = (sigma[k].square() - sigma[k + 1].square()) / signal[k + 1].square()
            mean = float(signal[k + 1] * beta / sigma[k].square()) * clean
            keep = torch.sqrt((signal[k] / signal[k + 1]).square())
            mean = mean + float(keep * (sigma[k + 1] / sigma[k]).square()) * noisy
            noisy = mean + float(torch.sqrt(beta) * sigma[k + 1] / sigma[k]) * noise(k + 1)
    return clean


@pytest.mark.parametrize("n_refinements", [0, 1, 3, 8])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_samplers_give_the_numbers_of_the_published_loops(problem, batch, variant, n_refinements):
    """Bit for bit, in float64 and a fixed seed."""
    model = refiner(problem, variant=variant, n_refinements=n_refinements, target="state")
    given, t = batch.frames(slice(0, 1)), batch.t[:, 1:2]
    found = model.forecast(given, t, generator=torch.Generator().manual_seed(5))
    inside = model.normalised(given)
    context, like = model.context(inside.u, inside), inside.u[:, 0]

    def step(frames, known, noise):
        def call(estimate, k):
            return model.call(estimate, context, torch.full((len(estimate),), k), inside)

        with torch.no_grad():
            return published_loop(model, call, lambda k: noise(like, k), torch.zeros_like(like))

    model.step = step
    assert torch.equal(found, model.forecast(given, t, generator=torch.Generator().manual_seed(5)))
