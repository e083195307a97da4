"""The exercises: right answers pass, wrong ones get their sentence, nothing a learner does brings a check down.

The stubs and solutions are read out of the notebooks: an exercise is a code cell tagged `exercise`, whose metadata
holds `"exercise": "2.1"`, ends with its `check`, and is followed by a collapsed code cell tagged `solution`.
"""

import copy
import dataclasses
import functools
import html.parser
import importlib.machinery
import inspect
import io
import itertools
import json
import linecache
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import nbformat.v4
import numpy
import pytest
import torch

from diffusion_lib import conditions, denoisers, evaluation, networks, objective, predictions, sampling, training
from diffusion_lib.course import tokens
from diffusion_lib.course.exercises import check, display, hint, learner, verdicts
from diffusion_lib.course.exercises.catalogue import catalogue, find, notebooks
from diffusion_lib.course.exercises.draws import (
    Stopped,
    agree,
    draw_arguments,
    draws,
    exact_answer,
    in_float64,
    parts_of,
)
from diffusion_lib.course.exercises.exercise import Exercise, Mistake
from diffusion_lib.course.exercises.stubs import is_stub, source_of
from diffusion_lib.course.exercises.verdicts import judge
from diffusion_lib.course.release.notebook import graded, source_version
from diffusion_lib.denoisers import Denoiser, Empirical
from diffusion_lib.gaussians import Gaussian
from diffusion_lib.schedules import Discrete, Flow

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
EVERY = [exercise for notebook in range(14) for exercise in catalogue(notebook).values()]
ALL = [exercise for exercise in EVERY if isinstance(exercise, Exercise)]  # the others ask for a test
CORE = range(1, 7)


def by_id(exercise):
    return exercise.id


