"""What a project writes besides: another schedule, other steps, guidance, and what it measures itself with."""

import torch

from .tiny import T, alpha_bar, gaussian, make_beta, walk


def cosine(T):
    """alpha_bar[0] … alpha_bar[T] of the cosine schedule (Nichol and Dhariwal 2021)."""
    u = torch.arange(T + 1, dtype=torch.float64) / T
    curve = ((u + 0.008) / 1.008 * torch.pi / 2).cos() ** 2
    return curve / curve[0]


def scaled(pixels):
    """Pixels from 0 to 16, as the digits come, to the range from -1 to 1."""
    return pixels / 8 - 1


def clipped(x, x0, i):
    """Both guesses that belong to x, with x0 kept in the data's range."""
    kept = x0.clamp(-1, 1)
    eps = (x - alpha_bar[i].sqrt() * kept) / (1 - alpha_bar[i]).sqrt()
    return kept, eps


def guided(cond, uncond, scale):
    """Guidance: 0 is unconditional, 1 conditional, more is beyond."""
    return uncond + scale * (cond - uncond)


def hide_labels(labels, share=0.2):
    """Labels (B,) for training, some of them replaced by -1: "nothing was asked for"."""
    hidden = torch.rand(len(labels)) < share
    return torch.where(hidden, -1, labels)


def churned(guess, x, sigma, higher):
    """Raise the noise in x from sigma to a higher level (EDM), and guess there."""
    x = x + (higher**2 - sigma**2) ** 0.5 * gaussian(x)
    return x, guess(x, higher)


def flow_step(velocity, x, t, s):
    """Euler's step along dx/dt, where t = 1 is the noise and t = 0 the data."""
    return x + (s - t) * velocity(x, t)


def score(x, x0, i):
    """The slope of log q at timestep i, from the best guess of x0."""
    return -(x - alpha_bar[i].sqrt() * x0) / (1 - alpha_bar[i])


def slerp(a, b, w):
    """From noise a (D,) to noise b, along the arc between them."""
    angle = (a / a.norm() @ (b / b.norm())).acos()
    return (((1 - w) * angle).sin() * a + (w * angle).sin() * b) / angle.sin()


def kl(mean_q, var_q, mean_p, var_p):
    """KL(q || p) of two Gaussians, in nats."""
    ratio = var_q / var_p
    return (ratio - 1 - ratio.log() + (mean_q - mean_p) ** 2 / var_p) / 2


def bound(x0, guess_error):
    """The noisy steps' part of the bound on -log p(x0), in nats; guess_error(i): of x0, squared."""
    total = 0.0
    for i in range(2, T + 1):
        snr = alpha_bar / (1 - alpha_bar)
        total = total + (snr[i - 1] - snr[i]) / 2 * guess_error(i)
    return total


def frechet(a, b):
    """Squared Fréchet distance of two sets of points (N, D), each taken for a Gaussian."""
    root = torch.linalg.eigvals(a.T.cov() @ b.T.cov()).real.clamp(min=0).sqrt().sum()
    spread = a.T.cov().trace() + b.T.cov().trace() - 2 * root
    return (a.mean(0) - b.mean(0)).square().sum() + spread


def epoch_loss(losses):
    """The number that is printed for an epoch, from the losses of its batches."""
    return sum(losses) / len(losses)


def distance(draw, real):
    """Fréchet distance of samples, as many as there are real points (N, D); draw(n) gives n."""
    return frechet(draw(len(real)), real)


def table_for(steps):
    """The betas of a run with so many timesteps, to be compared with longer and shorter ones."""
    return make_beta(steps)


def sample(guess, x):
    """Data from noise x (B, D)."""
    return walk(guess, x)[-1]


def same(a, b):
    """Whether two tensors are equal up to rounding; for use in tests."""
    return bool((a - b).abs().max() < 1e-6)
