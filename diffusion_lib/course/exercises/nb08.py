"""Exercises of notebook 08: 8.1 hidden labels, 8.2 the guided guess, 8.3 a part that is known, 8.4 the way up again.

8.1 and 8.2 are lines 3 and 7 of algorithms 1 and 2 of Ho & Salimans 2022, 8.3 is appendix I.2 of Song et al. 2021
(SDE), 8.4 the resampling of Lugmayr et al. 2022.
"""

import torch

from .exercise import Exercise, Mistake
from .inputs import edges, pictures

# ---------------------------------------------------------------- 8.1


def hide_labels(labels, draws, share):
    return torch.where(draws < share, torch.full_like(labels, -1), labels)


def _label_inputs(generator, batch=24, share=None):
    labels = torch.randint(1, 10, (batch,), generator=generator)
    draws = torch.rand(batch, generator=generator)
    if batch > 1:
        labels[0], draws[0], draws[1] = 0, 0.05, 0.95
    share = 0.2 + 0.2 * float(torch.rand((), generator=generator)) if share is None else share
    return labels, draws, share


def _as_numbers(arguments, result):
    """Labels are whole numbers; they are compared as any others."""
    return result.to(torch.float32) if isinstance(result, torch.Tensor) else result


HIDE = Exercise(
    id="8.1",
    title="Hidden labels",
    reference=hide_labels,
    inputs=_label_inputs,
    observe=_as_numbers,
    edges=edges(_label_inputs, {"batch": 1}, {"share": 0.0}, {"share": 1.0}, {"share": 0.9}),
    mistakes=(
        Mistake(
            lambda labels, draws, share: torch.where(draws < share, 0, labels),
            "You put 0 for a hidden label; 0 is a class, the digit zero. Nothing asked for is -1.",
        ),
        Mistake(
            lambda labels, draws, share: torch.where(draws > share, -1, labels),
            "You hide the labels whose draw is above the share, so most of them: hide those below it.",
        ),
        Mistake(
            lambda labels, draws, share: torch.full_like(labels, -1) if draws[0] < share else labels,
            "One draw decides about the whole batch: each label has a draw of its own.",
        ),
        Mistake(
            lambda labels, draws, share: torch.where(draws < 1 - share, -1, labels),
            "You hide a share of 1 - share: share is how many are hidden, not how many stay.",
        ),
        Mistake(
            lambda labels, draws, share: torch.where(draws < share, -labels, labels),
            "You turned the sign of the hidden labels; they all become -1, whatever they were.",
        ),
        Mistake(
            lambda labels, draws, share: torch.where(draws < share, labels - 1, labels),
            "You took 1 away from the hidden labels, which makes them other classes: they all become -1.",
        ),
        Mistake(
            lambda labels, draws, share: torch.full_like(labels, -1),
            "All labels are hidden: only those whose draw is below the share become -1.",
        ),
        Mistake(
            lambda labels, draws, share: labels + 0,
            "No label is hidden: those whose draw is below the share become -1.",
        ),
        Mistake(
            lambda labels, draws, share: (draws < share).long(),
            "That says which labels are hidden. What is wanted are the labels, with -1 in the place of those.",
        ),
        Mistake(
            lambda labels, draws, share: torch.where(draws < share, 10, labels),
            "You put 10 for a hidden label; here the null label is -1.",
        ),
        Mistake(
            lambda labels, draws, share: torch.where(torch.arange(len(labels)) < share * len(labels), -1, labels),
            "You hid the first ones of the batch; which ones are hidden is for the draws to say.",
        ),
        Mistake(
            lambda labels, draws, share: torch.where(draws < share, 1, labels),
            "You put 1 for a hidden label; 1 is a class, the digit one. Nothing asked for is -1.",
        ),
        Mistake(
            lambda labels, draws, share: torch.where(
                draws <= draws.sort().values[int(share * (len(draws) - 1))], -1, labels
            ),
            "You hide a fixed number of labels in each batch. Each label is decided by its own draw alone.",
        ),
    ),
    hints=(
        "Each label has its own draw, a number evenly spread from 0 to 1. Which draws happen with probability share?",
        "Those below share. torch.where(condition, a, b) takes a where the condition holds, and b elsewhere.",
        "torch.where(draws < share, -1, labels).",
    ),
)


