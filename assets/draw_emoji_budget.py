"""Draw `emoji_budget.png`: what one training on the emoji draws after more and more processor time.

    python assets/draw_emoji_budget.py FOLDER

FOLDER holds copies of the training's checkpoint, `0060.safetensors` after 60 s of processor time and so on. Each row
has two samples of each of the eight classes, from the same noise in all rows, guidance 2, 20 steps; the last row is
real. Prints how many of 160 plain samples are copies, and how far they are from real pictures.
The last checkpoint also becomes `emoji.safetensors`, in half precision.
"""

import sys
from pathlib import Path

import torch
from PIL import Image

from diffusion_lib import data
from diffusion_lib.checkpoints import ModelCard, describe, load_denoiser, save
from diffusion_lib.denoisers import Guided
from diffusion_lib.evaluation import nearest_neighbours
from diffusion_lib.sampling import sample

HERE = Path(__file__).parent
LICENCE = "graphics: Twitter, Inc. and other contributors (Twemoji), CC BY 4.0"


def row(pictures: torch.Tensor) -> torch.Tensor:
    """Sixteen pictures (16, 3, 32, 32) side by side, two pixels of white between them, enlarged twice."""
    row = torch.nn.functional.pad(pictures, (1, 1, 1, 1), value=1.0).permute(1, 2, 0, 3).flatten(2)
    return row.repeat_interleave(2, 1).repeat_interleave(2, 2)


def main(folder: Path) -> None:
    emoji = data.load("emoji")
    held_out = data.load("emoji", train=False).x
    few = emoji.x[torch.randperm(len(emoji), generator=torch.Generator().manual_seed(2))[: len(held_out)]]
    cond = torch.arange(8).repeat_interleave(2)
    rows = []
    for path in sorted(folder.glob("*.safetensors")):
        denoiser, card = load_denoiser(path), describe(path)
        rows.append(row(sample(Guided(denoiser, 2.0), (3, 32, 32), 16, steps=20, cond=cond, seed=5).clamp(-1, 1)))
        many = sample(denoiser, (3, 32, 32), 160, steps=20, cond=torch.arange(160) % 8, seed=1).clamp(-1, 1)
        two = nearest_neighbours(many, emoji.x, k=2).distance
        copies = (two[:, 0] / two[:, 1] < 1 / 3).float().mean()
        near = [nearest_neighbours(many, x).distance.median().item() for x in (few, held_out)]
        ratio = (two[:, 0] / two[:, 1]).median()
        print(f"{path.stem} s, step {card.step}: copies {copies:.3f}, median d1/d2 {ratio:.3f}, distance", end=" ")
        print(f"to {len(few)} training pictures {near[0]:.2f}, to the held-out ones {near[1]:.2f}", flush=True)
    rows.append(row(torch.stack([emoji.x[emoji.labels == label][7 * i] for label in range(8) for i in range(2)])))
    sheet = data.to_uint8(torch.cat(rows, 1)).permute(1, 2, 0).numpy()
    Image.fromarray(sheet).quantize(256, dither=Image.Dither.NONE).save(HERE / "emoji_budget.png", optimize=True)
    kept = {"name": "emoji", "shape": [3, 32, 32], "classes": list(emoji.classes)}
    card = ModelCard(
        data=card.data | kept, training=card.training | {"steps": card.step}, step=card.step, notes={"licence": LICENCE}
    )
    save(HERE / "emoji.safetensors", {"denoiser": denoiser}, card=card, dtype=torch.float16)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
