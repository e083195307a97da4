"""The options of a training: what they are, which values they may have, and what is meant by each.

Two of them name a curve. The *decay* says how the learning rate falls after its warm-up, as a function of the share of
the steps that are done: half a cosine (Loshchilov & Hutter 2017, equation 5), or not at all. The *times* say which
noise levels are trained how often, as the quantile function of their distribution, t = F^{-1}(u) of a uniform u:

    uniform         t = u
    logit_normal    t = 1 / (1 + exp(-m - s z)) for a standard Gaussian z, so logit(t) ~ N(m, s²)
                    (Esser et al. 2024, section 3.1); m = times_mean, s = times_deviation. Its tails are thin
                    (at m = 0, s = 1 one of 20 000 lies above 0.98), so a share of times_uniform may be uniform

A stratified u stays stratified under F^{-1}. More training at some times weighs the loss there more, too: the expected
loss under another distribution of times is another loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_type_hints

import torch
from torch import Tensor

from ..objective import WEIGHTS
from ..registry import Registry
from .optimizers import OPTIMIZERS

DECAYS: Registry[Callable[[float], float]] = Registry("decay")
"""How the learning rate falls: from the share of the steps that are done, in [0, 1), to a factor."""

TIMES: Registry[Callable[[Tensor, TrainingConfig], Tensor]] = Registry("times")
"""Distributions of the times: quantile functions, from u in [0, 1) to t in [0, 1], float64."""


@DECAYS.register
def cosine(done: float) -> float:
    """Half a cosine, from 1 to 0."""
    return (1 + math.cos(math.pi * done)) / 2


@DECAYS.register(name="none")
def constant(done: float) -> float:
    """No decay."""
    return 1.0


@TIMES.register
def uniform(u: Tensor, config: TrainingConfig) -> Tensor:
    """Every time equally often."""
    return u


@TIMES.register
def logit_normal(u: Tensor, config: TrainingConfig) -> Tensor:
    """Times in the middle more often: the logit of t is Gaussian, but for a share that is uniform."""
    share = config.times_uniform
    inner = ((u - share) / (1 - share)).clamp(min=0)  # of the times that are not uniform, how far along
    gaussian = torch.sigmoid(config.times_mean + config.times_deviation * torch.special.ndtri(inner))
    return torch.where(u < share, u / share, gaussian) if share else gaussian


@dataclass(frozen=True)
class TrainingConfig:
    """The options of :func:`train` that change the weights; a checkpoint keeps them. Taught in notebook 05.

    The comment behind an option is its help on the command line, and its type says which values it may have.

    Raises:
        ValueError: an option is out of range; the message says which values are not.
    """

    steps: int = 3000  # training steps
    batch: int = 64  # examples a step, of all processes together
    optimizer: Annotated[str, OPTIMIZERS] = "adamw"  # how a gradient becomes a step
    lr: float = 2e-3  # highest learning rate
    warmup: int = 100  # steps in which the learning rate rises
    decay: Annotated[str, DECAYS] = "cosine"  # how the learning rate falls afterwards
    ema: float = 0.999  # decay of the weights' moving average, in [0, 1)
    clip: float = 1.0  # largest norm of the gradient
    label_dropout: float = 0.1  # share of the conditions that are left out, for guidance
    times: Annotated[str, TIMES] = "uniform"  # distribution of the times that are trained
    times_mean: float = 0.0  # mean of logit(t), for logit_normal times
    times_deviation: float = 1.0  # standard deviation of logit(t), for logit_normal times
    times_uniform: float = 0.0  # share of the times that are drawn uniformly, for logit_normal times
    stratified: bool = True  # one time in each of as many equally likely slices as the batch has examples
    weight: Annotated[str, WEIGHTS] = "simple"  # weight of the loss over the noise levels
    seed: int = 0  # of everything that is drawn
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 for pictures where the hardware has it

    def __post_init__(self):
        for name, least in (("steps", 1), ("batch", 1), ("warmup", 0), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r} must be a whole number of at least {least}")
        for name in ("lr", "clip", "times_deviation"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)!r} must be above 0 and finite")
        if not math.isfinite(self.times_mean):
            raise ValueError(f"times_mean={self.times_mean!r} must be finite: 0 is the middle")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema={self.ema!r} is outside [0, 1): 0 keeps no average, 0.999 is usual")
        if not 0 <= self.times_uniform < 1:
            raise ValueError(f"times_uniform={self.times_uniform!r} is outside [0, 1): 0.05 shows the ends")
        if not 0 <= self.label_dropout <= 1:
            raise ValueError(f"label_dropout={self.label_dropout!r} is outside [0, 1]: 0.1 is usual")
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            allowed = choices(hint)
            if allowed and getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {', '.join(map(repr, allowed))}")

    def rate(self, step: int) -> float:
        """The learning rate of a step, 1 … steps."""
        # not torch's LambdaLR: that counts steps itself, one more thing to save; this depends on the step alone
        return self.lr * min(1.0, step / max(1, self.warmup)) * DECAYS[self.decay]((step - 1) / self.steps)


def choices(hint: Any) -> tuple[str, ...]:
    """The values that a type allows if it lists them: those of a ``Literal``, or the names in a registry."""
    for extra in getattr(hint, "__metadata__", ()):  # of Annotated[str, registry]
        if isinstance(extra, Mapping):
            return tuple(extra)
    return get_args(hint) if getattr(hint, "__origin__", None) is Literal else ()
