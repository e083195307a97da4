"""Axes: where values lie on a plot in the browser."""

import math

import numpy as np

from .arrays import number


def ticks(low: float, high: float, *, log: bool = False, most: int = 6) -> list[list]:
    """Round numbers between `low` and `high`, with their labels."""
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        by = max(1, math.ceil((last - first) / (most - 1)))
        powers = [10.0**power for power in range(first, last + 1, by)]
        if len(powers) >= 2:
            return [[value, power_of_ten(value)] for value in powers]
        return [[value, number(value)] for value in np.geomspace(low, high, 3)]
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    size *= next(k for k in (1, 2, 5, 10) if k * size >= rough * 0.999)
    first, last = math.ceil(low / size - 1e-9), math.floor(high / size + 1e-9)
    return [[k * size, number(k * size, 6)] for k in range(first, last + 1)]


def power_of_ten(value: float) -> str:
    """0.01, 1, 100; beyond these 10⁻⁵."""
    power = round(math.log10(value))
    raised = f"{power}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value:.10g}" if -3 <= power <= 3 else f"10{raised}"


def limits(values: np.ndarray, *, log: bool = False, room: float = 0.05) -> tuple[float, float]:
    """The range of an axis that holds all finite values (positive ones, on a logarithmic axis), with some room."""
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not values.size:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if log:
        if low == high:
            return low / 2, high * 2
        wide = (high / low) ** room
        return low / wide, high * wide
    if low == high:
        pad = abs(low) * 0.1 or 1.0
        return low - pad, high + pad
    return low - room * (high - low), high + room * (high - low)


def plot(
    x: tuple[float, float],
    y: tuple[float, float],
    *,
    width: int,
    height: int,
    log_x: bool = False,
    log_y: bool = False,
    x_label: str = "",
    y_label: str = "",
    y_ticks: bool = True,
) -> dict:
    """A plot area: size in pixels, margins, ranges (x may fall from left to right), ticks and labels."""
    return {
        "width": width,
        "height": height,
        "left": 58 if y_ticks else 12,
        "right": 12,
        "top": 22 if y_label else 8,
        "bottom": 40,
        "x": list(x),
        "y": list(y),
        "logX": log_x,
        "logY": log_y,
        "xLabel": x_label,
        "yLabel": y_label,
        "xTicks": ticks(min(x), max(x), log=log_x),
        "yTicks": ticks(*y, log=log_y) if y_ticks else [],
    }
