"""Exercises of notebook 04, the denoiser: 4.1 the best answer at t = 1, 4.2 the best answer at any t, 4.3 x_0 from eps,
4.4 both from v, 4.5 the time embedding, 4.6 a residual block from its parts.

x_t = alpha x_0 + sigma eps; v = alpha eps - sigma x_0 (Salimans and Ho 2022); waves of time (Vaswani et al. 2017);
E[x_0 | x_t] over a finite data set is a softmax over its points; the block is that of Dhariwal and Nichol 2021.
"""

import math

import torch
from torch import nn
from torch.nn.functional import gelu, silu

from .exercise import Exercise, Mistake, Property
from .inputs import edges, pictures

# ---------------------------------------------------------------- 4.1


def best_at_one(x_t, data):
    return data.mean(0).expand_as(x_t)


def _one_inputs(generator, batch=5, number=None, brighter=0.0, channels=1):
    if number is None:
        number = int(torch.randint(6, 9, (), generator=generator))
    data = pictures(generator, number, (channels, 3, 4)) + brighter
    return torch.randn(batch, channels, 3, 4, generator=generator), data


def _nearest(x, data):
    return data[torch.cdist(x.flatten(1), data.flatten(1)).argmin(1)]


def _weighted(x, data):
    weights = (-torch.cdist(x.flatten(1), data.flatten(1)).square() / 2).softmax(1)
    return (weights @ data.flatten(1)).reshape(x.shape)


BEST_AT_ONE = Exercise(
    id="4.1",
    title="The best answer at t = 1",
    reference=best_at_one,
    inputs=_one_inputs,
    edges=edges(_one_inputs, {"batch": 1}, {"number": 1}, {"brighter": 1.5}, {"brighter": -1.5}, {"channels": 3}),
    mistakes=(
        Mistake(
            lambda x, data: x,
            "You returned the noise. At t = 1 alpha is 0, so it holds nothing of any picture.",
        ),
        Mistake(
            lambda x, data: torch.zeros_like(x),
            "Zero is the mean of the noise; the mean of the data need not be zero.",
        ),
        Mistake(
            _nearest,
            "You returned the nearest training picture. At t = 1 alpha is 0: x_t holds nothing of x_0, "
            "and near means nothing.",
        ),
        Mistake(
            _weighted,
            "You weighed the pictures by their distance from x_t. At t = 1 alpha is 0: all are equally likely.",
        ),
        Mistake(
            lambda x, data: data.mean().expand_as(x),
            "You averaged over the pixels too: the best answer is a picture, pixel by pixel.",
        ),
        Mistake(
            lambda x, data: data.mean(0),
            "The right picture, once: return one for each of the B inputs, (B, C, H, W).",
        ),
        Mistake(
            lambda x, data: data.mean(0, keepdim=True),
            "The right picture, but a batch of one: return one for each of the B inputs, (B, C, H, W).",
        ),
        Mistake(
            lambda x, data: data[: len(x)],
            "Training pictures, one each: a sample is not the best guess. The squared error wants the mean.",
        ),
        Mistake(
            lambda x, data: data[:1].expand_as(x),
            "One training picture for all: a sample is not the best guess. The squared error wants the mean.",
        ),
        Mistake(
            lambda x, data: data.median(0).values.expand_as(x),
            "That is the median, best for the absolute error. The squared error wants the mean.",
        ),
        Mistake(
            lambda x, data: (x + data.mean(0)) / 2,
            "You mixed in the noise; at t = 1 it says nothing about x_0.",
        ),
        Mistake(
            lambda x, data: x - x.mean(0) + data.mean(0),
            "You moved the noise to the right mean; at t = 1 the noise says nothing about x_0.",
        ),
        Mistake(
            lambda x, data: data.sum(0).expand_as(x),
            "That is the sum; the mean divides it by how many pictures there are.",
        ),
        Mistake(
            lambda x, data: data.mean((0, 1)).expand_as(x),
            "You averaged over the channels too: the best answer is a picture, channel by channel.",
        ),
        Mistake(
            lambda x, data: data.mean((0, 2, 3), keepdim=True).expand_as(x),
            "You averaged over rows and columns too: the best answer is a picture, pixel by pixel.",
        ),
        Mistake(
            lambda x, data: x.mean(0).expand_as(x),
            "That is the mean of the noise; the data's is asked for.",
        ),
        Mistake(
            lambda x, data: x.mean().expand_as(x),
            "That is the mean of the noise, one number; the mean of the data is asked for, a picture.",
        ),
        Mistake(
            lambda x, data: data.max(0).values.expand_as(x),
            "You took the brightest value of each pixel; the squared error wants the mean.",
        ),
        Mistake(
            lambda x, data: ((data.min(0).values + data.max(0).values) / 2).expand_as(x),
            "That is half-way between the extremes, best for the largest error. The squared error wants the mean.",
        ),
    ),
    properties=(
        Property(
            lambda args, answer: bool((answer - answer[:1]).abs().max() < 1e-4),
            "Your answer changes with x_t, but at t = 1 that is pure noise and says nothing about x_0.",
        ),
    ),
    hints=(
        "At t = 1, alpha = 0 and sigma = 1. How much of x_0 is in x_t?",
        "Nothing, so all training pictures are equally likely. Which single guess has the smallest mean squared error?",
        "The mean over the data, dimension 0; and the same one for all B inputs: .expand_as.",
    ),
)


