"""The workbench of schedules: what its controls feed to the widgets, and what it says of a choice without one."""

import numpy as np
import pytest
import torch

from diffusion_lib.course import widgets
from diffusion_lib.schedules import CosineBeta, Discrete, LinearBeta, ScaledLinearBeta, SigmoidBeta


@pytest.fixture
def bench():
    x0 = torch.linspace(-1, 1, 32).reshape(2, 1, 4, 4)
    return widgets.explore_schedule(x0, x0.flip(0))


def part(widget, name):
    """The numbers that a widget holds for the browser, under that name."""
    import zlib

    entry = next(entry for entry in widget._parts if entry["name"] == name)
    raw = widget._data[entry["start"] : entry["start"] + entry["length"]]
    return np.frombuffer(zlib.decompress(raw) if entry["zip"] else raw, dtype=entry["type"])


def test_it_starts_with_the_usual_table(bench):
    assert bench.schedule == LinearBeta()
    assert "terminal SNR 4.04e−5" in bench.report.value


@pytest.mark.parametrize(
    "family, timesteps, schedule",
    [
        ("linear", 50, LinearBeta(50)),
        ("scaled linear", 1000, ScaledLinearBeta()),
        ("cosine", 20, CosineBeta(20)),
        ("sigmoid", 300, SigmoidBeta(300)),
    ],
)
def test_each_choice_reaches_every_widget(bench, family, timesteps, schedule):
    bench.family.value = family
    bench.timesteps.value = timesteps
    assert bench.schedule == schedule
    times = torch.tensor(bench.shares.times, dtype=torch.float64)
    assert len(times) == min(timesteps, 200) + 1
    assert torch.allclose(times * timesteps, (times * timesteps).round())  # timesteps, not places between them
    assert np.allclose(part(bench.shares, "y 0"), schedule.alpha_bar(times))
    assert np.allclose(part(bench.clock, "y 0"), schedule.log_snr(times)[1:])
    assert np.allclose(part(bench.pictures, "alpha"), schedule.alpha(times).float())
    assert np.allclose(part(bench.pictures, "sigma"), schedule.sigma(times).float())


def test_the_cosine_has_no_ends_to_set(bench):
    assert not bench.start.disabled
    bench.family.value = "cosine"
    assert bench.start.disabled and bench.end.disabled


def test_a_choice_without_a_schedule_is_explained_and_changes_nothing(bench):
    before = bench.schedule
    bench.end.value = 1.0
    assert "beta at timestep 1000 is 1:" in bench.report.value
    assert bench.schedule == before
    bench.end.value = 0.1
    assert bench.schedule.betas()[-1].item() == pytest.approx(0.1) and "terminal SNR" in bench.report.value


def test_time_is_kept_when_the_schedule_changes(bench):
    bench.pictures.t = 0.5
    bench.timesteps.value = 10
    assert bench.pictures.t == 0.5 and bench.pictures.index == 5


def test_a_schedule_of_ones_own_is_one_more_family():
    x0 = torch.linspace(-1, 1, 32).reshape(2, 1, 4, 4)
    bench = widgets.explore_schedule(x0, x0.flip(0), more={"yours": lambda T: Discrete((1 - 0.01 ** (1 / T),) * T)})
    assert bench.schedule == LinearBeta()
    bench.family.value = "yours"
    bench.timesteps.value = 50
    assert bench.schedule.timesteps == 50 and bench.start.disabled and bench.end.disabled
    assert bench.schedule.alpha_bar(1.0).item() == pytest.approx(0.01)
    assert np.allclose(part(bench.shares, "y 0")[-1], 0.01)
