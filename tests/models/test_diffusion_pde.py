"""DiffusionPDE: a perfect net gives the exact answer, guidance gives the closed form, masks of training, refusals."""

import dataclasses
import math

import pytest
import torch

from pdekit.diffusion.levels import LogLevels
from pdekit.diffusion.posterior import MMPS
from pdekit.fields import Field, Grid, Points
from pdekit.models.diffusion_pde import SHARES, DiffusionPDE
from pdekit.models.generation import FORMS
from pdekit.models.inputs import normalised
from pdekit.models.masking import Masking
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem


def made(problem, **options) -> DiffusionPDE:
    torch.manual_seed(3)
    model = DiffusionPDE(problem, PointwiseNet, **options).double()
    model.calibrate([make_batch(problem)])
    return model


def shares_of(condition, model, ndim):
    """(signal, sigma) of the level that a net is told."""
    k = model.levels.k_min * torch.exp(condition[:, 0] * math.log(model.levels.k_max / model.levels.k_min))
    k = k.reshape(-1, *[1] * (ndim + 1))
    return model.path.signal(k), model.path.sigma(k)


def perfect_net(model, clean):
    def net(u, condition):
        signal, sigma = shares_of(condition, model, model.problem.ndim)
        noise = (u[:, : clean.shape[1]] - signal * clean) / sigma
        return model.parametrisation.output(clean, noise, signal, sigma)

    return FunctionNet(net)


STEADY = {"n_frames": 1, "dt": None, "coeffs": (Field("c"), Field("d"))}
KINDS = {
    "in time": {},
    "coeffs": {"coeffs": (Field("c"),)},
    "forcing": {"forcing": (Field("f"), Field("g"))},
    "plane": {"grid": Grid((8, 4), (1.0, 2.0)), "params": ("p",)},
    "steady": STEADY,
}


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_net_gives_the_exact_frames(kind, path):
    """Of one block: the joint of the first three frames, of which one is given."""
    problem = make_problem(**KINDS[kind])
    batch = make_batch(problem)
    model = made(problem, path=path, n_frames=3)
    assert model.window == ((0, 1) if problem.steady else (1, 2))
    first = batch.frames(slice(0, model.n_frames))
    model.net = perfect_net(model, model.joint(normalised(first, model.normaliser)))
    given, wanted = batch.frames(slice(0, model.history)), first.frames(slice(model.history, None))
    given = dataclasses.replace(given, forcing=first.forcing)
    torch.testing.assert_close(model.forecast(given, wanted.t)[0], wanted.u, rtol=0, atol=1e-9)
    torch.manual_seed(0)
    assert model.loss(first)[0].item() < 1e-20
    assert len(model.names) == model.n_joint == model.joint(first).shape[1]
    coeffs, u = model.split(model.joint(first))
    assert torch.equal(u, first.u) and (first.coeffs is None or torch.equal(coeffs, first.coeffs))


def test_guided_forecasts_have_the_conditional_mean_and_deviation():
    """u = 0.8 c + 0.6 e at each point: the prior of (c, u) is known, and so is p(u | c)."""
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("c"),), fields=(Field("u"),))
    guide, levels = MMPS(2), LogLevels(40, 0.02, 20.0)
    model = made(problem, masking=Masking(amortised=False), levels=levels, guide=guide)
    model.normaliser.mean[:], model.normaliser.scale[:] = 5.0, 2.0
    model.normaliser.coeffs_mean[:], model.normaliser.coeffs_scale[:] = 1.0, 0.5
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.0]]).double()

    def net(z, condition):
        signal, sigma = shares_of(condition, model, 1)
        k2 = (sigma / signal).square()[0].squeeze()
        filtered = torch.einsum(
            "ij,bjx->bix", covariance @ torch.linalg.inv(covariance + k2 * torch.eye(2)), z / signal
        )
        return model.parametrisation.output(filtered, (z - signal * filtered) / sigma, signal, sigma)

    model.net = FunctionNet(net)
    coeffs = torch.linspace(0, 2, 8).double().reshape(1, 1, 8)
    given = dataclasses.replace(
        make_batch(problem, n=1), u=torch.zeros(1, 0, 1, 8).double(), t=torch.zeros(1, 0).double(), coeffs=coeffs
    )
    found = model.forecast(given, torch.zeros(1, 1), 400, torch.Generator().manual_seed(0))[:, 0, 0, 0]
    expected = 5 + 2 * 0.8 * (coeffs[0, 0] - 1) / 0.5
    torch.testing.assert_close(found.mean(0), expected, rtol=0, atol=0.2)  # 1.2 / sqrt(400) = 0.06
    torch.testing.assert_close(found.std(0), torch.full((8,), 1.2).double(), rtol=0, atol=0.15)


