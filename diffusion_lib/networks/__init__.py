"""Networks: functions of (x, t, cond) that return something of the shape of x.

A network knows nothing of schedules or of what it is asked to predict. It sees a noised x (B, …) of about unit size,
the time t (B,) in [0, 1], where 0 is data and 1 is noise, and a condition. A
:class:`~diffusion_lib.denoisers.Denoiser` gives its output a meaning. To the rest of the package a network is a module
with

* ``config``: plain numbers and texts from which :func:`build` makes it again, ``"kind"`` being its name in
  :data:`NETWORKS`;
* ``conditional``: whether it takes a condition;
* ``null(cond)``: the condition, in the form of ``cond``, by which nothing in particular is asked for.

Adding one is a class with ``@NETWORKS.register``. An :class:`Autoencoder` is registered, too, so that files can hold
it, but is no function of (x, t, cond): it turns pictures into latents and back. Taught in notebook 04.
"""

from .attention import Attention, CrossAttention
from .autoencoder import Autoencoder
from .conditioning import Conditioning, time_embedding
from .mlp import MLP
from .network import NETWORKS, Network, build, parameter_count, thaw
from .one_shot import OneShot
from .text import Text, Tokenizer
from .unet import Block, ResBlock, UNet

__all__ = [
    "MLP",
    "NETWORKS",
    "Attention",
    "Autoencoder",
    "Block",
    "Conditioning",
    "CrossAttention",
    "Network",
    "OneShot",
    "ResBlock",
    "Text",
    "Tokenizer",
    "UNet",
    "build",
    "parameter_count",
    "thaw",
    "time_embedding",
]
