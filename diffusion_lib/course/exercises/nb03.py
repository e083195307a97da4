"""Exercises of notebook 03, the KL objective: 3.1 KL of two Gaussians, 3.2 bits, 3.3 and 3.4 a timestep's weight.

One step's KL is ½ (SNR(i - 1) - SNR(i)) ‖x_0 - x̂_0‖² (Kingma et al. 2021, section 4), and since
x_0 - x̂_0 = (eps - eps_hat) sigma / alpha up to sign, ½ (SNR(i - 1) / SNR(i) - 1) ‖eps - eps_hat‖².
"""

import math

import torch

from .exercise import Exercise, Mistake, Property
from .inputs import edges, pictures, random_alpha_bar, some_step

# ---------------------------------------------------------------- 3.1


def kl(mean_q, var_q, mean_p, var_p):
    return 0.5 * ((var_p / var_q).log() + (var_q + (mean_q - mean_p).square()) / var_p - 1)


def _two_gaussians(generator, shape=(4, 3), logs=(-1.6, 0.8), equal=False, apart=1.0):
    def var():
        return (logs[0] + (logs[1] - logs[0]) * torch.rand(shape, generator=generator)).exp()

    mean_q, mean_p, var_q, var_p = *apart * torch.randn(2, *shape, generator=generator), var(), var()
    if equal:  # the first row's two Gaussians are one
        mean_p[0], var_p[0] = mean_q[0], var_q[0]
    return mean_q, var_q, mean_p, var_p


KL = Exercise(
    id="3.1",
    title="KL of two Gaussians",
    reference=kl,
    inputs=_two_gaussians,
    edges=edges(
        _two_gaussians, {"shape": (5,)}, {"shape": (1, 2)}, {"equal": True}, {"logs": (-7.0, 2.5)}, {"apart": 5.0}
    ),
    mistakes=(
        Mistake(
            lambda m, v, n, w: kl(n, w, m, v),
            "That is KL(p || q): the two sides have changed places. KL is not symmetric; here q is where "
            "x is drawn from.",
        ),
        Mistake(
            lambda m, v, n, w: 2 * kl(m, v, n, w),
            "That is twice the KL: a factor one half is missing.",
        ),
        Mistake(
            lambda m, v, n, w: kl(m, v, n, w) + 0.5,
            "Half too much everywhere: two equal Gaussians must give 0. A term -1 is missing.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((v / w).log() + (v + (m - n).square()) / w - 1),
            "The logarithm has the wrong sign: where var_q shrinks to 0, the KL must grow without bound.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + v / w + (m - n).square() / v - 1),
            "The distance of the means is measured in the wrong unit: it is p that is surprised, so divide by var_p.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + v / w + (m - n).abs() / w - 1),
            "The distance of the means enters squared.",
        ),
        Mistake(
            lambda m, v, n, w: (w / v).log() + (v.square() + (m - n).square()) / (2 * w.square()) - 0.5,
            "You took the variances for standard deviations: the textbook formula with sigma squares them once more.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * (w - v + (v.exp() + (m - n).square()) / w.exp() - 1),
            "You took the variances for log-variances; take their log where you need it.",
        ),
        Mistake(
            lambda m, v, n, w: (m - n).square() / (2 * w),
            "That is only the part from the means; it is the KL where the two variances are equal, and "
            "here they are not.",
        ),
        Mistake(
            lambda m, v, n, w: (w / v).log() + (v + (m - n).square()) / (2 * w) - 0.5,
            "The logarithm counts twice: the textbook formula has log(sigma_p / sigma_q) there, and the log of a "
            "ratio of variances is twice that.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + v / w - 1) + (m - n).square() / w,
            "The part from the means is twice too large: the ½ belongs to all terms.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + v / w - 1),
            "The means do not count in yours: two Gaussians of one variance would have a KL of 0 wherever they lie.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + (w + (m - n).square()) / v - 1),
            "The second moment has p and q changed places: x is drawn from q, and it is p's exponent that divides.",
        ),
        Mistake(
            lambda m, v, n, w: kl(m, v, n, w).sum(-1),
            "The values are right but summed: return one KL for each element, same shape as the means.",
        ),
        Mistake(
            lambda m, v, n, w: kl(m, v, n, w) / math.log(2),
            "That is in bits; nats are asked for, so the natural logarithm and nothing else.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + (v + (m - n)) / w - 1),
            "The distance of the means enters squared; yours has a sign, so the KL can be negative.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log2() + (v + (m - n).square()) / w - 1),
            "The logarithm is to base 2, the rest is in nats: take the natural one.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + (v + (m + n).square()) / w - 1),
            "You squared the sum of the means; it is their difference that counts.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + (v + m.square() - n.square()) / w - 1),
            "A difference of squares is not the square of the difference: (mean_q - mean_p)².",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + (v + (m - n).square()) / w + 1),
            "The 1 is taken away, not added: two equal Gaussians must give 0.",
        ),
        Mistake(
            lambda m, v, n, w: 0.5 * ((w / v).log() + v + (m - n).square() / w - 1),
            "var_q is not divided by var_p: put the sum in brackets.",
        ),
        Mistake(
            lambda m, v, n, w: kl(m, v.sqrt(), n, w.sqrt()),
            "You put standard deviations where variances belong: the arguments are variances, no root is needed.",
        ),
        Mistake(
            lambda m, v, n, w: kl(m, v.clamp_min(1e-2), n, w.clamp_min(1e-2)),
            "You clipped the variances at 0.01 from below; smaller ones are allowed.",
        ),
        Mistake(
            lambda m, v, n, w: kl(m, v, n, w).mean(),
            "The values are right but averaged: return one KL for each element, same shape as the means.",
        ),
    ),
    properties=(
        Property(lambda args, answer: bool((answer > -1e-6).all()), "A KL is never negative; some of yours are."),
    ),
    hints=(
        "KL(q || p) = E_q[log q(x) - log p(x)]. Write both logs out; two expectations under q remain.",
        "Under q, E[(x - mean_q)²] = var_q and E[(x - mean_p)²] = var_q + (mean_q - mean_p)².",
        "½ of three things: the log of a ratio of variances, a second moment over var_p, and -1. With q = p it is 0.",
    ),
)


