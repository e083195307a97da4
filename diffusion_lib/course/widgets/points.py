"""Clouds of points over time, with the exact density or field behind them: `Points`."""

from collections.abc import Callable

import numpy as np
import traitlets

from . import plots, stills
from .base import Pack, Scrubber, array, as_times, module, number, picked

MARKS = 3  # as many clouds as have colours and markers of their own


def _clouds(clouds: object) -> dict[str, np.ndarray]:
    """Clouds by name, each (N, B, 1) or (N, B, 2), all of one dimension and of as many frames."""
    clouds = clouds if isinstance(clouds, dict) else {"points": clouds}
    if not 1 <= len(clouds) <= MARKS:
        raise ValueError(f"{len(clouds)} clouds: give one to {MARKS}")
    made = {}
    for name, cloud in clouds.items():
        x = array(cloud, dtype=np.float32)
        x = x[..., None] if x.ndim == 2 else x
        if x.ndim != 3 or 0 in x.shape or x.shape[-1] not in (1, 2):
            raise ValueError(f"cloud {name!r} has shape {x.shape}: give (frames, points, 1) or (frames, points, 2)")
        made[name] = x
    shapes = {(len(x), x.shape[-1]) for x in made.values()}
    if len(shapes) > 1:
        raise ValueError(f"clouds have different frames or dimensions, {sorted(shapes)}: give them alike")
    return made


def _over_time(values: object, grid: np.ndarray, times: list[float], shape: tuple[int, ...], name: str) -> np.ndarray:
    """Values on a grid at each time, (N, …): computed by a function of (points (M, D), t), or given."""
    if callable(values):
        tensor = _tensor(grid)
        values = np.stack([array(values(tensor, time), dtype=np.float32).reshape(shape) for time in times])
    else:
        values = array(values, dtype=np.float32)
        values = values.reshape(1, *values.shape) if values.shape == shape else values
    if values.shape[1:] != shape or len(values) not in (1, len(times)):
        raise ValueError(f"{name} has shape {values.shape}: give {(len(times), *shape)}, or a function of points and t")
    return values


def _tensor(grid: np.ndarray) -> object:
    """The grid as a tensor, since densities are functions of tensors."""
    import torch

    return torch.from_numpy(grid)


