"""Picture files of every kind to red, green and blue, on the scale that each kind defines.

    8 bits a channel    v / 255        (grey, colour, palette, CMYK; of an animation, the first frame)
    16 bits, grey       v / 65535      (Pillow's own conversion would clip at 255, to white; 16-bit colour it scales)
    floating point      v              (in [0, 1]; another range has no known white)

A camera's rotation, which is a note in the file (EXIF), is carried out. Where a picture is transparent, white shows
through: opacity a and colour c give a c + (1 - a).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def endings() -> set[str]:
    """The endings of the files that Pillow reads, such as ".png", in lower case; a plugin of Pillow adds its own."""
    from PIL import Image

    Image.init()
    return {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}


def decode(path: str | Path) -> np.ndarray:
    """The picture in this file (H, W, 3), upright and on white: bytes, or float32 in [0, 1] if it had more than 8 bits.

    Raises what Pillow raises for a file that it cannot read, ValueError for a scale that is not known.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with open(path, "rb") as file:  # given the path, Pillow 13 maps TIFF files into memory and garbles rotated ones
        picture = ImageOps.exif_transpose(Image.open(file))
    if picture.mode[0] in "IF":  # 16 and 32 bits, floating point: one channel of grey
        values = np.asarray(picture)
        white = 1 if picture.mode == "F" else 65535
        if not (values.min() >= 0 and values.max() <= white):
            raise ValueError(f"grey from {values.min()} to {values.max()}: only 0 to {white} has a known white")
        grey = values.astype(np.float32) / white
        if "transparency" in picture.info:  # one shade of grey that is to be transparent
            grey = np.where(values == picture.info["transparency"], np.float32(1), grey)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.array(picture.convert("RGB"))
