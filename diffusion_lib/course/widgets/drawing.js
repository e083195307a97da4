// Draw something, and watch noise become it. The mathematics is all here: field, step and walk, in the units of the
// square; the same as `Exact`, `heun` and `walk` of the package, to the rounding (tests/test_drawing.py). Below it, the pen.

import { TOKENS } from "./tokens.js";
import { axes, colourOf, legend, make, widget } from "./shared.js";

const ARROWS = 17;         // in a row of the field
const PATHS = 100;         // as many particles' ways are shown
const COARSE = 5;          // stops that a first, quick walk takes at once
const BUDGET = 6;          // milliseconds of a screen's 16 that a walk may take
const NEGLIGIBLE = 40;     // exp(-40) is below the rounding of a sum that holds exp(0)

// --- the exact field -------------------------------------------------------------------------------------------------

/**
 * dx/dt at time t for each x of `xs`, into `out`; all are flat: x₁, x₂ of one after the other.
 *
 * The data are the drawn points y_i, each a Gaussian of deviation h, and x_t = alpha x_0 + sigma noise with alpha = 1 - t,
 * sigma = t. So x_t has the density mean_i N(x; alpha y_i, v), v = alpha² h² + sigma², and
 *
 *   r_i = softmax_i(-|x - alpha y_i|² / 2v)                   which point x came from, as Bayes' rule says
 *   m = sum_i r_i y_i
 *   E[x_0 | x_t]   = m + alpha h² / v (x - alpha m)
 *   E[noise | x_t] = sigma / v (x - alpha m)
 *   dx/dt = alpha' E[x_0 | x_t] + sigma' E[noise | x_t] = E[noise | x_t] - E[x_0 | x_t]
 *
 * Bishop 2006, section 2.3; the probability-flow ODE: Song et al. 2021, equation 13; on this schedule: Lipman et al. 2023.
 */
function velocity(points, h, xs, t, out) {
  const alpha = 1 - t, sigma = t, v = alpha * alpha * h * h + sigma * sigma;
  const count = points.length / 2, squared = new Float64Array(count);
  for (let j = 0; j < xs.length; j += 2) {
    const x = xs[j], y = xs[j + 1];
    let least = Infinity;
    for (let i = 0; i < count; i++) {
      const dx = x - alpha * points[2 * i], dy = y - alpha * points[2 * i + 1];
      squared[i] = dx * dx + dy * dy;
      if (squared[i] < least) least = squared[i];
    }
    let sum = 0, mx = 0, my = 0;
    for (let i = 0; i < count; i++) {
      const exponent = (squared[i] - least) / (2 * v);
      if (exponent > NEGLIGIBLE) continue;
      const r = Math.exp(-exponent);
      sum += r;
      mx += r * points[2 * i];
      my += r * points[2 * i + 1];
    }
    mx /= sum;
    my /= sum;
    const shrink = (alpha * h * h) / v, noise = sigma / v, ax = x - alpha * mx, ay = y - alpha * my;
    out[j] = noise * ax - (mx + shrink * ax);
    out[j + 1] = noise * ay - (my + shrink * ay);
  }
}

/**
 * Particles from `start` at times[0] along all times, stop after stop: a generator, so that the work can be spread over
 * screens. Returns where they are at each time, flat: (times, particles, 2).
 *
 * Heun's method (Karras et al. 2022, algorithm 2): go ahead with the velocity seen at t, look there, go again with the
 * mean of both; a step to sigma = 0 takes one look. With `stride` > 1 it is a quick walk: only every stride-th stop,
 * Euler's method, and straight lines between.
 */
