"""What a picture of a shape can be asked for, in numbers (attributes) and in words (captions)."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from .outlines import SHAPES

COLOURS = {
    "red": (0.90, 0.10, 0.12),
    "yellow": (0.98, 0.82, 0.05),
    "green": (0.05, 0.65, 0.15),
    "cyan": (0.10, 0.75, 0.95),
    "blue": (0.12, 0.20, 0.90),
    "purple": (0.75, 0.10, 0.85),
}
SIZES = {"small": (0.080, 0.100), "large": (0.180, 0.220)}  # share of the picture that the shape covers
BACKGROUNDS = {"dark": (0.05, 0.05, 0.08), "light": (0.95, 0.94, 0.90)}


VOCABULARY = {
    "shape": tuple(SHAPES),
    "colour": tuple(COLOURS),
    "size": tuple(SIZES),
    "background": tuple(BACKGROUNDS),
}


def combinations(*, without: Sequence[Sequence[str]] = ()) -> Tensor:
    """All combinations of attributes (K, 4), less those that hold every word of an entry of `without`.

    `without=[("red", "star")]` leaves out red stars, `[("large",)]` everything large. Raises ValueError for
    an unknown word and if nothing is left.
    """
    every = torch.tensor(list(itertools.product(*(range(len(words)) for words in VOCABULARY.values()))))
    keep = torch.ones(len(every), dtype=torch.bool)
    for words in without:
        keep &= ~having(every, words)
    if not keep.any():
        raise ValueError(f"without={list(without)!r} leaves no combination: hold out fewer")
    return every[keep]


def having(attributes: Tensor, words: Sequence[str]) -> Tensor:
    """Which rows of the attributes (N, 4) have all these words, such as ("red", "star"): a mask (N,).

    Raises ValueError for an unknown word.
    """
    if isinstance(words, str):
        raise ValueError(f"{words!r} must be a tuple of words, such as {tuple(words.split())!r}")
    mask = torch.ones(len(attributes), dtype=torch.bool)
    for word in words:
        column = [i for i, known in enumerate(VOCABULARY.values()) if word in known]
        if not column:
            raise ValueError(f"{word!r} describes no shape: choose from {_vocabulary()}")
        mask &= attributes[:, column[0]] == list(VOCABULARY.values())[column[0]].index(word)
    return mask


def caption(attributes: Tensor) -> tuple[str, ...]:
    """What attributes (N, 4) say in words: "a small red star on a dark background".

    Raises ValueError if a number is out of range.
    """
    shapes, colours, sizes, backgrounds = VOCABULARY.values()
    return tuple(
        f"a {sizes[s]} {colours[c]} {shapes[f]} on a {backgrounds[b]} background"
        for f, c, s, b in checked(attributes).tolist()
    )


def attributes_of(captions: str | Sequence[str]) -> Tensor:
    """The attributes (N, 4) int64 that captions ask for; undoes `caption`.

    Raises ValueError for a caption of another form or with an unknown word.
    """
    rows = []
    for text in [captions] if isinstance(captions, str) else captions:
        match text.lower().split():
            case ["a", size, colour, shape, "on", "a", background, "background"]:
                words = (shape, colour, size, background)
            case _:
                raise ValueError(
                    f"{text!r} is no caption: write 'a small red star on a dark background', "
                    f"with words from {_vocabulary()}"
                )
        for word, (kind, known) in zip(words, VOCABULARY.items(), strict=True):
            if word not in known:
                raise ValueError(f"{text!r}: {word!r} is no {kind}: choose one of {', '.join(known)}")
        rows.append([known.index(word) for word, known in zip(words, VOCABULARY.values(), strict=True)])
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)


def checked(attributes: Tensor) -> Tensor:
    """The attributes (N, 4) as int64. Raises ValueError for another shape or type, or a number out of range."""
    attributes = torch.as_tensor(attributes)
    limits = torch.tensor([len(words) for words in VOCABULARY.values()])
    if attributes.ndim != 2 or attributes.shape[1] != 4 or attributes.is_floating_point():
        raise ValueError(
            f"attributes have shape {tuple(attributes.shape)} and type {attributes.dtype}; they must be "
            "whole numbers (N, 4): shape, colour, size, background"
        )
    if ((attributes < 0) | (attributes >= limits)).any():
        raise ValueError(
            f"attributes go from {attributes.min(0).values.tolist()} to {attributes.max(0).values.tolist()}; "
            f"the limits are 0 and {(limits - 1).tolist()} (shape, colour, size, background)"
        )
    return attributes.long()


def _vocabulary() -> str:
    return "; ".join(f"{kind}: {', '.join(words)}" for kind, words in VOCABULARY.items())
