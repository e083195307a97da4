"""Model files: one safetensors file from which a denoiser is rebuilt, written so that a crash loses nothing.

A file holds tensors and text. The text (JSON) says what the tensors are: the network's `.config`, the schedule with its
fields, what is predicted, the data, the recipe and the step. The tensors are

    net.*                            the weights to sample with (the EMA copy)
    raw.*, optimizer.*, progress.*   in a checkpoint of `training.train` only: what it needs to go on

Reading a file runs no code from it: nothing is unpickled (https://huggingface.co/docs/safetensors). Writing is atomic:
the bytes go to a temporary file in the same folder, are flushed to the disk (fsync), and take the old file's place in
one move (POSIX rename). A full disk or a kill at any moment leaves the old file or the new one, never half of one.
Taught in notebooks 05 and 13.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from .denoisers import Denoiser
from .networks import build
from .schedules import SCHEDULES, Schedule

FORMAT = "diffusion_lib 1"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Info:
    """What a file says of itself; all of it is plain text and numbers.

    network: the network's `.config`; data: name, shape (of one example) and classes; recipe: the options of
    `training.train`, empty for a model that it did not make; step: training steps behind these weights.
    """

    network: dict
    schedule: Schedule
    predicts: str
    data: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)
    step: int = 0
    scale_input: bool = False

    @classmethod
    def of(cls, denoiser: Denoiser, *, data: dict | None = None, recipe: dict | None = None, step: int = 0) -> Info:
        """What a file of this denoiser will say. Raises ValueError if no text can rebuild its network or schedule."""
        config = getattr(denoiser.net, "config", None)
        if not isinstance(config, dict):
            raise ValueError(
                f"{type(denoiser.net).__name__} has no .config, so no file can rebuild it: "
                "give it one and add its class to networks.NETWORKS"
            )
        if type(denoiser.schedule).__name__ not in SCHEDULES:
            known = ", ".join(SCHEDULES)
            raise ValueError(f"schedule={denoiser.schedule!r} is none of {known}: no file can rebuild it")
        return cls(config, denoiser.schedule, denoiser.predicts, data or {}, recipe or {}, step, denoiser.scale_input)

    def to_text(self) -> dict[str, str]:
        """The file's metadata: one JSON string a field."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["schedule"] = {"kind": type(self.schedule).__name__, **dataclasses.asdict(self.schedule)}
        return {"format": FORMAT, **{name: json.dumps(value) for name, value in fields.items()}}

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> Info:
        """Undo `to_text`. Raises ValueError or KeyError for text that it did not write."""
        fields = {f.name: json.loads(text[f.name]) for f in dataclasses.fields(cls) if f.name != "scale_input"}
        fields["scale_input"] = json.loads(text.get("scale_input", "false"))
        kind = fields["schedule"].pop("kind")
        kind = {"Karras": "EDM"}.get(kind, kind)
        if kind not in SCHEDULES:
            raise ValueError(f"schedule {kind!r} is none of {', '.join(SCHEDULES)}")
        return cls(**{**fields, "schedule": SCHEDULES[kind](**fields["schedule"])})


def save_denoiser(
    path: str | Path,
    denoiser: Denoiser,
    *,
    data: dict | None = None,
    recipe: dict | None = None,
    step: int = 0,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write the denoiser to one file, with what `load_denoiser` needs to rebuild it. Taught in notebook 13.

    ``dtype=torch.float16`` halves the file; weights are float32 again once loaded. Raises ValueError if a weight
    overflows it or the network has no `.config`, OSError if the file cannot be written; an older file is then kept.
    """
    tensors = {}
    for name, value in denoiser.net.state_dict().items():
        tensors[f"net.{name}"] = value.to(dtype) if value.is_floating_point() else value
        if value.is_floating_point() and value.isfinite().all() and not tensors[f"net.{name}"].isfinite().all():
            raise ValueError(f"{name} reaches {value.abs().max().item():.3g}, beyond {dtype}: use dtype=torch.float32")
    write(path, tensors, Info.of(denoiser, data=data, recipe=recipe, step=step).to_text())


def load_denoiser(path: str | Path, *, device: torch.device | str = "cpu") -> Denoiser:
    """Rebuild a denoiser from a file alone, in evaluation mode; of a checkpoint, the EMA copy. Taught in notebook 00.

    Raises FileNotFoundError, or ValueError for a file that is damaged, foreign or of another version.
    """
    tensors, text = read(path)
    info = info_of(path, text)
    try:
        net = build(info.network)
        net.load_state_dict({name.removeprefix("net."): t for name, t in tensors.items() if name.startswith("net.")})
    except (RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: its weights do not fit the network that it describes: {error}") from None
    return Denoiser(net.to(device).eval(), info.schedule, info.predicts, info.scale_input)


def describe(path: str | Path) -> Info:
    """What a file says of itself; its weights are not read. Raises as `load_denoiser` does. Taught in notebook 13."""
    return info_of(path, _open(path)[1])


def bundled(name: str) -> Path:
    """The file of a model that comes with the course: ``load_denoiser(bundled("digits"))``. Taught in notebook 00.

    Raises FileNotFoundError, naming those there are.
    """
    folders = (HERE / "assets", HERE.parent / "assets")  # in an installed package, and in a checkout
    found = {path.stem: path for folder in folders for path in sorted(folder.glob("*.safetensors"))}
    if name not in found:
        raise FileNotFoundError(f"no model named {name!r} comes with the course: there is {', '.join(found) or 'none'}")
    return found[name]


def write(path: str | Path, tensors: Mapping[str, Tensor], text: Mapping[str, str]) -> None:
    """Write tensors and text to one safetensors file, atomically. Raises OSError, naming the file and the remedy."""
    import safetensors.torch

    path = Path(path)
    content = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, dict(text))
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        kept = "; the file that was there is unharmed" if path.exists() else ""
        what = f"cannot write {len(content) / 1e6:.1f} MB ({error.strerror}): free some space or choose another folder"
        raise OSError(error.errno, what + kept, str(path)) from None
    if os.name == "posix":  # the move itself must reach the disk too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def writable(folder: str | Path) -> Path:
    """``folder``, made if need be. Raises OSError if nothing can be written there: better now than after training."""
    folder = Path(folder)
    probe = folder / f".writable.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        what = f"cannot write here ({error.strerror}): choose another folder"
        raise OSError(error.errno, what, str(folder)) from None
    return folder


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the text of a safetensors file. Raises FileNotFoundError, or ValueError if it is damaged."""
    file, text = _open(path)
    return {name: file.get_tensor(name) for name in file.keys()}, text  # noqa: SIM118 (it is no dict)


def info_of(path: str | Path, text: Mapping[str, str]) -> Info:
    """The `Info` in a file's text. Raises ValueError if this package did not write it, or another version of it did."""
    made_by, _, version = text.get("format", "").partition(" ")
    if made_by != "diffusion_lib":
        raise ValueError(f"{path} holds no model of diffusion_lib: give a file that train or save_denoiser wrote")
    if text["format"] != FORMAT:
        raise ValueError(
            f"{path} has format version {version}, this diffusion_lib reads version {FORMAT.split()[1]}: "
            "install the release that wrote it, or train again"
        )
    try:
        return Info.from_text(text)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: its description is damaged ({error!r}): take another copy") from None


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
