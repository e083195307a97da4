"""Which network and which recipe learn most in equal time? ``python tests/benchmarks/search.py shapes``.

Every candidate of a data set (shapes, mnist, digits) trains for the same time, its learning rate falling to 0 at the end: a
few steps are timed, and the number of steps follows. Then, from the EMA weights, in one table:

    error       mean squared error of x̂0 on held-out pictures at log-SNR -4, -2, -1, 0, 2, the same noise for all
    read        share read as what was asked for, without guidance and with scale 2; standard error at most 1/(2 √count)
    Fréchet     distance to the training pictures in the features of the bundled classifier, in floors (real against real)
    empty       shapes only: pictures without any shape
    a call      time of one network call for one picture, when sampling

``--only NAME …`` runs some of them, ``--seconds`` gives another budget (several: accuracy against compute), ``--threads``
more cores; ``--clock wall`` is right on a quiet machine only. Rows come in Markdown as they are done.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from models import empty
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_lib import evaluation
from diffusion_lib.checkpoints import bundled
from diffusion_lib.data import Dataset, Fresh, load, shapes
from diffusion_lib.denoisers import Denoiser, Guided
from diffusion_lib.networks import NETWORKS, UNet, parameter_count
from diffusion_lib.networks.attention import attend
from diffusion_lib.networks.conditioning import ConditionedNetwork, Conditioning
from diffusion_lib.networks.network import zero
from diffusion_lib.sampling import sample
from diffusion_lib.schedules import Cosine, Flow, LinearBeta
from diffusion_lib.training import TrainingConfig, train

LOG_SNRS = (-4.0, -2.0, -1.0, 0.0, 2.0)
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


class Layer(nn.Module):
    """A transformer layer: attention, then an MLP, both normalised, scaled and shifted by the condition (Peebles 2022)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), zero(nn.Linear(width, width))
        self.wide, self.narrow = nn.Linear(width, 4 * width), zero(nn.Linear(4 * width, width))
        self.film = nn.Linear(width, 4 * width)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        scale1, shift1, scale2, shift2 = self.film(F.silu(c))[:, None].chunk(4, dim=-1)
        h = self.norm1(x) * (1 + scale1) + shift1
        q, k, v = self.qkv(h).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(attend(q, k, v).transpose(1, 2).flatten(2))
        h = self.norm2(x) * (1 + scale2) + shift2
        return x + self.narrow(F.gelu(self.wide(h)))


