"""Data: exact where the answer is known (moments, areas, captions), true file formats, and every fault with its message."""

import gzip
import hashlib
import math
import pickle
import socket
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from diffusion_lib import data
from diffusion_lib.data import shapes

POINTS = [name for name, make in data.DATASETS.items() if make.__module__ == data.points.__name__]
DRAWN = [*POINTS, "shapes"]
OFFLINE = [*POINTS, "digits", "mnist", "emoji", "shapes"]
FEW = 150  # there are 161 emoji to test with


def load_few(name, **options):
    return data.load(name, count=FEW, **options)


# --- every data set ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OFFLINE)
def test_every_set_keeps_its_promises(name):
    few = load_few(name)
    assert few.name == name and len(few) == FEW and few.x.dtype == torch.float32 and few.x.isfinite().all()
    if few.is_images:
        assert few.x.min() >= -1 and few.x.max() <= 1 and few.x.min() < -0.8  # not [0, 1]
    if few.labels is not None:
        assert few.labels.dtype == torch.int64 and few.labels.unique().tolist() == list(range(len(few.classes)))


@pytest.mark.parametrize("name", OFFLINE)
def test_the_seed_decides(name):
    again = load_few(name)
    state = torch.get_rng_state()
    first = load_few(name)
    assert torch.equal(first.x, again.x)
    assert torch.equal(state, torch.get_rng_state())  # nothing is drawn from global state
    assert not torch.equal(first.x, load_few(name, seed=1).x)
    assert not torch.equal(first.x, load_few(name, train=False).x)


@pytest.mark.parametrize("name", OFFLINE)
def test_training_and_test_part_share_nothing(name):
    train, test = ({tuple(row.tolist()) for row in load_few(name, train=part).x.flatten(1)} for part in (True, False))
    assert not train & test


@pytest.mark.parametrize("name", OFFLINE)
def test_a_data_loader_can_use_it(name):
    few = load_few(name)
    batch, rows = next(iter(DataLoader(few, batch_size=7))), few[2:5]
    if few.labels is None:  # the examples alone: there is no number that would mean "no label"
        assert torch.equal(batch, few.x[:7]) and torch.equal(rows, few.x[2:5]) and torch.equal(few[4], few.x[4])
    else:
        assert torch.equal(batch[0], few.x[:7]) and torch.equal(batch[1], few.labels[:7])
        assert torch.equal(rows[0], few.x[2:5]) and torch.equal(rows[1], few.labels[2:5])
    assert sum(1 for _ in few) == FEW  # stops at the end


@pytest.mark.parametrize(
    "text",
    [
        "load('rings', count=20)",
        "load('digits', size=16, count=9, seed=3, train=False)",
        "load('shapes', count=8, without=[('red',)]).split(0.5, seed=2)[1]",
        "load('moons', count=9).subset([4, 2])",
        "load('moons', count=9).subset(slice(None, 5, None))",
    ],
)
def test_repr_makes_it_again(text):
    loaded = eval(text, {"load": data.load, "slice": slice})
    assert repr(loaded) == text
    again = eval(repr(loaded), {"load": data.load, "slice": slice})
    assert torch.equal(again.x, loaded.x)


def test_str_describes():
    assert str(data.load("shapes", count=5)) == "shapes: 5 pictures 3 × 32 × 32, 6 classes"
    assert str(data.load("swiss_roll", count=5)) == "swiss_roll: 5 points in 2-D"


def test_split_and_subset_keep_rows_together():
    all_shapes = data.load("shapes", count=50)
    parts = all_shapes.split(0.7, seed=4)
    assert [len(part) for part in parts] == [35, 15]
    rows = {tuple(row.tolist()) for part in parts for row in part.x.flatten(1)}
    assert rows == {tuple(row.tolist()) for row in all_shapes.x.flatten(1)}
    assert not torch.equal(parts[0].x, all_shapes.x[:35])  # shuffled
    for part in (*parts, all_shapes.subset(all_shapes.labels == 3), all_shapes.subset([7, 2])):
        assert torch.equal(shapes.recognise(part.x), part.attributes)
        assert torch.equal(part.labels, part.attributes[:, 0])
        assert part.captions == shapes.caption(part.attributes)
    assert torch.equal(all_shapes.subset([7, 2]).x, all_shapes.x[[7, 2]])


# --- one addition, one place -----------------------------------------------------------------------------------


@pytest.fixture
def two_new_sets():
    """A set that is drawn and a set that is there, each one decorated function; gone again after the test."""

    @data.DATASETS.register
    def line(count, generator, *, size=1):
        return data.Dataset("line", size * torch.randn(count, 1, generator=generator))

    @data.DATASETS.register(name="steps")
    def from_a_path(path, *, count=3, without=()):
        return data.Dataset(f"steps:{path}", torch.arange(float(count))[:, None], captions=(str(without),) * count)

    yield
    del data.DATASETS["line"], data.DATASETS["steps"]


