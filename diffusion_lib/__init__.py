"""diffusion_lib: the mathematics, networks and pictures that the notebooks of this course stand on.

Everything here is one sentence, ``x_t = alpha(t) * x_0 + sigma(t) * noise``, read in four ways:

* a *schedule* (:mod:`~diffusion_lib.schedules`) is the pair of curves (alpha, sigma);
* a *denoiser* (:mod:`~diffusion_lib.denoisers`) guesses x_0 and the noise from x_t;
* a *sampler* (:mod:`~diffusion_lib.sampling`) walks from t = 1 to t = 0 with those guesses;
* *training* (:mod:`~diffusion_lib.training`) makes a network guess well.

Read them in this order; each imports only from those before it (the table is in ``pyproject.toml``)::

    registry  bundled  conditions  gaussians  schedules  times  predictions  networks  data
    denoisers  objective  sampling  interop  checkpoints  training  evaluation  course

``course`` is the classroom: figures, widgets, exercises, pages. Modules are loaded on first use, so
``import diffusion_lib`` costs next to nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 in the order of the floor plan
    "registry",
    "bundled",
    "conditions",
    "gaussians",
    "schedules",
    "times",
    "predictions",
    "networks",
    "data",
    "denoisers",
    "objective",
    "sampling",
    "interop",
    "checkpoints",
    "training",
    "evaluation",
    "course",
]


def __getattr__(name: str):
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__():
    return sorted([*globals(), *__all__])
