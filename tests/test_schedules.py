"""Schedules against their formulas, numerical Bayes, simulation and the known table of terminal SNRs."""

import math

import pytest
import torch

from diffusion_lib.schedules import (
    EDM,
    SCHEDULES,
    Cosine,
    CosineBeta,
    Discrete,
    Flow,
    LinearBeta,
    ScaledLinearBeta,
    SigmoidBeta,
)
from diffusion_lib.times import check_times, log_snr_times, timesteps, uniform_times

F64 = torch.float64
TABLES = [LinearBeta(), ScaledLinearBeta(), SigmoidBeta(), CosineBeta(), LinearBeta(timesteps=50)]


# --- the curves --------------------------------------------------------------------------------------------


def test_alpha_bar_is_the_product_of_the_steps():
    for q in TABLES:
        T = q.timesteps
        i = torch.arange(T + 1, dtype=F64)
        product = torch.cat([torch.ones(1, dtype=F64), (1 - q.betas()).cumprod(0)])
        torch.testing.assert_close(q.alpha_bar(i / T), product, rtol=1e-11, atol=0)
        assert q.alpha_bar(0.0).item() == 1 and q.sigma(0.0).item() == 0


def test_linear_table_is_the_papers():
    betas = LinearBeta().betas()
    assert len(betas) == 1000 and betas[0] == 1e-4 and betas[-1] == 0.02
    torch.testing.assert_close(betas.diff(), torch.full((999,), (0.02 - 1e-4) / 999, dtype=F64))


def test_scaled_linear_is_linear_in_the_square_root():
    betas = ScaledLinearBeta().betas()
    roots = betas.sqrt()
    torch.testing.assert_close(roots.diff(), roots.diff()[:1].expand(999), rtol=1e-9, atol=0)
    torch.testing.assert_close(betas[[0, -1]], torch.tensor([0.00085, 0.012], dtype=F64))


def test_sigmoid_table_is_the_logistic_curve():
    q = SigmoidBeta(timesteps=101, start=0.1, end=0.3)
    k = torch.arange(101, dtype=F64)
    torch.testing.assert_close(q.betas(), 0.1 + 0.2 / (1 + torch.exp(6 - 12 * k / 100)))


def test_cosine_is_the_papers_formula_everywhere():
    def f(t):
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    q = Cosine()
    for i in range(0, 1001):
        assert abs(q.alpha_bar(i / 1000).item() - f(i / 1000) / f(0)) < 1e-14
    assert q.alpha_bar(0.0).item() == 1 and q.sigma(0.0).item() == 0
    table = CosineBeta()
    expected = torch.tensor([min(1 - f((i + 1) / 1000) / f(i / 1000), 0.999) for i in range(1000)], dtype=F64)
    torch.testing.assert_close(table.betas(), expected, rtol=0, atol=1e-12)
    assert table.betas().max() == 0.999
    assert 1.5e4 < 1 / table.alpha(1.0) < 2.5e4  # why eps cannot be trusted at its last timestep


def test_flow_and_karras_are_their_formulas():
    t = torch.linspace(0, 1, 11, dtype=F64)
    assert torch.equal(Flow().alpha(t), 1 - t) and torch.equal(Flow().sigma(t), t)
    sigma = EDM().sigma(t)
    expected = (0.002 ** (1 / 7) + t * (80 ** (1 / 7) - 0.002 ** (1 / 7))) ** 7
    torch.testing.assert_close(sigma, expected, rtol=1e-13, atol=0)
    assert torch.equal(EDM().alpha(t), torch.ones_like(t))


def test_variance_preserving_schedules_preserve_it(schedule):
    t = torch.linspace(0, 1, 501, dtype=F64)
    total = schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2
    if isinstance(schedule, Flow | EDM):
        assert (total - 1).abs().max() > 0.1
    else:
        torch.testing.assert_close(total, torch.ones_like(t), rtol=1e-14, atol=0)


