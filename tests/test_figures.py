"""Figures: what is drawn is what was given, and its description reaches the page."""

import base64
import inspect
import io
import math
from collections import namedtuple

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lib.course import figures
from diffusion_lib.training import TrainingConfig, train

Step = namedtuple("Step", "t x x0")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# --- pictures -----------------------------------------------------------------------------------


def test_pixels_are_mapped_clipped_and_never_normalised():
    pictures = torch.tensor([-1.0, -0.5, 0.0, 1.0, 3.0, -9.0])[:, None, None, None].expand(-1, 1, 2, 2)
    drawn = figures.as_picture(pictures, 3, padding=0)
    assert drawn.shape == (4, 6, 3)
    expected = np.repeat(np.repeat([[0, 0.25, 0.5], [1, 1, 0]], 2, axis=0), 2, axis=1)
    assert np.array_equal(drawn, np.repeat(expected[..., None], 3, axis=2))


def test_broken_pixels_are_magenta_in_grey_and_in_colour():
    for channels in (1, 3):
        pictures = torch.zeros(1, channels, 2, 2)
        pictures[0, 0, 0, 1], pictures[0, -1, 1, 1] = math.nan, math.inf
        drawn = figures.as_picture(pictures, 1, padding=0)
        assert drawn[0, 1].tolist() == drawn[1, 1].tolist() == [1, 0, 1]
        assert drawn[0, 0].tolist() == [0.5] * 3


def test_grid_is_eight_wide_row_by_row():
    pictures = torch.linspace(-1, 1, 20)[:, None, None, None].expand(-1, 1, 4, 4)
    drawn = figures.picture_grid(pictures).axes[0].images[0].get_array()
    assert drawn.shape == (3 * 5 + 1, 8 * 5 + 1, 3)
    for i in range(20):
        assert drawn[i // 8 * 5 + 2, i % 8 * 5 + 2, 0] == pytest.approx((float(pictures[i, 0, 0, 0]) + 1) / 2)
    assert drawn[12, -3, 0] == 1.0  # no picture there: page white


def test_names_stand_over_their_own_pictures():
    figure = figures.picture_grid(torch.zeros(5, 3, 8, 8), 3, names=list("abcde"))
    middles = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    drawn = figure.axes[0].images[0].get_array()
    for x, y in middles.values():
        assert drawn[int(y) + 2, int(x), 0] == 0.5 and drawn[int(y) - 1, int(x), 0] == 1.0
    assert middles["b"][0] > middles["a"][0] and middles["d"][1] > middles["a"][1]
    with pytest.raises(ValueError, match="2 names for 5 pictures"):
        figures.picture_grid(torch.zeros(5, 3, 8, 8), names=["a", "b"])


@pytest.mark.parametrize("shape", [(4, 2), (0, 1, 8, 8), (2, 4, 8, 8)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=r"a grid takes \(B, 1 or 3, H, W\)"):
        figures.picture_grid(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (50, 2), (50, 1)])
def test_film_strip_shows_first_last_and_both_tracks(shape):
    steps = [Step(1 - i / 20, torch.full(shape, i / 20), torch.full(shape, -i / 20)) for i in range(21)]
    figure = figures.film_strip(steps, frames=6)
    assert [axes.get_title() for axes in figure.axes[:6]] == [f"t = {t:.2f}" for t in (1, 0.8, 0.6, 0.4, 0.2, 0)]
    assert len(figure.axes) == 12
    if len(shape) == 4:
        greys = [axes.images[0].get_array()[4, 4, 0] for axes in figure.axes]
        expected = [(1 + sign * i / 20) / 2 for sign in (1, -1) for i in (0, 4, 8, 12, 16, 20)]
        assert greys == pytest.approx(expected, abs=1e-7)
    if shape[1] == 2:
        assert figure.axes[11].collections[0].get_offsets()[0].tolist() == [-1, -1]


@pytest.mark.parametrize("dimension", [1, 2])
def test_limits_hold_the_finite_points_and_zeros_have_some(dimension):
    x = torch.tensor([[-2.0], [0.5], [math.inf], [math.nan]]).expand(4, dimension)
    for points, far in ((x, 2.0), (torch.zeros(4, dimension), 1.0)):
        figure = figures.film_strip([Step(1.0, points, points)])
        low, high = figure.axes[0].get_xlim()
        assert low <= -far and far <= high < 1.2 * far
    if dimension == 2:
        assert figures.cloud(torch.zeros(4, 2)).axes[0].get_xlim() == (-1.1, 1.1)


def test_film_strip_takes_named_strips_and_refuses_empty_ones():
    strips = {"noise": torch.zeros(3, 1, 1, 8, 8), "picture": torch.ones(3, 1, 1, 8, 8)}
    figure = figures.film_strip(strips, times=[1, 0.5, 0], frames=8)
    assert len(figure.axes) == 6 and figure.axes[3].get_ylabel() == "picture"
    with pytest.raises(ValueError, match="at least one step"):
        figures.film_strip([])
    with pytest.raises(ValueError, match="2 times for 3 frames"):
        figures.film_strip(strips, times=[1, 0])


# --- curves and clouds --------------------------------------------------------------------------


def test_curves_differ_in_colour_and_dash_and_refuse_wrong_lengths():
    x = torch.linspace(0, 1, 5)
    figure = figures.curves(x, {str(i): i * x for i in range(6)}, errors={"2": 0.1 + 0 * x}, log="x")
    lines = figure.axes[0].lines
    assert len({line.get_color() for line in lines}) == len({str(line._unscaled_dash_pattern) for line in lines}) == 6
    assert np.array_equal(lines[3].get_ydata(), (3 * x).double().numpy())
    assert figure.axes[0].get_xscale() == "log" and figure.axes[0].get_yscale() == "linear"
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(2.1) and band[:, 1].min() == pytest.approx(-0.1)
    with pytest.raises(ValueError, match=r"line 'y' has shape \(4,\), x has \(5,\)"):
        figures.curves(x, {"y": x[1:]})


def test_colours_stand_out_from_white():
    for colour in figures.COLOURS:  # WCAG 2: contrast of at least 4.5 for text
        linear = [
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
            for v in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        ]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) >= 4.5


