r"""Denoisers: anything called as ``denoise(x_t, t, cond=None) -> Prediction(x0, eps)`` that knows its ``schedule``.

The best possible one answers E[x_0 | x_t] and E[eps | x_t]; it minimises the mean squared error at every t, and every
trained network approximates it. Here are

* :class:`Denoiser`: a network, with the two facts that make it a denoiser;
* :class:`Exact`: the best answer for a mixture of Gaussians, in closed form;
* :class:`Empirical`: the best answer for a finite data set, which memorises it;
* :class:`Local`: the best answer if each pixel sees only a patch around it, which memorises patches;
* :class:`Guided`, :class:`Clipped`, :class:`Inpainted` and :class:`Latent`: denoisers around a denoiser.

A condition ``cond`` is opaque (:mod:`~diffusion_lib.conditions`): whatever the network takes, or None. What "nothing
was asked for" looks like is known to the network alone, and ``denoise.null(cond)`` asks it.
Sources: Vincent 2011; Ho & Salimans 2022 (guidance). Notebook 04 teaches it.
"""

from .denoiser import Denoiser, DenoiserLike, evaluating
from .exact import Empirical, Exact
from .local import Local
from .wrappers import Clipped, Guided, Inpainted, Latent, Wrapper

__all__ = [  # noqa: RUF022 in the order to read them
    "Denoiser",
    "DenoiserLike",
    "Exact",
    "Empirical",
    "Local",
    "Guided",
    "Clipped",
    "Inpainted",
    "Latent",
    "Wrapper",
    "evaluating",
]
