"""Training a denoiser: what is drawn for each step, the loop, its options and its checkpoints. Taught in notebook 05.

config          the options, :class:`TrainingConfig`
batches         what one step is trained on, every random number from (seed, step, index in the batch)
loop            :func:`train`, a generator of one :class:`Progress` a step
optimizers      how a gradient becomes a step
engine          what the loop does not show: processes, precision, moving average, progress bar
checkpointing   a run in one file, resumed bit for bit
autoencoder     :func:`train_autoencoder`, for latent diffusion
latents         :class:`Encoded`: what is drawn, as latents with their captions' tokens
"""

from ..data.draws import Draw
from .autoencoder import AutoencoderProgress, train_autoencoder
from .batches import Batch, Rows, draw_batch
from .checkpointing import CHECKPOINT
from .config import DECAYS, TIMES, TrainingConfig
from .engine import accelerator, ema_decay, moving_average
from .latents import Encoded
from .loop import train
from .optimizers import OPTIMIZERS
from .progress import Progress

__all__ = [
    "CHECKPOINT",
    "DECAYS",
    "OPTIMIZERS",
    "TIMES",
    "AutoencoderProgress",
    "Batch",
    "Draw",
    "Encoded",
    "Progress",
    "Rows",
    "TrainingConfig",
    "accelerator",
    "draw_batch",
    "ema_decay",
    "moving_average",
    "train",
    "train_autoencoder",
]
