"""Measures of tensors that ask for a gradient, and of those on another device."""

import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.metrics.catalogue import CATALOGUE, MEASURES

PROBLEM = Problem(Grid((6, 8), (1.0, 2.0)), (Field("a"), Field("b")), dt=1.0, n_frames=2)
SMOOTH = (
    "rmse",
    "nrmse",
    "vrmse",
    "mae",
    "relative_h1",
    "correlation",
    "spectral_nrmse",
    "energy_spectrum",
    "rmse_low",
)


def fields(dtype=torch.float64):
    reference = torch.randn(1, 2, 2, *PROBLEM.grid.shape, dtype=dtype)
    return reference + 0.3 * torch.randn_like(reference), reference


@pytest.mark.parametrize("name", SMOOTH)
def test_measures_have_gradients(name):
    u, reference = fields()
    measure = MEASURES[name].function
    assert torch.autograd.gradcheck(lambda v: measure(v, reference, PROBLEM), u.requires_grad_())


def test_gradients_after_a_validation_in_inference_mode():
    problem = Problem(Grid((5, 7), (1.0, 2.0)), (Field("a"),), dt=1.0, n_frames=2)  # on a grid that nobody has seen
    reference = torch.randn(1, 2, 1, 5, 7)
    with torch.inference_mode():
        MEASURES["mae"].function(1.1 * reference, reference, problem)
    u = (1.1 * reference).requires_grad_()
    MEASURES["mae"].function(u, reference, problem).sum().backward()
    assert (u.grad != 0).all()


@pytest.mark.gpu
def test_a_gpu_finds_the_same():
    u, reference = fields(torch.float32)
    for measure in CATALOGUE:
        if measure.suits(PROBLEM):
            found = measure.function(u.cuda(), reference.cuda(), PROBLEM)
            torch.testing.assert_close(
                found.cpu(), measure.function(u, reference, PROBLEM), rtol=1e-4, atol=1e-5, msg=measure.name
            )
