// Light or dark: as the reader chose on a page of the course, else as the screen is; and light on paper.
(() => {
  const key = "diffusion_lib theme", screen = matchMedia("(prefers-color-scheme: dark)"), paper = matchMedia("print");
  let chosen = null;
  try {
    chosen = localStorage.getItem(key);
  } catch { /* this browser keeps nothing for this page */ }
  const dark = () => (chosen === "dark" || chosen === "light" ? chosen === "dark" : screen.matches);
  const show = () => {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    document.body.dataset.jpThemeLight = String(paper.matches || !dark());
    document.dispatchEvent(new Event("diffusion-theme"));
  };
  const toggle = () => {
    const next = dark() ? "light" : "dark";
    chosen = (next === "dark") === screen.matches ? null : next;  // the screen's own scheme is followed, not kept
    try {
      if (chosen) localStorage.setItem(key, chosen);
      else localStorage.removeItem(key);
    } catch { /* then it lasts until the page is left */ }
    show();
  };
  globalThis.diffusionTheme = { dark, toggle };
  screen.addEventListener("change", show);
  paper.addEventListener("change", show);
  window.addEventListener("storage", (event) => {
    if (event.key === key) (chosen = event.newValue), show();
  });
  show();
})();
