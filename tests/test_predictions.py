"""The four targets and the one inversion: round trips at all times, identities between them, refusals."""

import math

import pytest
import torch

from diffusion_lib.predictions import TARGETS, determinant, solve
from diffusion_lib.schedules import EDM, Cosine, Flow

F64 = torch.float64


def coefficients(schedule, target, t, x):
    alpha, sigma = schedule.pair(t, x)
    return alpha, sigma, *TARGETS[target](alpha, sigma, lambda: schedule.rates(t, x))


@pytest.mark.parametrize("target", TARGETS)
def test_round_trip_at_all_times_in_float32(schedule, target):
    """Rounding is amplified by 1 / |Δ| at most, so that is the tolerance: 10 float32 roundings over |Δ|."""
    x0, eps = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    for t in torch.linspace(0, 1, 21):
        alpha, sigma, p, q = coefficients(schedule, target, t, x0)
        size = torch.hypot(alpha, sigma) * torch.hypot(p, q)
        det = determinant(alpha, sigma, p, q).abs()
        if not det >= 1e-6 * size:  # nor NaN, as the velocity of a VP schedule at t = 0, where sigma' is infinite
            with pytest.raises(ValueError, match="cannot recover"):
                solve(alpha * x0 + sigma * eps, p * x0 + q * eps, alpha, sigma, p, q)
            continue
        found = solve(alpha * x0 + sigma * eps, p * x0 + q * eps, alpha, sigma, p, q)
        tolerance = 10 * torch.finfo(torch.float32).eps * 4 * (torch.hypot(alpha, sigma) + 1) * size / det
        assert (found.x0 - x0).abs().max() < tolerance * max(1, 1 / torch.hypot(alpha, sigma))
        assert (found.eps - eps).abs().max() < tolerance * max(1, 1 / torch.hypot(alpha, sigma))


def test_v_never_breaks(schedule):
    t = torch.linspace(0, 1, 101, dtype=F64)
    x = torch.zeros(101, 1, dtype=F64)
    alpha, sigma, p, q = coefficients(schedule, "v", t, x)
    # Δ = (alpha² + sigma²) / hypot(alpha, sigma): the length of (alpha, sigma)
    torch.testing.assert_close(determinant(alpha, sigma, p, q), torch.hypot(alpha, sigma))


def test_velocity_is_the_time_derivative_of_the_path():
    x0, eps, h = torch.randn(4, dtype=F64), torch.randn(4, dtype=F64), 1e-6
    for schedule in (Cosine(), Flow(), EDM()):
        _, _, p, q = coefficients(schedule, "velocity", 0.4, x0)

        def path(t, schedule=schedule):
            alpha, sigma = schedule.pair(t, x0)
            return alpha * x0 + sigma * eps

        slope = (path(0.4 + h) - path(0.4 - h)) / (2 * h)
        torch.testing.assert_close(p * x0 + q * eps, slope, rtol=1e-7, atol=1e-7)  # h² + rounding / h


def test_v_is_the_velocity_of_the_pure_cosine_path():
    t = torch.linspace(0.01, 0.99, 50, dtype=F64)
    x = torch.zeros(50, 1, dtype=F64)
    schedule = Cosine(s=0.0)
    v, velocity = (coefficients(schedule, name, t, x)[2:] for name in ("v", "velocity"))
    for a, b in zip(v, velocity, strict=True):
        torch.testing.assert_close(a * math.pi / 2, b, rtol=1e-10, atol=1e-12)


def test_karras_network_output_is_minus_v():
    """EDM's F (Karras et al. 2022, equation 8, sigma_data = 1) is -v."""
    x0, eps = torch.randn(2, 6, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    _, sigma, p, q = coefficients(EDM(), "v", torch.linspace(0.1, 0.9, 6), x0)
    skip, out = 1 / (1 + sigma**2), sigma / (1 + sigma**2).sqrt()
    network = (x0 - skip * (x0 + sigma * eps)) / out
    torch.testing.assert_close(network, -(p * x0 + q * eps), rtol=1e-9, atol=1e-9)


def test_the_targets_are_different():
    x0, eps = torch.randn(2, 5, dtype=F64, generator=torch.Generator().manual_seed(0))
    values = [p * x0 + q * eps for _, _, p, q in (coefficients(Cosine(), name, 0.4, x0) for name in TARGETS)]
    for i, a in enumerate(values):
        for b in values[i + 1 :]:
            assert (a - b).abs().max() > 0.1


def test_unknown_target_is_named():
    with pytest.raises(ValueError, match="predicts='noise' is none of 'x0', 'eps', 'v', 'velocity'"):
        TARGETS.find("noise", option="predicts")
