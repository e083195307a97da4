"""The U-Net: down through ever coarser levels and back up, meeting on the way what was seen on the way down.

Every residual block scales and shifts its normalised features by the conditioning vector c (FiLM; Dhariwal & Nichol
2021, section 3.1):

    h = conv(silu(norm(x)));  h = conv(silu(norm(h) * (1 + scale(c)) + shift(c)));  return skip(x) + h

Pixels are halved by averaging 2 × 2 and doubled by repeating; the blocks themselves do all the learning, as in Karras
et al. 2022. There is no dropout: what a training step computes depends on its inputs alone. Sources: Ronneberger et al.
2015; Ho et al. 2020, appendix B.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .conditioning import Conditioning, LabelNetwork
from .network import NETWORKS, check_shape, zero

CHANNELS_A_GROUP = 16
"""GroupNorm's groups at the finest level hold so many channels: on CPUs, smaller ones are several times slower."""


class ResBlock(nn.Module):
    """x (B, inputs, H, W), c (B, condition) -> (B, outputs, H, W): two convolutions around a scale and shift."""

    def __init__(self, inputs: int, outputs: int, condition: int, *, groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.film = nn.Linear(condition, 2 * outputs)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.conv2 = zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(F.silu(c))[:, :, None, None].chunk(2, dim=1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return self.skip(x) + h


class Attention(nn.Module):
    """x (B, C, H, W) -> same shape: every pixel looks at every other (Vaswani et al. 2017, eq. 1), added to x."""

    def __init__(self, channels: int, heads: int, *, groups: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = zero(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # (B, H*W, C)
        q, k, v = self.qkv(pixels).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, H*W, C/heads)
        seen = attend(q, k, v).transpose(1, 2).flatten(2)
        return x + self.out(seen).transpose(1, 2).unflatten(2, x.shape[2:])


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / √d) v over the last two dimensions (…, N, d), as a fused kernel where that is faster."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:  # the fused kernel's backward is 5 to 10 times slower
        return torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v)


class Block(nn.Module):
    """A ResBlock, and self-attention after it where the level asks for it."""

    def __init__(self, inputs: int, outputs: int, condition: int, heads: int | None, *, groups: int):
        super().__init__()
        self.res = ResBlock(inputs, outputs, condition, groups=groups)
        self.attention = Attention(outputs, heads, groups=groups) if heads else nn.Identity()

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.attention(self.res(x, c))


@NETWORKS.register
class UNet(LabelNetwork):
    """A network for pictures x (B, channels, size, size), from 8×8×1 to 64×64×3. Notebook 04.

    Level i has `width * multipliers[i]` channels at size / 2**i pixels a side, and `blocks` blocks on each way.
    `attention` names the levels (0 is full size) whose blocks also attend; `heads` is its number of heads.
    `patch` above 1 first folds patch × patch pixels into channels, so all levels are that much smaller and faster.
    With `classes` above 0, cond holds labels 0 … classes - 1, or -1 for none. Raises ValueError, naming the
    remedy, for a size that cannot be halved, channels that do not split into groups or heads, and bad inputs.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 8,
        *,
        width: int = 32,  # channels of the first level
        multipliers: tuple[int, ...] = (1, 2, 2),  # channels of each level, in widths
        blocks: int = 1,  # blocks a level
        attention: tuple[int, ...] = (1,),  # levels that attend
        heads: int = 4,  # heads of the attention
        classes: int = 0,
        patch: int = 1,  # fold squares of so many pixels into channels: faster, coarser
        groups: int | None = None,  # groups of every normalisation; if not given, width / 16
    ):
        super().__init__()
        groups = math.gcd(width, max(1, width // CHANNELS_A_GROUP)) if groups is None else groups
        self.config = {
            "kind": "UNet",
            "channels": channels,
            "size": size,
            "width": width,
            "multipliers": list(multipliers),
            "blocks": blocks,
            "attention": list(attention),
            "heads": heads,
            "classes": classes,
            "patch": patch,
            "groups": groups,
        }
        if patch < 1 or size % patch:
            raise ValueError(f"patch={patch} does not divide size={size}: use patch=1 or a divisor")
        check_unet(size // patch, width, multipliers, blocks, attention, heads, groups)
        self.shape, self.patch = (channels, size, size), patch
        self.levels = len(multipliers)
        condition = 4 * width
        widths = [width * m for m in multipliers]
        heads_at = [heads if level in attention else None for level in range(self.levels)]

        self.conditioning = Conditioning(condition, classes)
        self.first = nn.Conv2d(channels * patch**2, width, 3, padding=1)

        here, skips = width, []  # channels now, and those of every stored feature map
        self.down = nn.ModuleList()
        for level in range(self.levels):
            self.down.append(nn.ModuleList())
            for _ in range(blocks):
                self.down[level].append(Block(here, widths[level], condition, heads_at[level], groups=groups))
                here = widths[level]
                skips.append(here)

        self.middle = Block(here, here, condition, heads_at[-1], groups=groups)

        self.up = nn.ModuleList(nn.ModuleList() for _ in range(self.levels))
        for level in reversed(range(self.levels)):
            for _ in range(blocks):
                self.up[level].append(
                    Block(here + skips.pop(), widths[level], condition, heads_at[level], groups=groups)
                )
                here = widths[level]

        self.norm = nn.GroupNorm(groups, here)
        self.last = zero(nn.Conv2d(here, channels * patch**2, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # a pixel's channels side by side: 10 to 20 % faster on CPUs

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        check_shape(self, x, self.shape)
        c = self.conditioning(t, cond, len(x))
        h = self.first(F.pixel_unshuffle(x, self.patch))
        skips = []
        for level in range(self.levels):
            if level > 0:
                h = F.avg_pool2d(h, 2)
            for block in self.down[level]:
                h = block(h, c)
                skips.append(h)
        h = self.middle(h, c)
        for level in reversed(range(self.levels)):
            for block in self.up[level]:
                h = block(torch.cat([h, skips.pop()], dim=1), c)
            if level > 0:
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), self.patch)


def check_unet(size: int, width: int, multipliers, blocks: int, attention, heads: int, groups: int) -> None:
    """Raise ValueError, with the remedy, for a U-Net that cannot be built."""
    if not multipliers or min(multipliers) < 1 or blocks < 1:
        raise ValueError(
            f"multipliers={tuple(multipliers)} with blocks={blocks}: give at least one multiplier, "
            f"each 1 or more, and at least one block"
        )
    step = 2 ** (len(multipliers) - 1)
    if size < step or size % step:
        below = size // step * step
        near = f"size={below} or size={below + step}" if below else f"size={step}"
        raise ValueError(
            f"size={size} cannot be halved {len(multipliers) - 1} times ({len(multipliers)} levels need a "
            f"multiple of {step}): use {near}, or fewer multipliers"
        )
    if groups < 1 or width < groups or width % groups:
        near = max(1, round(width / groups)) * groups if groups > 0 else width
        raise ValueError(
            f"width={width} does not split into groups={groups} of normalised channels: use width={near}, "
            f"or leave groups out"
        )
    for level in attention:
        if level not in range(len(multipliers)):
            raise ValueError(
                f"attention={tuple(attention)} names level {level}, there are levels 0 to {len(multipliers) - 1}"
            )
        if heads < 1 or width * multipliers[level] % heads:
            raise ValueError(
                f"heads={heads} does not divide the {width * multipliers[level]} channels "
                f"of level {level}: use a divisor, such as heads=4"
            )
