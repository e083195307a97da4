"""The bug gallery of notebook 12: what goes wrong in a diffusion model, each time by one changed line.

    from diffusion_lib.course import gallery

    gallery.symptom(2)                  # what the right code draws, and what the room's does
    gallery.reveal(2)                   # the changed line, and the number that notices
    code = gallery.broken(2)            # the program of room 2, with its bug: code.step(x, i), code.alpha_bar, …
    code = gallery.load("tiny")         # the right one

A bug is data: an entry of `bugs.BUGS` names a program in `programs/`, a text that is there once, and what takes its
place; a measurement (`measures`) that tells the broken program from the right one; and what it looks like (`pictures`).
So a new room is one entry.
"""

from .bug import Bug, Measured
from .bugs import BUGS
from .code import Code, load, text_of
from .rooms import broken, bug, change, exhibit, number, reveal, symptom

__all__ = [
    "BUGS",
    "Bug",
    "Code",
    "Measured",
    "broken",
    "bug",
    "change",
    "exhibit",
    "load",
    "number",
    "reveal",
    "symptom",
    "text_of",
]
