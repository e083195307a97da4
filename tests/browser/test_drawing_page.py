"""The drawing in a real browser: a stroke by mouse and by finger, presets and letters by keyboard, time back and forth."""

import math
import re

import numpy as np
import pytest
from lab import canvas, watch
from test_live import CONTRAST, exported, run_cell

from diffusion_lib.course import tokens, widgets

PEN = 0.06
# The mean distance of a Gaussian of deviation h in the plane from its centre; with more centres round it, it is less.
BOUND = math.sqrt(math.pi / 2) * PEN
HALF = 3.0  # the square runs from -3 to 3


def opened(browser, path, *, width=1300, **options):
    """A page with one drawing, ready; in a browser that is offline."""
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
    page = context.new_page()
    watch(page)
    page.goto(path)
    ready(page)
    return page


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return exported(widgets.Drawing(), tmp_path_factory.mktemp("drawing"))


@pytest.fixture(scope="module")
def shared(browser, path):
    page = opened(browser, path)
    yield page
    page.context.close()


@pytest.fixture
def square(shared):
    """The page, with the first preset and at t = 1 as it was opened; and nothing on its console afterwards."""
    shared.get_by_role("button", name="two moons").click()
    ready(shared)
    press(shared, "Home")
    yield shared
    assert shared.errors == []


def ready(page):
    """Wait until the particles' exact ways are known."""
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    page.wait_for_function("document.querySelector('canvas.dl-paper').dataset.exact === 'true'")


def press(page, *keys):
    page.locator(".dl-slider").focus()
    for key in keys:
        page.keyboard.press(key)
    painted(page)


def painted(page):
    """Wait until what was changed so far stands on the screen: two of its frames."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def legend(page):
    """How large the page says that the drawing is, once that is written."""
    painted(page)
    return page.locator(".dl-legend b").nth(1).inner_text()


def now(page):
    return int(page.locator(".dl-slider").get_attribute("aria-valuenow"))


def on_screen(page, points):
    """Points of the square (N, 2) as the mouse knows them."""
    box = page.locator("canvas.dl-paper").bounding_box()
    return [
        (box["x"] + (0.5 + x / 2 / HALF) * box["width"], box["y"] + (0.5 - y / 2 / HALF) * box["height"])
        for x, y in points
    ]


def stroke(page, points):
    """Draw a line with the mouse."""
    first, *others = on_screen(page, points)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place)
    page.mouse.up()


def said_distance(page):
    """The mean distance of the particles to the drawing that the page states."""
    return float(re.search(r"([\d.]+)$", page.locator(".dl-values").inner_text())[1])


def particles(page):
    """Where pixels of the particles' colour are, (N, 2), in the units of the square."""
    pixels = canvas(page)[..., :3].astype(int)
    colour = tokens.COLOURS[tokens.ROLES["cloud"][0]]
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    rows, columns = (np.abs(pixels - rgb).sum(-1) < 60).nonzero()
    height, width = pixels.shape[:2]
    return np.stack([((columns + 0.5) / width - 0.5) * 2 * HALF, (0.5 - (rows + 0.5) / height) * 2 * HALF], axis=1)


def away(places, line):
    """The distance of each place to the nearest of the points of a line."""
    return np.linalg.norm(places[:, None] - np.array(line)[None], axis=-1).min(1)


WAVE = [(x, 1.2 * math.sin(1.5 * x)) for x in np.linspace(-2, 2, 81)]


def test_noise_becomes_the_stroke_and_the_stroke_noise(square):
    stroke(square, WAVE)
    ready(square)
    press(square, "End")
    assert "points drawn" in square.locator("canvas.dl-paper").get_attribute("aria-label")
    ends = particles(square)
    assert len(ends) > 1000  # 400 particles of a dozen pixels, some on each other
    far = away(ends, WAVE)
    # a particle is drawn with a radius of 2 pixels, 0.03; beyond 4.5 deviations of the pen there is one in 25 000
    assert far.mean() < BOUND + 0.03 and far.max() < 4.5 * PEN + 0.05
    assert said_distance(square) < BOUND
    # all along the stroke, not at one end of it
    assert away(np.array(WAVE), ends).max() < 0.3
    noise = widgets.Drawing().noise.numpy()
    for back, forth in (("Home", "End"), ("Home", "End")):
        press(square, back)
        starts = particles(square)
        assert away(noise[np.abs(noise).max(1) < 2.9], starts).max() < 0.05 and away(starts, noise).max() < 0.05
        press(square, forth)
        assert np.array_equal(particles(square), ends)


def test_half_way_they_are_where_the_package_has_them(square):
    square.get_by_role("button", name="heart").click()
    ready(square)
    press(square, "Home", *["PageUp"] * 5)
    assert now(square) == 50
    exact = widgets.Drawing("heart").trajectory()[50]
    inside = exact[np.abs(exact).max(1) < 2.9]
    assert away(inside, particles(square)).max() < 0.05 and away(particles(square), exact).max() < 0.05


def test_it_plays_when_the_pen_is_lifted_and_not_before(square):
    press(square, "End")
    first, *others = on_screen(square, WAVE)
    square.mouse.move(*first)
    square.mouse.down()
    for place in others:
        square.mouse.move(*place)
    square.wait_for_timeout(300)
    assert now(square) == 100  # the stage is not pulled as a film, and time stands still
    square.mouse.up()
    square.wait_for_function("+document.querySelector('.dl-slider').getAttribute('aria-valuenow') < 90")
    square.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '100'")
    assert said_distance(square) < BOUND


