"""``export``: the course as web pages."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..course import pages


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("out", type=Path, help="folder for the pages")


def run(options: argparse.Namespace) -> None:
    """Write the pages."""
    pages.export(options.out)
