"""Exported pages, opened as files with no kernel and no network; and notebooks as they are committed, unexecuted."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from lab import canvas, grid, watch
from nbclient import NotebookClient
from PIL import Image
from scenes import ALL, scene

from diffusion_lib.course.export import STATE, VIEW, export, page_of, stills
from diffusion_lib.course.widgets.pictures import still_layout
from diffusion_lib.course.widgets.stills import GAP, LINE

CONTROLS = """
import ipywidgets
mover = ipywidgets.FloatSlider(min=0, max=1, step=0.01, description="time")
ipywidgets.jslink((mover, "value"), (gaussians, "t"))
family = ipywidgets.Dropdown(options=["linear", "cosine"], value="cosine", description="family")
ipywidgets.VBox([ipywidgets.HBox([mover, family, ipywidgets.Label("<u>text</u>")]), gaussians])
"""
TEXT = "# A *page*\n\nFormula $\\sqrt{\\bar\\alpha_t}$, see [the next](01_next.ipynb#part).\n\n$$\\begin{aligned}a&=b\\\\c&<d\\end{aligned}$$"


@pytest.fixture(scope="module")
def made():
    return scene()


@pytest.fixture(scope="module")
def executed():
    """A notebook with each widget, run as `export` runs it."""
    notebook = nbformat.v4.new_notebook()
    code = nbformat.v4.new_code_cell
    notebook.cells = [
        nbformat.v4.new_markdown_cell(TEXT),
        code(ALL),
        code("frames"),
        code("noising"),
        code("widgets.link(frames, curves)\nwidgets.row(curves, points)"),
        code("bars"),
        code(CONTROLS),
    ]
    NotebookClient(notebook, timeout=300).execute()
    return notebook


@pytest.fixture(scope="module")
def opened(browser, executed, tmp_path_factory):
    """The page, in a browser that is offline; `page.asked` are the addresses it asked for."""
    folder = tmp_path_factory.mktemp("pages")
    source = folder / "00_page.ipynb"
    nbformat.write(executed, source)
    export(folder / "out", [source], execute=False, say=lambda line: None)
    context = browser.new_context(viewport={"width": 1300, "height": 4000}, offline=True)
    page = context.new_page()
    watch(page)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto((folder / "out" / "00_page.html").as_uri())
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 6")
    page.file = folder / "out" / "00_page.html"
    yield page
    context.close()


def press(page, key, number=0, times=1):
    page.locator(".dl-slider").nth(number).focus()
    for _ in range(times):
        page.keyboard.press(key)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def now(page, number=0):
    return int(page.locator(".dl-slider").nth(number).get_attribute("aria-valuenow"))


@pytest.mark.parametrize("k", [0, 3, 10, 20])
def test_canvas_holds_the_tensor(opened, made, k):
    press(opened, "Home")
    press(opened, "ArrowRight", times=k)
    assert np.array_equal(canvas(opened, 0), grid(made["x"][k], 2, 1))
    assert np.array_equal(canvas(opened, 1), grid(made["y"][k], 2, 1))


def test_the_page_computes_the_noised_picture_to_the_bit(opened, made):
    for key, k in (("Home", 0), ("PageUp", 10), ("End", 100)):
        press(opened, key, 1)
        x_t = (
            np.float32(made["alpha"][k]) * made["x0"].astype(np.float32) + np.float32(made["sigma"][k]) * made["noise"]
        )
        assert np.array_equal(canvas(opened, 2), grid(x_t, 2, 1))


def test_links_hold(opened):
    press(opened, "Home")
    press(opened, "PageUp")  # t = 0.9
    assert now(opened, 2) == 90
    press(opened, "End", 2)
    assert now(opened) == 0


def test_it_plays(opened):
    press(opened, "Home")
    press(opened, "Space")
    opened.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') > 2")
    press(opened, "Space")


def test_controls_move_where_linked_and_say_what_they_need_elsewhere(opened):
    mover = opened.locator(".dl-control input[type=range]")
    mover.focus()
    for _ in range(5):
        opened.keyboard.press("ArrowRight")
    opened.wait_for_function("document.querySelectorAll('.dl-slider')[5].getAttribute('aria-valuenow') === '5'")
    greyed = opened.locator(".dl-control input:disabled")
    assert (
        greyed.count() == 1 and greyed.input_value() == "cosine" and "running kernel" in greyed.get_attribute("title")
    )
    assert "needs the notebook and a running kernel" in opened.locator(".dl-hint").inner_text()
    assert opened.locator(".dl-control", has_text="<u>text</u>").count() == 1


def test_formulas_and_links_between_pages(opened):
    assert opened.locator(".jp-RenderedMarkdown math").count() == 2
    assert opened.get_by_text("the next").get_attribute("href") == "01_next.html#part"
    assert opened.title() == "A page"
    index = (opened.file.parent / "index.html").read_text()
    assert '<a href="00_page.html">A page</a>' in index


def test_no_network_no_error_and_no_more_than_12_mb(opened):
    assert [url for url in opened.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert not re.search(r'(?:src|href)="https?://[^"]*\.(?:js|css)"', opened.file.read_text())
    assert opened.errors == []
    assert opened.file.stat().st_size <= 12_000_000


def test_fingers(browser, opened):
    """A finger drags the slider and the picture, taps buttons, and still scrolls the page up and down."""
    context = browser.new_context(viewport={"width": 800, "height": 600}, has_touch=True, is_mobile=True, offline=True)
    page = context.new_page()
    watch(page)
    page.goto(opened.file.as_uri())
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 6")
    hand = context.new_cdp_session(page)

    def swipe(start, end, moves=8):
        points = [
            (start[0] + (end[0] - start[0]) * i / moves, start[1] + (end[1] - start[1]) * i / moves)
            for i in range(moves + 1)
        ]
        for kind, (x, y) in zip(["touchStart"] + ["touchMove"] * moves, points, strict=True):
            hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
            page.wait_for_timeout(20)
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(300)

    def centre(box):
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    press(page, "Home")
    page.locator(".dl-widget").first.evaluate("node => node.scrollIntoView({block: 'center'})")
    track = page.locator(".dl-track").first.bounding_box()
    x, y = centre(track)
    swipe((track["x"] + 2, y), (x, y))
    assert now(page) == 10
    stage = page.locator(".dl-stage").first.bounding_box()
    x, y = centre(stage)
    swipe((x, y), (x - stage["width"] / 4, y))
    assert now(page) == 5
    page.locator(".dl-widget").first.get_by_label("One step forward").tap()
    page.wait_for_timeout(100)
    assert now(page) == 6
    before = page.evaluate("scrollY")
    swipe((x, y), (x, y - 200))
    assert now(page) == 6 and page.evaluate("scrollY") > before + 50
    assert page.errors == []
    context.close()


def test_without_javascript_the_stills_are_there(browser, opened):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(opened.file.as_uri())
    pictures = page.locator("[data-diffusion-widget] img")
    assert pictures.count() == 5
    assert pictures.first.get_attribute("alt") == "Frames: Noise <i>turns</i> clear."
    context.close()


def test_what_does_not_fit_stays_a_still(browser, executed, tmp_path, capsys):
    small = tmp_path / "small.html"
    whole = page_of(executed, "whole")
    small.write_text(page_of(executed, "small", most_bytes=len(whole.encode()) - 1))
    assert "shown as a still" in capsys.readouterr().err
    context = browser.new_context(offline=True)
    page = context.new_page()
    watch(page)
    page.goto(small.as_uri())
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    assert 0 < page.locator(".dl-widget").count() < 6 and small.stat().st_size < len(whole.encode())
    assert page.errors == []
    context.close()


def test_a_failing_cell_is_named(tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_code_cell("1 / 0")]
    nbformat.write(notebook, tmp_path / "broken.ipynb")
    with pytest.raises(RuntimeError, match=r"broken\.ipynb, cell 2: ZeroDivisionError: division by zero"):
        export(tmp_path / "out", [tmp_path / "broken.ipynb"])
    with pytest.raises(FileNotFoundError, match="no notebooks"):
        export(tmp_path / "out", [])


def test_a_committed_notebook_opened_unexecuted_shows_stills_and_no_error(executed, lab, page, made):
    committed = stills(nbformat.from_dict(executed))
    assert STATE not in str(committed.metadata) and not any(
        VIEW in str(cell.get("outputs", "")) for cell in committed.cells
    )
    nbformat.write(committed, lab.folder / "committed.ipynb")
    page.goto(lab.address("committed.ipynb"))
    page.wait_for_selector(".jp-OutputArea img")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    page.wait_for_timeout(3000)
    assert page.locator(".jp-OutputArea img").count() == 5
    assert page.errors == []
    source = page.locator(".jp-OutputArea img").first.get_attribute("src")
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB"))
    times, ((count, columns, scale), _) = still_layout([(4, 8, 8, 3), (4, 8, 8, 1)])
    side, step = 8 * scale, 8 * scale + 2
    for column, k in enumerate(np.linspace(0, 20, times).round().astype(int)):
        for p in range(count):
            left = column * (columns * step - 2 + GAP) + p % columns * step
            top = 2 * LINE + p // columns * step
            picture = shown[top : top + side : scale, left : left + side : scale]
            assert np.array_equal(picture, grid(made["x"][k, p : p + 1], 1, 0)[..., :3])
    lab.stop_kernels()
