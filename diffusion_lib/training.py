r"""Training: minimise the mean squared error over data, times and noise, in one readable loop.

.. math::
    \min_\theta\; E_{x_0,\,t,\,\varepsilon}\,
    \bigl\|y_\theta(\alpha_t x_0 + \sigma_t\varepsilon,\,t) - (p_t x_0 + q_t\varepsilon)\bigr\|^2

(Ho et al. 2020, algorithm 1, for any target). Around that one line stand the usual aids, each a few words long:

* *stratified times*: t_i = (i + u_i) / B, one in each of B equal slices of [0, 1], so that every batch sees all of them
  (the "low-discrepancy sampler" of Kingma et al. 2021 uses one u for all);
* *label dropout*: some labels become "no label", so one network learns both halves of guidance (Ho & Salimans 2022);
* the learning rate rises over ``warmup`` steps and falls along half a cosine to 0 (Loshchilov & Hutter 2017);
* the gradient's norm is clipped;
* *EMA*: samples come from an exponential moving average of the weights,
  w̄ ← d w̄ + (1 - d) w with d = min(ema, (1 + n) / (10 + n)) after n updates, so that the start is soon forgotten.

**Every random number is a function of (seed, step, index in the batch)** and of nothing else. So a run that was
interrupted and resumed is bit-identical to one that was not, the batch is the same whatever the number of processes,
and no global random state is read or changed. Taught in notebook 05.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .checkpoints import Info, info_of, read, writable, write
from .data.dataset import Dataset
from .denoisers import Denoiser
from .objective import WEIGHTS, loss

CHECKPOINT = "checkpoint.safetensors"

Precision = Literal["auto", "float32", "bfloat16"]
Decay = Literal["cosine", "none"]
Weight = Literal["simple", "snr+1"]


@dataclass(frozen=True)
class Recipe:
    """The options of :func:`train` that change the weights; a checkpoint keeps them. Raises ValueError for bad ones."""

    steps: int
    batch: int = 64
    lr: float = 2e-3
    warmup: int = 100
    decay: Decay = "cosine"
    ema: float = 0.999
    clip: float = 1.0
    label_dropout: float = 0.1
    stratified: bool = True
    weight: Weight = "simple"
    seed: int = 0
    precision: Precision = "auto"

    def __post_init__(self):
        for name, least in (("steps", 1), ("batch", 1), ("warmup", 0), ("seed", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)!r} must be a whole number of at least {least}")
        for name in ("lr", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)!r} must be above 0 and finite")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema={self.ema!r} is outside [0, 1): 0 keeps no average, 0.999 is usual")
        if not 0 <= self.label_dropout <= 1:
            raise ValueError(f"label_dropout={self.label_dropout!r} is outside [0, 1]: 0.1 is usual")
        for name, known in (("decay", Decay), ("weight", Weight), ("precision", Precision)):
            if getattr(self, name) not in known.__args__:
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {', '.join(map(repr, known.__args__))}")

    def rate(self, step: int) -> float:
        """The learning rate of a step, 1 … steps."""
        falling = (1 + math.cos(math.pi * (step - 1) / self.steps)) / 2 if self.decay == "cosine" else 1.0
        return self.lr * min(1.0, step / max(1, self.warmup)) * falling


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


def train(
    denoiser: Denoiser,
    data: Dataset | Tensor,
    *,
    steps: int,
    batch: int = 64,
    lr: float = 2e-3,
    warmup: int = 100,
    decay: Decay = "cosine",
    ema: float = 0.999,
    clip: float = 1.0,
    label_dropout: float = 0.1,
    stratified: bool = True,
    weight: Weight = "simple",
    seed: int = 0,
    precision: Precision = "auto",
    folder: str | Path | None = None,
    every: int = 500,
    progress: bool = True,
) -> Iterator[Progress]:
    """Train ``denoiser.net`` in place, one step at a time: ``for p in train(...)``. Taught in notebook 05.

    data: a data set, whose labels are used if the network takes labels, or a tensor (N, …). batch: of all processes
    together. weight: of the loss over the noise levels, see `objective`. precision: 'auto' is bfloat16 for pictures
    where the hardware computes in it, else float32.

    With a ``folder``, a checkpoint is written there every ``every`` steps, at the end, and when the loop is left early
    (``break``). If one is there already, training goes on behind it; if it is complete, its last step is given again.

    Raises:
        ValueError: an option out of range, or a checkpoint of another recipe, network or data set (says which).
        FloatingPointError: the loss or the gradient is not finite (says at which step); the last checkpoint is kept.
        OSError: the folder cannot be written.
    """
    recipe = Recipe(steps, batch, lr, warmup, decay, ema, clip, label_dropout, stratified, weight, seed, precision)
    if every < 1:
        raise ValueError(f"every={every} must be at least 1: the steps between two checkpoints")
    return _train(denoiser, data, recipe, folder, every, progress)  # so that bad options are refused before the loop


def _train(denoiser: Denoiser, data: Dataset | Tensor, recipe: Recipe, folder, every: int, progress: bool):
    from tqdm.auto import tqdm

    engine = accelerator()
    rank, ranks, device = engine.process_index, engine.num_processes, engine.device
    x, labels = examples(data, denoiser.net)
    recipe = dataclasses.replace(recipe, precision=resolve(recipe.precision, device, pictures=x.ndim == 4))
    if recipe.batch % ranks:
        raise ValueError(f"batch={recipe.batch} does not split over {ranks} processes: use a multiple of {ranks}")

    net = denoiser.net.to(device).train()
    average = AveragedModel(net, avg_fn=moving_average(recipe.ema)).eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.lr, betas=(0.9, 0.99), weight_decay=0.0)
    averaged = dataclasses.replace(denoiser, net=average.module)
    path, last = None, None
    if folder is not None:
        path = writable(folder) / CHECKPOINT
        info = Info.of(denoiser, data=data_info(data), recipe=dataclasses.asdict(recipe))
        if path.exists():
            last = load_checkpoint(path, info, net, average, optimizer, averaged)
    weight = WEIGHTS[recipe.weight]
    keep = path is not None and engine.is_main_process
    parallel = dataclasses.replace(denoiser, net=engine.prepare_model(net))  # averages gradients over the processes
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16")

    if last and last.step == recipe.steps:
        yield last
        return
    done = last.step if last else 0
    steps = range(done + 1, recipe.steps + 1)
    bar = tqdm(steps, initial=done, total=recipe.steps, leave=False, disable=not (progress and rank == 0))
    for step in bar:
        x0, t, noise, cond = draw(x, labels, recipe, step)  # of all processes; this one takes every ranks-th
        mine = slice(rank, None, ranks)
        labelled = None if cond is None else cond[mine].to(device)
        with autocast:
            each = loss(parallel, x0[mine].to(device), t[mine], noise[mine].to(device), labelled, weight=weight)
        losses = engine.gather(each.detach()).reshape(ranks, -1).T.flatten().cpu()
        check_finite("loss", losses.mean().item(), step, recipe, path)

        optimizer.zero_grad()
        engine.backward(each.mean())
        grad_norm = nn.utils.clip_grad_norm_(net.parameters(), recipe.clip).item()
        check_finite("gradient", grad_norm, step, recipe, path)
        optimizer.param_groups[0]["lr"] = recipe.rate(step)
        optimizer.step()
        average.update_parameters(net)

        bar.set_postfix(loss=f"{losses.mean():.3f}", refresh=False)
        last = Progress(step, losses.mean().item(), grad_norm, recipe.rate(step), averaged, losses, t)
        saved = keep and (step % every == 0 or step == recipe.steps)
        if saved:
            save_checkpoint(path, info, net, average, optimizer, last)
        try:
            yield last
        except GeneratorExit:  # the loop was left early
            if keep and not saved:
                save_checkpoint(path, info, net, average, optimizer, last)
            raise


def accelerator():
    """What knows how many processes there are, and the device of this one: an `accelerate.Accelerator`."""
    from accelerate import Accelerator

    return Accelerator(cpu=not torch.accelerator.is_available())  # unless told, it does not see that CPUs work together


def draw(x: Tensor, labels: Tensor | None, recipe: Recipe, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """One step's batch, a function of (seed, step): x0 (B, …), t (B,) in float64, noise (B, …), labels (B,) or None."""
    generator = torch.Generator().manual_seed(stable_hash(recipe.seed, step))
    rows = torch.randint(len(x), (recipe.batch,), generator=generator)
    x0 = x[rows]
    t = torch.rand(recipe.batch, generator=generator, dtype=torch.float64)
    if recipe.stratified:
        t = (torch.arange(recipe.batch) + t) / recipe.batch
    noise = torch.randn(x0.shape, generator=generator)
    dropped = torch.rand(recipe.batch, generator=generator) < recipe.label_dropout
    return x0, t, noise, None if labels is None else labels[rows].masked_fill(dropped, -1)


