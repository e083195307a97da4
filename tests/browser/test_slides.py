"""The course as slides, opened as files without a network: nothing is larger than its slide, formulas are set, scrubbers move."""

import nbformat
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from lab import watch
from nbclient import NotebookClient
from scenes import FRAMES

from diffusion_lib.course.pages import course, export

markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
LONG = "\n".join(f"- point {number}, which is a line of its own on the slide" for number in range(40))
CELLS = [
    markdown("# 01 · First\n\nOpening words."),
    markdown("## 1.1 Noise\n\nOf $\\bar\\alpha_t$ one says this:\n\n$$x_t=\\alpha_tx_0+\\sigma_t\\varepsilon$$"),
    code(f"{FRAMES}frames"),
    code("from diffusion_lib.course import predict"),
    markdown("What do you expect?"),
    code("predict('0.5')"),
    markdown(f"## 1.2 A long list\n\n{LONG}"),
    code("\n".join(f"value_{n} = {n}  # {'a remark ' * 18}" for n in range(20))),
]
# Whether what is shown of the present slide lies within the slide, and within the screen; and by how much it was scaled.
INSIDE = """() => {
    const slide = Reveal.getCurrentSlide(), outer = slide.querySelector(".dl-room")?.getBoundingClientRect();
    if (!outer) return null;
    const inner = [...slide.querySelectorAll(".dl-block")].map((block) => block.getBoundingClientRect());
    const fit = slide.querySelector(".dl-fit");
    return {
        title: slide.querySelector(".dl-title")?.textContent ?? "",
        right: Math.max(...inner.map((box) => box.right)) - outer.right,
        bottom: Math.max(...inner.map((box) => box.bottom)) - outer.bottom,
        screen: Math.max(outer.bottom - innerHeight, outer.right - innerWidth, -outer.top, -outer.left),
        scale: new DOMMatrix(getComputedStyle(fit).transform).a,
    };
}"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A deck with a widget that lives."""
    folder = tmp_path_factory.mktemp("slides")
    notebook = nbformat.v4.new_notebook(cells=CELLS)
    NotebookClient(notebook, timeout=300).execute()
    nbformat.write(notebook, folder / "01_first.ipynb")
    export(folder / "deck", [folder / "01_first.ipynb"], form="slides", execute=False, progress=False)
    return folder / "deck"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The slides of all notebooks as they were saved."""
    folder = tmp_path_factory.mktemp("whole")
    export(folder, form="slides", execute=False, progress=False)
    return folder


@pytest.fixture
def opened(browser, made):
    contexts = []

    def opened(file, width=1300, height=760, folder=made, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, **{"reduced_motion": "reduce", **options}
        )
        contexts.append(context)
        page = context.new_page()
        watch(page)
        page.goto((folder / file).as_uri())
        page.wait_for_function("window.Reveal?.isReady()")
        return page

    yield opened
    for context in contexts:
        context.close()


def walk(page):
    """What INSIDE says of each slide, all fragments shown."""
    seen = []
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(
            "n => { const { h, v } = Reveal.getIndices(Reveal.getSlides()[n]); Reveal.slide(h, v, 99); }", number
        )
        page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 20))))"
        )
        if place := page.evaluate(INSIDE):
            seen.append(place)
    return seen


def test_a_long_list_is_spread_and_wide_code_is_scaled(opened):
    page = opened("01_first.html")
    seen = walk(page)
    assert [place["title"] for place in seen].count("1.2 A long list") >= 3
    assert all(place["right"] <= 1 and place["bottom"] <= 1 and place["screen"] <= 1 for place in seen), seen
    assert 0.3 < min(place["scale"] for place in seen) < 0.95  # the code
    assert page.errors == []


def test_a_scrubber_moves_and_keeps_the_arrow_keys_while_it_has_the_focus(opened):
    page = opened("01_first.html")
    page.evaluate(
        "{ const { h, v } = Reveal.getIndices(document.querySelector('.dl-slider').closest('.dl-slide')); Reveal.slide(h, v); }"
    )
    slider, before = page.locator(".dl-slider"), page.evaluate("Reveal.getIndices()")
    box = page.locator(".dl-track").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '10'")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '11'")
    assert page.evaluate("Reveal.getIndices()") == before
    slider.evaluate("node => node.blur()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") == before["h"] + 1 and page.errors == []


def test_a_prediction_comes_when_one_goes_on(opened):
    page = opened("01_first.html")
    page.evaluate(
        "{ const { h, v } = Reveal.getIndices(document.querySelector('.dl-predict').closest('.dl-slide')); Reveal.slide(h, v, -1); }"
    )
    prediction = page.locator(".dl-predict")
    assert (
        prediction.locator("xpath=ancestor::*[contains(@class, 'fragment')]").evaluate(
            "node => getComputedStyle(node).visibility"
        )
        == "hidden"
    )
    page.keyboard.press("Space")
    page.wait_for_function("getComputedStyle(document.querySelector('.dl-predict')).visibility === 'visible'")
    prediction.locator("input").first.check()
    prediction.locator(".dl-level").first.click()
    assert "you said" in prediction.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_slides(opened, scheme):
    page = opened("01_first.html", color_scheme=scheme)
    page.evaluate(AXE_SCRIPT)
    page.evaluate("Reveal.slide(1, 0, 99)")
    found = page.evaluate(
        "axe.run({ include: ['html'], exclude: ['.katex-html'] }).then((result) => result.violations)"
    )
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []


@pytest.mark.parametrize("path", course(), ids=lambda path: path.stem)
def test_the_slides_of_the_course_hold_what_they_show(opened, whole, path):
    page = opened(f"{path.stem}.html", folder=whole)
    seen = walk(page)
    outside = [place for place in seen if max(place["right"], place["bottom"], place["screen"]) > 1]
    assert outside == [] and len(seen) > 10
    assert min(place["scale"] for place in seen) > 0.4, min(seen, key=lambda place: place["scale"])
    assert page.locator(".katex").count() > 0 and page.locator(".katex-error").count() == 0
    left = page.evaluate(
        "[...document.querySelectorAll('.dl-block :is(p, li, td)')].filter(node => /\\\\$[^$]+\\\\$/.test(node.textContent) && !node.querySelector('code')).map(node => node.textContent.slice(0, 80))"
    )
    assert left == [] and page.errors == []
