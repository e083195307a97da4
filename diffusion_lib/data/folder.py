"""A folder of one's own pictures."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from .dataset import Dataset
from .decoding import decode, endings
from .pictures import choose, transform
from .sources import DATASETS

SHOWN = 10  # files that a warning names
OF_THE_SYSTEM = ("thumbs.db", "desktop.ini")  # hidden files whose names do not begin with a dot


@DATASETS.register
def folder(path: str, *, size: int = 32, count: int | None = None, seed: int = 0) -> Dataset:
    """One's own pictures, resized and cropped to `size`: sub-folders are classes, a flat folder has none.

    Pictures beside the sub-folders are a class of their own, named as the folder, and a warning says so. A file that
    cannot be read as a picture is skipped, named in a warning, and counted in `Dataset.skipped`; hidden files and
    folders are passed over. Raises FileNotFoundError, NotADirectoryError or ValueError for a folder without a readable
    picture.
    """
    name, root = f"folder:{path}", Path(path).expanduser()
    if not root.exists():
        raise FileNotFoundError(
            f"{name}: there is no such folder (looked for {str(root.absolute())!r}): check the path"
        )
    if not root.is_dir():
        raise NotADirectoryError(f"{name}: this is a file: give the folder that holds it")
    closed: dict[Path, str] = {}
    files = visible_files(root, lambda error: closed.setdefault(Path(error.filename), reason(error)))
    known = endings()
    pictures = [file for file in files if file.suffix.lower() in known]
    others = {file: "no ending of a picture" for file in files if file.suffix.lower() not in known} | closed
    if not pictures:
        listed = f", only {named(root, others)}" if others else ""
        raise FileNotFoundError(f"{name}: no picture in it or below it{listed}: put .png or .jpg files there")

    classes, labels = classes_of(root, pictures)
    beside = [file for file in pictures if file.parent == root]
    if beside and classes:
        warnings.warn(
            f"{name}: {len(beside)} pictures lie beside the sub-folders, such as {beside[0].name}: they are a class of "
            f"their own, {classes[labels[pictures.index(beside[0])]]!r}. To have it otherwise, move them",
            stacklevel=3,
        )
    order = sorted(range(len(pictures)), key=labels.__getitem__) if classes else range(len(pictures))
    rows = choose(torch.tensor(order), name, count, seed).tolist()
    prepare, x, readable, skipped = transform(size), torch.empty(len(rows), 3, size, size), [], {}
    for row in rows:
        try:
            x[len(readable)] = prepare(decode(pictures[row]))
            readable.append(row)
        except Exception as error:  # decoders fail in many ways, all mean "cannot be read"
            skipped[pictures[row]] = reason(error)
    skipped |= others
    if skipped:
        message = f"{name}: {len(skipped)} of {len(rows) + len(others)} files cannot be read: {named(root, skipped)}"
        if not readable:
            raise ValueError(f"{message}. None is left: convert them to PNG or JPEG")
        warnings.warn(f"{message}. They are skipped; pictures among them can be converted to PNG or JPEG", stacklevel=3)
    return Dataset(
        name,
        x[: len(readable)],
        labels=torch.tensor(labels)[readable] if classes else None,
        classes=classes,
        skipped=tuple(str(file.relative_to(root)) for file in skipped),
        recipe=f"load({name!r})",
    )


def visible_files(root: Path, on_error: Callable[[OSError], object]) -> list[Path]:
    """All files in a folder and below it that are not hidden, in order; a folder that cannot be opened is an error."""
    files, visited = [], set()
    for place, folders, names in os.walk(root, followlinks=True, onerror=on_error):
        if os.path.realpath(place) in visited:  # a link to a folder above it
            folders.clear()
            continue
        visited.add(os.path.realpath(place))
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        visible = (name for name in names if not name.startswith(".") and name.lower() not in OF_THE_SYSTEM)
        files += [Path(place, name) for name in sorted(visible)]
    return files


def classes_of(root: Path, pictures: list[Path]) -> tuple[tuple[str, ...], list[int]]:
    """The names of the classes and the label of each picture; none for a flat folder."""
    folders = [file.relative_to(root).parts[0] if file.parent != root else "" for file in pictures]
    if not any(folders):
        return (), []
    own = root.resolve().name
    own = own if own and own not in folders else "."
    folders = [folder or own for folder in folders]
    classes = tuple(sorted(set(folders)))
    return classes, [classes.index(folder) for folder in folders]


def reason(error: Exception) -> str:
    """Why a file cannot be read, in one line."""
    return f"{type(error).__name__}: {error}"


def named(root: Path, files: dict[Path, str]) -> str:
    """The first of these files, each with the reason, and how many more there are."""
    shown = "; ".join(f"{file.relative_to(root)} ({why})" for file, why in list(files.items())[:SHOWN])
    return shown + (f"; and {len(files) - SHOWN} more" if len(files) > SHOWN else "")
