"""Exercises of notebook 00: 0.1 pixels to the model's range, 0.2 a noisy picture, 0.3 the picture back."""

import torch

from .exercise import Exercise, Mistake, Property
from .inputs import edges, pictures


def to_model_range(pixels):
    return pixels / 127.5 - 1


def _pixels(generator, batch=3, channels=1, level=None, fractions=False):
    pixels = torch.randint(0, 256, (batch, channels, 4, 4), generator=generator).float()
    if fractions:
        pixels = 255 * torch.rand(pixels.shape, generator=generator)
    return (pixels if level is None else torch.full_like(pixels, level),)


RANGE = Exercise(
    id="0.1",
    title="Pixels to the model's range",
    reference=to_model_range,
    inputs=_pixels,
    edges=edges(
        _pixels, {"batch": 1}, {"channels": 3}, {"fractions": True}, *({"level": grey} for grey in (0.0, 255.0, 100.0))
    ),
    mistakes=(
        Mistake(
            lambda p: p / 255,
            "That is the range [0, 1]. Noise has mean 0, so pictures should too: the models here want [-1, 1].",
        ),
        Mistake(
            lambda p: p / 127.5,
            "That is the range [0, 2]: the width is right, now move it so that grey is 0.",
        ),
        Mistake(
            lambda p: p / 255 - 1,
            "That is the range [-1, 0]: shifted, but only half as wide as it should be.",
        ),
        Mistake(
            lambda p: p / 255 - 0.5,
            "That is the range [-0.5, 0.5]: centred, but only half as wide as it should be.",
        ),
        Mistake(lambda p: p - 127.5, "Centred, but still 255 wide: scale it to [-1, 1]."),
        Mistake(
            lambda p: p / 128 - 1,
            "Nearly: pixels end at 255, so 128 leaves white at 0.992. The middle is 127.5.",
        ),
        Mistake(
            lambda p: (p - p.mean()) / p.std(),
            "You standardised: that depends on the pictures of the batch. The range [-1, 1] is the same for all.",
        ),
        Mistake(
            lambda p: 2 * (p - p.min()) / (p.max() - p.min()) - 1,
            "You stretched this batch to its own darkest and brightest pixel; 0 and 255 are the ends, always.",
        ),
        Mistake(lambda p: 1 - p / 127.5, "Black and white have changed places: 0 becomes -1."),
        Mistake(
            lambda p: p / 127 - 1,
            "Nearly: pixels end at 255, so 127 puts white above 1. The middle is 127.5.",
        ),
        Mistake(
            lambda p: (p - 127) / 128,
            "Nearly: the middle of 0 and 255 is 127.5, and it is 127.5 wide to either side.",
        ),
        Mistake(
            lambda p: 2 * p - 1,
            "Doubling and shifting by 1 is for pictures in [0, 1]. These end at 255: divide by 255 first.",
        ),
        Mistake(
            lambda p: p * 127.5 - 1,
            "You multiplied by 127.5: that makes 0 to 255 wider still. Divide.",
        ),
        Mistake(
            lambda p: (p + 1) * 127.5,
            "That is the way back, from [-1, 1] to pixels.",
        ),
        Mistake(
            lambda p: (p / 127.5 - 1).round(),
            "You rounded: only -1, 0 and 1 are left of 256 levels.",
        ),
        Mistake(
            lambda p: p // 127.5 - 1,
            "`//` divides and rounds down: only -1, 0 and 1 are left of 256 levels. Divide with `/`.",
        ),
        Mistake(
            lambda p: p.floor() / 127.5 - 1,
            "You cut pixels to whole numbers first. They are floats: what stands behind the decimal point counts.",
        ),
        Mistake(
            lambda p: p.clamp(-1, 1),
            "You clipped the pixels to [-1, 1]: nearly all of them become 1. Scale them instead.",
        ),
        Mistake(
            lambda p: (p / 127.5 - 1).tanh(),
            "tanh bends the range, so that black and white are no longer -1 and 1: a straight line is wanted.",
        ),
        Mistake(
            lambda p: 2 * (p - p.amin((1, 2, 3), True)) / (p.amax((1, 2, 3), True) - p.amin((1, 2, 3), True)) - 1,
            "You stretched each picture to its own darkest and brightest pixel; 0 and 255 are the ends, always.",
        ),
    ),
    properties=(
        Property(
            lambda args, answer: bool((answer.abs() <= 1 + 1e-5).all()),
            "Some of your values lie outside [-1, 1].",
        ),
    ),
    hints=(
        "0 must become -1, and 255 must become 1. What becomes of the middle?",
        "Divide first, so that the width is 2; then shift.",
        "255 / 2 = 127.5.",
    ),
)

