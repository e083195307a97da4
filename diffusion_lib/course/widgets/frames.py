"""Pictures over time: `Frames`, and `Noising`, whose frames the browser computes.

A picture's values become 256 levels once, here: `round((x - low) · 255 / (high - low))`, values beyond the range at its
ends. The range, and how far the values go beyond it, stand under each track. Values that are NaN or infinite are
magenta. `Noising` sends x0 and the noise as float32 and leaves `x_t = alpha(t) x0 + sigma(t) noise` to the browser.
"""

import math

import numpy as np
import traitlets

from .arrays import Pack, array, as_times, number
from .base import WIDGETS, Scrubber, checked_names, spread
from .pictures import MOST, STILL_GAP, STILL_WIDTH, as_frames, as_sheet, quantise, square_columns, still_layout


def _shape(track: dict) -> tuple[int, int, int, int]:
    """The shape (B, H, W, C) of the pictures of a track."""
    return track["n"], track["height"], track["width"], track["channels"]


@WIDGETS.register
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
        frames = {name: as_frames(track, name) for name, track in tracks.items()}
        count = max(len(track) for track in frames.values())
        for name, track in frames.items():
            if len(track) not in (1, count):
                raise ValueError(
                    f"track {name!r} has {len(track)} frames and another has {count}: give as many to each"
                )
        if count == 1 and times is not None and len(array(times)) > 1:
            count = len(array(times))
        times = as_times(times, count)
        pack, listed, levels = Pack(), [], []
        for i, (name, track) in enumerate(frames.items()):
            description, pictures = self._add(pack, f"{i}", name, track, count)
            listed.append(description)
            levels.append(pictures)
        chosen = self._chosen(listed, count)
        drawn = []
        for pictures, broken in levels:
            places = [0] * len(chosen) if len(pictures) == 1 else chosen
            drawn.append([(pictures[k].copy(), None if broken is None else broken[k].copy()) for k in places])
        self._show(pack, listed, drawn, times, values, alt)

    @staticmethod
    def _chosen(listed: list[dict], count: int) -> list[int]:
        """The frames that a still shows."""
        times, _ = still_layout([_shape(track) for track in listed])
        return spread(count, times)

    def _show(self, pack: Pack, listed: list, drawn: list, times: list[float], values: dict | None, alt: str) -> None:
        """Show the tracks `listed`; `drawn` has the (levels, broken) of each at the frames of a still."""
        names = ", ".join(track["name"] for track in listed)
        pictures = f"{listed[0]['n']} picture{'s' * (listed[0]['n'] > 1)}"
        span = f"from {self.axis} = {number(times[0])} to {number(times[-1])}"
        described = f"{names}: {pictures} at {len(times)} times, {span}."
        self._replace(times, pack, drawn, values=values, alt=alt or described, _tracks=listed)

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

    def _describe(
        self, name: str, shape: tuple[int, ...], bounds: tuple[float, float], extent: tuple[float, float], given: int
    ) -> dict:
        """What the browser must know of a track of pictures (B, C, H, W), of `given` ones, with values in `extent`."""
        (b, c, h, w), (low, high) = shape, bounds
        columns = self._options["columns"] or square_columns(b, h, w)
        gap = 1 if b > 1 and max(h, w) < 16 else 2 if b > 1 else 0
        wide = columns * (w + gap) - gap
        remark = f"black {number(low)}, white {number(high)}"
        if extent[0] < low or extent[1] > high:
            remark += f"; values from {number(extent[0])} to {number(extent[1])}, those beyond are shown as the nearest"
        if given > b:
            remark += f"; the first {b} of {given} pictures"
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
            "range": remark,
            "mix": False,
            "constant": False,
        }

    def _add(self, pack: Pack, key: str, name: str, frames: np.ndarray, count: int) -> tuple[dict, tuple]:
        """Pack a track (N, B, C, H, W); returns its description, and levels and broken (or None), (N, B, H, W, C)."""
        given = frames.shape[1]
        frames = frames[:, :MOST]
        low, high = self._range(name, frames)
        n, b, c, h, w = frames.shape
        levels = np.empty((n, b, h, w, c), dtype=np.uint8)
        broken, least, most = None, math.inf, -math.inf
        for k in range(n):  # a frame at a time: float64 copies stay small
            frame = frames[k]
            small, large = float(frame.min()), float(frame.max())
            if not (math.isfinite(small) and math.isfinite(large)):
                finite = np.isfinite(frame)
                broken = np.zeros((n, b, h, w, c), dtype=np.uint8) if broken is None else broken
                broken[k] = ~finite.transpose(0, 2, 3, 1)
                numbers = frame[finite]
                small, large = (float(numbers.min()), float(numbers.max())) if numbers.size else (math.inf, -math.inf)
            least, most = min(least, small), max(most, large)
            levels[k] = (frame if frame.dtype == np.uint8 else quantise(frame, low, high)).transpose(0, 2, 3, 1)
        description = self._describe(name, (b, c, h, w), (low, high), (least, most), given)
        description |= {"data": f"levels {key}", "broken": f"broken {key}", "constant": n == 1 and count > 1}
        pack.add(f"levels {key}", levels, stride=b * h * w * c)
        if broken is not None:
            pack.add(f"broken {key}", broken)
        return description, (levels, broken)

    def still(self) -> bytes:
        """A PNG of up to five frames, first to last, one row a track; of many small tracks, one row a frame."""
        from . import stills

        times, layouts = still_layout([_shape(track) for track in self._tracks])
        heads = [f"{self.axis} = {number(self.times[k])}" for k in spread(len(self.times), times)]
        rows = []
        for track, frames, (count, columns, scale) in zip(self._tracks, self._drawn, layouts, strict=True):
            name = track["name"] + (f" (the first {count} of {track['n']})" if count < track["n"] else "")
            rows.append((name, [as_sheet(levels[:count], broken, columns, scale) for levels, broken in frames]))
        widths = [frames[0].shape[1] + STILL_GAP for _, frames in rows]
        if len(rows) > len(heads) and len(rows) > 5 and len(rows) * max(widths) <= STILL_WIDTH:
            heads, rows = (
                [name for name, _ in rows],
                [(head, [frames[k] for _, frames in rows]) for k, head in enumerate(heads)],
            )
        return stills.strip(heads, rows, repr(self))


