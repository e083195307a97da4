"""Exercises of notebook 11, evaluation: 11.1 what a patch says, 11.2 the Fréchet distance, 11.3 a test for copies.

11.1 is the sum of Kamb and Ganguli 2024 for one place, 11.2 the distance of two Gaussians (Dowson and Landau 1982), and
11.3 a test in the spirit of Meehan, Chaudhuri and Dasgupta 2020: are samples nearer to what was trained on than to as
many fresh data?
"""

import torch

from .exercise import Exercise, Mistake
from .inputs import edges

# ---------------------------------------------------------------- 11.1


def patch_guess(noised, clean, middles, alpha, sigma):
    return _squared(noised, alpha * clean).div(-2 * sigma**2).softmax(1) @ middles


def _squared(a, b):
    """Squared distances (B, M) between rows (B, K) and (M, K)."""
    return (a[:, None] - b).square().sum(2)


def _guess_with(scores=None, answer=None):
    """The right guess but for its scores (B, M), from all arguments, or for what is made of its weights."""

    def wrong(noised, clean, middles, alpha, sigma):
        arguments = noised, clean, middles, alpha, sigma
        found = scores(*arguments) if scores else _squared(noised, alpha * clean) / (-2 * sigma**2)
        return answer(found, *arguments) if answer else found.softmax(1) @ middles

    return wrong


def _patch_inputs(generator, batch=4, count=6, sigma=None, far=1.0):
    clean = torch.randn(count, 5, generator=generator)
    middles = 2.5 * torch.randn(count, generator=generator)
    alpha = 0.3 + 0.5 * torch.rand((), generator=generator).item()
    sigma = 0.5 + 0.8 * torch.rand((), generator=generator).item() if sigma is None else sigma
    rows = torch.randint(count, (batch,), generator=generator)
    noised = alpha * clean[rows] + far * max(sigma, 0.3) * torch.randn(batch, 5, generator=generator)
    return noised, clean, middles, alpha, sigma


PATCH_GUESS = Exercise(
    id="11.1",
    title="What a patch says about its middle",
    reference=patch_guess,
    inputs=_patch_inputs,
    edges=edges(_patch_inputs, {"batch": 1}, {"count": 1}, {"sigma": 0.02, "far": 10.0}, {"sigma": 3.0}),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _guess_with(lambda x, c, m, a, s: _squared(x, c) / (-2 * s**2)),
            "You compare with the clean patches. The noised patch is alpha times one of them, and noise.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: _squared(x, a * c) / (-(s**2))),
            "The factor 2 is missing: the Gaussian has -|…|² / (2 sigma²) in its exponent.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: _squared(x, a * c) / (-2 * s)),
            "You divide by sigma where its square belongs, which is the noise's variance.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: _squared(x, a * c) / (-((2 * s) ** 2))),
            "You squared the 2 as well: it is 2 sigma², not (2 sigma)².",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: -_squared(x, a * c)),
            "The noise does not stand in your weights: divide by 2 sigma². At little noise one patch has to win.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: _squared(x, a * c) / (2 * s**2)),
            "The sign: a patch that is far away has to weigh less, not more.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: _squared(x, a * c).sqrt() / (-2 * s**2)),
            "You took the distance itself; in the exponent stands its square.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: (x[:, None] - a * c).square().mean(2) / (-2 * s**2)),
            "You took the mean over the pixels of the patch. The noises of the pixels are independent, so their "
            "squares add up.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: (x[:, None] - a * c).abs().sum(2) / (-2 * s**2)),
            "You summed absolute differences; Gaussian noise has squares in the exponent.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: _squared(x / a, c) / (-2 * s**2)),
            "You divided by alpha and left the noise as it was: in x / alpha it has the size sigma / alpha.",
        ),
        Mistake(
            _guess_with(lambda x, c, m, a, s: x @ c.T * a / s**2),
            "The scalar product alone favours patches with much contrast: what is missing is alpha² |clean|² / 2.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: m[score.argmax(1)]),
            "You took the nearest patch alone. The best guess is a mean over all of them, with their weights.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: score.softmax(1)),
            "These are the weights. What is asked for is the mean of the middles with these weights.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: score.softmax(1) @ c),
            "That is the mean of the patches. Only the pixel in the middle is asked for.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: score.softmax(0) @ m),
            "Your weights sum to 1 over the noised patches; they have to over the clean ones, which are dimension 1.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: score.exp() @ m),
            "Your weights do not sum to 1: divide by their sum, or use softmax.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: a * (score.softmax(1) @ m)),
            "The guess is of the clean pixel: no alpha stands before it.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: m.mean().expand(len(x))),
            "That is the mean of all middles, whatever the patch shows: weigh them.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: (score.softmax(1) @ m).mean()),
            "That is one number for all; each noised patch has a guess of its own.",
        ),
        Mistake(
            _guess_with(answer=lambda score, x, c, m, a, s: score @ m),
            "These are the exponents, not weights: they still have to go through softmax.",
        ),
    ),
    hints=(
        "It is the weighted mean of notebook 04 (line 3 there), with patches where the pictures stood.",
        "Three lines: all squared distances |noised - alpha clean|², (B, M); divided by -2 sigma² and through softmax "
        "over the clean patches; the mean of the middles with these weights.",
        "squared = (noised[:, None] - alpha * clean).square().sum(2), and (-squared / (2 * sigma**2)).softmax(1) @ "
        "middles.",
    ),
)


