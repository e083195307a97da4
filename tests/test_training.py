"""Training: the same numbers whatever interrupts it or how many processes share it, and refusals that lose nothing."""

import math
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffusion_lib import training
from diffusion_lib.checkpoints import describe, info_of, load_denoiser, read, write
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser, Exact
from diffusion_lib.networks import MLP, UNet
from diffusion_lib.objective import WEIGHTS, loss
from diffusion_lib.schedules import Cosine, Flow
from diffusion_lib.training import CHECKPOINT, Recipe, draw, moving_average, stable_hash, train

ROOT = Path(__file__).parents[1]
POINTS = load("mixture", count=500)


def fresh(seed=0, net=None, schedule=None, predicts="v", classes=0):
    """A denoiser whose first weights depend on ``seed``; ``net`` makes its network."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = net() if net else MLP(2, width=16, depth=1, classes=classes)
        return Denoiser(net, schedule or Cosine(), predicts)


def run(denoiser=None, data=POINTS, **options):
    return list(
        train(denoiser or fresh(), data, progress=False, **{"steps": 30, "batch": 8, "precision": "float32"} | options)
    )


def weights(denoiser):
    return torch.cat([p.detach().flatten() for p in denoiser.net.parameters()])


# ---- what is drawn ----


def test_a_steps_draws_depend_on_seed_and_step_alone():
    recipe = Recipe(steps=10, batch=6, seed=3)
    first = draw(POINTS.x, POINTS.labels, recipe, 7)
    torch.rand(5)  # the global generator moves on, the draws do not
    for a, b in zip(first, draw(POINTS.x, POINTS.labels, recipe, 7), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first[2], draw(POINTS.x, POINTS.labels, recipe, 8)[2])
    assert not torch.equal(first[2], draw(POINTS.x, POINTS.labels, replace(recipe, seed=4), 7)[2])


def test_the_seed_of_a_step_is_the_same_on_every_machine_and_unlike_its_neighbours():
    assert stable_hash(0, 1) == 8566881351708354045
    seeds = {stable_hash(seed, step) for seed in range(50) for step in range(50)}
    assert len(seeds) == 2500 and all(0 <= s < 2**63 for s in seeds)


def test_training_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    run(steps=3)
    assert torch.equal(before, torch.get_rng_state())


def test_stratified_times_fall_one_in_each_slice_and_reach_both_ends():
    recipe = Recipe(steps=1, batch=32)
    t = torch.stack([draw(POINTS.x, None, recipe, step)[1] for step in range(1, 401)])
    assert torch.equal((t * 32).floor().long(), torch.arange(32).expand(400, 32))
    assert t.min() < 1e-3 and t.max() > 1 - 1e-3
    # uniform within a slice: the mean of 12800 has a standard error of sqrt(1/12 / 12800) = 0.0026
    assert abs((t * 32 % 1).mean() - 0.5) < 4 * 0.0026
    plain = draw(POINTS.x, None, replace(recipe, stratified=False), 1)[1]
    assert not torch.equal((plain * 32).floor().long(), torch.arange(32))


def test_the_noise_is_standard_gaussian():
    noise = torch.cat([draw(POINTS.x, None, Recipe(steps=1, batch=500), step)[2] for step in range(1, 21)])
    n = noise.numel()  # 20 000; bounds are 4 standard errors of the mean, the variance and the kurtosis
    assert abs(noise.mean()) < 4 / n**0.5
    assert abs(noise.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((noise**4).mean() - 3) < 4 * (96 / n) ** 0.5


def test_labels_belong_to_their_points_and_a_tenth_is_dropped():
    recipe = Recipe(steps=1, batch=500)
    dropped = 0
    for step in range(1, 21):
        x0, _, _, labels = draw(POINTS.x, POINTS.labels, recipe, step)
        row = (x0[:, None] == POINTS.x[None]).all(-1).float().argmax(1)
        known = labels >= 0
        assert torch.equal(labels[known], POINTS.labels[row][known])
        dropped += int((~known).sum())
    assert abs(dropped / 10_000 - 0.1) < 4 * (0.09 / 10_000) ** 0.5  # 4 standard errors


def test_labels_are_used_where_the_network_takes_them():
    assert training.examples(POINTS, MLP(2, classes=4))[1] is POINTS.labels
    assert training.examples(POINTS, MLP(2))[1] is None
    a, b = (run(fresh(classes=4), data, steps=3, label_dropout=0.0) for data in (POINTS, POINTS.x))
    assert a[-1].loss != b[-1].loss


# ---- one step ----


def test_the_weight_of_the_recipe_is_the_weight_of_the_loss():
    x0, t, noise, _ = draw(POINTS.x, None, Recipe(steps=1, batch=8), 1)
    (p,) = train(fresh(predicts="x0"), POINTS, steps=1, batch=8, weight="snr+1", precision="float32", progress=False)
    torch.testing.assert_close(p.losses, loss(fresh(predicts="x0"), x0, t, noise, weight=WEIGHTS["snr+1"]).detach())
    assert not torch.allclose(p.losses, loss(fresh(predicts="x0"), x0, t, noise))
    with pytest.raises(ValueError, match="weight='snr' is none of 'simple', 'snr\\+1'"):
        Recipe(steps=1, weight="snr")


def test_a_step_is_adam_on_the_mean_loss_and_forgets_the_gradient_before():
    denoiser, copy = fresh(), fresh()
    recipe = Recipe(steps=5, batch=8, warmup=2, precision="float32")
    optimizer = torch.optim.AdamW(copy.net.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=0.0)
    steps = train(denoiser, POINTS, steps=5, batch=8, warmup=2, precision="float32", progress=False)
    for step, p in enumerate(steps, start=1):
        x0, t, noise, _ = draw(POINTS.x, None, recipe, step)
        alpha, sigma = Cosine().pair(t, x0)
        v = alpha * noise - sigma * x0
        miss = (copy.net(alpha * x0 + sigma * noise, t.float()) - v).square().mean(1)
        optimizer.zero_grad()
        miss.mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(copy.net.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = recipe.rate(step)
        optimizer.step()
        torch.testing.assert_close(p.losses, miss.detach(), rtol=1e-5, atol=1e-6)
        assert math.isclose(p.loss, miss.mean().item(), rel_tol=1e-5)
        assert math.isclose(p.grad_norm, norm.item(), rel_tol=1e-4)
        assert torch.equal(p.t, t) and p.lr == recipe.rate(step)
    torch.testing.assert_close(weights(denoiser), weights(copy), rtol=1e-5, atol=1e-6)


def test_the_learning_rate_rises_and_falls():
    recipe = Recipe(steps=1000, lr=1.0, warmup=10)
    assert recipe.rate(1) == pytest.approx(0.1) and recipe.rate(5) == pytest.approx(0.5, rel=1e-4)
    assert recipe.rate(501) == pytest.approx(0.5)
    assert 0 < recipe.rate(1000) < 1e-5
    assert replace(recipe, decay="none").rate(1000) == 1.0


def test_the_average_is_the_closed_form_of_the_ema_and_not_the_weights():
    history, denoiser = [], fresh()
    for p in train(denoiser, POINTS, steps=40, batch=8, ema=0.7, decay="none", progress=False):
        history.append(weights(denoiser).double())
    expected = history[0]
    for n, w in enumerate(history[1:], start=1):
        decay = min(0.7, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * w
    torch.testing.assert_close(weights(p.denoiser).double(), expected, rtol=1e-5, atol=1e-6)
    assert (weights(p.denoiser) - weights(denoiser)).abs().max() > 1e-4


def test_the_averages_warm_up():
    update = moving_average(0.999)
    zero, one = torch.zeros(()), torch.ones(())
    assert update(zero, one, 1).item() == pytest.approx(1 - 2 / 11)
    assert update(zero, one, 10**6).item() == pytest.approx(0.001, rel=1e-3)


def test_samples_come_from_the_average_in_evaluation_mode():
    denoiser = fresh()
    p = run(denoiser, steps=2)[-1]
    assert not p.denoiser.net.training and denoiser.net.training
    assert p.denoiser.net is not denoiser.net


def test_training_learns_the_mixture():
    """The loss of the last steps comes near the exact denoiser's on the same draws, from far above it."""
    data = load("mixture", count=4000)
    recipe = Recipe(steps=400, batch=128)
    found = run(fresh(net=lambda: MLP(2, width=64, depth=2)), data, steps=400, batch=128, lr=4e-3, ema=0.99)
    exact = Exact(data.mixture, Cosine())
    best = []
    for step in range(301, 401):
        x0, t, noise, _ = draw(data.x, None, recipe, step)
        alpha, sigma = Cosine().pair(t, x0)
        guess = exact(alpha * x0 + sigma * noise, t)
        best.append(((alpha * guess.eps - sigma * guess.x0) - (alpha * noise - sigma * x0)).square().mean().item())
    best = sum(best) / len(best)
    first, last = (sum(p.loss for p in part) / len(part) for part in (found[:20], found[300:]))
    assert last < best + 0.2 * (first - best)