def stable_hash(*numbers: int) -> int:
    """A 63-bit number that depends on these whole numbers alone, on every machine (Python's own hash need not)."""
    return int.from_bytes(hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()) >> 1


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """The EMA's update for `AveragedModel`, given how many updates there were: notebook 05."""

    def update(average: Tensor, weight: Tensor, updates: Tensor | int) -> Tensor:
        n = int(updates)
        return average.lerp(weight, 1 - min(decay, (1 + n) / (10 + n)))

    return update


def resolve(precision: Precision, device: torch.device, *, pictures: bool) -> Precision:
    """'auto' made definite: bfloat16 for pictures where this device computes in it, else float32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = getattr(torch.cpu, "get_capabilities", dict)()
        native = device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return "bfloat16" if native and pictures else "float32"


def examples(data: Dataset | Tensor, net: nn.Module) -> tuple[Tensor, Tensor | None]:
    """x (N, …), and labels (N,) if there are some and the network takes them."""
    if isinstance(data, Tensor):
        return data.float(), None
    takes_labels = getattr(net, "conditional", False)
    return data.x, data.labels if takes_labels else None


def data_info(data: Dataset | Tensor) -> dict:
    """What a file says of the data: enough to shape samples, and to notice other data (a digest of every number)."""
    x = data if isinstance(data, Tensor) else data.x
    digest = hashlib.blake2b(x.detach().float().cpu().contiguous().numpy(), digest_size=8).hexdigest()
    known = {"name": "tensor", "classes": [], "shape": list(x.shape[1:]), "count": len(x), "digest": digest}
    return known if isinstance(data, Tensor) else {**known, "name": data.name, "classes": list(data.classes)}


def check_finite(what: str, value: float, step: int, recipe: Recipe, path: Path | None) -> None:
    """Refuse NaN and infinity before they reach the weights."""
    if not math.isfinite(value):
        kept = f"; {path} is kept" if path is not None and path.exists() else ""
        raise FloatingPointError(
            f"the {what} is {value} at step {step} of {recipe.steps}: lower lr={recipe.lr:g} or clip={recipe.clip:g}, "
            f"or look for NaN in the data{kept}"
        )


def save_checkpoint(
    path: Path, info: Info, net: nn.Module, average: AveragedModel, optimizer: torch.optim.Optimizer, last: Progress
) -> None:
    """All that training needs to go on behind ``last``, in one file, atomically."""
    tensors = {f"net.{name}": value for name, value in average.module.state_dict().items()}
    tensors |= {f"raw.{name}": value for name, value in net.state_dict().items()}
    for name, weight in net.named_parameters():
        tensors |= {f"optimizer.{key}.{name}": value for key, value in optimizer.state[weight].items()}
    scalars = torch.tensor([last.loss, last.grad_norm], dtype=torch.float64)
    tensors |= {"progress.losses": last.losses, "progress.t": last.t, "progress.scalars": scalars}
    write(path, tensors, dataclasses.replace(info, step=last.step).to_text())


def load_checkpoint(
    path: Path, info: Info, net: nn.Module, average: AveragedModel, optimizer: torch.optim.Optimizer, averaged: Denoiser
) -> Progress:
    """Put everything back as it was behind the checkpoint's last step, which is returned."""
    tensors, text = read(path)
    found = info_of(path, text)
    check_same(path, found, info)

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    try:
        net.load_state_dict(part("raw."))
        average.module.load_state_dict(part("net."))
        average.n_averaged.fill_(found.step)
        keys = ("step", "exp_avg", "exp_avg_sq")
        state = {
            i: {key: tensors[f"optimizer.{key}.{name}"].clone() for key in keys}
            for i, (name, _) in enumerate(net.named_parameters())
        }
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        loss_value, grad_norm = tensors["progress.scalars"].tolist()
        losses, t = tensors["progress.losses"].clone(), tensors["progress.t"].clone()
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is no training checkpoint, or damaged ({error}): choose another folder") from None
    return Progress(found.step, loss_value, grad_norm, Recipe(**found.recipe).rate(found.step), averaged, losses, t)


def check_same(path: Path, found: Info, wanted: Info) -> None:
    """Refuse to go on with another recipe, network, schedule, target or data set; say which field differs."""
    for theirs, ours in ((found.recipe, wanted.recipe), (found.data, wanted.data), (found.network, wanted.network)):
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                _differs(path, name, theirs.get(name), ours.get(name))
    for name in ("schedule", "predicts"):
        if getattr(found, name) != getattr(wanted, name):
            _differs(path, name, getattr(found, name), getattr(wanted, name))


def _differs(path: Path, name: str, theirs, ours) -> None:
    raise ValueError(
        f"{path} was made with {name}={theirs!r}, this run has {name}={ours!r}: "
        "use the same to resume it, or another folder"
    )
