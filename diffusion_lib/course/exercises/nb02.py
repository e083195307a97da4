"""Exercises of notebook 02, forward noising: 2.1 the jump, 2.2 a batch, 2.3 a chain's film, 2.4 the posterior.

x_i = sqrt(alpha_bar_i) x_0 + sqrt(1 - alpha_bar_i) eps (Ho, Jain and Abbeel 2020, equation 4);
q(x_{i-1} | x_i, x_0) is their equations 6 and 7.
"""

import torch

from .exercise import Exercise, Mistake, Property
from .inputs import edges, pictures, random_alpha_bar, some_step, steps_and_batches

_ONE = torch.ones(1, dtype=torch.float64)
_BETAS = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)  # the notebook's own table

# ---------------------------------------------------------------- 2.1


def jump_to(x0, i, noise, alpha_bar):
    return alpha_bar[i].sqrt() * x0 + (1 - alpha_bar[i]).sqrt() * noise


def _jump_inputs(generator, step=None, batch=3, low=0.02):
    alpha_bar, x0 = random_alpha_bar(generator, low=low), pictures(generator, batch)
    return x0, some_step(generator, alpha_bar, step=step), torch.randn(x0.shape, generator=generator), alpha_bar


def _chain_with_one_noise(x0, i, noise, alpha_bar):
    return _walk(x0, 0, i, noise, alpha_bar)


def _walk(x, s, t, noise, alpha_bar):
    """Single steps from s to t, all with one noise."""
    for k in range(s + 1, t + 1):
        kept = alpha_bar[k] / alpha_bar[k - 1]
        x = kept.sqrt() * x + (1 - kept).sqrt() * noise
    return x


JUMP = Exercise(
    id="2.1",
    title="The jump from x_0 to x_i",
    reference=jump_to,
    inputs=_jump_inputs,
    edges=steps_and_batches(_jump_inputs),
    linear=("x0", "noise"),
    mistakes=(
        Mistake(
            lambda x0, i, noise, ab: ab[i] * x0 + (1 - ab[i]) * noise,
            "You scaled signal and noise by their variances. Variances add, but what multiplies x0 and "
            "the noise are standard deviations: take square roots.",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].sqrt() * x0 + (1 - ab[i]) * noise,
            "The signal is right, but the noise is multiplied by its variance 1 - alpha_bar[i]; it wants "
            "the standard deviation.",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i] * x0 + (1 - ab[i]).sqrt() * noise,
            "The noise is right, but alpha_bar[i] is the share of the *variance* that is left; what "
            "multiplies x0 is its square root.",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].sqrt() * x0 + (1 - ab[i].sqrt()) * noise,
            "You made the two factors add up to 1. Their squares must add up to 1: it is variances that add.",
        ),
        Mistake(
            lambda x0, i, noise, ab: (1 - ab[i]).sqrt() * x0 + ab[i].sqrt() * noise,
            "Signal and noise have changed places: alpha_bar starts at 1, where nothing but x0 is left.",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i - 1].sqrt() * x0 + (1 - ab[i - 1]).sqrt() * noise,
            "You are one step short: this table begins with alpha_bar[0] = 1, so timestep i is "
            "alpha_bar[i], not i - 1.",
        ),
        Mistake(
            lambda x0, i, noise, ab: (ab[i] / ab[i - 1]).sqrt() * x0 + (1 - ab[i] / ab[i - 1]).sqrt() * noise,
            "That is the single step from i - 1 to i, taken from x0. The jump uses the whole product alpha_bar[i].",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].sqrt() * x0 + noise,
            "The signal shrinks but the noise stays at full strength: at small i the picture must be almost clean.",
        ),
        Mistake(
            lambda x0, i, noise, ab: x0 + (1 - ab[i]).sqrt() * noise,
            "The noise is right but the signal never shrinks, so the variance grows beyond 1.",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].sqrt() * x0 - (1 - ab[i]).sqrt() * noise,
            "Both factors are right, but you took the noise away. It is added.",
        ),
        Mistake(
            lambda x0, i, noise, ab: jump_to(x0, i, noise, torch.cat([_ONE, torch.cumprod(1 - _BETAS, 0)])),
            "You used the notebook's own schedule. The table that counts is the one that is handed to you, alpha_bar.",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].sqrt() * x0 + (1 - ab[i].square()).sqrt() * noise,
            "The signal is right. The noise is multiplied by sqrt(1 - alpha_bar²): you took alpha_bar for its"
            " root there.",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i] * x0 + (1 - ab[i].square()).sqrt() * noise,
            "You took alpha_bar for alpha, its root: what multiplies x0 is sqrt(alpha_bar[i]).",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].square() * x0 + (1 - ab[i]).square() * noise,
            "You squared variances. What multiplies x0 and the noise are their roots.",
        ),
        Mistake(
            _chain_with_one_noise,
            "You walked the chain with the same noise at every step. The steps' noises are independent: they "
            "add up by their variances, and the jump does it at once.",
        ),
    ),
    hints=(
        "x_i is a share of the picture plus a share of the noise. Which two numbers multiply them, and "
        "what must their squares add up to?",
        "alpha_bar[i] is the share of the variance that is still signal, 1 - alpha_bar[i] the share that "
        "is noise. You multiply by standard deviations.",
        "One line: a square root times x0, plus another square root times noise. Tensors have .sqrt().",
    ),
    properties=(
        Property(
            lambda args, x: bool((x - x.mean()).abs().max() > 0),
            "Every pixel of your answer is the same; x0 and the noise differ from pixel to pixel.",
        ),
    ),
)


