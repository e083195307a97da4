"""Fixtures of the browser tests; without Chromium they skip, and say how to get it."""

import subprocess
from pathlib import Path

import pytest
from lab import FLAGS, Lab, chromium, free_port, run_all, start_lab, watch


def pytest_collection_modifyitems(items):
    """A browser on a busy machine may miss its moment: each of these tests has a second try, which the summary names."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium for the session."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: run 'playwright install chromium', or install your system's chromium package")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A new page; `page.errors` are the errors on its console."""
    context = browser.new_context(viewport={"width": 1300, "height": 3000})
    page = context.new_page()
    watch(page)
    yield page
    context.close()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """A JupyterLab server of its own, with its own settings, on a free port."""
    pytest.importorskip("jupyterlab", reason="needs jupyterlab: pip install jupyterlab")
    folder, port = tmp_path_factory.mktemp("lab"), free_port()
    server = start_lab(folder, port)
    yield Lab(folder, port)
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()


@pytest.fixture
def run(lab, page):
    """Open cells as a notebook in JupyterLab and run them all: `run("name.ipynb", "1 + 1", …)` returns the page."""

    def run(name: str, *cells: str):
        page.goto(lab.write(name, *cells))
        run_all(page, len(cells))
        return page

    yield run
    lab.stop_kernels()