# ---------------------------------------------------------------- 0.2


def noisy(x0, noise, alpha, sigma):
    return alpha * x0 + sigma * noise


def _noisy_inputs(generator, batch=3, channels=1, pair=None):
    angle = 0.2 + 1.1 * torch.rand((), generator=generator)
    x0 = pictures(generator, batch, (channels, 4, 4))
    alpha, sigma = (angle.cos(), angle.sin()) if pair is None else map(torch.tensor, pair)
    return x0, 1.7 * torch.randn(x0.shape, generator=generator), alpha, sigma


_EDGES = edges(_noisy_inputs, {"batch": 1}, {"channels": 3}, {"pair": (1.0, 0.0)}, {"pair": (0.05, 0.99875)})


NOISY = Exercise(
    id="0.2",
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
            "The two factors do not add up to 1, their squares do. The noise has its own factor, sigma.",
        ),
        Mistake(
            lambda x, e, a, s: (1 - s) * x + s * e,
            "The two factors do not add up to 1, their squares do. The picture has its own factor, alpha.",
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
            "You divided by alpha + sigma, as for a mean. Their squares add up to 1: nothing to divide.",
        ),
    ),
    hints=(
        "Two things are added: a faded picture and some noise.",
        "What fades the picture is alpha; what lets noise in is sigma.",
        "It is the one sentence of this notebook, x_t = alpha x_0 + sigma noise, with Python's names.",
    ),
)

# ---------------------------------------------------------------- 0.3


def picture_back(x_t, noise, alpha, sigma):
    return (x_t - sigma * noise) / alpha


BACK = Exercise(
    id="0.3",
    title="The picture back",
    reference=picture_back,
    inputs=_noisy_inputs,
    edges=_EDGES,
    linear=("x_t", "noise"),
    mistakes=(
        Mistake(lambda x, e, a, s: x - s * e, "The noise is gone. What is left is the faded picture: undo alpha too."),
        Mistake(lambda x, e, a, s: (x - e) / a, "Only sigma times the noise was added: take that much away."),
        Mistake(lambda x, e, a, s: (x + s * e) / a, "The noise was added, so it has to be subtracted."),
        Mistake(
            lambda x, e, a, s: x / a - s * e,
            "The division by alpha is for both terms: put the subtraction in brackets.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s * e) * a, "alpha multiplied the picture on the way in: divide on the way out."
        ),
        Mistake(lambda x, e, a, s: (x - a * e) / s, "alpha and sigma have changed places."),
        Mistake(
            lambda x, e, a, s: a * x + s * e, "This adds noise once more. Solve x_t = alpha x_0 + sigma noise for x_0."
        ),
        Mistake(
            lambda x, e, a, s: x - e,
            "Only sigma times the noise was added, and what is left is the faded picture: undo alpha too.",
        ),
        Mistake(
            lambda x, e, a, s: x - s * e / a,
            "Only the noise was divided by alpha: both terms are, so put the subtraction in brackets.",
        ),
        Mistake(
            lambda x, e, a, s: x / a - e,
            "The division by alpha is right for x_t. The noise in it was multiplied by sigma, and is divided "
            "by alpha too.",
        ),
        Mistake(
            lambda x, e, a, s: a * x - s * e,
            "You multiplied by alpha, which fades the picture once more: take the noise away, then divide.",
        ),
        Mistake(
            lambda x, e, a, s: (x - s * e) / s,
            "alpha is what faded the picture: divide by alpha, not by sigma.",
        ),
        Mistake(
            lambda x, e, a, s: (x - (1 - a) * e) / a,
            "The noise was multiplied by sigma; 1 - alpha is not sigma, their squares add up to 1.",
        ),
    ),
    hints=(
        "It is an equation with one unknown, x_0. Everything else is given.",
        "Bring the noise term to the other side first.",
        "Then divide by what multiplies x_0.",
    ),
)
