"""A workbench for schedules, made of the course's widgets and plain ipywidgets: `explore_schedule`.

The controls choose a beta table; every change computes its curves anew and feeds them to widgets that are
already on the page. All are linked in time, and the pictures follow in the browser: x_t = alpha(t) x0 + sigma(t) noise.
"""

import html
import inspect
import re
from collections.abc import Callable, Mapping

import ipywidgets
import torch
from torch import Tensor

from ...schedules import SCHEDULES, BetaTable
from .arrays import number
from .curves import Curves
from .frames import Noising
from .layout import column, link, row

LENGTHS = [10, 20, 50, 100, 150, 200, 300, 500, 1000]
STARTS = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 8.5e-4, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]
ENDS = [0.001, 0.002, 0.005, 0.01, 0.012, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 0.9, 1.0]
MOST = 200  # places in time; a table of more timesteps is read at as many of them


def families() -> dict[str, type[BetaTable]]:
    """The registered beta tables that can have any number of timesteps, by their names in words."""
    tables = {
        re.sub(r"(?<!^)([A-Z])", r" \1", name.removesuffix("Beta")).lower(): kind
        for name, kind in SCHEDULES.items()
        if issubclass(kind, BetaTable)
    }
    return {name: kind for name, kind in tables.items() if "timesteps" in inspect.signature(kind).parameters}


def curves_of(schedule: BetaTable) -> dict[str, Tensor]:
    """What the workbench shows of a schedule, each (N,): times, timesteps i, alpha, sigma, alpha_bar, log_snr."""
    total = schedule.timesteps
    steps = torch.linspace(0, total, min(total, MOST) + 1, dtype=torch.float64).round()
    t = steps / total
    return {
        "times": t,
        "steps": steps,
        "alpha": schedule.alpha(t),
        "sigma": schedule.sigma(t),
        "alpha_bar": schedule.alpha_bar(t),
        "log_snr": schedule.log_snr(t),
    }


def explore_schedule(
    x0: Tensor, noise: Tensor, *, more: Mapping[str, Callable[[int], BetaTable]] | None = None
) -> ipywidgets.VBox:
    """Choose a family, T and the ends of beta; drag time; pictures x0 (B, C, H, W) follow. Notebook 01.

    more: further families by name, such as a learner's own: functions of T that return a schedule, or raise ValueError.

    The box has `.family`, `.timesteps`, `.start` and `.end` (the controls), `.schedule` (the last one that could be
    made), `.report` (its terminal SNR, or what was wrong) and `.pictures`, `.shares`, `.clock` (the linked widgets).

    Raises ValueError where x0 and noise differ in shape.
    """
    wide = {"style": {"description_width": "6em"}, "layout": {"width": "24em"}}
    tables = families() | dict(more or {})
    family = ipywidgets.Dropdown(options=list(tables), description="family", **wide)
    timesteps = ipywidgets.SelectionSlider(options=LENGTHS, value=1000, description="T", **wide)
    start = ipywidgets.SelectionSlider(options=STARTS, value=1e-4, description="first beta", **wide)
    end = ipywidgets.SelectionSlider(options=ENDS, value=0.02, description="last beta", **wide)
    report = ipywidgets.HTML(layout={"width": "24em"})

    def has_ends() -> bool:
        return {"start", "end"} <= set(inspect.signature(tables[family.value]).parameters)

    def chosen() -> BetaTable:
        kind = tables[family.value]
        ends = {"start": start.value, "end": end.value}
        return kind(
            timesteps.value, **{name: ends[name] for name in inspect.signature(kind).parameters if name in ends}
        )

    def shown(schedule: BetaTable) -> tuple[tuple, tuple, tuple]:
        """The positional arguments and the options of each widget's `update`."""
        c = curves_of(schedule)
        at = [f"{i:.0f} of {schedule.timesteps}" for i in c["steps"].tolist()]
        signal = {"signal ᾱ": c["alpha_bar"], "noise 1 − ᾱ": 1 - c["alpha_bar"]}
        final = number(schedule.snr(1.0).item())
        return (
            (
                (c["times"], signal),
                {
                    "values": {"timestep": at},
                    "alt": "The share of the signal falls from 1 to 0 over time; the share of the noise rises from 0.",
                },
            ),
            (
                (c["times"][1:], {"log-SNR": c["log_snr"][1:]}),
                {"alt": f"The log-SNR falls over time and ends at {c['log_snr'][-1]:.1f}, where the SNR is {final}."},
            ),
            (
                ((c["alpha"], c["sigma"]),),
                {
                    "times": c["times"],
                    "values": {"timestep": at},
                    "alt": f"Pictures fade into noise from left to right; at the end the SNR is {final}.",
                },
            ),
        )

    schedule = chosen()
    (signal, signal_options), (clock, clock_options), ((rates,), picture_options) = shown(schedule)
    shares = Curves(*signal, **signal_options, y_label="share of the variance", y_range=(0, 1), width=460, height=280)
    clock = Curves(*clock, **clock_options, y_label="log-SNR", y_range=(-22, 12), width=460, height=280)
    pictures = Noising(x0, noise, *rates, **picture_options, size=480)
    parts = shares, clock, pictures

    def summary(schedule: BetaTable) -> str:
        betas = schedule.betas()
        return (
            f"terminal SNR {number(schedule.snr(1.0).item())}, betas from {number(betas[0].item())} "
            f"to {number(betas[-1].item())}"
        )

    def follow(_: object = None) -> None:
        start.disabled = end.disabled = not has_ends()
        try:
            box.schedule = chosen()
        except ValueError as error:
            report.value = html.escape(f"No such schedule: {error}. The curves below are the last one's.")
            return
        report.value = summary(box.schedule)
        for part, (arguments, options) in zip(parts, shown(box.schedule), strict=True):
            part.update(*arguments, **options)

    def other_family(_: object) -> None:
        if has_ends():
            usual = tables[family.value]()
            start.value, end.value = usual.start, usual.end
        follow()

    controls = column(family, timesteps, start, end, report)
    box = column(row(controls, pictures), row(shares, clock))
    box.family, box.timesteps, box.start, box.end, box.report = family, timesteps, start, end, report
    box.shares, box.clock, box.pictures = parts
    box.schedule, report.value = schedule, summary(schedule)
    box.links = link(shares, clock, pictures)
    family.observe(other_family, "value")
    for control in (timesteps, start, end):
        control.observe(follow, "value")
    return box
