"""Exported pages, opened as files with no kernel and no network; and notebooks as they are committed, unexecuted."""

import base64
import io
import platform
import re

import nbformat
import numpy as np
import pytest
from lab import canvas, grid, watch
from nbclient import NotebookClient
from PIL import Image
from scenes import ALL, scene

from diffusion_lib.course.pages import course, export, page_of
from diffusion_lib.course.pages.models import STATE, VIEW
from diffusion_lib.course.server import keep_stills
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


LONG_LINE = "value = " + " + ".join(f"term_{number}" for number in range(30)) + "  # the end"
PROSE = " ".join(["Each step shrinks what is there a little and adds a little Gaussian noise."] * 12)
READING = f"""# Reading

{PROSE}

<details><summary>Answer</summary>

It is $\\tfrac12$, press <kbd>Shift</kbd>.

</details>

| a long first column of words | and a second one |
| --- | --- |
| `code_that_has_no_place_to_break_at_all_whatever_you_do` | `more_of_the_same_kind_and_then_some_more` |

$$x = a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + u + v + w + x + y + z$$

$$y = a + b + c + d + e + f + g + h + i \\tag{{7}}$$
"""


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
    export(folder / "out", [source], execute=False, progress=False)
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


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """The file of a page to read: prose, a folded answer, a table, long code, a figure, a solution; no widgets."""
    code, figure = nbformat.v4.new_code_cell, io.BytesIO()
    Image.new("RGB", (1600, 400), (255, 255, 255)).save(figure, "png")
    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=LONG_LINE),
        nbformat.v4.new_output(
            "display_data",
            {"image/png": base64.b64encode(figure.getvalue()).decode(), "text/plain": "figure"},
            metadata={"image/png": {"alt": "white", "width": 800, "height": 200}},
        ),
    ]
    tokens = 'import torch\n\n@cached\ndef f(x: int) -> str:\n    """Text."""\n    return f"{x:.2f}" if x > 1e-3 else None  # why\n%matplotlib inline'
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(READING),
            code(LONG_LINE, outputs=outputs),
            code("secret = 1", metadata={"tags": ["solution"], "exercise": "1.1"}),
            code(tokens),
        ]
    )
    file = tmp_path_factory.mktemp("reading") / "reading.html"
    file.write_text(page_of(notebook, "reading").html)
    return file


@pytest.fixture
def read(browser, reading):
    """Open the page to read, offline, on a screen of some width and colour scheme."""
    contexts = []

    def read(width, scheme="light", file=reading):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, is_mobile=width < 500, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        watch(page)
        page.goto(file.as_uri())
        page.evaluate("document.fonts.ready")
        return page

    yield read
    for context in contexts:
        context.close()


def test_formulas_are_set_in_katex_own_fonts(read):
    page = read(1300)
    loaded = page.evaluate("[...document.fonts].filter(font => font.status === 'loaded').map(font => font.family)")
    assert {"KaTeX_Main", "KaTeX_Math"} <= {family.strip('"') for family in loaded}
    assert page.evaluate("document.fonts.check('16px KaTeX_Main') && document.fonts.check('italic 16px KaTeX_Math')")
    letter = page.locator(".katex-display .mathnormal").first
    assert letter.evaluate("node => getComputedStyle(node).fontFamily").startswith("KaTeX_Math")
    assert page.locator(".katex-error").count() == 0 and page.locator("main").inner_text().count("$") == 0
    assert page.errors == []


def test_answers_and_solutions_are_shut_until_opened(read):
    page = read(1300)
    for summary, inside in (("Answer", "kbd"), ("Solution of exercise 1.1", "text=secret")):
        part = page.locator("details", has=page.get_by_text(summary, exact=True)).locator(inside)
        assert part.count() == 1 and not part.is_visible()
        page.get_by_text(summary, exact=True).click()
        assert part.is_visible()


def test_nothing_is_cut_off_on_a_phone(read):
    page = read(375)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    for place in (".highlight pre", ".jp-RenderedText pre", "table", ".katex-display"):
        reached = page.locator(place).first.evaluate("""node => {
            let box = node;
            while (box.scrollWidth <= box.clientWidth || !/auto|scroll/.test(getComputedStyle(box).overflowX)) {
                box = box.parentElement;
                if (!box) return null;
            }
            box.scrollLeft = 1e6;
            return [box.scrollLeft + box.clientWidth - box.scrollWidth, box.getBoundingClientRect().right];
        }""")
        assert reached and abs(reached[0]) <= 1 and reached[1] <= 375, f"{place}: {reached}"


