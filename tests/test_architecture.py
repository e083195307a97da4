"""The floor plan: each module imports only from the ones above it, and importing the package stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import diffusion_lib

PACKAGE = Path(diffusion_lib.__file__).parent
FLOORS = [
    "registry", "conditions", "gaussians", "schedules", "predictions", "denoisers", "networks", "data", "objective", "sampling",
    "checkpoints", "training", "evaluation", "course", "cli", "__main__",
]  # fmt: skip
MATHEMATICS = {"registry", "conditions", "gaussians", "schedules", "predictions", "denoisers", "objective", "sampling"}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield path, parts


def imports(path, parts):
    """(floor of diffusion_lib or None, top-level name) of everything that ``path`` imports, at any depth."""
    package = ["diffusion_lib", *parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name.split(".")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            if module == ["diffusion_lib"]:
                for name in node.names:
                    yield [*module, name.name]
            else:
                yield module


@pytest.mark.parametrize(
    "path, parts", list(modules()), ids=lambda value: "/".join(value) if isinstance(value, tuple) else ""
)
def test_each_module_imports_only_from_the_floors_above(path, parts):
    floor = FLOORS.index(parts[0])
    for name in imports(path, parts):
        if name[0] == "diffusion_lib" and len(name) > 1 and name[1] not in ("__version__",):
            assert name[1] in FLOORS, f"{'.'.join(name)} is on no floor"
            assert FLOORS.index(name[1]) < floor or name[1] == parts[0], f"{'/'.join(parts)} imports {'.'.join(name)}"
        if parts[0] in MATHEMATICS:
            assert name[0] not in ("matplotlib", "IPython", "ipywidgets"), f"{parts[0]} imports {name[0]}"
        if parts[0] in ("networks",):
            assert name[:2] != ["diffusion_lib", "schedules"], f"{parts[0]} knows a schedule"


def test_the_public_list_is_the_floor_plan():
    listed = [name for name in FLOORS if name in diffusion_lib.__all__]
    assert listed == diffusion_lib.__all__


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, diffusion_lib; print([m for m in ('torch', 'matplotlib', 'sklearn', 'IPython') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_mathematics_loads_torch_and_no_more():
    code = (
        "import sys; from diffusion_lib import sampling, objective, networks, training;"
        "print([m for m in ('matplotlib', 'sklearn', 'torchvision', 'accelerate', 'IPython') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_unknown_module_is_named():
    with pytest.raises(AttributeError, match="has no attribute 'scheduler'; it has gaussians, schedules"):
        _ = diffusion_lib.scheduler
