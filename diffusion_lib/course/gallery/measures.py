"""The measurements that notice: from a program to a number, what it should be, and its standard error."""

from itertools import pairwise

import torch

from ... import networks
from .bug import Measured
from .code import Code
from .programs import tiny
from .sets import blobs, digits


def new_net(seed: int = 0, width: int = 64) -> networks.MLP:
    """A small network of points and times, always the same at first."""
    torch.manual_seed(seed)
    return networks.MLP(2, width=width, depth=2)


# ---------------------------------------------------------------- the schedule and the noise


def left_of_the_data(code: Code) -> Measured:
    """The factor of the data at the last timestep, which has to be nearly 0."""
    return Measured(code.alpha_bar[code.T].sqrt().item(), should=0.0, within=0.02)


def impossible_betas(code: Code) -> Measured:
    """How many betas of runs of 10, 20, 50 and 1000 steps are not between 0 and 1."""
    betas = torch.cat([code.make_beta(steps)[1:] for steps in (10, 20, 50, 1000)])
    return Measured(((betas <= 0) | (betas >= 1)).sum().item(), should=0.0)


def mean_of_the_noise(code: Code) -> Measured:
    """The mean of 20 000 numbers of noise."""
    noise = code.gaussian(torch.empty(20000))
    return Measured(noise.mean().item(), should=0.0, error=20000**-0.5)


def spread_of_the_chain(code: Code) -> Measured:
    """The variance of 20 000 chains of T steps that all began at 1."""
    x = torch.ones(20000)
    for i in range(1, code.T + 1):
        x = code.step(x, i)
    should = 1 - code.alpha_bar[code.T].item()
    return Measured(x.var().item(), should, error=should * (2 / 20000) ** 0.5)


def tails_of_a_step(code: Code) -> Measured:
    """The excess kurtosis of one step: 0 for every Gaussian, whatever its mean and variance."""
    x = code.step(torch.zeros(20000), code.T)
    z = (x - x.mean()) / x.std()
    return Measured((z**4).mean().item() - 3, should=0.0, error=(24 / 20000) ** 0.5)


def rises(code: Code) -> Measured:
    """How often alpha_bar does not fall from one timestep to the following one."""
    falls = code.cosine(100).diff() < 0
    return Measured((~falls).sum().item(), should=0.0)


def least_pixel(code: Code) -> Measured:
    """The least number of a picture whose pixels go from 0 to 16."""
    return Measured(code.scaled(torch.arange(17.0)).min().item(), should=-1.0)


# ---------------------------------------------------------------- the way back


def regression(code: Code) -> Measured:
    """What x counts for in the posterior's mean; from the joint Gaussian it is covariance / variance."""
    i = code.T // 2
    before = 1 - tiny.alpha_bar[i - 1]
    keep = (1 - tiny.beta[i]).sqrt()
    should = keep * before / (keep**2 * before + tiny.beta[i])
    mean, _ = code.posterior(torch.tensor(1.0), torch.tensor(0.0), i)
    return Measured(mean.item(), should.item(), within=1e-6)


def one_point(code: Code) -> Measured:
    """How far the farthest sample lies from the only point of the data."""
    point = torch.tensor([[1.0, -0.5]])
    samples = code.walk(code.exact(point), code.gaussian(torch.empty(200, 2)))[-1]
    return Measured((samples - point).norm(dim=1).max().item(), should=0.0, within=1e-5)


def variance_of_a_step_back(code: Code) -> Measured:
    """The variance after DDIM's step from timestep 60 to 40 with eta = 1, where all data are 0."""
    x = (1 - code.alpha_bar[60]).sqrt() * code.gaussian(torch.empty(20000))
    there = code.ddim(x, torch.zeros(20000), 60, 40, eta=1.0)
    should = 1 - code.alpha_bar[40].item()
    return Measured(there.var().item(), should, error=should * (2 / 20000) ** 0.5)


def first_stop(code: Code) -> Measured:
    """The timestep at which a short walk begins."""
    return Measured(float(code.timesteps(15)[0]), should=100.0)


def change_with_time(code: Code) -> Measured:
    """The squared error of the guess where hardly any noise has been added."""
    off = code.exact(blobs())(code.jump(blobs(), 2), 2) - blobs()
    return Measured(off.square().mean().item(), should=0.0, within=0.01)


def order(code: Code) -> Measured:
    """By how much the logarithm of the error falls when the steps are halved, in units of log 2."""

    def error(steps):
        times, x = torch.linspace(0, 1, steps + 1, dtype=torch.float64), torch.tensor(1.0)
        for t, s in pairwise(times):
            x = code.heun(lambda x, t: -2 * t * x, x.double(), t, s)
        return (x - torch.tensor(-1.0, dtype=torch.float64).exp()).abs()

    return Measured((error(32) / error(64)).log2().item(), should=2.0, within=0.15)


