// Lines over time: drawn once as SVG; moving through time moves a cursor, a dot on each line, and the numbers.

import { axes, colourOf, dashOf, legend, make, say, sayValues, widget } from "./shared.js";

function prepare(model, data, stage) {
  const plot = model.get("_plot"), times = model.get("times"), lines = model.get("_lines"), values = model.get("_values");
  const { svg, x, y, bottom } = axes(plot, model.get("alt"));
  const id = `dl-${Math.random().toString(36).slice(2)}`;
  const clip = make("clipPath", { id });
  clip.append(make("rect", { x: plot.left, y: plot.top, width: plot.width - plot.left - plot.right,
    height: bottom - plot.top }));
  const inside = make("g", { "clip-path": `url(#${id})` });
  svg.append(clip, inside);
  const shows = (v) => Number.isFinite(v) && (!plot.logY || v > 0);
  lines.forEach((line, i) => {
    const ys = data[`y ${i}`], band = data[`band ${i}`], colour = colourOf(i);
    let path = "", dots = "", shape = "", run = [];
    const end = () => {  // one stretch without gaps
      if (run.length === 1) dots += `M${x(times[run[0]])} ${y(ys[run[0]])}h0`;
      else path += run.map((k, j) => `${j ? "L" : "M"}${x(times[k]).toFixed(2)} ${y(ys[k]).toFixed(2)}`).join("");
      if (band && run.length > 1) {
        const low = (k) => (plot.logY ? Math.max(ys[k] - band[k], plot.y[0]) : ys[k] - band[k]);
        shape += "M" + run.map((k) => `${x(times[k])} ${y(ys[k] + band[k])}`).join("L") + "L"
          + run.slice().reverse().map((k) => `${x(times[k])} ${y(low(k))}`).join("L") + "Z";
      }
      run = [];
    };
    for (let k = 0; k < times.length; k++) shows(ys[k]) ? run.push(k) : end();
    end();
    if (shape) inside.append(make("path", { d: shape, style: `fill: ${colour}; opacity: .22` }));
    inside.append(make("path", { d: path, "stroke-dasharray": dashOf(i), class: "dl-line", style: `stroke: ${colour}` }));
    if (dots) inside.append(make("path", { d: dots, class: "dl-lone", style: `stroke: ${colour}` }));
  });
  const cursor = make("line", { y1: plot.top, y2: bottom, x1: 0, x2: 0, class: "dl-cursor" });
  const marks = lines.map((_, i) => make("circle", { r: 4, class: "dl-mark", style: `fill: ${colourOf(i)}` }));
  svg.append(cursor, ...marks);
  const { list, texts } = legend(lines);
  stage.append(make("div", { class: "dl-figure", style: `width: ${plot.width}px` }, svg, list));
  return {
    draw(k) {
      const px = x(times[k]);
      cursor.setAttribute("transform", `translate(${px} 0)`);
      lines.forEach((line, i) => {
        const value = data[`y ${i}`][k], visible = shows(value) && value >= plot.y[0] && value <= plot.y[1];
        marks[i].setAttribute("visibility", visible ? "visible" : "hidden");
        if (visible) marks[i].setAttribute("transform", `translate(${px} ${y(value)})`);
        texts[i].data = line.band ? `${say(value)} ± ${say(data[`band ${i}`][k], 2)}` : say(value);
      });
    },
    say: (k) => sayValues(values, k),
    read: (k) => lines.map((line, i) => `${line.name} ${texts[i].data}`).join("; "),
    place(event) {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * plot.width;
      let best = 0;  // on the screen, so that it holds on a logarithmic axis too
      for (let k = 1; k < times.length; k++) if (Math.abs(x(times[k]) - at) < Math.abs(x(times[best]) - at)) best = k;
      return best;
    },
  };
}

export default widget(prepare);
