"""Pictures over time: `Frames`, and `Noising`, whose frames the browser computes.

A picture's values become 256 levels once, here: `round((x - low) · 255 / (high - low))`, values beyond the range at its
ends. The range, and how far the values go beyond it, stand under each track. Values that are NaN or infinite are
magenta. `Noising` sends x0 and the noise as float32 and leaves `x_t = alpha(t) x0 + sigma(t) noise` to the browser.
"""

import math

import numpy as np
import traitlets

from . import stills
from .base import Pack, Scrubber, array, as_times, checked_names, module, number, picked

MAGENTA = np.array([255, 0, 255], dtype=np.uint8)
MOST = 64


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


def as_rgb(levels: np.ndarray, odd: np.ndarray | None, columns: int, gap: int) -> np.ndarray:
    """One frame (B, H, W, C) as one picture (H', W', 3): a grid as in the browser, white between the pictures."""
    b, h, w, _ = levels.shape
    rows = math.ceil(b / columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, dtype=np.uint8)
    for p in range(b):
        top, left = (p // columns) * (h + gap), (p % columns) * (w + gap)
        picture = np.broadcast_to(levels[p], (h, w, 3)).copy()
        if odd is not None:
            picture[odd[p].any(-1)] = MAGENTA
        sheet[top : top + h, left : left + w] = picture
    return sheet


def _columns(count: int, height: int, width: int) -> int:
    """Columns of a grid that is about square, with full rows where that costs little."""
    least = math.ceil(math.sqrt(count * height / width))
    return next((c for c in range(least, min(count, 2 * least) + 1) if count % c == 0), least)


class Frames(Scrubber):
    """Pictures over time, in one or several tracks side by side. Taught with in notebook 00.

    tracks: `{name: frames}`; frames (N, B, C, H, W), or a list of N tensors (B, C, H, W), or (N, C, H, W) for one
      picture a frame, or (N, H, W); N may be 1 in some tracks: they stand still. At most 64 pictures are shown.
    times: N times, all rising or all falling; without them 0 to 1, evenly.
    values: `{name: N numbers or texts}`, shown at the time where they hold.
    ranges: `(low, high)` of black and white, one for all tracks or `{name: (low, high)}`; uint8 frames have (0, 255).
    captions: `{name: text}` under a track, in place of its name.
    columns: pictures in a row. size: width of a track on the page, in pixels, about.
    alt: what changes from the first frame to the last, in words. axis: what the times are called.

    Raises ValueError for tracks without frames, of different lengths, or with a range that is empty.
    """

    _code = traitlets.Unicode(module("frames")).tag(sync=True)
    _tracks = traitlets.List().tag(sync=True)

    def __init__(
        self,
        tracks: dict[str, object],
        *,
        times: object = None,
        values: dict[str, object] | None = None,
        ranges: tuple[float, float] | dict[str, tuple[float, float]] = (-1.0, 1.0),
        captions: dict[str, str] | None = None,
        columns: int | None = None,
        size: int = 256,
        alt: str = "",
        axis: str = "t",
        fps: float = 0.0,
        loop: bool = True,
    ) -> None:
        super().__init__(axis=axis, fps=fps, loop=loop)
        self._options = {"ranges": ranges, "captions": captions or {}, "columns": columns, "size": size}
        self.update(tracks, times=times, values=values, alt=alt)

    def update(
        self,
        tracks: dict[str, object],
        *,
        times: object = None,
        values: dict[str, object] | None = None,
        alt: str = "",
    ) -> None:
        """Show other frames in the same widget, at the same place in time; arguments as for a new one."""
        tracks = tracks if isinstance(tracks, dict) else {"x": tracks}
        checked_names(list(tracks), "track")
        frames = {name: as_frames(one, name) for name, one in tracks.items()}
        count = max(len(one) for one in frames.values())
        for name, one in frames.items():
            if len(one) not in (1, count):
                raise ValueError(f"track {name!r} has {len(one)} frames and another has {count}: give as many to each")
        if count == 1 and times is not None and len(array(times)) > 1:
            count = len(array(times))
        times = as_times(times, count)
        pack, made, strip = Pack(), [], []
        for i, (name, one) in enumerate(frames.items()):
            meta, row = self._add(pack, f"{i}", name, one, count)
            made.append(meta)
            strip.append(row)
        self._show(pack, made, strip, times, values, alt)

    def _show(self, pack: Pack, made: list, strip: list, times: list[float], values: dict | None, alt: str) -> None:
        names = ", ".join(meta["name"] for meta in made)
        pictures = f"{made[0]['n']} picture{'s' * (made[0]['n'] > 1)}"
        given = (
            f"{names}: {pictures} at {len(times)} times, from {self.axis} = {number(times[0])} to {number(times[-1])}."
        )
        self._replace(times, pack, strip, values=values, alt=alt or given, _tracks=made)

    def _range(self, name: str, frames: np.ndarray) -> tuple[float, float]:
        ranges = self._options["ranges"]
        low, high = (
            (0, 255)
            if frames.dtype == np.uint8
            else (ranges.get(name, (-1.0, 1.0)) if isinstance(ranges, dict) else ranges)
        )
        if not low < high:
            raise ValueError(f"range ({low:g}, {high:g}) of track {name!r} is empty: give low < high")
        return float(low), float(high)

    def _meta(self, name: str, shape: tuple[int, ...], low: float, high: float, found: tuple, whole: int) -> dict:
        b, c, h, w = shape
        columns = self._options["columns"] or _columns(b, h, w)
        gap = 1 if b > 1 and max(h, w) < 16 else 2 if b > 1 else 0
        wide = columns * (w + gap) - gap
        said = f"black {number(low)}, white {number(high)}"
        if found[0] < low or found[1] > high:
            said += f"; values from {number(found[0])} to {number(found[1])}, those beyond are shown as the nearest"
        if whole > b:
            said += f"; the first {b} of {whole} pictures"
        return {
            "name": self._options["captions"].get(name, name),
            "n": b,
            "channels": c,
            "height": h,
            "width": w,
            "columns": columns,
            "gap": gap,
            "scale": max(1, round(self._options["size"] / wide)),
            "low": low,
            "high": high,
            "range": said,
            "mix": False,
            "one": False,
        }

    def _add(self, pack: Pack, key: str, name: str, frames: np.ndarray, count: int) -> tuple[dict, tuple]:
        whole = frames.shape[1]
        frames = frames[:, :MOST]
        low, high = self._range(name, frames)
        n, b, c, h, w = frames.shape
        levels = np.empty((n, b, h, w, c), dtype=np.uint8)
        odd, least, most = None, math.inf, -math.inf
        for k in range(n):  # a frame at a time: float64 copies stay small
            frame = frames[k]
            small, large = float(frame.min()), float(frame.max())
            if not (math.isfinite(small) and math.isfinite(large)):
                bad = ~np.isfinite(frame)
                odd = np.zeros((n, b, h, w, c), dtype=np.uint8) if odd is None else odd
                odd[k] = bad.transpose(0, 2, 3, 1)
                kept = frame[~bad]
                small, large = (float(kept.min()), float(kept.max())) if kept.size else (math.inf, -math.inf)
            least, most = min(least, small), max(most, large)
            levels[k] = (frame if frame.dtype == np.uint8 else quantise(frame, low, high)).transpose(0, 2, 3, 1)
        meta = self._meta(name, (b, c, h, w), low, high, (least, most), whole)
        meta |= {"data": f"levels {key}", "odd": f"odd {key}", "one": n == 1 and count > 1}
        pack.add(f"levels {key}", levels, stride=b * h * w * c)
        if odd is not None:
            pack.add(f"odd {key}", odd)
        chosen = [0 if n == 1 else k for k in picked(count)]
        return meta, (meta, [self._cell_of_strip(meta, levels[k], None if odd is None else odd[k]) for k in chosen])

    @staticmethod
    def _cell_of_strip(meta: dict, levels: np.ndarray, odd: np.ndarray | None) -> np.ndarray:
        """The pictures of a frame that a still shows: as many as make about 4096 pixels, in the widget's columns."""
        b, h, w, _ = levels.shape
        fit = max(1, 4096 // (h * w))
        kept = b if b <= fit else fit
        columns = min(meta["columns"], kept) if kept == b else _columns(kept, h, w)
        return as_rgb(levels[:kept], None if odd is None else odd[:kept] > 0, columns, meta["gap"])

    def still(self) -> bytes:
        """A PNG of up to five frames, first to last, one row a track."""
        columns = [f"{self.axis} = {number(self.times[k])}" for k in picked(len(self.times))]
        return stills.strip(columns, [(meta["name"], pictures) for meta, pictures in self._strip], repr(self))


class Noising(Frames):
    """The forward process `x_t = alpha(t) x0 + sigma(t) noise` on pictures, computed in the browser.

    x0, noise: (B, C, H, W), or (C, H, W), or (H, W). alpha, sigma: N numbers, one for each of `times`.
    Other options as for `Frames`. Two frames and two curves are sent, however many times there are; `update` with
    another schedule sends them again. Taught with in notebook 02.

    Raises ValueError where shapes or lengths differ.
    """

    def __init__(
        self,
        x0: object,
        noise: object,
        alpha: object,
        sigma: object,
        times: object = None,
        *,
        values: dict[str, object] | None = None,
        low: float = -1.0,
        high: float = 1.0,
        name: str = "x_t",
        columns: int | None = None,
        size: int = 256,
        alt: str = "",
        axis: str = "t",
        fps: float = 0.0,
        loop: bool = True,
    ) -> None:
        self._pictures = array(x0, dtype=np.float32), array(noise, dtype=np.float32)
        self._name = name
        super().__init__(
            (alpha, sigma),
            times=times,
            values=values,
            ranges=(low, high),
            columns=columns,
            size=size,
            alt=alt,
            axis=axis,
            fps=fps,
            loop=loop,
        )

    def update(
        self,
        rates: tuple[object, object],
        *,
        times: object = None,
        values: dict[str, object] | None = None,
        alt: str = "",
    ) -> None:
        """Show another schedule: `rates` is (alpha, sigma), each N numbers."""
        alpha, sigma = (array(one, dtype=np.float32).reshape(-1) for one in rates)
        x0, noise = self._pictures
        if x0.shape != noise.shape:
            raise ValueError(f"x0 has shape {x0.shape} and noise {noise.shape}: they must be alike")
        if len(alpha) != len(sigma):
            raise ValueError(f"{len(alpha)} values of alpha and {len(sigma)} of sigma: give one of each for each time")
        times = as_times(times, len(alpha))
        if x0.ndim not in (2, 3, 4):
            raise ValueError(f"x0 has shape {x0.shape}: give (pictures, channels, height, width)")
        pair = [as_frames(one[(None,) * (5 - one.ndim)], name) for one, name in ((x0, "x0"), (noise, "noise"))]
        whole = pair[0].shape[1]
        pair = [one[:, :MOST] for one in pair]
        low, high = self._range(self._name, pair[0])
        _, b, c, h, w = pair[0].shape
        frame = (
            [self._mix(*pair, alpha[k], sigma[k]) for k in range(len(times))]
            if len(times) <= 5
            else [self._mix(*pair, alpha[k], sigma[k]) for k in picked(len(times))]
        )
        finite = [one[np.isfinite(one)] for one in frame]
        found = (
            min((float(one.min()) for one in finite if one.size), default=low),
            max((float(one.max()) for one in finite if one.size), default=high),
        )
        meta = self._meta(self._name, (b, c, h, w), low, high, found, whole) | {"mix": True}
        pack = Pack()
        for name, one in zip(("x0", "noise"), pair, strict=True):
            pack.add(name, one[0].transpose(0, 2, 3, 1))
        pack.add("alpha", alpha)
        pack.add("sigma", sigma)
        strip = []
        for one in frame:
            odd = ~np.isfinite(one)
            levels = quantise(one, low, high)
            strip.append(self._cell_of_strip(meta, levels, odd if odd.any() else None))
        self._show(pack, [meta], [(meta, strip)], times, values, alt)

    @staticmethod
    def _mix(x0: np.ndarray, noise: np.ndarray, alpha: np.float32, sigma: np.float32) -> np.ndarray:
        return (alpha * x0 + sigma * noise)[0].transpose(0, 2, 3, 1)
