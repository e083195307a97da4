"""``release``: the course as assignments of nbgrader."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..course.release.folder import CONFIG, LINES, release


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("out", type=Path, help="folder of the nbgrader course, new or already there")
    parser.add_argument("notebooks", nargs="*", type=Path, help="the notebooks (all of the course if left out)")
    parser.add_argument("--overwrite", action="store_true", help="replace source versions that are there already")


def run(options: argparse.Namespace) -> None:
    """Write the folder, and say what is in it and what comes next."""
    own_config = (options.out / CONFIG).exists()
    sources = release(options.out, options.notebooks, overwrite=options.overwrite)
    for name, source in sources.items():
        print(
            f"{name}: {len(source.exercises)} exercises, {sum(source.exercises.values())} points by their checks; "
            f"{len(source.written)} answers, {sum(source.written.values())} points by a person"
        )
    if own_config:
        print(f"{options.out / CONFIG} was there and is left as it is. It needs these lines:\n{LINES}")
    print(
        f"Marking guides, with all solutions, are in {options.out / 'marking'}: they are not for students. "
        f"Next, in {options.out}: nbgrader generate_assignment {next(iter(sources))}"
    )
