"""Real pictures: the digits of scikit-learn, the sets of `torchvision.datasets`, and folders of one's own.

All of them pass through the same two transforms (Ho et al. 2020, section 3.3):

    ToTensor:              bytes 0 … 255, (H, W, C)  ->  x in [0, 1], (C, H, W)
    Normalize(0.5, 0.5):   (x - 0.5) / 0.5 = 2x - 1  ->  [-1, 1]

and, where a size is asked for, through `Resize` (the shorter side) and `CenterCrop` between them.
"""

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .dataset import Dataset, seeded

if TYPE_CHECKING:
    from torchvision.transforms import Compose

TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}
WITHOUT_NETWORK = "'digits' and 'shapes' (and every set of points) need no network"
PATIENCE = 20  # seconds until a silent server is given up
SHOWN = 10  # broken files that a warning names


def transform(size: int | None = None) -> "Compose":
    """What takes a picture, as PIL has it, to a tensor (C, H, W) in [-1, 1]. Taught in notebook 05."""
    from torchvision import transforms

    resize = [] if size is None else [transforms.Resize(size, antialias=True), transforms.CenterCrop(size)]
    return transforms.Compose([transforms.ToTensor(), *resize, transforms.Normalize(0.5, 0.5)])


def load_digits(*, size: int | None, count: int | None, seed: int, train: bool) -> Dataset:
    """Handwritten digits, 8 × 8 in 17 shades of grey; of each class, every fifth is kept for testing."""
    from sklearn import datasets

    digits = datasets.load_digits()
    labels = torch.from_numpy(digits.target).long()
    rank = torch.zeros_like(labels)  # how many of its class come before
    for digit in range(10):
        rank[labels == digit] = torch.arange((labels == digit).sum())
    rows = choose(((rank % 5 == 4) != train).nonzero()[:, 0], "digits", count, seed)
    prepare = transform(size)
    grey = (digits.images / 16).astype("float32")  # ToTensor leaves floats as they are: already [0, 1]
    x = torch.stack([prepare(grey[i]) for i in rows.tolist()])
    return Dataset(name="digits", x=x, labels=labels[rows], classes=tuple("0123456789"))


def load_torchvision(
    name: str, *, size: int | None, count: int | None, seed: int, root: Path, train: bool, download: bool
) -> Dataset:
    """A set of `torchvision.datasets`, from the files under `root`, downloaded if need be."""
    source = open_torchvision(name, root=root, train=train, download=download)
    source.transform = transform(size)
    rows = choose(torch.arange(len(source)), name, count, seed)
    x = torch.empty(len(rows), *source[0][0].shape)
    for position, row in enumerate(rows.tolist()):
        x[position] = source[row][0]
    labels = torch.as_tensor(source.targets)[rows].long()
    return Dataset(name=name, x=x, labels=labels, classes=tuple(c.split(" - ")[0] for c in source.classes))


def open_torchvision(name: str, *, root: Path, train: bool, download: bool):
    """The torchvision data set itself; tries the files at hand first, so that a shared, read-only root will
    do.

    Raises FileNotFoundError or ConnectionError where it cannot be had, and says what was tried.
    """
    from torchvision import datasets

    make = getattr(datasets, TORCHVISION[name])
    try:
        return make(root, train=train)
    except Exception as error:
        if "not found" not in str(error):  # a copy is there, but cannot be read
            raise _damaged(name, root, error) from error
        if not download:
            raise FileNotFoundError(
                f"{name}: no complete copy under {str(root)!r} and download=False. Allow the download, or put the "
                f"files of torchvision.datasets.{TORCHVISION[name]} there; {WITHOUT_NETWORK}"
            ) from error
    try:
        with patience(PATIENCE):
            return make(root, train=train, download=True)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise PermissionError(f"{name}: {str(root)!r} cannot be written ({error}): choose another root=") from error
    except (RuntimeError, OSError) as error:
        tried = ", ".join(getattr(make, "mirrors", None) or [make.url])
        raise ConnectionError(
            f"{name}: no complete copy under {str(root)!r}, and the download failed. Tried {tried}: {error}. "
            f"With a network, try again; or copy the files there from elsewhere; {WITHOUT_NETWORK}"
        ) from error
    except Exception as error:
        raise _damaged(name, root, error) from error


def _damaged(name: str, root: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{name}: the copy under {str(root)!r} is damaged ({type(error).__name__}: {error}). Delete it and "
        f"load again with a network; {WITHOUT_NETWORK}"
    )


def load_folder(path: str, *, size: int, count: int | None, seed: int) -> Dataset:
    """One's own pictures, resized and cropped to `size`: sub-folders are classes, a flat folder has none.
    Taught in notebook 13.

    A picture that cannot be read is skipped, named in a warning, and counted in `Dataset.skipped`. Raises
    FileNotFoundError, NotADirectoryError or ValueError for a folder without a readable picture.
    """
    from torchvision.datasets.folder import IMG_EXTENSIONS, ImageFolder

    class Pictures(ImageFolder):  # ImageFolder, for flat folders too
        def find_classes(self, directory):
            names = sorted(e.name for e in os.scandir(directory) if e.is_dir() and not e.name.startswith("."))
            names = [name for name in names if has_picture(Path(directory) / name)] or ["."]
            return names, {name: number for number, name in enumerate(names)}

    def has_picture(directory: Path) -> bool:
        return any(name.lower().endswith(IMG_EXTENSIONS) for _, _, names in os.walk(directory) for name in names)

    folder = Path(path).expanduser()
    if not folder.exists():
        raise FileNotFoundError(
            f"folder:{path}: there is no such folder (looked for {str(folder.absolute())!r}): check the path"
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"folder:{path}: this is a file: give the folder that holds it")
    if not has_picture(folder):
        raise FileNotFoundError(
            f"folder:{path}: no picture in it or below it: put files there that end in {', '.join(IMG_EXTENSIONS)}"
        )
    source, prepare = Pictures(folder), transform(size)
    rows = choose(torch.arange(len(source)), f"folder:{path}", count, seed).tolist()
    x, kept, broken = torch.empty(len(rows), 3, size, size), [], {}
    for row in rows:
        file = source.samples[row][0]
        try:
            x[len(kept)] = prepare(source.loader(file))
            kept.append(row)
        except Exception as error:  # decoders fail in many ways, all mean "broken"
            broken[str(Path(file).relative_to(folder))] = error
    if broken:
        named = "; ".join(f"{file} ({type(e).__name__}: {e})" for file, e in list(broken.items())[:SHOWN])
        message = f"folder:{path}: {len(broken)} of {len(rows)} pictures cannot be read: {named}"
        message += f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        if not kept:
            raise ValueError(f"{message}. None is left: convert them to PNG or JPEG")
        warnings.warn(f"{message}. They are skipped", stacklevel=3)
    labels = None if source.classes == ["."] else torch.tensor(source.targets)[kept]
    return Dataset(
        name=f"folder:{path}",
        x=x[: len(kept)],
        labels=labels,
        classes=() if labels is None else tuple(source.classes),
        skipped=tuple(broken),
    )


def choose(rows: torch.Tensor, name: str, count: int | None, seed: int) -> torch.Tensor:
    """`count` of these rows, by chance but the same for the same seed, in their old order; all if count is
    None.

    Raises ValueError if there are fewer.
    """
    if count is None:
        return rows
    if count > len(rows):
        raise ValueError(f"count={count}: {name} has {len(rows)} pictures in this part: ask for at most as many")
    return rows[torch.randperm(len(rows), generator=seeded(seed))[:count].sort().values]


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """A limit in seconds on how long a socket opened inside may stay silent."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
