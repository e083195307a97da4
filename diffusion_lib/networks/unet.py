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
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Attention, CrossAttention
from .conditioning import ConditionedNetwork, Conditioning, Reader
from .network import NETWORKS, check_shape, zero
from .text import Text

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


class Block(nn.Module):
    """A ResBlock, and where the level asks for it, self-attention after it and a look at the ``context``."""

    def __init__(self, inputs: int, outputs: int, condition: int, heads: int | None, *, groups: int, context: int = 0):
        super().__init__()
        self.res = ResBlock(inputs, outputs, condition, groups=groups)
        self.attention = Attention(outputs, heads, groups=groups) if heads else nn.Identity()
        self.cross = CrossAttention(outputs, context, heads, groups=groups) if heads and context else None

    def forward(self, x: Tensor, c: Tensor, context: Tensor | None = None) -> Tensor:
        h = self.attention(self.res(x, c))
        return h if self.cross is None else self.cross(h, context)


@NETWORKS.register
class UNet(ConditionedNetwork):
    """A network for pictures x (B, channels, size, size), from 8×8×1 to 64×64×3. Notebook 04.

    Level i has `width * multipliers[i]` channels at size / 2**i pixels a side, and `blocks` blocks on each way.
    `attention` names the levels (0 is full size) whose blocks also attend; `heads` is its number of heads.
    `patch` above 1 first folds patch × patch pixels into channels, so all levels are that much smaller and faster.
    With `classes` above 0, cond holds labels 0 … classes - 1, or -1 for none. With `words` it holds captions' tokens
    (B, length), such as `net.tokens(captions)`, and the levels that attend look at each word, too.

    Raises:
        ValueError: a size that cannot be halved, channels that do not split into groups or heads, labels and words
            both, or bad inputs; the message names the remedy.
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
        words: Sequence[str] = (),  # for captions: the list by which words are numbered
        length: int = 0,  # tokens of a caption
        text_width: int = 64,  # with words: size of a word's vector
        text_depth: int = 2,  # with words: layers of the text encoder
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
            "words": list(words),
            "length": length,
            "text_width": text_width,
            "text_depth": text_depth,
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

        if words and classes:
            raise ValueError(
                f"classes={classes} with {len(words)} words: a network is told labels or captions, not both"
            )
        self.conditioning = Conditioning(condition, classes)
        self.text = Text(words, length, width=text_width, depth=text_depth, heads=heads) if words else None
        self.caption = nn.Linear(text_width, condition) if words else None
        context = text_width if words else 0
        self.first = nn.Conv2d(channels * patch**2, width, 3, padding=1)

        def block(inputs: int, outputs: int, level: int) -> Block:
            return Block(inputs, outputs, condition, heads_at[level], groups=groups, context=context)

        here, skips = width, []  # channels now, and those of every stored feature map
        self.down = nn.ModuleList()
        for level in range(self.levels):
            self.down.append(nn.ModuleList())
            for _ in range(blocks):
                self.down[level].append(block(here, widths[level], level))
                here = widths[level]
                skips.append(here)

        self.middle = block(here, here, -1)

        self.up = nn.ModuleList(nn.ModuleList() for _ in range(self.levels))
        for level in reversed(range(self.levels)):
            for _ in range(blocks):
                self.up[level].append(block(here + skips.pop(), widths[level], level))
                here = widths[level]

        self.norm = nn.GroupNorm(groups, here)
        self.last = zero(nn.Conv2d(here, channels * patch**2, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # a pixel's channels side by side: 10 to 20 % faster on CPUs

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        check_shape(self, x, self.shape)
        if self.text is None:
            c, context = self.conditioning(t, cond, len(x)), None
        else:
            context = self.text(cond, len(x))
            c = self.conditioning(t, None, len(x)) + self.caption(context.mean(1))
        h = self.first(F.pixel_unshuffle(x, self.patch))
        skips = []
        for level in range(self.levels):
            if level > 0:
                h = F.avg_pool2d(h, 2)
            for block in self.down[level]:
                h = block(h, c, context)
                skips.append(h)
        h = self.middle(h, c, context)
        for level in reversed(range(self.levels)):
            for block in self.up[level]:
                h = block(torch.cat([h, skips.pop()], dim=1), c, context)
            if level > 0:
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), self.patch)

    @property
    def reader(self) -> Reader:
        """What reads the condition: the text encoder if there is one."""
        return self.conditioning if self.text is None else self.text

    def tokens(self, captions: str | Sequence[str]) -> Tensor:
        """Tokens (N, length) of captions. Raises ValueError for an unknown word, or a network without words."""
        if self.text is None:
            raise ValueError("this UNet knows no words: build it with words=… and length=…")
        return self.text.tokens(captions)

    @torch.no_grad()
    def looks(self, x: Tensor, t: Tensor, cond: Tensor) -> list[Tensor]:
        """Which word each pixel looks at: for each cross-attention, in order, the shares (B, length, H, W).

        They are means over the heads, and sum to 1 over the words. A network without words has none.
        """
        seen: list[Tensor] = []

        def note(layer: CrossAttention, given: tuple[Tensor, Tensor], _: Tensor) -> None:
            seen.append(layer.shares(*given))

        layers = [layer for layer in self.modules() if isinstance(layer, CrossAttention)]
        hooks = [layer.register_forward_hook(note) for layer in layers]
        try:
            self(x, t, cond)
        finally:
            for hook in hooks:
                hook.remove()
        return seen


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
