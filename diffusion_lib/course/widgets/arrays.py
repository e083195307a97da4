"""Numbers on their way to the browser: tensors as arrays, times and values checked, arrays packed into one message."""

import math
import zlib

import numpy as np


def array(x: object, *, dtype: type | None = None) -> np.ndarray:
    """A numpy array from a tensor, an array, a number or a list of any of these."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float().numpy() if x.dtype.is_floating_point and x.element_size() < 4 else x.numpy()
    elif isinstance(x, (list, tuple)) and len(x) and hasattr(x[0], "detach"):
        x = np.stack([array(part) for part in x])
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
    named = []
    for name, series in (values or {}).items():
        series = list(series) if isinstance(series, (list, tuple)) else list(array(series).reshape(-1))
        if len(series) != count:
            raise ValueError(f"values[{name!r}] has {len(series)} entries for {count} frames: give one for each")
        series = [value if isinstance(value, str) else float(value) for value in series]
        named.append([name, [v if isinstance(v, str) or math.isfinite(v) else number(v) for v in series]])
    return named


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
        sent = np.concatenate([flat[:step], flat[step:] - flat[:-step]]) if step else flat
        raw = sent.tobytes()
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