class Points(Scrubber):
    """A cloud of points over time, in two dimensions; in one, its histogram. Taught with in notebook 02.

    times: N times. clouds: (N, B, 2); or (N, B, 1) or (N, B) for histograms; or up to three of them, `{name: cloud}`.
    density: the exact density behind the points: a function of (points (M, D) tensor, t) that gives (M,), evaluated
      here once for each time; or values on the grid, (N, 64, 64), rows from low y, or (N, 201) in one dimension.
    field: arrows, in two dimensions: a function of (points (M, 2) tensor, t) that gives (M, 2); or (N, 16, 16, 2).
    paths: draw the paths of this many first points, or of the points listed, up to the time shown.
    bounds: (low, high) of the axes, without it all finite points; points beyond are counted in a note.
    bins: bars of a histogram. y_max: height of its axis. Other options as for `Curves`.

    Raises ValueError for other shapes, and for a field or paths in one dimension.
    """

    _code = traitlets.Unicode(module("points")).tag(sync=True)
    _plot = traitlets.Dict().tag(sync=True)
    _clouds = traitlets.List().tag(sync=True)
    _scene = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        times: object,
        clouds: object,
        *,
        density: Callable | object | None = None,
        field: Callable | object | None = None,
        paths: int | list[int] = 0,
        bounds: tuple[float, float] | None = None,
        bins: int = 60,
        y_max: float | None = None,
        values: dict[str, object] | None = None,
        width: int | None = None,
        height: int | None = None,
        alt: str = "",
        axis: str = "t",
        fps: float = 0.0,
        loop: bool = True,
    ) -> None:
        super().__init__(axis=axis, fps=fps, loop=loop)
        self._options = {"bounds": bounds, "bins": bins, "y_max": y_max, "width": width, "height": height}
        self.update(times, clouds, density=density, field=field, paths=paths, values=values, alt=alt)

    def update(
        self,
        times: object,
        clouds: object,
        *,
        density: Callable | object | None = None,
        field: Callable | object | None = None,
        paths: int | list[int] = 0,
        values: dict[str, object] | None = None,
        alt: str = "",
    ) -> None:
        """Show other points in the same widget, at the same place in time; arguments as for a new one."""
        clouds = _clouds(clouds)
        count, _, dimension = next(iter(clouds.values())).shape
        times = as_times(times, count)
        every = np.concatenate([x.reshape(-1) for x in clouds.values()])
        bounds = tuple(map(float, self._options["bounds"] or plots.limits(every, room=0.03)))
        if not bounds[0] < bounds[1]:
            raise ValueError(f"bounds=({bounds[0]:g}, {bounds[1]:g}) is empty: give low < high")
        notes = []
        for name, x in clouds.items():
            odd = int((~np.isfinite(x)).any(-1).sum())
            out = int(((x < bounds[0]) | (x > bounds[1])).any(-1).sum())
            if odd:
                notes.append(f"{name}: {odd} points over all times are NaN or infinite, left out")
            if out:
                notes.append(
                    f"{name}: {out} points over all times lie beyond {number(bounds[0])} … {number(bounds[1])}"
                )
        if dimension == 1 and (field is not None or paths):
            raise ValueError("a field and paths need points in two dimensions; these have one")
        pack, strip, plot, scene = (
            self._histogram(clouds, times, bounds, density)
            if dimension == 1
            else self._cloud(clouds, times, bounds, density, field, paths)
        )
        size = next(iter(clouds.values())).shape[1]
        shown = "histogram" if dimension == 1 else "cloud"
        given = (
            f"{shown} of {size} points ({', '.join(clouds)}), from {self.axis} = {number(times[0])} to "
            f"{number(times[-1])}."
        )
        self._replace(
            times,
            pack,
            strip,
            values=values,
            alt=alt or given,
            note="; ".join(notes),
            _plot=plot,
            _clouds=list(clouds),
            _scene=scene,
        )

    def _histogram(self, clouds: dict, times: list, bounds: tuple, density: object) -> tuple:
        """What is sent, what a still is made of, the plot, and what the browser must know of the scene."""
        bins, pack, top = self._options["bins"], Pack(), 0.0
        edges = np.linspace(*bounds, bins + 1)
        bars = {}
        for i, (name, x) in enumerate(clouds.items()):
            whole = x.shape[1] * (edges[1] - edges[0])  # of all points, those outside and odd ones too: a true density
            bars[name] = np.stack(
                [np.histogram(frame[np.isfinite(frame)], edges)[0] / whole for frame in x[..., 0]]
            ).astype(np.float32)
            pack.add(f"bars {i}", bars[name])
            top = max(top, float(bars[name].max()))
        exact, one = None, False
        if density is not None:
            grid = np.linspace(*bounds, 201, dtype=np.float32)[:, None]
            exact = _over_time(density, grid, times, (201,), "density")
            pack.add("density", exact)
            one = len(exact) == 1
            if np.isfinite(exact).any():
                top = max(top, float(exact[np.isfinite(exact)].max()))
        top = self._options["y_max"] or top * 1.05 or 1.0
        size = {"width": self._options["width"] or 400, "height": self._options["height"] or 240}
        plot = plots.plot(bounds, (0.0, top), x_label="x", y_label="density", **size)
        strip = {"bars": bars, "edges": edges, "density": exact}
        return pack, strip, plot, {"bins": bins, "density": exact is not None, "one": one, "flat": True}

    def _cloud(self, clouds: dict, times: list, bounds: tuple, density: object, field: object, paths: object) -> tuple:
        """The same for points in two dimensions."""
        pack = Pack()
        for i, x in enumerate(clouds.values()):
            pack.add(f"points {i}", x)
        least = min(x.shape[1] for x in clouds.values())
        paths = list(range(min(paths, least))) if isinstance(paths, int) else [int(i) for i in paths]
        if any(not 0 <= i < least for i in paths):
            raise ValueError(f"paths={paths} asks for a point that is not there: give numbers from 0 to {least - 1}")
        scene = {
            "counts": [x.shape[1] for x in clouds.values()],
            "paths": paths,
            "density": density is not None,
            "field": field is not None,
            "flat": False,
        }
        levels = arrows = None
        if density is not None:
            levels = _levels(_over_time(density, _grid(bounds, 64), times, (64, 64), "density"))
            pack.add("density", levels, stride=64 * 64)
            scene["still density"] = len(levels) == 1
        if field is not None:
            arrows = _over_time(field, _grid(bounds, 16), times, (16, 16, 2), "field").astype(np.float32)
            with np.errstate(invalid="ignore"):
                longest = np.nanmax(np.hypot(arrows[..., 0], arrows[..., 1]).reshape(len(arrows), -1), axis=1)
            arrows = arrows / np.where(longest > 0, longest, 1.0)[:, None, None, None]
            pack.add("field", arrows)
            scene["still field"] = len(arrows) == 1
        side = self._options["width"] or 360
        plot = plots.plot(bounds, bounds, width=side, height=self._options["height"] or side - 18)
        plot |= {"bottom": 26, "left": 44}
        strip = {"clouds": list(clouds.values()), "density": levels, "field": arrows, "paths": paths}
        return pack, strip, plot, scene

    def still(self) -> bytes:
        """A PNG of up to five times, first to last."""
        panels = []
        for k in picked(len(self.times)):
            head = {"yLabel": f"{self.axis} = {number(self.times[k])}", "top": 22}
            size = {"width": 190, "left": 8, "right": 8, "xTicks": plots.ticks(*self._plot["x"], most=4), "yTicks": []}
            if self._scene["flat"]:
                sheet = stills.Plot(self._plot | head | size | {"height": 150})
                for i, bars in enumerate(self._strip["bars"].values()):
                    sheet.bars(self._strip["edges"], bars[k], plots.COLOURS[i])
                sheet.axes()
                exact = self._strip["density"]
                if exact is not None:
                    x = np.linspace(*self._plot["x"], 201)
                    sheet.line(x, exact[0 if len(exact) == 1 else k], plots.COLOURS[1], ())
            else:
                sheet = stills.Plot(self._plot | head | size | {"height": 190 + 6 + 14, "bottom": 20})
                levels, arrows = self._strip["density"], self._strip["field"]
                if levels is not None:
                    sheet.shade(levels[0 if len(levels) == 1 else k], plots.COLOURS[0])
                sheet.axes()
                if arrows is not None:
                    sheet.arrows(_grid(tuple(self._plot["x"]), 16), arrows[0 if len(arrows) == 1 else k].reshape(-1, 2))
                for i in self._strip["paths"]:
                    path = self._strip["clouds"][0][: k + 1, i]
                    sheet.line(path[:, 0], path[:, 1], plots.COLOURS[3], ())
                for i, cloud in enumerate(self._strip["clouds"]):
                    sheet.dots(cloud[k][:600], plots.COLOURS[(1, 2, 4)[i]], i)
            panels.append(sheet.finish())
        return stills.png(stills.side_by_side(panels), repr(self), colours=64)


def _grid(bounds: tuple[float, float], size: int) -> np.ndarray:
    """The middles of size × size cells, (size², 2), rows from low to high y."""
    middles = bounds[0] + (np.arange(size, dtype=np.float32) + 0.5) * (bounds[1] - bounds[0]) / size
    x, y = np.meshgrid(middles, middles)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def _levels(density: np.ndarray) -> np.ndarray:
    """Densities as levels 0..255, at each time on its own scale: a narrow peak would leave the others white."""
    density = np.nan_to_num(density, nan=0.0, posinf=0.0, neginf=0.0)
    most = density.reshape(len(density), -1).max(axis=1)[:, None, None]
    return np.floor(255 * density / np.where(most > 0, most, 1.0) + 0.5).astype(np.uint8)
