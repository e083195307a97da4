"""Scrubbers: timesteps at the screen's rate, with a kernel, without one, and as stills.

`scrub` makes the fitting widget from what a sampler yields; the rest are the widgets themselves.
"""

from .frames import Frames, Noising
from .trajectories import scrub

__all__ = ["Frames", "Noising", "scrub"]
