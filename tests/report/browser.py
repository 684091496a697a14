"""A page in headless Chromium: what it looks like to a script, after its controls were used, and what it wrote."""

import html
import json
import re
import shutil
import subprocess

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium in PATH (Debian package chromium)")

PROBE = """
<script>
addEventListener("load", async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const visible = (element) => element.getBoundingClientRect().height > 0;
  const pictures = [...document.images], charts = [...document.querySelectorAll("figure > svg")];
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const controls = [...document.querySelectorAll("select, input, button")];
  const found = {
    pictures: pictures.length, broken: pictures.filter((p) => !p.complete || p.naturalWidth === 0).length,
    spare: [...document.querySelectorAll(".spare")].map((s) => visible(s)),
    charts: charts.length, empty: charts.filter((c) => visible(c) && c.getBoundingClientRect().height < 50).length,
    unnamed: pictures.filter((p) => !p.alt).length + charts.filter((c) => !c.getAttribute("aria-label")).length
      + [...document.querySelectorAll("canvas")].filter((c) => !c.getAttribute("aria-label")).length
      + controls.filter((c) => !c.labels?.length && !c.textContent).length,
    unreachable: controls.filter((c) => c.tabIndex < 0).length,
    strokes: new Set([...document.querySelectorAll("figure > svg path")].map((p) => getComputedStyle(p).stroke)).size,
    overflow: document.documentElement.scrollWidth - innerWidth, width: innerWidth,
    wide: [...document.querySelectorAll("main *")].filter((e) => !e.closest(".scroll, svg, pre")
      && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.className || e.tagName),
    ink: getComputedStyle(document.documentElement).color, ids: ids.length - new Set(ids).size,
    links: [...document.querySelectorAll("nav a")].map((a) => [a.textContent, !!document.querySelector(a.hash)]),
    headings: [...document.querySelectorAll("h2")].map((h) => h.textContent),
  };
  found.choices = [...document.querySelectorAll(".choice")].map((choice) => {
    const parts = [...choice.querySelectorAll(":scope > .part")];
    const seen = () => parts.filter((part) => !part.hidden);
    const record = { parts: parts.length, alone: seen().length === 1, reached: new Set(seen()), agree: true };
    const tryAll = ([select, ...others]) => {
      for (const option of select ? [...select.options] : []) {
        select.value = option.value;
        select.dispatchEvent(new Event("change"));
        record.alone &&= seen().length === 1;
        record.agree &&= JSON.parse(seen()[0].dataset.choice).includes(option.value);
        record.reached.add(seen()[0]);
        tryAll(others);
      }
    };
    tryAll([...choice.querySelectorAll("select")]);
    return { ...record, reached: record.reached.size };
  });
  const root = document.querySelector(".viewer");
  if (root) {
    const ready = async () => { for (let n = 0; n < 200 && !root.dataset.ready; n++) await pause(20); };
    await ready();
    const canvas = (role) => root.querySelector(`canvas[data-role="${role}"]`);
    const looks = (role) => canvas(role).toDataURL();
    const menu = (name) => root.querySelector(`[name="${name}"]`);
    const change = async (name, value, kind = "change") => {
      delete root.dataset.ready;
      menu(name).value = value;
      menu(name).dispatchEvent(new Event(kind, { bubbles: true }));
      if (kind === "change" && name !== "zoom") await ready();
    };
    const point = (role, right, up) => {
      const box = canvas(role).getBoundingClientRect();
      const place = { bubbles: true, clientX: box.left + right * box.width, clientY: box.bottom - up * box.height };
      canvas(role).dispatchEvent(new PointerEvent("pointermove", place));
      return root.querySelector(".said").textContent;
    };
    const view = { visible: visible(root), canvases: root.querySelectorAll("canvas").length, changed: {} };
    view.sizes = [...root.querySelectorAll("canvas")].map((c) => [c.width, c.height]);
    if (menu("time")) await change("time", 0, "input");
    view.first = [point("reference", 0.01, 0.01), point("reference", 0.99, 0.01), point("forecast", 0.01, 0.99)];
    for (const shiftKey of [false, true]) {
      const press = { key: "ArrowRight", shiftKey, bubbles: true, cancelable: true };
      canvas("difference").dispatchEvent(new KeyboardEvent("keydown", press));
    }
    view.keys = root.querySelector(".said").textContent;
    view.label = canvas("reference").getAttribute("aria-label");
    for (const name of ["sample", "model", "field", "zoom", "member", "time"]) {
      if (!menu(name)) continue;
      const old = menu(name).value, before = ["reference", "forecast", "difference"].map(looks);
      const other = name === "time" ? menu(name).max : menu(name).options?.[1]?.value;
      await change(name, other, name === "time" ? "input" : "change");
      view.changed[name] = ["reference", "forecast", "difference"].map((role, n) => looks(role) !== before[n]);
      await change(name, old, name === "time" ? "input" : "change");
      view.changed[name].push(["reference", "forecast", "difference"].every((role, n) => looks(role) === before[n]));
    }
    if (menu("time")) {
      await change("time", 0, "input");
      const play = root.querySelector(".play");
      play.click();
      view.pressed = play.getAttribute("aria-pressed");
      for (let n = 0; n < 300 && !+menu("time").value; n++) await pause(20);
      view.played = +menu("time").value;
      if (play.getAttribute("aria-pressed") === "true") play.click();
      view.now = root.querySelector(".now").textContent;
      await change("time", menu("time").max, "input");
      view.last = root.querySelector(".now").textContent;
    }
    view.pixel = [...canvas("reference").getContext("2d").getImageData(0, 0, 1, 1).data];
    found.view = view;
  }
  const text = JSON.stringify(found);
  document.body.dataset.found = text;
  parent.postMessage(text, "*");
});
</script>
"""

PHONE = """<!doctype html><title>phone</title><body style="margin:0">
<script>addEventListener("message", (event) => { document.body.dataset.found = event.data; });</script>
<iframe src="page.html" style="border:0; width:390px; height:844px"></iframe>"""


def run(page, tmp_path, *options, width=1100, dark=False):
    """Chromium on a file; what it wrote to standard output, and its console."""
    return chromium(page.as_uri(), tmp_path, *options, width=width, dark=dark)


def chromium(address, tmp_path, *options, width=1100, dark=False):
    """Chromium at an address; what it wrote to standard output, and its console."""
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--enable-logging=stderr", "--virtual-time-budget=30000",
        f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}", *options, address,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def seen_in_browser(folder, tmp_path, phone=False, dark=False):
    """What the page is, and all that it wrote to the console."""
    page = tmp_path / "page.html"
    page.write_text((folder / "report.html").read_text(encoding="utf-8") + PROBE, encoding="utf-8")
    if phone:
        page = tmp_path / "phone.html"
        page.write_text(PHONE, encoding="utf-8")
    out, console = run(page, tmp_path, "--dump-dom", dark=dark)
    found = re.search(r'<body[^>]* data-found="([^"]*)"', out)
    assert found, "the page's script did not come to its end"
    return json.loads(html.unescape(found[1])), console
