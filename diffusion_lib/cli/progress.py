"""``progress``: which exercises are solved, and how the predictions went."""

from __future__ import annotations

import argparse

from ..course import overview
from ..course.exercises.display import print_safely


def add_options(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(options: argparse.Namespace) -> None:
    """Print a line for each notebook."""
    rows = overview.rows()
    width = max(len(row.words()[1]) for row in rows)
    print_safely(f"notebook  solved  {'✓ right  ✗ tried  ○ open':{width}}  predictions")
    for row in rows:
        solved, marks, predictions = row.words()
        print_safely(f"{row.notebook:02d}        {solved}  {marks:{width}}  {predictions}")
    done, there = sum(row.solved for row in rows), sum(len(row.exercises) for row in rows)
    print_safely(f"{done} of {there} exercises solved. {overview.where()}")
