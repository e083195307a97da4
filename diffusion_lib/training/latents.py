"""What latent diffusion trains on: pictures through an autoencoder, and captions as tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..data.draws import Draw, Fresh
from ..networks import Autoencoder


@dataclass(frozen=True, eq=False)
class Encoded:
    """A draw function for `train`: examples of ``source``, as latents and with their captions as tokens.

    source: a data set, or `data.Fresh`, which draws new ones without end; either with captions if ``tokens`` is given
    autoencoder: makes latents of the pictures; None leaves pictures as they are
    tokens: captions (N) to tokens (N, L), such as ``net.tokens``; None: no conditions

    ``Encoded(...)(64, generator)`` is a `Draw` of 64; every random number comes from the generator.

    Raises:
        ValueError: tokens are wanted from a source without captions.
    """

    source: Dataset | Fresh
    autoencoder: Autoencoder | None = None
    tokens: Callable[[Sequence[str]], Tensor] | None = None

    def __post_init__(self):
        example = self.source if isinstance(self.source, Dataset) else self.source.example
        if self.tokens is not None and example.captions is None:
            raise ValueError(f"{example.name} has no captions: leave tokens out, or take shapes or emoji")

    @property
    def name(self) -> str:
        """That of the source; a checkpoint says it."""
        return self.source.name

    @property
    def classes(self) -> tuple[str, ...]:
        """None: examples are asked for by caption."""
        return ()

    def rows(self, count: int, generator: torch.Generator) -> Dataset:
        """The next ``count`` examples with all that is known about them."""
        if isinstance(self.source, Fresh):
            return self.source.dataset(count, generator)
        return self.source.subset(torch.randint(len(self.source), (count,), generator=generator))

    @torch.no_grad()
    def __call__(self, count: int, generator: torch.Generator) -> Draw:
        """The next ``count`` examples (B, …) and their tokens (B, L)."""
        rows = self.rows(count, generator)
        x = rows.x if self.autoencoder is None else self.autoencoder.encode(rows.x)
        return Draw(x, None if self.tokens is None else self.tokens(rows.captions))
