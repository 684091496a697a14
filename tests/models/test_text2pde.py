"""Text2PDE: a perfect net gives the exact trajectory, its conditions, its noise, longer forecasts, refusals."""

import dataclasses
from functools import partial
from unittest.mock import Mock

import pytest
import torch

from pdekit.data.module import DataModule
from pdekit.diffusion.levels import LogLevels
from pdekit.fields import Field, Grid, Trajectory
from pdekit.models.anchored_step import AnchoredStep
from pdekit.models.autoencoder import Autoencoder
from pdekit.models.generation import FORMS, Generation
from pdekit.models.prompts import Prompt, sample_prompt
from pdekit.models.stages import adam_stage
from pdekit.models.text2pde import Text2PDE
from pdekit.nets.grid_autoencoder import GridAutoencoder
from pdekit.nets.text_encoder import TextEncoder
from pdekit.nets.transformer import SpaceTimeTransformer, TransformerSize
from pdekit.runs import WEIGHTS, save_model
from pdekit.settings import Engine, Training
from pdekit.training.module import StageModule
from pdekit.training.required import check_required, train_required
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem
from tests.models.test_autoencoder import Perfect

ENCODER = partial(TextEncoder, 8, 1, 2)
NET = partial(SpaceTimeTransformer, size=TransformerSize(8, 1, 2))


class AllFrames(Perfect):
    """An autoencoder that keeps every value: its latent channels are the fields."""

    def __init__(self, channels, **sizes):
        super().__init__()
        self.latent_channels = channels


def captioned(problem, n=3):
    text = tuple(f"a wave of height 0.{i + 1} at the {'left' if i % 2 else 'right'}" for i in range(n))
    return dataclasses.replace(make_batch(problem, n), text=text if problem.has_text else None)


def made(problem, condition=None, net=NET, **options) -> Text2PDE:
    torch.manual_seed(3)
    autoencoder = partial(Autoencoder, net=AllFrames, kl=0.0)
    model = Text2PDE(problem, autoencoder, net, ENCODER, condition, Generation(**options)).double()
    model.autoencoder.calibrate([make_batch(problem)])
    model.calibrate([captioned(problem)])
    return model


def perfect_net(model, clean):
    """The net that knows the answer: it reads the noise off its input."""
    path, parametrisation = FORMS[model.generation.path]
    levels = model.generation.levels

    def net(z, condition):
        k = levels.k_min * (levels.k_max / levels.k_min) ** condition.scalars[:, 0]
        signal, sigma = (part.reshape(-1, *[1] * (z.ndim - 1)) for part in (path.signal(k), path.sigma(k)))
        return parametrisation.output(clean, (z - signal * clean) / sigma, signal, sigma)

    return net


