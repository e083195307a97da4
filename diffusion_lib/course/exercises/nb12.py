"""Exercises of notebook 12, the bug gallery: four tests to write (12.1 to 12.4), and a walk to mend (12.5).

A test is tried on the gallery's programs, with other lines in the place of some: right ones and wrong ones.
"""

import itertools
from collections.abc import Callable

import torch

from ..gallery.code import load
from .exercise import Exercise, Mistake
from .inputs import edges
from .written_tests import Subject, TestExercise

RUN_OF_40 = [("T = 100\n", "T = 40\n")]
GAUSSIAN = "return torch.randn_like(x)"
STEP = "return (1 - beta[i]).sqrt() * x + beta[i].sqrt() * gaussian(x)"


def _program(words: str, *changes: tuple[str, str]) -> Subject:
    """The tiny program with lines replaced; the words complete the sentence of a verdict."""
    return Subject(lambda: load("tiny", changes, words), words)


RIGHT = _program("the program of the page")

# ---------------------------------------------------------------- 12.1


def test_spread(code):
    x = torch.full((10000,), 3.0)
    for i in range(1, code.T + 1):
        x = code.step(x, i)
    should = 1 - code.alpha_bar[code.T]
    error = should * (2 / len(x)) ** 0.5
    assert abs(x.var() - should) < 5 * error


SPREAD = TestExercise(
    id="12.1",
    title="A test of the noising chain",
    reference=test_spread,
    right=(
        RIGHT,
        _program("one with 40 timesteps", *RUN_OF_40),
        _program(
            "one whose betas are all 0.1",
            ("torch.linspace(1e-4, 0.02, T, dtype=torch.float64) * 1000 / T", "torch.full((T,), 0.1).double()"),
        ),
        _program(
            "one that draws with torch.normal",
            (STEP, "return torch.normal(x * (1 - beta[i]).sqrt(), beta[i].sqrt().to(x).expand_as(x))"),
        ),
    ),
    wrong=(
        _program("the noise is multiplied by beta, not by its root", (STEP, STEP.replace("beta[i].sqrt()", "beta[i]"))),
        _program(
            "x is multiplied by 1 - beta, not by its root",
            (STEP, STEP.replace("(1 - beta[i]).sqrt()", "(1 - beta[i])")),
        ),
        _program("x is not made smaller at all", (STEP, "return x + beta[i].sqrt() * gaussian(x)")),
        _program(
            "all noise, in step and jump alike, is uniform between 0 and 1", (GAUSSIAN, "return torch.rand_like(x)")
        ),
    ),
    nonsense=(
        _program(
            "step and jump return nothing but zeros",
            (STEP, "return 0 * x"),
            ("return alpha_bar[i].sqrt() * x0 + (1 - alpha_bar[i]).sqrt() * gaussian(x0)", "return 0 * x0"),
        ),
    ),
    hints=(
        "Let many chains begin at one number, apply code.step for i = 1 … code.T, and ask what is known of the end.",
        "The variance at the end is 1 - code.alpha_bar[code.T], whatever the beginning; measured from N chains it has "
        "the standard error of about (2 / N) ** 0.5 times that.",
        "x = torch.full((10000,), 3.0), the loop, then assert that abs(x.var() - should) is below 5 standard errors.",
    ),
)


# ---------------------------------------------------------------- 12.2


def test_tails(code):
    x = code.step(torch.zeros(40000), code.T)
    z = (x - x.mean()) / x.std()
    excess = (z**4).mean() - 3
    assert abs(excess) < 5 * (24 / len(x)) ** 0.5


