"""Scrubbers: timesteps at the screen's rate, with a kernel, without one, and as stills.

    from diffusion_lib.course import widgets

    widgets.scrub(list(ddim(denoise, noise, times)))                    # x_t and x̂0, side by side
    widgets.scrub({"x_t": frames, "noise": others}, times=times, values={"SNR": snr}, alt="Noise turns into digits.")
    widgets.Noising(x0, noise, alpha, sigma, times)                     # the browser computes x_t
    widgets.Curves(times, {"exact": y, "estimated": (y2, error)}, log_y=True)
    widgets.Points(times, clouds, density=f, field=g, paths=8)          # 2-D; clouds (N, B, 1): histograms
    widgets.Gaussians(times, (mean, var), (mean2, var2))                # two densities and their KL
    widgets.explore_schedule(x0, noise)                                 # a workbench: choose a beta table, drag time
    widgets.link(a, b); widgets.row(a, b); widgets.column(a, b)

Each has `t`, the time asked for, and `index`, the frame nearest to it: set them, `observe` them, or `jslink` them. Each
has `update(...)`, which takes what its constructor takes and shows it in place: so a control (any ipywidget) that needs
something computed anew feeds the widget that is already on the page. `alt` says what changes from first to last frame.
"""

from .curves import Curves
from .frames import Frames, Noising
from .gaussians import Gaussians
from .layout import column, link, row
from .points import Points
from .trajectories import scrub

__all__ = ["Curves", "Frames", "Gaussians", "Noising", "Points", "column", "explore_schedule", "link", "row", "scrub"]


def __getattr__(name: str) -> object:
    if name == "explore_schedule":  # the only one that needs torch at once
        from .explore import explore_schedule

        return explore_schedule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