function* walk(points, h, start, times, stride = 1) {
  const size = start.length, frames = new Float32Array(times.length * size);
  let x = Float64Array.from(start);
  frames.set(x);
  const d = new Float64Array(size), there = new Float64Array(size), ahead = new Float64Array(size);
  for (let k = 0; k < times.length - 1; ) {
    const to = Math.min(k + stride, times.length - 1), t = times[k], s = times[to];
    if (points.length) velocity(points, h, x, t, d);  // nothing drawn: the noise stays where it is
    if (points.length && stride === 1 && s > 0) {
      for (let i = 0; i < size; i++) ahead[i] = x[i] + (s - t) * d[i];
      velocity(points, h, ahead, s, there);
      for (let i = 0; i < size; i++) d[i] = (d[i] + there[i]) / 2;
    }
    for (let at = k + 1; at <= to; at++) {
      for (let i = 0; i < size; i++) frames[at * size + i] = x[i] + (times[at] - t) * d[i];
    }
    for (let i = 0; i < size; i++) x[i] += (s - t) * d[i];
    k = to;
    yield;
  }
  return frames;
}

/** The mean distance of particles to the drawn point that is nearest to each. */
function meanDistance(points, xs) {
  let sum = 0;
  for (let j = 0; j < xs.length; j += 2) {
    let least = Infinity;
    for (let i = 0; i < points.length; i += 2) {
      least = Math.min(least, (xs[j] - points[i]) ** 2 + (xs[j + 1] - points[i + 1]) ** 2);
    }
    sum += Math.sqrt(least);
  }
  return (2 * sum) / xs.length;
}

// --- the drawing -----------------------------------------------------------------------------------------------------

/** Points at even distances along strokes (each a flat list), `spacing` apart or farther if there would be too many. */
function pointsAlong(strokes, spacing, most) {
  const length = (stroke) => {
    let sum = 0;
    for (let i = 2; i < stroke.length; i += 2) sum += Math.hypot(stroke[i] - stroke[i - 2], stroke[i + 1] - stroke[i - 1]);
    return sum;
  };
  const kept = strokes.slice(-Math.floor(most / 3)), lengths = kept.map(length);
  const apart = Math.max(spacing, lengths.reduce((a, b) => a + b, 0) / (most - 2 * kept.length));
  const points = [];
  kept.forEach((stroke, n) => {
    const pieces = Math.round(lengths[n] / apart), step = pieces ? lengths[n] / pieces : Infinity;
    points.push(stroke[0], stroke[1]);
    let next = step, before = 0;  // how far along the stroke the next point lies, and the corner before it
    for (let i = 2; i < stroke.length && pieces; i += 2) {
      const dx = stroke[i] - stroke[i - 2], dy = stroke[i + 1] - stroke[i - 1], long = Math.hypot(dx, dy);
      for (; next <= before + long + 1e-9; next += step) {
        const part = (next - before) / long;
        points.push(stroke[i - 2] + part * dx, stroke[i - 1] + part * dy);
      }
      before += long;
    }
  });
  return points;
}

/** Points that fill letters, evenly, at most `most`: how one draws without a pointer. */
function pointsOfText(text, bound, most) {
  const side = 240, canvas = make("canvas", { width: side, height: side });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const font = (size) => `400 ${size}px system-ui, "DejaVu Sans", sans-serif`;
  context.font = font(100);
  const box = context.measureText(text), wide = box.width, tall = box.actualBoundingBoxAscent + box.actualBoundingBoxDescent;
  const size = 100 * Math.min((0.78 * side) / Math.max(wide, 1), (0.6 * side) / Math.max(tall, 1));
  context.font = font(size);
  context.textAlign = "center";
  context.fillText(text, side / 2, side / 2 + ((box.actualBoundingBoxAscent - box.actualBoundingBoxDescent) * size) / 200);
  const pixels = context.getImageData(0, 0, side, side).data;
  for (let step = 3; step < side; step += 0.25) {  // rows of a brick wall, ever wider until there are few enough
    const points = [];
    for (let row = 0; row * step * 0.866 < side; row++) {
      for (let column = 0; (column + (row % 2) / 2) * step < side; column++) {
        const px = (column + (row % 2) / 2) * step, py = row * step * 0.866;
        if (pixels[4 * (Math.floor(py) * side + Math.floor(px)) + 3] > 127) {
          points.push((px / side - 0.5) * 2 * bound, (0.5 - py / side) * 2 * bound);
        }
      }
    }
    if (points.length <= 2 * most) return points;
  }
  return [];
}

