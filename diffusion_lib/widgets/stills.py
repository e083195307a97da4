"""Stills: what a widget looks like where nothing runs, as a PNG with its alt text.

They are drawn with Pillow on white, so that a notebook page of a code host, light or dark, shows them alike.
"""

import base64
import io
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

INK, FAINT = (33, 33, 33), (105, 105, 105)


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which knows Greek, hats and bars; matplotlib carries it."""
    folder = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), size)


def png(picture: Image.Image, alt: str) -> bytes:
    """The picture as PNG, its alt text among the metadata."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Description", alt)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True, pnginfo=info)
    return out.getvalue()


def strip(columns: list[str], rows: list[tuple[str, list[np.ndarray]]], alt: str, *, width: int = 130) -> bytes:
    """A film strip: one column a time, one row a track; pictures (H, W, 3) uint8, enlarged by whole numbers only.

    `width` is what a column should be wide, in pixels.
    """
    text, small = font(13), font(11)
    blocks = []
    for name, pictures in rows:
        scale = max(1, width // pictures[0].shape[1])
        blocks.append((name, [Image.fromarray(p).resize((p.shape[1] * scale, p.shape[0] * scale), Image.NEAREST)
                              for p in pictures]))
    cell = max(max(p.width for _, made in blocks for p in made), *(int(text.getlength(c)) for c in columns))
    gap, head, line = 10, 22, 20
    height = head + sum(made[0].height + line for _, made in blocks)
    sheet = Image.new("RGB", (len(columns) * (cell + gap) + gap, height), "white")
    draw = ImageDraw.Draw(sheet)
    for i, label in enumerate(columns):
        draw.text((gap + i * (cell + gap), 4), label, INK, font=text)
    top = head
    for name, made in blocks:
        for i, picture in enumerate(made):
            sheet.paste(picture, (gap + i * (cell + gap), top))
        draw.text((gap, top + made[0].height + 2), name, FAINT, font=small)
        top += made[0].height + line
    return png(sheet, alt)


def beside(pictures: list[bytes], alt: str, *, down: bool) -> bytes:
    """Several stills as one, side by side or one below the other."""
    opened = [Image.open(io.BytesIO(one)).convert("RGB") for one in pictures]
    wide, high = [p.width for p in opened], [p.height for p in opened]
    size = (max(wide), sum(high)) if down else (sum(wide), max(high))
    sheet, at = Image.new("RGB", size, "white"), 0
    for picture in opened:
        sheet.paste(picture, (0, at) if down else (at, 0))
        at += picture.height if down else picture.width
    return png(sheet, alt)


def bundle(widget: object) -> tuple[dict, dict]:
    """What a widget puts into a notebook: its view, and beside it the still and the alt text."""
    alt = repr(widget)
    data = {"text/plain": alt, "image/png": base64.b64encode(widget.still()).decode()}
    if getattr(widget, "comm", None) is not None:
        widget._cell.show()
        data["application/vnd.jupyter.widget-view+json"] = {
            "version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return data, {"image/png": {"alt": alt}}