def test_a_new_data_set_is_found_everywhere(two_new_sets):
    assert data.NAMES[-2:] == ("line", "steps:PATH") == data.sources.names()[-2:]
    with pytest.raises(ValueError, match=r"'lines' is no data set: choose from mixture, .*, line, steps:PATH \("):
        data.load("lines")
    assert data.options("line") == ("size", "count", "seed", "train")
    assert data.options("steps:x") == ("count", "without")
    assert len(data.load("line")) == 10_000
    line, test = data.load("line", count=4, seed=2, size=2), data.load("line", count=4, seed=2, size=2, train=False)
    exact = [2 * torch.randn(4, 1, generator=torch.Generator().manual_seed(seed)) for seed in (4, 5)]
    assert torch.equal(line.x, exact[0]) and torch.equal(test.x, exact[1])
    assert repr(line) == "load('line', size=2, count=4, seed=2)"
    assert torch.equal(data.Fresh("line")(4, torch.Generator().manual_seed(4)).x0, exact[0] / 2)
    steps = data.load("steps:a:b", without=[["c"]])
    assert (steps.name, len(steps), steps.captions[0]) == ("steps:a:b", 3, "[['c']]")
    assert repr(steps) == "load('steps:a:b', without=[['c']])"
    with pytest.raises(ValueError, match="seed=1: steps:a has no such option, only count, without: leave it out"):
        data.load("steps:a", seed=1)
    with pytest.raises(ValueError, match="'steps:a' has a fixed number of examples: only mixture, .*shapes, line can"):
        data.Fresh("steps:a")
    with pytest.raises(ValueError, match="data set 'line' is registered already"):
        data.DATASETS.register(load_few, name="line")


def test_without_a_new_set_there_is_none():
    assert "line" not in data.NAMES and "line" not in data.DATASETS
    with pytest.raises(AttributeError, match="no attribute 'NAME'"):
        data.NAME  # noqa: B018


def test_every_name_says_what_it_takes():
    assert data.options("shapes") == ("size", "count", "seed", "train", "without")
    assert data.options("folder:cats") == ("size", "count", "seed")
    assert data.options("mnist") == ("size", "count", "seed", "root", "train", "download", "full")
    assert data.options("cifar10") == ("size", "count", "seed", "root", "train", "download")
    assert data.options("emoji") == ("size", "count", "seed", "train")


@pytest.mark.parametrize("name", ["moons:", "moons:2", "folder", "steps:x"])
def test_a_path_belongs_to_a_folder_only(name):
    with pytest.raises(ValueError, match="is no data set"):
        data.load(name)


# --- drawings without end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWN)
def test_fresh_examples_never_repeat_and_follow_the_generator_alone(name):
    fresh, generator = data.Fresh(name), torch.Generator().manual_seed(7)
    state = torch.get_rng_state()
    first, second = fresh(100, generator), fresh(100, generator)
    rows = torch.cat([first.x0, second.x0]).flatten(1)
    assert len({tuple(row.tolist()) for row in rows}) == 200
    again = fresh(100, torch.Generator().manual_seed(7))
    assert torch.equal(again.x0, first.x0) and first.noise is None
    assert torch.equal(state, torch.get_rng_state())
    # the same distribution as the data set that is loaded: with its generator, the same examples
    loaded = data.load(name, count=100)
    same = fresh(100, torch.Generator().manual_seed(0))
    assert torch.equal(same.x0, loaded.x)
    if loaded.labels is None:
        assert same.cond is None
    else:
        assert torch.equal(same.cond, loaded.labels) and torch.equal(again.cond, first.cond)
    assert fresh.shape == loaded.shape and fresh.classes == loaded.classes


def test_conditions_fit_the_fresh_pictures():
    generator = torch.Generator().manual_seed(3)
    held = [("red", "star"), ("large", "blue")]
    pictures, attributes, noise = data.Fresh("shapes", size=48, without=held, cond="attributes")(300, generator)
    assert pictures.shape == (300, 3, 48, 48) and noise is None
    assert torch.equal(shapes.recognise(pictures), attributes)
    assert not any(shapes.having(attributes, words).any() for words in held)
    pictures, labels, _ = data.Fresh("shapes", size=48)(300, generator)
    assert torch.equal(shapes.recognise(pictures)[:, 0], labels)
    assert data.Fresh("shapes", cond=None)(2, generator).cond is None
    assert data.Fresh("shapes").dataset(2, generator).captions[0].startswith("a ")


