"""``inventory``: what a learner has answered of the concept inventory, and how much a class has gained."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..course import progress
from ..course.concept_inventory import results
from ..course.concept_inventory.concepts import CONCEPTS
from ..course.concept_inventory.gain import gains


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="write your rights and wrongs, without a name, to FILE"
    )
    parser.add_argument("--gain", type=Path, nargs="+", metavar="FILE", help="exports of a class: print its gain")
    parser.add_argument("--later", action="store_true", help="with --gain: from before to later, not to after")
    parser.add_argument(
        "--merge", type=Path, metavar="FILE", help="with --gain: write all learners to one FILE, shuffled"
    )


def run(options: argparse.Namespace) -> None:
    """Print or write what was asked for."""
    if options.gain:
        learners = [learner for file in options.gain for learner in results.read(file)]
        second = "later" if options.later else "after"
        print(f"{len(learners)} learners. Right before → {second}, normalised gain ± standard error (learners)")
        for gain in gains(learners, second=second):
            print(gain)
        if options.merge:
            results.write(options.merge, learners)
        return
    if options.later or options.merge:
        raise ValueError("--later and --merge go with --gain: give the exports of a class")
    mine = results.mine()
    if options.export:
        if not mine:
            raise ValueError("nothing of the inventory is answered: run inventory('A') in a notebook first")
        results.write(options.export, [mine])
        print(f"{options.export}: rights and wrongs of {', '.join(mine)}; no name, no time, no text")
        return
    for when in results.WHEN:
        print(f"{when}: {len(mine.get(when, {}))} of {len(CONCEPTS)} concepts answered")
    print(f"Kept in {progress.shown(progress.path())}, and sent nowhere. How many were right shows with --export.")
