r"""Pictures drawn from captions: one shape, with colour, size and background, at a random position and angle.

A shape is a *signed distance* d(p): negative inside, positive outside, in pixels. The share of a pixel that
the shape covers is about `clip(1/2 - d, 0, 1)`, and the picture is `background + coverage * (colour -
background)`. That is an antialiased drawing in one formula, for all pictures at once.

Size means area: a shape covers the same share of the picture whatever its form, so size can be measured by
adding up the coverage. Since everything that was asked for is known, what a model made of a caption can be
*measured* (notebooks 08 and 09): `recognise` reads the attributes back from pixels.

    attributes: (N, 4) int64 = shape, colour, size, background
    caption:    "a small red star on a dark background"
"""

import itertools
import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from .dataset import Dataset, seeded

COLOURS = {
    "red": (0.90, 0.10, 0.12),
    "yellow": (0.98, 0.82, 0.05),
    "green": (0.05, 0.65, 0.15),
    "cyan": (0.10, 0.75, 0.95),
    "blue": (0.12, 0.20, 0.90),
    "purple": (0.75, 0.10, 0.85),
}
SIZES = {"small": (0.050, 0.065), "large": (0.150, 0.190)}  # share of the picture that the shape covers
BACKGROUNDS = {"dark": (0.05, 0.05, 0.08), "light": (0.95, 0.94, 0.90)}

CROSS_ARM = 0.35  # half the width of an arm of half length 1
HEART_CENTRE = 0.26


