"""The page: complete, self-contained, and without an error in a browser, whatever is chosen in it."""

import functools
import re

import numpy as np
import pytest
import xarray as xr

from pdekit.report.page import write_report
from tests.report.browser import needs_browser, seen_in_browser

NAMES = ("flow", "line", "block", "plate", "disc")


@pytest.fixture(scope="module")
def pages(flow, line, block, plate, disc):
    folders = dict(zip(NAMES, (flow, line, block, plate, disc), strict=True))
    return {name: write_report(folder).parent for name, folder in folders.items()}


def text_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def seen(pages, tmp_path_factory):
    """What a page is in a browser, looked at once for all tests."""

    @functools.cache
    def look(name, phone=False, dark=False):
        return seen_in_browser(pages[name], tmp_path_factory.mktemp("browser"), phone, dark)

    return look


@needs_browser
@pytest.mark.parametrize(
    "name, pictures, canvases",
    [("flow", 4 * (1 + 2 * 2), 4), ("line", 3, 3), ("block", 3 * 3 * 3, 3 * 3), ("plate", 2 * 4, 4), ("disc", 3, 3)],
)
@pytest.mark.slow
def test_in_a_browser(seen, name, pictures, canvases):
    found, console = seen(name)
    assert console == []
    assert found["broken"] == found["unnamed"] == found["unreachable"] == found["empty"] == found["ids"] == 0
    assert found["overflow"] <= 0 and found["wide"] == []
    assert found["pictures"] == pictures and found["view"]["canvases"] == canvases
    assert found["strokes"] >= 4 or name in ("plate", "disc"), "charts must be coloured"
    assert all(choice["alone"] and choice["agree"] for choice in found["choices"]), "one part is seen, the chosen one"
    view = found["view"]
    assert view["visible"] and min(min(size) for size in view["sizes"]) >= 2
    # what each control changes: reference, forecast, difference; and it can be taken back
    expected = {
        "sample": [True, True, True, True], "model": [False, True, True, True], "field": [True, True, True, True],
        "zoom": [False, False, True, True], "member": [False, True, True, True], "time": [True, True, True, True],
    }  # fmt: skip
    if name == "line":
        expected["time"] = [False, False, False, True]  # all times are seen at once
    if name == "block":
        expected["time"][1] = False  # persistence: the last given frame for ever
    assert view["changed"] == {control: expected[control] for control in view["changed"]}
    assert found["spare"] == ([False] if name == "line" else []), "what the viewer shows needs no still picture"
    if name in ("flow", "line", "block"):
        assert view["pressed"] == "true" and view["played"] > 0, "it plays"


@needs_browser
def test_every_part_can_be_reached(seen):
    found, _ = seen("flow")
    assert all(choice["reached"] == choice["parts"] for choice in found["choices"])
    assert len(found["links"]) >= 8 and all(there for _, there in found["links"])
    assert [words for words, _ in found["links"]] == found["headings"][1:]
    changed = found["view"]["changed"]
    assert set(changed) == {"sample", "model", "zoom", "member", "time"}
    for heading in ("How long forecasts hold", "Uncertainty", "Physics", "Cost and accuracy", "All measures"):
        assert heading in found["headings"]


def numbers_in(pattern, text):
    return [float(found.replace("−", "-")) for found in re.findall(pattern, text)]


@needs_browser
def test_values_under_the_pointer_are_those_that_were_kept(pages, seen):
    found, _ = seen("flow")
    with xr.open_dataset(pages["flow"] / "forecasts.nc", engine="h5netcdf") as kept:
        first = kept.vorticity.isel(member=0, sample=0, time=0)
        corners = [first.isel(x=0, y=0), first.isel(x=-1, y=0), first.isel(x=0, y=-1)]
        for said, corner in zip(found["view"]["first"], corners, strict=True):
            numbers = [
                float(v.replace("−", "-")) for v in re.findall(r"(?:reference|refiner|difference) ([−\d.e-]+)", said)
            ]
            reference, forecast = (float(corner.sel(model=m)) for m in ("reference", "pde_refiner"))
            assert numbers == pytest.approx([reference, forecast, forecast - reference], rel=0.01, abs=0.003)
            assert numbers_in(r"[xy] = ([−\d.e-]+)", said) == pytest.approx(
                [float(corner.x), float(corner.y)], abs=0.01
            )
        times = [f"t = {float(t):.3g}" for t in kept.time[[0, -1]]]
        lower = first.isel(x=15, y=8)  # from the middle ten to the right, and no further than the edge
        reference, forecast = (float(lower.sel(model=m)) for m in ("reference", "pde_refiner"))
        found_there = numbers_in(r"(?:[xy] =|reference|refiner) ([−\d.e-]+)", found["view"]["keys"])
        expected = [float(lower.x), float(lower.y), reference, forecast]
        assert found_there == pytest.approx(expected, rel=0.01, abs=0.015), "the arrow keys tell the same"
    assert found["view"]["label"] == f"reference: vorticity at {times[0]}, sample 0"
    assert found["view"]["last"] == times[1]


