r"""Attention: a picture's pixels look at each other, or at something beside the picture, such as a caption's words.

.. math:: \mathrm{attend}(q, k, v) = \mathrm{softmax}\Bigl(\frac{q k^T}{\sqrt d}\Bigr) v

(Vaswani et al. 2017, equation 1). In self-attention q, k and v all come from the pixels; in cross-attention q comes
from the pixels, k and v from the context (Rombach et al. 2022, section 3.3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .network import zero


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


class CrossAttention(nn.Module):
    """x (B, C, H, W), context (B, L, D) -> the shape of x: every pixel looks at each of L vectors, added to x."""

    def __init__(self, channels: int, context: int, heads: int, *, groups: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels)
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(context, 2 * channels)
        self.out = zero(nn.Linear(channels, channels))

    def parts(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of the pixels, keys and values of the context: (B, heads, H*W or L, C/heads)."""
        pixels = self.norm(x).flatten(2).transpose(1, 2)
        q = self.q(pixels).unflatten(2, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(context).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        seen = attend(*self.parts(x, context)).transpose(1, 2).flatten(2)
        return x + self.out(seen).transpose(1, 2).unflatten(2, x.shape[2:])

    def shares(self, x: Tensor, context: Tensor) -> Tensor:
        """How much each pixel looks at each vector, (B, L, H, W): the mean over heads; they sum to 1 over L."""
        q, k, _ = self.parts(x, context)
        shares = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, dim=-1).mean(1)  # (B, H*W, L)
        return shares.transpose(1, 2).unflatten(2, x.shape[2:])


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / √d) v over the last two dimensions (…, N, d), as a fused kernel where that is faster."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:  # the fused kernel's backward is 5 to 10 times slower
        return torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v)
