"""Exercises of notebook 09: 9.1 a latent and its price, 9.2 the latents' scale, 9.3 a look at the words.

9.1 is equation 10 of Kingma & Welling 2014 with its reparameterisation, 9.2 the scaling of Rombach et al. 2022
(appendix G) for each channel, 9.3 equation 1 of Vaswani et al. 2017.
"""

import torch

from .exercise import Exercise, Mistake
from .inputs import edges

# ---------------------------------------------------------------- 9.1


def latent_and_price(mean, log_variance, noise):
    kl = (mean**2 + log_variance.exp() - 1 - log_variance) / 2
    return mean + (log_variance / 2).exp() * noise, kl.flatten(1).sum(1)


def _latent_with(spread=lambda lv: (lv / 2).exp(), kl=lambda m, lv: (m**2 + lv.exp() - 1 - lv) / 2, total=None):
    """The right answer but for the spread of z, the KL of each number, or how that is added up."""
    total = total or (lambda each: each.flatten(1).sum(1))
    return lambda mean, log_variance, noise: (mean + spread(log_variance) * noise, total(kl(mean, log_variance)))


def _latent_inputs(generator, batch=3, mean=1.4, log_variance=None):
    shape = batch, 4, 2, 3
    m, drawn, noise = (torch.randn(shape, generator=generator) for _ in range(3))
    spread = 1.8 * drawn - 0.7 if log_variance is None else torch.full(shape, log_variance)
    return mean * m, spread, noise


LATENT = Exercise(
    id="9.1",
    title="A latent and its price",
    reference=latent_and_price,
    inputs=_latent_inputs,
    returns=("latent z", "KL"),
    edges=edges(
        _latent_inputs,
        {"batch": 1},
        {"log_variance": 0.0},
        {"log_variance": -9.0},
        {"mean": 0.0},
    ),
    mistakes=(
        Mistake(
            _latent_with(spread=lambda lv: lv.exp()),
            "You multiplied the noise by the variance: a standard deviation is its root, (log_variance / 2).exp().",
        ),
        Mistake(
            _latent_with(spread=lambda lv: lv),
            "You multiplied the noise by the log-variance; the exponential of half of it is the standard deviation.",
        ),
        Mistake(
            _latent_with(spread=lambda lv: lv / 2),
            "Half of the log-variance is the log of the standard deviation: take its exponential.",
        ),
        Mistake(
            _latent_with(spread=lambda lv: torch.ones_like(lv)),
            "Your z has noise of size 1 wherever it is; its size is what the encoder says, (log_variance / 2).exp().",
        ),
        Mistake(
            _latent_with(spread=lambda lv: 0 * lv),
            "Your z is the mean alone: without noise nobody would learn what a wide Gaussian costs the picture.",
        ),
        Mistake(
            _latent_with(spread=lambda lv: -(lv / 2).exp()),
            "The noise is taken away from the mean; it is added. On average that is the same, but the check hands you "
            "the noise.",
        ),
        Mistake(
            lambda m, lv, noise: ((lv / 2).exp() * noise, _latent_with()(m, lv, noise)[1]),
            "Your z has no mean: it is the mean plus the noise.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: (m**2 + lv.exp() - 1 + lv) / 2),
            "z is right; in the KL the log-variance has the wrong sign. At mean 0 and variance 1 it must be smallest.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: m**2 + lv.exp() - 1 - lv),
            "z is right; the KL is twice too large: a half stands in front.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: (m**2 + lv.exp() - lv) / 2),
            "z is right; in the KL a 1 is missing: between two equal Gaussians it must be 0.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: (m**2 + (lv / 2).exp() - 1 - lv) / 2),
            "z is right; in the KL stands the variance, log_variance.exp(), not the standard deviation.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: (lv.exp() - 1 - lv) / 2),
            "z is right; in the KL the mean is missing: a Gaussian far from 0 has its price, too.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: (m.abs() + lv.exp() - 1 - lv) / 2),
            "z is right; in the KL the mean is squared.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: (m + lv.exp() - 1 - lv) / 2),
            "z is right; in the KL the mean is squared: as it is, a negative one would lower the price.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: -(m**2 + lv.exp() - 1 - lv) / 2),
            "z is right; the KL has the wrong sign: it is never negative.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: (m**2 / lv.exp() + 1 / lv.exp() - 1 + lv) / 2),
            "z is right; that is the KL the other way round, from the standard Gaussian to the encoder's.",
        ),
        Mistake(
            _latent_with(kl=lambda m, lv: m**2 / 2 + 0 * lv),
            "z is right; the KL counts the mean alone. The variance has its price, too.",
        ),
        Mistake(
            _latent_with(total=lambda each: each.flatten(1).mean(1)),
            "z is right; the KL of a picture is the sum over its numbers, not their mean.",
        ),
        Mistake(
            _latent_with(total=lambda each: each.sum()),
            "z is right; you added the KL over the whole batch: each picture has its own.",
        ),
        Mistake(
            _latent_with(total=lambda each: each.mean()),
            "z is right; you took the KL's mean over everything: each picture has its own sum.",
        ),
        Mistake(
            _latent_with(total=lambda each: each),
            "z is right; the KL is still one for each number: add those of a picture.",
        ),
        Mistake(
            _latent_with(total=lambda each: each.sum(1)),
            "z is right; the KL is added over the channels only: add over the places, too.",
        ),
        Mistake(
            _latent_with(total=lambda each: each.sum(0)),
            "z is right; you added the KL over the batch: keep one for each picture.",
        ),
    ),
    hints=(
        "z is a draw from N(mean, variance) made of noise from N(0, 1). The KL between Gaussians is that of notebook "
        "03, with the mean 0 and the variance 1 on the other side.",
        "The standard deviation is (log_variance / 2).exp(). One number's KL is (mean² + variance - 1 - log "
        "variance) / 2; add them over all but the first dimension.",
        "z = mean + (log_variance / 2).exp() * noise, and "
        "((mean**2 + log_variance.exp() - 1 - log_variance) / 2).flatten(1).sum(1).",
    ),
)


