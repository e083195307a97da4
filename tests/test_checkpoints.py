"""Model files: rebuilt from the file alone, and never lost, whatever happens while one is written."""

import builtins
import errno
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from diffusion_lib.checkpoints import (
    FORMAT,
    ModelCard,
    bundled,
    check_writable,
    describe,
    load,
    load_denoiser,
    read,
    save,
    save_denoiser,
    write,
)
from diffusion_lib.denoisers import Denoiser, Guided
from diffusion_lib.networks import MLP, OneShot, UNet
from diffusion_lib.schedules import EDM, SCHEDULES, Cosine, Discrete, Flow, LinearBeta, VariancePreserving

ANSWERS = {
    "digits": 0.5468394756317139,
    "emoji": 0.4551950991153717,
    "mnist": 0.6708679795265198,
    "shapes": 0.391463041305542,
    "text_to_shapes": 0.3740053176879883,
}  # of the files as the code that wrote them answers

ROOT = Path(__file__).parents[1]
DATA = {"name": "moons", "shape": [2], "classes": ["upper", "lower"]}


def fresh(net=None, schedule=None, predicts="v"):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser = Denoiser(net or MLP(2, width=16, depth=1, classes=2), schedule or Cosine(), predicts)
        for p in denoiser.net.parameters():  # the last layer starts at 0 and would hide mistakes
            torch.nn.init.normal_(p, std=0.3)
    return denoiser


def same(a, b, x, cond=None):
    with torch.no_grad():
        answer, expected = a(x, 0.4, cond), b(x, 0.4, cond)
    return torch.equal(answer.x0, expected.x0) and torch.equal(answer.eps, expected.eps)


# ---- there and back ----


def test_every_schedule_and_target_comes_back(tmp_path):
    usual = {name: kind((0.1, 0.25)) if kind is Discrete else kind() for name, kind in SCHEDULES.items()}
    unusual = [EDM(sigma_max=3.0), Cosine(s=0.1), LinearBeta(timesteps=7, end=0.3), Flow()]
    for schedule in [*usual.values(), *unusual]:
        denoiser = fresh(schedule=schedule, predicts="velocity")
        save_denoiser(tmp_path / "m.safetensors", denoiser)
        again = load_denoiser(tmp_path / "m.safetensors")
        assert again.schedule == schedule and again.predicts == "velocity"


@pytest.mark.parametrize("net, shape", [
    (MLP(2, width=16, depth=2, classes=2), (2,)), (UNet(1, 8, width=8, multipliers=(1, 2), classes=3, heads=2), (1, 8, 8)),
    (UNet(3, 16, width=8, multipliers=(1, 1), heads=2, patch=2), (3, 16, 16)),
], ids=["MLP", "UNet", "UNet with patches"])  # fmt: skip
def test_a_file_alone_rebuilds_its_denoiser(tmp_path, net, shape):
    denoiser = fresh(net=net)
    card = ModelCard(data=DATA, training={"lr": 1e-3}, step=7, notes={"licence": "MIT"})
    save_denoiser(tmp_path / "m.safetensors", denoiser, card=card)
    again = load_denoiser(tmp_path / "m.safetensors")
    x, cond = torch.randn(3, *shape), torch.tensor([-1, 0, 1]) if net.config["classes"] else None
    assert same(denoiser, again, x, cond) and not again.net.training
    schedule = {"kind": "Cosine", "s": 0.008}
    part = {"network": net.config, "schedule": schedule, "predicts": "v", "scale_input": True}
    assert describe(tmp_path / "m.safetensors") == replace(card, parts={"denoiser": part})
    assert eval(repr(card)) == card


def test_a_walk_by_hand_keeps_no_gradients(tmp_path):
    """Thirty calls of a loaded network in a learner's loop: with their graphs, the digits model took 14 GB."""
    save_denoiser(tmp_path / "m.safetensors", fresh())
    again, x = load_denoiser(tmp_path / "m.safetensors"), torch.randn(3, 2)
    for t in (1.0, 0.5):
        x = again(x, t).x0
    assert not x.requires_grad
    assert fresh()(torch.randn(3, 2), 0.5).x0.requires_grad  # one that is being trained does


