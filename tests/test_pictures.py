"""Bundled pictures, and folders of one's own: every kind of file has its exact answer, and nothing is lost unsaid."""

import hashlib
import io
import json
import os
import runpy
import struct
import tarfile
import tomllib
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

from diffusion_lib import bundled, data
from diffusion_lib.data.decoding import decode

ROOT = Path(__file__).parents[1]
SHEETS = {  # checksum of the sheet, the most bytes it may have, shape of a picture, number of each class
    "mnist": (
        "574dc71b3ed2ecfaef14d3b45ba60c4209ba5cc2d6dec336f6d32ccbc1e305aa",
        2_500_000,
        (1, 28, 28),
        [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978],
    ),
    "emoji": (
        "e845d0ec4baf22275bb7e689fca8b8cc2fcd0e5d1c76266bdb60fc246d8f9542",
        3_000_000,
        (3, 32, 32),
        [169, 360, 159, 131, 218, 85, 264, 224],
    ),
}


def rows_of(dataset):
    return {row.tobytes() for row in data.to_uint8(dataset.x).numpy()}


# --- mnist and emoji ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHEETS)
def test_the_sheet_is_the_one_that_was_built(name):
    checksum, most, _, counts = SHEETS[name]
    sheet, card = bundled.files(".png")[name], bundled.files(".json")[name]
    assert hashlib.sha256(sheet.read_bytes()).hexdigest() == checksum
    assert sheet.stat().st_size + card.stat().st_size <= most
    said = json.loads(card.read_text("utf-8"))
    assert list(said["counts"].values()) == counts and said["sha256"] == checksum


