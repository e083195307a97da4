"""The driver: one loop that walks any step along a list of times, and ``sample``, which draws many samples with it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from .. import conditions
from ..conditions import Condition
from ..denoisers import DenoiserLike
from ..predictions import Prediction
from ..schedules import Time
from ..times import check_times, uniform_times
from .steps import STEPS, Step, ddim


@dataclass(frozen=True, eq=False)
class State:
    """One stop of a walk: the state ``x`` (B, …) at time ``t``, and the estimate ``x0`` (B, …) that led there."""

    t: float
    x: Tensor
    x0: Tensor


@torch.no_grad()
def walk(
    denoise: DenoiserLike,
    x: Tensor,
    times: Sequence[float],
    step: Step | str = ddim,
    *,
    cond: Condition = None,
    generator: torch.Generator | None = None,
) -> Iterator[State]:
    """Walk ``x`` (B, …), given at times[0], along ``times`` with one step after another, and yield every stop.

    ``list(walk(...))`` is what a scrubber shows, ``*_, last = walk(...)`` the result. ``step`` is a function
    ``step(denoise, x, t, s) -> x_s``, of this package or your own, or the name of one; ``partial(ddim, eta=0.5)`` sets
    an option. A random step takes its numbers from ``generator``. Times fall, or rise for steps that are not random.
    Notebook 06.

    Raises:
        ValueError: the times change direction, or rise for a random step; or an unknown name.
    """
    step = STEPS.find(step) if isinstance(step, str) else step
    times = check_times(times, falling=is_random(step))
    watched = Watched(denoise, cond)
    history: list[tuple[float, Tensor]] = []
    extras = {"generator": generator, "history": history}
    given = getattr(step, "keywords", {})  # of a partial, which may bring a generator of its own
    extras = {name: value for name, value in extras.items() if name in options_of(step) and name not in given}
    for t, s in pairwise(times):
        watched.first = None
        x = step(watched, x, t, s, **extras)
        x0 = x if watched.first is None else watched.first.x0
        history.append((t, x0))
        del history[:-LOOK_BACK]
        yield State(s, x, x0)


LOOK_BACK = 3
"""How many earlier estimates a walk keeps for steps that look back."""


def sample(
    denoise: DenoiserLike,
    shape: Sequence[int],
    count: int,
    *,
    step: Step | str = "ddim",
    steps: int = 20,
    times: Sequence[float] | None = None,
    options: Mapping[str, float] | None = None,
    x: Tensor | None = None,
    cond: Condition = None,
    seed: int = 0,
    batch: int = 64,
    progress: bool = False,
) -> Tensor:
    """``count`` new samples of the given ``shape``, (count, *shape), float32, made in batches. Notebook 06.

    step: a step function (see :func:`walk`) or the name of one in :data:`STEPS`, with ``options`` such as
    ``{"eta": 0.5}``. times: in place of ``steps`` even ones from 1 to 0. x: where to start, (count, *shape), noised to
    times[0], for instance a picture that is to be changed; by default the prior, N(0, alpha² + sigma²) of times[0],
    which is noise of the right size for data of variance 1. cond: a condition for ``count`` samples.

    The same seed and batch give the same samples: all noise is drawn on the CPU, where the samples stay, whatever
    device the network computes on.

    Raises:
        ValueError: unknown step or option, ``cond`` or ``x`` for another number of samples, or no samples asked for.
    """
    from tqdm.auto import tqdm

    if count < 1 or batch < 1:
        raise ValueError(f"count={count}, batch={batch}: both are at least 1")
    if cond is not None and conditions.count(cond) != count:
        raise ValueError(f"cond has {conditions.count(cond)} conditions for {count} samples: give one each")
    if x is not None and tuple(x.shape) != (count, *shape):
        raise ValueError(f"x has shape {tuple(x.shape)}, it must be {(count, *shape)}: one start for each sample")
    function = getattr(step, "func", step)  # of a partial
    name = step if isinstance(step, str) else getattr(function, "__name__", type(function).__name__)
    step = with_options(STEPS.find(step) if isinstance(step, str) else step, options or {})
    times = uniform_times(steps) if times is None else check_times(times)
    generator = torch.Generator().manual_seed(seed)
    if x is None:
        x = denoise.schedule.prior((count, *shape), generator, t=times[0], dtype=torch.float32)
    done = []
    with tqdm(total=-(-count // batch) * (len(times) - 1), desc=name, disable=not progress, leave=False) as bar:
        for first in range(0, count, batch):
            rows = slice(first, first + batch)
            part = conditions.to(conditions.take(cond, rows), "cpu")
            for state in walk(denoise, x[rows], times, step, cond=part, generator=generator):
                bar.update()
                last = state.x
            done.append(last)
    return torch.cat(done)


class Watched:
    """The denoiser that a step sees: its condition is filled in, and its first answer in each step is remembered."""

    def __init__(self, denoiser: DenoiserLike, cond: Condition):
        self.denoiser, self.cond = denoiser, cond
        self.schedule = denoiser.schedule
        self.first: Prediction | None = None

    def null(self, cond: Condition) -> Condition:
        return self.denoiser.null(cond)

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        prediction = self.denoiser(x, t, self.cond if cond is None else cond)
        self.first = self.first or prediction
        return prediction


def options_of(step: Step) -> dict[str, object]:
    """The keyword options of a step, with their defaults (those of a ``partial`` that are set already included)."""
    parameters = list(inspect.signature(step).parameters.values())
    return {p.name: p.default for p in parameters[4:] if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}


def with_options(step: Step, options: Mapping[str, object]) -> Step:
    """The step with options set; refused unless the step has them."""
    known = [name for name in options_of(step) if name not in ("generator", "history")]
    for name in options:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{getattr(step, '__name__', step)} has no option {name!r}: {has}")
    return partial(step, **options) if options else step


def is_random(step: Step) -> bool:
    """Whether a step draws random numbers, so that it can only denoise.

    It does if it takes a ``generator``, unless the option that sets how much, ``eta`` or ``churn``, is 0.
    """
    options = options_of(step)
    return "generator" in options and bool(options.get("eta", options.get("churn", True)))
