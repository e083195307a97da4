r"""What a network may predict, and the one way back from it to x_0 and the noise.

Each target is a combination y = p x_0 + q eps of the two things that made x = alpha x_0 + sigma eps:

========  =====================  ====================  ================================================
target    p                      q                     source
========  =====================  ====================  ================================================
x0        1                      0
eps       0                      1                     Ho et al. 2020
v         -sigma / r             alpha / r             Salimans & Ho 2022; r = hypot(alpha, sigma)
velocity  alpha'                 sigma'                Lipman et al. 2022; the time derivative of x_t
========  =====================  ====================  ================================================

So (x, y) is a 2×2 linear system in (x_0, eps):

.. math::
    \begin{pmatrix} x \\ y \end{pmatrix} =
    \begin{pmatrix} \alpha & \sigma \\ p & q \end{pmatrix}
    \begin{pmatrix} x_0 \\ \varepsilon \end{pmatrix}, \qquad \Delta = \alpha q - \sigma p,

and its determinant Δ says where a target loses x_0 or eps: eps at alpha = 0, x0 at sigma = 0, v never.
A target is one function in :data:`TARGETS`. Taught in notebook 04.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .registry import Registry


@dataclass(frozen=True, eq=False)
class Prediction:
    """A denoiser's answer for x_t = alpha x0 + sigma eps: its estimates of ``x0`` and ``eps``, both (B, …)."""

    x0: Tensor
    eps: Tensor

    @classmethod
    def mix(cls, a: Prediction, b: Prediction, weight: float) -> Prediction:
        """a + weight · (b - a), in both parts."""
        return cls(a.x0 + weight * (b.x0 - a.x0), a.eps + weight * (b.eps - a.eps))


Rates = Callable[[], tuple[Tensor, Tensor]]

TARGETS: Registry[Callable[[Tensor, Tensor, Rates], tuple[Tensor, Tensor]]] = Registry("target")
"""Every target by name: a function of (alpha, sigma, rates) that gives (p, q), so that the target is p x0 + q eps.

``rates()`` gives (alpha', sigma'); only a target that needs the derivatives calls it.
"""


@TARGETS.register
def x0(alpha: Tensor, sigma: Tensor, rates: Rates) -> tuple[Tensor, Tensor]:
    """The clean picture itself."""
    return torch.ones_like(alpha), torch.zeros_like(alpha)


@TARGETS.register
def eps(alpha: Tensor, sigma: Tensor, rates: Rates) -> tuple[Tensor, Tensor]:
    """The noise."""
    return torch.zeros_like(alpha), torch.ones_like(alpha)


@TARGETS.register
def v(alpha: Tensor, sigma: Tensor, rates: Rates) -> tuple[Tensor, Tensor]:
    """What x turns into a quarter circle later: of unit size at every noise level."""
    r = torch.hypot(alpha, sigma)
    return -sigma / r, alpha / r


@TARGETS.register
def velocity(alpha: Tensor, sigma: Tensor, rates: Rates) -> tuple[Tensor, Tensor]:
    """The direction in which x_t moves as time passes, dx/dt."""
    return rates()


def determinant(alpha: Tensor, sigma: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Δ = alpha q - sigma p, the determinant of the system."""
    return alpha * q - sigma * p


def solve(x: Tensor, y: Tensor, alpha: Tensor, sigma: Tensor, p: Tensor, q: Tensor) -> Prediction:
    """x_0 and eps (B, …) from the noised ``x`` and the target ``y``, given both rows of the system.

    Raises:
        ValueError: the determinant is 0 to the rounding of x's dtype, or NaN: the target says nothing of x_0 or of eps.
    """
    det = determinant(alpha, sigma, p, q)
    broken = ~(det.abs() >= torch.finfo(x.dtype).eps * torch.hypot(alpha, sigma) * torch.hypot(p, q))  # also if NaN
    if broken.any():
        lost, where = ("x0", "alpha = 0") if (broken & (alpha < sigma)).any() else ("eps", "sigma = 0")
        raise ValueError(
            f"this target cannot recover {lost} where {where}: "
            f"{'start later' if lost == 'x0' else 'stop earlier'}, or predict 'v'"
        )
    return Prediction(x0=(q * x - sigma * y) / det, eps=(alpha * y - p * x) / det)
