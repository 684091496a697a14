"""Sensor placement against the dense formula of a Gaussian posterior."""

import pytest
import torch

from pdekit.diffusion.sensors import place_sensors
from tests.diffusion.gaussian_field import N, fields


def test_each_sensor_stands_where_the_posterior_variance_is_largest():
    samples, noise = fields(300)[:, 0] * torch.linspace(0.5, 1.5, N), 0.2
    chosen, before = place_sensors(samples, 6, noise)
    covariance = torch.cov(samples.T)
    for i, variance in zip(chosen.tolist(), before.tolist(), strict=True):
        assert i == int(covariance.diagonal().argmax())
        assert abs(float(covariance[i, i]) - variance) < 1e-12
        column = covariance[:, i]
        covariance = covariance - torch.outer(column, column) / (column[i] + noise**2)
    best = torch.cov(samples.T)[chosen][:, chosen] + noise**2 * torch.eye(6)
    gain = (before + noise**2).log().sum()  # the chain rule of the determinant
    torch.testing.assert_close(torch.logdet(best), gain)


def test_sensors_stand_at_candidates_only_and_never_twice():
    allowed = torch.zeros(N, dtype=torch.bool)
    allowed[10:14] = True
    assert sorted(place_sensors(fields(50)[:, 0], 4, 0.1, allowed)[0].tolist()) == [10, 11, 12, 13]
    with pytest.raises(ValueError, match="expected 1 to 4 sensors"):
        place_sensors(fields(50)[:, 0], 5, 0.1, allowed)
