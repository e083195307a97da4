"""``train``: a data set, a network that fits it, and the options of :class:`~diffusion_lib.training.TrainingConfig`."""

from __future__ import annotations

import argparse
import inspect
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from .. import training
from ..checkpoints import ModelCard, describe, save
from ..checkpoints import load as load_parts
from ..data import NAMES, Dataset, Fresh, load
from ..denoisers import Denoiser, Latent
from ..networks import NETWORKS, Autoencoder, Tokenizer, parameter_count
from ..predictions import TARGETS
from ..schedules import SCHEDULES, VariancePreserving
from . import arguments
from .arguments import chosen, optional, options_of
from .log import Log
from .models import PICTURE, add_sampling_options, draw, open_model, sampling_arguments, write_picture

MODEL, LOG = "model.safetensors", "log.csv"
DATA_OPTIONS = ("size", "count")
CAPTIONS, SHOWN = 4096, 16  # captions that are looked at for words, and that the model card keeps as examples
FITTED = dict.fromkeys(("multipliers", "attention"), "what fits the size")  # a U-Net's, see `network`


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is trained, on what and how, and where it is written."""
    add = parser.add_argument
    add_data_options(parser)
    add("--resume", action="store_true", help="go on from the checkpoint in --out (give the same options)")
    arguments.add_options(parser, options_of(training.TrainingConfig).values())
    arguments.add_options(parser, [options_of(training.train)["every"]])
    add("--captions", action="store_true", help="tell a U-Net captions, for data that have them (labels otherwise)")
    add("--latent", type=Path, help="train on the latents of this autoencoder: a file that autoencoder wrote")
    add("--schedule", choices=usual_schedules(), default="Cosine", help="the curves alpha and sigma (default: Cosine)")
    add("--predicts", choices=tuple(TARGETS), default="v", help="what the network answers with (default: v)")
    add("--network", choices=tuple(offered_networks()), help="by default a UNet for pictures, an MLP for points")
    arguments.add_options(parser, network_options())
    add("--init", help="start from the weights of this model, whose network and --predicts must be the same")
    add("--half", action="store_true", help="store the finished model in float16")
    add_sampling_options(parser, count=64)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add which examples are trained on, and where what comes of it is written."""
    add = parser.add_argument
    add("--data", required=True, help=f"data set: {', '.join(NAMES)}")
    add("--out", required=True, type=Path, help="folder for all that is written")
    arguments.add_options(parser, [options_of(load)[name] for name in DATA_OPTIONS])
    add("--full", action="store_true", help=options_of(load)["full"].help.rstrip("."))
    add("--fresh", action="store_true", help="draw new examples for every step, for data that are drawn by a formula")
    add("--without", action="append", type=str.split, help="for shapes: hold out all with these words, as 'red star'")


