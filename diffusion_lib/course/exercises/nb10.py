"""Exercises of notebook 10, flow matching: 10.1 the line and its velocity, 10.2 the loss, 10.3 the walk, 10.4 the bend.

10.1 is the interpolation of Liu, Gong and Liu 2022, 10.2 the conditional loss of Lipman et al. 2022, both with the data
at t = 0; 10.3 is Euler's method, 10.4 the straightness of Liu, Gong and Liu 2022.
"""

from itertools import pairwise

import torch

from .exercise import Exercise, Mistake
from .inputs import edges

# ---------------------------------------------------------------- 10.1


def on_the_line(x0, eps, t):
    t = t[:, None]
    return (1 - t) * x0 + t * eps, eps - x0


def _line_with(place=None, velocity=None):
    """The right answer but for its place or its velocity, from (x0, eps, t) with t as (B, 1)."""

    def answer(x0, eps, t):
        x_t, v = on_the_line(x0, eps, t)
        parts = x0, eps, t[:, None]
        return place(*parts) if place else x_t, velocity(*parts) if velocity else v

    return answer


def _times(generator, batch, t=None):
    return torch.rand(batch, generator=generator) if t is None else torch.full((batch,), t)


def _line_inputs(generator, batch=4, t=None):
    x0, eps = 1.7 * torch.randn(2, batch, 2, generator=generator)
    return x0, eps, _times(generator, batch, t)


LINE = Exercise(
    id="10.1",
    title="A straight line and its velocity",
    reference=on_the_line,
    inputs=_line_inputs,
    returns=("place", "velocity"),
    edges=edges(_line_inputs, {"batch": 1}, {"t": 0.0}, {"t": 1.0}, {"batch": 1, "t": 1.0}, {"t": 0.01}),
    mistakes=(
        Mistake(
            _line_with(velocity=lambda x0, eps, t: x0 - eps),
            "The sign of the velocity: when t grows, the point goes from the data to the noise. Yours goes back.",
        ),
        Mistake(
            _line_with(place=lambda x0, eps, t: t * x0 + (1 - t) * eps),
            "Your place has the ends exchanged: t = 0 is the data, t = 1 the noise.",
        ),
        Mistake(
            _line_with(lambda x0, eps, t: t * x0 + (1 - t) * eps, lambda x0, eps, t: x0 - eps),
            "That is the line in the opposite direction, with the noise at t = 0. Some papers have it so; here t = 0 "
            "is the data.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: t * (eps - x0)),
            "That is the way gone so far, x_t - x0. The velocity is the way per time, and does not depend on t.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: (1 - t) * (eps - x0)),
            "That is the way that is left, eps - x_t. The velocity is the way per time, and does not depend on t.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: eps),
            "That is the noise. When t grows the data fade as well: their factor 1 - t has a derivative, too.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: -x0),
            "That is only the fading of the data. The noise grows as well: its factor t has a derivative, too.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: x0),
            "That is the data point, not a velocity: differentiate both terms of the place with respect to t.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: eps + x0),
            "The derivative of 1 - t is -1, not 1: the data fade.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: (1 - t) * eps - t * x0),
            "That is v, alpha eps - sigma x0. The velocity takes the derivatives of the two factors, -1 and 1.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: t * eps - (1 - t) * x0),
            "The factors themselves do not stand in the velocity, only their derivatives, -1 and 1.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: (1 - t) * x0 + t * eps),
            "You returned the place twice; the second answer is its derivative with respect to t.",
        ),
        Mistake(
            _line_with(place=lambda x0, eps, t: (1 - t**2).sqrt() * x0 + t * eps),
            "That is a way along a circle, where the squares of the factors add up to 1. On the line the factors do.",
        ),
        Mistake(
            _line_with(place=lambda x0, eps, t: (1 - t).sqrt() * x0 + t.sqrt() * eps),
            "There are no roots: the factors are 1 - t and t themselves.",
        ),
        Mistake(
            _line_with(place=lambda x0, eps, t: x0 + t * eps),
            "The data do not fade in your place: at t = 1 nothing of them may be left.",
        ),
        Mistake(
            _line_with(place=lambda x0, eps, t: x0 + t * (x0 - eps)),
            "Your place goes away from the noise: from x0 it is t times eps - x0 to go.",
        ),
        Mistake(
            lambda x0, eps, t: on_the_line(x0, eps, t)[::-1],
            "The two answers have changed places: first the place, then the velocity.",
        ),
        Mistake(
            _line_with(velocity=lambda x0, eps, t: (eps - x0) / (eps - x0).norm(dim=1, keepdim=True)),
            "You made the velocity of length 1. A point with a longer way has to go faster, to arrive at the "
            "same time.",
        ),
    ),
    hints=(
        "Where is the point at t = 0, where at t = 1, and where half-way?",
        "The place is (1 - t) x0 + t eps; t has to become a column, t[:, None]. What is its derivative in t?",
        "The derivative of 1 - t is -1, that of t is 1: eps - x0.",
    ),
)


