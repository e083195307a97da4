"""A training curve, and samples beside it, that grow on the page while a loop runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from .. import tokens
from .page import bundle
from .pictures import picture_grid
from .plots import cloud
from .style import COLOURS, panels


class Live:
    """A training curve, and samples beside it, that grow in place while a loop runs. Notebook 00.

        view = Live(steps=600, alt="The loss falls; noise turns into digits.")
        for progress in train(denoiser, data, TrainingConfig(steps=600)):
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
        left.plot(n, y, color=tokens.LIGHT["bars"], linewidth=0.8, linestyle="-", label="each step")
        if len(y):
            window = max(1, len(y) // 20)
            total = np.concatenate([[0.0], np.cumsum(y)])
            start = np.maximum(n - window, 0)
            mean = (total[n] - total[start]) / (n - start)
            left.plot(n, mean, color=COLOURS[0], linestyle="-", label=f"mean of the last {window}")
            left.legend(loc="upper right", fontsize=9, handlelength=1.5)
            if (y > 0).all():
                left.set_yscale("log")
                left.yaxis.set_major_formatter("{x:g}")
                left.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "235" else "")
        left.set(
            xlim=(0, self.steps),
            xlabel="training step",
            ylabel=self.ylabel,
            title=self._title(),
        )
        if self.samples is None:
            right.set_axis_off()
        elif self.samples.ndim == 4:
            picture_grid(self.samples, self.columns, axes=right, title="samples")
        else:
            cloud(self.samples, axes=right, title="samples")
        return figure

    def _title(self) -> str:
        """How far it is; the seconds stand there only while it runs, as a still may come from another machine."""
        if len(self.losses) >= self.steps:
            return f"{self.steps} steps"
        return f"step {len(self.losses)} of {self.steps}, {time.monotonic() - self.started:.0f} s"

    def _place(self) -> object | None:
        """Put the view on the notebook's page, and return the handle that redraws it; None outside a notebook."""
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
