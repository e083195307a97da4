"""What training says of a step that is done."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..denoisers import Denoiser


@dataclass(frozen=True, eq=False)
class Progress:
    """One training step's outcome.

    step: 1 … steps; loss: the batch's mean; grad_norm: before clipping; lr: of this step; denoiser: the EMA copy, in
    evaluation mode and of these weights only until the next step; losses (B,) and t (B,): sample by sample.
    """

    step: int
    loss: float
    grad_norm: float
    lr: float
    denoiser: Denoiser
    losses: Tensor
    t: Tensor