# ---------------------------------------------------------------- 10.2


class _Net:
    """A network of x and t that depends on all of both, and notes whether it was asked."""

    def __init__(self, generator: torch.Generator):
        self.slope, self.offset = torch.rand(2, generator=generator).tolist()
        self.asked = False

    def __call__(self, x, t):
        self.asked = True
        if torch.as_tensor(t).ndim > 1:  # as the package's networks do
            raise ValueError(f"t has shape {tuple(t.shape)}, the batch needs ({len(x)},): one time per sample")
        t = torch.as_tensor(t, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1))
        return (0.5 + self.slope * t) * x.sin() + 0.4 * x.roll(1, -1) + self.offset * (2 * t - 1)


def flow_losses(net, x0, eps, t):
    x_t, velocity = on_the_line(x0, eps, t)
    return (net(x_t, t) - velocity).square().mean(1)


def _loss_with(place=None, target=None, told=None, measure=None):
    """The right loss but for one of its parts, each from (x0, eps, t, x_t) but for `measure`, from the difference."""

    def answer(net, x0, eps, t):
        x_t, velocity = on_the_line(x0, eps, t)
        parts = x0, eps, t[:, None], x_t
        off = net(place(*parts) if place else x_t, told(t) if told else t)
        off = off - (target(*parts) if target else velocity)
        return measure(off) if measure else off.square().mean(1)

    return answer


def _loss_inputs(generator, batch=4, t=None):
    x0, eps = 1.7 * torch.randn(2, batch, 3, generator=generator)
    return _Net(generator), x0, eps, _times(generator, batch, t)


FLOW_LOSS = Exercise(
    id="10.2",
    title="The loss of flow matching",
    reference=flow_losses,
    inputs=_loss_inputs,
    edges=edges(_loss_inputs, {"batch": 1}, {"t": 0.0}, {"t": 1.0}, {"batch": 1, "t": 0.0}),
    remark=lambda arguments: (
        None if arguments[0].asked else "net was never called: ask it at the noised points and their times."
    ),
    changes=("net",),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _loss_with(target=lambda x0, eps, t, x: x0 - eps),
            "The sign of the target: the velocity is eps - x0. A network trained so would walk away from the data.",
        ),
        Mistake(
            _loss_with(place=lambda x0, eps, t, x: t * x0 + (1 - t) * eps),
            "The noised point has its ends exchanged: at t = 0 it is the data.",
        ),
        Mistake(
            _loss_with(place=lambda x0, eps, t, x: t * x0 + (1 - t) * eps, target=lambda x0, eps, t, x: x0 - eps),
            "That trains the opposite direction, with the noise at t = 0. Here t = 0 is the data.",
        ),
        Mistake(
            _loss_with(told=lambda t: 1 - t),
            "The network is told 1 - t; the point is at the time t.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.square().sum(1)),
            "You summed over the coordinates; take their mean.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.square().mean()),
            "That is one number for the whole batch: take the mean over each point's coordinates only.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.square().mean(0)),
            "You took the mean over the points; take it over the coordinates, which are dimension 1.",
        ),
        Mistake(
            _loss_with(target=lambda x0, eps, t, x: eps),
            "The target is the noise, as in DDPM. Here it is the velocity of the line.",
        ),
        Mistake(
            _loss_with(target=lambda x0, eps, t, x: x0),
            "The target is the data point. Here it is the velocity of the line.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.abs().mean(1)),
            "You took the absolute error. The square is what makes the best answer a mean.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.square().mean(1).sqrt()),
            "There is no root: it is the mean square itself.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.norm(dim=1)),
            "You took the length of the difference; take the mean of the squares of its coordinates.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.mean(1) ** 2),
            "You squared the mean; take the mean of the squares, or errors of opposite sign cancel.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.mean(1)),
            "The square is missing: errors of opposite sign cancel.",
        ),
        Mistake(
            _loss_with(measure=lambda off: off.square().mean(1) / 2),
            "There is a factor ½ too many: it would train as well, but it is not the mean square.",
        ),
        Mistake(
            _loss_with(place=lambda x0, eps, t, x: x0),
            "The network sees the clean data: ask it at the noised point x_t.",
        ),
        Mistake(
            _loss_with(place=lambda x0, eps, t, x: eps),
            "The network sees pure noise: ask it at the noised point x_t.",
        ),
        Mistake(
            _loss_with(target=lambda x0, eps, t, x: eps - x),
            "The target is the way from x_t to the noise. It is the velocity of the whole line, from x0.",
        ),
        Mistake(
            _loss_with(target=lambda x0, eps, t, x: x - x0),
            "The target is the way from x0 to x_t. It is the velocity of the whole line, up to eps.",
        ),
        Mistake(
            _loss_with(target=lambda x0, eps, t, x: (1 - t) * eps - t * x0),
            "The target is v, alpha eps - sigma x0. The velocity takes the derivatives of the factors: eps - x0.",
        ),
        Mistake(
            _loss_with(told=lambda t: torch.zeros_like(t)),
            "The network is told the time 0 everywhere: give it t.",
        ),
        Mistake(
            _loss_with(told=lambda t: 1000 * t),
            "The network is told 1000 t. Times go from 0 to 1 here.",
        ),
        Mistake(
            _loss_with(place=lambda x0, eps, t, x: (1 - t).sqrt() * x0 + t.sqrt() * eps),
            "There are no roots in the noised point: the factors are 1 - t and t themselves.",
        ),
    ),
    hints=(
        "Four lines: the time as a column, the noised point, the network's answer there, the mean square.",
        "x_t = (1 - t) x0 + t eps with t[:, None]; the network is told the t without the column. What should it "
        "answer?",
        "Return (net(x_t, t) - (eps - x0)).square().mean(1).",
    ),
)


