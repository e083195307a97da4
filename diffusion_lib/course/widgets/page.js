// A page without a kernel: the models that were saved with it, linked as they were, and their views.
// `widgets` are the modules of this package by name; the page's own script calls `show(state, widgets)`.

class Model {
  constructor(state) {
    this.state = state;
    this.heard = {};
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    if (Object.is(this.state[name], value)) return;
    this.state[name] = value;
    for (const run of [...(this.heard[`change:${name}`] || []), ...(this.heard.change || [])]) run(this, value);
  }
  on(names, run) {
    for (const name of names.split(" ")) (this.heard[name] = this.heard[name] || []).push(run);
  }
  off(name, run) {
    this.heard[name] = (this.heard[name] || []).filter((one) => one !== run);
  }
  save_changes() {}  // nobody is there to hear it
  send() {}
}

function decode(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new DataView(bytes.buffer);
}

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function show(saved, widgets) {
  const models = new Map(), linked = new Set();
  const model = (reference) => models.get(String(reference).replace("IPY_MODEL_", ""));
  for (const [id, entry] of Object.entries(saved)) {
    const made = new Model(entry.state);
    made.kind = entry.model_name;
    made.widget = widgets[entry.widget];
    for (const buffer of entry.buffers || []) made.state[buffer.path[0]] = decode(buffer.data);
    models.set(id, made);
  }
  for (const made of models.values()) {
    if (made.widget) made.widget.initialize({ model: made });
  }
  for (const made of models.values()) {
    if (made.kind !== "LinkModel" && made.kind !== "DirectionalLinkModel") continue;
    const [[a, from], [b, to]] = [made.get("source"), made.get("target")];
    const first = model(a), second = model(b);
    if (!first || !second) continue;
    linked.add(first).add(second);
    second.set(to, first.get(from));
    first.on(`change:${from}`, () => second.set(to, first.get(from)));
    if (made.kind === "LinkModel") second.on(`change:${to}`, () => first.set(from, second.get(to)));
  }

  const words = (html) => new DOMParser().parseFromString(String(html), "text/html").body.textContent;
  const control = (made) => {
    const kind = made.kind, name = words(made.get("description") || "");
    const labels = made.get("_options_labels");
    const value = labels ? labels[made.get("index")] ?? "" : made.get("value");
    if (kind === "LabelModel") return element("div", "dl-control", String(value));
    if (/^HTML(Math)?Model$/.test(kind)) return element("div", "dl-control", name, " ", words(value));
    if (value === undefined && kind !== "ButtonModel") return null;
    const live = linked.has(made) && /^(Int|Float)SliderModel$/.test(kind);
    const label = element("label", "dl-control", kind === "ButtonModel" ? "" : `${name} `);
    let input;
    if (live) {
      input = element("input");
      Object.assign(input, { type: "range", min: made.get("min"), max: made.get("max"), step: made.get("step") });
      input.value = value;
      input.addEventListener("input", () => made.set("value", Number(input.value)));
      made.on("change:value", () => (input.value = made.get("value")));
    } else {
      input = element(kind === "ButtonModel" ? "button" : "input");
      if (kind === "ButtonModel") input.textContent = name;
      else if (typeof value === "boolean") Object.assign(input, { type: "checkbox", checked: value });
      else input.value = String(value);
      input.disabled = true;
      input.title = "This control needs a running kernel.";
    }
    label.append(input);
    return label;
  };
  const output = (made) => {
    const box = element("div");
    for (const one of made.get("outputs") || []) {
      const data = one.data || {};
      if (data["image/png"]) {
        const picture = element("img");
        picture.src = `data:image/png;base64,${[].concat(data["image/png"]).join("").trim()}`;
        picture.alt = ((one.metadata || {})["image/png"] || {}).alt || [].concat(data["text/plain"] || "").join("");
        box.append(picture);
      } else {
        box.append(element("pre", "", [].concat(one.text || data["text/plain"] || "").join("")));
      }
    }
    return box;
  };
  const view = (reference) => {
    const made = model(reference);
    if (!made) return null;
    if (made.widget) {
      const el = element("div");
      made.widget.render({ model: made, el });
      return el;
    }
    if (made.kind === "OutputModel") return output(made);
    if (!made.get("children")) return control(made);
    const box = element("div", made.kind === "HBoxModel" ? "dl-row" : "dl-column");
    for (const child of made.get("children")) {
      const part = view(child);
      if (part) box.append(part);
    }
    return box;
  };

  for (const place of document.querySelectorAll("[data-diffusion-widget]")) {
    const made = view(place.dataset.diffusionWidget);
    if (!made) continue;
    if (made.querySelector(":disabled:not(.dl-widget *)")) {
      made.append(element("p", "dl-hint", "What is greyed out computes anew: it needs the notebook and a running kernel."));
    }
    place.replaceChildren(made);
  }
}

// Formulas: LaTeX between dollars becomes MathML, which browsers draw themselves.
function typeset(katex) {
  const formula = /\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\]|(\\begin\{(\w+\*?)\}[\s\S]+?\\end\{\4\})|\$((?:\\.|[^$\\])+?)\$|\\\(([\s\S]+?)\\\)/g;
  for (const place of document.querySelectorAll(".jp-RenderedMarkdown, .jp-RenderedLatex")) {
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT, {
      acceptNode: (node) => (node.parentElement.closest("code, pre, script, style") ? NodeFilter.FILTER_REJECT
        : NodeFilter.FILTER_ACCEPT),
    });
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      const pieces = [];
      let at = 0;
      for (const match of text.data.matchAll(formula)) {
        const display = match[1] ?? match[2] ?? match[3];
        const holder = element("span");
        katex.render(display ?? match[5] ?? match[6], holder, { output: "mathml", displayMode: display !== undefined,
          throwOnError: false });
        pieces.push(text.data.slice(at, match.index), holder);
        at = match.index + match[0].length;
      }
      if (pieces.length) text.replaceWith(...pieces, text.data.slice(at));
    }
  }
}
