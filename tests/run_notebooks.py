"""Execute notebooks in place, as they are committed: in order, from a fresh kernel, with stills for live views.

Run by hand, from the project's folder:  python tests/run_notebooks.py notebooks/05_training.ipynb [NOTEBOOK …]
Prints how long each took, its processor time, the most memory that its kernel held (the course allows 90 s and 1.5 GB), and
how much of it was the kernel's own at the end, not of libraries that all kernels of a machine share.

One thread (OMP_NUM_THREADS=1), as in the tests. A notebook that fails stays as it was.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from diffusion_lib.course.server import keep_stills

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}  # as JupyterLab writes it


def execute(path: Path) -> str:
    """Run one notebook and write it back: no widget state, no times, the language as it was stated before.

    Returns what it took.
    """
    notebook = nbformat.read(path, as_version=4)
    language = notebook.metadata.get("language_info")
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name=KERNEL["name"],
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent.resolve())}},
    )
    used = "processor time and memory unknown"

    def measure(**_) -> None:
        nonlocal used
        process = Path(f"/proc/{client.km.provisioner.pid}")  # of Linux, which alone remembers the peak
        if process.exists():
            status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
            peak, own = (int(status[key].split()[0]) / 1e6 for key in ("VmHWM", "RssAnon"))
            ticks = sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:13]))  # user, system
            used = f"{ticks / os.sysconf('SC_CLK_TCK'):.0f} s of processors, peak {peak:.2f} GB, own {own:.2f} GB"

    client.on_cell_executed = measure  # after the last cell, the kernel is gone
    start = time.monotonic()
    client.execute()
    seconds = time.monotonic() - start
    keep_stills(notebook)
    notebook.metadata["kernelspec"] = KERNEL
    if "version" in (language or {}):
        notebook.metadata["language_info"] = language  # or the version would change from machine to machine
    path.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")  # indent 1, no ASCII escapes
    return f"{seconds:.0f} s, {used}"


def main(paths: list[str]) -> int:
    if not paths:
        print(__doc__)
        return 2
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIFFUSION_PROGRESS"] = os.path.join(folder, "progress.jsonl")  # nobody's answers
        return execute_all(paths)


def execute_all(paths: list[str]) -> int:
    """Run each notebook in turn, up to the first that fails; returns the exit status."""
    for path in map(Path, paths):
        try:
            took = execute(path)
        except CellExecutionError as error:
            print(f"{path}: left as it was, because a cell failed:\n{error}", file=sys.stderr)
            return 1
        print(f"{path}: {took}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
