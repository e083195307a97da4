"""Random inputs that several exercises share."""

import torch
from torch import Tensor


def random_alpha_bar(generator: torch.Generator, least: int = 4, most: int = 40) -> Tensor:
    """A random falling table (T + 1,) with alpha_bar[0] = 1, T from `least` to `most`."""
    steps = int(torch.randint(least, most + 1, (), generator=generator))
    betas = 0.02 + 0.2 * torch.rand(steps, generator=generator, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - betas, 0)])


def pictures(generator: torch.Generator, batch: int = 3, shape: tuple[int, ...] = (1, 4, 5)) -> Tensor:
    """Random pictures (batch, *shape) in [-1, 1]."""
    return 2 * torch.rand(batch, *shape, generator=generator) - 1


def some_step(generator: torch.Generator, alpha_bar: Tensor, least: int = 1) -> int:
    """A random timestep least..T, the two ends more often than the others."""
    last = len(alpha_bar) - 1
    return (least, last, *torch.randint(least, last + 1, (4,), generator=generator).tolist())[
        int(torch.randint(6, (), generator=generator))
    ]
