"""The course as a site, opened as files without a network: contents, search, light and dark, paper, keyboard, axe."""

import functools
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from lab import watch
from nbclient import NotebookClient
from scenes import FRAMES

from diffusion_lib.course.pages import course, export

markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
LONG = "\n\n".join(["Each step shrinks what is there a little and adds a little noise."] * 30)
FIRST = [
    markdown(f"# 01 · First\n\n**You can**\n- draw $x_0$.\n\n## 1.1 Noise\n\nA zebra's $\\bar\\alpha_t$.\n\n{LONG}"),
    code(f"{FRAMES}frames"),
    code("from diffusion_lib.course import predict\npredict('0.5')"),
    markdown(f"## 1.2 Later\n\n{LONG}\n\n### A part of $q$\n\n{LONG}"),
    markdown("<details><summary>Answer</summary>\n\nA *giraffe*.\n\n</details>\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"),
    code("print('x' * 300)", metadata={"tags": ["solution"], "exercise": "1.1"}),
]
SECOND = [
    markdown(f"# 02 · Second\n\n## 2.1 Elsewhere\n\n{LONG}\n\n## 2.2 Stripes\n\nZebras, again; and a <b>tag</b>.")
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a site of two pages, of which the first has widgets that live."""
    folder = tmp_path_factory.mktemp("site")
    for name, cells in (("01_first", FIRST), ("02_second", SECOND)):
        notebook = nbformat.v4.new_notebook(cells=cells)
        if name == "01_first":
            NotebookClient(notebook, timeout=300).execute()
        nbformat.write(notebook, folder / f"{name}.ipynb")
    export(folder / "site", sorted(folder.glob("*.ipynb")), execute=False, progress=False)
    return folder / "site"


@pytest.fixture
def opened(browser, site):
    """Open a page of the site, offline; the pages that one test opens share what their browser keeps."""
    contexts = {}

    def opened(file="01_first.html", width=1300, scheme="light", folder=site, context=None, **options):
        if context is None:
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=scheme,
                has_touch=width < 500,
                **{"offline": True, **options},
            )
            contexts[id(context)] = context
        page = context.new_page()
        watch(page)
        page.goto(f"{folder if isinstance(folder, str) else folder.as_uri()}/{file}")
        if folder == site and file.startswith("01"):
            page.wait_for_selector(".dl-slider[aria-valuetext]")
        return page

    yield opened
    for context in contexts.values():
        context.close()


def active(page):
    """What has the focus, in words."""
    return page.evaluate(
        "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"
    )


# ---- contents ----


def test_contents_lie_beside_the_text_and_follow_it(opened):
    page = opened()
    contents, text = page.locator("#dl-contents").bounding_box(), page.locator("main h1").bounding_box()
    assert contents["x"] + contents["width"] <= text["x"]
    page.locator("#dl-contents a", has_text="1.2 Later").click()
    page.wait_for_function("document.querySelector('[aria-current=location]')?.textContent === '1.2 Later'")
    assert 0 <= page.locator("h2", has_text="1.2 Later").bounding_box()["y"] < 120
    assert page.locator("#dl-contents a", has_text="A part of").locator(".katex").count() == 1
    page.locator("#dl-contents a", has_text="02 · Second").click()
    page.wait_for_url("**/02_second.html")
    page.locator("a[rel=prev]").click()
    page.wait_for_url("**/01_first.html")
    assert page.errors == []


def test_a_link_to_a_section_ends_at_it_though_widgets_grow(opened):
    page = opened("01_first.html#1.2-Later")
    page.wait_for_timeout(500)
    assert 0 <= page.locator("h2", has_text="1.2 Later").bounding_box()["y"] < 120


def test_on_a_phone_contents_come_when_asked_for(opened):
    page = opened(width=375, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    contents, button = page.locator("#dl-contents"), page.get_by_role("button", name="Contents")
    assert not contents.is_visible() and button.get_attribute("aria-expanded") == "false"
    button.tap()
    assert contents.is_visible() and button.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert not contents.is_visible() and active(page) == "Contents"
    button.tap()
    contents.get_by_text("1.2 Later").tap()
    assert not contents.is_visible() and page.url.endswith("#1.2-Later")
    for name in ("Contents", "Search", "Dark"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 375 and box["height"] >= 24


def test_without_javascript_the_contents_are_there(browser, site):
    context = browser.new_context(viewport={"width": 375, "height": 900}, java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "01_first.html").as_uri())
    assert page.locator("#dl-contents a", has_text="1.2 Later").is_visible()
    assert not page.locator("#dl-find").is_visible() and not page.locator("#dl-open").is_visible()
    context.close()


# ---- search ----


def find(page, words):
    page.keyboard.press("Control+k")
    page.locator("#dl-query").fill(words)
    page.wait_for_function("!/being read/.test(document.getElementById('dl-count').textContent)")
    return [" | ".join(link.locator("xpath=*").all_inner_texts()) for link in page.locator("#dl-results a").all()]


def test_search_finds_words_of_all_pages_and_leads_to_their_section(opened):
    page = opened()
    assert find(page, "ZEBRA") == ["1.1 Noise | 01 · First", "2.2 Stripes | 02 · Second"]
    assert page.locator("#dl-count").inner_text() == "2 sections"
    assert page.locator("#dl-results mark").all_inner_texts() == ["zebra", "Zebra"]
    assert "<b>" not in page.locator("#dl-results").inner_text() and page.locator("#dl-results b b").count() == 0
    page.locator("#dl-results a").nth(1).click()
    page.wait_for_url("**/02_second.html#2.2-Stripes")
    assert 0 <= page.locator("h2", has_text="2.2 Stripes").bounding_box()["y"] < 900
    assert page.errors == []


def test_search_knows_greek_letters_and_keeps_answers_to_itself(opened):
    page = opened()
    assert find(page, "alpha_t zebra") == ["1.1 Noise | 01 · First"]
    assert page.locator("#dl-results mark").all_inner_texts() == ["zebra", "ᾱ_t"]
    page.keyboard.press("Escape")
    assert find(page, "giraffe") == [] and "Nothing found" in page.locator("#dl-count").inner_text()


def test_search_by_keyboard_alone(opened):
    page = opened()
    page.get_by_role("button", name="Search").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("zebra")
    page.wait_for_selector("#dl-results a")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert active(page).startswith("2.2 Stripes")
    page.keyboard.press("Escape")
    assert active(page) == "Search" and not page.locator("#dl-search").is_visible()


def test_a_page_without_its_index_says_so(opened, site, tmp_path):
    (tmp_path / "01_first.html").write_text((site / "01_first.html").read_text())
    page = opened(folder=tmp_path)
    page.keyboard.press("Control+k")
    page.locator("#dl-query").fill("zebra")
    page.wait_for_function("/search.js belongs beside this page/.test(document.getElementById('dl-count').textContent)")


# ---- light and dark ----


def colours(page):
    """How light the page and a widget's text are, 0 to 255, and whether the switch says dark."""
    return page.evaluate("""() => {
        const light = (text) => Math.max(...text.match(/[\\d.]+/g).slice(0, 3).map(Number));
        const widget = document.querySelector(".dl-widget");
        return [light(getComputedStyle(document.body).backgroundColor), widget && light(getComputedStyle(widget).color),
            document.getElementById("dl-theme").getAttribute("aria-pressed")];
    }""")


@pytest.fixture
def served(site):
    """The address of the site on a server: of files, Chromium now and then misses what another page has just stored."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SimpleHTTPRequestHandler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def turned(page, dark):
    """Wait until the switch says so: what one page keeps reaches another page's process a moment later."""
    page.wait_for_function(
        "dark => document.getElementById('dl-theme').getAttribute('aria-pressed') === dark", arg=dark
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_switch_turns_the_page_and_is_remembered_on_the_next(opened, served, scheme):
    page = opened(scheme=scheme, folder=served, offline=False)
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    light, dark = [255, 33, "false"], [27, 230, "true"]
    own, other = (light, dark) if scheme == "light" else (dark, light)
    assert colours(page) == own
    page.locator("#dl-theme").click()
    assert colours(page) == other
    second = opened("02_second.html", folder=served, context=page.context)
    turned(second, other[2])
    assert colours(second) == [other[0], None, other[2]]
    second.locator("#dl-theme").click()  # back: now the screen is followed again
    turned(page, own[2])
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    turned(page, other[2])
    assert colours(page) == other and page.errors == []


# ---- paper ----


def test_on_paper_there_is_the_text_unfolded_and_stills(opened):
    page = opened(scheme="dark")
    assert page.locator(".dl-live").first.is_visible() and not page.locator(".dl-still img").first.is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    page.wait_for_function("[...document.querySelectorAll('main > * details, main details')].every(part => part.open)")
    for gone in (".dl-head", "#dl-contents", ".dl-pager", ".dl-widget >> nth=0"):
        assert not page.locator(gone).is_visible(), gone
    assert page.locator(".dl-still img").first.is_visible() and page.get_by_text("giraffe").is_visible()
    assert page.locator(".dl-still").nth(1).get_by_text("Answer").count() > 0  # a prediction, as text
    paper = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('main p')).color]"
    )
    assert paper == ["rgb(255, 255, 255)", "rgb(33, 33, 33)"]
    assert page.evaluate("[...document.querySelectorAll('pre')].every(node => node.scrollWidth <= node.clientWidth)")
    assert len(page.pdf()) > 10_000
    page.emulate_media(media="screen", color_scheme="dark")
    page.wait_for_function("document.querySelectorAll('main details[open]').length === 0")
    assert page.locator(".dl-live").first.is_visible()


