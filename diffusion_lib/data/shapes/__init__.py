"""Pictures drawn from captions: one shape, with colour, size and background, at a random position and angle.

Since everything that was asked for is known, what a model made of a caption can be *measured*: `recognise` reads the
attributes back from the pixels.

    attributes: (N, 4) int64 = shape, colour, size, background
    caption:    "a small red star on a dark background"

`words` turns attributes into captions and back, `outlines` holds the forms, `drawing` draws, `reading` recognises.
"""

from .drawing import draw, shapes
from .outlines import SHAPES
from .reading import recognise
from .words import BACKGROUNDS, COLOURS, SIZES, VOCABULARY, attributes_of, caption, combinations, having

__all__ = [  # noqa: RUF022 constants, words, pictures
    "BACKGROUNDS",
    "COLOURS",
    "SHAPES",
    "SIZES",
    "VOCABULARY",
    "attributes_of",
    "caption",
    "combinations",
    "having",
    "draw",
    "recognise",
    "shapes",
]