# ---------------------------------------------------------------- 10.3


def euler_walk(velocity, x, times):
    return _go(velocity, x, times)


def _go(velocity, x, times, step=None, turns=slice(None)):
    """The right walk but for its step, from (velocity, x, t, s, start), or the steps that it takes."""
    stops = [x]
    for t, s in list(pairwise(times))[turns]:
        x = step(velocity, stops[-1], t, s, stops[0]) if step else x + (s - t) * velocity(x, t)
        stops.append(x)
    return torch.stack(stops)


def _go_with(**changes):
    return lambda velocity, x, times: _go(velocity, x, times, **changes)


def _heun(v, x, t, s, start):
    d = v(x, t)
    return x + (s - t) * (d + v(x + (s - t) * d, s)) / 2


def _even(velocity, x, times):
    """Steps of one length, whatever the times."""
    length = (times[-1] - times[0]) / (len(times) - 1)
    return _go(velocity, x, times, step=lambda v, x, t, s, start: x + length * v(x, t))


def _asked_once(velocity, x, times):
    d = velocity(x, times[0])
    return _go(velocity, x, times, step=lambda v, x, t, s, start: x + (s - t) * d)


def _walk_inputs(generator, steps=None, batch=3, start=1.0, end=None):
    if steps is None:
        steps = int(torch.randint(3, 6, (), generator=generator))
    gaps = 0.3 + torch.rand(steps + 1, generator=generator, dtype=torch.float64)
    falling = start * (1 - gaps.cumsum(0) / gaps.sum())
    times = [start, *falling[:-1].tolist()]
    if end is not None:
        times[-1] = end
    return _Net(generator), 2 * torch.randn(batch, 2, generator=generator), times


