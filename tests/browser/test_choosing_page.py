"""One of several widgets at a time, chosen in a page without a kernel and in JupyterLab; and one that is typed there."""

import nbformat
import numpy as np
import pytest
from lab import canvas, watch
from nbclient import NotebookClient

from diffusion_lib.course.pages import export

CELL = """
import numpy as np
from diffusion_lib.course import widgets

def film(text):
    if not text.replace(".", "").isdigit():
        raise ValueError(f"{text!r} is no number: give one such as 0.5")
    ramp = np.linspace(0, float(text), 6)[:, None, None, None]
    return widgets.Frames({"x": np.broadcast_to(ramp, (6, 1, 4, 4)).copy()}, times=np.linspace(0, 1, 6))

box = widgets.ask(film, {"0.2": film("0.2"), "1": film("1")}, label="level")
box
"""


def grey(page):
    """The level of the picture on the page."""
    return int(canvas(page, 0)[0, 0, 0])


def level(number, k):
    return int(np.floor((number * k / 5 + 1) * 127.5 + 0.5))


def press(page, key):
    page.locator(".dl-slider").focus()
    page.keyboard.press(key)
    page.wait_for_timeout(150)


@pytest.fixture
def opened(browser, tmp_path):
    """The page of a notebook with the cell above, offline."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=300).execute()
    nbformat.write(notebook, tmp_path / "00_page.ipynb")
    export(tmp_path / "out", [tmp_path / "00_page.ipynb"], execute=False, progress=False)
    context = browser.new_context(viewport={"width": 375, "height": 900}, offline=True)
    page = context.new_page()
    watch(page)
    page.goto((tmp_path / "out" / "00_page.html").as_uri())
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    yield page
    context.close()


def test_a_page_without_a_kernel_shows_what_is_chosen_at_the_same_time(opened):
    page = opened
    press(page, "End")
    assert grey(page) == level(0.2, 5)
    page.locator(".dl-control select").select_option("1")
    page.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '5'")
    assert page.locator(".dl-slider").count() == 1 and grey(page) == level(1, 5)
    press(page, "ArrowLeft")
    page.locator(".dl-control select").select_option("0.2")
    page.wait_for_function("document.querySelector('.dl-slider').getAttribute('aria-valuenow') === '4'")
    assert grey(page) == level(0.2, 4)
    field = page.locator(".dl-control input")
    assert field.is_disabled() and field.get_attribute("placeholder") == "type a level of your own, and press Enter"
    assert "needs the notebook and a running kernel" in page.locator(".dl-hint").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.errors == []


def test_what_played_stops_when_another_is_chosen(opened):
    page = opened
    page.get_by_label("Play").click()
    page.locator(".dl-control select").select_option("1")
    page.wait_for_timeout(100)
    before = page.locator(".dl-slider").get_attribute("aria-valuenow")
    page.wait_for_timeout(2500)
    assert page.locator(".dl-slider").get_attribute("aria-valuenow") == before


def test_typing_in_jupyterlab_computes_and_a_wrong_text_is_told_in_words(run):
    page = run("choosing.ipynb", CELL)
    page.wait_for_selector(".dl-slider[aria-valuetext]")
    press(page, "End")
    choice = page.locator(".widget-dropdown select")
    choice.select_option("1")
    page.wait_for_timeout(500)
    assert grey(page) == level(1, 5)
    field = page.locator(".widget-text input")
    field.fill("0.5")
    field.press("Enter")
    page.wait_for_function("document.querySelectorAll('.widget-dropdown option').length === 3")
    page.wait_for_timeout(1000)
    assert choice.evaluate("node => node.selectedOptions[0].text") == "0.5"
    assert page.locator(".dl-slider").count() == 1
    press(page, "End")
    assert grey(page) == level(0.5, 5)
    field.fill("half")
    field.press("Enter")
    page.get_by_text("That cannot be shown. 'half' is no number: give one such as 0.5.").wait_for()
    assert grey(page) == level(0.5, 5) and page.locator(".jp-OutputArea-output .ansi-red-fg").count() == 0
    assert page.errors == []
