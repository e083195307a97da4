"""Lines over time with a cursor: `Curves`."""

import numpy as np
import traitlets

from . import axes
from .arrays import Pack, array, as_times, number
from .base import WIDGETS, Scrubber, checked_names


@WIDGETS.register
class Curves(Scrubber):
    """Lines over time with a cursor that can be dragged, and their values at it. Taught with in notebook 01.

    times: N times, all rising or all falling; the axis runs from the first to the last.
    lines: `{name: y}`, y of N numbers; or `{name: (y, band)}`, band the half-width of its error band, N numbers or one.
      Values that are NaN or infinite are left out, and counted in a note.
    log_x, log_y: logarithmic axes; values that are not positive are left out, and counted. y_range: (low, high).
    values: `{name: N numbers or texts}` shown beside the lines' own. Other options as for `Frames`.

    Raises ValueError for lines of another length than times, without lines, or for an empty range.
    """

    _plot = traitlets.Dict().tag(sync=True)
    _lines = traitlets.List().tag(sync=True)

    def __init__(
        self,
        times: object,
        lines: dict[str, object],
        *,
        log_x: bool = False,
        log_y: bool = False,
        y_range: tuple[float, float] | None = None,
        y_label: str = "",
        values: dict[str, object] | None = None,
        width: int = 400,
        height: int = 260,
        alt: str = "",
        axis: str = "t",
        fps: float = 0.0,
        loop: bool = True,
    ) -> None:
        super().__init__(axis=axis, fps=fps, loop=loop)
        self._options = {"log_x": log_x, "log_y": log_y, "y_label": y_label, "width": width, "height": height}
        self._y_range = y_range
        self.update(times, lines, values=values, alt=alt)

    def update(
        self, times: object, lines: dict[str, object], *, values: dict[str, object] | None = None, alt: str = ""
    ) -> None:
        """Show other lines in the same widget, at the same place in time; arguments as for a new one."""
        times = as_times(times)
        checked_names(list(lines), "line")
        log_x, log_y = self._options["log_x"], self._options["log_y"]
        if log_x and min(times) <= 0:
            raise ValueError(f"log_x with times[{times.index(min(times))}]={min(times):g}: leave those out")
        pack, listed, drawn, notes, extent = Pack(), [], {}, [], []
        for i, (name, line) in enumerate(lines.items()):
            y, band = line if isinstance(line, tuple) else (line, None)
            y = array(y, dtype=float).reshape(-1)
            if len(y) != len(times):
                raise ValueError(f"line {name!r} has {len(y)} values for {len(times)} times: give one for each")
            visible = np.isfinite(y) & ((y > 0) | (not log_y))
            if not visible.all():
                why = "not finite" if not log_y else "not finite or not positive"
                notes.append(f"{name}: {int((~visible).sum())} of {len(y)} values are {why}, left out")
            pack.add(f"y {i}", y)
            extent.append(y)
            if band is not None:
                band = np.broadcast_to(array(band, dtype=float), y.shape)
                pack.add(f"band {i}", band)
                extent += [y - band, y + band]
            listed.append({"name": name, "band": band is not None})
            drawn[name] = np.where(visible, y, np.nan), band
        y_range = self._y_range or axes.limits(np.concatenate(extent), log=log_y)
        if not y_range[0] < y_range[1] or (log_y and y_range[0] <= 0):
            raise ValueError(f"y_range=({y_range[0]:g}, {y_range[1]:g}) is empty, or not positive on a log axis")
        x_range = (times[0], times[-1]) if len(times) > 1 else (times[0] - 0.5, times[0] + 0.5)
        y_label = self._options["y_label"] or (next(iter(lines)) if len(lines) == 1 else "value")
        plot = axes.plot(x_range, y_range, x_label=self.axis, **(self._options | {"y_label": y_label}))
        described = f"{', '.join(lines)} over {self.axis}, from {number(times[0])} to {number(times[-1])}."
        self._replace(
            times, pack, drawn, values=values, alt=alt or described, note="; ".join(notes), _plot=plot, _lines=listed
        )

    def still(self) -> bytes:
        """A PNG of all lines over the whole of time, with a legend."""
        from .. import figures
        from . import stills

        plot = self._plot
        figure, (panel,) = stills.panels(1, width=plot["width"], height=plot["height"])
        figures.curves(
            self.times,
            {stills.plain(name): y for name, (y, _) in self._drawn.items()},
            errors={stills.plain(name): band for name, (_, band) in self._drawn.items() if band is not None},
            xlabel=stills.plain(plot["xLabel"]),
            ylabel=stills.plain(plot["yLabel"]),
            log="x" * plot["logX"] + "y" * plot["logY"],
            axes=panel,
        )
        for i, (y, _) in enumerate(self._drawn.values()):  # what stands alone between gaps is no line, but a dot
            alone = np.isfinite(y) & ~np.isfinite(np.r_[np.nan, y[:-1]]) & ~np.isfinite(np.r_[y[1:], np.nan])
            panel.plot(np.array(self.times)[alone], y[alone], "o", color=figures.COLOURS[i % len(figures.COLOURS)])
        panel.set(xlim=plot["x"], ylim=plot["y"])
        return stills.finish(figure, repr(self))
