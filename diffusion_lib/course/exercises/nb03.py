"""Exercises of notebook 03, the KL objective: 3.1 KL, 3.2 the bound, 3.3 a weight, 3.4 a step's variance, 3.5 bits.

The bound is L_T + … + L_1 + L_0 (Ho, Jain and Abbeel 2020, equation 5). One step's KL is
½ (SNR(i - 1) - SNR(i)) ‖x_0 - x̂_0‖² (Kingma et al. 2021, section 4). Up to sign x_0 - x̂_0 is (eps - eps_hat)
sigma / alpha, so it is also ½ (SNR(i - 1) / SNR(i) - 1) ‖eps - eps_hat‖². Where the model's variance is another one,
the KL of two Gaussians has all its terms.
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


def _step(alpha_bar, i):
    """c, which multiplies x_0 in the posterior's mean, its variance beta tilde, and beta, of the step from i."""
    before, now = alpha_bar[i - 1], alpha_bar[i]
    beta = 1 - now / before
    return before.sqrt() * beta / (1 - now), beta * (1 - before) / (1 - now), beta


def _terms(
    x0,
    noise,
    guess,
    alpha_bar,
    *,
    noises=lambda noise, i: noise[i - 1],
    jump=lambda x0, a, noise: a.sqrt() * x0 + (1 - a).sqrt() * noise,
    ask=lambda guess, x, i: guess(x, i),
    cost=lambda x0, guessed, c, tilde, beta: (c * (x0 - guessed)) ** 2 / (2 * tilde),
    last=lambda x0, guessed, v: 0.5 * ((2 * math.pi * v).log() + (x0 - guessed) ** 2 / v),
    end=lambda x0, a: a * x0**2 / (2 * (1 - a)),
    level=0,
):
    rows = []
    for i in range(1, len(alpha_bar)):
        x_i = jump(x0, alpha_bar[i + level], noises(noise, i))
        guessed = ask(guess, x_i, i)
        if i == 1:
            rows.append(last(x0, guessed, (1 - alpha_bar[1]) / alpha_bar[1]))
        else:
            rows.append(cost(x0, guessed, *_step(alpha_bar, i)))
    rows.append(end(x0, alpha_bar[-1]))
    return torch.stack(rows)


def bound_terms(x0, noise, guess, alpha_bar):
    return _terms(x0, noise, guess, alpha_bar)


def _with(**changes):
    return lambda x0, noise, guess, alpha_bar: _terms(x0, noise, guess, alpha_bar, **changes)


def _some_data(generator, batch=5, most=12, low=0.02):
    alpha_bar = random_alpha_bar(generator, least=min(most, 4), most=most, low=low)
    slope, shift, curve = (0.5 + torch.rand(3, generator=generator, dtype=torch.float64)).tolist()

    def guess(x_i, i):  # some guesser: what it answers depends on the number and on the timestep
        return slope * torch.tanh(curve * x_i) + shift * 0.3 * torch.cos(torch.as_tensor(1.7 * i)) - 0.1 * x_i

    x0 = 1.5 * torch.randn(batch, generator=generator)
    return x0, torch.randn(len(alpha_bar) - 1, batch, generator=generator), guess, alpha_bar


def _rows_agree(args, answer, rows):
    exact = bound_terms(*args)[rows]
    return answer.shape[1:] == exact.shape[1:] and torch.allclose(answer[rows].double(), exact, rtol=1e-3, atol=1e-4)


