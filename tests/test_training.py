"""Training: the same numbers whatever interrupts it or how many processes share it, and refusals that lose nothing."""

import dataclasses
import functools
import json
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
from diffusion_lib.checkpoints import card_of, describe, load_denoiser, read, save_denoiser, write
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser, Exact
from diffusion_lib.networks import MLP, NETWORKS, UNet
from diffusion_lib.objective import WEIGHTS, loss
from diffusion_lib.schedules import EDM, Cosine, Flow
from diffusion_lib.training import (
    CHECKPOINT,
    TIMES,
    Draw,
    Rows,
    TrainingConfig,
    draw_batch,
    ema_decay,
    moving_average,
    train,
)
from diffusion_lib.training.batches import data_card, draw_function, stable_hash
from diffusion_lib.training.engine import resolve_precision

ROOT = Path(__file__).parents[1]
POINTS = load("mixture", count=500)


def fresh(seed=0, net=None, schedule=None, predicts="v", classes=0):
    """A denoiser whose first weights depend on ``seed``; ``net`` makes its network."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = net() if net else MLP(2, width=16, depth=1, classes=classes)
        return Denoiser(net, schedule or Cosine(), predicts)


def config(**options):
    return TrainingConfig(**{"steps": 30, "batch": 8, "precision": "float32"} | options)


def start(denoiser=None, data=POINTS, *, folder=None, every=500, **options):
    return train(denoiser or fresh(), data, config(**options), folder=folder, every=every, progress=False)


def run(denoiser=None, data=POINTS, **options):
    return list(start(denoiser, data, **options))


def weights(denoiser):
    return torch.cat([p.detach().flatten() for p in denoiser.net.parameters()])


# ---- what is drawn ----


def test_a_steps_draws_depend_on_seed_and_step_alone():
    rows, options = Rows(POINTS.x, POINTS.labels), config(steps=10, batch=6, seed=3)
    first = draw_batch(rows, options, 7)
    torch.rand(5)  # the global generator moves on, the draws do not
    for a, b in zip(first, draw_batch(rows, options, 7), strict=True):
        assert torch.equal(a, b)
    steps = [draw_batch(rows, options, step) for step in range(1, 41)]
    others = [draw_batch(rows, replace(options, seed=seed), 7) for seed in range(40) if seed != 3]
    for name in ("x0", "t", "noise"):  # no two steps and no two seeds share anything
        assert len({getattr(batch, name).numpy().tobytes() for batch in steps}) == 40, name
        assert len({getattr(batch, name).numpy().tobytes() for batch in [first, *others]}) == 40, name


def test_every_row_is_drawn_equally_often_the_first_and_the_last_too():
    counts = torch.zeros(10)
    for step in range(1, 201):
        x0 = draw_batch(Rows(torch.arange(10.0)[:, None]), config(batch=50), step).x0
        counts += torch.bincount(x0[:, 0].long(), minlength=10)
    # 10 000 draws, each row with probability 1/10: a standard deviation of sqrt(900) = 30
    assert (counts - 1000).abs().max() < 4.5 * 30


def test_the_seed_of_a_step_is_the_same_on_every_machine_and_unlike_its_neighbours():
    assert stable_hash(0, 1) == 8566881351708354045
    seeds = {stable_hash(seed, step) for seed in range(50) for step in range(50)}
    assert len(seeds) == 2500 and all(0 <= s < 2**63 for s in seeds)


def test_training_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    run(steps=3)
    assert torch.equal(before, torch.get_rng_state())


def test_stratified_times_fall_one_in_each_slice_and_reach_both_ends():
    rows, options = Rows(POINTS.x), config(batch=32)
    t = torch.stack([draw_batch(rows, options, step).t for step in range(1, 401)])
    assert torch.equal((t * 32).floor().long(), torch.arange(32).expand(400, 32))
    assert t.min() < 1e-3 and t.max() > 1 - 1e-3
    # uniform within a slice: the mean of 12800 has a standard error of sqrt(1/12 / 12800) = 0.0026
    assert abs((t * 32 % 1).mean() - 0.5) < 4 * 0.0026
    plain = draw_batch(rows, replace(options, stratified=False), 1).t
    assert not torch.equal((plain * 32).floor().long(), torch.arange(32))


def test_the_noise_is_standard_gaussian():
    noise = torch.cat([draw_batch(Rows(POINTS.x), config(batch=500), step).noise for step in range(1, 21)])
    n = noise.numel()  # 20 000; bounds are 4 standard errors of the mean, the variance and the kurtosis
    assert abs(noise.mean()) < 4 / n**0.5
    assert abs(noise.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((noise**4).mean() - 3) < 4 * (96 / n) ** 0.5


def test_labels_belong_to_their_points_and_a_tenth_is_dropped():
    dropped = 0
    for step in range(1, 21):
        rows = Rows(POINTS.x, POINTS.labels)
        x0, _, _, labels = draw_batch(rows, config(batch=500), step, null=lambda cond: torch.full_like(cond, 77))
        row = (x0[:, None] == POINTS.x[None]).all(-1).float().argmax(1)
        known = labels != 77
        assert torch.equal(labels[known], POINTS.labels[row][known])
        dropped += int((~known).sum())
    assert abs(dropped / 10_000 - 0.1) < 4 * (0.09 / 10_000) ** 0.5  # 4 standard errors


def test_labels_are_used_where_the_network_takes_them():
    assert draw_function(POINTS, conditional=True).cond is POINTS.labels
    assert draw_function(POINTS, conditional=False).cond is None
    told = run(fresh(classes=4), POINTS, steps=3, label_dropout=0.0)
    with pytest.warns(UserWarning, match="the network takes conditions, the data have none") as seen:
        untold = run(fresh(classes=4), POINTS.x, steps=3)
    assert told[-1].loss != untold[-1].loss
    assert len(seen) == 1 and seen[0].filename == __file__


def test_logit_normal_times_have_their_mean_and_deviation_and_stay_stratified():
    options = config(batch=100, times="logit_normal", times_mean=0.5, times_deviation=2.0)
    t = torch.stack([draw_batch(Rows(POINTS.x), options, step).t for step in range(1, 101)])
    z = (torch.logit(t) - 0.5) / 2
    n = z.numel()  # stratified draws scatter less than these 4 standard errors of independent ones
    assert abs(z.mean()) < 4 / n**0.5 and abs(z.var() - 1) < 4 * (2 / n) ** 0.5
    u = torch.special.ndtr(z)  # back to the quantiles: one in each hundredth, up to rounding at its ends
    assert torch.equal((u * 100).floor().long(), torch.arange(100).expand(100, 100))
    assert torch.equal(TIMES["uniform"](u, options), u)
    assert TIMES["logit_normal"](torch.zeros(1, dtype=torch.float64), options) == 0.0


def test_a_share_of_logit_normal_times_may_be_uniform():
    options = config(times="logit_normal", times_mean=0.5, times_deviation=2.0, times_uniform=0.25)
    u = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    t = TIMES["logit_normal"](u, options)
    assert torch.allclose(t[:1000], u[:1000] * 4, rtol=1e-12)
    rest = config(times="logit_normal", times_mean=0.5, times_deviation=2.0)
    assert torch.allclose(t[1000:], TIMES["logit_normal"]((u[1000:] - 0.25) / 0.75, rest), rtol=1e-12)
    # so the distribution is the mixture of both: 0.25 t + 0.75 F(t), to one of the 4000 slices and its rounding
    for time in (0.1, 0.5, 0.9, 0.99):
        share = 0.25 * time + 0.75 * torch.special.ndtr((torch.logit(torch.tensor(time)) - 0.5) / 2).item()
        assert (t <= time).double().mean().item() == pytest.approx(share, abs=2 / 4000)


def test_a_condition_is_opaque_where_it_is_drawn_and_dropped():
    """Tokens and a tuple go together with their rows, and all parts of a sample are dropped together."""
    rows = torch.arange(50)
    cond = {"tokens": rows[:, None] + torch.tensor([100, 200]), "pair": (rows + 1000, rows.double() / 64)}
    null = lambda cond: {"tokens": 0 * cond["tokens"], "pair": (0 * cond["pair"][0], 0 * cond["pair"][1] - 1)}  # noqa: E731
    batch = draw_batch(Rows(rows[:, None].float(), cond), config(batch=400, label_dropout=0.3), 1, null=null)
    row, dropped = batch.x0[:, 0].long(), batch.cond["pair"][0] == 0
    assert 0 < dropped.sum() < 400
    assert torch.equal(batch.cond["tokens"], torch.where(dropped[:, None], 0, row[:, None] + torch.tensor([100, 200])))
    assert torch.equal(batch.cond["pair"][0], torch.where(dropped, 0, row + 1000))
    assert torch.equal(batch.cond["pair"][1], torch.where(dropped, -1.0, row.double() / 64))


class TokenNetwork(torch.nn.Module):
    """A network of one's own whose condition is a dict, of tokens (B, 3) and a number (B,)."""

    conditional = True

    def __init__(self):
        super().__init__()
        self.words, self.layer = torch.nn.Embedding(5, 4), torch.nn.Linear(2 + 1 + 4 + 1, 2)
        self.dropped = 0

    def null(self, cond):
        return {"tokens": torch.zeros_like(cond["tokens"]), "size": -torch.ones_like(cond["size"])}

    def forward(self, x, t, cond=None):
        assert cond["tokens"].shape == (len(x), 3) and cond["size"].shape == (len(x),)
        nothing = (cond["tokens"] == 0).all(1)
        assert torch.equal(nothing, cond["size"] == -1)
        self.dropped += int(nothing.sum())
        words = self.words(cond["tokens"]).mean(1)
        return self.layer(torch.cat([x, t[:, None], words, cond["size"][:, None]], 1))


