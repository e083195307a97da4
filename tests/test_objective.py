"""The bound, term by term, against a mixture whose -log p(x) is known exactly."""

import math

import pytest
import torch
from torch import nn

from diffusion_lib.denoisers import Denoiser, Exact
from diffusion_lib.gaussians import Gaussian
from diffusion_lib.objective import (
    bound,
    direct_bound,
    kl_weight,
    loss,
    nats_to_bits_per_dim,
    prior,
    snr_plus_one,
    step_kl,
    velocity,
)
from diffusion_lib.predictions import TARGETS
from diffusion_lib.schedules import EDM, Cosine, CosineBeta, Flow, LinearBeta

F64 = torch.float64


@pytest.mark.parametrize("schedule_", [Cosine(), Flow(), EDM(), LinearBeta()], ids=repr)
def test_kl_step_identity(schedule_):
    """KL(q(s|t,x0) || q(s|t,x̂0)) = ½ (SNR(s) - SNR(t)) |x0 - x̂0|²."""
    x0, x0_hat, x_t = torch.randn(3, 4, 5, dtype=F64, generator=torch.Generator().manual_seed(0))
    for s, t in ((0.3, 0.6), (0.05, 0.1), (0.7, 0.99)):
        kl = step_kl(schedule_, x_t, x0, x0_hat, s, t)
        drop = schedule_.snr(s) - schedule_.snr(t)
        torch.testing.assert_close(kl, drop / 2 * (x0 - x0_hat).square().sum(1), rtol=1e-9, atol=0)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("schedule_", [Cosine(), Flow(), EDM()], ids=repr)
def test_kl_weight_turns_any_targets_error_into_the_kl(schedule_, target):
    x0, eps, x0_hat = torch.randn(3, 4, 5, dtype=F64, generator=torch.Generator().manual_seed(0))
    s, t = 0.35, 0.5
    alpha, sigma = schedule_.pair(t, x0)
    p, q = TARGETS[target](alpha, sigma, lambda: schedule_.rates(t, x0))
    x_t = alpha * x0 + sigma * eps
    eps_hat = (x_t - alpha * x0_hat) / sigma
    squared = (p * (x0 - x0_hat) + q * (eps - eps_hat)).square().sum(1)
    kl = step_kl(schedule_, x_t, x0, x0_hat, s, t)
    torch.testing.assert_close(kl_weight(schedule_, s, t, target) * squared, kl, rtol=1e-9, atol=0)


def test_the_simple_loss_is_not_the_bound():
    weights = [kl_weight(LinearBeta(), (i - 1) / 1000, i / 1000, "eps").item() for i in (2, 100, 500, 1000)]
    assert max(weights) / min(weights) > 10


@pytest.mark.parametrize(
    "schedule_, timesteps", [(CosineBeta(timesteps=64), 64), (LinearBeta(), 100), (Flow(), 32)], ids=repr
)
def test_the_terms_sum_to_the_direct_bound_and_lie_above_the_truth(schedule_, timesteps, line_mixture):
    generator = torch.Generator().manual_seed(3)
    n = 20_000
    x0 = line_mixture.sample(n, generator)
    denoise = Exact(line_mixture, schedule_)
    terms = bound(denoise, x0, timesteps, generator)
    if schedule_ == Flow():
        assert terms.prior.abs().max() < 1e-12  # alpha(1) = 0: the prior term vanishes
    else:
        assert (terms.prior > 0).all()
    difference = direct_bound(denoise, x0, timesteps, generator) - terms.total  # same x0, independent noise
    assert abs(difference.mean()) < 4 * difference.std() / n**0.5
    gap = terms.total + line_mixture.log_prob(x0)
    assert (terms.steps >= 0).all() and terms.steps.shape == (timesteps - 1, n)
    assert gap.mean() > 4 * gap.std() / n**0.5  # strictly above: the steps are finite


def test_the_gap_closes_as_the_steps_of_log_snr_shrink(line_mixture):
    """On EDM every step of log-SNR shrinks with T. On Cosine the first two timesteps are always a factor 4 of SNR apart."""
    generator = torch.Generator().manual_seed(3)
    x0 = line_mixture.sample(20_000, generator)
    truth = -line_mixture.log_prob(x0).mean()
    gaps = []
    for timesteps in (16, 64, 256):
        gaps.append((bound(Exact(line_mixture, EDM()), x0, timesteps, generator).total.mean() - truth).item())
    assert gaps[0] > 2 * gaps[1] > 0 and gaps[1] > 2 * gaps[2] > 0


def test_a_worse_denoiser_has_a_higher_bound(line_mixture):
    class Worse(Exact):
        def __call__(self, x, t, cond=None):
            found = super().__call__(x, t, cond)
            return type(found)(found.x0 + 0.2, found.eps)

    x0 = line_mixture.sample(5000, torch.Generator().manual_seed(3))
    good, bad = (
        bound(kind(line_mixture, Cosine()), x0, 32, torch.Generator().manual_seed(1)).total for kind in (Exact, Worse)
    )
    assert (bad - good).mean() > 4 * (bad - good).std() / 5000**0.5


