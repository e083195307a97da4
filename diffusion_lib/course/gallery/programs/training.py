"""Training on points: the loss, the loop with its averaged copy (EMA), and how a network's answer is read."""

from copy import deepcopy

import torch

from .tiny import T, alpha_bar, gaussian


def alpha_sigma(i):
    """The factors of data and noise at timesteps i (B,), each (B, 1)."""
    return alpha_bar[i].sqrt()[:, None].float(), (1 - alpha_bar[i]).sqrt()[:, None].float()


def draw_timesteps(count):
    """The timesteps of a batch: each of 1 … T equally often."""
    return torch.randint(1, T + 1, (count,))


def losses_of(net, x0):
    """Each point's squared error, where net(x, t) predicts the noise."""
    i, noise = draw_timesteps(len(x0)), gaussian(x0)
    alpha, sigma = alpha_sigma(i)
    x = alpha * x0 + sigma * noise
    return (net(x, i / T) - noise).square().mean(1)


def train(net, data, steps):
    """Train the network on data (N, D); its averaged copy, and the loss of every step."""
    average, curve = deepcopy(net), []
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for n in range(steps):
        net.train()
        loss = losses_of(net, data[torch.randint(len(data), (256,))]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
        decay = min(0.9995, (1 + n) / (10 + n))
        for mean, weight in zip(average.parameters(), net.parameters(), strict=True):
            mean.data.lerp_(weight.data, 1 - decay)
    return average, curve


def trained(net):
    """The guess of x0 that a network makes which predicts noise."""

    @torch.no_grad()
    def guess(x, i):
        net.eval()
        alpha, sigma = alpha_sigma(torch.full((len(x),), i))
        eps = net(x, torch.full((len(x),), i / T))
        return (x - sigma * eps) / alpha

    return guess
