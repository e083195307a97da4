// Two normal densities at a time, and the KL between them. Heights are relative to the higher peak of the moment.

import { axes, colourOf, dashOf, legend, make, say, sayValues, scales, widget } from "./shared.js";

const POINTS = 240;

function ticks(low, high) {
  const rough = (high - low) / 5, size = 10 ** Math.floor(Math.log10(rough));
  const by = size * [1, 2, 5, 10].find((k) => k * size >= rough);
  const list = [];
  for (let k = Math.ceil(low / by); k * by <= high; k++) list.push([k * by, say(k * by, 4)]);
  return list;
}

function prepare(model, data, stage) {
  const plot = structuredClone(model.get("_plot")), names = model.get("_names"), values = model.get("_values");
  const zoom = model.get("_zoom");
  const { svg, y, bottom, ticks: put } = axes(plot, model.get("alt"));
  const shapes = names.map((_, i) => make("path", { style: `fill: ${colourOf(i)}; opacity: .18` }));
  const outlines = names.map((_, i) => make("path", { class: "dl-line", "stroke-dasharray": dashOf(i),
    style: `stroke: ${colourOf(i)}` }));
  svg.append(...shapes, ...outlines);
  const { list, texts } = legend(names.map((name) => ({ name })));
  const number = document.createTextNode("");
  list.append(make("div", {}, make("span", {}, `KL(${names[0]} ‖ ${names[1]})`), make("b", {}, number)));
  stage.append(make("div", { class: "dl-figure", style: `width: ${plot.width}px` }, svg, list));
  return {
    draw(k) {
      const means = [data.m0[k], data.m1[k]], vars = [data.v0[k], data.v1[k]];
      if (zoom) {
        const low = Math.min(...means.map((m, i) => m - 3.5 * Math.sqrt(vars[i])));
        const high = Math.max(...means.map((m, i) => m + 3.5 * Math.sqrt(vars[i])));
        plot.x = high > low ? [low, high] : [low - 1, high + 1];
        put(ticks(...plot.x), scales(plot).x);
      }
      const { x } = scales(plot), [low, high] = plot.x, step = (high - low) / POINTS;
      const wide = vars.map((v) => Math.max(v, step * step));  // a point is a spike one step wide
      const peak = Math.max(...wide.map((v) => 1 / Math.sqrt(v)));
      for (const i of [0, 1]) {
        // the grid, and the peak itself, which the grid might miss
        const grid = Array.from({ length: POINTS + 1 }, (_, j) => low + j * step);
        if (means[i] > low && means[i] < high) grid.push(means[i]), grid.sort((a, b) => a - b);
        const path = grid.map((v) => {
          const height = Math.exp((-0.5 * (v - means[i]) ** 2) / wide[i]) / Math.sqrt(wide[i]) / peak;
          return `${x(v).toFixed(1)} ${y(height).toFixed(1)}`;
        }).join("L");
        outlines[i].setAttribute("d", "M" + path);
        shapes[i].setAttribute("d", `M${x(low)} ${bottom}L${path}L${x(high)} ${bottom}Z`);
        texts[i].data = `mean ${say(means[i])}, variance ${say(vars[i])}`;
      }
      number.data = `${say(data.kl[k])} nats`;
    },
    say: (k) => sayValues(values, k),
    read: () => `KL ${number.data}; ${names.map((name, i) => `${name} ${texts[i].data}`).join("; ")}`,
  };
}

export default widget(prepare);
