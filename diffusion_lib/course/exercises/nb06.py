"""Exercises of notebook 06, sampling: 6.1 the ancestral step, 6.2 the DDIM step, 6.3 eta, 6.4 slerp, 6.5 the walk.

6.1 is algorithm 2 of Ho, Jain and Abbeel 2020 with the posterior's variance; 6.2 and 6.3 are equations 12 and 16 of
Song, Meng and Ermon 2021; 6.4 is Shoemake 1985; 6.5 walks the step of 6.2 from the first time to the last.
"""

import math

import torch

from .exercise import Exercise, Mistake, Property
from .inputs import edges, pictures, random_alpha_bar, some_step, steps_and_batches
from .nb02 import ENDS, jump_to, posterior, two_steps

# ---------------------------------------------------------------- 6.1


def ancestral_step(x_i, x0, i, noise, alpha_bar):
    mean, var = posterior(x_i, x0, i, alpha_bar)
    return mean + var.sqrt() * noise


def _ancestral_with(mean=None, deviation=None):
    """The right step but for its mean or its standard deviation, from (x_i, x0, kept, before, now)."""

    def answer(x_i, x0, i, noise, alpha_bar):
        right_mean, right_var = posterior(x_i, x0, i, alpha_bar)
        parts = x_i, x0, alpha_bar[i] / alpha_bar[i - 1], alpha_bar[i - 1], alpha_bar[i]
        return (mean(*parts) if mean else right_mean) + (deviation(*parts) if deviation else right_var.sqrt()) * noise

    return answer


def _ancestral_inputs(generator, step=None, batch=3, low=0.02):
    alpha_bar, x0 = random_alpha_bar(generator, low=low), pictures(generator, batch)
    i = some_step(generator, alpha_bar, step=step)
    x_i = jump_to(x0, i, torch.randn(x0.shape, generator=generator), alpha_bar).float()
    guess = x0 + 0.2 * torch.randn(x0.shape, generator=generator)
    return x_i, guess, i, torch.randn(x0.shape, generator=generator), alpha_bar