@pytest.mark.parametrize("width", [375, 1300])
def test_the_number_of_a_formula_stands_beside_it(read, width):
    page = read(width)
    number = page.locator(".katex-html > .katex-tag").bounding_box()
    last = page.locator(".katex-html:has(> .katex-tag) > .katex-base").last.bounding_box()
    assert number["x"] >= last["x"] + last["width"]


def test_punctuation_stays_with_its_formula(read, tmp_path):
    words = " ".join(f"{'i' * (k % 13)} $x$, then" for k in range(400))  # some of them at the end of a line
    (tmp_path / "marks.html").write_text(
        page_of(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(words)]), "marks").html
    )
    for width in (375, 1300):
        apart = read(width, file=tmp_path / "marks.html").evaluate("""() => {
            const lines = [];
            for (const html of document.querySelectorAll(".katex-html")) {
                const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
                walker.currentNode = html.querySelector(".katex-base .mathnormal").firstChild;
                while (!walker.currentNode.data.includes(",")) walker.nextNode();
                const range = document.createRange(), at = walker.currentNode.data.indexOf(",");
                range.setStart(walker.currentNode, at);
                range.setEnd(walker.currentNode, at + 1);
                const mark = range.getBoundingClientRect(), letter = html.getBoundingClientRect();
                if (mark.left < letter.left || mark.top > letter.bottom) lines.push(mark.top - letter.bottom);
            }
            return [document.querySelectorAll(".katex-html").length, lines.length];
        }""")
        assert apart == [400, 0]


def test_a_table_of_three_columns_is_scrolled_on_a_phone_and_not_squeezed(read, tmp_path):
    for columns, scrolled in ((3, True), (2, False)):
        row = " | ".join(["some words that would stand one below the other"] * columns)
        table = f"| {row} |\n|{' --- |' * columns}\n| {row} |"
        (tmp_path / "table.html").write_text(
            page_of(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(table)]), "table").html
        )
        page = read(375, file=tmp_path / "table.html")
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        assert page.locator("table").evaluate("node => node.scrollWidth > node.clientWidth") == scrolled
        assert page.locator("td").first.bounding_box()["width"] >= 140


def test_widgets_fit_a_phone_or_scroll(read, opened):
    page = read(375, file=opened.file)
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 6")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    for place in page.locator("[data-diffusion-widget]").all():
        box = place.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 375
        assert place.evaluate("node => getComputedStyle(node).overflowX") == "auto"
    for button in page.locator(".dl-widget button, .dl-widget select").all():
        box = button.bounding_box()
        assert box["x"] + box["width"] <= 375


LATE_STYLE = """
    const real = window.getComputedStyle;
    window.late = true;
    window.getComputedStyle = (...which) => new Proxy(real(...which), { get: (style, name) =>
        name === "getPropertyValue" ? (property) => window.late && property.startsWith("--dl-") ? "" : style[name](property)
        : typeof style[name] === "function" ? style[name].bind(style) : style[name] });
"""
COLOURED = """() => [...document.querySelectorAll(".dl-holder canvas")].map(canvas => {
    const values = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    for (let i = 0; i < values.length; i += 4)
        if (values[i + 3] > 99 && Math.max(...values.slice(i, i + 3)) - Math.min(...values.slice(i, i + 3)) > 60) return 1;
    return 0;
})"""


def test_a_widget_that_was_drawn_before_its_style_sheet_came_gets_its_colours(browser, opened):
    assert set(opened.evaluate(COLOURED)) == {1}
    context = browser.new_context(viewport={"width": 1300, "height": 4000}, offline=True)
    context.add_init_script(LATE_STYLE)
    page = context.new_page()
    watch(page)
    page.goto(opened.file.as_uri())
    page.wait_for_function("document.querySelectorAll('.dl-slider[aria-valuetext]').length === 6")
    assert set(page.evaluate(COLOURED)) == {0}
    page.evaluate("window.late = false")
    page.wait_for_function(f"!({COLOURED})().includes(0)")
    assert page.errors == []
    context.close()