# ---------------------------------------------------------------- 8.2


class _Guess:
    """What a denoiser answers."""

    def __init__(self, x0, eps):
        self.x0, self.eps = x0, eps


class _Labelled:
    """A denoiser that knows five classes and the null label -1, and notes whether it was asked."""

    def __init__(self, generator: torch.Generator):
        self.table = torch.randn(6, generator=generator)
        self.slope = 0.5 + float(torch.rand((), generator=generator))
        self.asked = False

    def __call__(self, x, t, labels):
        self.asked = True
        if not isinstance(labels, torch.Tensor) or labels.ndim != 1:
            raise TypeError(f"labels is {labels}: give a tensor with one label for each picture, also for nothing")
        if len(labels) != len(x):
            raise ValueError(f"{len(labels)} labels for {len(x)} pictures: give one for each")
        own = self.table.to(x)[labels + 1].reshape(-1, *[1] * (x.ndim - 1))
        x0 = own + (self.slope + own) * (x + t).sin() + 0.3 * x.roll(1, -1)
        return _Guess(x0, (1.7 + own) * (x - t).cos() - own)


def guided_guess(denoise, x, t, labels, scale):
    return _guide(denoise, x, t, labels, scale, lambda u, c, w: u + w * (c - u))


def _guide(denoise, x, t, labels, scale, mix, mix_eps=None, null=-1):
    nothing, asked = denoise(x, t, torch.full_like(labels, null)), denoise(x, t, labels)
    return mix(nothing.x0, asked.x0, scale), (mix_eps or mix)(nothing.eps, asked.eps, scale)


def _guide_with(mix=lambda u, c, w: u + w * (c - u), mix_eps=None, null=-1):
    return lambda denoise, x, t, labels, scale: _guide(denoise, x, t, labels, scale, mix, mix_eps, null)


def _half(u, c, w):
    """Only the first half of the columns is guided."""
    guided = c.clone()
    half = c.shape[-1] // 2
    guided[..., :half] = (u + w * (c - u))[..., :half]
    return guided


def _guide_inputs(generator, batch=3, t=None, scale=None):
    t = 0.1 + 0.8 * float(torch.rand((), generator=generator)) if t is None else t
    scale = 1.7 + 3 * float(torch.rand((), generator=generator)) if scale is None else scale
    labels = 1 + torch.arange(batch) % 4  # none is 0, which is a class and no null label
    return _Labelled(generator), 1.5 * torch.randn(batch, 1, 3, 4, generator=generator), t, labels, scale


