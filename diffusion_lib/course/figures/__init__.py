"""Figures of the course: tensors in, one matplotlib style out, shown as PNG with a description in words.

Every function draws on `axes` if it is given some, else on a new figure, and returns the figure; `show(figure, alt=…)`
puts it on the page. The looks come from `course.tokens`, which the widgets and the exported pages read too.
"""

from .diagram import diagram
from .page import bundle, close, png, show
from .pictures import as_picture, film_strip, picture_grid
from .plots import cloud, curves, histogram, levels
from .style import COLOURS, DASHES, PIXELS, SHARPNESS, STYLE, panels, use_style
from .training_view import Live, live

__all__ = [
    "COLOURS",
    "DASHES",
    "PIXELS",
    "SHARPNESS",
    "STYLE",
    "Live",
    "as_picture",
    "bundle",
    "close",
    "cloud",
    "curves",
    "diagram",
    "film_strip",
    "histogram",
    "levels",
    "live",
    "panels",
    "picture_grid",
    "png",
    "show",
    "use_style",
]