BOUND = Exercise(
    id="3.2",
    title="The terms of the bound",
    reference=bound_terms,
    inputs=_some_data,
    edges=edges(_some_data, {"batch": 1}, {"most": 2}, {"most": 1}, {"low": 0.06}, {"low": 0.002, "most": 6}),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            lambda x0, noise, guess, a: bound_terms(x0, noise, guess, a).sum(0),
            "The terms are right but summed up: return them one under the other, (T + 1, B); the caller sums.",
        ),
        Mistake(
            lambda x0, noise, guess, a: bound_terms(x0, noise, guess, a).mean(1),
            "The terms are right but averaged over the data points: keep a number for each, (T + 1, B).",
        ),
        Mistake(
            lambda x0, noise, guess, a: bound_terms(x0, noise, guess, a).flip(0),
            "The rows are in reverse order: row 0 is L_0, the last row L_T.",
        ),
        Mistake(
            lambda x0, noise, guess, a: bound_terms(x0, noise, guess, a)[:-1],
            "L_T is missing: the KL of q(x_T | x_0) to N(0, sigma_T²) is the last row.",
        ),
        Mistake(
            lambda x0, noise, guess, a: bound_terms(x0, noise, guess, a)[1:],
            "L_0 is missing: minus the log of the last step's Gaussian, at x_0, is row 0.",
        ),
        Mistake(
            lambda x0, noise, guess, a: bound_terms(x0, noise, guess, a).T,
            "Rows and columns have changed places: one row for each term, (T + 1, B).",
        ),
        Mistake(
            _with(last=lambda x0, guessed, v: -0.5 * ((2 * math.pi * v).log() + (x0 - guessed) ** 2 / v)),
            "L_0 has the wrong sign: it is *minus* the log-density of x_0.",
        ),
        Mistake(
            _with(last=lambda x0, guessed, v: (x0 - guessed) ** 2 / (2 * v)),
            "L_0 lacks its constant: the log of a Gaussian has log(2 pi var) in it, and that depends on T.",
        ),
        Mistake(
            _with(last=lambda x0, guessed, v: 0.5 * (v.log() + (x0 - guessed) ** 2 / v)),
            "L_0 lacks the log(2 pi) of a Gaussian's log-density.",
        ),
        Mistake(
            _with(last=lambda x0, guessed, v: 0.5 * ((2 * math.pi * v * v).log() + ((x0 - guessed) / v) ** 2)),
            "In L_0 you took the variance sigma_1² / alpha_1² for a standard deviation.",
        ),
        Mistake(
            _with(
                last=lambda x0, guessed, v: (
                    0.5 * ((2 * math.pi * v / (1 + v)).log() + (x0 - guessed) ** 2 * (1 + 1 / v))
                )
            ),
            "In L_0 the variance is sigma_1² / alpha_1², not sigma_1²: x_1 / alpha_1 is what misses x_0.",
        ),
        Mistake(
            _with(cost=lambda x0, guessed, c, tilde, beta: (c * (x0 - guessed)) ** 2 / tilde),
            "The KLs of the steps are twice too large: the ½ of a Gaussian's exponent is missing.",
        ),
        Mistake(
            _with(cost=lambda x0, guessed, c, tilde, beta: (c * (x0 - guessed)) ** 2 / (2 * beta)),
            "In the KLs of the steps you divided by beta. Both Gaussians have the posterior's variance, beta tilde.",
        ),
        Mistake(
            _with(cost=lambda x0, guessed, c, tilde, beta: (x0 - guessed) ** 2 / (2 * tilde)),
            "You compared x_0 with its guess. The two Gaussians lie at their *means*, which are c (x_0 - guess) apart.",
        ),
        Mistake(
            _with(cost=lambda x0, guessed, c, tilde, beta: c * (x0 - guessed) ** 2 / (2 * tilde)),
            "The distance of the means is c (x_0 - guess), and c is squared with it.",
        ),
        Mistake(
            _with(cost=lambda x0, guessed, c, tilde, beta: c * (x0 - guessed).abs() / (2 * tilde)),
            "The distance of the means enters squared.",
        ),
        Mistake(
            _with(cost=lambda x0, guessed, c, tilde, beta: (c * (x0 - guessed)) ** 2 / (2 * tilde**2)),
            "The KLs of the steps are divided by the variance squared: (difference of means)² / (2 variance).",
        ),
        Mistake(
            _with(cost=lambda x0, guessed, c, tilde, beta: (x0 - guessed) ** 2),
            "Those are the squared errors of the guess; each still has to become the KL of two Gaussians.",
        ),
        Mistake(
            _with(noises=lambda noise, i: noise[0]),
            "You used one noise, noise[0], at every timestep; noise[i - 1] makes x_i.",
        ),
        Mistake(
            _with(noises=lambda noise, i: noise[i % len(noise)]),
            "The noise is taken one row too late: noise[i - 1] makes x_i, and noise[0] makes x_1.",
        ),
        Mistake(
            _with(noises=lambda noise, i: noise[max(i - 2, 0)]),
            "From x_2 on the noise is taken one row too early: noise[i - 1] makes x_i, and noise[1] makes x_2.",
        ),
        Mistake(
            _with(noises=lambda noise, i: noise[-i]),
            "The noise is taken from the last row to the first: noise[i - 1] makes x_i.",
        ),
        Mistake(
            _with(jump=lambda x0, a, noise: a * x0 + (1 - a) * noise),
            "The jump scales by variances. What multiplies x_0 and the noise are roots: sqrt(alpha_bar[i]) and "
            "sqrt(1 - alpha_bar[i]).",
        ),
        Mistake(
            _with(jump=lambda x0, a, noise: x0 + (1 - a).sqrt() * noise),
            "The jump does not shrink x_0: it is multiplied by sqrt(alpha_bar[i]).",
        ),
        Mistake(
            _with(jump=lambda x0, a, noise: a.sqrt() * x0 + (1 - a) * noise),
            "The noise is multiplied by a variance; take the root of 1 - alpha_bar[i].",
        ),
        Mistake(
            lambda x0, noise, guess, a: _terms(x0, noise, guess, a, level=-1),
            "x_i is made with the noise of step i - 1: the jump to x_i takes alpha_bar[i].",
        ),
        Mistake(
            _with(ask=lambda guess, x, i: guess(x, i - 1)),
            "You asked the guesser at timestep i - 1 about x_i: it must know how noisy its input is, so i.",
        ),
        Mistake(
            _with(ask=lambda guess, x, i: guess(x, i + 1)),
            "You asked the guesser at timestep i + 1 about x_i: it must know how noisy its input is, so i.",
        ),
        Mistake(
            lambda x0, noise, guess, a: _terms(x0, noise, guess, a, ask=lambda guess, x, i: guess(x, i / (len(a) - 1))),
            "You asked the guesser at the time i / T. This one counts timesteps: guess(x_i, i).",
        ),
        Mistake(
            _with(ask=lambda guess, x, i: guess(x, 1)),
            "You asked the guesser at timestep 1 about every x_i: it must know how noisy its input is, so i.",
        ),
        Mistake(
            _with(end=lambda x0, a: a * x0**2 / 2),
            "L_T is divided by no variance: both of its Gaussians have the variance 1 - alpha_bar[T].",
        ),
        Mistake(
            _with(end=lambda x0, a: a * x0**2 / (1 - a)),
            "L_T is twice too large: the ½ of a Gaussian's exponent is missing.",
        ),
        Mistake(
            _with(end=lambda x0, a: 0.5 * (-(1 - a).log() + a * x0**2 - a)),
            "In L_T you took N(0, 1) for the start. It is N(0, sigma_T²), with sigma_T² = 1 - alpha_bar[T].",
        ),
        Mistake(
            _with(end=lambda x0, a: a.sqrt() * x0**2 / (2 * (1 - a))),
            "In L_T the mean is sqrt(alpha_bar[T]) x_0, and the KL has its square: alpha_bar[T] x_0².",
        ),
        Mistake(
            _with(end=lambda x0, a: 0 * x0),
            "L_T is 0 in yours. It has no parameters, but it is not 0: the KL of q(x_T | x_0) to N(0, sigma_T²).",
        ),
        Mistake(
            _with(end=lambda x0, a: a / (2 * (1 - a)) + 0 * x0),
            "L_T depends on x_0: it has x_0² as a factor.",
        ),
    ),
    properties=(
        Property(
            lambda args, answer: bool((answer[1:] > -1e-9).all()),
            "All rows but the first are KLs, and a KL is never negative; some of yours are.",
        ),
        Property(
            lambda args, answer: _rows_agree(args, answer, slice(0, 1)),
            "Row 0, L_0, is not right yet: minus the log of N(guess(x_1, 1), sigma_1² / alpha_1²) at x_0.",
        ),
        Property(
            lambda args, answer: _rows_agree(args, answer, slice(-1, None)),
            "Row 0 is right. The last row, L_T, is not: the KL of q(x_T | x_0) to N(0, sigma_T²).",
        ),
        Property(
            lambda args, answer: _rows_agree(args, answer, slice(1, -1)),
            "The first row and the last are right. The rows 1 to T - 1 are not: row i - 1 is the KL of the step from "
            "x_i.",
        ),
    ),
    hints=(
        "Go through i from 1 to T. Make x_i by one jump, ask for the guess, and decide which row it belongs to.",
        "For i from 2 on, row i - 1 is the KL of two posteriors of one variance: (c (x_0 - guess))² / (2 beta tilde), "
        "line (9) with r = 1. Row 0 is minus the log of a Gaussian around the guess.",
        "Row 0: ½ (log(2 pi v) + (x_0 - guess)² / v) with v = (1 - alpha_bar[1]) / alpha_bar[1]. Row T: "
        "alpha_bar[T] x_0² / (2 (1 - alpha_bar[T])). Collect the rows in a list; torch.stack joins them.",
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
)
_EDGES += (lambda generator: (3, torch.tensor([1.0, 0.7, 0.07, 0.0035], dtype=torch.float64)),)  # nearly all at once


