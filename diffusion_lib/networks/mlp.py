"""A small residual network for points."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .conditioning import ConditionedNetwork, Conditioning
from .network import NETWORKS, check_shape, zero


@NETWORKS.register
class MLP(ConditionedNetwork):
    """A network for points x (B, dim): residual layers of `width`, each told the time. Notebook 04."""

    def __init__(
        self,
        dim: int = 2,
        *,
        width: int = 128,  # features of a layer
        depth: int = 3,  # layers
        classes: int = 0,
    ):
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
        check_shape(self, x, (self.dim,))
        c = self.conditioning(t, cond, len(x))
        h = self.first(x)
        for layer in self.layers:
            h = h + layer(h + c)
        return self.last(F.silu(h))
