"""Reading the attributes back from the pixels, by measuring; nothing is trained."""

import math
from functools import cache

import torch
from torch import Tensor

from ..dataset import seeded
from .drawing import render, table
from .outlines import SHAPES
from .words import BACKGROUNDS, COLOURS, SIZES


def recognise(pictures: Tensor) -> Tensor:
    """The attributes (N, 4) read from the pixels of pictures (N, 3, H, W) in [-1, 1]; nothing is trained.

    Background: the median of the border. Colour: the one whose mixtures with the background fit the pixels
    best, by least squares. Size: the area covered. Shape: the nearest outline by moments that no turn or scaling
    changes.
    """
    return torch.cat([_recognise(part) for part in pictures.detach().cpu().split(256)])


def _recognise(pictures: Tensor) -> Tensor:
    border = torch.cat([pictures[..., 0, :], pictures[..., -1, :], pictures[..., :, 0], pictures[..., :, -1]], -1)
    back = border.median(-1).values  # (N, 3)
    background = torch.cdist(back, 2 * table(BACKGROUNDS) - 1).argmin(1)

    change = (pictures - back[:, :, None, None]).flatten(2)  # (N, 3, P) pixel - background
    direction = (2 * table(COLOURS) - 1) - back[:, None]  # (N, K, 3) colour - background
    along = direction @ change / (direction**2).sum(-1, keepdim=True)  # (N, K, P)
    coverage = along.clamp(0, 1)
    #  |change - coverage * direction|², up to |change|², which is the same for every colour
    misfit = ((coverage**2 - 2 * coverage * along) * (direction**2).sum(-1, keepdim=True)).sum(-1)
    colour = misfit.argmin(1)

    coverage = _steep(along[torch.arange(len(pictures)), colour].unflatten(1, pictures.shape[2:]))
    (_, small), (large, _) = SIZES.values()
    size = (coverage.mean((1, 2)) > math.sqrt(small * large)).long()
    mean, spread = _prototypes()
    shape = torch.cdist(_moments(coverage) / spread, mean / spread).argmin(1)
    return torch.stack([shape, colour, size, background], 1)


def _steep(coverage: Tensor) -> Tensor:
    """Edges twice as steep, any shape: an area stays what it was, while noise below a quarter of the contrast goes."""
    return (2 * coverage - 0.5).clamp(0, 1)


def _moments(coverage: Tensor) -> Tensor:
    """Moments (N, 7) of the covered area (N, H, W) that no shift, turn or scaling changes.

    With z = x + iy measured from the centre of mass in units of sqrt(area): the means of |z|² and |z|⁴, and
    the size of the means of |z|³ e^(ik·angle) for k = 1 … 5, each large only for outlines that repeat k times
    in a turn.
    """
    height, width = coverage.shape[1:]
    column = torch.arange(width, dtype=torch.float32).expand(height, width)
    row = torch.arange(height, dtype=torch.float32)[:, None].expand(height, width)
    for _ in range(3):
        area = coverage.sum((1, 2), keepdim=True).clamp(min=1e-6)
        x, y = ((p - (coverage * p).sum((1, 2), keepdim=True) / area) / area.sqrt() for p in (column, row))
        coverage = coverage * (x**2 + y**2 < 1)  # every shape lies within: what is farther off is noise
    coverage = coverage / coverage.sum((1, 2), keepdim=True).clamp(min=1e-6)
    z, share = torch.complex(x, y), coverage
    radius = z.abs()
    turn = z / radius.clamp(min=1e-6)
    repeated = [(share * radius**3 * turn**k).sum((1, 2)).abs() for k in range(1, 6)]
    return torch.stack([(share * radius**p).sum((1, 2)) for p in (2, 4)] + repeated, 1)


@cache
def _prototypes() -> tuple[Tensor, Tensor]:
    """Mean moments of each shape (S, 7), and their spread (7,) within a shape, from drawings at 32 × 32."""
    drawings = 128  # of each shape
    attributes = torch.zeros(len(SHAPES) * drawings, 4, dtype=torch.int64)
    attributes[:, 0] = torch.arange(len(SHAPES)).repeat_interleave(drawings)
    attributes[:, 2] = torch.arange(len(attributes)) % 2
    pictures = render(attributes, 32, seeded(0))
    back, front = 2 * table(BACKGROUNDS)[0] - 1, 2 * table(COLOURS)[0] - 1
    coverage = _steep((pictures - back[:, None, None])[:, 0] / (front - back)[0])
    moments = _moments(coverage).reshape(len(SHAPES), drawings, -1)
    return moments.mean(1), moments.var(1).mean(0).sqrt()