def test_half_precision_halves_the_file_and_rounds_the_weights(tmp_path):
    denoiser = fresh(MLP(2, width=64))
    for name, dtype in (("full", torch.float32), ("half", torch.float16)):
        save_denoiser(tmp_path / name, denoiser, dtype=dtype)
    full, half = ((tmp_path / name).stat().st_size for name in ("full", "half"))
    assert 0.5 <= half / full < 0.55
    for a, b in zip(denoiser.net.parameters(), load_denoiser(tmp_path / "half").net.parameters(), strict=True):
        assert b.dtype == torch.float32 and torch.equal(a.half().float(), b)


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path):
    denoiser = fresh()
    with torch.no_grad():
        next(denoiser.net.parameters()).fill_(1e5)
    with pytest.raises(ValueError, match=r"reaches 1e\+05, beyond torch.float16: use dtype=torch.float32"):
        save_denoiser(tmp_path / "m", denoiser, dtype=torch.float16)
    assert not list(tmp_path.iterdir())


def test_nothing_in_a_file_is_run(tmp_path):
    """The bytes are a safetensors header and numbers: no pickle protocol, and a pickle is refused."""
    save_denoiser(tmp_path / "m", fresh())
    length = int.from_bytes((tmp_path / "m").read_bytes()[:8], "little")
    header = json.loads((tmp_path / "m").read_bytes()[8 : 8 + length])
    assert header["__metadata__"]["format"] == FORMAT
    torch.save({"a": torch.ones(2)}, tmp_path / "pickle")
    with pytest.raises(ValueError, match="cut short, or no safetensors file"):
        load_denoiser(tmp_path / "pickle")


# ---- several parts ----


def test_several_named_parts_come_back_each_with_its_weights(tmp_path):
    """A denoiser, an autoencoder and a second denoiser that share no weights; every part by its own name."""
    autoencoder = OneShot(1, 8, width=1 / 16)
    other = replace(fresh(MLP(2, width=32)), scale_input=False)
    parts = {"denoiser": fresh(schedule=Flow()), "autoencoder": autoencoder, "denoiser_2": other}
    save(tmp_path / "m", parts, card=ModelCard(notes={"licence": "MIT", "source": "made for a test"}))
    again = load(tmp_path / "m")
    assert list(again) == list(parts)
    for name in ("denoiser", "denoiser_2"):
        assert same(parts[name], again[name], torch.randn(3, 2))
        assert again[name].scale_input == parts[name].scale_input and again[name].schedule == parts[name].schedule
    assert isinstance(again["autoencoder"], OneShot) and not again["autoencoder"].training
    for name, value in autoencoder.state_dict().items():
        assert torch.equal(again["autoencoder"].state_dict()[name], value)
    assert same(load_denoiser(tmp_path / "m"), parts["denoiser"], torch.randn(3, 2))
    card = describe(tmp_path / "m")
    assert card.parts["autoencoder"] == {"network": autoencoder.config} and card.notes["licence"] == "MIT"
    save(tmp_path / "n", {"autoencoder": autoencoder})
    with pytest.raises(ValueError, match="n holds autoencoder, no denoiser: use load"):
        load_denoiser(tmp_path / "n")


@pytest.mark.parametrize("name", ["training", "a.b", "", "two words"])
def test_names_that_a_part_cannot_have(tmp_path, name):
    with pytest.raises(ValueError, match=f"the part's name '{name}' is not free: use one word other than 'training'"):
        save(tmp_path / "m", {name: fresh()})
    assert not list(tmp_path.iterdir())


def test_a_card_that_is_no_plain_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the model card's notes cannot be written .*: use text and numbers"):
        save_denoiser(tmp_path / "m", fresh(), card=ModelCard(notes={"weights": torch.ones(2)}))
    assert not list(tmp_path.iterdir())


# ---- files of format 1 ----


def format_1(path, denoiser, **text):
    """A file as the first format had it: one network, its tensors under ``net.``."""
    tensors = {f"net.{name}": value for name, value in denoiser.net.state_dict().items()}
    fields = {"network": denoiser.net.config, "schedule": {"kind": "Karras", "sigma_max": 3.0}, "predicts": "eps", "data": DATA,
              "recipe": {"lr": 1e-3}, "step": 7}  # fmt: skip
    write(
        path, tensors, {"format": "diffusion_lib 1", **{name: json.dumps(v) for name, v in {**fields, **text}.items()}}
    )


