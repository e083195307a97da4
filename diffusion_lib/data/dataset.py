"""What every data set is: numbers on the scale that diffusion expects, and what is known about them.

Forward noising ends at N(0, I), so the data must have about that scale. Points are shifted and scaled to mean
0 and variance 1 (averaged over their coordinates). Pictures go through `2 * x - 1`, from [0, 1] to [-1, 1],
as in Ho et al. (2020, section 3.3), and a data set refuses pictures that lie outside.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..gaussians import GaussianMixture

FIELDS_BY_ROW = ("x", "labels", "captions", "attributes")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(torch.utils.data.Dataset):
    """Examples and what is known about them, ready for a `torch.utils.data.DataLoader`.

    name: what it is called
    x: points (N, D) or pictures (N, C, H, W) in [-1, 1], float32
    labels: (N,) int64, the numbers of their `classes`; or None
    classes: their names
    captions: N strings, for `shapes` and `emoji`; or None
    attributes: (N, 4) int64, for `shapes`; or None
    mixture: the exact distribution, where it is known
    skipped: the files that could not be read, for `folder:PATH`
    recipe: the expression that makes this data set again, which is its `repr`; `str` describes it

    Raises ValueError if these do not fit together, or if a pixel is outside [-1, 1]. Taught in notebook 05.
    """

    name: str
    x: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    captions: tuple[str, ...] | None = None
    mixture: GaussianMixture | None = None
    attributes: Tensor | None = None
    skipped: tuple[str, ...] = ()
    recipe: str = ""

    def __post_init__(self):
        if self.x.ndim not in (2, 4) or self.x.dtype != torch.float32 or len(self.x) == 0:
            raise ValueError(
                f"{self.name}: x has shape {tuple(self.x.shape)} and type {self.x.dtype}; it must be "
                "float32 with at least one row: points (N, D) or pictures (N, C, H, W)"
            )
        low, high = self.x.min().item(), self.x.max().item()
        if not math.isfinite(low + high):
            raise ValueError(f"{self.name}: x holds NaN or infinity: remove those examples")
        if self.is_images and (low < -1 or high > 1):
            raise ValueError(
                f"{self.name}: pixels run from {low:.3g} to {high:.3g}, outside [-1, 1]: scale them to "
                "[0, 1], then apply transforms.Normalize(0.5, 0.5)"
            )
        if self.is_images and low >= 0 and not self.recipe:  # with a recipe, it was said at loading
            warnings.warn(
                f"{self.name}: no pixel lies below 0 ({low:.3g} to {high:.3g}). If the pictures "
                "are still in [0, 1], apply transforms.Normalize(0.5, 0.5)",
                stacklevel=3,
            )
        for field in FIELDS_BY_ROW:
            rows = getattr(self, field)
            if rows is not None and len(rows) != len(self.x):
                raise ValueError(f"{self.name}: {len(rows)} {field} for {len(self.x)} examples: give one for each")
        if self.labels is not None:
            smallest, largest = self.labels.min().item(), self.labels.max().item()
            if self.labels.dtype != torch.int64 or smallest < 0 or largest >= len(self.classes):
                raise ValueError(
                    f"{self.name}: labels of type {self.labels.dtype} from {smallest} to {largest}; they "
                    f"must be int64, from 0 to {len(self.classes) - 1}; without any, use labels=None"
                )

    @property
    def is_images(self) -> bool:
        """Whether x holds pictures (N, C, H, W), not points (N, D)."""
        return self.x.ndim == 4

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (C, H, W) or (D,)."""
        return tuple(self.x.shape[1:])

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int | slice | Tensor) -> tuple[Tensor, Tensor] | Tensor:
        """Example(s) and label(s); the example(s) alone where the data set has no labels."""
        return self.x[index] if self.labels is None else (self.x[index], self.labels[index])

    def subset(self, indices: Sequence[int] | slice | Tensor) -> "Dataset":
        """The examples at `indices`: integers, a slice, or a (N,) mask such as `data.labels == 3`.

        Raises IndexError if an index is out of range, ValueError if nothing is left. Taught in notebook 05.
        """
        if not isinstance(indices, slice):
            indices = torch.as_tensor(indices) if len(indices) else slice(0, 0)
        rows = torch.arange(len(self))[indices]
        if len(rows) == 0:
            raise ValueError(f"{self.name}: the subset is empty: choose at least one of its {len(self)} examples")
        shown = indices if isinstance(indices, slice) else rows.tolist()
        return self._rows(rows, f"{self.recipe}.subset({shown})")

    def split(self, fraction: float = 0.9, *, seed: int = 0) -> tuple["Dataset", "Dataset"]:
        """Two data sets without common examples, the first with this share of them, shuffled by `seed`.

        Raises ValueError if one of them would be empty.
        """
        first = round(fraction * len(self))
        if not 0 < first < len(self):
            raise ValueError(
                f"{self.name}: fraction={fraction} of {len(self)} examples leaves one part empty: "
                "choose a fraction between 0 and 1, or load more examples"
            )
        order = torch.randperm(len(self), generator=seeded(seed))
        recipe = f"{self.recipe}.split({fraction}, seed={seed})"
        return self._rows(order[:first], recipe + "[0]"), self._rows(order[first:], recipe + "[1]")

    def _rows(self, rows: Tensor, recipe: str) -> "Dataset":
        return Dataset(
            name=self.name,
            classes=self.classes,
            mixture=self.mixture,
            skipped=self.skipped,
            x=self.x[rows],
            labels=None if self.labels is None else self.labels[rows],
            captions=None if self.captions is None else tuple(self.captions[i] for i in rows.tolist()),
            attributes=None if self.attributes is None else self.attributes[rows],
            recipe=recipe if self.recipe else "",
        )

    def __repr__(self) -> str:
        return self.recipe or f"<{self}>"

    def __str__(self) -> str:
        kind = "pictures" if self.is_images else "points"
        size = " × ".join(map(str, self.shape)) if self.is_images else f"in {self.shape[0]}-D"
        classes = f", {len(self.classes)} classes" if self.classes else ""
        skipped = f", {len(self.skipped)} unreadable files skipped" if self.skipped else ""
        return f"{self.name}: {len(self)} {kind} {size}{classes}{skipped}"


def to_unit(x: Tensor) -> Tensor:
    """From [-1, 1] to [0, 1] for display, any shape; what lies outside is cut off. Taught in notebook 05."""
    return ((x + 1) / 2).clamp(0, 1)


def to_uint8(x: Tensor) -> Tensor:
    """From [-1, 1] to 0 … 255 for files, any shape; undoes ToTensor and Normalize(0.5, 0.5) exactly."""
    return (to_unit(x) * 255).round().to(torch.uint8)


def seeded(seed: int, *, train: bool = True) -> torch.Generator:
    """A random generator for this seed, another one for the test part than for the training part.

    Raises ValueError if the seed is negative or does not fit in 31 bits.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed!r}: choose a whole number from 0 to {2**31 - 1}")
    return torch.Generator().manual_seed(2 * seed + (not train))