@pytest.fixture(autouse=True)
def not_grading(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.delenv("DIFFUSION_EXERCISES", raising=False)


# ---------------------------------------------------------------- the catalogue


def test_each_core_notebook_has_three_to_six_exercises():
    for notebook in CORE:
        ids = list(catalogue(notebook))
        assert 3 <= len(ids) <= 6
        assert ids == [f"{notebook}.{k + 1}" for k in range(len(ids))]


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_exercise_is_complete(exercise):
    sentences = [mistake.sentence for mistake in exercise.mistakes] + [rule.sentence for rule in exercise.properties]
    assert len(exercise.mistakes) >= 3
    assert len(set(sentences)) == len(sentences)
    assert len(exercise.hints) == 3
    assert exercise.tolerance <= 5e-5 or exercise.id == "4.5"  # where float32 knows an angle of 1000 to 1e-4
    for text in (*sentences, *exercise.hints):
        assert "\n" not in text
        assert text[-1] in ".?"


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_reference_is_right(exercise):
    assert judge(exercise, exercise.reference).line == f"{exercise.id} — right."


@pytest.mark.parametrize(
    ("exercise", "mistake"),
    [(exercise, mistake) for exercise in ALL for mistake in exercise.mistakes],
    ids=lambda part: getattr(part, "id", None) or part.sentence[:40],
)
def test_mistake_gets_its_sentence(exercise, mistake):
    """The learner's own float32 numbers must be recognised, not only the float64 ones of the catalogue."""
    line = judge(exercise, mistake.answer).line
    stops = any(isinstance(draw.mistakes[exercise.mistakes.index(mistake)][0], Stopped) for draw in draws(exercise))
    assert line.startswith(f"{exercise.id} — not yet. {mistake.sentence}")
    assert line.endswith(mistake.sentence) or (stops and "Your function stopped with " in line)


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_inputs_tell_all_answers_apart(exercise):
    """On some draw, each two of the exact and the mistaken answers are 30 tolerances apart."""
    for one in range(-1, len(exercise.mistakes)):
        for other in range(one + 1, len(exercise.mistakes)):
            if one < 0 and not exercise.exact:
                continue
            answers = [
                (draw.answer if one < 0 else draw.mistakes[one], draw.mistakes[other]) for draw in draws(exercise)
            ]
            assert any(not agree(exercise, *pair, times=30.0) for pair in answers)


def test_one_definition_in_one_file_is_a_new_exercise(monkeypatch, capsys):
    """A file `nb98.py` that defines an exercise is all that `check` and `hint` need; a number taken twice is refused."""
    module = types.ModuleType(f"{catalogue.__module__.rpartition('.')[0]}.nb98")
    module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None)
    module.DOUBLE = Exercise(
        id="98.1",
        title="Twice",
        reference=lambda x: 2 * x,
        inputs=lambda generator: (torch.randn(5, generator=generator),),
        mistakes=(Mistake(lambda x: x * x, "That is the square."),),
        hints=("Add.", "x to itself.", "x + x"),
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(learner, "_hints_given", {})
    catalogue.cache_clear()
    check("98.1", lambda x: x + x)
    check("98.1", torch.square)
    hint("98.1")
    assert (
        capsys.readouterr().out
        == "✓ 98.1 — right.\n✗ 98.1 — not yet. That is the square.\n→ 98.1 — hint 1 of 3: Add.\n"
    )
    module.AGAIN = dataclasses.replace(module.DOUBLE, title="Once more")
    catalogue.cache_clear()
    with pytest.raises(ValueError, match=r"two exercises '98\.1'"):
        find("98.1")
    monkeypatch.undo()
    catalogue.cache_clear()


def test_an_exercise_whose_mistake_cannot_be_seen_is_refused():
    exercise = find("2.1")
    hidden = Mistake(lambda x0, i, noise, ab: exercise.reference(x0, i, noise, ab) * 1.0, "Never seen.")
    broken = dataclasses.replace(exercise, mistakes=(*exercise.mistakes, hidden))
    with pytest.raises(RuntimeError, match="no draw tells apart"):
        judge(broken, exercise.reference)


def in_float32(value):
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


@pytest.mark.parametrize("exercise", [exercise for exercise in ALL if exercise.exact], ids=by_id)
def test_tolerance_leaves_room_for_float32(exercise):
    """The reference in float32 from end to end stays within a third of the tolerance of the float64 one."""
    for seed in range(200):
        exact = exact_answer(exercise, exercise.reference, draw_arguments(exercise.inputs, seed))
        rough = tuple(in_float32(value) for value in draw_arguments(exercise.inputs, seed))
        rounded = parts_of(exercise, rough, exercise.reference(*rough))
        assert agree(exercise, exact, rounded, 1 / 3), (seed, exact, rounded)


# ---------------------------------------------------------------- the exact answers are the package's


def draws_in_float64(id):
    return [tuple(in_float64(value) for value in draw.arguments()) for draw in draws(find(id))]


def schedule_of(alpha_bar):
    """The package's schedule of that table, and its T."""
    return Discrete(tuple(1 - alpha_bar[1:] / alpha_bar[:-1])), len(alpha_bar) - 1


def eps_of(x_t, x0, t, q):
    alpha, sigma = q.pair(t, x_t)
    return (x_t - alpha * x0) / sigma


def of_0_2(x_t, x0, t):
    return predictions.solve(x_t, x0, *torch.tensor([1 - t, t, 1.0, 0.0], dtype=x_t.dtype)).eps


class Guessing:
    """A denoiser of the package around a function of x and t."""

    schedule = Flow()

    def __init__(self, guess):
        self.guess = guess

    def null(self, cond):
        return cond

    def __call__(self, x, t, cond=None):
        x0 = self.guess(x, t)
        return predictions.Prediction(x0, of_0_2(x, x0, t))


def of_0_3(denoise, x, times):
    *_, last = sampling.walk(Guessing(denoise), x, times, "ddim")
    return last.x


def of_1_1(betas):
    q = Discrete(tuple(betas))
    return torch.stack([q.alpha_bar(i / len(betas)) for i in range(len(betas) + 1)])


def of_1_2(alpha_bar):
    q, steps = schedule_of(torch.cat([torch.ones(1), alpha_bar]))
    return torch.stack([q.log_snr((i + 1) / steps) for i in range(steps)])


def of_1_3(alpha_bar):
    q, steps = schedule_of(alpha_bar)
    return q.betas(steps)


def of_2_1(x0, i, noise, alpha_bar):
    q, steps = schedule_of(alpha_bar)
    there = q.marginal(x0, i / steps)
    return there.mean + there.var.sqrt() * noise


def of_2_2(x0, i, noise, alpha_bar):
    return torch.cat([of_2_1(x0[b : b + 1], int(i[b]), noise[b : b + 1], alpha_bar) for b in range(len(x0))])


def of_2_3(x0, noise, betas, every):
    q, steps, x, frames = Discrete(tuple(betas)), len(betas), x0, [x0]
    for i in range(1, steps + 1):
        there = q.transition(x, (i - 1) / steps, i / steps)
        x = there.mean + there.var.sqrt() * noise[i - 1]
        frames.append(x)
    return torch.stack(frames[::every])


def of_2_4(x_i, x0, i, alpha_bar):
    q, steps = schedule_of(alpha_bar)
    there = q.posterior(x_i, x0, (i - 1) / steps, i / steps)
    return there.mean, there.var.flatten()[0]


def of_3_1(mean_q, var_q, mean_p, var_p):
    return Gaussian(mean_q, var_q).kl(Gaussian(mean_p, var_p))


def of_3_2(x0, noise, guess, alpha_bar):
    """The package's own bound, with a denoiser that asks the guesser and noise that is handed to it."""
    q, steps = schedule_of(alpha_bar)
    rows = [q.marginal(x0, 1.0).kl(objective.prior(q, x0))]

    class Guess:
        schedule = q

        def __call__(self, x, t, cond=None):
            return predictions.Prediction(guess(x, round(t * steps)), None)

    for i in range(steps, 0, -1):
        there = q.marginal(x0, i / steps)
        x_i = there.mean + there.var.sqrt() * noise[i - 1]
        if i == 1:
            rows.append(-objective.decoder(Guess(), x_i, 1 / steps).log_prob(x0))
        else:
            x0_hat = guess(x_i, i)[:, None]
            rows.append(objective.step_kl(q, x_i[:, None], x0[:, None], x0_hat, (i - 1) / steps, i / steps))
    return torch.stack(rows[::-1])


def of_3_3(i, alpha_bar):
    q, steps = schedule_of(alpha_bar)
    return objective.kl_weight(q, (i - 1) / steps, i / steps, "eps")


def of_3_4(i, alpha_bar, variance, squared_error):
    q, steps = schedule_of(alpha_bar)
    true, guessed = (
        q.posterior(0 * squared_error, x0, (i - 1) / steps, i / steps)
        for x0 in (0 * squared_error, squared_error.sqrt())
    )
    return true.kl(Gaussian(guessed.mean, variance))


def of_3_5(nats, x):
    return objective.nats_to_bits_per_dim(nats, x[0].numel(), levels=None)


def of_4_1(x_t, data):
    return Empirical(data, Flow())(x_t, 1.0).x0  # Flow has alpha = 0 at t = 1


def of_4_2(x_t, data, alpha, sigma):
    q = Flow()  # the same ratio sigma / alpha at t = sigma / (alpha + sigma), where x is smaller by alpha + sigma
    return Empirical(data, q)(x_t / (alpha + sigma), sigma / (alpha + sigma)).x0


def of_4_3(x_t, eps, alpha, sigma):
    return predictions.solve(x_t, eps, alpha, sigma, *predictions.TARGETS["eps"](alpha, sigma, None)).x0


def of_4_4(x_t, v, alpha, sigma):
    both = predictions.solve(x_t, v, alpha, sigma, *predictions.TARGETS["v"](alpha, sigma, None))
    return both.x0, both.eps


def of_4_6(x, c, parts):
    """The package's block, with the same parts in it."""
    outputs = parts.conv1.out_channels
    block = networks.unet.ResBlock(x.shape[1], outputs, c.shape[1], groups=1).double()
    for name in ("norm1", "conv1", "film", "norm2", "conv2", "skip"):
        setattr(block, name, getattr(parts, name))
    return block(x, c)


def of_5_1(model, criterion, optimizer, dataloader, draw, num_epochs):
    """Gradient descent on a linear network, by hand; the loss of an epoch from each picture's own."""
    reported = []
    for _ in range(num_epochs):
        each = []
        for x0, _ in dataloader:
            noise, t, alpha, sigma = draw(x0)
            each.append(by_hand(model, optimizer, alpha * x0 + sigma * noise, t, x0))
        reported.append(torch.cat(each).mean())
    return reported


def of_5_3(average, weights, updates, decay):
    return average.lerp(weights, 1 - training.ema_decay(decay, updates))


def of_5_4(net, optimizer, x0, noise, t, alpha, sigma, longest):
    return by_hand(net, optimizer, alpha * x0 + sigma * noise, t, x0, longest).mean()


@torch.no_grad()
def by_hand(net, optimizer, x_t, t, x0, longest=math.inf):
    """One step of gradient descent on a linear network that guesses x0, without autograd; each picture's loss."""
    miss, x_t = (net(x_t, t) - x0).flatten(1), x_t.flatten(1)
    pull = 2 * miss / miss.numel()
    gradients = x_t.T @ pull, (t[:, None] * pull).sum(0), pull.sum(0)
    length = sum(gradient.square().sum() for gradient in gradients).sqrt().item()
    for parameter, gradient in zip((net.matrix, net.slope, net.offset), gradients, strict=True):
        parameter -= optimizer.param_groups[0]["lr"] * min(1.0, longest / length) * gradient
    return miss.square().mean(1)


def of_6_1(x_i, x0, i, noise, alpha_bar):
    q, steps = schedule_of(alpha_bar)
    there = q.posterior(x_i, x0, (i - 1) / steps, i / steps)
    return there.mean + there.var.sqrt() * noise


def of_6_2(x_t, x0, alpha_t, sigma_t, alpha_s, sigma_s):
    found = predictions.solve(x_t, x0, alpha_t, sigma_t, torch.ones_like(alpha_t), torch.zeros_like(alpha_t))
    return alpha_s * found.x0 + sigma_s * found.eps


def of_6_3(x_t, x0, s, t, eta, noise, alpha_bar):
    """The package's own step, with a generator that draws the noise handed to the exercise."""
    q, steps = schedule_of(alpha_bar)

    class Guess:
        schedule = q

        def __call__(self, x, time, cond=None):
            return predictions.Prediction(x0, eps_of(x, x0, time, q))

    def ddim(eta):
        return sampling.ddim(Guess(), x_t, t / steps, s / steps, eta=eta, generator=torch.Generator().manual_seed(3))

    there = q.posterior(x_t, x0, s / steps, t / steps)
    new = eta * there.var.sqrt()  # what ddim multiplies its own noise by
    drawn = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(3), dtype=x_t.dtype)
    return ddim(eta) + new * (noise - drawn)


class TableSchedule:
    """Alpha and sigma at the times of a list, and nowhere else."""

    def __init__(self, times, alphas, sigmas):
        self.at = {float(t): (a, s) for t, a, s in zip(times, alphas, sigmas, strict=True)}

    def pair(self, t, x):
        return self.at[float(t)]


