"""The command line, for what outlasts a notebook; it calls the same functions as the notebooks do.

    python -m diffusion_lib train --data digits --steps 3000 --out runs/digits
    python -m diffusion_lib sample runs/digits/model.safetensors --label 3 --guidance 2 --out threes.png
    python -m diffusion_lib evaluate digits
    python -m diffusion_lib info runs/digits/model.safetensors
    python -m diffusion_lib export course-html

A model is a file, or the name of one that comes with the course. Several processes or GPUs are started by
Hugging Face accelerate,

    accelerate launch --multi_gpu --num_processes 2 -m diffusion_lib train …

which split the batch and end with the same weights up to rounding; without GPUs it runs that many processes on the CPU.
An error is one line on stderr and exit status 2. Taught in notebook 13.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import sys
import time
from pathlib import Path

MODEL, LOG, PICTURE = "model.safetensors", "log.csv", "samples.png"


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 2 after an error, 130 when interrupted."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        if os.environ.get("RANK", "0") == "0":  # of several processes, one speaks
            print(f"diffusion_lib {options.command}: {one_line(error)}", file=sys.stderr)
        return 2
    return 0


def one_line(error: Exception) -> str:
    """An error's message without its line breaks; a file error as "path: what happened"."""
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return " ".join(text.split())


def parser() -> Parser:
    """All commands and their options."""
    root = Parser(prog="diffusion_lib", description="Train diffusion models and sample from them.")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, run, summary):
        new = commands.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        new.set_defaults(run=run)
        return new.add_argument

    add = command("train", train, "Train a model; write checkpoints, a log of every step and a picture of samples.")
    add("--data", required=True, help="data set: digits, shapes, moons, …, folder:PATH")
    add("--out", required=True, type=Path, help="folder for all that is written")
    add("--steps", type=int, default=3000, help="training steps")
    add("--resume", action="store_true", help="go on from the checkpoint in --out (give the same options)")
    add("--seed", type=int, default=0, help="of the data, the first weights, the training and the samples")
    add("--size", type=int, help="side of the pictures in pixels")
    add("--count", type=int, help="use this many examples")
    add("--batch", type=int, default=64, help="examples a step, over all processes")
    add("--lr", type=float, default=2e-3, help="highest learning rate")
    add("--warmup", type=int, default=100, help="steps in which the learning rate rises")
    add("--decay", choices=("cosine", "none"), default="cosine", help="how it falls afterwards")
    add("--ema", type=float, default=0.999, help="decay of the weights' moving average")
    add("--clip", type=float, default=1.0, help="largest norm of the gradient")
    add("--label-dropout", type=float, default=0.1, help="share of the labels left out, for guidance")
    add("--weight", choices=("simple", "snr+1"), default="simple", help="of the loss over the noise levels")
    add("--precision", choices=("auto", "float32", "bfloat16"), default="auto", help="arithmetic of the network")
    add("--every", type=int, default=500, help="steps between checkpoints")
    add("--schedule", default="Cosine", help="Cosine, Flow, LinearBeta, … (see diffusion_lib.schedules)")
    add("--predicts", default="v", help="target: x0, eps, v or velocity")
    add("--width", type=int, help="channels of the first level (pictures), or features (points)")
    add("--multipliers", type=whole_numbers, metavar="N,N,…", help="channels of each level, in widths")
    add("--blocks", type=int, default=1, help="blocks a level")
    add("--attention", type=whole_numbers, metavar="N,N,…", help="levels that attend")
    add("--patch", type=int, default=1, help="fold squares of this many pixels into channels: faster, coarser")
    add("--depth", type=int, default=3, help="layers of the network for points")
    add("--init", help="start from the weights of this model, not from nothing (its network must be the same)")
    add("--half", action="store_true", help="store the finished model in float16")
    sampling_options(add, count=64)

    add = command("sample", sample, "Draw new samples from a model, as a picture.")
    add("model", help="a model file, or the name of a bundled one")
    add("--out", type=Path, default=Path(PICTURE), help="the picture to write (.png)")
    add("--seed", type=int, default=0, help="of the noise")
    sampling_options(add, count=64)

    add = command("evaluate", evaluate, "Measure how far samples are from real data, beside real data itself.")
    add("model", help="a model file, or the name of a bundled one")
    add("--data", help="data set to compare with (the model's own if left out)")
    add("--seed", type=int, default=0, help="of the noise and the data")
    sampling_options(add, count=300, label=False)

    add = command("info", info, "Say what a model file holds.")
    add("model", help="a model file, or the name of a bundled one")

    add = command("export", export, "Write the course as web pages that need no server.")
    add("out", type=Path, help="folder for the pages")
    return root