def eps_weight(i, alpha_bar):
    return x0_weight(i, alpha_bar) / _snr(alpha_bar, i)


EPS_WEIGHT = Exercise(
    id="3.3",
    title="The weight of a timestep, for an error in eps",
    reference=eps_weight,
    inputs=_step_of_table,
    edges=_EDGES,
    tolerance=3e-5,
    mistakes=(
        Mistake(
            x0_weight,
            "That is the weight of an error in x_0. How large is that error when eps is off by one?",
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
            lambda i, a: 0.5 * (1 - a[i] / a[i - 1]) / (a[i] / a[i - 1] * (1 - a[i])),
            "That is the weight of a model whose steps have the variance beta_i, as in Ho et al.'s paper. The model "
            "here has the posterior's, which is smaller: its weight is larger.",
        ),
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
            "That is beta / 2. Start from the step identity and change the unit of the error from x_0 to eps.",
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
        "By d · sigma / alpha. Squared, that is d² / SNR(i). Put it into the step identity.",
        "Half of SNR(i - 1) minus SNR(i), divided by SNR(i); SNR = alpha_bar / (1 - alpha_bar).",
    ),
)


# ---------------------------------------------------------------- 3.4


def step_cost(i, alpha_bar, variance, squared_error):
    c, tilde, _ = _step(alpha_bar, i)
    r = tilde / variance
    return 0.5 * (r - 1 - r.log() + c.square() * squared_error / variance)