def test_a_file_of_format_1_loads_with_its_former_names_and_no_input_scaling(tmp_path):
    denoiser = fresh(schedule=EDM(sigma_max=3.0), predicts="eps")
    format_1(tmp_path / "old", denoiser)
    again = load_denoiser(tmp_path / "old")
    assert again.schedule == EDM(sigma_max=3.0) and again.predicts == "eps" and again.scale_input is False
    x, cond = torch.randn(4, 2), torch.tensor([0, 1, 0, 1])
    assert same(replace(denoiser, scale_input=False), again, x, cond) and not same(denoiser, again, x, cond)
    card = describe(tmp_path / "old")
    assert (card.data, card.training, card.step, list(card.parts)) == (DATA, {"lr": 1e-3}, 7, ["denoiser"])
    save_denoiser(tmp_path / "new", again, card=card)  # and comes back in today's format
    assert same(load_denoiser(tmp_path / "new"), again, x, cond)
    format_1(tmp_path / "bad", denoiser, schedule={"kind": "Sine"})
    with pytest.raises(ValueError, match="its description is damaged"):
        load_denoiser(tmp_path / "bad")


@pytest.mark.parametrize("name", ANSWERS)
def test_the_bundled_models_load(name):
    """Whichever format they are of; the answer on fixed numbers is what it was when they were made."""
    denoiser, card = load_denoiser(bundled(name)), describe(bundled(name))
    x = torch.linspace(-2, 2, math.prod(card.data["shape"])).reshape(1, *card.data["shape"])
    torch.testing.assert_close(denoiser(x, 0.5).x0.square().mean().item(), ANSWERS[name], rtol=1e-4, atol=0)


# ---- bad files ----


def saved(tmp_path, **change):
    """A good file with some of its text changed, or removed (None)."""
    path = tmp_path / "m.safetensors"
    save_denoiser(path, fresh())
    tensors, text = read(path)
    text = {k: v for k, v in {**text, **change}.items() if v is not None}
    write(path, {k: v.clone() for k, v in tensors.items()}, text)
    return path


def part_with(**change):
    part = {"network": fresh().net.config, "schedule": {"kind": "Cosine"}, "predicts": "v", "scale_input": True}
    return json.dumps({"denoiser": {**part, **change}})


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, 0.5, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = saved(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    for use in (load_denoiser, describe):
        with pytest.raises(
            ValueError, match=r"m.safetensors is cut short, or no safetensors file .*: take another copy"
        ):
            use(path)


def test_a_foreign_file_is_refused(tmp_path):
    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "foreign")
    with pytest.raises(ValueError, match="foreign holds no model of diffusion_lib: give a file that"):
        load_denoiser(tmp_path / "foreign")


def test_another_version_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="has format version 9, this diffusion_lib reads versions 1 and 2: install the release"
    ):
        load_denoiser(saved(tmp_path, format="diffusion_lib 9"))


@pytest.mark.parametrize("change", [
    {"parts": None}, {"parts": "{"}, {"parts": "[]"}, {"parts": '{"denoiser": {}}'}, {"parts": '{"denoiser": {"network": {}}}'},
    {"parts": part_with(schedule={"kind": "Sine"})}, {"parts": part_with(schedule={"kind": "Cosine", "q": 1})},
    {"parts": part_with(schedule={})}, {"step": "?"}, {"notes": None},
])  # fmt: skip
def test_a_damaged_description_is_refused(tmp_path, change):
    with pytest.raises(ValueError, match="its description is damaged .*take another copy"):
        load_denoiser(saved(tmp_path, **change))


@pytest.mark.parametrize("network", [
    {"kind": "CNN"}, {"kind": "MLP", "depht": 1}, {"kind": "MLP", "dim": 2, "width": 32}, "text"
], ids=str)  # fmt: skip
def test_weights_that_do_not_fit_their_network_are_refused(tmp_path, network):
    with pytest.raises(ValueError, match=r"m.safetensors: its (weights do not fit|description is damaged)"):
        load_denoiser(saved(tmp_path, parts=part_with(network=network)))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.safetensors does not exist: give the path"):
        load_denoiser(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="is a folder: give the path"):
        load_denoiser(tmp_path)