def test_a_network_of_ones_own_trains_on_a_condition_of_its_own():
    cond = {"tokens": torch.randint(1, 5, (60, 3)), "size": torch.rand(60)}
    denoiser = fresh(net=TokenNetwork)
    run(denoiser, (POINTS.x[:60], cond), steps=50, label_dropout=0.25)
    assert abs(denoiser.net.dropped / 400 - 0.25) < 4 * (0.1875 / 400) ** 0.5  # 4 standard errors


def test_labelled_tensors_train_as_the_data_set_does():
    a, b = (run(fresh(classes=4), data, steps=5) for data in (POINTS, (POINTS.x, POINTS.labels)))
    assert [p.loss for p in a] == [p.loss for p in b]


def test_latents_of_any_size_are_data():
    latents = 3 * torch.randn(20, 4, 8, 8, generator=torch.Generator().manual_seed(0))  # not in [-1, 1]
    net = lambda: UNet(4, 8, width=8, multipliers=(1, 1), attention=(), heads=2)  # noqa: E731
    assert [p.step for p in run(fresh(net=net), latents, steps=2)] == [1, 2]


def fresh_points(count, generator):
    """New points for every step, without end."""
    labels = torch.randint(4, (count,), generator=generator)
    return Draw(torch.randn(count, 2, generator=generator) + labels[:, None], labels)