def run(options: argparse.Namespace) -> None:
    """Train, and write a checkpoint, a model, a log and a picture. Nothing is written before the first step is done."""
    engine = training.accelerator()
    folder, checkpoint = options.out, options.out / training.CHECKPOINT
    if checkpoint.exists() and not options.resume:
        raise ValueError(f"{folder} holds a run already: add --resume to go on with it, or choose another --out")
    if options.resume and not checkpoint.exists():
        raise ValueError(f"{folder} has no {training.CHECKPOINT}: nothing to resume, leave out --resume")
    config = training.TrainingConfig(**{name: getattr(options, name) for name in options_of(training.TrainingConfig)})
    source = data = examples(options)
    if isinstance(source, Fresh):
        data = source.example
    autoencoder = None if options.latent is None else open_autoencoder(options.latent, data)
    shape = data.shape if autoencoder is None else autoencoder.latent_shape
    captions = captions_of(source) if options.captions else ()
    net = network(data, options, shape, captions)
    denoiser = Denoiser(net, SCHEDULES[options.schedule](), options.predicts)
    check_target(denoiser, shape)
    if options.init and not options.resume:
        net.load_state_dict(starting_weights(options.init, denoiser))
    example = {"shape": list(shape), "classes": list(data.classes)}
    if options.captions:
        example = {"shape": list(shape), "captions": list(captions[:SHOWN])}
    if options.without:
        example["without"] = [" ".join(words) for words in options.without]
    if options.captions or autoencoder:
        source = training.Encoded(source, autoencoder, net.tokens if options.captions else None)

    def model(denoiser: Denoiser) -> Denoiser | Latent:
        return denoiser if autoencoder is None else Latent(denoiser, autoencoder)

    sampling_arguments(model(denoiser), example, options)  # wrong ones are refused now, not after the training
    terminal = sys.stderr.isatty()
    steps = training.train(denoiser, source, config, folder=folder, every=options.every, progress=terminal)
    say = print if engine.is_main_process else lambda *_: None
    say(
        f"{getattr(source, 'source', source)}\n{type(net).__name__} of {parameter_count(net):,} numbers, "
        f"{denoiser.schedule!r}, predicts {denoiser.predicts}"
    )
    start, log = time.perf_counter(), None
    try:
        with interruptions() as interrupted:
            for p in steps:
                if engine.is_main_process:
                    if log is None:
                        folder.mkdir(parents=True, exist_ok=True)
                        log = Log(folder / LOG, first=p.step)
                    seconds = time.perf_counter() - start
                    log.add(step=p.step, loss=p.loss, grad_norm=p.grad_norm, lr=p.lr, seconds=seconds)
                    if p.step % options.every == 0 and p.step < config.steps:
                        if not terminal:
                            say(f"step {p.step} of {config.steps}: loss {p.loss:.4f}")
                        write_picture(draw(model(p.denoiser), example, options), folder / PICTURE)
                if interrupted.is_set() and p.step < config.steps:
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        steps.close()  # which writes a checkpoint
        raise KeyboardInterrupt(interruption(checkpoint, config.steps)) from None
    if engine.is_main_process:
        card = describe(checkpoint)
        dtype = torch.float16 if options.half else torch.float32
        card = ModelCard(data=card.data | example, training=card.training, step=card.step)
        parts = {"denoiser": p.denoiser} | ({} if autoencoder is None else {"autoencoder": autoencoder})
        save(folder / MODEL, parts, card=card, dtype=dtype)
        write_picture(draw(model(p.denoiser), example, options), folder / PICTURE)
        say(f"step {p.step}: loss {p.loss:.4f}. Wrote {MODEL}, {PICTURE}, {LOG} and {training.CHECKPOINT} to {folder}")
    engine.wait_for_everyone()  # the main process is still writing, and gloo may still free what it sent
    engine.end_training()


def examples(options: argparse.Namespace) -> Dataset | Fresh:
    """What to train on: a data set, or with --fresh what draws a new example each time."""
    if not options.fresh:
        given = {name: getattr(options, name) for name in (*DATA_OPTIONS, "full")}
        return load(options.data, seed=options.seed, without=options.without or (), **given)
    if options.count is not None:
        raise ValueError(f"--count {options.count} with --fresh, whose examples have no end: leave one of them out")
    if options.full:
        raise ValueError("--full with --fresh, whose examples have no end: leave one of them out")
    return Fresh(options.data, size=options.size, without=tuple(map(tuple, options.without or ())))


def check_target(denoiser: Denoiser, shape: tuple[int, ...]) -> None:
    """Raise ValueError if a picture cannot be drawn from pure noise, where drawing begins (a target may be lost there).

    A training without pictures would not notice, for hardly an example is at t = 1 exactly.
    """
    try:
        with torch.no_grad():
            denoiser(torch.zeros(1, *shape), 1.0)
    except ValueError as error:
        reason = str(error).partition(":")[0]
        raise ValueError(
            f"--predicts {denoiser.predicts} with --schedule {type(denoiser.schedule).__name__} cannot draw from pure "
            f"noise, {reason}: use --predicts v or x0, or --schedule LinearBeta, whose end keeps alpha above 0"
        ) from None


def starting_weights(name: str, denoiser: Denoiser) -> dict[str, torch.Tensor]:
    """The weights of the model ``name``, for a ``denoiser`` that starts from them. Its schedule may be another one.

    Raises ValueError if its network is another, is asked for something else, or is used to inputs of another size.
    """
    start, _ = open_model(name)
    start = start.denoiser if isinstance(start, Latent) else start
    if start.net.config != denoiser.net.config:
        raise ValueError(f"--init {name} has network {start.net.config}, this run {denoiser.net.config}")
    if start.predicts != denoiser.predicts:
        raise ValueError(
            f"--init {name} predicts {start.predicts}, this run {denoiser.predicts}: "
            f"give --predicts {start.predicts}, or leave out --init"
        )
    unit_size = all(isinstance(one.schedule, VariancePreserving) for one in (start, denoiser))  # scaled or not
    if start.scale_input != denoiser.scale_input and not unit_size:
        raise ValueError(
            f"--init {name} has scale_input={start.scale_input} on {start.schedule!r}, this run "
            f"scale_input={denoiser.scale_input} on {denoiser.schedule!r}, so inputs would be of another size: "
            "leave out --init"
        )
    return start.net.state_dict()