WALK = Exercise(
    id="10.3",
    title="Euler's walk",
    reference=euler_walk,
    inputs=_walk_inputs,
    edges=edges(
        _walk_inputs, {"steps": 1}, {"steps": 2}, {"end": 0.0}, {"steps": 1, "end": 0.0}, {"start": 0.7}, {"batch": 1}
    ),
    remark=lambda arguments: (
        None if arguments[0].asked else "velocity was never called: ask it once in every step, where the points are."
    ),
    changes=("velocity",),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _go_with(step=lambda v, x, t, s, start: x - (s - t) * v(x, t)),
            "You walk away from the data: time falls, so s - t is negative already, and it is added.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: x + (s - t) * v(x, s)),
            "The velocity is asked at the time s where the step ends; the points are still at t.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: x + (s - t) * v(x, 1 - t)),
            "The velocity is told 1 - t. On this side, too, t = 1 is the noise.",
        ),
        Mistake(
            lambda v, x, times: _go(v, x, times, step=lambda f, y, t, s, start: y + (s - t) * f(y, times[0])),
            "Every step asks at the first time; each has a time of its own.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: start + (s - t) * v(start, t)),
            "Every step starts from the first x again: x has to become what the step before made of it.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: x + (s - t) * v(start, t)),
            "The velocity was asked where the walk began; ask it where the points are now.",
        ),
        Mistake(
            _even,
            "Your steps are all of one length. The times need not be even: each step is s - t long.",
        ),
        Mistake(
            _asked_once,
            "The velocity was asked once for the whole walk; it is asked anew in each step.",
        ),
        Mistake(
            lambda v, x, times: _go(v, x, times, step=lambda f, y, t, s, start: y - f(y, t) / (len(times) - 1)),
            "Your steps all last 1/N, whatever the times. Each step lasts s - t, with its sign.",
        ),
        Mistake(_go_with(turns=slice(-1)), "The last step is missing: N + 1 times make N steps."),
        Mistake(_go_with(turns=slice(1)), "Only the first step was taken: is `return` inside the loop?"),
        Mistake(_go_with(turns=slice(1, None)), "The first step is missing: the walk begins at times[0]."),
        Mistake(
            lambda v, x, times: _go(v, x, times)[-1],
            "That is the end alone. Return all stops, the start included, one below the other: torch.stack.",
        ),
        Mistake(
            lambda v, x, times: _go(v, x, times)[1:],
            "The start is missing: the first of the stops is x itself.",
        ),
        Mistake(
            lambda v, x, times: _go(v, x, times).flip(0),
            "The stops are in the opposite order: the noise comes first.",
        ),
        Mistake(
            _go_with(step=_heun),
            "That is Heun's step, with two looks. Here it is Euler's, with one.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: x - t * v(x, t)),
            "Each of your steps goes all the way to the guess of the data. Go only as far as s.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: x + v(x, t)),
            "The whole velocity was added: a step lasts s - t.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: x - v(x, t)),
            "The whole velocity was taken away: a step lasts s - t.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: x + s * v(x, t)),
            "You took the next time for the length of the step; that is s - t.",
        ),
        Mistake(
            _go_with(step=lambda v, x, t, s, start: (s - t) * v(x, t)),
            "That is the change alone: add it to x.",
        ),
        Mistake(
            lambda v, x, times: _go(v, x, [1 - t for t in times]),
            "Your times rise from 0. The walk begins with noise at times[0] and follows the times as they are given.",
        ),
    ),
    hints=(
        "A loop over pairs of neighbouring times, t and then s. Keep a list of the stops.",
        "In a short time the place changes by velocity times time. How long does the step from t to s last, with its "
        "sign?",
        "for t, s in zip(times, times[1:]): x = x + (s - t) * velocity(x, t); append x. Return torch.stack(stops).",
    ),
)


# ---------------------------------------------------------------- 10.4


def bend_of(stops):
    steps = len(stops) - 1
    return (steps * stops.diff(dim=0) - (stops[-1] - stops[0])).square().sum(2).mean()


def _bend_with(off=None, measure=None):
    """The right measure but for the differences, from (velocities, chord, stops), or for what is made of them."""

    def answer(stops):
        velocities, chord = (len(stops) - 1) * stops.diff(dim=0), stops[-1] - stops[0]
        differences = off(velocities, chord, stops) if off else velocities - chord
        return measure(differences) if measure else differences.square().sum(2).mean()

    return answer


def _off_the_chord(stops):
    """How far the stops are from where an even walk along the chord would be."""
    share = torch.linspace(0, 1, len(stops), dtype=stops.dtype)[:, None, None]
    return (stops - (stops[0] + share * (stops[-1] - stops[0]))).square().sum(2).mean()


def _bend_inputs(generator, steps=None, batch=3, size=1.7):
    if steps is None:
        steps = int(torch.randint(3, 7, (), generator=generator))
    return (size * torch.randn(steps + 1, batch, 2, generator=generator),)


