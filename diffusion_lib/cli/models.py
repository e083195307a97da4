"""What the commands share: opening a model, drawing samples as the options ask for them, writing them as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoints import ModelCard, bundled, describe, load_denoiser
from ..course import figures
from ..denoisers import Denoiser, Guided
from ..sampling import STEPS
from ..sampling import sample as draw_samples
from .arguments import add_options, at_least_one, chosen, optional

PICTURE = "samples.png"


def sampler_options() -> list:
    """What the sampler's steps can be told."""
    return optional(STEPS)


def add_sampling_options(parser: argparse.ArgumentParser, *, count: int, label: bool = True) -> None:
    """Add the options that every command with samples shares."""
    add = parser.add_argument
    add("--samples", type=at_least_one, default=count, help=f"how many samples (default: {count})")
    add("--sampler", choices=tuple(STEPS), default="ddim", help="how a step is made (default: ddim)")
    add("--sampler-steps", type=at_least_one, default=20, help="steps of the sampler (default: 20)")
    add_options(parser, sampler_options())
    if label:
        add("--label", help="class of all samples, by name or number (all classes in turn if left out)")
    help_text = "scale: 0 ignores the label, 1 is plain, more is stronger (default: 1)"
    add("--guidance", type=float, default=1.0, help=help_text)


def draw(denoiser: Denoiser, data: dict, options: argparse.Namespace, cond: Tensor | None = None) -> Tensor:
    """New samples (N, …) as the options ask for them; with labels (N,) instead of --label if they are given."""
    arguments = sampling_arguments(denoiser, data, options, cond)
    guided = denoiser if options.guidance == 1 else Guided(denoiser, options.guidance)
    return draw_samples(guided, data["shape"], options.samples, **arguments, progress=sys.stderr.isatty())


def sampling_arguments(denoiser: Denoiser, data: dict, options: argparse.Namespace, cond: Tensor | None = None) -> dict:
    """What `sample` is called with. Raises ValueError, before anything is computed, for options that clash."""
    step_options = chosen(options, options.sampler, STEPS[options.sampler], sampler_options())
    if cond is None and "label" in options:
        cond = labels(data["classes"], options.label, options.samples, conditional=denoiser.conditional)
    if options.guidance != 1 and cond is None:
        raise ValueError(f"--guidance {options.guidance:g}: this model knows no labels, so leave it at 1")
    steps = {"step": options.sampler, "options": step_options, "steps": options.sampler_steps}
    return {**steps, "cond": cond, "seed": options.seed}


def labels(classes: list[str], label: str | None, count: int, *, conditional: bool) -> Tensor | None:
    """The label of each of ``count`` samples, all in turn if none is asked for; None for a network without labels."""
    if not conditional or not classes:
        if label is not None:
            raise ValueError(f"--label {label}: this model knows no labels, so leave it out")
        return None
    if label is None:
        return torch.arange(count) % len(classes)
    if label in classes:
        return torch.full((count,), classes.index(label))
    if not label.isdecimal() or int(label) >= len(classes):
        raise ValueError(f"--label {label!r} is none of {', '.join(classes)}, nor a number below {len(classes)}")
    return torch.full((count,), int(label))


def model_path(name: str) -> Path:
    """The file that was given, or the bundled model of that name."""
    return Path(name) if Path(name).exists() or Path(name).suffix else bundled(name)


def open_model(name: str) -> tuple[Denoiser, ModelCard]:
    """A denoiser, on the GPU if there is one, and what its file says of it."""
    path = model_path(name)
    card = describe(path)
    if not card.data.get("shape"):
        raise ValueError(f"{path} does not say what data it was trained on: save it with a card that says data=…")
    device = torch.accelerator.current_accelerator(check_available=True) or "cpu"
    return load_denoiser(path, device=device), card


def write_picture(samples: Tensor, path: Path) -> None:
    """Samples as a PNG: pictures in rows of 8, points as a cloud or a histogram."""
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