def test_the_prior_term_is_the_kl_to_the_start_of_sampling(line_mixture):
    q = LinearBeta(timesteps=50)  # terminal SNR 1.5: sampling from N(0, I) is wrong here, and L_T says so
    x0 = torch.tensor([[0.5]], dtype=F64)
    end = q.marginal(x0, 1.0)
    var_0 = q.sigma(1.0) ** 2
    found = bound(Exact(line_mixture, q), x0, 50).prior
    torch.testing.assert_close(found, (end.mean**2 / var_0 / 2)[:, 0])
    assert found > 0.1
    assert prior(q, x0).var.item() == pytest.approx(var_0.item())


def test_loss_is_the_mean_square_of_what_is_missed():
    class Zero(nn.Module):
        def forward(self, x, t, cond=None):
            self.seen = x
            return torch.zeros_like(x)

    x0, noise = torch.randn(2, 6, 3, 4, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    t = torch.linspace(0.1, 0.9, 6, dtype=F64)
    for predicts, target in (("eps", noise), ("x0", x0)):
        net = Zero()
        each = loss(Denoiser(net, Cosine(), predicts), x0, t, noise)
        torch.testing.assert_close(each, target.square().flatten(1).mean(1))
        assert not torch.allclose(net.seen, x0) and not torch.allclose(net.seen, target)  # noised, and not its target
    alpha, sigma = Cosine().pair(t, x0)
    torch.testing.assert_close(net.seen, alpha * x0 + sigma * noise)
    weighted = loss(Denoiser(Zero(), Cosine(), "eps"), x0, t, noise, weight=lambda log_snr: log_snr.exp())
    torch.testing.assert_close(weighted, Cosine().snr(t) * noise.square().flatten(1).mean(1))
    with pytest.raises(ValueError, match=r"noise has shape \(6, 1, 4, 4\) for data of \(6, 3, 4, 4\): .*randn_like"):
        loss(Denoiser(Zero(), Cosine()), x0, t, noise[:, :1])


@pytest.mark.parametrize(
    "weight, schedule_, target", [(snr_plus_one, Cosine(), "v"), (velocity, Flow(), "velocity")], ids=["v", "velocity"]
)
def test_a_weight_makes_the_loss_of_x0_that_of_another_target(weight, schedule_, target):
    """With the same x̂0 behind both targets, and up to the weight's limit of 50."""

    class Guess(nn.Module):
        def __init__(self, predicts):
            super().__init__()
            self.predicts = predicts

        def forward(self, x, t, cond=None):
            x0 = 0.3 * x.sin()
            alpha, sigma = schedule_.pair(t, x)
            x_t = x * torch.hypot(alpha, sigma)  # a network sees inputs of unit size
            if self.predicts == "velocity":
                return (x_t - x0) / sigma
            return x0 if self.predicts == "x0" else (alpha * x_t - x0) / sigma  # v = alpha eps - sigma x0

    x0, noise = torch.randn(2, 6, 3, 4, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    t = torch.linspace(0.15, 1.0, 6, dtype=F64)
    weighted = loss(Denoiser(Guess("x0"), schedule_, "x0"), x0, t, noise, weight=weight)
    torch.testing.assert_close(weighted, loss(Denoiser(Guess(target), schedule_, target), x0, t, noise))


def test_weights_are_limited():
    assert velocity(torch.tensor([-math.inf, 0.0, math.inf])).tolist() == [1, 4, 50]
    assert snr_plus_one(torch.tensor([-math.inf, 0.0, 3.0, math.inf])).tolist() == pytest.approx(
        [1, 2, 1 + math.exp(3), 50]
    )


@pytest.mark.parametrize("timesteps", [0, -1, 2.5])
def test_a_bound_needs_whole_timesteps(timesteps, line_mixture):
    for make in (bound, direct_bound):
        with pytest.raises(ValueError, match="take a whole number of at least 1"):
            make(Exact(line_mixture, Cosine()), torch.zeros(2, 1, dtype=F64), timesteps)


def test_bits_per_dim_of_a_known_density():
    """Uniform on [-1, 1] has log 2 nats a dimension, which is the 8 bits of 256 equal levels."""
    dimensions = 12
    assert nats_to_bits_per_dim(dimensions * math.log(2), dimensions) == pytest.approx(8)
    assert nats_to_bits_per_dim(math.log(2), 1, levels=None) == pytest.approx(1)
    x = torch.rand(1000, dimensions, dtype=F64) * 2 - 1
    nats = -torch.distributions.Uniform(-1, 1).log_prob(x).sum(1).mean()
    assert nats_to_bits_per_dim(nats.double(), dimensions).item() == pytest.approx(8, abs=1e-5)


def test_reconstruction_of_a_point_is_its_gaussian_log_density(line_mixture):
    x0 = torch.tensor([[0.8]], dtype=F64)
    terms = bound(Exact(line_mixture, Cosine()), x0, 16, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    for i in range(2, 17):
        Cosine().marginal(x0, i / 16).sample(generator)
    x_1 = Cosine().marginal(x0, 1 / 16).sample(generator)
    alpha, sigma = Cosine().pair(1 / 16, x0)
    expected = -Gaussian(Exact(line_mixture, Cosine())(x_1, 1 / 16).x0, (sigma / alpha) ** 2).log_prob(x0)
    torch.testing.assert_close(terms.reconstruction, expected[:, 0])
