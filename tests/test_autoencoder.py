"""The autoencoder: its bound against the truth, its training, its scale, and training on its latents."""

import math

import pytest
import torch

from diffusion_lib import data, networks
from diffusion_lib.checkpoints import load, save
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.gaussians import LOG_2PI
from diffusion_lib.networks import Autoencoder, UNet
from diffusion_lib.objective import autoencoder_bound
from diffusion_lib.schedules import Flow
from diffusion_lib.training import Encoded, TrainingConfig, train, train_autoencoder
from diffusion_lib.training.batches import stable_hash


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def loud(net):
    generator = seeded(1)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * (p[0].numel() ** -0.5 if p.ndim > 1 else 0.1))
    return net


class Line:
    """A linear autoencoder of one number: x = w z + √v noise with z ~ N(0, 1), and its exact posterior."""

    latent_shape = (1,)

    def __init__(self, w, v, *, off=0.0):
        self.w, self.v, self.off = w, v, off

    def posterior(self, x):
        precision = 1 + self.w**2 / self.v
        mean = self.w * x / self.v / precision + self.off
        return mean, torch.full_like(x, -math.log(precision))

    def picture(self, z):
        return self.w * z


@pytest.mark.parametrize("off", [0.0, 0.3])
def test_the_bound_is_exact_for_the_exact_posterior_and_above_by_the_kl_for_another(off):
    """-log p(x) = -log N(x; 0, w² + v); q's mean is wrong by `off`, which costs KL(q || posterior) = off² / 2 var."""
    w, v, n = 0.8, 0.05, 20_000
    x = torch.full((n, 1), 0.7, dtype=torch.float64)
    terms = autoencoder_bound(Line(w, v, off=off), x, torch.randn(n, 1, generator=seeded(), dtype=torch.float64), v)
    total = w**2 + v
    truth = (x[0, 0] ** 2 / total + math.log(total) + LOG_2PI) / 2
    gap = off**2 * (1 + w**2 / v) / 2
    by_chance = terms.total.std() / n**0.5
    assert abs(terms.total.mean() - truth - gap) < 4 * by_chance
    assert terms.steps.shape == (0, n) and terms.prior.min() >= 0
    if off == 0:
        assert by_chance < 0.02


def test_the_bound_wants_a_variance():
    with pytest.raises(ValueError, match="variance=0 must be above 0"):
        autoencoder_bound(Line(1, 1), torch.zeros(1, 1), torch.zeros(1, 1), 0)


@pytest.mark.parametrize("channels, size, latent", [(3, 32, 4), (1, 28, 2)])
def test_latents_are_a_quarter_as_wide_and_config_rebuilds_the_network(channels, size, latent, tmp_path):
    net = loud(Autoencoder(channels, size, latent=latent, width=16))
    x = torch.randn(2, channels, size, size, generator=seeded())
    net.scale([x])
    z = net.encode(x)
    assert z.shape == (2, latent, size // 4, size // 4) == (2, *net.latent_shape)
    assert net(x).shape == x.shape and torch.equal(net(x), net.decode(z))
    save(tmp_path / "model.safetensors", {"autoencoder": net})
    again = load(tmp_path / "model.safetensors")["autoencoder"]
    assert torch.equal(again.encode(x), z) and again.config == net.config


def test_scaled_latents_have_mean_zero_and_variance_one_in_each_channel():
    net = loud(Autoencoder(width=16))
    x = [torch.randn(32, 3, 32, 32, generator=seeded(i)) for i in range(3)]
    before = net.posterior(torch.cat(x))[0]
    net.scale(x)
    z = net.encode(torch.cat(x))
    assert z.mean((0, 2, 3)).abs().max() < 1e-4 and (z.std((0, 2, 3)) - 1).abs().max() < 1e-4
    torch.testing.assert_close(net.decode(z), net.picture(before), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="no pictures"):
        net.scale([])


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match="size=30 is no multiple of 4"):
        Autoencoder(3, 30)
    net = Autoencoder(width=16)
    with pytest.raises(ValueError, match=r"x has shape \(1, 1, 32, 32\), this Autoencoder takes \(B, 3, 32, 32\)"):
        net.encode(torch.zeros(1, 1, 32, 32))
    with pytest.raises(ValueError, match=r"x has shape \(1, 4, 4, 4\).*\(B, 4, 8, 8\)"):
        net.decode(torch.zeros(1, 4, 4, 4))


