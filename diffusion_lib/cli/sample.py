"""``sample``: new samples of a model, as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..checkpoints import check_writable
from .models import PICTURE, add_sampling_options, draw, open_model, write_picture


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("model", help="a model file, or the name of a bundled one")
    parser.add_argument("--out", type=Path, default=Path(PICTURE), help=f"the picture to write (default: {PICTURE})")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    add_sampling_options(parser, count=64)


def run(options: argparse.Namespace) -> None:
    """Draw samples and write them."""
    denoiser, card = open_model(options.model)
    check_writable(options.out.parent)
    samples = draw(denoiser, card.data, options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_picture(samples, options.out)
    print(f"wrote {options.samples} samples of {card.data['name']} to {options.out}")
