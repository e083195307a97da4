"""One addition, one place: what is registered is found by name everywhere, in files and in error messages."""

from dataclasses import dataclass

import pytest
import torch

from diffusion_lib.checkpoints import load_denoiser, save_denoiser
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import MLP
from diffusion_lib.objective import WEIGHTS, loss
from diffusion_lib.predictions import TARGETS
from diffusion_lib.registry import Registry
from diffusion_lib.schedules import SCHEDULES, VariancePreserving
from diffusion_lib.training import TrainingConfig, train


@pytest.fixture
def additions():
    """A schedule, a target and a weight, as somebody else would add them; forgotten at the end."""

    @SCHEDULES.register
    @dataclass(frozen=True)
    class Exponential(VariancePreserving):
        rate: float = 10.0

        def _log_alpha_bar(self, t):
            return -self.rate * t

    @TARGETS.register
    def half(alpha, sigma, rates):
        return torch.full_like(alpha, 0.5), torch.full_like(alpha, -0.5)

    @WEIGHTS.register(name="double")
    def twice(log_snr):
        return 2 * torch.ones_like(log_snr)

    yield Exponential
    del SCHEDULES["Exponential"], TARGETS["half"], WEIGHTS["double"]


def test_a_schedule_and_a_target_go_through_training_and_a_file(additions, tmp_path):
    torch.manual_seed(0)
    denoiser = Denoiser(MLP(2, width=16, depth=1), additions(8.0), "half")
    x = torch.randn(64, 2)
    *_, last = train(denoiser, x, TrainingConfig(steps=3, batch=8, weight="double"), progress=False)
    save_denoiser(tmp_path / "m.safetensors", last.denoiser)
    again = load_denoiser(tmp_path / "m.safetensors")
    assert again.schedule == additions(8.0) and again.predicts == "half"
    assert torch.equal(again(x, 0.5).x0, last.denoiser(x, 0.5).x0)


def test_a_weight_weighs_the_loss(additions):
    denoiser, x = Denoiser(MLP(2, width=16, depth=1), additions(), "eps"), torch.randn(8, 2)
    t, noise = torch.linspace(0.1, 0.9, 8, dtype=torch.float64), torch.randn(8, 2)
    plain, double = (loss(denoiser, x, t, noise, weight=WEIGHTS[name]) for name in ("simple", "double"))
    torch.testing.assert_close(double, 2 * plain)


def test_error_messages_list_what_is_registered(additions):
    with pytest.raises(ValueError, match="predicts='hlaf' is none of 'x0', 'eps', 'v', 'velocity', 'half'"):
        Denoiser(MLP(), additions(), "hlaf")
    with pytest.raises(ValueError, match="weight='tripel' is none of 'simple', .*'double'"):
        TrainingConfig(weight="tripel")
    with pytest.raises(ValueError, match="schedule='Exp' is none of .*'Exponential'"):
        SCHEDULES.find("Exp")


def test_a_name_is_given_once():
    names = Registry("letter")
    names.register("alpha", name="a")
    assert names == {"a": "alpha"} and names.find("a") == "alpha"

    def first():
        """One definition."""

    names.register(first)
    names.register(first)  # a notebook's cell that is run again
    with pytest.raises(ValueError, match="letter 'first' is registered already: choose another name"):
        names.register(test_a_name_is_given_once, name="first")
    with pytest.raises(ValueError, match="letter='b' is none of 'a', 'first'"):
        names.find("b")
    with pytest.raises(ValueError, match="option='b' is none of"):
        names.find("b", option="option")
