"""Networks: functions of (x, t, cond) that return something of the shape of x.

A network knows nothing of schedules or of what it is asked to predict. It sees a noised x (B, …), the time
t (B,) in [0, 1], where 0 is data and 1 is noise, and optional class labels cond (B,). `Denoiser` gives its
output a meaning.

Time reaches a network as a vector of waves. With D = dim / 2 frequencies w_k = 10000^(-k / D), k = 0 … D - 1,

    time_embedding(t) = [cos(1000 t w_0), …, cos(1000 t w_{D-1}), sin(1000 t w_0), …, sin(1000 t w_{D-1})]

so that neighbouring times look alike and far ones do not (Vaswani et al. 2017, section 3.5; the factor 1000
makes t the timestep of a 1000-step chain, as in Ho et al. 2020). A small MLP turns it into the conditioning
vector c; the class's own vector is added to c. Every residual block then scales and shifts its normalised
features by c (FiLM; Dhariwal and Nichol 2021, section 3.1):

    h = conv(silu(norm(x)));  h = conv(silu(norm(h) * (1 + scale(c)) + shift(c)));  return skip(x) + h

The U-Net (Ronneberger et al. 2015; Ho et al. 2020, appendix B) goes down through ever coarser levels and back
up, where it meets what it saw on the way down. Pixels are halved by averaging 2 × 2 and doubled by
repeating; the blocks themselves do all the learning, as in Karras et al. 2022. There is no dropout: what a
training step computes depends on its inputs alone. Taught in notebook 04.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .denoisers import NO_LABEL


def time_embedding(t: Tensor, dim: int) -> Tensor:
    """Turn times t (B,) in [0, 1] into waves (B, dim), cosines first. `dim` is even. Notebook 04.

    Angles are computed in float32 or better: in bfloat16, 1000 t would lose whole timesteps.
    """
    if dim < 2 or dim % 2:
        raise ValueError(f"dim={dim} is not an even number above 0: half are cosines, half are sines")
    t = t.to(torch.promote_types(t.dtype, torch.float32))
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000) / half * torch.arange(half, dtype=t.dtype, device=t.device))
    angles = 1000 * t[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def parameter_count(net: nn.Module) -> int:
    """Count the trainable numbers of a network; works on the meta device too. Notebook 04."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


class Conditioning(nn.Module):
    """(t (B,), cond (B,) or None) -> c (B, width): the time's waves through an MLP, plus the class's vector.

    Row 0 of the class table stands for "no label", so guidance can ask the same network both ways.
    """

    def __init__(self, width: int, classes: int):
        super().__init__()
        if classes < 0:
            raise ValueError(f"classes={classes} is below 0: use 0 for a network without labels")
        self.width, self.classes = width, classes
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(classes + 1, width) if classes else None

    def forward(self, t: Tensor, cond: Tensor | None, batch: int) -> Tensor:
        if t.shape != (batch,):
            raise ValueError(f"t has shape {tuple(t.shape)}, the batch needs ({batch},): one time per sample")
        c = self.time(time_embedding(t, self.width).to(self.time[0].weight.dtype))
        if cond is None:
            cond = torch.full((batch,), NO_LABEL, device=t.device)
        else:
            self.check(cond, batch)
        return c if self.label is None else c + self.label(cond + 1)

    def check(self, cond: Tensor, batch: int) -> None:
        if cond.shape != (batch,) or cond.is_floating_point():
            raise ValueError(f"cond is {cond.dtype} of shape {tuple(cond.shape)}, it must be int64 of shape ({batch},)")
        if cond.is_meta or not batch:
            return
        low, high = (int(v) for v in cond.aminmax())
        if low < NO_LABEL or high >= self.classes:
            wrong = low if low < NO_LABEL else high
            if not self.classes:
                raise ValueError(
                    f"cond holds label {wrong}, but the network has classes=0: "
                    f"build it with classes={wrong + 1} or more, or pass cond=None"
                )
            raise ValueError(
                f"cond holds label {wrong}, the network knows 0 to {self.classes - 1} "
                f"(and {NO_LABEL} for no label): build it with more classes, or change the label"
            )


class LabelNetwork(nn.Module):
    """A network told the class through its ``conditioning``."""

    @property
    def conditional(self) -> bool:
        """Whether the network knows classes."""
        return self.conditioning.classes > 0

    def null(self, cond: Tensor | None) -> Tensor | None:
        """Labels (B,) that ask for no class in particular."""
        return None if cond is None else torch.full_like(cond, NO_LABEL)


class MLP(LabelNetwork):
    """A network for points x (B, dim): residual layers of `width`, each told the time. Notebook 04."""

    def __init__(self, dim: int = 2, *, width: int = 128, depth: int = 3, classes: int = 0):
        super().__init__()
        self.config = {"kind": "MLP", "dim": dim, "width": width, "depth": depth, "classes": classes}
        self.dim = dim
        self.conditioning = Conditioning(width, classes)
        self.first = nn.Linear(dim, width)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width)) for _ in range(depth)
        )
        self.last = zero(nn.Linear(width, dim))

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"x has shape {tuple(x.shape)}, this MLP takes (B, {self.dim})")
        c = self.conditioning(t, cond, len(x))
        h = self.first(x)
        for layer in self.layers:
            h = h + layer(h + c)
        return self.last(F.silu(h))