# ---------------------------------------------------------------- 3.2


def bits_per_dim(nats, x):
    return nats / (x[0].numel() * math.log(2))


def _nats_of_pictures(generator, batch=None, channels=3, negative=False):
    shape = (channels, *torch.randint(2, 7, (2,), generator=generator).tolist())
    if batch is None:
        batch = int(torch.randint(8, 12, (), generator=generator))
    nats = 20 + 100 * torch.rand(batch, generator=generator)
    if negative:  # a density may be above 1
        nats = nats - 70
    return nats, pictures(generator, batch, shape)


BITS = Exercise(
    id="3.2",
    title="Nats to bits per dimension",
    reference=bits_per_dim,
    inputs=_nats_of_pictures,
    edges=edges(_nats_of_pictures, {"batch": 1}, {"channels": 1}, {"negative": True}),
    mistakes=(
        Mistake(
            lambda nats, x: nats * math.log(2) / x[0].numel(),
            "You multiplied by log 2. A bit is the smaller unit, 0.69 nats, so the number must grow: divide.",
        ),
        Mistake(lambda nats, x: nats / x[0].numel(), "That is nats per dimension; a bit is log 2 = 0.69 nats."),
        Mistake(
            lambda nats, x: nats / math.log(2),
            "That is bits for the whole picture; divide by its dimensions too.",
        ),
        Mistake(
            lambda nats, x: nats / (x[0, 0].numel() * math.log(2)),
            "You divided by the pixels. Each pixel has C channels, and a dimension is one channel of one pixel.",
        ),
        Mistake(
            lambda nats, x: nats / (x.numel() * math.log(2)),
            "You divided by all numbers of the batch; each entry of nats belongs to one picture.",
        ),
        Mistake(
            lambda nats, x: nats / (len(x) * math.log(2)),
            "You divided by the number of pictures; a dimension is one number of one picture.",
        ),
        Mistake(
            lambda nats, x: nats / (x[0].numel() * math.log(10)),
            "You used the logarithm of 10; a bit is a factor of 2.",
        ),
        Mistake(
            lambda nats, x: nats.log2() / x[0].numel(),
            "You took the logarithm of the nats. They are a logarithm already; only the unit changes.",
        ),
        Mistake(
            lambda nats, x: -nats / (x[0].numel() * math.log(2)),
            "The sign changed; nats here are -log p already.",
        ),
        Mistake(
            lambda nats, x: (nats / (x[0].numel() * math.log(2))).mean(),
            "The values are right but averaged: return one number a picture, (B,).",
        ),
        Mistake(
            lambda nats, x: nats / (x[0].numel() * math.log(2)) + 7,
            "You added the 7 bits of 256 grey levels; this exercise asks for the density, without them.",
        ),
        Mistake(
            lambda nats, x: nats / (x[0].numel() * math.log(2)) + 8,
            "You added 8 bits; this exercise asks for the density, without the grey levels.",
        ),
        Mistake(
            lambda nats, x: nats / (x.shape[1] * math.log(2)),
            "You divided by the channels alone; a dimension is one channel of one pixel.",
        ),
        Mistake(
            lambda nats, x: nats / (2 * x[0].numel()),
            "A bit is log 2 = 0.69 nats, not 2.",
        ),
        Mistake(
            lambda nats, x: nats / (256 * x[0].numel()),
            "The 256 grey levels do not come in: a bit is log 2 nats.",
        ),
        Mistake(
            lambda nats, x: nats * x[0].numel() / math.log(2),
            "You multiplied by the dimensions: per dimension is divided by them.",
        ),
        Mistake(
            lambda nats, x: nats / (x[0].numel() + math.log(2)),
            "You added log 2 to the dimensions: both divide, so they multiply each other.",
        ),
        Mistake(
            lambda nats, x: 2 ** (nats / x[0].numel()),
            "You took a power: bits per dimension are a logarithm, in another unit.",
        ),
        Mistake(
            lambda nats, x: nats / (x.shape[-1] ** 2 * math.log(2)),
            "You took the width for the height, or forgot the channels: a picture has C · H · W dimensions.",
        ),
    ),
    hints=(
        "Two changes of unit, one after the other: from nats to bits, and from a whole picture to one of its numbers.",
        "One bit is log 2 nats. A picture of shape (C, H, W) has C · H · W dimensions.",
        "x[0].numel() counts one picture's dimensions; divide by it and by math.log(2).",
    ),
)


