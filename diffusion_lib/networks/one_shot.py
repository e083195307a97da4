"""The network of the article that the course answers: an autoencoder that is not told the time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .network import NETWORKS, Network, check_shape


@NETWORKS.register
class OneShot(Network):
    """The one-shot network: an autoencoder (B, channels, size, size) -> same shape in (-1, 1). Notebook 04.

    Layer for layer the article's `DiffusionModel`: three 3×3 convolutions (64, 128, 256 channels at width 1) keep the
    full size; a linear layer squeezes the lot to 1024 numbers, another brings it back; three transposed convolutions
    draw a picture; a ReLU after each layer but the last, which ends in tanh. At 3 × 32 × 32 nearly all of its
    537 875 459 parameters are the two linear layers. It ignores t and cond: that is the point of taking it apart.
    `width` scales every layer. Raises ValueError for a width that leaves a layer without channels.
    """

    def __init__(self, channels: int = 3, size: int = 32, *, width: float = 1.0):
        super().__init__()
        self.config = {"kind": "OneShot", "channels": channels, "size": size, "width": width}
        self.shape = (channels, size, size)
        a, b, c, code = (round(n * width) for n in (64, 128, 256, 1024))
        if a < 1:
            raise ValueError(f"width={width} leaves the first convolution with {a} channels: use 1/64 or more")
        self.features = (c, size, size)
        self.conv1 = nn.Conv2d(channels, a, 3, padding=1)
        self.conv2 = nn.Conv2d(a, b, 3, padding=1)
        self.conv3 = nn.Conv2d(b, c, 3, padding=1)
        self.fc1 = nn.Linear(c * size * size, code)
        self.fc2 = nn.Linear(code, c * size * size)
        self.deconv1 = nn.ConvTranspose2d(c, b, 3, padding=1)
        self.deconv2 = nn.ConvTranspose2d(b, a, 3, padding=1)
        self.deconv3 = nn.ConvTranspose2d(a, channels, 3, padding=1)

    def encode(self, x: Tensor) -> Tensor:
        """What is left of a picture (B, channels, size, size): its code, (B, 1024) at width 1, nowhere below 0."""
        check_shape(self, x, self.shape)
        for conv in (self.conv1, self.conv2, self.conv3):
            x = torch.relu(conv(x))
        return torch.relu(self.fc1(x.flatten(1)))

    def decode(self, code: Tensor) -> Tensor:
        """The picture (B, channels, size, size) that a code stands for."""
        x = torch.relu(self.fc2(code)).unflatten(1, self.features)
        for deconv in (self.deconv1, self.deconv2):
            x = torch.relu(deconv(x))
        return torch.tanh(self.deconv3(x))

    def forward(self, x: Tensor, t: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        return self.decode(self.encode(x))