ANCESTRAL = Exercise(
    id="6.1",
    title="The ancestral step",
    reference=ancestral_step,
    inputs=_ancestral_inputs,
    edges=steps_and_batches(_ancestral_inputs),
    linear=("x_i", "x0", "noise"),
    mistakes=(
        Mistake(
            _ancestral_with(deviation=lambda x, x0, k, b, a: (1 - k) * (1 - b) / (1 - a)),
            "The noise is multiplied by the posterior's variance; it wants the standard deviation.",
        ),
        Mistake(
            _ancestral_with(deviation=lambda x, x0, k, b, a: (1 - k).sqrt()),
            "You used beta, the variance of a step forward. So noise is added at the last step too: x_0 "
            "comes out noisy.",
        ),
        Mistake(
            _ancestral_with(deviation=lambda x, x0, k, b, a: (1 - k).sqrt() * (b < 1)),
            "You used beta, the variance of a step forward. It is Ho et al.'s other choice; here the "
            "posterior's is asked for.",
        ),
        Mistake(
            _ancestral_with(deviation=lambda x, x0, k, b, a: 0),
            "No noise was added: that is the posterior's mean, and repeating it gives blurred pictures.",
        ),
        Mistake(
            _ancestral_with(deviation=lambda x, x0, k, b, a: 1),
            "The noise came in at full strength; multiply it by the posterior's standard deviation.",
        ),
        Mistake(
            _ancestral_with(deviation=lambda x, x0, k, b, a: (1 - b).sqrt()),
            "You added all the noise that x_{i-1} has in total; the mean carries part of it already.",
        ),
        Mistake(
            _ancestral_with(lambda x, x0, k, b, a: (b.sqrt() * (1 - k) * x0 + a.sqrt() * (1 - b) * x) / (1 - a)),
            "In the mean, x_i is multiplied by sqrt(alpha_bar[i]); that factor belongs to the single step from i - 1.",
        ),
        Mistake(
            _ancestral_with(
                lambda x, x0, k, b, a: b.sqrt() * x0 + (1 - b).sqrt() * (x - a.sqrt() * x0) / (1 - a).sqrt()
            ),
            "That is a DDIM step with the ancestral noise on top: too much noise in all. The direction must shrink.",
        ),
        Mistake(
            lambda x, x0, i, e, ab: jump_to(x0, i - 1, e, ab),
            "You noised x0 afresh to i - 1. That forgets x_i; the posterior uses both.",
        ),
        Mistake(
            _ancestral_with(
                mean=lambda x, x0, k, b, a: (x - (1 - k) * (x - a.sqrt() * x0) / (1 - a).sqrt()) / k.sqrt()
            ),
            "In Ho et al.'s form of the mean, eps is multiplied by beta / sqrt(1 - alpha_bar[i]): the root is missing.",
        ),
        Mistake(
            _ancestral_with(lambda x, x0, k, b, a: (b * (1 - k) * x0 + k * (1 - b) * x) / (1 - a)),
            "In the mean, x0 and x_i are multiplied by roots: sqrt(alpha_bar[i-1]), and sqrt(alpha_bar[i] / "
            "alpha_bar[i-1]). Both roots are missing.",
        ),
        Mistake(
            _ancestral_with(lambda x, x0, k, b, a: (b.sqrt() * (1 - k) * x + k.sqrt() * (1 - b) * x0) / (1 - a)),
            "In the mean, x_i and x0 have changed places: at i = 1 all the weight must be on x0.",
        ),
        Mistake(
            _ancestral_with(mean=lambda x, x0, k, b, a: x0 + 0 * x),
            "The mean is not x0 itself, except at i = 1: only one step has been taken back.",
        ),
        Mistake(
            _ancestral_with(
                lambda x, x0, k, b, a: b.sqrt() * x0 + (1 - b).sqrt() * (x - a.sqrt() * x0) / (1 - a).sqrt(),
                lambda x, x0, k, b, a: 0,
            ),
            "That is the DDIM step: it keeps the noise it finds and draws none. The ancestral step draws from"
            " the posterior.",
        ),
        Mistake(
            lambda x, x0, i, e, ab: (ab[i] / ab[i - 1]).sqrt() * x + (1 - ab[i] / ab[i - 1]).sqrt() * e,
            "That is a step forward: it makes x_i noisier. The posterior leads back, and needs x0.",
        ),
        Mistake(
            lambda x, x0, i, e, ab: (x - (1 - ab[i] / ab[i - 1]).sqrt() * e) / (ab[i] / ab[i - 1]).sqrt(),
            "You undid a step forward with new noise. The noise that came in then is not this one: draw from "
            "the posterior, which needs x0.",
        ),
        Mistake(
            _ancestral_with(deviation=lambda x, x0, k, b, a: (0.5 * (1 - k) * (1 - b) / (1 - a)).exp()),
            "You took the variance for a log-variance: its root multiplies the noise, no exponential.",
        ),
        Mistake(
            _ancestral_with(deviation=lambda x, x0, k, b, a: -((1 - k) * (1 - b) / (1 - a)).sqrt()),
            "The noise is taken away; it is added.",
        ),
    ),
    properties=(
        Property(
            lambda args, x: args[2] > 1 or bool((x - args[1]).abs().max() < 1e-4),
            "The last step, i = 1, adds no noise: it must return x0 exactly.",
        ),
    ),
    hints=(
        "You have the posterior from notebook 02: its mean and its variance. How do you draw from a Gaussian?",
        "mean + standard deviation * noise, and the variance is 0 at i = 1, so the last step needs no special case.",
        "With kept = alpha_bar[i] / alpha_bar[i-1]: var = (1 - kept) (1 - alpha_bar[i-1]) / (1 - "
        "alpha_bar[i]); the mean is that of 2.4.",
    ),
)


# ---------------------------------------------------------------- 6.2


def ddim_step(x_t, x0, alpha_t, sigma_t, alpha_s, sigma_s):
    return alpha_s * x0 + sigma_s * (x_t - alpha_t * x0) / sigma_t


def _ddim_inputs(generator, batch=3, end=False, start=False, near=False):
    low, high = (0.2 + 1.3 * torch.rand(2, generator=generator)).sort().values
    low = 0 * low if end else high - 0.01 if near else low
    x_t = 1.5 * torch.randn(batch, 1, 4, 4, generator=generator)
    alpha_t, sigma_t = high.cos(), (high + 0.05).sin()
    if start:  # pure noise
        alpha_t, sigma_t = 0 * alpha_t, 0 * sigma_t + 1
    return x_t, pictures(generator, batch, (1, 4, 4)), alpha_t, sigma_t, low.cos(), (1.03 * low).sin()


