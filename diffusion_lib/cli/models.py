"""What the commands share: opening a model, drawing samples as the options ask for them, writing them as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoints import ModelCard, bundled, describe, load
from ..conditions import Condition
from ..course import figures
from ..denoisers import Denoiser, Guided, Latent
from ..sampling import STEPS
from ..sampling import sample as draw_samples
from .arguments import add_options, at_least_one, chosen, optional

PICTURE = "samples.png"

Model = Denoiser | Latent


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
        add("--caption", help="what all samples are asked to be, in words (some captions in turn if left out)")
    help_text = "scale: 0 ignores the label, 1 is plain, more is stronger (default: 1)"
    add("--guidance", type=float, default=1.0, help=help_text)


def draw(model: Model, data: dict, options: argparse.Namespace, cond: Condition = None) -> Tensor:
    """New samples (N, …) as the options ask for them; with a condition of N in place of --label if it is given."""
    arguments = sampling_arguments(model, data, options, cond)
    guided = model if options.guidance == 1 else Guided(model, options.guidance)
    samples = draw_samples(guided, data["shape"], options.samples, **arguments, progress=sys.stderr.isatty())
    if not isinstance(model, Latent):
        return samples
    with torch.no_grad():
        return torch.cat([model.decode(part) for part in samples.split(64)])


def sampling_arguments(model: Model, data: dict, options: argparse.Namespace, cond: Condition = None) -> dict:
    """What `sample` is called with. Raises ValueError, before anything is computed, for options that clash."""
    step_options = chosen(options, options.sampler, STEPS[options.sampler], sampler_options())
    if cond is None and "label" in options:
        cond = asked(model, data, options)
    if options.guidance != 1 and cond is None:
        raise ValueError(f"--guidance {options.guidance:g}: this model takes no condition, so leave it at 1")
    steps = {"step": options.sampler, "options": step_options, "steps": options.sampler_steps}
    return {**steps, "cond": cond, "seed": options.seed}


def asked(model: Model, data: dict, options: argparse.Namespace) -> Tensor | None:
    """What each sample is asked to be: tokens for a network with words, else labels, or None."""
    network = network_of(model)
    if getattr(network, "text", None) is None:
        if options.caption is not None:
            raise ValueError(f"--caption {options.caption!r}: this model knows no words, so leave it out")
        return labels(data.get("classes", []), options.label, options.samples, conditional=model.conditional)
    if options.label is not None:
        raise ValueError(f"--label {options.label}: this model is asked in words: use --caption")
    captions = [options.caption] if options.caption is not None else data.get("captions") or [""]
    return network.tokens([captions[i % len(captions)] for i in range(options.samples)])


def words_for(model: Model, data: dict, cond: Tensor | None) -> list[str] | None:
    """What each sample of a condition, as `asked` gives it, is asked to be, in words; None if nothing is asked."""
    if cond is None:
        return None
    text = getattr(network_of(model), "text", None)
    if text is None:
        return [data["classes"][label] for label in cond.tolist()]
    captions = list(text.tokens.captions(cond))
    return captions if any(captions) else None


def network_of(model: Model) -> torch.nn.Module:
    """The network of a denoiser, or of the one that works in the latents."""
    return (model.denoiser if isinstance(model, Latent) else model).net


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


def open_model(name: str) -> tuple[Model, ModelCard]:
    """A denoiser, with its autoencoder if it has one, on the GPU if there is one, and what its file says of it."""
    path = model_path(name)
    card = describe(path)
    missing = [field for field in ("name", "shape") if not card.data.get(field)]
    if missing:
        raise ValueError(
            f"{path} does not say what data it was trained on (no {' and no '.join(missing)}): "
            "save it with a card that says data={'name': …, 'shape': …}"
        )
    device = torch.accelerator.current_accelerator(check_available=True) or "cpu"
    parts = load(path, device=device)
    denoiser = parts.get("denoiser")
    if not isinstance(denoiser, Denoiser):
        raise ValueError(f"{path} holds {', '.join(parts) or 'no parts'}, no denoiser: give a file that train wrote")
    if "autoencoder" not in parts:
        return denoiser, card
    return Latent(denoiser, parts["autoencoder"].to("cpu")), card  # samples lie on the CPU


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
