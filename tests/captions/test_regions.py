"""Regions of a field: number, place, size and shape, across periodic ends too."""

import numpy as np
import pytest
import torch

from pdekit.captions import caption
from pdekit.captions.regions import describe_field, regions
from pdekit.fields import Field, Grid, Problem
from pdekit.pdes import Burgers, NavierStokes2D

PERIODIC = Grid((40, 32), (1.0, 0.8))
CELLS = Grid((40, 32), (1.0, 0.8), layout=("cells", "cells"))


def disc(grid, x0, y0, a, b=None, periodic=False):
    x, y = (axis.numpy() for axis in grid.mesh())
    dx, dy = x - x0, y - y0
    if periodic:
        dx, dy = (dx + 0.5) % 1.0 - 0.5, (dy + 0.4) % 0.8 - 0.4
    return ((dx / a) ** 2 + (dy / (b or a)) ** 2 < 1).astype(float)


def test_size_place_and_shape_of_discs_and_ellipses():
    values = disc(CELLS, 0.3, 0.25, 0.12) + 2 * disc(CELLS, 0.7, 0.6, 0.2, 0.05)
    large, small = regions(values, CELLS, 0.5)
    assert abs(large.size - np.pi * 0.12**2) < 0.1 * large.size and abs(small.size - np.pi * 0.01) < 0.1 * small.size
    assert np.allclose(large.centre, (0.3, 0.25), atol=0.01) and np.allclose(small.centre, (0.7, 0.6), atol=0.01)
    assert (large.shape, small.shape, large.peak, small.peak) == ("round", "long", 1.0, 2.0)
    assert abs(small.aspect - 4) < 0.6


@pytest.mark.parametrize("x0, y0", [(0.0, 0.4), (0.97, 0.02), (0.5, 0.79), (0.5, 0.4)])
def test_a_region_across_periodic_ends_is_one(x0, y0):
    values = disc(PERIODIC, x0, y0, 0.13, periodic=True)
    (found,) = regions(values, PERIODIC, 0.5)
    across = zip(found.centre, (x0, y0), (1.0, 0.8), strict=True)
    away = [(a - b + length / 2) % length - length / 2 for a, b, length in across]
    assert np.abs(away).max() < 0.01 and found.shape == "round"
    assert abs(found.size - np.pi * 0.13**2) < 0.1 * found.size
    if (x0, y0) == (0.97, 0.02):
        assert len(regions(values, CELLS, 0.5)) == 4  # one in each corner


def test_specks_do_not_count():
    values = np.zeros(CELLS.shape)
    values[3, 3] = values[20, 20] = values[20, 21] = values[21, 20] = 1.0
    assert [region.size for region in regions(values, CELLS, 0.5)] == pytest.approx([3 * 0.025**2])


def test_vortices_and_fronts_are_counted():
    box = Grid((48, 48), (2 * np.pi,) * 2)
    x, y = box.mesh()
    flow = Problem(box, NavierStokes2D.fields, dt=1.0, n_frames=2, pde=NavierStokes2D())
    w = (torch.sin(x) * torch.sin(2 * y))[None]
    assert describe_field(w, flow) == "four vortices counter-clockwise and four vortices clockwise"
    assert "four vortices counter-clockwise" in caption(flow, {}, frame=w)
    line = Grid((64,), (1.0,))
    burgers = Problem(line, Burgers.fields, dt=1.0, n_frames=2, pde=Burgers())
    assert describe_field(torch.sin(6 * np.pi * line.coordinates(0))[None], burgers) == "three falling fronts"
    assert describe_field(torch.zeros(1, 64), burgers) == ""


def test_plumes_are_named_by_place_and_shape():
    problem = Problem(CELLS, (Field("smoke"),), dt=1.0, n_frames=2)
    u = torch.from_numpy(disc(CELLS, 0.15, 0.1, 0.08) + disc(CELLS, 0.8, 0.65, 0.19, 0.05))[None]
    assert describe_field(u, problem) == (
        "two regions of high smoke: a long one in the upper right and a round one in the lower left"
    )
