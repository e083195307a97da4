"""Langevin dynamics and the reverse SDE with the exact denoiser: scores, stationary variances, order in distribution."""

from itertools import pairwise

import pytest
import torch

from diffusion_lib.denoisers import Exact
from diffusion_lib.gaussians import GaussianMixture
from diffusion_lib.sampling import euler_maruyama, langevin, sample, score, walk
from diffusion_lib.schedules import EDM, Cosine, Flow, LinearBeta
from diffusion_lib.times import log_snr_times

F64 = torch.float64


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def one_gaussian(variance):
    """A mixture of one component, in one dimension."""
    return GaussianMixture(torch.ones(1, dtype=F64), torch.zeros(1, 1, dtype=F64), torch.tensor([variance], dtype=F64))


def test_the_score_is_the_gradient_of_the_log_density(schedule, mixture):
    """Central differences of log q_t at the same t; their error is of order (1e-5)², and of rounding over 1e-5."""
    x = torch.randn(20, 2, generator=seeded(0), dtype=F64)
    t, h = 0.4, 1e-5
    noised = mixture.marginal(schedule.alpha(t), schedule.sigma(t))
    found = score(Exact(mixture, schedule), x, t)
    for axis in torch.eye(2, dtype=F64):
        slope = (noised.log_prob(x + h * axis) - noised.log_prob(x - h * axis)) / (2 * h)
        torch.testing.assert_close((found * axis).sum(1), slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("size", [0.02, 0.4])
@pytest.mark.parametrize("schedule_", [Cosine(), EDM()], ids=repr)
def test_langevin_settles_at_the_variance_that_its_step_has(size, schedule_):
    """For a Gaussian, x ← (1 - h/v) x + √(2h) z settles at v / (1 - h / 2v): within 4 standard errors of it."""
    n, t = 40_000, 0.5
    denoise = Exact(one_gaussian(0.5), schedule_)
    v = (schedule_.alpha(t) ** 2 * 0.5 + schedule_.sigma(t) ** 2).item()
    h = size * schedule_.sigma(t).item() ** 2
    steps = int(12 * v / h) + 1  # e^-24 of the start's variance is left
    *_, end = langevin(denoise, torch.zeros(n, 1, dtype=F64), t, steps, size=size, generator=seeded(1))
    expected = v / (1 - h / (2 * v))
    assert abs(end.x.var().item() - expected) < 4 * expected * (2 / n) ** 0.5
    assert abs(expected - v) > (4 * expected * (2 / n) ** 0.5 if size == 0.4 else 0)  # the large step's error is seen


def test_langevin_finds_both_peaks_where_noise_joins_them_and_one_where_not(line_mixture):
    """From the right peak: at t = 0.6 the left one gets its share, within 4 standard errors and the step's error."""
    denoise, n = Exact(line_mixture, Cosine()), 4000
    shares = {}
    for t in (0.6, 0.1):
        *_, end = langevin(denoise, torch.full((n, 1), 0.8, dtype=F64), t, 400, size=0.05, generator=seeded(2))
        shares[t] = denoise.mixture.responsibilities(end.x, Cosine().alpha(t), Cosine().sigma(t))[:, 0].mean().item()
    assert abs(shares[0.6] - 0.4) < 4 * (0.24 / n) ** 0.5 + 0.01
    assert shares[0.1] < 0.1


def test_langevin_yields_each_stop_and_leaves_the_global_generator_alone(mixture):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    x = torch.randn(5, 2, generator=seeded(0), dtype=F64)
    stops = list(langevin(Exact(mixture, Cosine()), x, 0.3, 7, generator=seeded(0)))
    assert [stop.t for stop in stops] == [0.3] * 7 and stops[0].x.shape == x.shape
    assert torch.equal(torch.get_rng_state(), before)
    again = list(langevin(Exact(mixture, Cosine()), x, 0.3, 7, generator=seeded(0)))
    assert torch.equal(stops[-1].x, again[-1].x)
    assert torch.equal(stops[0].x0, Exact(mixture, Cosine())(x, 0.3).x0)


def test_langevin_passes_the_condition_on(mixture):
    denoise, x = Exact(mixture, Cosine()), torch.zeros(3, 2, dtype=F64)
    cond = torch.tensor([0, 1, -1])
    (stop,) = langevin(denoise, x, 0.3, 1, cond=cond, generator=seeded(0))
    assert torch.equal(stop.x0, denoise(x, 0.3, cond).x0)
    assert torch.equal(score(denoise, x, 0.3, cond), -denoise(x, 0.3, cond).eps / Cosine().sigma(0.3))


@pytest.mark.parametrize(
    "steps, options, t, message",
    [
        (0, {}, 0.5, "steps=0"),
        (3, {"size": 0.0}, 0.5, "size=0.0 must be above 0"),
        (3, {"size": float("inf")}, 0.5, "size=inf must be above 0"),
        (3, {}, 0.0, "no noise here"),
    ],
)
def test_langevin_refuses(steps, options, t, message, mixture):
    with pytest.raises(ValueError, match=message):
        list(langevin(Exact(mixture, Cosine()), torch.zeros(1, 2, dtype=F64), t, steps, **options))
    with pytest.raises(ValueError, match="no noise here"):
        score(Exact(mixture, Cosine()), torch.zeros(1, 2, dtype=F64), 0.0)


@pytest.mark.parametrize("schedule_", [Cosine(), Flow(), LinearBeta(), EDM()], ids=repr)
def test_the_reverse_sde_converges_at_order_one_in_distribution(schedule_):
    """For Gaussian data the variance follows in closed form; each step's is found from it, and halving the steps'
    length halves the distance from the truth.

    Per step, x_s = m x_t + k z with m, k read off the function itself, so there is no chance in this: the slope of log
    error against log steps is 1 within 0.1.
    """
    v0 = 0.5
    denoise = Exact(one_gaussian(v0), schedule_)

    def variance(steps):
        times = log_snr_times(schedule_, steps, schedule_.time_at(-4.0).item(), schedule_.time_at(4.0).item())
        var = (schedule_.alpha(times[0]) ** 2 * v0 + schedule_.sigma(times[0]) ** 2).item()
        for t, s in pairwise(times):
            ones = torch.tensor([[0.0], [1.0]], dtype=F64)
            shaken = euler_maruyama(denoise, ones, t, s, generator=seeded(0))
            z = torch.randn(2, 1, generator=seeded(0), dtype=F64)
            k = (shaken[0] / z[0]).item()
            m = (shaken[1] - k * z[1]).item()
            var = m**2 * var + k**2
        return var / (schedule_.alpha(times[-1]) ** 2 * v0 + schedule_.sigma(times[-1]) ** 2).item()

    errors = torch.tensor([abs(variance(steps) - 1) for steps in (100, 200, 400)]).log2()
    assert ((errors[:-1] - errors[1:] - 1).abs() < 0.1).all()


def test_the_reverse_sde_draws_the_mixture(mixture):
    """20 000 points, 400 steps: mean and variance within 4 standard errors and 0.03, the step's own error."""
    q, n = LinearBeta(), 20_000
    denoise = Exact(mixture, q)
    times = log_snr_times(q, 400, 0.999, q.time_at(8.0).item())
    x = sample(denoise, (2,), n, step=euler_maruyama, times=times, batch=n)
    *_, end = walk(denoise, x.to(F64), [times[-1], 0.0])
    by_chance = (mixture.covariance.diag() / n).sqrt()
    assert ((end.x.mean(0) - mixture.mean).abs() < 4 * by_chance + 0.03).all()
    assert ((end.x.var(0) / mixture.covariance.diag() - 1).abs() < 4 * (2 / n) ** 0.5 + 0.03).all()


@pytest.mark.parametrize("schedule_", [Cosine(), Flow()], ids=repr)
def test_the_reverse_sde_refuses_to_start_where_noising_took_for_ever(schedule_, mixture):
    x = torch.randn(3, 2, generator=seeded(0), dtype=F64)
    with pytest.raises(ValueError, match="t=1 of .*more than 10000 times the signal.*start at an earlier time"):
        euler_maruyama(Exact(mixture, schedule_), x, 1.0, 0.9)
    with pytest.raises(ValueError, match="is not before"):
        euler_maruyama(Exact(mixture, schedule_), x, 0.5, 0.9)