def test_a_draw_function_is_a_value():
    fresh = data.Fresh("shapes", size=16, without=[["red", "star"]])
    assert fresh == eval(repr(fresh), {"Fresh": data.Fresh}) and hash(fresh)
    assert fresh == pickle.loads(pickle.dumps(fresh)) != data.Fresh("shapes", size=16)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"name": "digits"}, "'digits' has a fixed number of examples: only mixture, .*shapes can be drawn"),
        ({"name": "shape"}, "'shape' is no data set: choose from"),
        ({"name": "moons", "size": 8}, "size=8: moons has no such option"),
        ({"name": "moons", "without": [("red",)]}, r"without=\(\('red',\),\): moons has no such option"),
        ({"name": "moons", "cond": "attributes"}, "cond='attributes': moons has none: use 'labels' or None"),
        ({"name": "shapes", "cond": "captions"}, "cond='captions' is none of 'labels', 'attributes', None"),
        ({"name": "shapes", "size": 8}, "size=8: .* at least 16"),
        ({"name": "shapes", "size": 32.0}, "size=32.0 must be a whole number"),
        ({"name": "shapes", "without": ["red star"]}, r"must be a tuple.*\('red', 'star'\)"),
        ({"name": "shapes", "without": [("pink",)]}, "'pink' describes no shape"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        data.Fresh(**options)


def test_split_follows_its_seed_and_what_belongs_to_all_stays():
    plane = data.load("mixture", count=50)
    first, other = plane.split(0.5, seed=0)[0], plane.split(0.5, seed=1)[0]
    assert not torch.equal(first.x, other.x)
    assert first.mixture is plane.mixture and plane.subset([0]).classes == plane.classes
    own = data.Dataset("own", torch.zeros(3, 2), skipped=("a.png",))
    assert repr(own) == "<own: 3 points in 2-D, 1 unreadable files skipped>"
    assert repr(own.subset([0])) == "<own: 1 points in 2-D, 1 unreadable files skipped>"  # no expression makes it again


def test_no_two_seeds_share_examples_in_any_part():
    generators = [data.dataset.seeded(seed, train=train) for seed in range(4) for train in (True, False)]
    assert len({float(torch.rand(1, generator=generator, dtype=torch.float64)) for generator in generators}) == 8


# --- range and display ---------------------------------------------------------------------------------------


def test_to_uint8_undoes_the_transform():
    every_byte = np.arange(256, dtype=np.uint8).reshape(16, 16)
    x = data.pictures.transform()(Image.fromarray(every_byte))
    assert x.shape == (1, 16, 16) and x.min() == -1 and x.max() == 1
    assert torch.equal(data.to_uint8(x)[0], torch.from_numpy(every_byte))


def test_to_unit_ends_and_cuts_off():
    assert data.to_unit(torch.tensor([-3.0, -1, 0, 1, 2])).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("low, high", [(-1.01, 0), (-1, 1.01), (0, 255)])
def test_pixels_outside_are_refused(low, high):
    x = torch.linspace(low, high, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    with pytest.raises(ValueError, match=r"outside \[-1, 1\].*Normalize"):
        data.Dataset("own", x)


def test_pixels_from_0_to_1_are_suspected():
    x = torch.linspace(0, 1, 32).reshape(2, 1, 4, 4)
    with pytest.warns(UserWarning, match="no pixel lies below 0.*Normalize"):
        data.Dataset("own", x)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": torch.zeros(3, 4, 4)}, "x has shape"),
        ({"x": torch.zeros(0, 2)}, "at least one row"),
        ({"x": torch.zeros(3, 2).double()}, "float32"),
        ({"x": torch.full((3, 2), math.nan)}, "NaN"),
        ({"labels": torch.zeros(2, dtype=torch.int64), "classes": ("a",)}, "2 labels for 3 examples"),
        ({"labels": torch.tensor([0, 1, 2]), "classes": ("a", "b")}, "labels .*from 0 to 2.*from 0 to 1"),
        ({"labels": torch.tensor([0, 1, -1]), "classes": ("a", "b")}, "labels .*from -1 to 1.*labels=None"),
        ({"labels": torch.zeros(3), "classes": ("a",)}, "int64"),
        ({"labels": torch.tensor([0, 1, 2]), "classes": ("a", "b", "c"), "x": torch.zeros(2, 2)}, "3 labels for 2"),
        (
            {"labels": torch.tensor([0, 0, 1]), "classes": ("a",)},
            "labels .*from 0 to 1; they must be int64, from 0 to 0",
        ),
        ({"captions": ("a star",)}, "1 captions for 3"),
        ({"attributes": torch.zeros(2, 4).long()}, "2 attributes for 3"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        data.Dataset(**({"name": "own", "x": torch.zeros(3, 2)} | change))


# --- points --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", POINTS)
def test_points_have_mean_0_and_variance_1(name):
    n = 40_000
    x = data.load(name, count=n).x.double()
    squares = (x**2).mean(1)
    # five standard errors of a mean, from the sample itself: one false alarm in two million
    assert (x.mean(0).abs() < 5 * x.std(0) / n**0.5).all()
    assert abs(squares.mean() - 1) < 5 * squares.std() / n**0.5


@pytest.mark.parametrize("name", ["mixture", "mixture_1d"])
def test_mixtures_are_exact(name):
    drawn = data.load(name, count=40_000)
    exact = drawn.mixture
    assert exact.mean.abs().max() < 1e-12 and abs(exact.covariance.diagonal().mean() - 1) < 1e-12  # float64 rounding
    share = drawn.labels.bincount() / len(drawn)
    assert ((share - exact.weights).abs() < 5 * (exact.weights * (1 - exact.weights) / len(drawn)).sqrt()).all()
    for k, (mean, variance) in enumerate(zip(exact.means, exact.variances, strict=True)):
        part = drawn.x[drawn.labels == k].double()
        assert ((part.mean(0) - mean).abs() < 5 * (variance / len(part)).sqrt()).all()
        assert ((part.var(0) - variance).abs() < 5 * variance * (2 / len(part)) ** 0.5).all()
    # the labels are of use: the component that is likeliest a posteriori is nearly always the one drawn from
    assert (exact.responsibilities(drawn.x.double()).argmax(1) == drawn.labels).float().mean() > 0.98


def test_rings_lie_on_their_radii():
    rings = data.load("rings", count=3000)
    radius = rings.x.norm(dim=1)
    middle = torch.stack([radius[rings.labels == k].mean() for k in range(3)])
    ratio = middle / middle[2]
    assert torch.allclose(ratio, torch.tensor([0.6, 1.3, 2.0]) / 2, atol=0.01)  # 5 standard errors are 0.006


def test_the_noise_about_each_curve_is_the_stated_one():
    n = 20_000
    tolerance = 5 / (2 * n) ** 0.5  # five standard errors of a standard deviation, relative
    rings = data.load("rings", count=n)
    scale = math.sqrt((0.6**2 + 1.3**2 + 2.0**2) / 6 + 0.06**2)
    radius = rings.x.norm(dim=1) * scale  # noise of 0.06 along a radius of 2; across it, it changes the radius by 0.001
    outer = radius[rings.labels == 2]
    assert abs(outer.std() / 0.06 - 1) < 3**0.5 * tolerance
    moons = data.load("moons", count=n)
    variance = (0.75 + 0.5625 - 1 / math.pi) / 2 + 0.07**2
    raw = moons.x * math.sqrt(variance)
    centre = torch.tensor([0.5, 0.25])  # of the mirrored moons' circles: the upper moon's at (-0.5, -0.25)
    for label, sign in ((0, 1), (1, -1)):
        upright = sign * raw[moons.labels == label] + centre
        radius, angle = upright.norm(dim=1), torch.atan2(upright[:, 1], upright[:, 0])
        assert abs(radius.std() / 0.07 - 1) < 2**0.5 * tolerance + 0.01  # the curve bends: 0.07²/2 of second order
        # uniform on a half circle, upper side up; four standard errors of a median
        assert abs(angle.median() - math.pi / 2) < 4 * math.pi / 2 / len(angle) ** 0.5
    roll = data.load("swiss_roll", count=n)
    # at the outer end, 4.5π, the curve runs upwards along x = 0: neighbouring turns are 2π apart, the noise is 0.25
    low, high = 1.5 * math.pi, 4.5 * math.pi
    mean = torch.tensor([math.sin(high) * high - math.sin(low) * low, math.sin(high) - math.sin(low)]) / (high - low)
    second = (high**3 - low**3) / 3 / (high - low)
    raw = roll.x * math.sqrt((second - mean.square().sum().item()) / 2 + 0.25**2) + mean
    radius, angle = raw.norm(dim=1), torch.atan2(raw[:, 1], raw[:, 0])
    turn = (radius - angle) / (2 * math.pi)  # a whole number on the spiral radius = angle + 2π k
    middle = (turn.round() == 1) & (angle.abs() < 3)  # away from both ends
    off = (radius - angle - 2 * math.pi)[middle]
    # noise along the radius and across it, 0.25 / radius in angle: 0.25 sqrt(1 + 1 / radius²)
    expected = 0.25 * (1 + radius[middle].pow(-2).mean().item()) ** 0.5
    assert abs(off.std() / expected - 1) < tolerance * (n / int(middle.sum())) ** 0.5


def test_labels_are_named_rightly():
    rings, moons = data.load("rings", count=300), data.load("moons", count=300)
    radius = [
        rings.x[rings.labels == rings.classes.index(word)].norm(dim=1).mean() for word in ("inner", "middle", "outer")
    ]
    assert radius == sorted(radius)
    height = [moons.x[moons.labels == moons.classes.index(word), 1].mean() for word in ("lower", "upper")]
    assert height[0] < height[1]
    assert data.load("mixture_1d", count=9).classes == ("A", "B")
    assert data.load("mixture", count=9).classes == ("A", "B", "C", "D")


def test_checkerboard_leaves_the_white_squares_empty():
    square = (data.load("checkerboard", count=4000).x * math.sqrt(16 / 12) + 2).clamp(0, 3.999).long()
    assert (square.sum(1) % 2 == 0).all()
    assert len(square.unique(dim=0)) == 8


def test_moons_do_not_touch():
    moons = data.load("moons", count=2000)
    assert torch.cdist(moons.x[moons.labels == 0], moons.x[moons.labels == 1]).min() > 0.05


# --- digits --------------------------------------------------------------------------------------------------


def test_digits_are_all_there_and_exact():
    from sklearn.datasets import load_digits

    train, test = data.load("digits"), data.load("digits", train=False)
    assert len(train) + len(test) == 1797 and train.shape == (1, 8, 8)
    share = test.labels.bincount() / (train.labels.bincount() + test.labels.bincount())
    assert ((share > 0.19) & (share <= 0.20)).all()  # a fifth of every class
    zeros = load_digits().images[load_digits().target == 0]
    assert torch.equal(test.x[test.labels == 0][0, 0], torch.from_numpy(zeros[4]).float() / 8 - 1)  # the fifth of them
    rows = torch.cat([train.x, test.x]).flatten(1)
    true = torch.from_numpy(load_digits().data).float() / 8 - 1
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, true.tolist()))


def test_digits_at_another_size():
    assert data.load("digits", size=16, count=4).x.shape == (4, 1, 16, 16)


# --- shapes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [24, 32, 64])
def test_every_attribute_can_be_measured(size):
    pictures = data.load("shapes", size=size, count=600, seed=5)
    wrong = (shapes.recognise(pictures.x) != pictures.attributes).sum(0).tolist()
    assert wrong[1:] == [0, 0, 0] and wrong[0] <= 0.01 * 600  # some small shapes are ambiguous at 24 pixels


def test_attributes_survive_noise():
    pictures = data.load("shapes", count=600)
    noise = 0.1 * torch.randn(pictures.x.shape, generator=torch.Generator().manual_seed(0))
    right = (shapes.recognise(pictures.x + noise) == pictures.attributes).float().mean(0)
    assert (right > 0.99).all()


def test_a_few_stray_pixels_do_not_mislead():
    pictures = data.load("shapes", count=400, seed=2)
    front = 2 * torch.tensor(list(shapes.COLOURS.values()))[pictures.attributes[:, 1]] - 1
    generator = torch.Generator().manual_seed(0)
    x = pictures.x.clone()
    for i, spots in enumerate(torch.randint(1, 31, (400, 8, 2), generator=generator)):
        x[i, :, spots[:4, 0], spots[:4, 1]] = front[i][:, None]  # four pixels of the shape's colour anywhere
    right = (shapes.recognise(x) == pictures.attributes).float().mean(0)
    assert right[0] > 0.95 and (right[1:] == 1).all()
    for i, spots in enumerate(torch.randint(1, 31, (400, 8, 2), generator=generator)):
        x[i, :, spots[:, 0], spots[:, 1]] = front[i][:, None]  # twelve by now: an eighth of the large shapes' areas
    assert (shapes.recognise(x) == pictures.attributes)[:, 1:].all()


def test_more_pictures_of_a_shape_than_are_drawn_at_a_time():
    attributes = shapes.attributes_of("a large red heart on a light background").repeat(600, 1)
    pictures = shapes.draw(attributes, size=16)
    assert torch.equal(shapes.recognise(pictures)[:, 1:], attributes[:, 1:])  # 16 pixels blur the shape, no more


@pytest.mark.parametrize("shape", shapes.VOCABULARY["shape"])
@pytest.mark.parametrize("size_word", shapes.VOCABULARY["size"])
def test_size_means_area_whatever_the_shape(shape, size_word):
    attributes = shapes.attributes_of(f"a {size_word} red {shape} on a dark background").repeat(200, 1)
    red = shapes.draw(attributes, size=64)[:, 0]
    coverage = (red - red.amin((1, 2), keepdim=True)) / (2 * 0.90 - 2 * 0.05)  # red channel: 0.05 to 0.90
    share = coverage.mean((1, 2))
    low, high = shapes.SIZES[size_word]
    # antialiased corners are a little off: at most 4 % of the area
    assert share.min() > low * 0.96 and share.max() < high * 1.04
    assert share.max() - share.min() > 0.5 * (high - low)  # and the area varies


@pytest.mark.parametrize("shape", shapes.VOCABULARY["shape"])
def test_drawing_agrees_with_counting_points(shape):
    """The antialiased coverage against brute force: 32 × 32 points in each pixel, in or out."""
    distance, area, radius = shapes.SHAPES[shape]
    pixel, fine = 16, 32
    scale = 7.5 / radius  # pixels a unit: the shape just fits in

    def centres(n):
        return ((torch.arange(n) + 0.5) / n - 0.5) * pixel / scale

    y, x = torch.meshgrid(centres(pixel), centres(pixel), indexing="ij")
    smooth = (0.5 - torch.maximum(distance(x, y), x.hypot(y) - radius) * scale).clamp(0, 1)
    y, x = torch.meshgrid(centres(pixel * fine), centres(pixel * fine), indexing="ij")
    inside = (distance(x, y) < 0).float()
    counted = inside.reshape(pixel, fine, pixel, fine).mean((1, 3))
    assert abs(inside.mean() * (pixel / scale) ** 2 - area) < 0.02 * area  # the stated area is the true one
    farthest = x.hypot(y)[inside > 0].max()
    assert 0.97 * radius < farthest <= radius  # and the stated circle just holds it
    assert (smooth - counted).abs().max() < 0.35  # sharp corners
    assert (smooth - counted).abs().mean() < 0.01


def test_shapes_stay_inside_and_go_everywhere():
    x = data.load("shapes", count=2000).x
    frame = torch.cat([x[..., 0, :], x[..., -1, :], x[..., 0], x[..., -1]], -1)
    assert (frame - frame.median(-1, keepdim=True).values).abs().max() < 1e-5  # the border is all background
    drawn = (x != x[..., :1, :1]).any(1).float().mean(0)
    assert drawn[5:-5, 5:-5].min() > 0.01  # only the corners are out of reach
    assert min(drawn[2].max(), drawn[-3].max(), drawn[:, 2].max(), drawn[:, -3].max()) > 0.01


def test_edges_are_antialiased():
    """Between one flat colour and another there are many shades."""
    few = data.load("shapes", count=200)
    shades = [len(picture.flatten(1).T.unique(dim=0)) for picture in few.x]
    assert min(shades) > 15


def test_shapes_are_turned_by_every_angle():
    """The tips of triangles point everywhere: their mean direction (of 3 times the angle) is near 0."""
    attributes = shapes.attributes_of("a large red triangle on a dark background").repeat(2000, 1)
    red = shapes.draw(attributes, size=32)[:, 0]
    weight = (red - red.amin((1, 2), keepdim=True)).flatten(1)
    weight = weight / weight.sum(1, keepdim=True)
    place = torch.arange(32.0)
    z = torch.complex(place.expand(32, 32), place[:, None].expand(32, 32)).flatten()
    z = z - (weight * z).sum(1, keepdim=True)
    tips = (weight * z**3).sum(1)
    tips = tips / tips.abs()
    assert abs(tips.mean()) < 4 / 2000**0.5  # uniform on the circle: E |mean|² = 1 / n
    assert abs((tips**2).mean()) < 4 / 2000**0.5


def test_a_data_set_shares_no_memory_between_labels_and_attributes():
    drawn = data.load("shapes", count=5)
    before = drawn.attributes.clone()
    drawn.labels.zero_()
    assert torch.equal(drawn.attributes, before)


def test_captions_there_and_back():
    every = shapes.combinations()
    assert len(every) == 6 * 6 * 2 * 2
    captions = shapes.caption(every)
    assert len(set(captions)) == len(every) and "a small red star on a dark background" in captions
    assert torch.equal(shapes.attributes_of(captions), every)
    star = shapes.attributes_of("A small red star on a dark background")
    assert [words[i] for words, i in zip(shapes.VOCABULARY.values(), star[0].tolist(), strict=True)] == [
        "star",
        "red",
        "small",
        "dark",
    ]


def test_what_was_asked_for_is_drawn():
    every = shapes.combinations()
    assert torch.equal(shapes.recognise(shapes.draw(every, seed=3)), every)
    assert torch.equal(shapes.draw(every, seed=3), shapes.draw(every, seed=3))
    assert not torch.equal(shapes.draw(every, seed=3), shapes.draw(every, seed=4))


def test_held_out_combinations_never_appear_and_the_others_evenly():
    count = 20_000
    held = data.load("shapes", count=count, size=16, without=[("red", "star"), ("large", "blue")])
    assert not any("red star" in caption or "large blue" in caption for caption in held.captions)
    kinds, times = held.attributes.unique(dim=0, return_counts=True)
    left = 144 - 4 - 12
    assert len(kinds) == left
    chi2 = ((times - count / left) ** 2 / (count / left)).sum()
    assert abs(chi2 - (left - 1)) < 5 * (2 * (left - 1)) ** 0.5  # five standard deviations of chi²
    assert shapes.having(held.attributes, ("red",)).any() and shapes.having(held.attributes, ("star",)).any()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: data.load("shapes", without=[("pink", "star")]), "'pink' describes no shape.*red, yellow"),
        (lambda: data.load("shapes", without=["red star"]), r"must be a tuple.*\('red', 'star'\)"),
        (lambda: data.load("shapes", without=[("small",), ("large",)]), "leaves no combination"),
        (lambda: data.load("shapes", size=8), "size=8: .* at least 16"),
        (lambda: shapes.attributes_of("a red star"), "is no caption: write"),
        (
            lambda: shapes.attributes_of("a small red dog on a dark background"),
            "'dog' is no shape: choose one of circle",
        ),
        (lambda: shapes.attributes_of("a red small star on a dark background"), "'small' is no colour"),
        (lambda: shapes.draw(torch.tensor([[0, 0, 0, 2]])), r"the limits are 0 and \[5, 5, 1, 1\]"),
        (lambda: shapes.draw(torch.zeros(2, 3).long()), r"\(N, 4\)"),
        (lambda: shapes.draw(torch.zeros(2, 4).long(), size=4), "at least 16"),
    ],
)
def test_wrong_words_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- torchvision's sets, in their true formats ---------------------------------------------------------------


