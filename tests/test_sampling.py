"""Samplers with the exact denoiser: orders of convergence, invariance across schedules, moments, ends, refusals."""

import math

import pytest
import torch
from torch import nn

from diffusion_lib.denoisers import Clipped, Denoiser, Empirical, Exact
from diffusion_lib.sampling import SAMPLERS, ancestral, ddim, dpmpp_2m, euler, heun, sample, slerp
from diffusion_lib.schedules import Cosine, Flow, Karras, LinearBeta, log_snr_times, uniform_times

F64 = torch.float64


def last(steps):
    *_, step = steps
    return step.x


@pytest.mark.parametrize(
    "schedule_, ends", [(Cosine(), (0.95, 0.02)), (Flow(), (1.0, 0.02)), (Karras(), (1.0, 0.3))], ids=repr
)
def test_measured_order_of_convergence(schedule_, ends, mixture):
    """Slope of log error against log steps: 1 for ddim and euler, 2 for heun and dpmpp_2m."""
    denoise = Exact(mixture, schedule_)
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0), dtype=F64) * schedule_.sigma(ends[0])
    reference = last(heun(denoise, x, uniform_times(2400, *ends)))  # (320 / 2400)²: 2 % of heun's own error
    counts = [160, 320]
    orders = {}
    for name, sampler in (("ddim", ddim), ("euler", euler), ("heun", heun), ("dpmpp_2m", dpmpp_2m)):
        errors = [(last(sampler(denoise, x, uniform_times(n, *ends))) - reference).abs().mean().item() for n in counts]
        orders[name] = math.log(errors[-2] / errors[-1]) / math.log(2)
    assert abs(orders["ddim"] - 1) <= 0.1 and abs(orders["euler"] - 1) <= 0.1, orders
    assert abs(orders["heun"] - 2) <= 0.2 and abs(orders["dpmpp_2m"] - 2) <= 0.2, orders


def test_every_schedule_is_the_same_curve_at_another_speed(mixture):
    """On one log-SNR grid, started at one point of x / hypot(alpha, sigma), the samples agree to rounding."""
    log_snrs = torch.linspace(-6, 8, 21, dtype=F64)
    noise = torch.randn(50, 2, generator=torch.Generator().manual_seed(5), dtype=F64)
    for sampler in (ddim, heun, dpmpp_2m):
        found = []
        for q in (Cosine(), Flow(), Karras(), LinearBeta()):
            times = q.time_at(log_snrs).tolist()
            (a0, s0), (a1, s1) = q.pair(times[0], noise), q.pair(times[-1], noise)
            found.append(last(sampler(Exact(mixture, q), torch.hypot(a0, s0) * noise, times)) / torch.hypot(a1, s1))
        for other in found[1:]:
            assert (other - found[0]).abs().max() < 1e-12


def test_ddim_is_euler_on_the_flow_schedule(mixture):
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(5), dtype=F64)
    a, b = (last(f(Exact(mixture, Flow()), x, uniform_times(7))) for f in (ddim, euler))
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("schedule_", [Cosine(), Flow(), LinearBeta()], ids=repr)
def test_moments_of_ancestral_samples(schedule_, mixture):
    """20 000 samples: mean and covariance of the data, once the error of first order in the step is extrapolated away.

    Of 100 and 200 steps, 2 M(200) - M(100) is free of it; its standard error is sqrt(2² + 1²) times that of one.
    """
    n, found = 20_000, []
    for steps in (100, 200):
        generator = torch.Generator().manual_seed(steps)
        x = schedule_.prior((n, 2), generator, dtype=F64)
        x = last(ancestral(Exact(mixture, schedule_), x, uniform_times(steps), generator=generator))
        centred = x - mixture.mean
        products = centred[:, :, None] * centred[:, None, :]
        found.append((centred.mean(0), products.mean(0), products.std(0) / n**0.5))
    (mean_100, cov_100, _), (mean_200, cov_200, by_chance) = found
    mean_by_chance = (mixture.covariance.diag() / n).sqrt()
    assert ((2 * mean_200 - mean_100).abs() < 4 * 5**0.5 * mean_by_chance).all()
    assert ((2 * cov_200 - cov_100 - mixture.covariance).abs() < 4 * 5**0.5 * by_chance).all()
    # and the step's own error is small: 0.008 in the mean and 0.021 in the covariance, with 100 000 samples
    assert (mean_200.abs() < 4 * mean_by_chance + 0.01).all()
    assert ((cov_200 - mixture.covariance).abs() < 4 * by_chance + 0.03).all()