def _with_variance(generator, step=None, most=40, low=0.02, factor=None, batch=6):
    alpha_bar = random_alpha_bar(generator, least=min(most, 4), most=most, low=low)
    i = some_step(generator, alpha_bar, least=2, step=step)
    if factor is None:
        size, side = torch.rand(2, generator=generator, dtype=torch.float64)
        factor = ((0.4 + size) * (1 if side < 0.5 else -1)).exp()  # not near 1, where float32 rounds the cost
    variance = torch.as_tensor(factor, dtype=torch.float64) * _step(alpha_bar, i)[1]
    return i, alpha_bar, variance, 3 * torch.randn(batch, generator=generator).square()


def _cost(formula):
    """A mistake as a formula in i, alpha_bar, c, beta tilde, beta, the variance and the squared error."""

    def answer(i, alpha_bar, variance, squared_error):
        return formula(i, alpha_bar, *_step(alpha_bar, i), variance, squared_error)

    return answer


STEP_COST = Exercise(
    id="3.4",
    title="What a step costs with a variance of one's own",
    reference=step_cost,
    inputs=_with_variance,
    edges=edges(
        _with_variance,
        *({"step": step} for step in (2, 3, -1)),
        {"factor": 1.0},
        {"factor": 20.0},
        {"factor": 0.05},
        {"batch": 1},
        {"step": 2, "most": 2},
        {"step": -1, "low": 0.06},
        {"step": 2, "low": 0.004},
    ),
    tolerance=5e-5,
    mistakes=(
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: c**2 * e / (2 * tilde)),
            "That is the step identity, which holds for the variance beta tilde; yours may be another one.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: c**2 * e / (2 * v)),
            "That is only the part from the means. The two variances differ here, so that all of line (9) is needed.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - (tilde / v).log()) + 0 * e),
            "That is only the part from the variances; the means are c (x_0 - guess) apart.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - (tilde / v).log() + e / v)),
            "You put in the error of the guess. The *means* are c (x_0 - guess) apart, so it is multiplied by c².",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - (tilde / v).log() + c * e / v)),
            "The distance of the means is c (x_0 - guess); squared, it has c² in it.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - (tilde / v).log() + c**2 * e.sqrt() / v)),
            "The error is given squared already: no root is needed.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - (tilde / v).log() + c**2 * e**2 / v)),
            "The error is given squared already: do not square it again.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - (tilde / v).log() + c**2 * e / tilde)),
            "The distance of the means is measured in the wrong unit: it is the model that is surprised, so divide by "
            "its variance.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (v / tilde - 1 - (v / tilde).log() + c**2 * e / tilde)),
            "That is KL(p || q): the two sides have changed places. The posterior, of variance beta tilde, is q.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (v / tilde - 1 - (v / tilde).log() + c**2 * e / v)),
            "r is upside down: it is the variance of q, beta tilde, over that of p, yours.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (beta / v - 1 - (beta / v).log() + c**2 * e / v)),
            "The posterior's variance is beta tilde, not beta: it knows x_0 as well as x_i.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: tilde / v - 1 - (tilde / v).log() + c**2 * e / v),
            "Twice too much: the ½ in front is missing.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 + (tilde / v).log() + c**2 * e / v)),
            "The logarithm has the wrong sign: r - 1 - log r is never negative.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - (tilde / v).log() + c**2 * e / v)),
            "Half too much everywhere: with the right mean and the right variance the cost must be 0. A -1 is missing.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v + 1 - (tilde / v).log() + c**2 * e / v)),
            "The 1 is taken away, not added: with the right mean and the right variance the cost must be 0.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - 2 * (tilde / v).log() + c**2 * e / v)),
            "The logarithm counts twice: the ½ belongs to it as well.",
        ),
        Mistake(
            _cost(
                lambda i, a, c, tilde, beta, v, e: (
                    0.5 * ((tilde / v) ** 2 - 1 - 2 * (tilde / v).log() + c**2 * e / v**2)
                )
            ),
            "You took the variances for standard deviations: the formula with sigma squares them once more.",
        ),
        Mistake(
            _cost(
                lambda i, a, c, tilde, beta, v, e: (
                    0.5 * (tilde / v - 1 - (tilde / v).log() + a[i] * beta**2 / (1 - a[i]) ** 2 * e / v)
                )
            ),
            "c has sqrt(alpha_bar[i - 1]) in it; you took alpha_bar[i].",
        ),
        Mistake(
            _cost(
                lambda i, a, c, tilde, beta, v, e: (
                    0.5 * (tilde / v - 1 - (tilde / v).log() + (a[i - 1] * beta / (1 - a[i])) ** 2 * e / v)
                )
            ),
            "c has the root of alpha_bar[i - 1] in it; you left the root out.",
        ),
        Mistake(
            _cost(
                lambda i, a, c, tilde, beta, v, e: (
                    0.5 * (tilde / v - 1 - (tilde / v).log() + (1 - beta) * ((1 - a[i - 1]) / (1 - a[i])) ** 2 * e / v)
                )
            ),
            "That is k, which multiplies x_i in the posterior's mean; the guess stands in for x_0, so c is needed.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - (tilde / v).log()) + c**2 * e / v),
            "The part from the means is twice too large: the ½ belongs to all terms.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: 0.5 * (tilde / v - 1 - (tilde / v).log2() + c**2 * e / v)),
            "The logarithm is to base 2, the rest is in nats: take the natural one.",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: (0.5 * (tilde / v - 1 - (tilde / v).log() + c**2 * e / v)).mean()),
            "The values are right but averaged: return one cost for each squared error, (B,).",
        ),
        Mistake(
            _cost(lambda i, a, c, tilde, beta, v, e: (0.5 * (tilde / v - 1 - (tilde / v).log() + c**2 * e / v)).sum()),
            "The values are right but summed: return one cost for each squared error, (B,).",
        ),
    ),
    properties=(
        Property(lambda args, answer: bool((answer > -1e-6).all()), "A KL is never negative; some of yours are."),
    ),
    hints=(
        "It is line (9) once more. Which of the two Gaussians is q, and which variance does each of them have?",
        "q is the posterior, of variance beta tilde; p has the variance that is given. Their means differ by "
        "c (x_0 - guess).",
        "½ (r - 1 - log r + c² squared_error / variance), with r = beta tilde / variance; c and beta tilde are those "
        "of exercise 3.2.",
    ),
)


# ---------------------------------------------------------------- 3.5


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
    id="3.5",
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
            "The values are right but averaged: return one number per picture, (B,).",
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
