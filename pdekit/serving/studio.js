// The page of a run: submits a job, waits for it, and shows the scene that comes back.
"use strict";
const $ = (id) => document.getElementById(id);
const FRAME = 120, MOST_STROKES = 200;
let about = null, shown = null, timer = null, busy = false, drawing = false, strokes = [], kept = [];

const ask = async (path, body) => {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options), found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
};
const say = (line, failed = false) => {
  $("state").textContent = line;
  $("state").classList.toggle("failed", failed);
};
const numbers = (text) => {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return new Float32Array(bytes.buffer);
};

const work = async (request) => {
  if (busy) return;
  busy = true;
  for (const button of document.querySelectorAll('button[type="submit"]')) button.disabled = true;
  $("progress").hidden = false;
  $("progress").value = 0;
  const began = performance.now();
  try {
    const { job } = await ask("jobs", request);
    let state;
    do {
      state = await ask(`jobs/${job}`);  // answers when the job ends, or after a moment
      $("progress").value = state.share;
      say(state.state === "waiting" ? "waiting for an earlier job" : state.line);
    } while (state.state === "waiting" || state.state === "running");
    if (state.state === "failed") throw new Error(state.line);
    kept = request.strokes ?? [];  // the new first frame has them
    strokes = [];
    show(await ask(`jobs/${job}/result`));
    say(`done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  } catch (error) {
    say(error.message, true);
  }
  $("progress").hidden = true;
  for (const button of document.querySelectorAll('button[type="submit"]')) button.disabled = false;
  if (!about.samples) $("forecasting").querySelector("button").disabled = true;
  busy = false;
};

const show = (scene) => {
  stop();
  shown = scene;
  shown.size = scene.shape.reduce((product, n) => product * n, 1);
  for (const panel of scene.panels) panel.data = numbers(panel.values);
  if (scene.spectrum) for (const line of scene.spectrum.lines) line.data = numbers(line.values);
  $("scene-title").textContent = scene.title;
  const before = $("field").selectedIndex, last = scene.fields.length - 1;
  $("field").replaceChildren(...scene.fields.map(({ name, unit }, n) =>
    new Option(unit === "1" ? name : `${name} (${unit})`, n)));
  $("field").selectedIndex = before < 0 ? last : Math.min(before, last);
  $("time").max = scene.times.length - 1;
  $("time").value = 0;
  $("time").parentElement.hidden = $("play").hidden = scene.times.length < 2;
  const names = scene.panels.map((panel) => panel.name);
  if (scene.shape.length > 1 && names.length > 1) names.push(`${names[0]} − ${names[1]}`);
  $("panels").replaceChildren(...(scene.shape.length > 1 ? names : ["profile"]).map((name) => {
    const figure = document.createElement("figure");
    if (scene.shape.length === 1) return figure;
    const caption = document.createElement("figcaption"), canvas = document.createElement("canvas");
    caption.textContent = name;
    canvas.setAttribute("aria-label", name);
    canvas.setAttribute("role", "img");
    canvas.style.aspectRatio = `${scene.extent[0]} / ${scene.extent[1]}`;
    figure.append(caption, canvas);
    return figure;
  }));
  $("scale").hidden = scene.shape.length === 1;
  $("facts").hidden = !scene.facts.length;
  $("facts").tBodies[0].replaceChildren(...scene.facts.map((fact) => {
    const row = document.createElement("tr");
    for (const key of ["name", "asked", "found", "agrees"]) row.insertCell().textContent = fact[key];
    row.cells[3].className = fact.agrees;
    return row;
  }));
  const charts = scene.curves.map(() => document.createElement("figure"));
  if (scene.spectrum) charts.push(document.createElement("figure"));
  $("charts").replaceChildren(...charts);
  $("scene").hidden = false;
  $("drawing").hidden = !about.draws || scene.number === undefined;
  mark(false);
};

const frameOf = (data, time, field, size) => {
  const at = (time * shown.fields.length + field) * size;
  return data.subarray(at, at + size);
};

// values "x y": x to the right, y up; the canvas is as fine as the data, and the browser enlarges it smoothly
const paint = (canvas, values, [nx, ny], low, high, map) => {
  const image = new ImageData(nx, ny), levels = map.length / 3;
  for (let i = 0; i < nx; i++) {
    for (let j = 0; j < ny; j++) {
      const v = values[i * ny + j], at = 4 * ((ny - 1 - j) * nx + i);
      if (Number.isNaN(v)) continue;
      const level = Math.min(levels - 1, Math.max(0, Math.floor((v - low) / (high - low) * levels)));
      for (let c = 0; c < 3; c++) image.data[at + c] = Number.isFinite(v) ? map[3 * level + c] : 128;
      image.data[at + 3] = 255;
    }
  }
  canvas.width = nx;
  canvas.height = ny;
  canvas.getContext("2d").putImageData(image, 0, 0);
};

const draw = () => {
  if (!shown) return;
  const time = +$("time").value, field = $("field").selectedIndex, { shape, size } = shown;
  const { low, high, map } = shown.scales[field];
  const frames = shown.panels.map((panel) => frameOf(panel.data, time, field, size));
  const figures = [...$("panels").children];
  $("now").textContent = `t = ${digits(shown.times[time])}`;
  $("time").setAttribute("aria-valuetext", $("now").textContent);
  if (shape.length === 1) {
    const lines = frames.map((values, n) => ({ name: shown.panels[n].name, values: [...values] }));
    chart(figures[0], { title: shown.fields[field].name, x: shown.x, lines, label: "x" });
  } else {
    const span = (high - low) / 2, canvases = figures.map((figure) => figure.querySelector("canvas"));
    if (strokes.length && time === 0) frames[0] = withStrokes(frames[0], field, shape);
    frames.forEach((values, n) => paint(canvases[n], values, shape, low, high, about.colours[map]));
    if (canvases.length > frames.length) {
      const difference = frames[0].map((v, i) => v - frames[1][i]);
      paint(canvases.at(-1), difference, shape, -span, span, about.colours.diverging);
    }
    paint($("ramp"), Float32Array.from({ length: 120 }, (_, i) => i), [120, 1], 0, 120, about.colours[map]);
    $("low").textContent = digits(low);
    $("high").textContent = digits(high);
  }
  const charts = [...$("charts").children];
  shown.curves.forEach((curve, n) => chart(charts[n], {
    title: curve.title, x: curve.t, lines: curve.lines, now: shown.times[time], label: "time",
  }));
  if (shown.spectrum) {
    const { k, lines } = shown.spectrum;
    chart(charts.at(-1), {
      title: `spectrum of ${shown.fields[field].name} at this time`, x: k, log: [true, true], label: "wavenumber",
      lines: lines.map(({ name, data }) => ({ name, values: [...frameOf(data, time, field, k.length)] })),
    });
  }
};

// strokes [field, x, y, radius, height]: bumps on the first frame; x and y are shares of the box, the radius is one of
// its shorter side, and the height has the unit of the field. Here they are only shown; the server adds them.
const mark = (draws) => {
  drawing = draws;
  $("draw").setAttribute("aria-pressed", draws);
  $("panels").classList.toggle("drawing", draws);
  $("undo").disabled = $("continue").disabled = !strokes.length;
  if (draws) {
    stop();
    $("time").value = 0;
  }
  draw();
};
const withStrokes = (values, field, [nx, ny]) => {
  const found = Float32Array.from(values), sides = shown.extent, shorter = Math.min(...sides);
  for (const [n, x, y, radius, height] of strokes.filter((stroke) => stroke[0] === field)) {
    for (let i = 0; i < nx; i++) {
      for (let j = 0; j < ny; j++) {
        const away = [Math.abs((i + 0.5) / nx - x), Math.abs((j + 0.5) / ny - y)].map((share, axis) =>
          (shown.periodic[axis] ? Math.min(share, 1 - share) : share) * sides[axis] / shorter / radius);
        found[i * ny + j] += height * Math.exp(-(away[0] ** 2 + away[1] ** 2) / 2);
      }
    }
  }
  return found;
};
const stroke = (event) => {
  const canvas = event.target;
  if (!drawing || canvas !== $("panels").querySelector("canvas") || strokes.length + kept.length >= MOST_STROKES) return;
  if (event.type === "pointermove" && !(event.buttons & 1)) return;
  event.preventDefault();
  const box = canvas.getBoundingClientRect(), field = $("field").selectedIndex, { low, high } = shown.scales[field];
  const x = (event.clientX - box.left) / box.width, y = 1 - (event.clientY - box.top) / box.height;
  const radius = +$("brush").value, last = strokes.at(-1);
  if (event.type === "pointermove" && last && Math.hypot(x - last[1], y - last[2]) < radius) return;
  const clip = (share) => Math.min(1, Math.max(0, share));
  const row = [clip(x), clip(y), radius, $("height").valueAsNumber * (high - low) / 2 || 0];
  strokes.push([field, ...row.map((value) => +value.toPrecision(4))]);
  mark(true);
};

const stop = () => {
  clearInterval(timer);
  timer = null;
  $("play").textContent = "Play";
  $("play").setAttribute("aria-pressed", "false");
};
const play = () => {
  if (timer) { stop(); return; }
  $("play").textContent = "Pause";
  $("play").setAttribute("aria-pressed", "true");
  timer = setInterval(() => {
    $("time").value = (+$("time").value + 1) % shown.times.length;
    draw();
  }, FRAME);
};

const start = async () => {
  about = await ask("about");
  about.colours = Object.fromEntries(Object.entries(about.maps).map(([name, hex]) =>
    [name, hex.match(/../g).map((byte) => parseInt(byte, 16))]));
  document.title = `${about.run} – pdekit studio`;
  $("title").textContent = about.run;
  const parts = [`model ${about.model}, ${about.weights.toLocaleString("en")} weights`, about.equation, `grid ${about.grid.join(" × ")}`];
  $("about").textContent = parts.filter(Boolean).join(" · ");
  const prompting = $("prompting"), forecasting = $("forecasting");
  prompting.hidden = !about.prompts;
  if (about.prompts) {
    $("text-row").hidden = about.params.length > 0 && !Object.keys(about.ranges).length && !about.captions.length;
    prompting.elements.prompt.value = about.captions[0] ?? "";
    prompting.elements.guidance.value = about.guidance;
    $("captions").replaceChildren(...about.captions.map((caption) => new Option(caption)));
    for (const name of about.params) {
      const label = document.createElement("label"), input = document.createElement("input");
      Object.assign(input, { type: "number", step: "any", name: `params.${name}`, required: true });
      label.append(`${name} `, input);
      $("params").append(label);
    }
    const ranges = Object.entries(about.ranges).map(([word, [low, high]]) => `${word} ${digits(low)} to ${digits(high)}`);
    $("known").textContent = ranges.length ? `Values of the training: ${ranges.join(", ")}.` : "";
  }
  forecasting.elements.number.max = Math.max(0, about.samples - 1);
  $("seed-row").hidden = !about.stochastic;
  if (!about.samples) {
    $("missing").textContent = about.reason;
    $("missing").hidden = false;
    forecasting.querySelector("button").disabled = true;
  }
  prompting.addEventListener("submit", (event) => {
    event.preventDefault();
    const { prompt, seed, guidance, calls, anyway } = prompting.elements, params = {};
    for (const name of about.params) params[name] = prompting.elements[`params.${name}`].valueAsNumber;
    const number = (input) => Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber;
    work({
      kind: "sample", prompt: prompt.value || null, params, seed: number(seed) ?? 0, guidance: number(guidance),
      calls: number(calls), anyway: anyway.checked,
    });
  });
  forecasting.addEventListener("submit", (event) => {
    event.preventDefault();
    const { number, seed } = forecasting.elements;
    work({ kind: "forecast", number: number.valueAsNumber || 0, seed: seed.valueAsNumber || 0 });
  });
  $("field").addEventListener("change", draw);
  $("time").addEventListener("input", draw);
  $("play").addEventListener("click", play);
  $("draw").addEventListener("click", () => mark(!drawing));
  $("undo").addEventListener("click", () => { strokes.pop(); mark(drawing); });
  $("continue").addEventListener("click", () => work({
    kind: "forecast", number: shown.number, seed: forecasting.elements.seed.valueAsNumber || 0, strokes: [...kept, ...strokes],
  }));
  for (const name of ["pointerdown", "pointermove"]) $("panels").addEventListener(name, stroke);
  document.body.dataset.ready = "yes";
};
start().catch((error) => say(error.message, true));
