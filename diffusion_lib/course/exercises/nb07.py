"""Exercises of notebook 07: 7.1 the score of one Gaussian, 7.2 Langevin's walk, 7.3 Heun's step, 7.4 the straight unit.

7.1 is what Vincent 2011 regresses on; 7.2 is the unadjusted Langevin algorithm (Roberts & Tweedie 1996); 7.3 the step
of algorithm 1 of Karras et al. 2022, in the coordinates of `sampling.ode`, which 7.4 asks for.
"""

import torch

from .exercise import Exercise, Mistake, Property
from .inputs import edges

# ---------------------------------------------------------------- 7.1


def score_of(x, x0, alpha, sigma):
    return -(x - alpha * x0) / sigma**2


def _score_inputs(generator, batch=4, alpha=None, sigma=None):
    drawn = torch.rand(2, generator=generator)
    alpha = 0.3 + 0.6 * drawn[0] if alpha is None else torch.tensor(alpha)
    sigma = 0.3 + 0.5 * drawn[1] if sigma is None else torch.tensor(sigma)
    x, x0 = 1.5 * torch.randn(2, batch, 2, generator=generator)
    return x, x0, alpha, sigma


SCORE = Exercise(
    id="7.1",
    title="The score of one Gaussian",
    reference=score_of,
    inputs=_score_inputs,
    edges=edges(
        _score_inputs,
        {"batch": 1},
        {"alpha": 0.0, "sigma": 1.0},
        {"alpha": 1.0, "sigma": 0.05},
        {"alpha": 1.0, "sigma": 3.0},
    ),
    linear=("x", "x0"),
    mistakes=(
        Mistake(
            lambda x, x0, a, s: (x - a * x0) / s**2,
            "The sign: the density falls as you go away from its mean, so the score points towards alpha x0.",
        ),
        Mistake(
            lambda x, x0, a, s: -(x - a * x0) / s,
            "You divided by sigma; in the exponent stands the variance, sigma².",
        ),
        Mistake(
            lambda x, x0, a, s: -(x - x0) / s**2,
            "The mean of this Gaussian is alpha x0, not x0.",
        ),
        Mistake(
            lambda x, x0, a, s: -(x - a * x0) / (2 * s**2),
            "The ½ of the exponent is gone once you have differentiated: the square brings a 2 down.",
        ),
        Mistake(
            lambda x, x0, a, s: -2 * (x - a * x0) / s**2,
            "Twice too much: the 2 from the square and the ½ of the exponent cancel.",
        ),
        Mistake(
            lambda x, x0, a, s: -((x - a * x0) ** 2) / (2 * s**2),
            "That is the exponent itself, the log-density up to a constant. The score is its derivative in x.",
        ),
        Mistake(
            lambda x, x0, a, s: -(x - a * x0) / s**2 * (-((x - a * x0) ** 2) / (2 * s**2)).exp(),
            "That is the slope of the density, up to a constant; the score is the slope of its logarithm.",
        ),
        Mistake(
            lambda x, x0, a, s: -(x - a * x0),
            "The direction is right, the length is not: divide by the variance.",
        ),
        Mistake(
            lambda x, x0, a, s: (x - a * x0) / s,
            "That is the noise itself, eps. The score is the noise times -1 / sigma.",
        ),
        Mistake(
            lambda x, x0, a, s: -a * (x - a * x0) / s**2,
            "You multiplied by alpha once too often: the derivative is with respect to x, in which alpha does not "
            "stand.",
        ),
        Mistake(
            lambda x, x0, a, s: a * (x - a * x0) / s**2,
            "You differentiated with respect to x0; the score is the derivative with respect to x.",
        ),
        Mistake(
            lambda x, x0, a, s: -(x - a * x0) / (1 - a**2),
            "You took 1 - alpha² for the variance; not every schedule keeps the sum at 1: use the sigma given.",
        ),
        Mistake(
            lambda x, x0, a, s: -(x / a - x0) / s**2,
            "You divided x by alpha. The noise in x is x - alpha x0.",
        ),
        Mistake(
            lambda x, x0, a, s: -x / s**2 + 0 * x0,
            "That is the score of noise alone, round 0. This Gaussian lies round alpha x0.",
        ),
        Mistake(
            lambda x, x0, a, s: -x - a * x0 / s**2,
            "Brackets are missing: the variance divides all of x - alpha x0.",
        ),
        Mistake(
            lambda x, x0, a, s: -(x + a * x0) / s**2,
            "The mean is taken away from x, not added to it.",
        ),
        Mistake(
            lambda x, x0, a, s: -(x - a * x0) / s**4,
            "You squared the variance: sigma is a standard deviation, and sigma² is already the variance.",
        ),
        Mistake(
            lambda x, x0, a, s: (-(x - a * x0) / s**2).sum(1),
            "The values are right but summed: a score is a direction, one number for each coordinate.",
        ),
    ),
    hints=(
        "Write down the logarithm of the Gaussian's density. Which part of it depends on x?",
        "log q = -(x - alpha x0)² / (2 sigma²) + a constant, for each coordinate. Differentiate it with respect to x.",
        "The 2 from the square and the ½ cancel: minus (x - alpha x0), divided by sigma².",
    ),
)