def idx_file(array):
    """An array of bytes in the idx format of MNIST: magic number with type and dimensions, sizes, bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder, cls, monkeypatch, *, train=12, test=5):
    """The four .gz files, as downloaded, with the checksums that torchvision is to expect of them."""
    random, resources, truth = np.random.default_rng(0), [], {}
    folder.mkdir(parents=True)
    for (file, _), n in zip(cls.resources, (train, train, test, test), strict=True):
        array = random.integers(0, 256, (n, 28, 28)) if "images" in file else np.arange(n) % 10
        truth[file] = array.astype(np.uint8)
        packed = gzip.compress(idx_file(truth[file]))
        (folder / file).write_bytes(packed)
        resources.append((file, hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(cls, "resources", resources)
    return truth


def write_cifar(root, cls, monkeypatch):
    """The seven pickles of CIFAR-10's python version, with their checksums."""
    folder, random, truth = root / cls.base_folder, np.random.default_rng(1), {}
    folder.mkdir(parents=True)

    def write(file, content):
        packed = pickle.dumps(content)
        (folder / file).write_bytes(packed)
        return hashlib.md5(packed).hexdigest()

    sums = {}
    for file in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        truth[file] = random.integers(0, 256, (4, 3072)).astype(np.uint8)
        sums[file] = write(file, {"data": truth[file], "labels": [3, 0, 9, 1]})
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    monkeypatch.setattr(cls, "meta", cls.meta | {"md5": write("batches.meta", {"label_names": names})})
    monkeypatch.setattr(cls, "train_list", [[f, sums[f]] for f in sums if f != "test_batch"])
    monkeypatch.setattr(cls, "test_list", [["test_batch", sums["test_batch"]]])
    return truth