# ---- keyboard, motion ----


def test_everything_is_reached_and_moved_by_keyboard(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert active(page) == "Skip to the text"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "dl-text"
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "[document.activeElement.getAttribute('role') || document.activeElement.tagName, document.activeElement.className]"
            )
        )
        if reached[-1][0] == "slider":
            break
    assert reached[-1][0] == "slider"
    slider = page.locator(".dl-slider").first
    before = slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "was => document.querySelector('.dl-slider').getAttribute('aria-valuetext') !== was", arg=before
    )
    assert re.match(r"t = [\d.]+, frame 2 of 21; SNR", slider.get_attribute("aria-valuetext"))
    for _ in range(20):  # on to the prediction: choose, say how sure, read
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "radio":
            break
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_function("/you said/.test(document.querySelector('.dl-reveal').textContent)")
    assert page.evaluate("document.activeElement.className") == "dl-reveal"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid" and page.errors == []


def test_where_less_motion_is_asked_for_nothing_moves_by_itself(opened):
    page = opened(reduced_motion="reduce")
    loop = page.locator(".dl-widget").first.get_by_role("button", name="Loop")
    assert loop.get_attribute("aria-pressed") == "false"
    assert page.locator(".dl-speed").first.input_value() == "2"
    moving = page.evaluate("""() => [...document.querySelectorAll("*")].filter((node) => {
        const style = getComputedStyle(node);
        return style.animationName !== "none" || style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0)
            || style.scrollBehavior === "smooth";
    }).map((node) => node.outerHTML.slice(0, 80))""")
    assert moving == []
    assert (
        opened().locator(".dl-widget").first.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"
    )


