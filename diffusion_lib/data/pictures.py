"""What all real pictures pass through (Ho et al. 2020, section 3.3):

    ToTensor:              bytes 0 … 255, (H, W, C)  ->  x in [0, 1], (C, H, W)
    Normalize(0.5, 0.5):   (x - 0.5) / 0.5 = 2x - 1  ->  [-1, 1]

and, where a size is asked for, `Resize` (the shorter side) and `CenterCrop` between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .dataset import seeded

if TYPE_CHECKING:
    from torchvision.transforms import Compose


def transform(size: int | None = None) -> Compose:
    """What takes a picture, as PIL has it, to a tensor (C, H, W) in [-1, 1]. Taught in notebook 05."""
    from torchvision import transforms

    resize = []
    if size is not None:
        resize = [transforms.Resize(size, antialias=True), transforms.CenterCrop(size), transforms.Lambda(within_range)]
    return transforms.Compose([transforms.ToTensor(), *resize, transforms.Normalize(0.5, 0.5)])


def within_range(x: Tensor) -> Tensor:
    """x in [0, 1]: the weights of a resize sum to 1 up to rounding, so white may come out as 1.0000002."""
    return x.clamp(0, 1)


def scaled(pictures: Tensor, size: int | None = None) -> Tensor:
    """What `transform` makes of them, for many pictures at once: bytes (N, C, H, W) to [-1, 1]."""
    x = pictures / 255
    if size is not None:
        from torchvision.transforms import functional

        x = within_range(functional.center_crop(functional.resize(x, size, antialias=True), size))
    return (x - 0.5) / 0.5


def choose(rows: Tensor, name: str, count: int | None, seed: int) -> Tensor:
    """`count` of these rows, at random but the same for the same seed, in their old order; all if count is None.

    Raises ValueError if there are fewer.
    """
    if count is None:
        return rows
    if count > len(rows):
        raise ValueError(f"count={count}: {name} has {len(rows)} pictures in this part: ask for at most as many")
    return rows[torch.randperm(len(rows), generator=seeded(seed))[:count].sort().values]
