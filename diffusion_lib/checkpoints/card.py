"""The model card: what a model file says of itself, in words and numbers.

Format 1 held one denoiser a file; it is still read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..schedules import SCHEDULES, Schedule

FORMAT = "diffusion_lib 2"
FORMAT_1 = "diffusion_lib 1"
FORMER_SCHEDULES = {"Karras": "EDM"}  # names in older files
WORDLESS = {"words": [], "length": 0, "text_width": 64, "text_depth": 2}
FORMER_OPTIONS = {"UNet": {"groups": 8} | WORDLESS}  # what older files do not say, since it could not be chosen


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
            part["network"] = FORMER_OPTIONS.get(part["network"]["kind"], {}) | part["network"]
        return card


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


def schedule_from(description: Mapping) -> Schedule:
    """A schedule from its kind and its fields. Raises ValueError, KeyError or TypeError if there is no such one."""
    fields = dict(description)
    kind = fields.pop("kind")
    kind = kind if kind in SCHEDULES else FORMER_SCHEDULES.get(kind, kind)
    if kind not in SCHEDULES:
        raise ValueError(f"schedule {kind!r} is none of {', '.join(SCHEDULES)}")
    return SCHEDULES[kind](**fields)
