"""Widgets without a browser: what is sent, what a still shows, what is refused, and what a re-run cell frees."""

import base64
import io
import json
import zlib
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lib.course import widgets
from diffusion_lib.course.widgets import cells
from diffusion_lib.course.widgets.arrays import number
from diffusion_lib.course.widgets.base import Scrubber
from diffusion_lib.course.widgets.gaussians import kl
from diffusion_lib.course.widgets.pictures import quantise


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def steps(n=5, shape=(4, 1, 8, 8)):
    """What a sampler yields."""
    return [
        SimpleNamespace(t=1 - k / (n - 1), x=noise(*shape, seed=k), x0=noise(*shape, seed=100 + k)) for k in range(n)
    ]


def unpacked(widget, name):
    """An array as the browser reads it."""
    (part,) = [part for part in widget._parts if part["name"] == name]
    raw = widget._data[part["start"] : part["start"] + part["length"]]
    values = np.frombuffer(zlib.decompress(raw) if part["zip"] else raw, dtype=part["type"]).copy()
    for i in range(part["stride"], len(values), part["stride"] or len(values)):
        values[i : i + part["stride"]] += values[i - part["stride"] : i]
    return values


def picture(png):
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


# --- what is sent -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("smooth", [False, True])
def test_levels_arrive_as_they_were_sent(smooth):
    x = noise(12, 3, 3, 16, 16)
    x = torch.tanh(x.cumsum(0) * 0.05) if smooth else x
    widget = widgets.scrub({"x": x})
    expected = np.floor((x.double().clamp(-1, 1).numpy() + 1) * 127.5 + 0.5)
    levels = unpacked(widget, "levels 0").reshape(12, 3, 16, 16, 3)
    assert np.array_equal(levels, expected.transpose(0, 1, 3, 4, 2))
    part = widget._parts[0]
    assert bool(part["stride"]) is smooth  # frames that differ little are sent as differences, and are smaller


def test_hundred_frames_are_no_more_than_their_pixels():
    widget = widgets.scrub({"x_t": noise(100, 8, 3, 32, 32)})
    assert len(widget._data) <= 100 * 8 * 3 * 32 * 32


def test_noising_sends_two_frames_however_many_times():
    x0, eps = noise(8, 3, 32, 32), noise(8, 3, 32, 32, seed=1)
    sizes = [
        len(widgets.Noising(x0, eps, np.linspace(1, 0, n), np.linspace(0, 1, n)).get_state()["_data"])
        for n in (10, 1000)
    ]
    assert sizes[0] <= 2 * x0.nbytes + 100
    assert sizes[1] - sizes[0] <= 2 * 990 * 4


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x,
        lambda x: x.numpy(),
        lambda x: list(x),
        lambda x: x.half(),
        lambda x: x.bfloat16(),
        lambda x: x.double(),
        lambda x: x.requires_grad_(),
    ],
)
def test_frames_of_any_kind(make):
    x = (noise(3, 2, 1, 4, 4) * 8).round().clamp(-8, 8) / 8  # exact in half precision
    assert np.array_equal(
        unpacked(widgets.Frames({"x": make(x.clone())}), "levels 0"), unpacked(widgets.Frames({"x": x}), "levels 0")
    )


def test_eight_bit_frames_stay_as_they_are():
    x = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    widget = widgets.Frames({"x": x})
    assert np.array_equal(unpacked(widget, "levels 0"), x.ravel())
    assert "black 0, white 255" in widget._tracks[0]["range"]


def test_channels_of_latents_stand_side_by_side():
    widget = widgets.Frames({"latent": noise(2, 1, 4, 8, 8)}, ranges={"latent": (-3.0, 3.0)})
    assert (widget._tracks[0]["width"], widget._tracks[0]["channels"]) == (32, 1)


def test_state_is_json_without_nan():
    values = {"SNR": [float("inf"), 1.0, float("nan"), -float("inf"), 0.0]}
    x = noise(5, 1, 1, 4, 4)
    x[0, 0, 0, 0, 0], x[1, 0, 0, 1, 1] = float("nan"), float("inf")
    state = widgets.Frames({"x": x}, values=values).get_state()
    state.pop("_data")
    json.dumps({name: str(v) if isinstance(v, ipywidgets.Widget) else v for name, v in state.items()}, allow_nan=False)
    assert state["_values"] == [["SNR", ["∞", 1.0, "not a number", "−∞", 0.0]]]