MNIST, FASHION = {"name": "mnist", "full": True}, {"name": "fashion_mnist"}


@pytest.mark.parametrize("options, cls_name", [(MNIST, "MNIST"), (FASHION, "FashionMNIST")], ids=["mnist", "fashion"])
@pytest.mark.parametrize("train", [True, False])
def test_mnist_from_its_files(options, cls_name, train, tmp_path, monkeypatch, no_network):
    from torchvision import datasets

    truth = write_mnist(tmp_path / cls_name / "raw", getattr(datasets, cls_name), monkeypatch)
    loaded = data.load(**options, root=tmp_path, train=train)  # unpacks what lies there; no network needed
    part = "train" if train else "t10k"
    assert loaded.x.shape == ((12 if train else 5), 1, 28, 28) and len(loaded.classes) == 10
    assert cls_name != "MNIST" or loaded.classes == tuple("0123456789")  # torchvision says "0 - zero"
    assert np.array_equal(data.to_uint8(loaded.x)[:, 0].numpy(), truth[f"{part}-images-idx3-ubyte.gz"])
    assert np.array_equal(loaded.labels.numpy(), truth[f"{part}-labels-idx1-ubyte.gz"])
    again = data.load(**options, root=tmp_path, train=train, download=False)
    assert torch.equal(again.x, loaded.x)
    assert data.load(**options, root=tmp_path, train=train, size=32, count=3).x.shape == (3, 1, 32, 32)


