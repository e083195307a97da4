"""Samplers with the exact denoiser: orders of convergence, invariance across schedules, moments, ends, refusals."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import nn

from diffusion_lib.denoisers import Clipped, Denoiser, Empirical, Exact, Guided
from diffusion_lib.gaussians import GaussianMixture
from diffusion_lib.sampling import (
    STEPS,
    ancestral,
    ddim,
    dpmpp_2m,
    euler,
    heun,
    invert,
    log_likelihood,
    sample,
    slerp,
    velocity,
    walk,
)
from diffusion_lib.schedules import EDM, Cosine, Discrete, Flow, LinearBeta
from diffusion_lib.times import log_snr_times, uniform_times

F64 = torch.float64


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def last(steps):
    *_, step = steps
    return step.x


@pytest.mark.parametrize(
    "schedule_, ends", [(Cosine(), (0.95, 0.02)), (Flow(), (1.0, 0.02)), (EDM(), (1.0, 0.3))], ids=repr
)
def test_measured_order_of_convergence(schedule_, ends, mixture):
    """Slope of log error against log steps: 1 for ddim and euler, 2 for heun and dpmpp_2m."""
    denoise = Exact(mixture, schedule_)
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0), dtype=F64) * schedule_.sigma(ends[0])
    reference = last(walk(denoise, x, uniform_times(2400, *ends), heun))  # (320 / 2400)²: 2 % of heun's own error
    counts = [160, 320]
    orders = {}
    for name in ("ddim", "euler", "heun", "dpmpp_2m"):
        errors = [
            (last(walk(denoise, x, uniform_times(n, *ends), name)) - reference).abs().mean().item() for n in counts
        ]
        orders[name] = math.log(errors[-2] / errors[-1]) / math.log(2)
    assert abs(orders["ddim"] - 1) <= 0.1 and abs(orders["euler"] - 1) <= 0.1, orders
    assert abs(orders["heun"] - 2) <= 0.2 and abs(orders["dpmpp_2m"] - 2) <= 0.2, orders


def test_every_schedule_is_the_same_curve_at_another_speed(mixture):
    """On one log-SNR grid, started at one point of x / hypot(alpha, sigma), the samples agree to rounding."""
    log_snrs = torch.linspace(-6, 8, 21, dtype=F64)
    noise = torch.randn(50, 2, generator=torch.Generator().manual_seed(5), dtype=F64)
    for step in (ddim, heun, dpmpp_2m):
        ends = []
        for q in (Cosine(), Flow(), EDM(), LinearBeta()):
            times = q.time_at(log_snrs).tolist()
            (a0, s0), (a1, s1) = q.pair(times[0], noise), q.pair(times[-1], noise)
            start = torch.hypot(a0, s0) * noise
            ends.append(last(walk(Exact(mixture, q), start, times, step)) / torch.hypot(a1, s1))
        for other in ends[1:]:
            assert (other - ends[0]).abs().max() < 1e-12


def test_ddim_is_euler_on_the_flow_schedule(mixture):
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(5), dtype=F64)
    a, b = (last(walk(Exact(mixture, Flow()), x, uniform_times(7), f)) for f in (ddim, euler))
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
        x = last(walk(Exact(mixture, schedule_), x, uniform_times(steps), ancestral, generator=generator))
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
        last(walk(Exact(mixture, schedule), x, uniform_times(10, 0.97, 0.05), step, generator=seeded(1)))
        for step in (ancestral, partial(ddim, eta=1.0))
    )
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_ddim_keeps_the_marginal_variance(eta, generator):
    """For a known x0 = 0 and eps = x/sigma, one step's variance is sigma_s² whatever eta: sigma² + c² = 1 - alpha_bar_s."""
    n, q = 100_000, LinearBeta()
    point = Empirical(torch.zeros(1, 1, dtype=F64), q)
    x = q.marginal(torch.zeros(n, 1, dtype=F64), 0.5).sample(generator)
    y = ddim(point, x, 0.5, 0.2, eta=eta, generator=generator)
    expected = q.sigma(0.2) ** 2
    assert abs(y.var() - expected) < 4 * expected * (2 / n) ** 0.5