def reflow_pairs(count, generator):
    """Data and the noise that it belongs to: half as far out, in the opposite direction."""
    noise = torch.randn(count, 2, generator=generator)
    return Draw(-noise / 2, noise=noise)


def test_fresh_drawings_are_trained_on_and_never_repeat():
    seen = [draw_batch(fresh_points, config(), step) for step in range(1, 31)]
    assert len({tuple(point) for batch in seen for point in batch.x0.tolist()}) == 240
    for p, batch in zip(run(fresh(classes=4), fresh_points), seen, strict=True):
        assert torch.equal(p.t, batch.t)
    with pytest.raises(ValueError, match="the data have conditions, the network takes none: leave them out"):
        start(fresh(), fresh_points)
    with pytest.raises(ValueError, match="the data have conditions, the network takes none: leave them out"):
        start(fresh(), (POINTS.x, POINTS.labels))


def test_reflow_pairs_use_the_noise_that_they_bring():
    """On the flow schedule x_t = (1 - t) x0 + t noise, and the velocity to learn is noise - x0 = 3/2 noise."""
    batch = draw_batch(reflow_pairs, config(), 1)
    torch.testing.assert_close(batch.x0, -batch.noise / 2, rtol=0, atol=0)
    denoiser = fresh(schedule=Flow(), predicts="velocity")
    (first,) = run(denoiser, reflow_pairs, steps=1)  # a new network answers 0
    torch.testing.assert_close(first.losses, (1.5 * batch.noise).square().mean(1))


