"""Pictures that come with the course, each set on one sheet: `mnist` and `emoji`. No network needed.

A set is a pair of files in `assets`: NAME.png holds the pictures row by row and class by class, NAME.json says how many
there are of each class, what their captions are, where they come from and under which licence. `assets/README.md` says
what to beware of. Every tenth picture of the sheet is for testing, so a tenth of every class.
"""

import hashlib
import io
import json
from pathlib import Path

import torch
from torch import Tensor

from .. import bundled
from .dataset import Dataset
from .pictures import choose, scaled
from .sources import DATASETS


@DATASETS.register
def mnist(
    *,
    size: int | None = None,
    count: int | None = None,
    seed: int = 0,
    root: str | Path | None = None,
    train: bool = True,
    download: bool = True,
    full: bool = False,
) -> Dataset:
    """Handwritten digits, 28 × 28 in 256 shades of grey (LeCun, Cortes and Burges 1998): 9000, and 1000 to test with.

    full: all 60 000 and 10 000, downloaded; `root` and `download` matter for these alone
    """
    if full:
        from .downloads import torchvision_set

        return torchvision_set(
            "mnist", "MNIST", size=size, count=count, seed=seed, root=root, train=train, download=download
        )
    return from_sheet("mnist", size=size, count=count, seed=seed, train=train)


@DATASETS.register
def emoji(*, size: int | None = None, count: int | None = None, seed: int = 0, train: bool = True) -> Dataset:
    """Twemoji, 32 × 32 in colour on white: their names are the captions, their categories the classes."""
    return from_sheet("emoji", size=size, count=count, seed=seed, train=train)


def from_sheet(name: str, *, size: int | None, count: int | None, seed: int, train: bool) -> Dataset:
    """The training or the test part of a bundled set, its classes evenly mixed: any stretch has all of them."""
    pictures, card = read(name)
    counts = torch.tensor(list(card["counts"].values()))
    labels = torch.arange(len(counts)).repeat_interleave(counts)
    place = torch.cat([(torch.arange(n, dtype=torch.float64) + 0.5) / n for n in counts.tolist()])  # within its class
    rows = place.argsort(stable=True)
    rows = choose(rows[(rows % 10 == 9) != train], name, count, seed)
    captions = card.get("captions")
    return Dataset(
        name,
        scaled(pictures[rows], size),
        labels=labels[rows],
        classes=tuple(card["counts"]),
        captions=tuple(captions[row] for row in rows.tolist()) if captions else None,
        recipe=f"load({name!r})",
    )


def read(name: str) -> tuple[Tensor, dict]:
    """The pictures of a sheet in its order (N, C, H, W), bytes, and what its card says of them.

    Raises FileNotFoundError or ValueError if the files are missing or damaged.
    """
    import numpy as np
    from PIL import Image

    remedy = "install diffusion_lib again, or restore the folder assets of the checkout"
    sheet, card = bundled.files(".png").get(name), bundled.files(".json").get(name)
    if sheet is None or card is None:
        raise FileNotFoundError(f"{name}: {name}.png and {name}.json should come with the course: {remedy}")
    packed, card = sheet.read_bytes(), json.loads(card.read_text("utf-8"))
    checksum = hashlib.sha256(packed).hexdigest()
    if checksum != card["sha256"]:
        raise ValueError(f"{name}: {sheet} has checksum {checksum}, not {card['sha256']}, so it is damaged: {remedy}")
    pixels = torch.from_numpy(np.array(Image.open(io.BytesIO(packed))))
    height, width = card["picture"]
    pixels = pixels.reshape(pixels.shape[0] // height, height, pixels.shape[1] // width, width, -1)
    return pixels.permute(0, 2, 4, 1, 3).flatten(0, 1)[: sum(card["counts"].values())], card
