"""What every scrubber has: a place in time, packed arrays, a still, and an end.

A scrubber sends its arrays to the browser once, as one binary trait, and moves there. `t` is the time asked for and
`index` the frame nearest to it; both are synced traits, so Python can follow them, and two widgets with different
times can be linked on `t`. A widget's JavaScript is the file beside its Python; `shared.js` comes before it.
"""

import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from . import cells, stills

HERE = Path(__file__).parent


def source(name: str) -> str:
    """The JavaScript of one file, without what joins the files: their imports, and the exports of `shared.js`."""
    text = (HERE / f"{name}.js").read_text(encoding="utf-8")
    text = re.sub(r'^import [^;]+ from "\./shared\.js";\n', "", text, flags=re.M)
    return re.sub(r"^export (?!default)", "", text, flags=re.M)


def module(name: str) -> str:
    """The ES module of one widget: `shared.js` and its own file, joined into one."""
    return source("shared") + source(name)


# A browser keeps every module that it ever loaded, and each widget loads its own: so that is this small one, and the
# code proper, which comes with the widget, is loaded once for all that have the same.
STUB = """
const load = (model) => {
  const code = model.get("_code"), loaded = (globalThis.diffusionLib ??= new Map());
  if (!loaded.has(code)) loaded.set(code, import(URL.createObjectURL(new Blob([code], { type: "text/javascript" }))));
  return loaded.get(code);
};
export default {
  async initialize({ model }) { return (await load(model)).default.initialize({ model }); },
  async render({ model, el }) { return (await load(model)).default.render({ model, el }); },
};
"""


def style() -> str:
    """The one style sheet of all widgets."""
    return (HERE / "shared.css").read_text(encoding="utf-8")