TAILS = TestExercise(
    id="12.2",
    title="A test of the noise's shape",
    reference=test_tails,
    right=(
        RIGHT,
        _program("one with 40 timesteps", *RUN_OF_40),
        _program(
            "one that makes Gaussian numbers of uniform ones (Box and Muller)",
            (
                GAUSSIAN,
                "return (-2 * (1 - torch.rand_like(x)).log()).sqrt() * (2 * torch.pi * torch.rand_like(x)).cos()",
            ),
        ),
        _program(
            "one that draws with torch.normal",
            (STEP, "return torch.normal(x * (1 - beta[i]).sqrt(), beta[i].sqrt().to(x).expand_as(x))"),
        ),
    ),
    wrong=(
        _program(
            "two noises are multiplied with each other", (GAUSSIAN, "return torch.randn_like(x) * torch.randn_like(x)")
        ),
        _program(
            "the noise is uniform, with mean 0 and variance 1",
            (GAUSSIAN, "return (torch.rand_like(x) - 0.5) * 12**0.5"),
        ),
        _program("the noise is 1 or -1, by chance", (GAUSSIAN, "return torch.randn_like(x).sign()")),
    ),
    nonsense=(
        _program("a step returns evenly spaced numbers", (STEP, "return torch.linspace(-1, 1, x.numel()).view_as(x)")),
    ),
    hints=(
        "Mean and variance are right in each of the wrong programs. What else do you know of a Gaussian?",
        "For z with mean 0 and variance 1, the mean of z⁴ is 3 if z is Gaussian, and hardly ever else. Over many steps "
        "the differences average out, so look at one single step.",
        "x = code.step(torch.zeros(40000), code.T), then z = (x - x.mean()) / x.std(), and (z**4).mean() - 3 has the "
        "standard error (24 / 40000) ** 0.5.",
    ),
)


# ---------------------------------------------------------------- 12.3


def test_one_point(code):
    point = torch.tensor([[0.7, -1.2]])
    samples = code.walk(code.exact(point), torch.randn(50, 2))[-1]
    assert (samples - point).abs().max() < 1e-5


VAR = "var = beta[i] * (1 - alpha_bar[i - 1]) / (1 - alpha_bar[i])"
NEXT = "stops.append(mean + var.sqrt() * gaussian(x))"

ONE_POINT = TestExercise(
    id="12.3",
    title="A test of the walk's end",
    reference=test_one_point,
    right=(
        RIGHT,
        _program("one with 40 timesteps", *RUN_OF_40),
        _program(
            "one with the variance beta, and no noise at the last step",
            (VAR, "var = beta[i]"),
            (NEXT, "stops.append(mean + var.sqrt() * gaussian(x) * (i > 1))"),
        ),
        _program(
            "one that computes in float64",
            ("stops = [x]\n    for i in range(T, 0, -1)", "stops = [x.double()]\n    for i in range(T, 0, -1)"),
            (
                "distance = torch.cdist(x, alpha_bar[i].sqrt().to(x) * data)",
                "distance = torch.cdist(x, alpha_bar[i].sqrt() * data.to(x))",
            ),
            ("dim=1) @ data", "dim=1) @ data.to(x)"),
            (f"{NEXT}\n    return torch.stack(stops)", f"{NEXT}\n    return torch.stack(stops).to(x)"),
        ),
        _program(
            "one that computes with numbers larger by 1, and so rounds the last digit otherwise",
            (NEXT, "stops.append((mean + 1 + var.sqrt() * gaussian(x)) - 1)"),
        ),
    ),
    wrong=(
        _program("the variance is beta at every step, the last one included", (VAR, "var = beta[i]")),
        _program("the last step is never made", ("range(T, 0, -1)", "range(T, 1, -1)")),
        _program(
            "the weight of x0 has alpha_bar[i] where alpha_bar[i - 1] belongs, which costs 0.05 % at the end",
            ("pull = alpha_bar[i - 1].sqrt()", "pull = alpha_bar[i].sqrt()"),
        ),
    ),
    nonsense=(
        _program(
            "the walk returns the noise that it began with",
            ("stops.append(mean + var.sqrt() * gaussian(x))", "stops.append(x)"),
        ),
    ),
    hints=(
        "Choose data for which you know every sample in advance, without any calculation.",
        "If the data are one single point, code.exact(point) knows the answer, and every walk has to end there, up to "
        "rounding. code.walk(guess, noise)[-1] are the samples.",
        "point = torch.tensor([[0.7, -1.2]]), then assert that (samples - point).abs().max() is below 1e-5.",
    ),
)