# ---------------------------------------------------------------- 7.2


class _Slope:
    """A score that depends on all of x, and notes whether it was asked."""

    def __init__(self, generator: torch.Generator):
        self.pull, self.side = torch.rand(2, generator=generator).tolist()
        self.asked = False

    def __call__(self, x):
        self.asked = True
        return -(0.6 + self.pull) * x + 1.5 * x.sin() + (0.3 + self.side) * x.roll(1, -1).tanh()


def langevin_walk(score, x, h, noises):
    return _climb(score, x, h, noises)


def _climb(score, x, h, noises, step=None, turns=slice(None)):
    """The right walk but for its step, from (x, score, h, z, start, k), or the noises that it uses."""
    start = x
    for k, z in enumerate(noises[turns]):
        x = step(x, score, h, z, start, k) if step else x + h * score(x) + (2 * h) ** 0.5 * z
    return x


def _climb_with(**changes):
    return lambda score, x, h, noises: _climb(score, x, h, noises, **changes)


def _shaken_first(score, x, h, noises):
    for z in noises:
        shaken = x + (2 * h) ** 0.5 * z
        x = shaken + h * score(shaken)
    return x


def _climbed_first(score, x, h, noises):
    for _ in noises:
        x = x + h * score(x)
    return x + (2 * h) ** 0.5 * noises.sum(0)


def _langevin_inputs(generator, steps=None, batch=3, h=None):
    if steps is None:
        steps = int(torch.randint(3, 7, (), generator=generator))
    if h is None:
        h = 0.05 + 0.2 * float(torch.rand((), generator=generator))
    x, noises = 2 * torch.randn(batch, 3, generator=generator), torch.randn(steps, batch, 3, generator=generator)
    return _Slope(generator), x, h, noises


