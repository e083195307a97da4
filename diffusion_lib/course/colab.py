"""The badge and the first cell that open the course in Google Colab, once it has a public address.

`python -m diffusion_lib.course.colab OWNER/NAME` writes both for a repository at GitHub: a badge under the README's
title, and in each notebook, behind its head, a cell that installs the course where Colab runs it. Elsewhere the cell
does nothing. Running the command again replaces what it wrote.
"""

from __future__ import annotations

import argparse
import json
import re

from .pages import course

CELL = """\
# In Google Colab, this installs the course and lets its widgets show. Elsewhere it does nothing.
import sys

if "google.colab" in sys.modules:
    from google.colab import output

    get_ipython().run_line_magic("pip", "install --quiet git+{address}")
    output.enable_custom_widget_manager()"""
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
PAGE = "https://colab.research.google.com/github/{repository}/blob/main/notebooks/{name}"


def with_cell(notebook: dict, address: str) -> dict:
    """The notebook (nbformat 4, as JSON) with the cell that installs the course from a git address."""
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "colab",
        "metadata": {"slideshow": {"slide_type": "skip"}, "tags": ["colab"]},
        "outputs": [],
        "source": CELL.format(address=address).splitlines(keepends=True),
    }
    first, *others = (cell for cell in notebook["cells"] if cell["id"] != "colab")
    return notebook | {"cells": [first, cell, *others]}


def with_badge(text: str, repository: str) -> str:
    """The README with a badge under its title that opens notebook 00."""
    title, *rest = text.splitlines(keepends=True)
    rest = "".join(line for line in rest if not line.startswith(BADGE)).lstrip("\n")
    return f"{title}\n{BADGE}({PAGE.format(repository=repository, name=course()[0].name)})\n\n{rest}"


def write(repository: str) -> None:
    """Write cell and badge for a repository "owner/name" at GitHub. Raises ValueError for any other form."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"the repository is {repository!r}: give it as owner/name, as GitHub shows it")
    notebooks = course()
    for path in notebooks:
        notebook = with_cell(json.loads(path.read_text(encoding="utf-8")), f"https://github.com/{repository}")
        path.write_text(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    readme = notebooks[0].parents[1] / "README.md"
    readme.write_text(with_badge(readme.read_text(encoding="utf-8"), repository), encoding="utf-8")


def main() -> None:
    """Write the course's badge and cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", help="owner/name at GitHub")
    write(parser.parse_args().repository)


if __name__ == "__main__":
    main()