DDIM = Exercise(
    id="6.2",
    title="The DDIM step",
    reference=ddim_step,
    inputs=_ddim_inputs,
    edges=edges(
        _ddim_inputs,
        {"batch": 1},
        {"end": True},
        {"end": True, "batch": 1},
        {"start": True},
        {"start": True, "end": True},
        {"near": True},
    ),
    linear=("x_t", "x0"),
    mistakes=(
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * x,
            "You used x_t itself as the noise. Take the picture out of it first: eps = (x_t - alpha_t x0) / sigma_t.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * (x - x0) / s,
            "The picture sits in x_t shrunk by alpha_t: subtract alpha_t x0, not x0.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * (x - a * x0),
            "x_t - alpha_t x0 is the noise times sigma_t: divide by sigma_t before you put in sigma_s.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + (x - a * x0),
            "All the noise of time t is still there: at s it must shrink to sigma_s.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: x0 + r * (x - a * x0) / s,
            "The noise is right; the picture at s is shrunk by alpha_s.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: a * x0 + r * (x - a * x0) / s,
            "The picture is still at the level of t: multiply x0 by alpha_s.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r**2 * (x - a * x0) / s,
            "sigma_s is a standard deviation; you squared it.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * (x - a * x0) / s**2,
            "You divided by the variance sigma_t²; eps = (x_t - alpha_t x0) / sigma_t.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * (x - a * x0) / (1 - a**2).sqrt(),
            "You used sqrt(1 - alpha_t²) for sigma_t. Not every schedule keeps the variance at 1: use the "
            "sigma_t given.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 - r * (x - a * x0) / s,
            "The noise has the wrong sign: the same noise stays, only less of it.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: x0 + 0 * x,
            "That jumps to the guess x0 at once; go back only as far as s.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + 0 * x,
            "The noise is gone: DDIM keeps the noise that it found and only lowers its level to sigma_s.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * ((x - a * x0) / s).clamp(-1, 1),
            "You clipped the noise to [-1, 1]: a third of a Gaussian's numbers lie beyond.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b.sqrt() * x0 + (1 - b).sqrt() * (x - a.sqrt() * x0) / (1 - a).sqrt(),
            "You took alpha for alpha_bar, its square: no root is left to take, and the noise's factors are "
            "the sigmas given.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + (1 - b**2).sqrt() * (x - a * x0) / (1 - a**2).sqrt(),
            "You used sqrt(1 - alpha²) for both sigmas. Not every schedule keeps the variance at 1: use the "
            "sigmas given.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * (x - s * x0) / a,
            "alpha_t and sigma_t have changed places in the noise: eps = (x_t - alpha_t x0) / sigma_t.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * (x + a * x0) / s,
            "The picture is taken out of x_t, not added to it: eps = (x_t - alpha_t x0) / sigma_t.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b / a * x + r * (x - a * x0) / s if a > 0 else x / a,
            "You scaled all of x_t by alpha_s / alpha_t, noise and all, and added noise to it: take the "
            "picture, x0, alone.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * x - a * x0 / s,
            "Brackets are missing: sigma_s / sigma_t multiplies all of x_t - alpha_t x0.",
        ),
        Mistake(
            lambda x, x0, a, s, b, r: b * x0 + r * (x / s - a * x0),
            "Only x_t was divided by sigma_t: both terms are, put x_t - alpha_t x0 in brackets.",
        ),
    ),
    properties=(
        Property(
            lambda args, x: args[5] > 0 or bool((x - args[1]).abs().max() < 1e-4),
            "At s = 0 (sigma_s = 0) the step must end exactly in x0.",
        ),
    ),
    hints=(
        "Which noise, mixed with x0 at time t, gives the x_t you see?",
        "eps = (x_t - alpha_t x0) / sigma_t. Now mix the same x0 and the same eps at time s.",
        "alpha_s times x0 plus sigma_s times eps.",
    ),
)


# ---------------------------------------------------------------- 6.3


def ddim_eta(x_t, x0, s, t, eta, noise, alpha_bar):
    return _generalised(x_t, x0, s, t, noise, alpha_bar, eta**2 * _ancestral_var(s, t, alpha_bar))


def _ancestral_var(s, t, alpha_bar):
    return (1 - alpha_bar[s]) / (1 - alpha_bar[t]) * (1 - alpha_bar[t] / alpha_bar[s])