@pytest.mark.parametrize("data", [fresh_points, functools.partial(fresh_points)], ids=["function", "partial"])
def test_a_run_on_draws_of_ones_own_resumes_bit_identically(tmp_path, data):
    whole = run(fresh(classes=4), data, folder=tmp_path / "whole")
    for p in start(fresh(classes=4), data, folder=tmp_path / "part"):
        if p.step == 11:
            break
    card = describe(tmp_path / "part" / CHECKPOINT).data
    assert (card["name"], card["shape"]) == ("fresh_points", [2]) and "count" not in card
    rest = run(fresh(classes=4), data, folder=tmp_path / "part")
    assert [p.loss for p in whole[11:]] == [p.loss for p in rest]
    assert torch.equal(weights(whole[-1].denoiser), weights(rest[-1].denoiser))
    moved = lambda count, generator: fresh_points(count, generator)._replace(x0=torch.ones(count, 2))  # noqa: E731
    with pytest.raises(ValueError, match="was made with digest=.*this run has digest="):
        start(fresh(classes=4), moved, folder=tmp_path / "part")
    moved.__qualname__ = "fresh_points"
    with pytest.raises(ValueError, match="was made with digest=.*this run has digest="):
        start(fresh(classes=4), moved, folder=tmp_path / "part")


