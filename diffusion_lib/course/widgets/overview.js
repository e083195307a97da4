// Which exercises are solved and how the predictions went: a table, a row for each notebook.

import { make } from "./shared.js";

const HEADS = ["notebook", "solved", "exercises: ✓ right, ✗ tried, ○ open", "predictions"];

export default {
  initialize() {},
  render({ model, el }) {
    const rows = model.get("_answers") || [];
    const head = make("tr", {}, ...HEADS.map((text) => make("th", { scope: "col" }, text)));
    const body = rows.map(([notebook, ...cells]) => make("tr", {}, make("th", { scope: "row" }, notebook),
      ...cells.map((text) => make("td", {}, text.replace(/([✓✗○]) /g, "$1\u00a0")))));
    const table = make("table", { "aria-label": "Your progress" }, make("thead", {}, head), make("tbody", {}, ...body));
    const text = rows.length ? model.get("_kept") : "Your progress is shown where the notebook runs; this page does not know it.";
    const root = make("div", { class: "dl-widget dl-score dl-overview", role: "group", "aria-label": "Your progress" },
      ...(rows.length ? [table] : []), make("p", { class: "dl-quiet" }, text));
    el.classList.add("dl-place");
    el.append(root);
    return () => root.remove();
  },
};
