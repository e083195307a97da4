"""Clouds of points over time, with the exact density or field behind them: `Points`."""

from collections.abc import Callable

import numpy as np
import traitlets

from .. import tokens
from . import axes
from .arrays import Pack, array, as_times, number
from .base import WIDGETS, Scrubber, spread

MARKS = len(tokens.MARKS)  # as many clouds as have colours and marks of their own
MOST_DOTS = 600  # of a cloud in a still


def _clouds(clouds: object) -> dict[str, np.ndarray]:
    """Clouds by name, each (N, B, 1) or (N, B, 2), all of one dimension and of as many frames."""
    clouds = clouds if isinstance(clouds, dict) else {"points": clouds}
    if not 1 <= len(clouds) <= MARKS:
        raise ValueError(f"{len(clouds)} clouds: give one to {MARKS}")
    arrays = {}
    for name, cloud in clouds.items():
        x = array(cloud, dtype=np.float32)
        x = x[..., None] if x.ndim == 2 else x
        if x.ndim != 3 or 0 in x.shape or x.shape[-1] not in (1, 2):
            raise ValueError(f"cloud {name!r} has shape {x.shape}: give (frames, points, 1) or (frames, points, 2)")
        arrays[name] = x
    shapes = {(len(x), x.shape[-1]) for x in arrays.values()}
    if len(shapes) > 1:
        raise ValueError(f"clouds have different frames or dimensions, {sorted(shapes)}: give them alike")
    return arrays


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