def sampling_options(add, *, count: int, label: bool = True) -> None:
    """The options that every command with samples shares."""
    add("--samples", type=int, default=count, help="how many samples")
    add("--sampler", default="ddim", help="ancestral, ddim, euler, heun or dpmpp_2m")
    add("--sampler-steps", type=int, default=20, help="steps of the sampler")
    if label:
        add("--label", help="class of all samples, by name or number (all classes in turn if left out)")
    add("--guidance", type=float, default=1.0, help="scale: 0 ignores the label, 1 is plain, more is stronger")


def whole_numbers(text: str) -> tuple[int, ...]:
    """``"1,2,4"`` as (1, 2, 4)."""
    return tuple(int(part) for part in text.split(",") if part)


# ---- commands ----


def train(options: argparse.Namespace) -> None:
    import torch

    from . import training
    from .checkpoints import describe, save_denoiser, writable
    from .data import load
    from .denoisers import Denoiser
    from .networks import parameter_count

    engine = training.accelerator()
    folder = writable(options.out)
    checkpoint = folder / training.CHECKPOINT
    if checkpoint.exists() and not options.resume:
        raise ValueError(f"{folder} holds a run already: add --resume to go on with it, or choose another --out")
    if options.resume and not checkpoint.exists():
        raise ValueError(f"{folder} has no {training.CHECKPOINT}: nothing to resume, leave out --resume")
    data = load(options.data, size=options.size, count=options.count, seed=options.seed)
    data_info = training.data_info(data)
    denoiser = Denoiser(network(data, options), schedule(options.schedule), options.predicts)
    if options.init and not options.resume:
        start, _ = open_model(options.init)
        if start.net.config != denoiser.net.config:
            raise ValueError(f"--init {options.init} has network {start.net.config}, this run {denoiser.net.config}")
        denoiser.net.load_state_dict(start.net.state_dict())
    names = {field.name for field in dataclasses.fields(training.Recipe)} | {"every"}
    chosen = {name: value for name, value in vars(options).items() if name in names}
    terminal = sys.stderr.isatty()
    steps = training.train(denoiser, data, folder=folder, progress=terminal, **chosen)
    say = print if engine.is_main_process else lambda *_: None
    say(
        f"{data}\n{type(denoiser.net).__name__} of {parameter_count(denoiser.net):,} numbers, {denoiser.schedule!r}, "
        f"predicts {denoiser.predicts}"
    )

    start, log = time.perf_counter(), None
    for p in steps:
        if not engine.is_main_process:
            continue
        log = log or Log(folder / LOG, first=p.step)
        log.add(step=p.step, loss=p.loss, grad_norm=p.grad_norm, lr=p.lr, seconds=time.perf_counter() - start)
        if p.step % options.every == 0 and p.step < options.steps:
            if not terminal:
                say(f"step {p.step} of {options.steps}: loss {p.loss:.4f}")
            write_picture(draw(p.denoiser, data_info, options), folder / PICTURE)
    if engine.is_main_process:
        made = describe(checkpoint)
        dtype = torch.float16 if options.half else torch.float32
        save_denoiser(folder / MODEL, p.denoiser, data=made.data, recipe=made.recipe, step=made.step, dtype=dtype)
        write_picture(draw(p.denoiser, data_info, options), folder / PICTURE)
        say(f"step {p.step}: loss {p.loss:.4f}. Wrote {MODEL}, {PICTURE}, {LOG} and {training.CHECKPOINT} to {folder}")
    engine.end_training()


