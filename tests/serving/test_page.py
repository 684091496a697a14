"""The local page in headless Chromium: a forecast and a sample are asked for, and what is painted."""

import html
import json
import re
from functools import partial
from pathlib import Path

import pytest
import torch

from pdekit.data.arrays import Arrays
from pdekit.fields import Grid
from pdekit.models.autoencoder import Autoencoder
from pdekit.models.text2pde import Text2PDE
from pdekit.nets.grid_autoencoder import GridAutoencoder
from pdekit.nets.text_encoder import TextEncoder
from pdekit.nets.transformer import SpaceTimeTransformer, TransformerSize
from pdekit.runs import Run
from pdekit.serving.scenes import Studio
from tests.models.small import make_problem
from tests.models.test_text2pde import captioned
from tests.report.browser import chromium, needs_browser
from tests.serving.test_server import plane_studio, serving

PROBE = """
(async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const until = async (ready) => { for (let n = 0; n < 300 && !ready(); n++) await pause(50); };
  await until(() => document.body.dataset.ready);
  const form = document.querySelector("form:not([hidden])");
  if (form.elements.number) form.elements.number.value = 1;
  form.querySelector("button").click();
  await until(() => !$("scene").hidden || $("state").className === "failed");
  const looks = () => [...document.querySelectorAll("#panels canvas")].map((c) => c.toDataURL());
  const first = looks();
  $("time").value = $("time").max;
  $("time").dispatchEvent(new Event("input"));
  const last = looks(), now = $("now").textContent;
  $("play").click();
  await pause(400);
  const found = {
    state: $("state").textContent, title: $("scene-title").textContent, now, played: $("now").textContent !== now,
    panels: [...document.querySelectorAll("#panels figcaption")].map((c) => c.textContent),
    sizes: [...document.querySelectorAll("#panels canvas")].map((c) => [c.width, c.height]),
    changed: first.map((look, n) => look !== last[n]),
    charts: [...document.querySelectorAll("#charts figcaption")].map((c) => c.textContent),
    lines: [...document.querySelectorAll("#charts path")].map((p) => (p.getAttribute("d").match(/L/g) ?? []).length),
    unnamed: [...document.querySelectorAll("input, select, button")]
      .filter((c) => !c.labels?.length && !c.textContent).length
      + [...document.querySelectorAll("canvas, svg.chart")].filter((c) => !c.getAttribute("aria-label")).length,
    overflow: document.documentElement.scrollWidth - innerWidth, outside: performance.getEntriesByType("resource")
      .map((entry) => entry.name).filter((name) => !name.startsWith(location.origin) && !name.startsWith("data:")),
  };
  if (!$("drawing").hidden) {
    const canvas = document.querySelector("#panels canvas"), box = canvas.getBoundingClientRect();
    const at = { bubbles: true, buttons: 1, clientX: box.left + box.width / 4, clientY: box.top + box.height / 4 };
    const touch = () => canvas.dispatchEvent(new PointerEvent("pointerdown", at));
    touch();  // not yet drawing
    $("draw").click();
    const before = canvas.toDataURL();
    touch();
    found.previewed = canvas.toDataURL() !== before;
    $("undo").click();
    found.undone = canvas.toDataURL() === before && $("continue").disabled;
    touch();
    $("continue").click();
    await until(() => $("scene-title").textContent.startsWith("drawing"));
    found.drawn = [$("scene-title").textContent, $("state").className];
    found.kept = [kept.length, strokes.length, kept[0][0]];
    found.alone = [...document.querySelectorAll("#panels figcaption")].map((c) => c.textContent);
  }
  document.body.dataset.found = JSON.stringify(found);
})();
"""


def seen(studio, tmp_path):
    """What the page is after its first form was submitted, and what it wrote to the console."""
    with serving(studio) as server:
        kind, page = server.files["/"]
        server.files["/"] = kind, page.replace(b"</head>", b'<script src="probe.js" defer></script></head>')
        server.files["/probe.js"] = "text/javascript", PROBE.encode()
        out, console = chromium(server.address, tmp_path, "--dump-dom")
    found = re.search(r'<body[^>]* data-found="([^"]*)"', out)
    assert found, (console, out[-3000:])
    return json.loads(html.unescape(found[1])), console


@needs_browser
@pytest.mark.slow
def test_a_forecast_is_painted_next_to_the_solver(tmp_path):
    found, console = seen(plane_studio(), tmp_path)
    assert console == [] and found["state"].startswith("done in") and found["title"] == "test trajectory 1"
    assert found["panels"] == ["persistence", "solver", "persistence − solver"]
    assert found["sizes"] == [[8, 4]] * 3 and found["changed"] == [False, True, True]
    assert found["now"] == "t = 2.5" and found["played"]
    assert found["charts"] == ["error over time (nRMSE)", "spectrum of b at this time"]
    assert min(found["lines"]) >= 3 and found["overflow"] <= 0 and (found["unnamed"], found["outside"]) == (0, [])
    assert found["previewed"] and found["undone"] and found["kept"] == [1, 0, 1]
    assert found["drawn"] == ["drawing on test trajectory 1", ""] and found["alone"] == ["persistence"]


@needs_browser
@pytest.mark.slow
def test_a_prompt_is_sampled_and_painted(tmp_path):
    problem = make_problem(grid=Grid((8, 8), (1.0, 1.0)), has_text=True)
    torch.manual_seed(0)
    model = Text2PDE(
        problem,
        partial(Autoencoder, net=partial(GridAutoencoder, widths=(4,), latent_channels=2, time_halvings=1)),
        partial(SpaceTimeTransformer, size=TransformerSize(8, 1, 2)),
        partial(TextEncoder, width=8, depth=1, heads=2),
    )
    batch = captioned(problem)
    model.calibrate([batch])
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    found, console = seen(Studio(Run(Path("runs/two"), "text2pde", model, {}), Arrays(problem, batch)), tmp_path)
    assert console == [] and found["state"].startswith("done in") and found["title"] == batch.text[0]
    assert found["panels"] == ["sample"] and found["sizes"] == [[8, 8]] and found["changed"] == [True]
    assert found["charts"] == ["spectrum of b at this time"] and found["unnamed"] == 0
