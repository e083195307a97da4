"""Drawings made of strokes: lines in the plane, and points set along them at even distances.

The square runs from -BOUND to BOUND in both coordinates: noise N(0, I) of a few hundred points fits into it.
"""

import numpy as np

BOUND = 3.0
MOST_POINTS = 300  # as many as a browser follows at the screen's rate
SPACING = 1.5  # widths of the pen from point to point: a row of Gaussians this close has no gaps that one could see


def _ellipse(start: float, end: float, centre: tuple[float, float], radius: float) -> np.ndarray:
    """An arc of a circle between two angles in degrees, as a line of many pieces (61, 2)."""
    angle = np.radians(np.linspace(start, end, 61))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius + np.array(centre)


def _heart() -> np.ndarray:
    """The well-known curve x = 16 sin³ a, y = 13 cos a - 5 cos 2a - 2 cos 3a - cos 4a, made smaller."""
    a = np.linspace(0, 2 * np.pi, 121)
    y = 13 * np.cos(a) - 5 * np.cos(2 * a) - 2 * np.cos(3 * a) - np.cos(4 * a)
    return np.stack([16 * np.sin(a) ** 3, y + 2.5], axis=1) / 9


PRESETS: dict[str, list[np.ndarray]] = {
    "two moons": [_ellipse(0, 180, (-0.7, -0.35), 1.4), _ellipse(180, 360, (0.7, 0.35), 1.4)],
    "ring": [_ellipse(0, 360, (0.0, 0.0), 1.5)],
    "heart": [_heart()],
    "letter A": [
        np.array([[-1.3, -1.7], [0.0, 1.8], [1.3, -1.7]]),
        np.array([[-0.85, -0.5], [0.85, -0.5]]),
    ],
}
"""The drawings that are there from the start, each a list of lines (M, 2)."""


def points_along(strokes: list[np.ndarray], pen: float) -> np.ndarray:
    """Points at even distances along lines, (N, 2): SPACING widths of the pen apart, or farther if they would be more.

    A line that returns to its start has no point twice. The JavaScript does the same with what is drawn by hand.
    """
    lengths = [float(np.linalg.norm(np.diff(stroke, axis=0), axis=1).sum()) for stroke in strokes]
    spacing = max(SPACING * pen, sum(lengths) / max(1, MOST_POINTS - 2 * len(strokes)))
    rows = []
    for stroke, length in zip(strokes, lengths, strict=True):
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(stroke, axis=0), axis=1))])
        closed = np.allclose(stroke[0], stroke[-1])
        places = np.linspace(0.0, length, max(1, round(length / spacing)) + 1)[: -1 if closed else None]
        rows.append(np.stack([np.interp(places, along, stroke[:, i]) for i in (0, 1)], axis=1))
    return np.concatenate(rows)
