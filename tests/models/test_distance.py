"""The signed distance, next to a search over all points, and as an input of a net."""

import pytest
import torch

from pdekit.fields import Field, Grid
from pdekit.models.distance import signed_distance
from pdekit.models.inputs import Preparation
from pdekit.models.one_step import OneStep
from tests.models.small import PointwiseNet, make_batch, make_problem


def by_search(inside: torch.Tensor, grid: Grid) -> torch.Tensor:
    """The distance to the nearest point of the other kind."""
    places = torch.stack([place.flatten() for place in grid.mesh()], -1)
    flat = inside.flatten()
    apart = (places[:, None] - places[None]).abs()
    for axis, layout in enumerate(grid.layout):
        if layout == "periodic":
            apart[..., axis] = torch.minimum(apart[..., axis], grid.extent[axis] - apart[..., axis])
    apart = apart.square().sum(-1).sqrt()
    apart[flat[:, None] == flat[None]] = torch.inf
    nearest = apart.amin(1) - 0.5 * min(grid.spacing)
    return torch.where(flat, nearest, -nearest).reshape(inside.shape) / min(grid.extent)


@pytest.mark.parametrize("layout", ["nodes", "cells", "periodic"])
def test_it_is_the_distance_to_the_nearest_point_on_the_other_side(layout):
    grid = Grid((9, 14), (2.0, 3.0), layout=(layout, "nodes"))
    mask = (torch.rand(3, 2, 9, 14, generator=torch.Generator().manual_seed(0)) > 0.1).double()
    found = signed_distance(mask, grid)
    for sample in range(3):
        for channel in range(2):
            torch.testing.assert_close(found[sample, channel], by_search(mask[sample, channel] > 0, grid))


def test_a_disc():
    """Within half a spacing of radius - distance to the centre, positive inside."""
    grid = Grid((64, 64), (1.0, 1.0), origin=(-0.5, -0.5), layout=("cells", "cells"))
    x, y = grid.mesh()
    radius = (x**2 + y**2).sqrt()
    found = signed_distance((radius < 0.3).float()[None, None], grid)[0, 0].double()
    assert (found - (0.3 - radius)).abs().max() < 0.8 / 64
    assert (found[radius < 0.29] > 0).all() and (found[radius > 0.31] < 0).all()


def test_a_mask_without_an_edge():
    mask = torch.stack((torch.ones(4, 4), torch.zeros(4, 4)))[None]
    found = signed_distance(mask, Grid((4, 4), (1.0, 1.0)))
    assert (found[0, 0] == 1).all() and (found[0, 1] == -1).all()


def test_a_net_sees_it_after_the_mask():
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("k"),), has_mask=True)
    model = OneStep(problem, PointwiseNet, inputs=Preparation(distance=True)).double()
    batch = make_batch(problem)
    model.calibrate([batch])
    model.loss(batch)
    seen, _ = model.net.calls[-1]
    assert seen.shape[1] == model.n_context == 1 + 2 + 2
    away = signed_distance(batch.mask, problem.grid)
    torch.testing.assert_close(seen[:, 1:], torch.cat((batch.mask, batch.mask, away, away), 1))
    assert OneStep(problem, PointwiseNet).n_context == 3
    with pytest.raises(ValueError, match="expected a problem on a grid with a mask for distance=true"):
        OneStep(make_problem(), PointwiseNet, inputs=Preparation(distance=True))


def test_a_step_can_normalise_by_quantiles():
    problem = make_problem(n_frames=1, dt=None, coeffs=(Field("k"),))
    model = OneStep(problem, PointwiseNet, inputs=Preparation(normalisation={"k": "quantile"})).double()
    batch = make_batch(problem, n=200)
    model.calibrate([batch])
    assert 0.97 < (model.normaliser.encode_coeffs(batch.coeffs).abs() <= 1).double().mean() < 0.99
    assert abs(model.normalised(batch).u.std() - 1) < 0.01