GUIDED = Exercise(
    id="8.2",
    title="The guided guess",
    reference=guided_guess,
    inputs=_guide_inputs,
    returns=("guess of x0", "guess of eps"),
    edges=edges(
        _guide_inputs,
        {"batch": 1},
        {"scale": 0.0},
        {"scale": 1.0},
        {"scale": 8.0},
        {"t": 1.0},
        {"t": 0.0},
    ),
    remark=lambda arguments: (
        None if arguments[0].asked else "denoise was never called: it is asked with the labels, and with -1."
    ),
    changes=("denoise",),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _guide_with(lambda u, c, w: c + w * (c - u)),
            "You start from the guess with the label, so that your scale 0 is what is called 1 here. That is the w of "
            "Ho & Salimans; start from the guess without.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: c + w * (u - c)),
            "With and without are exchanged: at scale 0 yours obeys the label, and at scale 1 it ignores it.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: u - w * (c - u)),
            "You walk away from what is asked for: the difference, with the label less without, is added.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: u + w * c),
            "You add the whole guess with the label; it is its difference from the one without that is scaled.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: w * c),
            "You only multiplied the guess with the label. The guess without is what it is compared with.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: w * (c - u)),
            "That is the push alone: add it to the guess without the label.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: c + 0 * u),
            "That is the guess with the label, which the scale does not touch.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: u + 0 * c),
            "That is the guess without the label: nobody asked for anything.",
        ),
        Mistake(
            _guide_with(null=0),
            "You asked with label 0 in the place of nothing; 0 is a class. The null label is -1.",
        ),
        Mistake(
            lambda denoise, x, t, labels, scale: guided_guess(denoise, x, t, labels, scale)[::-1],
            "The two are exchanged: return the guess of x0 first, then that of eps.",
        ),
        Mistake(
            _guide_with(mix_eps=lambda u, c, w: c),
            "x0 is guided and eps is not, so the two no longer add up to x: guide both.",
        ),
        Mistake(
            _guide_with(mix=lambda u, c, w: c, mix_eps=lambda u, c, w: u + w * (c - u)),
            "eps is guided and x0 is not, so the two no longer add up to x: guide both.",
        ),
        Mistake(
            _guide_with(mix_eps=lambda u, c, w: u),
            "x0 is guided, but eps is that without the label: guide both.",
        ),
        Mistake(
            _guide_with(mix_eps=lambda u, c, w: u - w * (c - u)),
            "eps is guided the other way. Both guesses are straight lines in the scale: use the same line for both.",
        ),
        Mistake(
            _guide_with(_half),
            "Only the first half of the columns is guided: every number of the picture is.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: (u + w * (c - u)).clamp(-1, 1)),
            "You clipped the guided guess to [-1, 1]. The pictures may need that later; here it is not asked for.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: (u + w * c) / (1 + w)),
            "That is a mean of the two guesses. Guidance goes beyond the guess with the label, not between them.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: u + (w - 1) * (c - u)),
            "Your scale 1 is what is called 0 here: take the scale itself, not less one.",
        ),
        Mistake(
            _guide_with(lambda u, c, w: u + (c - u) / w),
            "You divided by the scale; the difference is multiplied by it.",
        ),
    ),
    hints=(
        "Ask twice: with the labels, and with -1 for each of them. What does the label change?",
        "The difference, with less without, is what the label changes. Start from without, and add scale times that.",
        "x0 = nothing.x0 + scale * (asked.x0 - nothing.x0), and the same line for eps.",
    ),
)


# ---------------------------------------------------------------- 8.3


def keep_known(x0, eps, x, alpha, sigma, known, mask):
    return torch.where(mask, known, x0), torch.where(mask, (x - alpha * known) / sigma, eps)


def _known_with(part=lambda x0, known, mask: torch.where(mask, known, x0), noise=None):
    """The right answer but for the guess of x0, or for the noise of the known part."""
    noise = noise or (lambda x, a, s, known, x0, eps: (x - a * known) / s)
    return lambda x0, eps, x, a, s, known, mask: (
        part(x0, known, mask),
        torch.where(mask, noise(x, a, s, known, x0, eps), eps),
    )


def _known_inputs(generator, batch=3, alpha=None, sigma=None, hidden=False):
    drawn = torch.rand(2, generator=generator)
    alpha = 0.3 + 0.5 * drawn[0] if alpha is None else torch.tensor(alpha)
    sigma = 0.4 + 0.5 * drawn[1] if sigma is None else torch.tensor(sigma)
    x0, eps, known = (pictures(generator, batch) for _ in range(3))
    x = alpha * x0 + sigma * eps  # as the two guesses of a denoiser add up
    mask = torch.rand(x.shape, generator=generator) < 0.5
    return x0, eps, x, alpha, sigma, known, mask & (not hidden)