def of_6_5(guess, x, times, alphas, sigmas):
    """The package's driver with its DDIM step, on a schedule that is this table."""
    schedule = TableSchedule(times, alphas, sigmas)

    def denoise(x, t, cond=None):
        x0 = guess(x, t)
        alpha, sigma = schedule.pair(t, x)
        return predictions.Prediction(x0, (x - alpha * x0) / sigma)

    denoise.schedule, denoise.null = schedule, lambda cond: cond
    *_, last = sampling.walk(denoise, x, [float(t) for t in times], "ddim")
    return last.x


def of_6_4(a, b, w):
    return sampling.slerp(a[None], b[None], w)[0]


def of_7_1(x, x0, alpha, sigma):
    noised = Gaussian(alpha * x0, sigma**2)
    x = x.clone().requires_grad_()
    return torch.autograd.grad(noised.log_prob(x).sum(), x)[0]


class ScoreAsDenoiser:
    """A denoiser on pure noise of deviation 1, so that the package's score is the one given."""

    class schedule:
        @staticmethod
        def pair(t, x):
            return torch.zeros((), dtype=x.dtype), torch.ones((), dtype=x.dtype)

    def __init__(self, score):
        self.score = score

    def __call__(self, x, t, cond=None):
        return predictions.Prediction(x, -self.score(x))


def of_7_2(score, x, h, noises):
    """The package's Langevin steps, with the generator's noise exchanged for the exercise's."""
    for z in noises:
        (stop,) = sampling.langevin(
            ScoreAsDenoiser(score), x, 1.0, 1, size=h, generator=torch.Generator().manual_seed(2)
        )
        drawn = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
        x = stop.x + (2 * h) ** 0.5 * (z - drawn)
    return x


def of_7_3(field, u, tau, tau_next):
    """The package's Heun step on the flow schedule, where u is x and tau is t."""

    def denoise(x, t, cond=None):
        return predictions.Prediction(torch.zeros_like(x), field(x, t))

    denoise.schedule = Flow()
    if tau_next == 0:  # where the package's step takes one look, and that of the exercise two
        h, d = tau_next - tau, field(u, tau)
        return u + h / 2 * (d + field(u + h * d, tau_next))
    return sampling.heun(denoise, u, tau, tau_next)


def of_10_1(x0, eps, t):
    schedule = Flow()
    (alpha, sigma), (dalpha, dsigma) = schedule.pair(t, x0), schedule.rates(t, x0)
    return alpha * x0 + sigma * eps, dalpha * x0 + dsigma * eps


class AsNetwork(torch.nn.Module):
    """A function of (x, t) as a network that a denoiser takes."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, t, cond=None):
        return self.function(x, t)


def of_10_2(net, x0, eps, t):
    denoiser = Denoiser(AsNetwork(net), Flow(), "velocity", scale_input=False)
    return objective.loss(denoiser, x0, t, eps)


def of_10_3(velocity, x, times):
    def denoise(x, t, cond=None):
        return predictions.Prediction(torch.zeros_like(x), velocity(x, t))

    denoise.schedule, denoise.null = Flow(), lambda cond: cond
    return torch.stack([x, *(stop.x for stop in sampling.walk(denoise, x, times, "euler"))])


def of_8_1(labels, draws, share):
    return conditions.where(draws < share, conditions.null_labels(labels), labels)


def of_8_2(denoise, x, t, labels, scale):
    class Inner:
        schedule = Flow()

        @staticmethod
        def null(cond):
            return conditions.null_labels(cond)

        def __call__(self, x, t, cond=None):
            return denoise(x, t, cond)

    guess = denoisers.Guided(Inner(), scale)(x, t, labels)
    return guess.x0, guess.eps


def of_8_3(x0, eps, x, alpha, sigma, known, mask):
    class Inner:
        class schedule:
            @staticmethod
            def pair(t, x):
                return alpha.to(x), sigma.to(x)

        def __call__(self, x, t, cond=None):
            return predictions.Prediction(x0, eps)

    guess = denoisers.Inpainted(Inner(), known, mask)(x, 0.5)
    return guess.x0, guess.eps


def of_8_4(x_s, z, alpha_s, sigma_s, alpha_t, sigma_t):
    onwards = Flow().transition(x_s, float(sigma_s), float(sigma_t))
    return onwards.mean + onwards.var.sqrt() * z


class FixedPosterior:
    """An autoencoder whose encoder says one thing, whatever it is shown; its pictures are the latents."""

    def __init__(self, mean, log_variance):
        self.posterior, self.seen = lambda x: (mean, log_variance), []

    def picture(self, z):
        self.seen.append(z)
        return z


def of_9_1(mean, log_variance, noise):
    net = FixedPosterior(mean, log_variance)
    bound = objective.autoencoder_bound(net, torch.zeros_like(mean), noise, 1.0)
    return net.seen[0], bound.prior


def of_9_2(latents):
    net = networks.Autoencoder(size=4 * latents.shape[-1]).double()
    net.posterior = lambda x: (x, torch.zeros_like(x))
    net.scale([latents])
    return net.encode(latents), net.mean, net.std


def of_9_3(q, k, v):
    attend = networks.attention.attend
    words = torch.eye(k.shape[-2], dtype=k.dtype).expand(len(k), -1, -1)
    return attend(q, k, v), attend(q, k, words)


def of_11_1(noised, clean, middles, alpha, sigma):
    """The package's local denoiser on pictures of one line, whose pixel in the middle is too faint to say anything."""

    class Fixed:
        @staticmethod
        def pair(t, x):
            return torch.tensor([alpha, sigma], dtype=x.dtype).reshape(2, 1, 1, 1, 1)

    def line(patch, middle):
        return torch.cat([patch[:, :3], middle[:, None], patch[:, 3:]], 1)[:, None, None]

    faint = 1e-6
    local = denoisers.Local(line(clean, faint * middles), Fixed(), patch=7)
    return local(line(noised, 0 * noised[:, 0]), 0.5).x0[:, 0, 0, 3] / faint


def of_11_2(a, b):
    return evaluation.frechet_distance(a, b)


def of_11_3(samples, train, fresh):
    to_train, to_fresh = (evaluation.nearest_neighbours(samples, others).distance for others in (train, fresh))
    return (to_train < to_fresh).double().mean()


def of_12_5(guess, x, noises, beta):
    """The package's posterior, walked with noise that is handed to it."""
    steps, stops = len(beta) - 1, [x]
    q = Discrete(tuple(beta[1:]))
    for i in range(steps, 0, -1):
        there = q.posterior(stops[-1], guess(stops[-1], i), (i - 1) / steps, i / steps)
        stops.append(there.mean + there.var.sqrt() * noises[i - 1])
    return torch.stack(stops)


def of_13_1(picture, size):
    """The package's transforms, one after the other, in the exercise's order."""
    from torchvision.transforms import functional

    square = functional.center_crop(picture, min(picture.shape[1:]))
    return functional.normalize(functional.resize(square, [size, size], antialias=True), [0.5] * 3, [0.5] * 3)


def of_13_2(samples, pictures):
    distance = evaluation.nearest_neighbours(samples, pictures, k=2).distance
    return distance[:, 0], distance[:, 0] / distance[:, 1]


OF_THE_PACKAGE = {
    name[3:].replace("_", "."): value for name, value in list(globals().items()) if name.startswith("of_")
}


@pytest.mark.parametrize("id", OF_THE_PACKAGE)
def test_exact_answer_is_the_packages(id):
    exercise = find(id)
    for draw, arguments in zip(draws(exercise), draws_in_float64(id), strict=True):
        result = OF_THE_PACKAGE[id](*arguments)
        assert agree(exercise, draw.answer, parts_of(exercise, arguments, result), 0.01)