@WIDGETS.register
class Points(Scrubber):
    """A cloud of points over time, in two dimensions; in one, its histogram. Taught with in notebook 02.

    times: N times. clouds: (N, B, 2); or (N, B, 1) or (N, B) for histograms; or up to three of them, `{name: cloud}`.
    density: the exact density behind the points: a function of (points (M, D) tensor, t) that gives (M,), evaluated
      here once for each time; or values on the grid, (N, 64, 64), rows from low y, or (N, 201) in one dimension.
    density_name: what the density is called in the legend, where it is not the points' own exact one.
    field: arrows, in two dimensions: a function of (points (M, 2) tensor, t) that gives (M, 2); or (N, 16, 16, 2).
    paths: draw the paths of this many first points, or of the points listed, up to the time shown.
    bounds: (low, high) of the axes, without it all finite points; points beyond are counted in a note.
    bins: bars of a histogram. y_max: height of its axis. Other options as for `Curves`.

    Raises ValueError for other shapes, and for a field or paths in one dimension.
    """

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
        density_name: str = "exact density",
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
        self._density_name = density_name
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
        coordinates = np.concatenate([x.reshape(-1) for x in clouds.values()])
        bounds = tuple(map(float, self._options["bounds"] or axes.limits(coordinates, room=0.03)))
        if not bounds[0] < bounds[1]:
            raise ValueError(f"bounds=({bounds[0]:g}, {bounds[1]:g}) is empty: give low < high")
        notes = []
        for name, x in clouds.items():
            broken = int((~np.isfinite(x)).any(-1).sum())
            outside = int(((x < bounds[0]) | (x > bounds[1])).any(-1).sum())
            if broken:
                are = "point over all times is" if broken == 1 else "points over all times are"
                notes.append(f"{name}: {broken} {are} NaN or infinite, left out")
            if outside:
                lie = "point over all times lies" if outside == 1 else "points over all times lie"
                notes.append(f"{name}: {outside} {lie} beyond {number(bounds[0])} … {number(bounds[1])}")
        if dimension == 1 and (field is not None or paths):
            raise ValueError("a field and paths need points in two dimensions; these have one")
        pack, drawn, plot, scene = (
            self._histogram(clouds, times, bounds, density)
            if dimension == 1
            else self._cloud(clouds, times, bounds, density, field, paths)
        )
        scene["density name"] = self._density_name
        size = next(iter(clouds.values())).shape[1]
        shown = "histogram" if dimension == 1 else "cloud"
        described = (
            f"{shown} of {size} points ({', '.join(clouds)}), from {self.axis} = {number(times[0])} to "
            f"{number(times[-1])}."
        )
        self._replace(
            times,
            pack,
            drawn,
            values=values,
            alt=alt or described,
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
            area = x.shape[1] * (
                edges[1] - edges[0]
            )  # of all points, those outside and broken ones too: a true density
            bars[name] = np.stack(
                [np.histogram(frame[np.isfinite(frame)], edges)[0] / area for frame in x[..., 0]]
            ).astype(np.float32)
            pack.add(f"bars {i}", bars[name])
            top = max(top, float(bars[name].max()))
        exact, constant = None, False
        if density is not None:
            grid = np.linspace(*bounds, 201, dtype=np.float32)[:, None]
            exact = _over_time(density, grid, times, (201,), "density")
            pack.add("density", exact)
            constant = len(exact) == 1
            if np.isfinite(exact).any():
                top = max(top, float(exact[np.isfinite(exact)].max()))
        top = self._options["y_max"] or top * 1.05 or 1.0
        size = {"width": self._options["width"] or 400, "height": self._options["height"] or 240}
        plot = axes.plot(bounds, (0.0, top), x_label="x", y_label="density", **size)
        drawn = {"bars": bars, "edges": edges, "density": exact}
        scene = {"bins": bins, "density": exact is not None, "still density": constant, "flat": True}
        return pack, drawn, plot, scene

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
            levels = _levels(_over_time(density, grid(bounds, 64), times, (64, 64), "density"))
            pack.add("density", levels, stride=64 * 64)
            scene["still density"] = len(levels) == 1
        if field is not None:
            arrows = _over_time(field, grid(bounds, 16), times, (16, 16, 2), "field").astype(np.float32)
            with np.errstate(invalid="ignore"):
                longest = np.nanmax(np.hypot(arrows[..., 0], arrows[..., 1]).reshape(len(arrows), -1), axis=1)
            arrows = arrows / np.where(longest > 0, longest, 1.0)[:, None, None, None]
            pack.add("field", arrows)
            scene["still field"] = len(arrows) == 1
        side = self._options["width"] or 360
        size = {"width": side, "height": self._options["height"] or side + 10}
        plot = axes.plot(bounds, bounds, x_label="x₁", y_label="x₂", **size) | {"left": 44}
        drawn = {"clouds": clouds, "density": levels, "field": arrows, "paths": paths}
        return pack, drawn, plot, scene

    def still(self) -> bytes:
        """A PNG of up to five times, first to last."""
        from . import stills

        chosen, flat = spread(len(self.times)), self._scene["flat"]
        width = 190 * max(2, len(chosen))
        figure, panels = stills.panels(len(chosen), width=width, height=250 if flat else 270, equal=not flat)
        for k, panel in zip(chosen, panels, strict=True):
            entries = self._draw_bars(panel, k) if flat else self._draw_cloud(panel, k)
            panel.set(xlim=self._plot["x"], ylim=self._plot["y"], xlabel=self._plot["xLabel"])
            panel.set_title(stills.plain(f"{self.axis} = {number(self.times[k])}"))
            panel.locator_params(nbins=4, steps=[1, 2, 5, 10])
        panels[0].set_ylabel(self._plot["yLabel"])
        stills.legend(figure, entries)
        return stills.finish(figure, repr(self))

    def _draw_bars(self, panel: object, k: int) -> list[tuple[object, str]]:
        """Histograms and the exact density at frame k, on matplotlib's axes; returns what the legend says."""
        from ..figures import COLOURS

        entries, edges, exact = [], self._drawn["edges"], self._drawn["density"]
        for i, (name, bars) in enumerate(self._drawn["bars"].items()):
            colour = COLOURS[tokens.ROLES["bar"][i]]
            shape = panel.stairs(np.minimum(bars[k], self._plot["y"][1]), edges, fill=True, color=colour, alpha=0.5)
            entries.append((shape, name))
        if exact is not None:
            x = np.linspace(*self._plot["x"], exact.shape[1])
            (line,) = panel.plot(x, _at(exact, k), color=COLOURS[tokens.ROLES["exact"]], linestyle="-")
            entries.append((line, self._density_name))
        return entries

    def _draw_cloud(self, panel: object, k: int) -> list[tuple[object, str]]:
        """Density, field, paths and clouds at frame k, on matplotlib's axes; returns what the legend says."""
        from matplotlib.colors import LinearSegmentedColormap, to_rgba
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        from ..figures import COLOURS
        from ..figures.style import CLOUD_MARKERS
        from . import stills

        density, field, tint = self._drawn["density"], self._drawn["field"], COLOURS[tokens.ROLES["density"]]
        (low, high), entries = self._plot["x"], []
        panel.set_aspect("equal")
        for i, (name, cloud) in enumerate(self._drawn["clouds"].items()):
            colour, marker = COLOURS[tokens.ROLES["cloud"][i]], CLOUD_MARKERS[i]
            dots = cloud[k][:MOST_DOTS]
            panel.scatter(*dots.T, s=6, marker=marker, color=colour, alpha=0.7, linewidths=0, zorder=3)
            entries.append((Line2D([], [], color=colour, marker=marker, linestyle="none"), name))
        if density is not None:
            shades = LinearSegmentedColormap.from_list("density", [to_rgba(tint, 0.0), to_rgba(tint, 0.6)])
            levels, extent = _at(density, k), (low, high, low, high)
            panel.imshow(
                levels, extent=extent, origin="lower", cmap=shades, vmin=0, vmax=255, interpolation="bilinear", zorder=1
            )
            entries.append((Patch(color=tint, alpha=0.45), f"{self._density_name}, each on its own scale"))
        if field is not None:
            entries.append(stills.field(panel, grid((low, high), 16), _at(field, k).reshape(-1, 2), (high - low) / 16))
        if self._drawn["paths"]:
            colour = COLOURS[tokens.ROLES["path"]]
            first = next(iter(self._drawn["clouds"].values()))
            for i in self._drawn["paths"]:
                panel.plot(*first[: k + 1, i].T, color=colour, linestyle="-", linewidth=1.2)
                panel.plot(*first[k, i], "o", color=colour, markersize=4, zorder=4)
            entries.append((Line2D([], [], color=colour, marker="o", markersize=4, linewidth=1.2), "paths"))
        return entries


def _at(values: np.ndarray, k: int) -> np.ndarray:
    """The values at frame k, of an array that has all frames or the same for all."""
    return values[0 if len(values) == 1 else k]


def grid(bounds: tuple[float, float], size: int) -> np.ndarray:
    """The middles of size × size cells, (size², 2), rows from low to high y."""
    middles = bounds[0] + (np.arange(size, dtype=np.float32) + 0.5) * (bounds[1] - bounds[0]) / size
    x, y = np.meshgrid(middles, middles)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def _levels(density: np.ndarray) -> np.ndarray:
    """Densities as levels 0..255, at each time on its own scale: a narrow peak would leave the others white."""
    density = np.nan_to_num(density, nan=0.0, posinf=0.0, neginf=0.0)
    most = density.reshape(len(density), -1).max(axis=1)[:, None, None]
    return np.floor(255 * density / np.where(most > 0, most, 1.0) + 0.5).astype(np.uint8)
