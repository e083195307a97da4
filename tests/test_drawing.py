"""The drawing without a browser's page: its JavaScript computes what the package computes; points, limits, still.

The JavaScript runs in Node: the one on the path, or the one that Playwright carries.
"""

import io
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lib.course import widgets
from diffusion_lib.course.widgets.browser import source
from diffusion_lib.course.widgets.drawing import MOST_PARTICLES
from diffusion_lib.course.widgets.strokes import BOUND, MOST_POINTS, PRESETS, SPACING, points_along
from diffusion_lib.denoisers import Empirical, Exact
from diffusion_lib.sampling import walk
from diffusion_lib.sampling.steps import velocity
from diffusion_lib.schedules import Flow

# walk() of the JavaScript computes in float64 and stores float32: half a unit in the last place of a number below 4
# is 2^-23; Python keeps float64, and 200 evaluations in another order of summation add far less.
ROUNDING = 2.0**-22


def node() -> str:
    """Node's path, or a skip that says how to get it."""
    if path := shutil.which("node"):
        return path
    try:
        from playwright._impl._driver import compute_driver_executable
    except ImportError:
        pytest.skip("needs Node: install it, or pip install playwright, which carries one")
    return str(compute_driver_executable()[0])


def javascript(expression: str, **values: object) -> object:
    """What an expression over the functions of drawing.js gives."""
    code = source("drawing").replace("export default widget(prepare);", "")
    given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    code += f"{given}process.stdout.write(JSON.stringify((() => {{ {expression} }})()));"
    run = subprocess.run([node(), "--input-type=module", "-"], input=code, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


WALK = """
const steps = walk(Float64Array.from(points), pen, Float64Array.from(start), times, stride);
for (;;) { const { done, value } = steps.next(); if (done) return Array.from(value); }
"""


def walked(drawing, count=60, stride=1):
    """Where the JavaScript takes the first particles of a drawing, (times, count, 2)."""
    flat = javascript(
        WALK,
        points=drawing._points,
        pen=drawing._scene["pen"],
        start=drawing.noise[:count].double().flatten().tolist(),
        times=drawing.times,
        stride=stride,
    )
    return torch.tensor(flat, dtype=torch.float64).reshape(len(drawing.times), count, 2)


# --- the same numbers as the package's ----------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.0, 1e-4, 0.01, 0.3, 0.5, 0.9, 1.0])
def test_the_field_is_that_of_the_exact_denoiser(t):
    drawing = widgets.Drawing("letter A")
    x = drawing.noise[:50].double()
    flat = javascript(
        "const out = new Float64Array(xs.length); velocity(points, pen, xs, t, out); return Array.from(out);",
        points=drawing._points,
        pen=0.06,
        xs=x.flatten().tolist(),
        t=t,
    )
    exact = velocity(Exact(points_as_float64(drawing), Flow()), x, t)
    # |x - alpha y|² / 2v is rounded in its last place and is at most 20 / 0.0072: so much of 1, times the way's length
    assert torch.allclose(torch.tensor(flat, dtype=torch.float64).reshape(-1, 2), exact, rtol=0, atol=1e-10)


def points_as_float64(drawing):
    """The drawing's mixture without the rounding of `points` to float32, as the browser has it."""
    mixture = drawing.mixture
    return type(mixture)(
        mixture.weights, torch.tensor(drawing._points, dtype=torch.float64).reshape(-1, 2), mixture.variances
    )


@pytest.mark.parametrize("name", [*PRESETS, "given", "wide pen"])
def test_the_walk_is_heuns_with_the_exact_denoiser(name):
    given = torch.randn(40, 2, generator=torch.Generator().manual_seed(3)).clamp(-3, 3)
    drawing = widgets.Drawing(name if name in PRESETS else given, pen=0.3 if name == "wide pen" else 0.06)
    start = drawing.noise[:60].double()
    states = walk(Exact(points_as_float64(drawing), Flow()), start, drawing.times, "heun")
    exact = torch.stack([start, *(state.x for state in states)])
    assert (walked(drawing) - exact).abs().max() < ROUNDING


def test_the_walk_is_the_flow_itself():
    """Ten times as many steps move no particle by more than a thirtieth of the pen."""
    drawing = widgets.Drawing("two moons")
    start = drawing.noise[:60].double()
    *_, fine = walk(Exact(points_as_float64(drawing), Flow()), start, [1 - k / 1000 for k in range(1001)], "heun")
    assert (walked(drawing)[-1] - fine.x).norm(dim=1).max() < 0.06 / 30  # measured: 0.0015


def test_a_thin_pen_is_the_memoriser():
    """As the pen's width goes to 0, the exact answer is that of `Empirical`: a weighted mean of the points."""
    drawing = widgets.Drawing("heart")
    x, t = drawing.noise[:50].double(), 0.4
    flat = javascript(
        "const out = new Float64Array(xs.length); velocity(points, pen, xs, t, out); return Array.from(out);",
        points=drawing._points,
        pen=1e-9,
        xs=x.flatten().tolist(),
        t=t,
    )
    data = torch.tensor(drawing._points, dtype=torch.float64).reshape(-1, 2)
    exact = velocity(Empirical(data, Flow()), x, t)
    assert torch.allclose(torch.tensor(flat, dtype=torch.float64).reshape(-1, 2), exact, rtol=0, atol=1e-10)


def test_the_quick_walk_is_eulers_with_straight_lines_between():
    drawing = widgets.Drawing("ring")
    start = drawing.noise[:60].double()
    states = walk(Exact(points_as_float64(drawing), Flow()), start, drawing.times[::5], "euler")
    corners = torch.stack([start, *(state.x for state in states)])
    quick = walked(drawing, stride=5)
    assert (quick[::5] - corners).abs().max() < ROUNDING
    assert (quick[2::5] - (0.6 * corners[:-1] + 0.4 * corners[1:])).abs().max() < ROUNDING


@pytest.mark.parametrize("stride, stops", [(1, 100), (5, 20)])
def test_the_work_is_cut_into_stops(stride, stops):
    """So that a screen waits for the work of one stop at most, however much there is."""
    count = javascript(
        "let n = 0; for (const _ of walk([0, 0], 0.06, [1, 1], times, stride)) n++; return n;",
        times=widgets.Drawing().times,
        stride=stride,
    )
    assert count == stops


def test_noise_stays_where_nothing_is_drawn():
    drawing = widgets.Drawing(None)
    assert (walked(drawing) == drawing.noise[:60].double()).all()


def test_strokes_are_dotted_alike_in_both_languages():
    strokes = [PRESETS["two moons"][0], PRESETS["letter A"][0], np.array([[-2.0, 1.0], [-2.0, 1.0]])]
    for most in (MOST_POINTS, 60):
        flat = javascript(
            "return pointsAlong(strokes, spacing, most);",
            strokes=[stroke.ravel().tolist() for stroke in strokes],
            spacing=SPACING * 0.06,
            most=most,
        )
        points = np.array(flat).reshape(-1, 2)
        assert len(points) <= most
        lengths = [math.pi * 1.4, 2 * math.hypot(1.3, 3.5)]
        apart = max(SPACING * 0.06, sum(lengths) / (most - 6))
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        along = np.sort(steps)[:-2]  # the two longest lead from stroke to stroke
        assert along.max() <= apart * 1.1 and along[2:].min() >= apart * 0.85  # corners are cut
        assert np.allclose(points[-1], (-2.0, 1.0)) and np.allclose(points[0], strokes[0][0])
        if most == MOST_POINTS:
            # the last stroke, a dot, is one point here and two in Python, which has no strokes without length
            assert np.allclose(points[:-1], points_along(strokes[:2], 0.06), atol=1e-9)


def test_many_strokes_stay_within_the_limit():
    strokes = [[x / 100, -1.0, x / 100, 1.0] for x in range(-150, 150)]
    flat = javascript(f"return pointsAlong(strokes, 0.09, {MOST_POINTS});", strokes=strokes)
    assert len(flat) // 2 <= MOST_POINTS and [flat[-2], flat[-1]] == strokes[-1][2:]


# --- Python's side ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_evenly_dotted_and_fit(name):
    drawing = widgets.Drawing(name)
    points = drawing.points
    assert 60 <= len(points) <= MOST_POINTS and points.abs().max() < BOUND - 0.5
    gaps = torch.cdist(points, points).fill_diagonal_(9.0).amin(1)
    assert gaps.max() < 2 * 0.06 * SPACING and gaps.min() > 0.02  # neither holes nor a point twice
    assert name in repr(drawing) and drawing.t == 1.0 and len(drawing.times) == 101


def test_a_particle_follows_its_arrow():
    """A central difference over two steps of 1/100 has an error of second order: below 0.1 % of the arrows, measured."""
    drawing = widgets.Drawing("ring", particles=200)
    stops = drawing.trajectory()
    for k in (20, 50):
        moved = (stops[k + 1] - stops[k - 1]) / (drawing.times[k - 1] - drawing.times[k + 1])
        arrows = drawing.arrows(stops[k], drawing.times[k])
        assert np.linalg.norm(moved - arrows) < 0.005 * np.linalg.norm(arrows)


def test_a_still_shows_the_field_where_the_widget_does():
    assert widgets.Drawing("ring", field=True).still() != widgets.Drawing("ring").still()
    assert widgets.Drawing(None, field=True).still()  # nothing drawn, no arrows


def test_particles_end_on_the_drawing():
    """A Gaussian of deviation h in the plane is on average sqrt(pi/2) h from its centre, nearer to a row of them."""
    for name in PRESETS:
        drawing = widgets.Drawing(name)
        ends = torch.tensor(drawing.trajectory()[-1])
        distance = torch.cdist(ends, drawing.points.double()).amin(1)
        assert 0.5 * 0.06 < distance.mean() < math.sqrt(math.pi / 2) * 0.06


def test_what_was_drawn_comes_back():
    given = torch.randn(30, 2, generator=torch.Generator().manual_seed(1)).clamp(-3, 3)
    drawing = widgets.Drawing(given)
    assert torch.allclose(drawing.points, given, atol=5.1e-5)  # four decimals, in floats of 24 bits
    drawing._points = [0.5, 1.0, -0.25, 2.0]  # as the browser says it
    assert drawing.points.tolist() == [[0.5, 1.0], [-0.25, 2.0]]
    assert drawing.mixture.means.tolist() == drawing.points.tolist()
    assert drawing.mixture.variances.sqrt().tolist() == pytest.approx([0.06, 0.06])
    assert repr(drawing).endswith("drawing at t = 0: 2 points drawn by hand.")
    drawing.update(None)
    assert drawing.points.shape == (0, 2) and repr(drawing).endswith("nothing was drawn yet.")
    with pytest.raises(ValueError, match="nothing was drawn: draw on the square, or choose a preset"):
        _ = drawing.mixture


def test_the_same_seed_gives_the_same_noise():
    a, b, c = (widgets.Drawing(seed=seed, particles=50).noise for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c) and a.shape == (50, 2) and a.dtype == torch.float32
    many = widgets.Drawing(particles=MOST_PARTICLES).noise
    error = 1 / math.sqrt(2 * MOST_PARTICLES)
    assert abs(many.mean()) < 4 * error and abs(many.var() - 1) < 4 * math.sqrt(2) * error


REFUSED = {
    "unknown preset": (
        lambda: widgets.Drawing("cat"),
        r"points='cat' is none of 'two moons', .*; or give points \(N, 2\)",
    ),
    "three coordinates": (lambda: widgets.Drawing(np.zeros((5, 3))), r"points has shape \(5, 3\): give \(N, 2\)"),
    "no points": (lambda: widgets.Drawing(np.zeros((0, 2))), "N from 1 to 300"),
    "too many": (
        lambda: widgets.Drawing(np.zeros((301, 2))),
        r"shape \(301, 2\): .* 1 to 300, for instance points\[:300\]",
    ),
    "outside": (lambda: widgets.Drawing([[0, 1], [4, 0.5]]), r"points\[1\] = \(4, 0.5\) lies outside .* from -3 to 3"),
    "no number": (lambda: widgets.Drawing([[0, math.nan]]), r"points\[0\] = \(0, not a number\) lies outside"),
    "no particles": (lambda: widgets.Drawing(particles=0), "particles=0 is outside 1 … 2000: 400 are usual"),
    "too many particles": (lambda: widgets.Drawing(particles=2001), "particles=2001 is outside"),
    "pen": (lambda: widgets.Drawing(pen=0), r"pen=0 is outside 0.02 … 0.5, .*: 0.06 is usual"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_named(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        make()


def test_a_refused_update_changes_nothing():
    drawing = widgets.Drawing("ring")
    before = (drawing._points, drawing.times, drawing._data, drawing._revision)
    with pytest.raises(ValueError, match="particles=0"):
        drawing.update("heart", particles=0)
    assert (drawing._points, drawing.times, drawing._data, drawing._revision) == before


def test_the_still_shows_noise_becoming_the_drawing():
    drawing = widgets.Drawing("ring", alt="Noise becomes a ring.")
    data, metadata = drawing._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == "Drawing: Noise becomes a ring." == data["text/plain"]
    png = drawing.still()
    opened = Image.open(io.BytesIO(png))
    assert opened.width <= 1200 and len(png) < 100_000 and opened.text["Description"] == repr(drawing)
    assert png == widgets.Drawing("ring", alt="Noise becomes a ring.").still() != widgets.Drawing("heart").still()
    assert widgets.Drawing(None).still()


def test_a_still_holds_the_particles(monkeypatch):
    from diffusion_lib.course.widgets import stills

    figures = []
    monkeypatch.setattr(stills, "finish", lambda figure, alt: figures.append(figure))
    drawing = widgets.Drawing("heart")
    drawing.still()
    paths = drawing.trajectory()
    assert [axes.get_title("left") for axes in figures[0].axes] == ["t = 1", "t = 0.75", "t = 0.5", "t = 0.25", "t = 0"]
    for k, axes in zip((0, 25, 50, 75, 100), figures[0].axes, strict=True):
        assert np.allclose(axes.collections[0].get_offsets(), drawing.points)
        assert np.allclose(axes.collections[1].get_offsets(), paths[k])


def test_the_script_says_its_formula_and_source():
    """The mathematics of a widget that a learner opens is read there, too."""
    text = Path(widgets.Drawing.script).read_text(encoding="utf-8")
    assert re.search(r"E\[x_0 \| x_t\]\s+= m \+ alpha h² / v", text) and "Song et al. 2021, equation 13" in text