# ---- interrupted and resumed ----


def assert_same(a, b):
    assert (a.step, a.loss, a.grad_norm, a.lr) == (b.step, b.loss, b.grad_norm, b.lr)
    assert torch.equal(a.losses, b.losses) and torch.equal(a.t, b.t)


@pytest.mark.parametrize("how", ["killed", "break"])
@pytest.mark.parametrize("stop", [14, 17, 5], ids=["at a checkpoint", "between two", "before the first"])
@pytest.mark.parametrize("classes", [0, 4], ids=["", "labels"])
def test_interrupted_and_resumed_is_bit_identical(tmp_path, stop, how, classes):
    """Losses, weights, EMA and the optimizer's state; a kill leaves what the last checkpoint held, ``break`` saves."""
    whole = run(fresh(classes=classes), folder=tmp_path / "whole", every=7)
    part = tmp_path / "part"
    for p in train(
        fresh(classes=classes), POINTS, steps=30, batch=8, precision="float32", folder=part, every=7, progress=False
    ):
        if p.step == stop:
            if how == "killed":
                part = shutil.copytree(part, tmp_path / "left behind")
            break
    done = stop if how == "break" else stop // 7 * 7
    assert (part / CHECKPOINT).exists() == (done > 0)
    other = fresh(seed=1 if done else 0, classes=classes)  # other first weights: the checkpoint has all that matters
    rest = run(other, folder=part, every=7)
    assert rest[0].step == done + 1
    for a, b in zip(whole[done:], rest, strict=True):
        assert_same(a, b)
    assert torch.equal(weights(whole[-1].denoiser), weights(rest[-1].denoiser))
    (one, _), (two, _) = (read(folder / CHECKPOINT) for folder in (tmp_path / "whole", part))
    assert one.keys() == two.keys() and {name.split(".")[1] for name in one if name.startswith("optimizer")} == {
        "step", "exp_avg", "exp_avg_sq"}  # fmt: skip
    for name in one:
        assert torch.equal(one[name], two[name]), name
    for name, value in other.net.state_dict().items():
        assert torch.equal(one[f"raw.{name}"], value)


