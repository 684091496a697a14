"""MeanFlow on Gaussian modes: the exact one-call map has no error, to the order of the central difference."""

import pytest
import torch

from pdekit.diffusion.closed_forms import GaussianModes
from pdekit.diffusion.mean_flow import mean_flow_error, mean_velocity

VARIANCE = torch.tensor([4.0, 1.0, 0.1, 1e-3], dtype=torch.float64)
GAUSSIAN = GaussianModes(VARIANCE)


def exact(y, k):
    return GAUSSIAN.flow(y, k, 0.0)


@pytest.mark.parametrize("k", [20.0, 1.0, 0.05])
def test_the_exact_map_has_the_error_of_the_difference(k):
    y = torch.sqrt(VARIANCE + k**2) * torch.randn(
        16, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    sizes = [mean_flow_error(exact, GAUSSIAN, y, k, step).abs().max().item() for step in (2e-3, 1e-3)]
    assert sizes[1] < 2e-4 and sizes[0] / sizes[1] == pytest.approx(4, rel=0.05)
    assert mean_flow_error(GAUSSIAN, GAUSSIAN, y, k).abs().max() > 0.05, "the mean is no sample"


def test_the_mean_velocity_is_that_of_the_closed_form():
    """u = z (1 - s_0 / s_t) / t with s_t = sqrt((1 - t)^2 v + t^2)."""
    z, t = torch.ones(1, 4, dtype=torch.float64), 0.7
    s = torch.sqrt((1 - t) ** 2 * VARIANCE + t**2)
    torch.testing.assert_close(mean_velocity(exact, z, t), z * (1 - VARIANCE.sqrt() / s) / t, rtol=0, atol=1e-12)


def test_only_the_mean_velocity_itself_has_a_gradient():
    """A map c y: the gradient of the squared error is that of u alone, at a fixed target."""
    gain = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    y, k = torch.ones(1, 4, dtype=torch.float64), 1.0
    error = mean_flow_error(lambda y, k: gain * y, GAUSSIAN, y, k)
    (found,) = torch.autograd.grad(error.square().sum(), gain)
    assert found.item() == pytest.approx(float((2 * error.detach() * (-y / 0.5)).sum()), rel=1e-12)