LANGEVIN = Exercise(
    id="7.2",
    title="Langevin's walk",
    reference=langevin_walk,
    inputs=_langevin_inputs,
    edges=edges(_langevin_inputs, {"steps": 1}, {"steps": 2}, {"batch": 1}, {"h": 0.01}, {"h": 0.5}),
    remark=lambda arguments: (
        None if arguments[0].asked else "score was never called: it is asked once in every step, where the walkers are."
    ),
    changes=("score",),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h * f(x) + h**0.5 * z),
            "The noise is multiplied by the root of h; it is the root of 2h: with half the shaking the walkers settle "
            "in too narrow a heap.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h * f(x) + h * z),
            "The noise is multiplied by h. Variances add over the steps, so what multiplies z is a root: that of 2h.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h * f(x) + 2 * h * z),
            "The noise is multiplied by 2h; that is its variance, and z wants the root of it.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h * f(x) + 2 * h**0.5 * z),
            "Brackets: the root is taken of 2h, the 2 included.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x - h * f(x) + (2 * h) ** 0.5 * z),
            "You walk down the density: the score points up, and h times it is added.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h * f(x)),
            "Nothing shakes: that is only climbing, and all walkers end on tops.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + (2 * h) ** 0.5 * z + 0 * f(x)),
            "Nothing climbs: the walkers only spread. h times the score is added in every step.",
        ),
        Mistake(
            lambda f, x, h, noises: _climb(f, x, h, [noises[0]] * len(noises)),
            "Every step uses noises[0]. Then the shaking adds up to a push in one direction: each step has a noise of "
            "its own.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h * f(start) + (2 * h) ** 0.5 * z),
            "The score was asked at the start only; it has to be asked where the walkers are now.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: start + h * f(start) + (2 * h) ** 0.5 * z),
            "Every step starts from the first x again: x has to become what the step before made of it.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + f(x) + (2 * h) ** 0.5 * z),
            "The whole score was added; a step goes only h of it.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h * f(x) + z),
            "The noise came in at full strength, however small the step: multiply it by the root of 2h.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h / 2 * f(x) + (2 * h) ** 0.5 * z),
            "Half the climb with all of the shaking: some books write h/2 with the root of h; here it is h with the "
            "root of 2h.",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h / 2 * f(x) + h**0.5 * z),
            "That is Langevin's step in another unit, of half the size: here a step is h times the score and the root "
            "of 2h times z.",
        ),
        Mistake(
            _shaken_first,
            "You shook first and asked for the score afterwards; it is asked where the step begins.",
        ),
        Mistake(
            _climbed_first,
            "You climbed all the way and shook at the end. Each step does both.",
        ),
        Mistake(
            _climb_with(turns=slice(1)),
            "Only the first step was taken: is `return` inside the loop?",
        ),
        Mistake(
            _climb_with(turns=slice(-1)),
            "The last step is missing: there are as many steps as noises.",
        ),
        Mistake(
            _climb_with(turns=slice(1, None)),
            "The first noise was left out: there are as many steps as noises.",
        ),
        Mistake(
            lambda f, x, h, noises: _climb(f, x, h, noises.flip(0)),
            "The noises were used from the last to the first: the first step takes noises[0].",
        ),
        Mistake(
            _climb_with(step=lambda x, f, h, z, start, k: x + h * f(x) - (2 * h) ** 0.5 * z),
            "The noise is taken away; it is added. The walkers would not mind, but this check hands you the noise.",
        ),
    ),
    hints=(
        "A loop over the noises. In each turn x becomes x plus two things.",
        "First h times the score where the walkers are now; then this turn's noise, whose variance has to be 2h.",
        "for z in noises: x = x + h * score(x) + (2 * h) ** 0.5 * z; return x after the loop.",
    ),
)


# ---------------------------------------------------------------- 7.3


class _Field:
    """A direction du/dtau that depends on all of u and on tau, and notes whether it was asked."""

    def __init__(self, generator: torch.Generator):
        self.slope, self.offset = torch.rand(2, generator=generator).tolist()
        self.asked = False

    def __call__(self, u, tau):
        self.asked = True
        return (0.7 + self.slope) * u.sin() + (0.5 + tau) ** 2 * u.roll(1, -1) - (1 + self.offset) * tau


def heun_step(field, u, tau, tau_next):
    h = tau_next - tau
    d = field(u, tau)
    return u + h * (d + field(u + h * d, tau_next)) / 2


def _heun_with(step):
    """A step from (field, u, tau, tau_next, h, d), d the first look."""
    return lambda f, u, tau, then: step(f, u, tau, then, then - tau, f(u, tau))


def _runge_kutta(f, u, tau, then, h, d):
    middle = (tau + then) / 2
    d2 = f(u + h / 2 * d, middle)
    d3 = f(u + h / 2 * d2, middle)
    return u + h / 6 * (d + 2 * d2 + 2 * d3 + f(u + h * d3, then))


def _two_halves(f, u, tau, then, h, d):
    half = u + h / 2 * d
    return half + h / 2 * f(half, (tau + then) / 2)


def _heun_inputs(generator, batch=2, tau=None, tau_next=None):
    drawn = torch.rand(2, generator=generator).tolist()
    tau = 0.6 + 0.4 * drawn[0] if tau is None else tau
    tau_next = tau * (0.2 + 0.5 * drawn[1]) if tau_next is None else tau_next
    return _Field(generator), 2 * torch.randn(batch, 1, 3, 4, generator=generator), tau, tau_next


