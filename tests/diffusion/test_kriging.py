"""Kriging against the closed form of a Gaussian field."""

import pytest
import torch

from pdekit.diffusion.kriging import krige
from pdekit.diffusion.observations import Observation, masked
from tests.diffusion.gaussian_field import N, fields, posterior


def test_members_have_the_mean_and_deviation_of_the_closed_form():
    mask = torch.zeros(N, dtype=torch.float64)
    mask[::7] = 1
    training, observation = fields(3000), Observation(masked(mask), mask * fields(1, seed=5), 0.1)
    found = krige(training, observation, 3000, torch.Generator().manual_seed(0))[:, 0]
    mean, covariance = posterior(observation, training[:, 0].mean(0), torch.cov(training[:, 0].T))
    torch.testing.assert_close(found.mean(0), mean, rtol=0, atol=0.06)  # 1 / sqrt(3000) = 0.02
    torch.testing.assert_close(found.std(0), covariance.diagonal().sqrt(), rtol=0, atol=0.06)
    with pytest.raises(ValueError, match="at most as many members"):
        krige(training[:5], observation, 6, torch.Generator())