def test_bundled_models_are_found_by_name_and_others_are_named():
    for path in sorted((ROOT / "assets").glob("*.safetensors")):
        assert bundled(path.stem).samefile(path)
    with pytest.raises(FileNotFoundError, match="no model named 'faces' comes with the course: there is "):
        bundled("faces")


def test_what_no_file_could_rebuild_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Linear has no .config, so no file can rebuild it: give it one"):
        save_denoiser(tmp_path / "m", Denoiser(torch.nn.Linear(2, 2), Cosine()))

    class OwnSchedule(Cosine):
        pass

    with pytest.raises(ValueError, match=r"schedule=.*OwnSchedule.* is none of .*Cosine"):
        save_denoiser(tmp_path / "m", replace(fresh(), schedule=OwnSchedule()))
    net = MLP(2)
    net.config = {**net.config, "kind": "Unknown"}
    with pytest.raises(
        ValueError, match="kind='Unknown' of MLP is none of 'Autoencoder', 'MLP'.*add its class to networks.NETWORKS"
    ):
        save_denoiser(tmp_path / "m", replace(fresh(), net=net))
    with pytest.raises(ValueError, match="Guided has no .config, so no file can rebuild it"):
        save(tmp_path / "m", {"denoiser": Guided(fresh(), 2.0)})
    with pytest.raises(
        ValueError, match=r"torch.compile has wrapped cannot be rebuilt: compile it in place, net.compile"
    ):
        save_denoiser(tmp_path / "m", replace(fresh(), net=torch.compile(MLP(2))))
    tied = MLP(2, width=8)
    tied.twin = tied.first
    with pytest.raises(ValueError, match="first.weight and twin.weight of MLP are one tensor, no file can say so"):
        save_denoiser(tmp_path / "m", replace(fresh(), net=tied))
    with pytest.raises(ValueError, match=r"dtype=torch.int8 would lose the weights: use torch.float32"):
        save_denoiser(tmp_path / "m", fresh(), dtype=torch.int8)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [None, "mine"])
def test_a_schedule_of_ones_own_is_saved_under_its_registered_name(tmp_path, name):
    class Own(Cosine):
        pass

    SCHEDULES.register(Own, name=name)
    try:
        save_denoiser(tmp_path / "m", replace(fresh(), schedule=Own(0.02)))
        assert load_denoiser(tmp_path / "m").schedule == Own(0.02)
    finally:
        del SCHEDULES[name or "Own"]


def test_a_schedule_that_is_no_dataclass_is_refused(tmp_path):
    class Plain(VariancePreserving):
        def _log_alpha_bar(self, t):
            return -5 * t

    SCHEDULES.register(Plain)
    try:
        with pytest.raises(ValueError, match=r"Plain is no dataclass, .* add @dataclass\(frozen=True\) to it"):
            save_denoiser(tmp_path / "m", replace(fresh(), schedule=Plain()))
    finally:
        del SCHEDULES["Plain"]


