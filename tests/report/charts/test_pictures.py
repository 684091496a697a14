"""Pictures are lossless, upright and in the right colours."""

import base64
import io

import numpy as np
from PIL import Image

from pdekit.report.charts.colours import LEVELS, Scale
from pdekit.report.charts.pictures import map_of, smoothed, space_time

RAMP = Scale(0.0, 1.0, np.repeat(np.round(np.linspace(0, 255, LEVELS)).astype(np.uint8)[:, None], 3, 1))


def opened(uri):
    kind, content = uri.split(";base64,")
    assert kind == "data:image/png"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_x_goes_to_the_right_and_y_up():
    x, y = np.meshgrid(np.linspace(0, 1, 70), np.linspace(0, 1, 80), indexing="ij")
    for field, corner in ((x, [[0, 255], [0, 255]]), (y, [[255, 255], [0, 0]])):
        picture = np.asarray(opened(map_of(field, RAMP, (False, False))))[..., 0]
        assert picture.shape == (80, 70)
        assert picture[[0, 0, -1, -1], [0, -1, 0, -1]].reshape(2, 2).tolist() == corner


def test_time_goes_to_the_right_and_x_up():
    t, x = np.meshgrid(np.linspace(0, 1, 90), np.linspace(0, 1, 64), indexing="ij")
    assert np.asarray(opened(space_time(t, RAMP, True)))[5, [0, -1], 0].tolist() == [0, 255]
    assert np.asarray(opened(space_time(x, RAMP, False)))[[0, -1], 5, 0].tolist() == [255, 0]


def test_grid_points_are_pixels_of_their_own_colour():
    field = np.random.default_rng(0).uniform(size=(64, 64))
    picture = np.asarray(opened(map_of(field, RAMP, (True, True))))
    assert (picture == RAMP.rgba(field.T[::-1])).all()


def test_small_periodic_fields_are_interpolated_around_the_edge():
    n = 16
    x = 2 * np.pi * np.arange(n) / n
    fine = smoothed(np.sin(x)[:, None] + np.cos(x)[None], (True, True))
    # samples of the enlarged picture lie at the centres of its squares
    fine_x = 2 * np.pi * ((np.arange(64) + 0.5) / 4 - 0.5) / n
    exact = np.sin(fine_x)[:, None] + np.cos(fine_x)[None]
    assert fine.shape == (64, 64) and np.abs(fine - exact).max() < 0.02


def test_a_field_with_holes_is_left_as_it_is_and_they_are_blank():
    field = np.ones((4, 4))
    field[1, 1] = np.nan
    assert smoothed(field, (True, True)) is field
    alpha = np.asarray(opened(map_of(field, RAMP, (True, True))))[..., 3]
    assert (alpha == 0).sum() == 1 and alpha[2, 1] == 0