# ---------------------------------------------------------------- 12.4


def test_order(code):
    def error(steps):
        times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        x = torch.tensor([1.0], dtype=torch.float64)
        for t, s in itertools.pairwise(times):
            x = code.heun(lambda x, t: -2 * t * x, x, t, s)
        return (x - torch.tensor(-1.0, dtype=torch.float64).exp()).abs().item()

    order = torch.tensor(error(32) / error(64)).log2()
    assert abs(order - 2) < 0.15


SECOND = "second = slope(x + (s - t) * first, s)"
BOTH = "return x + (s - t) * (first + second) / 2"

ORDER = TestExercise(
    id="12.4",
    title="A test of the order",
    reference=test_order,
    right=(
        RIGHT,
        _program(
            "the midpoint method, which is of second order as well",
            (SECOND, "second = slope(x + (s - t) / 2 * first, (t + s) / 2)"),
            (BOTH, "return x + (s - t) * second"),
        ),
        _program(
            "Heun's method, written as the mean of two places",
            (BOTH, "return (x + (s - t) * first + x + (s - t) * second) / 2"),
        ),
    ),
    wrong=(
        _program("there is one slope only, which is Euler's method", (BOTH, "return x + (s - t) * first")),
        _program("the second slope is taken at the old place", (SECOND, "second = slope(x, s)")),
        _program("the second slope is taken at the old time", (SECOND, "second = slope(x + (s - t) * first, t)")),
        _program(
            "the two slopes are weighted 0.6 and 0.4", (BOTH, "return x + (s - t) * (0.6 * first + 0.4 * second)")
        ),
    ),
    nonsense=(_program("a step returns x as it was", (BOTH, "return x + 0 * (first + second)")),),
    hints=(
        "Choose an equation whose solution you know, and whose slope depends on both x and t. How does the error at "
        "the end change when the steps are halved?",
        "dx/dt = -2 t x from x = 1 at t = 0 has x = exp(-1) at t = 1. Second order means that halving the steps "
        "divides the error by about 4. Use float64.",
        "Walk once in 32 and once in 64 steps with code.heun(slope, x, t, s), and assert that log2 of the ratio of the "
        "errors is within 0.15 of 2.",
    ),
)


# ---------------------------------------------------------------- 12.5


def mended(guess, x, noises, beta):
    return _walk(guess, x, noises, beta)


def _walk(
    guess, x, noises, beta, keep=False, var=False, start=False, pull=False, root=False, place=False, silent=False
):
    """The right walk, but for the bugs that are named."""
    alpha_bar = (1 - beta).cumprod(0)
    stops = [x]
    for i in range(len(beta) - 1 - start, 0, -1):
        of_x = alpha_bar[i].sqrt() if keep else (1 - beta[i]).sqrt()
        of_x = of_x * (1 - alpha_bar[i - 1]) / (1 - alpha_bar[i])
        of_x0 = alpha_bar[i if pull else i - 1].sqrt() * beta[i] / (1 - alpha_bar[i])
        spread = (
            0 * beta[i]
            if silent and i == 1
            else beta[i]
            if var or silent
            else beta[i] * (1 - alpha_bar[i - 1]) / (1 - alpha_bar[i])
        )
        mean = of_x * stops[-1] + of_x0 * guess(x if place else stops[-1], i)
        stops.append(mean + (spread if root else spread.sqrt()) * noises[i - 1])
    return torch.stack(stops)


_SEEN_BY = {
    "keep": "by the variance of the stops, where all data are 0 and guess returns zeros",
    "var": "by the last stop, where the data are one point",
    "start": "by a guess that notes the timesteps it is asked for",
}


