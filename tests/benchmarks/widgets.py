"""How fast the scrubbers are, in a real Chromium, beside `interact` that redraws the same figure in matplotlib.

    python tests/benchmarks/widgets.py            # all; or name some: build draw play memory export

build   from tensors to the widget, and bytes on the wire (the whole state of the model, JavaScript included)
draw    a key is pressed: how long the drawing takes, in which refresh it falls, and when it is done after the key;
        the same key on `interact`: when the new picture is decoded and the next refresh has begun
play    60 frames a second for 10 s: how many of the 600 frames were drawn, and how many refreshes the browser had
memory  a scrubber's cell run 50 times: memory of the kernel, of the page's heap, and of its array buffers
export  the page of a notebook with this scrubber: its size, and drawing on it
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
sys.path.insert(0, str(Path(__file__).parents[2]))

from lab import FLAGS, Lab, chromium, free_port, run_all, start_lab, watch

SETUP = """
import numpy as np, torch
from diffusion_lib.course import widgets
generator = torch.Generator().manual_seed(0)
x0 = torch.rand(8, 3, 32, 32, generator=generator) * 2 - 1
noise = torch.randn(8, 3, 32, 32, generator=generator)
t = torch.linspace(0, 1, 100)[:, None, None, None, None]
frames = (1 - t) * x0 + t * noise
"""
INTERACT = """
import matplotlib.pyplot as plt
from ipywidgets import interact, IntSlider
def draw(k):
    figure, axes = plt.subplots(2, 4, figsize=(6, 3))
    for axis, picture in zip(axes.flat, frames[k]):
        axis.imshow((picture.permute(1, 2, 0).clamp(-1, 1) + 1) / 2)
        axis.axis("off")
    plt.show()
