"""Two normal densities over time, and the Kullback-Leibler divergence between them: `Gaussians`.

KL(p ‖ q) = ½ (log(var_q / var_p) + (var_p + (mean_p − mean_q)²) / var_q − 1), in nats.
"""

import numpy as np
import traitlets

from . import plots, stills
from .base import Pack, Scrubber, array, as_times, module, number, picked


def kl(mean_p: np.ndarray, var_p: np.ndarray, mean_q: np.ndarray, var_q: np.ndarray) -> np.ndarray:
    """KL(p ‖ q) of normal densities in nats, elementwise; infinite where one is a point and they differ."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 0.5 * (np.log(var_q) - np.log(var_p) + (var_p + (mean_p - mean_q) ** 2) / var_q - 1)
    point = (var_p == 0) | (var_q == 0)
    same = (mean_p == mean_q) & (var_p == var_q)
    return np.where(point, np.where(same, 0.0, np.inf), found)


def _moments(one: object, count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(mean, var), each (N,), from such a pair, an object with `mean` and `var`, or a list of N such objects."""
    if hasattr(one, "mean") and hasattr(one, "var") and not callable(one.mean):
        one = (one.mean, one.var)
    elif isinstance(one, list) and one and hasattr(one[0], "var"):
        one = ([_single(g.mean, name) for g in one], [_single(g.var, name) for g in one])
    mean, var = (
        np.broadcast_to(array(part, dtype=float).reshape(-1), count).astype(float)
        if array(part).size in (1, count)
        else _refuse(name, array(part).size, count)
        for part in one
    )
    if not (np.isfinite(mean).all() and np.isfinite(var).all() and (var >= 0).all()):
        raise ValueError(
            f"{name} needs finite means and finite variances that are not negative; "
            f"the smallest variance is {var.min():g}"
        )
    return mean, var


def _single(x: object, name: str) -> float:
    """The one number in x, whatever its shape: (), (1,) or (1, 1)."""
    found = array(x)
    if found.size != 1:
        raise ValueError(
            f"{name} is a list with a Gaussian of shape {found.shape}: each must be of one number, "
            "such as g.mean[0] and g.var[0]"
        )
    return float(found.item())


def _refuse(name: str, found: int, count: int) -> np.ndarray:
    raise ValueError(f"{name} has {found} values for {count} times: give one for each, or one for all")


class Gaussians(Scrubber):
    """Two normal densities over time and their KL(first ‖ second), in nats. Taught with in notebook 03.

    times: N times. first, second: (mean, var), each N numbers or one; or an object with `mean` and `var`; or N of them.
    names: what the two are called. zoom: let the x axis follow the densities instead of holding all of them.
    x_range: (low, high) of the x axis. Other options as for `Curves`.

    Raises ValueError for other lengths, and for variances that are negative or not finite.
    """

    _code = traitlets.Unicode(module("gaussians")).tag(sync=True)
    _plot = traitlets.Dict().tag(sync=True)
    _names = traitlets.List().tag(sync=True)
    _zoom = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        times: object,
        first: object,
        second: object,
        *,
        names: tuple[str, str] = ("q", "p"),
        zoom: bool = False,
        x_range: tuple[float, float] | None = None,
        values: dict[str, object] | None = None,
        width: int = 400,
        height: int = 220,
        alt: str = "",
        axis: str = "t",
        fps: float = 0.0,
        loop: bool = True,
    ) -> None:
        super().__init__(axis=axis, fps=fps, loop=loop)
        self._size = {"width": width, "height": height}
        self._titles, self._x_range, self._zooms = tuple(names), x_range, zoom
        self.update(times, first, second, values=values, alt=alt)

    def update(
        self, times: object, first: object, second: object, *, values: dict[str, object] | None = None, alt: str = ""
    ) -> None:
        """Show two other densities in the same widget, at the same place in time; arguments as for a new one."""
        times = as_times(times)
        (m1, v1), (m2, v2) = (
            _moments(one, len(times), name) for one, name in zip((first, second), self._titles, strict=True)
        )
        ends = np.concatenate([m + side * 3.5 * np.sqrt(v) for m, v in ((m1, v1), (m2, v2)) for side in (-1, 1)])
        plot = plots.plot(
            self._x_range or plots.limits(ends, room=0.0), (0.0, 1.08), y_ticks=False, x_label="x", **self._size
        )
        found = kl(m1, v1, m2, v2)
        pack = Pack()
        for name, part in (("m0", m1), ("v0", v1), ("m1", m2), ("v1", v2), ("kl", found)):
            pack.add(name, part)
        given = (
            f"Normal densities {self._titles[0]} and {self._titles[1]}, from {self.axis} = {number(times[0])} to "
            f"{number(times[-1])}, and their KL."
        )
        self._replace(
            times,
            pack,
            ((m1, v1), (m2, v2), found),
            values=values,
            alt=alt or given,
            _plot=plot,
            _names=list(self._titles),
            _zoom=self._zooms,
        )

    def still(self) -> bytes:
        """A PNG of the two densities at up to five times, and their KL."""
        (m1, v1), (m2, v2), found = self._strip
        panels = []
        for k in picked(len(self.times)):
            pair = [(m1[k], v1[k]), (m2[k], v2[k])]
            plot = self._plot | {"width": 190, "height": 150, "left": 8, "right": 8}
            if self._zoom:
                ends = [m + side * 3.5 * np.sqrt(v) for m, v in pair for side in (-1, 1)]
                plot["x"] = list(plots.limits(np.array(ends), room=0.0))
            plot["xTicks"] = plots.ticks(*plot["x"], most=4)
            head = f"{self.axis} = {number(self.times[k])}   KL {number(found[k])}"
            sheet = stills.Plot(plot | {"yLabel": head, "top": 22})
            sheet.axes()
            x = np.linspace(*plot["x"], 300)
            peak = max(density(x, *one).max() for one in pair)
            for i, one in enumerate(pair):
                sheet.line(x, density(x, *one) / peak, plots.COLOURS[i], plots.DASHES[i])
            panels.append(sheet.finish())
        legend = stills.key(list(self._names))
        return stills.png(stills.stack([stills.side_by_side(panels), legend], down=True), repr(self), colours=64)


def density(x: np.ndarray, mean: float, var: float) -> np.ndarray:
    """The normal density; that of a point is a spike one step wide."""
    var = max(var, float(x[1] - x[0]) ** 2)
    return np.exp(-0.5 * (x - mean) ** 2 / var) / np.sqrt(2 * np.pi * var)