def _generalised(x_t, x0, s, t, noise, alpha_bar, var):
    eps = (x_t - alpha_bar[t].sqrt() * x0) / (1 - alpha_bar[t]).sqrt()
    return alpha_bar[s].sqrt() * x0 + (1 - alpha_bar[s] - var).sqrt() * eps + var.sqrt() * noise


def _eta_with(factors):
    """The step with other factors of eps and of the noise, from (var, alpha_bar_s, alpha_bar_t)."""

    def answer(x_t, x0, s, t, eta, noise, alpha_bar):
        eps = (x_t - alpha_bar[t].sqrt() * x0) / (1 - alpha_bar[t]).sqrt()
        var = eta**2 * _ancestral_var(s, t, alpha_bar)
        of_eps, of_noise = factors(var, alpha_bar[s], alpha_bar[t])
        return alpha_bar[s].sqrt() * x0 + of_eps * eps + of_noise * noise

    return answer


def _eta_as_share(x_t, x0, s, t, eta, noise, alpha_bar):
    eps = (x_t - alpha_bar[t].sqrt() * x0) / (1 - alpha_bar[t]).sqrt()
    return alpha_bar[s].sqrt() * x0 + (1 - alpha_bar[s]).sqrt() * ((1 - eta**2) ** 0.5 * eps + eta * noise)


def _eta_as_plain_share(x_t, x0, s, t, eta, noise, alpha_bar):
    eps = (x_t - alpha_bar[t].sqrt() * x0) / (1 - alpha_bar[t]).sqrt()
    return alpha_bar[s].sqrt() * x0 + (1 - alpha_bar[s]).sqrt() * ((1 - eta) * eps + eta * noise)


def _eta_inputs(generator, ends=None, eta=None, batch=3, low=0.02):
    alpha_bar, x0 = random_alpha_bar(generator, low=low), pictures(generator, batch)
    s, t = two_steps(generator, alpha_bar, ends)
    if eta is None:
        eta = 0.2 + 0.6 * float(torch.rand((), generator=generator))
    x_t = jump_to(x0, t, torch.randn(x0.shape, generator=generator), alpha_bar).float()
    guess = x0 + 0.2 * torch.randn(x0.shape, generator=generator)
    return x_t, guess, s, t, eta, torch.randn(x0.shape, generator=generator), alpha_bar