def test_signal_falls_and_noise_rises(schedule):
    t = torch.linspace(0, 1, 1001, dtype=F64)
    assert (schedule.log_snr(t).diff() < 0).all()
    assert (schedule.sigma(t).diff() > 0).all()
    for curve in (schedule.alpha(t), schedule.sigma(t)):
        assert curve.isfinite().all()


def test_rates_are_the_slopes(schedule):
    """Central differences, whose error is of order h² and rounding / h: 1e-6 relative at h = 1e-6."""
    x, h = torch.ones(4, 1, dtype=F64), 1e-6
    t = torch.tensor([0.1104, 0.4203, 0.5507, 0.9101], dtype=F64)  # not on a table's corner
    for rate, curve in zip(schedule.rates(t, x), (schedule.alpha, schedule.sigma), strict=True):
        torch.testing.assert_close(rate[:, 0], (curve(t + h) - curve(t - h)) / (2 * h), rtol=1e-6, atol=1e-7)


def test_rates_are_the_same_in_inference_mode(schedule):
    x, t = torch.ones(2, 1), torch.tensor([0.25, 0.75])
    expected = schedule.rates(t, x)
    with torch.inference_mode():
        for t_ in (t, t.clone()):  # the second is an inference tensor itself
            assert all(torch.equal(a, b) for a, b in zip(schedule.rates(t_, x), expected, strict=True))


def test_one_sample_at_many_times(schedule):
    x, t = torch.ones(1, 4), torch.tensor([0.1, 0.5, 0.9])
    assert torch.equal(schedule.marginal(x, t).mean, schedule.marginal(x.expand(3, 4), t).mean)


def test_any_variance_preserving_schedule_gives_its_betas_back():
    for q in TABLES:
        torch.testing.assert_close(Discrete(q.betas(q.timesteps).tolist()).betas(), q.betas())
    fine, coarse = LinearBeta(), Discrete(LinearBeta().betas(50).tolist())
    t = torch.linspace(0, 1, 51, dtype=F64)
    torch.testing.assert_close(coarse.alpha_bar(t), fine.alpha_bar(t), rtol=1e-11, atol=0)
    with pytest.raises(ValueError, match=r"Flow\(\) has no beta table"):
        Flow().betas(10)


@pytest.mark.parametrize(
    "schedule, snr, digits",
    [
        (LinearBeta(), 4e-5, 0.05),
        (ScaledLinearBeta(), 0.0047, 0.02),
        (LinearBeta(end=0.01), 0.0063, 0.02),
        (LinearBeta(timesteps=300), 0.050, 0.02),
        (LinearBeta(timesteps=150), 0.28, 0.02),
        (LinearBeta(timesteps=50), 1.52, 0.01),
    ],
    ids=repr,
)
def test_terminal_snr_of_well_known_settings(schedule, snr, digits):
    assert abs(schedule.snr(1.0).item() / snr - 1) < digits  # the figures are quoted to two or three digits


def test_tables_stay_tables_over_many_timesteps():
    for timesteps_ in (2, 5, 10, 50, 200, 1000, 4000):
        q = CosineBeta(timesteps=timesteps_)
        assert ((q.betas() > 0) & (q.betas() < 1)).all()
        assert q.snr(1.0) < 1e-3  # the cosine table ends in noise whatever T is
        rescaled = LinearBeta(timesteps=1000).betas(timesteps_)
        assert ((rescaled > 0) & (rescaled < 1)).all()
        assert abs(Discrete(rescaled.tolist()).snr(1.0).item() / LinearBeta().snr(1.0).item() - 1) < 1e-9


# --- the three Gaussians -----------------------------------------------------------------------------------