def test_mnist_names_its_classes():
    from torchvision import datasets

    assert [name.split(" - ")[0] for name in datasets.MNIST.classes] == list("0123456789")


@pytest.mark.parametrize("train", [True, False])
def test_cifar10_from_its_files(train, tmp_path, monkeypatch, no_network):
    from torchvision import datasets

    truth = write_cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    loaded = data.load("cifar10", root=tmp_path, train=train)
    rows = np.concatenate([truth[f] for f in truth if f.startswith("data" if train else "test")])
    assert loaded.shape == (3, 32, 32) and loaded.classes[3] == "cat"
    assert np.array_equal(data.to_uint8(loaded.x).numpy(), rows.reshape(-1, 3, 32, 32))
    assert loaded.labels[:4].tolist() == [3, 0, 9, 1]


def test_count_chooses_by_seed(tmp_path, monkeypatch):
    from torchvision import datasets

    write_cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    every = data.load("cifar10", root=tmp_path)
    some, others = (data.load("cifar10", root=tmp_path, count=8, seed=seed) for seed in (0, 1))
    assert not torch.equal(some.x, others.x) and not torch.equal(some.x, every.x[:8])
    for picture, label in some:
        assert ((every.x == picture).flatten(1).all(1) & (every.labels == label)).sum() == 1
    with pytest.raises(ValueError, match="count=21: cifar10 has 20 pictures"):
        data.load("cifar10", root=tmp_path, count=21)