# ---------------------------------------------------------------- 9.2


def scale_latents(latents):
    mean = latents.mean((0, 2, 3))[:, None, None]
    std = latents.std((0, 2, 3))[:, None, None]
    return (latents - mean) / std, mean, std


def _scaled_with(dims=(0, 2, 3), scaled=lambda z, m, s: (z - m) / s, spread=lambda z, dims: z.std(dims, keepdim=True)):
    def answer(latents):
        mean, std = latents.mean(dims, keepdim=True), spread(latents, dims)
        drop = (lambda part: part[0]) if 0 in dims else (lambda part: part)
        return scaled(latents, mean, std), drop(mean), drop(std)

    return answer


def _scale_inputs(generator, batch=5, size=3, shift=2.0, spread=None):
    centre = shift * torch.randn(4, 1, 1, generator=generator)
    width = 0.4 + 3 * torch.rand(4, 1, 1, generator=generator) if spread is None else torch.full((4, 1, 1), spread)
    return (centre + width * torch.randn(batch, 4, size, size, generator=generator),)


SCALE = Exercise(
    id="9.2",
    title="The latents' scale",
    reference=scale_latents,
    inputs=_scale_inputs,
    returns=("scaled latents", "mean", "standard deviation"),
    tolerance=3e-5,
    edges=edges(
        _scale_inputs, {"batch": 1}, {"shift": 0.0}, {"spread": 0.05}, {"spread": 9.0}, {"size": 1, "batch": 40}
    ),
    mistakes=(
        Mistake(
            _scaled_with(scaled=lambda z, m, s: (z - m) / s**2),
            "You divided by the variance: the standard deviation is what makes the variance 1.",
        ),
        Mistake(
            _scaled_with(scaled=lambda z, m, s: (z - m) * s),
            "You multiplied by the standard deviation: divide, so that what spreads widely is drawn together.",
        ),
        Mistake(
            _scaled_with(scaled=lambda z, m, s: z / s),
            "The spread is right, but the mean stayed: take it away before you divide.",
        ),
        Mistake(
            _scaled_with(scaled=lambda z, m, s: z - m),
            "The mean is gone, but the spread is as before: divide by the standard deviation.",
        ),
        Mistake(
            _scaled_with(scaled=lambda z, m, s: z / s - m),
            "You divided first and took the whole mean away afterwards: take it away before you divide.",
        ),
        Mistake(
            _scaled_with(scaled=lambda z, m, s: z * s + m),
            "That is the way back, from scaled latents to those of the encoder.",
        ),
        Mistake(
            _scaled_with(scaled=lambda z, m, s: (z + m) / s),
            "You added the mean: take it away.",
        ),
        Mistake(
            _scaled_with(scaled=lambda z, m, s: z),
            "Mean and standard deviation are right, but the latents are not scaled yet: use them.",
        ),
        Mistake(
            _scaled_with(spread=lambda z, dims: z.var(dims, keepdim=True)),
            "What you call the standard deviation is the variance: take its root.",
        ),
        Mistake(
            _scaled_with(spread=lambda z, dims: z.std(dims, keepdim=True, unbiased=False)),
            "You divided by n under the root; here .std() as torch has it by default is asked for, with n - 1.",
        ),
        Mistake(
            _scaled_with(spread=lambda z, dims: (z - z.mean(dims, keepdim=True)).abs().mean(dims, keepdim=True)),
            "That is the mean distance from the mean, not the standard deviation.",
        ),
        Mistake(
            _scaled_with(spread=lambda z, dims: z.square().mean(dims, keepdim=True).sqrt()),
            "Your spread is measured from 0: it is measured from the mean.",
        ),
        Mistake(
            _scaled_with(spread=lambda z, dims: z.abs().amax(dims, keepdim=True)),
            "You divided by the largest value; the standard deviation is asked for.",
        ),
        Mistake(
            _scaled_with(spread=lambda z, dims: z.amax(dims, keepdim=True) - z.amin(dims, keepdim=True)),
            "You divided by the range; the standard deviation is asked for.",
        ),
        Mistake(
            lambda z: (
                (z - z.mean()) / z.std(),
                z.mean().expand(z.shape[1], 1, 1),
                z.std().expand(z.shape[1], 1, 1),
            ),
            "Your mean and deviation are the same for all channels: each channel has its own.",
        ),
        Mistake(
            lambda z: ((z - z.mean()) / z.std(), z.mean(), z.std()),
            "You took one mean and one deviation of all channels together: each channel has its own.",
        ),
        Mistake(
            lambda z: (scale_latents(z)[0], scale_latents(z)[1].flatten(), scale_latents(z)[2].flatten()),
            "The numbers are right; give mean and deviation the shape (C, 1, 1), so that they fit a picture.",
        ),
        Mistake(
            lambda z: (scale_latents(z)[0], scale_latents(z)[2], scale_latents(z)[1]),
            "Mean and standard deviation are returned in the wrong order.",
        ),
    ),
    hints=(
        "One mean and one standard deviation for each channel. Over which dimensions of (N, C, H, W) do you take them?",
        "Over 0, 2 and 3: latents.mean((0, 2, 3)) has the shape (C,). Give it two dimensions more, (C, 1, 1).",
        "mean = latents.mean((0, 2, 3))[:, None, None], std likewise, and (latents - mean) / std.",
    ),
)


