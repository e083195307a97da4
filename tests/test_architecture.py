"""The floor plan: who may import whom (import-linter, by the table in pyproject.toml), and importing stays light."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import diffusion_lib

ROOT = Path(__file__).parents[1]
PACKAGE = Path(diffusion_lib.__file__).parent


def lint(config: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    return subprocess.run([*command, "--config", str(config), "--no-cache"], capture_output=True, text=True, cwd=ROOT)


def test_each_module_imports_only_from_the_floors_below():
    done = lint(ROOT / "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_arrow_upwards_would_be_seen(tmp_path):
    """The same table with two floors exchanged is broken by today's imports."""
    text = (ROOT / "pyproject.toml").read_text()
    wrong = text.replace('    "denoisers",\n    "data | networks",\n', '    "data | networks",\n    "denoisers",\n')
    wrong = wrong.replace('    "schedules",\n    "gaussians",\n', '    "gaussians",\n    "schedules",\n')
    assert wrong != text
    (tmp_path / "pyproject.toml").write_text(wrong)
    done = lint(tmp_path / "pyproject.toml")
    assert done.returncode == 1 and "diffusion_lib.schedules is not allowed to import" in re.sub(
        r"\s+", " ", done.stdout
    )


def test_the_public_list_is_the_floor_plan():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = {name.strip() for layer in layers for name in layer.split("|")} - {"cli"}
    assert set(diffusion_lib.__all__) == floors


@pytest.mark.parametrize(
    "path", sorted(p for p in PACKAGE.rglob("*.py") if "course" not in p.parts), ids=lambda p: p.stem
)
def test_no_file_of_the_mathematics_is_long(path):
    assert len(path.read_text().splitlines()) <= 300


def loaded(code: str, names: tuple[str, ...]) -> str:
    code = f"import sys; {code}; print([m for m in {names!r} if m in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_nothing_heavy():
    assert loaded("import diffusion_lib", ("torch", "matplotlib", "sklearn", "IPython")) == "[]"


def test_the_mathematics_loads_torch_and_no_more():
    heavy = ("matplotlib", "sklearn", "torchvision", "accelerate", "IPython", "ipywidgets")
    assert loaded("from diffusion_lib import sampling, objective, networks, training", heavy) == "[]"


def test_unknown_module_is_named():
    with pytest.raises(
        AttributeError, match="has no attribute 'scheduler'; it has registry, bundled, conditions, gaussians"
    ):
        _ = diffusion_lib.scheduler