def sample(options: argparse.Namespace) -> None:
    from .checkpoints import writable

    denoiser, made = open_model(options.model)
    writable(options.out.parent)
    write_picture(draw(denoiser, made.data, options), options.out)
    print(f"wrote {options.samples} samples of {made.data['name']} to {options.out}")


def evaluate(options: argparse.Namespace) -> None:
    import torch

    from . import evaluation
    from .data import load

    denoiser, made = open_model(options.model)
    name = options.data or made.data["name"]
    size = made.data["shape"][-1] if len(made.data["shape"]) == 3 else None
    if name == "tensor":
        raise ValueError("the model was trained on a tensor, which has no name: say with --data what to compare with")
    real = load(name, size=size, seed=options.seed)
    train, test = real.split(0.8) if name.startswith("folder:") else (real, load(name, size=size, train=False))
    if list(real.shape) != made.data["shape"]:
        raise ValueError(f"{name} has examples of shape {real.shape}, the model makes {tuple(made.data['shape'])}")
    n, against = options.samples, min(len(train), 5000)
    both = torch.cat([train.x[:against], test.x])
    if not 2 <= n <= len(test):
        raise ValueError(f"--samples {n}: compare 2 to {len(test)}, as many as there are real ones to test with")
    cond = test.labels[:n] if denoiser.net.config.get("classes") else None  # in the proportions of the data
    samples = draw(denoiser, made.data, options, cond)
    if real.is_images:
        known = name == "digits" and size == 8
        classifier = evaluation.load_classifier() if known else evaluation.train_classifier(train)
        samples = samples.clamp(-1, 1)
        found = evaluation.frechet(samples, train.x[:against], classifier)
        floor = evaluation.real_floor(both, n, classifier, against=against, seed=options.seed)
        print(f"Fréchet distance of {n} samples to {against} real pictures: {found:.4g}")
        print(f"the same of {n} real ones: {floor} (model / real: {found / floor.value:.2f})")
        if cond is not None:
            print(f"samples that a classifier gives their label: {evaluation.accuracy(samples, cond, classifier)}")
    else:
        found, floor = (evaluation.sliced_wasserstein(x, train.x[:against]) for x in (samples, test.x[:n]))
        print(f"sliced Wasserstein distance of {n} samples to {against} real points: {found:.4g}")
        print(f"the same of {n} real ones: {floor:.4g} (model / real: {found / floor:.2f})")


def info(options: argparse.Namespace) -> None:
    from .networks import parameter_count

    denoiser, made = open_model(options.model)
    path = model_path(options.model)
    print(f"{path} ({path.stat().st_size / 1e6:.2f} MB), after {made.step} training steps")
    print(f"{'numbers':<10} {parameter_count(denoiser.net)}")
    for field in dataclasses.fields(made):
        if field.name != "step":
            value = getattr(made, field.name)
            text = ", ".join(f"{k}={v!r}" for k, v in value.items()) if isinstance(value, dict) else repr(value)
            print(f"{field.name:<10} {text}")


def export(options: argparse.Namespace) -> None:
    from .course.export import export as write_pages

    write_pages(options.out)


# ---- what they share ----


def schedule(name: str):
    """A schedule by the name of its class, with its usual constants. Raises ValueError, naming those there are."""
    from .schedules import SCHEDULES

    usable = [kind for kind in SCHEDULES if kind != "Discrete"]  # which has no usual table
    if name not in usable:
        raise ValueError(f"--schedule {name!r} is none of {', '.join(usable)}")
    return SCHEDULES[name]()


