"""Pictures and trajectories: a grid of them, and a film strip.

A picture's pixel p in [-1, 1] is drawn as grey (p + 1) / 2. What lies outside is clipped and nothing is
normalised picture by picture, so that data in the wrong range look wrong. NaN and infinity are drawn in
magenta, a colour that nothing else has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from .. import tokens
from .plots import reach
from .style import COLOURS, panels

BROKEN = to_rgb(tokens.BROKEN)


def as_picture(images: Tensor, columns: int, *, padding: int = 1) -> np.ndarray:
    """Lay pictures (B, C, H, W) with values in [-1, 1] out as one array (H', W', 3) in [0, 1]."""
    from torchvision.utils import make_grid

    if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ValueError(f"images have shape {tuple(images.shape)}: a grid takes (B, 1 or 3, H, W), B at least 1")
    images = images.detach().cpu().double().expand(-1, 3, -1, -1)
    broken = ~images.isfinite().all(dim=1, keepdim=True)
    shown = ((images + 1) / 2).clamp(0, 1)
    shown = torch.where(broken, torch.tensor(BROKEN, dtype=torch.float64)[:, None, None], shown)
    return make_grid(shown, nrow=columns, padding=padding, pad_value=1.0).permute(1, 2, 0).numpy()


def bare(axes: Axes, picture: np.ndarray) -> None:
    """Draw a picture (H, W, 3) in [0, 1] without axes round it."""
    axes.imshow(picture, interpolation="nearest")
    axes.set_axis_off()


def picture_grid(
    images: Tensor,
    columns: int = 8,
    *,
    title: str | None = None,
    names: Sequence[str] | None = None,
    width: float | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Draw pictures (B, C, H, W) in [-1, 1] in rows of `columns`, unnormalised. Notebook 00.

    `names` puts a word above each picture. Raises ValueError for a shape that is not pictures.
    """
    columns = min(columns, len(images)) or 1
    rows = math.ceil(len(images) / columns)
    if names is not None and len(names) != len(images):
        raise ValueError(f"{len(names)} names for {len(images)} pictures: give one for each")
    h, w = images.shape[-2:]
    if axes is None:
        width = width or min(9.0, 0.72 * columns)
        _, (axes,) = panels(width=width, height=width * rows * h / (columns * w) + (0.3 if title else 0))
    if names is None:
        bare(axes, as_picture(images, columns, padding=1))
    else:
        gap = max(3, round(0.3 * h))
        bare(axes, as_picture(images, columns, padding=gap))
        for i, name in enumerate(names):
            x, y = gap + i % columns * (w + gap) + w / 2 - 0.5, gap + i // columns * (h + gap) - 0.5
            axes.text(x, y, name, ha="center", va="bottom", fontsize=9)
    axes.set_title(title or "")
    return axes.figure


class Step(Protocol):
    """A stop of a trajectory, as the samplers yield it: time t, state x and the guess x0, both (B, …)."""

    t: float
    x: Tensor
    x0: Tensor


def film_strip(
    steps: Sequence[Step] | Mapping[str, Sequence[Tensor]],
    *,
    times: Sequence[float] | None = None,
    frames: int = 8,
    rows: int = 1,
    title: str | None = None,
) -> Figure:
    """Draw a trajectory as columns from left to right, one strip for the state and one for the guess. Notebook 06.

    `steps` is what a sampler yields (strips x_t and x̂_0), or a dict of strips with their `times`. A frame is
    pictures (B, C, H, W), of which the first `rows` are drawn, points (B, 2), or numbers (B, 1) as a histogram.
    `frames` of them are drawn, evenly spaced, first and last included. Raises ValueError if there are none.
    """
    if not isinstance(steps, Mapping):
        steps = list(steps)
        times = [step.t for step in steps]
        steps = {"$x_t$": [step.x for step in steps], r"$\hat{x}_0$": [step.x0 for step in steps]}
    count = min((len(strip) for strip in steps.values()), default=0)
    if not count:
        raise ValueError("a film strip needs at least one step: the trajectory is empty")
    if times is not None and len(times) != count:
        raise ValueError(f"{len(times)} times for {count} frames: give one for each")
    chosen = sorted({round(i) for i in np.linspace(0, count - 1, min(frames, count))})
    first = next(iter(steps.values()))[0]
    tall = rows * first.shape[-2] / first.shape[-1] if first.ndim == 4 else 1.0
    width = min(9.0, 1.6 * len(chosen))
    figure, all_axes = panels(
        len(steps),
        len(chosen),
        width=width,
        height=len(steps) * (width / len(chosen) * tall) + 0.4 + (0.3 if title else 0),
    )
    figure.set_layout_engine("compressed", w_pad=0.02, h_pad=0.03, wspace=0.01, hspace=0.01)
    for row, (name, strip) in enumerate(steps.items()):
        limit = reach(torch.cat([strip[i].flatten() for i in chosen])) if first.ndim == 2 else 1.0
        for column, i in enumerate(chosen):
            axes, frame = all_axes[row * len(chosen) + column], strip[i].detach().cpu()
            if frame.ndim == 4:
                axes.imshow(as_picture(frame[:rows], 1), interpolation="nearest")
            elif frame.shape[1] == 2:
                axes.scatter(*frame.T, s=2, color=COLOURS[0], alpha=0.5, linewidths=0)
                axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
            else:
                axes.hist(
                    frame.flatten().numpy(), bins=40, range=(-limit, limit), density=True, color=tokens.LIGHT["bars"]
                )
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            for side in axes.spines.values():
                side.set_visible(frame.ndim == 2)
            if row == 0 and times is not None:
                axes.set_title(f"t = {times[i]:.2f}", fontsize=10, loc="center")
            if column == 0:
                axes.set_ylabel(name, rotation=0, ha="right", va="center")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
