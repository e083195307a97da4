"""Exercises of notebook 01, the beta schedule: 1.1 alpha_bar, 1.2 log-SNR, 1.3 betas back, 1.4 a schedule for any T.

alpha_bar_i = (1 - beta_1) … (1 - beta_i) (Ho, Jain and Abbeel 2020), SNR = alpha_bar / (1 - alpha_bar) (Kingma et
al. 2021), and the terminal SNR that must be near 0 (Lin et al. 2023).
"""

import math

import torch

from .exercise import Exercise, Mistake, Property
from .inputs import edges, random_alpha_bar

_ONE = torch.ones(1, dtype=torch.float64)


# ---------------------------------------------------------------- 1.1


def alpha_bar_from(betas):
    return torch.cat([_ONE, torch.cumprod(1 - betas, 0)])


def _random_betas(generator, steps=None, low=0.02, high=0.22):
    if steps is None:
        steps = int(torch.randint(4, 41, (), generator=generator))
    return (low + (high - low) * torch.rand(steps, generator=generator, dtype=torch.float64),)


ALPHA_BAR = Exercise(
    id="1.1",
    title="alpha_bar from the betas",
    reference=alpha_bar_from,
    inputs=_random_betas,
    edges=edges(
        _random_betas, {"steps": 1}, {"steps": 2}, {"low": 1e-4, "high": 0.02}, {"steps": 12, "low": 0.4, "high": 0.9}
    ),
    tolerance=3e-5,
    each_number=True,
    mistakes=(
        Mistake(
            lambda betas: torch.cumprod(1 - betas, 0),
            "The products are right, but the table has no beginning: alpha_bar[0] = 1 comes first, so "
            "that alpha_bar[i] belongs to timestep i and the length is T + 1.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, torch.cumprod(1 - betas, 0)])[:-1],
            "The last step is missing: T betas give T + 1 entries, from alpha_bar[0] = 1 to alpha_bar[T].",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, torch.cumprod(betas, 0)]),
            "You multiplied the betas. A step *keeps* 1 - beta of the variance; multiply what is kept.",
        ),
        Mistake(
            lambda betas: torch.cumprod(betas, 0),
            "Multiply what each step keeps, 1 - beta, and put 1 in front.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, 1 - torch.cumsum(betas, 0)]),
            "You subtracted the betas one after the other. Each step takes its share of what is *left*: multiply.",
        ),
        Mistake(lambda betas: 1 - torch.cumsum(betas, 0), "Shares of what is left multiply; they do not add up."),
        Mistake(
            lambda betas: torch.cat([_ONE, 1 - betas]),
            "Those are the single steps' 1 - beta; alpha_bar[i] is the product of the first i of them.",
        ),
        Mistake(
            lambda betas: 1 - betas,
            "That is what single steps keep; multiply the first i of them, 1 in front.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, torch.cumprod((1 - betas).sqrt(), 0)]),
            "That is sqrt(alpha_bar), which multiplies the picture. alpha_bar itself is the share of the variance.",
        ),
        Mistake(
            lambda betas: torch.cat([0 * _ONE, torch.cumprod(1 - betas, 0)]),
            "alpha_bar[0] is before any noise, when *all* of the variance is signal; you put 0 there.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, 1 - torch.cumprod(1 - betas, 0)]),
            "That is 1 - alpha_bar, the share of the noise; alpha_bar is the share of the signal.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, torch.exp(-torch.cumsum(betas, 0))]),
            "That is the envelope rule, exp(-sum of betas). It is near for small betas only; the product is exact.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, torch.cumprod((1 - betas).square(), 0)]),
            "You squared what a step keeps. 1 - beta is a share of the variance already: nothing to square.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, 1 - torch.cumprod(betas, 0)]),
            "You multiplied the betas and took that from 1. What is *kept* multiplies: 1 - beta comes first.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, torch.cumsum(1 - betas, 0)]),
            "You added up what the steps keep. Shares of what is left multiply.",
        ),
        Mistake(
            lambda betas: torch.cat([torch.cumprod(1 - betas, 0), _ONE]),
            "The 1 is at the wrong end: before any noise comes first.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, _ONE, torch.cumprod(1 - betas, 0)]),
            "There is one 1 too many: the first beta belongs to step 1.",
        ),
        Mistake(
            lambda betas: torch.linspace(1, 0, len(betas) + 1),
            "That is a straight line, whatever the betas are.",
        ),
        Mistake(
            lambda betas: torch.cat([_ONE, torch.cumprod((1 - betas).flip(0), 0)]),
            "The betas are taken from the last to the first; the first step comes first.",
        ),
    ),
    properties=(
        Property(
            lambda args, a: bool((a[0] - 1).abs() < 1e-4),
            "alpha_bar[0], before any noise, must be 1.",
        ),
        Property(
            lambda args, a: bool((a[1:] < a[:-1]).all()),
            "alpha_bar must fall at every step: each one takes some signal away.",
        ),
        Property(lambda args, a: bool((a > 0).all()), "alpha_bar is a share of the variance: it stays above 0."),
    ),
    hints=(
        "One step keeps 1 - beta of the variance. What do two steps keep?",
        "alpha_bar[i] is the product of the first i factors 1 - beta; the product of none is 1. "
        "torch.cumprod makes running products.",
        "torch.cat joins a tensor that holds a single 1 and the running product of 1 - betas.",
    ),
)