# ---------------------------------------------------------------- 2.2


def jump_batch(x0, i, noise, alpha_bar):
    signal = alpha_bar[i].to(x0.dtype).reshape(-1, *[1] * (x0.ndim - 1))
    return signal.sqrt() * x0 + (1 - signal).sqrt() * noise


def _along_last(x0, i, noise, alpha_bar):
    signal = alpha_bar[i]
    return signal.sqrt() * x0 + (1 - signal).sqrt() * noise


def _all_like(index):
    return lambda x0, i, noise, alpha_bar: jump_to(x0, i[index], noise, alpha_bar)


def _batch_inputs(generator, steps=None, batch=4, low=0.02):
    alpha_bar, x0 = random_alpha_bar(generator, least=8, low=low), pictures(generator, batch, (2, 4, 4))
    i = torch.randint(3, len(alpha_bar) - 1, (batch,), generator=generator)
    if steps is not None:
        i = torch.tensor([some_step(generator, alpha_bar, step=step) for step in steps])
    return x0, i, torch.randn(x0.shape, generator=generator), alpha_bar


BATCH = Exercise(
    id="2.2",
    title="A batch in which every picture has its own timestep",
    reference=jump_batch,
    inputs=_batch_inputs,
    edges=edges(
        _batch_inputs,
        {"steps": (1, 2, -1, 5)},
        {"steps": (3, 3, 3, 3)},
        {"steps": (-1, -2, 1, 2), "low": 0.06},
        {"batch": 1},
    ),
    linear=("x0", "noise"),
    mistakes=(
        Mistake(
            _along_last,
            "Your factors run along the last axis, so each *column* of pixels got its own timestep; no "
            "error, because the batch happens to be as wide as a picture. Reshape them to (B, 1, 1, 1).",
        ),
        Mistake(
            lambda x0, i, noise, ab: _along_last(x0.transpose(2, 3), i, noise.transpose(2, 3), ab).transpose(2, 3),
            "Your factors run along the rows, not along the batch. Reshape them to (B, 1, 1, 1).",
        ),
        Mistake(_all_like(0), "Every picture was noised to the first one's timestep: use all of i."),
        Mistake(_all_like(-1), "Every picture was noised to the last one's timestep: use all of i."),
        Mistake(
            lambda x0, i, noise, ab: jump_to(x0, i.double().mean().round().long(), noise, ab),
            "Every picture was noised to the mean timestep; each has its own.",
        ),
        Mistake(
            lambda x0, i, noise, ab: jump_batch(x0, i - 1, noise, ab),
            "Each picture is one step short: alpha_bar[0] = 1 is the clean end, timestep i is alpha_bar[i].",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].reshape(-1, 1, 1, 1) * x0 + (1 - ab[i]).reshape(-1, 1, 1, 1) * noise,
            "The shapes are right, but you multiplied by variances: take square roots, as in 2.1.",
        ),
        Mistake(
            lambda x0, i, noise, ab: jump_batch(x0, i, noise[:1].expand_as(noise), ab),
            "All pictures got the same noise: each has its own, noise[b] for picture b.",
        ),
        Mistake(
            lambda x0, i, noise, ab: jump_to(x0, ..., noise, ab[i].mean()),
            "Every picture got the mean of all alpha_bar[i]; each has its own.",
        ),
        Mistake(
            lambda x0, i, noise, ab: jump_batch(x0, torch.arange(len(i)), noise, ab),
            "You took the table's first B entries; i says which entry belongs to which picture.",
        ),
        Mistake(
            lambda x0, i, noise, ab: jump_batch(x0, i.flip(0), noise, ab),
            "The timesteps run backwards through the batch: picture b has i[b].",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].reshape(-1, 1, 1, 1).sqrt() * x0 + (1 - ab[i]).reshape(-1, 1, 1, 1) * noise,
            "The signal is right, but the noise is multiplied by its variance: take the square root there too.",
        ),
        Mistake(
            lambda x0, i, noise, ab: ab[i].reshape(-1, 1, 1, 1) * x0 + (1 - ab[i]).reshape(-1, 1, 1, 1).sqrt() * noise,
            "The noise is right, but x0 is multiplied by a variance: take the square root there too.",
        ),
        Mistake(
            lambda x0, i, noise, ab: jump_batch(noise, i, x0, ab),
            "Signal and noise have changed places: alpha_bar starts at 1, where nothing but x0 is left.",
        ),
    ),
    hints=(
        "alpha_bar[i] with a tensor i gives one number per picture, shape (B,). Pictures are (B, C, H, W). "
        "What does broadcasting do with those two?",
        "Broadcasting lines shapes up from the right, so (B,) meets W. Give the factors the shape (B, 1, 1, 1).",
        "`alpha_bar[i].reshape(-1, 1, 1, 1)`, then the line of 2.1.",
    ),
)


