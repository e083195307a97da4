// Text with formulas between dollars, `code` and *emphasis*, as nodes. KaTeX sets the formulas: a page has it, and
// elsewhere it comes with the question; until it is there a formula's LaTeX stands in its place.

import { bytes, inflate } from "./shared.js";

const MARKS = /(\$[^$]+\$|`[^`]+`|(?<![\w*])\*\w(?:[^*]*\S)?\*(?![\w*]))/;

/** A span with the text in it. */
export function rich(text) {
  const span = document.createElement("span");
  for (const part of String(text).split(MARKS)) {
    const mark = part.length > 2 && { $: "span", "`": "code", "*": "em" }[part[0]];
    if (!mark || part.at(-1) !== part[0]) {
      span.append(part);
      continue;
    }
    const node = document.createElement(mark);
    if (mark === "span") node.className = "dl-formula";
    node.textContent = mark === "span" ? part : part.slice(1, -1);
    span.append(node);
  }
  return span;
}

const loaded = (globalThis.diffusionLib ??= new Map());  // what a page of JupyterLab loads once, by name

/** KaTeX, which comes with a question that has formulas. */
async function katexOf(model) {
  const katex = new TextDecoder().decode(await inflate(bytes(model, "_katex")));
  const code = `const module = { exports: {} }, exports = module.exports;\n${katex}\nexport default module.exports;`;
  return (await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })))).default;
}

function put(katex, places, output) {
  for (const place of places) {
    katex.render(place.textContent.slice(1, -1), place, { output, throwOnError: false });
    place.classList.replace("dl-formula", "dl-set");
  }
}

/** Set the formulas in `root`: with KaTeX's fonts on a page that has them, and as MathML elsewhere. */
export function typeset(model, root) {
  const places = root.querySelectorAll(".dl-formula");
  if (!places.length) return;
  if (model.offline) {
    if (globalThis.katex) put(globalThis.katex, places, "htmlAndMathml");
    return;
  }
  if (model.get("_katex")?.byteLength && !loaded.has("katex")) loaded.set("katex", katexOf(model));
  loaded.get("katex")?.then((katex) => put(katex, root.querySelectorAll(".dl-formula"), "mathml"));
}
