"""Widgets in JupyterLab, live: what the canvas holds, how it is moved, and what Python hears of it."""

import time

import numpy as np
import pytest
from ipywidgets.embed import dependency_state
from lab import canvas, grid, run_all, watch
from scenes import ALL, scene

from diffusion_lib.course import widgets
from diffusion_lib.course.pages import page_of
from diffusion_lib.course.pages.models import STATE


@pytest.fixture(scope="module")
def made():
    return scene()


@pytest.fixture(scope="module")
def notebook(browser, lab):
    """A notebook with each widget shown, and a cell that prints what Python knows."""
    context = browser.new_context(viewport={"width": 1300, "height": 4000})
    page = context.new_page()
    watch(page)
    cells = [
        ALL,
        "frames",
        "noising",
        "widgets.row(curves, points)",
        "bars",
        "gaussians",
        "print(f'python {frames.index} {frames.t:.2f} {frames.time:.2f}')",
    ]
    page.goto(lab.write("live.ipynb", *cells))
    run_all(page, len(cells))
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 6")
    yield page
    context.close()
    lab.stop_kernels()


def slider(page, number=0):
    return page.locator(".dl-slider").nth(number)


def press(page, key, number=0):
    slider(page, number).focus()
    page.keyboard.press(key)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def now(page, number=0):
    return int(slider(page, number).get_attribute("aria-valuenow"))


def cell_of(page, text):
    return page.locator(".jp-CodeCell").filter(has_text=text).last


def run_cell(page, text):
    """Run one cell, wait for it, and return its output as text."""
    cell = cell_of(page, text)
    before = cell.locator(".jp-InputPrompt").inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "([node, old]) => node.textContent !== old && /\\d/.test(node.textContent)",
        arg=[cell.locator(".jp-InputPrompt").element_handle(), before],
    )
    return cell.locator(".jp-OutputArea").inner_text()


@pytest.mark.parametrize("k", [0, 3, 10, 20])
def test_canvas_holds_the_tensor(notebook, made, k):
    press(notebook, "Home")
    for _ in range(k):
        press(notebook, "ArrowRight")
    assert now(notebook) == k
    assert np.array_equal(canvas(notebook, 0), grid(made["x"][k], 2, 1))
    assert np.array_equal(canvas(notebook, 1), grid(made["y"][k], 2, 1))