# ---------------------------------------------------------------- 2.3


def film(x0, noise, betas, every):
    x, frames = x0, [x0]
    for i in range(1, len(betas) + 1):
        x = (1 - betas[i - 1]).sqrt() * x + betas[i - 1].sqrt() * noise[i - 1]
        if i % every == 0:
            frames.append(x)
    return torch.stack(frames)


def _film_inputs(generator, every=None, frames=None, batch=2):
    every = int(torch.randint(2, 5, (), generator=generator)) if every is None else every
    frames = int(torch.randint(2, 6, (), generator=generator)) if frames is None else frames
    betas = 0.005 + 0.3 * torch.rand(every * frames, generator=generator, dtype=torch.float64)
    x0 = pictures(generator, batch, (1, 3, 4))
    return x0, 1.7 * torch.randn(len(betas), *x0.shape, generator=generator), betas, every


def _film(x0, noise, betas, every, step=None, first=None, keep=None):
    """The right film but for its step, from (x, eps, beta, i, x0), where it starts, or which timesteps it keeps."""
    x = x0 if first is None else first
    frames, keep = [x], keep or (lambda i: i % every == 0)
    for i in range(1, len(betas) + 1):
        beta, eps = betas[i - 1], noise[i - 1]
        x = step(x, eps, beta, i, x0) if step else (1 - beta).sqrt() * x + beta.sqrt() * eps
        if keep(i):
            frames.append(x)
    return torch.stack(frames)


def _film_with(step):
    """The film with another step."""
    return lambda x0, noise, betas, every: _film(x0, noise, betas, every, step)


def _kept_after_counting_from_0(x0, noise, betas, every):
    """The timesteps kept are 1, 1 + every, …: the loop counts from 0, and keeps after the step."""
    return _film(x0, noise, betas, every, keep=lambda i: (i - 1) % every == 0)


