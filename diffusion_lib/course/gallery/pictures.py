"""What the bugs look like: each function draws a program's symptom on axes."""

from itertools import pairwise

import torch
from matplotlib.axes import Axes
from torch import Tensor

from .. import tokens
from ..figures import COLOURS, DASHES, picture_grid
from ..figures.plots import histogram
from .code import Code
from .measures import new_net
from .programs import tiny
from .sets import blobs, digits

SHOWN = 8  # digits in a row


def row(pixels: Tensor, axes: Axes) -> None:
    """Digits (B, 64) in a row."""
    picture_grid(pixels.float().unflatten(1, (1, 8, 8)), len(pixels), axes=axes)


def points(samples: Tensor, axes: Axes, limits: tuple[float, float] = (-2.5, 2.5)) -> None:
    """Samples over the blobs' own points; how many lie outside is written below."""
    axes.scatter(*blobs(400).T, s=20, color=tokens.LIGHT["bars"], linewidths=0, label="data")
    axes.scatter(*samples.T, s=8, color=COLOURS[1], marker="s", linewidths=0, label="samples")
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.legend()
    outside = int((samples.abs() > limits[1]).any(1).sum())
    if outside:
        words = f"{outside} of {len(samples)} samples lie outside"
        frame = {"facecolor": tokens.LIGHT["page"], "edgecolor": tokens.LIGHT["rule"], "boxstyle": "round,pad=0.3"}
        axes.text(0.5, 0.05, words, transform=axes.transAxes, ha="center", fontsize=9, bbox=frame)


def line(axes: Axes, x, **named) -> None:
    """Lines over x by name, in the course's colours and dashes."""
    for n, (name, y) in enumerate(named.items()):
        axes.plot(x, y, color=COLOURS[n], linestyle=DASHES[n], label=name.replace("_", " "))
    axes.legend()


def bell(x: Tensor, axes: Axes, var: float = 1.0, limits: tuple[float, float] = (-4, 4)) -> None:
    """A histogram with the Gaussian that it should be."""
    normal = torch.distributions.Normal(0.0, var**0.5)
    histogram(x, lambda at: normal.log_prob(at[:, 0]), limits=limits, axes=axes)


# ---------------------------------------------------------------- the schedule and the noise


def noised_to_the_end(code: Code, axes: Axes) -> None:
    """The mean of 500 noised copies of each digit: what is left of it, without the noise."""
    row(code.jump(digits()[:SHOWN].repeat(500, 1, 1), code.T).mean(0), axes)


def betas_of_ten(code: Code, axes: Axes) -> None:
    axes.bar(range(1, 11), code.make_beta(10)[1:], color=tokens.LIGHT["bars"])
    axes.axhline(1, color=COLOURS[1], linestyle="-")
    axes.set(xlabel="timestep, of 10", ylabel="beta", ylim=(0, 2.1))


def noise_itself(code: Code, axes: Axes) -> None:
    bell(code.gaussian(torch.empty(20000)), axes)


def chain(code: Code, axes: Axes) -> None:
    x = torch.ones(20000)
    for i in range(1, code.T + 1):
        x = code.step(x, i)
    bell(x, axes)


def one_step(code: Code, axes: Axes) -> None:
    x = code.step(torch.zeros(20000), code.T)
    bell(x / code.beta[code.T].sqrt().float(), axes)


def end_of_cosine(code: Code, axes: Axes) -> None:
    axes.plot(range(94, 101), code.cosine(100)[-7:], "o-", color=COLOURS[0])
    axes.set(xlabel="timestep", ylabel=r"$\bar\alpha$")


def loaded(code: Code, axes: Axes) -> None:
    row(code.scaled((digits()[:SHOWN] + 1) * 8), axes)


# ---------------------------------------------------------------- the way back


def walked(code: Code, axes: Axes) -> None:
    row(code.walk(code.exact(digits()), torch.randn(SHOWN, 64))[-1], axes)


def walked_points(code: Code, axes: Axes) -> None:
    points(code.walk(code.exact(blobs()), torch.randn(400, 2))[-1], axes)


def walked_half(code: Code, axes: Axes) -> None:
    """Half-way, where all data are 0: the noise that should be left there."""
    x = (1 - code.alpha_bar[60]).sqrt() * code.gaussian(torch.empty(20000))
    there = code.ddim(x, torch.zeros(20000), 60, 40, eta=1.0)
    bell(there, axes, (1 - code.alpha_bar[40]).item())


