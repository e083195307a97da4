"""Words for a network: captions become tokens, tokens become vectors, and a U-Net looks at them.

A *token* is the number of a word in a fixed list; 0 stands for "no word". A caption is cut or filled up with 0 to
``length`` tokens, and a caption of zeros asks for nothing in particular, which is what guidance needs. The filling is
looked at like any word: the network learns that it means nothing (as in Stable Diffusion, where most of the 77 tokens
are filling).

The encoder is a small transformer (Vaswani et al. 2017): each token's vector, plus one for its place in the caption,
goes through layers in which every word looks at every other. Sources: Radford et al. 2021 (CLIP's text encoder, which
Stable Diffusion 1 uses); Rombach et al. 2022, section 3.3 (how the U-Net looks at it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import attend

LARGEST_VOCABULARY = 2**15


class Tokenizer:
    """A list of words (V,) and a length L: captions to tokens (N, L) and back. Words are lower case, split at spaces.

    Raises:
        ValueError: no words, one twice, one that no caption splits into, or a length below 1.
    """

    def __init__(self, words: Iterable[str], length: int):
        self.words = tuple(words)
        if not self.words or len(set(self.words)) != len(self.words) or len(self.words) > LARGEST_VOCABULARY:
            raise ValueError(
                f"{len(self.words)} words, {len(set(self.words))} different ones: give between 1 and "
                f"{LARGEST_VOCABULARY} words, each once"
            )
        for word in self.words:
            if split(word) != [word]:
                raise ValueError(f"{word!r} is no single word in lower case: give {split(word)}")
        if length < 1:
            raise ValueError(f"length={length}: a caption has at least 1 token")
        self.length = length
        self._number = {word: i + 1 for i, word in enumerate(self.words)}

    def __call__(self, captions: str | Sequence[str]) -> Tensor:
        """Tokens (N, L), int64, of N captions; words beyond the length are cut off.

        Raises:
            ValueError: a word is not in the list (names it, and the nearest one that is).
        """
        captions = [captions] if isinstance(captions, str) else list(captions)
        tokens = torch.zeros(len(captions), self.length, dtype=torch.int64)
        for row, text in zip(tokens, captions, strict=True):
            for i, word in enumerate(split(text)[: self.length]):
                if word not in self._number:
                    raise ValueError(f"{text!r}: the word {word!r} is unknown{self._instead(word)}")
                row[i] = self._number[word]
        return tokens

    def _instead(self, word: str) -> str:
        import difflib

        near = difflib.get_close_matches(word, self.words, 1)
        some = ", ".join(self.words[:30]) + (", …" if len(self.words) > 30 else "")
        return f": did you mean {near[0]!r}?" if near else f": use {some}"

    def captions(self, tokens: Tensor) -> tuple[str, ...]:
        """The captions (N) that tokens (N, L) stand for; filling is left out."""
        return tuple(" ".join(self.words[i - 1] for i in row if i) for row in tokens.tolist())

    @classmethod
    def of(cls, captions: Iterable[str]) -> Tokenizer:
        """The tokenizer that knows all words of these captions, as long as the longest of them."""
        rows = [split(text) for text in captions]
        return cls(sorted({word for row in rows for word in row}), max(map(len, rows), default=0))


def split(text: str) -> list[str]:
    """The words of a text: lower case, without punctuation other than hyphens and apostrophes within a word."""
    return re.findall(r"[^\W_]+(?:['’-]+[^\W_]+)*", text.lower())


class Text(nn.Module):
    """Tokens (B, L) of captions -> vectors (B, L, width), each knowing its word, its place and the other words.

    Raises:
        ValueError: as `Tokenizer` does, or heads that do not divide the width.
    """

    conditional = True

    def __init__(self, words: Sequence[str], length: int, *, width: int = 64, depth: int = 2, heads: int = 4):
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"text_width={width} is no multiple of heads={heads}: take one that is")
        self.tokens = Tokenizer(words, length)
        self.word = nn.Embedding(len(self.tokens.words) + 1, width)
        self.place = nn.Parameter(torch.randn(length, width) * 0.02)
        self.layers = nn.ModuleList(TextLayer(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor | None, batch: int) -> Tensor:
        if tokens is None:
            tokens = torch.zeros(batch, self.tokens.length, dtype=torch.int64, device=self.place.device)
        self.check(tokens, batch)
        h = self.word(tokens) + self.place
        for layer in self.layers:
            h = layer(h)
        return self.norm(h)

    def null(self, cond: Tensor) -> Tensor:
        """Tokens (B, L) of captions without a word."""
        return torch.zeros_like(cond)

    def check(self, cond: Tensor, batch: int) -> None:
        """Refuse tokens of the wrong shape or, on the CPU where looking costs nothing, out of range."""
        wanted = (batch, self.tokens.length)
        if not isinstance(cond, Tensor) or tuple(cond.shape) != wanted or cond.is_floating_point():
            what = f"{cond.dtype} of shape {tuple(cond.shape)}" if isinstance(cond, Tensor) else type(cond).__name__
            raise ValueError(f"cond is {what}, it must be tokens, int64 of shape {wanted}: use net.tokens(captions)")
        last = len(self.tokens.words)
        if cond.device.type == "cpu" and ((cond < 0) | (cond > last)).any():
            worst = int(cond.max()) if cond.max() > last else int(cond.min())
            raise ValueError(f"token {worst} is out of range: there are {last} words, 1 to {last}, and 0 for none")


class TextLayer(nn.Module):
    """One layer of a transformer, (B, L, width) -> the same: words look at each other, then each thinks for itself."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, h: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(h)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        h = h + self.out(attend(q, k, v).transpose(1, 2).flatten(2))
        return h + self.outer(F.gelu(self.inner(self.norm2(h))))