# ---------------------------------------------------------------- 9.3


def look(q, k, v):
    shares = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1)
    return shares @ v, shares


def _look_with(score=lambda q, k: q @ k.mT / q.shape[-1] ** 0.5, shares=lambda a: a.softmax(-1), seen=None):
    seen = seen or (lambda p, q, k, v: p @ v)

    def answer(q, k, v):
        part = shares(score(q, k))
        return seen(part, q, k, v), part

    return answer


def _look_inputs(generator, batch=2, pixels=5, words=3, size=1.2, dim=4):
    q = size * torch.randn(batch, pixels, dim, generator=generator)
    k = 1.2 * torch.randn(batch, words, dim, generator=generator)
    return q, k, 5 * torch.randn(batch, words, dim, generator=generator)


LOOK = Exercise(
    id="9.3",
    title="A look at the words",
    reference=look,
    inputs=_look_inputs,
    returns=("what is seen", "shares"),
    tolerance=3e-5,
    edges=edges(
        _look_inputs, {"batch": 1}, {"words": 1}, {"pixels": 1}, {"size": 0.0}, {"size": 6.0}, {"dim": 1}, {"words": 9}
    ),
    mistakes=(
        Mistake(
            _look_with(score=lambda q, k: q @ k.mT),
            "The products are not divided by the root of d: with many numbers in a query they would be huge.",
        ),
        Mistake(
            _look_with(score=lambda q, k: q @ k.mT / q.shape[-1]),
            "You divided by d: divide by its root.",
        ),
        Mistake(
            _look_with(score=lambda q, k: q @ k.mT * q.shape[-1] ** 0.5),
            "You multiplied by the root of d: divide by it.",
        ),
        Mistake(
            _look_with(score=lambda q, k: q @ k.mT / k.shape[-2] ** 0.5),
            "You divided by the root of the number of words; d is how many numbers a query has.",
        ),
        Mistake(
            _look_with(score=lambda q, k: q @ k.mT / q.shape[-2] ** 0.5),
            "You divided by the root of the number of pixels; d is how many numbers a query has.",
        ),
        Mistake(
            _look_with(shares=lambda a: a.softmax(-2)),
            "The shares sum to 1 over the pixels: each pixel divides its own attention, so over the words.",
        ),
        Mistake(
            _look_with(shares=lambda a: a.softmax(0)),
            "The shares sum to 1 over the batch: each pixel divides its own attention, so over the words.",
        ),
        Mistake(
            _look_with(shares=lambda a: a),
            "The products are not shares yet: the softmax makes them positive, with the sum 1.",
        ),
        Mistake(
            _look_with(shares=lambda a: a.exp()),
            "The exponentials are not divided by their sum: the shares of a pixel must add up to 1.",
        ),
        Mistake(
            _look_with(shares=lambda a: a.sigmoid()),
            "A sigmoid judges each word by itself; in a softmax the words compete, and the shares add up to 1.",
        ),
        Mistake(
            _look_with(shares=lambda a: a / a.sum(-1, keepdim=True)),
            "You divided the products by their sum, which may be negative or 0: take the softmax.",
        ),
        Mistake(
            _look_with(shares=lambda a: (-a).softmax(-1)),
            "The sign is turned: a pixel looks most at the word whose key fits its query best.",
        ),
        Mistake(
            _look_with(shares=lambda a: a.log_softmax(-1)),
            "Those are the logs of the shares: take softmax, not log_softmax.",
        ),
        Mistake(
            _look_with(shares=lambda a: (a == a.amax(-1, keepdim=True)).to(a.dtype)),
            "Each pixel looks at one word only. The softmax gives every word its share.",
        ),
        Mistake(
            _look_with(shares=lambda a: torch.full_like(a, 1 / a.shape[-1])),
            "Every word has the same share: queries and keys are not used.",
        ),
        Mistake(
            _look_with(seen=lambda p, q, k, v: p @ k),
            "The shares are right, but you mixed the keys: what a pixel takes home are the values.",
        ),
        Mistake(
            _look_with(seen=lambda p, q, k, v: q + p @ v),
            "The shares are right, but you added the query. The layer adds something later; it is not asked for here.",
        ),
        Mistake(
            _look_with(seen=lambda p, q, k, v: p @ v / v.shape[-2]),
            "The shares are right; you divided by the number of words once more, and they sum to 1 already.",
        ),
        Mistake(
            _look_with(seen=lambda p, q, k, v: v.mean(-2, keepdim=True).expand(*q.shape[:-1], v.shape[-1])),
            "The shares are right, but what is seen is the plain mean of the values: weight them by the shares.",
        ),
        Mistake(
            _look_with(score=lambda q, k: k.new_zeros(()) + (q @ k.mT) / k.norm(dim=-1)[..., None, :]),
            "You divided by the length of the keys; the root of d is one number for all.",
        ),
    ),
    hints=(
        "The product of a query and a key says how well they fit: q @ k.mT holds all of them, (B, P, L).",
        "Divide by the root of d, the last size of q, and take the softmax over the words, the last dimension.",
        "shares = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1), and shares @ v is what is seen.",
    ),
)
