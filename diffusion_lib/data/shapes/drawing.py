r"""Drawing: a shape covers the share `clip(1/2 - d, 0, 1)` of a pixel at signed distance d, counted in pixels.

The picture is `background + coverage * (colour - background)`: an antialiased drawing in one formula, for all pictures
at once. Size means area: a shape covers the same share of the picture whatever its form, so size can be measured by
adding up the coverage.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..dataset import Dataset, seeded
from ..sources import DATASETS
from .outlines import SHAPES
from .words import BACKGROUNDS, COLOURS, SIZES, VOCABULARY, caption, checked, combinations

SMALLEST = 16  # pixels a side


@DATASETS.register
def shapes(count: int, generator: torch.Generator, *, size: int = 32, without: Sequence[Sequence[str]] = ()) -> Dataset:
    """Random pictures, every combination of attributes but those in `without` equally likely; labels are the shapes.

    Raises ValueError as `draw` and `combinations` do.
    """
    check_size(size)
    allowed = combinations(without=without)
    attributes = allowed[torch.randint(len(allowed), (count,), generator=generator)]
    return Dataset(
        name="shapes",
        x=render(attributes, size, generator),
        labels=attributes[:, 0].clone(),
        classes=VOCABULARY["shape"],
        captions=caption(attributes),
        attributes=attributes,
    )


def draw(attributes: Tensor, *, size: int = 32, seed: int = 0) -> Tensor:
    """Pictures (N, 3, size, size) in [-1, 1] with these attributes (N, 4), at random positions and angles.

    Raises ValueError if a number is out of range or size is below 16, where a star is no longer a star.
    """
    check_size(size)
    return render(checked(attributes), size, seeded(seed))


def render(attributes: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Pictures (N, 3, size, size) with these attributes (N, 4); what is not asked for comes from the generator."""
    column, row, turn, area = torch.rand(len(attributes), 4, generator=generator).T
    low, high = table(SIZES)[attributes[:, 2]].T
    area = (low + (high - low) * area) * size**2  # in pixels
    unit_area, unit_radius = torch.tensor([shape[1:] for shape in SHAPES.values()])[attributes[:, 0]].T
    scale = (area / unit_area).sqrt()  # pixels per unit of the shape
    margin = unit_radius * scale + 1  # keeps the whole shape inside, and its soft edge
    centre_x, centre_y = (margin + (size - 2 * margin) * place for place in (column, row))
    cos, sin = (2 * math.pi * turn).cos() / scale, (2 * math.pi * turn).sin() / scale
    front, back = (2 * table(t)[attributes[:, i]] - 1 for t, i in ((COLOURS, 1), (BACKGROUNDS, 3)))

    pictures = torch.empty(len(attributes), 3, size, size)
    pixel = torch.arange(size) + 0.5
    for number, (distance, _, radius) in enumerate(SHAPES.values()):
        for i in (attributes[:, 0] == number).nonzero()[:, 0].split(256):  # small batches stay in the cache
            across, down = pixel - centre_x[i, None], pixel - centre_y[i, None]  # (n, size) each
            c, s = cos[i, None, None], sin[i, None, None]
            x = c * across[:, None, :] + s * down[:, :, None]  # turned into the shape's own frame
            y = c * down[:, :, None] - s * across[:, None, :]
            d = torch.maximum(distance(x, y), torch.hypot(x, y) - radius)  # keeps soft tips within the circle
            coverage = (0.5 - d * scale[i, None, None]).clamp(0, 1)
            pictures[i] = torch.lerp(back[i, :, None, None], front[i, :, None, None], coverage[:, None])
    return pictures


def check_size(size: int) -> None:
    """Raise ValueError if pictures of this size (pixels a side) would be too small to tell the shapes apart."""
    if isinstance(size, bool) or not isinstance(size, int) or size < SMALLEST:
        raise ValueError(f"size={size!r}: shapes need a whole number of at least {SMALLEST} pixels to be told apart")


def table(words: dict[str, tuple[float, ...]]) -> Tensor:
    """The numbers of a dict of words, a row for each (K, …)."""
    return torch.tensor(list(words.values()))