def test_time_embedding_is_the_networks():
    for t, dim in draws_in_float64("4.5"):
        torch.testing.assert_close(find("4.5").reference(t, dim), networks.time_embedding(t, dim), atol=1e-6, rtol=0)


def test_a_resumed_run_goes_on_as_if_it_had_never_stopped():
    """Exercise 13.3 with Adam itself: only the right answer gives the weights of a run without a break."""

    def run(first, last, net, average, optimizer):
        for step in range(first, last + 1):
            x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            (net(x) - x.sin()).square().mean().backward()
            optimizer.step()
            for mean, weight in zip(average.parameters(), net.parameters(), strict=True):
                mean.data.lerp_(weight.data, 0.3)

    def parts(seed):
        torch.manual_seed(seed)
        net, average = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        return net, average, torch.optim.Adam(net.parameters(), lr=0.01)

    def weights(net, average, _):
        return torch.cat([p.detach().flatten() for p in (*net.parameters(), *average.parameters())])

    straight, stopped = parts(0), parts(0)
    run(1, 12, *straight)
    run(1, 5, *stopped)
    states = [part.state_dict() for part in stopped]
    saved = {"step": 5, **dict(zip(("net", "average", "optimizer"), states, strict=True))}

    def resumed(answer):
        begun = parts(1)
        run(answer(*begun, copy.deepcopy(saved)), 12, *begun)
        return weights(*begun)

    exercise = find("13.3")
    assert torch.equal(resumed(exercise.reference), weights(*straight))
    for mistake in exercise.mistakes:
        assert not torch.allclose(resumed(mistake.answer), weights(*straight), atol=1e-4), mistake.sentence


# ---------------------------------------------------------------- wrong answers that are in no catalogue


def rms(x):
    return x.square().mean().sqrt().clamp_min(0.1)


