"""The project's own housekeeping: style, and what a learner and what a tester install."""

import hashlib
import json
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


def test_the_lock_file_holds_the_pinned_versions():
    """`uv lock` writes it anew; whoever uses uv gets what was tested."""
    locked = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]:
        locked.setdefault(package["name"], set()).add(package.get("version"))
    for file in ("requirements.txt", "tests/requirements.txt"):
        for name, pinned in pins(ROOT / file).items():
            assert locked[name] == {pinned}, name


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


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in text and f"\nlicense: {PROJECT['license']}\n" in text


def test_whoever_opens_a_container_gets_the_pinned_torch():
    pinned = pins(ROOT / "requirements.txt")
    for file in (".devcontainer/devcontainer.json", ".github/workflows/tests.yml", "README.md"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert f"torch=={pinned['torch']} torchvision=={pinned['torchvision']}" in text, file


def test_assets_are_those_that_were_made():
    """`cd assets && sha256sum *.json *.png *.safetensors > SHA256SUMS` writes it anew, for whoever means to change one; each has a card."""
    folder = ROOT / "assets"
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    cards = (folder / "README.md").read_text(encoding="utf-8")
    data = [path for path in folder.iterdir() if path.suffix in (".safetensors", ".png", ".json")]
    assert {path.name for path in data} == set(listed)
    for path in data:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == listed[path.name], path.name
        assert path.stem in cards or path.stem in (ROOT / "README.md").read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem[:2])
def test_a_notebook_is_as_its_reader_needs_it(path):
    """Run in order from a fresh kernel, without an error, under 1 MB; code that fits the page; numbers, not verdicts."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert path.stat().st_size < 1_000_000
    for cell in code:
        assert max(map(len, "".join(cell["source"]).split("\n"))) <= 100, cell["id"]
        assert "nbval-ignore-output" not in cell["metadata"].get("tags", ()), cell["id"]
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["id"]
            assert not re.search(r"\b(True|False)\b", "".join(output.get("text", ""))), cell["id"]