@pytest.mark.parametrize("name", SHEETS)
def test_both_parts_together_are_the_sheet(name, no_network):
    """Every tenth picture is for testing, so a tenth of every class; no picture is there twice."""
    *_, shape, counts = SHEETS[name]
    train, test = data.load(name), data.load(name, train=False)
    total = sum(counts)
    assert (len(train), len(test)) == (total - total // 10, total // 10) and train.shape == test.shape == shape
    assert (train.labels.bincount() + test.labels.bincount()).tolist() == counts
    assert (test.labels.bincount() - torch.tensor(counts) / 10).abs().max() < 1
    assert len(rows_of(train) | rows_of(test)) == total
    tenth = np.asarray(Image.open(bundled.files(".png")[name]))[: shape[1], 9 * shape[2] : 10 * shape[2]].copy()
    assert torch.equal(test.x[test.labels == 0][0], data.pictures.transform()(tenth))  # as other pictures, exactly


@pytest.mark.parametrize("name", SHEETS)
def test_any_stretch_of_a_bundled_set_has_every_class_in_its_share(name):
    """Batches and first rows of figures are mixed: the n-th of N in a class stands at (n + 1/2) / N of the whole."""
    loaded = data.load(name)
    share = loaded.labels.bincount() / len(loaded)
    for start in range(0, 1000, 100):
        counts = loaded.labels[start : start + 100].bincount(minlength=len(share))
        assert (counts - 100 * share).abs().max() < 2.5  # each end rounds by less than one; one in ten is left out


@pytest.mark.parametrize("name", SHEETS)
def test_bundled_pictures_at_another_size_are_resized_as_all_are(name):
    few = data.load(name, count=3, seed=4)
    wide = data.load(name, count=3, seed=4, size=40)
    prepare = data.pictures.transform(40)
    for small, large in zip(few.x, wide.x, strict=True):
        picture = data.to_uint8(small).permute(1, 2, 0).numpy()
        assert (large - prepare(picture)).abs().max() < 1e-5  # float32, in a batch and alone
    assert torch.equal(wide.labels, few.labels) and wide.captions == few.captions


def test_mnist_is_mnist():
    """The first 3 of the package begins with 0.149, 0.169, 0.412, 1, 0.992, …: the bytes 38, 43, 105, 255, 253, …"""
    test, train = data.load("mnist", train=False), data.load("mnist")
    first = data.to_uint8(test.x[test.labels == 3][0, 0])
    assert first[5, 10:23].tolist() == [0, 38, 43, 105, 255, 253, 253, 253, 253, 253, 174, 6, 0]
    assert train.classes == tuple("0123456789") and train.captions is None
    assert abs((train.x.mean() + 1) / 2 - 0.1307) < 0.002  # that of all 60 000; a standard error is 0.0005


def test_names_and_categories_belong_to_their_emoji():
    """The colour in the middle of Twemoji that are one flat colour, from its palette."""
    parts = [data.load("emoji", train=part) for part in (True, False)]
    colours, corners, classes = {}, {}, {}
    for part in parts:
        for picture, label, caption in zip(data.to_uint8(part.x), part.labels, part.captions, strict=True):
            colours[caption], corners[caption] = picture[:, 16, 16].tolist(), picture[:, 0, 0].tolist()
            classes[caption] = part.classes[label]
    red, green, blue, purple = [221, 46, 68], [120, 177, 89], [85, 172, 238], [170, 142, 214]
    flat = {"large red circle": red, "large green circle": green, "large blue square": blue, "purple heart": purple}
    assert {caption: colours[caption] for caption in flat} == flat
    assert corners["large red circle"] == corners["purple heart"] == [255, 255, 255]
    words = {"grinning face": "Smileys & Emotion", "grapes": "Food & Drink", "volcano": "Travel & Places"}
    assert {caption: classes[caption] for caption in words} == words
    assert not any("flag for" in caption or "fitzpatrick" in caption for caption in colours)
    assert len(colours) == 1609 and all(caption == caption.lower() for caption in colours)  # two men in tuxedos


def test_a_light_picture_alone_is_no_sign_of_a_wrong_scale():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        snow = data.load("emoji", count=1, seed=10)
    assert snow.captions == ("snowflake",) and snow.x.min() >= 0


def test_the_full_set_is_refused_where_there_is_none(no_network):
    assert repr(data.load("mnist", full=False)) == "load('mnist')"
    with pytest.raises(ConnectionError, match=r"'mnist' \(without full\)"):
        data.load("mnist", full=True, root="/nowhere/at/all")


# --- where they lie -------------------------------------------------------------------------------------------


def lay_out(folder):
    """A set of one 2 × 2 picture in this folder of assets."""
    folder.mkdir(parents=True)
    pixels = io.BytesIO()
    Image.fromarray(np.uint8([[0, 255], [51, 102]])).save(pixels, "png")
    (folder / "tiny.png").write_bytes(pixels.getvalue())
    checksum = hashlib.sha256(pixels.getvalue()).hexdigest()
    (folder / "tiny.json").write_text(json.dumps({"picture": [2, 2], "counts": {"a": 1}, "sha256": checksum}))


@pytest.mark.parametrize("installed", [True, False])
def test_bundled_files_are_found_installed_and_in_a_checkout(installed, tmp_path, monkeypatch):
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    (tmp_path / "diffusion_lib").mkdir()
    lay_out(tmp_path / (wheel["force-include"]["assets"] if installed else "assets"))
    monkeypatch.setattr(bundled, "PACKAGE", tmp_path / "diffusion_lib")
    pictures, card = data.sheets.read("tiny")
    assert pictures.tolist() == [[[[0, 255], [51, 102]]]] and card["counts"] == {"a": 1}
    assert list(bundled.files(".png")) == ["tiny"] and bundled.files(".safetensors") == {}


def test_a_damaged_or_missing_sheet_says_what_to_do(tmp_path, monkeypatch):
    lay_out(tmp_path / "assets")
    monkeypatch.setattr(bundled, "PACKAGE", tmp_path / "diffusion_lib")
    with (tmp_path / "assets" / "tiny.png").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ValueError, match=r"tiny: .*tiny.png has checksum .* so it is damaged: install .* again"):
        data.sheets.read("tiny")
    with pytest.raises(FileNotFoundError, match="mnist.png and mnist.json should come with the course: install"):
        data.load("mnist")


# --- how the sheets are built ---------------------------------------------------------------------------------