def test_a_picture_network_in_bfloat16_resumes_bit_identically(tmp_path):
    data = load("digits", count=40)
    unet = lambda: fresh(net=lambda: UNet(1, 8, width=8, multipliers=(1, 1), heads=2, classes=10))  # noqa: E731
    options = {"steps": 6, "batch": 4, "every": 2, "precision": "bfloat16"}
    whole = run(unet(), data, folder=tmp_path / "whole", **options)
    for p in train(unet(), data, folder=tmp_path / "part", progress=False, **options):
        if p.step == 3:
            break
    rest = run(unet(), data, folder=tmp_path / "part", **options)
    assert [p.loss for p in whole[3:]] == [p.loss for p in rest]
    assert torch.equal(weights(whole[-1].denoiser), weights(rest[-1].denoiser))
    plain = run(unet(), data, **options | {"precision": "float32"})
    assert plain[-1].loss != whole[-1].loss
    assert plain[-1].loss == pytest.approx(whole[-1].loss, rel=0.05)  # bfloat16 has 8 bits: 0.4 % a rounding


def test_a_finished_run_gives_its_last_step_again(tmp_path):
    whole = run(folder=tmp_path)
    (again,) = run(fresh(seed=1), folder=tmp_path)
    assert_same(whole[-1], again)
    assert torch.equal(weights(whole[-1].denoiser), weights(again.denoiser))


