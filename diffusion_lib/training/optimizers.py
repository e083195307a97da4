r"""How a gradient becomes a step.

    adamw   Adam's step, each weight by its own mean and spread (Loshchilov & Hutter 2019), without weight decay
    muon    a matrix as a whole: its momentum's directions all equally long (Jordan 2024), AdamW for the rest

With the gradients' running mean M = U S Vᵀ of a weight matrix, Muon steps along U Vᵀ, found by five Newton-Schulz
iterations in bfloat16, and scaled to the size of Adam's steps (Liu et al. 2025, arXiv 2502.16982), so that both take
the same learning rates. A convolution is the matrix (outputs, inputs × pixels) that it multiplies its patches with. A
step costs more and a run needs fewer of them; biases, tables and thin layers are left to AdamW.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from ..registry import Registry

OPTIMIZERS: Registry[Callable[[nn.Module, float], Optimizer]] = Registry("optimizer")
"""Every optimizer by name: from a network and a learning rate; `@OPTIMIZERS.register` adds one."""

SMALLEST_MATRIX = 16
"""Fewer rows or columns have no directions worth equalling: the last layer's outputs, a first layer's inputs."""


@OPTIMIZERS.register
def adamw(net: nn.Module, lr: float) -> Optimizer:
    """AdamW for all weights."""
    return AdamW(net.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.0, fused=True)


@OPTIMIZERS.register
def muon(net: nn.Module, lr: float) -> Optimizer:
    """Muon for the matrices and convolutions of at least 16 rows and columns, AdamW for the rest."""
    return MuonAdamW(net, lr)


class MuonAdamW(Optimizer):
    """`torch.optim.Muon` and AdamW side by side, as one optimizer whose state is kept weight by weight."""

    def __init__(self, net: nn.Module, lr: float):
        layers = [m.weight for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
        matrices = [w for w in dict.fromkeys(layers) if min(as_matrix(w, w).shape) >= SMALLEST_MATRIX]
        rest = [p for p in net.parameters() if not any(p is w for w in matrices)]
        super().__init__([{"params": matrices}, {"params": rest, "fused": True}], {"lr": lr})
        self.views = {w: nn.Parameter(as_matrix(w.detach(), w)) for w in matrices}  # of the same numbers
        self.parts: list[Optimizer | None] = [None, None]  # what trains each of the two groups
        if matrices:
            self.parts[0] = Muon(self.views.values(), lr=lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        if rest:
            self.parts[1] = AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        self.share_state()

    def share_state(self) -> None:
        """Let both write what they remember of a weight into this optimizer's state."""
        for part, group in zip(self.parts, self.param_groups, strict=True):
            for weight in group["params"]:
                part.state[self.views.get(weight, weight)] = self.state[weight]

    def load_state_dict(self, state_dict: dict) -> None:
        """As every optimizer's."""
        super().load_state_dict(state_dict)
        self.share_state()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step with the gradients that the weights hold."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for weight, view in self.views.items():
            view.data = as_matrix(weight.data, weight)  # anew each time: whoever wraps the network may move its weights
            view.grad = None if weight.grad is None else as_matrix(weight.grad, weight)
        for part, group in zip(self.parts, self.param_groups, strict=True):
            if part is not None:
                part.param_groups[0]["lr"] = group["lr"]
                part.step()
        return loss


def as_matrix(value: Tensor, weight: Tensor) -> Tensor:
    """A weight (outputs, inputs, …), or a gradient of its shape, as a matrix (outputs, inputs × …).

    Where the weight's channels lie side by side in memory (channels_last), the columns are in that order, so that the
    weight's matrix is the same memory. Muon's step is the same for any order of columns.
    """
    if weight.ndim == 4 and not weight.is_contiguous():
        value = value.permute(0, 2, 3, 1)
    return value.reshape(len(value), -1)