ETA = Exercise(
    id="6.3",
    title="DDIM with eta",
    reference=ddim_eta,
    inputs=_eta_inputs,
    edges=edges(
        _eta_inputs,
        *({"ends": ends} for ends in ENDS),
        *({"eta": eta} for eta in (0.0, 1.0, 0.01, 0.05, 0.99)),
        {"eta": 1.0, "ends": (-2, -1)},
        {"eta": 0.0, "ends": (0, 1)},
        {"eta": 1.0, "ends": (0, 1)},
        {"ends": (-2, -1), "low": 0.06},
        {"batch": 1},
    ),
    linear=("x_t", "x0", "noise"),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            lambda x, x0, s, t, eta, e, ab: ddim_eta(x, x0, s, t, 0.0, e, ab),
            "eta does nothing in yours: that is DDIM with eta = 0, no noise at all.",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: ddim_eta(x, x0, s, t, 1.0, e, ab),
            "eta does nothing in yours: that is the ancestral step, eta = 1.",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: _generalised(x, x0, s, t, e, ab, eta * _ancestral_var(s, t, ab)),
            "eta multiplied the variance; it scales the standard deviation, so the variance gets eta².",
        ),
        Mistake(
            _eta_with(lambda var, b, a: ((1 - b).sqrt(), var.sqrt())),
            "New noise came in, but the old noise was not reduced: the squares of the two must add up to "
            "1 - alpha_bar[s].",
        ),
        Mistake(
            _eta_with(lambda var, b, a: ((1 - b).sqrt() - var.sqrt(), var.sqrt())),
            "You subtracted standard deviations; subtract variances, then take the root.",
        ),
        Mistake(
            _eta_with(lambda var, b, a: ((1 - b - var).sqrt(), var)),
            "The new noise is multiplied by its variance; it wants the standard deviation.",
        ),
        Mistake(
            _eta_with(lambda var, b, a: ((1 - b - var).sqrt(), 0)),
            "The old noise was reduced, but the new noise was never added.",
        ),
        Mistake(
            _eta_with(lambda var, b, a: (1 - b - var, var.sqrt())),
            "The old noise is multiplied by a variance: a square root is missing.",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: _generalised(x, x0, s, t, e, ab, eta**2 * (1 - ab[t] / ab[s])),
            "You used the variance of the step forward; going back it is smaller by (1 - alpha_bar[s]) / "
            "(1 - alpha_bar[t]).",
        ),
        Mistake(
            _eta_as_share,
            "You made eta the share of new noise in all noise. The ancestral step, eta = 1, keeps some old noise too.",
        ),
        Mistake(
            _eta_as_plain_share,
            "You shared the noise out as 1 - eta old and eta new. It is the squares of the two factors that must add "
            "up to 1 - alpha_bar[s]; and at eta = 1 some old noise stays.",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: (
                _generalised(x, x0, s, t, 0 * e, ab, eta * _ancestral_var(s, t, ab))
                + eta * _ancestral_var(s, t, ab).sqrt() * e
            ),
            "The new noise is right, and its variance is eta² times the ancestral one. You took eta times it from the "
            "old noise.",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: ddim_eta(x, x0, s, t, eta, e, ab) + (1 - ab[s].sqrt()) * x0,
            "The noise is right; the picture at s is shrunk by sqrt(alpha_bar[s]).",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: ddim_eta(x, x0, t - 1, t, eta, e, ab),
            "You stepped to t - 1; the step goes to s, however far that is.",
        ),
        Mistake(
            _eta_with(lambda var, b, a: (var.sqrt(), (1 - b - var).sqrt())),
            "Old and new noise have changed places: what is left of 1 - alpha_bar[s] goes with the eps you found.",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: _generalised(x, x0, s, t, e, ab, (eta * _ancestral_var(s, t, ab)).square()),
            "eta multiplied a variance where a standard deviation belongs: the new noise has eta times the "
            "*root* of the ancestral variance.",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: (
                ddim_eta(x, x0, s, t, 1.0, 0 * e, ab) + eta * _ancestral_var(s, t, ab).sqrt() * e
            ),
            "The new noise is right. Make room for just that: the old noise was reduced as for eta = 1.",
        ),
        Mistake(
            _eta_with(lambda var, b, a: ((1 - a - var).sqrt(), var.sqrt())),
            "The old noise has what is left of 1 - alpha_bar[t]; you are on the way to s, 1 - alpha_bar[s].",
        ),
        Mistake(
            _eta_with(lambda var, b, a: ((1 - b + var).sqrt(), var.sqrt())),
            "The old noise grew: make room for the new one, subtract its variance.",
        ),
        Mistake(
            lambda x, x0, s, t, eta, e, ab: ddim_eta(x, x0, s, t, eta, e, ab) + (ab[s] - ab[s].sqrt()) * x0,
            "The noise is right; the picture at s is multiplied by sqrt(alpha_bar[s]), the root is missing.",
        ),
    ),
    properties=(
        Property(
            lambda args, x: args[2] > 0 or bool((x - args[1]).abs().max() < 1e-4),
            "At s = 0 nothing is left but x0: no old noise, no new noise.",
        ),
    ),
    hints=(
        "At s, the noise must have the variance 1 - alpha_bar[s] in all. Part of it is new, the rest is "
        "the eps you found.",
        "New: var = eta² times the ancestral variance from t to s. Old: what is left of 1 - alpha_bar[s].",
        "Ancestral variance: (1 - alpha_bar[s]) / (1 - alpha_bar[t]) * (1 - alpha_bar[t] / alpha_bar[s]). "
        "Then three terms: x0, eps, noise.",
    ),
)


# ---------------------------------------------------------------- 6.4


def slerp(a, b, w):
    angle = ((a * b).sum() / (a.norm() * b.norm())).acos()
    return ((1 - w) * angle).sin() / angle.sin() * a + (w * angle).sin() / angle.sin() * b


def _slerp_inputs(generator, w=None, shape=(2, 3, 3), along=0.0):
    if w is None:
        w = 0.05 + 0.9 * float(torch.rand((), generator=generator))
    a, b = torch.randn(2, *shape, generator=generator)
    b = along * a + b
    return a, b * a.norm() / b.norm(), w  # equally long, so that the path is a circle


def _angle_by_rows(a, b, w):
    angle = ((a * b).sum(-1, keepdim=True) / (a.norm(dim=-1, keepdim=True) * b.norm(dim=-1, keepdim=True))).acos()
    return ((1 - w) * angle).sin() / angle.sin() * a + (w * angle).sin() / angle.sin() * b


