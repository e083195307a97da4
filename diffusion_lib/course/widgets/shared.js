// What every scrubber has: its place in time (follow), its data (unpack), its controls (scrubber).
// A widget draws one frame; everything that moves is here.

// TOKENS are those of course/tokens.py: browser.py puts them in the place of this import.
import { TOKENS } from "./tokens.js";

const SVG = "http://www.w3.org/2000/svg";

/** Position in `times` of the value closest to t; the earlier one of two equally close. */
export function nearest(times, t) {
  let best = 0;
  for (let k = 1; k < times.length; k++) {
    if (Math.abs(times[k] - t) < Math.abs(times[best] - t)) best = k;
  }
  return best;
}

/** Keep `index` at the time nearest to `t`, whichever of the two was set, by whom ever. */
export function follow(model) {
  const onTime = () => {
    const k = nearest(model.get("times"), model.get("t"));
    if (k !== model.get("index")) model.set("index", k);
  };
  const onIndex = () => {
    const times = model.get("times");
    const k = model.get("index");
    if (k >= 0 && k < times.length && nearest(times, model.get("t")) !== k) model.set("t", times[k]);
  };
  model.on("change:t", onTime);
  model.on("change:index", onIndex);
  return () => {
    model.off("change:t", onTime);
    model.off("change:index", onIndex);
  };
}

/** The bytes of a binary trait as an ArrayBuffer of their own. */
export function bytes(model, name) {
  const view = model.get(name);
  return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
}

/** What Python packed with zlib. */
export async function inflate(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("deflate"));
  return await new Response(stream).arrayBuffer();
}

/** The arrays that Python packed into `_data`, by name, as typed arrays. */
export async function unpack(model) {
  const all = bytes(model, "_data");
  const arrays = {};
  for (const part of model.get("_parts")) {
    let buffer = all.slice(part.start, part.start + part.length);
    if (part.zip) buffer = await inflate(buffer);
    const Type = { u1: Uint8Array, f4: Float32Array, f8: Float64Array }[part.type];
    const array = new Type(buffer);
    if (part.stride) for (let i = part.stride; i < array.length; i++) array[i] += array[i - part.stride];
    arrays[part.name] = array;
  }
  return arrays;
}

/** An element with attributes, properties and children; text is always a text node. */
export function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "text", "rect", "circle", "polyline", "polygon", "tspan", "title",
    "clipPath", "defs"].includes(tag);
  const node = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** A number in few characters: 0.35, 1.2e-4, ∞. */
export function say(x, digits = 3) {
  if (Number.isNaN(x)) return "not a number";
  if (x === Infinity) return "∞";
  if (x === -Infinity) return "−∞";
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return x.toExponential(digits - 1).replace("-", "−");
  return String(Number(x.toPrecision(digits))).replace("-", "−");
}

const still = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");
const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  back: "M3 2.5h2v11H3zM13 2.5v11L6 8z",
  forward: "M11 2.5h2v11h-2zM3 2.5v11L10 8z",
  loop: "M8 3a5 5 0 0 1 4.6 3H11v1.4h4V3.5h-1.4v1.7A6.4 6.4 0 0 0 1.7 7h1.4A5 5 0 0 1 8 3zm0 10a5 5 0 0 1-4.6-3H5"
    + "V8.6H1v3.9h1.4v-1.7A6.4 6.4 0 0 0 14.3 9h-1.4A5 5 0 0 1 8 13z",
};

function button(icon, label) {
  const node = make("button", { type: "button", class: "dl-button", "aria-label": label, title: label });
  const svg = make("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" });
  svg.append(make("path", { d: ICONS[icon] }));
  node.append(svg);
  node.show = (name, text) => {
    svg.firstChild.setAttribute("d", ICONS[name]);
    node.setAttribute("aria-label", text);
    node.title = text;
  };
  return node;
}

/**
 * The frame round a widget: a stage to draw on, and play, step, slider, speed and loop under it.
 *
 * `prepare(data, stage, time)` is called with the unpacked arrays, now and after each update from Python; it returns
 * `{draw(k), say(k)}`: draw frame k, and the text of the values at k; and `close()`, if it has something to stop. By
 * `time` it moves the frame: `go(k)`, `play()`, `stop()`, `redraw()` when it has something else to draw at k, and `calm()`,
 * whether the reader asked for less motion.
 * Returns the function that takes it all down.
 */