def archive(path, files):
    with tarfile.open(path, "w:gz") as package:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            package.addfile(entry, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The build script, writing to an empty folder of assets in which the sheets are then looked for."""
    names = runpy.run_path(str(ROOT / "assets" / "build_sheets.py"))
    monkeypatch.setitem(names["main"].__globals__, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(bundled, "PACKAGE", tmp_path / "diffusion_lib")
    (tmp_path / "assets").mkdir()
    return names


def build(script, tmp_path, name, columns, files):
    checksum = archive(tmp_path / "package.tgz", files)
    script["SETS"][checksum] = (name, script[name], columns)
    script["main"](tmp_path / "package.tgz")
    return data.sheets.read(name)


def test_every_byte_of_a_digit_survives_three_decimals(script, tmp_path):
    true = np.random.default_rng(0).permutation(np.arange(10 * 2 * 784) % 256).astype(np.uint8).reshape(10, 2, 28, 28)
    files = {f"src/digits/{d}.json": (true[d] / 255).round(3).ravel().tolist() for d in range(10)}
    files = {name: json.dumps({"data": grey}).encode() for name, grey in files.items()}
    pictures, card = build(script, tmp_path, "mnist", 6, files)  # the last row of the sheet is not full
    assert np.array_equal(pictures.numpy(), true.reshape(20, 1, 28, 28))
    assert card["counts"] == {str(digit): 2 for digit in range(10)}
    files["src/digits/7.json"] = json.dumps({"data": [0.5] * 784}).encode()
    with pytest.raises(SystemExit, match=r"7.json holds other numbers"):
        build(script, tmp_path, "mnist", 6, files)


def test_emoji_are_cut_out_composed_on_white_and_each_taken_once(script, tmp_path):
    colours = [(200, 100, 0, 255), (200, 100, 0, 128), (9, 9, 9, 0), (200, 100, 0, 255), (1, 2, 3, 255), (4, 5, 6, 255)]
    sheet = Image.new("RGBA", (2 * 34, 3 * 34), (0, 0, 255, 255))  # blue borders must not be seen
    entries = []
    for i, colour in enumerate(colours):
        column, row = i % 2, i // 2
        sheet.paste(Image.new("RGBA", (32, 32), colour), (34 * column + 1, 34 * row + 1))
        category = ["Objects", "Symbols", "Symbols", "Symbols", "Flags", "Component"][i]
        entry = {"name": f"SIGN {i}", "category": category, "sheet_x": column, "sheet_y": row, "sort_order": 9 - i}
        entries.append(entry if i else entry | {"sort_order": 10})
    packed = io.BytesIO()
    sheet.save(packed, "png")
    files = {"img/twitter/sheets/32.png": packed.getvalue(), "emoji.json": json.dumps(entries).encode()}
    pictures, card = build(script, tmp_path, "emoji", 2, files)
    # in the order of sort_order: 3, 2, 1; 0 looks as 3 does
    assert card["captions"] == ["sign 3", "sign 2", "sign 1"] and card["counts"] == {"Symbols": 3}
    half = [round(value * 128 / 255 + 255 * 127 / 255) for value in (200, 100, 0)]
    assert (pictures.float().std((2, 3)) == 0).all()
    assert pictures[:, :, 0, 0].tolist() == [[200, 100, 0], [255, 255, 255], half]


def test_another_package_is_refused(script, tmp_path):
    archive(tmp_path / "package.tgz", {"a": b""})
    with pytest.raises(SystemExit, match=r"package.tgz has checksum .*, not one of 3fb5bb"):
        script["main"](tmp_path / "package.tgz")


# --- kinds of files -------------------------------------------------------------------------------------------


def png(array, kind, depth, *chunks):
    """A PNG of this kind (0 grey, 2 colour, 3 palette) and depth, written from the standard, not by Pillow."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = array.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2" if depth == 16 else np.uint8).tobytes() for row in array)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def unit(path):
    """The decoded picture in [0, 1], float64."""
    picture = decode(path)
    assert picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype in (np.uint8, np.float32)
    return picture.astype(float) / (255 if picture.dtype == np.uint8 else 1)