def _cosine(a, b, dims=(0, 1, 2)):
    product, of_a, of_b = ((x * y).sum(dims, keepdim=True) for x, y in ((a, b), (a, a), (b, b)))
    return product / (of_a * of_b).sqrt()


def _slerp_of(angle_of):
    """Slerp with another angle."""

    def answer(a, b, w):
        angle = angle_of(a, b)
        return ((1 - w) * angle).sin() / angle.sin() * a + (w * angle).sin() / angle.sin() * b

    return answer


def _lerp(a, b, w):
    return (1 - w) * a + w * b


SLERP = Exercise(
    id="6.4",
    title="Slerp",
    reference=slerp,
    inputs=_slerp_inputs,
    edges=edges(
        _slerp_inputs,
        *({"w": w} for w in (0.0, 1.0, 0.5, 0.01)),
        {"along": 2.5},
        {"along": -2.5},
        {"shape": (1, 3, 3)},
        {"shape": (1, 1, 2)},
    ),
    linear=("a", "b"),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _lerp,
            "That is the straight line. Half-way, independent noises average to a variance of one half: they shrink.",
        ),
        Mistake(
            lambda a, b, w: _lerp(a, b, w) * _lerp(a.norm(), b.norm(), w) / _lerp(a, b, w).norm(),
            "You stretched the straight line to the right length. The path is right, but not the speed: "
            "equal w, equal angle.",
        ),
        Mistake(
            lambda a, b, w: _lerp(a, b, w) / ((1 - w) ** 2 + w**2) ** 0.5,
            "That is the straight line over its expected shrinkage: right on average, not for this a and b.",
        ),
        Mistake(lambda a, b, w: slerp(a, b, 1 - w), "a and b have changed places: w = 0 is a, w = 1 is b."),
        Mistake(
            lambda a, b, w: slerp(a, b, w) * ((a * b).sum() / (a.norm() * b.norm())).acos().sin(),
            "The division by sin(angle) is missing: at w = 0 you do not get a back.",
        ),
        Mistake(
            _angle_by_rows,
            "You took an angle for each row of pixels; the noise picture is one long vector with one angle.",
        ),
        Mistake(
            lambda a, b, w: slerp(a / a.norm(), b / b.norm(), w),
            "The directions are right but the length is 1: use unit vectors for the angle only, then mix a and b.",
        ),
        Mistake(
            lambda a, b, w: (
                ((1 - w) * (c := (a * b).sum() / (a.norm() * b.norm()))).sin() / c.sin() * a
                + (w * c).sin() / c.sin() * b
            ),
            "You used the cosine as if it were the angle: .acos() is missing.",
        ),
        Mistake(
            lambda a, b, w: (
                ((1 - w) * (c := ((a * b).sum() / (a.norm() * b.norm())).acos())).cos() * a + (w * c).cos() * b
            ),
            "You mixed with cosines; slerp has sines, over the sine of the whole angle.",
        ),
        Mistake(
            lambda a, b, w: math.cos(w * math.pi / 2) * a + math.sin(w * math.pi / 2) * b,
            "You took the angle for 90 degrees. Long noise comes close to that; measure it for this a and b.",
        ),
        Mistake(
            lambda a, b, w: (1 - w) ** 0.5 * a + w**0.5 * b,
            "Square roots of 1 - w and w keep the variance, but the angle does not grow evenly with w.",
        ),
        Mistake(
            _slerp_of(lambda a, b: _cosine(a, b, (1, 2)).acos()),
            "You took an angle for each channel; the noise picture is one long vector with one angle.",
        ),
        Mistake(
            _slerp_of(lambda a, b: _cosine(a, b).acos().rad2deg()),
            "You turned the angle into degrees; torch.sin takes what torch.acos gives.",
        ),
        Mistake(
            _slerp_of(lambda a, b: (_cosine(a, b) / a.numel()).acos()),
            "a · b is a sum over all numbers; you took their mean.",
        ),
        Mistake(
            _slerp_of(lambda a, b: _cosine(a, b).asin()),
            "You took the sine's inverse; a · b / (|a| |b|) is the cosine of the angle: .acos().",
        ),
        Mistake(
            _slerp_of(lambda a, b: _cosine(a, b).abs().acos()),
            "You dropped the cosine's sign: the angle may be larger than 90 degrees.",
        ),
        Mistake(
            _slerp_of(lambda a, b: _cosine(a, b).clamp(-0.9, 0.9).acos()),
            "You clipped the cosine to [-0.9, 0.9]; the angle may be smaller or larger than that allows.",
        ),
    ),
    properties=(
        Property(
            lambda args, x: args[2] != 0 or bool((x - args[0]).abs().max() < 1e-3),
            "At w = 0 you must get a back.",
        ),
        Property(
            lambda args, x: args[2] != 1 or bool((x - args[1]).abs().max() < 1e-3),
            "At w = 1 you must get b back.",
        ),
    ),
    hints=(
        "Walk along a circle, not along the chord. You need the angle between a and b, as long vectors.",
        "cos(angle) = a · b / (|a| |b|), summed over all numbers. The factors are sines, over sin(angle).",
        "sin((1 - w) angle) goes with a, sin(w angle) with b; both are divided by sin(angle).",
    ),
)


