"""The page: complete, self-contained, and without an error in a browser."""

import html
import json
import re
import shutil
import subprocess

import pytest

from pdekit.report.page import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium in PATH (Debian package chromium)")

PROBE = """
<script>
addEventListener("load", () => {
  const pictures = [...document.images], charts = [...document.querySelectorAll("figure > svg")];
  const found = {
    pictures: pictures.length, broken: pictures.filter(p => !p.complete || p.naturalWidth === 0).length,
    unnamed: pictures.filter(p => !p.alt).length + charts.filter(c => !c.getAttribute("aria-label")).length,
    charts: charts.length, empty: charts.filter(c => c.getBoundingClientRect().height < 50).length,
    strokes: new Set([...document.querySelectorAll("figure > svg path")].map(p => getComputedStyle(p).stroke)).size,
    overflow: document.documentElement.scrollWidth - innerWidth,
    ink: getComputedStyle(document.documentElement).color, ids: 0,
  };
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
  found.ids = ids.length - new Set(ids).size;
  const seen = (section) => [...section.querySelectorAll("figure")].filter(f => f.offsetHeight > 0).length;
  found.choosers = [...document.querySelectorAll(".chooser")].map(chooser => {
    const section = chooser.closest("section"), select = chooser.querySelector("select"), counts = [seen(section)];
    for (const value of ["1", "all"]) {
      select.value = value;
      select.dispatchEvent(new Event("change"));
      counts.push(seen(section));
    }
    return counts;
  });
  document.body.dataset.found = JSON.stringify(found);
});
</script>
"""


def seen_in_browser(folder, tmp_path, width=1100, dark=False):
    """What the page is in headless Chromium, and all that it wrote to the console."""
    page = tmp_path / "page.html"
    page.write_text((folder / "report.html").read_text(encoding="utf-8") + PROBE, encoding="utf-8")
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, "the page's load event never came"
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(found[1])), console


@pytest.fixture(scope="module")
def pages(flow, line, block):
    return {name: write_report(folder).parent for name, folder in {"flow": flow, "line": line, "block": block}.items()}


@needs_browser
@pytest.mark.parametrize("name, pictures", [("flow", 3 + 20), ("line", 2 * 3), ("block", 2 + 9)])
def test_in_a_browser(pages, tmp_path, name, pictures):
    found, console = seen_in_browser(pages[name], tmp_path)
    assert console == []
    assert found["broken"] == 0 and found["unnamed"] == 0 and found["empty"] == 0 and found["ids"] == 0
    assert found["pictures"] == pictures and found["charts"] >= 5
    assert found["strokes"] >= 4, "charts must be coloured"
    # one view at first, another one when it is chosen, then all
    assert found["choosers"] == {"flow": [[1, 1, 3]], "line": [[1, 1, 2]], "block": [[1, 1, 2]]}[name]


@needs_browser
def test_on_a_phone_in_the_dark(pages, tmp_path):
    found, console = seen_in_browser(pages["flow"], tmp_path, width=500, dark=True)
    assert console == [] and found["overflow"] <= 0
    light, _ = seen_in_browser(pages["flow"], tmp_path)
    assert light["overflow"] <= 0 and found["ink"] != light["ink"]


def test_needs_nothing_from_outside(pages):
    for folder in pages.values():
        text = (folder / "report.html").read_text(encoding="utf-8")
        links = set(re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?(?!data:|#)([^"\')\s>]+)', text))
        assert links == set()
        assert len(text) < 3e6


def test_says_what_is_known(pages):
    text = (pages["flow"] / "report.html").read_text(encoding="utf-8")
    for expected in (
        "pde_refiner and fno &lt;b&gt; on kolmogorov",
        "Forced &amp; two-dimensional flow.",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "abc123",
        "Lyapunov",
        "first crossing of 0.8",
        "2 members",
        "&lt; floor",
        "vorticity (1/s)",
    ):
        assert expected in text, expected
    assert "<b>" not in text and "<script>alert" not in text
    for expected in (
        "Uncertainty",
        "CRPS of vorticity",
        "Physics",
        "circulation of the field",
        "solver at<br>equal error",
    ):
        assert expected in text, expected


def test_a_report_without_a_surrogate_or_with_slices(pages):
    text = (pages["block"] / "report.html").read_text(encoding="utf-8")
    assert "no surrogate took part" in text and "at z = 1" in text


def test_charts_take_the_colours_of_the_page(pages):
    text = (pages["line"] / "report.html").read_text(encoding="utf-8")
    assert "var(--series-1)" in text and "var(--grid)" in text and "#0102" not in text


def test_two_reports_of_the_same_scores_are_the_same(pages):
    first = (pages["line"] / "report.html").read_text(encoding="utf-8")
    second = write_report(pages["line"]).read_text(encoding="utf-8")
    assert re.sub("Written by .*", "", first) == re.sub("Written by .*", "", second)


def test_without_scores(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"evaluate the run first: python -m pdekit\.evaluate run="):
        write_report(tmp_path)
