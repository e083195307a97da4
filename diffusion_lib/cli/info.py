"""``info``: what a model file holds."""

from __future__ import annotations

import argparse
import dataclasses

from ..checkpoints import describe, load
from ..denoisers import Denoiser
from ..networks import parameter_count
from .models import model_path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("model", help="a model file, or the name of a bundled one")


def run(options: argparse.Namespace) -> None:
    """Print the model card, and the size of each part."""
    path = model_path(options.model)
    card = describe(path)
    print(f"{path} ({path.stat().st_size / 1e6:.2f} MB), after {card.step} training steps")
    for name, part in load(path).items():
        net, facts = part, {}
        if isinstance(part, Denoiser):
            net = part.net
            facts = {f.name: getattr(part, f.name) for f in dataclasses.fields(part) if f.name != "net"}
        config = {key: value for key, value in net.config.items() if key != "kind"}
        print(f"{name:<12} {net.config['kind']} of {parameter_count(net):,} numbers: {_text({**config, **facts})}")
    for name in ("data", "training", "notes"):
        print(f"{name:<12} {_text(getattr(card, name)) or 'nothing said'}")


def _text(value: dict) -> str:
    return ", ".join(f"{key}={entry!r}" for key, entry in value.items())