HEUN = Exercise(
    id="7.3",
    title="Heun's step",
    reference=heun_step,
    inputs=_heun_inputs,
    edges=edges(
        _heun_inputs,
        {"batch": 1},
        {"tau": 1.0},
        {"tau_next": 0.0},
        {"tau": 1.0, "tau_next": 0.0},
        {"tau": 0.3, "tau_next": 0.7},
        {"tau": 0.5, "tau_next": 0.45},
    ),
    remark=lambda arguments: (
        None if arguments[0].asked else "field was never called: the step asks it twice, at its two ends."
    ),
    changes=("field",),
    tolerance=3e-5,
    mistakes=(
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * d),
            "That is Euler's step: one look, at the beginning. Look a second time where it leads, and go with the mean "
            "of both.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * f(u + h / 2 * d, (tau + then) / 2)),
            "That is the midpoint rule, which looks half-way. It is of second order, too, but Heun's looks at both "
            "ends.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * (d + f(u + h * d, tau)) / 2),
            "The second look asks at the old time tau; the point u + h d is at tau_next.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * (d + f(u, then)) / 2),
            "The second look asks at the new time but at the old place: take Euler's step first, and look there.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * (d + f(u + h / 2 * d, then)) / 2),
            "The second look stands half-way, but is told that it is at tau_next: go the whole step before it.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * (d + f(u + h * d, (tau + then) / 2)) / 2),
            "The second look is told the middle of the step; the point u + h d is at tau_next.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * (d + f(u + h * d, then))),
            "You added both directions, which makes two whole steps: go with their mean, half of the sum.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * d + h * (d + f(u + h * d, then)) / 2),
            "The mean of the two directions starts from u, the old place, not from where Euler's step led.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * f(u + h * d, then)),
            "You went with the second look alone; take the mean of both.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * (d + f(u + h * d, then)) / 4),
            "That goes only half of the step: the mean of two is half of their sum, and it is multiplied by all of h.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u - h * (d + f(u - h * d, then)) / 2),
            "The step goes the wrong way: h = tau_next - tau, which is negative when time falls, and it is added.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + abs(h) * (d + f(u + abs(h) * d, then)) / 2),
            "You took the size of the step without its sign: time falls, so h is negative.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u - h * (d + f(u + h * d, then)) / 2),
            "The last line goes the wrong way, although the look ahead went the right one: h times the mean is added.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * (d + f(u + d, then)) / 2),
            "The look ahead goes a whole d instead of h times d.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: h * (d + f(u + h * d, then)) / 2),
            "That is the change alone: add it to u.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: (d + f(u + h * d, then)) / 2),
            "That is the mean direction; the step goes h times it, starting from u.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: (u + u + h * d) / 2 + 0 * f(u + h * d, then)),
            "You took the mean of two places, u and where Euler's step led. It is the two directions that count.",
        ),
        Mistake(
            _heun_with(_two_halves),
            "Those are two Euler steps of half the length: two looks as well, but still of first order.",
        ),
        Mistake(
            _heun_with(_runge_kutta),
            "That is the Runge-Kutta step of fourth order, with four looks. Good, but Heun's has two.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + h * (d + f(u + h * d, tau + then)) / 2),
            "The second look is told tau + tau_next; tau_next is already the time, not the length of the step.",
        ),
        Mistake(
            _heun_with(lambda f, u, tau, then, h, d: u + then * (d + f(u + then * d, then)) / 2),
            "You took tau_next for the length of the step; that is tau_next - tau.",
        ),
    ),
    hints=(
        "Go ahead with the direction that you see, look there, come back, and go again with the mean of both.",
        "h = tau_next - tau; the first look is d = field(u, tau). Where, and at what time, is the second?",
        "d_next = field(u + h * d, tau_next); the answer is u + h * (d + d_next) / 2.",
    ),
)


# ---------------------------------------------------------------- 7.4


def to_straight(x, alpha, sigma):
    return x / (alpha + sigma), sigma / (alpha + sigma)


def _straight_inputs(generator, batch=4, alpha=None, sigma=None):
    drawn = torch.rand(2, generator=generator)
    alpha = 0.2 + 0.7 * drawn[0] if alpha is None else torch.tensor(alpha)
    sigma = 0.2 + 1.5 * drawn[1] if sigma is None else torch.tensor(sigma)
    return 2 * torch.randn(batch, 2, generator=generator), alpha, sigma


