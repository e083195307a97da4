"""Sampling: a *step* goes from time t to time s, a *driver* walks it along a list of times.

* :mod:`~diffusion_lib.sampling.steps`: one step of each method, a function of five to ten lines;
* :mod:`~diffusion_lib.sampling.driver`: ``walk`` yields every stop of a step's walk, ``sample`` draws many samples;
* :mod:`~diffusion_lib.sampling.ode`: inversion and exact likelihood along the probability-flow ODE;
* :mod:`~diffusion_lib.sampling.sde`: Langevin dynamics, and the reverse SDE;
* :mod:`~diffusion_lib.sampling.noise`: paths between two noises.

A step of one's own fits where these stand::

    def my_step(denoise, x, t, s):          # x_t (B, …) in, x_s (B, …) out
        guess = denoise(x, t)
        ...

    sample(denoise, shape, 16, step=my_step)
"""

from .driver import State, sample, walk
from .noise import slerp
from .ode import invert, log_likelihood
from .sde import euler_maruyama, langevin, score
from .steps import STEPS, ancestral, ddim, dpmpp_2m, euler, heun, velocity

__all__ = [
    "STEPS",
    "State",
    "ancestral",
    "ddim",
    "dpmpp_2m",
    "euler",
    "euler_maruyama",
    "heun",
    "invert",
    "langevin",
    "log_likelihood",
    "sample",
    "score",
    "slerp",
    "velocity",
    "walk",
]