OTHERS = {
    "lr": {"lr": 1e-3}, "steps": {"steps": 31}, "seed": {"seed": 1}, "ema": {"ema": 0.5}, "batch": {"batch": 16},
    "precision": {"precision": "bfloat16"}, "stratified": {"stratified": False},
    "weight": {"weight": "snr+1"}, "schedule": {"denoiser": fresh(schedule=Flow())}, "predicts": {"denoiser": fresh(predicts="x0")},
    "width": {"denoiser": fresh(net=lambda: MLP(2, width=32, depth=1))}, "count": {"data": POINTS.subset(slice(400))},
    "digest": {"data": replace(POINTS, x=POINTS.x + 1)},
}  # fmt: skip


@pytest.mark.parametrize("field", OTHERS)
def test_resuming_something_else_is_refused_and_says_what_differs(tmp_path, field):
    run(folder=tmp_path, steps=30)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match=rf"was made with .*{field}=.* this run has .*{field}=.*another folder"):
        run(folder=tmp_path, **OTHERS[field])
    assert (tmp_path / CHECKPOINT).read_bytes() == before


# ---- several processes ----

WORKER = """
import sys, torch
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import MLP
from diffusion_lib.schedules import Cosine
from diffusion_lib.training import train
torch.manual_seed(0)
denoiser = Denoiser(MLP(2, width=16, depth=1, classes=4), Cosine())
for p in train(denoiser, load("mixture", count=500), steps=20, batch=8, progress=False, folder=sys.argv[1], every=10):
    if p.step == int(sys.argv[2]):
        break
from diffusion_lib.training import accelerator
print(f"{accelerator().num_processes} processes, step {p.step}")
accelerator().end_training()
"""


