"""Model files: one safetensors file of named networks and one model card, written so that a crash loses nothing.

A file holds tensors and text. The text is the :class:`ModelCard` (JSON): which parts there are, from what each is
rebuilt, the data, the training's options, the step, and notes in words. The tensors of a part are named
``part.weight``; a checkpoint of `training.train` has further ones, ``training.*``, with what it needs to go on.

    card     what a file says of itself
    parts    networks and denoisers to a file and back
    files    safetensors, nothing unpickled, written atomically
"""

from .card import FORMAT, ModelCard, card_of
from .files import check_writable, read, write
from .parts import bundled, describe, describe_part, load, load_denoiser, pack, read_model, save, save_denoiser

__all__ = [
    "FORMAT",
    "ModelCard",
    "bundled",
    "card_of",
    "check_writable",
    "describe",
    "describe_part",
    "load",
    "load_denoiser",
    "pack",
    "read",
    "read_model",
    "save",
    "save_denoiser",
    "write",
]
