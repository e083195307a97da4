// What stands around a page's text: contents, search, the switch to dark, printing, and what the keyboard can scroll.

(() => {
  const byId = (id) => document.getElementById(id);
  const make = (tag, properties, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  // --- light and dark ---
  const theme = byId("dl-theme");
  const tell = () => theme.setAttribute("aria-pressed", String(diffusionTheme.dark()));
  theme.hidden = false;
  theme.addEventListener("click", diffusionTheme.toggle);
  document.addEventListener("diffusion-theme", tell);
  tell();

  // --- contents: beside the text, or on a narrow screen over it when asked for ---
  const open = byId("dl-open"), contents = byId("dl-contents");
  const unfold = (shown) => {
    contents.classList.toggle("dl-open", shown);
    open.setAttribute("aria-expanded", String(shown));
  };
  document.documentElement.classList.add("dl-scripted");
  open.hidden = false;
  open.addEventListener("click", () => {
    unfold(!contents.classList.contains("dl-open"));
    if (contents.classList.contains("dl-open")) contents.querySelector("a").focus({ preventScroll: true });
  });
  contents.addEventListener("click", (event) => event.target.closest("a") && unfold(false));
  contents.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && contents.classList.contains("dl-open")) unfold(false), open.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!contents.contains(event.target) && event.target !== open) unfold(false);
  });
  contents.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest" });

  // Which section is read: the last whose heading is above the upper third of the screen.
  const links = [...contents.querySelectorAll("ol ol a")];
  const heads = links.map((link) => byId(decodeURIComponent(link.hash.slice(1))));
  let current = null;
  const follow = () => {
    const at = heads.findLastIndex((head) => head && head.getBoundingClientRect().top < innerHeight / 3);
    if (links[at] === current) return;
    current?.removeAttribute("aria-current");
    current = links[at] ?? null;
    if (!current) return;
    current.setAttribute("aria-current", "location");
    const box = contents.getBoundingClientRect(), place = current.getBoundingClientRect();
    if (place.top < box.top || place.bottom > box.bottom) contents.scrollTop += place.top - box.top - box.height / 3;
  };
  let asked = 0;
  const soon = () => (asked = asked || requestAnimationFrame(() => ((asked = 0), follow())));
  addEventListener("scroll", soon, { passive: true });
  follow();

  // A link may lead into something that is folded.
  const reveal = () => {
    let node = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
    if (!node) return;
    for (let part = node; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    node.scrollIntoView({ behavior: "instant" });
  };
  addEventListener("hashchange", reveal);
  const settling = new ResizeObserver(reveal);  // widgets and formulas are of other heights than what they replace
  const settled = () => settling.disconnect();
  settling.observe(document.querySelector("main"));
  for (const name of ["wheel", "pointerdown", "keydown", "touchstart"]) addEventListener(name, settled, { once: true, passive: true });
  setTimeout(settled, 3000);

  // --- paper: what is folded is unfolded, and stills take the place of what moves (page.css) ---
  let unfolded = [];
  const paper = () => {
    unfolded = [...document.querySelectorAll("main details:not([open])")];
    for (const part of unfolded) part.open = true;
  };
  const screen = () => {
    for (const part of unfolded) part.open = false;
    unfolded = [];
  };
  matchMedia("print").addEventListener("change", (event) => (event.matches ? paper() : screen()));

  // --- what is wider than its place scrolls, with the keyboard too ---
  const scrollers = "main pre, main table, main .katex-display, main .jp-OutputArea-output";
  const reach = () => {
    for (const node of document.querySelectorAll(scrollers)) {
      const wide = node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0;
      const scrolls = wide && /auto|scroll/.test(getComputedStyle(node).overflowX);
      if (scrolls) node.tabIndex = 0;
      else if (node.tabIndex === 0) node.removeAttribute("tabindex");
    }
  };
  let waiting = 0;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(reach, 200);
  };
  new ResizeObserver(later).observe(document.querySelector("main"));
  document.addEventListener("toggle", later, true);

  // --- search ---
  const find = byId("dl-find");
  if (!find) return;
  const dialog = byId("dl-search"), query = byId("dl-query"), results = byId("dl-results"), count = byId("dl-count");
  const MOST = 30, AROUND = 70;  // results that are listed; characters of the text on either side of what was found
  const GREEK = { α: "alpha", β: "beta", γ: "gamma", δ: "delta", ε: "epsilon", ζ: "zeta", η: "eta", θ: "theta", κ: "kappa",
    λ: "lambda", μ: "mu", ν: "nu", ξ: "xi", π: "pi", ρ: "rho", σ: "sigma", τ: "tau", φ: "phi", χ: "chi", ψ: "psi", ω: "omega" };
  // As it is compared: small letters without accents, Greek ones by their names.
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[α-ω]/g, (c) => GREEK[c] ?? c);
  let index = null, problem = "";

  globalThis.diffusionSearch = (data) => {
    index = data.sections.map(([page, anchor, heading, text]) => {
      const [file, title] = data.pages[page];
      return { file, title, anchor, heading, text, head: fold(`${title} ${heading}`), body: fold(text) };
    });
    look();
  };
  const load = () => {
    if (index || document.querySelector("script[data-search]")) return;
    const script = make("script", { src: "search.js" });
    script.dataset.search = "";
    script.addEventListener("error", () => {
      script.remove();
      problem = "The index is missing: search.js belongs beside this page.";
      look();
    });
    document.head.append(script);
  };

  /** A text with what was found marked in it. */
  const marked = (text, words) => {
    const characters = text.match(/\P{M}\p{M}*/gu) ?? [], places = [];  // which character each letter of the folded text comes from
    let folded = "";
    characters.forEach((character, i) => {
      const part = fold(character);
      folded += part;
      for (let k = 0; k < part.length; k++) places.push(i);
    });
    const first = words.map((word) => folded.indexOf(word)).filter((at) => at >= 0);
    const middle = first.length ? places[Math.min(...first)] : 0;
    const from = Math.max(0, middle - AROUND), to = Math.min(characters.length, middle + 2 * AROUND);
    const hit = new Set();
    for (const word of words) {
      for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + 1)) {
        for (let k = at; k < at + word.length; k++) hit.add(places[k]);
      }
    }
    const line = make("span", { className: "dl-found" }, from ? "… " : "");
    for (let i = from; i < to; ) {
      let end = i + 1;
      while (end < to && hit.has(end) === hit.has(i)) end++;
      const piece = characters.slice(i, end).join("");
      line.append(hit.has(i) ? make("mark", {}, piece) : piece);
      i = end;
    }
    line.append(to < characters.length ? " …" : "");
    return line;
  };

  const look = () => {
    const words = fold(query.value).split(/\s+/).filter(Boolean);
    results.replaceChildren();
    if (!words.length || !index) {
      count.textContent = words.length ? problem || "The index is being read." : "";
      return;
    }
    const times = (text, word) => text.split(word).length - 1;
    const found = [];
    for (const section of index) {
      let score = 0;
      for (const word of words) {
        const inHead = times(section.head, word), inBody = times(section.body, word);
        if (!inHead && !inBody) {
          score = 0;
          break;
        }
        score += 10 * inHead + Math.min(inBody, 8);
      }
      if (score) found.push([score, section]);
    }
    found.sort((a, b) => b[0] - a[0]);
    const several = found.length > MOST ? `${found.length} sections, the best ${MOST} of them here` : `${found.length} sections`;
    count.textContent = found.length === 1 ? "1 section" : found.length ? several : "Nothing found: try fewer words, or a part of a word.";
    for (const [, section] of found.slice(0, MOST)) {
      const link = make("a", { href: `${section.file}${section.anchor ? `#${section.anchor}` : ""}` },
        make("b", {}, section.heading), make("small", {}, section.title));
      link.addEventListener("click", () => dialog.close());
      results.append(make("li", {}, link, marked(section.text, words)));
    }
  };
  const show = () => {
    unfold(false);
    load();
    if (!dialog.open) dialog.showModal();
    query.focus();
    query.select();
  };
  find.hidden = false;
  find.addEventListener("click", show);
  query.addEventListener("input", look);
  query.addEventListener("keydown", (event) => {
    const first = results.querySelector("a");
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    if (event.key === "Enter") first?.click();
    else first?.focus();
  });
  results.addEventListener("keydown", (event) => {
    const links = [...results.querySelectorAll("a")], at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown") links[at + 1]?.focus();
    else if (event.key === "ArrowUp") (links[at - 1] ?? query).focus();
    else return;
    event.preventDefault();
  });
  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    show();
  });
})();