@pytest.mark.parametrize("name", STEPS)
def test_float32_from_one_to_zero_is_finite_on_every_schedule(schedule, name, mixture):
    x = schedule.prior((200, 2), torch.Generator().manual_seed(0))
    steps = list(walk(Exact(mixture, schedule), x, uniform_times(25), name))
    for step in steps:
        assert step.x.isfinite().all() and step.x0.isfinite().all() and step.x.dtype == torch.float32
    assert [step.t for step in steps] == uniform_times(25)[1:]


def test_all_noise_drawn_afresh_is_finite_in_any_number_of_steps(schedule, mixture):
    """From alpha = 0 nothing of the old noise is left, and rounding must not make its variance negative."""
    x = schedule.prior((8, 2), torch.Generator().manual_seed(0))
    for steps in range(1, 60):
        s = 1 - 1 / steps
        assert ddim(Exact(mixture, schedule), x, 1.0, s, eta=1.0, generator=seeded(1)).isfinite().all(), steps


@pytest.mark.parametrize("name", ["ddim", "heun", "dpmpp_2m"])
@pytest.mark.parametrize("steps", [2, 5, 20])
def test_rising_to_one_is_finite_where_alpha_ends_at_0(name, steps, mixture):
    x0 = mixture.sample(50, seeded(0)).float()
    assert last(walk(Exact(mixture, Flow()), x0, uniform_times(steps, 0.0, 1.0), name)).isfinite().all()


@pytest.mark.parametrize("name", ["ancestral", "ddim", "heun", "dpmpp_2m"])
@pytest.mark.parametrize(
    "table", [Discrete((0.99,) * 60), LinearBeta(1000, 1e-4, 0.5), Discrete((*LinearBeta().betas()[:-1].tolist(), 1.0))],
    ids=["alpha 1e-60", "alpha 1e-65", "zero terminal SNR"],
)  # fmt: skip
def test_tables_that_leave_no_signal_are_walked_from_one(name, table, mixture):
    """In float32 their alpha is 0 before the end; its logarithm must not be taken there."""
    x = torch.randn(500, 2, generator=seeded(0))
    end = last(walk(Exact(mixture, table), x, uniform_times(20), name))
    assert end.isfinite().all()
    assert (end.mean(0) - mixture.mean).abs().max() < 0.4


def test_a_partial_brings_its_own_generator(mixture):
    x = torch.randn(5, 2, dtype=F64, generator=seeded(0))
    own = [
        last(walk(Exact(mixture, Flow()), x, uniform_times(4), partial(ancestral, generator=seeded(3))))
        for _ in range(2)
    ]
    assert torch.equal(*own)
    assert torch.equal(own[0], last(walk(Exact(mixture, Flow()), x, uniform_times(4), ancestral, generator=seeded(3))))


@pytest.mark.parametrize("name", ["ancestral", "ddim", "heun", "dpmpp_2m"])
def test_a_data_set_of_one_point_comes_back_as_that_point(name, schedule):
    """The last step draws no noise. These are exact for one point but for float32 rounding; EDM keeps sigma(0)."""
    point = torch.full((1, 4), 0.7)
    x = schedule.prior((8, 4), torch.Generator().manual_seed(0))
    y = last(walk(Empirical(point, schedule), x, uniform_times(30), name))
    tolerance = 5 * schedule.sigma(0.0).item() + 1e-5
    assert (y - 0.7).abs().max() < tolerance


def test_the_last_step_draws_no_random_number(mixture):
    for step in (ancestral, partial(ddim, eta=1.0)):
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(5, 2, dtype=F64)
        steps = walk(Exact(mixture, Cosine()), start, [1.0, 0.5, 0.0], step, generator=generator)
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