class ResBlock(nn.Module):
    """x (B, inputs, H, W), c (B, condition) -> (B, outputs, H, W): two convolutions around a scale and shift."""

    def __init__(self, inputs: int, outputs: int, condition: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.film = nn.Linear(condition, 2 * outputs)
        self.norm2 = nn.GroupNorm(GROUPS, outputs)
        self.conv2 = zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(F.silu(c))[:, :, None, None].chunk(2, dim=1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return self.skip(x) + h


class Attention(nn.Module):
    """x (B, C, H, W) -> same shape: every pixel looks at every other (Vaswani et al. 2017, eq. 1), added to x."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = zero(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # (B, H*W, C)
        q, k, v = self.qkv(pixels).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, H*W, C/heads)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.out(seen).transpose(1, 2).unflatten(2, x.shape[2:])


class Block(nn.Module):
    """A ResBlock, and self-attention after it where the level asks for it."""

    def __init__(self, inputs: int, outputs: int, condition: int, heads: int | None):
        super().__init__()
        self.res = ResBlock(inputs, outputs, condition)
        self.attention = Attention(outputs, heads) if heads else nn.Identity()

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.attention(self.res(x, c))


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
        width: int = 32,
        multipliers: tuple[int, ...] = (1, 2, 2),
        blocks: int = 1,
        attention: tuple[int, ...] = (1,),
        heads: int = 4,
        classes: int = 0,
        patch: int = 1,
    ):
        super().__init__()
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
        }
        if patch < 1 or size % patch:
            raise ValueError(f"patch={patch} does not divide size={size}: use patch=1 or a divisor")
        check_unet(size // patch, width, multipliers, blocks, attention, heads)
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
                self.down[level].append(Block(here, widths[level], condition, heads_at[level]))
                here = widths[level]
                skips.append(here)

        self.middle = Block(here, here, condition, heads_at[-1])

        self.up = nn.ModuleList(nn.ModuleList() for _ in range(self.levels))
        for level in reversed(range(self.levels)):
            for _ in range(blocks):
                self.up[level].append(Block(here + skips.pop(), widths[level], condition, heads_at[level]))
                here = widths[level]

        self.norm = nn.GroupNorm(GROUPS, here)
        self.last = zero(nn.Conv2d(here, channels * patch**2, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(f"x has shape {tuple(x.shape)}, this UNet takes (B, {', '.join(map(str, self.shape))})")
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


class OneShot(nn.Module):
    """The one-shot network: an autoencoder (B, channels, size, size) -> same shape in (-1, 1). Notebook 04.

    Three 3×3 convolutions (64, 128, 256 channels at width 1) keep the full size; one linear layer squeezes the
    lot to 1024 numbers, another brings it back; three transposed convolutions and a tanh draw a picture. At
    3 × 32 × 32 nearly all of its 537 875 459 parameters are the two linear layers. It ignores t and cond: that
    is the point of taking it apart. `width` scales every layer.
    """

    def __init__(self, channels: int = 3, size: int = 32, *, width: float = 1.0):
        super().__init__()
        self.config = {"kind": "OneShot", "channels": channels, "size": size, "width": width}
        self.shape = (channels, size, size)
        a, b, c, code = (round(n * width) for n in (64, 128, 256, 1024))
        if a < 1:
            raise ValueError(f"width={width} leaves the first convolution with {a} channels: use 1/64 or more")
        self.encode = nn.Sequential(
            nn.Conv2d(channels, a, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(a, b, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(b, c, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(c * size * size, code),
        )
        self.decode = nn.Sequential(
            nn.Linear(code, c * size * size),
            nn.Unflatten(1, (c, size, size)),
            nn.ConvTranspose2d(c, b, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(b, a, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(a, channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor, t: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(f"x has shape {tuple(x.shape)}, this network takes (B, {', '.join(map(str, self.shape))})")
        return self.decode(self.encode(x))


NETWORKS: dict[str, type[nn.Module]] = {"MLP": MLP, "UNet": UNet, "OneShot": OneShot}
"""Every kind that `build` knows; add a class with a `.config` here and files can rebuild it."""


def build(config: dict) -> nn.Module:
    """Rebuild an untrained network from the `.config` of another: `build(net.config)`. Notebook 05.

    Raises ValueError for an unknown kind or for arguments that its class does not take.
    """
    arguments = dict(config)
    kind = arguments.pop("kind", None)
    if kind not in NETWORKS:
        raise ValueError(f"kind={kind!r} is none of {', '.join(map(repr, NETWORKS))}")
    try:
        return NETWORKS[kind](**arguments)
    except TypeError as error:
        raise ValueError(f"a {kind} cannot be built from {arguments}: {error}") from None


GROUPS = 8
"""GroupNorm splits channels into this many groups, so every level's channels are a multiple of it."""


def zero(layer: nn.Module) -> nn.Module:
    """Set a layer's weights to 0, so a residual branch starts as the identity and an output starts at 0."""
    for p in layer.parameters():
        nn.init.zeros_(p)
    return layer


def check_unet(size: int, width: int, multipliers, blocks: int, attention, heads: int) -> None:
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
    if width < GROUPS or width % GROUPS:
        raise ValueError(
            f"width={width} is not a multiple of {GROUPS}, its number of normalisation groups: "
            f"use width={max(GROUPS, round(width / GROUPS) * GROUPS)}"
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
