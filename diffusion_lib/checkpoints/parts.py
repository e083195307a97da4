"""Named networks and denoisers, saved to one file and rebuilt from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..bundled import files
from ..denoisers import Denoiser
from ..networks import NETWORKS, build
from ..schedules import SCHEDULES
from .card import FORMAT_1, ModelCard, card_of, schedule_from
from .files import opened, read, write

FORMAT_1_PREFIXES = {"net.": "denoiser.", "raw.": "training.net."}  # what its tensors' names begin with, and do now
FORMAT_1_PREFIXES |= {f"{name}.": f"training.{name}." for name in ("optimizer", "progress")}
TRAINING = "training"  # what the names of a training's own tensors begin with

Part = Denoiser | nn.Module


def save(
    path: str | Path,
    parts: Mapping[str, Part],
    *,
    card: ModelCard = ModelCard(),  # noqa: B008 it is frozen
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write named networks and denoisers to one file, from which `load` rebuilds them.

    ``parts`` are such as ``{"denoiser": denoiser, "autoencoder": net}``; the card's own ``parts`` is filled in.
    ``dtype=torch.float16`` halves the file; weights are float32 again once loaded.

    Raises:
        ValueError: a part that no file can rebuild, a weight that overflows ``dtype``, or a card that is no plain text.
        OSError: the file cannot be written; an older one is then kept.
    """
    write(path, *pack(parts, card, dtype))


def load(path: str | Path, *, device: torch.device | str = "cpu") -> dict[str, Part]:
    """Rebuild all parts of a file from the file alone, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, foreign or of another version.
    """
    tensors, card = read_model(path)
    return {name: _rebuild(path, name, tensors, card, device) for name in card.parts}


def save_denoiser(
    path: str | Path,
    denoiser: Denoiser,
    *,
    card: ModelCard = ModelCard(),  # noqa: B008 it is frozen
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write one denoiser to a file: `save` with the one part ``denoiser``."""
    save(path, {"denoiser": denoiser}, card=card, dtype=dtype)


def load_denoiser(path: str | Path, *, device: torch.device | str = "cpu") -> Denoiser:
    """The part ``denoiser`` of a file, in evaluation mode; of a checkpoint, the EMA copy. Taught in notebook 00.

    Its weights are frozen, so that calls keep nothing for gradients; `training.train` thaws them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, foreign or of another version, or has no such part.
    """
    tensors, card = read_model(path)
    if "schedule" not in card.parts.get("denoiser", {}):
        raise ValueError(f"{path} holds {', '.join(card.parts) or 'no parts'}, no denoiser: use load")
    return _rebuild(path, "denoiser", tensors, card, device)


def describe(path: str | Path) -> ModelCard:
    """What a file says of itself; its weights are not read. Raises as `load` does."""
    return card_of(path, opened(path)[1])


def bundled(name: str) -> Path:
    """The file of a model that comes with the course: ``load_denoiser(bundled("digits"))``. Taught in notebook 00.

    Raises FileNotFoundError, naming those there are.
    """
    models = files(".safetensors")
    if name not in models:
        known = ", ".join(models) or "none"
        raise FileNotFoundError(f"no model named {name!r} comes with the course: there is {known}")
    return models[name]


def describe_part(name: str, part: Part) -> dict:
    """What the model card says of a part. Raises ValueError if no text can rebuild it."""
    if not name.isidentifier() or name == TRAINING:
        raise ValueError(f"the part's name {name!r} is not free: use one word other than {TRAINING!r}")
    net = part.net if isinstance(part, Denoiser) else part
    config = getattr(net, "config", None)
    if not isinstance(net, nn.Module) or not isinstance(config, dict):
        raise ValueError(
            f"{type(net).__name__} has no .config, so no file can rebuild it: "
            "give it one and add its class to networks.NETWORKS"
        )
    if config.get("kind") not in NETWORKS:
        raise ValueError(
            f"kind={config.get('kind')!r} of {type(net).__name__} is none of {', '.join(map(repr, NETWORKS))}, "
            "so no file can rebuild it: add its class to networks.NETWORKS"
        )
    weights = net.state_dict()
    if any("_orig_mod." in key for key in weights):
        raise ValueError(
            "a network that torch.compile has wrapped cannot be rebuilt: compile it in place, net.compile()"
        )
    places: dict[int, str] = {}
    for key, weight in weights.items():
        if weight.numel() and places.setdefault(weight.data_ptr(), key) != key:
            shared = f"{places[weight.data_ptr()]} and {key}"
            raise ValueError(f"{shared} of {type(net).__name__} are one tensor, no file can say so: let one be a copy")
    if not isinstance(part, Denoiser):
        return {"network": config}
    kind = next((name for name, known in SCHEDULES.items() if known is type(part.schedule)), None)
    if kind is None:
        raise ValueError(f"schedule={part.schedule!r} is none of {', '.join(SCHEDULES)}: no file can rebuild it")
    if not dataclasses.is_dataclass(part.schedule):
        raise ValueError(f"{kind} is no dataclass, so no file can say its numbers: add @dataclass(frozen=True) to it")
    schedule = json.loads(json.dumps({"kind": kind, **dataclasses.asdict(part.schedule)}))  # tuples as lists
    return {"network": config, "schedule": schedule, "predicts": part.predicts, "scale_input": part.scale_input}


def pack(
    parts: Mapping[str, Part], card: ModelCard, dtype: torch.dtype = torch.float32
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the text of a file with these parts. Raises ValueError as `save` does."""
    if not dtype.is_floating_point:
        raise ValueError(f"dtype={dtype} would lose the weights: use torch.float32, or torch.float16 for half the size")
    described = {name: describe_part(name, part) for name, part in parts.items()}
    tensors = {}
    for part_name, part in parts.items():
        net = part.net if isinstance(part, Denoiser) else part
        for name, value in net.state_dict().items():
            stored = value.to(dtype) if value.is_floating_point() else value
            if value.is_floating_point() and value.isfinite().all() and not stored.isfinite().all():
                largest = value.abs().max().item()
                raise ValueError(f"{name} reaches {largest:.3g}, beyond {dtype}: use dtype=torch.float32")
            tensors[f"{part_name}.{name}"] = stored
    return tensors, dataclasses.replace(card, parts=described).to_text()


def _rebuild(path: str | Path, name: str, tensors: Mapping[str, Tensor], card: ModelCard, device) -> Part:
    part, prefix = card.parts[name], f"{name}."
    try:
        net = build(part["network"])
        net.load_state_dict({key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)})
    except (RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: its weights do not fit the network that it describes: {error}") from None
    net = net.to(device).eval().requires_grad_(False)  # or a walk written by hand keeps every call's gradients: 30 GB
    if "schedule" not in part:
        return net
    return Denoiser(net, schedule_from(part["schedule"]), part["predicts"], part["scale_input"])


def read_model(path: str | Path) -> tuple[dict[str, Tensor], ModelCard]:
    """A model file's tensors, named as format 2 names them, and its card. Raises as `load` does."""
    tensors, text = read(path)
    card = card_of(path, text)
    if text["format"] == FORMAT_1:
        for old, new in FORMAT_1_PREFIXES.items():
            tensors = {new + k.removeprefix(old) if k.startswith(old) else k: t for k, t in tensors.items()}
    return tensors, card
