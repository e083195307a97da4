"""Denoisers around a denoiser: guided, clipped, told a part of the picture, or with a decoder behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from .. import conditions
from ..conditions import Condition
from ..predictions import Prediction
from ..schedules import Schedule, Time
from .denoiser import DenoiserLike

Stop = TypeVar("Stop")  # a `sampling.State`, which stands a floor above


@dataclass(frozen=True, eq=False)
class Wrapper:
    """A denoiser around a denoiser: the same schedule, the same conditions, another answer."""

    denoiser: DenoiserLike

    @property
    def schedule(self) -> Schedule:
        """That of the denoiser inside."""
        return self.denoiser.schedule

    @property
    def conditional(self) -> bool:
        """Whether the denoiser inside takes a condition."""
        return getattr(self.denoiser, "conditional", False)

    def null(self, cond: Condition) -> Condition:
        """That of the denoiser inside."""
        return self.denoiser.null(cond)


@dataclass(frozen=True, eq=False)
class Guided(Wrapper):
    """Classifier-free guidance: ``uncond + scale * (cond - uncond)``; 0 ignores the condition, 1 is plain conditional.

    Both halves go through the denoiser in one batch of 2 B. Source: Ho & Salimans 2022, whose w is our scale - 1.
    """

    scale: float

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        if cond is None or self.scale == 1:
            return self.denoiser(x, t, cond)
        nothing = self.denoiser.null(cond)
        if self.scale == 0:
            return self.denoiser(x, t, nothing)
        time_per_sample = isinstance(t, Tensor) and t.ndim > 0
        both = self.denoiser(
            torch.cat([x, x]),
            torch.cat([t.expand(len(x))] * 2) if time_per_sample else t,
            conditions.join(nothing, cond),
        )
        (x0_u, x0_c), (eps_u, eps_c) = both.x0.chunk(2), both.eps.chunk(2)
        return Prediction.mix(Prediction(x0_u, eps_u), Prediction(x0_c, eps_c), self.scale)


@dataclass(frozen=True, eq=False)
class Clipped(Wrapper):
    """A denoiser whose x0 is clipped to the data's range and whose eps is made to agree with the clipped x0.

    So every formula that uses either sees the same clipped estimate. Taught in notebook 06.
    """

    low: float = -1.0
    high: float = 1.0

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        free = self.denoiser(x, t, cond)
        alpha, sigma = self.schedule.pair(t, x)
        x0 = free.x0.clamp(self.low, self.high)
        ratio = torch.where(sigma > 0, alpha / floored(sigma), torch.zeros_like(sigma))
        return Prediction(x0, free.eps + ratio * (free.x0 - x0))


@dataclass(frozen=True, eq=False)
class Inpainted(Wrapper):
    """A denoiser that is told a part of the answer: where ``mask`` holds, x0 is ``known``.

    known: (…) or (B, …), as one sample or as a batch; mask: bool, of the same shape or one that broadcasts to it. There
    eps is (x - alpha known) / sigma, so a walk noises the known part as it noises the rest and ends at it exactly, and
    the denoiser sees a whole picture of one noise level at each step. It makes the rest fit, not perfectly: no step
    looks back at how likely the known part was. The distribution that it draws from is the true conditional one where
    the parts are independent, and near it elsewhere. Source: Song et al. 2021 (SDE), appendix I.2.

    Raises:
        ValueError: the mask is not of type bool; or, when it is called, the known part is of another number of samples.
    """

    known: Tensor
    mask: Tensor

    def __post_init__(self):
        if self.mask.dtype != torch.bool:
            raise ValueError(f"mask is {self.mask.dtype}, it must be bool: True where known is to stay, as in `x > 0`")

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        for name, part in (("known", self.known), ("mask", self.mask)):
            try:
                part.expand(x.shape)  # it may be repeated, x may not
            except RuntimeError:
                shapes = f"{tuple(part.shape)}, which does not fit x of shape {tuple(x.shape)}"
                raise ValueError(
                    f"{name} has the shape {shapes}: give one sample, or as many as are drawn in a batch; "
                    "and guide inside, Inpainted(Guided(…), known, mask)"
                ) from None
        free = self.denoiser(x, t, cond)
        alpha, sigma = self.schedule.pair(t, x)
        known, mask = self.known.to(x), self.mask.to(x.device)
        noise = torch.where(sigma > 0, (x - alpha * known) / floored(sigma), torch.zeros_like(x))
        return Prediction(torch.where(mask, known, free.x0), torch.where(mask, noise, free.eps))


class Coder(Protocol):
    """What :class:`Latent` asks of an autoencoder: pictures (B, …) to latents (B, …) and back."""

    latent_shape: tuple[int, ...]

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Latent(Wrapper):
    """A denoiser of latents, and the autoencoder that they come from: the shape of a latent diffusion model.

    It is called as every other denoiser, on latents z (B, …); samplers, guidance and training know no difference. Draw
    latents of ``shape``, then ``decode`` them, or ``decoded`` a whole walk for a scrubber. Source: Rombach et al. 2022.
    """

    autoencoder: Coder

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample's latents."""
        return self.autoencoder.latent_shape

    def __call__(self, x: Tensor, t: Time, cond: Condition = None) -> Prediction:
        return self.denoiser(x, t, cond)

    def encode(self, x: Tensor) -> Tensor:
        """Latents (B, …) of pictures (B, …)."""
        return self.autoencoder.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """Pictures (B, …) of latents (B, …)."""
        return self.autoencoder.decode(z)

    def decoded(self, states: Iterable[Stop]) -> Iterator[Stop]:
        """The stops of a walk with x and x0 as pictures, for a scrubber."""
        for state in states:
            yield dataclasses.replace(state, x=self.decode(state.x), x0=self.decode(state.x0))


def floored(sigma: Tensor) -> Tensor:
    """``sigma``, with the smallest positive number in the place of 0, to divide by."""
    return sigma.clamp(min=torch.finfo(sigma.dtype).tiny)
