// Charts of lines in SVG: one function, `chart`, for curves over time and for spectra.
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const SERIES = 4;

const digits = (v) => {
  if (v === null || !Number.isFinite(v)) return "–";
  const small = v && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e5);
  return (small ? v.toExponential(1) : String(Number(v.toPrecision(3)))).replaceAll("-", "−");
};

const element = (name, attributes, parent, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
};

// about `most` round values between two ends
const ticks = (low, high, most) => {
  const raw = (high - low) / most, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * size).find((n) => n >= raw);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return found;
};
const powers = (low, high) => {
  const found = [];
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first) / 5));
  for (let n = first; n <= last; n += every) found.push(10 ** n);
  return found;
};

// {title, x, lines: [{name, values}], log: [x, y], now, label}
const chart = (figure, { title, x, lines, log = [false, false], now = null, label = "" }) => {
  const width = 340, height = 210, left = 52, right = 8, top = 8, bottom = 34;
  const usable = (v, axis) => v !== null && Number.isFinite(v) && (!log[axis] || v > 0);
  const xs = x.filter((v) => usable(v, 0)), ys = lines.flatMap((line) => line.values).filter((v) => usable(v, 1));
  figure.replaceChildren();
  const caption = document.createElement("figcaption");
  caption.textContent = title;
  figure.append(caption);
  const picture = element("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": title }, figure);
  if (!xs.length || !ys.length) {
    element("text", { x: left, y: height / 2 }, picture, "no finite values");
    return;
  }
  let [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (log[1]) y0 = Math.max(y0, y1 * 1e-12);
  else y0 = Math.min(0, y0);
  if (x1 <= x0) x1 = log[0] ? x0 * 10 : x0 + 1;
  if (y1 <= y0) y1 = log[1] ? y0 * 10 : y0 + 1;
  const scaled = (v, low, high, isLog) => isLog ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low);
  const atX = (v) => left + (width - left - right) * scaled(v, x0, x1, log[0]);
  const atY = (v) => height - bottom - (height - top - bottom) * scaled(v, y0, y1, log[1]);
  for (const v of log[1] ? powers(y0, y1) : ticks(y0, y1, 4)) {
    element("line", { x1: left, x2: width - right, y1: atY(v), y2: atY(v), class: "lines" }, picture);
    element("text", { x: left - 5, y: atY(v) + 4, "text-anchor": "end" }, picture, digits(v));
  }
  for (const v of log[0] ? powers(x0, x1) : ticks(x0, x1, 5)) {
    element("line", { x1: atX(v), x2: atX(v), y1: top, y2: height - bottom, class: "lines" }, picture);
    element("text", { x: atX(v), y: height - bottom + 14, "text-anchor": "middle" }, picture, digits(v));
  }
  element("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, picture, label);
  element("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom, class: "frame" }, picture);
  if (now !== null && now >= x0 && now <= x1) {
    element("line", { x1: atX(now), x2: atX(now), y1: top, y2: height - bottom, class: "now" }, picture);
  }
  lines.forEach((line, n) => {
    let path = "", pen = false;
    line.values.forEach((v, i) => {
      if (!usable(v, 1) || !usable(x[i], 0) || v < y0) { pen = false; return; }
      path += `${pen ? "L" : "M"}${atX(x[i]).toFixed(1)} ${atY(v).toFixed(1)}`;
      pen = true;
    });
    element("path", { d: path, class: `series-${n % SERIES}` }, picture);
  });
  const key = document.createElement("div");
  key.className = "key";
  lines.forEach((line, n) => {
    const entry = document.createElement("span"), swatch = element("svg", { viewBox: "0 0 20 8", "aria-hidden": "true" }, entry);
    element("line", { x1: 0, x2: 20, y1: 4, y2: 4, class: `series-${n % SERIES}` }, swatch);
    entry.append(line.name);
    key.append(entry);
  });
  figure.append(key);
};