@NETWORKS.register
class Transformer(ConditionedNetwork):
    """x (B, channels, size, size): squares of patch × patch pixels as tokens, all layers of the same width."""

    def __init__(self, channels: int, size: int, *, width: int, layers: int, patch: int, classes: int, heads: int = 4):
        super().__init__()
        self.config = {
            "kind": "Transformer", "channels": channels, "size": size, "width": width, "layers": layers,
            "patch": patch, "classes": classes, "heads": heads,
        }  # fmt: skip
        self.patch = patch
        self.conditioning = Conditioning(width, classes)
        self.first = nn.Linear(channels * patch**2, width)
        self.place = nn.Parameter(0.02 * torch.randn((size // patch) ** 2, width))
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.last = zero(nn.Linear(width, channels * patch**2))

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        c = self.conditioning(t, cond, len(x))
        squares = F.pixel_unshuffle(x, self.patch)
        h = self.first(squares.flatten(2).transpose(1, 2)) + self.place
        for layer in self.layers:
            h = layer(h, c)
        return F.pixel_shuffle(self.last(self.norm(h)).transpose(1, 2).unflatten(2, squares.shape[2:]), self.patch)


SHAPES = {"patch": 2, "classes": len(shapes.SHAPES)}
DIGITS = {"classes": 10}


def unet(channels: int, size: int, width: int, multipliers: tuple[int, ...], attention: tuple[int, ...], **options):
    return lambda: UNet(channels, size, width=width, multipliers=multipliers, attention=attention, **options)


def transformer(width: int, layers: int):
    return lambda: Transformer(3, 32, width=width, layers=layers, patch=4, classes=len(shapes.SHAPES))


FLOW = {
    "schedule": Flow(), "predicts": "x0", "weight": "velocity", "times": "logit_normal", "times_mean": 0.2,
    "batch": 64, "lr": 2e-3, "precision": "bfloat16",
}  # fmt: skip
MUON = FLOW | {"optimizer": "muon"}
LINEAR = FLOW | {"schedule": LinearBeta(), "weight": "snr+1", "times": "uniform"}
COSINE = {"schedule": Cosine(), "predicts": "v", "batch": 64, "lr": 4e-3, "precision": "float32"}
PRESENT = unet(3, 32, 32, (1, 2, 4), (1,), **SHAPES)
SMALL = unet(1, 28, 32, (1, 2), (1,), patch=2, **DIGITS)
TINY = unet(1, 8, 32, (1, 2), (1,), **DIGITS)

# data set: name: network, options of training (and of the denoiser; fixed: 20 000 drawings instead of fresh ones)
CANDIDATES = {
    "shapes": {
        "linear": (PRESENT, LINEAR),
        "present": (PRESENT, FLOW),
        "muon": (PRESENT, MUON),
        "fixed": (PRESENT, FLOW | {"fixed": True}),
        "batch128": (PRESENT, FLOW | {"batch": 128}),
        "noisier": (PRESENT, FLOW | {"times_mean": 0.6}),
        "lr3": (PRESENT, FLOW | {"lr": 3e-3}),
        "ema99": (PRESENT, FLOW | {"ema": 0.99}),
        "attend2": (unet(3, 32, 32, (1, 2, 4), (1, 2), **SHAPES), FLOW),
        "blocks2": (unet(3, 32, 32, (1, 2, 4), (1, 2), blocks=2, **SHAPES), FLOW),
        "wide48": (unet(3, 32, 48, (1, 2, 4), (1, 2), **SHAPES), FLOW),
        "flat64": (unet(3, 32, 64, (1, 2, 2), (1, 2), **SHAPES), FLOW),
        "flat64muon": (unet(3, 32, 64, (1, 2, 2), (1, 2), **SHAPES), MUON),
        "patch4": (unet(3, 32, 64, (1, 2), (0, 1), blocks=2, **SHAPES | {"patch": 4}), FLOW),
        "transformer192": (transformer(192, 6), FLOW | {"lr": 1e-3}),
        "transformer256": (transformer(256, 5), FLOW | {"lr": 1e-3}),
    },
    "mnist": {
        "small": (SMALL, FLOW),
        "muon": (SMALL, MUON),
        "float32": (SMALL, FLOW | {"precision": "float32"}),
        "lr4": (SMALL, FLOW | {"lr": 4e-3}),
        "batch32": (SMALL, FLOW | {"batch": 32, "lr": 3e-3}),
        "wide48": (unet(1, 28, 48, (1, 2), (1,), patch=2, **DIGITS), FLOW),
        "wide64": (unet(1, 28, 64, (1, 2), (1,), patch=2, **DIGITS), FLOW),
        "patch4": (unet(1, 28, 128, (1,), (0,), patch=4, **DIGITS), FLOW),
        "patch4x2": (unet(1, 28, 96, (1,), (0,), patch=4, blocks=2, **DIGITS), FLOW),
    },
    "digits": {
        "before": (unet(1, 8, 32, (1, 2), (1,), groups=8, **DIGITS), COSINE),
        "cosine": (TINY, COSINE),
        "cosine16": (TINY, COSINE | {"precision": "bfloat16"}),
        "flow": (TINY, FLOW | {"lr": 4e-3, "precision": "float32"}),
        "flow16": (TINY, FLOW | {"lr": 4e-3}),
        "flow16lr8": (TINY, FLOW | {"lr": 8e-3}),
        "flow16b32": (TINY, FLOW | {"lr": 4e-3, "batch": 32}),
        "flow16m0": (TINY, FLOW | {"lr": 4e-3, "times_mean": 0.0}),
        "narrow": (unet(1, 8, 32, (1, 1), (1,), **DIGITS), FLOW | {"lr": 4e-3}),
        "muon": (TINY, MUON | {"lr": 4e-3}),
        "muon32": (TINY, MUON | {"lr": 4e-3, "precision": "float32"}),
        "patch2": (unet(1, 8, 64, (1, 2), (0, 1), patch=2, **DIGITS), FLOW | {"lr": 4e-3}),
        "patch2x1": (unet(1, 8, 96, (1,), (0,), patch=2, **DIGITS), FLOW | {"lr": 4e-3}),
    },
}


@dataclass(frozen=True)
class Task:
    """A data set, and how its samples are measured."""

    name: str
    count: int

    @cached_property
    def train(self) -> Dataset:
        return load(self.name, count=20_000) if self.name == "shapes" else load(self.name)

    @cached_property
    def test(self) -> Dataset:
        return load(self.name, train=False, count=512) if self.name == "shapes" else load(self.name, train=False)

    @cached_property
    def classifier(self) -> nn.Module:
        return evaluation.load_classifier(bundled(f"{self.name}_classifier"))

    def data(self, fixed: bool):
        return Fresh("shapes") if self.name == "shapes" and not fixed else self.train

    @cached_property
    def floor(self) -> float:
        both = torch.cat([self.train.x, self.test.x])
        return evaluation.real_floor(both, self.count, self.classifier, against=self.against, repeats=10).value

    @property
    def against(self) -> int:
        """How many training pictures the drawn ones are compared with: as many as the floor can have, too."""
        return min(5000, len(self.train), len(self.train) + len(self.test) - self.count)

    def read(self, x: Tensor) -> Tensor:
        """What the pictures (N, …) show: classes (N,)."""
        return shapes.recognise(x)[:, 0] if self.name == "shapes" else self.classifier(x).argmax(1)

    def frechet(self, x: Tensor) -> str:
        if self.name == "shapes":
            return "-"
        return f"{evaluation.frechet(x, self.train.x[: self.against], self.classifier) / self.floor:.2f}"

    def empty(self, x: Tensor) -> str:
        if self.name != "shapes":
            return "-"
        return f"{empty(x).float().mean():.1%}"


def train_for(seconds: float, clock: Callable[[], float], task: Task, name: str, seed: int = 0) -> tuple[Denoiser, int]:
    """The candidate after so much time, and the number of its steps."""
    network, options = CANDIDATES[task.name][name]
    options = dict(options)
    schedule, predicts = options.pop("schedule"), options.pop("predicts")
    data = task.data(options.pop("fixed", False))

    def started(steps: int):
        torch.manual_seed(seed)
        denoiser = Denoiser(network(), schedule, predicts)
        return train(denoiser, data, TrainingConfig(steps=steps, seed=seed, **options), progress=False)

    trial = started(24)
    for _ in range(8):  # the first steps allocate
        next(trial)
    start = clock()
    count = len(list(trial))
    steps = max(1, round(seconds * count / (clock() - start)))
    for progress in started(steps):
        pass
    return progress.denoiser, steps


@torch.no_grad()
def held_out_errors(denoiser: Denoiser, test: Dataset) -> list[float]:
    """Mean squared error of x̂0 at each of LOG_SNRS, of unseen pictures with their label."""
    noise = torch.randn(test.x.shape, generator=torch.Generator().manual_seed(0))
    errors = []
    for log_snr in LOG_SNRS:
        t = denoiser.schedule.time_at(log_snr)
        alpha, sigma = denoiser.schedule.pair(t, test.x)
        pieces = zip((alpha * test.x + sigma * noise).split(128), test.labels.split(128), strict=True)
        guess = torch.cat([denoiser(x, t, labels).x0 for x, labels in pieces])
        errors.append((guess - test.x).square().mean().item())
    return errors


def row(task: Task, name: str, seconds: float, clock: Callable[[], float]) -> str:
    start = clock()
    denoiser, steps = train_for(seconds, clock, task, name)
    used = clock() - start
    errors = " ".join(f"{error:.4f}" for error in held_out_errors(denoiser, task.test))
    asked = torch.arange(task.count) % len(task.train.classes)
    start = clock()
    x, guided = (
        sample(d, tuple(task.test.x.shape[1:]), task.count, cond=asked, steps=30, batch=128, progress=False).clamp(
            -1, 1
        )
        for d in (denoiser, Guided(denoiser, 2.0))
    )
    call = (clock() - start) / task.count / 90  # with guidance there are two calls a step
    plain, with_guidance = ((task.read(pictures) == asked).float().mean().item() for pictures in (x, guided))
    return (
        f"| {name} | {parameter_count(denoiser.net) / 1e6:.2f} M, {steps} | {errors} | {plain:.1%}, {with_guidance:.1%} "
        f"| {task.frechet(x)} | {task.empty(x)} | {1000 * call:.2f} ms | {used:.0f} s |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=tuple(CANDIDATES))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these candidates (default: all)")
    parser.add_argument("--seconds", type=float, nargs="+", default=[300.0], help="time of each training")
    parser.add_argument("--count", type=int, default=384, help="pictures drawn of each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="cpu", help="processor time or wall time")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    task = Task(options.data, options.count)
    print("| candidate | weights, steps | error | read: plain, guided | Fréchet | empty | a call | time |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in options.only or CANDIDATES[options.data]:
        for seconds in options.seconds:
            print(row(task, name, seconds, CLOCKS[options.clock]), flush=True)


if __name__ == "__main__":
    main()
