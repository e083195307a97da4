"""Agreement with the schedulers of `diffusers`, on an arbitrary non-linear network.

Its timestep k is our t = (k + 1)/T. clip_sample, on by default there, is off. DDIM is not compared with `linspace`, nor with
`trailing` where n does not divide T: its step there is not to the next timestep. Tolerances are relative to the largest
sample: float32 rounding accumulated over the steps.
"""

import math
import warnings
from functools import partial

import numpy as np
import pytest
import torch

from diffusion_lib.predictions import TARGETS, solve
from diffusion_lib.sampling import ancestral, ddim, dpmpp_2m, euler, heun, walk
from diffusion_lib.schedules import CosineBeta, Flow, LinearBeta
from diffusion_lib.times import timesteps

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    diffusers = pytest.importorskip("diffusers", reason="pip install diffusers: the reference to compare with")

T = 1000
# the table is float32 there
Q = LinearBeta()


def network(x, k):
    """Non-linear in x, smooth in the timestep k, mixing the coordinates."""
    return torch.tanh(1.3 * x + 0.2 * x.roll(1, -1)) + 0.1 * math.cos(float(k) / 170)


class Net:
    """The network as a denoiser on a schedule, asked at t and answering at timestep k = t T - offset."""

    def __init__(self, schedule, predicts="eps", offset=1, whole=True):
        self.schedule, self.predicts, self.offset, self.whole = schedule, predicts, offset, whole

    def __call__(self, x, t, cond=None):
        alpha, sigma = self.schedule.pair(t, x)
        p, q = TARGETS[self.predicts](alpha, sigma, lambda: self.schedule.rates(t, x))
        k = t * T - self.offset
        return solve(x, network(x, round(k) if self.whole else k), alpha, sigma, p, q)


X = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))


def theirs(scheduler, n, x=X, **options):
    scheduler.set_timesteps(n)
    x = x.clone()
    for k in scheduler.timesteps:
        x = scheduler.step(network(scheduler.scale_model_input(x, k), k), k, x, **options).prev_sample
    return x


def last(steps):
    *_, step = steps
    return step.x


def times_of(scheduler):
    return [(int(k) + 1) / T for k in scheduler.timesteps] + [0.0]


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("n", [7, 10, 30, 50])
def test_ddpm(spacing, n):
    scheduler = diffusers.DDPMScheduler(clip_sample=False, timestep_spacing=spacing, variance_type="fixed_small")
    reference = theirs(scheduler, n, generator=torch.Generator().manual_seed(3))
    ours = last(walk(Net(Q), X, times_of(scheduler), ancestral, generator=torch.Generator().manual_seed(3)))
    assert relative(ours, reference) < 1e-5
    assert times_of(scheduler) == pytest.approx(timesteps(T, n, spacing)), "and our grid is that spacing"


@pytest.mark.parametrize("spacing, n", [("leading", n) for n in (7, 10, 30, 50)] + [("trailing", n) for n in (10, 50)])
def test_ddim(spacing, n):
    scheduler = diffusers.DDIMScheduler(clip_sample=False, timestep_spacing=spacing, set_alpha_to_one=True)
    reference = theirs(scheduler, n)
    assert relative(last(walk(Net(Q), X, times_of(scheduler), ddim)), reference) < 1e-5


@pytest.mark.parametrize("n", [10, 20, 50])
def test_dpm_solver_multistep(n):
    scheduler = diffusers.DPMSolverMultistepScheduler()
    reference = theirs(scheduler, n)
    assert relative(last(walk(Net(Q), X, times_of(scheduler), dpmpp_2m)), reference) < 1e-5


def test_euler_discrete_is_ddim():
    scheduler = diffusers.EulerDiscreteScheduler(beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing")
    scheduler.set_timesteps(50)
    reference = theirs(scheduler, 50, X * scheduler.sigmas[0])
    times = times_of(scheduler)
    ours = last(walk(Net(Q), X * Q.pair(times[0], X)[1], times, ddim))
    assert relative(ours, reference) < 1e-5


def test_heun_discrete_is_heun_in_the_gauge_alpha():
    scheduler = diffusers.HeunDiscreteScheduler(beta_start=1e-4, beta_end=0.02)
    scheduler.set_timesteps(20)
    distinct = [float(scheduler.timesteps[0]), *map(float, scheduler.timesteps[1::2])]
    reference = theirs(scheduler, 20, X * scheduler.sigmas[0])
    times = [(k + 1) / T for k in distinct] + [0.0]
    start = X * Q.pair(times[0], X)[1]
    ours = last(walk(Net(Q, whole=False), start, times, partial(heun, gauge=lambda alpha, sigma: alpha)))
    assert relative(ours, reference) < 1e-5


def test_flow_match_euler_is_euler():
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0)
    reference = theirs_flow(scheduler, 10)
    ours = last(walk(Net(Flow(), "velocity", offset=0, whole=False), X, [float(s) for s in scheduler.sigmas], euler))
    assert (ours - reference).abs().max() < 1e-6  # a few float32 roundings of numbers of size 1

    shifted = 3 * np.linspace(1, 0.1, 10) / (1 + 2 * np.linspace(1, 0.1, 10))
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0)
    reference = theirs_flow(scheduler, None, shifted)
    ours = last(walk(Net(Flow(), "velocity", offset=0, whole=False), X, [float(s) for s in scheduler.sigmas], euler))
    assert (ours - reference).abs().max() < 1e-6


def theirs_flow(scheduler, n, sigmas=None):
    if sigmas is None:
        scheduler.set_timesteps(n)
    else:
        scheduler.set_timesteps(sigmas=sigmas)
    x = X.clone()
    for k in scheduler.timesteps:
        x = scheduler.step(network(x, k), k, x).prev_sample
    return x


def test_beta_tables():
    i = torch.arange(1, T + 1, dtype=torch.float64) / T
    linear = diffusers.DDPMScheduler().alphas_cumprod
    cosine = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod
    assert (linear - LinearBeta().alpha_bar(i)).abs().max() < 2.5e-7
    assert (cosine - CosineBeta().alpha_bar(i)).abs().max() < 3.3e-7