def _jumps(x0, noise, betas, every, roots=True, chain=False):
    """Each frame a jump from x_0, or a chain of jumps, with alpha_bar in place of 1 - beta."""
    alpha_bar = torch.cumprod(1 - betas, 0)
    power = 0.5 if roots else 1
    return _film(
        x0,
        noise,
        betas,
        every,
        lambda x, e, b, i, start: (
            alpha_bar[i - 1] ** power * (x if chain else start) + (1 - alpha_bar[i - 1]) ** power * e
        ),
    )


def _one_step_a_frame(x0, noise, betas, every):
    """Only every n-th step is taken, with its own beta and noise."""
    return _film(x0, noise[every - 1 :: every], betas[every - 1 :: every], 1)


def _first_step_a_frame(x0, noise, betas, every):
    """Of every n steps only the first is taken: a loop in strides that counts from 0."""
    return _film(x0, noise[::every], betas[::every], 1)


def _first_steps_only(x0, noise, betas, every):
    """As many steps as there are frames, all kept."""
    frames = len(betas) // every
    return _film(x0, noise[:frames], betas[:frames], 1)


def _one_tensor(x0, noise, betas, every):
    """The same tensor is kept again and again, changed in place: all frames but the first are the last."""
    frames = film(x0, noise, betas, every)
    return frames[-1:].expand_as(frames)


def _noise_of_the_last(x0, noise, betas, every):
    return _film(x0, noise, betas, every, lambda x, e, b, i, start: (1 - b).sqrt() * x + b.sqrt() * noise[-1])


