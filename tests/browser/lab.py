"""A JupyterLab of one's own, a Chromium that looks at it, and what tests compare its canvases with."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Where Chromium is: on the path, or as Playwright installed it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    with contextlib.suppress(ImportError):
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
            return path if Path(path).exists() else None
    return None


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
        return (
            f"{self.url}/lab/workspaces/{name.removesuffix('.ipynb')}/tree/{name}?reset"
            if view == "lab"
            else (f"{self.url}/notebooks/{name}")
        )

    def call(self, path: str, method: str = "GET", body: dict | None = None) -> object:
        """The server's REST interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/{path}", data, method=method, headers={"Content-Type": "application/json"}
        )
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
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
            "--ServerApp.disable_check_xsrf=True",
            f"--ServerApp.root_dir={folder}",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        cwd=folder,
        env=environment,
        stdout=(folder / "lab.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    until = time.monotonic() + 240
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=2).close()
            return server
        time.sleep(0.25)
    server.terminate()
    raise RuntimeError("JupyterLab did not start:\n" + (folder / "lab.log").read_text()[-2000:])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_all(page: object, cells: int, seconds: float = 240.0, patience: int = 10) -> None:
    """Run all cells of the notebook on the page, and wait until the last is done.

    A kernel that has just begun may drop requests: where for `patience` seconds no cell is running or waiting, they are
    run again, as a reader would. An error in a cell is raised with its text.
    """
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    until, still = time.monotonic() + seconds, patience
    while time.monotonic() < until:
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        if len(prompts) == cells and all(re.search(r"\d", prompt) for prompt in prompts):
            return
        still = 0 if any("*" in prompt for prompt in prompts) else still + 1
        if still >= 2 and (errors := page.locator('[data-mime-type="application/vnd.jupyter.error"]')).count():
            raise AssertionError(f"a cell failed: {errors.all_inner_texts()}")
        if still >= patience:
            page.get_by_text("Run", exact=True).first.click()
            page.get_by_text("Run All Cells", exact=True).click()
            still = 0
        page.wait_for_timeout(1000)
    outputs = page.locator(".jp-CodeCell .jp-OutputArea-output").all_inner_texts()
    raise TimeoutError(f"the notebook did not run to its end in {seconds:g} s: {prompts}, outputs {outputs}")


def watch(page: object) -> None:
    """Collect the errors of a page's console in `page.errors`."""
    page.set_default_timeout(90_000)  # a machine may be busy
    page.errors = []
    page.add_locator_handler(page.locator("dialog.jp-Dialog"), lambda dialog: answer(page, dialog))
    page.on(
        "console", lambda message: message.type == "error" and page.errors.append(f"{message.text} {message.location}")
    )
    page.on("pageerror", lambda error: page.errors.append(str(error)))


def answer(page: object, dialog: object) -> None:
    """Choose what a dialog offers first, as a reader would, such as a kernel where the old one is gone."""
    text = " ".join(dialog.inner_text().split())
    if "kernel" not in text.lower():
        page.errors.append(f"a dialog: {text}")
    dialog.locator("button.jp-mod-accept").click()


def canvas(page: object, number: int = 0) -> np.ndarray:
    """The pixels of a canvas, (H, W, 4) uint8, read back from it."""
    height, width, values = (
        page.locator(".dl-widget canvas")
        .nth(number)
        .evaluate("c => [c.height, c.width, Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)]")
    )
    return np.array(values, dtype=np.uint8).reshape(height, width, 4)


def grid(frame: np.ndarray, columns: int, gap: int, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """What a canvas must hold for a frame (B, C, H, W): an implementation of its own, to compare with."""
    b, _, h, w = frame.shape
    rows = -(-b // columns)
    sheet = np.zeros((rows * (h + gap) - gap, columns * (w + gap) - gap, 4), dtype=np.uint8)
    for p in range(b):
        y, x = (p // columns) * (h + gap), (p % columns) * (w + gap)
        share = (np.clip(frame[p].astype(np.float64), low, high) - low) / (high - low)
        level = np.floor(np.nan_to_num(share) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
        sheet[y : y + h, x : x + w, :3] = level
        sheet[y : y + h, x : x + w][~np.isfinite(frame[p]).all(0), :3] = (255, 0, 255)
        sheet[y : y + h, x : x + w, 3] = 255
    return sheet
