"""The sets of `torchvision.datasets`, downloaded on first use.

The download is torchvision's, which knows each set's files, mirrors and checksums; `pooch` would need all of them
written down here again, only to have a limit on how long a silent server is waited for. `patience` is that limit.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from .dataset import Dataset
from .pictures import choose, transform
from .sources import DATASETS

WITHOUT_NETWORK = "'mnist' (without full), 'digits', 'emoji', 'shapes' and every set of points need no network"
PATIENCE = 20  # seconds until a silent server is given up


@DATASETS.register
def fashion_mnist(
    *,
    size: int | None = None,
    count: int | None = None,
    seed: int = 0,
    root: str | Path | None = None,
    train: bool = True,
    download: bool = True,
) -> Dataset:
    """Clothes, 28 × 28 in grey (Xiao, Rasul and Vollgraf 2017): 60 000, and 10 000 to test with."""
    return torchvision_set(
        "fashion_mnist", "FashionMNIST", size=size, count=count, seed=seed, root=root, train=train, download=download
    )


@DATASETS.register
def cifar10(
    *,
    size: int | None = None,
    count: int | None = None,
    seed: int = 0,
    root: str | Path | None = None,
    train: bool = True,
    download: bool = True,
) -> Dataset:
    """Animals and vehicles, 32 × 32 in colour (Krizhevsky 2009): 50 000, and 10 000 to test with."""
    return torchvision_set(
        "cifar10", "CIFAR10", size=size, count=count, seed=seed, root=root, train=train, download=download
    )


def torchvision_set(
    name: str,
    kind: str,
    *,
    size: int | None,
    count: int | None,
    seed: int,
    root: str | Path | None,
    train: bool,
    download: bool,
) -> Dataset:
    """`torchvision.datasets.<kind>` as a data set of this name. Raises what `open_files` does."""
    place = Path(root or os.environ.get("DIFFUSION_DATA") or "~/.cache/diffusion_lib").expanduser()
    source = open_files(name, kind, root=place, train=train, download=download)
    source.transform = transform(size)
    rows = choose(torch.arange(len(source)), name, count, seed)
    return Dataset(
        name,
        torch.stack([source[row][0] for row in rows.tolist()]),
        labels=torch.as_tensor(source.targets)[rows].long(),
        classes=tuple(c.split(" - ")[0] for c in source.classes),
        recipe=f"load({name!r})",
    )


def open_files(name: str, kind: str, *, root: Path, train: bool, download: bool):
    """The torchvision data set itself. The files at hand are tried first, so a shared, read-only root will do.

    Raises FileNotFoundError, PermissionError, ValueError or ConnectionError where it cannot be had, and says what was
    tried.
    """
    from torchvision import datasets

    make = getattr(datasets, kind)
    try:
        return make(root, train=train)
    except Exception as error:
        if "not found" not in str(error):  # a copy is there, but cannot be read
            raise _damaged(name, root, error) from error
        if not download:
            raise FileNotFoundError(
                f"{name}: no complete copy under {str(root)!r} and download=False. Allow the download, or put the "
                f"files of torchvision.datasets.{kind} there; {WITHOUT_NETWORK}"
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


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """A limit in seconds on how long a socket opened inside may stay silent."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
