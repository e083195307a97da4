"""How good are the samples? Numbers with error bars, next to what real data would score.

`metrics` measures how far samples are from data, `classifier` gives the features to measure it in, and `estimates` the
error bars.
"""

from .classifier import (
    Classifier,
    accuracy,
    classify,
    classify_all,
    features,
    load_classifier,
    save_classifier,
    train_classifier,
)
from .estimates import Estimate, bootstrap
from .metrics import (
    Neighbours,
    PrecisionRecall,
    frechet,
    frechet_distance,
    gaussian_frechet,
    nearest_neighbours,
    precision_recall,
    real_floor,
    sliced_wasserstein,
    wasserstein,
)

__all__ = [  # noqa: RUF022 in the order to read them
    "Classifier",
    "train_classifier",
    "save_classifier",
    "load_classifier",
    "features",
    "classify",
    "classify_all",
    "accuracy",
    "Estimate",
    "bootstrap",
    "frechet",
    "frechet_distance",
    "gaussian_frechet",
    "real_floor",
    "wasserstein",
    "sliced_wasserstein",
    "Neighbours",
    "nearest_neighbours",
    "PrecisionRecall",
    "precision_recall",
]
