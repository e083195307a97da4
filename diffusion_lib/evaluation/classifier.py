"""A small classifier, for its features (in which pictures are compared) and its verdict on labelled samples.

Features are taken from every stage: texture from the early ones, meaning from the last. They are measured in standard
deviations of the training data, so a distance between them compares with nothing outside this course.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checkpoints import bundled, read, write
from ..data import Dataset
from .estimates import Estimate

CLASSIFIER_FORMAT = "diffusion_lib classifier 1"


class Classifier(nn.Module):
    """A small convolutional classifier of pictures (B, channels, size, size) in [-1, 1] into `classes`.

    Stages of 3 × 3 convolutions bring the picture down to 4 × 4; one linear layer makes a code of `dim` numbers of it,
    another the logits. `extra` counts the values of further attributes to tell apart. Raises ValueError for a
    size that does not come down to 4 when it is halved, rounding up: 8, 16, 28 and 32 do.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 8,
        *,
        classes: tuple[str, ...],
        extra: tuple[int, ...] = (),
        width: int = 24,
        dim: int = 64,
    ):
        super().__init__()
        sides = [size]
        while sides[-1] > 4:
            sides.append((sides[-1] + 1) // 2)  # a stride of 2 keeps the last of an odd number of pixels
        if sides[-1] != 4:
            raise ValueError(
                f"size={size}: the classifier halves pictures down to 4, so use 4, 7, 8, 13 to 16, 25 to 32 …"
            )
        halvings = len(sides) - 1
        self.config = {"channels": channels, "size": size, "classes": list(classes), "extra": list(extra)}
        self.config |= {"width": width, "dim": dim}
        self.classes = tuple(classes)
        self.shape = (channels, size, size)
        self.groups = [len(classes), *extra]  # logits of each attribute, the label first
        strides = [2] * halvings if size > 8 else [1] + [2] * halvings
        self.stages = nn.ModuleList()
        for i, stride in enumerate(strides):
            outputs = width if i == 0 else 2 * width
            convolution = nn.Conv2d(channels, outputs, 3, stride=stride, padding=1)
            self.stages.append(nn.Sequential(convolution, nn.GroupNorm(8, outputs), nn.ReLU()))
            channels = outputs
        self.code = nn.Linear(16 * channels, dim)
        self.head = nn.Linear(dim, sum(self.groups))
        total = dim + width + 2 * width * (len(strides) - 1)
        self.register_buffer("mean", torch.zeros(total))  # of the features, over the training data
        self.register_buffer("std", torch.ones(total))

    def levels(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Each stage's activations, averaged over the picture, and the code (B, dim)."""
        if tuple(images.shape[1:]) != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"pictures have shape {tuple(images.shape)}, this classifier takes (B, {wanted})")
        averages, h = [], images
        for stage in self.stages:
            h = stage(h)
            averages.append(h.mean((2, 3)))
        return averages, self.code(h.flatten(1))

    def features(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) -> features (B, D), in standard deviations of the training data.

        Texture from every stage, meaning from the code. The code alone would not notice noise: it was trained to see
        through it.
        """
        averages, code = self.levels(images)
        return (torch.cat([*averages, code], dim=1) - self.mean) / self.std

    def logits(self, images: Tensor) -> list[Tensor]:
        """Pictures (B, C, H, W) -> the logits of every attribute, the label's first."""
        return list(self.head(F.relu(self.levels(images)[1])).split(self.groups, dim=1))

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) -> logits (B, classes)."""
        return self.logits(images)[0]


def train_classifier(
    data: Dataset,
    *,
    steps: int = 300,
    batch: int = 128,
    lr: float = 3e-3,
    seed: int = 0,
    width: int = 24,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
) -> Classifier:
    """Train a classifier on labelled pictures, in seconds; the same arguments give the same one.

    On `shapes` it learns all four attributes. Colour, size and background come at once, the shape itself takes many
    more steps: `data.shapes.recognise` reads it exactly. ``augment(pictures, generator)`` changes each batch before it
    is learned from, so that a judge of generated pictures does not rest on a sharpness that only drawings have.
    Raises ValueError for data without pictures or labels.
    """
    if not data.is_images or data.labels is None:
        raise ValueError(f"{data.name} has no labelled pictures: use 'digits', 'shapes' or another set with labels")
    targets, extra = data.labels[:, None], ()
    if data.attributes is not None:
        targets = torch.cat([targets, data.attributes[:, 1:]], dim=1)
        extra = tuple(int(column.max()) + 1 for column in data.attributes[:, 1:].T)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(*data.shape[:2], classes=data.classes, extra=extra, width=width)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=lr, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(data), (batch,), generator=generator)
        pictures = data.x[rows] if augment is None else augment(data.x[rows], generator)
        logits = classifier.logits(pictures)
        sum(F.cross_entropy(y, target) for y, target in zip(logits, targets[rows].T, strict=True)).backward()
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
    measured = features(data.x, classifier.eval())
    classifier.mean.copy_(measured.mean(0))
    classifier.std.copy_(measured.std(0).clamp(min=1e-6))
    return classifier


def save_classifier(path: str | Path, classifier: Classifier) -> None:
    """Write a classifier to one safetensors file that `load_classifier` rebuilds it from."""
    write(path, classifier.state_dict(), {"format": CLASSIFIER_FORMAT, "config": json.dumps(classifier.config)})


def load_classifier(path: str | Path | None = None) -> Classifier:
    """Rebuild a classifier from a file; without one, that of the digits which comes with the course.

    The bundled one is `train_classifier(data.load("digits"))`. Raises ValueError for a file of another kind.
    """
    path = bundled("digits_classifier") if path is None else path
    tensors, text = read(path)
    if text.get("format") != CLASSIFIER_FORMAT:
        raise ValueError(f"{path} is a {text.get('format', 'file')!r}, not a classifier: make one with save_classifier")
    classifier = Classifier(**json.loads(text["config"]))
    classifier.load_state_dict(tensors)
    return classifier.eval().requires_grad_(False)


@torch.no_grad()
def features(images: Tensor, classifier: Classifier, *, batch: int = 512) -> Tensor:
    """The classifier's features (B, dim) of pictures (B, C, H, W) in [-1, 1].

    Warns if no pixel is below 0: pictures in [0, 1] would be measured as if they were washed out.
    """
    if len(images) and images.min() >= 0 and images.max() > 0:
        warnings.warn("no pixel is below 0: if the pictures are in [0, 1], pass 2 * x - 1", stacklevel=2)
    device = next(classifier.parameters()).device
    return torch.cat([classifier.features(part.to(device).float()) for part in images.split(batch)]).cpu()


@torch.no_grad()
def classify(images: Tensor, classifier: Classifier, *, batch: int = 512) -> Tensor:
    """The most likely label (B,) of each picture (B, C, H, W). Raises ValueError as `classify_all` does."""
    return classify_all(images, classifier, batch=batch)[:, 0]


@torch.no_grad()
def classify_all(images: Tensor, classifier: Classifier, *, batch: int = 512) -> Tensor:
    """The most likely value of each attribute, (B, K), of pictures (B, C, H, W): the label's first.

    Raises ValueError for a picture that is not finite: the classifier would still give it a label.
    """
    infinite = (~images.flatten(1).isfinite().all(dim=1)).nonzero()
    if len(infinite):
        count = f"{len(infinite)} of {len(images)} pictures"
        raise ValueError(
            f"images[{int(infinite[0])}] is not finite ({count}): leave those pictures out, and say how many"
        )
    device = next(classifier.parameters()).device
    parts = (classifier.logits(part.to(device).float()) for part in images.split(batch))
    return torch.cat([torch.stack([logits.argmax(1) for logits in part], dim=1) for part in parts]).cpu()


def accuracy(images: Tensor, labels: Tensor, classifier: Classifier) -> Estimate:
    """The share of pictures (B, C, H, W) that the classifier gives their label (B,).

    Its spread is the standard error. Raises ValueError unless there is one label a picture, and as `classify_all` does.
    """
    if labels.shape != images.shape[:1] or not len(labels):
        raise ValueError(f"labels have shape {tuple(labels.shape)} for {len(images)} pictures: give one for each")
    right = (classify(images, classifier) == labels.cpu()).double()
    return Estimate(float(right.mean()), float((right.mean() * (1 - right.mean()) / len(right)).sqrt()))