def test_a_function_that_draws_from_elsewhere_cannot_be_resumed_and_is_refused(tmp_path):
    elsewhere = torch.Generator().manual_seed(0)
    function = lambda count, generator: Draw(torch.randn(count, 2, generator=elsewhere))  # noqa: E731
    with pytest.raises(ValueError, match="drew differently from the same generator.*train without a folder"):
        start(data=function, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert len(run(data=function, steps=2)) == 2


@pytest.mark.parametrize("wrong, message", [
    (lambda n, g: torch.zeros(n, 2), r"returned Tensor: return Draw\(x0, cond, noise\)"),
    (lambda n, g: Draw(torch.zeros(n + 1, 2)), "gave 2 examples and no conditions where 1 were asked for"),
    (lambda n, g: Draw(torch.zeros(n, 2), torch.zeros(n + 1)), "gave 1 examples and 2 conditions where 1 were asked for"),
    (lambda n, g: Draw(torch.zeros(n, 2), noise=torch.zeros(n, 3)), r"noise has the shape \(1, 3\) and x0 the shape \(1, 2\)"),
    (torch.zeros(0, 2), "there are 0 examples to train on"), ((torch.zeros(3, 2), torch.zeros(2)), "2 conditions for 3 examples"),
])  # fmt: skip
def test_bad_data_are_refused_before_the_loop_starts(wrong, message):
    with pytest.raises(ValueError, match=message):
        start(fresh(classes=4), wrong)
    with pytest.raises(TypeError, match=r"data is a list: give a Dataset, a tensor, a pair \(x, cond\) or a function"):
        start(data=[1, 2, 3])


# ---- one step ----


def test_the_weight_of_the_options_is_the_weight_of_the_loss():
    x0, t, noise, _ = draw_batch(Rows(POINTS.x), config(), 1)
    (p,) = run(fresh(predicts="x0"), steps=1, weight="snr+1")
    torch.testing.assert_close(p.losses, loss(fresh(predicts="x0"), x0, t, noise, weight=WEIGHTS["snr+1"]).detach())
    assert not torch.allclose(p.losses, loss(fresh(predicts="x0"), x0, t, noise))
    with pytest.raises(ValueError, match="weight='snr' is none of 'simple', 'snr\\+1'"):
        TrainingConfig(weight="snr")


def test_a_step_is_adam_on_the_mean_loss_and_forgets_the_gradient_before():
    denoiser, copy = fresh(), fresh()
    options = config(steps=5, warmup=2)
    optimizer = torch.optim.AdamW(copy.net.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=0.0)
    for step, p in enumerate(start(denoiser, steps=5, warmup=2), start=1):
        x0, t, noise, _ = draw_batch(Rows(POINTS.x), options, step)
        alpha, sigma = Cosine().pair(t, x0)
        v = alpha * noise - sigma * x0
        miss = (copy.net(alpha * x0 + sigma * noise, t.float()) - v).square().mean(1)
        optimizer.zero_grad()
        miss.mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(copy.net.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = options.rate(step)
        optimizer.step()
        torch.testing.assert_close(p.losses, miss.detach(), rtol=1e-5, atol=1e-6)
        assert math.isclose(p.loss, miss.mean().item(), rel_tol=1e-5)
        assert math.isclose(p.grad_norm, norm.item(), rel_tol=1e-4)
        assert torch.equal(p.t, t) and p.lr == options.rate(step)
    torch.testing.assert_close(weights(denoiser), weights(copy), rtol=1e-5, atol=1e-6)


def test_the_learning_rate_rises_and_falls():
    options = TrainingConfig(steps=1000, lr=1.0, warmup=10)
    assert options.rate(1) == pytest.approx(0.1) and options.rate(5) == pytest.approx(0.5, rel=1e-4)
    assert options.rate(501) == pytest.approx(0.5)
    assert 0 < options.rate(1000) < 1e-5
    assert replace(options, decay="none").rate(1000) == 1.0 and replace(options, warmup=0).rate(1) == 1.0


def test_the_average_is_the_closed_form_of_the_ema_and_not_the_weights():
    history, denoiser = [], fresh()
    for p in start(denoiser, steps=40, ema=0.7, decay="none"):
        history.append(weights(denoiser).double())
    expected = history[0]
    for n, w in enumerate(history[1:], start=1):
        decay = min(0.7, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * w
    torch.testing.assert_close(weights(p.denoiser).double(), expected, rtol=1e-5, atol=1e-6)
    assert (weights(p.denoiser) - weights(denoiser)).abs().max() > 1e-4


def test_the_averages_warm_up():
    for updates, share in ((1, 1 - 2 / 11), (10**6, 0.001)):
        average = torch.zeros(1)
        moving_average(0.999)([average], [torch.ones(1)], updates)
        assert average.item() == pytest.approx(share, rel=1e-3)
        assert ema_decay(0.999, updates) == pytest.approx(1 - share)


def test_samples_come_from_the_average_in_evaluation_mode():
    denoiser = fresh()
    denoiser.net.eval()  # as a loaded one is
    p = run(denoiser, steps=2)[-1]
    assert not p.denoiser.net.training and denoiser.net.training
    assert p.denoiser.net is not denoiser.net


def distance_to_exact(schedule, scale_input=True):
    """Mean squared difference of x̂0 between a small network after 400 steps and the exact denoiser, at six levels."""
    data, generator = load("mixture", count=4000), torch.Generator().manual_seed(5)
    torch.manual_seed(0)
    trained = Denoiser(MLP(2, width=64, depth=2), schedule, "v", scale_input)
    trained = run(trained, data, steps=400, batch=128, lr=4e-3, ema=0.99)[-1].denoiser
    exact, differences = Exact(data.mixture, schedule), []
    for log_snr in (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0):
        t = schedule.time_at(log_snr).item()
        x = schedule.marginal(data.mixture.sample(4000, generator).float(), t).sample(generator)
        differences.append((trained(x, t).x0 - exact(x, t).x0).square().mean().item())
    return torch.tensor(differences)


@pytest.mark.parametrize("schedule", [Cosine(), Flow(), EDM()], ids=repr)
def test_training_learns_the_mixture(schedule):
    """Within 0.02 of the exact denoiser at every noise level, for data of variance 1; measured 0.016 at most.

    On EDM's schedule too, where x is up to 80 in size: the network sees it at unit size, without which it ends at least
    one and a half times as far away (measured: 0.085 in all for 0.032).
    """
    differences = distance_to_exact(schedule)
    assert differences.max() < 0.02, differences
    if schedule == EDM():
        assert distance_to_exact(schedule, scale_input=False).sum() > 1.5 * differences.sum()


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
    for p in start(fresh(classes=classes), folder=part, every=7):
        if p.step == stop:
            if how == "killed":
                left_behind = tmp_path / "left behind"
                part = shutil.copytree(part, left_behind) if part.exists() else left_behind
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
    assert one.keys() == two.keys() and {name.split(".")[2] for name in one if name.startswith("training.optimizer")} == {
        "step", "exp_avg", "exp_avg_sq"}  # fmt: skip
    for name in one:
        assert torch.equal(one[name], two[name]), name
    for name, value in other.net.state_dict().items():
        assert torch.equal(one[f"training.net.{name}"], value)


class Dropping(MLP):
    """A network that draws random numbers of its own."""

    def __init__(self, dim, **options):
        super().__init__(dim, **options)
        self.config = {**self.config, "kind": "Dropping"}

    def forward(self, x, t, cond=None):
        return super().forward(torch.dropout(x, 0.3, self.training), t, cond)


@pytest.mark.parametrize("kind", ["dropout", "frozen"])
def test_networks_with_chance_or_a_frozen_part_resume_bit_identically(tmp_path, kind, monkeypatch):
    monkeypatch.setitem(NETWORKS, "Dropping", Dropping)

    def made():
        denoiser = fresh(net=lambda: Dropping(2, width=16) if kind == "dropout" else MLP(2, width=16))
        if kind == "frozen":
            denoiser.net.first.requires_grad_(False)
        return denoiser

    torch.manual_seed(1)
    before = torch.get_rng_state()
    whole = run(made(), folder=tmp_path / "whole")
    torch.set_rng_state(before)
    for p in start(made(), folder=tmp_path / "part"):
        if p.step == 11:
            break
    torch.manual_seed(2)
    rest = run(made(), folder=tmp_path / "part")
    assert rest[0].step == 12 and torch.equal(weights(whole[-1].denoiser), weights(rest[-1].denoiser))


def unet_on_digits():
    return fresh(net=lambda: UNet(1, 8, width=16, multipliers=(1, 1), heads=2, classes=10))


@pytest.mark.parametrize("option", [{"precision": "bfloat16"}, {"optimizer": "muon"}], ids=str)
def test_a_picture_network_resumes_bit_identically(tmp_path, option):
    data = load("digits", count=40)
    options = {"steps": 6, "batch": 4, "every": 2} | option
    whole = run(unet_on_digits(), data, folder=tmp_path / "whole", **options)
    for p in start(unet_on_digits(), data, folder=tmp_path / "part", **options):
        if p.step == 3:
            break
    rest = run(unet_on_digits(), data, folder=tmp_path / "part", **options)
    assert [p.loss for p in whole[3:]] == [p.loss for p in rest]
    assert torch.equal(weights(whole[-1].denoiser), weights(rest[-1].denoiser))


def test_bfloat16_is_float32_up_to_its_rounding():
    data = load("digits", count=40)
    half, plain = (
        run(unet_on_digits(), data, steps=6, batch=4, precision=precision)[-1] for precision in ("bfloat16", "float32")
    )
    assert plain.loss != half.loss
    assert plain.loss == pytest.approx(half.loss, rel=0.05)  # bfloat16 has 8 bits: 0.4 % a rounding


def test_muon_keeps_what_each_weight_s_optimizer_remembers(tmp_path):
    data, options = load("digits", count=40), {"steps": 3, "batch": 4, "optimizer": "muon"}
    run(unet_on_digits(), data, folder=tmp_path, **options)
    kept = {name.split(".")[2] for name in read(tmp_path / CHECKPOINT)[0] if "training.optimizer" in name}
    assert kept == {"step", "exp_avg", "exp_avg_sq", "momentum_buffer"}
    with pytest.raises(ValueError, match="made with optimizer='muon', this run has optimizer='adamw'"):
        start(unet_on_digits(), data, folder=tmp_path, **options | {"optimizer": "adamw"})


def test_a_finished_run_gives_its_last_step_again(tmp_path):
    whole = run(folder=tmp_path)
    (again,) = run(fresh(seed=1), folder=tmp_path)
    assert_same(whole[-1], again)
    assert torch.equal(weights(whole[-1].denoiser), weights(again.denoiser))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_network_from_a_file_is_trained_further(tmp_path, optimizer):
    save_denoiser(tmp_path / "m.safetensors", fresh())
    loaded = load_denoiser(tmp_path / "m.safetensors")
    before = weights(loaded).clone()
    run(loaded, steps=2, optimizer=optimizer)
    assert not torch.equal(weights(loaded), before)


OTHERS = {
    "lr": {"lr": 1e-3}, "steps": {"steps": 31}, "seed": {"seed": 1}, "ema": {"ema": 0.5}, "batch": {"batch": 16},
    "precision": {"precision": "bfloat16"}, "stratified": {"stratified": False},
    "weight": {"weight": "snr+1"}, "schedule": {"denoiser": fresh(schedule=Flow())}, "predicts": {"denoiser": fresh(predicts="x0")},
    "width": {"denoiser": fresh(net=lambda: MLP(2, width=32, depth=1))}, "count": {"data": POINTS.subset(slice(400))},
    "digest": {"data": replace(POINTS, x=POINTS.x + 1)}, "times": {"times": "logit_normal"}, "scale_input": {"denoiser": replace(fresh(), scale_input=False)},
    "classes": {"data": POINTS.x},
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
from diffusion_lib.training import TrainingConfig, train
torch.manual_seed(0)
denoiser = Denoiser(MLP(2, width=16, depth=1, classes=4), Cosine())
config = TrainingConfig(steps=20, batch=8)
for p in train(denoiser, load("mixture", count=500), config, progress=False, folder=sys.argv[1], every=10):
    if p.step == int(sys.argv[2]):
        break
from diffusion_lib.training import accelerator
print(f"{accelerator().num_processes} processes, step {p.step}")
accelerator().wait_for_everyone()  # a process that ends while gloo still frees what it sent is aborted, on a busy machine
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
    assert card_of("two", text).step == 15
    launch(tmp_path, tmp_path / "two", 1)
    two, _ = read(tmp_path / "two" / CHECKPOINT)
    names = [name for name in one if name.startswith(("denoiser.", "training.net."))]
    assert any(not torch.equal(half[name], two[name]) for name in names)
    for name in names:  # float32 sums in another order, 20 steps long
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=1e-5)
    torch.testing.assert_close(
        one["training.progress.losses"], two["training.progress.losses"], rtol=1e-4, atol=1e-5
    )  # in the same order


def test_a_batch_that_does_not_split_is_refused(monkeypatch):
    class Three:
        process_index, num_processes, device = 0, 3, torch.device("cpu")

    monkeypatch.setattr(training.engine, "accelerator", Three)
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
    ({"times": "late"}, "times='late' is none of 'uniform', 'logit_normal'"), ({"times_deviation": 0.0}, "times_deviation=0.0 must be above 0"),
    ({"times_uniform": 1.0}, r"times_uniform=1.0 is outside \[0, 1\)"), ({"times_mean": math.nan}, "times_mean=nan must be finite"), ({"batch": True}, "batch=True must be a whole number"),
    ({"precision": "half"}, "precision='half' is none of 'auto', 'float32', 'bfloat16'"),
])  # fmt: skip
def test_bad_options_are_refused_before_the_loop_starts(options, message):
    with pytest.raises(ValueError, match=message):
        start(**options)


def test_labels_that_the_network_does_not_know_are_refused():
    with pytest.raises(ValueError, match="label [23] is out of range: there are 2 classes, 0 to 1"):
        run(fresh(classes=2), steps=20, batch=64)


def test_a_tensor_of_another_dtype_is_data_too(tmp_path):
    """Computed, and told from other data, as the float32 numbers that it is."""
    points = POINTS.x.bfloat16()
    (half,), (whole,) = (run(data=x, steps=1, folder=tmp_path / str(x.dtype)) for x in (points, points.float()))
    assert half.loss == whole.loss
    assert data_card(points, Rows(points)) == data_card(points.float(), Rows(points.float()))


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="cannot write here .*choose another folder"):
        start(folder=tmp_path / "file" / "run")


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
    write(tmp_path / CHECKPOINT, {k: v for k, v in tensors.items() if k.startswith("denoiser.")}, text)
    with pytest.raises(ValueError, match="is no training checkpoint, or damaged"):
        run(folder=tmp_path)


