"""A JupyterLab on a free port and a Chromium that looks at it; without Chromium these tests skip, and say how to get it."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
# Messages that JupyterLab's own code writes to the console, whatever the notebook.
FOREIGN = ("favicon", "/lsp/", "jupyterlab/api/news", "jupyter.org/api/announcements")


def chromium() -> str | None:
    """Where Chromium is: on the path, or as Playwright installed it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    with contextlib.suppress(ImportError):
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
            return path if Path(path).exists() else None
    return None


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
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    page.errors = []
    page.on("console", lambda message: message.type == "error" and page.errors.append(f"{message.text} {message.location}"))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    context.close()


def own(errors: list[str]) -> list[str]:
    """Console errors that are not JupyterLab's own business with servers that it does not find."""
    return [error for error in errors if not any(word in error for word in FOREIGN)]


class Lab:
    """A running JupyterLab and its folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"http://127.0.0.1:{port}"

    def write(self, name: str, *cells: str | tuple[str, list]) -> str:
        """Write a notebook of code cells and return its address."""
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        for cell in cells:
            source, outputs = (cell, []) if isinstance(cell, str) else cell
            notebook.cells.append(nbformat.v4.new_code_cell(source, outputs=outputs))
        nbformat.write(notebook, self.folder / name)
        return self.address(name)

    def address(self, name: str, view: str = "lab") -> str:
        # a workspace of its own, reset: no tabs of an earlier test
        return f"{self.url}/lab/workspaces/{name.removesuffix('.ipynb')}/tree/{name}?reset" if view == "lab" else (
            f"{self.url}/notebooks/{name}")

    def call(self, path: str, method: str = "GET", body: dict | None = None) -> object:
        """The server's REST interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/{path}", data, method=method,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def stop_kernels(self) -> None:
        for session in self.call("sessions"):
            with contextlib.suppress(urllib.error.HTTPError):
                self.call(f"sessions/{session['id']}", "DELETE")


def start_lab(folder: Path, port: int) -> subprocess.Popen:
    """Start JupyterLab on `folder` without token, browser or news, and wait until it answers."""
    home = folder / ".jupyter"
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data"),
                   "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
                   "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"), "IPYTHONDIR": str(home / "ipython"),
                   "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
         "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True",
         f"--ServerApp.root_dir={folder}", "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
        cwd=folder, env=environment, stdout=(folder / "lab.log").open("w"), stderr=subprocess.STDOUT)
    for _ in range(240):
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=2).close()
            return server
        time.sleep(0.25)
    server.terminate()
    raise RuntimeError("JupyterLab did not start:\n" + (folder / "lab.log").read_text()[-2000:])


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """A JupyterLab server of its own, with its own settings, on a free port."""
    pytest.importorskip("jupyterlab", reason="needs jupyterlab: pip install jupyterlab")
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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

    def run(name: str, *cells: str, wait: bool = True):
        page.goto(lab.write(name, *cells))
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
        page.get_by_text("Run", exact=True).first.click()
        page.get_by_text("Run All Cells", exact=True).click()
        if wait:
            page.wait_for_function(
                "n => document.querySelectorAll('.jp-CodeCell').length === n && [...document.querySelectorAll("
                "'.jp-CodeCell .jp-InputPrompt')].every(p => /\\[\\d+\\]/.test(p.textContent))", arg=len(cells), timeout=90_000)
        return page

    yield run
    lab.stop_kernels()
