r"""Draw something, and watch noise become it: `Drawing`.

The data are the points y_1 … y_N of a drawing, each a Gaussian as wide as the pen, h. On the straight line of flow
matching, x_t = alpha x_0 + sigma noise with alpha = 1 - t and sigma = t, every answer is then known exactly:

.. math::
    v_t = \alpha^2 h^2 + \sigma^2, \qquad r_i = \mathrm{softmax}_i\bigl[-|x - \alpha y_i|^2 / 2 v_t\bigr], \qquad
    m = \sum_i r_i y_i, \\
    E[x_0 \mid x_t] = m + \tfrac{\alpha h^2}{v_t}(x - \alpha m), \qquad
    E[\text{noise} \mid x_t] = \tfrac{\sigma}{v_t}(x - \alpha m),

and the particles follow the probability-flow ODE dx/dt = E[noise | x_t] - E[x_0 | x_t] (Song et al. 2021, equation 13;
Lipman et al. 2023) from t = 1 to t = 0, by Heun's method. The browser computes all of it, `drawing.js`; the still
comes from this package's own `walk` and `Exact`, which give the same numbers.
"""

import numpy as np
import traitlets

from . import axes
from .arrays import Pack, array, number
from .base import WIDGETS, Scrubber, spread
from .points import grid
from .strokes import BOUND, MOST_POINTS, PRESETS, SPACING, points_along

STEPS = 100
MOST_PARTICLES = 2000


def _points(points: object, pen: float) -> tuple[np.ndarray, str]:
    """The points of a drawing (N, 2), N from 0, and what it shows in words."""
    if points is None:
        return np.zeros((0, 2)), "nothing was drawn yet"
    if isinstance(points, str):
        if points not in PRESETS:
            raise ValueError(f"points={points!r} is none of {', '.join(map(repr, PRESETS))}; or give points (N, 2)")
        return points_along(PRESETS[points], pen), points
    given = array(points, dtype=float)
    if given.ndim != 2 or given.shape[1] != 2 or not 1 <= len(given) <= MOST_POINTS:
        raise ValueError(
            f"points has shape {given.shape}: give (N, 2) with N from 1 to {MOST_POINTS}, for instance points[:300]"
        )
    inside = (np.abs(given) <= BOUND).all(1)  # False for what is no number, too
    if not inside.all():
        at = int(np.argmin(inside))
        raise ValueError(
            f"points[{at}] = ({number(given[at, 0])}, {number(given[at, 1])}) lies outside the square from "
            f"{-BOUND:g} to {BOUND:g}: make the points smaller, for instance points / points.std()"
        )
    return given, f"{len(given)} given points"