def test_broken_values_are_marked_and_others_stay():
    x = torch.zeros(2, 1, 1, 2, 2)
    x[1, 0, 0] = torch.tensor([[float("nan"), float("inf")], [-float("inf"), 1.0]])
    widget = widgets.Frames({"x": x})
    assert unpacked(widget, "broken 0").tolist() == [0, 0, 0, 0, 1, 1, 1, 0]
    assert unpacked(widget, "levels 0").tolist()[-1] == 255
    magenta = (picture(widget.still()) == (255, 0, 255)).all(-1).sum()
    assert magenta == 3 * (232 // 2) ** 2  # of two frames, each as wide as a fifth of a still


def test_ranges_are_stated():
    widget = widgets.Frames({"x": torch.tensor([[[[[-3.0, 0.5]]]]])})
    assert (
        widget._tracks[0]["range"] == "black −1, white 1; values from −3 to 0.5, those beyond are shown as the nearest"
    )


def test_more_than_64_pictures_are_cut_and_said():
    widget = widgets.Frames({"x": noise(2, 70, 1, 4, 4)})
    assert widget._tracks[0]["n"] == 64 and "the first 64 of 70" in widget._tracks[0]["range"]


def test_quantise_rounds_to_the_nearest_level():
    low, high = -1.0, 1.0
    x = np.linspace(-1.2, 1.2, 10001).astype(np.float32)
    levels = quantise(x, low, high)
    back = low + levels / 255 * (high - low)
    assert np.abs(back - np.clip(x, low, high)).max() <= 1 / 255 + 1e-9  # half a level
    assert quantise(low + np.arange(256) / 255 * 2, low, high).tolist() == list(range(256))


# --- time ---------------------------------------------------------------------------------------------------------


def test_steps_of_a_sampler_become_two_tracks_at_their_times():
    widget = widgets.scrub(steps())
    assert [track["name"] for track in widget._tracks] == ["x_t", "x̂0"]
    assert widget.times == [1.0, 0.75, 0.5, 0.25, 0.0] and widget.t == 1.0 and widget.index == 0
    scales = [[track["scale"] for track in widgets.scrub(steps(), size=size)._tracks] for size in (256, 512)]
    assert scales[1] == pytest.approx([2 * scale for scale in scales[0]], abs=1)  # pixels a pixel, whole ones


def test_steps_in_the_plane_become_points():
    widget = widgets.scrub(steps(shape=(50, 2)))
    assert isinstance(widget, widgets.Points) and widget._clouds == ["x_t", "x̂0"]


def test_t_and_index_follow_each_other():
    widget = widgets.scrub(steps())
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "index")
    widget.t = 0.3
    assert (widget.index, widget.time, widget.t) == (3, 0.25, 0.3)
    widget.index = 1
    assert (widget.t, widget.time) == (0.75, 0.75)
    assert seen == [3, 1]
    with pytest.raises(ValueError, match=r"index=9 is outside 0\.\.4"):
        widget.index = 9


def test_update_keeps_the_place_in_time():
    widget = widgets.scrub(steps())
    widget.t = 0.25
    widget.update({"x": noise(101, 1, 1, 4, 4)}, times=np.linspace(1, 0, 101))
    assert (widget.t, widget.index) == (0.25, 75)


@pytest.mark.parametrize("kind", ["Frames", "Noising", "Curves", "Points", "histogram", "Gaussians"])
def test_an_update_that_is_refused_changes_nothing(kind):
    t, x = np.linspace(0, 1, 11), noise(3, 1, 4, 4)
    widget, arguments = {
        "Frames": (widgets.Frames({"x": x}), ({"x": -x},)),
        "Noising": (widgets.Noising(x, -x, 1 - t, t), ((t, 1 - t),)),
        "Curves": (widgets.Curves(t, {"y": t}), (t, {"y": 1 - t})),
        "Points": (widgets.Points(t, noise(11, 5, 2)), (t, noise(11, 5, 2, seed=1))),
        "histogram": (widgets.Points(t, noise(11, 5)), (t, noise(11, 5, seed=1))),
        "Gaussians": (widgets.Gaussians(t, (0, 1), (t, 1)), (t, (0, 2), (t, 2))),
    }[kind]
    before, still = dict(widget.get_state()), widget.still()
    with pytest.raises(ValueError, match=r"values\['SNR'\] has 1 entries"):
        widget.update(*arguments, values={"SNR": [1.0]})
    assert widget.get_state() == before and widget.still() == still
    widget.update(*arguments)
    assert widget.still() != still


