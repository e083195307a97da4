"""Schematics: boxes stand where they are put, arrows lead from one to another, and what is marked stands out."""

import pytest
from matplotlib.colors import to_hex

from diffusion_lib.course import figures

BOXES = {"a": (0.5, 0.5), "b": (3.5, 0.5), "$x_0$": (3.5, 1.5)}


def texts(figure):
    return {text.get_text(): text for text in figure.axes[0].texts if text.get_text()}


def test_boxes_and_labels_stand_at_their_places():
    figure = figures.diagram(BOXES, [("a", "b", "straight"), ("a", "b", "bent", 0.2)], size=(4, 2))
    drawn = texts(figure)
    assert {text: drawn[text].get_position() for text in BOXES} == BOXES
    assert drawn["straight"].get_position() == pytest.approx((2.0, 0.56))
    assert drawn["bent"].get_position() == pytest.approx((2.0, 0.56 + 0.1 * 3))  # above the middle, on the arc
    assert figure.get_size_inches() == pytest.approx((4, 2))


def test_only_what_is_marked_is_in_the_second_colour():
    figure = figures.diagram(BOXES, [("a", "b", "one"), ("b", "$x_0$", "two")], marked=["b", "two"], size=(4, 2))
    frames = {text: to_hex(texts(figure)[text].get_bbox_patch().get_edgecolor()) for text in BOXES}
    assert frames["b"] == figures.COLOURS[1] != frames["a"] == frames["$x_0$"]
    labels = {text: to_hex(texts(figure)[text].get_color()) for text in ("one", "two")}
    assert labels["two"] == figures.COLOURS[1] != labels["one"]


def test_an_arrow_to_a_box_that_is_none_is_refused():
    with pytest.raises(KeyError, match="nowhere"):
        figures.diagram(BOXES, [("a", "nowhere")])