def launch(tmp_path, folder, processes, stop=20):
    """The worker above in `processes` processes, as the documentation says to start them."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launcher = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes), "--num_machines", "1",
                "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", port]  # fmt: skip
    command = [sys.executable, *(launcher if processes > 1 else []), str(script), str(folder), str(stop)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"{processes} processes, step {stop}") == processes, done.stdout


def test_one_and_two_processes_give_the_same_weights(tmp_path):
    """Also when two were interrupted between two checkpoints and one goes on alone. Gloo, two real processes."""
    launch(tmp_path, tmp_path / "one", 1)
    launch(tmp_path, tmp_path / "two", 2, stop=15)
    (one, _), (half, text) = read(tmp_path / "one" / CHECKPOINT), read(tmp_path / "two" / CHECKPOINT)
    assert info_of("two", text).step == 15
    launch(tmp_path, tmp_path / "two", 1)
    two, _ = read(tmp_path / "two" / CHECKPOINT)
    names = [name for name in one if name.startswith(("net.", "raw."))]
    assert any(not torch.equal(half[name], two[name]) for name in names)
    for name in names:  # float32 sums in another order, 20 steps long
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=1e-5)
    torch.testing.assert_close(
        one["progress.losses"], two["progress.losses"], rtol=1e-4, atol=1e-5
    )  # in the same order


def test_a_batch_that_does_not_split_is_refused(monkeypatch):
    class Three:
        process_index, num_processes, device = 0, 3, torch.device("cpu")

    monkeypatch.setattr(training, "accelerator", Three)
    with pytest.raises(ValueError, match="batch=8 does not split over 3 processes: use a multiple of 3"):
        run()


# ---- faults ----


def broken_at(step):
    """A network whose output is NaN from this call on."""

    class Broken(MLP):
        calls = 0

        def forward(self, x, t, cond=None):
            self.calls += 1
            return super().forward(x, t, cond) * (math.nan if self.calls >= step else 1.0)

    return Broken(2, width=16, depth=1)


def test_nan_loss_stops_says_where_and_keeps_the_last_good_checkpoint(tmp_path):
    denoiser = fresh(net=lambda: broken_at(18))
    with pytest.raises(
        FloatingPointError, match=r"loss is nan at step 18 of 30: lower lr=0.002.*checkpoint.safetensors is kept"
    ):
        run(denoiser, folder=tmp_path, every=5)
    assert describe(tmp_path / CHECKPOINT).step == 15
    assert weights(denoiser).isfinite().all() and weights(load_denoiser(tmp_path / CHECKPOINT)).isfinite().all()


def test_an_infinite_gradient_stops_too():
    class Steep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * math.inf

    class Net(MLP):
        def forward(self, x, t, cond=None):
            return Steep.apply(super().forward(x, t, cond))

    denoiser = fresh(net=lambda: Net(2, width=16, depth=1))
    before = weights(denoiser)
    with pytest.raises(FloatingPointError, match="gradient is (nan|inf) at step 1 of 30"):
        run(denoiser)
    assert torch.equal(before, weights(denoiser))


@pytest.mark.parametrize("options, message", [
    ({"steps": 0}, "steps=0 must be a whole number of at least 1"),
    ({"batch": 0}, "batch=0 must be"), ({"warmup": -1}, "warmup=-1 must be"), ({"seed": -1}, "seed=-1 must be"),
    ({"lr": 0.0}, "lr=0.0 must be above 0"), ({"clip": math.inf}, "clip=inf must be above 0 and finite"),
    ({"ema": 1.0}, r"ema=1.0 is outside \[0, 1\)"), ({"label_dropout": 1.1}, r"label_dropout=1.1 is outside"),
    ({"decay": "linear"}, "decay='linear' is none of 'cosine', 'none'"), ({"every": 0}, "every=0 must be at least 1"),
    ({"precision": "half"}, "precision='half' is none of 'auto', 'float32', 'bfloat16'"),
])  # fmt: skip
def test_bad_options_are_refused_before_the_loop_starts(options, message):
    with pytest.raises(ValueError, match=message):
        train(fresh(), POINTS, **{"steps": 5} | options)


def test_labels_that_the_network_does_not_know_are_refused():
    with pytest.raises(ValueError, match="the network knows 0 to 1"):
        run(fresh(classes=2), steps=20, batch=64)


def test_a_tensor_of_another_dtype_is_data_too(tmp_path):
    """Computed, and told from other data, as the float32 numbers that it is."""
    points = POINTS.x.bfloat16()
    (half,), (whole,) = (run(data=x, steps=1, folder=tmp_path / str(x.dtype)) for x in (points, points.float()))
    assert half.loss == whole.loss
    assert training.data_info(points)["digest"] == training.data_info(points.float())["digest"]


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    steps = train(fresh(), POINTS, steps=5, folder=tmp_path / "file" / "run", progress=False)
    with pytest.raises(OSError, match="cannot write here .*choose another folder"):
        next(steps)


def test_a_network_without_a_config_trains_without_a_folder_and_says_why_not_with_one(tmp_path):
    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def forward(self, x, t, cond=None):
            return self.layer(x)

    assert len(run(fresh(net=Plain), steps=2)) == 2
    with pytest.raises(ValueError, match=r"Plain has no .config, so no file can rebuild it"):
        run(fresh(net=Plain), steps=2, folder=tmp_path)


def test_a_checkpoint_of_weights_alone_is_no_place_to_resume(tmp_path):
    run(folder=tmp_path)
    tensors, text = read(tmp_path / CHECKPOINT)
    write(tmp_path / CHECKPOINT, {k: v for k, v in tensors.items() if k.startswith("net.")}, text)
    with pytest.raises(ValueError, match="is no training checkpoint, or damaged"):
        run(folder=tmp_path)


def test_precision_auto_is_bfloat16_only_for_pictures_and_only_where_the_hardware_has_it(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert training.resolve("auto", cpu, pictures=True) == "bfloat16"
    assert training.resolve("auto", cpu, pictures=False) == "float32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    assert training.resolve("auto", cpu, pictures=True) == "float32"
    assert training.resolve("bfloat16", cpu, pictures=False) == "bfloat16"
