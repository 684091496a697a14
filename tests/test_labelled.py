"""Tensors get names and lose them again without a change."""

import numpy as np
import pytest
import torch

from pdekit.fields import Field, Grid, Problem
from pdekit.given import state
from pdekit.labelled import to_dataset

PROBLEM = Problem(Grid((4, 6), (1.0, 3.0)), (Field("height", "m"), Field("speed", "m/s")), dt=0.5, n_frames=3)


def test_round_trip_keeps_values_names_and_units():
    u, t = torch.randn(2, 3, 2, 4, 6), torch.arange(3) * 0.5
    data = to_dataset(u, t, PROBLEM)
    assert data["height"].dims == ("sample", "time", "x", "y")
    assert data["speed"].attrs["units"] == "m/s"
    assert data.time.values.tolist() == [0.0, 0.5, 1.0]
    np.testing.assert_allclose(data.y, [0, 0.5, 1, 1.5, 2, 2.5])
    assert torch.equal(state(data, PROBLEM, 3).float(), u)
    assert data["speed"].sel(time=0.5).isel(sample=1, x=2, y=3) == u[1, 1, 1, 2, 3]


def test_members_and_steps_that_differ():
    u = torch.randn(5, 2, 3, 2, 4, 6)
    t = torch.tensor([[0, 0.5, 1.0], [0, 0.4, 0.8]])
    data = to_dataset(u, t, PROBLEM, leading=("member", "sample"))
    assert data["height"].dims == ("member", "sample", "time", "x", "y")
    assert "time" not in data.coords
    np.testing.assert_allclose(data.time_of_sample.values, t)


def test_wrong_input_says_what_was_expected():
    with pytest.raises(ValueError, match="add \\['speed'\\]"):
        state(to_dataset(torch.zeros(2, 3, 2, 4, 6), torch.arange(3), PROBLEM).drop_vars("speed"), PROBLEM)
    with pytest.raises(ValueError, match="channel axis before the spatial axes"):
        state(np.zeros((3, 4, 6)), PROBLEM)
    with pytest.raises(ValueError, match="expected u with the dimensions"):
        to_dataset(torch.zeros(3, 2, 4, 6), torch.arange(3), PROBLEM)
    with pytest.raises(ValueError, match="add or rename \\['y'\\]"):
        state(to_dataset(torch.zeros(2, 3, 2, 4, 6), torch.arange(3), PROBLEM).rename(y="z"), PROBLEM)


def test_axes_in_another_order_are_put_in_theirs():
    u = torch.randn(2, 3, 2, 4, 6)
    t = torch.arange(3) * 0.5
    turned = to_dataset(u, t, PROBLEM).transpose("y", "sample", "x", "time")
    assert torch.equal(state(turned, PROBLEM, 3).float(), u)
    alone = Problem(PROBLEM.grid, PROBLEM.fields[:1], dt=0.5, n_frames=3)
    height = to_dataset(u[:, :, :1], t, alone)["height"]
    assert torch.equal(state(height.transpose("sample", "time", "y", "x"), alone, 3).float(), u[:, :, :1])
    assert torch.equal(state(u[0, 0, 0], alone).float(), u[:1, :1, :1])
