"""Networks of `diffusers` under the course's samplers, and its pipelines around the course's denoisers.

Networks are tiny and random. Tolerances: relative 1e-4 of the largest sample, float32 rounding over the steps.
"""

import json
import warnings
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from diffusion_lib.checkpoints import bundled, load_denoiser
from diffusion_lib.denoisers import Denoiser, Guided, Latent
from diffusion_lib.interop import as_coder, as_denoiser, as_pipeline_parts
from diffusion_lib.networks import UNet
from diffusion_lib.sampling import ancestral, ddim, sample, walk
from diffusion_lib.schedules import EDM, Cosine, LinearBeta, ScaledLinearBeta
from diffusion_lib.times import timesteps, uniform_times

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    diffusers = pytest.importorskip("diffusers", reason="pip install diffusers: the library to work with")

T = 1000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def close(ours, theirs):
    assert theirs.isfinite().all() and theirs.std() > 0.01
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


def small_unet(**options):
    torch.manual_seed(0)
    blocks = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
    blocks |= {"down_block_types": ("DownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "UpBlock2D")}
    return diffusers.UNet2DModel(sample_size=8, in_channels=1, out_channels=1, **blocks, **options).eval()


def text_unet():
    torch.manual_seed(0)
    return diffusers.UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=12,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval()


def theirs(scheduler, n, x, model, **options):
    scheduler.set_timesteps(n)
    with torch.no_grad():
        for k in scheduler.timesteps:
            x = scheduler.step(model(x, k), k, x, **options).prev_sample
    return x


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_our_ddim_drives_their_network(kind):
    unet = small_unet()
    scheduler = diffusers.DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type=kind, clip_sample=False,
        timestep_spacing="leading", steps_offset=0,
    )  # fmt: skip
    denoise = as_denoiser(unet, scheduler)
    assert denoise.schedule.timesteps == T and not denoise.conditional
    torch.testing.assert_close(denoise.schedule.betas(), ScaledLinearBeta().betas(), rtol=1e-6, atol=0)
    x = torch.randn(2, 1, 8, 8, generator=seeded())
    expected = theirs(scheduler, 10, x, lambda x, k: unet(x, k).sample)
    *_, end = walk(denoise, x, timesteps(T, 10, "leading"), ddim)
    close(end.x, expected)


def test_their_table_without_any_signal_at_its_end_is_taken():
    """`rescale_betas_zero_snr`: from t = 1, where alpha is 0, our walk is theirs."""
    unet = small_unet()
    scheduler = diffusers.DDIMScheduler(
        rescale_betas_zero_snr=True, prediction_type="v_prediction", clip_sample=False, timestep_spacing="trailing"
    )
    denoise = as_denoiser(unet, scheduler)
    assert denoise.schedule.alpha(1.0) == 0
    x = torch.randn(2, 1, 8, 8, generator=seeded())
    *_, end = walk(denoise, x, timesteps(T, 10, "trailing"), ddim)
    close(end.x, theirs(scheduler, 10, x, lambda x, k: unet(x, k).sample))


def test_our_ancestral_step_drives_their_network_with_their_noise():
    unet, scheduler = small_unet(), diffusers.DDPMScheduler(clip_sample=False, timestep_spacing="trailing")
    x = torch.randn(2, 1, 8, 8, generator=seeded())
    expected = theirs(scheduler, 20, x, lambda x, k: unet(x, k).sample, generator=seeded(5))
    *_, end = walk(as_denoiser(unet, scheduler), x, timesteps(T, 20, "trailing"), ancestral, generator=seeded(5))
    close(end.x, expected)


def test_our_guidance_drives_their_network_with_text():
    unet, scheduler = text_unet(), diffusers.DDIMScheduler(clip_sample=False, timestep_spacing="leading")
    nothing = torch.randn(5, 12, generator=seeded(1))
    prompts = torch.randn(2, 5, 12, generator=seeded(2))
    denoise = as_denoiser(unet, scheduler, nothing=nothing)
    x = torch.randn(2, 4, 8, 8, generator=seeded())

    def guided(x, k):
        without = unet(x, k, nothing.expand(2, -1, -1)).sample
        return without + 3 * (unet(x, k, prompts).sample - without)

    expected = theirs(scheduler, 10, x, guided)
    *_, end = walk(Guided(denoise, 3.0), x, timesteps(T, 10, "leading"), ddim, cond=prompts)
    close(end.x, expected)
    with torch.no_grad():
        assert torch.equal(denoise(x, 0.5).x0, denoise(x, 0.5, denoise.null(prompts)).x0)


def test_their_flow_matching_is_our_flow():
    unet, scheduler = small_unet(), diffusers.FlowMatchEulerDiscreteScheduler()
    sigmas = torch.linspace(1, 0.1, 10).tolist()
    scheduler.set_timesteps(sigmas=sigmas)
    x = torch.randn(2, 1, 8, 8, generator=seeded())
    expected = x
    with torch.no_grad():
        for k in scheduler.timesteps:
            expected = scheduler.step(unet(expected, k).sample, k, expected).prev_sample
    denoise = as_denoiser(unet, scheduler)
    *_, end = walk(denoise, x, uniform_times(10), "euler")
    close(end.x, expected)


def test_what_is_no_such_scheduler_is_refused():
    with pytest.raises(ValueError, match="SimpleNamespace has no betas and is not for flow matching"):
        as_denoiser(small_unet(), SimpleNamespace(config={}))
    scheduler = diffusers.DDIMScheduler()
    scheduler.register_to_config(prediction_type="other")
    with pytest.raises(ValueError, match="prediction_type='other', none of epsilon, sample, v_prediction"):
        as_denoiser(small_unet(), scheduler)


def small_vae():
    torch.manual_seed(0)
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.3,
    ).eval()


