"""The course as a site: each notebook is run and becomes a page, with contents, search and an index around them.

It is written by our own exporter, and not by Sphinx with myst-nb and its book theme, because those pages did not live
offline: scrubbers there need require.js and the widgets' manager (4.4 MB) from a CDN, formulas need MathJax from
another, and opened as files without a network they showed no widget and no formula. Here each page is one file, which
can be passed on alone.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from . import search
from .page import index_of, page_of, summary, title
from .slides import slides_page

STARTUP = 300
"""Seconds that a kernel may take to start: it takes 3, but machines are busy."""

# The forms that the course is written in, and what their index says.
FORMS = {
    "site": "Scrubbers move, predictions lock and drawings flow on these pages without a kernel and without a network. "
    "To run and change the code, open the notebooks.",
    "slides": "Arrow keys go on, Escape shows all slides, S opens the speaker's view with notes. Scrubbers move on the "
    "slides; a widget that has been clicked takes the arrow keys until the slide is clicked beside it.",
}


def export(
    directory: str | Path,
    notebooks: Sequence[str | Path] | None = None,
    *,
    form: Literal["site", "slides"] = "site",
    execute: bool = True,  # run the notebooks first; else what they were saved with is shown, with stills for scrubbers
    timeout: float = 900.0,  # seconds that a cell may run
    progress: bool = True,  # say which notebook runs, and which page is done
) -> list[Path]:
    """Write one HTML page a notebook, and `index.html` (and `search.js`), into `directory`; returns their paths.

    notebooks: their paths; without them those of the course. form: pages to read, or slides. execute: run each in its
    folder first, in a fresh kernel; otherwise scrubbers are live only in notebooks that were saved with their widget
    state. timeout: seconds a cell. progress: a bar for the notebook that runs, where a terminal shows it, and a line
    for each page that is done.

    Raises FileNotFoundError, before anything is written, if a notebook is not there, ValueError if there is no such
    form, and ChildProcessError, which names notebook and cell, if one fails.
    """
    import nbformat
    from tqdm import tqdm

    if form not in FORMS:
        raise ValueError(f"form={form!r} is unknown: choose from {', '.join(FORMS)}")
    paths = [Path(path) for path in notebooks] if notebooks is not None else course()
    if not paths:
        raise FileNotFoundError("no notebooks to export: give their paths")
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise FileNotFoundError(f"no notebook {', '.join(missing)}: give the paths of .ipynb files")
    contents = [nbformat.read(path, as_version=4) for path in paths]
    entries = [
        (f"{path.stem}.html", title(notebook) or path.stem) for path, notebook in zip(paths, contents, strict=True)
    ]
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    bodies = []
    for number, (path, notebook, (file, _)) in enumerate(zip(paths, contents, entries, strict=True)):
        started = time.monotonic()
        if execute:
            _execute(notebook, path, timeout, progress)
        if form == "site":
            page = page_of(notebook, path.stem, folder=path.parent, entries=entries, here=number)
        else:
            page = slides_page(notebook, path.stem, folder=path.parent, back="index.html")
        (directory / file).write_text(page.html, encoding="utf-8")
        bodies.append(page.body)
        if progress:
            size, seconds = len(page.html.encode()) / 1e6, time.monotonic() - started
            tqdm.write(f"{directory / file}  {size:.1f} MB, {seconds:.0f} s")
            for description in page.stills:
                tqdm.write(f"  shown as a still, as the page would be too large: {description[:80]}")
    written = {
        "index.html": index_of(entries, [summary(body) for body in bodies], FORMS[form], searched=form == "site")
    }
    if form == "site":
        written["search.js"] = search.script(entries, map(search.entries, bodies))
    for file, text in written.items():
        (directory / file).write_text(text, encoding="utf-8")
    return [directory / file for file in (*(file for file, _ in entries), *written)]


def course() -> list[Path]:
    """The course's notebooks: those of the checkout that the package is in, or of the working directory."""
    for folder in (Path(__file__).resolve().parents[3] / "notebooks", Path("notebooks"), Path()):
        if paths := sorted(folder.glob("[0-9][0-9]_*.ipynb")):
            return paths
    raise FileNotFoundError("no notebooks like '00_….ipynb' in ./notebooks: run this from the course's folder")


def _execute(notebook: dict, path: Path, timeout: float, progress: bool) -> None:
    """Run a notebook in place, in its folder; a bar counts its cells where standard error is a terminal."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from tqdm import tqdm

    begun: list[int] = []
    cells = sum(cell["cell_type"] == "code" and bool(cell["source"].strip()) for cell in notebook["cells"])
    # What the kernel itself writes on standard error, past the cells, matters if it dies; else it is noise, such as a
    # complaint of its closing sockets.
    with (
        tqdm(total=cells, desc=path.stem, unit=" cells", leave=False, disable=None if progress else True) as bar,
        tempfile.TemporaryFile() as complaints,
    ):
        client = NotebookClient(
            notebook,
            timeout=timeout,
            startup_timeout=STARTUP,
            resources={"metadata": {"path": str(path.parent.resolve())}},
            coalesce_streams=True,  # a table that is printed slowly is one table
            extra_arguments=["--log-level=ERROR"],  # else it warns of its own connection
            on_cell_start=lambda *, cell_index, **_: begun.append(cell_index),
            on_cell_executed=lambda **_: bar.update(),
        )
        try:
            client.execute(stderr=complaints)
        except CellExecutionError as error:
            raise ChildProcessError(f"{path}, cell {_failed(notebook)}: {error.ename}: {error.evalue}") from None
        except CellTimeoutError:
            raise ChildProcessError(f"{path}: a cell ran for more than timeout={timeout:g} s: allow more") from None
        except DeadKernelError:
            complaints.seek(0)
            last_words = complaints.read().decode(errors="replace").strip()[-1000:]
            place = f"in cell {begun[-1] + 1}" if begun else "at once"
            raise ChildProcessError(
                f"{path}: its kernel died {place} (memory?). It said: {last_words or 'nothing'}"
            ) from None
        except RuntimeError as error:
            raise ChildProcessError(f"{path}: its kernel did not start (a busy machine?): {error}") from None


def _failed(notebook: dict) -> int:
    """The number of the first cell whose output is an error, as one counts them on the page."""
    errors = [any(output["output_type"] == "error" for output in cell.get("outputs", [])) for cell in notebook["cells"]]
    return errors.index(True) + 1 if any(errors) else 0
