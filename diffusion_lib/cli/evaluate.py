"""``evaluate``: how far a model's samples are from real data, beside the distance between real data and real data."""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from .. import evaluation
from ..checkpoints import bundled
from ..data import Dataset, load
from ..denoisers import Latent
from .models import Model, add_sampling_options, draw, network_of, open_model


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("model", help="a model file, or the name of a bundled one")
    parser.add_argument("--data", help="data set to compare with (the model's own if left out)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise and the data (default: 0)")
    add_sampling_options(parser, count=300, label=False)


def run(options: argparse.Namespace) -> None:
    """Draw samples and print their distance to real data, and its floor."""
    model, card = open_model(options.model)
    name, shape = options.data or card.data["name"], card.data["shape"]
    if isinstance(model, Latent):
        shape = list(model.autoencoder.shape)
    size = shape[-1] if len(shape) == 3 else None
    if name == "tensor":
        raise ValueError("the model was trained on a tensor, which has no name: say with --data what to compare with")
    real = load(name, size=size, seed=options.seed)
    train, test = real.split(0.8) if name.startswith("folder:") else (real, load(name, size=size, train=False))
    if list(real.shape) != shape:
        raise ValueError(f"{name} has examples of shape {real.shape}, the model makes {tuple(shape)}")
    n, against = options.samples, min(len(train), 5000)
    both = torch.cat([train.x[:against], test.x])
    if not 2 <= n <= len(test):
        raise ValueError(f"--samples {n}: compare 2 to {len(test)}, as many as there are real ones to test with")
    cond = asked_as(test, n, model)
    samples = draw(model, card.data, options, cond)
    if real.is_images:
        classifier = classifier_for(train)
        samples = samples.clamp(-1, 1)
        distance = evaluation.frechet(samples, train.x[:against], classifier)
        floor = evaluation.real_floor(both, n, classifier, against=against, seed=options.seed)
        print(f"Fréchet distance of {n} samples to {against} real pictures: {distance:.4g}")
        print(f"the same of {n} real ones: {floor} (model / real: {distance / floor.value:.2f})")
        if cond is not None and test.labels is not None:
            right = evaluation.accuracy(samples, test.labels[:n], classifier)
            print(f"samples that a classifier gives their label: {right}")
    else:
        distance, floor = (evaluation.sliced_wasserstein(x, train.x[:against]) for x in (samples, test.x[:n]))
        print(f"sliced Wasserstein distance of {n} samples to {against} real points: {distance:.4g}")
        print(f"the same of {n} real ones: {floor:.4g} (model / real: {distance / floor:.2f})")


def asked_as(test: Dataset, count: int, model: Model) -> Tensor | None:
    """What the first ``count`` real examples are, as the model is asked: in the proportions of the data."""
    if not model.conditional:
        return None
    network = network_of(model)
    if getattr(network, "text", None) is None:
        if test.labels is None:
            raise ValueError(f"{test.name} has no labels to ask the model by: compare with the data it was trained on")
        return test.labels[:count]
    if test.captions is None:
        raise ValueError(f"{test.name} has no captions to ask the model by: compare with the data it was trained on")
    return network.tokens(test.captions[:count])


def classifier_for(data: Dataset) -> evaluation.Classifier:
    """The bundled classifier of a data set, if there is one for pictures of this size; else one that is trained now."""
    try:
        classifier = evaluation.load_classifier(bundled(f"{data.name}_classifier"))
    except FileNotFoundError:
        return evaluation.train_classifier(data)
    return classifier if classifier.shape == data.shape else evaluation.train_classifier(data)