def test_linked_widgets_start_together():
    a, b = widgets.scrub(steps()), widgets.Curves(np.linspace(0, 1, 11), {"y": np.arange(11.0)})
    widgets.link(a, b)
    assert b.t == 1.0 and b.index == 10


# --- stills -------------------------------------------------------------------------------------------------------


def every_widget():
    t = np.linspace(0, 1, 11)
    return [
        widgets.scrub(steps()),
        widgets.Noising(noise(2, 1, 8, 8), noise(2, 1, 8, 8, seed=1), 1 - t, t, t),
        widgets.Curves(t, {"exact": t, "estimated": (t + 0.1, 0.05)}),
        widgets.Curves(t, {"SNR": (1 - t) / np.maximum(t, 1e-9)}, log_y=True),
        widgets.Points(
            t, noise(11, 30, 2).numpy(), density=lambda x, t: torch.exp(-(x**2).sum(-1)), field=lambda x, t: -x, paths=2
        ),
        widgets.Points(t, noise(11, 30, 1).numpy(), density=lambda x, t: torch.exp(-(x**2).sum(-1))),
        widgets.Gaussians(t, (t, 1.0), (0.0, t + 0.1)),
    ]


@pytest.mark.parametrize("i", range(7))
def test_each_leaves_a_still_with_its_alt_text(i):
    widget = every_widget()[i]
    data, metadata = widget._repr_mimebundle_()
    png = base64.b64decode(data["image/png"])
    opened = Image.open(io.BytesIO(png))
    assert len(png) < 100_000 and opened.width <= 1200
    assert opened.text["Description"] == data["text/plain"] == metadata["image/png"]["alt"] == repr(widget)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    again, _ = every_widget()[i]._repr_mimebundle_()
    assert (again["text/plain"], again["image/png"]) == (data["text/plain"], data["image/png"])  # nothing volatile


def test_rows_leave_one_still_of_all():
    a, b = (widgets.Curves([0.0, 1.0], {name: [0.0, 1.0]}, width=300) for name in "ab")
    both, _ = widgets.row(ipywidgets.FloatSlider(description="scale"), a, b)._repr_mimebundle_()
    assert both["text/plain"] == f"scale 0.0 | {a!r} | {b!r}"
    wide = [Image.open(io.BytesIO(part.still())).width for part in (a, b)]
    assert Image.open(io.BytesIO(base64.b64decode(both["image/png"]))).width > sum(wide)
    down, _ = widgets.column(a, b)._repr_mimebundle_()
    assert Image.open(io.BytesIO(base64.b64decode(down["image/png"]))).width == max(wide)


