"""``gallery``: a model's samples, its walk and its nearest training pictures, as one web page that needs no network."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .. import data, sampling
from ..checkpoints import ModelCard, check_writable
from ..course.pages.gallery import gallery
from ..denoisers import Guided, Latent
from ..networks import parameter_count
from ..sampling.driver import with_options
from ..times import uniform_times
from ..training.batches import digest
from .models import Model, add_sampling_options, draw, network_of, open_model, sampling_arguments, words_for

WALKERS = 16  # pictures in the scrubber


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("model", help="a model file, or the name of a bundled one")
    add("--out", type=Path, default=Path("gallery.html"), help="the page to write (default: gallery.html)")
    add("--title", help="the page's heading (default: names the data set)")
    add("--data", help="pictures to compare with (the model's own training pictures if left out)")
    add("--compare", action=argparse.BooleanOptionalAction, default=True, help="show the nearest training pictures")
    add("--seed", type=int, default=0, help="of the noise (default: 0)")
    add_sampling_options(parser, count=64)


def run(options: argparse.Namespace) -> None:
    """Draw samples, look up their neighbours and write the page."""
    model, card = open_model(options.model)
    if len(card.data["shape"]) != 3:
        raise ValueError(f"{options.model} draws points, no pictures: use the command sample")
    check_writable(options.out.parent)
    cond = sampling_arguments(model, card.data, options)["cond"]
    real = real_pictures(card, options, model) if options.compare else Real(None, "not compared")
    samples = draw(model, card.data, options, cond)
    name = public_name(card.data["name"])
    page = gallery(
        options.title or f"Pictures of a model of {name}",
        samples,
        names=None if options.guidance == 0 else words_for(model, card.data, cond),  # 0 leaves the condition out
        states=walk(model, card, options),
        real=real.x,
        real_of=real.of,
        facts=facts(card, model, options) | {real.called: real.text},
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page.html, encoding="utf-8")
    size = len(page.html.encode()) / 1e6
    print(f"wrote {len(samples)} samples of {name} to {options.out} ({size:.1f} MB); {real.called}: {real.text}")


def public_name(name: str) -> str:
    """A data set's name; of a folder, the last part of its path, for a page is read by others."""
    return f"folder {Path(name.partition(':')[2]).name}" if name.startswith("folder:") else name


def walk(model: Model, card: ModelCard, options: argparse.Namespace) -> list[sampling.State]:
    """All stops of the first samples, from the same noise as theirs if there are at most a batch of them."""
    few = argparse.Namespace(**{**vars(options), "samples": min(options.samples, WALKERS)})
    arguments = sampling_arguments(model, card.data, few)
    guided = model if options.guidance == 1 else Guided(model, options.guidance)
    generator = torch.Generator().manual_seed(options.seed)
    times = uniform_times(options.sampler_steps)
    x = model.schedule.prior((few.samples, *card.data["shape"]), generator, t=1.0, dtype=torch.float32)
    step = with_options(sampling.STEPS[options.sampler], arguments["options"])
    stops = list(sampling.walk(guided, x, times, step, cond=arguments["cond"], generator=generator))
    stops = [sampling.State(times[0], x, stops[0].x0), *stops]
    with torch.no_grad():
        return list(model.decoded(stops)) if isinstance(model, Latent) else stops


class Real(NamedTuple):
    """Real pictures ``x`` (N, C, H, W) to compare samples with, or None, and a word on them.

    of: what they are pictures of, if they are not known to be those that the model was trained on
    """

    x: Tensor | None
    text: str
    of: str | None = None

    @property
    def called(self) -> str:
        """What the page calls them."""
        return "training pictures" if self.of is None else f"pictures of {self.of}"


def real_pictures(card: ModelCard, options: argparse.Namespace, model: Model) -> Real:
    """The pictures that the model was trained on, or those asked for; without any where they cannot be had."""
    shape = tuple(model.autoencoder.shape) if isinstance(model, Latent) else tuple(card.data["shape"])
    name = options.data or card.data["name"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that were skipped, training has told
            real, known = load_as_trained(name, card, size=shape[-1])
    except (ValueError, OSError, ImportError) as error:
        if options.data:
            raise
        print(f"without the nearest training pictures, which cannot be had: {error}", file=sys.stderr)
        return Real(None, "could not be had, so no sample was compared with them")
    if real.shape != shape:
        raise ValueError(f"{name} has pictures {real.shape}, the model draws {shape}: give another --data")
    other = public_name(name) if name != card.data["name"] else "the same data set"
    return Real(real.x, f"{len(real)} of {public_name(name)}", None if known else other)


def load_as_trained(name: str, card: ModelCard, *, size: int) -> tuple[data.Dataset, bool]:
    """A data set as the model's card describes it, and whether it holds just what the model was trained on.

    The card's digest tells; a card without one, written by hand, is believed when it gives the name. Pictures that are
    drawn follow from seed, count and what was held out; of others there is the whole set, or as many as the card
    counts, which the seed chose.
    """
    takes, expected = data.options(name), card.data.get("digest")
    told = {
        "seed": card.training.get("seed", 0),
        "count": card.data.get("count"),
        "without": [words.split() for words in card.data.get("without", ())],
    }
    told = {option: value for option, value in told.items() if option in takes}
    drawn = data.sources.is_drawn(data.sources.find(name)[0])
    own = name == card.data["name"]
    real = data.load(name, size=size, download=False, **(told if drawn and own else {}))
    if expected is None:
        return real, own
    if digest(real.x) != expected and not drawn and 0 < (told.get("count") or 0) < len(real):
        part = data.load(name, size=size, download=False, **told)
        real = part if digest(part.x) == expected else real
    return real, digest(real.x) == expected


def facts(card: ModelCard, model: Model, options: argparse.Namespace) -> dict[str, str]:
    """What the page says of the model: its card in words, and how the samples were drawn."""
    inner = model.denoiser if isinstance(model, Latent) else model
    network = network_of(model)
    drawn = f"{options.sampler} in {options.sampler_steps} steps, guidance {options.guidance:g}, seed {options.seed}"
    told = {
        "data": public_name(card.data["name"]),
        "network": f"{network.config['kind']} of {parameter_count(network):,} numbers",
        "schedule": f"{inner.schedule!r}, predicts {inner.predicts}",
        "training steps": f"{card.step}",
        "samples drawn by": drawn,
    }
    options_of_training = {k: v for k, v in card.training.items() if k in ("batch", "optimizer", "lr", "seed")}
    told["training"] = ", ".join(f"{key} {value}" for key, value in options_of_training.items()) or "not said"
    return told | {name: str(text) for name, text in card.notes.items()}