def two_ways(code: Code) -> Measured:
    """How far alpha x0 + sigma eps, of guesses where x0 was clipped, lies from x."""
    x, i = torch.linspace(-3, 3, 61, dtype=torch.float64), 50
    x0, eps = code.clipped(x, 1.6 * x, i)
    again = tiny.alpha_bar[i].sqrt() * x0 + (1 - tiny.alpha_bar[i]).sqrt() * eps
    return Measured((again - x).abs().max().item(), should=0.0, within=1e-9)


def spread_in_one_step(code: Code) -> Measured:
    """The variance of a pixel over 100 samples, in the mean of all pixels; that of the data is about 0.3."""
    samples = code.sample(tiny.exact(digits()), torch.randn(100, 64))
    return Measured(samples.var(0).mean().item(), digits().var(0).mean().item(), within=0.1)


# ---------------------------------------------------------------- training


class Oracle(torch.nn.Module):
    """Stands for a network: knows the data point behind every x, and answers with the noise."""

    def __init__(self, x0: torch.Tensor):
        super().__init__()
        self.x0 = x0

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha_bar = tiny.alpha_bar[(t * tiny.T).round().long()][:, None].float()
        return (x - alpha_bar.sqrt() * self.x0) / (1 - alpha_bar).sqrt()


def missed_timesteps(code: Code) -> Measured:
    """How many of the timesteps 1 … T are never drawn, and how many others are."""
    drawn = set(code.draw_timesteps(20000).tolist())
    return Measured(len(drawn ^ set(range(1, tiny.T + 1))), should=0.0)


def loss_of_a_copier(code: Code) -> Measured:
    """The loss of a network that returns its input, which has learned nothing."""
    x0 = blobs().repeat(20, 1)
    losses = code.losses_of(lambda x, t: x, x0)
    alpha_bar = tiny.alpha_bar[1:]
    should = alpha_bar.mean() * x0.square().mean() + ((1 - alpha_bar).sqrt() - 1).square().mean()
    error = losses.std().item() / len(losses) ** 0.5
    return Measured(losses.mean().item(), should.item(), error)


def what_the_network_sees(code: Code) -> Measured:
    """The variance of the network's inputs, which are half data and half noise."""
    inputs = []
    code.losses_of(lambda x, t: inputs.append(x) or x, 0 * blobs().repeat(20, 1))
    should = (1 - tiny.alpha_bar[1:]).mean().item()
    return Measured(inputs[0].var().item(), should, error=0.01)


def old_gradients(code: Code) -> Measured:
    """The length of the gradient that the 100th step took, as a multiple of what it is computed afresh."""
    net = new_net()
    code.train(net, blobs(), 100)
    taken = torch.cat([p.grad.flatten() for p in net.parameters()]).norm()
    lengths = []
    for _ in range(20):
        loss = code.losses_of(net, blobs()[torch.randint(1000, (256,))]).mean()
        lengths.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))]).norm())
    return Measured((taken / torch.stack(lengths).mean()).item(), should=1.0, within=2.0)


def read_back(code: Code) -> Measured:
    """How far the guess lies from the data where the network's noise is the true one."""
    x0 = blobs()[:200]
    x = tiny.jump(x0, 50)
    off = code.trained(Oracle(x0))(x, 50) - x0
    return Measured(off.abs().max().item(), should=0.0, within=1e-4)


def average_behind(code: Code) -> Measured:
    """The loss of the averaged network over that of the network itself, after 300 steps."""
    net = new_net()
    average, _ = code.train(net, blobs(), 300)
    with torch.no_grad():
        losses = [code.losses_of(n, blobs().repeat(10, 1)).mean() for n in (average, net)]
    return Measured((losses[0] / losses[1]).item(), should=1.0, within=0.1)