STRAIGHT = Exercise(
    id="7.4",
    title="Any schedule in straight coordinates",
    reference=to_straight,
    inputs=_straight_inputs,
    returns=("place u", "time tau"),
    edges=edges(
        _straight_inputs,
        {"batch": 1},
        {"alpha": 0.0, "sigma": 1.0},
        {"alpha": 1.0, "sigma": 0.0},
        {"alpha": 1.0, "sigma": 40.0},
        {"alpha": 0.6, "sigma": 0.8},
    ),
    mistakes=(
        Mistake(
            lambda x, a, s: (x / torch.hypot(a, s), s / (a + s)),
            "You divided x by the root of alpha² + sigma². The two shares have to add up to 1, so divide by their sum.",
        ),
        Mistake(
            lambda x, a, s: (x / (a + s), s / torch.hypot(a, s)),
            "tau is the noise's share in the sum alpha + sigma; you divided by the root of alpha² + sigma².",
        ),
        Mistake(
            lambda x, a, s: (x / torch.hypot(a, s), s / torch.hypot(a, s)),
            "You divided by the root of alpha² + sigma²: then the two factors lie on a circle, not on a straight line.",
        ),
        Mistake(
            lambda x, a, s: (x / a, s / a),
            "You divided by alpha: that makes the picture's factor 1, and is not possible at alpha = 0.",
        ),
        Mistake(
            lambda x, a, s: (x / (a + s), s / a),
            "You divided sigma by alpha; tau is its share in the sum, from 0 to 1.",
        ),
        Mistake(
            lambda x, a, s: (x / (a + s), a / (a + s)),
            "That is the picture's share. tau is the noise's: 0 at the data, 1 at noise.",
        ),
        Mistake(
            lambda x, a, s: (x / (a + s), s + 0 * a),
            "tau is sigma after the division, too: sigma / (alpha + sigma).",
        ),
        Mistake(
            lambda x, a, s: (x, s / (a + s)),
            "x has to be divided as well: on the straight line its factors add up to 1.",
        ),
        Mistake(
            lambda x, a, s: (x * (a + s), s / (a + s)),
            "You multiplied x by alpha + sigma; it is divided.",
        ),
        Mistake(
            lambda x, a, s: (x / (a + s), s**2 / (a**2 + s**2)),
            "That is the noise's share in the variance. On the straight line it is factors that add up to 1.",
        ),
        Mistake(
            lambda x, a, s: (x / (a**2 + s**2), s**2 / (a**2 + s**2)),
            "You squared both factors; it is alpha and sigma themselves whose sum has to become 1.",
        ),
        Mistake(
            lambda x, a, s: ((x - s) / a, s / (a + s)),
            "sigma cannot be taken away from x: it is a factor of the noise. Divide x by alpha + sigma.",
        ),
        Mistake(
            lambda x, a, s: (x / (a + s) ** 2, s / (a + s)),
            "x is divided by alpha + sigma once, not twice.",
        ),
        Mistake(
            lambda x, a, s: (x / (a * s), s / (a + s)),
            "You divided by the product of the two factors; it is their sum.",
        ),
        Mistake(
            lambda x, a, s: (x / s, s / (a + s)),
            "You divided by sigma: that makes the noise's factor 1, and is not possible at the data.",
        ),
        Mistake(
            lambda x, a, s: (x / (a + s), (a / s).log() * 2),
            "That is the log-SNR; tau is the noise's share in alpha + sigma, from 0 to 1.",
        ),
        Mistake(
            lambda x, a, s: (x / (a + s), s / (1 + s)),
            "You took 1 for alpha. Not every schedule leaves the picture as it is: use the alpha given.",
        ),
        Mistake(
            lambda x, a, s: (x / (1 + s), s / (1 + s)),
            "You took 1 for alpha, in both. Not every schedule leaves the picture as it is: use the alpha given.",
        ),
    ),
    properties=(Property(lambda args, parts: bool(0 <= parts[1] <= 1), "tau lies between 0 and 1; yours does not."),),
    hints=(
        "x = alpha x0 + sigma eps. By what must you divide, so that the two factors add up to 1?",
        "By their sum, alpha + sigma. Then the factors are 1 - tau and tau.",
        "u = x / (alpha + sigma), and tau is what multiplies eps now: sigma / (alpha + sigma).",
    ),
)