def one_element(x, amount):
    x = x.clone()
    x.view(-1)[x.numel() // 2] += amount * rms(x)
    return x


PERTURBATIONS = {
    "a thousandth more": lambda x: 1.002 * x,
    "a tenth less": lambda x: 0.9 * x,
    "doubled": lambda x: 2 * x,
    "tripled": lambda x: 3 * x,
    "sign": lambda x: -x,
    "shift up": lambda x: x + 0.02 * rms(x),
    "shift down": lambda x: x - rms(x),
    "one element up": lambda x: one_element(x, 0.05),
    "one element down": lambda x: one_element(x, -3.0),
    "noise of a hundredth": lambda x: x + 0.02 * rms(x) * torch.randn_like(x),
    "noise": lambda x: x + rms(x) * torch.randn_like(x),
    "noise only": torch.randn_like,
    "uniform noise": torch.rand_like,
    "zeros": torch.zeros_like,
    "ones": torch.ones_like,
    "minus ones": lambda x: -torch.ones_like(x),
    "NaN": lambda x: x * torch.nan,
    "infinite": lambda x: x + torch.inf,
    "flattened and one more dimension": lambda x: x.reshape(-1)[None],
    "transposed": lambda x: x.reshape(-1)[:, None].T if x.ndim < 2 else x.transpose(-1, -2),
    "one too many": lambda x: torch.cat([x.reshape(-1)[:1], x.reshape(-1)]),
    "one too few": lambda x: x[:-1] if x.ndim else x[None],
    "backwards": lambda x: x.reshape(-1).flip(0).reshape(x.shape),
    "off by one": lambda x: x.reshape(-1).roll(1).reshape(x.shape),
    "squared": torch.square,
    "root": lambda x: x.abs().sqrt(),
    "exponential": torch.exp,
    "cosine": torch.cos,
    "rounded": torch.round,
    "half precision": lambda x: x.half(),
    "integers": lambda x: x.long(),
    "mean everywhere": lambda x: x.mean().expand_as(x),
    "clipped": lambda x: x.clamp(-0.3, 0.3),
    "list": lambda x: x.tolist() if x.ndim else [x.item()],
    "numpy": lambda x: x.numpy() if x.ndim else x[None].numpy(),
}


def perturbed(exercise, change):
    """The reference with one part of its answer changed; for a training step, also the network it leaves behind."""

    def answers(part):
        def answer(*arguments):
            result = exercise.reference(*arguments)
            if exercise.observe is not None:
                if part == 0:
                    return change(torch.as_tensor(result))
                with torch.no_grad():
                    for parameter in arguments[0].parameters():
                        parameter.copy_(change(parameter.detach().clone()))
                return result
            if len(exercise.returns) == 1:
                return change(result)
            return tuple(change(own) if place == part else own for place, own in enumerate(result))

        return answer

    return [answers(part) for part in range(len(exercise.returns))]


def really_wrong(exercise, answer):
    """Whether some draw's answer differs from the exact one by a thousandth of its size: judged without the engine."""
    for draw in draws(exercise):
        arguments = draw.arguments()
        try:
            found = answer(*arguments)
            if exercise.observe is not None:
                found = exercise.observe(arguments, found)
            found = found if isinstance(found, tuple) else (found,)
            exact = draw.answer
        except (RuntimeError, TypeError):  # weights of another shape cannot be copied
            return False
        for own, true in zip(found, exact, strict=True):
            if not isinstance(own, torch.Tensor) or own.shape != true.shape or not own.is_floating_point():
                return True
            if own.dtype == torch.float16 or not own.isfinite().all():
                return True
            if (own.double() - true).abs().max() > 1e-3 * true.abs().max().clamp_min(1e-6):
                return True
    return False


def still_a_schedule(answer):
    """Exercise 1.4 has many right answers; the same conditions as its stub's, written down a second time."""
    for draw in draws(find("1.4")):
        (length,) = draw.arguments()
        betas = answer(length)
        if not isinstance(betas, torch.Tensor) or betas.shape != (length,) or not betas.is_floating_point():
            return False
        if betas.dtype == torch.float16 or not ((betas > 0) & (betas < 1)).all():
            return False
        left = (1 - betas.double()).log().cumsum(0).exp()
        snr = left / (1 - left)
        if snr[-1] >= 1e-4 or not 1e-3 < snr[round(length / 2) - 1] < 1e3:
            return False
    return True


@pytest.mark.parametrize("exercise", ALL, ids=by_id)
def test_perturbed_answers_are_rejected(exercise):
    torch.manual_seed(0)
    rejected = 0
    for name, change in PERTURBATIONS.items():
        for answer in perturbed(exercise, change):
            wrong = really_wrong(exercise, answer) if exercise.exact else not still_a_schedule(answer)
            if not wrong:
                continue
            verdict = judge(exercise, answer)
            assert verdict.state == "not yet", (exercise.id, name, verdict.line)
            assert "\n" not in verdict.line
            rejected += 1
    assert rejected >= 20


@pytest.mark.parametrize("exercise", [exercise for exercise in ALL if exercise.exact], ids=by_id)
def test_random_answers_never_pass(exercise):
    """Right shapes, random numbers: ten guesses of twelve answers each, all rejected."""
    torch.manual_seed(1)

    def guess(*arguments):
        result = exercise.reference(*arguments)
        parts = result if isinstance(result, tuple) else (result,)
        parts = tuple(torch.randn_like(torch.as_tensor(part)) for part in parts)
        return parts if len(parts) > 1 else parts[0]

    for _ in range(10):
        assert judge(exercise, guess).state == "not yet"


# ---------------------------------------------------------------- whatever a learner does


def right(x0, i, noise, alpha_bar):
    return alpha_bar[i].sqrt() * x0 + (1 - alpha_bar[i]).sqrt() * noise


def says(function, id="2.1"):
    """The sentence of the verdict, without the exercise's number."""
    verdict = judge(find(id), function)
    assert "\n" not in verdict.line
    return verdict.line.removeprefix(f"{id} — ")


NOT_ATTEMPTED = 'not attempted yet: replace the ... and run the cell again.  hint("2.1") helps.'


def stub_dots(x0, i, noise, alpha_bar):
    """With a docstring."""
    ...


def stub_pass(x0, i, noise, alpha_bar):
    pass


def stub_return_dots(x0, i, noise, alpha_bar):
    return ...


def stub_nbgrader(x0, i, noise, alpha_bar):
    # YOUR CODE HERE
    raise NotImplementedError()


def stub_half_done(x0, i, noise, alpha_bar):
    factor = alpha_bar[i].sqrt()
    result = factor and ...
    return result


def stub_of_nbgrader_half_done(x0, i, noise, alpha_bar):
    factor = alpha_bar[i].sqrt()  # noqa: F841
    raise NotImplementedError


@pytest.mark.parametrize(
    "stub", [stub_dots, stub_pass, stub_return_dots, stub_nbgrader, stub_half_done, stub_of_nbgrader_half_done]
)
def test_stub_is_not_attempted(stub):
    assert says(stub) == NOT_ATTEMPTED


STUB_BODIES = [
    "...", "pass", "return", "return None", "return ...", "return ..., ...", "raise NotImplementedError",
    "raise NotImplementedError()", "raise NotImplementedError('to do')", "'A docstring.'", "'A docstring.'\n    ...",
    "'A docstring.'\n    return ...", "'A docstring.'\n    raise NotImplementedError()", "...\n    ...  # a comment",
    "# a comment\n    ...\n    # and another", "'A docstring.'\n    # YOUR CODE HERE\n    raise NotImplementedError()",
    "pass\n    return", "...\n    'a remark'",
]  # fmt: skip
ATTEMPTS = [
    "return x", "x", "y = ...", "return 0", "return x, ...", "return 'a'", "return ...  + x", "raise ValueError",
    "raise NotImplementedError from x", "x = x\n    ...", "yield", "return [...]", "assert x", "'A docstring.'\n    return x",
    "import math", "for _ in x: pass", "if x:\n        return ...", "return lambda: ...", "def inner(): ...",
]  # fmt: skip


def with_source(body, name, folder):
    """The function `f(x)` with that body, from a file: `inspect` finds its source, as Jupyter lets it."""
    path = folder / f"{name}.py"
    path.write_text(f"def f(x):\n    {body}\n")
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names["f"]


def without_source(body):
    names = {}
    exec(f"def f(x):\n    {body}\n", names)
    with pytest.raises(OSError):
        source_of(names["f"])
    return names["f"]


@pytest.mark.parametrize("body", STUB_BODIES)
def test_shapes_of_stubs(body, tmp_path):
    assert is_stub(with_source(body, "stub", tmp_path))


@pytest.mark.parametrize("body", ATTEMPTS)
def test_near_stubs_are_attempts(body, tmp_path):
    assert not is_stub(with_source(body, "attempt", tmp_path))
    assert not is_stub(without_source(body))


@pytest.mark.parametrize(
    "docstring", ["", "'A docstring.'", "'''Of two\n\n    lines.'''"], ids=["bare", "short", "long"]
)
@pytest.mark.parametrize(
    "body", ["...", "pass", "return", "return ...", "raise NotImplementedError", "raise NotImplementedError()", ""]
)
def test_stubs_without_source(body, docstring):
    """Compared with what the running Python makes of a stub."""
    if body or docstring:
        assert is_stub(without_source(f"{docstring}\n    {body}" if docstring else body))


def test_the_text_of_python_c_is_not_taken_for_a_function_s_source(monkeypatch):
    """Since Python 3.13 `python -c` keeps its text where `inspect` looks for what `exec` has made."""
    monkeypatch.setitem(linecache.cache, "<string>", (30, None, ["def f(x):\n", "    ...\n"], "<string>"))
    assert not is_stub(without_source("return x"))


def test_other_things_than_functions_are_no_stubs():
    class Net(torch.nn.Module):
        def forward(self, x): ...

    assert not is_stub(Net)  # the source of the class begins with a stub, but it is the class that is handed over
    assert not is_stub(Net())
    assert is_stub(Net().forward)
    assert not is_stub(torch.sqrt)
    assert not is_stub(functools.partial(stub_dots, 1))
    assert is_stub(lambda x: ...)
    assert not is_stub(lambda x: x)
    assert is_stub(async_stub)


async def async_stub(x): ...


def test_torchs_own_not_implemented_is_an_error_of_the_learner():
    """torch raises NotImplementedError where a type or a device has no such operation: that is no stub."""

    def lacks_an_operation(x0, i, noise, alpha_bar):
        return torch.ops.aten._fft_r2c(x0.to("meta").to_sparse(), [0], 0, True)

    def says_so(x0, i, noise, alpha_bar):
        y = x0 * torch.tensor(1.0)
        return not_there(y)

    def not_there(y):
        names = {}
        exec("def inner():\n    raise NotImplementedError('no such kernel')", names)
        names["inner"]()

    assert "stopped with NotImplementedError" in says(lacks_an_operation)
    assert "stopped with NotImplementedError (no such kernel)" in says(says_so)


def test_tuple_of_dots_is_not_attempted():
    assert judge(find("2.4"), lambda x_i, x0, i, alpha_bar: (x0 + 0, ...)).state == "not attempted"


def forgets_return(x0, i, noise, alpha_bar):
    right(x0, i, noise, alpha_bar)


def loops(x0, i, noise, alpha_bar):
    while True:
        i += 1


def loops_and_catches(x0, i, noise, alpha_bar):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:  # noqa: SIM105
            time.sleep(0.001)
        except:  # noqa: E722
            pass


def yields(x0, i, noise, alpha_bar):
    yield right(x0, i, noise, alpha_bar)


def changes_input(x0, i, noise, alpha_bar):
    x0 *= alpha_bar[i].sqrt()
    x0 += (1 - alpha_bar[i]).sqrt() * noise
    return x0


def wrong_at_the_first_step(x0, i, noise, alpha_bar):
    return right(x0, i, noise, alpha_bar) if i > 1 else x0 + 0


COUNTER = []


def remembers(x0, i, noise, alpha_bar):
    COUNTER.append(i)
    return right(x0, i, noise, alpha_bar) + len(COUNTER)


STRANGE = {
    forgets_return: "not yet. Your function returns nothing: end it with return.",
    yields: "not yet. Your function is a generator: use return, not yield.",
    changes_input: "not yet. Your numbers are right, but you changed x0 in place",
    remembers: "not yet. Called twice with the same input, your function answers differently",
    wrong_at_the_first_step: "The answer is right, but not for i = 1: look at that case.",
    (lambda x0, i, noise, ab: 3.0): "not yet. Your answer is a single number where shape (3, 1, 4, 5) is wanted.",
    (lambda x0, i, noise, ab: True): "not yet. Your function returns a bool where a tensor is wanted.",
    (lambda x0, i, noise, ab: "x"): "not yet. Your function returns a str where a tensor is wanted.",
    (lambda x0, i, noise, ab: [x0, noise]): "not yet. Your function returns a list where one tensor is wanted",
    (lambda x0, i, noise, ab: right(x0, i, noise, ab).numpy()): "not yet. Your function returns a NumPy array.",
    (lambda x0, i, noise, ab: right(x0, i, noise, ab)[0]): "has shape (1, 4, 5) where shape (3, 1, 4, 5) is wanted.",
    (lambda x0, i, noise, ab: right(x0, i, noise, ab).half()): "returns numbers of type torch.float16",
    (lambda x0, i, noise, ab: right(x0, i, noise, ab).long()): "returns numbers of type torch.int64",
    (lambda x0, i, noise, ab: right(x0, i, noise, ab).to(torch.complex64)): "numbers of type torch.complex64",
    (lambda x0, i, noise, ab: x0.to("meta")): "returns a tensor without ordinary numbers in it",
    (lambda x0, i, noise, ab: x0.to_sparse()): "returns a tensor without ordinary numbers in it",
    (lambda x0, i, noise, ab: right(x0, i, noise, ab) / 0): "There is a NaN or an infinity in your answer for i =",
    (lambda x0, i, noise, ab: -right(x0, i, noise, ab)): "the right formula with its sign changed at the end.",
    (lambda x0, i, noise, ab: 1.5 * right(x0, i, noise, ab)): "off by one and the same number each time",
    (lambda x0, i, noise, ab: 1.5 + right(x0, i, noise, ab)): "right up to one number added everywhere",
    (lambda x0, i, noise, ab: right(x0, i, torch.randn_like(x0), ab)): "draws random numbers of its own",
    (lambda x0, i: x0): "Your function takes (x0, i), but the check calls it with (x0, i, noise, alpha_bar)",
    (lambda x0, i, noise, alpha_bar, *, key: x0): "Your function takes (x0, i, noise, alpha_bar, *, key), but",
    7: 'Hand over the function itself, without brackets: check("2.1", name).',
    None: "Hand over the function itself",
}


@pytest.mark.parametrize(("function", "sentence"), STRANGE.items(), ids=[text[-40:] for text in STRANGE.values()])
def test_strange_answers_get_a_sentence(function, sentence):
    assert sentence in says(function)


def test_seeding_in_the_function_does_not_hide_its_random_numbers():
    def seeds(x0, i, noise, alpha_bar):
        torch.manual_seed(0)
        return right(x0, i, torch.randn_like(x0), alpha_bar)

    assert "draws random numbers of its own" in says(seeds)


def test_wrong_number_of_things():
    assert "Return 2 things, `return mean, var`; your function returns one thing." in says(
        lambda x_i, x0, i, alpha_bar: x0, "2.4"
    )
    assert "your function returns 3 things." in says(lambda x_i, x0, i, alpha_bar: (x0, x0, x0), "2.4")


def test_two_mistakes_in_two_parts_are_named_one_at_a_time():
    """A wrong mean and a wrong variance together are in no catalogue; the mean's own mistake is."""
    exercise = find("2.4")
    mean_mistake, var_mistake = exercise.mistakes[0], exercise.mistakes[5]

    def both(*arguments):
        return mean_mistake.answer(*arguments)[0], var_mistake.answer(*arguments)[1]

    assert judge(exercise, both).line.endswith(mean_mistake.sentence)


def test_one_right_part_is_said():
    verdict = judge(find("2.4"), lambda *arguments: (find("2.4").reference(*arguments)[0], torch.tensor(0.123)))
    assert "not 0 there" in verdict.line  # the first property that fails
    verdict = judge(find("4.4"), lambda *a: (find("4.4").reference(*a)[0], 0.3 * torch.ones_like(a[0])))
    assert "do not give x_t back" in verdict.line


def raises_deep_down(x0, i, noise, alpha_bar):
    return torch.nn.Linear(7, 1)(x0)  # this very line


def recurses(x0, i, noise, alpha_bar):
    return recurses(x0, i, noise, alpha_bar)


def leaves(x0, i, noise, alpha_bar):
    raise SystemExit


def test_exception_is_named_with_the_learners_line():
    sentence = says(raises_deep_down)
    line = inspect.getsourcelines(raises_deep_down)[1] + 1
    assert "Your function stopped with RuntimeError (" in sentence
    assert "mat1 and mat2 shapes cannot be multiplied (12x5 and 7x1)" in sentence
    assert f"in line {line}, `return torch.nn.Linear(7, 1)(x0)  # this very line`" in sentence
    assert "It was called with x0 of shape (3, 1, 4, 5), i = " in sentence
    assert "stopped with RecursionError" in says(recurses)
    assert "stopped with SystemExit" in says(leaves)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("and no text either")


class NoText(Exception):
    def __str__(self):
        return None


def raises(error):
    def function(x0, i, noise, alpha_bar):
        raise error

    return function


def refuses(x0, i, noise, alpha_bar):
    class Number(float):
        def __float__(self):
            raise Unprintable

    return Number(3)


@pytest.mark.parametrize("error", [Unprintable(), NoText(), KeyboardInterrupt(), GeneratorExit(), SystemExit()])
def test_exception_without_a_text_gets_a_sentence(error, capsys):
    sentence = says(raises(error))
    assert f"Your function stopped with {type(error).__name__} in line " in sentence
    assert "It was called with x0 of shape (3, 1, 4, 5), i = " in sentence
    check("2.1", raises(error))
    out, err = capsys.readouterr()
    assert out.startswith("✗ 2.1 — not yet. ")
    assert not err


def test_an_exceptions_strange_signs_can_be_printed(capsys):
    sentence = says(raises(ValueError("a\x1b[31m\ud800b\rc\nd")))
    assert "stopped with ValueError (a [31m b) in line" in sentence
    check("2.1", lambda x0, i, noise, alpha_bar: print("\ud800 here"))
    assert capsys.readouterr().out.startswith("? here\n✗ 2.1 — not yet. ")


def test_a_result_that_cannot_be_read_gets_a_sentence():
    sentence = says(refuses)
    assert "What your function returns, or leaves in its arguments, cannot be read: Unprintable" in sentence


def test_an_input_changed_in_its_type_or_shape_is_named():
    def retypes(x0, i, noise, alpha_bar):
        answer = right(x0, i, noise, alpha_bar)
        x0.data = x0.data.double()
        return answer

    def reshapes(x0, i, noise, alpha_bar):
        answer = right(x0, i, noise, alpha_bar)
        noise.unsqueeze_(0)
        return answer

    assert "you changed x0 in place" in says(retypes)
    assert "you changed noise in place" in says(reshapes)


def test_defaults_that_cannot_be_printed():
    class Default:
        def __repr__(self):
            raise Unprintable

    def needs_more(x0, *, key, value=Default()):  # noqa: B008
        return x0

    assert "Your function takes other arguments, but the check calls it with (x0, i," in says(needs_more)
    assert "Your function takes (x0, y=tensor([[0., 0.],         [0., 0.]])), but" in says(
        lambda x0, y=torch.zeros(2, 2): x0  # noqa: B008
    )


@pytest.mark.parametrize(("function", "stoppable"), [(loops, True), (loops_and_catches, False)])
def test_an_interrupt_gets_a_sentence(function, stoppable, capsys, request):
    """The learner presses stop twice while the function loops."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, usual))
    main, done = threading.main_thread(), threading.Event()

    def press_stop():
        for wait in (0.5, 0.3):
            if not done.wait(wait):
                signal.pthread_kill(main.ident, signal.SIGINT)

    start, stdout, before = time.monotonic(), sys.stdout, set(threading.enumerate())
    fingers = threading.Thread(target=press_stop)
    fingers.start()
    check("2.1", function)
    done.set()
    fingers.join()
    assert bool(set(threading.enumerate()) - before) != stoppable
    out, err = capsys.readouterr()
    assert time.monotonic() - start < 8  # the time limit is 10 seconds
    assert unwrapped(out).startswith("✗ 2.1 — not yet. You interrupted the check before your function had answered")
    assert ("restart the kernel" in unwrapped(out)) != stoppable
    assert not err
    assert sys.stdout is stdout


@pytest.mark.parametrize(
    ("function", "stoppable"),
    [(loops, True), (loops_and_catches, False), (lambda x0, i, noise, alpha_bar: time.sleep(20), False)],
)
def test_endless_loop_is_stopped(function, stoppable, monkeypatch):
    monkeypatch.setattr(verdicts, "TIME_LIMIT", 0.2)
    start, running = time.monotonic(), set(threading.enumerate())
    sentence = says(function)
    assert "still busy after 0.2 seconds" in sentence
    assert ("restart the kernel" in sentence) != stoppable
    assert bool(set(threading.enumerate()) - running) != stoppable
    assert time.monotonic() - start < 15  # the function itself would take 20 or for ever


def test_right_answers_may_be_float64_tensors_or_plain_numbers():
    assert says(lambda x0, i, noise, ab: right(x0.double(), i, noise.double(), ab)) == "right."
    assert says(lambda i, ab: find("3.3").reference(i, ab).item(), "3.3") == "right."
    assert says(lambda i, ab: find("3.3").reference(i, ab).numpy()[()].item(), "3.3") == "right."


def test_answers_with_gradients_pass():
    assert says(lambda x0, i, noise, ab: right(x0.requires_grad_(), i, noise, ab)) == "right."


def test_other_callables_pass():
    class Jump(torch.nn.Module):
        def forward(self, x0, i, noise, alpha_bar):
            return right(x0, i, noise, alpha_bar)

    assert says(Jump()) == "right."
    assert says(functools.partial(right)) == "right."


def test_check_leaves_the_global_state_alone():
    def untidy(x0, i, noise, alpha_bar):
        torch.manual_seed(5)
        random.seed(5)
        numpy.random.seed(5)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return right(x0, i, noise, alpha_bar)

    torch.manual_seed(1), random.seed(1), numpy.random.seed(1)
    stdout, before = sys.stdout, torch.get_rng_state()
    assert says(untidy) == "right."
    assert torch.equal(before, torch.get_rng_state())
    assert random.random() == random.Random(1).random()
    assert numpy.random.rand() == numpy.random.RandomState(1).rand()
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert sys.stdout is stdout


@pytest.mark.parametrize("exercise", [find("2.1"), find("5.4")], ids=by_id)
def test_check_does_not_depend_on_what_the_notebook_has_set(exercise):
    verdicts = set()
    for device, dtype in (("cpu", torch.float32), ("meta", torch.float64)):
        draws.cache_clear()
        torch.set_default_dtype(dtype)
        try:
            with torch.device(device), torch.inference_mode():
                verdicts.add(judge(exercise, exercise.reference).line)
        finally:
            torch.set_default_dtype(torch.float32)
    assert verdicts == {f"{exercise.id} — right."}


def test_check_prints_one_line_and_what_the_first_call_printed(capsys):
    def chatty(x0, i, noise, alpha_bar):
        print("here", tuple(x0.shape))
        print("and there", file=sys.stderr)
        return 0.1 * x0 + 0.9 * noise

    check("2.1", chatty)
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "here (3, 1, 4, 5)"
    assert len(out.splitlines()) == 2
    assert out.splitlines()[1].startswith("✗ 2.1 — not yet. ")
    assert not err

    check("2.1", lambda *arguments: print("noise") or right(*arguments))
    assert capsys.readouterr().out == "✓ 2.1 — right.\n"


def test_example_of_the_course(capsys):
    check("2.1", lambda x0, i, noise, alpha_bar: alpha_bar[i] * x0 + (1 - alpha_bar[i]) * noise)
    assert capsys.readouterr().out == (
        "✗ 2.1 — not yet. You scaled signal and noise by their variances. Variances add, but what multiplies\n"
        "  x0 and the noise are standard deviations: take square roots.\n"
    )
    check("2.1", stub_dots)
    assert capsys.readouterr().out == f"○ 2.1 — {NOT_ATTEMPTED}\n"


def test_what_follows_uses_the_learners_function_once_it_is_right(capsys, monkeypatch):
    from diffusion_lib.course import use
    from diffusion_lib.course.exercises import check, learner

    monkeypatch.setattr(learner, "_right", {})

    def noisy(x0, noise, alpha, sigma):
        return sigma * noise + alpha * x0

    ours = use("0.1")
    assert "0.1 — not solved yet: what follows uses the course's function" in capsys.readouterr().out
    assert torch.equal(ours(torch.ones(1), torch.ones(1), 2.0, 3.0), torch.tensor([5.0]))
    check("0.1", noisy)
    capsys.readouterr()
    assert use("0.1") is noisy
    assert capsys.readouterr().out == "✓ 0.1 — what follows uses your own function.\n"
    check("0.1", lambda x0, noise, alpha, sigma: x0)  # changed, and no longer right
    assert use("0.1") is ours
    with pytest.raises(ValueError, match=r"9\.9"):
        use("9.9")


def test_hints_come_in_three_tiers(capsys, monkeypatch):
    monkeypatch.setattr(learner, "_hints_given", {})
    for tier in (1, 2, 3, 3):
        hint("2.1")
        out = capsys.readouterr().out
        assert out.startswith(f"→ 2.1 — hint {tier} of 3")
        assert find("2.1").hints[tier - 1] in unwrapped(out)
    hint("2.2")
    assert capsys.readouterr().out.startswith("→ 2.2 — hint 1 of 3")


@pytest.mark.parametrize("id", ["2.9", "x", 2.1, "99.1", ""])
def test_unknown_exercise_is_named(id):
    with pytest.raises(ValueError, match=re.escape(repr(id))):
        check(id, right)


@pytest.mark.parametrize("variable", [("NBGRADER_EXECUTION", "autograde"), ("DIFFUSION_EXERCISES", "strict")])
def test_grading_raises_the_sentence(variable, monkeypatch, capsys):
    monkeypatch.setenv(*variable)
    check("2.1", right)
    assert capsys.readouterr().out == "✓ 2.1 — right.\n"
    for wrong, sentence in ((stub_dots, "not attempted yet"), (forgets_return, "returns nothing")):
        with pytest.raises(AssertionError, match=sentence):
            check("2.1", wrong)


# ---------------------------------------------------------------- how a verdict looks


LONG = "2.1 — not yet. " + "Variances add, and what multiplies is a standard deviation; " * 5
TONES = ("right", "not attempted", "not yet", "hint")


def unwrapped(text):
    return re.sub(r"\n  ", " ", text)


def visible(markup):
    """The text of some HTML, as a reader sees it, and the tags in it."""
    parser = html.parser.HTMLParser()
    words, tags = [], []
    parser.handle_data, parser.handle_starttag = words.append, lambda tag, attributes: tags.append(tag)
    parser.feed(markup)
    return "".join(words), tags


@pytest.mark.parametrize("tone", TONES)
def test_text_is_wrapped_at_the_ends_of_words(tone):
    lines = display.plain(LONG, tone).splitlines()
    assert len(lines) > 2
    assert all(len(line) <= 100 for line in lines)
    assert " ".join(line.strip() for line in lines) == f"{display.MARKS[tone]} {LONG}".strip()
    address = "2.1 — not yet. " + "x" * 150  # a word longer than the line is not cut
    assert "x" * 150 in display.plain(address, tone)


@pytest.mark.parametrize("tone", TONES)
def test_html_says_what_the_text_says(tone):
    words, tags = visible(display.as_html(LONG, tone))
    assert words == f"{display.MARKS[tone]} {LONG}"
    assert tags == ["div", "span", "b"]


def test_marks_and_colours_differ():
    assert len(set(display.MARKS.values())) == len(set(tokens.VERDICTS.values())) == len(TONES)
    assert set(display.MARKS) == set(tokens.VERDICTS) == set(TONES)


def contrast(colour, other):
    """The contrast ratio of the Web Content Accessibility Guidelines 2.1."""

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(colour), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    "page", ["#111111", tokens.LIGHT["page"], tokens.DARK["page"]], ids=["lab dark", "light", "dark"]
)
@pytest.mark.parametrize("tone", TONES)
def test_marks_stand_out(tone, page):
    """3 to 1 is what the guidelines ask of a sign; the words themselves take the page's colour."""
    assert contrast(tokens.VERDICTS[tone], page) > 3.5


def test_html_quotes_what_a_learner_wrote():
    text = "2.1 — not yet. Your function stopped with E (<img src=x> & *so*) in line 1, `y = <b>(x*a)`. a * b * c"
    words, tags = visible(display.as_html(text, "not yet"))
    assert tags == ["div", "span", "b", "em", "code"]
    assert (
        words == "✗ 2.1 — not yet. Your function stopped with E (<img src=x> & so) in line 1, y = <b>(x*a). a * b * c"
    )


def test_a_terminal_without_the_marks_gets_question_marks(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    check("2.1", right)
    terminal.flush()
    assert terminal.buffer.getvalue().decode() == "? 2.1 ? right." + os.linesep


def test_works_without_ipython():
    code = (
        "import sys; sys.modules['IPython'] = None\n"
        "from diffusion_lib.course import check, hint\n"
        "check('0.1', lambda x0, noise, alpha, sigma: alpha * x0 + sigma * noise); hint('0.1')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(NOTEBOOKS.parent)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert run.stdout.decode().startswith("✓ 0.1 — right.\n→ 0.1 — hint 1 of 3: ".replace("\n", os.linesep))


# ---------------------------------------------------------------- in a kernel, and under nbgrader


def code(source, **metadata):
    return nbformat.v4.new_code_cell(source, metadata=metadata)


STUB = '''def jump_to(x0, i, noise, alpha_bar):
    """x0, noise: (B, …). Returns x_i, (B, …)."""
    ...

check("2.1", jump_to)'''
SOLUTION = """def jump_to(x0, i, noise, alpha_bar):
    return alpha_bar[i].sqrt() * x0 + (1 - alpha_bar[i]).sqrt() * noise"""


def small_notebook():
    notebook = nbformat.v4.new_notebook()
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook.cells = [
        code("import torch\nfrom diffusion_lib.course.exercises import check, hint, verdicts"),
        code(STUB, tags=["exercise"], exercise="2.1"),
        code(SOLUTION, tags=["solution"], exercise="2.1", jupyter={"source_hidden": True}),
    ]
    return notebook


def test_check_in_a_kernel():
    nbclient = pytest.importorskip("nbclient")
    notebook = small_notebook()
    notebook.cells += [
        code(
            "verdicts.TIME_LIMIT = 0.5\ndef loops(x0, i, noise, alpha_bar):\n    while True: i += 1\ncheck('2.1', loops)"
        ),
        code("def fails(x0, i, noise, alpha_bar):\n    y = x0\n    return y @ alpha_bar[:, None]\ncheck('2.1', fails)"),
        code("def talks(x0, i, noise, alpha_bar):\n    print('hello')\n    return x0\ncheck('2.1', talks)"),
        code("check('2.1', jump_to)"),
    ]
    nbclient.NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3").execute()
    plain = [[o.get("text") or o.data["text/plain"] for o in cell.outputs] for cell in notebook.cells]
    assert plain[:3] == [[], [f"○ 2.1 — {NOT_ATTEMPTED}"], []]
    assert "still busy after 0.5 seconds" in unwrapped(plain[3][0])
    assert "in line 3, `return y @ alpha_bar[:, None]`" in unwrapped(plain[4][0])
    assert plain[5][0] == "hello\n"  # what the function printed comes before the verdict
    assert plain[5][1].startswith("✗ 2.1 — not yet. ")
    assert plain[6] == ["✓ 2.1 — right."]
    for cell in notebook.cells:
        assert [o.output_type for o in cell.outputs if o.get("name") != "stdout"] == ["display_data"] * (
            "check(" in cell.source
        )
        for o in cell.outputs:
            assert o.output_type == "stream" or set(o.data) == {"text/plain", "text/html"}


def test_nbgraders_validate_does_not_praise_an_untouched_notebook(tmp_path, monkeypatch):
    """The course's own cells, as committed: each that is not attempted is a failure to the Validate button."""
    pytest.importorskip("nbgrader")
    from nbgrader.validator import Validator

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOKS.parent), os.environ.get("PYTHONPATH", "")]))
    notebook = notebook_of(2)
    cells = [cell for cell in notebook["cells"] if {"exercise", "solution"} & set(cell["metadata"].get("tags", ()))]
    stubs, solutions = cells[0:4:2], cells[1:4:2]
    stubs[1]["source"] = ["".join(solutions[1]["source"]) + '\n\ncheck("2.2", jump_batch)']
    notebook["cells"] = [json.loads(json.dumps(code("import torch\nfrom diffusion_lib.course import check"))), *stubs]
    path = tmp_path / "02.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    validator = Validator()
    monkeypatch.setattr(Validator, "stream", io.StringIO())
    validator.validate_and_print(str(path))
    report = Validator.stream.getvalue()
    assert "VALIDATION FAILED ON 1 CELL(S)!" in report
    assert "2.1 — not attempted yet" in report and 'check("2.2"' not in report
    assert "Success" not in report


