"""The handwritten digits that come with scikit-learn (Alpaydin and Kaynak 1998): 1797 pictures, no network needed."""

import torch

from .dataset import Dataset
from .pictures import choose, transform
from .sources import DATASETS


@DATASETS.register
def digits(*, size: int | None = None, count: int | None = None, seed: int = 0, train: bool = True) -> Dataset:
    """Handwritten digits, 8 × 8 in 17 shades of grey; of each class, every fifth is for testing."""
    from sklearn import datasets

    source = datasets.load_digits()
    labels = torch.from_numpy(source.target).long()
    rank = torch.zeros_like(labels)  # how many of its class come before
    for digit in range(10):
        rank[labels == digit] = torch.arange((labels == digit).sum())
    rows = choose(((rank % 5 == 4) != train).nonzero()[:, 0], "digits", count, seed)
    prepare = transform(size)
    grey = (source.images / 16).astype("float32")  # ToTensor leaves floats as they are: already [0, 1]
    x = torch.stack([prepare(grey[i]) for i in rows.tolist()])
    return Dataset("digits", x, labels=labels[rows], classes=tuple("0123456789"))
