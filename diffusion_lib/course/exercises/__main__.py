"""`python -m diffusion_lib.course.exercises 02.ipynb source/week2/02.ipynb`: an nbgrader assignment of a notebook."""

import argparse
import json
from pathlib import Path

from .assignment import assignment


def main() -> None:
    """Read one notebook, write it as an assignment."""
    parser = argparse.ArgumentParser(
        prog="python -m diffusion_lib.course.exercises",
        description="Make an nbgrader assignment of a notebook: each check becomes a locked test cell of one point.",
    )
    parser.add_argument("notebook", type=Path, help="a notebook of the course")
    parser.add_argument("assignment", type=Path, help="where to write it: source/ASSIGNMENT/ of an nbgrader course")
    arguments = parser.parse_args()
    notebook = assignment(json.loads(arguments.notebook.read_text(encoding="utf-8")))
    arguments.assignment.parent.mkdir(parents=True, exist_ok=True)
    arguments.assignment.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    checks = sum("check-" in cell.get("id", "") for cell in notebook["cells"])
    print(f"{arguments.assignment}: {checks} exercises of one point each")


if __name__ == "__main__":
    main()
