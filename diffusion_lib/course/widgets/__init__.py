"""Scrubbers: timesteps at the screen's rate, with a kernel, without one, and as stills.

    from diffusion_lib.course import widgets

    widgets.scrub(steps)                                                # a sampler's: x_t and x̂0, side by side
    widgets.scrub({"x_t": frames, "noise": others}, times=times, values={"SNR": snr}, alt="Noise turns into digits.")
    widgets.Noising(x0, noise, alpha, sigma, times)                     # the browser computes x_t
    widgets.Curves(times, {"exact": y, "estimated": (y2, error)}, log_y=True)
    widgets.Points(times, clouds, density=f, field=g, paths=8)          # 2-D; clouds (N, B, 1): histograms
    widgets.Gaussians(times, (mean, var), (mean2, var2))                # two densities and their KL
    widgets.Drawing()                                                   # draw on a square; noise becomes the drawing
    widgets.explore_schedule(x0, noise)                                 # a workbench: choose a beta table, drag time
    widgets.link(a, b); widgets.row(a, b); widgets.column(a, b)
    widgets.choose({"ddim": a, "heun": b}, label="sampler")             # one of several, chosen from a list
    widgets.ask(compute, {"a red star": a}, label="caption")            # the same, and a field to type another one

Each has `t`, the time asked for, and `index`, the frame nearest to it: set them, `observe` them, or `jslink` them. Each
has `update(...)`, which takes what its constructor takes and shows it in place: so a control (any ipywidget) that needs
something computed anew feeds the widget that is already on the page. `alt` says what changes from first to last frame.

Two more are no scrubbers: `Predict` and `Score`, which `course.predict` and `course.predictions` make.

A widget is a class in `name.py`, registered in `WIDGETS`, and the JavaScript in `name.js` beside it; all such pairs in
this folder are loaded here, and every registered widget, wherever it was written, is an attribute of this module.
"""

from importlib import import_module
from pathlib import Path

from .base import WIDGETS, Scrubber
from .choosing import ask, choose
from .layout import column, link, row
from .trajectories import scrub

for _script in sorted(Path(__file__).parent.glob("*.js")):
    if _script.with_suffix(".py").is_file():
        import_module(f".{_script.stem}", __name__)

__all__ = [*WIDGETS, "WIDGETS", "Scrubber", "ask", "choose", "column", "explore_schedule", "link", "row", "scrub"]


def __getattr__(name: str) -> object:
    if name in WIDGETS:
        return WIDGETS[name]
    if name == "explore_schedule":  # the only one that needs torch at once
        from .explore import explore_schedule

        return explore_schedule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return sorted({*__all__, *WIDGETS})
