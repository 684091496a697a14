"""The range of a training split, and the distance of a start from it in widths."""

import dataclasses

import pytest
import torch

from pdekit.data.arrays import Arrays
from pdekit.data.domain import DOMAIN, domain_of, load_domain, save_domain
from pdekit.data.resolutions import Resolutions
from pdekit.fields import Field, Grid, Problem, Trajectory

PROBLEM = Problem(Grid((8,), (1.0,)), (Field("u"),), dt=1.0, n_frames=2, params=("viscosity",))


def batch(means, viscosity, grid=PROBLEM.grid):
    """Waves of amplitude 1 about some means."""
    wave = torch.sin(2 * torch.pi * grid.coordinates(0))
    u = (torch.tensor(means).reshape(-1, 1, 1, 1) + wave).expand(-1, 2, 1, *grid.shape)
    t = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(len(means), 2)
    return Trajectory(u=u, t=t, params=torch.tensor(viscosity).reshape(-1, 1), index=torch.arange(len(means)))


def test_distances_are_widths_of_the_training_range(tmp_path):
    save_domain(tmp_path, domain_of(Arrays(PROBLEM, batch([0.0, 2.0], [0.5, 1.0]))))
    domain = load_domain(tmp_path)
    inside, outside = batch([1.0], [0.7]).known(1), batch([1.0, 3.0], [0.7, 2.0]).known(1)
    assert domain.in_words(inside, PROBLEM) == "inside the training range"
    found = domain.distances(outside, PROBLEM)
    assert found["mean of u"] == pytest.approx(0.5) and found["viscosity"] == pytest.approx(2.0)
    assert found["deviation of u"] == pytest.approx(0, abs=1e-6)
    below = domain.distances(batch([1.0, -3.0], [0.7, 0.25]).known(1), PROBLEM)
    assert below["mean of u"] == pytest.approx(1.5) and below["viscosity"] == pytest.approx(0.5)
    words = domain.in_words(outside, PROBLEM)
    assert words.startswith("outside the training range: viscosity by 2 widths of [0.5, 1], mean of u by 0.5 widths")


def test_a_start_outside_is_warned_of(tmp_path):
    domain = domain_of(Arrays(PROBLEM, batch([0.0, 2.0], [0.5, 1.0])))
    with pytest.warns(UserWarning, match="starts outside the training range: mean of u by inf widths"):
        assert "inf" in domain.noted(batch([float("nan")], [0.7]).known(1), PROBLEM)
    assert load_domain(tmp_path) is None, "runs of earlier versions have no range"


def test_a_system_without_space_has_values_for_means():
    problem = Problem(Grid((), ()), (Field("x"),), dt=1.0, n_frames=2)
    t = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    states = Trajectory(u=torch.tensor([[[2.0], [5.0]]]), t=t, index=torch.arange(1))
    assert domain_of(Arrays(problem, states)).ranges == {"mean of x": (2.0, 5.0), "deviation of x": (0.0, 0.0)}


def test_the_range_of_data_on_several_grids_is_that_of_all(tmp_path):
    coarse = dataclasses.replace(PROBLEM, grid=PROBLEM.grid.resized((4,)))
    pieces = [Arrays(PROBLEM, batch([0.0], [0.5])), Arrays(coarse, batch([2.0], [1.0], coarse.grid))]
    domain = domain_of(Resolutions(pieces))
    assert domain.ranges["mean of u"] == pytest.approx((0.0, 2.0), abs=1e-6) and domain.ranges["viscosity"] == (0.5, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"ranges": {"u": [2, 1]}}',
        '{"ranges": {"u": [0, Infinity]}}',
        '{"ranges": {"mean of u": [0, 1]}}',
        '{"ranges": {"u": 3}}',
        "[" * 9000,
    ],
)
def test_a_damaged_range_is_a_sentence(tmp_path, text):
    (tmp_path / DOMAIN).write_text(text)
    with pytest.raises(ValueError, match=r"range of a training split in .*domain.json, found a damaged file .*remove"):
        load_domain(tmp_path)