# ---------------------------------------------------------------- 11.2


def frechet_of(a, b):
    return _frechet_with()(a, b)


def _root(matrix):
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def _cross(ca, cb):
    half = _root(ca)
    return torch.linalg.eigvalsh(half @ cb @ half).clamp(min=0).sqrt().sum()


def _covariance(x):
    return torch.atleast_2d(x.T.cov())


def _means(a, b):
    return (a.mean(0) - b.mean(0)).square().sum()


def _frechet_with(means=_means, covariance=_covariance, spread=None):
    """The right distance but for the part of the means, from (a, b), the covariances, or the part made of these."""

    def answer(a, b):
        ca, cb = covariance(a), covariance(b)
        return means(a, b) + (spread(ca, cb) if spread else ca.trace() + cb.trace() - 2 * _cross(ca, cb))

    return answer


def _feature_inputs(generator, rows=(24, 16), dim=3):
    sets = []  # far from flat: in float32, the root of an eigenvalue near 0 is mostly rounding
    for count in rows:
        turn = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
        mix = torch.linspace(0.8, 2.2, dim)[:, None] * turn
        sets.append(torch.randn(count, dim, generator=generator) @ mix + 1.2 * torch.randn(dim, generator=generator))
    return tuple(sets)


FRECHET = Exercise(
    id="11.2",
    title="The Fréchet distance of two sets of features",
    reference=frechet_of,
    inputs=_feature_inputs,
    edges=edges(_feature_inputs, {"rows": (16, 16)}, {"rows": (60, 12)}, {"dim": 2}),
    tolerance=5e-5,
    mistakes=(
        Mistake(
            _frechet_with(means=lambda a, b: _means(a, b).sqrt()),
            "The means' distance has to be squared: |m_a - m_b|², without a root.",
        ),
        Mistake(
            _frechet_with(means=lambda a, b: (a.mean(0) - b.mean(0)).square().mean()),
            "You took the mean over the squared differences of the means; they are summed.",
        ),
        Mistake(
            _frechet_with(means=lambda a, b: 0.0),
            "The means are missing: two clouds of one form far apart would score 0.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: 0.0),
            "The covariances are missing: a single repeated picture, their mean, would score 0.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: ca.trace() + cb.trace() - _cross(ca, cb)),
            "The factor 2 before the root is missing: two equal sets would not score 0.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: ca.trace() + cb.trace() - 2 * (ca @ cb).trace()),
            "The root of C_a C_b is missing: the units do not agree, and two equal sets do not score 0.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: ca.trace() + cb.trace() - 2 * (ca @ cb).trace().sqrt()),
            "You took the root of the trace. What is asked for is the trace of the root.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: ca.trace() + cb.trace() - 2 * (ca @ cb).abs().sqrt().trace()),
            "You took the root of each number. The root of a matrix is another matrix, whose square it is: take the "
            "roots of the eigenvalues.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: ca.trace() + cb.trace() - 2 * (_root(ca) @ _root(cb)).trace()),
            "The root of a product is not the product of the roots, unless the matrices commute.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: (ca.diag().sqrt() - cb.diag().sqrt()).square().sum()),
            "You used the variances alone. The covariances beside the diagonal count as well.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: (ca - cb).square().sum()),
            "You squared the difference of the covariances; they are squares already. It is the difference of their "
            "roots, so to speak: C_a + C_b - 2 (C_a C_b)^½.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: ca.trace() + cb.trace() + 2 * _cross(ca, cb)),
            "The sign before the root: it is subtracted.",
        ),
        Mistake(
            _frechet_with(spread=lambda ca, cb: ca.sum() + cb.sum() - 2 * _cross(ca, cb)),
            "You summed all of the covariances. The trace is the sum of the diagonal.",
        ),
        Mistake(
            _frechet_with(covariance=lambda x: x.T.cov(correction=0)),
            "Your covariances divide by N. Divide by N - 1, since the mean was measured on the same N rows.",
        ),
        Mistake(
            _frechet_with(covariance=lambda x: x.T @ x / len(x)),
            "You did not subtract the mean before you squared.",
        ),
        Mistake(
            _frechet_with(covariance=lambda x: x.T.corrcoef()),
            "These are correlations. The covariances also say how wide the clouds are.",
        ),
        Mistake(
            lambda a, b: frechet_of(a, b).sqrt(),
            "That is the root of it. It is customary to leave the distance squared, as in the formula.",
        ),
        Mistake(
            lambda a, b: frechet_of(a, b) / a.shape[1],
            "You divided by the number of features; nobody does.",
        ),
    ),
    hints=(
        "Two parts: how far apart the means are, and how different the covariances.",
        "Covariances: a.T.cov(). The trace of (C_a C_b)^½ is the sum of the roots of the eigenvalues of C_a C_b.",
        "torch.linalg.eigvals(a.T.cov() @ b.T.cov()).real.clamp(min=0).sqrt().sum() is the trace of the root.",
    ),
)


