"""Random inputs that several exercises share, and those at the edges of what an exercise allows."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor


def random_alpha_bar(generator: torch.Generator, least: int = 4, most: int = 40, low: float = 0.02) -> Tensor:
    """A random falling table (T + 1,) with alpha_bar[0] = 1, T from `least` to `most`, betas from `low` to 10 `low`."""
    least = least if low < 0.05 else most  # nearly no signal at the end
    steps = int(torch.randint(least, most + 1, (), generator=generator))
    betas = low * (1 + 10 * torch.rand(steps, generator=generator, dtype=torch.float64))
    return torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - betas, 0)])


def pictures(generator: torch.Generator, batch: int = 3, shape: tuple[int, ...] = (1, 4, 5)) -> Tensor:
    """Random pictures (batch, *shape), half of whose numbers lie beyond [-1, 1], so that a clip is seen."""
    return 1.7 * torch.randn(batch, *shape, generator=generator)


def some_step(generator: torch.Generator, alpha_bar: Tensor, least: int = 1, step: int | None = None) -> int:
    """A random timestep above `least` and below T; or `step` if that is given, counted from T if negative."""
    steps = len(alpha_bar) - 1
    if step is not None:
        return step if step > 0 else steps + 1 + step
    return int(torch.randint(least + 1, steps, (), generator=generator))


def edges(inputs: Callable, *cases: dict) -> tuple[Callable, ...]:
    """One function of a generator for each case: `inputs` with these keyword arguments."""
    return tuple(functools.partial(inputs, **case) for case in cases)


def steps_and_batches(inputs: Callable, least: int = 1) -> tuple[Callable, ...]:
    """The edges of every exercise about one timestep: the first two, the last, nearly no signal, a batch of one."""
    steps = ({"step": step} for step in (least, least + 1, -1))
    return edges(inputs, *steps, {"step": -1, "low": 0.06}, {"batch": 1}, {"batch": 1, "step": least})
