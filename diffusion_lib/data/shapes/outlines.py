"""Outlines as *signed distances*: a function d(x, y) that is negative inside, 0 on the outline, positive outside.

For unions and intersections of forms, d is the minimum or maximum of theirs (Hart 1996, "Sphere tracing").
"""

import math

import torch
from torch import Tensor

CROSS_ARM = 0.35  # half the width of an arm of half length 1
HEART_CENTRE = 0.26


def circle(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to the circle of radius 1."""
    return torch.hypot(x, y) - 1


def pointed(x: Tensor, y: Tensor, tips: int, notch: float) -> Tensor:
    """Signed distance to a star with its tips at radius 1 and its notches at radius `notch`.

    The plane is folded into one sector, from a tip to the next notch, where the outline is one straight line.
    A regular polygon is the star whose notches lie on its sides: notch = cos(π / tips).
    """
    half = math.pi / tips
    angle = (torch.remainder(torch.atan2(y, x) + half, 2 * half) - half).abs()
    radius = torch.hypot(x, y)
    normal = torch.tensor([notch * math.sin(half), 1 - notch * math.cos(half)])
    normal = (normal / normal.norm()).tolist()
    return radius * (normal[0] * angle.cos() + normal[1] * angle.sin()) - normal[0]


def cross(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to a plus sign, the union of two bars."""
    x, y = x.abs(), y.abs()
    return torch.maximum(torch.maximum(x, y) - 1, torch.minimum(x, y) - CROSS_ARM)


def heart(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to a heart, the union of a square and a disc on each of two neighbouring sides."""
    x, y = x + HEART_CENTRE, y + HEART_CENTRE
    square = torch.maximum(x.abs(), y.abs()) - 1
    return torch.minimum(square, torch.minimum(torch.hypot(x - 1, y), torch.hypot(x, y - 1)) - 1)


# for each shape: its signed distance, its area, and the radius of a circle about the origin that holds it
SHAPES = {
    "circle": (circle, math.pi, 1.0),
    "square": (lambda x, y: pointed(x, y, 4, math.cos(math.pi / 4)), 2.0, 1.0),
    "triangle": (lambda x, y: pointed(x, y, 3, math.cos(math.pi / 3)), 3 * math.sqrt(3) / 4, 1.0),
    "star": (lambda x, y: pointed(x, y, 5, 0.5), 2.5 * math.sin(math.pi / 5), 1.0),
    "cross": (cross, 8 * CROSS_ARM - 4 * CROSS_ARM**2, math.hypot(1, CROSS_ARM)),
    "heart": (heart, 4 + math.pi, 1.80),
}
