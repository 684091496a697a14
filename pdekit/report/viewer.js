// The viewer unpacks the kept forecasts, and paints the field, sample, member and time that are chosen.
{
  const root = document.querySelector(".viewer");
  const able = root && "DecompressionStream" in window;
  if (root && !able) root.querySelector(".unable").hidden = false;
  if (able) {
    const data = JSON.parse(document.getElementById("forecasts").textContent);
    const HOLE = 0, DIVERGED = 1, FIRST = 2, SMOOTH_BELOW = 64;
    const menu = (name) => root.querySelector(`[name="${name}"]`);
    const value = (name, otherwise) => menu(name)?.value ?? otherwise;
    const time = menu("time"), play = root.querySelector(".play"), said = root.querySelector(".said");
    const colours = Object.fromEntries(Object.entries(data.maps).map(([name, hex]) =>
      [name, hex.match(/../g).map((byte) => parseInt(byte, 16))]));
    const unpacked = new Map();

    const unpack = async ([low, high, shape, text]) => {
      const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      const planes = new Uint8Array(await new Response(stream).arrayBuffer());
      const count = planes.length / 2, size = shape[1] * shape[2];
      const codes = new Uint16Array(count), values = new Float32Array(count);
      for (let i = 0; i < count; i++) {
        codes[i] = planes[i] + 256 * planes[count + i] + (i < size ? 0 : codes[i - size]);
        values[i] = codes[i] === HOLE ? NaN : codes[i] === DIVERGED ? Infinity
          : low + (high - low) * (codes[i] - FIRST) / data.steps;
      }
      return { values, shape, size };
    };
    const block = (key) => {
      if (!data.blocks[key]) return null;
      if (!unpacked.has(key)) unpacked.set(key, unpack(data.blocks[key]));
      return unpacked.get(key);
    };
    // the mean of all members, or how far they are spread about it
    const over = (blocks, spread) => {
      const { shape, size } = blocks[0], values = new Float32Array(blocks[0].values.length);
      for (let i = 0; i < values.length; i++) {
        let sum = 0, square = 0;
        for (const one of blocks) sum += one.values[i];
        const mean = sum / blocks.length;
        for (const one of blocks) square += (one.values[i] - mean) ** 2;
        values[i] = spread ? Math.sqrt(square / Math.max(1, blocks.length - 1)) : mean;
      }
      return { values, shape, size };
    };

    // so many times finer, by cubic interpolation of the values, as the still pictures are
    const weights = (t) => [(-t + 2 * t * t - t ** 3) / 2, (2 - 5 * t * t + 3 * t ** 3) / 2,
      (t + 4 * t * t - 3 * t ** 3) / 2, (t ** 3 - t * t) / 2];
    const finer = (values, rows, columns, times, wraps) => {
      const out = new Float32Array(rows * times * columns);
      for (let i = 0; i < rows * times; i++) {
        const at = (i + 0.5) / times - 0.5, first = Math.floor(at), w = weights(at - first);
        for (let n = 0; n < 4; n++) {
          let row = first - 1 + n;
          row = wraps ? (row + rows) % rows : Math.min(rows - 1, Math.max(0, row));
          for (let j = 0; j < columns; j++) out[i * columns + j] += w[n] * values[row * columns + j];
        }
      }
      return out;
    };
    const turned = (values, rows, columns) => {
      const out = new Float32Array(values.length);
      for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j];
      return out;
    };
    const smooth = (values, rows, columns, periodic) => {
      const times = Math.ceil(SMOOTH_BELOW / Math.min(rows, columns));
      if (times === 1 || values.some((v) => !Number.isFinite(v))) return [values, rows, columns];
      const tall = finer(values, rows, columns, times, periodic[0]);
      const wide = finer(turned(tall, rows * times, columns), columns, rows * times, times, periodic[1]);
      return [turned(wide, columns * times, rows * times), rows * times, columns * times];
    };

    // values "x y": x to the right, y up
    const paint = (canvas, given, nx, ny, scale, periodic) => {
      const [values, rows, columns] = smooth(given, nx, ny, periodic);
      const map = colours[scale.map], levels = map.length / 3;
      const image = new ImageData(rows, columns);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const v = values[i * columns + j], at = 4 * ((columns - 1 - j) * rows + i);
          if (Number.isNaN(v)) continue;
          const share = (v - scale.low) / (scale.high - scale.low);
          const level = 3 * Math.min(levels - 1, Math.max(0, Math.floor(share * levels)));
          for (let c = 0; c < 3; c++) image.data[at + c] = Number.isFinite(v) ? map[level + c] : 128;
          image.data[at + 3] = 255;
        }
      }
      canvas.width = rows;
      canvas.height = columns;
      canvas.getContext("2d").putImageData(image, 0, 0);
    };

    const digits = (v) => !Number.isFinite(v) ? (Number.isNaN(v) ? "–" : "diverged")
      : (v && Math.abs(v) < 1e-3 ? v.toExponential(2) : String(Number(v.toPrecision(3)))).replaceAll("-", "−");
    const named = (field) => field.name + (field.unit === "1" ? "" : ` (${field.unit})`);
    const unit = (field) => field.unit === "1" ? "" : ` ${field.unit}`;
    const spot = (v, span) => digits(Math.abs(v) < 1e-9 * span ? 0 : v);
    const bar = (place, scale, label) => {
      const box = root.querySelector(`.bar[data-role="${place}"]`);
      if (!box) return;
      const map = colours[scale.map], stops = [];
      for (let i = 0; i < map.length; i += 21) stops.push(`rgb(${map[i]},${map[i + 1]},${map[i + 2]})`);
      box.querySelector(".ramp").style.background = `linear-gradient(90deg, ${stops})`;
      const ends = box.querySelectorAll(".ends span");
      [scale.low, (scale.low + scale.high) / 2, scale.high].forEach((v, n) => { ends[n].textContent = digits(v); });
      box.querySelector(".label").textContent = label;
    };

    let shown = null, wanted = 0;
    const chosen = async () => {
      const number = +value("field", 0), sample = +value("sample", 0), model = +value("model", 0);
      const member = value("member", "0"), places = data.planes.map((_, place) => place);
      const forecast = async (place) => {
        const all = [...Array(data.members[model]).keys()].map((m) => `${number}|${sample}|${place}|${model}|${m}`);
        if (member !== "mean") return block(all[Math.min(+member, all.length - 1)]);
        return over(await Promise.all(all.map(block)), false);
      };
      const spread = async (place) => {
        if (data.members[model] < 2) return null;
        const all = [...Array(data.members[model]).keys()].map((m) => block(`${number}|${sample}|${place}|${model}|${m}`));
        return over(await Promise.all(all), true);
      };
      const each = (make) => Promise.all(places.map(make));
      return {
        field: data.fields[number], model: data.models[model], sample, number,
        reference: await each((place) => block(`${number}|${sample}|${place}|-1|0`)),
        forecast: await each(forecast),
        spread: root.querySelector('canvas[data-role="spread"]') ? await each(spread) : [],
        inputs: await Promise.all(data.inputs.map((_, n) => each((place) => block(`input ${n}|${sample}|${place}`)))),
      };
    };

    const frameOf = ({ values, size }, n) => values.subarray(n * size, (n + 1) * size);
    const less = (a, b) => a.map((v, i) => v - b[i]);
    const name = (canvas, words) => canvas.setAttribute("aria-label", words);
    const draw = () => {
      if (!shown) return;
      const n = +(time?.value ?? 0), { field, model } = shown;
      const at = `t = ${digits(data.times[n])}`, zoom = +value("zoom", 1);
      const error = { ...field.error, low: field.error.low / zoom, high: field.error.high / zoom };
      const label = named(field);
      if (time) {
        root.querySelector(".now").textContent = at;
        time.setAttribute("aria-valuetext", at);
      }
      for (const canvas of root.querySelectorAll("canvas")) {
        const place = +canvas.dataset.place, role = canvas.dataset.role, { periodic } = data.planes[place];
        const known = shown.reference[place], made = shown.forecast[place];
        const [, rows, columns] = known.shape;
        if (role === "input") {
          const given = shown.inputs[+canvas.dataset.number][place];
          paint(canvas, given.values, given.shape[1], given.shape[2], data.inputs[+canvas.dataset.number].value, periodic);
          name(canvas, `given ${data.inputs[+canvas.dataset.number].name}, sample ${shown.sample}`);
          continue;
        }
        if (role === "spread" && !shown.spread[place]) {
          canvas.width = canvas.width; // that clears it
          name(canvas, `no spread: ${model} has one member`);
          continue;
        }
        const source = { reference: known, forecast: made, difference: null, spread: shown.spread[place] }[role];
        const scale = { reference: field.value, forecast: field.value, difference: error,
          spread: { low: 0, high: error.high, map: "sequential" } }[role];
        const words = { reference: "reference", forecast: model, difference: `${model} less the reference`,
          spread: `spread of the members of ${model}` }[role];
        if (data.kind === "line") {
          const values = source ? source.values : less(made.values, known.values);
          paint(canvas, values, known.shape[0], columns, scale, periodic);
          name(canvas, `${words}: ${field.name} over time and space, sample ${shown.sample}`);
        } else {
          const values = source ? frameOf(source, n) : less(frameOf(made, n), frameOf(known, n));
          paint(canvas, values, rows, columns, scale, periodic);
          name(canvas, `${words}: ${field.name} at ${at}, sample ${shown.sample}`);
        }
      }
      for (const head of root.querySelectorAll(".of-model")) head.textContent = model;
      bar("value", field.value, label);
      bar("error", error, `difference of ${label}${zoom > 1 ? `, ${zoom} times enlarged` : ""}`);
      bar("spread", { low: 0, high: error.high, map: "sequential" }, `spread of ${label}`);
      data.inputs.forEach((input, i) => bar(`input ${i}`, input.value, named(input)));
      if (data.kind === "line") profile(n, field);
    };
    const profile = (n, field) => {
      const width = data.times.length > 1 ? (n + 0.5) / data.times.length : 0.5;
      for (const cursor of root.querySelectorAll(".cursor")) cursor.style.left = `${100 * width}%`;
      for (const chart of root.querySelectorAll(".profile")) chart.hidden = +chart.dataset.number !== shown.number;
      const chart = root.querySelector(".profile:not([hidden])"), inside = chart.querySelector("svg svg");
      const w = +inside.getAttribute("width"), h = +inside.getAttribute("height");
      const [left, right, low, high] = JSON.parse(chart.dataset.span);
      for (const [role, source] of [["reference", shown.reference[0]], ["forecast", shown.forecast[0]]]) {
        const values = frameOf(source, n);
        const points = data.x.map((x, i) => [w * (x - left) / (right - left), h * (high - values[i]) / (high - low)]);
        const d = points.filter(([, y]) => Number.isFinite(y))
          .map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${Math.max(-h, Math.min(2 * h, y)).toFixed(1)}`).join("");
        inside.querySelector(`.live-${role}`).setAttribute("d", d);
      }
    };

    // the values at a place of a picture, in shares of its width and height
    const tell = (canvas, right, up) => {
      const place = +canvas.dataset.place;
      const known = shown.reference[place], made = shown.forecast[place], [frames, rows, columns] = known.shape;
      let i, where;
      if (data.kind === "line") {
        const n = Math.floor(right * frames), j = Math.floor(up * columns);
        i = n * columns + j;
        where = `t = ${digits(data.times[n])}, x = ${digits(data.x[j])}`;
      } else {
        const [x0, x1, y0, y1] = data.axes[place], [across, along] = canvas.dataset.axes.split(" ");
        const row = Math.floor(right * rows), column = Math.floor(up * columns);
        i = +(time?.value ?? 0) * rows * columns + row * columns + column;
        where = `${across} = ${spot(x0 + (row + 0.5) / rows * (x1 - x0), x1 - x0)}, `
          + `${along} = ${spot(y0 + (column + 0.5) / columns * (y1 - y0), y1 - y0)}`;
      }
      const a = known.values[i], b = made.values[i];
      said.textContent = Number.isNaN(a) ? `${where}: outside`
        : `${where}: reference ${digits(a)}, ${shown.model} ${digits(b)}, difference ${digits(b - a)}${unit(shown.field)}`;
    };
    const readable = (target) => shown && target.closest('canvas:not([data-role="input"])');
    const point = (event) => {
      const canvas = readable(event.target);
      if (!canvas) return;
      const box = canvas.getBoundingClientRect(), inside = (share) => Math.min(0.999, Math.max(0, share));
      tell(canvas, inside((event.clientX - box.left) / box.width), inside(1 - (event.clientY - box.top) / box.height));
    };
    root.addEventListener("pointermove", point);
    root.addEventListener("pointerdown", point);

    // the same with the arrows (with shift ten points at a time): the place is marked while the picture has the focus
    const at = new Map(), mark = document.createElement("span");
    mark.className = "spot";
    const look = (canvas, right, up) => {
      const [frames, rows, columns] = shown.reference[+canvas.dataset.place].shape;
      const [wide, high] = data.kind === "line" ? [frames, columns] : [rows, columns];
      const [i, j] = at.get(canvas) ?? [Math.floor(wide / 2), Math.floor(high / 2)];
      const next = [Math.min(wide - 1, Math.max(0, i + right)), Math.min(high - 1, Math.max(0, j + up))];
      at.set(canvas, next);
      const [x, y] = [(next[0] + 0.5) / wide, (next[1] + 0.5) / high];
      canvas.after(mark);
      mark.style.left = `${100 * x}%`;
      mark.style.bottom = `${100 * y}%`;
      tell(canvas, x, y);
    };
    const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    root.addEventListener("keydown", (event) => {
      const canvas = readable(event.target), arrow = ARROWS[event.key], steps = event.shiftKey ? 10 : 1;
      if (!canvas || !arrow) return;
      event.preventDefault();
      look(canvas, steps * arrow[0], steps * arrow[1]);
    });
    root.addEventListener("focusin", (event) => {
      const canvas = readable(event.target);
      if (canvas?.matches(":focus-visible")) look(canvas, 0, 0);
    });
    root.addEventListener("focusout", () => mark.remove());

    const choose = async () => {
      const mine = ++wanted, found = await chosen();
      if (mine !== wanted) return;
      shown = found;
      draw();
      root.dataset.ready = mine;
    };
    for (const select of root.querySelectorAll("select")) {
      select.addEventListener("change", select.name === "zoom" ? draw : choose);
    }
    time?.addEventListener("input", draw);
    let timer = null;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      play.textContent = "▶ play";
      play.setAttribute("aria-pressed", "false");
    };
    play?.addEventListener("click", () => {
      if (timer) return stop();
      if (+time.value === +time.max) time.value = 0;
      play.textContent = "❚❚ pause";
      play.setAttribute("aria-pressed", "true");
      timer = setInterval(() => {
        time.value = +time.value + 1;
        draw();
        if (+time.value === +time.max) stop();
      }, Math.max(60, 6000 / data.times.length));
    });
    root.hidden = false;
    for (const still of document.querySelectorAll(".spare")) still.hidden = true; // the viewer shows as much
    choose();
  }
}