@needs_browser
def test_a_hole_is_blank_and_what_diverged_is_grey(seen):
    found, _ = seen("plate")
    assert "fno diverged" in found["view"]["first"][0]
    assert found["view"]["pixel"][3] == 255


@needs_browser
@pytest.mark.parametrize("name", ["flow", "block", "plate"])
@pytest.mark.slow
def test_on_a_phone(seen, name):
    found, console = seen(name, phone=True)
    assert console == [] and found["width"] == 390
    assert found["overflow"] <= 0 and found["wide"] == []


@needs_browser
def test_in_the_dark(seen):
    dark, console = seen("line", dark=True)
    light, _ = seen("line")
    assert console == [] and dark["ink"] != light["ink"]


def luminance(colour):
    """Relative luminance of "#rrggbb" (WCAG 2.1)."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_contrast_is_enough_in_all_modes(pages):
    style = text_of(pages["line"])
    modes = [
        dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{[^}]*\}", style)
    ]
    assert len(modes) == 3
    for colours in (modes[0], modes[1]):
        for name, least in [
            ("ink", 7),
            ("soft", 4.5),
            ("series-1", 4.5),
            ("line", 3),
            *((f"series-{n}", 3) for n in range(9)),
        ]:
            for ground in ("paper", "card"):
                high, low = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
                assert (high + 0.05) / (low + 0.05) >= least, (name, ground)


def test_needs_nothing_from_outside(pages):
    for folder in pages.values():
        links = set(re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?(?!data:|#)([^"\')\s>]+)', text_of(folder)))
        assert links == set()
        assert len(text_of(folder)) < 3e6


def test_says_what_is_known(pages):
    text = text_of(pages["flow"])
    for expected in (
        "pde_refiner and fno &lt;b&gt; on kolmogorov",
        "Forced &amp; two-dimensional flow.",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "abc123",
        "Learnt in addition to the fields: viscosity 0.1 found, 0.1 true.",
        "Lyapunov",
        "first crossing of 0.8",
        "mean then count",
        "2 members",
        "&lt; floor",
        "vorticity (1/s)",
        "CRPS of vorticity",
        "circulation of the field",
        "correlation time (above 0.8)",
        "coherent wavenumber",
        "solver at equal accuracy",
    ):
        assert expected in text, expected
    assert "<b>" not in text and "<script>alert" not in text


def test_steady_problems_are_on_one_page_with_what_was_given(pages):
    text = text_of(pages["plate"])
    assert "Fields and errors" in text and "given: conductivity" in text and "conductivity (W/m/K)" in text
    assert "a steady problem has no last frame" in text and "Error in time" not in text and "t = 0" not in text
    assert "RMSE (K)" in text and "RMSE (Pa)" in text and "The field has an offset" in text


def test_a_report_without_a_surrogate_or_with_slices(pages):
    text = text_of(pages["block"])
    assert "no surrogate took part" in text and all(f"{axis} = " in text for axis in "xyz")


def test_charts_take_the_colours_of_the_page(pages):
    text = re.sub(r"(?s)<script.*?</script>", "", text_of(pages["line"]))
    assert "var(--series-1)" in text and "var(--grid)" in text
    assert not re.search(r"\bnan\b", text)


def test_two_reports_of_the_same_scores_are_the_same(pages):
    first = text_of(pages["line"])
    second = write_report(pages["line"]).read_text(encoding="utf-8")
    assert re.sub("Written by .*", "", first) == re.sub("Written by .*", "", second)


def test_without_scores(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"evaluate the run first: python -m pdekit\.evaluate run="):
        write_report(tmp_path)