# ---------------------------------------------------------------- 4.2


def best_answer(x_t, data, alpha, sigma):
    return _posterior_weights(x_t, data, alpha, sigma) @ data


def _posterior_weights(x_t, data, alpha, sigma):
    distance = (x_t[:, None] - alpha * data).square().sum(2)
    return (-distance / (2 * sigma**2)).softmax(1)


def _naive(x, data, a, s):
    likelihood = torch.exp(-torch.cdist(x, a * data).square() / (2 * s**2))
    return likelihood @ data / likelihood.sum(1, keepdim=True)


def _any_inputs(generator, batch=6, number=None, sigma=None, near=True, shift=0.0):
    """Points about sigma apart, so that several share the weight at every sigma; or, with `near=False`, far apart."""
    if number is None:
        number = int(torch.randint(5, 9, (), generator=generator))
    if sigma is None:
        sigma = 0.2 + 0.7 * float(torch.rand((), generator=generator))
    alpha = 0.4 + 0.55 * float(torch.rand((), generator=generator))
    data = 2 * torch.rand(number, 4, generator=generator) - 1
    if not near:
        return torch.randn(batch, 4, generator=generator), data, alpha, sigma
    centre = min(1.0, 4 * sigma) * data[:1]  # smaller with sigma, so that float32 knows the distances
    data = centre + sigma * torch.randn(number, 4, generator=generator) + shift
    x_t = alpha * data[torch.arange(batch) % number] + sigma * torch.randn(batch, 4, generator=generator)
    return x_t, data, alpha, sigma