# ---- axe ----


def violations(page):
    """What axe finds on a page with all that is folded unfolded. KaTeX's boxes, which are hidden from all but the eye, take
    axe minutes; the same formulas' MathML is looked at."""
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    page.wait_for_timeout(400)
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate(
        "axe.run({ include: ['html'], exclude: ['.katex-html'] }, { resultTypes: ['violations'] }).then((result) => result.violations)"
    )
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in found for node in rule["nodes"][:3]
    ]


def thinned(page):
    """Take from a long page what axe need not see twice: of coloured pieces of code that are styled alike, all but the first
    become plain text; KaTeX's boxes go. A page of 18 000 elements has 5000 then, and axe is six times as fast."""
    page.evaluate("""() => {
        for (const boxes of document.querySelectorAll(".katex-html")) boxes.remove();
        const seen = new Set();
        for (const piece of document.querySelectorAll("pre span:not(:has(*))")) {
            const where = piece.closest("pre").parentElement;
            const style = [piece.className, piece.getAttribute("style"), where.className, where.dataset.mimeType].join(" | ");
            const judged = piece.textContent.trim().length > 1;  // axe leaves the contrast of a single character open
            if (!judged || seen.has(style)) piece.replaceWith(...piece.childNodes);
            if (judged) seen.add(style);
        }
    }""")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("file", ["01_first.html", "index.html"])
def test_axe_finds_nothing_on_a_page_with_widgets(opened, file, scheme):
    page = opened(file, scheme=scheme)
    if file == "01_first.html":
        assert page.locator(".dl-widget").count() == 2
    assert violations(page) == []
    page.keyboard.press("Control+k")
    page.locator("#dl-query").fill("zebra")
    page.wait_for_selector("#dl-results a")
    assert violations(page) == []


def test_axe_finds_nothing_on_a_phone(opened):
    page = opened(width=375, is_mobile=True)
    assert violations(page) == []
    page.get_by_role("button", name="Contents").tap()
    assert violations(page) == []


def test_axe_is_at_work(opened):
    page = opened("02_second.html")
    wrong = """<img src=""><input><style>.pale { color: #bbb }</style>
        <pre><span class="pale">a</span><span class="pale">one</span><span class="pale">two</span></pre>"""
    page.evaluate("wrong => document.querySelector('main').insertAdjacentHTML('beforeend', wrong)", wrong)
    thinned(page)
    assert page.locator(".pale").all_inner_texts() == ["one"]
    assert {line.split(":")[0] for line in violations(page)} == {"image-alt", "label", "color-contrast"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The site of all notebooks as they were saved."""
    folder = tmp_path_factory.mktemp("whole")
    export(folder, execute=False, progress=False)
    return folder


@pytest.mark.parametrize("path", course(), ids=lambda path: path.stem)
def test_axe_finds_nothing_in_the_course_light_or_dark(opened, whole, path: Path):
    page = opened(f"{path.stem}.html", folder=whole)
    assert page.locator(".katex-error").count() == 0
    thinned(page)
    assert violations(page) == []
    page.locator("#dl-theme").click()
    contrast = page.evaluate(
        "axe.run({ include: ['html'], exclude: ['.katex-html'] }, { runOnly: ['color-contrast'] }).then((result) => result.violations.length)"
    )
    assert contrast == 0 and page.errors == []
    assert (whole / f"{path.stem}.html").stat().st_size < 2_000_000