BEND = Exercise(
    id="10.4",
    title="How much paths bend",
    reference=bend_of,
    inputs=_bend_inputs,
    edges=edges(_bend_inputs, {"batch": 1}, {"steps": 2}, {"steps": 40}, {"steps": 2, "batch": 1}, {"size": 0.2}),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _bend_with(measure=lambda off: off.square().mean()),
            "You took the mean over the coordinates; a squared length is their sum.",
        ),
        Mistake(
            _bend_with(off=lambda v, chord, stops: stops.diff(dim=0) - chord),
            "You compare the way of one step with the whole chord. A velocity is a way per time, and a step lasts 1/N.",
        ),
        Mistake(
            _bend_with(off=lambda v, chord, stops: stops.diff(dim=0) - chord / (len(stops) - 1)),
            "You compare ways, N times smaller than velocities: divide both by a step's duration, 1/N.",
        ),
        Mistake(
            _bend_with(off=lambda v, chord, stops: v * len(stops) / (len(stops) - 1) - chord),
            "You took the number of stops for that of the steps: N + 1 stops make N steps.",
        ),
        Mistake(
            _bend_with(off=lambda v, chord, stops: v + chord),
            "The velocity and the chord's have opposite directions of time, so that they do not cancel: take both from "
            "stop to later stop.",
        ),
        Mistake(
            _bend_with(off=lambda v, chord, stops: v),
            "Nothing is taken away: that is the mean squared speed, which a straight path has as well.",
        ),
        Mistake(
            _bend_with(off=lambda v, chord, stops: v - v[0]),
            "You compare with the first step's velocity; compare with the chord's, from the beginning to the end.",
        ),
        Mistake(
            _bend_with(off=lambda v, chord, stops: v.diff(dim=0)),
            "You compare each step with the next one; compare each with the chord.",
        ),
        Mistake(
            _bend_with(off=lambda v, chord, stops: v - chord.mean(0)),
            "Each path has a chord of its own; you took the mean of all chords.",
        ),
        Mistake(
            _bend_with(
                off=lambda v, chord, stops: v.mean(1) - chord.mean(0), measure=lambda d: d.square().sum(1).mean()
            ),
            "You took the mean over the paths first: bends in opposite directions cancel.",
        ),
        Mistake(
            _bend_with(measure=lambda off: off.norm(dim=2).mean()),
            "You took the length; take its square.",
        ),
        Mistake(
            _bend_with(measure=lambda off: off.square().sum(2).mean().sqrt()),
            "There is no root: it is the mean square itself.",
        ),
        Mistake(
            _bend_with(measure=lambda off: off.square().sum(2).mean(1).sum()),
            "You summed over the steps; take the mean, or more steps make more bend.",
        ),
        Mistake(
            _bend_with(measure=lambda off: off.square().sum(2).mean(0).sum()),
            "You summed over the paths; take the mean.",
        ),
        Mistake(
            _bend_with(measure=lambda off: off.square().sum()),
            "You summed over everything; over steps and paths take the mean.",
        ),
        Mistake(
            _bend_with(measure=lambda off: off.square().sum(2).mean(0)),
            "That is one number for each path; take the mean over the paths as well.",
        ),
        Mistake(
            _bend_with(measure=lambda off: off.square().sum(2).mean(1)),
            "That is one number for each step; take the mean over the steps as well.",
        ),
        Mistake(
            _bend_with(measure=lambda off: off.square().sum(2).max()),
            "You took the largest; take the mean over steps and paths.",
        ),
        Mistake(
            _off_the_chord,
            "You compare places with the chord's. It is the velocities that are compared.",
        ),
        Mistake(
            lambda stops: stops.diff(dim=0).norm(dim=2).sum(0).mean() - (stops[-1] - stops[0]).norm(dim=1).mean(),
            "That is how much longer the path is than its chord. A good measure, too, but it does not see an "
            "uneven pace.",
        ),
    ),
    hints=(
        "What is the velocity in one step, if all N steps together last 1? And what is that of the chord?",
        "The steps are stops[1:] - stops[:-1], each lasting 1/N; the chord is stops[-1] - stops[0], which lasts 1.",
        "(N * (stops[1:] - stops[:-1]) - (stops[-1] - stops[0])).square().sum(2).mean() with N = len(stops) - 1.",
    ),
)
