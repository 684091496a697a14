"""A step that sees the first frame: what it is given, how it unrolls, its captions, refusals."""

import dataclasses
from functools import partial

import pytest
import torch

from pdekit.fields import Field
from pdekit.models.anchored_step import AnchoredStep
from pdekit.nets.text_encoder import TextEncoder
from pdekit.settings import Training
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

ENCODER = partial(TextEncoder, 8, 1, 2)


def made(problem, **options) -> AnchoredStep:
    torch.manual_seed(2)
    model = AnchoredStep(problem, PointwiseNet, ENCODER, **options).double()
    model.calibrate([captioned(problem)])
    return model


def captioned(problem, n=3):
    text = tuple(f"a wave of height 0.{i + 1}" for i in range(n)) if problem.has_text else None
    return dataclasses.replace(make_batch(problem, n), text=text)


def test_the_net_sees_the_current_and_the_first_frame():
    """A net that returns the way back to the first frame, in units of the change, forecasts the first frame."""
    problem = make_problem(params=("nu",))
    model, batch = made(problem, unroll=3), make_batch(problem)
    scale = model.normaliser.change_scale[:, None]
    model.net = FunctionNet(lambda u, condition: 0.25 * (u[:, 2:] - u[:, :2]) / scale)
    found = model.forecast(batch.known(1), batch.t[:, 1:])
    torch.testing.assert_close(found[0], batch.u[:, :1].expand(-1, 5, -1, -1), rtol=1e-12, atol=1e-12)
    later = batch.frames(slice(2, 3))
    found = model.forecast(later, batch.t[:, 3:])
    torch.testing.assert_close(found[0], later.u.expand(-1, 3, -1, -1), rtol=1e-12, atol=1e-12)
    seen = []
    model.net = FunctionNet(lambda u, condition: (seen.append(u), 0 * u[:, :2] + 0.5)[1])
    model.forecast(batch.known(1), batch.t[:, 1:3])
    first = model.normaliser.encode(batch.u)[:, 0]
    torch.testing.assert_close(seen[1], torch.cat((first + 0.5 * scale, first), 1), rtol=1e-12, atol=1e-12)


def test_a_perfect_net_has_no_loss_at_any_frame_and_any_unroll():
    """Frames that grow by the same field in each step, from a first frame of their own."""
    problem = make_problem(forcing=(Field("f"),))
    batch = make_batch(problem)
    rise = torch.arange(6.0).double()[:, None, None]
    batch = dataclasses.replace(batch, u=batch.u[:, :1] + rise * batch.u[:1, :1])
    model = made(problem, unroll=3)
    model.calibrate([batch])
    scale = model.normaliser.change_scale[:, None]
    inside = model.normaliser.encode(batch.u)
    truth = (inside[:, 1] - inside[:, 0]) / scale
    model.net = FunctionNet(lambda u, condition: truth)
    (stage,) = model.stages(Training(steps=9))
    taken = []
    for step in range(9):
        model.before_step(stage, step)
        taken.append(model.unrolled)
        assert model.loss(batch)[0].item() < 1e-24
    assert taken == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    model.net = FunctionNet(lambda u, condition: truth + 0.1)  # one step is off by 0.1, the second by 0.2, ...
    assert model.loss(batch)[0].item() == pytest.approx((0.1**2 + 0.2**2 + 0.3**2) / 3)


def test_a_step_sees_the_forcing_of_its_own_time():
    problem = make_problem(forcing=(Field("f"),))
    batch = make_batch(problem, 64)
    batch = dataclasses.replace(batch, forcing=batch.t[..., None, None].expand(-1, -1, 1, 8).clone())
    model, seen = made(problem), []
    model.net = FunctionNet(lambda u, condition: (seen.append(u), u[:, :2])[1])
    model.loss(batch)
    there = model.normaliser.encode_forcing(batch.forcing)[0, :, 0, 0]
    rows = seen[0][:, 2:4, 0]
    pairs = {tuple(row) for row in rows.tolist()}
    assert pairs == {tuple(there[n : n + 2].tolist()) for n in range(5)}


def test_captions_condition_the_net_instead_of_parameters():
    problem = make_problem(has_text=True, params=("nu",))
    model, batch = made(problem, summary=4), captioned(problem)
    model.loss(batch)
    assert model.net.n_conditions == 4 and model.net.calls[-1][1].shape == (3, 4)
    other = dataclasses.replace(batch, params=batch.params + 1)
    found, t = model.forecast(batch.known(1), batch.t[:, 1:]), batch.t[:, 1:]
    torch.testing.assert_close(model.forecast(other.known(1), t), found)
    swapped = dataclasses.replace(batch, text=batch.text[::-1])
    assert not torch.allclose(model.forecast(swapped.known(1), t), found)
    assert model.caption.encoder.vocabulary.remarks("a wave of height 0.9")
    with pytest.raises(ValueError, match="expected a caption for each of 3 samples, got none"):
        model.forecast(dataclasses.replace(batch, text=None).known(1), t)


@pytest.mark.parametrize(
    ("problem", "options", "sentence"),
    [
        ({"n_frames": 1, "dt": None, "coeffs": (Field("c"),)}, {}, "expected a problem in time"),
        ({}, {"unroll": 6}, "expected summary >= 1 and 1 <= unroll < 6"),
        ({}, {"summary": 0}, "expected summary >= 1 and 1 <= unroll < 6"),
    ],
)
def test_what_has_no_meaning_is_refused(problem, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        AnchoredStep(make_problem(**problem), PointwiseNet, ENCODER, **options)