def test_ddim_with_eta_one_is_ancestral_in_mean_and_variance(schedule, mixture):
    """sigma² + c² = sigma_s²: the coefficients agree exactly, so with one generator the samples do."""
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(5), dtype=F64)
    a, b = (
        last(
            f(
                Exact(mixture, schedule),
                x,
                uniform_times(10, 0.97, 0.05),
                generator=torch.Generator().manual_seed(1),
                **kw,
            )
        )
        for f, kw in ((ancestral, {}), (ddim, {"eta": 1.0}))
    )
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_ddim_keeps_the_marginal_variance(eta, generator):
    """For a known x0 = 0 and eps = x/sigma, one step's variance is sigma_s² whatever eta: sigma² + c² = 1 - alpha_bar_s."""
    n, q = 100_000, LinearBeta()
    point = Empirical(torch.zeros(1, 1, dtype=F64), q)
    x = q.marginal(torch.zeros(n, 1, dtype=F64), 0.5).sample(generator)
    y = last(ddim(point, x, [0.5, 0.2], eta=eta, generator=generator))
    expected = q.sigma(0.2) ** 2
    assert abs(y.var() - expected) < 4 * expected * (2 / n) ** 0.5


@pytest.mark.parametrize("name", SAMPLERS)
def test_float32_from_one_to_zero_is_finite_on_every_schedule(schedule, name, mixture):
    x = schedule.prior((200, 2), torch.Generator().manual_seed(0))
    steps = list(SAMPLERS[name](Exact(mixture, schedule), x, uniform_times(25)))
    for step in steps:
        assert step.x.isfinite().all() and step.x0.isfinite().all() and step.x.dtype == torch.float32
    assert [step.t for step in steps] == uniform_times(25)[1:]


@pytest.mark.parametrize("name", ["ancestral", "ddim", "heun", "dpmpp_2m"])
def test_a_data_set_of_one_point_comes_back_as_that_point(name, schedule):
    """The last step draws no noise. These are exact for one point but for float32 rounding; Karras keeps sigma(0)."""
    point = torch.full((1, 4), 0.7)
    x = schedule.prior((8, 4), torch.Generator().manual_seed(0))
    y = last(SAMPLERS[name](Empirical(point, schedule), x, uniform_times(30)))
    tolerance = 5 * schedule.sigma(0.0).item() + 1e-5
    assert (y - 0.7).abs().max() < tolerance


def test_the_last_step_draws_no_random_number(mixture):
    for sampler, kw in ((ancestral, {}), (ddim, {"eta": 1.0})):
        generator = torch.Generator().manual_seed(0)
        steps = sampler(
            Exact(mixture, Cosine()), torch.randn(5, 2, dtype=F64), [1.0, 0.5, 0.0], generator=generator, **kw
        )
        next(steps)
        before = generator.get_state()
        next(steps)
        assert torch.equal(before, generator.get_state())