def network(data, options: argparse.Namespace):
    """A new network that fits the data, a U-Net for pictures, an MLP for points; its weights follow from --seed.

    Unless told otherwise, a U-Net halves the picture to 8 pixels (4 for the smallest) and attends at that level only.
    """
    import torch

    from .networks import MLP, UNet

    classes = 0 if data.labels is None else len(data.classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        if not data.is_images:
            return MLP(data.shape[0], width=options.width or 128, depth=options.depth, classes=classes)
        channels, side, other = data.shape
        if side != other:
            raise ValueError(f"pictures of {data.name} are {side} × {other}, a U-Net needs squares: give --size")
        levels = max(2, side.bit_length() - 3) if side % 2 == 0 else 1
        multipliers = options.multipliers or (1, 2, 3, 4)[:levels]
        attention = (len(multipliers) - 1,) if options.attention is None else options.attention
        return UNet(channels, side, width=options.width or 32, multipliers=multipliers, blocks=options.blocks,
                    attention=attention, classes=classes, patch=options.patch)  # fmt: skip


def model_path(name: str) -> Path:
    """The file that was given, or the bundled model of that name."""
    from .checkpoints import bundled

    return Path(name) if Path(name).exists() or Path(name).suffix else bundled(name)


def open_model(name: str):
    """A denoiser, on the GPU if there is one, and what its file says of it."""
    import torch

    from .checkpoints import describe, load_denoiser

    path = model_path(name)
    made = describe(path)
    if not made.data.get("shape"):
        raise ValueError(f"{path} does not say what data it was trained on: save it with save_denoiser(…, data=…)")
    device = torch.accelerator.current_accelerator(check_available=True) or "cpu"
    return load_denoiser(path, device=device), made


def draw(denoiser, data: dict, options: argparse.Namespace, cond=None):
    """New samples (N, …) as the options ask for them; with labels (N,) instead of --label if they are given."""
    from .denoisers import Guided
    from .sampling import sample as make

    cond = labels(data["classes"], options, denoiser.net) if cond is None and "label" in options else cond
    if options.guidance != 1 and cond is None:
        raise ValueError(f"--guidance {options.guidance:g}: this model knows no labels, so leave it at 1")
    guided = denoiser if options.guidance == 1 else Guided(denoiser, options.guidance)
    return make(guided, data["shape"], options.samples, step=options.sampler, steps=options.sampler_steps, cond=cond,
                seed=options.seed, progress=sys.stderr.isatty())  # fmt: skip


def labels(classes: list[str], options: argparse.Namespace, net):
    """The label of each sample, (N,), or None for a network without labels."""
    import torch

    known = net.config.get("classes", 0)
    if not known:
        if options.label is not None:
            raise ValueError(f"--label {options.label}: this model knows no labels, so leave it out")
        return None
    if options.label is None:
        return torch.arange(options.samples) % known
    if options.label in classes:
        return torch.full((options.samples,), classes.index(options.label))
    if not options.label.isdecimal() or int(options.label) >= known:
        raise ValueError(f"--label {options.label!r} is none of {', '.join(classes)}, nor a number below {known}")
    return torch.full((options.samples,), int(options.label))


def write_picture(samples, path: Path) -> None:
    """Samples as a PNG: pictures in rows of 8, points as a cloud or a histogram."""
    from .course import figures

    if samples.ndim == 4:
        from PIL import Image

        grid = figures.as_picture(samples, 8)
        enlarged = max(1, 512 // grid.shape[1])
        picture = Image.fromarray((grid * 255).round().astype("uint8"))
        size = picture.width * enlarged, picture.height * enlarged
        picture.resize(size, Image.Resampling.NEAREST).save(path, "PNG")
    else:
        figure = figures.cloud(samples) if samples.shape[1] == 2 else figures.histogram(samples)
        path.write_bytes(figures.png(figure, f"{len(samples)} samples"))


class Log:
    """A CSV file with one line a step. Lines of steps that a resumed run does again are dropped."""

    def __init__(self, path: Path, *, first: int):
        kept = []
        if path.exists() and first > 1:
            with path.open(newline="") as before:
                kept = [row for row in csv.DictReader(before) if _step(row) < first]
        self.file = path.open("w", newline="")
        self.writer = csv.DictWriter(self.file, ("step", "loss", "grad_norm", "lr", "seconds"))
        self.writer.writeheader()
        self.writer.writerows(kept)

    def add(self, **row: float) -> None:
        """One step's line, on the disk at once."""
        self.writer.writerow({name: value if name == "step" else f"{value:.6g}" for name, value in row.items()})
        self.file.flush()


def _step(row: dict) -> int:
    return int(row["step"]) if (row["step"] or "").isdecimal() else sys.maxsize  # a line cut short by a kill