KINDS = {
    "text": ({"has_text": True}, None),
    "params": ({"params": ("nu",)}, ["params"]),
    "frame": ({}, None),
    "all": ({"has_text": True, "params": ("nu",), "coeffs": (Field("c"),)}, ["text", "params", "frame"]),
    "plane": ({"has_text": True, "grid": Grid((8, 4), (1.0, 2.0), layout=("periodic", "nodes"))}, ["text"]),
    "volume": ({"grid": Grid((4, 4, 2), (1.0, 1.0, 1.0))}, ["frame"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_net_gives_the_exact_trajectory(kind):
    options, condition = KINDS[kind]
    problem = make_problem(**options)
    model, batch = made(problem, condition, path="diffusion" if kind == "all" else "flow"), captioned(problem)
    assert model.window == (model.history, "all") and model.stochastic
    z = model.encode(model.autoencoder.normaliser.encode(batch.u))
    torch.testing.assert_close(z.mean((0, *range(2, z.ndim))), torch.zeros(z.shape[1]).double(), rtol=0, atol=1e-5)
    model.net.forward = perfect_net(model, z)
    found = model.forecast(batch.known(model.history), batch.t[:, model.history :])
    torch.testing.assert_close(found[0], batch.u[:, model.history :], rtol=0, atol=1e-6)
    assert model.loss(batch)[0].item() < 1e-12
    some = model.forecast(batch.known(model.history), batch.t[:, [2, 4]])
    torch.testing.assert_close(some[0], batch.u[:, [2, 4]], rtol=0, atol=1e-6)


def seen_by(model):
    """Conditions that the net is given from now on."""
    seen, forward = [], model.net.forward
    model.net.forward = lambda z, condition: (seen.append(condition), forward(z, condition))[1]
    return seen


def test_tokens_are_words_then_parameters_then_places():
    problem = make_problem(has_text=True, params=("nu",))
    model, batch = made(problem, ["text", "params", "frame"], dropout=0.0), captioned(problem)
    seen = seen_by(model)
    model.loss(batch)
    assert seen[0].tokens.shape == (3, 8 + 1 + 2, 8) and seen[0].token_mask.all()
    short = dataclasses.replace(batch, text=("a wave", *batch.text[1:]))
    model.loss(short)
    assert seen[1].token_mask.sum(1).tolist() == [5, 11, 11]


def test_dropped_conditions_and_guidance():
    """A dropped sample sees no token; guidance calls the net twice, once without tokens, and weight 0 ignores them."""
    problem = make_problem(has_text=True)
    model, batch = made(problem, dropout=0.5), captioned(problem, 64)
    seen = seen_by(model)
    torch.manual_seed(0)
    model.loss(batch)
    assert 0.3 < seen[0].token_mask.any(1).double().mean() < 0.7
    batch, other = captioned(problem), dataclasses.replace(captioned(problem), text=("one", "two 0.9", "three"))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)

    def forecast(weight, given):
        seen.clear()
        changed = model.with_generation(guidance=weight)
        return changed.forecast(given.known(0), given.t, generator=torch.Generator().manual_seed(0))

    plain = forecast(1.0, batch)
    assert len(seen) == 20 and all(condition.token_mask.any() for condition in seen)
    assert not torch.equal(forecast(1.0, other), plain) and not torch.equal(forecast(2.0, batch), plain)
    assert [bool(condition.token_mask.any()) for condition in seen] == [True, False] * 20
    torch.testing.assert_close(forecast(0.0, other), forecast(0.0, batch))
    assert model.generation.guidance == 1.0


def test_a_longer_forecast_begins_again_from_its_own_last_frame():
    problem = make_problem()
    model, batch = made(problem), make_batch(problem)
    given, t = batch.frames(slice(0, 1)), batch.t[:, :1] + 0.5 * torch.arange(1, 11, dtype=torch.float64)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    whole = model.forecast(given, t, generator=torch.Generator().manual_seed(1))
    last = Trajectory(u=whole[0, :, 4:5], t=t[:, 4:5], index=batch.index)
    again = model.forecast(last, t[:, 5:], generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(again, whole[:, :, 5:], rtol=1e-9, atol=1e-9)


def test_members_differ_and_a_sample_keeps_its_noise_in_any_batch():
    problem = make_problem(has_text=True)
    model, batch = made(problem), captioned(problem)
    two = model.forecast(batch.known(0), batch.t, members=2, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(two[0], two[1])
    alone = batch.samples(slice(1, 2))
    found = model.forecast(alone.known(0), alone.t, members=2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(found[:, 0], two[:, 1], rtol=1e-12, atol=1e-12)


def continued(problem, condition=None, **options) -> Text2PDE:
    """A model of the first frame, and a stepper whose net adds half of a deviation of the changes."""
    torch.manual_seed(3)
    autoencoder = partial(Autoencoder, net=AllFrames, kl=0.0, frames=1)
    stepper = partial(AnchoredStep, net=PointwiseNet, encoder=ENCODER)
    model = Text2PDE(problem, autoencoder, NET, ENCODER, condition, Generation(**options), stepper).double()
    for part in (model.autoencoder, model.continuation, model):
        part.calibrate([captioned(problem)])
    model.continuation.net = FunctionNet(lambda u, condition: 0 * u[:, :2] + 0.5)
    return model


@pytest.mark.parametrize("kind", ["text", "params"])
def test_a_stepper_continues_the_frame_that_is_generated(kind):
    """Its frames are those of its own forecast from the exact first frame, at any times, also after the training."""
    problem = make_problem(**KINDS[kind][0])
    model, batch = continued(problem), captioned(problem)
    assert (model.window, model.n_frames, model.n_reached) == ((0, "all"), 1, None)
    clean = model.encode(model.inner(batch).u)
    assert clean.shape == (3, 2, 1, 8)
    model.net.forward = perfect_net(model, clean)
    assert model.loss(batch)[0].item() < 1e-12
    model.net.forward = perfect_net(model, clean.repeat(2, 1, 1, 1))
    rise = 0.5 * (model.continuation.normaliser.change_scale * model.continuation.normaliser.scale)[:, None]
    wanted = batch.u[:, :1] + torch.arange(9.0)[:, None, None] * rise
    t = 0.5 * torch.arange(9, dtype=torch.float64).expand(3, -1)
    for times in (slice(None), slice(0, 1), slice(3, None, 2)):
        found = model.forecast(batch.known(0), t[:, times], members=2)
        torch.testing.assert_close(found, wanted[None, :, times].expand(2, -1, -1, -1, -1), rtol=0, atol=1e-6)


def test_a_sample_with_a_continuation_lasts_as_long_as_is_asked():
    prompt = Prompt("a wave of height 0.1 at the left", duration=5.0)
    model = continued(make_problem(has_text=True))
    u, t = sample_prompt(model, prompt)
    assert u.shape == (1, 11, 2, 8) and t[-1] == 5.0 and torch.isfinite(u).all()
    model.continuation, model.requires = None, ("autoencoder",)
    u, t = sample_prompt(model, dataclasses.replace(prompt, duration=None))
    assert u.shape == (1, 1, 2, 8)
    with pytest.raises(ValueError, match="expected duration <= 0, that of the training, got 5"):
        sample_prompt(model, prompt)


def test_a_model_of_the_first_frame_is_validated_on_it():
    model, logged = continued(make_problem(has_text=True)), []
    model.continuation, model.requires = None, ("autoencoder",)
    batch = captioned(model.problem)
    model.net.forward = perfect_net(model, model.encode(model.inner(batch).u))
    module = StageModule(model, adam_stage(Training()), 0, seed=3, offset=0)
    module._log = lambda split, numbers, size: logged.append((numbers, size))
    module.validation_step(batch, 0)
    assert logged[1][0]["nrmse"] < 1e-6 and logged[1][1] == 3 * 2  # samples and fields of one frame


def test_the_stepper_is_required_and_rests():
    model = continued(make_problem(has_text=True))
    assert model.requires == ("autoencoder", "continuation") and Text2PDE.requires == ("autoencoder",)
    trained = model.stages(Training())[0].trained(model)
    resting = [*model.autoencoder.parameters(), *model.continuation.parameters()]
    assert resting and not any(p is q for p in resting for q in trained)
    assert not any(p.requires_grad for p in resting)
    model.requires = ("autoencoder",)  # model.continuation=null
    assert check_required(model, {"autoencoder": None, "continuation": None})["continuation"] is None
    with pytest.raises(ValueError, match=r"expected runs of \['autoencoder'\], found \['continuation'\]"):
        check_required(model, {"continuation": "runs/one"})


def test_a_first_frame_is_not_given_and_generated():
    problem = make_problem()
    with pytest.raises(ValueError, match=r"expected model\.condition without frame for a continuation"):
        continued(problem, ["frame"])
    with pytest.raises(ValueError, match=r"model\.condition with text for a continuation that sees the captions"):
        continued(make_problem(has_text=True, params=("nu",)), ["params"])
    with pytest.raises(ValueError, match=r"set model\.autoencoder\.frames=1"):
        Text2PDE(
            make_problem(has_text=True),
            partial(Autoencoder, net=AllFrames, kl=0.0),
            NET,
            ENCODER,
            continuation=partial(AnchoredStep, net=PointwiseNet, encoder=ENCODER),
        )


def test_an_autoencoder_that_leaves_no_frame_to_generate_is_refused():
    """A forecast in blocks of no new frame would never end."""
    with pytest.raises(ValueError, match=r"more frames than model.condition=\['frame'\] gives, got 1, .*frames=2 or"):
        Text2PDE(make_problem(), partial(Autoencoder, net=AllFrames, kl=0.0, frames=1), NET, ENCODER)


def test_the_autoencoder_rests_and_the_vocabulary_is_learnt():
    problem = make_problem(has_text=True)
    model = made(problem)
    (stage,) = model.stages(Training())
    names = {name for name, p in model.named_parameters() if any(p is q for q in stage.trained(model))}
    assert names == {name for name, _ in model.named_parameters() if not name.startswith("autoencoder.")}
    assert names == {name for name, p in model.named_parameters() if p.requires_grad}  # which DDP expects
    assert model.text.vocabulary.remarks("a wave of height 0.9") == [
        "0.9 after 'height' is outside the values of the training, 0.1 to 0.3"
    ]


def test_training_trajectories_are_encoded_once():
    problem = make_problem(has_text=True)
    model, batch = made(problem).train(), captioned(problem)
    calls, encode = [], model.autoencoder.encode
    model.autoencoder.encode = lambda u: (calls.append(len(u)), encode(u))[1]
    torch.manual_seed(0)
    first = model.loss(batch)[0]
    assert calls == [1, 1, 1] and len(model._latents) == 3
    torch.manual_seed(0)
    assert torch.equal(model.loss(batch)[0], first) and calls == [1, 1, 1]
    torch.manual_seed(0)
    assert not torch.equal(model.loss(dataclasses.replace(batch, u=batch.u + 0.1))[0], first) and len(calls) == 6
    torch.manual_seed(0)
    torch.testing.assert_close(model.eval().loss(batch)[0], first, rtol=1e-12, atol=0)
    assert calls[6:] == [3]
    model.calibrate([batch])
    assert len(model._latents) == 0


def test_an_autoencoder_with_other_strides_is_refused(tmp_path):
    """The weights of a layer fit every stride."""
    problem = make_problem()

    def factory(halvings):
        return partial(Autoencoder, net=partial(GridAutoencoder, widths=(4, 4), time_halvings=halvings))

    save_model(tmp_path, factory(1)(problem))
    for halvings in (1, 2):
        model = Text2PDE(problem, factory(halvings), NET, ENCODER)
        go = partial(
            train_required, model, Mock(spec=DataModule), Training(), Engine(), tmp_path, 0, {"autoencoder": tmp_path}
        )
        if halvings == 1:
            assert go() == {"autoencoder": tmp_path / WEIGHTS}
            continue
        with pytest.raises(ValueError, match=r"expected a run with the layers of model\.autoencoder"):
            go()


@pytest.mark.parametrize(
    ("options", "condition", "sentence"),
    [
        ({}, ["text"], r"expected data with captions for model\.condition=\[text\]"),
        ({}, ["params"], "expected data with parameters that vary"),
        ({}, "frame", "expected conditions among"),
        ({"forcing": (Field("f"),)}, None, "expected a problem without forcing fields"),
        ({"n_frames": 1, "dt": None, "coeffs": (Field("c"),)}, None, "expected a problem in time"),
        ({"grid": Grid((), ())}, None, "expected a problem on a uniform grid with axes"),
    ],
)
def test_what_has_no_meaning_is_refused(options, condition, sentence):
    with pytest.raises(ValueError, match=sentence):
        made(make_problem(**options), condition)


def test_wrong_forecasts_are_refused():
    problem = make_problem(has_text=True)
    model, batch = made(problem), captioned(problem)
    with pytest.raises(ValueError, match="expected a caption for each of 3 samples, got none"):
        model.forecast(dataclasses.replace(batch, text=None).known(0), batch.t)
    with pytest.raises(ValueError, match="expected 0 history frames, got 1"):
        model.forecast(batch.known(1), batch.t)
    with pytest.raises(ValueError, match=r"expected times up to t = 2\.5, the last frame that is generated"):
        model.forecast(batch.known(0), batch.t + 0.5)


@pytest.mark.slow
def test_samples_reproduce_what_was_learnt_and_swapping_captions_swaps_them():
    """Four travelling waves with captions of their own: samples are within 15 % of theirs and far from the others."""
    problem = make_problem(grid=Grid((8,), (1.0,)), fields=(Field("u"),), has_text=True)
    x, t = torch.arange(8.0) / 8 * 6.28318, torch.arange(6.0)
    phase = torch.arange(4.0) * 6.28318 / 4
    u = torch.sin(x - 0.2 * t[:, None] + phase[:, None, None])[:, :, None]
    text = tuple(f"a wave with the phase {float(p):.2f}" for p in phase)
    batch = Trajectory(u, 0.5 * t.double().expand(4, -1), text=text, index=torch.arange(4))
    net = partial(SpaceTimeTransformer, size=TransformerSize(64, 2, 4, (3, 8)))
    torch.manual_seed(0)
    encoder = partial(TextEncoder, 16, 1, 2)
    generation = Generation(levels=LogLevels(20, 0.05, 20.0))
    autoencoder = partial(Autoencoder, net=AllFrames, kl=0.0)
    model = Text2PDE(problem, autoencoder, net, encoder, generation=generation).float()
    model.autoencoder.calibrate([batch])
    model.calibrate([batch])
    many = batch.samples(torch.arange(4).repeat(16))
    parameters = model.stages(Training())[0].trained(model)
    optimiser = torch.optim.AdamW(parameters, lr=3e-3)
    for step in range(300):
        optimiser.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 20) * (1 - step / 300)
        optimiser.zero_grad()
        model.loss(many)[0].backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
    model.eval()

    def sampled(captions):
        given = dataclasses.replace(batch, text=captions).known(0)
        return model.forecast(given, batch.t, generator=torch.Generator().manual_seed(1))[0]

    error = (sampled(text) - u).flatten(1).norm(dim=1) / u.flatten(1).norm(dim=1)
    assert error.max() < 0.15, error
    swapped = sampled(text[::-1])
    error = (swapped - u.flip(0)).flatten(1).norm(dim=1) / u.flatten(1).norm(dim=1)
    assert error.max() < 0.15, error