class Recorder:
    """A denoiser that notes the times and states it is asked about."""

    def __init__(self, inner):
        self.inner, self.schedule, self.seen = inner, inner.schedule, []

    def __call__(self, x, t, cond=None):
        self.seen.append((float(t), x.clone(), cond))
        return self.inner(x, t, cond)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_first_call_is_at_the_first_time_and_labels_arrive(name, mixture):
    denoise = Recorder(Exact(mixture, LinearBeta()))
    x, cond = torch.randn(5, 2, dtype=F64), torch.tensor([0, 1, 0, 1, -1])
    list(SAMPLERS[name](denoise, x, uniform_times(4), cond=cond))
    assert denoise.seen[0][0] == 1.0 and torch.equal(denoise.seen[0][1], x)
    assert all(c is cond for _, _, c in denoise.seen)
    calls = {"heun": 7}.get(name, 4)  # two a step, one in the last
    assert len(denoise.seen) == calls
    if name == "heun":  # the second look is at the level that was reached
        assert [t for t, _, _ in denoise.seen] == [1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_leaves_its_input_and_the_global_random_state_alone(name, mixture):
    x = torch.randn(5, 2, dtype=F64)
    kept = x.clone()
    options = {"generator": torch.Generator().manual_seed(0)} if name in ("ancestral", "ddim") else {}
    state = torch.get_rng_state()
    list(SAMPLERS[name](Exact(mixture, Cosine()), x, uniform_times(4), **options))
    assert torch.equal(x, kept) and torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(
    "times, message", [([1.0, 0.5, 0.5], "times must fall strictly"), ([0.0, 1.0], "fall strictly")]
)
def test_times_that_do_not_fall_are_refused(name, times, message, mixture):
    with pytest.raises(ValueError, match=message):
        list(SAMPLERS[name](Exact(mixture, Cosine()), torch.zeros(2, 2), times))


def test_wrong_options_are_named(mixture):
    denoise = Exact(mixture, Cosine())
    with pytest.raises(ValueError, match=r"eta=2 is outside \[0, 1\]"):
        list(ddim(denoise, torch.zeros(2, 2), [1.0, 0.0], eta=2))
    with pytest.raises(ValueError, match="sampler='plms' is none of 'ancestral', 'ddim'"):
        sample(denoise, (2,), 4, sampler="plms")
    with pytest.raises(ValueError, match="cond has 3 labels for 4 samples"):
        sample(denoise, (2,), 4, cond=torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="count=0"):
        sample(denoise, (2,), 0)


class Noisy(nn.Module):
    """Half an identity network with dropout: random in training mode, not in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x, t, cond=None):
        return self.drop(x) / 2


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_seed_gives_the_same_samples_and_the_mode_is_restored(name):
    net = Noisy().train()
    denoise = Clipped(Denoiser(net, Cosine(), "v"))
    a, b = (sample(denoise, (1, 4, 4), 10, sampler=name, steps=5, seed=3, batch=4) for _ in range(2))
    assert torch.equal(a, b) and a.shape == (10, 1, 4, 4) and net.training
    assert not torch.equal(a, sample(denoise, (1, 4, 4), 10, sampler=name, steps=5, seed=4, batch=4))


def test_samples_differ_from_one_another(mixture):
    x = sample(Exact(mixture, Cosine()), (2,), 100, steps=20)
    assert torch.pdist(x).min() > 0


def test_batches_do_not_change_deterministic_samples(mixture):
    denoise = Exact(mixture, Cosine())
    cond = torch.arange(10) % 2
    whole, parts = (sample(denoise, (2,), 10, steps=8, cond=cond, batch=b) for b in (10, 3))
    torch.testing.assert_close(whole, parts)


def test_a_wrong_terminal_snr_shows_in_the_samples_moments(mixture):
    """PITFALL: from N(0, I) at terminal SNR 1.5 even the exact denoiser misses the data's mean; at 4e-5 it does not."""
    errors = []
    for q in (LinearBeta(timesteps=50), LinearBeta(timesteps=1000)):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(20_000, 2, generator=generator, dtype=F64)
        y = last(ancestral(Exact(mixture, q), x, uniform_times(100), generator=generator))
        errors.append((y.mean(0) - mixture.mean).norm() / (mixture.covariance.trace() / 20_000) ** 0.5)
    assert errors[0] > 20 and errors[1] < 6


def test_log_snr_steps_work_in_every_sampler(mixture):
    times = log_snr_times(Cosine(), 12)
    for sampler in SAMPLERS.values():
        assert last(sampler(Exact(mixture, Cosine()), torch.randn(50, 2, dtype=F64), times)).isfinite().all()


def test_slerp_keeps_the_norm_and_the_straight_line_does_not():
    a, b = torch.randn(2, 8, 3, 32, 32, dtype=F64, generator=torch.Generator().manual_seed(0))
    norms = torch.stack([slerp(a, b, w).flatten(1).norm(dim=1) for w in torch.linspace(0, 1, 11).tolist()])
    low, high = norms[[0, -1]].amin(0), norms[[0, -1]].amax(0)
    # two noises are nearly, not exactly, of one length and at a right angle: 1/sqrt(2 D) = 1.3 % each
    assert (norms > low * (1 - 0.03)).all() and (norms < high * (1 + 0.03)).all()
    assert ((a + b) / 2).flatten(1).norm(dim=1).max() < 0.8 * low.min()
    torch.testing.assert_close(slerp(a, b, 0.0), a)
    torch.testing.assert_close(slerp(a, b, 1.0), b)


def test_slerp_on_the_unit_circle_is_an_even_rotation():
    a, b = torch.tensor([[1.0, 0.0]], dtype=F64), torch.tensor([[0.0, 1.0]], dtype=F64)
    for w in (0.25, 0.5, 0.9):
        expected = torch.tensor([[math.cos(w * math.pi / 2), math.sin(w * math.pi / 2)]], dtype=F64)
        torch.testing.assert_close(slerp(a, b, w), expected)
    torch.testing.assert_close(slerp(a, 2 * a, 0.5), 1.5 * a)  # parallel: the straight line
    weights = torch.tensor([0.0, 1.0], dtype=F64)
    torch.testing.assert_close(slerp(a.repeat(2, 1), b.repeat(2, 1), weights), torch.cat([a, b]))


@pytest.mark.parametrize("name", SAMPLERS)
def test_noise_and_samples_stay_on_the_cpu_wherever_the_network_is(name):
    class Elsewhere(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2, device="meta")

        def forward(self, x, t, cond=None):
            assert x.device.type == t.device.type == cond.device.type == "meta"
            return torch.zeros(x.shape)

    cond = torch.arange(5)
    x = sample(Clipped(Denoiser(Elsewhere(), Cosine())), (2,), 5, sampler=name, steps=3, cond=cond)
    assert x.device.type == "cpu" and x.isfinite().all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_work_in_inference_mode(name, mixture):
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    options = [
        {"generator": torch.Generator().manual_seed(0)} if name in ("ancestral", "ddim") else {} for _ in range(2)
    ]
    expected = last(SAMPLERS[name](Exact(mixture, LinearBeta()), x, uniform_times(4), **options[0]))
    with torch.inference_mode():
        assert torch.equal(
            last(SAMPLERS[name](Exact(mixture, LinearBeta()), x, uniform_times(4), **options[1])), expected
        )