# ---------------------------------------------------------------- 1.2


def log_snr(alpha_bar):
    return (alpha_bar / (1 - alpha_bar)).log()


def _shares(generator, shares=None):
    return (random_alpha_bar(generator)[1:] if shares is None else torch.tensor(shares, dtype=torch.float64),)


LOG_SNR = Exercise(
    id="1.2",
    title="The clock: log-SNR from alpha_bar",
    reference=log_snr,
    inputs=_shares,
    edges=edges(_shares, {"shares": (0.3,)}, {"shares": (0.5, 0.1)}, {"shares": (0.998, 0.5, 1e-4, 1e-6)}),
    mistakes=(
        Mistake(lambda a: a / (1 - a), "That is the SNR; its natural logarithm is asked for."),
        Mistake(
            lambda a: (a / (1 - a)).log() / 2,
            "That is half of it: you divided standard deviations. The SNR divides variances.",
        ),
        Mistake(
            (lambda a: ((1 - a) / a).log()),
            "Upside down: that is noise over signal, so your clock runs backwards.",
        ),
        Mistake(
            lambda a: (a / (1 - a)).log10(),
            "That is the logarithm to base 10; the course uses the natural one, log.",
        ),
        Mistake(
            lambda a: (a / (1 - a)).log2(),
            "That is the logarithm to base 2; the course uses the natural one, log.",
        ),
        Mistake(
            lambda a: a.log(),
            "That is the log of the signal alone; divide by the noise variance, 1 - alpha_bar.",
        ),
        Mistake(
            lambda a: (a / (1 - a.square())).log(),
            "alpha_bar is a variance already, so the noise variance is 1 - alpha_bar: nothing to square.",
        ),
        Mistake(
            lambda a: (a.square() / (1 - a).square()).log(),
            "You squared variances: alpha_bar is the square already. Yours is twice the log-SNR.",
        ),
        Mistake(
            lambda a: (a.sqrt() / (1 - a)).log(),
            "You divided a standard deviation by a variance; the SNR is variance over variance.",
        ),
        Mistake(
            lambda a: -(1 - a).log(),
            "That is log(1 + SNR): all of the variance, 1, over the noise. Compare the signal's alone, alpha_bar.",
        ),
        Mistake(
            lambda a: 10 * (a / (1 - a)).log10(),
            "Those are decibels, ten times the logarithm to base 10; the course uses the natural one, log.",
        ),
        Mistake(
            lambda a: 20 * (a / (1 - a)).log10(),
            "Those are decibels of amplitudes; the SNR is a ratio of variances, and the course uses the natural log.",
        ),
        Mistake(
            lambda a: (a / (1 + a)).log(),
            "You divided by 1 + alpha_bar; the noise has the variance 1 - alpha_bar.",
        ),
        Mistake(
            lambda a: (1 - a).log(),
            "That is the log of the noise's variance alone; divide the signal's by it.",
        ),
        Mistake(
            lambda a: a.log() / (1 - a).log(),
            "You divided the logarithms; the ratio is inside: log(p / q) = log p - log q.",
        ),
        Mistake(
            lambda a: a.log() + (1 - a).log(),
            "You added the logarithms: that is a product. A ratio is a difference of logarithms.",
        ),
        Mistake(
            lambda a: (a**2 / (1 - a**2)).log(),
            "You took alpha_bar for alpha, its root: alpha_bar is a variance already, nothing to square.",
        ),
        Mistake(
            lambda a: a.clamp(1e-4, 1 - 1e-4).logit(),
            "You clipped alpha_bar: a schedule's ends are where the log-SNR says most.",
        ),
    ),
    properties=(
        Property(
            lambda args, answer: bool((answer[1:] < answer[:-1]).all()),
            "The log-SNR must fall from step to step: signal goes, noise comes.",
        ),
    ),
    hints=(
        "SNR is signal variance over noise variance. Which of the two is alpha_bar?",
        "The two variances add up to 1, so the noise has 1 - alpha_bar.",
        "Divide alpha_bar by 1 - alpha_bar, then take the natural logarithm, .log().",
    ),
)