export function scrubber(model, el, prepare) {
  const on = [];
  const listen = (target, name, run, options) => {
    target.addEventListener(name, run, options);
    on.push(() => target.removeEventListener(name, run, options));
  };
  const watch = (name, run) => {
    model.on(name, run);
    on.push(() => model.off(name, run));
  };

  const root = make("div", { class: "dl-widget", role: "group" });
  const stage = make("div", { class: "dl-stage" });
  const play = button("play", "Play");
  const back = button("back", "One step back");
  const forward = button("forward", "One step forward");
  const slider = make("div", { class: "dl-slider", role: "slider", tabindex: "0", "aria-orientation": "horizontal" });
  const track = make("div", { class: "dl-track" });
  const fill = make("div", { class: "dl-fill" });
  const thumb = make("div", { class: "dl-thumb" });
  track.append(fill, thumb);
  slider.append(track);
  const clock = make("span", { class: "dl-clock", "aria-hidden": "true" });
  const speed = make("select", { class: "dl-speed", "aria-label": "Frames per second", title: "Frames per second" });
  const loop = button("loop", "Loop");
  const buttons = make("div", { class: "dl-buttons" }, play, back, forward, loop, speed, clock);
  const bar = make("div", { class: "dl-bar" }, slider, buttons);
  const values = make("div", { class: "dl-values" });
  const note = make("div", { class: "dl-note", role: "note" });
  root.append(stage, values, bar, note);
  el.append(root);

  let scene = null;      // what prepare() returned
  let drawn = 0;         // the revision it was made of: a later one's frames may be more than it has
  let shown = -1;        // the frame on the screen
  let wanted = 0;        // a request for an animation frame, or 0
  let alive = true;
  const count = () => model.get("times").length;

  const draw = () => {
    wanted = 0;
    const k = model.get("index");
    if (!alive || !scene || drawn !== model.get("_revision") || k === shown || k >= count()) return;
    shown = k;
    const times = model.get("times");
    scene.draw(k);
    const text = scene.say ? scene.say(k) : "";
    if (values.textContent !== text) values.textContent = text;
    const name = model.get("axis");
    const time = `${name} = ${say(times[k], 4)}`;
    const place = `${k + 1} of ${times.length}`;
    clock.textContent = `${time} · ${k + 1}/${times.length}`;
    const part = times.length > 1 ? (100 * k) / (times.length - 1) : 0;
    fill.style.width = thumb.style.left = `${part}%`;
    slider.setAttribute("aria-valuenow", k);
    const more = [text, scene.read ? scene.read(k) : ""].filter(Boolean);
    slider.setAttribute("aria-valuetext", [`${time}, frame ${place}`, ...more].join("; "));
  };
  const ask = () => {
    if (!wanted) wanted = requestAnimationFrame(draw);
  };

  const go = (k) => {
    const times = model.get("times");
    k = Math.max(0, Math.min(times.length - 1, k));
    if (times[k] === model.get("t") && k === model.get("index")) return false;
    model.set("t", times[k]);
    model.set("index", k);
    // At once: ipywidgets holds back what the kernel is too slow for, and drops its late echoes only of what it was told.
    model.save_changes();
    return true;
  };

  // Playing: the frame follows from the clock, so a slow screen skips frames and never slows down.
  let playing = 0, start = 0, from = 0;
  const rate = () => Number(speed.value);
  const looping = () => loop.getAttribute("aria-pressed") === "true";
  const advance = (now) => {
    if (!playing) return;
    playing = requestAnimationFrame(advance);
    start = start || now;
    const k = from + Math.round(((now - start) * rate()) / 1000);
    if (k < count()) {
      go(k);
    } else if (looping() && count() > 1) {
      go(k % count());
    } else {
      go(count() - 1);
      stop();
    }
    draw();
  };
  const stop = () => {
    if (!playing) return;
    cancelAnimationFrame(playing);
    playing = 0;
    play.show("play", "Play");
  };
  const begin = () => {
    if (playing || count() < 2) return;
    if (model.get("index") >= count() - 1) go(0);
    from = model.get("index");
    start = 0;
    playing = requestAnimationFrame(advance);
    play.show("pause", "Pause");
  };
  const toggle = () => (playing ? stop() : begin());
  const step = (by) => {
    stop();
    return go(model.get("index") + by);
  };

  listen(play, "click", toggle);
  listen(back, "click", () => step(-1));
  listen(forward, "click", () => step(1));
  listen(loop, "click", () => loop.setAttribute("aria-pressed", String(!looping())));
  listen(speed, "change", () => {
    if (playing) (from = model.get("index")), (start = 0);
  });
  // JupyterLab takes keys from the document before they get here, so plain keys are caught before that, at the window:
  // an arrow must not change the cell, nor an "x" cut it. Keys with Ctrl and the like, and Shift+Enter, stay JupyterLab's.
  listen(window, "keydown", (event) => {
    const target = event.composedPath()[0];
    if (!root.contains(target) || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" || (event.shiftKey && event.key === "Enter")) return;
    event.stopImmediatePropagation();
    if (target === speed || target.tagName === "INPUT") return;  // what is typed is text
    const big = Math.max(1, Math.round(count() / 10));
    const moves = {
      ArrowRight: () => step(1), ArrowUp: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => step(-1),
      PageUp: () => step(big), PageDown: () => step(-big), Home: () => step(-count()), End: () => step(count()),
    };
    if (event.key === " " && !target.closest("button")) moves[" "] = toggle;
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }, true);
  const drag = (target, place) => {
    let grip = null;  // what `place` said when the pointer went down, until it goes up
    listen(target, "pointerdown", (event) => {
      if (event.button !== 0) return;
      stop();
      grip = place(event, null);
      target.setPointerCapture(event.pointerId);
      slider.focus({ preventScroll: true });
    });
    listen(target, "pointermove", (event) => grip !== null && place(event, grip));
    for (const name of ["pointerup", "pointercancel"]) listen(target, name, () => (grip = null));
  };
  drag(slider, (event) => {
    const box = track.getBoundingClientRect();
    go(Math.round(((event.clientX - box.left) / box.width) * (count() - 1)));
    return true;
  });
  drag(stage, (event, grip) => {  // on the picture itself: from where it is, as a film is pulled
    if (scene && scene.place) return go(scene.place(event)), true;
    if (!grip) return { x: event.clientX, k: model.get("index") };
    const width = Math.max(200, stage.getBoundingClientRect().width);
    go(grip.k + Math.round(((event.clientX - grip.x) / width) * (count() - 1)));
  });
  // The wheel moves time once the widget has the focus; without it, and at either end, it scrolls the page as ever.
  listen(root, "wheel", (event) => {
    if (event.ctrlKey || !root.matches(":focus-within")) return;
    if (step(Math.sign(event.deltaY || event.deltaX))) event.preventDefault();
  }, { passive: false });

  const load = async () => {
    const revision = model.get("_revision");
    if (!revision) return;  // nothing was sent yet
    let next;
    try {
      next = await unpack(model);
    } catch (error) {
      note.textContent = `This browser could not read the frames (${error.message}).`;
      return;
    }
    if (!alive || revision !== model.get("_revision")) return;
    const n = count();
    if (scene && scene.close) scene.close();
    stage.replaceChildren();
    scene = prepare(next, stage, time);
    drawn = revision;
    const rates = [1, 2, 5, 10, 20, 30, 60];
    if (!speed.children.length) {
      for (const rate of rates) speed.append(make("option", { value: rate }, `${rate}/s`));
      const usual = still.matches ? 2 : Math.max(2, Math.min(60, n / 4));
      speed.value = String(model.get("fps") || rates.find((rate) => rate >= usual) || 60);
      if (!speed.value) {
        speed.append(make("option", { value: model.get("fps") }, `${model.get("fps")}/s`));
        speed.value = String(model.get("fps"));
      }
      loop.setAttribute("aria-pressed", String(Boolean(model.get("loop") && !still.matches)));
    }
    root.setAttribute("aria-label", model.get("alt"));
    slider.setAttribute("aria-label", model.get("axis") === "t" ? "Time t" : model.get("axis"));
    slider.setAttribute("aria-valuemin", 0);
    slider.setAttribute("aria-valuemax", n - 1);
    for (const node of [play, back, forward, loop, speed]) node.disabled = n < 2;
    note.textContent = model.get("note");
    shown = -1;
    draw();
    if (!coloured()) later = setTimeout(settle, 50);
  };
  // On a busy page a widget may be drawn before it is in the page, or before its style sheet is: then without colours.
  let later = 0;
  const coloured = () => getComputedStyle(stage).getPropertyValue("--dl-0") !== "";
  const settle = () => {
    if (coloured()) recolour();
    else if (alive) later = setTimeout(settle, 50);
  };
  const redraw = () => ((shown = -1), ask());
  const time = { go, play: begin, stop, redraw, calm: () => still.matches };
  const recolour = () => {  // a canvas has to be told of another theme
    if (scene && scene.theme) scene.theme(), redraw();
  };
  const themes = new MutationObserver(recolour);
  themes.observe(document.body, { attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"] });
  on.push(() => themes.disconnect());
  listen(dark, "change", recolour);
  watch("change:t", ask);
  watch("change:index", ask);
  watch("change:_revision", load);
  const ready = load();
  return {
    ready,
    root,
    close() {
      alive = false;
      stop();
      if (wanted) cancelAnimationFrame(wanted);
      clearTimeout(later);
      for (const undo of on) undo();
      if (scene && scene.close) scene.close();
      scene = null;
      root.remove();
    },
  };
}

/** An anywidget module from a widget's `prepare(model, data, stage)`. */
export function widget(prepare) {
  return {
    initialize({ model }) {
      return follow(model);
    },
    render({ model, el }) {
      el.classList.add("dl-place");
      const frame = scrubber(model, el, (data, stage, time) => prepare(model, data, stage, time));
      return () => frame.close();
    },
  };
}

/** The i-th colour as CSS, and the i-th dash as SVG writes it. */
export const colourOf = (i) => `var(--dl-${i % TOKENS.dashes.length})`;
export const dashOf = (i) => TOKENS.dashes[i % TOKENS.dashes.length].join(" ");

/** Values to pixels of a plot that Python laid out (axes.py). */
export function scales(plot) {
  const scale = (ends, log, a, b) => {
    const f = log ? (v) => Math.log(v / ends[0]) / Math.log(ends[1] / ends[0]) : (v) => (v - ends[0]) / (ends[1] - ends[0]);
    return (v) => a + f(v) * (b - a);
  };
  return {
    x: scale(plot.x, plot.logX, plot.left, plot.width - plot.right),
    y: scale(plot.y, plot.logY, plot.height - plot.bottom, plot.top),
  };
}

/** A plot's frame, ticks and labels as SVG. `ticks(list)` puts other ticks on the x axis. */
export function axes(plot, label) {
  const { x, y } = scales(plot);
  const right = plot.width - plot.right, bottom = plot.height - plot.bottom;
  const svg = make("svg", { viewBox: `0 0 ${plot.width} ${plot.height}`, role: "img", "aria-label": label, class: "dl-plot" });
  svg.style.width = `${plot.width}px`;
  const below = make("g", {});
  const put = (list, at) => {
    below.replaceChildren();
    for (const [value, text] of list) {
      const px = at(value);
      below.append(make("line", { x1: px, x2: px, y1: bottom, y2: bottom + 4, class: "dl-tick" }),
        make("text", { x: px, y: bottom + 16, "text-anchor": "middle" }, text));
    }
  };
  put(plot.xTicks, x);
  svg.append(below);
  for (const [value, text] of plot.yTicks) {
    const py = y(value);
    svg.append(make("line", { x1: plot.left - 4, x2: right, y1: py, y2: py, class: "dl-grid" }),
      make("text", { x: plot.left - 7, y: py + 4, "text-anchor": "end" }, text));
  }
  svg.append(make("rect", { x: plot.left, y: plot.top, width: right - plot.left, height: bottom - plot.top, class: "dl-box" }));
  if (plot.xLabel) {
    svg.append(make("text", { x: (plot.left + right) / 2, y: plot.height - 6, "text-anchor": "middle", class: "dl-label" },
      plot.xLabel));
  }
  if (plot.yLabel) svg.append(make("text", { x: plot.left, y: plot.top - 7, class: "dl-label" }, plot.yLabel));
  return { svg, x, y, right, bottom, ticks: put };
}

/** A legend of lines; `texts[i]` is the text node after the i-th name. */
export function legend(lines) {
  const texts = [];
  const list = make("div", { class: "dl-legend" });
  lines.forEach(({ name, swatch }, i) => {
    const svg = make("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" });
    svg.append(swatch || make("line", { x1: 0, x2: 30, y1: 5, y2: 5, "stroke-dasharray": dashOf(i), class: "dl-line",
      style: `stroke: ${colourOf(i)}` }));
    const text = document.createTextNode("");
    texts.push(text);
    list.append(make("div", {}, svg, make("span", {}, name), make("b", {}, text)));
  });
  return { list, texts };
}

/** Values at frame k as one line of text. */
export function sayValues(values, k) {
  return values.map(([name, at]) => `${name} ${typeof at[k] === "number" ? say(at[k]) : at[k]}`).join("   ");
}
