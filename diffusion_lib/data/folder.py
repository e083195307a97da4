"""A folder of one's own pictures."""

import os
import warnings
from pathlib import Path

import torch

from .dataset import Dataset
from .pictures import choose, transform
from .sources import DATASETS

SHOWN = 10  # broken files that a warning names


@DATASETS.register
def folder(path: str, *, size: int = 32, count: int | None = None, seed: int = 0) -> Dataset:
    """One's own pictures, resized and cropped to `size`: sub-folders are classes, a flat folder has none.

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

    root = Path(path).expanduser()
    if not root.exists():
        raise FileNotFoundError(
            f"folder:{path}: there is no such folder (looked for {str(root.absolute())!r}): check the path"
        )
    if not root.is_dir():
        raise NotADirectoryError(f"folder:{path}: this is a file: give the folder that holds it")
    if not has_picture(root):
        raise FileNotFoundError(
            f"folder:{path}: no picture in it or below it: put files there that end in {', '.join(IMG_EXTENSIONS)}"
        )
    source, prepare = Pictures(root), transform(size)
    rows = choose(torch.arange(len(source)), f"folder:{path}", count, seed).tolist()
    x, readable, broken = torch.empty(len(rows), 3, size, size), [], {}
    for row in rows:
        file = source.samples[row][0]
        try:
            x[len(readable)] = prepare(source.loader(file))
            readable.append(row)
        except Exception as error:  # decoders fail in many ways, all mean "broken"
            broken[str(Path(file).relative_to(root))] = error
    if broken:
        named = "; ".join(f"{file} ({type(e).__name__}: {e})" for file, e in list(broken.items())[:SHOWN])
        message = f"folder:{path}: {len(broken)} of {len(rows)} pictures cannot be read: {named}"
        message += f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        if not readable:
            raise ValueError(f"{message}. None is left: convert them to PNG or JPEG")
        warnings.warn(f"{message}. They are skipped", stacklevel=3)
    labels = None if source.classes == ["."] else torch.tensor(source.targets)[readable]
    return Dataset(
        name=f"folder:{path}",
        x=x[: len(readable)],
        labels=labels,
        classes=() if labels is None else tuple(source.classes),
        skipped=tuple(broken),
    )
