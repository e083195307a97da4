"""Model files: one safetensors file of named networks and one model card, written so that a crash loses nothing.

A file holds tensors and text. The text is the :class:`ModelCard` (JSON): which parts there are, from what each is
rebuilt, the data, the training's options, the step, and notes in words. The tensors of a part are named
``part.weight``; a checkpoint of `training.train` has further ones, ``training.*``, with what it needs to go on.

Reading a file runs no code from it: nothing is unpickled (https://huggingface.co/docs/safetensors). Writing is atomic:
the bytes go to a temporary file in the same folder, are flushed to the disk (fsync), and take the old file's place in
one move (POSIX rename). A full disk or a kill at any moment leaves the old file or the new one, never half of one.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from .denoisers import Denoiser
from .networks import NETWORKS, build
from .schedules import SCHEDULES, Schedule

FORMAT = "diffusion_lib 2"
FORMAT_1 = "diffusion_lib 1"  # one denoiser a file; still read
FORMAT_1_PREFIXES = {"net.": "denoiser.", "raw.": "training.net."}  # what its tensors' names begin with, and do now
FORMAT_1_PREFIXES |= {f"{name}.": f"training.{name}." for name in ("optimizer", "progress")}
FORMER_SCHEDULES = {"Karras": "EDM"}  # names in older files
TRAINING = "training"
PACKAGE = Path(__file__).parent

Part = Denoiser | nn.Module


@dataclass(frozen=True)
class ModelCard:
    """What a file says of itself; all of it is plain text and numbers.

    parts: for each part its network's ``.config``, and for a denoiser its schedule, ``predicts`` and ``scale_input``;
    saving fills it in. data: name, shape (of one example) and classes. training: the options of `training.train`, empty
    for a model that it did not make. step: training steps behind these weights. notes: any words by topic, such as
    ``{"licence": "MIT", "source": "…"}``.
    """

    parts: dict[str, dict] = field(default_factory=dict)
    data: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    step: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    def to_text(self) -> dict[str, str]:
        """The file's metadata: one JSON string a field. Raises ValueError for what JSON cannot hold."""
        text = {"format": FORMAT}
        for f in dataclasses.fields(self):
            try:
                text[f.name] = json.dumps(getattr(self, f.name))
            except TypeError as error:
                raise ValueError(
                    f"the model card's {f.name} cannot be written ({error}): use text and numbers"
                ) from None
        return text

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> ModelCard:
        """Undo `to_text`, or read what format 1 wrote. Raises ValueError or KeyError for other text."""
        if text["format"] == FORMAT_1:
            names = ("network", "schedule", "predicts", "data", "recipe", "step")
            network, schedule, predicts, data, training, step = (json.loads(text[name]) for name in names)
            part = {"network": network, "schedule": schedule, "predicts": predicts, "scale_input": False}
            card = cls({"denoiser": part}, data, training, step)
        else:
            card = cls(**{f.name: json.loads(text[f.name]) for f in dataclasses.fields(cls)})
        for part in card.parts.values():
            if "schedule" in part:
                schedule_from(part["schedule"])
            if "kind" not in part["network"]:
                raise ValueError(f"network {part['network']!r} has no kind")
        return card


def save(
    path: str | Path, parts: Mapping[str, Part], *, card: ModelCard = ModelCard(), dtype: torch.dtype = torch.float32
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
    path: str | Path, denoiser: Denoiser, *, card: ModelCard = ModelCard(), dtype: torch.dtype = torch.float32
) -> None:
    """Write one denoiser to a file: `save` with the one part ``denoiser``."""
    save(path, {"denoiser": denoiser}, card=card, dtype=dtype)