# ---------------------------------------------------------------- 1.3


def betas_from(alpha_bar):
    return 1 - alpha_bar[1:] / alpha_bar[:-1]


def _tables(generator, ratios=None):
    if ratios is None:
        return (random_alpha_bar(generator),)
    return (torch.tensor((1.0, *ratios), dtype=torch.float64).cumprod(0),)


BETAS = Exercise(
    id="1.3",
    title="The betas back from alpha_bar",
    reference=betas_from,
    inputs=_tables,
    edges=edges(_tables, {"ratios": (0.9,)}, {"ratios": (0.6, 0.9)}, {"ratios": (0.9995, 0.9, 0.3, 0.05, 1e-4)}),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            lambda a: 1 - a[1:],
            "That is 1 - alpha_bar_i, all the noise after i steps; beta_i is the share that the single step i adds.",
        ),
        Mistake(
            lambda a: 1 - a,
            "That is all the noise after i steps, 1 - alpha_bar; beta_i is what one step adds.",
        ),
        Mistake(
            lambda a: a[1:] / a[:-1],
            "That is what step i keeps, 1 - beta_i; beta_i is what it replaces by noise.",
        ),
        Mistake(
            lambda a: a[:-1] - a[1:],
            "You subtracted neighbours. Step i takes the share beta_i of what is *left*, so compare by a ratio.",
        ),
        Mistake(
            lambda a: 1 - a[:-1] / a[1:],
            "The ratio is upside down, so your betas are negative: alpha_bar_i over the entry before it.",
        ),
        Mistake(
            lambda a: -(a[1:] / a[:-1]).log(),
            "That is -ln(1 - beta), nearly beta while beta is small. Solve ratio = 1 - beta instead; no logarithm.",
        ),
        Mistake(
            lambda a: a[:-1] / a[1:] - 1,
            "Close: you divided by alpha_bar_i, but beta_i is a share of what was there before step i.",
        ),
        Mistake(
            lambda a: 1 - (a[1:] / a[:-1]).sqrt(),
            "You took a square root: alpha_bar is made of variances, and so is beta.",
        ),
        Mistake(
            lambda a: (1 - a[1:] / a[:-1]).sqrt(),
            "That is sqrt(beta), the standard deviation of the step's noise; beta is its variance.",
        ),
        Mistake(
            lambda a: torch.cat([1 - a[:1], 1 - a[1:] / a[:-1]]),
            "The betas are right but there is one too many: T + 1 entries have T steps between them. Drop the first.",
        ),
        Mistake(
            lambda a: 1 - a[2:] / a[1:-1],
            "The first beta is missing: step 1 leads from alpha_bar[0] = 1 to alpha_bar[1].",
        ),
        Mistake(
            lambda a: a[1:] - a[:-1],
            "You subtracted neighbours. Step i takes the share beta_i of what is *left*: compare by a ratio, "
            "and from 1.",
        ),
        Mistake(
            lambda a: (a[1:] - a[:-1]) / a[:-1],
            "The sign is wrong: alpha_bar falls, so the entry before is the larger one.",
        ),
        Mistake(
            lambda a: (1 - a[1:] / a[:-1]).clamp(1e-4, 0.02),
            "You clipped the betas to [0.0001, 0.02]; the table says what they were, also beyond.",
        ),
        Mistake(
            lambda a: 1 - a[1:] * a[:-1],
            "You multiplied neighbours. Entry i is the one before times what step i keeps: divide.",
        ),
        Mistake(
            lambda a: a[:-1] / a[1:],
            "The ratio is upside down, and it is taken from 1: beta_i is what step i replaces.",
        ),
        Mistake(
            lambda a: (1 - a[1:]) / (1 - a[:-1]),
            "You compared the noise before and after. Compare the signal, alpha_bar: step i keeps 1 - beta_i of it.",
        ),
        Mistake(
            lambda a: 1 - a[1:].square() / a[:-1].square(),
            "You squared alpha_bar; it is made of variances already, and so is beta.",
        ),
    ),
    properties=(
        Property(
            lambda args, b: bool(((b > 0) & (b < 1)).all()),
            "Every beta lies between 0 and 1; some of yours do not.",
        ),
    ),
    hints=(
        "alpha_bar[i] is alpha_bar[i - 1] times what step i keeps. What does step i keep, in terms of beta?",
        "Neighbours have the ratio 1 - beta_i. alpha_bar[1:] and alpha_bar[:-1] are all entries beside "
        "the ones before.",
        "1 minus that ratio. Check the length: T.",
    ),
)


# ---------------------------------------------------------------- 1.4