def test_their_autoencoder_codes_for_our_latent_denoiser():
    vae = small_vae()
    coder = as_coder(vae, 16)
    latent = Latent(as_denoiser(text_unet(), diffusers.DDIMScheduler(), nothing=torch.zeros(5, 12)), coder)
    assert latent.shape == (4, 8, 8)
    x = torch.randn(2, 3, 16, 16, generator=seeded())
    with torch.no_grad():
        expected = vae.encode(x).latent_dist.mean * 0.3
        torch.testing.assert_close(latent.encode(x), expected)
        torch.testing.assert_close(latent.decode(expected), vae.decode(expected / 0.3).sample)
    pictures = latent.decode(sample(latent, latent.shape, 2, steps=2))
    assert pictures.shape == (2, 3, 16, 16)


@pytest.mark.parametrize("schedule_", [LinearBeta(), Cosine()], ids=repr)
def test_our_denoiser_runs_in_their_pipeline(schedule_):
    torch.manual_seed(0)
    net = UNet(1, 8, width=16, multipliers=(1,), attention=())
    with torch.no_grad():
        for weight in net.parameters():  # a new network answers 0, whatever the time
            weight.copy_(0.2 * torch.randn(weight.shape, generator=seeded(weight.numel())))
    denoise = Denoiser(net, schedule_, "v")
    pipeline = diffusers.DDIMPipeline(*as_pipeline_parts(denoise, (1, 8, 8)))
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(batch_size=3, generator=seeded(), num_inference_steps=20, output_type="np").images
    x = torch.randn(3, 1, 8, 8, generator=seeded())
    ours = sample(denoise, (1, 8, 8), 3, x=x, times=timesteps(T, 20, "trailing"))
    close(((ours + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1), torch.from_numpy(expected))


def test_a_bundled_model_draws_in_their_pipeline():
    denoise = load_denoiser(bundled("digits"))
    pipeline = diffusers.DDIMPipeline(*as_pipeline_parts(denoise, (1, 8, 8)))
    pipeline.set_progress_bar_config(disable=True)
    images = torch.from_numpy(
        pipeline(batch_size=4, generator=seeded(), num_inference_steps=10, output_type="np").images
    )
    assert images.shape == (4, 8, 8, 1) and images.std() > 0.2


def test_a_schedule_without_betas_has_no_scheduler():
    with pytest.raises(ValueError, match="has no beta table"):
        as_pipeline_parts(Denoiser(UNet(1, 8), EDM(), "v"), (1, 8, 8))


class Words:
    """A tokenizer and a text encoder of theirs, as far as a pipeline is asked for them; `clip` has the real ones."""

    model_max_length = 5

    def __call__(self, text, *, padding, truncation, max_length, return_tensors):
        assert (padding, truncation, max_length, return_tensors) == ("max_length", True, 5, "pt")
        ids = ([len(word) for word in text.split()] + [0] * 5)[:5]
        return SimpleNamespace(input_ids=torch.tensor([ids]))


def plain_words():
    torch.manual_seed(1)
    table = torch.nn.Embedding(50, 12)
    return Words(), lambda ids: (table(ids), None)


def clip(folder):
    """Tiny ones of `transformers`, which the pretrained pipeline has; the tests do not ask for it to be installed."""
    transformers = pytest.importorskip("transformers", reason="pip install transformers: the text encoder's library")
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=5)
    torch.manual_seed(1)
    config = transformers.CLIPTextConfig(
        vocab_size=len(words), hidden_size=12, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=5, projection_dim=12, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return tokenizer, transformers.CLIPTextModel(config).eval()


def optional_cell():
    """What notebook 09's cell for the pretrained pipeline defines, run as it stands: it downloads nothing."""
    (path,) = (Path(__file__).parents[1] / "notebooks").glob("09_*.ipynb")
    (cell,) = [
        "".join(cell["source"])
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code" and "PRETRAINED =" in "".join(cell["source"])
    ]
    made = {"torch": torch, "as_denoiser": as_denoiser, "as_coder": as_coder, "Latent": Latent, "Guided": Guided}
    made |= {"sample": sample}
    exec(cell, made)
    return made


@pytest.mark.parametrize("words", ["plain", "clip"])
def test_the_notebooks_cell_drives_a_pipeline_as_theirs_does(words, tmp_path):
    tokenizer, encoder = plain_words() if words == "plain" else clip(tmp_path)
    scheduler = diffusers.DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False
    )
    vae = small_vae()
    pipeline = SimpleNamespace(
        tokenizer=tokenizer, text_encoder=encoder, unet=text_unet(), scheduler=scheduler, vae=vae
    )
    made = optional_cell()
    drawn = made["drawn_by"](pipeline, "a storm", size=16, scale=3.0, steps=5)
    assert drawn.shape == (1, 3, 16, 16) and drawn.isfinite().all()

    def vectors(text):
        ids = tokenizer(text, padding="max_length", truncation=True, max_length=5, return_tensors="pt").input_ids
        with torch.no_grad():
            return encoder(ids)[0]

    def guided(x, k):  # guidance as their pipeline writes it
        uncond, cond = (pipeline.unet(x, k, vectors(text), return_dict=False)[0] for text in ("", "a storm"))
        return uncond + 3.0 * (cond - uncond)

    denoise = as_denoiser(pipeline.unet, scheduler, nothing=vectors("")[0])
    expected = denoise.schedule.prior((1, 4, 8, 8), seeded(), t=1.0, dtype=torch.float32)
    for t, s in pairwise(uniform_times(5)):
        with torch.no_grad():
            eps = guided(expected, torch.tensor(t * T - 1))
        alpha, sigma = denoise.schedule.pair(t, expected)
        alpha_s, sigma_s = denoise.schedule.pair(s, expected)
        expected = alpha_s * (expected - sigma * eps) / alpha + sigma_s * eps
    with torch.no_grad():
        close(drawn, vae.decode(expected / vae.config.scaling_factor).sample)


def test_the_notebook_says_how_much_it_would_download():
    made = optional_cell()
    assert made["download"] is False and "diffusers" not in made
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        vae = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
    sizes = made["WEIGHTS"]
    assert sizes["U-Net"] == sum(weight.numel() for weight in unet.parameters())
    assert sizes["autoencoder"] == sum(weight.numel() for weight in vae.parameters())
    # CLIP ViT-L/14: 49 408 words, 77 places, 12 layers of width 768
    d, layers = 768, 12
    layer = 4 * (d * d + d) + (2 * 4 * d * d + 4 * d + d) + 2 * 2 * d
    assert sizes["text encoder"] == (49408 + 77) * d + layers * layer + 2 * d
