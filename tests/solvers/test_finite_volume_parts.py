"""Parts of finite volumes by their values: step bound, positivity, reconstruction, open ends, Courant steps."""

import numpy as np
import pytest
import torch

from pdekit.boundaries import Outflow
from pdekit.fields import Grid
from pdekit.pdes import CompressibleEuler
from pdekit.solvers.finite_volume import stable_dt
from pdekit.solvers.ghosts import with_ghosts
from pdekit.solvers.reconstruction import POSITIVE, kept_positive, weno5
from pdekit.solvers.strong_stability import courant_limited


def test_the_step_bound_counts_waves_of_both_directions():
    """|u| + c = 10 + sqrt(1.4) cells per unit time on cells of length 1, for a flow to the right and to the left."""
    for velocity in (10.0, -10.0):
        u = torch.tensor([1.0, velocity, 2.5 + 50.0], dtype=torch.float64).reshape(1, 3, 1).expand(1, 3, 4)
        assert stable_dt(CompressibleEuler(), u, Grid((4,), (4.0,)), 0.5) == pytest.approx(0.5 / (10 + 1.4**0.5))


def test_a_positive_channel_keeps_a_share_of_its_average():
    faces = torch.tensor([[[-1.0, 0.5]]], dtype=torch.float64), torch.tensor([[[3.0, 1.5]]], dtype=torch.float64)
    lower, upper = kept_positive(faces, torch.ones(1, 1, 2, dtype=torch.float64), [0])
    assert lower[0, 0].tolist() == pytest.approx([POSITIVE, 0.5], rel=1e-6) and float(lower.min()) > 0
    assert upper[0, 0].tolist() == pytest.approx([2 - POSITIVE, 1.5], rel=1e-6)


def test_the_weights_of_weno_are_those_of_the_paper():
    """The upper face of a cell among the averages 1, 2, 4, 3, 7, by the formulas one after another."""
    v = [1.0, 2.0, 4.0, 3.0, 7.0]
    b = [
        13 / 12 * (v[i] - 2 * v[i + 1] + v[i + 2]) ** 2 + c**2 / 4
        for i, c in enumerate((v[0] - 4 * v[1] + 3 * v[2], v[1] - v[3], 3 * v[2] - 4 * v[3] + v[4]))
    ]
    tau = abs(b[0] - b[2])
    weights = np.array([0.1, 0.6, 0.3]) * [1 + (tau / one) ** 2 for one in b]
    faces = [(2 * v[0] - 7 * v[1] + 11 * v[2]) / 6, (-v[1] + 5 * v[2] + 2 * v[3]) / 6, (2 * v[2] + 5 * v[3] - v[4]) / 6]
    _, upper = weno5(torch.tensor(v, dtype=torch.float64).reshape(1, 1, 5), 2)
    assert float(upper[0, 0, 2]) == pytest.approx(float(weights @ faces / weights.sum()), rel=1e-12)


def test_beyond_an_open_end_lies_its_last_cell():
    u = torch.arange(1.0, 7.0, dtype=torch.float64).expand(1, 3, 6)
    found = with_ghosts(CompressibleEuler(), u, 0, (Outflow(), Outflow()), {}, 3)
    assert found[0, 1].tolist() == [1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6]


@pytest.mark.parametrize(("speed", "steps"), [(1.0, 2), (1.2, 3), (0.4, 1)])
def test_a_frame_takes_as_many_steps_as_the_courant_number_asks_for(speed, steps):
    """dt = 1, a Courant number of 0.5 and a wave that crosses so many cells: ceil(speed / 0.5) equal steps."""
    taken = []

    def scheme(rate, u, dt):
        taken.append(float(dt))
        return u

    def frequency(u):
        return torch.full((1, 1, 1), speed, dtype=torch.float64)

    courant_limited(scheme, lambda u: u, 1.0, 0.5, frequency)(torch.ones(1, 1, 4, dtype=torch.float64))
    assert taken == pytest.approx([1 / steps] * steps)