def stops(code: Code, axes: Axes) -> None:
    at = code.timesteps(15)
    axes.plot(at, range(len(at)), "o", color=COLOURS[0])
    axes.axvline(code.T, color=COLOURS[1], linestyle="-")
    axes.set(xlabel="timestep (the line: T, the noise)", ylabel="stop")
    axes.invert_xaxis()


def orders(code: Code, axes: Axes) -> None:
    steps, errors = [8, 16, 32, 64, 128], []
    for count in steps:
        times, x = torch.linspace(0, 1, count + 1, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
        for t, s in pairwise(times):
            x = code.heun(lambda x, t: -2 * t * x, x, t, s)
        errors.append((x - torch.tensor(-1.0, dtype=torch.float64).exp()).abs().item())
    axes.loglog(steps, errors, "o-", color=COLOURS[0])
    axes.set(xlabel="steps", ylabel="error at the end", ylim=(1e-6, 0.2))


def put_together(code: Code, axes: Axes) -> None:
    x, i = torch.linspace(-3, 3, 61, dtype=torch.float64), 50
    x0, eps = code.clipped(x, 1.6 * x, i)
    again = tiny.alpha_bar[i].sqrt() * x0 + (1 - tiny.alpha_bar[i]).sqrt() * eps
    axes.plot(x, again, color=COLOURS[0], label=r"$\alpha\hat x_0+\sigma\hat\varepsilon$")
    axes.plot(x, x, color=COLOURS[1], linestyle=DASHES[1], label="x itself")
    axes.set(xlabel="x", ylabel="put together again", ylim=(-3.2, 3.2))
    axes.legend()


def sampled(code: Code, axes: Axes) -> None:
    row(code.sample(tiny.exact(digits()), torch.randn(SHOWN, 64)), axes)


# ---------------------------------------------------------------- training


def drawn_timesteps(code: Code, axes: Axes) -> None:
    drawn = code.draw_timesteps(20000)
    ends = [0, 1, 2, 98, 99, 100]
    axes.bar([str(i) for i in ends], [(drawn == i).sum().item() for i in ends], color=tokens.LIGHT["bars"])
    axes.set(xlabel="timestep", ylabel="of 20 000 draws")


_trained: dict[tuple[str, int, int], tuple] = {}  # by program, seed and steps


def _train(code: Code, steps: int) -> tuple:
    """A small network's average and its losses; the same program is trained once only."""
    key = code.text, torch.initial_seed(), steps
    if key not in _trained:
        _trained[key] = code.train(new_net(), blobs(), steps)
    torch.manual_seed(torch.initial_seed() + 1)
    return _trained[key]


def loss_curve(code: Code, axes: Axes, steps: int = 300) -> None:
    _, curve = _train(code, steps)
    means = torch.tensor(curve).unflatten(0, (-1, 10)).mean(1)
    axes.plot(range(5, steps, 10), means, color=COLOURS[0])
    axes.set(xlabel="training step", ylabel="loss, means of 10", ylim=(0, 2))


def trained_samples(code: Code, axes: Axes, steps: int = 500) -> None:
    average, curve = _train(code, steps)
    samples = tiny.walk(code.trained(average), torch.randn(400, 2))[-1]
    points(samples, axes)
    axes.set_xlabel(f"loss of the last 50 steps: {sum(curve[-50:]) / 50:.2f}")


def guessed_twice(code: Code, axes: Axes) -> None:
    torch.manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Dropout(0.2), torch.nn.Linear(32, 2))
    net.forward = lambda x, t, inner=net.forward: inner(x)
    guess = code.trained(net)
    axes.scatter(guess(blobs(60), 50)[:, 0], guess(blobs(60), 50)[:, 0], s=10, color=COLOURS[0])
    axes.set(xlabel="asked once", ylabel="asked again")


def printed_losses(code: Code, axes: Axes) -> None:
    losses = 0.5 + 0.5 * torch.exp(-torch.arange(40.0) / 8)[:, None] + 0.12 * torch.randn(40, 20)
    axes.plot([code.epoch_loss(epoch.tolist()) for epoch in losses], color=COLOURS[0])
    axes.set(xlabel="epoch", ylabel="printed loss", ylim=(0.2, 1.2))


# ---------------------------------------------------------------- guidance, other steps, judging


