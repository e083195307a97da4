"""``python -m diffusion_lib``: see :mod:`diffusion_lib.cli`."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
