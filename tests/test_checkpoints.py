"""Model files: rebuilt from the file alone, and never lost, whatever happens while one is written."""

import builtins
import errno
import json
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

from diffusion_lib import checkpoints
from diffusion_lib.checkpoints import (
    FORMAT,
    Info,
    bundled,
    describe,
    load_denoiser,
    read,
    save_denoiser,
    writable,
    write,
)
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import MLP, UNet
from diffusion_lib.schedules import EDM, SCHEDULES, Cosine, Discrete, Flow, LinearBeta

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
        found, expected = a(x, 0.4, cond), b(x, 0.4, cond)
    return torch.equal(found.x0, expected.x0) and torch.equal(found.eps, expected.eps)


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
    save_denoiser(tmp_path / "m.safetensors", denoiser, data=DATA, recipe={"lr": 1e-3}, step=7)
    again = load_denoiser(tmp_path / "m.safetensors")
    x, cond = torch.randn(3, *shape), torch.tensor([-1, 0, 1]) if net.config["classes"] else None
    assert same(denoiser, again, x, cond) and not again.net.training
    assert describe(tmp_path / "m.safetensors") == Info(net.config, Cosine(), "v", DATA, {"lr": 1e-3}, 7)


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


# ---- bad files ----


def saved(tmp_path, **change):
    """A good file with some of its text changed, or removed (None)."""
    path = tmp_path / "m.safetensors"
    save_denoiser(path, fresh())
    tensors, text = read(path)
    text = {k: v for k, v in {**text, **change}.items() if v is not None}
    write(path, {k: v.clone() for k, v in tensors.items()}, text)
    return path


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
        ValueError, match="has format version 9, this diffusion_lib reads version 1: install the release"
    ):
        load_denoiser(saved(tmp_path, format="diffusion_lib 9"))


@pytest.mark.parametrize("change", [
    {"schedule": None}, {"schedule": "{"}, {"schedule": "[]"}, {"schedule": '{"kind": "Sine"}'},
    {"schedule": '{"kind": "Cosine", "q": 1}'}, {"network": None}, {"step": "?"},
])  # fmt: skip
def test_a_damaged_description_is_refused(tmp_path, change):
    with pytest.raises(ValueError, match="its description is damaged .*take another copy"):
        load_denoiser(saved(tmp_path, **change))


@pytest.mark.parametrize("network", [
    {"kind": "CNN"}, {"kind": "MLP", "depht": 1}, {"kind": "MLP", "dim": 2, "width": 32}, "text"
], ids=str)  # fmt: skip
def test_weights_that_do_not_fit_their_network_are_refused(tmp_path, network):
    with pytest.raises(ValueError, match=r"m.safetensors: its (weights do not fit|description is damaged)"):
        load_denoiser(saved(tmp_path, network=json.dumps(network)))


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

    class Mine(Cosine):
        pass

    with pytest.raises(ValueError, match="schedule=.*Mine.* is none of LinearBeta"):
        save_denoiser(tmp_path / "m", replace(fresh(), schedule=Mine()))


# ---- faults while writing ----


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    """The disk is full after half of the bytes."""
    path = tmp_path / "m.safetensors"
    save_denoiser(path, fresh(), step=1)
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
        save_denoiser(path, fresh(), step=2)
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_a_real_limit_on_file_size_leaves_the_old_file(tmp_path):
    """The operating system itself refuses the write half-way."""
    code = f"""
import resource, signal, torch
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.checkpoints import save_denoiser
from diffusion_lib.networks import MLP
from diffusion_lib.schedules import Cosine
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
denoiser = Denoiser(MLP(2, width=64), Cosine())
save_denoiser({str(tmp_path / "m")!r}, denoiser, step=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_denoiser({str(tmp_path / "m")!r}, denoiser, step=2)
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
    save_denoiser(path, fresh(), step=1)

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    monkeypatch.setattr(checkpoints.os, moment, die)
    with pytest.raises(Killed):
        save_denoiser(path, fresh(), step=2)
    monkeypatch.undo()
    assert describe(path).step == 1
    save_denoiser(path, fresh(), step=3)  # what was left behind does not stand in the way
    assert describe(path).step == 3 and [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_the_bytes_are_on_the_disk_before_the_name_moves(tmp_path, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(checkpoints.os, name, lambda *a, name=name, real=real: (order.append(name), real(*a))[1])
    save_denoiser(tmp_path / "m", fresh())
    assert order[:2] == ["fsync", "replace"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="cannot write here .*choose another folder") as caught:
            writable(bad)
        assert caught.value.filename == str(bad)
    with pytest.raises(OSError, match="choose another folder"):
        save_denoiser(tmp_path / "none" / "m", fresh())
    assert writable(tmp_path / "a" / "b").is_dir() and not list((tmp_path / "a" / "b").iterdir())


VICTIM = """
import os, sys, torch, torch._dynamo, tqdm.auto  # what a first step would import, once for all children
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import MLP
from diffusion_lib.schedules import Cosine
from diffusion_lib.training import accelerator, train
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
        for p in train(denoiser, data, steps=int(steps), batch=8, folder=folder, every=1, progress=False):
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