KNOWN = Exercise(
    id="8.3",
    title="A part that is known",
    reference=keep_known,
    inputs=_known_inputs,
    returns=("guess of x0", "guess of eps"),
    edges=edges(
        _known_inputs,
        {"batch": 1},
        {"hidden": True},
        {"alpha": 0.0, "sigma": 1.0},
        {"alpha": 0.95, "sigma": 0.05},
    ),
    mistakes=(
        Mistake(
            _known_with(noise=lambda x, a, s, known, x0, eps: eps),
            "x0 holds the known part, but eps still belongs to the denoiser's x0 there: the two do not add up to x. "
            "Which noise is in x, if the picture behind it is known?",
        ),
        Mistake(
            lambda x0, eps, x, a, s, known, mask: (x0, torch.where(mask, (x - a * known) / s, eps)),
            "eps is right, but x0 is still the denoiser's guess: where the mask holds, it is known.",
        ),
        Mistake(
            lambda x0, eps, x, a, s, known, mask: (
                torch.where(mask, x0, known),
                torch.where(mask, eps, (x - a * known) / s),
            ),
            "The mask is used the wrong way round: where it holds, the picture is known.",
        ),
        Mistake(
            _known_with(part=lambda x0, known, mask: torch.where(mask, x0, known)),
            "eps is right; in x0 the mask is used the wrong way round.",
        ),
        Mistake(
            lambda x0, eps, x, a, s, known, mask: (
                torch.where(mask, known, x0),
                torch.where(mask, eps, (x - a * known) / s),
            ),
            "x0 is right; in eps the mask is used the wrong way round.",
        ),
        Mistake(
            _known_with(noise=lambda x, a, s, known, x0, eps: (x - known) / s),
            "x holds alpha times the picture: take alpha * known away from it, not known.",
        ),
        Mistake(
            _known_with(noise=lambda x, a, s, known, x0, eps: x - a * known),
            "What is left after alpha * known is sigma times the noise: divide by sigma.",
        ),
        Mistake(
            _known_with(noise=lambda x, a, s, known, x0, eps: (x - a * known) / s**2),
            "You divided by the variance; the noise is multiplied by sigma in x, so divide by sigma.",
        ),
        Mistake(
            lambda x0, eps, x, a, s, known, mask: (torch.where(mask, known, x0), (x - a * known) / s),
            "eps is computed from known everywhere; outside the mask nothing is known, and the denoiser's eps stays.",
        ),
        Mistake(
            lambda x0, eps, x, a, s, known, mask: (known + 0 * x0, (x - a * known) / s),
            "You returned known everywhere; outside the mask the denoiser's guesses stay.",
        ),
        Mistake(
            lambda x0, eps, x, a, s, known, mask: (x0, eps),
            "Nothing has changed: where the mask holds, x0 is known, and with it the noise in x.",
        ),
        Mistake(
            _known_with(part=lambda x0, known, mask: known * mask),
            "Outside the mask your x0 is 0; the denoiser's guess stays there.",
        ),
        Mistake(
            _known_with(part=lambda x0, known, mask: x0 + known * mask),
            "You added known to the denoiser's guess; it takes its place.",
        ),
        Mistake(
            _known_with(noise=lambda x, a, s, known, x0, eps: torch.zeros_like(x)),
            "You put the noise of the known part at 0; but x is noisy there, too.",
        ),
        Mistake(
            _known_with(noise=lambda x, a, s, known, x0, eps: (a * known - x) / s),
            "The sign of the noise: x less alpha * known is what is left.",
        ),
        Mistake(
            _known_with(noise=lambda x, a, s, known, x0, eps: (x - s * known) / a),
            "alpha and sigma are exchanged: alpha multiplies the picture, sigma the noise.",
        ),
        Mistake(
            _known_with(part=lambda x0, known, mask: torch.where(mask, (known + x0) / 2, x0)),
            "You took the mean of known and guess; what is known needs no guess.",
        ),
    ),
    hints=(
        "Where the mask holds you know the picture. And if you know the picture behind x, what else do you know?",
        "x = alpha x0 + sigma eps. With known in the place of x0, solve it for eps.",
        "torch.where(mask, known, x0), and torch.where(mask, (x - alpha * known) / sigma, eps).",
    ),
)


# ---------------------------------------------------------------- 8.4


def noise_again(x_s, z, alpha_s, sigma_s, alpha_t, sigma_t):
    keep = alpha_t / alpha_s
    return keep * x_s + (sigma_t**2 - keep**2 * sigma_s**2) ** 0.5 * z


def _again_with(step):
    """A wrong step from (x_s, z, keep, alpha_s, sigma_s, alpha_t, sigma_t)."""
    return lambda x_s, z, a_s, s_s, a_t, s_t: step(x_s, z, a_t / a_s, a_s, s_s, a_t, s_t)


