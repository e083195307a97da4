"""``export``: the course as web pages, or as slides."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..course import pages
from .arguments import add_options as add
from .arguments import options_of

OPTIONS = [option for name, option in options_of(pages.export).items() if name not in ("directory", "form")]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command; those of the exporter follow from it."""
    parser.add_argument("form", choices=pages.FORMS, help="pages to read, with contents and search; or slides")
    parser.add_argument("notebooks", nargs="*", type=Path, help="the notebooks (default: those of the course)")
    parser.add_argument("--out", type=Path, help="folder for the pages (default: one of the form's name)")
    add(parser, OPTIONS)


def run(options: argparse.Namespace) -> None:
    """Write the pages."""
    given = {option.name: getattr(options, option.name) for option in OPTIONS}
    pages.export(options.out or Path(options.form), options.notebooks or None, form=options.form, **given)
