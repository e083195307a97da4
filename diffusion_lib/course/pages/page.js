// A page without a kernel: the models that were saved with it, linked as they were, and their views.
// `widgets` are the modules of this package by name; the page's own script calls `show(saved, widgets)`.

class Model {
  constructor(entry, module) {
    this.kind = entry.model_name;
    this.module = module;
    this.state = entry.state;
    this.listeners = {};
    this.offline = true;  // so a widget that has something to keep keeps it in the browser
    for (const buffer of entry.buffers || []) this.state[buffer.path[0]] = decode(buffer.data);
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    if (Object.is(this.state[name], value)) return;
    this.state[name] = value;
    const listeners = [...(this.listeners[`change:${name}`] || []), ...(this.listeners.change || [])];
    for (const listener of listeners) listener(this, value);
  }
  on(names, listener) {
    for (const name of names.split(" ")) (this.listeners[name] = this.listeners[name] || []).push(listener);
  }
  off(name, listener) {
    this.listeners[name] = (this.listeners[name] || []).filter((other) => other !== listener);
  }
  save_changes() {}  // there is no kernel to save them to
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
  let ends = [];  // how to take down the views that are being made
  const find = (reference) => models.get(String(reference).replace("IPY_MODEL_", ""));
  for (const [id, entry] of Object.entries(saved)) models.set(id, new Model(entry, widgets[entry.widget]));
  for (const model of models.values()) {
    if (model.module) model.module.initialize({ model });
  }
  for (const link of models.values()) {
    if (link.kind !== "LinkModel" && link.kind !== "DirectionalLinkModel") continue;
    const [[sourceId, from], [targetId, to]] = [link.get("source"), link.get("target")];
    const source = find(sourceId), target = find(targetId);
    if (!source || !target) continue;
    linked.add(source).add(target);
    target.set(to, source.get(from));
    source.on(`change:${from}`, () => target.set(to, source.get(from)));
    if (link.kind === "LinkModel") target.on(`change:${to}`, () => source.set(from, target.get(to)));
  }

  const textOf = (html) => new DOMParser().parseFromString(String(html), "text/html").body.textContent;
  const joined = (text) => [].concat(text || "").join("");
  const control = (model) => {
    const kind = model.kind, name = textOf(model.get("description") || "");
    const labels = model.get("_options_labels");
    const value = labels ? labels[model.get("index")] ?? "" : model.get("value");
    if (kind === "LabelModel") return element("div", "dl-control", String(value));
    if (/^HTML(Math)?Model$/.test(kind)) return element("div", "dl-control", name, " ", textOf(value));
    if (value === undefined && kind !== "ButtonModel") return null;
    const label = element("label", "dl-control", kind === "ButtonModel" ? "" : `${name} `);
    let input;
    if (linked.has(model) && /^(Int|Float)SliderModel$/.test(kind)) {
      input = element("input");
      Object.assign(input, { type: "range", min: model.get("min"), max: model.get("max"), step: model.get("step") });
      input.value = value;
      input.addEventListener("input", () => model.set("value", Number(input.value)));
      model.on("change:value", () => (input.value = model.get("value")));
    } else if (linked.has(model) && kind === "DropdownModel") {
      input = element("select", "", ...labels.map((text) => element("option", "", text)));
      input.selectedIndex = model.get("index");
      input.addEventListener("change", () => model.set("index", input.selectedIndex));
      model.on("change:index", () => (input.selectedIndex = model.get("index")));
    } else {
      input = element(kind === "ButtonModel" ? "button" : "input");
      if (kind === "ButtonModel") input.textContent = name;
      else if (typeof value === "boolean") Object.assign(input, { type: "checkbox", checked: value });
      else input.value = String(value);
      const hint = model.get("placeholder");
      if (hint) Object.assign(input, { placeholder: hint, size: hint.length });
      input.disabled = true;
      input.title = "This control needs a running kernel.";
    }
    label.append(input);
    return label;
  };
  const output = (model) => {
    const box = element("div");
    for (const { data = {}, metadata = {}, text } of model.get("outputs") || []) {
      const live = data["application/vnd.jupyter.widget-view+json"];
      const part = live && view(live.model_id);
      if (part) {
        box.append(part);
      } else if (data["image/png"]) {
        const { alt, width } = metadata["image/png"] || {};
        const picture = element("img");
        picture.src = `data:image/png;base64,${joined(data["image/png"]).trim()}`;
        picture.alt = alt || joined(data["text/plain"]);
        if (width) picture.width = width;
        box.append(element("div", "jp-RenderedImage", picture));
      } else {
        box.append(element("pre", "", joined(text || data["text/plain"])));
      }
    }
    return box;
  };
  const stack = (model) => {  // of its children it shows one, and what it showed before stops
    const box = element("div");
    let own = [];
    const change = () => {
      for (const end of own) end();
      const [others, child] = [ends, model.get("children")[model.get("selected_index")]];
      ends = [];
      const part = child && view(child);
      [own, ends] = [ends, others];
      box.replaceChildren(...(part ? [part] : []));
    };
    model.on("change:selected_index", change);
    change();
    ends.push(() => {
      model.off("change:selected_index", change);
      for (const end of own) end();
    });
    return box;
  };
  const view = (reference) => {
    const model = find(reference);
    if (!model) return null;
    if (model.module) {
      const el = element("div");
      ends.push(model.module.render({ model, el }));
      return el;
    }
    if (model.kind === "OutputModel") return output(model);
    if (model.kind === "StackModel") return stack(model);
    if (!model.get("children")) return control(model);
    const box = element("div", model.kind === "HBoxModel" ? "dl-row" : "dl-column");
    for (const child of model.get("children")) {
      const part = view(child);
      if (part) box.append(part);
    }
    return box;
  };

  for (const place of document.querySelectorAll("[data-diffusion-widget]")) {
    const live = view(place.dataset.diffusionWidget);
    if (!live) continue;
    if (live.querySelector(":disabled:not(.dl-widget *)")) {
      live.append(element("p", "dl-hint", "What is greyed out computes anew: it needs the notebook and a running kernel."));
    }
    // What stood there is for paper.
    const still = element("div", `dl-still ${place.className}`, ...place.childNodes);
    place.classList.remove("jp-RenderedImage", "jp-RenderedMarkdown");
    live.classList.add("dl-live");
    place.replaceChildren(live, still);
  }
}