def test_chapman_kolmogorov(schedule):
    """Noising 0 → s → t equals noising 0 → t: the means multiply, the variances add."""
    x0 = torch.tensor([[0.7], [-1.3]], dtype=F64)
    s, t = 0.3, 0.8
    at_s, at_t = schedule.marginal(x0, s), schedule.marginal(x0, t)
    onwards = schedule.transition(at_s.mean, s, t)
    keep = schedule.alpha(t) / schedule.alpha(s)
    torch.testing.assert_close(onwards.mean, at_t.mean, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(onwards.var + keep**2 * at_s.var, at_t.var, rtol=1e-13, atol=1e-15)


def test_two_transitions_are_one(schedule):
    x, (r, s, t) = torch.tensor([[0.4]], dtype=F64), (0.2, 0.5, 0.9)
    first = schedule.transition(x, r, s)
    second = schedule.transition(first.mean, s, t)
    once = schedule.transition(x, r, t)
    keep = schedule.alpha(t) / schedule.alpha(s)
    torch.testing.assert_close(second.mean, once.mean, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(second.var + keep**2 * first.var, once.var, rtol=1e-12, atol=1e-15)


def test_one_step_of_a_table_is_sqrt_one_minus_beta_and_beta():
    q = LinearBeta(timesteps=20, start=0.01, end=0.3)
    x = torch.tensor([[1.0]], dtype=F64)
    for i in range(1, 21):
        step = q.transition(x, (i - 1) / 20, i / 20)
        beta = q.betas()[i - 1]
        assert abs(step.mean.item() - (1 - beta).sqrt()) < 1e-14
        assert abs(step.var.item() - beta) < 1e-14


def test_the_walk_agrees_with_the_jump(generator):
    """50 steps of 100 000 points: mean, variance and kurtosis of the closed form, within 4 standard errors."""
    q, n, i = LinearBeta(timesteps=100, start=1e-3, end=0.1), 100_000, 50
    x = torch.full((n,), 0.8, dtype=F64)
    for k in range(1, i + 1):
        x = q.transition(x, (k - 1) / 100, k / 100).sample(generator)
    jump = q.marginal(torch.tensor(0.8, dtype=F64), i / 100)
    assert abs(x.mean() - jump.mean) < 4 * (jump.var / n) ** 0.5
    assert abs(x.var() - jump.var) < 4 * jump.var * (2 / n) ** 0.5
    standardised = (x - x.mean()) / x.std()
    assert abs((standardised**4).mean() - 3) < 4 * (24 / n) ** 0.5
    one = q.transition(torch.zeros(n, dtype=F64), 0.0, 0.01).sample(generator)
    assert abs(((one / one.std()) ** 4).mean() - 3) < 4 * (24 / n) ** 0.5  # noise multiplied in twice would give 9


def test_posterior_is_numerical_bayes(schedule):
    """q(x_s | x_t, x_0) against q(x_s | x_0) q(x_t | x_s) normalised on a grid of 12 standard deviations."""
    x0, x_t = torch.tensor([0.4], dtype=F64), torch.tensor([0.9], dtype=F64)
    for s, t in ((0.3, 0.6), (0.5, 1.0), (0.02, 0.9)):
        found = schedule.posterior(x_t, x0, s, t)
        width = 12 * found.var.sqrt().item()
        x_s = torch.linspace(found.mean.item() - width, found.mean.item() + width, 100_001, dtype=F64)
        log_p = schedule.marginal(x0, s).log_prob(x_s) + schedule.transition(x_s, s, t).log_prob(x_t)
        p = log_p.softmax(0)
        mean = (p * x_s).sum()
        var = (p * (x_s - mean) ** 2).sum()
        assert abs(mean - found.mean) < 1e-9 * max(1, width)
        assert abs(var / found.var - 1) < 1e-8


def test_posterior_mean_is_the_papers_formula():
    """DDPM, equation 7, which mixes alpha_bar_{t-1} and alpha_t = 1 - beta_t."""
    q = LinearBeta(timesteps=30, start=0.01, end=0.4)
    x0, x_t = torch.tensor([[0.3]], dtype=F64), torch.tensor([[-0.8]], dtype=F64)
    for i in range(2, 31):
        beta, before, now = q.betas()[i - 1], q.alpha_bar((i - 1) / 30), q.alpha_bar(i / 30)
        found = q.posterior(x_t, x0, (i - 1) / 30, i / 30)
        mean = before.sqrt() * beta / (1 - now) * x0 + (1 - beta).sqrt() * (1 - before) / (1 - now) * x_t
        torch.testing.assert_close(found.mean, mean, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(found.var, (1 - before) / (1 - now) * beta, rtol=1e-11, atol=0)


def test_posterior_at_zero_is_x0_exactly(schedule):
    x0, x_t = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    end = schedule.posterior(x_t, x0, 0.0, 0.2)
    if isinstance(schedule, EDM):  # keeps sigma_min, of which the ratio (sigma_min / sigma(0.2))² = 6e-4 is taken
        assert end.var.sqrt().item() == pytest.approx(0.002, rel=1e-3)
    else:
        assert not end.var.any()
        torch.testing.assert_close(end.mean, x0, rtol=1e-6, atol=1e-6)  # float32 rounding
        assert torch.equal(end.sample(), end.mean)


def test_float32_is_finite_at_both_ends(schedule):
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    for t in (0.0, 1e-6, 1 / 1000, 0.5, 1.0):
        assert schedule.marginal(x, t).mean.isfinite().all()
        if t > 0:
            for gaussian in (schedule.posterior(x, x, 0.0, t), schedule.transition(x, 0.0, t)):
                assert gaussian.mean.isfinite().all() and gaussian.var.isfinite().all()


def test_a_time_for_each_sample_equals_one_at_a_time(schedule):
    x = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.2, 0.5, 1.0])
    together = schedule.marginal(x, t)
    for i in range(3):
        alone = schedule.marginal(x[[i]], t[i].item())
        torch.testing.assert_close(together.mean[[i]], alone.mean)
        torch.testing.assert_close(together.var[i].squeeze(), alone.var.squeeze())


def test_the_same_computation_in_float32_and_float64_differs_by_rounding(schedule):
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    low, high = schedule.posterior(x, x, 0.4, 0.7), schedule.posterior(x.double(), x.double(), 0.4, 0.7)
    torch.testing.assert_close(low.mean.double(), high.mean, rtol=1e-6, atol=1e-6)
    assert low.mean.dtype == torch.float32 and high.mean.dtype == F64


# --- time grids --------------------------------------------------------------------------------------------


def test_time_at_inverts_log_snr(schedule):
    t = torch.linspace(0.02, 0.98, 25, dtype=F64)
    torch.testing.assert_close(schedule.time_at(schedule.log_snr(t)), t, rtol=0, atol=1e-12)


def test_log_snr_is_the_logarithm_of_the_snr(schedule):
    t = torch.linspace(0.05, 0.95, 19, dtype=F64)
    torch.testing.assert_close(schedule.log_snr(t), (schedule.alpha(t) ** 2 / schedule.sigma(t) ** 2).log())
    torch.testing.assert_close(schedule.snr(t), schedule.log_snr(t).exp())


def test_log_snr_by_hand():
    assert Flow().log_snr(0.25).item() == pytest.approx(math.log(9))  # (3/4)² over (1/4)²
    assert Cosine(0.0).log_snr(0.5).item() == pytest.approx(0)  # cos = sin


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("steps", [1, 2, 7, 10, 30, 50, 999, 1000])
def test_spacings_fall_strictly_and_have_the_right_length(spacing, steps):
    times = timesteps(1000, steps, spacing)
    assert check_times(times) == times and len(times) == steps + 1 and times[-1] == 0
    assert all(abs(t * 1000 - round(t * 1000)) < 1e-9 for t in times)
    if spacing != "leading":
        assert times[0] == 1.0  # sampling starts where the noise is
    assert times[0] <= 1


def test_uniform_and_log_snr_grids():
    assert uniform_times(4) == [1.0, 0.75, 0.5, 0.25, 0.0]
    grid = log_snr_times(Cosine(), 10)
    steps = Cosine().log_snr(torch.tensor(grid, dtype=F64)).diff()
    torch.testing.assert_close(steps, steps[:1].expand(10), rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="keep both ends inside"):
        log_snr_times(Flow(), 10, start=1.0)


# --- faults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: LinearBeta(2, 0.1, 1.0), "beta at timestep 2 is 1: each must lie strictly between 0 and 1"),
        (lambda: Discrete((1.0, 0.1)), "beta at timestep 1 is 1: each must lie strictly between 0 and 1"),
        (lambda: Discrete((0.1, 1.5)), "beta at timestep 2 is 1.5"),
        (lambda: Discrete((0.0, 0.5)), "beta at timestep 1 is 0"),
        (lambda: Discrete(()), "timesteps=0: take a whole number of at least 1"),
        (lambda: LinearBeta(-1), "timesteps=-1: take a whole number"),
        (lambda: LinearBeta(2.5), "timesteps=2.5: take a whole number"),
        (lambda: CosineBeta(0), "timesteps=0: take a whole number"),
        (lambda: Cosine().betas(0), "timesteps=0: take a whole number"),
        (lambda: Cosine(s=-1.0), "s=-1.0 must be at least 0"),
        (lambda: CosineBeta(s=-0.5), "s=-0.5 must be at least 0"),
        (lambda: Flow().pair(torch.rand(3), torch.ones(2, 4)), r"t has shape \(3,\) for a batch of 2: give one time"),
        (lambda: Discrete((0.5, float("nan"))), "beta at timestep 2 is nan"),
        (lambda: LinearBeta(end=1.5), "strictly between 0 and 1"),
        (lambda: LinearBeta().alpha(1.2), r"t=1.2 is outside \[0, 1\]: timestep i of T is t = i / T"),
        (lambda: LinearBeta().alpha(float("nan")), "t=nan is outside"),
        (lambda: LinearBeta().alpha(torch.tensor([0.1, 500.0])), "t=500 is outside"),
        (lambda: Flow().posterior(torch.ones(1), torch.ones(1), 0.6, 0.3), "s=0.6 is not before t=0.3"),
        (lambda: Flow().transition(torch.ones(1), 0.3, 0.3), "s=0.3 is not before t=0.3"),
        (
            lambda: check_times([1.0, 0.5, 0.3, 0.4]),
            r"times must fall strictly, or rise strictly: times\[3\]=0.4 follows 0.3",
        ),
        (
            lambda: check_times([1.0, 0.5, 0.5]),
            r"times must fall strictly, or rise strictly: times\[2\]=0.5 follows 0.5",
        ),
        (lambda: check_times([0.0, 1.0], falling=True), r"times must fall strictly: times\[1\]=1 follows 0"),
        (lambda: check_times([0.2, 0.4, 0.3]), r"times\[2\]=0.3 follows 0.4"),
        (lambda: check_times([1.0]), "at least 2"),
        (lambda: check_times([1.5, 0.0]), "t=1.5 is outside"),
        (lambda: check_times([1 + 1e-9, 0.0]), "t=1 is outside"),  # in float64, as schedules see it
        (lambda: timesteps(1000, 1001), "steps=1001 is more than the table's 1000 timesteps"),
        (lambda: timesteps(1000, 10, "log"), "spacing='log' is none of"),
        (lambda: uniform_times(0), "steps=0: take a whole number of at least 1"),
        (lambda: EDM(sigma_min=1.0, sigma_max=0.5), "0 < sigma_min < sigma_max"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_repr_rebuilds_the_schedule(schedule):
    again = eval(repr(schedule), dict(SCHEDULES))  # a copy: eval adds the builtins to what it is given
    assert again == schedule
    assert torch.equal(again.alpha(0.3), schedule.alpha(0.3))


def test_a_table_may_end_without_any_signal():
    """A last beta of 1 (Lin et al. 2023): alpha is as ever up to the last timestep but one, then 0."""
    betas = LinearBeta(10, 0.1, 0.5).betas().tolist()
    q = Discrete((*betas[:-1], 1.0))
    before = torch.linspace(0, 0.9, 19, dtype=torch.float64)
    assert torch.equal(q.alpha(before), LinearBeta(10, 0.1, 0.5).alpha(before))
    assert q.alpha(1.0) == q.alpha(0.95) == 0 and q.sigma(1.0) == 1
    assert abs(q.time_at(-1e9) - 0.9) < 1e-12
    assert repr(q) == "Discrete(10 betas from 0.1 to 1)"
