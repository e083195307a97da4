r"""An autoencoder with a KL term: pictures to a few numbers and back, so that diffusion can work on the few.

The encoder gives a Gaussian for each latent number, q(z | x) = N(m(x), v(x)), the decoder a picture of any z. Both are
trained by the bound of :func:`diffusion_lib.objective.autoencoder_bound`: that of notebook 03, with one step in place
of a thousand. What the KL term buys here: without it the encoder is free to put pictures anywhere, and between them
would be places that mean nothing; with it, near latents decode to near pictures.

Latents are scaled afterwards, each channel to mean 0 and variance 1 over the data, since that is what diffusion assumes
of its data. Sources: Kingma & Welling 2014; Rombach et al. 2022, section 3.1 and appendix G (the scaling).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .network import NETWORKS, check_shape, zero

LOG_VARIANCES = (-15.0, 5.0)  # limits of the encoder's log-variance


class Residual(nn.Module):
    """x (B, C, H, W) -> the same shape: two convolutions, added to x."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(1, channels), nn.GroupNorm(1, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = zero(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(h)))


@NETWORKS.register
class Autoencoder(nn.Module):
    """Pictures (B, channels, size, size) to latents (B, latent, size / 4, size / 4) and back. Notebook 09.

    `width` is the number of channels inside. Both ways fold 2 × 2 pixels into channels, and halve once more.

    Raises:
        ValueError: a size that is no multiple of 4, or pictures or latents of another shape.
    """

    def __init__(
        self,
        channels: int = 3,
        size: int = 32,
        *,
        latent: int = 4,  # channels of the latents
        width: int = 32,  # channels inside
    ):
        super().__init__()
        if size < 4 or size % 4:
            raise ValueError(
                f"size={size} is no multiple of 4, by which latents are smaller: crop or scale the pictures"
            )
        self.config = {"kind": "Autoencoder", "channels": channels, "size": size, "latent": latent, "width": width}
        self.shape, self.latent_shape = (channels, size, size), (latent, size // 4, size // 4)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * channels, width, 3, padding=1),
            Residual(width),
            nn.Conv2d(width, 2 * width, 2, stride=2),
            Residual(2 * width),
            nn.GroupNorm(1, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * latent, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent, 2 * width, 3, padding=1),
            Residual(2 * width),
            nn.ConvTranspose2d(2 * width, width, 2, stride=2),
            Residual(width),
            nn.GroupNorm(1, width),
            nn.SiLU(),
            nn.Conv2d(width, 4 * channels, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.register_buffer("mean", torch.zeros(latent, 1, 1))  # of the latents over the data
        self.register_buffer("std", torch.ones(latent, 1, 1))
        self.to(memory_format=torch.channels_last)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each (B, latent, size / 4, size / 4), before scaling."""
        check_shape(self, x, self.shape)
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCES)

    def picture(self, z: Tensor) -> Tensor:
        """Pictures (B, channels, size, size) of latents before scaling."""
        check_shape(self, z, self.latent_shape)
        return self.decoder(z)

    def encode(self, x: Tensor) -> Tensor:
        """Latents of pictures: the mean of q(z | x), scaled to mean 0 and variance 1 over the data."""
        return (self.posterior(x)[0] - self.mean) / self.std

    def decode(self, z: Tensor) -> Tensor:
        """Pictures of scaled latents, (B, channels, size, size)."""
        return self.picture(z * self.std + self.mean)

    @torch.no_grad()
    def scale(self, pictures: Iterable[Tensor]) -> None:
        """Set the scale by which `encode` gives each channel mean 0 and variance 1 over batches of pictures.

        Raises:
            ValueError: there are no pictures.
        """
        means = [self.posterior(x)[0] for x in pictures]
        if not means:
            raise ValueError("no pictures to take the scale from: give at least one batch")
        latents = torch.cat(means).transpose(0, 1).flatten(1)
        self.mean.copy_(latents.mean(1).reshape(self.mean.shape))
        self.std.copy_(latents.std(1).clamp(min=1e-6).reshape(self.std.shape))

    def forward(self, x: Tensor) -> Tensor:
        """What is left of pictures on the way through their latents, (B, channels, size, size)."""
        return self.decode(self.encode(x))