# ---------------------------------------------------------------- 3.3


def _snr(alpha_bar, i):
    return alpha_bar[i] / (1 - alpha_bar[i])


def x0_weight(i, alpha_bar):
    return 0.5 * (_snr(alpha_bar, i - 1) - _snr(alpha_bar, i))


def _step_of_table(generator, step=None, most=40, low=0.02):
    alpha_bar = random_alpha_bar(generator, least=min(most, 4), most=most, low=low)
    return some_step(generator, alpha_bar, least=2, step=step), alpha_bar


_EDGES = edges(
    _step_of_table,
    *({"step": step} for step in (2, 3, -1, -2)),
    {"step": 2, "most": 2},
    {"step": 2, "low": 0.004},
    {"step": -1, "low": 0.06},
    {"step": 2, "low": 0.08},
)


X0_WEIGHT = Exercise(
    id="3.3",
    title="The weight of a timestep, for an error in x_0",
    reference=x0_weight,
    inputs=_step_of_table,
    edges=_EDGES,
    tolerance=3e-5,
    mistakes=(
        Mistake(
            lambda i, a: _snr(a, i - 1) - _snr(a, i),
            "Twice too much: the ½ of a Gaussian's exponent is missing.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i) - _snr(a, i - 1)),
            "The sign is wrong: the SNR falls with i, and a weight must be positive.",
        ),
        Mistake(
            lambda i, a: 0.5 * _snr(a, i),
            "That is half the SNR at i; the weight is half of what the SNR *loses*.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 1) / _snr(a, i) - 1),
            "That is the weight of an error in eps, exercise 3.4; for an error in x_0 it is a difference, no ratio.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 1).log() - _snr(a, i).log()),
            "You took the difference of log-SNRs; the identity has SNRs themselves.",
        ),
        Mistake(
            lambda i, a: 0.5 * (a[i - 1] - a[i]),
            "That is the difference of alpha_bars; the SNR is alpha_bar / (1 - alpha_bar).",
        ),
        Mistake(
            lambda i, a: a[i - 1] - a[i],
            "That is a difference of alpha_bars, and the ½ is missing. The identity has SNRs, "
            "alpha_bar / (1 - alpha_bar).",
        ),
        Mistake(
            lambda i, a: 0.5 * (1 / _snr(a, i) - 1 / _snr(a, i - 1)),
            "You divided the noise by the signal; the SNR is alpha_bar / (1 - alpha_bar).",
        ),
        Mistake(
            lambda i, a: 0.5 * _snr(a, i - 1),
            "That is half the SNR at i - 1; the weight is half of what the SNR *loses* from i - 1 to i.",
        ),
        Mistake(
            lambda i, a: 0.5 * a[i - 1] * ((1 - a[i] / a[i - 1]) / (1 - a[i])).square(),
            "That is c² / 2: the distance of the means, squared and halved. It still has to be divided by "
            "their variance.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 1).sqrt() - _snr(a, i).sqrt()),
            "You used ratios of standard deviations; the SNR is a ratio of variances.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i) - _snr(a, i + 1)),
            "Off by one: step i leads from i to i - 1, so the weight compares SNR(i - 1) and SNR(i).",
        ),
        Mistake(
            lambda i, a: 0 * a[i] + 1,
            "A weight of 1 is the simple loss; the bound weighs each timestep differently.",
        ),
        Mistake(
            lambda i, a: 0.5 * (a[i - 1] - a[i]) / (1 - a[i]),
            "Both are divided by the noise at i: SNR(i - 1) has its own, 1 - alpha_bar[i - 1].",
        ),
        Mistake(
            lambda i, a: 0.5 * (a[i - 1] / (1 - a[i - 1].square()) - a[i] / (1 - a[i].square())),
            "The noise has the variance 1 - alpha_bar: alpha_bar is a variance already, nothing to square.",
        ),
        Mistake(
            lambda i, a: 0.5 * (a[i - 1].square() / (1 - a[i - 1].square()) - a[i].square() / (1 - a[i].square())),
            "You took alpha_bar for alpha, its root: alpha_bar is a variance already, nothing to square.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 1).square() - _snr(a, i).square()),
            "You squared the SNR, which is a ratio of variances already.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 1) - _snr(a, i)).square(),
            "The difference of the SNRs is not squared; it is the error in x_0 that is.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 1) + _snr(a, i)),
            "You added the SNRs: the weight is half of what the SNR *loses*, a difference.",
        ),
        Mistake(
            lambda i, a: 0.5 * _snr(a, i - 1) / _snr(a, i),
            "That is half a ratio of SNRs; the weight is half their difference.",
        ),
        Mistake(
            lambda i, a: 0.5 * _snr(a, i - 1) - _snr(a, i),
            "The ½ is for the difference, not for its first part alone: a bracket is missing.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 2) - _snr(a, i - 1)),
            "One step too early: step i leads from i to i - 1, so the weight compares SNR(i - 1) and SNR(i).",
        ),
    ),
    properties=(
        Property(
            lambda args, weight: bool(weight > 0),
            "The weight must be positive for every timestep; yours is not.",
        ),
    ),
    hints=(
        "The two posteriors have the same variance. What is left of their KL when only the means differ?",
        "(difference of means)² / (2 variance). In terms of the SNR nearly everything cancels: see the step identity.",
        "Half of SNR(i - 1) minus SNR(i), with SNR = alpha_bar / (1 - alpha_bar).",
    ),
)