BEST = Exercise(
    id="4.2",
    title="The best answer at any t",
    reference=best_answer,
    inputs=_any_inputs,
    edges=edges(
        _any_inputs,
        {"near": False},
        {"near": False, "sigma": 0.01},
        {"near": False, "sigma": 0.01, "batch": 1},
        {"sigma": 0.01},
        {"sigma": 0.05},
        {"sigma": 0.9},
        {"batch": 1},
        {"number": 1},
        {"shift": 4.0, "sigma": 0.5},
    ),
    tolerance=5e-5,  # at sigma = 0.01 float32 rounds the exponents by about 1e-3
    mistakes=(
        Mistake(
            _naive,
            "Right until sigma is small: then every exp(-distance² / (2 sigma²)) rounds to 0 and you "
            "divide 0 by 0. Give the exponents to torch.softmax.",
        ),
        Mistake(
            lambda x, data, a, s: best_answer(x, data, 1.0, s),
            "The points are compared with x_t at full size; in x_t they are shrunk to alpha x_0.",
        ),
        Mistake(
            lambda x, data, a, s: (-torch.cdist(x, a * data).square() / s**2).softmax(1) @ data,
            "The 2 in the exponent of the Gaussian is missing: distance² / (2 sigma²).",
        ),
        Mistake(
            lambda x, data, a, s: (-torch.cdist(x, a * data).square() / (2 * s)).softmax(1) @ data,
            "The exponent divides by the variance; you divided by sigma, which is the standard deviation.",
        ),
        Mistake(
            lambda x, data, a, s: (-torch.cdist(x, a * data) / (2 * s**2)).softmax(1) @ data,
            "The distance enters squared; the norm alone is not enough.",
        ),
        Mistake(
            lambda x, data, a, s: (torch.cdist(x, a * data).square() / (2 * s**2)).softmax(1) @ data,
            "The far points got the large weights: a minus sign is missing in the exponent.",
        ),
        Mistake(
            lambda x, data, a, s: (-torch.cdist(x, a * data).square() / (2 * s**2)).softmax(0) @ data,
            "Your weights add up to 1 over the batch; for each x_t they must add up to 1 over the data.",
        ),
        Mistake(
            lambda x, data, a, s: data[torch.cdist(x, a * data).argmin(1)],
            "You returned the nearest point. That is the limit of small sigma; before it, several points "
            "share the weight.",
        ),
        Mistake(
            lambda x, data, a, s: data.mean(0).expand_as(x),
            "That is the best answer at t = 1; here x_t tells which points are likelier.",
        ),
        Mistake(
            lambda x, data, a, s: a * best_answer(x, data, a, s),
            "You averaged the shrunk points alpha x_0; the question is about x_0.",
        ),
        Mistake(lambda x, data, a, s: x / a, "You scaled x_t back, noise and all."),
        Mistake(
            _posterior_weights,
            "Those are the weights of the points, one row per input; their average of the data is asked for.",
        ),
        Mistake(
            lambda x, data, a, s: (
                (w := torch.exp(-torch.cdist(x, a * data).square() / (2 * s**2)) + 1e-8) / w.sum(1, keepdim=True) @ data
            ),
            "You added a small number to the weights. Where sigma is small they all round to 0, and what you "
            "added is all that is left: give the exponents to torch.softmax.",
        ),
        Mistake(
            lambda x, data, a, s: (-torch.cdist(x, a * data).square()).softmax(1) @ data,
            "2 sigma² is missing under the distance: how far is far depends on sigma.",
        ),
        Mistake(
            lambda x, data, a, s: (-torch.cdist(x, a * data).square() / (4 * s**2)).softmax(1) @ data,
            "The 2 counts twice: distance² / (2 sigma²).",
        ),
        Mistake(
            lambda x, data, a, s: best_answer(x, data, math.sqrt(1 - s**2), s),
            "You used sqrt(1 - sigma²) for alpha. Not every schedule keeps the variance at 1: use the alpha "
            "you are given.",
        ),
        Mistake(
            lambda x, data, a, s: best_answer(x / a, data, 1.0, s),
            "Your exponents are the right ones over alpha². If you compare x_t / alpha with the data, the noise's "
            "spread is sigma / alpha too.",
        ),
        Mistake(
            lambda x, data, a, s: torch.exp(-torch.cdist(x, a * data).square() / (2 * s**2)) @ data,
            "The weights do not add up to 1: divide them by their sum, or give the exponents to torch.softmax.",
        ),
        Mistake(
            lambda x, data, a, s: best_answer(x, data, a, 2 * s),
            "Your exponents are a quarter of the right ones: the distance² is the sum of D squares, not their mean, "
            "and 2 sigma² divides it.",
        ),
    ),
    hints=(
        "Bayes: a point x_0 of the data is as likely as the Gaussian around alpha x_0 makes x_t. Average "
        "with these weights.",
        "The log-weight of a point is -‖x_t - alpha x_0‖² / (2 sigma²); torch.softmax over the points makes weights.",
        "x_t[:, None] - alpha * data has shape (B, N, D): square, sum over D, softmax over N, then weights @ data.",
    ),
)


# ---------------------------------------------------------------- 4.3


def x0_from_eps(x_t, eps, alpha, sigma):
    return (x_t - sigma * eps) / alpha


def _eps_inputs(generator, batch=3, alpha=None, sigma=None):
    def level(width):
        return 0.2 + width * torch.rand(batch, 1, 1, 1, generator=generator)

    x0 = pictures(generator, batch)
    eps = torch.randn(x0.shape, generator=generator)
    # alpha below 1, so that sqrt(1 - alpha²) is a number and gets its sentence
    alpha = level(0.75) if alpha is None else torch.full((batch, 1, 1, 1), alpha)
    sigma = level(1.0) if sigma is None else torch.full((batch, 1, 1, 1), sigma)
    return alpha * x0 + sigma * eps, eps, alpha, sigma


