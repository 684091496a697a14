"""Colour maps are perceptually uniform; scales make fields and errors comparable by eye."""

import numpy as np
import pytest

from pdekit.report.charts.colours import LEVELS, TO_LMS, TO_RGB, Scale, diverging, scales, sequential


def oklab(rgb):
    """Oklab of sRGB 0..255, by the inverse of the matrices."""
    srgb = rgb / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ np.linalg.inv(TO_RGB).T) @ np.linalg.inv(TO_LMS).T


def test_white_is_white_in_oklab():
    assert oklab(np.array([[255.0, 255, 255]]))[0] == pytest.approx([1, 0, 0], abs=2e-4)


def test_the_diverging_map_is_lightest_in_the_middle_and_falls_evenly():
    lightness = oklab(diverging().astype(float))[:, 0]
    steps = np.diff(lightness)
    half = LEVELS // 2
    assert (steps[: half - 1] > 0).all() and (steps[half:] < 0).all()
    assert np.abs(lightness - lightness[::-1]).max() < 0.02, "both sides must look equally far from zero"
    assert np.abs(steps).max() < 1.6 * np.abs(steps).mean()


def test_neighbouring_colours_are_equally_far_apart():
    for colours in (diverging(), sequential()):
        distance = np.linalg.norm(np.diff(oklab(colours.astype(float)), axis=0), axis=1)
        smooth = np.convolve(distance, np.ones(9) / 9, "valid")  # rounding to 8 bits jumps about
        assert smooth.max() < 2.5 * smooth.min()


def test_a_signed_field_has_one_symmetric_scale_for_itself_and_its_error():
    field, error = scales(np.array([-1.0, 0.0, 3.0]))
    assert field is error and (field.low, field.high) == (-3, 3)


def test_an_unsigned_field_has_an_error_scale_of_the_same_span():
    field, error = scales(np.array([280.0, 300.0, np.nan]))
    assert (field.low, field.high, error.low, error.high) == (280, 300, -10, 10)
    assert (field.colours == sequential()).all() and (error.colours == diverging()).all()


def test_a_constant_field_has_a_scale():
    field, _ = scales(np.full(3, 7.0))
    assert field.low < 7 < field.high
    assert np.isfinite(scales(np.full(3, np.nan))[0].low)


def test_values_beyond_the_scale_holes_and_what_has_diverged():
    scale = Scale(-1.0, 1.0, diverging())
    rgba = scale.rgba(np.array([-9.0, 9.0, np.nan, np.inf]))
    assert (rgba[0, :3] == diverging()[0]).all() and (rgba[1, :3] == diverging()[-1]).all()
    assert rgba[:, 3].tolist() == [255, 255, 0, 255], "a hole is blank"
    assert (rgba[3, :3] == 128).all(), "what has diverged is grey"
    assert scale.css().startswith("linear-gradient(90deg, #") and scale.css().count("#") == 18