def test_import_is_light():
    import subprocess
    import sys

    code = (
        "import sys; from diffusion_lib.course import widgets; "
        "print([m for m in ('torch', 'matplotlib', 'PIL', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- curves, points, Gaussians ------------------------------------------------------------------------------------


def test_curves_leave_out_and_count_what_cannot_be_drawn():
    t = np.linspace(0, 1, 5)
    widget = widgets.Curves(t, {"a": [1, np.nan, 2, np.inf, 1], "b": [0, 1, 2, 3, -1]}, log_y=True)
    assert widget.note == (
        "a: 2 of 5 values are not finite or not positive, left out; "
        "b: 2 of 5 values are not finite or not positive, left out"
    )
    assert widget._plot["y"][0] > 0


def test_points_beyond_the_bounds_are_counted():
    x = np.zeros((2, 3, 2))
    x[0, 0], x[1, 1, 0], x[1, 2, 1] = 5.0, np.nan, -7.0
    widget = widgets.Points([0, 1], x, bounds=(-1.0, 1.0))
    assert "points: 1 point over all times is NaN or infinite" in widget.note
    assert "points: 2 points over all times lie beyond −1 … 1" in widget.note


def test_histogram_is_a_density():
    widget = widgets.Points([0.0], noise(1, 5000).numpy())
    bars, low, high = unpacked(widget, "bars 0"), *widget._plot["x"]
    assert abs(bars.sum() * (high - low) / len(bars) - 1) < 1e-5  # all points are within: float32 rounding


def test_density_and_field_are_evaluated_where_they_are_drawn():
    widget = widgets.Points(
        [0.0, 1.0],
        np.zeros((2, 1, 2)),
        bounds=(-2.0, 2.0),
        density=lambda x, t: (x[:, 0] > 1).float(),
        field=lambda x, t: torch.stack([torch.zeros(len(x)), x[:, 1] * (1 + t)], -1),
    )
    levels = unpacked(widget, "density").reshape(2, 64, 64)
    assert (levels[:, :, 48:] == 255).all() and (levels[:, :, :48] == 0).all()
    arrows = unpacked(widget, "field").reshape(2, 16, 16, 2)
    assert (arrows[..., 0] == 0).all() and np.allclose(arrows[:, -1, :, 1], 1) and np.allclose(arrows[:, 0, :, 1], -1)


def test_kl_is_torchs():
    p = torch.distributions.Normal(noise(50).double(), noise(50, seed=1).double().exp())
    q = torch.distributions.Normal(noise(50, seed=2).double(), noise(50, seed=3).double().exp())
    divergence = kl(p.mean.numpy(), p.variance.numpy(), q.mean.numpy(), q.variance.numpy())
    assert np.allclose(divergence, torch.distributions.kl_divergence(p, q).numpy(), rtol=1e-12, atol=1e-12)
    zeros, ones = np.zeros(1), np.ones(1)
    assert kl(zeros, zeros, zeros, zeros) == 0
    assert np.isinf(kl(zeros, zeros, zeros, ones)) and np.isinf(kl(zeros, ones, zeros, zeros))


def test_gaussians_take_the_packages_own():
    from diffusion_lib.gaussians import Gaussian

    t = torch.linspace(0, 1, 5)
    objects = widgets.Gaussians(t, Gaussian(t, t + 1), [Gaussian(torch.tensor(0.0), torch.tensor(1.0))] * 5)
    numbers = widgets.Gaussians(t, (t, t + 1), (0.0, 1.0))
    assert np.array_equal(unpacked(objects, "kl"), unpacked(numbers, "kl"))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_gaussians_take_a_list_of_one_number_each(shape):
    """What a schedule gives for one point, (1, 1), is one number too."""
    from diffusion_lib.gaussians import Gaussian

    t = torch.linspace(0, 1, 5)
    listed = [Gaussian(mean.reshape(shape), torch.full(shape, 2.0)) for mean in t]
    divergence = unpacked(widgets.Gaussians(t, listed, (0.0, 1.0)), "kl")
    assert np.array_equal(divergence, unpacked(widgets.Gaussians(t, (t, 2.0), (0.0, 1.0)), "kl"))


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (0.5, "0.5"),
        (1234.5, "1230"),
        (1e-5, "1.00e−5"),
        (-2.0, "−2"),
        (3e7, "3.00e+7"),
        (float("inf"), "∞"),
        (float("nan"), "not a number"),
    ],
)
def test_numbers_in_words(value, text):
    assert number(value) == text


# --- what is refused ----------------------------------------------------------------------------------------------

