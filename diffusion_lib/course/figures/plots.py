"""Plots: lines, clouds of points and histograms.

Lines differ in colour and in dash, so they stay apart in grey and to a colour-blind reader. Contours of a density
p enclose stated shares of its probability: the level of share m is the largest c such that the integral of p
over {p >= c} is at least m (the highest-density region; Hyndman 1996).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from .. import tokens
from .style import COLOURS, DASHES, MARKERS, panels


def numbers(values: Tensor | Sequence[float]) -> np.ndarray:
    """A line's values as float64 numpy array (N,)."""
    return torch.as_tensor(values if isinstance(values, Tensor) else np.array(values)).detach().cpu().double().numpy()


def reach(x: Tensor) -> float:
    """The largest size of the finite values of x, any shape; 1 if there are none, or only zeros."""
    sizes = x[x.isfinite()].abs()
    return (float(sizes.max()) if len(sizes) else 0.0) or 1.0


def curves(
    x: Tensor | Sequence[float],
    lines: Mapping[str, Tensor | Sequence[float]],
    *,
    errors: Mapping[str, Tensor | Sequence[float]] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str | None = None,
    log: Literal["", "x", "y", "xy"] = "",
    markers: bool = False,
    axes: Axes | None = None,
) -> Figure:
    """Draw named lines y (N,) over x (N,), each with its own colour and dash. Notebook 01.

    `errors` names half-widths (N,) that are drawn as a band; `log` names the axes on a logarithmic scale;
    `markers` shows each measured point. Raises ValueError if a line's length is not x's.
    """
    x = numbers(x)
    if axes is None:
        _, (axes,) = panels(width=7.0, height=3.4)
    for i, (name, y) in enumerate(lines.items()):
        y = numbers(y)
        if y.shape != x.shape:
            raise ValueError(f"line {name!r} has shape {y.shape}, x has {x.shape}: they must be equal")
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(
            x,
            y,
            label=name,
            color=colour,
            linestyle=DASHES[i % len(DASHES)],
            marker=MARKERS[i % len(MARKERS)] if markers else None,
        )
        if errors and name in errors:
            half = numbers(errors[name])
            axes.fill_between(x, y - half, y + half, color=colour, alpha=0.2, linewidth=0)
    axes.set(
        xlabel=xlabel,
        ylabel=ylabel,
        title=title or "",
        xscale="log" if "x" in log else "linear",
        yscale="log" if "y" in log else "linear",
    )
    if any(lines):
        axes.legend(handlelength=2.8)
    return axes.figure


def cloud(
    points: Tensor,
    *,
    labels: Tensor | None = None,
    density: Callable[[Tensor], Tensor] | None = None,
    shares: Sequence[float] = (0.5, 0.95),
    limits: tuple[float, float] | None = None,
    title: str | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Draw points (B, 2), coloured and marked by `labels` (B,), over contours of a density. Notebook 02.

    `density` maps places (M, 2) to log-densities (M,), as `mixture.log_prob` does; its contours enclose `shares`
    of the probability inside `limits`. Points that are not finite are counted in the title.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points have shape {tuple(points.shape)}: a cloud takes (B, 2)")
    points = points.detach().cpu().double()
    finite = points.isfinite().all(dim=1)
    if limits is None:
        far = 1.1 * reach(points[finite])
        limits = (-far, far)
    if axes is None:
        _, (axes,) = panels(width=4.2, height=4.2)
    groups = [finite] if labels is None else [finite & (labels.cpu() == label) for label in labels.cpu().unique()]
    for i, members in enumerate(groups):
        axes.scatter(
            *points[members].T,
            s=5 if labels is None else 9,
            alpha=0.45,
            linewidths=0,
            color=COLOURS[i % len(COLOURS)],
            marker="os^DvP"[i % 6],
        )
    if density is not None:
        side = torch.linspace(*limits, 161, dtype=torch.float64)
        places = torch.cartesian_prod(side, side)
        p = density(places).detach().double().exp().reshape(161, 161)
        axes.contour(side, side, p.T.numpy(), levels=levels(p, shares), colors=tokens.LIGHT["text"], linewidths=1.1)
    missing = int((~finite).sum())
    note = f"{missing} of {len(points)} points are not finite" if missing else ""
    axes.set(xlim=limits, ylim=limits, aspect="equal", title="; ".join(filter(None, (title, note))))
    return axes.figure


def levels(p: Tensor, shares: Sequence[float]) -> list[float]:
    """The heights c at which {p >= c} holds the given shares of the total of p, rising."""
    falling = p.flatten().sort(descending=True).values
    enclosed = falling.cumsum(0) / falling.sum()
    return sorted({float(falling[int((enclosed < share).sum())]) for share in shares})


def histogram(
    samples: Tensor,
    density: Callable[[Tensor], Tensor] | None = None,
    *,
    bins: int = 60,
    limits: tuple[float, float] | None = None,
    xlabel: str = "x",
    title: str | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Draw samples (B,) or (B, 1) as a histogram of area 1, with an exact density over it. Notebook 02.

    `density` maps places (M, 1) to log-densities (M,), as `mixture.log_prob` does. Samples outside `limits` still
    count in the area.
    """
    samples = samples.detach().cpu().double().flatten()
    finite = samples[samples.isfinite()]
    if limits is None:
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 1.0)
        margin = 0.05 * (high - low) or 1.0
        limits = (low - margin, high + margin)
    if axes is None:
        _, (axes,) = panels(width=7.0, height=3.0)
    counts, edges = np.histogram(finite.numpy(), bins=bins, range=limits)
    axes.bar(
        edges[:-1],
        counts / max(len(samples), 1) / np.diff(edges),
        np.diff(edges),
        align="edge",
        color=tokens.LIGHT["bars"],
        label="samples",
    )
    if density is not None:
        x = torch.linspace(*limits, 400, dtype=torch.float64)
        axes.plot(x, density(x[:, None]).detach().double().exp(), color=COLOURS[1], linestyle="-", label="exact")
        axes.legend()
    missing = len(samples) - len(finite)
    note = f"{missing} of {len(samples)} samples are not finite" if missing else ""
    axes.set(xlim=limits, xlabel=xlabel, ylabel="density", title="; ".join(filter(None, (title, note))))
    return axes.figure
