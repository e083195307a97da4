"""One palette, one set of dashes, one type: matplotlib, stills, JavaScript and style sheets all read `course.tokens`."""

import json
import re
from pathlib import Path

import matplotlib
import nbformat
import pytest

from diffusion_lib.course import figures, tokens, widgets
from diffusion_lib.course.pages import page_of
from diffusion_lib.course.widgets import browser

COURSE = Path(tokens.__file__).parent
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b")


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2: from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme, colours", [(tokens.LIGHT, tokens.COLOURS), (tokens.DARK, tokens.COLOURS_ON_DARK)])
def test_colours_stand_out_from_their_page(scheme, colours):
    for colour in (*colours, scheme["text"], scheme["quiet"]):
        assert contrast(colour, scheme["page"]) >= 4.5


def test_each_colour_has_a_dash_of_its_own():
    assert len(set(tokens.DASHES)) == len(tokens.DASHES) == len(tokens.COLOURS) == len(tokens.COLOURS_ON_DARK)
    assert len(tokens.MARKS) == len(tokens.ROLES["cloud"]) == len(tokens.ROLES["bar"])


def test_matplotlib_draws_with_the_tokens():
    figures.use_style()
    assert matplotlib.rcParams["axes.prop_cycle"].by_key()["color"] == list(tokens.COLOURS)
    assert matplotlib.rcParams["font.family"] == [tokens.FONT]
    axes = figures.curves([0, 1], {str(i): [0, i] for i in range(6)}).axes[0]
    for line, colour, dash in zip(axes.lines, tokens.COLOURS, tokens.DASHES, strict=True):
        assert line.get_color() == colour
        assert tuple(line._unscaled_dash_pattern[1] or ()) == dash
    assert matplotlib.colors.to_rgb(tokens.BROKEN) == figures.pictures.BROKEN


def test_javascript_gets_the_tokens():
    sent = json.loads(re.match(r"const TOKENS = (.*);\n", widgets.Curves([0.0, 1.0], {"y": [0.0, 1.0]})._code)[1])
    assert sent["dashes"] == [[pytest.approx(tokens.LINE_WIDTH * part) for part in dash] for dash in tokens.DASHES]
    assert sent["roles"] == json.loads(json.dumps(tokens.ROLES)) and sent["marks"] == list(tokens.MARKS)
    assert sent["broken"] == tokens.BROKEN


def test_style_sheets_get_the_tokens():
    sheet = browser.style()
    for i, (light, dark) in enumerate(zip(tokens.COLOURS, tokens.COLOURS_ON_DARK, strict=True)):
        assert re.findall(rf"--dl-{i}: (#\w+);", sheet) == [light, dark]
    for name in re.findall(
        r"var\((--dl-[\w-]+)", sheet + "".join(path.read_text() for path in COURSE.glob("widgets/*.js"))
    ):
        assert name == "--dl-" or f"{name}:" in sheet, f"{name} is used and nowhere set"


def test_exported_pages_get_the_tokens():
    style = page_of(nbformat.v4.new_notebook(), "page").html.split("<style>")[1].split("</style>")[0]
    for name, light in tokens.LIGHT.items():
        dark = tokens.DARK[name]  # by the switch, and without the page's script by the screen
        assert re.findall(rf"--dl-{name}-colour: (#\w+);", style) == [light, dark, dark]
    for name in re.findall(r"var\((--dl-[\w-]+)", style):
        assert f"{name}:" in style, f"{name} is used and nowhere set"


@pytest.mark.parametrize("folder", ["figures", "widgets"])
def test_no_colour_is_written_a_second_time(folder):
    for path in (COURSE / folder).iterdir():
        if path.suffix in (".py", ".js", ".css"):
            colours = COLOUR.findall(path.read_text())
            assert not colours, f"{path.name} has {colours}: put them into tokens.py"