def circle(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to the circle of radius 1."""
    return torch.hypot(x, y) - 1


def pointed(x: Tensor, y: Tensor, tips: int, notch: float) -> Tensor:
    """Signed distance to a star with its tips at radius 1 and its notches at radius `notch`.

    The plane is folded into one sector, from a tip to the next notch, where the outline is one straight line.
    A regular polygon is the star whose notches lie on its sides: notch = cos(π / tips).
    """
    half = math.pi / tips
    angle = (torch.remainder(torch.atan2(y, x) + half, 2 * half) - half).abs()
    radius = torch.hypot(x, y)
    normal = torch.tensor([notch * math.sin(half), 1 - notch * math.cos(half)])
    normal = (normal / normal.norm()).tolist()
    return radius * (normal[0] * angle.cos() + normal[1] * angle.sin()) - normal[0]


def cross(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to a plus sign, the union of two bars."""
    x, y = x.abs(), y.abs()
    return torch.maximum(torch.maximum(x, y) - 1, torch.minimum(x, y) - CROSS_ARM)


def heart(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to a heart, the union of a square and a disc on each of two neighbouring sides."""
    x, y = x + HEART_CENTRE, y + HEART_CENTRE
    square = torch.maximum(x.abs(), y.abs()) - 1
    return torch.minimum(square, torch.minimum(torch.hypot(x - 1, y), torch.hypot(x, y - 1)) - 1)


# for each shape: its signed distance, its area, and the radius of a circle about the origin that holds it
SHAPES = {
    "circle": (circle, math.pi, 1.0),
    "square": (lambda x, y: pointed(x, y, 4, math.cos(math.pi / 4)), 2.0, 1.0),
    "triangle": (lambda x, y: pointed(x, y, 3, math.cos(math.pi / 3)), 3 * math.sqrt(3) / 4, 1.0),
    "star": (lambda x, y: pointed(x, y, 5, 0.5), 2.5 * math.sin(math.pi / 5), 1.0),
    "cross": (cross, 8 * CROSS_ARM - 4 * CROSS_ARM**2, math.hypot(1, CROSS_ARM)),
    "heart": (heart, 4 + math.pi, 1.80),
}
VOCABULARY = {
    "shape": tuple(SHAPES),
    "colour": tuple(COLOURS),
    "size": tuple(SIZES),
    "background": tuple(BACKGROUNDS),
}


def load_shapes(*, size: int, count: int, seed: int, train: bool, without: Sequence[Sequence[str]]) -> Dataset:
    """Draw `count` pictures, every allowed combination of attributes equally likely."""
    allowed = combinations(without=without)
    generator = seeded(seed, train=train)
    attributes = allowed[torch.randint(len(allowed), (count,), generator=generator)]
    return Dataset(
        name="shapes",
        x=_draw(attributes, size, generator),
        labels=attributes[:, 0].clone(),
        classes=VOCABULARY["shape"],
        captions=caption(attributes),
        attributes=attributes,
    )


def combinations(*, without: Sequence[Sequence[str]] = ()) -> Tensor:
    """All combinations of attributes (K, 4), less those that hold every word of an entry of `without`.

    `without=[("red", "star")]` leaves out red stars, `[("large",)]` everything large. Raises ValueError for
    an unknown word and if nothing is left. Taught in notebook 09.
    """
    everything = torch.tensor(list(itertools.product(*(range(len(words)) for words in VOCABULARY.values()))))
    keep = torch.ones(len(everything), dtype=torch.bool)
    for words in without:
        keep &= ~having(everything, words)
    if not keep.any():
        raise ValueError(f"without={list(without)!r} leaves no combination: hold out fewer")
    return everything[keep]


def having(attributes: Tensor, words: Sequence[str]) -> Tensor:
    """Which rows of the attributes (N, 4) have all these words, such as ("red", "star"): a mask (N,).

    Raises ValueError for an unknown word. Taught in notebook 09.
    """
    if isinstance(words, str):
        raise ValueError(f"{words!r} must be a tuple of words, such as {tuple(words.split())!r}")
    mask = torch.ones(len(attributes), dtype=torch.bool)
    for word in words:
        column = [i for i, known in enumerate(VOCABULARY.values()) if word in known]
        if not column:
            raise ValueError(f"{word!r} describes no shape: choose from {_vocabulary()}")
        mask &= attributes[:, column[0]] == list(VOCABULARY.values())[column[0]].index(word)
    return mask


def caption(attributes: Tensor) -> tuple[str, ...]:
    """What attributes (N, 4) say in words: "a small red star on a dark background". Taught in notebook 09.

    Raises ValueError if a number is out of range.
    """
    shapes, colours, sizes, backgrounds = VOCABULARY.values()
    return tuple(
        f"a {sizes[s]} {colours[c]} {shapes[f]} on a {backgrounds[b]} background"
        for f, c, s, b in _checked(attributes).tolist()
    )


def attributes_of(captions: str | Sequence[str]) -> Tensor:
    """The attributes (N, 4) int64 that captions ask for; undoes `caption`. Taught in notebook 09.

    Raises ValueError for a caption of another form or with an unknown word.
    """
    rows = []
    for text in [captions] if isinstance(captions, str) else captions:
        match text.lower().split():
            case ["a", size, colour, shape, "on", "a", background, "background"]:
                words = (shape, colour, size, background)
            case _:
                raise ValueError(
                    f"{text!r} is no caption: write 'a small red star on a dark background', "
                    f"with words from {_vocabulary()}"
                )
        for word, (kind, known) in zip(words, VOCABULARY.items(), strict=True):
            if word not in known:
                raise ValueError(f"{text!r}: {word!r} is no {kind}: choose one of {', '.join(known)}")
        rows.append([known.index(word) for word, known in zip(words, VOCABULARY.values(), strict=True)])
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)


def draw(attributes: Tensor, *, size: int = 32, seed: int = 0) -> Tensor:
    """Pictures (N, 3, size, size) in [-1, 1] with these attributes (N, 4), at random positions and angles.

    Raises ValueError if a number is out of range or size is below 16, where a star is no longer a star.
    Taught in notebook 09.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 16:
        raise ValueError(f"size={size!r}: shapes need a whole number of at least 16 pixels to be told apart")
    return _draw(_checked(attributes), size, seeded(seed))


def _draw(attributes: Tensor, size: int, generator: torch.Generator) -> Tensor:
    column, row, turn, area = torch.rand(len(attributes), 4, generator=generator).T
    low, high = _table(SIZES)[attributes[:, 2]].T
    area = (low + (high - low) * area) * size**2  # in pixels
    unit_area, unit_radius = torch.tensor([shape[1:] for shape in SHAPES.values()])[attributes[:, 0]].T
    scale = (area / unit_area).sqrt()  # pixels per unit of the shape
    margin = unit_radius * scale + 1  # keeps the whole shape inside, and its soft edge
    centre_x, centre_y = (margin + (size - 2 * margin) * place for place in (column, row))
    cos, sin = (2 * math.pi * turn).cos() / scale, (2 * math.pi * turn).sin() / scale
    front, back = (2 * _table(t)[attributes[:, i]] - 1 for t, i in ((COLOURS, 1), (BACKGROUNDS, 3)))

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


def recognise(pictures: Tensor) -> Tensor:
    """The attributes (N, 4) read from the pixels of pictures (N, 3, H, W) in [-1, 1]; nothing is trained.

    Background: the median of the border. Colour: the one whose mixtures with the background fit the pixels
    best, by least squares. Size: the area covered. Shape: the nearest outline by moments that no turn or
    scaling changes. Taught in notebook 08.
    """
    return torch.cat([_recognise(part) for part in pictures.detach().cpu().split(256)])


def _recognise(pictures: Tensor) -> Tensor:
    border = torch.cat([pictures[..., 0, :], pictures[..., -1, :], pictures[..., :, 0], pictures[..., :, -1]], -1)
    back = border.median(-1).values  # (N, 3)
    background = torch.cdist(back, 2 * _table(BACKGROUNDS) - 1).argmin(1)

    change = (pictures - back[:, :, None, None]).flatten(2)  # (N, 3, P) pixel - background
    direction = (2 * _table(COLOURS) - 1) - back[:, None]  # (N, K, 3) colour - background
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
    each = 128
    attributes = torch.zeros(len(SHAPES) * each, 4, dtype=torch.int64)
    attributes[:, 0] = torch.arange(len(SHAPES)).repeat_interleave(each)
    attributes[:, 2] = torch.arange(len(attributes)) % 2
    pictures = _draw(attributes, 32, seeded(0))
    back, front = 2 * _table(BACKGROUNDS)[0] - 1, 2 * _table(COLOURS)[0] - 1
    coverage = _steep((pictures - back[:, None, None])[:, 0] / (front - back)[0])
    moments = _moments(coverage).reshape(len(SHAPES), each, -1)
    return moments.mean(1), moments.var(1).mean(0).sqrt()


def _table(words: dict[str, tuple[float, ...]]) -> Tensor:
    return torch.tensor(list(words.values()))


def _checked(attributes: Tensor) -> Tensor:
    attributes = torch.as_tensor(attributes)
    limits = torch.tensor([len(words) for words in VOCABULARY.values()])
    if attributes.ndim != 2 or attributes.shape[1] != 4 or attributes.is_floating_point():
        raise ValueError(
            f"attributes have shape {tuple(attributes.shape)} and type {attributes.dtype}; they must be "
            "whole numbers (N, 4): shape, colour, size, background"
        )
    if ((attributes < 0) | (attributes >= limits)).any():
        raise ValueError(
            f"attributes go from {attributes.min(0).values.tolist()} to {attributes.max(0).values.tolist()}; "
            f"the limits are 0 and {(limits - 1).tolist()} (shape, colour, size, background)"
        )
    return attributes.long()


def _vocabulary() -> str:
    return "; ".join(f"{kind}: {', '.join(words)}" for kind, words in VOCABULARY.items())