def test_a_checkpoint_that_lacks_a_moment_of_one_weight_is_refused(tmp_path):
    run(folder=tmp_path)
    tensors, text = read(tmp_path / CHECKPOINT)
    moments = [name for name in tensors if name.startswith("training.optimizer.exp_avg_sq")]
    write(tmp_path / CHECKPOINT, {name: value for name, value in tensors.items() if name != moments[1]}, text)
    with pytest.raises(ValueError, match="damaged .*exp_avg_sq"):
        run(folder=tmp_path)


def test_precision_auto_is_bfloat16_only_for_pictures_and_only_where_the_hardware_has_it(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert resolve_precision("auto", cpu, pictures=True) == "bfloat16"
    assert resolve_precision("auto", cpu, pictures=False) == "float32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    assert resolve_precision("auto", cpu, pictures=True) == "float32"
    assert resolve_precision("bfloat16", cpu, pictures=False) == "bfloat16"


def test_labels_that_changed_are_told_apart(tmp_path):
    run(fresh(classes=4), folder=tmp_path)
    with pytest.raises(ValueError, match="was made with cond_digest="):
        run(fresh(classes=4), replace(POINTS, labels=POINTS.labels.flip(0)), folder=tmp_path)


def test_a_refused_training_leaves_no_folder(tmp_path):
    folder = tmp_path / "a" / "b"
    for options in ({"every": 0}, {"data": [1]}, {"steps": 0}, {"denoiser": fresh(net=lambda: torch.nn.Linear(2, 2))}):
        with pytest.raises((ValueError, TypeError)):
            start(folder=folder, **options)
    with pytest.raises(FloatingPointError):
        run(fresh(net=lambda: broken_at(1)), folder=folder)
    assert not list(tmp_path.iterdir())


def test_the_options_are_a_value():
    options = TrainingConfig(steps=5, times="logit_normal")
    assert eval(repr(options)) == options and hash(options) == hash(replace(options))
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.steps = 6


def test_a_checkpoint_is_written_every_so_often_and_once_a_step(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        training.engine, "save_checkpoint", lambda path, card, net, optimizer, last: written.append(last.step)
    )
    run(steps=10, every=4, folder=tmp_path)
    assert written == [4, 8, 10]
    for stop, expected in ((4, [4]), (6, [4, 6])):
        written.clear()
        for p in start(steps=10, every=4, folder=tmp_path):
            if p.step == stop:
                break
        assert written == expected
    assert len(run(steps=3)) == 3 and written == [4, 6]  # without a folder nothing is written


def test_a_checkpoint_of_format_1_resumes(tmp_path):
    """Its tensors had other names and its text said less; scale_input was False."""
    unscaled = lambda: replace(fresh(), scale_input=False)  # noqa: E731
    whole = run(unscaled())
    for p in start(unscaled(), folder=tmp_path):
        if p.step == 12:
            break
    tensors, _ = read(tmp_path / CHECKPOINT)
    card = describe(tmp_path / CHECKPOINT)
    old_names = {"denoiser.": "net.", "training.net.": "raw.", "training.optimizer.": "optimizer.", "training.progress.": "progress."}  # fmt: skip
    for new, old in old_names.items():
        tensors = {old + k.removeprefix(new) if k.startswith(new) else k: v.clone() for k, v in tensors.items()}
    part = card.parts["denoiser"]
    recipe = {name: value for name, value in card.training.items() if not name.startswith("times")}
    data = {name: value for name, value in card.data.items() if name != "cond_digest"}
    text = {
        **{name: part[name] for name in ("network", "schedule", "predicts")},
        "data": data,
        "recipe": recipe,
        "step": 12,
    }
    write(tmp_path / CHECKPOINT, tensors, {"format": "diffusion_lib 1", **{k: json.dumps(v) for k, v in text.items()}})
    with pytest.raises(ValueError, match="was made with times='uniform', this run has times='logit_normal'"):
        start(unscaled(), folder=tmp_path, times="logit_normal")
    with pytest.raises(ValueError, match="was made with scale_input=False, this run has scale_input=True"):
        start(folder=tmp_path)
    rest = run(unscaled(), folder=tmp_path)
    assert [p.loss for p in whole[12:]] == [p.loss for p in rest]
    assert describe(tmp_path / CHECKPOINT) == replace(card, step=30)
