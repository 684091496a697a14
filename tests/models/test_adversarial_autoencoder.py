"""Autoencoder with a critic: whose losses and parameters each step takes, a run, refusals."""

from functools import partial

import pytest
import torch

import pdekit
from pdekit.data.arrays import from_arrays
from pdekit.data.loading import Loading
from pdekit.fields import Grid, Points
from pdekit.models.adversarial_autoencoder import AdversarialAutoencoder
from pdekit.nets.grid_autoencoder import GridAutoencoder
from pdekit.settings import Training
from tests.models.small import make_batch, make_problem

NET = partial(GridAutoencoder, widths=(4, 6), latent_channels=3)


def test_autoencoder_and_critic_take_their_steps_in_turn():
    """The first loss has the critic's term, the second is the critic's alone, and each optimiser has its own part."""
    problem = make_problem(grid=Grid((16,), (1.0,)))
    batch = make_batch(problem, 32)
    torch.manual_seed(0)
    model = AdversarialAutoencoder(problem, NET, 0.5, kl=0.0).double()
    model.calibrate([batch])
    (stage,) = model.stages(Training(steps=1, lr=3e-3))
    optimisers = stage.optimiser(())
    parts = [{id(p) for group in optimiser.param_groups for p in group["params"]} for optimiser in optimisers]
    assert parts == [{id(p) for p in part.parameters()} for part in (model.net, model.critic)]

    error, _, u, reference = model.terms(batch)
    ours, theirs = model.critic(u.detach()), model.critic(reference)
    hinge = (1 - theirs).relu().mean() + (1 + ours).relu().mean()
    gradients = torch.autograd.grad(hinge, tuple(model.critic.parameters()))
    losses = []

    def backward(loss):
        losses.append(loss.detach())
        loss.backward()

    numbers = model.in_turn(batch, optimisers, backward)
    torch.testing.assert_close(losses, [(error - 0.5 * ours.mean()).detach(), hinge.detach()], rtol=1e-12, atol=0)
    for p, gradient in zip(model.critic.parameters(), gradients, strict=True):
        torch.testing.assert_close(p.grad, gradient, rtol=1e-9, atol=1e-15)  # nothing is left of the first loss
    for _ in range(15):
        last = model.in_turn(batch, optimisers, backward)
    assert last["critic"] < numbers["critic"], "the critic learns to tell frames from reconstructions"


@pytest.mark.slow
def test_a_run_is_loaded_with_its_critic(tmp_path):
    u = torch.randn(8, 4, 1, 16, generator=torch.Generator().manual_seed(0))
    options = {"dt": 1.0, "extent": (1.0,), "layout": ("periodic",), "loading": Loading(batch_size=4)}
    data = from_arrays(u[:4], u[4:6], u[6:], **options)
    model = AdversarialAutoencoder(data.problem, NET)
    overrides = ["training.steps=3", "training.validate_every=3", "training.ema=0.5", f"runs_dir={tmp_path}"]
    run = pdekit.train(model, data, overrides)
    again, batch = pdekit.load(run.path).model, data.test.trajectories([0])
    assert torch.equal(again.reconstruct(batch), run.model.reconstruct(batch))
    assert torch.equal(again.critic(batch.u), run.model.critic(batch.u))


def test_what_the_critic_cannot_judge_is_refused():
    with pytest.raises(ValueError, match=r"expected adversarial > 0 and a problem on a uniform grid, got 0\.0"):
        AdversarialAutoencoder(make_problem(), NET, 0.0)
    with pytest.raises(
        ValueError, match=r"expected adversarial > 0 and a problem on a uniform grid, got 0\.1 and Points"
    ):
        AdversarialAutoencoder(make_problem(grid=Points(2, 8)), NET)