# ---------------------------------------------------------------- 6.5


class _Guess:
    """A guess of x0 that depends on all of x and on t, and notes whether it was asked."""

    def __init__(self, generator: torch.Generator):
        self.slope, self.offset = torch.rand(2, generator=generator).tolist()
        self.asked = False

    def __call__(self, x, t):
        self.asked = True
        t = torch.as_tensor(t).reshape(-1, *[1] * (x.ndim - 1))  # a number, or one for each picture
        return 1.5 * (0.4 + self.slope * t) * x.tanh() + 0.2 * x.roll(1, -1) + self.offset * (1 - t)


def generate(guess, x, times, alphas, sigmas):
    return _walk(guess, x, times, alphas, sigmas)


def _walk(guess, x, times, alphas, sigmas, step=None, asked=0, keep=None, turns=slice(None)):
    """The right walk but for its step, from (x, x0, alpha_t, sigma_t, alpha_s, sigma_s, start), or its bookkeeping.

    `asked`: 1 asks at the time where the step ends; `keep` says what x is asked and stepped from, given (x, start);
    `turns` are the steps that are taken.
    """
    start = x
    for k in range(len(times) - 1)[turns]:
        here = keep(x, start) if keep else x
        x0 = guess(here, times[k + asked])
        parts = alphas[k], sigmas[k], alphas[k + 1], sigmas[k + 1]
        x = step(here, x0, *parts, start) if step else ddim_step(here, x0, *parts)
    return x


def _walk_with(**changes):
    """The walk with one thing done otherwise."""
    return lambda g, x, times, alphas, sigmas: _walk(g, x, times, alphas, sigmas, **changes)


def _noise_found_once(guess, x, times, alphas, sigmas):
    """The noise found in the first step is kept to the end."""
    x0 = guess(x, times[0])
    eps = (x - alphas[0] * x0) / sigmas[0]
    for k in range(1, len(times)):
        x = alphas[k] * x0 + sigmas[k] * eps
        x0 = guess(x, times[k]) if k + 1 < len(times) else x0
    return x


def _last_guess(guess, x, times, alphas, sigmas):
    return guess(_walk(guess, x, times, alphas, sigmas, turns=slice(-1)), times[-2])


def _walk_inputs(generator, steps=None, batch=2, start=1.0, end=None):
    if steps is None:
        steps = int(torch.randint(3, 7, (), generator=generator))
    if end is None:
        end = 0.1 + 0.3 * float(torch.rand((), generator=generator))
    between = 0.6 + 0.8 * torch.rand(steps, generator=generator, dtype=torch.float64)  # uneven steps
    share = torch.cat([torch.zeros(1, dtype=torch.float64), between.cumsum(0) / between.sum()])
    times = start + (end - start) * share
    times[-1] = end
    alphas, sigmas = (1 - times) * 1.2, (1.3 * times).sin()
    return _Guess(generator), 1.5 * torch.randn(batch, 1, 3, 4, generator=generator), times, alphas, sigmas


def _never_asked(arguments) -> str | None:
    """What is amiss where the guess was never asked."""
    return None if arguments[0].asked else "guess was never called: it is asked once in every step, at x and its time."


def _one_jump(guess, x, times, alphas, sigmas):
    """One step from the first time to the last."""
    ends = [0, -1]
    return _walk(guess, x, times[ends], alphas[ends], sigmas[ends])


