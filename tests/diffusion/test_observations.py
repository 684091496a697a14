"""Observation operators: exact adjoints, interpolation, refusals."""

import pytest
import torch

from pdekit.diffusion.observations import Observation, linear_map, masked, point_sensors
from tests.diffusion.gaussian_field import draws

SHAPE = (2, 6, 5)
INDEX = torch.tensor([[0.0, 0.0], [2.5, 3.25], [5.0, 4.0], [5.75, 0.5]], dtype=torch.float64)
CHANNEL = torch.tensor([0, 1, 1, 0])
OPERATORS = {
    "mask": masked((draws(3, *SHAPE, seed=4) > 0.5).double()),
    "sensors": point_sensors(INDEX, CHANNEL, SHAPE, (True, False)),
    "any": linear_map(lambda x: x.diff(dim=-1).sum(1), SHAPE),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_the_adjoint_is_exact(name):
    operator, x = OPERATORS[name], draws(3, *SHAPE)
    r = draws(*operator.forward(x).shape, seed=1)
    left = (r * operator.forward(x)).flatten(1).sum(1)
    right = (x * operator.adjoint(r)).flatten(1).sum(1)
    torch.testing.assert_close(left, right, rtol=1e-13, atol=1e-13)


def test_sensors_read_a_bilinear_field_exactly_and_close_a_periodic_axis():
    i, j = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="ij")
    bilinear = (1 + 2 * i + 3 * j - i * j).double()
    field = torch.stack((bilinear, -bilinear))[None]
    found = OPERATORS["sensors"].forward(field)[0]
    wrapped = 0.25 * (bilinear[5, 0] + bilinear[5, 1]) * 0.5 + 0.75 * (bilinear[0, 0] + bilinear[0, 1]) * 0.5
    x, y = INDEX[1]
    expected = torch.stack((bilinear[0, 0], -(1 + 2 * x + 3 * y - x * y), -bilinear[5, 4], wrapped))
    torch.testing.assert_close(found, expected)


def test_sensors_outside_the_grid_and_of_no_channel_are_refused():
    with pytest.raises(ValueError, match="expected sensors inside the grid"):
        point_sensors(torch.tensor([[0.0, 4.01]]), torch.tensor([0]), SHAPE, (True, False))
    with pytest.raises(ValueError, match="expected channels from 0 to 1"):
        point_sensors(torch.tensor([[0.0, 0.0]]), torch.tensor([2]), SHAPE, (True, False))


def test_an_observation_needs_an_error_and_finite_values():
    with pytest.raises(ValueError, match="expected a noise above 0"):
        Observation(OPERATORS["mask"], draws(3, *SHAPE), 0.0)
    with pytest.raises(ValueError, match="expected finite values"):
        Observation(OPERATORS["mask"], torch.full((3, *SHAPE), torch.nan), 0.1)