@pytest.mark.parametrize("name", STEPS)
def test_the_first_call_is_at_the_first_time_and_labels_arrive(name, mixture):
    denoise = Recorder(Exact(mixture, LinearBeta()))
    x, cond = torch.randn(5, 2, dtype=F64), torch.tensor([0, 1, 0, 1, -1])
    list(walk(denoise, x, uniform_times(4), name, cond=cond))
    assert denoise.seen[0][0] == 1.0 and torch.equal(denoise.seen[0][1], x)
    assert all(c is cond for _, _, c in denoise.seen)
    calls = {"heun": 7}.get(name, 4)  # two a step, one in the last
    assert len(denoise.seen) == calls
    if name == "heun":  # the second look is at the level that was reached
        assert [t for t, _, _ in denoise.seen] == [1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize("name", STEPS)
def test_a_sampler_leaves_its_input_and_the_global_random_state_alone(name, mixture):
    x = torch.randn(5, 2, dtype=F64)
    kept = x.clone()
    state = torch.get_rng_state()
    list(walk(Exact(mixture, Cosine()), x, uniform_times(4), name, generator=seeded(0)))
    assert torch.equal(x, kept) and torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("times", [[1.0, 0.5, 0.5], [0.2, 0.8, 0.5], [1.0], [1.1, 0.0]])
def test_times_that_do_not_keep_their_direction_are_refused(name, times, mixture):
    with pytest.raises(ValueError, match=r"times must fall|times has 1 entries|outside \[0, 1\]"):
        list(walk(Exact(mixture, Cosine()), torch.zeros(2, 2), times, name))


@pytest.mark.parametrize("step", [ancestral, partial(ddim, eta=0.1), partial(heun, churn=0.1)])
def test_random_steps_refuse_rising_times(step, mixture):
    with pytest.raises(ValueError, match=r"times must fall strictly: times\[1\]=0.5 follows 0.2"):
        list(walk(Exact(mixture, Cosine()), torch.zeros(2, 2), [0.2, 0.5], step))


def test_wrong_options_are_named(mixture):
    denoise = Exact(mixture, Cosine())
    with pytest.raises(ValueError, match=r"eta=2 is outside \[0, 1\]"):
        list(walk(denoise, torch.zeros(2, 2), [1.0, 0.0], partial(ddim, eta=2)))
    with pytest.raises(ValueError, match="churn=-0.1 from t=1 to s=0"):
        heun(denoise, torch.zeros(2, 2), 1.0, 0.0, churn=-0.1)
    with pytest.raises(ValueError, match="churn=nan from t=1 to s=0"):
        heun(denoise, torch.zeros(2, 2), 1.0, 0.0, churn=float("nan"))
    with pytest.raises(ValueError, match="step='plms' is none of 'ancestral', 'ddim'"):
        sample(denoise, (2,), 4, step="plms")
    with pytest.raises(ValueError, match="ddim has no option 'etta': it has eta"):
        sample(denoise, (2,), 4, options={"etta": 1.0})
    with pytest.raises(ValueError, match="euler has no option 'eta': it has none"):
        sample(denoise, (2,), 4, step="euler", options={"eta": 1.0})
    with pytest.raises(ValueError, match="cond has 3 conditions for 4 samples"):
        sample(denoise, (2,), 4, cond=torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"x has shape \(3, 2\), it must be \(4, 2\)"):
        sample(denoise, (2,), 4, x=torch.zeros(3, 2))
    with pytest.raises(ValueError, match="count=0"):
        sample(denoise, (2,), 0)


class Noisy(nn.Module):
    """Half an identity network with dropout: random in training mode, not in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x, t, cond=None):
        return self.drop(x) / 2


@pytest.mark.parametrize("name", STEPS)
def test_the_same_seed_gives_the_same_samples_and_the_mode_is_restored(name):
    net = Noisy().train()
    denoise = Clipped(Denoiser(net, Cosine(), "v"))
    a, b = (sample(denoise, (1, 4, 4), 10, step=name, steps=5, seed=3, batch=4) for _ in range(2))
    assert torch.equal(a, b) and a.shape == (10, 1, 4, 4) and net.training
    assert not torch.equal(a, sample(denoise, (1, 4, 4), 10, step=name, steps=5, seed=4, batch=4))


def test_samples_differ_from_one_another(mixture):
    x = sample(Exact(mixture, Cosine()), (2,), 100, steps=20)
    assert torch.pdist(x).min() > 0


@pytest.mark.parametrize("step", ["ddim", ddim, partial(ddim, eta=0.5)])
def test_the_progress_bar_is_named_after_the_step(step, mixture, capsys):
    sample(Exact(mixture, Flow()), (2,), 2, steps=2, step=step, progress=True)
    assert "ddim:" in capsys.readouterr().err


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
        y = last(walk(Exact(mixture, q), x, uniform_times(100), ancestral, generator=generator))
        errors.append((y.mean(0) - mixture.mean).norm() / (mixture.covariance.trace() / 20_000) ** 0.5)
    assert errors[0] > 20 and errors[1] < 6


def test_log_snr_steps_work_in_every_sampler(mixture):
    times = log_snr_times(Cosine(), 12)
    for step in STEPS.values():
        assert last(walk(Exact(mixture, Cosine()), torch.randn(50, 2, dtype=F64), times, step)).isfinite().all()


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


@pytest.mark.parametrize("name", STEPS)
def test_noise_and_samples_stay_on_the_cpu_wherever_the_network_is(name):
    class Elsewhere(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2, device="meta")

        def forward(self, x, t, cond=None):
            assert x.device.type == t.device.type == cond.device.type == "meta"
            return torch.zeros(x.shape)

    cond = torch.arange(5)
    x = sample(Clipped(Denoiser(Elsewhere(), Cosine())), (2,), 5, step=name, steps=3, cond=cond)
    assert x.device.type == "cpu" and x.isfinite().all()


@pytest.mark.parametrize("name", STEPS)
def test_walks_work_in_inference_mode(name, mixture):
    x = torch.randn(5, 2, generator=seeded(0))
    expected = last(walk(Exact(mixture, LinearBeta()), x, uniform_times(4), name, generator=seeded(0)))
    with torch.inference_mode():
        again = last(walk(Exact(mixture, LinearBeta()), x, uniform_times(4), name, generator=seeded(0)))
        assert torch.equal(again, expected)


# ---- what a step is, exactly ----


@pytest.mark.parametrize("eta", [0.0, 0.3, 0.5, 1.0])
def test_ddim_is_the_papers_formula_for_any_eta(eta, mixture):
    """Song et al. 2021, equations 12 and 16, written out on the table's alpha_bar."""
    q, t, s = LinearBeta(), 0.6, 0.35
    x = torch.randn(50, 2, generator=seeded(1), dtype=F64)
    bar_t, bar_s = q.alpha_bar(t), q.alpha_bar(s)
    guess = Exact(mixture, q)(x, t)
    sigma = eta * ((1 - bar_s) / (1 - bar_t)).sqrt() * (1 - bar_t / bar_s).sqrt()
    z = torch.randn(50, 2, generator=seeded(2), dtype=F64) if eta else 0.0
    expected = bar_s.sqrt() * guess.x0 + (1 - bar_s - sigma**2).sqrt() * guess.eps + sigma * z
    torch.testing.assert_close(ddim(Exact(mixture, q), x, t, s, eta=eta, generator=seeded(2)), expected)


def test_heun_is_edms_algorithm_2(mixture):
    """On EDM's schedule (alpha = 1) and in its gauge: Karras et al. 2022, algorithm 2, with t for their sigma."""
    q, gamma = EDM(), 0.2
    denoise, D = Exact(mixture, q), lambda x, sigma: mixture.to(x).posterior_mean(x, torch.ones(()), sigma)[0]
    times = uniform_times(6, 0.9, 0.0)
    sigmas = [q.sigma(t) for t in times]
    x = ours = torch.randn(20, 2, generator=seeded(0), dtype=F64) * sigmas[0]
    noise, draws = seeded(3), seeded(3)
    for (t, s), (sigma, sigma_next) in zip(pairwise(times), pairwise(sigmas), strict=True):
        hat = sigma * (1 + gamma)
        x_hat = x + (hat**2 - sigma**2).sqrt() * torch.randn(x.shape, generator=noise, dtype=F64)
        d = (x_hat - D(x_hat, hat)) / hat
        x = x_hat + (sigma_next - hat) * d
        d_next = (x - D(x, sigma_next)) / sigma_next
        x = x_hat + (sigma_next - hat) * (d + d_next) / 2
        ours = heun(denoise, ours, t, s, churn=gamma, gauge=lambda alpha, sigma: alpha, generator=draws)
        # bisection finds the raised time to 2^-60; the cancellation in x̂ - D costs a few digits more
        torch.testing.assert_close(ours, x, rtol=1e-9, atol=1e-9)


def test_churn_keeps_the_marginal(mixture):
    """Noise is added and the denoiser is asked at the raised level, so samples still follow the data."""
    n, denoise = 20_000, Exact(mixture, Cosine())
    x = Cosine().prior((n, 2), seeded(0), dtype=F64)
    y = last(walk(denoise, x, uniform_times(60), partial(heun, churn=0.1), generator=seeded(1)))
    by_chance = (mixture.covariance.diag() / n).sqrt()
    assert ((y.mean(0) - mixture.mean).abs() < 4 * by_chance + 0.01).all()  # 0.01: the steps' own error
    centred = y - mixture.mean
    products = centred[:, :, None] * centred[:, None, :]
    assert ((products.mean(0) - mixture.covariance).abs() < 4 * products.std(0) / n**0.5 + 0.03).all()


def test_velocity_is_the_derivative_of_the_walk(schedule, mixture):
    x, t, h = torch.randn(20, 2, generator=seeded(0), dtype=F64), 0.60043, 1e-5  # between two rows of a table
    denoise = Exact(mixture, schedule)
    ahead, behind = (heun(denoise, x, t, t + dt) for dt in (h, -h))
    expected = velocity(denoise, x, t)
    # error of a central difference: h² times third derivatives (EDM's sigma changes fast), and rounding 1e-16 / h
    torch.testing.assert_close((ahead - behind) / (2 * h), expected, rtol=1e-6, atol=1e-6)


def test_velocity_refuses_where_it_is_infinite(mixture):
    with pytest.raises(ValueError, match=r"t=0.0: Cosine\(s=0.008\) changes infinitely fast here"):
        velocity(Exact(mixture, Cosine()), torch.zeros(2, 2, dtype=F64), 0.0)
    assert velocity(Exact(mixture, Flow()), torch.zeros(2, 2, dtype=F64), 0.0).isfinite().all()


# ---- both directions ----


@pytest.mark.parametrize("name", ["ddim", "euler", "heun", "dpmpp_2m"])
def test_up_and_down_again_meet_at_the_methods_order(name, mixture):
    """Rising, then falling along the same times, in float64: the gap shrinks as the error of the step does."""
    denoise, x0 = Exact(mixture, Cosine()), mixture.sample(50, seeded(0))
    gaps = []
    for steps in (200, 400):
        times = uniform_times(steps, 0.05, 0.95)
        there = last(walk(denoise, x0, times, name))
        gaps.append((last(walk(denoise, there, times[::-1], name)) - x0).abs().mean().item())
    order = math.log2(gaps[0] / gaps[1])
    least = {"ddim": 0.9, "euler": 0.9, "heun": 1.8, "dpmpp_2m": 1.8}[name]
    assert order > least, gaps


@pytest.mark.parametrize("schedule_", [Cosine(), EDM()], ids=repr)
def test_inversion_there_and_back(schedule_, mixture):
    """To the noise and back to within 1e-6 in float64; and the noise is standard: it came from data."""
    denoise, x0 = Exact(mixture, schedule_), mixture.sample(200, seeded(0))
    t = schedule_.time_at(torch.linspace(8, -8, 1601, dtype=F64)).unique().tolist()
    noise = invert(denoise, x0, t)
    back = last(walk(denoise, noise, t[::-1], heun))
    assert (back - x0).abs().max() < 1e-6
    size = torch.hypot(*schedule_.pair(t[-1], noise))
    radius2 = (noise / size).square().sum(1)
    assert (
        abs(radius2.mean() - 2) < 4 * (4 / 200) ** 0.5 + 0.1
    )  # variance of a chi-square of 2; 0.1: var of x0 is not 1


def test_dpmpp_2m_rising_from_clean_data_starts_with_two_steps_of_first_order(mixture):
    """Between sigma = 0 and the next time lies an infinite log-SNR: nothing can be extrapolated from there."""
    denoise, x0 = Exact(mixture, Cosine()), mixture.sample(20, seeded(0))
    times = [0.0, 0.1, 0.2, 0.3]
    first_order, second_order = ([state.x for state in walk(denoise, x0, times, name)] for name in ("ddim", "dpmpp_2m"))
    for stop in (0, 1):
        torch.testing.assert_close(second_order[stop], first_order[stop], rtol=1e-12, atol=1e-12)
    assert (second_order[2] - first_order[2]).abs().max() > 1e-4


def test_inversion_wants_rising_times(mixture):
    with pytest.raises(ValueError, match="times fall from 1 to 0: inversion goes from data to noise"):
        invert(Exact(mixture, Cosine()), torch.zeros(2, 2), [1.0, 0.0])
    x0 = mixture.sample(5, seeded(0)).float()
    assert invert(Exact(mixture, Cosine()), x0).isfinite().all(), "100 even steps, both ends included"


# ---- likelihood ----

STANDARD = GaussianMixture(  # mean 0; variance 1 averaged over the coordinates: what the prior at t = 1 assumes
    torch.tensor([0.4, 0.6], dtype=F64),
    torch.tensor([[1.2, 0.3], [-0.8, -0.2]], dtype=F64),
    torch.tensor([0.5, 0.29 / 0.6], dtype=F64),
)


@pytest.mark.parametrize("schedule_", [Cosine(), Flow(), EDM(), LinearBeta()], ids=repr)
def test_the_odes_likelihood_is_the_mixtures(schedule_):
    """Within 1e-3 nats at every one of 100 points.

    EDM's data are noised by sigma(0) = 0.002, and the prior knows only two moments of them at SNR 1.6e-4: both change
    the log-density by less than that.
    """
    assert abs(STANDARD.mean).max() < 1e-12 and abs(STANDARD.covariance.trace() / 2 - 1) < 1e-12
    x = STANDARD.sample(100, seeded(0))
    exact = STANDARD.log_prob(x)
    assert (log_likelihood(Exact(STANDARD, schedule_), x) - exact).abs().max() < 1e-3


def test_the_likelihood_of_a_narrow_mixture_takes_no_more_than_twenty_steps():
    """Components of width 0.02 change the divergence within the first hundredth of the way; even steps pass over it."""
    means = torch.randn(3, 8, generator=seeded(0), dtype=F64)
    narrow = GaussianMixture(torch.tensor([0.2, 0.3, 0.5], dtype=F64), means, torch.full((3,), 0.02**2, dtype=F64))
    x = narrow.sample(100, seeded(1))
    off = log_likelihood(Exact(narrow, Cosine()), x, 20) - narrow.log_prob(x)
    assert off.abs().mean() < 0.03  # nats, of 8 dimensions: 0.006, with even steps 0.38


def test_the_likelihood_converges_at_fourth_order():
    x = STANDARD.sample(100, seeded(0))
    exact = STANDARD.log_prob(x)
    off = [(log_likelihood(Exact(STANDARD, Cosine()), x, steps) - exact).abs().mean() for steps in (40, 80)]
    assert 10 < off[0] / off[1] < 25, off  # 2**4 = 16


def test_the_likelihood_with_a_condition_is_that_of_the_component():
    x, cond = STANDARD.component(0).sample(50, seeded(0)), torch.zeros(50, dtype=torch.long)
    exact = STANDARD.component(0).log_prob(x)
    assert (log_likelihood(Exact(STANDARD, Flow()), x, cond=cond) - exact).abs().max() < 1e-3


@pytest.mark.parametrize("probes", [None, 2])
def test_a_likelihood_is_the_same_in_parts_of_a_batch(probes):
    x, cond = STANDARD.sample(10, seeded(0)), torch.arange(10) % 2
    sizes = []

    class Watched(Exact):
        def __call__(self, x, t, cond=None):
            sizes.append(len(x))
            return super().__call__(x, t, cond)

    denoise = Watched(STANDARD, Flow())
    options = {"cond": cond, "probes": probes}
    at_once = log_likelihood(denoise, x, 5, generator=seeded(1), **options)
    assert max(sizes) == 10
    sizes.clear()
    in_parts = log_likelihood(denoise, x, 5, generator=seeded(1), batch=4, **options)
    assert set(sizes) == {4, 2}
    torch.testing.assert_close(in_parts, at_once, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", [{"steps": 0}, {"steps": 2.5}, {"probes": 0}, {"batch": 0}])
def test_a_likelihood_needs_whole_steps_and_probes(options):
    with pytest.raises(ValueError, match=r"(steps|probes|batch)=\S+: take a whole number of at least 1"):
        log_likelihood(Exact(STANDARD, Flow()), torch.zeros(2, 2, dtype=F64), **options)


@pytest.mark.parametrize("probes", [None, 2])
def test_no_data_have_no_likelihoods(probes):
    answer = log_likelihood(Exact(STANDARD, Flow()), torch.zeros(0, 2, dtype=F64), probes=probes)
    assert answer.shape == (0,) and answer.dtype == F64


def test_random_probes_estimate_the_likelihood_without_bias():
    x = STANDARD.sample(1, seeded(0))
    denoise = Exact(STANDARD, Flow())
    exact = log_likelihood(denoise, x)
    estimates = log_likelihood(denoise, x.repeat(400, 1), steps=20, probes=1, generator=seeded(1))
    assert abs(estimates.mean() - exact) < 4 * estimates.std() / 20 + 1e-3
    many = log_likelihood(denoise, x.repeat(400, 1), steps=20, probes=8, generator=seeded(1))
    assert many.std() < 0.5 * estimates.std()  # sqrt(8) = 2.8 times smaller


# ---- the driver ----


def test_a_step_of_ones_own_draws_samples(mixture):
    """The ddim step as a learner writes it, without options, gives the package's samples."""

    def my_step(denoise, x, t, s):
        alpha, sigma = denoise.schedule.pair(s, x)
        guess = denoise(x, t)
        return alpha * guess.x0 + sigma * guess.eps

    denoise, cond = Exact(mixture, Cosine()), torch.arange(6) % 2
    ours, theirs = (sample(denoise, (2,), 6, step=step, cond=cond, steps=7) for step in ("ddim", my_step))
    assert torch.equal(ours, theirs)
    states = list(walk(denoise, torch.randn(6, 2), uniform_times(3), my_step, cond=cond))
    assert [state.t for state in states] == uniform_times(3)[1:]
    torch.testing.assert_close(states[-1].x0, states[-1].x)  # at t = 0 the estimate is the sample


def test_a_step_may_ask_for_noise_and_for_the_past(mixture):
    seen = []

    def curious(denoise, x, t, s, *, generator=None, history=(), strength=0.0):
        seen.append([time for time, _ in history])
        denoise(x, t)
        return x + strength * torch.randn(x.shape, generator=generator)

    x = torch.zeros(3, 2)
    noisy = last(
        walk(Exact(mixture, Cosine()), x, uniform_times(5), partial(curious, strength=1.0), generator=seeded(0))
    )
    times = uniform_times(5)
    assert seen == [[], times[:1], times[:2], times[:3], times[1:4]]
    assert noisy.abs().min() > 0
    same = sample(Exact(mixture, Cosine()), (2,), 3, x=x, steps=5, step=curious, options={"strength": 0.0})
    assert torch.equal(same, x)


def test_a_registered_step_is_known_by_name(mixture):
    @STEPS.register
    def half(denoise, x, t, s):
        return x / 2

    try:
        assert torch.equal(
            sample(Exact(mixture, Cosine()), (2,), 3, step="half", steps=1, x=torch.ones(3, 2)), torch.full((3, 2), 0.5)
        )
        with pytest.raises(ValueError, match="step='nil' is none of .*'half'"):
            sample(Exact(mixture, Cosine()), (2,), 3, step="nil")
    finally:
        del STEPS["half"]


def test_every_option_reaches_sample(mixture):
    """sample() with options draws what a walk with the same options draws."""
    denoise = Exact(mixture, Cosine())
    x = Cosine().prior((5, 2), seeded(7))
    for name, options in (("ddim", {"eta": 0.4}), ("heun", {"churn": 0.2}), ("ancestral", {})):
        by_walk = last(walk(denoise, x, uniform_times(6), partial(STEPS[name], **options), generator=seeded(0)))
        by_sample = sample(denoise, (2,), 5, step=name, options=options, x=x, steps=6, seed=0)
        assert torch.equal(by_walk, by_sample)
        if options:
            assert not torch.equal(by_sample, sample(denoise, (2,), 5, step=name, x=x, steps=6, seed=0))


@pytest.mark.parametrize("schedule_", [Cosine(), Flow(), EDM()], ids=repr)
def test_a_start_on_the_way_has_the_size_of_its_time(schedule_, mixture):
    """Without x, sample starts from N(0, alpha² + sigma²) of the first time."""
    starts = []

    def look(denoise, x, t, s):
        starts.append((t, x))
        return x

    sample(Exact(mixture, schedule_), (2,), 4000, step=look, times=[0.7, 0.5], batch=4000)
    ((t, x),) = starts
    variance = schedule_.alpha(0.7) ** 2 + schedule_.sigma(0.7) ** 2
    assert t == 0.7 and abs(x.var() / variance - 1) < 4 * (2 / 8000) ** 0.5


def test_picture_to_picture_starts_from_what_is_given(mixture):
    """A little noised and walked back, a point stays near; noised much more, it moves."""
    q, x0 = Cosine(), mixture.sample(500, seeded(0)).float()
    moved = []
    for t in (0.1, 0.9):
        x = q.marginal(x0, t).sample(seeded(1))
        y = sample(Exact(mixture, q), (2,), 500, x=x, times=uniform_times(30, t, 0.0), batch=500)
        moved.append((y - x0).norm(dim=1).median())
    assert moved[0] < 0.2 and moved[1] > 0.5


class Tokens(nn.Module):
    """A network whose condition is a dict of two things: it answers with what it was asked for."""

    conditional = True

    def null(self, cond):
        return {"tokens": torch.zeros_like(cond["tokens"]), "scale": torch.ones_like(cond["scale"])}

    def forward(self, x, t, cond=None):
        if cond is None:
            return torch.zeros_like(x)
        return cond["tokens"].float().sum(1, keepdim=True) * cond["scale"][:, None] + torch.zeros_like(x)


def test_a_condition_is_opaque():
    """Tokens and a number a sample, through batches and guidance: nothing but the network looks inside."""
    denoise = Denoiser(Tokens(), Cosine(), "x0")
    cond = {"tokens": torch.arange(10).reshape(5, 2), "scale": torch.tensor([1.0, 1.0, 2.0, 2.0, 3.0])}
    wanted = (cond["tokens"].sum(1) * cond["scale"])[:, None].expand(5, 3)
    torch.testing.assert_close(sample(denoise, (3,), 5, cond=cond, batch=2), wanted.contiguous())
    doubled = sample(Guided(denoise, 2.0), (3,), 5, cond=cond, batch=2)
    torch.testing.assert_close(doubled, 2 * wanted)  # uncond is 0
