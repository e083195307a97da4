"""The log of a training: a CSV file with one line a step.

accelerate's trackers are no help here: none writes CSV or drops the lines of steps that a resumed run does again.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

COLUMNS = ("step", "loss", "grad_norm", "lr", "seconds")


class Log:
    """A CSV file with one line a step, from step ``first`` on; of an older file, the lines before it stay."""

    def __init__(self, path: Path, *, first: int):
        earlier = []
        if path.exists() and first > 1:
            with path.open(newline="") as before:
                earlier = [row for row in csv.DictReader(before) if _step(row) < first]
        self.file = path.open("w", newline="")
        self.writer = csv.DictWriter(self.file, COLUMNS)
        self.writer.writeheader()
        self.writer.writerows(earlier)

    def add(self, *, step: int, loss: float, grad_norm: float, lr: float, seconds: float) -> None:
        """One step's line, on the disk at once."""
        numbers = (f"{value:.6g}" for value in (loss, grad_norm, lr, seconds))
        self.writer.writerow(dict(zip(COLUMNS, (step, *numbers), strict=True)))
        self.file.flush()


def _step(row: dict) -> int:
    return int(row["step"]) if (row["step"] or "").isdecimal() else sys.maxsize  # a line cut short by a kill