GREY16 = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)


def write_grey16(kind):
    def write(path):
        if kind == "pgm":
            path.write_bytes(b"P5 8 8 65535\n" + GREY16.astype(">u2").tobytes())
        elif kind == "png":
            path.write_bytes(png(GREY16, 0, 16))
        else:
            Image.fromarray(GREY16).save(path)

    return write


@pytest.mark.parametrize("kind", ["png", "tiff", "pgm"])
def test_16_bits_of_grey_are_scaled_not_clipped(kind, tmp_path):
    write_grey16(kind)(tmp_path / f"a.{kind}")
    expected = (GREY16 / 65535)[..., None].repeat(3, 2)
    assert np.abs(unit(tmp_path / f"a.{kind}") - expected).max() < 1e-7  # float32 rounding
    loaded = data.load(f"folder:{tmp_path}", size=8)
    assert np.abs(loaded.x[0].permute(1, 2, 0).numpy() - (2 * expected - 1)).max() < 3e-7


def test_16_bits_of_colour_are_scaled(tmp_path):
    colours = np.stack([GREY16, GREY16.T, 65535 - GREY16], 2)
    (tmp_path / "a.png").write_bytes(png(colours, 2, 16))
    assert np.abs(unit(tmp_path / "a.png") - colours / 65535).max() < 1 / 255  # Pillow keeps the upper byte


def test_grey_that_is_transparent_in_16_bits_is_white(tmp_path):
    (tmp_path / "a.png").write_bytes(png(GREY16, 0, 16, (b"tRNS", struct.pack(">H", GREY16[0, 3]))))
    expected = GREY16 / 65535
    expected[0, 3] = 1
    assert np.abs(unit(tmp_path / "a.png")[..., 0] - expected).max() < 1e-7


def test_floating_point_from_0_to_1_is_read_and_other_ranges_are_not(tmp_path):
    Image.fromarray((GREY16 / 65535).astype(np.float32)).save(tmp_path / "good.tiff")
    assert np.abs(unit(tmp_path / "good.tiff")[..., 1] - GREY16 / 65535).max() < 1e-7
    Image.fromarray(GREY16.astype(np.float32)).save(tmp_path / "wide.tiff")
    Image.fromarray(np.full((8, 8), 70_000, np.int32)).save(tmp_path / "deep.tiff")
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "nan.tiff")
    with pytest.warns(
        UserWarning, match=r"3 of 4 files .*grey from 70000 to 70000: only 0 to 65535 .*to 1 has a known"
    ):
        loaded = data.load(f"folder:{tmp_path}", size=8)
    assert loaded.skipped == ("deep.tiff", "nan.tiff", "wide.tiff") and len(loaded) == 1