def test_contours_enclose_the_stated_share_of_a_gaussian():
    side = torch.linspace(-6, 6, 401, dtype=torch.float64)
    places = torch.cartesian_prod(side, side)
    p = (-places.square().sum(1) / 2).exp() / (2 * math.pi)
    heights = figures.levels(p, (0.5, 0.9))
    exact = [(1 - share) / (2 * math.pi) for share in (0.9, 0.5)]  # P(|z|² <= r²) = 1 - exp(-r²/2)
    cell = (12 / 400) ** 2 / (2 * math.pi)  # one grid point's share, at most
    assert heights == pytest.approx(exact, abs=4 * cell)


def test_cloud_counts_what_it_cannot_draw():
    points = torch.randn(100, 2, generator=seeded())
    points[7, 1] = math.nan
    figure = figures.cloud(points, density=lambda x: -x.square().sum(1) / 2, title="two")
    assert figure.axes[0].get_title("left") == "two; 1 of 100 points are not finite"
    assert len(figure.axes[0].collections[0].get_offsets()) == 99
    figure = figures.cloud(points, labels=torch.arange(100) % 3)
    assert [len(c.get_offsets()) for c in figure.axes[0].collections] == [34, 32, 33]
    with pytest.raises(ValueError, match=r"a cloud takes \(B, 2\)"):
        figures.cloud(torch.zeros(3, 3))


def test_histogram_has_area_one_and_the_exact_density_over_it():
    samples = torch.randn(2000, 1, generator=seeded())
    figure = figures.histogram(samples, lambda x: (-x.square() / 2 - math.log(2 * math.pi) / 2)[:, 0])
    bars = figure.axes[0].patches
    assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)
    x, y = figure.axes[0].lines[0].get_data()
    assert y == pytest.approx(np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))
    half = figures.histogram(samples, limits=(0, 10))
    area = sum(bar.get_height() * bar.get_width() for bar in half.axes[0].patches)
    assert area == pytest.approx(float((samples >= 0).double().mean()))


# --- on the page --------------------------------------------------------------------------------


