"""Conditions: what a sample is asked to be. To all code but the network, a condition is opaque.

``cond`` is whatever the network takes: class labels (B,), tokens (B, L), a tuple or dict of several of these, or None
for nothing at all. Everything else in the package (label dropout, guidance, sampling in batches, moving to a device)
only needs to pick samples from a condition, to join two, and to choose between two, sample by sample: as done here.

What "nothing was asked for" means is the network's to say: ``net.null(cond)`` gives it, in the form of ``cond``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Condition = Tensor | tuple["Condition", ...] | dict[str, "Condition"] | None


def apply(function: Callable[..., Tensor], *conds: Condition) -> Condition:
    """``function`` on each tensor of one condition, or on the tensors of several of the same form; None stays None."""
    first = conds[0]
    if any(cond is None for cond in conds):
        if all(cond is None for cond in conds):
            return None
        raise ValueError("one of these conditions is None and another is not: give both in the same form")
    if isinstance(first, Tensor):
        return function(*conds)
    if isinstance(first, dict):
        for cond in conds:
            if cond.keys() != first.keys():
                raise ValueError(f"conditions have parts {sorted(first)} and {sorted(cond)}: give all the same parts")
        return {name: apply(function, *(cond[name] for cond in conds)) for name in first}
    if isinstance(first, tuple | list):
        return tuple(apply(function, *parts) for parts in zip(*conds, strict=True))
    raise TypeError(f"a condition is a tensor, a tuple or dict of tensors, or None, not {type(first).__name__}")


def take(cond: Condition, rows: Tensor | slice) -> Condition:
    """The condition of some samples: ``rows`` is a slice, indices (K,) or a mask (B,)."""
    return apply(lambda part: part[rows], cond)


def join(*conds: Condition) -> Condition:
    """The conditions of several batches as that of one, in order."""
    return apply(lambda *parts: torch.cat(parts), *conds)


def where(mask: Tensor, yes: Condition, no: Condition) -> Condition:
    """Sample by sample ``yes`` where ``mask`` (B,) holds, else ``no``; both have the same form."""
    return apply(lambda a, b: torch.where(mask.to(a.device).reshape(-1, *[1] * (a.ndim - 1)), a, b), yes, no)


def to(cond: Condition, device: torch.device | str) -> Condition:
    """The condition on another device."""
    return apply(lambda part: part.to(device), cond)


def count(cond: Condition) -> int | None:
    """How many samples a condition is for; None if it is None.

    Raises:
        ValueError: its tensors disagree.
    """
    lengths = set()
    apply(lambda part: lengths.add(len(part)), cond)
    if len(lengths) > 1:
        raise ValueError(f"the parts of this condition are for {sorted(lengths)} samples: they must be equally many")
    return lengths.pop() if lengths else None


def null_labels(cond: Tensor) -> Tensor:
    """Class labels that ask for nothing, -1 for each sample: what networks with labels and exact denoisers share."""
    check_signed(cond)
    return torch.full_like(cond, -1)


def check_signed(cond: Tensor) -> Tensor:
    """``cond`` (B,), refused if its numbers know no -1: in uint8 it would become the label 255."""
    if not cond.dtype.is_signed:
        raise ValueError(f"labels are {cond.dtype}, which holds no -1 (a sample left free): pass labels.long()")
    return cond


def is_label(cond: Tensor) -> Tensor:
    """Which samples (B,) are asked to be of a class, and not left free by :func:`null_labels`."""
    return cond >= 0


def check_labels(cond: Tensor, classes: int) -> Tensor:
    """``cond`` (B,), refused if a label is none of the ``classes``. It reads the values, which stalls a GPU."""
    wrong = (check_signed(cond) < -1) | (cond >= classes)
    if wrong.any():
        known = f"there are {classes} classes, 0 to {classes - 1}" if classes else "there are no classes"
        raise ValueError(f"label {int(cond[wrong][0])} is out of range: {known}, and -1 leaves a sample free")
    return cond