def betas_for(T):
    end = math.atan(5e-5**-0.5)  # the angle at which cos² / sin², the SNR, is 5e-5
    return betas_from(torch.linspace(0, end, T + 1, dtype=torch.float64).cos().square())


def _line(T, power=1, start=1e-4, end=0.02):
    return torch.linspace(start ** (1 / power), end ** (1 / power), T, dtype=torch.float64)


def _unclipped(T):
    curve = torch.cos((torch.arange(T + 1, dtype=torch.float64) / T + 0.008) / 1.008 * math.pi / 2).square()
    return betas_from(curve / curve[0])


def _some_length(generator, steps=None):
    return (int(torch.randint(10, 1001, (), generator=generator)) if steps is None else steps,)


def _alpha_bar_at(answer, share):
    return float(torch.cumprod(1 - answer, 0)[max(round(share * len(answer)), 1) - 1])


SCHEDULE = Exercise(
    id="1.4",
    title="A schedule that ends in noise, for any T",
    reference=betas_for,
    inputs=_some_length,
    edges=edges(_some_length, *({"steps": steps} for steps in (10, 11, 20, 50, 999, 1000))),
    exact=False,
    mistakes=(
        Mistake(
            lambda T: _line(T),
            "Those betas were made for T = 1000. At T = 50 there are fewer steps of the same size, and "
            "the terminal SNR is 1.5: more signal than noise. Fewer steps must be larger steps.",
        ),
        Mistake(
            lambda T: _line(T, 2, 0.00085, 0.012).square(),
            "Those betas were made for T = 1000, and even there the terminal SNR is 0.005. Fewer steps must be larger.",
        ),
        Mistake(
            lambda T: _line(T, 2).square(),
            "Those betas are small, and there are only T of them: too much signal is left. Fewer steps must be larger.",
        ),
        Mistake(
            lambda T: _line(T, 2).square().square(),
            "You squared twice: the betas nearly vanish, and almost no noise is ever added.",
        ),
        Mistake(
            lambda T: _line(T) * 1000 / T,
            "Rescaling by 1000 / T is the right idea, but at T = 20 and below a beta reaches 1 or more. "
            "Rescale what multiplies: take alpha_bar of the 1000 steps at T places, and the betas from "
            "that.",
        ),
        Mistake(
            lambda T: torch.full((T,), 0.02, dtype=torch.float64),
            "0.98 multiplied 50 times is still 0.36. A constant beta must depend on T.",
        ),
        Mistake(
            lambda T: 1 - _unclipped(T),
            "You return what each step keeps, 1 - beta; return the betas.",
        ),
        Mistake(
            lambda T: torch.cumprod(1 - betas_for(T), 0),
            "You return alpha_bar; the betas are asked for (1.3 makes them from it).",
        ),
        Mistake(
            lambda T: _unclipped(T).clamp_max(0.999),
            "The cap decides where this cosine ends, so its terminal SNR depends on T. End the curve itself a little "
            "before it reaches 0; then no cap is needed.",
        ),
        Mistake(
            _unclipped,
            "The cosine's last beta is 1: it deletes the picture, and the log-SNR is minus infinity. "
            "End the curve a little before it reaches 0.",
        ),
    ),
    properties=(
        Property(lambda args, b: bool((b > 0).all()), "Some beta is 0 or negative: every step must add some noise."),
        Property(
            lambda args, b: bool((b < 1).all()),
            "Some beta is 1 or more: no step can replace more than there is.",
        ),
        Property(
            lambda args, b: (end := _alpha_bar_at(b, 1)) / (1 - end) < 1e-4,
            "The terminal SNR, alpha_bar_T / (1 - alpha_bar_T), is not below 1e-4 for every T from 10 to 1000.",
        ),
        Property(
            lambda args, b: (end := _alpha_bar_at(b, 1)) / (1 - end) > 1e-5,
            "It ends in noise, but for some T the terminal SNR is below 1e-5. Choose where the curve ends, the same "
            "for every T.",
        ),
        Property(
            lambda args, b: 1 / 3 < (half := _alpha_bar_at(b, 0.5)) / (1 - half) < 3,
            "It ends where it should, but half-way, at step T / 2, the SNR is not between 1/3 and 3.",
        ),
    ),
    hints=(
        "Think of the curve of alpha_bar over t = i / T, not of betas. A good curve is the same for every T.",
        "Choose a curve that starts at 1, is near 1/2 half-way, and ends between 1e-5 and 1e-4. Read it at T + 1 "
        "places, and get the betas as in 1.3.",
        "The cosine curve, cos²(t π / 2), ends at 0: let its angle stop short of π / 2. The SNR is 1 / tan² of the "
        "angle.",
    ),
)