X, T = np.zeros((3, 1, 1, 4, 4)), [0.0, 0.5, 1.0]
REFUSED = {
    "no steps": (lambda: widgets.scrub([]), "no steps"),
    "no tracks": (lambda: widgets.Frames({}), "no track"),
    "no frames": (lambda: widgets.Frames({"x": X[:0]}), "there is no picture in it"),
    "mismatched tracks": (lambda: widgets.Frames({"a": X, "b": X[:2]}), "'b' has 2 frames and another has 3"),
    "times too few": (lambda: widgets.Frames({"x": X}, times=[0, 1]), "2 times for 3 frames"),
    "times not in order": (lambda: widgets.Frames({"x": X}, times=[0, 0.5, 0.5]), r"times\[2\]=0.5 follows 0.5"),
    "times turn": (lambda: widgets.Frames({"x": X}, times=[1, 0, 0.5]), r"times\[2\]=0.5 follows 0"),
    "times infinite": (lambda: widgets.Frames({"x": X}, times=[0, 1, np.inf]), r"times\[2\] is not finite"),
    "values too few": (lambda: widgets.Frames({"x": X}, values={"SNR": [1]}), r"values\['SNR'\] has 1 entries for 3"),
    "empty range": (lambda: widgets.Frames({"x": X}, ranges=(1.0, 1.0)), r"range \(1, 1\) of track 'x' is empty"),
    "not pictures": (lambda: widgets.Frames({"x": np.zeros((3, 4))}), r"shape \(3, 4\)"),
    "alike noise": (lambda: widgets.Noising(X[0], X[0, :, :, :2], T, T), "they must be alike"),
    "alpha and sigma": (lambda: widgets.Noising(X[0], X[0], T, T[:2]), "3 values of alpha and 2 of sigma"),
    "line too short": (lambda: widgets.Curves(T, {"y": [1, 2]}), "line 'y' has 2 values for 3 times"),
    "no lines": (lambda: widgets.Curves(T, {}), "no line"),
    "log of 0": (lambda: widgets.Curves(T, {"y": T}, log_x=True), r"log_x with times\[0\]=0"),
    "y range": (lambda: widgets.Curves(T, {"y": T}, y_range=(2.0, 1.0)), r"y_range=\(2, 1\)"),
    "three dimensions": (lambda: widgets.Points(T, np.zeros((3, 5, 3))), "give \\(frames, points, 1\\)"),
    "field in one dimension": (lambda: widgets.Points(T, np.zeros((3, 5)), field=lambda x, t: x), "two dimensions"),
    "a path too many": (lambda: widgets.Points(T, np.zeros((3, 5, 2)), paths=[7]), "from 0 to 4"),
    "density shape": (lambda: widgets.Points(T, np.zeros((3, 5, 2)), density=np.zeros((3, 5))), r"\(3, 64, 64\)"),
    "negative variance": (lambda: widgets.Gaussians(T, (0.0, -1.0), (0.0, 1.0)), "smallest variance is -1"),
    "moments too few": (lambda: widgets.Gaussians(T, ([0.0, 1.0], 1.0), (0.0, 1.0)), "q has 2 values for 3 times"),
    "Gaussian of two numbers": (
        lambda: widgets.Gaussians(T, [SimpleNamespace(mean=np.zeros(2), var=np.ones(2))] * 3, (0, 1)),
        r"q is a list with a Gaussian of shape \(2,\)",
    ),
    "one link": (lambda: widgets.link(widgets.Frames({"x": X})), "give two or more"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_named(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        make()


def test_one_frame_is_a_sensible_still():
    for widget in (
        widgets.Frames({"x": X[:1]}),
        widgets.Curves([0.5], {"y": [1.0]}),
        widgets.Gaussians([0.5], (0, 1), (0, 1)),
        widgets.Points([0.5], np.zeros((1, 3, 2))),
        widgets.scrub(steps(n=2)[:1]),
    ):
        assert picture(widget.still()).shape[0] > 20 and widget.index == 0


def test_all_nan_is_shown_as_such():
    widget = widgets.Frames({"x": np.full((2, 1, 1, 4, 4), np.nan)})
    assert (unpacked(widget, "broken 0") == 1).all()
    widgets.Curves(T, {"y": [np.nan] * 3}).still()
    widgets.Points(T, np.full((3, 4, 2), np.nan)).still()


# --- re-running a cell --------------------------------------------------------------------------------------------


@pytest.fixture
def shell(monkeypatch):
    """A stand-in for the notebook: `shell.run(cell, function)` runs a function as that cell."""
    hooks = []
    parent = {"metadata": {}}

    class Shell:
        events = SimpleNamespace(register=lambda name, hook: hooks.append(hook))

        def get_parent(self):
            return parent

        def run(self, cell, function):
            parent["metadata"] = {"cellId": cell}
            for hook in hooks:
                hook(None)
            return function()

    shell = Shell()
    monkeypatch.setattr(cells, "_shell", lambda: shell)
    return shell


def alive():
    return sum(isinstance(widget, Scrubber) for widget in ipywidgets.widgets.widget._instances.values())


def test_running_a_cell_again_closes_its_widgets(shell):
    def cell():
        widget = widgets.scrub(steps())
        widget._repr_mimebundle_()
        return widget

    first = shell.run("a", cell)
    before = alive()
    for _ in range(5):
        last = shell.run("a", cell)
    assert alive() == before
    assert first.comm is None and first._data == b"" and first._drawn is None
    assert last.comm is not None


def test_a_widget_lives_while_another_cell_shows_it(shell):
    widget = shell.run("a", lambda: widgets.scrub(steps()))
    for _ in range(3):
        shell.run("b", widget._repr_mimebundle_)  # running what shows it again is no reason to close it
    assert widget.comm is not None
    shell.run("a", lambda: None)
    assert widget.comm is not None  # still on the page, in b
    shell.run("b", lambda: None)
    assert widget.comm is None


def test_rows_are_closed_with_their_cell_and_their_parts_with_theirs(shell):
    part = shell.run("a", lambda: widgets.scrub(steps()))
    box = shell.run("b", lambda: widgets.row(part))
    shell.run("b", lambda: None)
    assert box.comm is None and part.comm is not None
