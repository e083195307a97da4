"""A whole diffusion model: schedule, noising, posterior, exact guess, two walks and Heun's step (Ho et al. 2020)."""

from itertools import pairwise

import torch


def make_beta(T):
    """beta[0] = 0, beta[1] … beta[T]: in T steps as much noise as in 1000 of the linear table."""
    table = torch.linspace(1e-4, 0.02, T, dtype=torch.float64) * 1000 / T
    return torch.cat([torch.zeros(1, dtype=torch.float64), table.clamp(max=0.999)])


T = 100
beta = make_beta(T)
alpha_bar = (1 - beta).cumprod(0)  # alpha_bar[0] = 1: the data themselves


def gaussian(x):
    """Fresh noise of the shape of x."""
    return torch.randn_like(x)


def step(x, i):
    """One step of the noising chain, from timestep i - 1 to i."""
    return (1 - beta[i]).sqrt() * x + beta[i].sqrt() * gaussian(x)


def jump(x0, i):
    """From the data to timestep i at once."""
    return alpha_bar[i].sqrt() * x0 + (1 - alpha_bar[i]).sqrt() * gaussian(x0)


def posterior(x, x0, i):
    """Mean and variance one timestep earlier, where x stands at timestep i and came from x0."""
    keep = (1 - beta[i]).sqrt() * (1 - alpha_bar[i - 1]) / (1 - alpha_bar[i])
    pull = alpha_bar[i - 1].sqrt() * beta[i] / (1 - alpha_bar[i])
    var = beta[i] * (1 - alpha_bar[i - 1]) / (1 - alpha_bar[i])
    return keep * x + pull * x0, var


def exact(data):
    """The best guess of x0 where the data are these (N, D): their mean, weighted by probability."""

    def guess(x, i):
        distance = torch.cdist(x, alpha_bar[i].sqrt().to(x) * data)
        return torch.softmax(-(distance**2) / (2 * (1 - alpha_bar[i])), dim=1) @ data

    return guess


def walk(guess, x):
    """From noise x (B, D) at timestep T to data, one timestep at a time; all T + 1 stops."""
    stops = [x]
    for i in range(T, 0, -1):
        mean, var = posterior(stops[-1], guess(stops[-1], i), i)
        stops.append(mean + var.sqrt() * gaussian(x))
    return torch.stack(stops)


def ddim(x, x0, i, s, eta):
    """From timestep i to an earlier one, s; eta: how much of the noise is fresh, 0 none."""
    eps = (x - alpha_bar[i].sqrt() * x0) / (1 - alpha_bar[i]).sqrt()
    fresh = eta**2 * (1 - alpha_bar[s]) / (1 - alpha_bar[i]) * (1 - alpha_bar[i] / alpha_bar[s])
    old = 1 - alpha_bar[s] - fresh
    return alpha_bar[s].sqrt() * x0 + old.sqrt() * eps + fresh.sqrt() * gaussian(x)


def timesteps(steps):
    """Where a short walk stops: from T to 0 in this many steps."""
    return torch.linspace(T, 0, steps + 1).round().long().tolist()


def short_walk(guess, x, steps, eta=0.0):
    """As walk, in fewer and longer steps."""
    stops = [x]
    for i, s in pairwise(timesteps(steps)):
        stops.append(ddim(stops[-1], guess(stops[-1], i), i, s, eta))
    return torch.stack(stops)


def heun(slope, x, t, s):
    """One step of second order along dx/dt = slope(x, t), from time t to s."""
    first = slope(x, t)
    second = slope(x + (s - t) * first, s)
    return x + (s - t) * (first + second) / 2
