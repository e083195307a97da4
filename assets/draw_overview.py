"""Draw the first picture of the README, with the bundled models: ``python assets/draw_overview.py``.

Left, 64 new digits, 0 to 7 in the upper rows and 2 to 9 in the lower; right, eight shapes on their way from noise to
data.
"""

from pathlib import Path

import torch

from diffusion_lib.checkpoints import bundled, load_denoiser
from diffusion_lib.course import figures
from diffusion_lib.sampling import sample, walk
from diffusion_lib.times import uniform_times

ALT = "64 handwritten digits drawn by a bundled model, and eight coloured shapes on their way from noise to data."


def main() -> None:
    model = load_denoiser(bundled("mnist"))
    classes = torch.arange(64) % 8 + 2 * (torch.arange(64) >= 32)  # 0 to 7, then 2 to 9
    new = sample(model, (1, 28, 28), 64, cond=classes, steps=30, seed=0)
    shapes = load_denoiser(bundled("shapes"))
    noise = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(6))
    stops = list(walk(shapes, noise, uniform_times(30), cond=torch.tensor([3, 0, 4, 2, 1, 3, 5, 4])))
    shown = [noise, *(stops[i].x for i in (8, 14, 18, 21, 24, 27, 29))]
    way = torch.stack(shown, 1).flatten(0, 1)  # a row for each shape
    figure, (left, right) = figures.panels(1, 2, width=9.0, height=4.8)
    figures.picture_grid(new, columns=8, axes=left, title="64 new digits, drawn in 30 steps")
    figures.picture_grid(way, columns=8, axes=right, title="eight shapes on their way, from noise (left) to data")
    Path(__file__).with_name("overview.png").write_bytes(figures.png(figure, ALT))


if __name__ == "__main__":
    main()
