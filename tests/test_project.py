"""The project's own housekeeping: style, and what a learner and what a tester install."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["check", "format"])
def test_ruff_is_content(command):
    pytest.importorskip("ruff", reason="needs ruff: pip install -r tests/requirements.txt")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", str(ROOT)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pins(path):
    """The pinned versions in a requirements file, by package, without those of the files it includes."""
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith("-"))


def floors(requirements):
    """The lowest version allowed of each package in a list of pyproject.toml."""
    return dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups() for requirement in requirements)


def version(text):
    return tuple(map(int, text.split(".")))


@pytest.mark.parametrize(
    ("file", "requirements"),
    [
        ("requirements.txt", PROJECT["dependencies"]),
        ("tests/requirements.txt", PROJECT["optional-dependencies"]["test"]),
    ],
)
def test_what_is_pinned_is_what_the_package_asks_for(file, requirements):
    pinned, lowest = pins(ROOT / file), floors(requirements)
    assert list(pinned) == list(lowest)
    for name in pinned:
        assert version(pinned[name]) >= version(lowest[name]), name


def test_a_learner_installs_no_tools_of_testers():
    assert not set(pins(ROOT / "requirements.txt")) & set(pins(ROOT / "tests" / "requirements.txt"))
    assert "-r ../requirements.txt" in (ROOT / "tests" / "requirements.txt").read_text().splitlines()


def test_the_readme_gives_two_commands_of_one_line_each():
    commands = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    assert "pip install -r requirements.txt && jupyter lab notebooks/00_start_here.ipynb" in commands
    test = "pip install -r tests/requirements.txt && pytest"
    assert test in commands
    assert test in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_oldest_python_that_is_promised_is_named():
    names = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith("Programming Language")]
    assert names[0] == PROJECT["requires-python"].removeprefix(">=")