@WIDGETS.register
class Drawing(Scrubber):
    """A square to draw on: particles flow from noise to the drawing along the exact field. Taught with in notebook 00.

    points: the name of a preset ("two moons", "ring", "heart", "letter A"), points (N, 2) of your own, or None for an
      empty square. particles: how many start from N(0, I), the same ones for the same seed. pen: the deviation of the
      Gaussian round each point, in the units of the square, which runs from -3 to 3.
    field: show arrows that say where a particle goes next. paths: show the ways of the first 100 particles.

    What was drawn is `points`, (N, 2), also in Python once the pen is lifted; `noise` (particles, 2) is where the
    particles start, `mixture` the Gaussians as which the points are taken.

    Raises ValueError for an unknown preset, points that do not fit into the square, and numbers outside their limits.
    """

    _points = traitlets.List(help="x and y of each point, one after the other").tag(sync=True)
    _plot = traitlets.Dict().tag(sync=True)
    _scene = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        points: object = "two moons",
        *,
        particles: int = 400,
        seed: int = 0,
        pen: float = 0.06,
        field: bool = False,
        paths: bool = False,
        width: int = 430,
        alt: str = "",
        fps: float = 30.0,
    ) -> None:
        super().__init__(axis="t", fps=fps, loop=False)
        self._width = width
        self.update(points, particles=particles, seed=seed, pen=pen, field=field, paths=paths, alt=alt)

    def update(
        self,
        points: object = "two moons",
        *,
        particles: int = 400,
        seed: int = 0,
        pen: float = 0.06,
        field: bool = False,
        paths: bool = False,
        alt: str = "",
    ) -> None:
        """Show another drawing in the same widget, at the same place in time; arguments as for a new one."""
        if not 1 <= particles <= MOST_PARTICLES:
            raise ValueError(f"particles={particles} is outside 1 … {MOST_PARTICLES}: 400 are usual")
        if not 0.02 <= pen <= 0.5:
            raise ValueError(f"pen={pen:g} is outside 0.02 … 0.5, in units of the square of side 6: 0.06 is usual")
        drawn, name = _points(points, pen)
        flat = np.round(drawn, 4).ravel().tolist()
        self._given = (flat, bool(alt))
        noise = np.random.default_rng(seed).standard_normal((particles, 2)).astype(np.float32)
        pack = Pack()
        pack.add("noise", noise)
        for i, preset in enumerate(PRESETS.values()):
            pack.add(f"preset {i}", points_along(preset, pen).astype(np.float32))
        bounds = (-BOUND, BOUND)
        height = self._width + 6  # the margins differ by so much: what is left is a square
        plot = axes.plot(bounds, bounds, width=self._width, height=height, x_label="x₁", y_label="x₂")
        self._replace(
            [(STEPS - k) / STEPS for k in range(STEPS + 1)],
            pack,
            noise,
            values=None,
            alt=alt or self._describe(particles, name),
            note="",
            _points=flat,
            _plot=plot | {"left": 44},
            _scene={
                "pen": pen,
                "spacing": SPACING * pen,
                "most": MOST_POINTS,
                "presets": list(PRESETS),
                "field": bool(field),
                "paths": bool(paths),
            },
        )

    @staticmethod
    def _describe(particles: int, name: str) -> str:
        return f"{particles} particles flow from noise at t = 1 to a drawing at t = 0: {name}."

    @traitlets.observe("_points")
    def _on_points(self, change: dict) -> None:
        flat, has_alt = self._given
        if self._points != flat and not has_alt:  # drawn in the browser
            drawn = f"{len(self._points) // 2} points drawn by hand" if self._points else "nothing was drawn yet"
            self.alt = self._describe(len(self._drawn), drawn)

    @property
    def points(self) -> object:
        """The points of the drawing, a tensor (N, 2): the preset's, those given, or those drawn by hand."""
        import torch

        return torch.tensor(self._points, dtype=torch.float32).reshape(-1, 2)

    @property
    def noise(self) -> object:
        """Where the particles start, at t = 1: a tensor (particles, 2)."""
        import torch

        return torch.tensor(self._drawn)

    @property
    def mixture(self) -> object:
        """The drawing as a `GaussianMixture`, a Gaussian round each point: `Exact(mixture, Flow())` is its denoiser.

        Raises ValueError if nothing was drawn.
        """
        import torch

        from ...gaussians import GaussianMixture

        points = self.points.double()
        if not len(points):
            raise ValueError("nothing was drawn: draw on the square, or choose a preset")
        weights = torch.full((len(points),), 1 / len(points), dtype=torch.float64)
        return GaussianMixture(weights, points, torch.full_like(weights, self._scene["pen"] ** 2))

    def trajectory(self) -> np.ndarray:
        """Where each particle is at each time, (times, particles, 2), as this package walks it."""
        if not self._points:
            return np.broadcast_to(self._drawn, (len(self.times), *self._drawn.shape))
        from ...denoisers import Exact
        from ...sampling import walk
        from ...schedules import Flow

        start = self.noise.double()
        states = walk(Exact(self.mixture, Flow()), start, self.times, "heun")
        return np.stack([start.numpy(), *(state.x.numpy() for state in states)])

    def arrows(self, places: np.ndarray, t: float) -> np.ndarray:
        """Where a particle at each of the places (M, 2) goes next as t falls, (M, 2): against the velocity eps - x0."""
        import torch

        from ...denoisers import Exact
        from ...schedules import Flow

        guess = Exact(self.mixture, Flow())(torch.from_numpy(places).double(), t)
        return (guess.x0 - guess.eps).numpy()

    def still(self) -> bytes:
        """A PNG of five times, noise first; the drawing behind it, and the field if it is shown."""
        from matplotlib.lines import Line2D

        from .. import tokens
        from ..figures import COLOURS
        from . import stills

        chosen, ink, particle = spread(len(self.times)), COLOURS[0], COLOURS[tokens.ROLES["cloud"][0]]
        figure, panels = stills.panels(len(chosen), width=950, height=270, equal=True)
        paths, drawn, entries = self.trajectory(), self.points.numpy(), []
        (low, high), row = self._plot["x"], 15  # arrows in a row
        places = grid((low, high), row)
        for k, panel in zip(chosen, panels, strict=True):
            panel.set_aspect("equal")
            panel.scatter(*drawn.T, s=14, color=ink, alpha=0.25, linewidths=0, zorder=2)
            panel.scatter(*paths[k].T, s=5, color=particle, alpha=0.8, linewidths=0, zorder=3)
            if self._scene["field"] and len(drawn):
                entries = [stills.field(panel, places, self.arrows(places, self.times[k]), (high - low) / row)]
            panel.set(xlim=self._plot["x"], ylim=self._plot["y"], xlabel=self._plot["xLabel"])
            panel.set_title(f"t = {number(self.times[k])}")
            panel.locator_params(nbins=4, steps=[1, 2, 5, 10])
        panels[0].set_ylabel(self._plot["yLabel"])
        dot = {"marker": "o", "linestyle": "none", "markersize": 5}
        stills.legend(
            figure,
            [
                (Line2D([], [], color=ink, alpha=0.4, **dot), "the drawing" if len(drawn) else "nothing drawn yet"),
                (Line2D([], [], color=particle, **dot), f"{len(self._drawn)} particles"),
                *entries,
            ],
        )
        return stills.finish(figure, repr(self))