def captions_of(source: Dataset | Fresh) -> tuple[str, ...]:
    """Captions of the data, all words among them, different ones first. Raises ValueError if the data have none."""
    rows = source.dataset(CAPTIONS, torch.Generator().manual_seed(0)) if isinstance(source, Fresh) else source
    if rows.captions is None:
        raise ValueError(f"--captions: {rows.name} has none: leave it out, or take shapes or emoji")
    return tuple(dict.fromkeys(rows.captions))


def open_autoencoder(path: Path, data: Dataset) -> Autoencoder:
    """The autoencoder in a file. Raises ValueError if there is none, or one for pictures of another shape."""
    autoencoder = load_parts(path).get("autoencoder")
    if not isinstance(autoencoder, Autoencoder):
        raise ValueError(f"--latent {path} holds no autoencoder: make one with the command autoencoder")
    if autoencoder.shape != data.shape:
        raise ValueError(f"--latent {path} is for pictures {autoencoder.shape}, {data.name} has {data.shape}")
    return autoencoder


@contextmanager
def interruptions() -> Iterator[threading.Event]:
    """Ctrl-C sets an event, for the step that is under way to be finished first; a second one does not wait."""
    event = threading.Event()

    def handle(*_) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():  # where no signal can be caught
        yield event
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def interruption(checkpoint: Path, steps: int) -> str:
    """What to say after Ctrl-C: how far the training came, and how to go on."""
    if not checkpoint.exists():
        return "interrupted before the end of the first step: nothing was written"
    done = describe(checkpoint).step
    return f"interrupted at step {done} of {steps}, saved in {checkpoint}: give the same command with --resume to go on"


def usual_schedules() -> tuple[str, ...]:
    """The schedules that need no constants to be given."""
    empty = inspect.Parameter.empty
    return tuple(
        name
        for name, kind in SCHEDULES.items()
        if all(parameter.default is not empty for parameter in inspect.signature(kind).parameters.values())
    )


def offered_networks() -> dict[str, type]:
    """The networks that can be told a data set's classes."""
    return {name: kind for name, kind in NETWORKS.items() if "classes" in inspect.signature(kind).parameters}


def network_options() -> list[arguments.Option]:
    """What the offered networks can be told, beside what follows from the data."""
    return optional(offered_networks(), skip=("classes", "words", "length"), shown=FITTED)


def network(
    data: Dataset, options: argparse.Namespace, shape: tuple[int, ...], captions: Sequence[str] = ()
) -> torch.nn.Module:
    """A new network for examples of ``shape``, pictures or their latents; its weights follow from --seed.

    Unless told otherwise, a U-Net halves the picture to 8 pixels (4 for the smallest) and attends at that level only.
    """
    name = options.network or ("UNet" if data.is_images else "MLP")
    kind = NETWORKS[name]
    given = chosen(options, name, kind, network_options())
    if data.is_images and data.shape[1] != data.shape[2]:
        raise ValueError(f"pictures of {data.name} are {data.shape[1]} × {data.shape[2]}, not square: give --size")
    if name == "UNet" and data.is_images:
        side = shape[1]
        levels = max(2, side.bit_length() - 3) if side % 2 == 0 else 1
        given.setdefault("multipliers", (1, 2, 3, 4)[:levels])
        given.setdefault("attention", (len(given["multipliers"]) - 1,))
    told = {"classes": 0 if data.labels is None or options.latent else len(data.classes)}
    if captions:
        if name != "UNet":
            raise ValueError(f"--captions with --network {name}, which knows no words: leave one of them out")
        tokenizer = Tokenizer.of(captions)
        told = {"words": tokenizer.words, "length": tokenizer.length}
    try:
        inspect.signature(kind).bind(*shape[:2], **told, **given)
    except TypeError:
        raise ValueError(
            f"--network {name} does not fit {data.name}, whose examples have the shape {shape}: "
            "leave out --network, then one is taken that does"
        ) from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        net = kind(*shape[:2], **told, **given)  # channels and side of pictures, or D of points
    try:
        net(torch.zeros(1, *shape), torch.zeros(1))
    except ValueError as error:
        raise ValueError(f"--network {name} does not fit {data.name}: {error}") from None
    return net
