"""Exercises of notebook 00: 0.1 a noisy picture, 0.2 the noise in it, 0.3 the walk from noise to a picture.

0.3 is DDIM (Song, Meng and Ermon 2021, equation 12) on the straight schedule, alpha = 1 - t and sigma = t.
"""

from itertools import pairwise

import torch
from torch import Tensor

from .exercise import Exercise, Mistake
from .inputs import edges, pictures

# ---------------------------------------------------------------- 0.1


def noisy(x0, noise, alpha, sigma):
    return alpha * x0 + sigma * noise


def _noisy_inputs(generator, batch=3, channels=1, pair=None):
    angle = 0.2 + 1.1 * torch.rand((), generator=generator)
    x0 = pictures(generator, batch, (channels, 4, 4))
    alpha, sigma = (angle.cos(), angle.sin()) if pair is None else map(torch.tensor, pair)
    return x0, 1.7 * torch.randn(x0.shape, generator=generator), alpha, sigma


_EDGES = edges(_noisy_inputs, {"batch": 1}, {"channels": 3}, {"pair": (1.0, 0.0)}, {"pair": (0.05, 0.99875)})


NOISY = Exercise(
    id="0.1",
    title="A noisy picture",
    reference=noisy,
    inputs=_noisy_inputs,
    edges=(*_EDGES, *edges(_noisy_inputs, {"pair": (0.0, 1.0)})),
    linear=("x0", "noise"),
    mistakes=(
        Mistake(lambda x, e, a, s: x + s * e, "The noise is right. The picture fades as well: alpha multiplies it."),
        Mistake(lambda x, e, a, s: a * x + e, "The picture is right. The noise is let in by sigma: multiply it too."),
        Mistake(lambda x, e, a, s: s * x + a * e, "alpha and sigma have changed places: alpha goes with the picture."),
        Mistake(
            lambda x, e, a, s: a**2 * x + s**2 * e,
            "You squared alpha and sigma. They multiply the picture and the noise as they are.",
        ),
        Mistake(
            lambda x, e, a, s: a.sqrt() * x + s.sqrt() * e,
            "You took square roots. alpha and sigma are ready to use: no root is left to take.",
        ),
        Mistake(lambda x, e, a, s: a * x - s * e, "The noise is added, not taken away."),
        Mistake(lambda x, e, a, s: a * x, "The picture fades as it should, but no noise comes in."),
        Mistake(lambda x, e, a, s: a * x * s * e, "Signal and noise are added, not multiplied."),
        Mistake(
            lambda x, e, a, s: a * x + s**2 * e,
            "The picture is right. sigma is a standard deviation: it multiplies the noise as it is, you squared it.",
        ),
        Mistake(
            lambda x, e, a, s: a * x + (1 - a) * e,
            "That holds where alpha + sigma = 1, and here any pair may come: the noise has its own factor, sigma.",
        ),
        Mistake(
            lambda x, e, a, s: (1 - s) * x + s * e,
            "That holds where alpha + sigma = 1, and here any pair may come: the picture has its own factor, alpha.",
        ),
        Mistake(
            lambda x, e, a, s: a.sqrt() * x + (1 - a).sqrt() * e,
            "You took alpha for alpha_bar, its square: no root is left to take, and the noise's factor is sigma.",
        ),
        Mistake(
            lambda x, e, a, s: a * x + s,
            "The noise itself is missing: sigma multiplies it.",
        ),
        Mistake(
            lambda x, e, a, s: a * (x + s * e),
            "alpha multiplies the picture alone, not the noise.",
        ),
        Mistake(
            lambda x, e, a, s: (a * x + s * e) / (a + s),
            "You divided by alpha + sigma, as for a mean. The sentence divides by nothing.",
        ),
    ),
    hints=(
        "Two things are added: a faded picture and some noise.",
        "What fades the picture is alpha; what lets noise in is sigma.",
        "It is the one sentence of this notebook, x_t = alpha x_0 + sigma noise, with Python's names.",
    ),
)

# ---------------------------------------------------------------- 0.2


def noise_in(x_t, x0, t):
    return (x_t - (1 - t) * x0) / t