# ---------------------------------------------------------------- 3.4


def eps_weight(i, alpha_bar):
    return x0_weight(i, alpha_bar) / _snr(alpha_bar, i)


EPS_WEIGHT = Exercise(
    id="3.4",
    title="The weight of a timestep, for an error in eps",
    reference=eps_weight,
    inputs=_step_of_table,
    edges=_EDGES,
    tolerance=3e-5,
    mistakes=(
        Mistake(
            x0_weight,
            "That is the weight of an error in x_0, 3.3. How large is that error when eps is off by one?",
        ),
        Mistake(
            lambda i, a: x0_weight(i, a) * _snr(a, i),
            "You multiplied by the SNR where one divides: at high noise, a small error in eps is a large one in x_0.",
        ),
        Mistake(
            lambda i, a: x0_weight(i, a) / _snr(a, i - 1),
            "You divided by SNR(i - 1), or turned the ratio round. The network sees x_i: it is there that "
            "eps becomes x_0.",
        ),
        Mistake(
            lambda i, a: x0_weight(i, a) / _snr(a, i).sqrt(),
            "The error is *squared*, so its change of unit is too: sigma² / alpha², not sigma / alpha.",
        ),
        Mistake(lambda i, a: 2 * eps_weight(i, a), "Twice too much: the ½ is missing."),
        Mistake(
            lambda i, a: 0.5 * _snr(a, i - 1) / _snr(a, i),
            "The -1 got lost: it is the difference of SNRs that is divided by SNR(i).",
        ),
        Mistake(
            lambda i, a: 0.5 * (1 - _snr(a, i - 1) / _snr(a, i)),
            "The sign is wrong: a weight must be positive.",
        ),
        Mistake(
            lambda i, a: 0 * a[i] + 1,
            "A weight of 1 is the simple loss: it is just this weight that it leaves out.",
        ),
        Mistake(
            lambda i, a: 0.5 * (1 - a[i] / a[i - 1]),
            "That is beta / 2. Start from 3.3 and change the unit of the error from x_0 to eps.",
        ),
        Mistake(
            lambda i, a: x0_weight(i, a) * (1 - a[i]),
            "That is the weight of an error in v. An error in eps becomes sigma / alpha times as large in x_0.",
        ),
        Mistake(
            lambda i, a: x0_weight(i, a) / a[i],
            "You divided by alpha² and left out sigma²: an error in eps becomes sigma / alpha times as large in x_0.",
        ),
        Mistake(
            lambda i, a: 0.5 * (a[i - 1] / a[i] - 1),
            "That is a ratio of alpha_bars; the SNR is alpha_bar / (1 - alpha_bar).",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 1).log() - _snr(a, i).log()),
            "You took the difference of log-SNRs. It is near to the ratio minus 1 only while the step is small.",
        ),
        Mistake(
            lambda i, a: 0.5 * ((_snr(a, i - 1) / _snr(a, i)).sqrt() - 1),
            "You took a root of the ratio; SNRs are ratios of variances, and so is the weight.",
        ),
        Mistake(
            lambda i, a: 0.5 * ((_snr(a, i - 1) / _snr(a, i)).square() - 1),
            "You squared the ratio, which is one of variances already.",
        ),
        Mistake(
            lambda i, a: 0.5 * (a[i - 1] - a[i]),
            "That is the difference of alpha_bars; the SNR is alpha_bar / (1 - alpha_bar).",
        ),
        Mistake(
            lambda i, a: 0.5 * _snr(a, i - 1) / _snr(a, i) - 1,
            "The ½ is for the difference, not for the ratio alone: a bracket is missing.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i) / _snr(a, i - 1) - 1),
            "The ratio is upside down: SNR(i - 1), the larger one, is divided by SNR(i).",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i - 1) / _snr(a, i) + 1),
            "The 1 is taken away, not added: without a loss of SNR the weight must be 0.",
        ),
        Mistake(
            lambda i, a: 0.5 * (_snr(a, i) / _snr(a, i + 1) - 1),
            "Off by one: step i leads from i to i - 1, so the weight compares SNR(i - 1) and SNR(i).",
        ),
    ),
    properties=(
        Property(
            lambda args, weight: bool(weight > 0),
            "The weight must be positive for every timestep; yours is not.",
        ),
    ),
    hints=(
        "Solve x_i = alpha x_0 + sigma eps for x_0. If eps is off by d, by how much is x_0 off?",
        "By d · sigma / alpha. Squared, that is d² / SNR(i). Put it into the identity of 3.3.",
        "The weight of 3.3, divided by SNR(i).",
    ),
)
