"""Training an autoencoder: minimise its bound on -log p(x), and scale its latents at the end.

It is short, minutes on a laptop, so it keeps no checkpoint. As in `train`, every random number of a step follows from
(seed, step) alone. Source: Kingma & Welling 2014; taught in notebook 09.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..networks import Autoencoder, thaw
from ..objective import autoencoder_bound, check_variance
from ..schedules.schedule import check_whole
from .batches import Data, DrawFunction, checked, draw_function, stable_hash
from .config import cosine

SCALE_BATCHES = 32  # from which the latents' scale is taken


class AutoencoderProgress(NamedTuple):
    """One step: its number, the bound in nats a picture, its KL part, and the mean squared error of a pixel."""

    step: int
    bound: float
    kl: float
    error: float


def train_autoencoder(
    net: Autoencoder,
    data: Data,
    *,
    steps: int = 2000,  # training steps
    batch: int = 64,  # pictures a step
    lr: float = 2e-3,  # highest learning rate
    variance: float = 0.002,  # of the decoder, in every pixel: the error that is allowed
    seed: int = 0,  # of everything that is drawn
    progress: bool = True,  # show a progress bar
) -> Iterator[AutoencoderProgress]:
    """Train ``net`` in place, one step at a time: ``for p in train_autoencoder(...)``.

    ``data`` is as for `train`; conditions are not used. The learning rate rises over 5 % of the steps and falls along
    half a cosine. Before the last step is given, the scale of the latents is set, from pictures of its own.

    Raises:
        ValueError: an option out of range.
        FloatingPointError: the bound is not finite (says at which step).
    """
    check_whole("steps", steps)
    check_whole("batch", batch)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr={lr!r} must be above 0 and finite")
    check_variance(variance)
    draw = draw_function(data, conditional=True)
    return autoencoder_steps(net, draw, steps, batch, lr, variance, seed, progress)


def autoencoder_steps(
    net: Autoencoder, draw: DrawFunction, steps: int, batch: int, lr: float, variance: float, seed: int, progress: bool
) -> Iterator[AutoencoderProgress]:
    """The loop itself."""
    from tqdm.auto import tqdm

    def pictures(step: int) -> tuple[Tensor, torch.Generator]:
        generator = torch.Generator().manual_seed(stable_hash(seed, step))
        return checked(draw(batch, generator), batch).x0, generator

    net.train()
    thaw(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.0)
    warmup = max(1, steps // 20)
    for step in tqdm(range(1, steps + 1), desc="autoencoder", disable=not progress, leave=False):
        x, generator = pictures(step)
        noise = torch.randn(batch, *net.latent_shape, generator=generator)
        terms = autoencoder_bound(net, x, noise, variance)
        loss = terms.total.mean()
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the bound is {loss.item()} at step {step} of {steps}: lower lr={lr:g}")
        optimizer.zero_grad()
        (loss / x[0].numel()).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, step / warmup) * cosine((step - 1) / steps)
        optimizer.step()
        if step == steps:
            net.eval().scale(pictures(-k)[0] for k in range(1, SCALE_BATCHES + 1))
        # -log N(x; picture, v) = (x - picture)² / 2v + log(2 pi v) / 2 in every pixel
        nats = terms.reconstruction.mean().item() / x[0].numel()
        error = variance * (2 * nats - math.log(2 * math.pi * variance))
        yield AutoencoderProgress(step, loss.item(), terms.prior.mean().item(), error)
