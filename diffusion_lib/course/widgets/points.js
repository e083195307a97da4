// Clouds of points on a canvas, over the exact density as a tint, with arrows and paths; in one dimension, bars and a line.

import { TOKENS } from "./tokens.js";
import { axes, colourOf, legend, make, sayValues, widget } from "./shared.js";

function prepare(model, data, stage) {
  const plot = model.get("_plot"), names = model.get("_clouds"), scene = model.get("_scene"), values = model.get("_values");
  const { svg, x, y, right, bottom } = axes(plot, model.get("alt"));
  const canvas = make("canvas", { class: "dl-over", "aria-hidden": "true" });
  const sharp = Math.min(3, Math.max(1, window.devicePixelRatio || 1));
  const width = right - plot.left, height = bottom - plot.top;
  canvas.width = Math.round(width * sharp);
  canvas.height = Math.round(height * sharp);
  for (const [side, at, extent] of [["left", plot.left, plot.width], ["top", plot.top, plot.height],
    ["width", width, plot.width], ["height", height, plot.height]]) canvas.style[side] = `${(100 * at) / extent}%`;
  const context = canvas.getContext("2d");
  const { roles, marks } = TOKENS, colours = scene.flat ? roles.bar : roles.cloud;
  const swatch = (i) => (scene.flat
    ? make("rect", { x: 4, y: 1, width: 22, height: 9, style: `fill: ${colourOf(colours[i])}; opacity: .5` })
    : { circle: () => make("circle", { cx: 15, cy: 5, r: 3, style: `fill: ${colourOf(colours[i])}` }),
      square: () => make("rect", { x: 12, y: 2, width: 6, height: 6, style: `fill: none; stroke: ${colourOf(colours[i])}` }),
      triangle: () => make("path", { d: "M15 1l4 8h-8z", style: `fill: ${colourOf(colours[i])}` }) }[TOKENS.marks[i]]());
  const entries = names.map((name, i) => ({ name, swatch: swatch(i) }));
  if (scene.flat && scene.density) {
    entries.push({ name: scene["density name"], swatch: make("line", { x1: 0, x2: 30, y1: 5, y2: 5, class: "dl-line",
      style: `stroke: ${colourOf(roles.exact)}` }) });
  } else if (scene.density) {
    entries.push({ name: `${scene["density name"]}, at each time on its own scale`, swatch: make("rect", { x: 4, y: 1,
      width: 22, height: 9, style: `fill: ${colourOf(roles.density)}; opacity: .45` }) });
  }
  if (scene.field) {
    entries.push({ name: "field, at each time on its own scale", swatch: make("path", { d: "M4 5h20m-5-4l5 4-5 4",
      style: "stroke: var(--dl-quiet); fill: none" }) });
  }
  const { list } = legend(entries);
  const holder = make("div", { class: "dl-holder" }, svg, canvas);
  stage.append(make("div", { class: "dl-figure", style: `width: ${plot.width}px` }, holder, list));

  const px = (v) => (x(v) - plot.left) * sharp, py = (v) => (y(v) - plot.top) * sharp;
  // Two straight lines: px(v) = ax + bx v; calling the scales for each of thousands of points would be slow.
  const ax = px(0), bx = px(1) - ax, ay = py(0), by = py(1) - ay;
  let style = null, colour = null;
  const theme = () => {
    style = getComputedStyle(stage);
    colour = (i) => style.getPropertyValue(`--dl-${i}`).trim();
  };
  theme();

  let tint = null, tintContext = null, tintImage = null;
  if (scene.density && !scene.flat) {
    tint = make("canvas", { width: 64, height: 64 });
    tintContext = tint.getContext("2d");
    tintImage = tintContext.createImageData(64, 64);
  }
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

  const drawDensity = (k) => {
    const levels = data.density, from = (scene["still density"] ? 0 : k) * 4096, [r, g, b] = rgb(colour(roles.density));
    const pixels = tintImage.data;
    for (let row = 0; row < 64; row++) {
      for (let column = 0; column < 64; column++) {
        const o = 4 * ((63 - row) * 64 + column);
        pixels[o] = r, pixels[o + 1] = g, pixels[o + 2] = b;
        pixels[o + 3] = 0.6 * levels[from + row * 64 + column];
      }
    }
    tintContext.putImageData(tintImage, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(tint, 0, 0, canvas.width, canvas.height);
  };
  const drawField = (k) => {
    const arrows = data.field, from = (scene["still field"] ? 0 : k) * 512, size = (plot.x[1] - plot.x[0]) / 16;
    context.beginPath();
    for (let row = 0; row < 16; row++) {
      for (let column = 0; column < 16; column++) {
        const i = from + 2 * (row * 16 + column), u = arrows[i] * size, v = arrows[i + 1] * size;
        if (!(Number.isFinite(u) && Number.isFinite(v))) continue;
        const cx = plot.x[0] + (column + 0.5) * size, cy = plot.y[0] + (row + 0.5) * size;
        const x0 = ax + bx * cx, y0 = ay + by * cy, x1 = x0 + bx * u, y1 = y0 + by * v;
        const dx = x1 - x0, dy = y1 - y0;
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
        context.moveTo(x1 - 0.3 * dx + 0.18 * dy, y1 - 0.3 * dy - 0.18 * dx);
        context.lineTo(x1, y1);
        context.lineTo(x1 - 0.3 * dx - 0.18 * dy, y1 - 0.3 * dy + 0.18 * dx);
      }
    }
    context.strokeStyle = style.getPropertyValue("--dl-quiet").trim();
    context.lineWidth = sharp;
    context.stroke();
  };
  const drawPaths = (k) => {
    const points = data["points 0"], count = scene.counts[0];
    context.beginPath();
    for (const i of scene.paths) {
      let pen = false;
      for (let j = 0; j <= k; j++) {
        const o = 2 * (j * count + i), a = ax + bx * points[o], b = ay + by * points[o + 1];
        if (!(Number.isFinite(a) && Number.isFinite(b))) pen = false;
        else pen ? context.lineTo(a, b) : context.moveTo(a, b), (pen = true);
      }
    }
    context.strokeStyle = colour(roles.path);
    context.lineWidth = 1.5 * sharp;
    context.stroke();
  };
  const drawPoints = (k) => {
    names.forEach((_, c) => {
      const points = data[`points ${c}`], count = scene.counts[c], r = (count > 2000 ? 1 : 1.5) * sharp;
      context.fillStyle = context.strokeStyle = colour(colours[c]);
      context.globalAlpha = count > 500 ? 0.7 : 0.9;
      context.lineWidth = sharp;
      context.beginPath();
      for (let i = 0; i < count; i++) {
        const o = 2 * (k * count + i), a = ax + bx * points[o], b = ay + by * points[o + 1];
        if (!(a >= 0 && b >= 0 && a <= canvas.width && b <= canvas.height)) continue;
        if (marks[c] === "circle") context.fillRect(a - r, b - r, 2 * r, 2 * r);  // so small that it looks round
        else if (marks[c] === "square") context.rect(a - r, b - r, 2 * r, 2 * r);
        else context.moveTo(a, b - r), context.lineTo(a + r, b + r), context.lineTo(a - r, b + r), context.closePath();
      }
      if (marks[c] === "square") context.stroke();
      if (marks[c] === "triangle") context.fill();
      context.globalAlpha = 1;
    });
    if (scene.paths.length) {  // the points whose paths are drawn, larger
      const points = data["points 0"], count = scene.counts[0];
      context.fillStyle = colour(roles.path);
      for (const i of scene.paths) {
        const o = 2 * (k * count + i);
        context.beginPath();
        context.arc(ax + bx * points[o], ay + by * points[o + 1], 3.5 * sharp, 0, 7);
        context.fill();
      }
    }
  };
  const drawBars = (k) => {
    const wide = canvas.width / scene.bins;
    names.forEach((_, c) => {
      const bars = data[`bars ${c}`];
      context.fillStyle = colour(colours[c]);
      context.globalAlpha = 0.5;
      for (let i = 0; i < scene.bins; i++) {
        const top = ay + by * bars[k * scene.bins + i];
        context.fillRect(i * wide, top, wide - 0.5, canvas.height - top);
      }
      context.globalAlpha = 1;
    });
    if (!scene.density) return;
    const from = (scene["still density"] ? 0 : k) * 201;
    context.beginPath();
    for (let i = 0; i < 201; i++) {
      const b = ay + by * data.density[from + i];
      if (Number.isFinite(b)) context.lineTo((i * canvas.width) / 200, b);
    }
    context.strokeStyle = colour(roles.exact);
    context.lineWidth = TOKENS.lineWidth * sharp;
    context.stroke();
  };
  return {
    draw(k) {
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (scene.flat) return drawBars(k);
      if (scene.density) drawDensity(k);
      if (scene.field) drawField(k);
      if (scene.paths.length) drawPaths(k);
      drawPoints(k);
    },
    theme,
    say: (k) => sayValues(values, k),
  };
}

export default widget(prepare);
