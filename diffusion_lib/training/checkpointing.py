"""A training's checkpoint: all that is needed to go on as if nothing had happened, in one model file.

Beside the part ``denoiser`` (the EMA copy, with which the file can be sampled from) it holds

    training.net.*                            the latest weights
    training.optimizer.{key}.*                what the optimizer remembers, weight by weight: Adam's two moments and
                                              its count of steps, Muon's momentum
    training.progress.{losses, t, scalars}    the last step's outcome

No random state: what a step draws follows from the seed and the step's number.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ..checkpoints import ModelCard, describe_part, pack, read_model, write
from ..denoisers import Denoiser
from .config import TrainingConfig
from .progress import Progress

CHECKPOINT = "checkpoint.safetensors"
OPTIMIZER = "training.optimizer."


def save_checkpoint(
    path: Path, card: ModelCard, net: nn.Module, optimizer: torch.optim.Optimizer, last: Progress
) -> None:
    """Write all that training needs to go on behind ``last``, whose denoiser is the EMA copy; atomically."""
    tensors, text = pack({"denoiser": last.denoiser}, dataclasses.replace(card, step=last.step))
    tensors |= {f"training.net.{name}": value for name, value in net.state_dict().items()}
    for name, weight in net.named_parameters():
        tensors |= {f"{OPTIMIZER}{key}.{name}": value for key, value in optimizer.state[weight].items()}
    scalars = torch.tensor([last.loss, last.grad_norm], dtype=torch.float64)
    tensors |= {"training.progress.losses": last.losses, "training.progress.t": last.t}
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, {**tensors, "training.progress.scalars": scalars}, text)


def load_checkpoint(
    path: Path,
    card: ModelCard,
    net: nn.Module,
    average: AveragedModel,
    optimizer: torch.optim.Optimizer,
    averaged: Denoiser,
) -> Progress:
    """Put everything back as it was behind the checkpoint's last step, which is returned.

    Raises:
        ValueError: the checkpoint is of another run than ``card`` describes (says what differs), or damaged.
    """
    tensors, saved = read_model(path)
    check_same_run(path, saved, card, describe_part("denoiser", averaged))

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    try:
        net.load_state_dict(part("training.net."))
        average.module.load_state_dict(part("denoiser."))
        average.n_averaged.fill_(saved.step)
        load_optimizer(optimizer, net, part(OPTIMIZER))
        loss, grad_norm = tensors["training.progress.scalars"].tolist()
        losses, t = (tensors[f"training.progress.{name}"].clone() for name in ("losses", "t"))
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is no training checkpoint, or damaged ({error}): choose another folder") from None
    rate = TrainingConfig(**card.training).rate(saved.step)
    return Progress(saved.step, loss, grad_norm, rate, averaged, losses, t)


def load_optimizer(optimizer: torch.optim.Optimizer, net: nn.Module, values: dict[str, torch.Tensor]) -> None:
    """Give the optimizer back what it remembers: ``values`` are named "{key}.{weight's name}".

    Raises:
        KeyError: something is remembered of one weight and not of another that was trained in the same way.
    """
    memory: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in values.items():
        key, _, weight = name.partition(".")
        memory.setdefault(weight, {})[key] = value
    names = {weight: name for name, weight in net.named_parameters()}
    groups = optimizer.state_dict()["param_groups"]
    state = {}
    for group, described in zip(optimizer.param_groups, groups, strict=True):
        keys = sorted({key for weight in group["params"] for key in memory.get(names[weight], {})})
        for weight, i in zip(group["params"], described["params"], strict=True):
            if names[weight] in memory:  # of one that is frozen, or that no loss reaches, nothing is remembered
                state[i] = {key: laid_out_as(weight, memory[names[weight]][key]) for key in keys}
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def laid_out_as(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A copy of ``value`` that lies in memory as ``weight`` does, which the fused optimizer takes for granted."""
    return torch.empty_like(weight, device=value.device).copy_(value) if value.shape == weight.shape else value.clone()


def check_same_run(path: Path, saved: ModelCard, card: ModelCard, part: dict) -> None:
    """Refuse to go on with other options, data, network, schedule or target; say which differs.

    What the file does not say, being older, is not compared; an option that it does not know had its usual value.
    """
    if "denoiser" not in saved.parts:
        raise ValueError(f"{path} is no training checkpoint: choose another folder")
    usual = dataclasses.asdict(TrainingConfig())
    old_part = saved.parts["denoiser"]
    pairs = (
        ({**usual, **saved.training}, card.training),
        (saved.data, card.data),
        (old_part["network"], part["network"]),
        (old_part, {name: value for name, value in part.items() if name != "network"}),
    )
    for before, now in pairs:
        for name in sorted(before.keys() & now.keys()):
            if before[name] != now[name]:
                raise ValueError(
                    f"{path} was made with {name}={before[name]!r}, this run has {name}={now[name]!r}: "
                    "use the same to resume it, or another folder"
                )