def test_strokes_join_and_can_be_taken_back(square):
    undo, clear = (square.get_by_role("button", name=name) for name in ("Undo", "Clear"))
    assert legend(square) == "100 points"
    stroke(square, [(-2, 0), (-1, 0)])  # takes the preset's place
    assert legend(square) == "12 points"
    stroke(square, [(1, 0), (1, 1)])
    assert legend(square) == "24 points"
    undo.click()
    stroke(square, [(1, 1), (2, 1)])  # joins the first again
    assert legend(square) == "24 points"
    square.mouse.click(*on_screen(square, [(0, 2)])[0])
    assert legend(square) == "25 points"
    clear.click()
    assert legend(square) == "nothing yet" and square.get_by_text("Draw here").is_visible() and clear.is_disabled()
    for expected in ("25 points", "24 points", "12 points", "100 points"):
        undo.click()
        assert legend(square) == expected
    assert not square.get_by_text("Draw here").is_visible()


def test_presets_and_letters_by_keyboard(square):
    paper = square.locator("canvas.dl-paper")
    assert "choose a drawing or type letters" in paper.get_attribute("aria-label")
    counts = []
    for name in ("ring", "heart", "letter A", "two moons"):
        button = square.get_by_role("button", name=name)
        button.focus()
        square.keyboard.press("Enter")
        ready(square)
        press(square, "End")
        counts.append(legend(square))
        assert said_distance(square) < BOUND
    assert len(set(counts)) == 4
    letters = square.get_by_label("Letters to draw")
    letters.focus()
    square.keyboard.type("O l")
    ready(square)
    square.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '100'")
    square.keyboard.press("ArrowLeft")
    square.keyboard.press("Home")
    square.keyboard.press("b")
    assert letters.input_value() == "bO l"  # keys there are text, and move no time
    ready(square)
    press(square, "End")
    assert 100 <= int(legend(square).split()[0]) <= 300
    square.get_by_role("button", name="ring").click()
    ready(square)
    assert letters.input_value() == "" and legend(square) == counts[0]


def test_field_and_paths_are_shown_on_demand(square):
    press(square, "Home", *["PageUp"] * 6)
    plain = canvas(square)
    for name in ("field", "paths"):
        button = square.get_by_role("button", name=name)
        button.click()
        painted(square)
        assert button.get_attribute("aria-pressed") == "true"
        shown = canvas(square)
        assert (shown != plain).any(-1).mean() > 0.02
        button.click()
        painted(square)
        assert np.array_equal(canvas(square), plain)


def test_less_motion_shows_the_end_at_once(browser, path):
    page = opened(browser, path, reduced_motion="reduce")
    assert now(page) == 0
    page.get_by_role("button", name="ring").click()
    ready(page)
    painted(page)
    assert now(page) == 100 and page.get_by_label("Play").count() == 1
    assert page.errors == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fingers_draw_on_a_phone(browser, path, scheme):
    page = opened(browser, path, width=375, has_touch=True, is_mobile=True, device_scale_factor=2, color_scheme=scheme)
    page.locator("canvas.dl-paper").scroll_into_view_if_needed()
    box, paper = page.locator(".dl-widget").bounding_box(), page.locator("canvas.dl-paper")
    assert box["x"] + box["width"] <= 375 and page.evaluate("document.documentElement.scrollWidth") <= 375
    shape = paper.evaluate("c => [c.width, c.clientWidth, c.clientHeight]")
    assert shape[0] >= 2 * shape[1] and shape[1] == pytest.approx(shape[2], abs=1) and shape[1] > 280
    for part in page.locator(".dl-panel > *, .dl-choice, .dl-typed, .dl-buttons > *").all():
        inner = part.bounding_box()
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
    lowest, _ = page.evaluate(CONTRAST)
    assert min(lowest.values()) >= 4.5, lowest
    session = page.context.new_cdp_session(page)
    places = on_screen(page, WAVE)
    for kind, (x, y) in (("touchStart", places[0]), *(("touchMove", place) for place in places[1:])):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    ready(page)
    press(page, "End")
    assert said_distance(page) < BOUND
    assert legend(page) != "100 points"
    assert page.errors == []
    page.context.close()


def test_a_drawing_weighs_less_than_50_kb_beside_its_still():
    """What an author should know: data and script of one drawing, without what all widgets share."""
    drawing = widgets.Drawing()
    size = len(drawing.script.read_text()) + len(drawing._data) * 4 / 3 + 8 * len(drawing._points)
    assert size < 50_000


def test_in_jupyterlab_the_drawing_comes_back_to_python(run, page):
    cells = [
        "from diffusion_lib.course import widgets\ndrawing = widgets.Drawing(None, particles=100)",
        "drawing",
        "print('drawn', len(drawing.points), drawing.points.mean(0).tolist(), drawing.t)",
    ]
    run("drawing.ipynb", *cells)
    ready(page)
    assert page.get_by_text("Draw here").is_visible()
    page.locator(".dl-widget").scroll_into_view_if_needed()
    stroke(page, [(0.5, -1), (2.0, -1)])
    ready(page)
    press(page, "End")
    page.wait_for_timeout(500)
    text = run_cell(page, "print('drawn'")
    count, x, y, t = (float(number) for number in re.findall(r"-?\d+\.?\d*", text))
    # a stroke of length 1.5 in pieces of 0.09; a pixel of the mouse is 0.016
    assert count == 18 and x == pytest.approx(1.25, abs=0.02) and y == pytest.approx(-1, abs=0.02) and t == 0
    cell = page.locator(".jp-Cell").count()
    page.get_by_label("Letters to draw").focus()
    page.keyboard.type("xb d")  # JupyterLab's own keys: cut a cell, add one, delete one
    assert page.get_by_label("Letters to draw").input_value() == "xb d" and page.locator(".jp-Cell").count() == cell