def guided_walk(code: Code, axes: Axes, scale: float = 1.0) -> None:
    """Samples that are asked to come from the upper blobs."""
    everything = blobs()
    cond, uncond = tiny.exact(everything[everything[:, 1] > 0.5]), tiny.exact(everything)
    x = torch.randn(400, 2)
    for i, s in pairwise(tiny.timesteps(25)):
        x = tiny.ddim(x, code.guided(cond(x, i), uncond(x, i), scale), i, s, 0.0)
    points(x, axes)
    axes.set_xlabel(f"guided with scale {scale:g}")


def guided_far(code: Code, axes: Axes) -> None:
    guided_walk(code, axes, 4.0)


def hidden_labels(code: Code, axes: Axes) -> None:
    labels = code.hide_labels(torch.arange(20000) % 10)
    names = [*map(str, range(10)), "–"]
    axes.bar(names, [(labels == n).sum().item() for n in (*range(10), -1)], color=tokens.LIGHT["bars"])
    axes.set(xlabel="label that is told (–: none)", ylabel="of 20 000 labels")


def churned_guess(code: Code, axes: Axes) -> None:
    """A linear guess, the best one for Gaussian data of variance 0.3."""
    clean = digits()[:SHOWN]
    mean = digits().mean(0)
    _, guess = code.churned(
        lambda x, sigma: mean + 0.3 / (0.3 + sigma**2) * (x - mean), clean + 0.1 * torch.randn(SHOWN, 64), 0.1, 0.5
    )
    row(guess, axes)


def flow(code: Code, axes: Axes) -> None:
    def velocity(x, t):
        data = blobs()
        weight = torch.softmax(-(torch.cdist(x, (1 - t) * data) ** 2) / (2 * t**2), dim=1)
        return (x - weight @ data) / t

    x, times = torch.randn(400, 2), torch.linspace(1, 0, 26).tolist()
    for t, s in pairwise(times):
        x = code.flow_step(velocity, x, t, s)
    points(x, axes, (-5, 5))


def slopes(code: Code, axes: Axes) -> None:
    a, x = tiny.alpha_bar[2], torch.linspace(-2, 2, 41, dtype=torch.float64)
    var = a * 0.01 + 1 - a
    true = torch.autograd.functional.jacobian(lambda y: (-(y**2) / (2 * var)).sum(), x)
    line(axes, x, this_code=code.score(x, a.sqrt() * 0.01 / var * x, 2), slope_of_log_q=true)
    axes.set(xlabel="x", ylabel="score")


def arc(code: Code, axes: Axes) -> None:
    a, b = torch.randn(2, 64)
    w = torch.linspace(0, 1, 21)
    axes.plot(w, [code.slerp(a, b, v).norm() / 8 for v in w], color=COLOURS[0])
    axes.set(xlabel="way from one noise to the other", ylabel="length / √64", ylim=(0, 1.3))


def kl_curve(code: Code, axes: Axes) -> None:
    var = torch.linspace(0.2, 4, 60)
    zero, one = torch.zeros(()), torch.ones(())
    true = (1 / var - 1 + var.log()) / 2
    line(axes, var, this_code=code.kl(zero, one, zero, var), integral=true)
    axes.set(xlabel="variance of p (that of q is 1)", ylabel="KL(q || p), nats", ylim=(-0.1, 2))


def bound_by_step(code: Code, axes: Axes) -> None:
    weights = [float(code.bound(0, lambda i, n=n: 1.0 if i == n else 0.0)) for n in range(1, 31)]
    axes.semilogy(range(1, 31), weights, "o", color=COLOURS[0])
    axes.set(xlabel="timestep (the first 30)", ylabel="weight of its error", ylim=(0.1, 1e6))


def distances(code: Code, axes: Axes) -> None:
    found = [code.distance(lambda n, k=k: blobs(n, seed=100 + k), blobs()).item() for k in range(200)]
    axes.hist(found, bins=24, range=(0, 0.3), color=tokens.LIGHT["bars"])
    axes.set(xlabel="distance, real to real", ylabel="of 200 comparisons")


def ablation(code: Code, axes: Axes) -> None:
    steps = [50, 100, 200, 400, 1000]
    ends = [(1 - code.table_for(n)).prod().sqrt().item() for n in steps]
    axes.semilogx(steps, ends, "o-", color=COLOURS[0])
    axes.set(xlabel="timesteps of the run", ylabel="data left at the end", ylim=(-0.05, 1.05))


SQUARE = (walked_points, trained_samples, guided_walk, guided_far, flow)  # the plane, with equal axes
IN_ROWS = (noised_to_the_end, loaded, walked, sampled, churned_guess)  # pictures, drawn one row each
