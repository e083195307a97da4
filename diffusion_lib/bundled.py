"""Files that come with the course: models and pictures, see `assets/README.md`.

They lie in the folder `assets`: inside the package once it is installed, beside the package in a checkout.
"""

from pathlib import Path

PACKAGE = Path(__file__).parent


def files(ending: str) -> dict[str, Path]:
    """The bundled files with this ending, such as ".png", by their names without it."""
    folders = (PACKAGE / "assets", PACKAGE.parent / "assets")
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    return {path.name.removesuffix(ending): path for path in sorted(folder.glob(f"*{ending}"))}