FROM_EPS = Exercise(
    id="4.3",
    title="x_0 from eps",
    reference=x0_from_eps,
    inputs=_eps_inputs,
    edges=edges(_eps_inputs, {"batch": 1}, {"alpha": 0.03}, {"sigma": 0.005}, {"alpha": 1.0, "sigma": 20.0}),
    linear=("x_t", "eps"),
    mistakes=(
        Mistake(lambda x, e, a, s: x - s * e, "That is alpha x_0, the picture still shrunk: divide by alpha."),
        Mistake(lambda x, e, a, s: x - e, "You took away noise of full strength; x_t holds sigma eps."),
        Mistake(
            lambda x, e, a, s: (x - e) / a,
            "You divided by alpha, but took away noise of full strength; x_t holds sigma eps.",
        ),
        Mistake(
            lambda x, e, a, s: x / a - s * e,
            "Only x_t was divided by alpha: both terms are, so take the noise away first.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s * e) * a,
            "Multiplied by alpha where one divides: that shrinks it twice.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s.square() * e) / a,
            "sigma is a standard deviation already; you squared it.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s.square() * e) / a.square(),
            "alpha and sigma are what multiplies, standard deviations already; you squared both.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s.sqrt() * e) / a.sqrt(),
            "You took square roots, but alpha and sigma are standard deviations already (alpha = sqrt(alpha_bar)).",
        ),
        Mistake(
            lambda x, e, a, s: (x - (1 - a.square()).sqrt() * e) / a,
            "You used sqrt(1 - alpha²) for sigma. Not every schedule keeps the variance at 1: use the "
            "sigma you are given.",
        ),
        Mistake(lambda x, e, a, s: (x + s * e) / a, "The sign of the noise is wrong: it was added, take it away."),
        Mistake(lambda x, e, a, s: (x - a * e) / s, "alpha and sigma have changed places."),
        Mistake(
            lambda x, e, a, s: (x - a * x) / s,
            "That is not solved for x_0: start from x_t = alpha x_0 + sigma eps.",
        ),
        Mistake(
            lambda x, e, a, s: x - s * e / a,
            "Only the noise was divided by alpha: both terms are, so take the noise away first.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s * e) / a.square(),
            "alpha is a standard deviation already; you squared it.",
        ),
        Mistake(
            lambda x, e, a, s: (x - (1 - a).sqrt() * e) / a.sqrt(),
            "You took alpha for alpha_bar, its square: no root is left to take, and the noise's factor is sigma.",
        ),
        Mistake(
            lambda x, e, a, s: (x - (1 - a) * e) / a,
            "The noise is multiplied by sigma; 1 - alpha is something else.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s * e) / s,
            "alpha is what multiplies the picture: divide by alpha, not by sigma.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s * e).clamp(-1, 1) / a,
            "You clipped alpha x_0 to [-1, 1]: numbers beyond it are part of the answer.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s[:1] * e) / a[:1],
            "You used the first picture's alpha and sigma for all; each has its own.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s.mean() * e) / a.mean(),
            "You used the batch's mean alpha and sigma; each picture has its own.",
        ),
        Mistake(
            lambda x, e, a, s: a * x - s * e,
            "You multiplied by alpha where one divides: take the noise away, then divide.",
        ),
        Mistake(
            lambda x, e, a, s: a * x + s * e,
            "This adds noise once more. Solve x_t = alpha x_0 + sigma eps for x_0.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s * e) / a.clamp_min(0.1),
            "You clipped alpha at 0.1 from below; a smaller alpha is allowed.",
        ),
    ),
    hints=(
        "Write down x_t = alpha x_0 + sigma eps and solve for x_0.",
        "Take the noise away first; what remains is alpha x_0.",
        "Subtract sigma * eps, then divide everything by alpha.",
    ),
)


# ---------------------------------------------------------------- 4.4


def from_v(x_t, v, alpha, sigma):
    return alpha * x_t - sigma * v, sigma * x_t + alpha * v


def _v_inputs(generator, batch=3, alpha=None):
    x0 = pictures(generator, batch)
    angle = 0.1 + 1.3 * torch.rand(batch, 1, 1, 1, generator=generator)
    eps, alphas, sigma = torch.randn(x0.shape, generator=generator), angle.cos(), angle.sin()
    if alpha is not None:
        alphas, sigma = torch.full_like(angle, alpha), torch.full_like(angle, (1 - alpha**2) ** 0.5)
    alpha = alphas
    return alpha * x0 + sigma * eps, alpha * eps - sigma * x0, alpha, sigma


