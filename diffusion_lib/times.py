"""Lists of times for samplers: from 1 (noise) to 0 (data), or a part of the way, in either direction.

How to place them is a choice of its own, apart from schedule and sampler: evenly in t, evenly in log-SNR, or at some of
a table's integer timesteps, as common libraries do (Lin et al. 2023, table 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch

from .schedules.schedule import Schedule, as_time, check_whole


def uniform_times(steps: int, start: float = 1.0, end: float = 0.0) -> list[float]:
    """``steps`` + 1 times falling evenly from ``start`` to ``end``, both included."""
    check_whole("steps", steps)
    return torch.linspace(start, end, steps + 1, dtype=torch.float64).tolist()


def log_snr_times(schedule: Schedule, steps: int, start: float = 0.999, end: float = 0.001) -> list[float]:
    """``steps`` + 1 times falling from ``start`` to ``end`` in even steps of log-SNR.

    Both ends need a finite log-SNR, so 0 and (on :class:`Flow`) 1 are refused.
    """
    check_whole("steps", steps)
    first, last = schedule.log_snr(start).item(), schedule.log_snr(end).item()
    if not (math.isfinite(first) and math.isfinite(last)):
        raise ValueError(
            f"log-SNR runs from {first} to {last} between t={start} and t={end}: keep both ends inside (0, 1)"
        )
    inner = schedule.time_at(torch.linspace(first, last, steps + 1, dtype=torch.float64)[1:-1]).tolist()
    return [start, *inner, end]


def timesteps(total: int, steps: int, spacing: Literal["leading", "trailing", "linspace"] = "trailing") -> list[float]:
    """``steps`` of ``total`` integer timesteps, as times i/T that fall strictly, ending with 0: ``steps`` + 1 numbers.

    The three spacings of common libraries (Lin et al. 2023, table 2). Only 'trailing' and 'linspace' start at t = 1;
    'leading' does not, and with 'linspace' the last step is the single one from 1/T to 0.
    """
    check_whole("steps", steps)
    if steps > total:
        raise ValueError(f"steps={steps} is more than the table's {total} timesteps: take at most {total}")
    k = torch.arange(steps, dtype=torch.float64)
    if spacing == "leading":
        index = (k * (total // steps)).flip(0) + 1
    elif spacing == "trailing":
        index = (total - k * total / steps).round()
    elif spacing == "linspace":
        index = torch.linspace(total - 1, 0, steps, dtype=torch.float64).round() + 1 if steps > 1 else k + total
    else:
        raise ValueError(f"spacing={spacing!r} is none of 'leading', 'trailing', 'linspace'")
    return [*(index / total).tolist(), 0.0]


def check_times(times: Sequence[float], *, falling: bool = False) -> list[float]:
    """``times`` as floats: two or more, inside [0, 1], strictly falling or strictly rising.

    Falling times denoise, rising times noise. ``falling`` refuses rising ones, as random steps need.

    Raises:
        ValueError: fewer than two times, one outside [0, 1], or the direction changes or is not the one asked for.
    """
    times = [float(t) for t in times]
    if len(times) < 2:
        raise ValueError(f"times has {len(times)} entries: a step needs a start and an end, so at least 2")
    falls = falling or times[1] < times[0]
    for i, (t, s) in enumerate(pairwise(times), start=1):
        if not (s < t if falls else s > t):
            direction = "fall strictly" if falling else "fall strictly, or rise strictly"
            raise ValueError(f"times must {direction}: times[{i}]={s:.6g} follows {t:.6g}")
    as_time(times)
    return times
