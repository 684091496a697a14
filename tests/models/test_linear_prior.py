"""The best linear denoiser: its closed form, the size of what it leaves, and the joint prior that is built on it."""

import dataclasses
import math

import pytest
import torch

from pdekit.diffusion.levels import LogLevels
from pdekit.diffusion.parametrisations import edm
from pdekit.fields import Field, Grid
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.inputs import normalised
from pdekit.models.linear_prior import LARGEST, N_MODES, NUMBERS, PAIRS, LinearPrior
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

N = 12
LEVELS = torch.tensor([20.0, 1.0, 0.05]).double()


def samples(n: int, noise: float = 0.0) -> torch.Tensor:
    """Gaussian samples of two channels with four directions, and white noise."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(4, 2 * N, dtype=torch.float64, generator=generator)
    x = 1 + torch.randn(n, 4, dtype=torch.float64, generator=generator) @ mixing
    return (x + noise * torch.randn(n, 2 * N, dtype=torch.float64, generator=generator)).reshape(n, 2, N)


def calibrated(x: torch.Tensor, n_modes: int = 8) -> LinearPrior:
    prior = LinearPrior(2, (N,), n_modes).double()
    prior.calibrate(x)
    return prior


def test_it_is_the_denoiser_of_a_gaussian():
    """D = m + C (C + k^2)^-1 (y - m), with fewer directions in the data than are kept."""
    x = samples(300)
    prior, flat, y = calibrated(x), x.flatten(1), samples(3) + 5
    covariance = torch.cov(flat.T)
    for k in LEVELS:
        gain = torch.linalg.solve(covariance + k**2 * torch.eye(2 * N), covariance)
        expected = flat.mean(0) + (y.flatten(1) - flat.mean(0)) @ gain
        torch.testing.assert_close(prior(y, k.expand(3)).flatten(1), expected, rtol=0, atol=1e-7)


def test_what_is_beyond_the_kept_directions_counts_as_white():
    """Four directions and noise: the closed form of their covariance plus the variance that is left."""
    x = samples(4000, noise=0.3)
    prior, flat, y = calibrated(x, n_modes=4), x.flatten(1), samples(3)
    modes = prior.modes.flatten(1)
    torch.testing.assert_close(prior.rest, torch.full((2,), 0.09).double(), rtol=0.05, atol=0)
    within = torch.eye(2 * N) - modes.T @ modes
    covariance = modes.T @ torch.diag(prior.variance) @ modes + prior.rest.mean() * within
    for k in LEVELS:
        gain = torch.linalg.solve(covariance + k**2 * torch.eye(2 * N), covariance)
        expected = flat.mean(0) + (y.flatten(1) - flat.mean(0)) @ gain
        torch.testing.assert_close(prior(y, k.expand(3)).flatten(1), expected, rtol=0, atol=0.02)


def test_a_training_in_half_precision_does_not_round_it():
    """Its error would be as large as what it leaves at low noise."""
    prior, y = calibrated(samples(300)).float(), samples(3).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = prior(y, LEVELS)
    assert torch.equal(found, prior(y, LEVELS))


def test_the_target_of_the_net_has_variance_one_at_each_level():
    x = samples(4000, noise=0.3)
    prior = calibrated(x)
    torch.manual_seed(0)
    for k in LEVELS:
        seen, wanted = prior.noised(x, k.expand(len(x)))
        torch.testing.assert_close(wanted.square().mean((0, 2)), torch.ones(2).double(), rtol=0.05, atol=0)
        assert seen.shape == (4000, 4, N)


def test_without_directions_it_is_the_preconditioning_of_edm():
    prior, y = LinearPrior(2, (N,)).double(), samples(3)
    out = torch.randn(3, 2, N, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = prior.denoiser(lambda seen, share: out, LogLevels())(y, 0.5)
    signal, sigma = torch.tensor(1 / math.sqrt(1.25)).double(), torch.tensor(0.5 / math.sqrt(1.25)).double()
    torch.testing.assert_close(found, edm(1.0).clean(out, signal * y, signal, sigma), rtol=1e-6, atol=1e-6)


def test_one_sample_has_no_covariance():
    with pytest.raises(ValueError, match="expected two or more training samples for the covariance of path=linear"):
        LinearPrior(2, (N,)).calibrate(samples(1))


@pytest.mark.parametrize("size", [2, 2**16, 2**17, LARGEST])
def test_the_samples_together_are_bounded(size):
    """All of them where they are small; never fewer than the directions, nor more than the decomposition takes."""
    wanted = LinearPrior(1, (size,), n_modes=1).samples_wanted
    assert wanted == (PAIRS if size <= 2**16 else NUMBERS // size)
    assert wanted >= 4 * N_MODES


def test_a_joint_too_large_is_refused_before_data_are_read():
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("c"),), grid=Grid((512, 512), (1, 1)))
    with pytest.raises(ValueError, match=r"at most 262144 numbers in a sample.* 512 x 512 = \d+; use a coarser grid"):
        DiffusionPDE(problem, PointwiseNet, path="linear")


@pytest.mark.parametrize("size", [5, 8])
def test_no_more_joints_are_decomposed_than_wanted(size, monkeypatch):
    problem = make_problem()
    model, taken = DiffusionPDE(problem, PointwiseNet, path="linear").double(), []
    monkeypatch.setattr("pdekit.models.linear_prior.PAIRS", size)
    monkeypatch.setattr(model.linear, "calibrate", taken.append)
    model.calibrate([make_batch(problem)] * 20)
    assert len(taken[0]) == size


@pytest.mark.parametrize(
    "kind", [{}, {"n_frames": 1, "dt": None, "coeffs": (Field("c"),), "grid": Grid((4, 4), (1, 1))}]
)
@pytest.mark.parametrize("path", ["linear", "kriging"])
def test_a_perfect_net_on_it_gives_the_exact_frames(kind, path):
    problem = make_problem(**kind)
    batch = make_batch(problem)
    model = DiffusionPDE(problem, PointwiseNet, path=path).double()
    model.calibrate([batch])
    first = batch.frames(slice(0, model.n_frames))
    clean = model.joint(normalised(first, model.normaliser))

    def perfect(u, condition):
        k = model.levels.k_min * torch.exp(condition[:, 0] * math.log(model.levels.k_max / model.levels.k_min))
        return (clean - u[:, model.n_joint : 2 * model.n_joint]) / model.linear.scale(k)

    model.net = FunctionNet(perfect)
    torch.manual_seed(0)
    assert model.loss(first)[0].item() < 1e-20
    given = dataclasses.replace(first, u=first.u[:, : model.history], t=first.t[:, : model.history])
    found = model.forecast(given, first.t[:, model.history :])[0]
    torch.testing.assert_close(found, first.u[:, model.history :], rtol=0, atol=1e-6)