def _bugs_left(*left: str) -> Mistake:
    """The walk in which these bugs are still there."""
    count = {
        1: "Two of three are mended, one is left",
        2: "One of three is mended, two are left",
        3: "All three are left",
    }
    seen = "; ".join(_SEEN_BY[name] for name in left)
    verb = "It is seen" if len(left) == 1 else "They are seen"
    return Mistake(_with(dict.fromkeys(left, True)), f"{count[len(left)]}. {verb} {seen}.")


def _with(bugs: dict[str, bool]) -> Callable:
    return lambda guess, x, noises, beta: _walk(guess, x, noises, beta, **bugs)


def _by_the_pages_table(guess, x, noises, beta):
    """The walk with the page's `posterior`, which knows the page's beta only."""
    stops, page = [x], load("tiny")
    for i in range(len(beta) - 1, 0, -1):
        mean, var = page.posterior(stops[-1], guess(stops[-1], i), i)
        stops.append(mean + var.sqrt() * noises[i - 1])
    return torch.stack(stops)


class Guess:
    """A guess of x0 that depends on x and on the timestep, and notes whether it was asked."""

    def __init__(self, generator: torch.Generator):
        self.slope, self.offset = torch.rand(2, generator=generator).tolist()
        self.asked = False

    def __call__(self, x, i):
        self.asked = True
        i = torch.as_tensor(i, dtype=x.dtype)
        return (0.3 + self.slope / (1 + i)) * x.sin() + 0.3 * x.roll(1, -1) + self.offset * (i / 4).cos()


def _walk_inputs(generator, steps=None, batch=3):
    if steps is None:
        steps = int(torch.randint(3, 7, (), generator=generator))
    beta = 0.05 + 0.5 * torch.rand(steps, generator=generator, dtype=torch.float64)
    beta = torch.cat([torch.zeros(1, dtype=torch.float64), beta])
    x, noises = torch.randn(batch, 2, generator=generator), torch.randn(steps, batch, 2, generator=generator)
    return Guess(generator), 1.5 * x, noises, beta


MENDED = Exercise(
    id="12.5",
    title="Three bugs at once",
    reference=mended,
    inputs=_walk_inputs,
    edges=edges(_walk_inputs, {"steps": 2}, {"steps": 8}, {"batch": 1}, {"steps": 2, "batch": 1}),
    remark=lambda arguments: (
        None if arguments[0].asked else "guess was never called: ask guess(x, i) once in every step."
    ),
    changes=("guess",),
    tolerance=3e-5,
    mistakes=(
        *(_bugs_left(*left) for count in (1, 2, 3) for left in itertools.combinations(_SEEN_BY, count)),
        Mistake(
            _with({"pull": True}),
            "The three bugs are gone, and a new one came in: the weight of x0 has the root of alpha_bar[i - 1].",
        ),
        Mistake(
            _with({"root": True}),
            "You multiply the noise by the variance; a standard deviation belongs there, its root.",
        ),
        Mistake(
            _with({"silent": True}),
            "The last stop is right now, but with beta for its variance every other stop has too much noise. The paper "
            "tries that, too; here the posterior's own variance belongs, and then the last step needs no special case.",
        ),
        Mistake(
            _by_the_pages_table,
            "The factors are those of the page's table: use the beta that is handed over, and its alpha_bar.",
        ),
        Mistake(
            _with({"place": True}),
            "guess is asked at the noise of the beginning every time: ask it at the last stop.",
        ),
    ),
    hints=(
        "Let tests speak first: the one of 12.3, then one that notes which timesteps guess is asked for.",
        "The third shows where guess returns zeros: then every stop is noise, and at timestep i its variance has to be "
        "1 - alpha_bar[i]. Compare the lines with posterior and walk of the page.",
        "The loop has to begin at len(beta) - 1; the factor of x has the root of 1 - beta[i]; the variance is "
        "beta[i] * (1 - alpha_bar[i - 1]) / (1 - alpha_bar[i]).",
    ),
)