@pytest.fixture
def page(monkeypatch):
    """What a notebook would store: a list of (data, metadata), updated in place by display_id."""
    import IPython
    import IPython.display

    outputs = []

    class Handle:
        def __init__(self, i):
            self.i = i

        def update(self, data, *, metadata, raw):
            outputs[self.i] = (data, metadata)

    def display(data, *, metadata, raw, display_id=None):
        assert raw
        outputs.append((data, metadata))
        return Handle(len(outputs) - 1) if display_id else None

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    return outputs


def picture_of(data):
    return Image.open(io.BytesIO(base64.b64decode(data["image/png"])))


def test_show_stores_the_picture_with_its_description(page):
    figure = figures.picture_grid(torch.zeros(16, 1, 8, 8))
    w, h = figure.get_size_inches() * figures.PIXELS
    figures.show(figure, alt="Sixteen grey squares, x̂ → 0.")
    ((data, metadata),) = page
    assert data["text/plain"] == metadata["image/png"]["alt"] == "Sixteen grey squares, x̂ → 0."
    picture = picture_of(data)
    assert picture.size == pytest.approx((figures.SHARPNESS * w, figures.SHARPNESS * h), abs=1)
    assert (metadata["image/png"]["width"], metadata["image/png"]["height"]) == (round(w), round(h))
    assert picture.text["Description"] == "Sixteen grey squares, x̂ → 0."
    colours = {colour for _, colour in picture.convert("RGB").getcolors()}
    assert {(255, 255, 255), (127, 127, 127)} <= colours  # white exact; 0.5 * 255, cut
    assert figure.axes == []  # closed: nothing is kept


def test_one_broken_pixel_stays_magenta_in_the_file():
    pictures = torch.rand(64, 1, 8, 8, generator=seeded()) * 2 - 1
    pictures[40, 0, 3, 3] = math.nan
    picture = Image.open(io.BytesIO(figures.png(figures.picture_grid(pictures), "alt"))).convert("RGB")
    assert (255, 0, 255) in {colour for _, colour in picture.getcolors(1 << 20)}


def test_show_insists_on_a_description():
    with pytest.raises(ValueError, match="alt is empty"):
        figures.show(figures.picture_grid(torch.zeros(1, 1, 8, 8)), alt=" ")


def test_the_same_figure_is_the_same_file():
    draw = lambda: figures.png(figures.curves([0, 1], {"a": [0, 1]}), "alt")  # noqa: E731
    assert draw() == draw()


def test_live_view_redraws_seldom_and_only_in_place(page, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(figures.training_view.time, "monotonic", lambda: clock[0])
    view = figures.live(100, alt="The loss falls.", seconds=5.0)
    assert len(page) == 1 and page[0][0]["text/plain"] == "The loss falls."
    asked = []

    def samples():
        asked.append(clock[0])
        clock[0] += 2.0  # drawing samples takes 2 s: at a share of 0.1, 20 s apart
        return torch.zeros(4, 1, 8, 8)

    for i in range(100):
        clock[0] += 0.5
        view.add(1 / (i + 1), pictures=samples)
    assert asked[0] == 5.0 and np.diff(asked).min() >= 20.0 and len(asked) == 3
    figure = view.figure()
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([1 / (i + 1) for i in range(100)])
    assert figure.axes[0].lines[1].get_ydata()[-1] == pytest.approx(sum(1 / n for n in range(96, 101)) / 5)
    before = page[0][0]["image/png"]
    view.close()
    assert len(page) == 1 and page[0][0]["image/png"] != before and page[0][0]["text/plain"] == "The loss falls."


def test_the_example_of_a_live_view_calls_train_as_it_is():
    example = figures.training_view.Live.__doc__.split("in train(")[1].split("):\n")[0]
    names = {"denoiser": None, "data": None, "TrainingConfig": TrainingConfig}
    call = eval(f"bind({example})", names | {"bind": inspect.signature(train).bind})
    assert call.arguments["config"].steps == 600


def test_live_view_is_silent_outside_a_notebook(monkeypatch, capsys):
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    view = figures.live(3, alt="Nothing.", seconds=0)
    view.add(1.0, pictures=lambda: pytest.fail("no one is looking"))
    view.close()
    assert view.losses == [1.0] and capsys.readouterr().out == ""
