"""The folder of an nbgrader course: source versions, marking guides, and how submissions are graded."""

import json
from collections.abc import Sequence
from pathlib import Path

from ..pages.site import course
from .notebook import Source, source_version

CONFIG = "nbgrader_config.py"
LINES = """
from diffusion_lib.course.release.grading import PREPROCESSORS

c = get_config()
c.Autograde.autograde_preprocessors = PREPROCESSORS  # checks are judged outside of the student's kernel
c.ClearSolutions.code_stub = {"python": "..."}  # what stands in a release where a solution was
c.Execute.timeout = 900  # seconds a cell, for the trainings; a crowded machine takes several times as long
"""


def release(
    directory: str | Path, notebooks: Sequence[str | Path] | None = None, *, overwrite: bool = False
) -> dict[str, Source]:
    """Write the folder of an nbgrader course, with one assignment a notebook; returns the source versions by name.

    notebooks: their paths; without them those of the course. overwrite: replace source versions that are there already.

    A configuration that is there already is left as it is. Raises FileNotFoundError if a notebook is not there,
    FileExistsError if a source version is, and ValueError if a notebook lacks a solution, a check or an exercise's
    stars, in each case before anything is written.
    """
    paths = [Path(path) for path in notebooks] if notebooks else course()
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise FileNotFoundError(f"no notebook {', '.join(missing)}: give the paths of .ipynb files")
    directory, sources = Path(directory), {}
    for path in paths:
        try:
            sources[path.stem] = source_version(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
    there = [name for name in sources if (directory / "source" / name / f"{name}.ipynb").exists()]
    if there and not overwrite:
        raise FileExistsError(
            f"{directory} holds {', '.join(there)} already: overwrite them (--overwrite), or choose another folder"
        )
    for name, source in sources.items():
        _write(directory / "source" / name / f"{name}.ipynb", json.dumps(source.notebook, indent=1, ensure_ascii=False))
        _write(directory / "marking" / f"{name}.md", source.guide)
    if not (directory / CONFIG).exists():
        _write(
            directory / CONFIG,
            f'"""nbgrader, in this folder; see `python -m diffusion_lib release --help`."""\n{LINES}',
        )
    return sources


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