def array(x: object, *, dtype: type | None = None) -> np.ndarray:
    """A numpy array from a tensor, an array, a number or a list of any of these."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float().numpy() if x.dtype.is_floating_point and x.element_size() < 4 else x.numpy()
    elif isinstance(x, (list, tuple)) and len(x) and hasattr(x[0], "detach"):
        x = np.stack([array(one) for one in x])
    return np.asarray(x, dtype=dtype)


def as_times(times: object, count: int | None = None) -> list[float]:
    """Times as a list of floats: at least one, finite, all rising or all falling, as many as there are frames."""
    if times is None:
        times = np.linspace(0.0, 1.0, count) if count != 1 else [0.0]
    times = array(times, dtype=float)
    if times.ndim != 1 or len(times) == 0:
        raise ValueError(f"times has shape {times.shape}: give one number for each frame, at least one")
    if not np.isfinite(times).all():
        raise ValueError(f"times[{int(np.argmin(np.isfinite(times)))}] is not finite: every frame needs a place")
    steps = np.diff(times)
    if len(steps) and not ((steps > 0).all() or (steps < 0).all()):
        at = int(np.argmax(steps * (steps[0] or 1.0) <= 0))
        raise ValueError(f"times must rise or fall strictly: times[{at + 1}]={times[at + 1]:g} follows {times[at]:g}")
    if count is not None and count != len(times):
        raise ValueError(f"{len(times)} times for {count} frames: give as many times as frames")
    return [float(time) for time in times]


def number(x: float, digits: int = 3) -> str:
    """A number in few characters, as `say` in shared.js writes it: 0.35, 1.2e−4, ∞."""
    if math.isnan(x):
        return "not a number"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if x != 0 and not 1e-3 <= abs(x) < 1e5:
        mantissa, power = f"{x:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(power):+d}".replace("-", "−")
    rounded = float(f"{x:.{digits}g}")
    return (f"{rounded:.0f}" if rounded == int(rounded) else f"{rounded:.10g}").replace("-", "−")


def values_at(values: dict[str, object] | None, count: int) -> list[list]:
    """Named values over time as `[[name, [at each frame]], …]`: finite numbers as they are, others as text."""
    made = []
    for name, series in (values or {}).items():
        series = list(series) if isinstance(series, (list, tuple)) else list(array(series).reshape(-1))
        if len(series) != count:
            raise ValueError(f"values[{name!r}] has {len(series)} entries for {count} frames: give one for each")
        series = [one if isinstance(one, str) else float(one) for one in series]
        made.append([name, [one if isinstance(one, str) or math.isfinite(one) else number(one) for one in series]])
    return made


class Pack:
    """Arrays on their way to the browser: one string of bytes, and where each array lies in it."""

    def __init__(self) -> None:
        self.parts: list[dict] = []
        self.pieces: list[bytes] = []
        self.length = 0

    def add(self, name: str, values: np.ndarray, *, stride: int = 0) -> None:
        """Add an array as uint8, float32 or float64; `stride` is the size of a frame for 8-bit frames alike."""
        flat = np.ascontiguousarray(values).reshape(-1)
        step = stride if _shrinks(flat, stride) < _shrinks(flat, 0) else 0
        kept = flat
        if step:
            kept = np.concatenate([flat[:step], flat[step:] - flat[:-step]])
        raw = kept.tobytes()
        zipped = len(raw) > 256 and _shrinks(flat, step) < 0.97
        if zipped:
            raw = zlib.compress(raw, 1)
        if self.length % 8:  # typed arrays begin at multiples of their size
            pad = 8 - self.length % 8
            self.pieces.append(bytes(pad))
            self.length += pad
        self.parts.append(
            {
                "name": name,
                "type": flat.dtype.str[1:],
                "start": self.length,
                "length": len(raw),
                "zip": zipped,
                "stride": step,
            }
        )
        self.pieces.append(raw)
        self.length += len(raw)


def _shrinks(flat: np.ndarray, stride: int) -> float:
    """To what share of its size an array shrinks, itself or its differences from frame to frame, as a sample says."""
    if stride and len(flat) < 2 * stride:
        return 1.0
    size, first = 1 << 15, len(flat) // 2
    parts = [slice(first, first + size), slice(max(stride, len(flat) - size), None)]
    sample = b"".join(
        (
            flat[part] - flat[part.start - stride : (part.stop or len(flat)) - stride][: len(flat[part])]
            if stride
            else flat[part]
        ).tobytes()
        for part in parts
    )
    return len(zlib.compress(sample, 1)) / max(1, len(sample))


class Scrubber(anywidget.AnyWidget):
    """A widget with a place in time. Subclasses have `update`, which calls `_replace`, and say what a still shows."""

    _esm = STUB
    _css = style()
    _code = traitlets.Unicode("").tag(sync=True)
    t = traitlets.Float(0.0, help="the time asked for; the frame nearest to it is shown").tag(sync=True)
    index = traitlets.Int(0, help="the frame that is shown").tag(sync=True)
    times = traitlets.List(traitlets.Float(), help="the times of the frames").tag(sync=True)
    axis = traitlets.Unicode("t", help="what the times are called").tag(sync=True)
    alt = traitlets.Unicode("", help="what changes from the first frame to the last, in words").tag(sync=True)
    note = traitlets.Unicode("", help="a remark under the widget").tag(sync=True)
    fps = traitlets.Float(0.0, help="frames a second when it starts to play; 0: as fits the number").tag(sync=True)
    loop = traitlets.Bool(True, help="whether playing starts again at the end").tag(sync=True)
    _values = traitlets.List().tag(sync=True)
    _parts = traitlets.List().tag(sync=True)
    _data = traitlets.Bytes(b"").tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(self, *, axis: str, fps: float, loop: bool) -> None:
        super().__init__(axis=axis, fps=float(fps), loop=loop)
        self._cell = cells.Made(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.alt}" if self.alt else type(self).__name__

    @property
    def time(self) -> float:
        """The time of the frame that is shown."""
        return self.times[self.index]

    @traitlets.observe("t")
    def _on_t(self, change: dict) -> None:
        if self.times:
            self.index = int(np.argmin(np.abs(np.array(self.times) - self.t)))

    @traitlets.validate("index")
    def _check_index(self, proposal: dict) -> int:
        index, count = proposal["value"], len(self.times)
        if count and not 0 <= index < count:
            raise ValueError(f"index={index} is outside 0..{count - 1}")
        return index

    @traitlets.observe("index")
    def _on_index(self, change: dict) -> None:
        if self.times and int(np.argmin(np.abs(np.array(self.times) - self.t))) != self.index:
            self.t = self.times[self.index]

    def _replace(
        self, times: list[float], pack: Pack, strip: object, *, values: dict[str, object] | None, **traits: object
    ) -> None:
        """Replace what the browser holds, in one message, and `strip`, of which stills are made.

        The place in time stays where it was, if there was one. Raises ValueError, before anything is replaced, for
        values that are not one for each time.
        """
        traits["_values"] = values_at(values, len(times))
        self._strip, first = strip, self._revision == 0
        with self.hold_sync():
            with self.hold_trait_notifications():
                self.times = times
                for name, value in traits.items():
                    setattr(self, name, value)
                self._parts, self._data = pack.parts, b"".join(pack.pieces)
            self.t = times[0] if first else self.t
            self.index = int(np.argmin(np.abs(np.array(times) - self.t)))
            self._revision += 1

    def still(self) -> bytes:
        """A PNG of the widget as a strip of frames, first to last, for where nothing runs."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        return stills.bundle(self)

    def close(self) -> None:
        """Take the widget from the browser and drop its arrays."""
        layout, self._strip = self.layout, None
        if self.comm is not None:  # two messages: a browser keeps a model's last state but one
            self._data = b""
            self._parts = []
        super().close()
        layout.close()


def picked(count: int, most: int = 5) -> list[int]:
    """The frames of a still: at most `most`, evenly spread, the first and the last among them."""
    return [int(k) for k in np.unique(np.linspace(0, count - 1, min(count, most)).round())]


def checked_names(names: Sequence[str], what: str) -> None:
    """Raise unless there is at least one name and each is a string."""
    if not names:
        raise ValueError(f"no {what}: give at least one")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"the name of a {what} must be text, not {name!r}")
