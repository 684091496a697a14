"""Errors of a self-check where a field passes through zero."""

import torch

from pdekit.fields import Field
from pdekit.simulators.check import errors_by_field, relative_error


def test_a_field_that_passes_through_zero_is_measured_against_a_thousandth():
    """Norms of 1 and 1e-4, and an error of 1e-4 in both frames."""
    reference = torch.tensor([1.0, 1e-4], dtype=torch.float64).reshape(1, 2, 1, 1).expand(1, 2, 1, 8)
    expected = torch.tensor([[1e-4, 0.1]], dtype=torch.float64)
    torch.testing.assert_close(relative_error(reference + 1e-4, reference, (Field("u"),)), expected)
    torch.testing.assert_close(errors_by_field(reference + 1e-4, reference, (Field("u"),))["u"][0], expected)
