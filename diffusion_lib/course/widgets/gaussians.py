"""Two normal densities over time, and the Kullback-Leibler divergence between them: `Gaussians`.

KL(p ‖ q) = ½ (log(var_q / var_p) + (var_p + (mean_p − mean_q)²) / var_q − 1), in nats.
"""

import numpy as np
import traitlets

from . import axes
from .arrays import Pack, array, as_times, number
from .base import WIDGETS, Scrubber, spread


def kl(mean_p: np.ndarray, var_p: np.ndarray, mean_q: np.ndarray, var_q: np.ndarray) -> np.ndarray:
    """KL(p ‖ q) of normal densities in nats, elementwise; infinite where one is a point and they differ."""
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = 0.5 * (np.log(var_q) - np.log(var_p) + (var_p + (mean_p - mean_q) ** 2) / var_q - 1)
    is_point = (var_p == 0) | (var_q == 0)
    same = (mean_p == mean_q) & (var_p == var_q)
    return np.where(is_point, np.where(same, 0.0, np.inf), divergence)


def _moments(normal: object, count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(mean, var), each (N,), from such a pair, an object with `mean` and `var`, or a list of N such objects."""
    if hasattr(normal, "mean") and hasattr(normal, "var") and not callable(normal.mean):
        normal = (normal.mean, normal.var)
    elif isinstance(normal, list) and normal and hasattr(normal[0], "var"):
        normal = ([_single(g.mean, name) for g in normal], [_single(g.var, name) for g in normal])
    mean, var = (
        np.broadcast_to(array(part, dtype=float).reshape(-1), count).astype(float)
        if array(part).size in (1, count)
        else _refuse(name, array(part).size, count)
        for part in normal
    )
    if not (np.isfinite(mean).all() and np.isfinite(var).all() and (var >= 0).all()):
        raise ValueError(
            f"{name} needs finite means and finite variances that are not negative; "
            f"the smallest variance is {var.min():g}"
        )
    return mean, var


def _single(x: object, name: str) -> float:
    """The one number in x, whatever its shape: (), (1,) or (1, 1)."""
    x = array(x)
    if x.size != 1:
        raise ValueError(
            f"{name} is a list with a Gaussian of shape {x.shape}: each must be of one number, "
            "such as g.mean[0] and g.var[0]"
        )
    return float(x.item())


def _refuse(name: str, size: int, count: int) -> np.ndarray:
    """Raise for moments of the wrong number."""
    raise ValueError(f"{name} has {size} values for {count} times: give one for each, or one for all")


@WIDGETS.register
class Gaussians(Scrubber):
    """Two normal densities over time and their KL(first ‖ second), in nats. Taught with in notebook 03.

    times: N times. first, second: (mean, var), each N numbers or one; or an object with `mean` and `var`; or N of them.
    names: what the two are called. zoom: let the x axis follow the densities instead of holding all of them.
    x_range: (low, high) of the x axis. Other options as for `Curves`.

    Raises ValueError for other lengths, and for variances that are negative or not finite.
    """

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
            _moments(normal, len(times), name) for normal, name in zip((first, second), self._titles, strict=True)
        )
        ends = np.concatenate([m + side * 3.5 * np.sqrt(v) for m, v in ((m1, v1), (m2, v2)) for side in (-1, 1)])
        plot = axes.plot(
            self._x_range or axes.limits(ends, room=0.0),
            (0.0, 1.08),
            y_ticks=False,
            x_label="x",
            y_label="density (higher peak = 1)",
            **self._size,
        )
        divergence = kl(m1, v1, m2, v2)
        pack = Pack()
        for name, part in (("m0", m1), ("v0", v1), ("m1", m2), ("v1", v2), ("kl", divergence)):
            pack.add(name, part)
        described = (
            f"Normal densities {self._titles[0]} and {self._titles[1]}, from {self.axis} = {number(times[0])} to "
            f"{number(times[-1])}, and their KL."
        )
        self._replace(
            times,
            pack,
            ((m1, v1), (m2, v2), divergence),
            values=values,
            alt=alt or described,
            _plot=plot,
            _names=list(self._titles),
            _zoom=self._zooms,
        )

    def still(self) -> bytes:
        """A PNG of the two densities at up to five times, and their KL."""
        from ..figures import COLOURS, DASHES
        from . import stills

        first, second, divergence = self._drawn
        chosen = spread(len(self.times))
        figure, panels = stills.panels(len(chosen), width=190 * max(2, len(chosen)), height=230)
        for k, panel in zip(chosen, panels, strict=True):
            pair = [(mean[k], var[k]) for mean, var in (first, second)]
            ends = np.array([mean + side * 3.5 * np.sqrt(var) for mean, var in pair for side in (-1, 1)])
            low, high = axes.limits(ends, room=0.0) if self._zoom else self._plot["x"]
            x = np.linspace(low, high, 300)
            curves = [density(x, *moments) for moments in pair]
            for i, curve in enumerate(curves):
                height = curve / max(curve.max() for curve in curves)
                panel.fill_between(x, height, color=COLOURS[i], alpha=0.18, linewidth=0)
                panel.plot(x, height, color=COLOURS[i], linestyle=DASHES[i])
            title = f"{self.axis} = {number(self.times[k])}\nKL {number(divergence[k])}"
            panel.set(xlim=(low, high), ylim=(0, 1.08), xlabel="x", yticks=[], title=stills.plain(title))
            panel.locator_params(axis="x", nbins=4, steps=[1, 2, 5, 10])
        panels[0].set_ylabel("density\n(higher peak = 1)")
        stills.legend(figure, [(stills.line(i), name) for i, name in enumerate(self._names)])
        return stills.finish(figure, repr(self))


def density(x: np.ndarray, mean: float, var: float) -> np.ndarray:
    """The normal density; that of a point is a spike one step wide."""
    var = max(var, float(x[1] - x[0]) ** 2)
    return np.exp(-0.5 * (x - mean) ** 2 / var) / np.sqrt(2 * np.pi * var)