def _mixed_inputs(generator, batch=3, channels=1, t=None):
    x0 = pictures(generator, batch, (channels, 4, 4))
    noise = 1.7 * torch.randn(x0.shape, generator=generator)
    t = 0.1 + 0.8 * torch.rand((), generator=generator).item() if t is None else t
    return (1 - t) * x0 + t * noise, x0 + 0.3 * torch.randn(x0.shape, generator=generator), t


NOISE = Exercise(
    id="0.2",
    title="The noise in a picture",
    reference=noise_in,
    inputs=_mixed_inputs,
    edges=edges(_mixed_inputs, {"batch": 1}, {"channels": 3}, {"t": 1.0}, {"t": 0.05}),
    linear=("x_t", "x0"),
    mistakes=(
        Mistake(
            lambda x, x0, t: (x - t * x0) / (1 - t),
            "alpha and sigma have changed places: the picture is in x_t with 1 - t, the noise with t.",
        ),
        Mistake(
            lambda x, x0, t: x - (1 - t) * x0,
            "The picture is gone. What is left is t times the noise: undo that factor, too.",
        ),
        Mistake(
            lambda x, x0, t: (x - x0) / t,
            "Only a part of the picture is in x_t, 1 - t of it: take away that much.",
        ),
        Mistake(
            lambda x, x0, t: x - x0,
            "Only 1 - t of the picture is in x_t, and what is left is t times the noise: undo that factor, too.",
        ),
        Mistake(
            lambda x, x0, t: (x + (1 - t) * x0) / t,
            "The picture was added, so it has to be subtracted.",
        ),
        Mistake(
            lambda x, x0, t: x / t - (1 - t) * x0,
            "The division by t is for both terms: put the subtraction in brackets.",
        ),
        Mistake(
            lambda x, x0, t: x - (1 - t) * x0 / t,
            "Only the picture was divided by t: both terms are, so put the subtraction in brackets.",
        ),
        Mistake(
            lambda x, x0, t: (x - (1 - t) * x0) * t,
            "The noise was multiplied by t on the way in: divide on the way out.",
        ),
        Mistake(
            lambda x, x0, t: ((1 - t) * x0 - x) / t,
            "That is minus the noise: take the picture away from x_t, not x_t from the picture.",
        ),
        Mistake(
            lambda x, x0, t: (1 - t) * x0 + t * x,
            "This mixes once more. Solve x_t = (1 - t) x_0 + t noise for the noise.",
        ),
        Mistake(
            lambda x, x0, t: (x - t * x0) / t,
            "The picture is in x_t with the factor 1 - t, not t.",
        ),
        Mistake(
            lambda x, x0, t: (x - (1 - t) * x0) / (1 - t) if t < 1 else x / 0.0,
            "You divided by what multiplies the picture, 1 - t; the noise was multiplied by t.",
        ),
        Mistake(
            lambda x, x0, t: (x - (1 - t**2) ** 0.5 * x0) / t,
            "Here alpha is 1 - t: the two factors add up to 1, not their squares.",
        ),
    ),
    hints=(
        "It is an equation with one unknown, the noise. Everything else is given.",
        "Put alpha = 1 - t and sigma = t into the one sentence, and bring the picture's part to the other side.",
        "Then divide by what multiplies the noise.",
    ),
)

# ---------------------------------------------------------------- 0.3


def draw(denoise, x, times):
    for t, s in pairwise(times):
        x0 = denoise(x, t)
        x = (1 - s) * x0 + s * noise_in(x, x0, t)
    return x


class _Guess:
    """A denoiser for the check: any smooth function of x and t, whose answer to another time is another."""

    def __init__(self, slope: float, shift: float):
        self.slope, self.shift = slope, shift

    def __call__(self, x: Tensor, t: float) -> Tensor:
        return 6 * torch.tanh(self.slope * x / 4) * (1 + t) / 2 + self.shift * (1 - t)


def _walk_inputs(generator, steps=None, batch=2):
    steps = int(torch.randint(3, 7, (), generator=generator)) if steps is None else steps
    slope, shift = (0.3 + torch.rand(2, generator=generator)).tolist()
    gaps = 0.3 + torch.rand(steps, generator=generator, dtype=torch.float64)
    inner = (1 - gaps.cumsum(0) / gaps.sum()).tolist()[:-1]
    return _Guess(slope, shift), 1.7 * torch.randn(batch, 1, 4, 4, generator=generator), [1.0, *inner, 0.0]