interact(draw, k=IntSlider(0, 0, 99));
"""
# Watches every animation frame and every picture put on a canvas; `refreshes` counts the browser's refreshes.
SPY = """
(() => {
  const own = window.requestAnimationFrame.bind(window), put = CanvasRenderingContext2D.prototype.putImageData;
  window.spy = { puts: [], draws: [], refreshes: 0, key: 0, keyAt: 0 };
  CanvasRenderingContext2D.prototype.putImageData = function (...all) {
    put.apply(this, all);
    spy.puts.push(performance.now());
  };
  window.requestAnimationFrame = (run) => own((now) => {
    const before = spy.puts.length, start = performance.now();
    run(now);
    if (spy.puts.length > before) {
      const end = performance.now();
      spy.draws.push({ took: end - start, after: end - spy.key, refresh: spy.refreshes - spy.keyAt });
    }
  });
  const tick = () => { spy.refreshes++; own(tick); };
  own(tick);
  addEventListener('keydown', () => { spy.key = performance.now(); spy.keyAt = spy.refreshes; }, true);
})();
"""


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def row(name: str, value: str, target: str = "") -> None:
    print(f"  {name:<62} {value:>16}   {target}", flush=True)


def build() -> None:
    """From tensors to the widget."""
    print("build")
    scope: dict = {}
    exec(SETUP, scope)
    widgets = scope["widgets"]
    kinds = {
        "100 frames of 8 pictures 32x32x3, one track": (
            lambda: widgets.scrub({"x_t": scope["frames"]}),
            "300 ms, 2.5 MB",
        ),
        "the same, pure noise": (
            lambda: widgets.scrub({"x": scope["torch"].randn(100, 8, 3, 32, 32)}),
            "300 ms, 2.5 MB",
        ),
        "1000 frames": (lambda: widgets.scrub({"x_t": scope["frames"].repeat_interleave(10, 0)}), "usable"),
        "x_t computed in the browser, 1000 times": (
            lambda: widgets.Noising(
                scope["x0"], scope["noise"], scope["np"].linspace(1, 0, 1000), scope["np"].linspace(0, 1, 1000)
            ),
            "two frames: 0.2 MB",
        ),
    }
    for name, (make, target) in kinds.items():
        took, busy = [], []
        for _ in range(5):
            start, begun = time.perf_counter(), time.process_time()
            widget = make()
            took.append(time.perf_counter() - start)
            busy.append(time.process_time() - begun)
        state = widget.get_state()
        data = len(state.pop("_data"))
        rest = len(json.dumps({key: value for key, value in state.items() if key != "layout"}))
        row(name, f"{median(took) * 1e3:.0f} ms", target)
        row("   of these on the processor", f"{median(busy) * 1e3:.0f} ms")
        row("   on the wire: pixels + the rest", f"{data / 1e6:.3f}+{rest / 1e6:.3f} MB")
        start = time.perf_counter()
        png = widget.still()
        row("   its still", f"{(time.perf_counter() - start) * 1e3:.0f} ms, {len(png) / 1e3:.0f} kB")


def slider(page: object, number: int = 0) -> object:
    page.wait_for_function(f"document.querySelectorAll('.dl-slider[aria-valuetext]').length > {number}")
    return page.locator(".dl-slider").nth(number)


def press_and_spy(page: object, handle: object, times: int) -> list[dict]:
    handle.focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(300)
    page.evaluate("spy.draws.length = 0")
    for _ in range(times):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(40)
    return page.evaluate("spy.draws")


def tell(draws: list[dict]) -> None:
    row("drawing, median", f"{median([d['took'] for d in draws]):.2f} ms", "2 ms")
    row("drawing, 95th of 100", f"{sorted(d['took'] for d in draws)[int(0.95 * len(draws))]:.2f} ms")
    row("drawn in the next refresh after the key", f"{sum(d['refresh'] <= 1 for d in draws)} of {len(draws)}", "all")
    row("key to drawn, median", f"{median([d['after'] for d in draws]):.1f} ms")


def draw(browser: object, lab: Lab) -> None:
    """A change of t to pixels, and the same with `interact`."""
    page = new_page(browser)
    cells = [
        SETUP,
        "widgets.scrub({'x_t': frames})",
        "widgets.Noising(x0, noise, np.linspace(1, 0, 100), np.linspace(0, 1, 100))",
        "widgets.scrub({'x_t': frames.repeat_interleave(10, 0)})",
        INTERACT,
    ]
    page.goto(lab.write("draw.ipynb", *cells))
    run_all(page, len(cells))
    draws = {}
    for number, name in enumerate(("100 frames of 8 pictures 32x32x3", "x_t computed in the browser", "1000 frames")):
        print(f"draw: {name}")
        draws[name] = press_and_spy(page, slider(page, number), 90)
        tell(draws[name])
    print("draw: interact with matplotlib, the same pictures")
    page.evaluate("""() => {
      spy.pictures = [];
      const seen = new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((node) => {
        const image = node.nodeType === 1 && (node.matches('img') ? node : node.querySelector('img'));
        if (image) image.decode().then(() => requestAnimationFrame(() => spy.pictures.push(performance.now() - spy.key)));
      })));
      seen.observe(document.body, { childList: true, subtree: true });
    }""")
    handle = page.locator(".widget-slider [role=slider], .widget-slider .noUi-handle").last
    handle.focus()
    for k in range(12):
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"spy.pictures.length > {k}")
        page.wait_for_timeout(300)
    slow = median(page.evaluate("spy.pictures"))
    fast = median([d["after"] for d in draws["100 frames of 8 pictures 32x32x3"]])
    row("key to drawn, median", f"{slow:.0f} ms")
    row("times slower than the scrubber", f"{slow / fast:.0f}", "10")
    page.context.close()
    lab.stop_kernels()


def play(browser: object, lab: Lab) -> None:
    """60 frames a second for 10 s."""
    print("play: 100 frames of 8 pictures, 60 a second, looping, for 10 s")
    page = new_page(browser, height=900)  # of a laptop: without a GPU, a taller page costs refreshes
    page.goto(lab.write("play.ipynb", SETUP, "widgets.scrub({'x_t': frames})"))
    run_all(page, 2)
    slider(page)
    page.get_by_label("Frames per second").select_option("60")
    page.locator(".dl-widget").get_by_label("Play", exact=True).click()
    page.wait_for_timeout(1000)
    shots = page.evaluate("""async () => {
      const puts = spy.puts.length, refreshes = spy.refreshes, start = performance.now();
      await new Promise((done) => setTimeout(done, 10000));
      const took = (performance.now() - start) / 1000;
      return { drawn: spy.puts.length - puts, refreshes: spy.refreshes - refreshes, due: 60 * took };
    }""")
    row("frames drawn of those due", f"{shots['drawn']} of {shots['due']:.0f}")
    row("drawn of the refreshes that there were", f"{shots['drawn'] / shots['refreshes']:.1%}")
    row("dropped", f"{max(0.0, 1 - shots['drawn'] / shots['due']):.1%}", "2 %")
    row("refreshes that the browser itself missed", f"{max(0.0, 1 - shots['refreshes'] / shots['due']):.1%}")
    page.context.close()
    lab.stop_kernels()


def resident(pid: int) -> float:
    """Memory of a process in MB, what it shares not counted."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1e3