# ---------------------------------------------------------------- 11.3


def share_nearer(samples, train, fresh):
    return (_nearest(samples, train) < _nearest(samples, fresh)).to(samples.dtype).mean()


def _apart(samples, others):
    """All differences (B, N, D) of pictures (B, …) and (N, …)."""
    return samples.flatten(1)[:, None] - others.flatten(1)


def _nearest(samples, others, power=2.0):
    return torch.linalg.vector_norm(_apart(samples, others), ord=power, dim=2).amin(1)


def _share_with(compare):
    """A share of samples by another comparison, from distances (B, N) to training and (B, M) to fresh pictures."""

    def answer(samples, train, fresh):
        to_train, to_fresh = (_apart(samples, others).norm(dim=2) for others in (train, fresh))
        return compare(to_train, to_fresh).to(samples.dtype).mean()

    return answer


def _copy_inputs(generator, batch=12, count=5, near=None):
    shape = (1, 3, 3)
    train, fresh = torch.randn(2, count, *shape, generator=generator)
    near = 0.5 if near is None else near
    samples = 1.1 * torch.randn(batch, *shape, generator=generator)
    copies = round(near * batch)
    rows = torch.randint(count, (copies,), generator=generator)
    samples[:copies] = train[rows] + 0.6 * torch.randn(copies, *shape, generator=generator)
    return samples, train, fresh


