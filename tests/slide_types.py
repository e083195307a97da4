"""Write into notebooks, as slide types, what the rule of the exported slides says of their cells.

Run by hand, from the project's folder:  python tests/slide_types.py notebooks/0[1-6]*.ipynb

The exported slides stay as they are; but Jupyter's editors then show each cell's slide type, where a teacher can change it,
and `jupyter nbconvert --to slides` goes by it. What a notebook states already stays.
"""

import sys
from pathlib import Path

import nbformat

from diffusion_lib.course.pages.slides import types


def state(path: Path) -> int:
    """State the types of one notebook in place; returns how many cells are new."""
    notebook = nbformat.read(path, as_version=4)
    new = 0
    for cell, kind in zip(notebook.cells, types(notebook), strict=True):
        if kind and "slideshow" not in cell.metadata:
            cell.metadata["slideshow"] = {"slide_type": kind}
            new += 1
    path.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")
    return new


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, state(Path(name)))
    sys.exit(0 if sys.argv[1:] else print(__doc__) or 2)
