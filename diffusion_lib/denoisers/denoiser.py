"""A network that is a denoiser, and what everything else may ask of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from .. import conditions
from ..conditions import Condition
from ..predictions import TARGETS, Prediction, determinant, solve
from ..schedules import Schedule, Time


class DenoiserLike(Protocol):
    """What samplers and wrappers ask of a denoiser."""

    @property
    def schedule(self) -> Schedule: ...

    def null(self, cond: Condition) -> Condition: ...

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction: ...


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """``net`` in evaluation mode, and back in training mode afterwards if it was."""
    training = [part for part in net.modules() if part.training] if net.training else []  # a frozen part may not be
    if training:
        net.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A network plus what makes it a denoiser: its schedule, and what it predicts. Taught in notebook 04.

    ``net(x (B, …), t (B,), cond)`` returns the shape of x. It knows no schedule: it sees t in [0, 1], and x divided by
    hypot(alpha, sigma), so that its input has unit size at every time on every schedule (Karras et al. 2022, table 1;
    data of variance 1). ``scale_input=False`` hands it x as it is, as networks of older files expect.

    The network may be on a device and of a precision of its own: x goes there, and the answer comes back as x is. Asked
    for a prediction, it answers in evaluation mode and is put back as it was; ``output`` leaves the mode alone, for
    training.
    """

    net: nn.Module
    schedule: Schedule
    predicts: str = "v"
    scale_input: bool = True

    def __post_init__(self):
        TARGETS.find(self.predicts, option="predicts")

    @property
    def conditional(self) -> bool:
        """Whether the network takes a condition; one that does not say so takes none."""
        return getattr(self.net, "conditional", False)

    def null(self, cond: Condition) -> Condition:
        """The condition, in the form of ``cond``, by which the network is asked for nothing in particular."""
        if cond is not None and not self.conditional:
            name = type(self.net).__name__
            raise ValueError(f"{name} takes no condition: leave cond out, or give it conditional = True and null(cond)")
        return None if cond is None else self.net.null(cond)

    def coefficients(self, t: Time, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(alpha, sigma, p, q) at ``t``: x = alpha x0 + sigma eps, target = p x0 + q eps."""
        alpha, sigma = self.schedule.pair(t, x)
        return alpha, sigma, *TARGETS[self.predicts](alpha, sigma, lambda: self.schedule.rates(t, x))

    def output(self, x: Tensor, t: Time, cond: Condition = None) -> Tensor:
        """The network's raw output for x (B, …) at ``t``, a number or (B,); ValueError if its shape is not x's."""
        weight = next(self.net.parameters(), x)
        device = weight.device
        if cond is not None and device != x.device and hasattr(self.net, "check"):
            self.net.check(cond, len(x))  # here, where the labels still lie on the CPU: a GPU would say less
        scaled = x / torch.hypot(*self.schedule.pair(t, x)) if self.scale_input else x
        exact = torch.promote_types(x.dtype, torch.float32)  # bfloat16 would make t = 0.999 a 1
        t = torch.as_tensor(t, dtype=exact, device=device).expand(len(x))
        dtype = weight.dtype if weight.is_floating_point() else x.dtype
        y = self.net(scaled.to(device, dtype), t, conditions.to(cond, device))
        if y.shape != x.shape:
            shapes = f"shape {tuple(y.shape)} for x of shape {tuple(x.shape)}"
            raise ValueError(f"{type(self.net).__name__} answered with {shapes}: let it return the shape of x")
        return y.to(x)

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        coefficients = self.coefficients(t, x)
        with evaluating(self.net):
            y = self.output(x, t, cond)
        try:
            return solve(x, y, *coefficients)
        except ValueError as error:
            worst = determinant(*coefficients).abs().nan_to_num(0.0).argmin()
            at = f"(t = {torch.as_tensor(t).flatten()[worst]:.6g} of {self.schedule})"
            raise ValueError(str(error).replace("this target", self.predicts).replace(":", f" {at}:", 1)) from None