def _walk_with(ask=None, noise=None, mix=None):
    """The right walk but for the time that is asked about, the noise, or the mixture."""

    def answer(denoise, x, times):
        start = x
        for t, s in pairwise(times):
            x0 = denoise(x, ask(t, s) if ask else t)
            found = noise(x, x0, t, start) if noise else noise_in(x, x0, t)
            x = mix(x, x0, found, t, s) if mix else (1 - s) * x0 + s * found
        return x

    return answer


WALK = Exercise(
    id="0.3",
    title="The walk",
    reference=draw,
    inputs=_walk_inputs,
    edges=edges(_walk_inputs, {"steps": 1}, {"steps": 2}, {"batch": 1}, {"steps": 12}),
    mistakes=(
        Mistake(
            lambda denoise, x, times: denoise(x, times[0]),
            "That is the very first guess: a blur. Ask anew at each of the times.",
        ),
        Mistake(
            _walk_with(mix=lambda x, x0, e, t, s: x0),
            "You went on with the guess itself. It has no noise, and the denoiser expects that of time s: mix it in.",
        ),
        Mistake(
            _walk_with(mix=lambda x, x0, e, t, s: (1 - t) * x0 + t * e),
            "x comes back as it was. Each step has to mix for the next time, s, and to put that into x.",
        ),
        Mistake(
            _walk_with(noise=lambda x, x0, t, start: start),
            "You mixed in the noise of the very start at each step. Take the noise that is in x now.",
        ),
        Mistake(
            _walk_with(noise=lambda x, x0, t, start: x),
            "You mixed in x as if it were all noise: it holds a part of the picture, which has to be taken out.",
        ),
        Mistake(
            _walk_with(ask=lambda t, s: s),
            "You asked the denoiser about time s, but x is still at time t.",
        ),
        Mistake(
            _walk_with(ask=lambda t, s: 1.0),
            "You told the denoiser the same time at every step: its guess depends on how noisy x is, t.",
        ),
        Mistake(
            _walk_with(noise=lambda x, x0, t, start: x - (1 - t) * x0),
            "What is left when the picture's part is taken away is t times the noise: divide by t.",
        ),
        Mistake(
            _walk_with(noise=lambda x, x0, t, start: x - x0),
            "In the noise: only 1 - t of the picture is in x, and what is left then is t times the noise.",
        ),
        Mistake(
            _walk_with(noise=lambda x, x0, t, start: (x - x0) / t),
            "In the noise: only 1 - t of the picture is in x. Take away that much.",
        ),
        Mistake(
            _walk_with(mix=lambda x, x0, e, t, s: s * x0 + (1 - s) * e),
            "In the mixture, picture and noise have changed places: at s = 0 only the picture is left.",
        ),
        Mistake(
            _walk_with(mix=lambda x, x0, e, t, s: x0 + s * e),
            "In the mixture, the picture has the factor 1 - s.",
        ),
        Mistake(
            _walk_with(mix=lambda x, x0, e, t, s: (1 - s) * x0 + e),
            "In the mixture, the noise has the factor s.",
        ),
        Mistake(
            _walk_with(mix=lambda x, x0, e, t, s: (1 - s) * x + s * e),
            "In the mixture stands x where the guess of the picture belongs.",
        ),
        Mistake(
            lambda denoise, x, times: draw(denoise, x, times[:2]),
            "Only the first step was taken. Does `return` stand inside the loop?",
        ),
        Mistake(
            lambda denoise, x, times: draw(denoise, x, times[:-1]),
            "The last step is missing, the one to time 0: some noise is left.",
        ),
        Mistake(
            _walk_with(mix=lambda x, x0, e, t, s: x + (t - s) * (x0 - x)),
            "You went the share t - s of the way to the guess. It is (t - s) / t: what is left of the way is t, not 1.",
        ),
    ),
    hints=(
        "A step has three lines: guess; find the noise; mix for the time s. You have written the last two.",
        "The guess is denoise(x, t). The noise that would then be in x is what Exercise 0.2 computes.",
        "x = (1 - s) * guess + s * noise, and after the loop: return x.",
    ),
)
