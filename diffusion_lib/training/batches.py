"""What is trained on in one step: clean examples, times, noise, and what of the conditions is left out.

**Every random number is a function of (seed, step, index in the batch)** and of nothing else: each step has a random
generator of its own, seeded from (seed, step), from which the whole batch is drawn. So a run that was interrupted and
resumed is bit-identical to one that was not, the batch is the same whatever the number of processes, and no global
random state is read or changed.

Two aids are drawn here. *Stratified times*: u_i = (i + r_i) / B with r_i uniform, one in each of B equal slices of
[0, 1], so that every batch sees all of them (the "low-discrepancy sampler" of Kingma et al. 2021 uses one r for all).
*Label dropout*: some conditions become ``null``, so that one network learns both halves of guidance (Ho & Salimans
2022).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .. import conditions
from ..conditions import Condition
from ..data.dataset import Dataset
from ..data.draws import Draw
from .config import TIMES, TrainingConfig

DrawFunction = Callable[[int, torch.Generator], Draw]
"""``draw(count, generator) -> Draw``: ``count`` examples, every random number of which comes from ``generator``."""

Data = Dataset | Tensor | tuple[Tensor, Condition] | DrawFunction
"""What can be trained on, see :func:`~diffusion_lib.training.train`."""


class Batch(NamedTuple):
    """One step's examples: ``x0`` (B, …), times ``t`` (B,) in float64, ``noise`` (B, …), conditions of B, or None."""

    x0: Tensor
    t: Tensor
    noise: Tensor
    cond: Condition


class Rows:
    """A draw function over examples ``x`` (N, …) and their conditions: each row is equally likely, with replacement."""

    def __init__(self, x: Tensor, cond: Condition = None):
        if len(x) == 0:
            raise ValueError("there are 0 examples to train on: give at least one")
        if cond is not None and conditions.count(cond) != len(x):
            raise ValueError(f"{conditions.count(cond)} conditions for {len(x)} examples: give one for each")
        self.x, self.cond = x, cond

    def __call__(self, count: int, generator: torch.Generator) -> Draw:
        rows = torch.randint(len(self.x), (count,), generator=generator)
        return Draw(self.x[rows], conditions.take(self.cond, rows))


def draw_batch(
    draw: DrawFunction, config: TrainingConfig, step: int, *, null: Callable[[Condition], Condition] | None = None
) -> Batch:
    """The batch of one step, a function of (seed, step). Taught in notebook 05.

    ``null`` is the denoiser's; without it no condition is left out.

    Raises:
        ValueError: ``draw`` gave another number of examples, conditions or noises than it was asked for.
    """
    generator = torch.Generator().manual_seed(stable_hash(config.seed, step))
    x0, cond, noise = checked(draw(config.batch, generator), config.batch)
    u = torch.rand(config.batch, generator=generator, dtype=torch.float64)
    if config.stratified:
        u = (torch.arange(config.batch) + u) / config.batch
    if noise is None:
        noise = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
    dropped = torch.rand(config.batch, generator=generator) < config.label_dropout
    if null is not None and cond is not None:
        cond = conditions.where(dropped, null(cond), cond)
    return Batch(x0, TIMES[config.times](u, config), noise, cond)


def checked(draw: Draw, count: int) -> Draw:
    """A draw in float32, refused if it is not of ``count`` samples."""
    if not isinstance(draw, Draw) or not isinstance(draw.x0, Tensor):
        raise ValueError(f"the draw function returned {type(draw).__name__}: return Draw(x0, cond, noise)")
    if len(draw.x0) != count or conditions.count(draw.cond) not in (None, count):
        lengths = f"{len(draw.x0)} examples and {conditions.count(draw.cond) or 'no'} conditions"
        raise ValueError(f"the draw function gave {lengths} where {count} were asked for: draw as many as `count` says")
    if draw.noise is not None and draw.noise.shape != draw.x0.shape:
        shapes = f"{tuple(draw.noise.shape)} and x0 the shape {tuple(draw.x0.shape)}"
        raise ValueError(f"the draw function's noise has the shape {shapes}: draw noise of the shape of x0")
    return Draw(draw.x0.float(), draw.cond, None if draw.noise is None else draw.noise.float())


def draw_function(data: Data, *, conditional: bool) -> DrawFunction:
    """What draws examples from ``data``, with their conditions if the network is ``conditional``.

    Raises:
        ValueError: conditions are given, not as a data set's labels, to a network that takes none.
        TypeError: ``data`` is nothing that can be trained on.
    """
    if isinstance(data, Dataset):
        return Rows(data.x, data.labels if conditional else None)
    if isinstance(data, Tensor):
        return Rows(data)
    if callable(data):
        given = checked(data(1, torch.Generator().manual_seed(0)), 1).cond
    elif isinstance(data, tuple | list) and len(data) == 2 and isinstance(data[0], Tensor):
        given = data[1]
        data = Rows(*data)
    else:
        raise TypeError(f"data is a {type(data).__name__}: give a Dataset, a tensor, a pair (x, cond) or a function")
    if given is not None and not conditional:
        raise ValueError("the data have conditions, the network takes none: leave them out, or build it with classes")
    return data


def data_card(data: Data, draw: DrawFunction) -> dict:
    """What a file says of the data: enough to shape samples, and to notice other data.

    Examples are known by a digest of every number. A function has no numbers of its own: it is known by its name and by
    a digest of what it draws for one fixed generator.

    Raises:
        ValueError: a function draws differently from the same generator, so that no run could be resumed.
    """
    if isinstance(draw, Rows):
        card = {"name": "tensor", "classes": [], "shape": list(draw.x.shape[1:]), "count": len(draw.x)}
        if isinstance(data, Dataset):
            card |= {"name": data.name, "classes": list(data.classes)}
        return card | {"digest": digest(draw.x.float()), "cond_digest": digest(draw.cond)}
    first, again = (checked(draw(2, torch.Generator().manual_seed(0)), 2) for _ in range(2))
    if digest(*first) != digest(*again):
        raise ValueError(
            f"{function_name(draw)} drew differently from the same generator, so a resumed run would be another one: "
            "take every random number from the generator, or train without a folder"
        )
    name, classes = getattr(draw, "name", function_name(draw)), list(getattr(draw, "classes", ()))  # as `Fresh` has
    return {"name": name, "classes": classes, "shape": list(first.x0.shape[1:]), "digest": digest(*first)}


def function_name(function: DrawFunction) -> str:
    """What a function, a ``functools.partial`` or an object that can be called is named."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__qualname__", type(function).__qualname__)


def digest(*values: Condition) -> str:
    """A short text that depends on every number of some tensors or conditions, and on their order."""
    total = hashlib.blake2b(digest_size=8)

    def add(part: Tensor) -> Tensor:
        part = part.detach().cpu().contiguous()
        total.update((part.float() if part.is_floating_point() else part).numpy())
        return part

    conditions.apply(add, values)
    return total.hexdigest()


def stable_hash(*numbers: int) -> int:
    """A 63-bit number that depends on these whole numbers alone, on every machine (Python's own hash need not)."""
    return int.from_bytes(hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()) >> 1