def memory(browser: object, lab: Lab) -> None:
    """A cell run 50 times."""
    print("memory: a cell that shows 100 frames of 8 pictures, run 50 times")
    page = new_page(browser, spy=False)
    page.goto(
        lab.write("memory.ipynb", SETUP + "import os; print('pid', os.getpid())", "widgets.scrub({'x_t': frames})")
    )
    run_all(page, 2)
    slider(page)
    pid = int(page.get_by_text("pid ").last.inner_text().split()[1])
    session = page.context.new_cdp_session(page)

    def sizes() -> dict[str, float]:
        page.wait_for_timeout(1500)
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
        heap = session.send("Runtime.getHeapUsage")
        return {
            "kernel, private": resident(pid),
            "page's heap": heap["usedSize"] / 1e6,
            "page's array buffers": heap.get("backingStorageSize", 0) / 1e6,
        }

    cell = page.locator(".jp-CodeCell").nth(1)

    def again(times: int) -> None:
        for _ in range(times):
            old = cell.locator(".jp-InputPrompt").inner_text()
            cell.locator(".cm-content").click()
            page.keyboard.press("Control+Enter")
            page.wait_for_function(
                "([node, old]) => node.textContent !== old && /\\d/.test(node.textContent)",
                arg=[cell.locator(".jp-InputPrompt").element_handle(), old],
            )
            page.wait_for_selector(".dl-slider[aria-valuetext]")

    again(5)
    before = sizes()
    again(50)
    after = sizes()
    for name in before:
        row(f"{name}: after 5 runs, after 55", f"{before[name]:.1f} {after[name]:.1f} MB", "within 10 %")
    page.context.close()
    lab.stop_kernels()


def export(browser: object, folder: Path) -> None:
    """A page without kernel and network."""
    import nbformat

    from diffusion_lib.course.pages import export as write

    print("export: a page with 100 frames of 8 pictures, opened as a file, offline")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(SETUP), nbformat.v4.new_code_cell("widgets.scrub({'x_t': frames})")]
    nbformat.write(notebook, folder / "page.ipynb")
    page_file, _ = write(folder / "out", [folder / "page.ipynb"], progress=False)
    row("size of the page", f"{page_file.stat().st_size / 1e6:.1f} MB", "12 MB")
    page = new_page(browser, offline=True)
    page.goto(page_file.as_uri())
    tell(press_and_spy(page, slider(page), 90))
    page.context.close()


def new_page(browser: object, *, spy: bool = True, height: int = 2600, offline: bool = False) -> object:
    page = browser.new_context(viewport={"width": 1300, "height": height}, offline=offline).new_page()
    watch(page)
    if spy:
        page.add_init_script(SPY)
    return page


def main() -> None:
    asked = set(sys.argv[1:]) or {"build", "draw", "play", "memory", "export"}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {chromium()}, no GPU")
    if "build" in asked:
        build()
    if not asked - {"build"}:
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        folder, port = Path(name), free_port()
        server = start_lab(folder, port) if asked & {"draw", "play", "memory"} else None
        try:
            for part in (draw, play, memory):
                if part.__name__ in asked:
                    part(browser, Lab(folder, port))
            if "export" in asked:
                export(browser, folder)
        finally:
            browser.close()
            if server:
                server.terminate()
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()


if __name__ == "__main__":
    main()
