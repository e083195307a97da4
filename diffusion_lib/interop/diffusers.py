"""Networks of `diffusers` under the course's samplers, and the course's denoisers in its pipelines.

Both libraries mean the same, in other words:

| there | here |
| --- | --- |
| timestep k = 0 … T - 1 | t = (k + 1) / T |
| a scheduler's `betas` | the schedule :class:`~diffusion_lib.schedules.Discrete` |
| `prediction_type` epsilon, sample, v_prediction | predicts eps, x0, v |
| a flow-matching scheduler, timestep 1000 sigma | the schedule `Flow`, predicts velocity |
| `encoder_hidden_states`, the text's vectors (B, L, D) | the condition `cond` |
| `scaling_factor` and `shift_factor` of an autoencoder | what `encode` and `decode` multiply and shift by |

Nothing here downloads anything, and only :func:`as_pipeline_parts` imports `diffusers`. Tested against version 0.42.1.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ..denoisers import Denoiser
from ..schedules import Discrete, Flow, Schedule

PREDICTS = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}


class Adapted(nn.Module):
    """A network of `diffusers` as the course calls one: x (B, …), t (B,) in [0, 1], cond -> the shape of x.

    ``nothing`` (L, D) is the text's vectors for "nothing was asked for": those of an empty prompt.
    """

    def __init__(self, unet: nn.Module, scale: float, offset: float, nothing: Tensor | None):
        super().__init__()
        self.unet, self.scale, self.offset = unet, scale, offset
        self.conditional = nothing is not None
        self.register_buffer("nothing", nothing, persistent=False)

    def null(self, cond: Tensor | None) -> Tensor | None:
        """The empty prompt's vectors (B, L, D) for each sample."""
        return None if cond is None else self.nothing.to(cond).expand_as(cond)

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        timestep = (t * self.scale - self.offset).clamp(min=0)
        if not self.conditional:
            return self.unet(x, timestep, return_dict=False)[0]
        cond = self.nothing.to(x).expand(len(x), -1, -1) if cond is None else cond
        return self.unet(x, timestep, cond, return_dict=False)[0]


def as_denoiser(unet: nn.Module, scheduler: Any, *, nothing: Tensor | None = None) -> Denoiser:
    """A network of `diffusers` and the scheduler that it was trained with, as a denoiser for `sample`, `Guided`, ….

    unet: `UNet2DModel`, `UNet2DConditionModel` or what is called like them. scheduler: what its pipeline holds; only
    its betas and its prediction type are read, or that it is for flow matching. nothing: for a network with text, the
    vectors (L, D) of an empty prompt; the condition of a sample is its prompt's, (B, L, D).

    Raises:
        ValueError: a scheduler with neither betas nor flow matching, or a prediction type that is not known.
    """
    name = type(scheduler).__name__
    if "FlowMatch" in name:
        scale = scheduler.config.num_train_timesteps
        return Denoiser(Adapted(unet, scale, 0.0, nothing), Flow(), "velocity", scale_input=False)
    betas = getattr(scheduler, "betas", None)
    if betas is None:
        raise ValueError(
            f"{name} has no betas and is not for flow matching: give DDPM's, DDIM's or a FlowMatch scheduler"
        )
    kind = scheduler.config.get("prediction_type", "epsilon")
    if kind not in PREDICTS:
        raise ValueError(f"{name} has prediction_type={kind!r}, none of {', '.join(PREDICTS)}")
    schedule = Discrete(tuple(betas.double().tolist()))
    return Denoiser(Adapted(unet, schedule.timesteps, 1.0, nothing), schedule, PREDICTS[kind], scale_input=False)


class AdaptedCoder:
    """An `AutoencoderKL` of `diffusers`, called as :class:`~diffusion_lib.denoisers.Latent` calls an autoencoder."""

    def __init__(self, vae: nn.Module, size: int):
        self.vae = vae
        self.scale, self.shift = vae.config.scaling_factor, getattr(vae.config, "shift_factor", None) or 0.0
        side = size // 2 ** (len(vae.config.block_out_channels) - 1)
        self.latent_shape = (vae.config.latent_channels, side, side)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Latents of pictures in [-1, 1]: the mean, shifted and scaled."""
        return (self.vae.encode(x).latent_dist.mean - self.shift) * self.scale

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Pictures of latents."""
        return self.vae.decode(z / self.scale + self.shift).sample


def as_coder(vae: nn.Module, size: int) -> AdaptedCoder:
    """`AutoencoderKL` for `Latent(denoiser, …)`, for pictures of ``size`` pixels a side."""
    return AdaptedCoder(vae, size)


class AdaptedUNet(nn.Module):
    """A denoiser of the course as a pipeline of `diffusers` calls its network: it answers with v."""

    def __init__(self, denoiser: Denoiser, shape: tuple[int, int, int], timesteps: int):
        super().__init__()
        self.net = getattr(denoiser, "net", None)  # whose weights the pipeline moves to its device
        self.denoiser, self.timesteps = denoiser, timesteps
        self.config = SimpleNamespace(sample_size=shape[-1], in_channels=shape[0])

    @property
    def dtype(self) -> torch.dtype:
        """Of the pictures that it takes."""
        return torch.float32

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters(), torch.empty(0)).device

    @torch.no_grad()
    def forward(self, sample: Tensor, timestep: Tensor | int, *_, return_dict: bool = True, **__) -> Any:
        t = (torch.as_tensor(timestep).double() + 1) / self.timesteps
        guess = self.denoiser(sample, t.item() if t.ndim == 0 else t)
        alpha, sigma = self.denoiser.schedule.pair(t.to("cpu"), sample)
        v = alpha * guess.eps - sigma * guess.x0
        return SimpleNamespace(sample=v) if return_dict else (v,)


def as_pipeline_parts(
    denoiser: Denoiser, shape: tuple[int, int, int], *, timesteps: int = 1000
) -> tuple[AdaptedUNet, Any]:
    """What `DDIMPipeline(unet, scheduler)` takes, from a denoiser of pictures (C, size, size) of the course.

    The scheduler is a `DDIMScheduler` with this schedule's betas in ``timesteps`` steps, from the last of them, without
    clipping. Raises ImportError if `diffusers` is not installed, ValueError for a schedule without betas.
    """
    try:
        from diffusers import DDIMScheduler
    except ImportError:
        raise ImportError("diffusers is not installed: pip install diffusers") from None
    schedule: Schedule = denoiser.schedule
    scheduler = DDIMScheduler(
        num_train_timesteps=timesteps,
        trained_betas=schedule.betas(timesteps).float().numpy(),
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
    )
    return AdaptedUNet(denoiser, shape, timesteps), scheduler
