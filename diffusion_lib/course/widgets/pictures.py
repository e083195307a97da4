"""Pictures as 256 levels, as grids, and as many of them as fit into a still.

A value x becomes the level `round((x - low) · 255 / (high - low))`, values beyond the range the nearest end.
"""

import math

import numpy as np

from .. import tokens
from .arrays import array

BROKEN = np.frombuffer(bytes.fromhex(tokens.BROKEN[1:]), dtype=np.uint8)
MOST = 64  # pictures in a frame
STILL_WIDTH = 1200  # pixels of a still, at most
STILL_PICTURE = (
    96  # pixels that a picture in a still is wide, at least, unless there are more than STILL_MANY to a frame
)
STILL_PIXELS = 6144  # of the pictures' own, in a frame of a still: six pictures of 32 × 32
STILL_MANY = 16
STILL_BYTES = 50_000  # of a track in a still, before compression
STILL_GAP = 10  # pixels between the frames of a still


def quantise(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """The levels 0..255 of values between `low` and `high`; values beyond them are at the ends. NaN becomes 0."""
    x = np.nan_to_num(x, nan=low, posinf=high, neginf=low) if not np.isfinite(x).all() else x
    x = np.clip(x.astype(np.float64), low, high)
    x -= low
    x *= 255 / (high - low)
    x += 0.5
    return x.astype(np.uint8)  # truncation is floor: nothing is negative


def as_frames(frames: object, name: str) -> np.ndarray:
    """Frames as an array (N, B, C, H, W), from that, (N, C, H, W), (N, H, W), or a list of (B, C, H, W)."""
    x = array(frames)
    if x.ndim == 3:
        x = x[:, None, None]
    elif x.ndim == 4:
        x = x[:, None]
    if x.ndim != 5:
        raise ValueError(f"track {name!r} has shape {x.shape}: give (frames, pictures, channels, height, width)")
    if 0 in x.shape:
        raise ValueError(f"track {name!r} has shape {x.shape}: there is no picture in it")
    if x.dtype == bool:
        x = x.astype(np.uint8)
    if x.shape[2] not in (1, 3):  # other channels, of latents, stand side by side in grey
        n, b, c, h, w = x.shape
        x = x.transpose(0, 1, 3, 2, 4).reshape(n, b, 1, h, c * w)
    return x


def as_sheet(levels: np.ndarray, broken: np.ndarray | None, columns: int, scale: int) -> np.ndarray:
    """Pictures (B, H, W, C) of a frame as one (H', W', 3): a grid of them, enlarged by `scale`, white in between."""
    b, h, w, _ = levels.shape
    h, w, gap = h * scale, w * scale, 2
    rows = math.ceil(b / columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, dtype=np.uint8)
    for p in range(b):
        top, left = (p // columns) * (h + gap), (p % columns) * (w + gap)
        picture = np.broadcast_to(levels[p], (*levels.shape[1:3], 3)).copy()
        if broken is not None:
            picture[broken[p].any(-1)] = BROKEN
        sheet[top : top + h, left : left + w] = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    return sheet


def still_layout(shapes: list[tuple[int, int, int, int]]) -> tuple[int, list[tuple[int, int, int]]]:
    """How a still shows tracks of pictures (B, H, W, C): how many times, and (pictures, columns, scale) of each track.

    Five times if there is room, and three at least, so that pictures are 96 pixels wide, a frame is about as wide as it
    is high, and the file stays small, for noise does not shrink. Over 16 pictures to a frame they may be smaller.
    """
    shown = [min(b, max(1, STILL_PIXELS // (h * w))) for b, h, w, _ in shapes]
    for times in (5, 4, 3):
        room, columns = (STILL_WIDTH + STILL_GAP) // times - STILL_GAP, []
        for pictures, (_, h, w, _) in zip(shown, shapes, strict=True):
            fitting = max(1, (room + 2) // (math.ceil(STILL_PICTURE / w) * w + 2))
            if pictures > STILL_MANY:
                fitting = square_columns(pictures, h, w)
            columns.append(math.ceil(pictures / math.ceil(pictures / fitting)))
        square = all(math.ceil(p / c) <= c and p <= STILL_MANY for p, c in zip(shown, columns, strict=True))
        small = all(times * p * h * w * c <= STILL_BYTES for p, (_, h, w, c) in zip(shown, shapes, strict=True))
        if square and small:
            break
    layouts = []
    for pictures, count, (_, _, w, _) in zip(shown, columns, shapes, strict=True):
        least, wanted = math.ceil(STILL_PICTURE / w), (room, 200, 130)[min(len(shapes), 3) - 1]
        if pictures > STILL_MANY:
            least, wanted = 1, room
        layouts.append((pictures, count, max(least, ((min(wanted, room) + 2) // count - 2) // w)))
    return times, layouts


def square_columns(count: int, height: int, width: int) -> int:
    """Columns of a grid that is about square, with full rows where that costs little."""
    least = math.ceil(math.sqrt(count * height / width))
    return next((c for c in range(least, min(count, 2 * least) + 1) if count % c == 0), least)
