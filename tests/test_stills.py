"""Stills: the pixels are the tensors', lines stay inside their plot, and nothing is wider than a page."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lib.course import tokens, widgets
from diffusion_lib.course.figures.page import encode
from diffusion_lib.course.widgets import stills
from diffusion_lib.course.widgets.pictures import STILL_BYTES, STILL_PICTURE, STILL_WIDTH, still_layout


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def white(width: int, height: int) -> bytes:
    return encode(Image.new("RGB", (width, height), "white"), "white")


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count, channels, size", [(1, 3, 32), (4, 1, 8), (4, 3, 32), (6, 1, 8), (16, 1, 8), (20, 1, 8)]
)
def test_pixels_of_a_still_are_the_tensors(count, channels, size):
    x, y = noise(9, count, channels, size, size), noise(9, count, channels, size, size, seed=1)
    sheet = np.asarray(opened(widgets.scrub({"x": x, "y": y}).still()))
    times, layouts = still_layout([(count, size, size, channels)] * 2)
    shown, columns, scale = layouts[0]
    side, rows = size * scale, math.ceil(shown / columns)
    frame, tall = columns * (side + 2) - 2, rows * (side + 2) - 2
    assert shown == count and sheet.shape[1] == times * (frame + stills.GAP) - stills.GAP
    for track, frames in enumerate((x, y)):
        for column, k in enumerate(np.linspace(0, 8, times).round().astype(int)):
            for p in range(count):
                top = 2 * stills.LINE + track * (tall + stills.LINE) + p // columns * (side + 2)
                left = column * (frame + stills.GAP) + p % columns * (side + 2)
                level = np.floor((frames[k, p].double().clamp(-1, 1).numpy() + 1) * 127.5 + 0.5).transpose(1, 2, 0)
                enlarged = level.repeat(scale, axis=0).repeat(scale, axis=1)
                assert (sheet[top : top + side, left : left + side] == enlarged).all(), (track, column, p)


@pytest.mark.parametrize("tracks", [1, 2, 3])
@pytest.mark.parametrize("size", [4, 8, 28, 32, 48, 64, 96, 100, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_layouts_fit_the_page_and_pictures_are_large_enough(tracks, size, channels):
    for count in range(1, 65):
        times, layouts = still_layout([(count, size, size, channels)] * tracks)
        for pictures, columns, scale in layouts:
            frame = columns * (size * scale + 2) - 2
            assert times * (frame + stills.GAP) - stills.GAP <= STILL_WIDTH
            assert times >= 3 and 1 <= pictures <= count and columns <= pictures
            assert pictures > 16 or size * scale >= STILL_PICTURE
            assert times == 3 or times * pictures * size**2 * channels <= STILL_BYTES
            assert times == 3 or -(-pictures // columns) <= columns  # about square


def test_one_picture_has_five_times_and_what_is_left_out_is_said():
    assert still_layout([(1, 32, 32, 3), (1, 32, 32, 3)])[0] == 5
    times, ((pictures, _, _),) = still_layout([(40, 32, 32, 3)])
    assert (times, pictures) == (3, 6)


def test_a_still_of_noising_shows_each_time():
    x0, eps, t = noise(1, 1, 8, 8), noise(1, 1, 8, 8, seed=1), np.linspace(0, 1, 9)
    sheet = np.asarray(opened(widgets.Noising(x0, eps, 1 - t, t, t).still()))
    scale = 232 // 8
    for column, k in enumerate((0, 2, 4, 6, 8)):
        left = column * (8 * scale + stills.GAP)
        shown = sheet[2 * stills.LINE :: scale, left : left + 8 * scale : scale, 0]
        x_t = np.float32(1 - t[k]) * x0[0, 0].numpy() + np.float32(t[k]) * eps[0, 0].numpy()
        assert np.array_equal(shown, np.floor((x_t.astype(float).clip(-1, 1) + 1) * 127.5 + 0.5))


def test_noise_of_four_colour_pictures_stays_a_small_file():
    t = np.linspace(0, 1, 11)
    still = widgets.Noising(noise(4, 3, 32, 32), noise(4, 3, 32, 32, seed=1), 1 - t, t, t).still()
    assert len(still) < 80_000  # 49 kB before the pixels are enlarged; noise cannot be compressed


# --- plots --------------------------------------------------------------------------------------


def pixels_like(picture: np.ndarray, colour: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels that have about this colour."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return (np.abs(picture.astype(int) - rgb).sum(-1) < 60).nonzero()


def test_a_line_is_cut_off_at_the_frame():
    t = np.linspace(0, 1, 50)
    inside = widgets.Curves(t, {"near": np.linspace(-1, 1, 50)}, y_range=(-1, 1)).still()
    beyond = widgets.Curves(t, {"near": np.linspace(-3, 3, 50)}, y_range=(-1, 1)).still()
    rows = [pixels_like(np.asarray(opened(still)), tokens.COLOURS[0])[0] for still in (inside, beyond)]
    assert len(rows[1]) > 50
    assert rows[0].min() - 2 <= rows[1].min() and rows[1].max() <= rows[0].max() + 2


def drawn(widget, monkeypatch):
    """The matplotlib figure of a still, as the widget finishes it."""
    figures = []
    monkeypatch.setattr(stills, "finish", lambda figure, alt: figures.append(figure))
    widget.still()
    return figures[0]


T = np.linspace(0, 1, 11)


def plots():
    cloud, bars = noise(11, 30, 2).numpy(), noise(11, 30, 1).numpy()
    return {
        "Curves": widgets.Curves(T, {"exact": T, "estimated": (T + 0.1, 0.05)}),
        "Points": widgets.Points(
            T, cloud, density=lambda x, t: torch.exp(-(x**2).sum(-1)), field=lambda x, t: -x, paths=2
        ),
        "histogram": widgets.Points(T, bars, density=lambda x, t: torch.exp(-(x**2).sum(-1))),
        "Gaussians": widgets.Gaussians(T, (T, 1.0), (0.0, T + 0.1)),
    }


@pytest.mark.parametrize("kind", ["Curves", "Points", "histogram", "Gaussians"])
def test_every_axis_is_labelled_in_the_courses_style(kind, monkeypatch):
    figure = drawn(plots()[kind], monkeypatch)
    assert figure.axes[0].get_ylabel() and all(axes.get_xlabel() for axes in figure.axes)
    assert all(label.get_fontfamily() == [tokens.FONT] for label in (figure.axes[0].xaxis.label, figure.axes[0].title))
    assert figure.legends or figure.axes[0].get_legend()


@pytest.mark.parametrize("kind", ["Points", "histogram", "Gaussians"])
def test_panels_say_their_time(kind, monkeypatch):
    titles = [axes.get_title("left").split("\n")[0] for axes in drawn(plots()[kind], monkeypatch).axes]
    assert titles == ["t = 0", "t = 0.2", "t = 0.5", "t = 0.8", "t = 1"]


def test_a_still_of_curves_holds_the_numbers(monkeypatch):
    y = np.where(np.arange(11) == 3, 5.0, np.nan)
    widget = widgets.Curves(T[::-1], {"falls": T**2, "alone": y, "in $": 1 - T}, y_range=(-2, 7))
    (axes,) = drawn(widget, monkeypatch).axes
    assert np.array_equal(axes.lines[0].get_xdata(), T[::-1]) and np.array_equal(axes.lines[0].get_ydata(), T**2)
    assert axes.get_xlim() == (1.0, 0.0) and axes.get_ylim() == (-2.0, 7.0)
    dots = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in dots] == [([T[::-1][3]], [5.0])]
    assert axes.get_legend().get_texts()[2].get_text() == r"in \$"  # a dollar, not the start of a formula


def test_a_still_of_points_holds_the_points(monkeypatch):
    cloud = noise(5, 30, 2).numpy()
    figure = drawn(widgets.Points(np.linspace(0, 1, 5), cloud, paths=[7]), monkeypatch)
    for k, axes in enumerate(figure.axes):
        assert np.allclose(axes.collections[0].get_offsets(), cloud[k])
        assert np.allclose(axes.lines[0].get_xydata(), cloud[: k + 1, 7])


def test_a_still_of_a_histogram_holds_the_density(monkeypatch):
    samples = noise(5, 400).numpy()
    figure = drawn(widgets.Points(np.linspace(0, 1, 5), samples, bounds=(-5, 5), bins=20), monkeypatch)
    heights, edges, _ = figure.axes[2].patches[0].get_data()
    assert np.allclose(heights, np.histogram(samples[2], 20, (-5, 5), density=True)[0], rtol=1e-6)
    assert np.allclose(edges, np.linspace(-5, 5, 21))


# --- several in one -----------------------------------------------------------------------------


@pytest.mark.parametrize("count, size", [(2, (1010, 60)), (3, (1010, 130)), (5, (1010, 200))])
def test_a_row_that_is_wider_than_a_page_goes_on_in_the_next_line(count, size):
    assert opened(stills.beside([white(500, 60)] * count, "rows", down=False)).size == size


def test_many_small_tracks_stand_side_by_side():
    """Eight maps of 8 × 8: a row each would be a tower; a row for each time is a picture."""
    frames = {name: torch.zeros(26, 1, 8, 8) for name in "abcdefgh"}
    frames["b"][-1] = 1.0
    still = np.array(Image.open(io.BytesIO(widgets.Frames(frames).still())).convert("L"))
    assert still.shape[1] > still.shape[0] and still.shape[1] <= STILL_WIDTH
    wide = still.shape[1] // 8
    lower = still[still.shape[0] - STILL_PICTURE // 2]  # through the last row: the last time
    assert lower[wide + wide // 2] == 255 and lower[wide // 2] == lower[2 * wide + wide // 2] == 128
    few = np.array(Image.open(io.BytesIO(widgets.Frames(dict(list(frames.items())[:5])).still())))
    assert few.shape[0] > few.shape[1]


def test_a_column_stays_a_column():
    assert opened(stills.beside([white(100, 60)] * 3, "column", down=True)).size == (100, 200)


def test_a_line_of_words_is_as_wide_as_they_are():
    short, long = (opened(stills.words(text)).width for text in ("T 50", "T 50, and a few words more for $2"))
    assert 40 < short < long / 3 < stills.PAGE / 3


@pytest.mark.parametrize("colours", [1, 2, 200, 300])
def test_encoding_without_a_limit_changes_no_pixel(colours):
    picture = np.zeros((20, 30, 3), dtype=np.uint8)
    values = np.arange(600).reshape(20, 30) % colours
    picture[..., 0], picture[..., 2] = values % 256, values // 256
    for pixels in (picture, picture[..., :1].repeat(3, axis=-1)):
        assert np.array_equal(np.asarray(opened(encode(Image.fromarray(pixels), "alt"))), pixels)