# What must be done to the picture that is meant, to get the one that is stored (EXIF 2.3, tag Orientation).
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "16 bits"])
def test_a_cameras_rotation_is_carried_out(orientation, kind, tmp_path):
    meant = np.arange(6 * 4, dtype=np.uint8).reshape(4, 6) * 10
    picture = Image.fromarray(np.ascontiguousarray(STORED[orientation](meant)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "16 bits":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    path = tmp_path / f"a.{'png' if kind == '16 bits' else kind}"
    picture.save(path, exif=exif, **({"lossless": True} if kind == "webp" else {}))
    assert np.abs(unit(path)[..., 0] - meant / 255).max() < 1e-7


def test_a_jpeg_from_a_camera_stands_upright(tmp_path):
    meant = np.zeros((16, 32, 3), np.uint8)
    meant[:8] = 255  # the sky above
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(meant, 1)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    x = data.load(f"folder:{tmp_path}", size=16).x[0]
    assert x[:, 2:6].min() > 0.9 and x[:, 10:14].max() < -0.9


def save(picture, path, **options):
    picture.save(path, **options)


TRANSPARENT = {  # files of one colour, and that colour on white
    "RGBA.png": (lambda path: save(Image.new("RGBA", (8, 8), (0, 255, 0, 128)), path), (127, 255, 127)),
    "clear.png": (lambda path: save(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), path), (255, 255, 255)),
    "LA.png": (lambda path: save(Image.new("LA", (8, 8), (0, 51)), path), (204, 204, 204)),
    "RGBA.webp": (lambda path: save(Image.new("RGBA", (8, 8), (0, 0, 0, 51)), path, lossless=True), (204, 204, 204)),
    "RGBA.tiff": (lambda path: save(Image.new("RGBA", (8, 8), (0, 255, 0, 128)), path), (127, 255, 127)),
    "key of grey.png": (
        lambda path: path.write_bytes(png(np.full((8, 8), 7), 0, 8, (b"tRNS", struct.pack(">H", 7)))),
        (255, 255, 255),
    ),
    "key of colour.png": (
        lambda path: path.write_bytes(
            png(np.full((8, 8, 3), (1, 2, 3)), 2, 8, (b"tRNS", struct.pack(">HHH", 1, 2, 3)))
        ),
        (255, 255, 255),
    ),
    "palette.png": (
        lambda path: path.write_bytes(
            png(np.ones((8, 8)), 3, 8, (b"PLTE", bytes([9, 9, 9, 0, 255, 0])), (b"tRNS", bytes([255, 128])))
        ),
        (127, 255, 127),
    ),
    "transparent.gif": (
        lambda path: save(Image.new("P", (8, 8), 3), path, transparency=3),
        (255, 255, 255),
    ),
}
OPAQUE = {
    "L.png": (lambda path: save(Image.new("L", (8, 8), 60), path), (60, 60, 60)),
    "1.png": (lambda path: save(Image.new("1", (8, 8), 1), path), (255, 255, 255)),
    "RGB.bmp": (lambda path: save(Image.new("RGB", (8, 8), (10, 20, 30)), path), (10, 20, 30)),
    "palette.png": (
        lambda path: path.write_bytes(png(np.ones((8, 8)), 3, 8, (b"PLTE", bytes(3) + bytes([7, 8, 9])))),
        (7, 8, 9),
    ),
    "palette.gif": (lambda path: save(Image.new("RGB", (8, 8), (255, 0, 51)), path), (255, 0, 51)),
    "CMYK.tiff": (lambda path: save(Image.new("CMYK", (8, 8), (0, 255, 0, 0)), path), (255, 0, 255)),
    "grey.pgm": (lambda path: save(Image.new("L", (8, 8), 90), path), (90, 90, 90)),
}


@pytest.mark.parametrize(
    "name", [f"transparent/{name}" for name in TRANSPARENT] + [f"opaque/{name}" for name in OPAQUE]
)
def test_colours_of_every_kind_of_file(name, tmp_path):
    kind, file = name.split("/")
    write, colour = (TRANSPARENT if kind == "transparent" else OPAQUE)[file]
    write(tmp_path / file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # not even of Pillow's; and white alone is no sign of a wrong scale
        loaded = data.load(f"folder:{tmp_path}", size=8)
    assert loaded.skipped == () and len(loaded) == 1
    assert data.to_uint8(loaded.x[0]).flatten(1).unique(dim=1).T.tolist() == [list(colour)]  # all over


def test_of_an_animation_the_first_frame(tmp_path):
    red, *others = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255), (0, 255, 0))]
    red.save(tmp_path / "a.gif", save_all=True, append_images=others)
    assert np.array_equal(unit(tmp_path / "a.gif"), np.broadcast_to([1.0, 0, 0], (8, 8, 3)))


# --- folders -------------------------------------------------------------------------------------------------


