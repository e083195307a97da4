"""Files of tensors and text (safetensors), written so that a crash loses nothing.

Reading one runs no code from it: nothing is unpickled (https://huggingface.co/docs/safetensors). Writing is atomic: the
bytes go to a temporary file in the same folder, are flushed to the disk (fsync), and take the old file's place in one
move (POSIX rename). A full disk or a kill at any moment leaves the old file or the new one, never half of one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor


def write(path: str | Path, tensors: Mapping[str, Tensor], text: Mapping[str, str]) -> None:
    """Write tensors and text to one safetensors file, atomically. Raises OSError, naming the file and the remedy."""
    import safetensors.torch

    path = Path(path)
    content = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, dict(text))
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        unharmed = "; the file that was there is unharmed" if path.exists() else ""
        what = f"cannot write {len(content) / 1e6:.1f} MB ({error.strerror}): free some space or choose another folder"
        raise OSError(error.errno, what + unharmed, str(path)) from None
    if os.name == "posix":  # the move itself must reach the disk too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_writable(folder: str | Path) -> None:
    """Refuse a folder in which nothing can be written: better now than after training. It leaves nothing behind.

    Raises:
        OSError: the folder cannot be made, or no file can be written there.
    """
    folder = Path(folder)
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    probe = folder / f".writable.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        what = f"cannot write here ({error.strerror}): choose another folder"
        raise OSError(error.errno, what, str(folder)) from None
    finally:
        for level in missing:  # the deepest first
            with suppress(OSError):  # it was never made, or another run has begun to use it
                level.rmdir()


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the text of a safetensors file. Raises FileNotFoundError, or ValueError if it is damaged."""
    file, text = opened(path)
    return {name: file.get_tensor(name) for name in file.keys()}, text  # noqa: SIM118 (it is no dict)


def opened(path: str | Path):
    """An open safetensors file, whose tensors are read when they are asked for, and its text."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}: give the path of a .safetensors file")
    try:
        file = safe_open(path, framework="pt")
        return file, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is cut short, or no safetensors file ({error}): take another copy") from None
