r"""Schedules: how much signal and how much noise there is at time t.

.. math:: x_t = \alpha(t)\,x_0 + \sigma(t)\,\varepsilon, \qquad \varepsilon \sim N(0, I).

**The conventions of the whole course, stated once.**

* Time t runs from 0 (data) to 1 (noise). Timestep i of T is t = i/T, i = 0 … T, so alpha_bar_0 = 1 exactly.
* alpha_bar = alpha², SNR = alpha²/sigma², log_snr is its natural logarithm.
* A schedule is *variance preserving* (VP) if alpha² + sigma² = 1.
* Steps go "from t to s"; s < t is the earlier time. Denoising goes from t to s, noising from s to t.
* Schedules compute in float64 and cast at the edge, to the dtype and device of the x that they are asked about.

Three Gaussians follow from the two curves alone, whatever the schedule. With a = alpha_t / alpha_s:

.. math::
    q(x_t \mid x_0) &= N(\alpha_t x_0,\; \sigma_t^2) && \text{marginal} \\
    q(x_t \mid x_s) &= N(a\,x_s,\; \sigma_t^2 - a^2\sigma_s^2) && \text{transition} \\
    q(x_s \mid x_t, x_0) &= N\bigl(k\,x_t + (\alpha_s - k\,\alpha_t)\,x_0,\; \sigma_s^2 - k\,a\,\sigma_s^2\bigr),
    \quad k = a\,\sigma_s^2/\sigma_t^2 && \text{posterior}

Sources: Ho et al. 2020 (DDPM), equations 2, 4, 6, 7; Kingma et al. 2021 (VDM), appendix A; Nichol & Dhariwal 2021
(cosine); Rombach et al. 2022 (scaled linear); Karras et al. 2022 (EDM); Liu et al. 2022 (rectified flow). Notebooks 01
and 02 teach it.
"""

from .curves import EDM, Cosine, Flow
from .schedule import SCHEDULES, Schedule, Time, VariancePreserving
from .tables import BetaTable, CosineBeta, Discrete, LinearBeta, ScaledLinearBeta, SigmoidBeta

__all__ = [
    "EDM",
    "SCHEDULES",
    "BetaTable",
    "Cosine",
    "CosineBeta",
    "Discrete",
    "Flow",
    "LinearBeta",
    "ScaledLinearBeta",
    "Schedule",
    "SigmoidBeta",
    "Time",
    "VariancePreserving",
]
