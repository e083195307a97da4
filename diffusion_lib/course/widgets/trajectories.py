"""`scrub`: the fitting widget from what samplers and schedules already yield."""

from collections.abc import Sequence

from .arrays import array
from .base import Scrubber
from .frames import Frames
from .points import Points


def scrub(
    steps: object,
    *,
    times: object = None,
    values: dict[str, object] | None = None,
    ranges: tuple[float, float] | dict[str, tuple[float, float]] = (-1.0, 1.0),
    columns: int | None = None,
    size: int = 256,
    alt: str = "",
    axis: str = "t",
) -> Scrubber:
    """A scrubber over the steps of a sampler, or over tracks of frames. Taught with in notebook 00.

    steps: a list of steps with `t`, `x` (B, C, H, W) and `x0`, as the samplers yield them: their times, and x_t and x̂0
      side by side, or in one plot where x is (B, 2) or (B, 1); or `{name: frames}`; or frames (N, B, C, H, W). For the
      options, see `Frames`.

    Raises ValueError if there is no step.
    """
    if isinstance(steps, dict) or hasattr(steps, "shape"):
        tracks = steps if isinstance(steps, dict) else {"x": steps}
        return Frames(tracks, times=times, values=values, ranges=ranges, columns=columns, size=size, alt=alt, axis=axis)
    steps = list(steps) if not isinstance(steps, Sequence) else steps
    if not steps:
        raise ValueError("no steps: give list(sampler(...)) with at least one step")
    if not all(hasattr(steps[0], name) for name in ("t", "x", "x0")):
        return Frames(
            {"x": steps}, times=times, values=values, ranges=ranges, columns=columns, size=size, alt=alt, axis=axis
        )
    times = [float(step.t) for step in steps] if times is None else times
    tracks = {"x_t": [array(step.x) for step in steps], "x̂0": [array(step.x0) for step in steps]}
    if tracks["x_t"][0].ndim == 2:
        return Points(times, tracks, values=values, alt=alt, axis=axis)
    return Frames(tracks, times=times, values=values, ranges=ranges, columns=columns, size=size, alt=alt, axis=axis)
