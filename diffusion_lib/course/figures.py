"""Figures of the course: tensors in, one matplotlib style out, shown as PNG with a description in words.

A picture's pixel p in [-1, 1] is drawn as grey (p + 1) / 2. What lies outside is clipped and nothing is
normalised picture by picture, so that data in the wrong range look wrong. NaN and infinity are drawn in
magenta, a colour that nothing else has.

Lines differ in colour and in dash, so they stay apart in grey and to a colour-blind reader. Contours of a density
p enclose stated shares of its probability: the level of share m is the largest c such that the integral of p
over {p >= c} is at least m (the highest-density region; Hyndman 1996). Every function draws on `axes` if it is
given some, else on a new figure, and returns the figure; `show(figure, alt=…)` puts it on the page.
"""

from __future__ import annotations

import base64
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

if TYPE_CHECKING:
    from ..sampling import Step

COLOURS = ("#0066a6", "#c24e00", "#00755a", "#9a3f7d", "#555555", "#8a6d00")
DASHES = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 1.6, 1.2, 1.6)), (0, (9, 3)), (0, (3, 1.5, 1.2, 1.5, 1.2, 1.5)))
BROKEN = (1.0, 0.0, 1.0)  # NaN and infinity
PIXELS = 100  # of the page to an inch of figure; the PNG holds SHARPNESS times more
SHARPNESS = 1.6

STYLE = {
    "figure.dpi": PIXELS,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "axes.titlelocation": "left",
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS, linestyle=DASHES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 5,
    "axes.edgecolor": "#555555",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "svg.hashsalt": "course",
}


def use_style() -> None:
    """Set the course's matplotlib style for every figure from here on. Notebook 00."""
    matplotlib.rcParams.update(STYLE)


def panels(
    rows: int = 1, columns: int = 1, *, width: float = 9.0, height: float | None = None
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `width` inches with rows × columns axes, listed row by row. Notebook 01."""
    use_style()
    height = height or rows * min(3.2, 0.8 * width / columns)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


# --- pictures -----------------------------------------------------------------------------------


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
    figure, every = panels(
        len(steps),
        len(chosen),
        width=width,
        height=len(steps) * (width / len(chosen) * tall) + 0.4 + (0.3 if title else 0),
    )
    figure.set_layout_engine("compressed", w_pad=0.02, h_pad=0.03, wspace=0.01, hspace=0.01)
    for row, (name, strip) in enumerate(steps.items()):
        limit = reach(torch.cat([strip[i].flatten() for i in chosen])) if first.ndim == 2 else 1.0
        for column, i in enumerate(chosen):
            axes, frame = every[row * len(chosen) + column], strip[i].detach().cpu()
            if frame.ndim == 4:
                axes.imshow(as_picture(frame[:rows], 1), interpolation="nearest")
            elif frame.shape[1] == 2:
                axes.scatter(*frame.T, s=2, color=COLOURS[0], alpha=0.5, linewidths=0)
                axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
            else:
                axes.hist(frame.flatten().numpy(), bins=40, range=(-limit, limit), density=True, color="#9db8cc")
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


# --- curves and clouds --------------------------------------------------------------------------


def numbers(values: Tensor | Sequence[float]) -> np.ndarray:
    return torch.as_tensor(values).detach().cpu().double().numpy()


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
            marker="os^Dvx"[i % 6] if markers else None,
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
    fine = points.isfinite().all(dim=1)
    if limits is None:
        far = 1.1 * reach(points[fine])
        limits = (-far, far)
    if axes is None:
        _, (axes,) = panels(width=4.2, height=4.2)
    groups = [(None, fine)] if labels is None else [(int(v), fine & (labels.cpu() == v)) for v in labels.cpu().unique()]
    for i, (_, chosen) in enumerate(groups):
        axes.scatter(
            *points[chosen].T,
            s=5 if labels is None else 9,
            alpha=0.45,
            linewidths=0,
            color=COLOURS[i % len(COLOURS)],
            marker="os^Dvx"[i % 6] if i % 6 < 5 else "P",
        )
    if density is not None:
        side = torch.linspace(*limits, 161, dtype=torch.float64)
        places = torch.cartesian_prod(side, side)
        p = density(places).detach().double().exp().reshape(161, 161)
        axes.contour(side, side, p.T.numpy(), levels=levels(p, shares), colors="#333333", linewidths=1.1)
    lost = int((~fine).sum())
    note = f"{lost} of {len(points)} points are not finite" if lost else ""
    axes.set(xlim=limits, ylim=limits, aspect="equal", title="; ".join(filter(None, (title, note))))
    return axes.figure


def levels(p: Tensor, shares: Sequence[float]) -> list[float]:
    """The heights c at which {p >= c} holds the given shares of the total of p, rising."""
    falling = p.flatten().sort(descending=True).values
    held = falling.cumsum(0) / falling.sum()
    return sorted({float(falling[int((held < share).sum())]) for share in shares})


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
    fine = samples[samples.isfinite()]
    if limits is None:
        low, high = (float(fine.min()), float(fine.max())) if len(fine) else (-1.0, 1.0)
        margin = 0.05 * (high - low) or 1.0
        limits = (low - margin, high + margin)
    if axes is None:
        _, (axes,) = panels(width=7.0, height=3.0)
    counts, edges = np.histogram(fine.numpy(), bins=bins, range=limits)
    axes.bar(
        edges[:-1],
        counts / max(len(samples), 1) / np.diff(edges),
        np.diff(edges),
        align="edge",
        color="#b3c8d8",
        label="samples",
    )
    if density is not None:
        x = torch.linspace(*limits, 400, dtype=torch.float64)
        axes.plot(x, density(x[:, None]).detach().double().exp(), color=COLOURS[1], linestyle="-", label="exact")
        axes.legend()
    lost = len(samples) - len(fine)
    note = f"{lost} of {len(samples)} samples are not finite" if lost else ""
    axes.set(xlim=limits, xlabel=xlabel, ylabel="density", title="; ".join(filter(None, (title, note))))
    return axes.figure


# --- on the page --------------------------------------------------------------------------------


def png(figure: Figure, alt: str) -> bytes:
    """Draw a figure as PNG, its description among the file's metadata."""
    from PIL import Image, PngImagePlugin

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=SHARPNESS * PIXELS)
    picture = Image.open(drawn).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(picture.width * picture.height)}
    if len(colours) <= 4096 and tuple(round(255 * v) for v in BROKEN) not in colours:
        # a drawing needs no more than 256 colours: a third of the size
        picture = picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    out, words = io.BytesIO(), PngImagePlugin.PngInfo()
    words.add_itxt("Description", alt)
    picture.save(out, "PNG", optimize=True, pnginfo=words)
    return out.getvalue()