def paint(path, colour, size=(40, 30), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def folder(tmp_path):
    for i in range(3):
        paint(tmp_path / "cats" / f"{i}.png", (255, 0, 0))
        paint(tmp_path / "dogs" / f"{i}.jpg", (0, 0, 0), size=(20, 50))
    return tmp_path


def test_folder_with_classes(folder):
    loaded = data.load(f"folder:{folder}", size=16)
    assert loaded.x.shape == (6, 3, 16, 16) and loaded.classes == ("cats", "dogs")
    assert loaded.labels.tolist() == [0, 0, 0, 1, 1, 1] and loaded.skipped == ()
    assert loaded.x[0, :, 3, 3].tolist() == [1, -1, -1] and loaded.x[5].max() < -0.95
    assert data.load(f"folder:{folder}").shape == (3, 32, 32)


def test_folder_is_cropped_in_the_centre(tmp_path):
    stripes = np.zeros((30, 90, 3), np.uint8)
    stripes[:, 30:60] = 255  # black, white, black
    Image.fromarray(stripes).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # all white, and rightly so
        assert (data.load(f"folder:{tmp_path}", size=30).subset([0]).x == 1).all()


def test_flat_folder_and_other_modes(tmp_path):
    paint(tmp_path / "grey.png", 0, mode="L")
    paint(tmp_path / "clear.png", (0, 255, 0, 128), mode="RGBA")
    paint(tmp_path / ".hidden" / "a.png", 0, mode="L")
    paint(tmp_path / "._grey.png", 0, mode="L")
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini"):
        (tmp_path / name).write_bytes(b"\0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = data.load(f"folder:{tmp_path}", size=8)
    assert loaded.x.shape == (2, 3, 8, 8) and loaded.labels is None and loaded.classes == ()
    assert torch.equal(loaded[0], loaded.x[0])


def test_broken_pictures_are_named_skipped_and_counted(folder):
    picture = (folder / "dogs" / "0.jpg").read_bytes()
    (folder / "dogs" / "cut.jpg").write_bytes(picture[: len(picture) // 2])
    (folder / "cats" / "empty.png").write_bytes(b"")
    (folder / "cats" / "words.png").write_text("this is no picture")
    (folder / "cats" / "gone.png").symlink_to(folder / "nowhere.png")
    with pytest.warns(UserWarning) as caught:
        loaded = data.load(f"folder:{folder}", size=8)
    message = str(caught[0].message)
    assert len(caught) == 1 and "4 of 10 files cannot be read" in message and "skipped" in message
    names = ["cats/empty.png", "cats/gone.png", "cats/words.png", "dogs/cut.jpg"]
    assert [name.replace("\\", "/") for name in loaded.skipped] == names
    assert all(name.split("/")[1] in message for name in names)
    assert len(loaded) == 6 and loaded.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert "4 unreadable files skipped" in str(loaded)


def test_a_warning_names_ten_broken_pictures_and_counts_the_rest(folder):
    for i in range(13):
        (folder / "cats" / f"broken{i:02}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"13 of 19 files .*broken09.*; and 3 more\. They are skipped") as caught:
        loaded = data.load(f"folder:{folder}", size=8)
    assert "broken10" not in str(caught[0].message) and len(loaded.skipped) == 13


def test_endings_in_capitals_hidden_folders_and_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    paint(tmp_path / "own" / "A.JPG", (0, 0, 0))
    paint(tmp_path / "own" / ".thumbnails" / "a.png", (0, 0, 0))
    loaded = data.load("folder:~/own", size=8)
    assert loaded.labels is None and len(loaded) == 1


def test_folder_of_broken_pictures_only(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 of 1 files cannot be read: a.png.*None is left"):
        data.load(f"folder:{tmp_path}")


def test_folders_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        data.load(f"folder:{tmp_path}/nowhere")
    with pytest.raises(FileNotFoundError, match=r"no picture in it.*\.png"):
        data.load(f"folder:{tmp_path}")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(NotADirectoryError, match="give the folder that holds it"):
        data.load(f"folder:{tmp_path}/a.txt")


def test_a_class_without_pictures_is_no_class(folder):
    (folder / "birds").mkdir()
    assert data.load(f"folder:{folder}", size=8).classes == ("cats", "dogs")


def test_pictures_beside_the_folders_of_classes_are_used_and_said(tmp_path):
    for i in range(28):
        paint(tmp_path / "mine" / f"{i:02}.png", (0, 0, 255))
    paint(tmp_path / "mine" / "cats" / "a.png", (255, 0, 0))
    paint(tmp_path / "mine" / "zebras" / "deep" / "a.png", (0, 255, 0))
    with pytest.warns(UserWarning, match="28 pictures lie beside the sub-folders, such as 00.png.*'mine'") as caught:
        loaded = data.load(f"folder:{tmp_path}/mine", size=8)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert len(loaded) == 30 and loaded.skipped == ()
    assert loaded.classes == ("cats", "mine", "zebras") and loaded.labels.tolist() == [0] + 28 * [1] + [2]
    assert loaded.x[:, :, 0, 0].tolist() == [[1, -1, -1]] + 28 * [[-1, -1, 1]] + [[-1, 1, -1]]


def test_a_class_named_as_the_folder_itself_is_not_mixed_with_what_lies_beside_it(tmp_path):
    paint(tmp_path / "cats" / "a.png", (0, 0, 255))
    paint(tmp_path / "cats" / "cats" / "a.png", (255, 0, 0))
    with pytest.warns(UserWarning, match=r"1 pictures lie beside.*'\.'"):
        loaded = data.load(f"folder:{tmp_path}/cats", size=8)
    assert loaded.classes == (".", "cats") and loaded.x[:, 2, 0, 0].tolist() == [1, -1]


def test_what_is_no_picture_is_named_and_counted(folder):
    for name in ("cats/phone.heic", "notes.txt", "dogs/drawing.svg", "dogs/without"):
        (folder / name).write_bytes(b"something else")
    (folder / "cats" / "broken.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"5 of 11 files cannot be read: .*can be converted to PNG") as caught:
        loaded = data.load(f"folder:{folder}", size=8)
    message = str(caught[0].message).replace("\\", "/")
    assert len(caught) == 1 and "cats/phone.heic (no ending of a picture)" in message
    skipped = [name.replace("\\", "/") for name in loaded.skipped]
    assert skipped == ["cats/broken.png", "notes.txt", "cats/phone.heic", "dogs/drawing.svg", "dogs/without"]
    assert all(name in message for name in skipped) and len(loaded) == 6 and loaded.classes == ("cats", "dogs")


def test_a_folder_without_any_picture_says_what_is_there(tmp_path):
    (tmp_path / "phone.heic").write_bytes(b"something else")
    with pytest.raises(FileNotFoundError, match=r"no picture in it or below it, only phone.heic \(no ending"):
        data.load(f"folder:{tmp_path}")


def test_a_folder_that_may_not_be_opened_is_named(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "dogs":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.warns(UserWarning, match=r"1 of 4 files cannot be read: dogs \(PermissionError"):
        loaded = data.load(f"folder:{folder}", size=8)
    assert loaded.skipped == ("dogs",) and loaded.classes == ("cats",) and len(loaded) == 3


def test_a_link_that_leads_in_a_circle_is_followed_once(folder):
    (folder / "cats" / "again").symlink_to(folder, target_is_directory=True)
    assert len(data.load(f"folder:{folder}", size=8)) == 6


def test_count_chooses_among_the_pictures_alone(folder):
    (folder / "notes.txt").write_text("no picture")
    with pytest.warns(UserWarning, match=r"1 of 5 files cannot be read: notes.txt"):
        few = data.load(f"folder:{folder}", size=8, count=4, seed=1)
    assert len(few) == 4 and few.classes == ("cats", "dogs")
    with pytest.raises(ValueError, match=r"count=7: folder:.* has 6 pictures"):
        data.load(f"folder:{folder}", size=8, count=7)


def test_a_white_picture_stays_within_the_range(tmp_path):
    """The weights of a resize sum to 1 only up to rounding: one such picture must not get a whole folder refused."""
    sides = range(9, 60)
    for side in sides:
        Image.new("RGB", (side, side + side % 7), "white").save(tmp_path / f"{side:02}.png")
    unclipped = [functional.resize(torch.ones(3, side + side % 7, side), 8, antialias=True).max() for side in sides]
    assert max(unclipped) > 1  # so that this test could fail
    assert data.load(f"folder:{tmp_path}", size=8).x.eq(1).float().mean() > 0.5
    assert data.pictures.scaled(torch.full((1, 3, 37, 39), 255), 8).max() == 1
