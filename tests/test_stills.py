"""Stills stay as wide as a page, and lines stay inside their plot."""

import io

import numpy as np
import pytest
from PIL import Image

from diffusion_lib.course import widgets
from diffusion_lib.course.widgets import stills


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


@pytest.mark.parametrize("count, size", [(2, (800, 60)), (3, (800, 120)), (5, (800, 180))])
def test_a_row_that_is_wider_than_a_page_goes_on_in_the_next_line(count, size):
    one = stills.png(Image.new("RGB", (400, 60), "white"), "white")
    assert opened(stills.beside([one] * count, "rows", down=False)).size == size


def test_a_column_stays_a_column():
    one = stills.png(Image.new("RGB", (100, 60), "white"), "white")
    assert opened(stills.beside([one] * 3, "column", down=True)).size == (100, 180)


def test_a_line_is_cut_off_at_the_frame():
    x = np.linspace(0, 1, 50)
    curve = widgets.Curves(x, {"far": np.linspace(-3, 3, 50)}, y_range=(-1, 1))
    picture = np.asarray(opened(curve.still()), dtype=int)
    coloured = (np.abs(picture - np.array(stills.COLOURS[0])).sum(-1) < 60).nonzero()[0]
    frame = curve._plot["top"], curve._plot["height"] - curve._plot["bottom"]
    in_plot = coloured[coloured < curve._plot["height"]]  # the legend is below
    assert len(in_plot) > 50
    assert in_plot.min() >= frame[0] and in_plot.max() <= frame[1]