SHARE_NEARER = Exercise(
    id="11.3",
    title="Nearer to the training set",
    reference=share_nearer,
    inputs=_copy_inputs,
    edges=edges(_copy_inputs, {"count": 1}, {"batch": 1}, {"near": 1.0}, {"near": 0.0}),
    tolerance=1e-5,
    mistakes=(
        Mistake(
            lambda samples, train, fresh: 1 - share_nearer(samples, train, fresh),
            "That is the share that is nearer to the fresh pictures. A copier would score 0.",
        ),
        Mistake(
            _share_with(lambda a, b: a.mean(1) < b.mean(1)),
            "You compare mean distances. A copy is near to one picture and as far as ever from the others: take the "
            "nearest.",
        ),
        Mistake(
            _share_with(lambda a, b: a.amax(1) < b.amax(1)),
            "You took the farthest picture; take the nearest.",
        ),
        Mistake(
            _share_with(lambda a, b: a.amin(0) < b.amin(0)),
            "You asked, of each picture of the two sets, for the nearest sample. Ask, of each sample, for the nearest "
            "picture: the smallest number along dimension 1.",
        ),
        Mistake(
            lambda samples, train, fresh: (_nearest(samples, train) < _nearest(samples, fresh)).double().sum(),
            "That is the number of samples. Their share was asked for: divide by how many there are.",
        ),
        Mistake(
            lambda samples, train, fresh: (_nearest(samples, train) < _nearest(samples, fresh)).double(),
            "That is an answer for each sample: take their mean.",
        ),
        Mistake(
            lambda samples, train, fresh: (_nearest(samples, train) / _nearest(samples, fresh)).mean(),
            "That is the mean ratio of the two distances; the share of samples was asked for.",
        ),
        Mistake(
            lambda samples, train, fresh: _nearest(samples, fresh).mean() - _nearest(samples, train).mean(),
            "That is a difference of mean distances; the share of samples was asked for.",
        ),
        Mistake(
            _share_with(lambda a, b: a.amin(1) < b.amin(1) / 2),
            "You ask for less than half of the distance; any sample that is nearer counts.",
        ),
        Mistake(
            _share_with(lambda a, b: a.amin() < b.amin()),
            "You took the smallest of all distances. Each sample has a nearest picture of its own.",
        ),
        Mistake(
            _share_with(lambda a, b: a[:, 0] < b[:, 0]),
            "You compare with one picture of each set; look for the nearest.",
        ),
        Mistake(
            _share_with(lambda a, b: a < b),
            "You compare pictures pair by pair. First find the nearest one in each set.",
        ),
        Mistake(
            lambda samples, train, fresh: (
                (_nearest(samples, train, 1.0) < _nearest(samples, fresh, 1.0)).double().mean()
            ),
            "You summed absolute differences; the distance here is the root of the summed squares.",
        ),
        Mistake(
            lambda samples, train, fresh: (
                (_nearest(samples, train, float("inf")) < _nearest(samples, fresh, float("inf"))).double().mean()
            ),
            "You took the largest difference of a pixel; the distance here is the root of the summed squares.",
        ),
        Mistake(
            lambda samples, train, fresh: (
                (_apart(samples, train).sum(2).abs().amin(1) < _apart(samples, fresh).sum(2).abs().amin(1))
                .double()
                .mean()
            ),
            "You summed the differences before squaring them, so that they cancel.",
        ),
    ),
    hints=(
        "Two distances for each sample: to the nearest training picture, to the nearest fresh one. How often is the "
        "first smaller?",
        "torch.cdist(samples.flatten(1), train.flatten(1)) holds all distances, (B, N); the nearest is its smallest "
        "number along dimension 1.",
        "With to_train and to_fresh as these smallest numbers: (to_train < to_fresh).float().mean().",
    ),
)