def test_known_values_reach_the_net_and_are_not_in_the_loss():
    problem = make_problem(**STEADY, grid=Grid((256,), (1.0,)))
    model, batch = made(problem), make_batch(problem, n=400)
    clean = model.joint(normalised(batch, model.normaliser))
    torch.manual_seed(0)
    known = model.random_known(clean)
    share = known.flatten(2).mean(2)
    nothing, all_given = (share == 0).all(1), (share[:, :2] == 1).all(1) & (share[:, 2:] == 0).all(1)
    assert 0.1 < float(nothing.double().mean()) < 0.4 and 0.1 < float(all_given.double().mean()) < 0.3
    sparse = share[~nothing & ~all_given]
    assert float(sparse.max()) < 0.8 and float(sparse[sparse > 0].mean()) < 2.5 * SHARES[1]
    assert bool((sparse[:, 0] == sparse[:, 1]).all()), "the same points of both coefficients"
    model.random_known = lambda like: known
    seen = []
    model.net = FunctionNet(lambda u, condition: seen.append(u) or torch.where(known > 0, 1e6, 0.0))
    loss = model.loss(batch)[0]
    assert torch.equal(seen[0][:, 4:8], known * clean) and torch.equal(seen[0][:, 8:], known)
    assert 1 < float(loss) < 3, "the variance of e - x where nothing is known"


def test_a_longer_forecast_continues_from_its_last_frame():
    problem = make_problem()
    model, batch = made(problem), make_batch(problem)
    given = batch.frames(slice(0, 1))
    long = model.forecast(given, batch.t[:, 1:4], 1, torch.Generator().manual_seed(1))
    short = model.forecast(given, batch.t[:, 1:2], 1, torch.Generator().manual_seed(1))
    assert torch.equal(long[:, :, :1], short) and long.shape[2] == 3
    alone = model.forecast(given.samples(slice(1, 2)), batch.t[1:2, 1:4], 2, torch.Generator().manual_seed(1))
    torch.testing.assert_close(alone[0, 0], long[0, 1])
    assert not torch.equal(alone[0], alone[1])


def test_what_has_no_joint_on_a_grid_is_refused():
    with pytest.raises(ValueError, match="expected a problem on a uniform grid with axes"):
        made(make_problem(grid=Grid((), ())))
    with pytest.raises(ValueError, match="expected a problem on a uniform grid with axes"):
        made(make_problem(grid=Points(2, 10)))
    with pytest.raises(ValueError, match="expected 2 <= n_frames <= 6"):
        made(make_problem(), n_frames=7)
    with pytest.raises(ValueError, match="expected a path among"):
        made(make_problem(), path="cosine")
    model, batch = made(make_problem()), make_batch(make_problem())
    with pytest.raises(ValueError, match="expected 1 history frames, got 2"):
        model.forecast(batch.frames(slice(0, 2)), batch.t[:, 2:3])


def test_no_two_channels_of_the_joint_have_one_name():
    """Each is a variable of a file. A coefficient with the name of a field is refused by the problem itself."""
    assert DiffusionPDE(make_problem(**STEADY), PointwiseNet).names == ("c", "d", "a", "b")
    in_time = DiffusionPDE(make_problem(coeffs=(Field("c"),)), PointwiseNet)
    assert in_time.names == ("c", "a[0]", "b[0]", "a[1]", "b[1]")
    with pytest.raises(ValueError, match="expected each name once among fields, coeffs"):
        make_problem(**{**STEADY, "coeffs": (Field("a"),)})