def test_training_lowers_the_error_and_is_the_same_again_and_scales_the_latents():
    def run():
        torch.manual_seed(0)
        net = Autoencoder(1, 8, latent=2, width=16)
        digits = data.load("digits")
        return net, digits, list(train_autoencoder(net, digits, steps=60, batch=32, variance=0.02, progress=False))

    (net, digits, steps), (again, _, steps_again) = run(), run()
    assert [p.step for p in steps] == list(range(1, 61)) and steps == steps_again
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))
    assert steps[-1].error < 0.6 * steps[0].error and steps[-1].kl > 1
    with torch.no_grad():
        z = net.encode(digits.x)
        error = (net(digits.x) - digits.x).square().mean().item()
    assert z.mean((0, 2, 3)).abs().max() < 0.1 and (z.std((0, 2, 3)) - 1).abs().max() < 0.1  # from 1024 others
    assert error < 0.5 * digits.x.var().item() and error < 1.1 * steps[-1].error  # without the latents' noise
    assert not net.training


def test_training_is_the_loop_that_it_says():
    """Three steps written out: each gradient is its own batch's, of the bound per pixel, clipped, at the stated rate."""
    pictures = torch.rand(40, 1, 8, 8, generator=seeded()) * 2 - 1

    def new():
        torch.manual_seed(0)
        return Autoencoder(1, 8, latent=2, width=16)

    net, mine, lr, steps = new(), new(), 3e-3, 3
    list(train_autoencoder(net, pictures, steps=steps, batch=4, lr=lr, variance=0.5, seed=2, progress=False))
    optimizer = torch.optim.AdamW(mine.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(1, steps + 1):
        generator = torch.Generator().manual_seed(stable_hash(2, step))
        x = pictures[torch.randint(40, (4,), generator=generator)]
        noise = torch.randn(4, 2, 2, 2, generator=generator)
        mean, log_variance = mine.posterior(x)
        left = (mine.picture(mean + (log_variance / 2).exp() * noise) - x).square() / 0.5
        kl = (mean**2 + log_variance.exp() - 1 - log_variance) / 2
        loss = ((left + math.log(0.5) + LOG_2PI).sum() / 2 + kl.sum()) / 4 / 64
        gradients = torch.autograd.grad(loss, list(mine.parameters()))
        norm = torch.stack([g.norm() for g in gradients]).norm()
        for weight, gradient in zip(mine.parameters(), gradients, strict=True):
            weight.grad = gradient * min(1.0, 1 / (norm.item() + 1e-6))
        optimizer.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * (step - 1) / steps)) / 2
        optimizer.step()
    for ours, expected in zip(net.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)  # Adam divides small gradients by their size


def test_the_reported_error_is_the_mean_squared_error():
    """With the noise of the step itself: error = v (2 nats per pixel - log 2 pi v), undone."""
    net = loud(Autoencoder(1, 8, latent=2, width=16))
    x, noise = torch.randn(5, 1, 8, 8, generator=seeded()), torch.randn(5, 2, 2, 2, generator=seeded(1))
    terms = autoencoder_bound(net, x, noise, 0.02)
    mean, log_variance = net.posterior(x)
    picture = net.picture(mean + (log_variance / 2).exp() * noise)
    nats = ((picture - x).square() / 0.02 + math.log(0.02) + LOG_2PI) / 2
    torch.testing.assert_close(terms.reconstruction, nats.flatten(1).sum(1))
    kl = (mean**2 + log_variance.exp() - 1 - log_variance) / 2
    torch.testing.assert_close(terms.prior, kl.flatten(1).sum(1), rtol=1e-4, atol=1e-4)