def load_denoiser(path: str | Path, *, device: torch.device | str = "cpu") -> Denoiser:
    """The part ``denoiser`` of a file, in evaluation mode; of a checkpoint, the EMA copy. Taught in notebook 00.

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
    return card_of(path, _open(path)[1])


def bundled(name: str) -> Path:
    """The file of a model that comes with the course: ``load_denoiser(bundled("digits"))``. Taught in notebook 00.

    Raises FileNotFoundError, naming those there are.
    """
    folders = (PACKAGE / "assets", PACKAGE.parent / "assets")  # in an installed package, and in a checkout
    models = {path.stem: path for folder in folders for path in sorted(folder.glob("*.safetensors"))}
    if name not in models:
        known = ", ".join(models) or "none"
        raise FileNotFoundError(f"no model named {name!r} comes with the course: there is {known}")
    return models[name]


# ---- parts ----


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
    if not isinstance(part, Denoiser):
        return {"network": config}
    kind = type(part.schedule).__name__
    if SCHEDULES.get(kind) is not type(part.schedule):
        raise ValueError(f"schedule={part.schedule!r} is none of {', '.join(SCHEDULES)}: no file can rebuild it")
    schedule = json.loads(json.dumps({"kind": kind, **dataclasses.asdict(part.schedule)}))  # tuples as lists
    return {"network": config, "schedule": schedule, "predicts": part.predicts, "scale_input": part.scale_input}


def schedule_from(description: Mapping) -> Schedule:
    """A schedule from its kind and its fields. Raises ValueError, KeyError or TypeError if there is no such one."""
    fields = dict(description)
    kind = fields.pop("kind")
    kind = kind if kind in SCHEDULES else FORMER_SCHEDULES.get(kind, kind)
    if kind not in SCHEDULES:
        raise ValueError(f"schedule {kind!r} is none of {', '.join(SCHEDULES)}")
    return SCHEDULES[kind](**fields)


def pack(
    parts: Mapping[str, Part], card: ModelCard, dtype: torch.dtype = torch.float32
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the text of a file with these parts. Raises ValueError as `save` does."""
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
    net = net.to(device).eval()
    if "schedule" not in part:
        return net
    return Denoiser(net, schedule_from(part["schedule"]), part["predicts"], part["scale_input"])


# ---- files ----


def read_model(path: str | Path) -> tuple[dict[str, Tensor], ModelCard]:
    """A model file's tensors, named as format 2 names them, and its card. Raises as `load` does."""
    tensors, text = read(path)
    card = card_of(path, text)
    if text["format"] == FORMAT_1:
        for old, new in FORMAT_1_PREFIXES.items():
            tensors = {new + k.removeprefix(old) if k.startswith(old) else k: t for k, t in tensors.items()}
    return tensors, card


def card_of(path: str | Path, text: Mapping[str, str]) -> ModelCard:
    """The card in a file's text. Raises ValueError if this package did not write it, or another version of it did."""
    package, _, version = text.get("format", "").partition(" ")
    if package != "diffusion_lib":
        raise ValueError(f"{path} holds no model of diffusion_lib: give a file that train or save wrote")
    if text["format"] not in (FORMAT, FORMAT_1):
        raise ValueError(
            f"{path} has format version {version}, this diffusion_lib reads versions 1 and 2: "
            "install the release that wrote it, or train again"
        )
    try:
        return ModelCard.from_text(text)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: its description is damaged ({error!r}): take another copy") from None


def write(path: str | Path, tensors: Mapping[str, Tensor], text: Mapping[str, str]) -> None:
    """Write tensors and text to one safetensors file, atomically. Raises OSError, naming the file and the remedy."""
    import safetensors.torch

    path = Path(path)
    content = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, dict(text))
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        unharmed = "; the file that was there is unharmed" if path.exists() else ""
        what = f"cannot write {len(content) / 1e6:.1f} MB ({error.strerror}): free some space or choose another folder"
        raise OSError(error.errno, what + unharmed, str(path)) from None
    if os.name == "posix":  # the move itself must reach the disk too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_writable(folder: str | Path) -> None:
    """Refuse a folder in which nothing can be written: better now than after training. It leaves nothing behind.

    Raises:
        OSError: the folder cannot be made, or no file can be written there.
    """
    folder = Path(folder)
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    probe = folder / f".writable.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        what = f"cannot write here ({error.strerror}): choose another folder"
        raise OSError(error.errno, what, str(folder)) from None
    finally:
        for level in missing:  # the deepest first
            if level.is_dir():
                level.rmdir()


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the text of a safetensors file. Raises FileNotFoundError, or ValueError if it is damaged."""
    file, text = _open(path)
    return {name: file.get_tensor(name) for name in file.keys()}, text  # noqa: SIM118 (it is no dict)


def _open(path: str | Path):
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}: give the path of a .safetensors file")
    try:
        file = safe_open(path, framework="pt")
        return file, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is cut short, or no safetensors file ({error}): take another copy") from None