def test_count_may_be_all_of_them_and_keeps_their_order(tmp_path, monkeypatch):
    from torchvision import datasets

    write_cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    every = data.load("cifar10", root=tmp_path)
    assert torch.equal(data.load("cifar10", root=tmp_path, count=20, seed=5).x, every.x)
    some = data.load("cifar10", root=tmp_path, count=8, seed=1)
    places = [int(((every.x == picture).flatten(1).all(1)).nonzero()[0, 0]) for picture in some.x]
    assert places == sorted(places)
    assert repr(some) == f"load('cifar10', count=8, seed=1, root={str(tmp_path)!r})"


def test_the_root_may_come_from_the_environment(tmp_path, monkeypatch, no_network):
    from torchvision import datasets

    write_cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    monkeypatch.setenv("DIFFUSION_DATA", str(tmp_path))
    assert len(data.load("cifar10")) == 20


@pytest.mark.parametrize("options", [MNIST, FASHION, {"name": "cifar10"}], ids=lambda options: options["name"])
def test_no_network_says_what_was_tried_and_what_works(options, tmp_path, no_network):
    with pytest.raises(ConnectionError) as caught:
        data.load(**options, root=tmp_path / "data")
    for part in (
        options["name"],
        str(tmp_path),
        "Tried http",
        "unreachable",
        "'mnist' (without full)",
        "'shapes'",
        "no network",
    ):
        assert part in str(caught.value)
    assert socket.getdefaulttimeout() is None