def bundle(figure: Figure, alt: str) -> tuple[dict, dict]:
    """What a notebook stores of a figure, as (data, metadata) by media type."""
    if not alt.strip():
        raise ValueError("alt is empty: say in one or two sentences what the figure shows")
    w, h = (round(PIXELS * inches) for inches in figure.get_size_inches())
    data = {"image/png": base64.b64encode(png(figure, alt)).decode(), "text/plain": alt}
    return data, {"image/png": {"alt": alt, "width": w, "height": h}}


def show(figure: Figure, *, alt: str) -> None:
    """Put a figure on the notebook's page with `alt`, what it shows in words, and close it. Notebook 00.

    `alt` is stored twice: as the picture's description, and as the output's text, which strict output checking
    compares. So write facts into it that hold on any machine. Raises ValueError if it is empty.
    """
    from IPython.display import display

    data, metadata = bundle(figure, alt)
    display(data, metadata=metadata, raw=True)
    close(figure)


def close(figure: Figure) -> None:
    import sys

    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close(figure)
    figure.clear()


class Live:
    """A training curve, and samples beside it, that grow in place while a loop runs. Notebook 00.

        view = Live(steps=600, alt="The loss falls; noise turns into digits.")
        for progress in train(denoiser, data, steps=600):
            view.add(progress.loss, pictures=lambda: draw(progress.denoiser))
        view.close()

    `add` stores one loss; only now and then does it ask `pictures`, called without arguments, for samples
    (B, C, H, W) or (B, 2), and redraw: `seconds` apart at least, and never in more than `share` of the time.
    Outside a notebook nothing is drawn until `close`.
    """

    def __init__(
        self, steps: int, *, alt: str, seconds: float = 1.0, share: float = 0.1, columns: int = 8, ylabel: str = "loss"
    ):
        self.steps, self.alt, self.seconds, self.share, self.columns = steps, alt, seconds, share, columns
        self.ylabel = ylabel
        self.losses: list[float] = []
        self.samples: Tensor | None = None
        self.started = self.again = time.monotonic()
        self.handle = self._place()
        self.again = time.monotonic() + seconds

    def add(self, loss: float, *, pictures: Callable[[], Tensor] | None = None) -> None:
        """Take the loss of one more step; redraw if it is time."""
        self.losses.append(float(loss))
        if self.handle is not None and time.monotonic() >= self.again:
            self.redraw(pictures)

    def redraw(self, pictures: Callable[[], Tensor] | None = None) -> None:
        """Draw now, whatever the clock says."""
        began = time.monotonic()
        if pictures is not None:
            self.samples = pictures()
        if self.handle is not None:
            data, metadata = bundle(self.figure(), self.alt)
            self.handle.update(data, metadata=metadata, raw=True)
        spent = time.monotonic() - began
        self.again = time.monotonic() + max(self.seconds, spent / self.share)

    def close(self, *, pictures: Callable[[], Tensor] | None = None) -> None:
        """Draw the last state."""
        self.redraw(pictures)

    def figure(self) -> Figure:
        """The state as a figure: the loss of every step, its running mean, and the latest samples."""
        figure, (left, right) = panels(1, 2, height=3.6)
        y = np.asarray(self.losses)
        n = np.arange(1, len(y) + 1)
        left.plot(n, y, color="#b3c8d8", linewidth=0.8, linestyle="-")
        if len(y):
            window = max(1, len(y) // 20)
            total = np.concatenate([[0.0], np.cumsum(y)])
            start = np.maximum(n - window, 0)
            left.plot(n, (total[n] - total[start]) / (n - start), color=COLOURS[0], linestyle="-")
            if (y > 0).all():
                left.set_yscale("log")
                left.yaxis.set_major_formatter("{x:g}")
                left.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "235" else "")
        left.set(
            xlim=(0, self.steps),
            xlabel="training step",
            ylabel=self.ylabel,
            title=f"step {len(y)} of {self.steps}, {time.monotonic() - self.started:.0f} s",
        )
        if self.samples is None:
            right.set_axis_off()
        elif self.samples.ndim == 4:
            picture_grid(self.samples, self.columns, axes=right, title="samples")
        else:
            cloud(self.samples, axes=right, title="samples")
        return figure

    def _place(self):
        import sys

        if "IPython" not in sys.modules:
            return None
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is None:
            return None
        data, metadata = bundle(self.figure(), self.alt)
        return display(data, metadata=metadata, raw=True, display_id=True)


def live(steps: int, *, alt: str, seconds: float = 1.0, share: float = 0.1, columns: int = 8) -> Live:
    """Open a `Live` view for a loop of `steps`. Notebook 00."""
    return Live(steps, alt=alt, seconds=seconds, share=share, columns=columns)
