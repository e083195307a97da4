"""Gaussians and mixtures against quadrature, automatic differentiation and Monte Carlo."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from diffusion_lib import gaussians
from diffusion_lib.gaussians import Gaussian, GaussianMixture

F64 = torch.float64


def test_log_prob_is_torchs():
    mean, var, x = torch.randn(3, 5, generator=torch.Generator().manual_seed(1), dtype=F64).unbind()
    var = var.exp()
    expected = torch.distributions.Normal(mean, var.sqrt()).log_prob(x)
    torch.testing.assert_close(Gaussian(mean, var).log_prob(x), expected, rtol=1e-13, atol=1e-13)


def test_kl_equals_monte_carlo_and_is_zero_only_for_equals(generator):
    p = Gaussian(torch.tensor([0.3], dtype=F64), torch.tensor([0.5], dtype=F64))
    q = Gaussian(torch.tensor([-0.4], dtype=F64), torch.tensor([2.0], dtype=F64))
    x = Gaussian(p.mean.expand(200_000), p.var).sample(generator)
    terms = p.log_prob(x) - q.log_prob(x)
    standard_error = terms.std() / len(x) ** 0.5
    assert abs(terms.mean() - p.kl(q)) < 4 * standard_error
    assert abs(terms.mean() - q.kl(p)) > 20 * standard_error  # the sides are not interchangeable
    assert p.kl(p).item() == 0
    assert (p.kl(q) > 0).all() and (q.kl(p) > 0).all()
    torch.testing.assert_close(
        p.kl(q),
        torch.distributions.kl_divergence(
            torch.distributions.Normal(p.mean, p.var.sqrt()), torch.distributions.Normal(q.mean, q.var.sqrt())
        ),
    )


def test_sample_is_gaussian_noise(generator):
    n = 200_000
    x = Gaussian(torch.zeros(n, dtype=F64), torch.tensor(4.0, dtype=F64)).sample(generator) / 2
    assert abs(x.mean()) < 4 / n**0.5
    assert abs(x.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((x**4).mean() - 3) < 4 * (96 / n) ** 0.5  # kurtosis 3: a uniform has 1.8


def test_a_variance_of_zero_draws_nothing(generator):
    before = generator.get_state()
    point = Gaussian(torch.tensor([1.0, 2.0]), torch.zeros(2))
    assert torch.equal(point.sample(generator), point.mean)
    assert torch.equal(generator.get_state(), before)


def test_each_variance_draws_a_noise_of_its_own(generator):
    """Also where one mean serves many variances: one noise for all would give five equal numbers."""
    x = Gaussian(torch.tensor(1.0), torch.full((5,), 4.0)).sample(generator)
    assert x.shape == (5,) and len(x.unique()) == 5
    assert torch.equal(Gaussian(torch.tensor(1.0), torch.zeros(5)).sample(), torch.ones(5))


def test_negative_variance_is_refused():
    with pytest.raises(ValueError, match=r"var=-1 is negative.*log-variance"):
        Gaussian(torch.zeros(2), torch.tensor([1.0, -1.0]))


def test_mixture_density_integrates_to_one_with_its_mean_and_variance(line_mixture):
    x = torch.linspace(-6, 6, 20_001, dtype=F64)[:, None]
    p = line_mixture.log_prob(x).exp()
    step = 12 / 20_000
    mean = (p * x[:, 0]).sum() * step
    # the trapezium rule is exact to rounding for smooth functions that vanish at both ends
    assert abs(p.sum() * step - 1) < 1e-12
    assert abs(mean - line_mixture.mean) < 1e-12
    assert abs((p * (x[:, 0] - mean) ** 2).sum() * step - line_mixture.covariance) < 1e-12


def test_score_is_the_gradient_of_the_exact_log_density(mixture, generator):
    x = torch.randn(200, 2, generator=generator, dtype=F64, requires_grad=True)
    (gradient,) = torch.autograd.grad(mixture.log_prob(x).sum(), x)
    torch.testing.assert_close(mixture.score(x.detach()), gradient, rtol=1e-11, atol=1e-11)


def test_samples_have_the_mixtures_moments_and_labels(mixture, generator):
    n = 200_000
    x, k = mixture.sample(n, generator, labels=True)
    deviation = x - mixture.mean
    assert ((x.mean(0) - mixture.mean).abs() < 4 * (mixture.covariance.diag() / n).sqrt()).all()
    products = deviation[:, :, None] * deviation[:, None, :]
    assert ((products.mean(0) - mixture.covariance).abs() < 4 * products.std(0) / n**0.5).all()
    assert abs((k == 0).double().mean() - 0.3) < 4 * (0.3 * 0.7 / n) ** 0.5


@pytest.mark.parametrize("alpha, sigma", [(0.9, 0.4), (0.3, 0.95), (0.0, 1.0), (1.0, 1e-4), (1.0, 30.0)])
def test_posterior_mean_is_the_integral_over_x0(line_mixture, alpha, sigma):
    """E[x0 | x_t] = ∫ x0 p(x0) N(x_t; alpha x0, sigma²) dx0 / ∫ the same without x0, by quadrature."""
    x0 = torch.linspace(-5, 5, 400_001, dtype=F64)
    for x_t in (-1.1, 0.0, 0.7):
        log_w = line_mixture.log_prob(x0[:, None]) - (x_t - alpha * x0) ** 2 / (2 * sigma**2)
        expected = (log_w.softmax(0) * x0).sum()
        noise = (log_w.softmax(0) * (x_t - alpha * x0)).sum() / sigma
        found, eps = line_mixture.posterior_mean(torch.tensor([[x_t]], dtype=F64), alpha, sigma)
        assert abs(found.item() - expected) < 1e-9
        assert abs(eps.item() - noise) < 1e-9 / min(sigma, 1)


def test_posterior_mean_takes_a_time_for_each_sample(mixture, generator):
    x = torch.randn(3, 2, generator=generator, dtype=F64)
    alpha, sigma = torch.tensor([[0.9], [0.5], [0.1]], dtype=F64), torch.tensor([[0.2], [0.7], [0.99]], dtype=F64)
    together = mixture.posterior_mean(x, alpha, sigma)
    for i in range(3):
        alone = mixture.posterior_mean(x[[i]], alpha[i].item(), sigma[i].item())
        for part in (0, 1):
            torch.testing.assert_close(together[part][[i]], alone[part], rtol=1e-12, atol=1e-12)


def test_many_points_and_components_are_compared_in_parts(mixture, generator, monkeypatch):
    x = torch.randn(100, 2, generator=generator, dtype=F64)
    alpha = torch.rand(100, 1, generator=generator, dtype=F64)
    calls = ((1.0, 0.0), (0.6, torch.tensor(0.8, dtype=F64)), (alpha, (1 - alpha**2).sqrt()))
    at_once = [mixture.responsibilities(x, *pair) for pair in calls]
    monkeypatch.setattr(gaussians, "DIFFERENCES", 7 * mixture.means.numel())
    with Largest() as seen:
        in_parts = [mixture.responsibilities(x, *pair) for pair in calls]
    assert all(torch.equal(one, other) for one, other in zip(at_once, in_parts, strict=True))
    assert seen.numbers == max(7 * mixture.means.numel(), at_once[0].numel()), "all of them at once are 200 a component"


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor had that any operation returned."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.numbers = max(self.numbers, out.numel())
        return out


def test_tweedie_links_score_and_denoiser(mixture, generator):
    """eps = -sigma · score of the marginal (Vincent 2011)."""
    alpha, sigma = 0.6, 0.8
    x = torch.randn(100, 2, generator=generator, dtype=F64)
    _, eps = mixture.posterior_mean(x, alpha, sigma)
    torch.testing.assert_close(eps, -sigma * mixture.marginal(alpha, sigma).score(x), rtol=1e-11, atol=1e-11)


def test_one_component_is_a_gaussian(mixture):
    x = torch.tensor([[0.2, -0.3]], dtype=F64)
    expected = Gaussian(mixture.means[0], mixture.variances[0]).log_prob(x).sum(1)
    torch.testing.assert_close(mixture.component(0).log_prob(x), expected)
    assert math.isclose(mixture.component(1).mean[0].item(), -1.0)


def test_repr_rebuilds_the_mixture(mixture):
    again = eval(repr(mixture))
    assert all(torch.equal(a, b) for a, b in zip(again._parts, mixture._parts, strict=True))


@pytest.mark.parametrize(
    "weights, means, variances, message",
    [
        ([0.5, 0.4], [[0.0], [1.0]], [1.0, 1.0], "sum to 0.9, not 1"),
        ([0.5, 0.5], [0.0, 1.0], [1.0, 1.0], r"want \(K,\), \(K, D\) and \(K,\)"),
        ([0.5, 0.5], [[0.0], [1.0]], [1.0, -1.0], "every variance is at least 0"),
    ],
)
def test_wrong_mixtures_are_refused(weights, means, variances, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(torch.tensor(weights), torch.tensor(means), torch.tensor(variances))


@pytest.mark.parametrize(
    "shape, message",
    [
        ((4, 1), r"points have shape \(4, 1\), this mixture takes \(B, 2\): a row is the 2 coordinates of a point"),
        ((2,), r"points have shape \(2,\), this mixture takes \(B, 2\)"),
        ((3, 4, 2), r"points have shape \(3, 4, 2\), this mixture takes \(B, 2\)"),
    ],
    ids=["too few coordinates", "a single point", "rows of rows"],
)
@pytest.mark.parametrize("method", ["log_prob", "score", "responsibilities", "posterior_mean"])
def test_points_of_another_shape_are_refused(method, shape, message, mixture):
    noise = (0.8, 0.6) if method == "posterior_mean" else ()
    with pytest.raises(ValueError, match=message):
        getattr(mixture, method)(torch.zeros(shape, dtype=F64), *noise)


def test_numbers_that_are_no_rows_are_told_how_to_become_them(line_mixture):
    with pytest.raises(ValueError, match=r"this mixture takes \(B, 1\): take x\[:, None\]"):
        line_mixture.log_prob(torch.zeros(2, dtype=F64))