FROM_V = Exercise(
    id="4.4",
    title="x_0 and eps from v",
    reference=from_v,
    inputs=_v_inputs,
    edges=edges(_v_inputs, {"batch": 1}, {"alpha": 0.0}, {"alpha": 1.0}, {"alpha": 0.6}),
    linear=("x_t", "v"),
    returns=("x0", "eps"),
    mistakes=(
        Mistake(
            lambda x, v, a, s: (a * x + s * v, s * x - a * v),
            "The signs of v are the wrong way round. With v = alpha eps - sigma x_0, a large v means much noise.",
        ),
        Mistake(
            lambda x, v, a, s: (s * x + a * v, a * x - s * v),
            "x0 and eps have changed places: return x0 first.",
        ),
        Mistake(
            lambda x, v, a, s: ((x - s * v) / a, (x - a * v) / s),
            "You treated v as if it were eps (and x_0). It is a mixture of both: solve the two equations together.",
        ),
        Mistake(
            lambda x, v, a, s: (s * x - a * v, a * x + s * v),
            "alpha and sigma have changed places.",
        ),
        Mistake(
            lambda x, v, a, s: (a.square() * x - s.square() * v, s.square() * x + a.square() * v),
            "alpha and sigma are standard deviations; you squared them.",
        ),
        Mistake(
            lambda x, v, a, s: (a * x - s * v, v),
            "eps: you returned v itself. v is eps only at t = 0.",
        ),
        Mistake(
            lambda x, v, a, s: (-v, s * x + a * v),
            "x0: you returned -v. That is x_0 only at t = 1.",
        ),
        Mistake(
            lambda x, v, a, s: (a * x - s * v, (x - a * (a * x + s * v)) / s),
            "eps: v has the wrong sign in it.",
        ),
        Mistake(
            lambda x, v, a, s: (a * x - s * v, x - a * (a * x - s * v)),
            "eps: x_t - alpha x0 is sigma eps; without dividing by sigma, take v as well: it is a mixture of both.",
        ),
        Mistake(
            lambda x, v, a, s: (a.sqrt() * x - s.sqrt() * v, s.sqrt() * x + a.sqrt() * v),
            "You took square roots; alpha and sigma are standard deviations already.",
        ),
        Mistake(
            lambda x, v, a, s: (x - s * v, x + a * v),
            "v is multiplied as it should be, x_t is not: alpha and sigma multiply it too.",
        ),
    ),
    properties=(
        Property(
            lambda args, answer: bool(torch.allclose(args[2] * answer[0] + args[3] * answer[1], args[0], atol=1e-4)),
            "Your x0 and eps do not give x_t back: alpha x0 + sigma eps must be x_t.",
        ),
    ),
    hints=(
        "Two equations, two unknowns: x_t = alpha x_0 + sigma eps and v = alpha eps - sigma x_0.",
        "(x_t, v) is (x_0, eps) turned by an angle, for alpha² + sigma² = 1. Turn it back.",
        "Multiply the first by alpha and the second by sigma and subtract: eps drops out. Then the other way for eps.",
    ),
)


# ---------------------------------------------------------------- 4.5