def test_a_silent_server_is_given_up(tmp_path, monkeypatch):
    from torchvision import datasets

    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts and never answers
        monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{server.getsockname()[1]}/cifar.tar.gz")
        monkeypatch.setattr(data.downloads, "PATIENCE", 0.2)
        with pytest.raises(ConnectionError, match="timed out"):
            data.load("cifar10", root=tmp_path)
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("options", [MNIST, {"name": "cifar10"}], ids=lambda options: options["name"])
def test_without_download_says_where_it_looked(options, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"download=False.*'digits'"):
        data.load(**options, root=tmp_path, download=False)
    assert not list(tmp_path.rglob("*.gz"))


def test_a_damaged_copy_is_named(tmp_path, monkeypatch, no_network):
    from torchvision import datasets

    raw = tmp_path / "MNIST" / "raw"
    write_mnist(raw, datasets.MNIST, monkeypatch)
    data.load(**MNIST, root=tmp_path)
    file = raw / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:1000])  # as after a kill in the middle of unpacking
    with pytest.raises(ValueError, match=r"is damaged.*Delete it"):
        data.load(**MNIST, root=tmp_path)


def test_a_changed_file_fails_its_checksum(tmp_path, monkeypatch, no_network):
    from torchvision import datasets

    write_cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    with (tmp_path / datasets.CIFAR10.base_folder / "data_batch_2").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ConnectionError, match="no complete copy"):
        data.load("cifar10", root=tmp_path)


def test_a_root_that_is_a_file(tmp_path, no_network):
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="choose another root="):
        data.load(**MNIST, root=tmp_path / "file")


# --- options -------------------------------------------------------------------------------------------------


def test_where_downloads_would_be_kept_does_not_matter_without_any(tmp_path):
    assert torch.equal(data.load("moons", count=3, root=tmp_path, download=False).x, data.load("moons", count=3).x)


@pytest.mark.parametrize("name", ["digit", "", "folder:", "folder:PATH", "MNIST"])
def test_unknown_name_lists_what_exists(name):
    with pytest.raises(ValueError) as caught:
        data.load(name)
    assert all(known in str(caught.value) for known in [*OFFLINE, "mnist", "cifar10", "folder:PATH"])


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("moons", {"size": 8}, "size=8: moons has no such option, only count, seed, train: leave it out"),
        ("digits", {"size": 0}, "size=0 must be"),
        ("digits", {"size": 8.0}, "size=8.0 must be"),
        ("moons", {"count": 0}, "count=0 must be"),
        ("digits", {"count": 5000}, "count=5000: digits has 1442"),
        ("moons", {"count": True}, "count=True"),
        ("moons", {"seed": -1}, "seed=-1: choose a whole number from 0"),
        ("digits", {"without": [("red",)]}, "digits has no such option, only size, count, seed, train"),
        ("digits", {"full": True}, "full=True: digits has no such option, only size, count, seed, train: leave it out"),
        ("cifar10", {"full": True}, "full=True: cifar10 has no such option"),
        ("mnist", {"count": 9001}, "count=9001: mnist has 9000 pictures"),
        ("digits", {"seed": 2**31}, "seed=2147483648: choose"),
        ("folder:.", {"train": False}, "has no test part.*split"),
    ],
)
def test_options_out_of_their_limits(name, options, message):
    with pytest.raises(ValueError, match=message):
        data.load(name, **options)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda d: d.split(1.0), ValueError, "leaves one part empty"),
        (lambda d: d.split(0), ValueError, "part empty"),
        (lambda d: d.subset([]), ValueError, "subset is empty"),
        (lambda d: d.subset([10]), IndexError, "10"),
        (lambda d: d.subset(d.labels == 7), ValueError, "subset is empty"),
    ],
)
def test_parts_that_cannot_be(call, error, message):
    with pytest.raises(error, match=message):
        call(data.load("moons", count=10))


def test_importing_data_loads_nothing_heavy():
    code = (
        "import sys, torch; before = set(sys.modules); import diffusion_lib.data; new = set(sys.modules) - before; "
        "print(sorted({m.split('.')[0] for m in new} & {'torchvision', 'sklearn', 'matplotlib', 'PIL', 'pandas'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_loading_warns_about_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in OFFLINE:
            load_few(name).split(0.5)
