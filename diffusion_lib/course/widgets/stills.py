"""Stills: what a widget looks like where nothing runs, as a PNG with its alt text.

They are drawn with Pillow on white, so that a notebook page of a code host, light or dark, shows them alike.
"""

import base64
import io
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

INK, FAINT = (33, 33, 33), (105, 105, 105)
PAGE = 1000  # pixels; a wider still would be shrunk until nothing can be read
COLOURS = [(0, 102, 166), (194, 78, 0), (0, 117, 90), (154, 63, 125), (85, 85, 85), (138, 109, 0)]
DASHES = [(), (7, 4), (2, 3), (9, 3, 2, 3), (12, 4), (4, 4)]


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which knows Greek, hats and bars; matplotlib carries it."""
    folder = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), size)


def png(picture: Image.Image, alt: str, *, colours: int = 0) -> bytes:
    """The picture as PNG, its alt text among the metadata; in few colours if asked, where exact ones do not matter."""
    if colours:
        picture = picture.quantize(colours, dither=Image.Dither.NONE)
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
        blocks.append(
            (
                name,
                [Image.fromarray(p).resize((p.shape[1] * scale, p.shape[0] * scale), Image.NEAREST) for p in pictures],
            )
        )
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
    """Several stills as one: one below the other, or side by side in lines no wider than a page."""
    lines: list[list[Image.Image]] = [[]]
    for picture in (Image.open(io.BytesIO(one)).convert("RGB") for one in pictures):
        if lines[-1] and (down or sum(p.width for p in lines[-1]) + picture.width > PAGE):
            lines.append([])
        lines[-1].append(picture)
    return png(stack([side_by_side(line) for line in lines], down=True), alt)


def bundle(widget: object) -> tuple[dict, dict]:
    """What a widget puts into a notebook: its view, and beside it the still and the alt text."""
    alt = repr(widget)
    data = {"text/plain": alt, "image/png": base64.b64encode(widget.still()).decode()}
    widget._cell.show()
    data["application/vnd.jupyter.widget-view+json"] = {
        "version_major": 2,
        "version_minor": 0,
        "model_id": widget.model_id,
    }
    return data, {"image/png": {"alt": alt}}


def words(text: str) -> bytes:
    """A line of text as a still: what a control was set to."""
    wide = int(font(13).getlength(text)) + 20
    sheet = Image.new("RGB", (wide, 26), "white")
    ImageDraw.Draw(sheet).text((10, 5), text, INK, font=font(13))
    return png(sheet, text)


def stack(pictures: list[Image.Image], *, down: bool) -> Image.Image:
    """Pictures side by side, or one below the other, on white."""
    wide, high = [p.width for p in pictures], [p.height for p in pictures]
    sheet, at = Image.new("RGB", (max(wide), sum(high)) if down else (sum(wide), max(high)), "white"), 0
    for picture in pictures:
        sheet.paste(picture, (0, at) if down else (at, 0))
        at += picture.height if down else picture.width
    return sheet


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """Pictures in a row."""
    return stack(pictures, down=False)


def key_of(i: int, name: str) -> Image.Image:
    """A piece of the i-th line, and its name."""
    text = font(12)
    sheet = Image.new("RGB", (int(text.getlength(name)) + 56, 22), "white")
    draw = ImageDraw.Draw(sheet)
    _dashed(draw, [(8, 11), (36, 11)], COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)], 2)
    draw.text((42, 4), name, INK, font=text)
    return sheet


def key(names: list[str]) -> Image.Image:
    """A legend in one line."""
    return side_by_side([key_of(i, name) for i, name in enumerate(names)])


def _dashed(draw: ImageDraw.ImageDraw, points: list, colour: tuple, dash: tuple, width: int) -> None:
    if not dash:
        draw.line(points, fill=colour, width=width, joint="curve")
        return
    lengths, at, left, on = list(dash), 0, dash[0], True
    for (x0, y0), (x1, y1) in pairwise(points):
        whole = float(np.hypot(x1 - x0, y1 - y0))
        done = 0.0
        while done < whole:
            step = min(left, whole - done)
            if on:
                a, b = done / whole, (done + step) / whole
                draw.line(
                    [(x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))],
                    fill=colour,
                    width=width,
                )
            done, left = done + step, left - step
            if left <= 1e-9:
                at, on = (at + 1) % len(lengths), not on
                left = lengths[at]


class Plot:
    """A plot drawn with Pillow, at twice its size and then halved, for smooth lines; `plot` is from plots.plot."""

    ZOOM = 2

    def __init__(self, plot: dict) -> None:
        self.plot = plot
        z = self.ZOOM
        self.sheet = Image.new("RGB", (plot["width"] * z, plot["height"] * z), "white")
        self.draw = ImageDraw.Draw(self.sheet, "RGBA")
        self.box = (
            plot["left"] * z,
            plot["top"] * z,
            (plot["width"] - plot["right"]) * z,
            (plot["height"] - plot["bottom"]) * z,
        )
        self.foot: Image.Image | None = None

    def place(self, x: object, y: object) -> tuple[np.ndarray, np.ndarray]:
        """Values to pixels of the large sheet."""
        left, top, right, bottom = self.box
        spots = []
        for values, ends, log, (a, b) in (
            (x, self.plot["x"], self.plot["logX"], (left, right)),
            (y, self.plot["y"], self.plot["logY"], (bottom, top)),
        ):
            values = np.asarray(values, dtype=float)
            with np.errstate(divide="ignore", invalid="ignore"):
                low, high = (np.log(end) if log else end for end in ends)
                f = ((np.log(values) if log else values) - low) / (high - low)
            spots.append(a + f * (b - a))
        return spots[0], spots[1]

    def axes(self) -> None:
        """Frame, ticks and labels."""
        z, (left, top, right, bottom) = self.ZOOM, self.box
        self.draw.rectangle((left, top, right, bottom), outline=(170, 170, 170), width=z)
        text = font(11 * z)
        for value, label in self.plot["xTicks"]:
            at = float(self.place(value, self.plot["y"][0])[0])
            self.draw.line((at, bottom, at, bottom + 4 * z), fill=FAINT, width=z)
            self.draw.text((at, bottom + 5 * z), label, FAINT, font=text, anchor="ma")
        for value, label in self.plot["yTicks"]:
            at = float(self.place(self.plot["x"][0], value)[1])
            self.draw.line((left - 4 * z, at, left, at), fill=FAINT, width=z)
            self.draw.text((left - 6 * z, at), label, FAINT, font=text, anchor="rm")
        if self.plot["xLabel"]:
            at = ((left + right) / 2, bottom + 20 * z)
            self.draw.text(at, self.plot["xLabel"], INK, font=font(12 * z), anchor="ma")
        if self.plot["yLabel"]:
            self.draw.text((left, top - 4 * z), self.plot["yLabel"], INK, font=font(12 * z), anchor="ld")

    def line(self, x: object, y: object, colour: tuple, dash: tuple) -> None:
        """A line, cut off at the plot's frame; a gap where it is not finite."""
        px, py = self.place(x, y)
        whole, frame = self.sheet, tuple(int(v) for v in self.box)
        self.sheet = whole.copy()
        self.draw = ImageDraw.Draw(self.sheet, "RGBA")
        self._runs(px, py, colour, dash)
        whole.paste(self.sheet.crop(frame), frame)
        self.sheet, self.draw = whole, ImageDraw.Draw(whole, "RGBA")

    def _runs(self, px: np.ndarray, py: np.ndarray, colour: tuple, dash: tuple) -> None:
        run: list = []
        for spot in [*zip(px, py, strict=True), (np.nan, np.nan)]:
            if np.isfinite(spot).all():
                run.append((float(np.clip(spot[0], -1e4, 1e4)), float(np.clip(spot[1], -1e4, 1e4))))
                continue
            if len(run) > 1:
                _dashed(self.draw, run, colour, tuple(d * self.ZOOM for d in dash), 2 * self.ZOOM)
            elif run:
                self._mark(*run[0], colour, 0, 3)
            run = []

    def band(self, x: object, low: np.ndarray, high: np.ndarray, colour: tuple) -> None:
        """A translucent band between two lines."""
        if self.plot["logY"]:
            low = np.maximum(low, self.plot["y"][0])
        px, a = self.place(x, low)
        _, b = self.place(x, high)
        good = np.isfinite(px) & np.isfinite(a) & np.isfinite(b)
        for i in np.flatnonzero(good[:-1] & good[1:]):
            j = i + 1
            self.draw.polygon([(px[i], a[i]), (px[j], a[j]), (px[j], b[j]), (px[i], b[i])], fill=(*colour, 60))

    def bars(self, edges: np.ndarray, heights: np.ndarray, colour: tuple) -> None:
        """A histogram."""
        px, py = self.place(edges, np.zeros(len(edges)))
        _, top = self.place(np.zeros(len(heights)), np.minimum(heights, self.plot["y"][1]))
        for i in range(len(heights)):
            if heights[i] > 0:
                self.draw.rectangle((px[i], top[i], px[i + 1], py[i]), fill=(*colour, 110))

    def shade(self, levels: np.ndarray, colour: tuple) -> None:
        """A density (64, 64), rows from low to high y, as a tint."""
        left, top, right, bottom = (int(v) for v in self.box)
        alpha = Image.fromarray((levels[::-1] * 0.6).astype(np.uint8))
        alpha = alpha.resize((right - left, bottom - top), Image.BILINEAR)
        self.sheet.paste(Image.new("RGB", alpha.size, colour), (left, top), alpha)

    def arrows(self, at: np.ndarray, arrows: np.ndarray) -> None:
        """Arrows (M, 2) at points (M, 2), the longest as long as a cell of a 16 × 16 grid."""
        size = (self.plot["x"][1] - self.plot["x"][0]) / 16
        x0, y0 = self.place(at[:, 0], at[:, 1])
        x1, y1 = self.place(at[:, 0] + size * arrows[:, 0], at[:, 1] + size * arrows[:, 1])
        for a, b, c, d in zip(x0, y0, x1, y1, strict=True):
            if np.isfinite([a, b, c, d]).all():
                u, v = c - a, d - b
                self.draw.line((a, b, c, d), fill=FAINT, width=self.ZOOM)
                head = [(c - 0.35 * u + s * v, d - 0.35 * v - s * u) for s in (0.2, -0.2)]
                self.draw.line([head[0], (c, d), head[1]], fill=FAINT, width=self.ZOOM)

    def dots(self, points: np.ndarray, colour: tuple, shape: int) -> None:
        """Points (M, 2); those beyond the axes are not drawn."""
        left, top, right, bottom = self.box
        px, py = self.place(points[:, 0], points[:, 1])
        for x, y in zip(px, py, strict=True):
            if left <= x <= right and top <= y <= bottom:
                self._mark(float(x), float(y), colour, shape, 1.4)

    def _mark(self, x: float, y: float, colour: tuple, shape: int, radius: float) -> None:
        r = radius * self.ZOOM
        if shape == 0:
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 190))
        elif shape == 1:
            self.draw.rectangle((x - r, y - r, x + r, y + r), outline=(*colour, 230))
        else:
            self.draw.polygon([(x, y - r), (x + r, y + r), (x - r, y + r)], fill=(*colour, 190))

    def legend(self, names: list[str]) -> None:
        """The names of the lines, below the plot."""
        lines, wide, width = [[]], 0.0, self.sheet.width // self.ZOOM
        for i, name in enumerate(names):
            one = key_of(i, name)
            if wide + one.width > width and lines[-1]:
                lines.append([])
                wide = 0.0
            lines[-1].append(one)
            wide += one.width
        self.foot = stack([side_by_side(line) for line in lines], down=True)

    def finish(self) -> Image.Image:
        """The plot at its own size, with its legend if it has one."""
        size = (self.sheet.width // self.ZOOM, self.sheet.height // self.ZOOM)
        whole = self.sheet.resize(size, Image.LANCZOS)
        return stack([whole, self.foot], down=True) if self.foot else whole
