"""The concept inventory and the progress view in a browser, on an exported page: answers are locked, and none is shown."""

import os

import nbformat
import pytest
from lab import watch
from nbclient import NotebookClient

from diffusion_lib.course.pages import page_of

CELL = 'from diffusion_lib.course import inventory, my_progress\ninventory("A")'


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inventory")
    cells = [nbformat.v4.new_code_cell(source) for source in (CELL, "my_progress()")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    environment = {**os.environ, "DIFFUSION_PROGRESS": str(folder / "progress.jsonl")}
    NotebookClient(notebook, timeout=300).execute(env=environment)
    path = folder / "page.html"
    path.write_text(page_of(notebook, "page").html)
    return path


def test_answers_are_locked_and_none_is_shown(browser, file):
    context = browser.new_context(viewport={"width": 1300, "height": 1200}, offline=True)
    page = context.new_page()
    watch(page)
    page.goto(file.as_uri())
    page.wait_for_selector(".dl-overview")
    assert page.locator(".dl-predict").count() == 16
    for place, level in ((0, "guessing"), (1, "sure")):  # a wrong answer, and the right one
        question = page.locator(".dl-predict").nth(place)
        question.locator("input[type=radio]").nth(0).check()
        question.get_by_role("button", name=level, exact=True).click()
        text = " ".join(question.inner_text().split())
        assert text.startswith(f"QUESTION {place + 1} OF 16") or text.startswith(f"Question {place + 1} of 16")
        assert f"({level})." in text and "Locked: you said" in text
        assert "✓" not in text and "○" not in text and "the answer" not in text
        assert question.locator("input:disabled").count() == 4 and question.locator(".dl-again").is_hidden()
    page.reload()
    page.wait_for_selector(".dl-overview")
    assert page.locator(".dl-locked").count() == 2
    assert "this page does not know it" in page.locator(".dl-overview").inner_text()
    assert page.errors == []
    context.close()
