"""The network of the article that the course answers: an autoencoder that is not told the time."""

from __future__ import annotations

from torch import Tensor, nn

from .network import NETWORKS, Network, check_shape


@NETWORKS.register
class OneShot(Network):
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
        check_shape(self, x, self.shape)
        return self.decode(self.encode(x))