@WIDGETS.register
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
        alpha, sigma = (array(rate, dtype=np.float32).reshape(-1) for rate in rates)
        x0, noise = self._pictures
        if x0.shape != noise.shape:
            raise ValueError(f"x0 has shape {x0.shape} and noise {noise.shape}: they must be alike")
        if len(alpha) != len(sigma):
            raise ValueError(f"{len(alpha)} values of alpha and {len(sigma)} of sigma: give one of each for each time")
        times = as_times(times, len(alpha))
        if x0.ndim not in (2, 3, 4):
            raise ValueError(f"x0 has shape {x0.shape}: give (pictures, channels, height, width)")
        x0, noise = (as_frames(x[(None,) * (5 - x.ndim)], name)[0] for x, name in ((x0, "x0"), (noise, "noise")))
        given, x0, noise = len(x0), x0[:MOST], noise[:MOST]
        low, high = self._range(self._name, x0)
        pack = Pack()
        for name, x in (("x0", x0), ("noise", noise)):
            pack.add(name, x.transpose(0, 2, 3, 1))
        pack.add("alpha", alpha)
        pack.add("sigma", sigma)
        shown = [(alpha[k] * x0 + sigma[k] * noise).transpose(0, 2, 3, 1) for k in spread(len(times))]
        finite = [x[np.isfinite(x)] for x in shown]
        extent = (
            min((float(x.min()) for x in finite if x.size), default=low),
            max((float(x.max()) for x in finite if x.size), default=high),
        )
        track = self._describe(self._name, x0.shape, (low, high), extent, given) | {"mix": True}
        drawn = []
        for k in self._chosen([track], len(times)):
            x = (alpha[k] * x0 + sigma[k] * noise).transpose(0, 2, 3, 1)
            drawn.append((quantise(x, low, high), None if np.isfinite(x).all() else ~np.isfinite(x)))
        self._show(pack, [track], [drawn], times, values, alt)