def embed(t, dim):
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000) / half * torch.arange(half, dtype=t.dtype))
    angles = 1000 * t[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


def _embed_with(change):
    """The embedding with one change, from (angles, t, frequencies)."""

    def answer(t, dim):
        frequencies = torch.exp(-math.log(10_000) / (dim // 2) * torch.arange(dim // 2, dtype=t.dtype))
        return change(1000 * t[:, None] * frequencies, t, frequencies)

    return answer


def _waves(angles):
    return torch.cat([angles.cos(), angles.sin()], 1)


def _embed_inputs(generator, times=None, dim=None):
    batch, half = torch.randint(3, 8, (2,), generator=generator).tolist()
    t = torch.rand(batch, generator=generator) if times is None else torch.tensor(times)
    return t, 2 * half if dim is None else dim


EMBED = Exercise(
    id="4.5",
    title="The time embedding",
    reference=embed,
    inputs=_embed_inputs,
    edges=edges(_embed_inputs, {"times": (0.3,)}, {"times": (0.0, 1.0, 0.5)}, {"dim": 4}, {"dim": 64}, {"dim": 2}),
    tolerance=5e-4,  # an angle of up to 1000 in float32 is known to 1000 * 6e-8, a few roundings more for w_k
    mistakes=(
        Mistake(
            _embed_with(lambda a, t, w: torch.cat([a.sin(), a.cos()], 1)),
            "Sines and cosines have changed places: cosines first.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: torch.stack([a.cos(), a.sin()], 2).flatten(1)),
            "Cosines and sines alternate in yours; here all cosines come first, then all sines.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: _waves(t[:, None] * w)),
            "The factor 1000 is missing: for t in [0, 1] the fastest wave has not even turned once.",
        ),
        Mistake(
            lambda t, dim: _waves(
                1000 * t[:, None] * torch.exp(-math.log(10_000) / dim * torch.arange(dim // 2, dtype=t.dtype))
            ),
            "You divided k by dim. D is the number of frequencies, dim / 2.",
        ),
        Mistake(
            lambda t, dim: _waves(
                1000
                * t[:, None]
                * torch.exp(-math.log(10_000) / (dim // 2 - 1) * torch.arange(dim // 2, dtype=t.dtype))
            ),
            "You divided k by D - 1, as some implementations do; the formula here divides by D.",
        ),
        Mistake(
            lambda t, dim: _waves(
                1000 * t[:, None] * torch.exp(-math.log(10_000) / (dim // 2) * torch.arange(1, dim // 2 + 1))
            ),
            "k starts at 0, so the first frequency is 1; yours starts at k = 1.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: _waves(2 * math.pi * a)),
            "A factor 2π slipped in: the formula has the cosine of 1000 t w_k itself.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: a),
            "Those are the angles; take their cosines and sines.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: a.cos()),
            "Those are the cosines only; the sines are missing, and with them the direction of time.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: torch.cat([a.cos(), a.sin()], 0)),
            "You joined cosines and sines along the batch; join them along dimension 1.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: torch.cat([a.cos(), a.cos()], 1)),
            "The cosines stand twice; the second half is sines.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: _waves(a.deg2rad())),
            "You took the angles for degrees; the cosine of torch takes them as they are.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: _waves(a.flip(1))),
            "The frequencies are in reverse order: k = 0, the fastest, comes first.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: _waves(a / 10)),
            "You multiplied t by 100; the factor is 1000.",
        ),
        Mistake(
            _embed_with(lambda a, t, w: _waves((1000 * t).round()[:, None] * w)),
            "You rounded 1000 t; t is any number in [0, 1].",
        ),
        Mistake(
            _embed_with(lambda a, t, w: _waves(1000 * t[:, None] * torch.linspace(1, 1e-4, len(w)))),
            "Your frequencies fall by equal amounts; they should fall by equal factors.",
        ),
    ),
    properties=(
        Property(
            lambda args, answer: bool((answer.abs() <= 1 + 1e-6).all()),
            "Cosines and sines lie in [-1, 1]; some of your values do not.",
        ),
        Property(
            lambda args, answer: bool(torch.allclose(answer[:, 0], (1000 * args[0]).cos(), atol=1e-3)),
            "The first column must be cos(1000 t): the frequency for k = 0 is 1.",
        ),
        Property(
            lambda args, answer: bool(
                torch.allclose(answer[:, args[1] // 2 - 1], embed(*args)[:, args[1] // 2 - 1], atol=1e-3)
            ),
            "The first wave is right but the last, k = D - 1, turns at the wrong rate: look at the sign and the "
            "denominator of the exponent.",
        ),
    ),
    hints=(
        "Three steps: the D frequencies, (D,); the angles, (B, D); their cosines and sines side by side, (B, 2D).",
        "t[:, None] * frequencies is (B, D): every time meets every frequency. torch.arange counts k.",
        "10000^(-k / D) is 10000 ** (-torch.arange(D) / D) with D = dim // 2; torch.cat([...], dim=1) "
        "joins the halves.",
    ),
)


# ---------------------------------------------------------------- 4.6

PARTS = ("norm1", "conv1", "film", "norm2", "conv2", "skip")


class _Parts(nn.Module):
    """The six parts of a residual block, which note that they were called; they have no order of their own."""

    def __init__(self, generator: torch.Generator, inputs: int, outputs: int, condition: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(1, inputs), nn.GroupNorm(2, outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.film = nn.Linear(condition, 2 * outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.called: list[str] = []
        for weight in self.parameters():
            weight.requires_grad_(False).copy_(0.8 * torch.randn(weight.shape, generator=generator))
        for name in PARTS:
            getattr(self, name).register_forward_hook(lambda *_, name=name: self.called.append(name))


def residual(x, c, parts):
    return _residual(x, c, parts)


def _residual(x, c, parts, act1=silu, act2=silu, act_c=silu, before=lambda h, a, b: h, modulate=None, after=None):
    """The right block, but for an activation, for what c does to h, or for the last line, from (h, x, parts)."""
    h = parts.conv1(act1(parts.norm1(x)))
    scale, shift = parts.film(act_c(c))[:, :, None, None].chunk(2, dim=1)
    h = parts.norm2(before(h, scale, shift))
    h = parts.conv2(act2(modulate(h, scale, shift) if modulate else h * (1 + scale) + shift))
    return after(h, x, parts) if after else parts.skip(x) + h


def _residual_with(**changes):
    """The block with one thing done otherwise."""
    return lambda x, c, parts: _residual(x, c, parts, **changes)


def _nothing(x):
    return x


def _activated_first(x, c, parts):
    h = parts.conv1(parts.norm1(silu(x)))
    scale, shift = parts.film(silu(c))[:, :, None, None].chunk(2, dim=1)
    return parts.skip(x) + parts.conv2(parts.norm2(silu(h)) * (1 + scale) + shift)


def _activated_x(x, c, parts):
    h = parts.conv1(parts.norm1(silu(x)))
    scale, shift = parts.film(silu(c))[:, :, None, None].chunk(2, dim=1)
    return parts.skip(x) + parts.conv2(silu(parts.norm2(h) * (1 + scale) + shift))


def _told_after_activation(x, c, parts):
    h = parts.norm2(parts.conv1(silu(parts.norm1(x))))
    scale, shift = parts.film(silu(c))[:, :, None, None].chunk(2, dim=1)
    return parts.skip(x) + parts.conv2(silu(h) * (1 + scale) + shift)


def _told_at_the_end(x, c, parts):
    h = parts.conv2(silu(parts.norm2(parts.conv1(silu(parts.norm1(x))))))
    scale, shift = parts.film(silu(c))[:, :, None, None].chunk(2, dim=1)
    return parts.skip(x) + h * (1 + scale) + shift


def _every_second(x, c, parts):
    h = parts.norm2(parts.conv1(silu(parts.norm1(x))))
    told = parts.film(silu(c))[:, :, None, None]
    return parts.skip(x) + parts.conv2(silu(h * (1 + told[:, 0::2]) + told[:, 1::2]))


def _skip_of_normalised(x, c, parts):
    return _residual(x, c, parts, after=lambda h, x, parts: parts.skip(parts.norm1(x)) + h)


def _never_called(arguments) -> str | None:
    """Which part was never called."""
    missing = [name for name in PARTS if name not in arguments[2].called]
    if not missing or len(missing) == len(PARTS):
        return "None of the parts was called; a block uses all six." if missing else None
    what = {
        "norm1": "it comes first, before the activation",
        "conv1": "it makes the new channels",
        "film": "without it the block is not told the time",
        "norm2": "it stands between conv1 and what c does",
        "conv2": "it is the last part of h",
        "skip": "it brings x to as many channels as h has",
    }[missing[0]]
    return f"parts.{missing[0]} was never called: {what}."


def _block_inputs(generator, batch=3, inputs=4, outputs=6):
    parts = _Parts(generator, inputs, outputs, condition=5)
    x = 1.7 * torch.randn(batch, inputs, 5, 4, generator=generator)
    return x, 1.5 * torch.randn(batch, 5, generator=generator), parts


RESIDUAL = Exercise(
    id="4.6",
    title="A residual block from its parts",
    reference=residual,
    inputs=_block_inputs,
    edges=edges(_block_inputs, {"batch": 1}, {"inputs": 1}, {"inputs": 6}, {"inputs": 8, "outputs": 2, "batch": 1}),
    changes=("parts",),
    remark=_never_called,
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _residual_with(after=lambda h, x, parts: h),
            "You return h alone: the input, through skip, is added to it. That is what makes the block residual.",
        ),
        Mistake(
            _residual_with(modulate=lambda h, scale, shift: h * scale + shift),
            "h is multiplied by 1 + scale: a film that answers 0 must change nothing.",
        ),
        Mistake(
            _residual_with(modulate=lambda h, scale, shift: h * (1 + shift) + scale),
            "scale and shift have changed places: the first half of film's answer is the scale.",
        ),
        Mistake(
            _residual_with(modulate=lambda h, scale, shift: h + shift),
            "You shift h, but do not scale it: multiply it by 1 + scale first.",
        ),
        Mistake(
            _residual_with(modulate=lambda h, scale, shift: h * (1 + scale)),
            "You scale h, but do not shift it: add the shift, too.",
        ),
        Mistake(
            _residual_with(modulate=lambda h, scale, shift: (h + shift) * (1 + scale)),
            "You shift first and scale then, which scales the shift as well: scale first.",
        ),
        Mistake(
            _residual_with(modulate=lambda h, scale, shift: h * scale.exp() + shift),
            "You multiply by exp(scale), as if the scale were a logarithm; here it is 1 + scale.",
        ),
        Mistake(
            _residual_with(modulate=lambda h, scale, shift: h * (1 + scale) - shift),
            "The shift is taken away; it is added.",
        ),
        Mistake(
            _residual_with(act1=_nothing),
            "The first activation is missing: silu stands between norm1 and conv1.",
        ),
        Mistake(
            _residual_with(act2=_nothing),
            "The second activation is missing: silu stands before conv2.",
        ),
        Mistake(
            _residual_with(act1=_nothing, act2=_nothing),
            "Both activations of h are missing: silu stands before each convolution.",
        ),
        Mistake(
            _residual_with(act_c=_nothing),
            "c went into film as it is; silu comes first there, too.",
        ),
        Mistake(
            _residual_with(act1=_nothing, act2=_nothing, act_c=_nothing),
            "There is no activation in your block: silu stands before conv1, before film and before conv2.",
        ),
        Mistake(
            _residual_with(act1=torch.relu, act2=torch.relu, act_c=torch.relu),
            "You used ReLU; here the activation is SiLU, x times sigmoid(x).",
        ),
        Mistake(
            _residual_with(act1=torch.sigmoid, act2=torch.sigmoid, act_c=torch.sigmoid),
            "You used the sigmoid alone; SiLU is x times sigmoid(x).",
        ),
        Mistake(
            _residual_with(act1=gelu, act2=gelu, act_c=gelu),
            "You used GELU; here the activation is SiLU, x times sigmoid(x).",
        ),
        Mistake(
            _residual_with(before=lambda h, scale, shift: h * (1 + scale) + shift, modulate=lambda h, a, b: h),
            "You scale and shift before norm2, which undoes most of it again: first norm2, then scale and shift.",
        ),
        Mistake(
            _told_after_activation,
            "You scale and shift after the second activation: it comes after them.",
        ),
        Mistake(
            _told_at_the_end,
            "You scale and shift what conv2 returns: do it before the second activation.",
        ),
        Mistake(
            _activated_first,
            "You activate first and normalise then: it is norm, activation, convolution.",
        ),
        Mistake(
            _activated_x,
            "silu goes over x before norm1: normalise first, then activate.",
        ),
        Mistake(
            _residual_with(after=lambda h, x, parts: silu(parts.skip(x) + h)),
            "The sum goes out as it is, without a further activation.",
        ),
        Mistake(
            _residual_with(after=lambda h, x, parts: (parts.skip(x) + h) / math.sqrt(2)),
            "You divided the sum by sqrt(2), as some networks do; here it goes out as it is.",
        ),
        Mistake(
            _residual_with(after=lambda h, x, parts: parts.skip(x) - h),
            "h is taken away; it is added.",
        ),
        Mistake(
            _skip_of_normalised,
            "skip is handed the normalised x: hand it x itself, so that the input goes through unchanged.",
        ),
        Mistake(
            _every_second,
            "You took every second number of film's answer: the scale is its first half, the shift its second.",
        ),
    ),
    hints=(
        "h goes through norm1, silu, conv1; then norm2, what c does, silu, conv2; and at the end skip(x) is added.",
        "parts.film(silu(c)) is (B, 2 outputs). With [:, :, None, None] it fits pictures; .chunk(2, dim=1) halves it.",
        "After norm2: h * (1 + scale) + shift. The last line returns parts.skip(x) + h.",
    ),
)
