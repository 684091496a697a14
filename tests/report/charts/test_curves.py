"""Charts: points are where their values say, in the colours of the page, and gaps stay gaps."""

import re

import numpy as np
import pytest

from pdekit.report.charts.curves import BOTTOM, DASHED, HEIGHT, RIGHT, TOP, WIDTH, Line, Panel, lines, path, ticks


def drawn(svg, stroke="var(--series-1)"):
    """Coordinates of the path of a colour."""
    (data,) = re.findall(rf'<path fill="none" stroke="{re.escape(stroke)}"[^>]* d="([^"]*)"', svg)
    return [[float(v) for v in pair] for pair in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", data)]


def inner(svg):
    return [float(v) for v in re.findall(r'<svg x="([\d.]+)" y="\d+" width="([\d.]+)" height="([\d.]+)"', svg)[0]]


def test_values_are_where_the_axes_say():
    panel = Panel("a title", "x", "y")
    panel.limits("x", 0.0, 10.0)
    panel.limits("y", -1.0, 1.0)
    panel.curve(np.array([0.0, 5.0, 10.0]), np.array([-1.0, 0.0, 1.0]), Line(1))
    svg = panel.svg()
    left, width, height = inner(svg)
    assert left + width == pytest.approx(WIDTH - RIGHT, abs=0.2) and height == HEIGHT - TOP - BOTTOM
    assert np.allclose(drawn(svg), [[0, height], [width / 2, height / 2], [width, 0]], atol=0.1)


def test_logarithmic_axes_and_what_has_no_place_on_them():
    panel = Panel("t", "x", "y", "xy")
    panel.limits("x", 1.0, 100.0)
    panel.limits("y", 0.01, 1.0)
    panel.curve(np.array([1.0, 10.0, 20.0, 100.0]), np.array([0.01, 0.1, -3.0, 1.0]), Line(1))
    _, width, height = inner(panel.svg())
    assert np.allclose(drawn(panel.svg()), [[0, height], [width / 2, height / 2], [width, 0]], atol=0.1)


def test_gaps_stay_gaps():
    assert path(np.arange(5.0), np.array([1.0, np.nan, 2.0, 3.0, np.inf])) == "M0 1h0M2 2L3 3"
    assert path(np.arange(2.0), np.full(2, np.nan)) == ""


def test_a_band_with_an_infinite_edge_stays_finite():
    panel = Panel("t", "x", "y")
    x, ones = np.arange(3.0), np.ones(3)
    panel.band(x, ones, 0.5 * ones, np.array([2.0, np.inf, np.inf]), Line(2), name="fno & co")
    svg = panel.svg()
    assert "inf" not in svg and "nan" not in svg
    assert "<title>fno &amp; co</title>" in svg


def test_titles_and_labels_are_escaped():
    svg = Panel('<b> "quoted"', "x & y", "<y>").svg()
    assert 'aria-label="&lt;b&gt; &quot;quoted&quot;"' in svg and "x &amp; y" in svg and "&lt;y&gt;" in svg


def test_points_levels_and_steps():
    panel = Panel("t", "x", "y")
    panel.points(np.array([1.0, np.inf]), np.array([2.0, 3.0]), Line(3), ["one", "two"])
    panel.points(np.array([2.0]), np.array([2.5]), Line(1), ["named"], diamond=True, written=True)
    panel.level(2.2, Line(7, DASHED), name="mean")
    svg = panel.svg()
    assert svg.count("<circle") == 1 and "<title>one</title>" in svg and "two" not in svg
    assert '<text class="mark"' in svg and ">named</text>" in svg
    assert "stroke-dasharray" in svg and "<title>mean</title>" in svg
    steps = Panel("t", "x", "y")
    steps.steps(np.arange(3.0), np.array([1.0, 2.0, 3.0]), Line(1))
    assert len(drawn(steps.svg())) == 6


@pytest.mark.parametrize("values", [np.zeros(3), np.full(3, 7.0), np.full(3, np.nan), np.zeros(0)])
@pytest.mark.parametrize("log", ["", "y", "xy"])
def test_degenerate_data_make_a_chart(values, log):
    panel = Panel("t", "x", "y", log)
    panel.curve(np.arange(len(values)) + 1.0, values, Line(1))
    svg = panel.svg()
    assert "nan" not in svg and "inf" not in svg and svg.count("<text") >= 4


@pytest.mark.parametrize("low, high", [(0, 1), (-14.5, 12.3), (1e-9, 3e-9), (280, 300), (-1e6, 1e6)])
def test_axes_have_a_few_round_marks_inside(low, high):
    found = ticks(low, high)
    assert 3 <= len(found) <= 8 and all(low - 1e-6 * (high - low) <= v <= high + 1e-6 * (high - low) for v, _ in found)
    assert all(len(text) <= 8 for _, text in found)
    assert [float(text.replace("−", "-")) for _, text in found] == pytest.approx([v for v, _ in found])


@pytest.mark.parametrize("low, high", [(1e-8, 3.0), (0.09, 1.2), (2.0, 3.0), (1.0, 1e12)])
def test_logarithmic_axes_too(low, high):
    found = ticks(low, high, log=True)
    assert 2 <= len(found) <= 8 and all(low <= v <= high for v, _ in found)


def test_models_are_told_apart():
    kinds = [(f"s{n}", "surrogate") for n in range(7)] + [(f"b{n}", "baseline") for n in range(4)]
    found = lines([*kinds, ("solver a", "solver"), ("solver b", "solver")])
    assert len(set(found.values())) == len(found)


def test_a_histogram_has_a_level_of_the_width_between_its_places_around_each(monkeypatch):
    drawn = []
    monkeypatch.setattr(Panel, "curve", lambda self, x, y, line, name="": drawn.append((x.tolist(), y.tolist())))
    Panel("t", "x", "y").steps(np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0]), Line(1))
    assert drawn == [([0.5, 1.5, 1.5, 2.5, 2.5, 3.5], [5.0, 5.0, 6.0, 6.0, 7.0, 7.0])]


def test_a_band_goes_up_to_the_highest_median_where_its_upper_end_is_infinite():
    panel = Panel("t", "x", "y")
    panel.band(np.arange(3.0), np.array([1.0, 2.0, 4.0]), np.zeros(3), np.array([2.0, np.inf, np.inf]), Line(1))
    (area,) = [data for kind, _, data, _ in panel._layers if kind == "area"]
    assert area[2].tolist() == [2.0, 4.0, 4.0]