def twice_the_same(code: Code) -> Measured:
    """How far two guesses of a network with dropout lie apart, asked twice for one x."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Dropout(0.2), torch.nn.Linear(32, 2))

    class Timeless(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x, t):
            return self.net(x)

    guess = code.trained(Timeless())
    x = blobs()[:50]
    return Measured((guess(x, 50) - guess(x, 50)).abs().max().item(), should=0.0)


def printed_for_an_epoch(code: Code) -> Measured:
    """What is printed for an epoch whose batches had the losses 4, 3, 2 and 1."""
    return Measured(code.epoch_loss([4.0, 3.0, 2.0, 1.0]), should=2.5)


# ---------------------------------------------------------------- guidance, other steps, judging


def scale_of_one(code: Code) -> Measured:
    """How far guidance with scale 1 lies from the conditional guess."""
    cond, uncond = torch.randn(2, 50, 2)
    return Measured((code.guided(cond, uncond, 1.0) - cond).abs().max().item(), should=0.0, within=1e-5)


def guided_coordinates(code: Code) -> Measured:
    """How many of two coordinates a scale of 5 moves."""
    cond, uncond = torch.randn(2, 50, 2)
    moved = (code.guided(cond, uncond, 5.0) - cond).abs().amax(0) > 0.1
    return Measured(moved.sum().item(), should=2.0)


def hidden_share(code: Code) -> Measured:
    """The share of labels that training hides, of which 0.2 was asked for."""
    hidden = code.hide_labels(torch.arange(20000) % 10, 0.2) == -1
    return Measured(hidden.float().mean().item(), should=0.2, error=(0.2 * 0.8 / 20000) ** 0.5)


def level_told(code: Code) -> Measured:
    """The noise level that the guess is told, after the noise was raised from 0.3 to 0.8."""
    _, told = code.churned(lambda x, sigma: sigma, torch.zeros(5), 0.3, 0.8)
    return Measured(told, should=0.8)


def straight_to_the_point(code: Code) -> Measured:
    """How far ten steps along the exact velocity end from the only point of the data."""
    point, x = torch.tensor([1.0, -0.5]), torch.randn(100, 2)
    for t, s in pairwise(torch.linspace(1, 0, 11).tolist()):
        x = code.flow_step(lambda x, t: (x - point) / t, x, t, s)
    return Measured((x - point).norm(dim=1).max().item(), should=0.0, within=1e-4)


def slope_of_the_log(code: Code) -> Measured:
    """The score at 1, timestep 10, where the data are N(0, 1/4); should be: a finite difference of log q."""
    a, x = tiny.alpha_bar[10], torch.tensor([1 - 1e-4, 1.0, 1 + 1e-4], dtype=torch.float64)
    var = a / 4 + 1 - a
    log_q = -(x**2) / (2 * var)
    best = a.sqrt() / 4 / var * x
    return Measured(code.score(x, best, 10)[1].item(), ((log_q[2] - log_q[0]) / 2e-4).item(), within=1e-4)


def length_half_way(code: Code) -> Measured:
    """The length of noise half-way between two, as a multiple of what noise of its size has."""
    half = torch.stack([code.slerp(*torch.randn(2, 64), 0.5) for _ in range(100)])
    return Measured(half.norm(dim=1).mean().item() / 8, should=1.0, within=0.03)


def kl_by_chance(code: Code) -> Measured:
    """KL(N(0, 1) || N(1, 4)); should be: the mean of log q - log p over 200 000 points of q."""
    q, p = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(1.0, 2.0)
    x = torch.randn(200000)
    logs = q.log_prob(x) - p.log_prob(x)
    found = code.kl(*(torch.tensor(value) for value in (0.0, 1.0, 1.0, 4.0)))
    return Measured(found.item(), logs.mean().item(), error=logs.std().item() / 200000**0.5)


def kl_by_steps(code: Code) -> Measured:
    """The bound of a guess that is off by 0.1; should be: the sum of the KL of two Gaussians, step by step."""
    should, x = 0.0, torch.tensor(0.0, dtype=torch.float64)
    for i in range(2, tiny.T + 1):
        (one, var), (other, _) = tiny.posterior(x, x, i), tiny.posterior(x, x + 0.1, i)
        should += ((one - other) ** 2 / (2 * var)).item()
    return Measured(float(code.bound(x, lambda i: 0.01)), should, within=1e-6)


def floor(code: Code) -> Measured:
    """The Fréchet distance between 1000 points and 1000 more of the same kind, where chance allows 0.01."""
    return Measured(code.distance(lambda count: blobs(count, seed=13), blobs()).item(), should=0.0, within=0.015)


def ends_of_a_comparison(code: Code) -> Measured:
    """The largest factor of the data at the last timestep among runs of 50, 100, 200 and 1000 steps."""
    ends = [(1 - code.table_for(steps)).prod().sqrt().item() for steps in (50, 100, 200, 1000)]
    return Measured(max(ends), should=0.0, within=0.02)


def opposite_errors(code: Code) -> Measured:
    """How many of two wrong answers a test finds equal to the right one: in other order, and off both ways."""
    right = torch.arange(-10.0, 11.0)
    off_both_ways = right + torch.tensor([1.0, -1.0, 0.0]).repeat(7)
    equal = code.same(right, right.flip(0)) + code.same(right, off_both_ways)
    return Measured(float(equal), should=0.0)