def test_bad_options_and_a_bound_that_is_not_finite():
    net, pictures = Autoencoder(1, 8, latent=2, width=16), torch.zeros(4, 1, 8, 8)
    with pytest.raises(ValueError, match="steps=0: take a whole number of at least 1"):
        train_autoencoder(net, pictures, steps=0)
    with pytest.raises(ValueError, match="lr=0 must be above 0"):
        train_autoencoder(net, pictures, lr=0)
    with pytest.raises(ValueError, match="steps=2.5: take a whole number of at least 1"):
        train_autoencoder(net, pictures, steps=2.5)
    with pytest.raises(ValueError, match="batch=2.5: take a whole number of at least 1"):
        train_autoencoder(net, pictures, batch=2.5)
    for variance in (0, math.inf, math.nan):  # refused at the call, before the first step is asked for
        with pytest.raises(ValueError, match=f"variance={variance} must be above 0 and finite"):
            train_autoencoder(net, pictures, variance=variance)
    with pytest.raises(FloatingPointError, match="the bound is nan at step 1 of 3"):
        list(train_autoencoder(net, pictures * math.nan, steps=3, progress=False))


# --- training on latents ------------------------------------------------------------------------


def test_what_is_drawn_is_encoded_and_told_its_caption():
    autoencoder = loud(Autoencoder(width=16))
    fresh = data.Fresh("shapes", without=(("red", "star"),))
    tokenizer = networks.Tokenizer.of(data.shapes.caption(data.shapes.combinations()))
    encoded = Encoded(fresh, autoencoder, tokenizer)
    x0, cond, noise = encoded(6, seeded(3))
    rows = fresh.dataset(6, seeded(3))
    assert torch.equal(x0, autoencoder.encode(rows.x)) and noise is None and not x0.requires_grad
    assert tokenizer.captions(cond) == rows.captions
    assert encoded.name == "shapes" and encoded.classes == ()
    plain = Encoded(fresh)(6, seeded(3))
    assert torch.equal(plain.x0, rows.x) and plain.cond is None


def test_a_fixed_data_set_is_drawn_row_by_row():
    emoji = data.load("emoji", count=50)
    tokenizer = networks.Tokenizer.of(emoji.captions)
    x0, cond, _ = Encoded(emoji, None, tokenizer)(8, seeded())
    for picture, tokens in zip(x0, cond, strict=True):
        row = (emoji.x == picture).flatten(1).all(1).nonzero()[0].item()
        assert torch.equal(tokenizer(emoji.captions[row])[0], tokens)
    with pytest.raises(ValueError, match="digits has no captions"):
        Encoded(data.load("digits"), None, tokenizer)


def test_a_run_on_latents_resumes_bit_identically(tmp_path):
    torch.manual_seed(0)
    autoencoder = loud(Autoencoder(width=16)).eval()
    tokenizer = networks.Tokenizer.of(data.shapes.caption(data.shapes.combinations()))
    draw = Encoded(data.Fresh("shapes"), autoencoder, tokenizer)
    config = TrainingConfig(steps=4, batch=4, precision="float32")

    def run(folder, stop=None):
        torch.manual_seed(1)
        net = UNet(4, 8, width=16, multipliers=(1,), attention=(0,), words=tokenizer.words, length=tokenizer.length)
        for p in train(Denoiser(net, Flow(), "v"), draw, config, folder=folder, progress=False):
            if p.step == stop:
                break
        return [w.clone() for w in p.denoiser.net.parameters()]

    whole = run(tmp_path / "whole")
    run(tmp_path / "halves", stop=2)
    again = run(tmp_path / "halves")
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))