@pytest.mark.parametrize("k", [0, 50, 100])
def test_the_browser_computes_the_noised_picture_to_the_bit(notebook, made, k):
    press(notebook, "Home", 1)
    for _ in range(k // 10):
        press(notebook, "PageUp", 1)
    assert now(notebook, 1) == k
    a, s = np.float32(made["alpha"][k]), np.float32(made["sigma"][k])
    x_t = a * made["x0"].astype(np.float32) + s * made["noise"]
    assert np.array_equal(canvas(notebook, 2), grid(x_t, 2, 1))


def test_keys(notebook):
    press(notebook, "Home")
    for key, expected in [
        ("ArrowRight", 1),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
        ("ArrowDown", 0),
        ("ArrowLeft", 0),
        ("PageUp", 2),
        ("PageDown", 0),
        ("End", 20),
        ("ArrowRight", 20),
        ("Home", 0),
    ]:
        press(notebook, key)
        assert now(notebook) == expected, key


def test_late_echoes_of_the_kernel_pull_nothing_back(notebook):
    press(notebook, "Home")
    slider(notebook).focus()
    for _ in range(20):
        notebook.keyboard.press("ArrowRight")
        notebook.wait_for_timeout(30)
    notebook.wait_for_timeout(1000)
    assert now(notebook) == 20


def test_space_plays_and_pauses_and_leaves_the_notebook_alone(notebook):
    press(notebook, "Home")
    cells = notebook.locator(".jp-Cell").count()
    press(notebook, "Space")
    notebook.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') > 1")
    press(notebook, "Space")
    stopped = now(notebook)
    notebook.wait_for_timeout(500)
    assert now(notebook) == stopped
    for key in "bx":  # JupyterLab's own shortcuts: a new cell, cut this cell
        notebook.keyboard.press(key)
    assert notebook.locator(".jp-Cell").count() == cells


def test_play_button_loops_and_stops_at_the_end_without_loop(notebook):
    widget = notebook.locator(".dl-widget").first
    widget.get_by_label("Frames per second").select_option("60")
    press(notebook, "End")
    press(notebook, "ArrowLeft")
    widget.get_by_label("Play").click()
    notebook.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') < 15")
    widget.get_by_label("Loop").click()
    notebook.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '20'")
    assert widget.get_by_label("Play").count() == 1
    widget.get_by_label("Loop").click()


def test_drag_wheel_and_buttons(notebook):
    slider(notebook).scroll_into_view_if_needed()
    press(notebook, "Home")
    track = notebook.locator(".dl-track").first.bounding_box()
    notebook.mouse.move(track["x"] + 2, track["y"] + 3)
    notebook.mouse.down()
    notebook.mouse.move(track["x"] + track["width"] / 2, track["y"] + 3)
    notebook.mouse.up()
    notebook.wait_for_timeout(100)
    assert now(notebook) == 10
    notebook.mouse.wheel(0, 100)
    notebook.wait_for_timeout(100)
    assert now(notebook) == 11
    stage = notebook.locator(".dl-stage").first.bounding_box()
    notebook.mouse.move(stage["x"] + 20, stage["y"] + 20)
    notebook.mouse.down()
    notebook.mouse.move(stage["x"] + 20 + stage["width"] / 4, stage["y"] + 20)
    notebook.mouse.up()
    notebook.wait_for_timeout(100)
    assert now(notebook) == 16
    notebook.locator(".dl-widget").first.get_by_label("One step back").click()
    notebook.wait_for_timeout(100)
    assert now(notebook) == 15


def test_the_slider_has_the_whole_row(notebook):
    for widget in notebook.locator(".dl-widget").all():
        whole, track = widget.bounding_box(), widget.locator(".dl-slider").bounding_box()
        assert track["width"] >= 300 and track["width"] > whole["width"] - 20
        assert widget.locator(".dl-buttons").bounding_box()["y"] >= track["y"] + track["height"] - 1


def test_the_cursor_of_curves_is_dragged(notebook):
    plot = notebook.locator("svg.dl-plot").first.bounding_box()
    notebook.mouse.move(plot["x"] + 100, plot["y"] + 60)
    notebook.mouse.down()
    inside = plot["x"] + 58 + 0.75 * (plot["width"] - 70)  # left margin 58, right margin 12
    notebook.mouse.move(inside, plot["y"] + 60)
    notebook.mouse.up()
    notebook.wait_for_timeout(100)
    assert now(notebook, 2) == 75
    legend = notebook.locator(".dl-legend").first.inner_text()
    assert "exact" in legend and f"{np.cos(0.75 * np.pi / 2):.3g}" in legend and "± 0.05" in legend


def test_python_follows_and_leads(notebook):
    press(notebook, "Home")
    for _ in range(7):
        press(notebook, "ArrowRight")
    notebook.wait_for_timeout(400)
    assert "python 7 0.65 0.65" in run_cell(notebook, "print(f'python")


def test_assistive_technology(notebook):
    press(notebook, "Home")
    first = slider(notebook)
    assert first.get_attribute("role") == "slider" and first.get_attribute("tabindex") == "0"
    assert first.get_attribute("aria-label") == "Time t"
    assert (first.get_attribute("aria-valuemin"), first.get_attribute("aria-valuemax")) == ("0", "20")
    assert first.get_attribute("aria-valuetext") == "t = 1, frame 1 of 21; SNR 0"
    press(notebook, "End")
    assert first.get_attribute("aria-valuetext") == "t = 0, frame 21 of 21; SNR ∞"
    assert notebook.locator(".dl-widget").first.get_attribute("aria-label") == "Noise <i>turns</i> clear."
    outline = first.evaluate("node => getComputedStyle(node).outlineStyle + getComputedStyle(node).outlineWidth")
    assert outline == "solid2px"
    for node in notebook.locator(".dl-widget button").all():
        assert node.get_attribute("aria-label")
    assert "KL" in slider(notebook, 5).get_attribute("aria-valuetext")


def test_what_is_not_finite_is_magenta_and_said(notebook):
    press(notebook, "Home")
    figure = notebook.locator(".dl-figure").first
    assert "finite" not in figure.inner_text()
    for _ in range(3):
        press(notebook, "ArrowRight")
    assert "2 pixels not finite" in figure.inner_text()
    assert "black −1, white 1; values from" in figure.inner_text()


def test_captions_are_text(notebook):
    assert notebook.locator(".dl-figure b").count() == notebook.locator(".dl-legend b").count()
    assert "<b>x̂0</b>" in notebook.locator(".dl-figure").nth(1).inner_text()


def test_nothing_on_the_console(notebook):
    assert notebook.errors == []


def test_links_rows_updates_and_restarts(run, lab):
    """Linked widgets move together, Python's `update` reaches the page, and a dead kernel leaves it usable."""
    page = run(
        "links.ipynb",
        ALL,
        "widgets.link(frames, curves, noising)\nwidgets.column(frames, widgets.row(curves, noising))",
        "import ipywidgets\nbox = ipywidgets.FloatSlider(min=0, max=1)\nipywidgets.jslink((box, 'value'), (gaussians, 't'))\n"
        "ipywidgets.VBox([box, gaussians])",
    )
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 4")
    press(page, "Home")
    press(page, "PageUp")
    press(page, "PageUp")  # t = 0.8
    page.wait_for_timeout(200)
    assert [now(page, i) for i in range(3)] == [4, 80, 80]
    press(page, "ArrowLeft", 1)  # 0.79 of the finer one: the coarser shows its nearest frame, and pulls nothing back
    page.wait_for_timeout(600)
    assert [now(page, i) for i in range(3)] == [4, 79, 79]
    page.locator(".jupyter-widgets .noUi-handle, .jupyter-widgets.widget-slider .ui-slider-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert now(page, 3) > 0
    page.evaluate("document.querySelector('.jp-Notebook').focus()")

    session = lab.call("sessions")[0]
    lab.call(f"kernels/{session['kernel']['id']}/restart", "POST")
    page.wait_for_timeout(3000)
    press(page, "End")
    assert now(page) == 20
    assert page.errors == []


def test_update_from_a_control(run, made):
    """A control whose change computes new frames: the widget on the page shows them, at the same place in time."""
    page = run("update.ipynb", ALL, "frames", "frames.update({'x_t': -x, 'other': y}, times=times)\nframes.t = 0.5")
    page.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '10'")
    page.wait_for_function("document.querySelector('.dl-figure:nth-child(2)').textContent.includes('other')")
    assert np.array_equal(canvas(page, 0), grid(-made["x"][10], 2, 1))
    assert page.errors == []


def test_update_to_more_frames_than_before(run):
    """While the new arrays are unpacked, the old ones are not asked for a frame that they do not have."""
    make = (
        "import numpy as np\nfrom diffusion_lib.course import widgets\n"
        "def lines(n):\n    return np.linspace(0, 1, n), {'y': np.random.default_rng(0).normal(size=n)}\n"
        "curves = widgets.Curves(*lines(11))\ncurves.t = 1.0"
    )
    page = run("longer.ipynb", make, "curves", "for n in (30_000, 5, 20_000, 3, 10_001):\n    curves.update(*lines(n))")
    page.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '10000'")
    assert page.errors == []


@pytest.mark.parametrize("kernel", ["alive", "gone"])
def test_saved_and_opened_again(run, lab, page, kernel):
    """What a learner ran and saved opens with its still and without an error; running it again brings the slider back."""
    run("reload.ipynb", ALL, "frames")
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    page.keyboard.press("Control+s")
    page.wait_for_function("document.querySelector('.jp-Notebook') && !document.title.startsWith('*')")
    until = time.monotonic() + 30
    while "image/png" not in (lab.folder / "reload.ipynb").read_text() and time.monotonic() < until:
        page.wait_for_timeout(200)
    text = (lab.folder / "reload.ipynb").read_text()
    assert "image/png" in text and "widget-view" not in text
    press(page, "End")
    assert now(page) == 20  # the open page is as live as before
    if kernel == "gone":
        lab.stop_kernels()
    page.goto(page.url.split("?")[0] + "?reset")
    page.wait_for_selector(".jp-OutputArea img")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    page.wait_for_timeout(1000)
    assert page.locator(".dl-slider").count() == 0 and "Error" not in page.locator(".jp-Notebook").inner_text()
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    assert page.errors == []


def test_dark_theme_keeps_contrast(run, page):
    """Each colour of a line stands out from the page by at least 3 to 1, in the light theme and in the dark one."""
    run("dark.ipynb", ALL, "curves", "points")
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 2")
    script = """() => {
      const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
      const probe = document.createElement('i');
      document.querySelector('.dl-widget').append(probe);
      const rgb = text => { probe.style.color = text; return getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number); };
      const page = light(rgb('var(--dl-page)'));
      const contrasts = [0, 1, 2, 3, 4, 5].map(i => light(rgb(`var(--dl-${i})`))).concat(light(rgb('var(--dl-text)')))
        .map(v => (Math.max(v, page) + .05) / (Math.min(v, page) + .05));
      probe.remove();
      return contrasts;
    }"""
    assert min(page.evaluate(script)) >= 3
    before = canvas(page, 0)
    page.get_by_text("Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    page.wait_for_timeout(500)
    assert min(page.evaluate(script)) >= 3
    assert not np.array_equal(before, canvas(page, 0))  # the canvas has heard of it
    page.get_by_text("Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Light", exact=True).click()


def test_reduced_motion(browser, lab):
    """Who asked for less motion gets slow playing, and no loop."""
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1300, "height": 3000})
    page = context.new_page()
    watch(page)
    page.goto(lab.write("calm.ipynb", ALL, "noising"))
    run_all(page, 2)
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    assert page.get_by_label("Frames per second").input_value() == "2"
    assert page.get_by_label("Loop").get_attribute("aria-pressed") == "false"
    context.close()
    lab.stop_kernels()


def scrolled(page):
    """How far the notebook is scrolled down."""
    return page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop")


def test_the_wheel_scrolls_the_page_without_focus_and_at_either_end(browser, lab):
    """A slider that comes under the pointer while one scrolls traps nothing; with focus, the wheel moves time."""
    context = browser.new_context(viewport={"width": 1300, "height": 600})
    page = context.new_page()
    watch(page)
    page.goto(lab.write("wheel.ipynb", ALL, "frames", "noising", "curves", "gaussians"))
    run_all(page, 5)
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 4")
    handle = slider(page, 1)

    def wheel(amount, over):
        box = over.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.wheel(0, amount)
        page.wait_for_timeout(300)

    def centre():
        handle.evaluate("node => node.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(200)
        return scrolled(page)

    page.evaluate("document.activeElement.blur()")
    for over in (handle, page.locator(".dl-stage").nth(1)):
        before, place = centre(), now(page, 1)
        wheel(60, over)
        assert now(page, 1) == place and scrolled(page) > before + 20
    press(page, "Home", 1)
    before = centre()
    wheel(60, handle)
    wheel(60, handle)
    assert now(page, 1) == 2 and scrolled(page) == before
    wheel(-60, handle)
    assert now(page, 1) == 1 and scrolled(page) == before
    press(page, "Home", 1)
    before = centre()
    wheel(-60, handle)
    assert now(page, 1) == 0 and scrolled(page) < before - 20
    press(page, "End", 1)
    before = centre()
    wheel(60, handle)
    assert now(page, 1) == 100 and scrolled(page) > before + 20
    assert page.errors == []
    context.close()
    lab.stop_kernels()


def exported(widget, tmp_path):
    """An exported page with a widget on it, as a file."""
    import nbformat

    data, metadata = widget._repr_mimebundle_()
    notebook = nbformat.v4.new_notebook()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    notebook.cells = [nbformat.v4.new_code_cell("widget", outputs=[output])]
    notebook.metadata["widgets"] = {STATE: {"state": dependency_state([widget], drop_defaults=False)}}
    path = tmp_path / "page.html"
    path.write_text(page_of(notebook, "page").html)
    return path.as_uri()


def everything(made):
    """All widgets in rows and columns, each row too wide for a phone."""
    wide = widgets.Frames({"a": made["x"], "b": made["x"]}, columns=4, size=600)
    rows = [
        [wide],
        [made["frames"], made["noising"]],
        [made["curves"], made["points"]],
        [made["bars"], made["gaussians"]],
    ]
    return widgets.column(*(widgets.row(*parts) for parts in rows))


@pytest.mark.parametrize("width", [375, 820, 1300])
def test_nothing_is_wider_than_its_container(browser, made, tmp_path, width):
    """On a phone too: a widget shrinks to the page, pictures keep their shape, and the slider has the screen's width."""
    context = browser.new_context(viewport={"width": width, "height": 4000}, offline=True)
    page = context.new_page()
    watch(page)
    page.goto(exported(everything(made), tmp_path))
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 7")
    place = page.locator("[data-diffusion-widget]").bounding_box()
    assert place["width"] <= width
    for widget in page.locator(".dl-widget").all():
        box = widget.bounding_box()
        assert box["x"] >= place["x"] - 1 and box["x"] + box["width"] <= place["x"] + place["width"] + 1
        room = min(300, place["width"] - 20)
        assert widget.locator(".dl-slider").bounding_box()["width"] >= room
        for part in widget.locator("canvas, svg.dl-plot, .dl-buttons > *").all():
            inner = part.bounding_box()
            assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
    for node in page.locator("canvas").all():
        shape = node.evaluate("c => [c.width / c.height, c.clientWidth / c.clientHeight]")
        assert shape[0] == pytest.approx(shape[1], rel=0.02)  # whole pixels of 150 at least
    assert page.errors == []
    context.close()


CONTRAST = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = (node, grey = false) => {  // the luminance of the background; or its mean channel, for what is translucent
    for (; node; node = node.parentElement) {
      const colour = channels(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return grey ? (colour[0] + colour[1] + colour[2]) / 3 : light(colour);
    }
    return grey ? 255 : 1;
  };
  const lowest = {};
  for (const node of document.querySelectorAll('.dl-widget *')) {
    const text = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
    if (!text || node.closest('option')) continue;
    const style = getComputedStyle(node), page = behind(node);
    const [r, g, b, alpha = 1] = channels(node instanceof SVGElement ? style.fill : style.color);
    const ink = light([r, g, b].map(v => alpha * v + (1 - alpha) * behind(node, true)));
    const contrast = (Math.max(ink, page) + .05) / (Math.min(ink, page) + .05), name = node.getAttribute('class') || node.tagName;
    lowest[name] = Math.min(lowest[name] || 21, contrast);
  }
  return [lowest, behind(document.querySelector('.dl-widget'))];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_exported_widgets_are_legible_in_either_scheme(browser, made, tmp_path, scheme):
    context = browser.new_context(viewport={"width": 1300, "height": 4000}, offline=True, color_scheme=scheme)
    page = context.new_page()
    watch(page)
    page.goto(exported(everything(made), tmp_path))
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 7")
    lowest, background = page.evaluate(CONTRAST)
    assert len(lowest) > 5 and min(lowest.values()) >= 4.5, lowest
    assert background > 0.5 if scheme == "light" else background < 0.1
    before = canvas(page, 5)
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    page.wait_for_timeout(200)
    assert not np.array_equal(before, canvas(page, 5))  # the cloud of points is drawn in the other scheme's colours
    assert page.errors == []
    context.close()


def test_text_is_legible_in_jupyterlabs_dark_theme(run, page):
    run("legible.ipynb", ALL, "widgets.row(frames, curves)", "widgets.row(points, gaussians)")
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 4")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.get_by_text("Settings", exact=True).click()
        page.get_by_text("Theme", exact=True).hover()
        page.get_by_text(theme, exact=True).click()
        page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str('Light' in theme).lower()}'")
        page.wait_for_timeout(500)
        lowest, _ = page.evaluate(CONTRAST)
        assert len(lowest) > 5 and min(lowest.values()) >= 4.5, (theme, lowest)
