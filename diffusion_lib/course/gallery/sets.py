"""The two sets of data that the gallery looks at: 8×8 digits as rows of 64 numbers, and four blobs in the plane."""

import functools

import torch
from torch import Tensor

from ... import data


@functools.cache
def digits(count: int = 400) -> Tensor:
    """Handwritten digits, (count, 64), from -1 to 1."""
    return data.load("digits").x[:count].flatten(1)


@functools.cache
def blobs(count: int = 1000, seed: int = 12) -> Tensor:
    """Points of four blobs in the plane, (count, 2); each coordinate has mean 0 and variance 1, about."""
    mixture = data.load("mixture", count=1).mixture
    return mixture.sample(count, torch.Generator().manual_seed(seed)).float()