FILM = Exercise(
    id="2.3",
    title="The film of a chain",
    reference=film,
    inputs=_film_inputs,
    edges=edges(
        _film_inputs,
        {"every": 1},
        {"every": 1, "frames": 1},
        {"every": 4, "frames": 1},
        {"batch": 1},
        {"every": 3, "frames": 10},
    ),
    mistakes=(
        Mistake(
            lambda x0, noise, betas, every: film(x0, noise[:1].expand_as(noise), betas, every),
            "Every step used the same noise, noise[0]. The noises of a chain are independent: step i has noise[i - 1].",
        ),
        Mistake(
            _noise_of_the_last,
            "Every step used the same noise, noise[-1]. The noises of a chain are independent: step i has "
            "noise[i - 1].",
        ),
        Mistake(
            lambda x0, noise, betas, every: _jumps(x0, noise, betas, every, chain=True),
            "You took alpha_bar where a single step is meant. A step keeps 1 - beta of the variance; alpha_bar is what "
            "all the steps up to it keep together.",
        ),
        Mistake(
            _jumps,
            "Each frame is a jump from x0 with a noise of its own. Each is right by itself, but they do not hang "
            "together: in a chain x_i is made from x_{i-1}.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: (1 - b).sqrt() * start + b.sqrt() * e),
            "Every step starts from x0 again: x has to become what the step before made of it.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: (1 - b).sqrt() * x + b * e),
            "The shrinking is right, but beta is the variance of the noise; what multiplies it is the root.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: (1 - b) * x + b.sqrt() * e),
            "The noise is right, but 1 - beta is a share of the variance; what multiplies x is the root.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: (1 - b) * x + b * e),
            "You multiplied by variances, 1 - beta and beta. What multiplies x and the noise are their roots.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: x + b.sqrt() * e),
            "x never shrinks: that is the naive step of notebook 01, whose variance grows without end.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: b.sqrt() * x + (1 - b).sqrt() * e),
            "x and the noise have changed places: a step keeps 1 - beta of the variance and adds beta.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: (1 - b).sqrt() * x + (1 - (1 - b).sqrt()) * e),
            "You made the two factors add up to 1. Their squares must: it is variances that add.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: (1 - b).sqrt() * x + e),
            "The noise comes in at full strength; a step adds only the variance beta.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: (1 - b).sqrt() * (x + b.sqrt() * e)),
            "You added the noise first and shrank both. Only x is shrunk; the noise comes in as it is.",
        ),
        Mistake(
            lambda x0, noise, betas, every: film(x0, noise[:, :1].expand_as(noise), betas, every),
            "All pictures got the first one's noise: each has its own, noise[i - 1, b] for picture b.",
        ),
        Mistake(
            _film_with(lambda x, e, b, i, start: ((1 - b).sqrt() * x + b.sqrt() * e).clamp(-1, 1)),
            "You clipped x to [-1, 1] in every step. Noised data go beyond that, and the next step needs them whole.",
        ),
        Mistake(
            lambda x0, noise, betas, every: film(x0, noise, betas, every).flip(0),
            "The film runs backwards: its first frame is the clean x0, its last is x_T.",
        ),
        Mistake(
            lambda x0, noise, betas, every: film(x0, noise, betas.flip(0), every),
            "You took the betas from the last to the first; betas[0] belongs to step 1.",
        ),
        Mistake(
            lambda x0, noise, betas, every: film(x0, noise, betas, every)[:-1],
            "The last frame is missing: the film ends with x_T.",
        ),
        Mistake(
            lambda x0, noise, betas, every: film(x0, noise, betas, every)[1:],
            "The first frame is missing: the film begins with the clean x0.",
        ),
        Mistake(
            _kept_after_counting_from_0,
            "The frames are those of timesteps 1, 1 + every, 1 + 2 every, …: your loop counts from 0. Count the steps "
            "that are done.",
        ),
        Mistake(
            _one_step_a_frame,
            "Between two frames you took one step. A frame is kept after every `every` steps; the steps between are "
            "taken too.",
        ),
        Mistake(
            _first_step_a_frame,
            "Between two frames you took one step, the first of each `every`. A frame is kept after every `every` "
            "steps; the steps between are taken too.",
        ),
        Mistake(
            _first_steps_only,
            "You kept the first steps one by one and stopped when there were frames enough; all T steps are to be "
            "taken, and every `every`-th is kept.",
        ),
        Mistake(
            _one_tensor,
            "All your frames are x_T: one tensor was changed in place and kept again and again. Make a new x in each "
            "step.",
        ),
    ),
    properties=(
        Property(
            lambda args, frames: bool(torch.isclose(frames[0], args[0].to(frames.dtype), atol=1e-5).all()),
            "The first frame must be x0 itself, before any noise; yours is not.",
        ),
    ),
    hints=(
        "A loop over the steps 1 to T. In each, x becomes a little less of itself and a little noise; what must the "
        "squares of the two factors be?",
        "Step i has betas[i - 1] and noise[i - 1]. Begin with a list that holds x0, and append x when i is a multiple "
        "of every.",
        "x = (1 - beta).sqrt() * x + beta.sqrt() * noise[i - 1]; torch.stack joins the list at the end.",
    ),
)


# ---------------------------------------------------------------- two timesteps, for notebook 06


def two_steps(generator, alpha_bar, ends=None):
    """Random timesteps 0 < s < t < T, or `ends`, of which a negative one is counted from T."""
    last = len(alpha_bar) - 1
    if ends is not None:
        return tuple(end if end >= 0 else last + 1 + end for end in ends)
    s = int(torch.randint(1, last - 1, (), generator=generator))
    return s, int(torch.randint(s + 1, last, (), generator=generator))


ENDS = ((0, 1), (0, 2), (1, 2), (0, -1), (1, -1), (-2, -1))


# ---------------------------------------------------------------- 2.4


def posterior(x_i, x0, i, alpha_bar):
    kept, before, now = alpha_bar[i] / alpha_bar[i - 1], alpha_bar[i - 1], alpha_bar[i]
    mean = (before.sqrt() * (1 - kept) * x0 + kept.sqrt() * (1 - before) * x_i) / (1 - now)
    return mean, (1 - kept) * (1 - before) / (1 - now)


def _posterior_with(mean=None, var=None):
    """The right posterior but for its mean or its variance, from (x_i, x0, kept, before, now)."""

    def answer(x_i, x0, i, alpha_bar):
        right_mean, right_var = posterior(x_i, x0, i, alpha_bar)
        parts = x_i, x0, alpha_bar[i] / alpha_bar[i - 1], alpha_bar[i - 1], alpha_bar[i]
        return mean(*parts) if mean else right_mean, var(*parts) if var else right_var

    return answer


