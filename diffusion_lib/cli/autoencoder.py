"""``autoencoder``: train an autoencoder, in whose latents ``train --latent`` then works."""

from __future__ import annotations

import argparse
import sys

import torch

from .. import training
from ..checkpoints import ModelCard, check_writable, save
from ..data import Dataset, Fresh
from ..networks import Autoencoder, parameter_count
from . import arguments
from .arguments import chosen, optional, options_of
from .models import write_picture
from .train import add_data_options, examples

MODEL, PICTURE = "autoencoder.safetensors", "reconstructions.png"
SHOWN = 32  # pictures, each beside what is left of it
OWN = ("steps", "batch", "lr", "variance", "seed")  # options of `train_autoencoder`


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is trained and on what."""
    add_data_options(parser)
    arguments.add_options(parser, [options_of(training.train_autoencoder)[name] for name in OWN])
    arguments.add_options(parser, network_options())
    parser.add_argument("--half", action="store_true", help="store the weights in float16")


def network_options() -> list[arguments.Option]:
    """What the network can be told."""
    return optional({"Autoencoder": Autoencoder})


def run(options: argparse.Namespace) -> None:
    """Train, and write the model and a picture: in each pair of rows pictures, and below what is left of them."""
    source = data = examples(options)
    if isinstance(source, Fresh):
        data = source.dataset(SHOWN, torch.Generator().manual_seed(options.seed))
    if not data.is_images or data.shape[1] != data.shape[2]:
        raise ValueError(f"{data.name} has examples of shape {data.shape}: an autoencoder takes square pictures")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        net = Autoencoder(*data.shape[:2], **chosen(options, "Autoencoder", Autoencoder, network_options()))
    check_writable(options.out)
    given = {name: getattr(options, name) for name in OWN}
    print(f"{data if isinstance(source, Dataset) else source}\nAutoencoder of {parameter_count(net):,} numbers")
    terminal, every = sys.stderr.isatty(), max(1, options.steps // 10)
    for p in training.train_autoencoder(net, source, **given, progress=terminal):
        if p.step % every == 0 and not terminal:
            print(f"step {p.step} of {options.steps}: error {p.error:.5f}, KL {p.kl:.0f} nats")
    options.out.mkdir(parents=True, exist_ok=True)
    card = {"name": data.name, "shape": list(data.shape), "classes": list(data.classes)}
    card = ModelCard(data=card, training=given, step=options.steps)
    save(options.out / MODEL, {"autoencoder": net}, card=card, dtype=torch.float16 if options.half else torch.float32)
    with torch.no_grad():
        before = data.x[:SHOWN]
        pairs = zip(before.split(8), net(before).clamp(-1, 1).split(8), strict=True)
    write_picture(torch.cat([part for pair in pairs for part in pair]), options.out / PICTURE)
    print(f"mean squared error {p.error:.5f}, KL {p.kl:.0f} nats. Wrote {MODEL} and {PICTURE} to {options.out}")
