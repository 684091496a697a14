"""The dataset `radial_dam_break`: its start, its balances, and a file of the published layout made in the radius."""

import dataclasses
from math import pi

import h5py
import numpy as np
import pytest
import torch

from pdekit.boundaries import Outflow
from pdekit.data.formats import recognised
from pdekit.fields import Grid
from pdekit.pdes import ShallowWater
from pdekit.recipes.initial import RadialDam
from pdekit.solvers import finite_volume
from tests.data.formats import published_pdebench
from tests.recipes.test_configs import compose

FIELDS = ShallowWater.fields


def square(n, layout="cells"):
    return Grid((n, n), (5.0, 5.0), (-2.5, -2.5), (layout, layout))


@pytest.mark.parametrize("layout", ["cells", "periodic"])
def test_a_dam_holds_its_water_on_every_grid(layout):
    """Averages of three cells are those of the cell that they make; the water above 1 is that of the circle."""
    radius = float(np.random.default_rng(2).uniform(0.3, 0.7))
    coarse, fine = (RadialDam()(square(n, layout), FIELDS, np.random.default_rng(2)) for n in (40, 120))
    shift = (1, 1) if layout == "periodic" else (0, 0)  # the cells around a point
    blocks = fine.roll(shift, (1, 2)).unflatten(1, (40, 3)).unflatten(3, (40, 3)).mean((2, 4))
    torch.testing.assert_close(blocks, coarse, rtol=0, atol=2e-3)
    assert not coarse[1:].any() and coarse[0].min() == 1 and coarse[0].max() == 2
    assert float((coarse[0] - 1).mean()) * 25 == pytest.approx(pi * radius**2, rel=1e-3)


def test_a_dam_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="depths above 0 and radii 0 < least <= most, got 2"):
        RadialDam(radius=(0.7, 0.3))
    with pytest.raises(ValueError, match="a depth and two momenta on a plane for RadialDam, got depth in 2"):
        RadialDam()(square(8), FIELDS[:1], np.random.default_rng(0))
    with pytest.raises(ValueError, match="a radius below half of the box"):
        RadialDam(radius=(2.6, 2.6))(square(8), FIELDS, np.random.default_rng(0))


def test_no_water_leaves_before_the_end_and_the_flow_keeps_its_symmetries():
    """The bore is at a radius of about 2.1 at t = 1, and the ends are 2.5 from the centre."""
    recipe = compose("radial_dam_break")
    recipe = dataclasses.replace(recipe, solver_shape=recipe.grid.shape, substeps=4, dtype="float64")
    u = recipe.simulate("test", [0, 1]).u.double()
    h = u[:, :, 0]
    water = h.mean((2, 3))
    torch.testing.assert_close(water, water[:, :1].expand_as(water), rtol=1e-6, atol=0)  # stored in float32
    for turned in (h.flip(2), h.flip(3), h.mT):
        torch.testing.assert_close(turned, h, rtol=0, atol=1e-6)
    assert float((h[:, -1, 0, :] - 1).abs().max()) < 1e-3 and h.min() > 0
    assert float((h[:, -1] - h[:, 0]).abs().mean()) > 0.02 and float((h[0, -1] - h[1, -1]).abs().mean()) > 0.005


def in_the_radius(dam, times, n=1500, reach=2.75):
    """Depth at n radii and some times: (r h)_t + (r q)_r = 0, (r q)_t + (r (q^2/h + h^2/2))_r = h^2/2, Rusanov."""
    dr = reach / n
    faces = dr * np.arange(n + 1)
    r = (faces[1:] + faces[:-1]) / 2
    h, q, frames, t = np.where(r < dam, 2.0, 1.0), np.zeros(n), [], 0.0
    for end in times:
        steps = int(np.ceil((end - t) / (0.4 * dr / 2)))
        for _ in range(steps):
            dt = (end - t) / steps
            state = np.pad(np.stack((h, q)), ((0, 0), (1, 1)), mode="edge")
            state[1, 0] = -q[0]
            flow = np.stack((state[1], state[1] ** 2 / state[0] + state[0] ** 2 / 2))
            fastest = np.abs(state[1] / state[0]) + np.sqrt(state[0])
            speed = np.maximum(fastest[1:], fastest[:-1])
            flux = faces * ((flow[:, 1:] + flow[:, :-1]) - speed * (state[:, 1:] - state[:, :-1])) / 2
            change = -(flux[:, 1:] - flux[:, :-1]) / (r * dr)
            h, q = h + dt * change[0], q + dt * (change[1] + h**2 / 2 / r)
        frames.append(h)
        t = end
    return r, frames


def test_a_published_dam_break_is_forecast_from_its_first_frame(tmp_path):
    """PDEBench stores the depth alone; the water begins at rest, so that the first frame is the whole state."""
    n, dam, times = 64, 0.55, (0.5, 1.0)
    path = published_pdebench.seeded(tmp_path / "2D_rdb_NA_NA.h5", (n, n), 1, n=1, frames=3, box=(-2.5, 2.5))
    r, frames = in_the_radius(dam, times)
    x, y = np.meshgrid(*[5 * (np.arange(8 * n) + 0.5) / (8 * n) - 2.5] * 2, indexing="ij")
    away = np.hypot(x, y)
    stored = [np.where(away < dam, 2.0, 1.0), *(np.interp(away, r, h) for h in frames)]
    with h5py.File(path, "r+") as file:
        file["0000/grid/t"][...] = (0.0, *times)
        means = np.stack(stored).reshape(3, n, 8, n, 8).mean((2, 4))
        file["0000/data"][...] = means[..., None]
    source = recognised(path).open(path)["all"]
    problem, u = source.problem, source.read(0).u.double()
    assert problem.boundary == ((Outflow(), Outflow()),) * 2 and problem.dt == 0.5
    step = finite_volume(ShallowWater(gravity=1.0), problem.grid, 0.01, "muscl", 2, problem.boundary)
    state = torch.cat((u[:, 0], 0 * u[:, 0], 0 * u[:, 0]), 1)
    for frame in (1, 2):
        for _ in range(50):
            state = step(state)
        error = (state[:, :1] - u[:, frame]).abs().mean() / (u[:, frame] - 1).abs().mean()
        assert float(error) < 0.1  # of first order at the bore, about four of these cells wide