def _guess_of_guess(guess, x, times, alphas, sigmas):
    for t in times:
        x = guess(x, t)
    return x


WALK = Exercise(
    id="6.5",
    title="The walk from noise to picture",
    reference=generate,
    inputs=_walk_inputs,
    edges=edges(
        _walk_inputs, {"steps": 1}, {"steps": 2}, {"end": 0.0}, {"steps": 1, "end": 0.0}, {"start": 0.7}, {"batch": 1}
    ),
    remark=_never_asked,
    changes=("guess",),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            lambda g, x, times, a, s: g(x, times[0]),
            "guess was asked once and its answer returned: that is the article's code. A walk goes only as far as "
            "the next time, and asks again.",
        ),
        Mistake(
            _walk_with(keep=lambda x, start: start),
            "Every step starts from the first noise again: x has to become what the step before made of it.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: b * x0 + r * start),
            "The noise that you mix in at s is the start of the walk. Take it out of the present x: "
            "eps = (x - alpha_t x0) / sigma_t.",
        ),
        Mistake(
            _noise_found_once,
            "eps was found once, in the first step; x and the guess change, so it is found anew in each.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: x0),
            "x became the guess itself: no noise is left after the first step. Mix x0 and eps at the level of s.",
        ),
        Mistake(_walk_with(turns=slice(-1)), "The last step is missing: N + 1 times make N steps."),
        Mistake(_walk_with(turns=slice(1, None)), "The first step is missing: the walk begins at times[0]."),
        Mistake(_walk_with(turns=slice(1)), "Only the first step was taken: is `return` inside the loop?"),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: b * x0 + s * (x - a * x0) / s),
            "The noise keeps the level of t: at s it is multiplied by sigma_s.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: b * x0 + r * x),
            "You used x itself as the noise. Take the picture out of it first: eps = (x - alpha_t x0) / sigma_t.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: b * x0 + r * (x - x0) / s),
            "The picture sits in x shrunk by alpha_t: subtract alpha_t x0, not x0.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: b * x0 + r * (x - a * x0)),
            "x - alpha_t x0 is the noise times sigma_t: divide by sigma_t before you multiply by sigma_s.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: x0 + r * (x - a * x0) / s),
            "The noise is right; the picture at s is shrunk by alpha_s.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: a * x0 + r * (x - a * x0) / s),
            "The picture is still at the level of t: multiply x0 by alpha_s.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: b * x0),
            "The noise is gone: a step keeps the eps that it finds, and only lowers it to sigma_s.",
        ),
        Mistake(
            _walk_with(step=lambda x, x0, a, s, b, r, start: b * x0 - r * (x - a * x0) / s),
            "The noise is taken away; it is added, at the level sigma_s.",
        ),
        Mistake(
            _last_guess,
            "That is the last guess. It is where the walk ends only if the last time is 0; here x at times[-1] is "
            "asked for.",
        ),
        Mistake(
            lambda g, x, times, a, s: _walk(lambda y, t: g(y, t).clamp(-1, 1), x, times, a, s),
            "You clipped the guess to [-1, 1]. That is a choice of its own; here the guess is used as it is.",
        ),
        Mistake(
            lambda g, x, times, a, s: _walk(lambda y, t: g(y, times[0]), x, times, a, s),
            "guess was told times[0] in every step: hand it the time where x is.",
        ),
        Mistake(
            _one_jump,
            "That is a single step from the first time to the last, with one guess. A walk stops at every time "
            "between, and asks again.",
        ),
        Mistake(
            _guess_of_guess,
            "guess is fed with its own answers. Between two questions x is mixed anew: x0 and eps at the level of s.",
        ),
        Mistake(
            lambda g, x, times, a, s: _walk(g, x, torch.arange(len(times)), a, s),
            "guess was told the number of the step; it takes the time, times[k].",
        ),
        Mistake(
            _walk_with(asked=1),
            "guess was asked at s, the time where the step goes; x is still at t. Ask guess(x, t).",
        ),
    ),
    hints=(
        "A loop over the steps. In each: ask for the guess where you are, then take the DDIM step of 6.2 to the next "
        "time.",
        "for k in range(len(times) - 1): the step goes from times[k] to times[k + 1]; guess(x, times[k]) is asked "
        "before it.",
        "eps = (x - alphas[k] * x0) / sigmas[k], then x = alphas[k + 1] * x0 + sigmas[k + 1] * eps; return x after "
        "the loop.",
    ),
)
