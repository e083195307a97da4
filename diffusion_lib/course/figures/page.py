"""Figures on the notebook's page: as PNG, with a description in words."""

from __future__ import annotations

import base64
import io
import sys

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from .. import tokens
from .style import PIXELS, SHARPNESS

BROKEN = tuple(round(255 * channel) for channel in to_rgb(tokens.BROKEN))


def encode(picture: Image.Image, alt: str, *, colours: int | None = None) -> bytes:
    """A picture as PNG, its description among the file's metadata; `colours` allows no more than so many of them.

    Without `colours` every pixel stays as it is; what needs no more than grey, or 256 colours, is stored so.
    """
    picture = picture.convert("RGB")
    if colours is not None:
        picture = picture.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    else:
        picture = _lossless(picture)
    content, metadata = io.BytesIO(), PngImagePlugin.PngInfo()
    metadata.add_itxt("Description", alt)
    picture.save(content, "PNG", optimize=True, pnginfo=metadata)
    return content.getvalue()


def _lossless(picture: Image.Image) -> Image.Image:
    """The same pixels in grey, or with a palette, where that is enough."""
    red, green, blue = np.moveaxis(np.asarray(picture, dtype=np.uint32), -1, 0)
    if (red == green).all() and (green == blue).all():
        return picture.convert("L")
    present, indices = np.unique(red << 16 | green << 8 | blue, return_inverse=True)
    if len(present) > 256:
        return picture
    palette = Image.fromarray(indices.reshape(red.shape).astype(np.uint8), "P")
    palette.putpalette(np.stack([present >> 16, present >> 8 & 255, present & 255], axis=1).astype(np.uint8).tobytes())
    return palette


def raster(figure: Figure, *, dpi: float = SHARPNESS * PIXELS) -> Image.Image:
    """A figure as pixels, `dpi` of them to an inch."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi)
    return Image.open(content).convert("RGB")


def png(figure: Figure, alt: str) -> bytes:
    """Draw a figure as PNG, its description among the file's metadata."""
    picture = raster(figure)
    colours = {colour for _, colour in picture.getcolors(picture.width * picture.height)}
    # A drawing needs no more than 256 colours: a third of the size. Pictures keep theirs, and so does magenta.
    few = 256 < len(colours) <= 4096 and BROKEN not in colours
    return encode(picture, alt, colours=256 if few else None)


def bundle(figure: Figure, alt: str) -> tuple[dict, dict]:
    """What a notebook stores of a figure, as (data, metadata) by media type."""
    if not alt.strip():
        raise ValueError("alt is empty: say in one or two sentences what the figure shows")
    w, h = (round(PIXELS * inches) for inches in figure.get_size_inches())
    data = {"image/png": base64.b64encode(png(figure, alt)).decode(), "text/plain": alt}
    return data, {"image/png": {"alt": alt, "width": w, "height": h}}


def show(figure: Figure, *, alt: str) -> None:
    """Put a figure on the notebook's page with `alt`, what it shows in words, and close it. Notebook 00.

    `alt` is stored twice: as the picture's description, and as the output's text, which strict output checking
    compares. So write facts into it that hold on any machine. Raises ValueError if it is empty.
    """
    from IPython.display import display

    data, metadata = bundle(figure, alt)
    display(data, metadata=metadata, raw=True)
    close(figure)


def close(figure: Figure) -> None:
    """Free a figure, and take it from pyplot if pyplot has it."""
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close(figure)
    figure.clear()