function prepare(model, data, stage, time) {
  const plot = model.get("_plot"), { pen, spacing, most, presets, ...show } = model.get("_scene"), times = model.get("times");
  const bound = plot.x[1], start = data.noise, size = start.length, { roles } = TOKENS;
  const sketch = { strokes: [], before: [] };  // what was drawn by hand, stroke by stroke; and what was there before

  // The square: axes, a canvas over them, and what to do while it is empty.
  const { svg, x, y, right, bottom } = axes(plot, model.get("alt"));
  const canvas = make("canvas", { class: "dl-over dl-paper", role: "img" });
  const sharp = Math.min(3, Math.max(1, window.devicePixelRatio || 1));
  const width = right - plot.left, height = bottom - plot.top;
  canvas.width = Math.round(width * sharp);
  canvas.height = Math.round(height * sharp);
  const invitation = make("div", { class: "dl-over dl-invitation", "aria-hidden": "true" }, make("span", {}, "Draw here"));
  for (const node of [canvas, invitation]) {
    for (const [side, at, extent] of [["left", plot.left, plot.width], ["top", plot.top, plot.height],
      ["width", width, plot.width], ["height", height, plot.height]]) node.style[side] = `${(100 * at) / extent}%`;
  }
  const context = canvas.getContext("2d");
  const px = (v) => (x(v) - plot.left) * sharp, py = (v) => (y(v) - plot.top) * sharp, scale = px(1) - px(0);
  const ax = px(0), ay = py(0);  // px(v) = ax + scale v, py(v) = ay - scale v

  // The walk, a few milliseconds a screen: quick first, exact after it; a change while one is under way starts the next.
  let points = model.get("_points"), frames = null, exact = false, job = null, wanted = 0, playNext = false, spent = 0;
  const begin = (stride) => (job = { stride, steps: walk(Float64Array.from(points), pen, start, times, stride) });
  const work = (until) => {
    const from = performance.now();
    while (job && performance.now() < until) {
      const { done, value } = job.steps.next();
      if (!done) continue;
      frames = value;
      exact = job.stride === 1;
      job = null;
      time.redraw();
    }
    spent += performance.now() - from;
  };
  let changed = false;
  const tick = () => {
    wanted = 0;
    if (!job && changed) (changed = false), begin(COARSE);
    else if (!job && !exact) begin(1);
    work(performance.now() + BUDGET);
    if (playNext && !job && !changed) (playNext = false), time.go(0), time.play();
    if (job || changed || !exact) wanted = requestAnimationFrame(tick);
    canvas.dataset.exact = String(exact && !changed);
    canvas.dataset.milliseconds = spent.toFixed(1);
  };
  const recompute = () => {
    changed = true;
    exact = false;
    if (job && job.stride === 1) job = null;
    canvas.dataset.exact = "false";
    if (!wanted) wanted = requestAnimationFrame(tick);
  };

  const remember = () => sketch.before.push({ points, strokes: sketch.strokes.slice() });
  const put = (next) => {  // other points, on the screen
    points = Array.from(next, (v) => Math.round(1e4 * v) / 1e4);
    spent = 0;
    invitation.hidden = points.length > 0 || pressed;
    recompute();
    time.redraw();
  };
  const label = () => {
    undo.disabled = !sketch.before.length;
    clear.disabled = !points.length;
    canvas.setAttribute("aria-label", `A square to draw on with mouse, finger or pen; ${points.length / 2} points drawn. `
      + "Without a pointer, choose a drawing or type letters below.");
  };
  const replace = (next, { strokes = [], text = false } = {}) => {  // and in Python, and play
    time.stop();
    sketch.strokes = strokes;
    put(next);
    label();
    if (!text) typed.value = "";
    model.set("_points", points);
    model.save_changes();
    if (!points.length) time.go(0);
    else if (time.calm()) time.go(times.length - 1);
    else playNext = true;  // as soon as there is a walk to show
  };

  // The pen. The first stroke takes the place of a preset, of letters and of given points; further ones join it.
  let pressed = false;
  const at = (event) => {
    const box = canvas.getBoundingClientRect(), clip = (v) => Math.max(-bound, Math.min(bound, v));
    return [clip(((event.clientX - box.left) / box.width - 0.5) * 2 * bound),
      clip((0.5 - (event.clientY - box.top) / box.height) * 2 * bound)];
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.stopPropagation();  // the stage would take it for pulling at the film
    if (event.button !== 0 || pressed) return;
    time.stop();
    playNext = false;
    pressed = true;
    remember();
    canvas.setPointerCapture(event.pointerId);
    sketch.strokes = [...sketch.strokes, at(event)];
    put(pointsAlong(sketch.strokes, spacing, most));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pressed) return;
    const stroke = sketch.strokes[sketch.strokes.length - 1];
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of events.length ? events : [event]) {
      const [a, b] = at(each), n = stroke.length;
      if (Math.hypot(a - stroke[n - 2], b - stroke[n - 1]) > 0.02) stroke.push(a, b);
    }
    put(pointsAlong(sketch.strokes, spacing, most));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (!pressed) return;
      pressed = false;
      replace(points, { strokes: sketch.strokes });
    });
  }

  // Beside the square: what one may do without a pen, too.
  const button = (text, run, attributes = {}) => {
    const node = make("button", { type: "button", class: "dl-choice", ...attributes }, text);
    node.addEventListener("click", run);
    return node;
  };
  const undo = button("Undo", () => {
    const last = sketch.before.pop();
    if (last) replace(last.points, last);
  });
  const clear = button("Clear", () => (remember(), replace([])));
  const choices = presets.map((name, i) => button(name, () => (remember(), replace(data[`preset ${i}`]))));
  const typed = make("input", { type: "text", class: "dl-typed", maxlength: "6", size: "6", "aria-label": "Letters to draw",
    placeholder: "letters", spellcheck: "false", autocomplete: "off" });
  typed.addEventListener("input", () => {
    remember();
    replace(pointsOfText(typed.value.trim(), bound, most), { text: true });
  });
  const toggle = (name) => {
    const node = button(name, () => {
      show[name] = !show[name];
      node.setAttribute("aria-pressed", String(show[name]));
      time.redraw();
    }, { "aria-pressed": String(show[name]) });
    return node;
  };
  const group = (title, ...nodes) => make("div", { class: "dl-group", role: "group", "aria-label": title },
    make("span", { "aria-hidden": "true" }, title), ...nodes);
  const panel = make("div", { class: "dl-panel" },
    group("Draw on the square, or take", ...choices), group("or type", typed), group("drawing", undo, clear),
    group("show", toggle("field"), toggle("paths")));
  panel.addEventListener("pointerdown", (event) => event.stopPropagation());

  const dot = (i, opacity) => make("circle", { cx: 15, cy: 5, r: 3.5, style: `fill: ${colourOf(i)}; opacity: ${opacity}` });
  const { list, texts } = legend([{ name: "particles", swatch: dot(roles.cloud[0], 1) },
    { name: "the drawing", swatch: dot(0, 0.45) }]);
  stage.append(make("div", { class: "dl-figure", style: `width: ${plot.width}px` },
    make("div", { class: "dl-holder" }, svg, canvas, invitation), list), panel);

  // What is drawn at time k: ink, arrows, ways, particles.
  let style = null;
  const theme = () => (style = getComputedStyle(stage));
  theme();
  const colour = (i) => style.getPropertyValue(`--dl-${i}`).trim();
  const discs = (xs, from, to, radius) => {
    context.beginPath();
    for (let i = from; i < to; i += 2) {
      const a = ax + scale * xs[i], b = ay - scale * xs[i + 1];
      context.moveTo(a + radius, b);
      context.arc(a, b, radius, 0, 7);
    }
    context.fill();
  };
  const places = new Float64Array(2 * ARROWS * ARROWS), arrows = new Float64Array(places.length);
  for (let i = 0; i < places.length / 2; i++) {
    places[2 * i] = bound * ((2 * ((i % ARROWS) + 0.5)) / ARROWS - 1);
    places[2 * i + 1] = bound * ((2 * (Math.floor(i / ARROWS) + 0.5)) / ARROWS - 1);
  }
  const drawField = (k) => {
    velocity(Float64Array.from(points), pen, places, times[k], arrows);
    let longest = 0;
    for (let i = 0; i < arrows.length; i += 2) longest = Math.max(longest, Math.hypot(arrows[i], arrows[i + 1]));
    const unit = (1.6 * bound * scale) / ARROWS / (longest || 1);
    context.beginPath();
    for (let i = 0; i < arrows.length; i += 2) {
      const dx = -unit * arrows[i], dy = unit * arrows[i + 1];  // as t falls, a particle goes against dx/dt
      const x1 = ax + scale * places[i] + dx / 2, y1 = ay - scale * places[i + 1] + dy / 2;
      context.moveTo(x1 - dx, y1 - dy);
      context.lineTo(x1, y1);
      context.moveTo(x1 - 0.35 * dx + 0.2 * dy, y1 - 0.35 * dy - 0.2 * dx);
      context.lineTo(x1, y1);
      context.lineTo(x1 - 0.35 * dx - 0.2 * dy, y1 - 0.35 * dy + 0.2 * dx);
    }
    context.strokeStyle = style.getPropertyValue("--dl-quiet").trim();
    context.lineWidth = sharp;
    context.stroke();
  };
  const drawPaths = (k) => {
    context.beginPath();
    for (let i = 0; i < Math.min(size, 2 * PATHS); i += 2) {
      context.moveTo(ax + scale * frames[i], ay - scale * frames[i + 1]);
      for (let j = i + size; j <= k * size + i; j += size) context.lineTo(ax + scale * frames[j], ay - scale * frames[j + 1]);
    }
    context.strokeStyle = colour(roles.path);
    context.globalAlpha = 0.6;
    context.lineWidth = sharp;
    context.stroke();
    context.globalAlpha = 1;
  };
  const placesAt = (k) => frames.subarray(k * size, (k + 1) * size);
  const watchPoints = () => {  // another view of this model, or Python
    const next = model.get("_points");
    if (pressed || next.length === points.length && next.every((v, i) => v === points[i])) return;
    sketch.strokes = [];
    put(next);
    label();
  };
  model.on("change:_points", watchPoints);

  begin(COARSE);
  work(Infinity);
  put(points);
  label();
  return {
    draw(k) {
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.fillStyle = colour(0);
      context.globalAlpha = 0.25;
      discs(points, 0, points.length, Math.max(2 * pen * scale, 2 * sharp));
      context.globalAlpha = 1;
      if (show.field && points.length) drawField(k);
      if (show.paths) drawPaths(k);
      context.fillStyle = colour(roles.cloud[0]);
      context.globalAlpha = 0.85;
      discs(frames, k * size, (k + 1) * size, 2 * sharp);
      context.globalAlpha = 1;
      texts[0].data = String(size / 2);
      texts[1].data = points.length ? `${points.length / 2} points` : "nothing yet";
    },
    say: (k) => (points.length
      ? `Mean distance of the particles to the nearest point of the drawing: ${meanDistance(points, placesAt(k)).toFixed(2)}`
      : "Nothing is drawn yet: draw on the square, take a drawing, or type letters."),
    theme,
    close() {
      job = null;
      if (wanted) cancelAnimationFrame(wanted);
      model.off("change:_points", watchPoints);
    },
  };
}

export default widget(prepare);
