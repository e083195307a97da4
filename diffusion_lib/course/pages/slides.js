// Slides: what does not fit on one is spread over several, what is larger than a slide is scaled, and reveal.js shows them.

(async () => {
  // Fonts and frames come late; without them nothing has its height.
  const until = performance.now() + 5000;
  const late = () => document.querySelector(".dl-slider:not([aria-valuetext])");
  while (late() && performance.now() < until) await new Promise((done) => setTimeout(done, 20));
  await document.fonts.ready;
  const WIDTH = 1280, HEIGHT = 720;  // of a slide
  const FULL = 0.6, MOST = 1.4;  // parts of its room: what it may hold already, and with one block more, before it is spread
  const deck = document.querySelector(".dl-deck");

  /** A list that is higher than a slide becomes a list for each of its items, which can be spread. */
  const itemise = (list, space) => {
    const block = list.parentElement;
    if (block.offsetHeight <= space) return;
    [...list.children].forEach((item, i) => {
      const one = block.cloneNode(false), holder = list.cloneNode(false);
      one.classList.add("dl-item");
      if (list.tagName === "OL") holder.start = list.start + i;
      holder.append(item);
      one.append(holder);
      block.before(one);
    });
    block.remove();
  };

  // --- spread: before reveal.js hides all slides but one, every block has its height ---
  for (const slide of document.querySelectorAll(".dl-slide")) {
    const head = slide.querySelector(".dl-title"), room = slide.querySelector(".dl-room"), fit = slide.querySelector(".dl-fit");
    const space = room.clientHeight;
    for (const list of fit.querySelectorAll(":scope > .dl-block > :is(ul, ol):only-child")) itemise(list, space);
    const blocks = [...fit.children].map((node) => [node, node.offsetHeight + parseFloat(getComputedStyle(node).marginBottom)]);
    let page = slide, place = fit, used = 0;
    for (const [node, height] of blocks) {
      if (used && used + height > (used > FULL * space ? space : MOST * space)) {
        const next = page.cloneNode(false);
        next.classList.remove("dl-first");
        place = Object.assign(document.createElement("div"), { className: "dl-fit" });
        const nextRoom = Object.assign(document.createElement("div"), { className: "dl-room" });
        nextRoom.append(place);
        if (head) next.append(head.cloneNode(true));
        next.append(nextRoom);
        page.after(next);
        page = next;
        used = 0;
      }
      if ("later" in node.dataset && used) node.classList.add("fragment");
      place.append(node);
      used += height;
    }
    const notes = slide.querySelector(".notes");
    if (notes && page !== slide) slide.append(notes);
  }

  // --- scale: what is still larger than its slide, now or after it has changed ---
  const fitted = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const room = target.parentElement, high = target.scrollHeight, wide = target.scrollWidth;
      if (!high || !room.clientHeight) continue;
      const scale = Math.min(1, room.clientHeight / high, room.clientWidth / wide);
      target.style.transform = scale < 1 ? `scale(${scale})` : "";
    }
  });
  for (const fit of document.querySelectorAll(".dl-fit")) fitted.observe(fit);

  // --- what widgets do with fingers is theirs ---
  for (const place of document.querySelectorAll(".dl-widget, pre, table")) place.setAttribute("data-prevent-swipe", "");

  const theme = document.getElementById("dl-theme");
  const tell = () => theme.setAttribute("aria-pressed", String(diffusionTheme.dark()));
  theme.addEventListener("click", diffusionTheme.toggle);
  document.addEventListener("diffusion-theme", tell);
  tell();

  deck.classList.add("reveal");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  Reveal.initialize({ width: WIDTH, height: HEIGHT, margin: 0.03, center: false, hash: true, slideNumber: "c/t", plugins: [RevealNotes],
    transition: calm ? "none" : "slide", backgroundTransition: "none", autoAnimate: false, maxScale: 3 });
})();