def _again_inputs(generator, batch=3, s=None, t=None):
    drawn = torch.rand(2, generator=generator)
    s = 0.1 + 0.4 * drawn[0] if s is None else torch.tensor(s)
    t = s + (0.9 - s) * (0.3 + 0.6 * drawn[1]) if t is None else torch.tensor(t)
    x_s, z = pictures(generator, batch), torch.randn(batch, 1, 4, 5, generator=generator)
    return x_s, z, 1 - s, s, 1 - t, t


AGAIN = Exercise(
    id="8.4",
    title="The way up again",
    reference=noise_again,
    inputs=_again_inputs,
    edges=edges(_again_inputs, {"batch": 1}, {"s": 0.0}, {"t": 1.0}, {"s": 0.0, "t": 1.0}, {"s": 0.5, "t": 0.52}),
    linear=("x_s", "z"),
    mistakes=(
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: a_t * x + s_t * z),
            "You noised x_s as if it were a clean picture. It holds noise already: bring its picture from alpha_s to "
            "alpha_t, and add only the noise that is missing.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + s_t * z),
            "You added all the noise of time t; a part of it is in x_s already. Variances add.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + (s_t - k * s_s) * z),
            "You took the difference of two standard deviations; it is variances that add.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + (s_t - s_s) * z),
            "You took the difference of two standard deviations; it is variances that add, and the old noise shrinks "
            "with its picture.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + (s_t**2 - s_s**2) ** 0.5 * z),
            "The noise that x_s holds is multiplied by alpha_t / alpha_s together with the picture: so is its part in "
            "the variance, squared.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + (s_t**2 - k * s_s**2) ** 0.5 * z),
            "The old noise is multiplied by alpha_t / alpha_s, so its variance by the square of that.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + (s_t**2 - k**2 * s_s**2) * z),
            "That is the variance of the noise that is missing; z is multiplied by its root.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: x + (s_t**2 - s_s**2) ** 0.5 * z),
            "The picture in x_s has the factor alpha_s, and at time t it must have alpha_t: multiply by their ratio.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: x + (s_t**2 - k**2 * s_s**2) ** 0.5 * z),
            "The noise is right, but the picture in x_s still has the factor alpha_s: multiply x_s by "
            "alpha_t / alpha_s.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: a_t * x + (s_t**2 - k**2 * s_s**2) ** 0.5 * z),
            "The picture in x_s has the factor alpha_s already: multiply by alpha_t / alpha_s, not by alpha_t.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + (1 - k**2) ** 0.5 * z),
            "That holds where alpha² + sigma² = 1, which not every schedule keeps: use the sigmas given.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + 0 * z),
            "The picture is right, but no noise was added: x_t must hold noise of the size sigma_t in all.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x - (s_t**2 - k**2 * s_s**2) ** 0.5 * z),
            "The noise is taken away; it is added. The walk would not mind, but this check hands you the noise.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * (x + (s_t**2 - s_s**2) ** 0.5 * z)),
            "The new noise is shrunken together with the picture, and was computed as if nothing shrank.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + (s_t**2 + k**2 * s_s**2) ** 0.5 * z),
            "The old noise is a part of what must be there in the end: take its variance away, do not add it.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k**2 * x + (s_t**2 - k**2 * s_s**2) ** 0.5 * z),
            "x_s is multiplied by alpha_t / alpha_s once; its square belongs to the variance.",
        ),
        Mistake(
            _again_with(lambda x, z, k, a_s, s_s, a_t, s_t: k * x + (s_t - k**2 * s_s) * z),
            "You squared only one part: variances are sigma_t² and (alpha_t / alpha_s)² sigma_s², and z takes a root.",
        ),
    ),
    hints=(
        "x_s holds alpha_s times the picture and must hold alpha_t times it. By what do you multiply?",
        "By keep = alpha_t / alpha_s. Then the old noise has the variance keep² sigma_s². How much is missing to "
        "sigma_t²?",
        "keep * x_s + (sigma_t**2 - keep**2 * sigma_s**2) ** 0.5 * z.",
    ),
)