# ---------------------------------------------------------------- in the notebooks


def notebook_of(number):
    found = sorted(NOTEBOOKS.glob(f"{number:02d}*.ipynb"))
    return json.loads(found[0].read_text(encoding="utf-8"))


def tagged(notebook, tag):
    return {
        cell["metadata"].get("exercise"): "".join(cell["source"])
        for cell in notebook["cells"]
        if tag in cell["metadata"].get("tags", ())
    }


@pytest.mark.parametrize("number", notebooks())
def test_notebook_holds_its_exercises(number):
    notebook = notebook_of(number)
    ids = list(catalogue(number))
    assert list(tagged(notebook, "exercise")) == ids
    assert list(tagged(notebook, "solution")) == ids
    cells = notebook["cells"]
    for cell, follower in itertools.pairwise(cells):
        if "exercise" in cell["metadata"].get("tags", ()):
            assert follower["metadata"]["exercise"] == cell["metadata"]["exercise"]
            assert follower["metadata"]["tags"] == ["solution"]
            assert follower["metadata"]["jupyter"] == {"source_hidden": True}
            assert not follower["outputs"]
            assert cell["metadata"]["nbgrader"] == graded(cell["metadata"]["exercise"])
    source_version(notebook)


@pytest.mark.parametrize("number", notebooks())
def test_stubs_and_solutions_of_the_notebook(number):
    notebook = notebook_of(number)
    solutions = tagged(notebook, "solution")
    for id, stub in tagged(notebook, "exercise").items():
        handed_in = []
        names = {
            "torch": torch,
            "math": math,
            "check": lambda id, function, into=handed_in: into.append((id, function)),
        }
        exec(stub, names)
        ((checked, function),) = handed_in
        assert checked == id
        assert tuple(inspect.signature(function).parameters) == find(id).arguments
        assert judge(find(id), function).state == "not attempted"
        exec(solutions[id], names)
        assert len(handed_in) == 1  # the solution only defines
        assert names[function.__name__] is not function
        assert judge(find(id), names[function.__name__]).line.startswith(f"{id} — right.")