def _untidied(mean=None, var=None):
    """The right posterior but for its mean or its variance, from (h, Lambda, kept, before); at i = 1 it is right."""

    def answer(x_i, x0, i, alpha_bar):
        right_mean, right_var = posterior(x_i, x0, i, alpha_bar)
        if i == 1:
            return right_mean, right_var
        kept, before = alpha_bar[i] / alpha_bar[i - 1], alpha_bar[i - 1]
        precision = kept / (1 - kept) + 1 / (1 - before)
        h = kept.sqrt() * x_i / (1 - kept) + before.sqrt() * x0 / (1 - before)
        parts = h, precision, kept, before
        return mean(*parts) if mean else right_mean, var(*parts) if var else right_var

    return answer


def _posterior_inputs(generator, step=None, batch=3, low=0.02):
    alpha_bar, x0 = random_alpha_bar(generator, low=low), pictures(generator, batch)
    i = some_step(generator, alpha_bar, step=step)
    return jump_to(x0, i, torch.randn(x0.shape, generator=generator), alpha_bar).float(), x0, i, alpha_bar


POSTERIOR = Exercise(
    id="2.4",
    title="The posterior q(x_{i-1} | x_i, x_0)",
    reference=posterior,
    inputs=_posterior_inputs,
    edges=steps_and_batches(_posterior_inputs),
    linear=("x_i", "x0"),
    returns=("mean", "var"),
    mistakes=(
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: (b.sqrt() * (1 - k) * x0 + a.sqrt() * (1 - b) * x) / (1 - a)),
            "Mean: x_i is multiplied by sqrt(alpha_bar[i]), but it is only one step away from x_{i-1}: "
            "that factor belongs to the single step.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: (a.sqrt() * (1 - k) * x0 + k.sqrt() * (1 - b) * x) / (1 - a)),
            "Mean: x0 is multiplied by sqrt(alpha_bar[i]). The Gaussian that ties x_{i-1} to x0 is the jump to i - 1.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: (b.sqrt() * (1 - b) * x0 + k.sqrt() * (1 - k) * x) / (1 - a)),
            "Mean: the two noise variances have changed places. Each source counts the more, the "
            "*smaller* its own variance.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: b.sqrt() * (1 - k) * x0 + k.sqrt() * (1 - b) * x),
            "Mean: the two weights are right up to one factor; divide by the precision, as in completing the square.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: b.sqrt() * x0 + 0 * x),
            "Mean: that is q(x_{i-1} | x_0), which knows nothing of x_i.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: (b * (1 - k) * x0 + k * (1 - b) * x) / (1 - a)),
            "Mean: alpha_bar[i - 1] and what the step keeps are shares of the variance; x0 and x_i are multiplied "
            "by their roots.",
        ),
        Mistake(
            _posterior_with(var=lambda x, x0, k, b, a: 1 - k),
            "Var: that is beta, the variance of one step forward. Knowing x0 too makes x_{i-1} more "
            "certain: shrink it.",
        ),
        Mistake(
            _posterior_with(var=lambda x, x0, k, b, a: ((1 - k) * (1 - b) / (1 - a)).sqrt()),
            "Var: that is the standard deviation; return the variance.",
        ),
        Mistake(
            _posterior_with(var=lambda x, x0, k, b, a: (1 - k) * (1 - a) / (1 - b).clamp_min(0)),
            "Var: the two noise levels have changed places, so it grows instead of shrinking and fails at i = 1.",
        ),
        Mistake(
            _posterior_with(var=lambda x, x0, k, b, a: 1 - b),
            "Var: that is the variance of q(x_{i-1} | x_0), before x_i was seen.",
        ),
        Mistake(
            _posterior_with(var=lambda x, x0, k, b, a: ((1 - k) * (1 - b) / (1 - a)).clamp_min(1e-20).log()),
            "Var: that is the log of the variance; return the variance, which is 0 at i = 1.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: (b.sqrt() * (1 - k) * x + k.sqrt() * (1 - b) * x0) / (1 - a)),
            "Mean: x_i and x0 have changed places: at i = 1 all the weight must be on x0.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: (b.sqrt() * (1 - k) * x0 + k.sqrt() * (1 - b) * x) / (1 - a).sqrt()),
            "Mean: it is divided by the root of 1 - alpha_bar[i]; the precision is made of variances, no root.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: (x - (1 - k) * (x - a.sqrt() * x0) / (1 - a).sqrt()) / k.sqrt()),
            "Mean: in Ho et al.'s form, eps is multiplied by beta / sqrt(1 - alpha_bar[i]): the root is missing.",
        ),
        Mistake(
            _posterior_with(
                lambda x, x0, k, b, a: b.sqrt() * x0 + (1 - b).sqrt() * (x - a.sqrt() * x0) / (1 - a).sqrt()
            ),
            "Mean: that is DDIM's step, which keeps all of the noise. The posterior's mean keeps less of it.",
        ),
        Mistake(
            _posterior_with(lambda x, x0, k, b, a: x / k.sqrt()),
            "Mean: that undoes the step's shrinking, and knows nothing of x0.",
        ),
        Mistake(
            _posterior_with(var=lambda x, x0, k, b, a: ((1 - k) * (1 - b) / (1 - a)).square()),
            "Var: you squared the variance.",
        ),
        Mistake(
            _posterior_with(var=lambda x, x0, k, b, a: (1 - k) * (1 - b)),
            "Var: the two variances are multiplied; divide by what they add up to, 1 - alpha_bar[i].",
        ),
        Mistake(
            _untidied(var=lambda h, precision, k, b: precision),
            "Var: that is Lambda, the precision. The variance is one over it.",
        ),
        Mistake(
            _untidied(
                lambda h, precision, k, b: h / (1 / (1 - k) + 1 / (1 - b)),
                lambda h, precision, k, b: 1 / (1 / (1 - k) + 1 / (1 - b)),
            ),
            "Lambda: in the step's square x_{i-1} is multiplied by sqrt(kept), so what stands before x_{i-1}² is "
            "kept / (1 - kept), not 1 / (1 - kept).",
        ),
        Mistake(
            _untidied(lambda h, precision, k, b: h),
            "Mean: that is h, what stands before -2 x_{i-1}. The mean is h / Lambda.",
        ),
        Mistake(
            _untidied(lambda h, precision, k, b: 2 * h / precision),
            "Mean: it is twice what it should be. The square (x - m)² has -2 m x in it, so m is h / Lambda, "
            "where -2 h is what stands before x.",
        ),
    ),
    properties=(
        Property(
            lambda args, answer: bool(answer[1] >= 0),
            "Your variance is negative for some i.",
        ),
        Property(
            lambda args, answer: args[2] > 1 or bool(answer[1].abs() < 1e-6),
            "At i = 1 there is nothing left to guess, x_{i-1} is x0 itself; your variance is not 0 there.",
        ),
        Property(
            lambda args, answer: args[2] > 1 or bool((answer[0] - args[1]).abs().max() < 1e-4),
            "At i = 1 the mean must be x0 itself; yours is not.",
        ),
        Property(
            lambda args, answer: bool(answer[1] <= 1 - args[3][args[2]] / args[3][args[2] - 1] + 1e-9),
            "Your variance is larger than that of one step forward; knowing x0 too can only make it smaller.",
        ),
    ),
    hints=(
        "Two Gaussians speak about x_{i-1}: the jump from x0 to i - 1, and the step from i - 1 to i read "
        "backwards. Multiply them.",
        "Precisions (1 / variance) add; the mean is weighted by precision. The jump has variance 1 - "
        "alpha_bar[i-1]; the step, with kept = alpha_bar[i] / alpha_bar[i-1], says x_i = sqrt(kept) "
        "x_{i-1} + noise of variance 1 - kept.",
        "var = (1 - kept) (1 - alpha_bar[i-1]) / (1 - alpha_bar[i]). In this form it survives i = 1. For "
        "the mean, x0 gets sqrt(alpha_bar[i-1]) over the jump's variance, times var: write it so that "
        "nothing is divided by 0.",
    ),
)
