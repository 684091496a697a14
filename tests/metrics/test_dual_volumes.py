"""Averages over a mesh are integrals over it: refined parts weigh no more than others."""

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from pdekit.evaluation.references.stored import mask_of
from pdekit.fields import Field, Points, Problem, Trajectory
from pdekit.metrics.dual_volumes import LEAST, SIMPLICES, dual_volumes, has_volumes
from pdekit.metrics.pointwise import rmse

SQUARE = [[0.0, 0], [1, 0], [1, 1], [0, 1]]
UNIT = {
    (1, 2): ([[0.0], [2.0]], 2),
    (2, 3): (SQUARE[:3], 1 / 2),
    (2, 4): ([[0.0, 0], [2, 0], [0.5, 0.5], [0, 2]], 1),  # not convex: 1/2 x diagonals (2, -2) x (0.5, 0.5)
    (3, 4): ([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], 1 / 6),
    (3, 5): ([*([*p, 0.0] for p in SQUARE), [0.3, 0.4, 1.0]], 1 / 3),
    (3, 6): ([*([*p, z] for z in (0.0, 1.0) for p in SQUARE[:3])], 1 / 2),
    (3, 8): ([*([*p, z] for z in (0.0, 1.0) for p in SQUARE)], 1),
}


def test_each_kind_of_cell_gives_its_volume_to_its_corners():
    """Two cells apart, the second three times as long along x, so that the weights are in the ratio of the volumes."""
    assert set(UNIT) == set(SIMPLICES)
    for (ndim, corners), (places, volume) in UNIT.items():
        one = torch.tensor(places, dtype=torch.float64)
        far = one * torch.tensor([3.0, 1, 1])[:ndim] + 10
        cells = torch.arange(2 * corners).reshape(1, 2, corners)
        weights = dual_volumes(torch.cat([one, far])[None], cells)[0]
        torch.testing.assert_close(weights, torch.tensor([0.5] * corners + [1.5] * corners, dtype=torch.float64))
        unit = torch.eye(ndim, dtype=torch.float64)  # a simplex of known volume next to it
        simplex = torch.cat([unit.new_zeros(1, ndim), unit]) + 10
        widest = max(corners, ndim + 1)
        both = torch.full((1, 2, widest), -1)
        both[0, 0, :corners], both[0, 1, : ndim + 1] = torch.arange(corners), corners + torch.arange(ndim + 1)
        mixed = dual_volumes(torch.cat([one, simplex])[None], both)[0]
        share = float(mixed[0] * corners / (mixed[-1] * (ndim + 1)))
        assert share == pytest.approx(volume * [1, 1, 2, 6][ndim], rel=1e-12)


def test_the_error_on_a_refined_mesh_is_the_integral():
    """Error x on [0, 1]^2 with 600 of 700 points at x < 0.1: RMSE 1/sqrt(3), of the points alone 0.2."""
    draw = np.random.default_rng(0)
    points = draw.uniform(size=(700, 2)) * np.where(np.arange(700) < 600, 0.1, 1.0)[:, None] ** [1, 0]
    points = np.concatenate([points, SQUARE, np.zeros((1, 2))])  # the last one is padding
    cells = torch.from_numpy(Delaunay(points[:-1]).simplices.astype(np.int64))[None]
    there = torch.ones(1, len(points), dtype=torch.bool)
    there[0, -1] = False
    u = torch.from_numpy(points[:, 0])[None, None, None]
    problem = Problem(Points(2, len(points)), (Field("u"),), dt=1.0, n_frames=1)
    places = torch.from_numpy(points)[None]
    alike = Trajectory(u=u, t=torch.zeros(1, 1), points=places, point_mask=there)
    meshed = Trajectory(u=u, t=torch.zeros(1, 1), points=places, point_mask=there, cells=cells)
    assert float(rmse(u, 0 * u, problem, mask_of(meshed))) == pytest.approx(3**-0.5, rel=0.01)
    assert float(rmse(u, 0 * u, problem, mask_of(alike))) < 0.3
    weights = mask_of(meshed)
    assert weights is not None and weights[0, 0, -1] == 0 and float(weights.sum()) == pytest.approx(704)


def test_a_point_of_no_cell_has_no_weight_and_is_still_seen():
    line, cells = torch.tensor([[[0.0], [1.0], [0.5]]]), torch.tensor([[[0, 1], [-1, -1]]])
    assert dual_volumes(line, cells).tolist() == [[1.0, 1.0, LEAST]]
    problem = Problem(Points(1, 3), (Field("u"),), dt=1.0, n_frames=1)
    u, mask = torch.tensor([[[[1.0, 1.0, torch.nan]]]]), dual_volumes(line, cells)[:, None]
    assert float(rmse(torch.nan_to_num(u), 0 * u.nan_to_num(), problem, mask)) == pytest.approx(1)
    assert not float(rmse(u, torch.zeros_like(u), problem, mask)) < 1e9  # NaN diverges
    assert not has_volumes(None, 2) and not has_volumes(torch.zeros(1, 2, 3, dtype=torch.int64), 3)


def test_labels_in_a_mask_are_no_weights():
    mask = torch.tensor([[[2.0, 1.0, 0.0, 255.0]]])
    batch = Trajectory(u=torch.zeros(1, 1, 1, 4), t=torch.zeros(1, 1), mask=mask)
    assert mask_of(batch).flatten().tolist() == [1.0, 1.0, 0.0, 1.0]
