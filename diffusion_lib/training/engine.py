"""What the training loop does not show: processes, devices, precision, the EMA copy, checkpoints, the progress bar."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .. import conditions
from ..checkpoints import ModelCard, check_writable, describe_part
from ..denoisers import Denoiser
from ..networks import thaw
from .batches import Batch, Data, data_card, draw_function, stable_hash
from .checkpointing import CHECKPOINT, load_checkpoint, save_checkpoint
from .config import TrainingConfig
from .optimizers import OPTIMIZERS
from .progress import Progress


def accelerator():
    """What knows how many processes there are, and the device of this one: an `accelerate.Accelerator`."""
    from accelerate import Accelerator

    return Accelerator(cpu=not torch.accelerator.is_available())  # unless told, it does not see that CPUs work together


class Run:
    """One training: its network, optimizer and EMA copy, with all that surrounds the loop. Everything is checked here.

    As a context manager it shows the progress bar, and writes a checkpoint when the loop is left early.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        data: Data,
        config: TrainingConfig,
        *,
        folder: str | Path | None,
        every: int,
        progress: bool,
    ):
        if every < 1:
            raise ValueError(f"every={every} must be at least 1: the steps between two checkpoints")
        self.engine = accelerator()
        ranks, device = self.engine.num_processes, self.engine.device
        if config.batch % ranks:
            raise ValueError(f"batch={config.batch} does not split over {ranks} processes: use a multiple of {ranks}")
        self.draw, self.null = draw_function(data, conditional=denoiser.conditional), denoiser.null
        example = self.draw(1, torch.Generator().manual_seed(0))
        if denoiser.conditional and example.cond is None:
            warnings.warn(
                "the network takes conditions, the data have none: it learns what it draws without one, and nothing of "
                "the conditions. Give the pair (x, cond), or build it without classes or words",
                stacklevel=3,
            )
        pictures = example.x0.ndim == 4
        precision = resolve_precision(config.precision, device, pictures=pictures)
        self.config = dataclasses.replace(config, precision=precision)
        self.path = None if folder is None else Path(folder) / CHECKPOINT
        self.every, self.progress = every, progress
        if self.path is not None:
            if self.engine.is_main_process:
                check_writable(folder)
            describe_part("denoiser", denoiser)  # a network that no file can rebuild is refused before it is trained
            self.card = ModelCard(data=data_card(data, self.draw), training=dataclasses.asdict(self.config))

        self.net = denoiser.net.to(device).train()
        thaw(self.net)
        self.average = AveragedModel(self.net, multi_avg_fn=moving_average(config.ema)).eval()
        self.averaged = dataclasses.replace(denoiser, net=self.average.module)
        self.optimizer = OPTIMIZERS[config.optimizer](self.net, config.lr)
        self.last: Progress | None = None
        self.saved_step = 0
        if self.path is not None and self.path.exists():
            self.last = load_checkpoint(self.path, self.card, self.net, self.average, self.optimizer, self.averaged)
        # of several processes, each computes with a wrapper that averages the gradients over all of them
        self.denoiser = dataclasses.replace(denoiser, net=self.engine.prepare_model(self.net))
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")

    @property
    def finished(self) -> bool:
        """Whether every step is done."""
        return self.last is not None and self.last.step == self.config.steps

    def __enter__(self) -> Run:
        from tqdm.auto import tqdm

        done = self.last.step if self.last else 0
        disable = not (self.progress and self.engine.is_main_process)
        self.bar = tqdm(range(done + 1, self.config.steps + 1), initial=done, total=self.config.steps, leave=False,
                        disable=disable)  # fmt: skip
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        self.bar.close()
        if kind is GeneratorExit:  # the loop was left early, between two steps
            self.save()

    def steps(self) -> Iterator[int]:
        """The numbers of the steps that are still to be done."""
        return iter(self.bar)

    def share(self, batch: Batch) -> Batch:
        """This process's part of a batch, every ranks-th sample, on its device."""
        rows = slice(self.engine.process_index, None, self.engine.num_processes)
        x0, t, noise, cond = conditions.take(tuple(batch), rows)
        x0, noise, cond = conditions.to((x0, noise, cond), self.engine.device)
        return Batch(x0, t, noise, cond)

    @contextmanager
    def chance(self, step: int) -> Iterator[None]:
        """What a network itself draws, as dropout does, follows from (seed, step, process); no global state changes."""
        device = self.engine.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(stable_hash(self.config.seed, step, self.engine.process_index))
            yield

    def gather(self, losses: Tensor) -> Tensor:
        """The losses of all processes, (B,), in the batch's order, on the CPU."""
        return self.engine.gather(losses.detach()).reshape(self.engine.num_processes, -1).T.flatten().cpu()

    def check_finite(self, step: int, losses: Tensor, grad_norm: Tensor) -> None:
        """Refuse NaN and infinity before they reach the weights."""
        for name, value in (("loss", losses.mean().item()), ("gradient", grad_norm.item())):
            if not math.isfinite(value):
                note = f"; {self.path} is kept" if self.path is not None and self.path.exists() else ""
                raise FloatingPointError(
                    f"the {name} is {value} at step {step} of {self.config.steps}: lower lr={self.config.lr:g} or "
                    f"clip={self.config.clip:g}, or look for NaN in the data{note}"
                )

    def finish(self, step: int, losses: Tensor, grad_norm: Tensor, t: Tensor) -> Progress:
        """Tell of a step, and write a checkpoint if it is time."""
        loss, rate = losses.mean().item(), self.config.rate(step)
        self.last = Progress(step, loss, grad_norm.item(), rate, self.averaged, losses, t)
        self.bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
        if step % self.every == 0 or step == self.config.steps:
            self.save()
        return self.last

    def save(self) -> None:
        """Write a checkpoint of the last step, from the main process, unless there is one."""
        if self.path is not None and self.engine.is_main_process and self.last and self.saved_step < self.last.step:
            save_checkpoint(self.path, self.card, self.net, self.optimizer, self.last)
            self.saved_step = self.last.step


def ema_decay(limit: float, updates: int) -> float:
    """The EMA's decay d after so many updates: small at first, so that the start is soon forgotten. Notebook 05."""
    return min(limit, (1 + updates) / (10 + updates))


def moving_average(limit: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    """The EMA's update for `AveragedModel`, w̄ ← d w̄ + (1 - d) w in place, all weights at once. Notebook 05."""

    def update(averages: list[Tensor], weights: list[Tensor], updates: Tensor | int) -> None:
        get_ema_multi_avg_fn(ema_decay(limit, int(updates)))(averages, weights, updates)

    return update


def resolve_precision(precision: str, device: torch.device, *, pictures: bool) -> str:
    """'auto' made definite: bfloat16 for pictures where this device computes in it, else float32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = getattr(torch.cpu, "get_capabilities", dict)()
        native = device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return "bfloat16" if native and pictures else "float32"