# ---- faults while writing ----


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    """The disk is full after half of the bytes."""
    path = tmp_path / "m.safetensors"
    save_denoiser(path, fresh(), card=ModelCard(step=1))
    before = path.read_bytes()
    real = builtins.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, content):
            self.file.write(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(
        builtins,
        "open",
        lambda name, mode="r", *a, **k: Full(real(name, mode)) if mode == "wb" else real(name, mode, *a, **k),
    )
    with pytest.raises(OSError, match=r"No space left.*free some space.*the file that was there is unharmed") as caught:
        save_denoiser(path, fresh(), card=ModelCard(step=2))
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_a_real_limit_on_file_size_leaves_the_old_file(tmp_path):
    """The operating system itself refuses the write half-way."""
    code = f"""
import resource, signal, torch
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.checkpoints import ModelCard, save_denoiser
from diffusion_lib.networks import MLP
from diffusion_lib.schedules import Cosine
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
denoiser = Denoiser(MLP(2, width=64), Cosine())
save_denoiser({str(tmp_path / "m")!r}, denoiser, card=ModelCard(step=1))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_denoiser({str(tmp_path / "m")!r}, denoiser, card=ModelCard(step=2))
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert "cannot write 0.1 MB (File too large)" in done.stdout, done.stdout + done.stderr
    assert describe(tmp_path / "m").step == 1 and [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_at_any_moment_of_writing_leaves_a_whole_file(tmp_path, monkeypatch, moment):
    """Whatever was written so far stays; the name points to the old file until the new one is complete."""
    path = tmp_path / "m.safetensors"
    save_denoiser(path, fresh(), card=ModelCard(step=1))

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    monkeypatch.setattr(os, moment, die)
    with pytest.raises(Killed):
        save_denoiser(path, fresh(), card=ModelCard(step=2))
    monkeypatch.undo()
    assert describe(path).step == 1
    save_denoiser(path, fresh(), card=ModelCard(step=3))  # what was left behind does not stand in the way
    assert describe(path).step == 3 and [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_the_bytes_are_on_the_disk_before_the_name_moves(tmp_path, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: (order.append(name), real(*a))[1])
    save_denoiser(tmp_path / "m", fresh())
    assert order[:2] == ["fsync", "replace"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="cannot write here .*choose another folder") as caught:
            check_writable(bad)
        assert caught.value.filename == str(bad)
    with pytest.raises(OSError, match="choose another folder"):
        save_denoiser(tmp_path / "none" / "m", fresh())
    (tmp_path / "there").mkdir()
    for good in (tmp_path / "there", tmp_path / "there" / "new" / "newer"):
        check_writable(good)  # and nothing is left behind
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "there"]


def test_another_run_may_begin_beside_it_while_a_folder_is_checked(tmp_path, monkeypatch):
    write_bytes = Path.write_bytes

    def meanwhile(path, content):
        (tmp_path / "runs" / "b").mkdir()
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", meanwhile)
    check_writable(tmp_path / "runs" / "a")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["b"]


VICTIM = """
import os, sys, torch, torch._dynamo, tqdm.auto  # what a first step would import, once for all children
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import MLP
from diffusion_lib.schedules import Cosine
from diffusion_lib.training import TrainingConfig, accelerator, train
def say(*words):  # one write, which a pipe takes whole or not at all: print may be killed between two words
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
accelerator()
data = load("mixture", count=200)
for line in sys.stdin:  # a line is a folder and a number of steps; a child trains there, and may be killed
    child = os.fork()
    if not child:
        say("child", os.getpid())
        torch.manual_seed(0)
        denoiser = Denoiser(MLP(2, width=64, depth=2), Cosine())
        folder, steps = line.split()
        for p in train(denoiser, data, TrainingConfig(steps=int(steps), batch=8), folder=folder, every=1, progress=False):
            say("step", p.step)
        os._exit(0)
    say("ended", os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_twenty_times_at_random_moments_and_resumed(tmp_path):
    """SIGKILL to a real training that writes a checkpoint every step; in the end the weights are as if nothing happened."""
    steps, kills = 400, 0
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    victim = subprocess.Popen([sys.executable, "-c", VICTIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=environment)  # fmt: skip
    chance, reached = random.Random(0), 0
    while True:
        victim.stdin.write(f"{tmp_path / 'killed'} {steps}\n")
        victim.stdin.flush()
        word, child = victim.stdout.readline().split()
        assert word == "child"
        first = victim.stdout.readline().split()
        assert first[0] == "step" and int(first[1]) >= reached  # resumed behind a checkpoint, none was lost
        if kills < 20:
            time.sleep(chance.uniform(0, 0.05))
            os.kill(int(child), signal.SIGKILL)
        while (line := victim.stdout.readline().split())[0] == "step":
            first = line
        reached = int(first[1])
        if kills >= 20:
            assert line == ["ended", "0"]
            break
        assert line == ["ended", str(int(signal.SIGKILL))], "it was finished before it could be killed"
        kills += 1
        describe(tmp_path / "killed" / "checkpoint.safetensors")  # never half a file
    assert reached == steps and kills == 20
    victim.stdin.write(f"{tmp_path / 'whole'} {steps}\n")
    victim.stdin.close()
    assert victim.stdout.read().split()[-2:] == ["ended", "0"] and victim.wait(timeout=60) == 0
    one, two = (read(tmp_path / name / "checkpoint.safetensors")[0] for name in ("killed", "whole"))
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name