def test_prose_is_at_most_75_characters_wide_and_figures_as_wide_as_they_were_saved(read):
    page = read(1300)
    prose = page.locator(".jp-RenderedMarkdown p").first
    characters = prose.evaluate("""node => {
        const width = node.getBoundingClientRect().width;
        node.style.cssText = "white-space: nowrap; width: max-content";
        return width / (node.getBoundingClientRect().width / node.textContent.length);
    }""")
    assert 55 <= characters <= 75
    assert page.locator("img").bounding_box()["width"] == 800
    assert page.locator(".highlight").first.bounding_box()["width"] > 800
    image = read(375).locator("img").bounding_box()
    assert image["width"] <= 375 and image["width"] / image["height"] == pytest.approx(4, rel=0.02)


CONTRAST = """() => {
    const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
    const light = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
        for (; node; node = node.parentElement) {
            const colour = rgb(getComputedStyle(node).backgroundColor);
            if (colour[3] !== 0) return colour;
        }
    };
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const ratios = [];
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || node.closest(".katex-mathml, script")) continue;
        const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
        ratios.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), walker.currentNode.data]);
    }
    return { ratios, page: light(behind(document.querySelector("main"))), card: light(behind(document.querySelector("img"))) };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_light_and_dark_and_figures_lie_on_white(read, scheme):
    page = read(1300, scheme)
    page.evaluate("for (const node of document.querySelectorAll('details')) node.open = true")
    colours = page.evaluate(CONTRAST)
    assert colours["page"] > 0.9 if scheme == "light" else colours["page"] < 0.05
    assert colours["card"] > 0.9
    assert len(colours["ratios"]) > 50
    assert min(colours["ratios"])[0] >= 4.5, min(colours["ratios"])


def test_widgets_follow_the_scheme(read, opened):
    page = read(1300, "dark", file=opened.file)
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    assert page.evaluate("document.body.dataset.jpThemeLight") == "false"
    dark = page.locator(".dl-widget").first.evaluate("node => getComputedStyle(node).color")
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'true'", timeout=10_000)
    assert page.locator(".dl-widget").first.evaluate("node => getComputedStyle(node).color") != dark


def test_formulas_and_links_between_pages(opened):
    assert opened.locator(".jp-RenderedMarkdown .katex").count() == 2
    assert opened.get_by_text("the next").get_attribute("href") == "01_next.html#part"
    assert opened.title() == "A page"
    index = (opened.file.parent / "index.html").read_text()
    assert '<a href="00_page.html">A page</a>' in index


def test_no_network_no_error_and_no_more_than_2_mb(opened):
    assert [url for url in opened.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert not re.search(r'(?:src|href)="https?://[^"]*\.(?:js|css)"', opened.file.read_text())
    assert opened.errors == []
    assert opened.file.stat().st_size <= 2_000_000


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


def test_what_does_not_fit_stays_a_still(browser, executed, tmp_path):
    small = tmp_path / "small.html"
    size = len(page_of(executed, "page").html.encode())
    page = page_of(executed, "page", most_bytes=size - 1)
    assert len(page.stills) == 1 and page.stills[0]
    small.write_text(page.html)
    context = browser.new_context(offline=True)
    page = context.new_page()
    watch(page)
    page.goto(small.as_uri())
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    assert 0 < page.locator(".dl-widget").count() < 6 and small.stat().st_size < size
    assert page.errors == []
    context.close()


def test_a_failing_cell_is_named(tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_code_cell("1 / 0")]
    nbformat.write(notebook, tmp_path / "broken.ipynb")
    with pytest.raises(ChildProcessError, match=r"broken\.ipynb, cell 2: ZeroDivisionError: division by zero"):
        export(tmp_path / "out", [tmp_path / "broken.ipynb"])


def test_a_committed_notebook_opened_unexecuted_shows_stills_and_no_error(executed, lab, page, made):
    committed = keep_stills(nbformat.from_dict(executed))
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


def test_opening_a_committed_notebook_changes_nothing(lab, page):
    """JupyterLab writes kernel and language into a notebook that it opens: they must be there already."""
    notebook = nbformat.read(course()[0], as_version=4)
    notebook.metadata.language_info.version = platform.python_version()  # the one thing that is this machine's own
    nbformat.write(notebook, lab.folder / "unchanged.ipynb")
    page.goto(lab.address("unchanged.ipynb"))
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    page.wait_for_timeout(4000)
    tab = page.locator(".lm-TabBar-tab", has_text="unchanged.ipynb").first
    assert tab.count() == 1 and "jp-mod-dirty" not in tab.get_attribute("class")
    lab.stop_kernels()
