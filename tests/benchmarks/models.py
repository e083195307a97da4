"""How good are the models that come with the course? ``python tests/benchmarks/models.py``, or some names behind it.

Draws 1000 pictures of each in 30 steps of DDIM and prints, beside the same of real pictures, with standard errors:

    asked     share read as what was asked for, without guidance and with scale 2: digits by their bundled classifier, shapes
              by `recognise`
    Fréchet   (digits) distance to training pictures in the classifier's features; real: against as many real ones
    nearest   (digits) median distance to the nearest training picture
    clean     (shapes) background and colour within 0.15 of one of those that are drawn, as the median of the border and of
              what is fully covered; pixels go from -1 to 1
    empty     (shapes) pictures without a shape: nowhere 0.5 away from the background
    seams     (shapes) mean step from pixel to pixel across the 2 × 2 squares that the network folds, over that within them
    seen, held out
              (text_to_shapes) 25 steps, guidance 3: shape, colour, size, background and all four as the caption asks, by
              `recognise` and by the bundled classifier; of captions as in training, and of those held out of it. The scale
              is what ``text_to_shapes --choose`` chose: it draws a validation set, of captions as in training only and other
              noise than the test's, with each scale of SCALES, and prints both judges' share
    autoencoder
              mean squared error of new drawings, and the same judges' verdict on what is left of them
    seconds   64 pictures in 30 steps, wall clock, the median of three runs;
              text_to_shapes: 16 pictures from one caption, 25 steps
"""

import argparse
import os
import statistics
import time

import torch
from torch import Tensor

from diffusion_lib import evaluation
from diffusion_lib.checkpoints import bundled, describe, load_denoiser
from diffusion_lib.checkpoints import load as load_parts
from diffusion_lib.data import Dataset, load, shapes
from diffusion_lib.denoisers import Denoiser, Guided, Latent
from diffusion_lib.evaluation import Estimate
from diffusion_lib.networks import parameter_count
from diffusion_lib.sampling import sample

STEPS = 30
SCALES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)


def share(mask: Tensor) -> str:
    """A share with its standard error, in per cent."""
    p = mask.float().mean().item()
    return f"{100 * p:.1f} ± {100 * (p * (1 - p) / len(mask)) ** 0.5:.1f} %"


def pictures(denoiser, test: Dataset, labels: Tensor, seed: int = 0) -> Tensor:
    x = sample(denoiser, tuple(test.shape), len(labels), cond=labels, steps=STEPS, batch=125, seed=seed)
    return x.clamp(-1, 1)


def seconds(denoiser: Denoiser, test: Dataset) -> float:
    times = []
    for seed in range(3):
        start = time.perf_counter()
        sample(denoiser, tuple(test.shape), 64, cond=torch.arange(64) % len(test.classes), steps=STEPS, seed=seed)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def digits(name: str, count: int) -> dict[str, list]:
    train, test = load(name), load(name, train=False)
    classifier = evaluation.load_classifier(bundled(f"{name}_classifier"))
    denoiser = load_denoiser(bundled(name))
    count = min(count, len(test))
    real, labels = test.x[:count], test.labels[:count]
    drawn, guided = (pictures(d, test, labels) for d in (denoiser, Guided(denoiser, 2.0)))
    against = train.x[:5000]
    floor: Estimate = evaluation.real_floor(
        torch.cat([train.x, test.x]), count, classifier, against=len(against), repeats=10
    )
    rows = {f"asked {kind}": [share(classifier(x).argmax(1) == labels)] for kind, x in
            (("plain", drawn), ("guided", guided), ("(real)", real))}  # fmt: skip
    rows["Fréchet"] = [f"{evaluation.frechet(drawn, against, classifier):.3g}, real {floor}"]
    near = [evaluation.nearest_neighbours(x, train.x).distance.median().item() for x in (drawn, real)]
    rows["nearest"] = [f"{near[0]:.3g}, real {near[1]:.3g}"]
    return rows | {"seconds": [f"{seconds(denoiser, test):.1f}"]}


def background_colour(x: Tensor) -> Tensor:
    """The colour of the background, the median of the border: (N, 3, H, W) -> (N, 3)."""
    return torch.cat([x[..., 0, :], x[..., -1, :], x[..., 0], x[..., -1]], -1).median(-1).values


def distance_from_background(x: Tensor) -> Tensor:
    """How far each pixel is from the background, in the channel in which it is farthest: (N, 3, H, W) -> (N, H, W)."""
    return (x - background_colour(x)[..., None, None]).abs().amax(1)


def empty(x: Tensor) -> Tensor:
    """Whether a picture is without a shape, nowhere 0.5 away from the background (pixels go from -1 to 1): (N,)."""
    return distance_from_background(x).amax((1, 2)) < 0.5


def clean(x: Tensor) -> tuple[Tensor, Tensor]:
    """Whether background and colour are among those that are drawn, (N,) each."""
    border = background_colour(x)
    backgrounds, colours = (2 * torch.tensor(list(d.values())) - 1 for d in (shapes.BACKGROUNDS, shapes.COLOURS))
    distance = distance_from_background(x).flatten(1)
    far = distance > 0.8 * distance.quantile(0.98, dim=1, keepdim=True)
    inside = x.flatten(2).masked_fill(~far[:, None], torch.nan).nanmedian(-1).values
    near = [(a[:, None] - b).abs().amax(-1).amin(1) < 0.15 for a, b in ((border, backgrounds), (inside, colours))]
    return near[0], near[1]


def seams(x: Tensor) -> float:
    """Mean absolute step across the borders of 2 × 2 squares, over that within, in the middle; 1 for drawn pictures."""
    steps = [x.diff(dim=dim).abs().transpose(dim, -1) for dim in (-1, -2)]
    within, across = (sum(step[..., start:24:2].mean() for step in steps) for start in (8, 9))
    return (across / within).item()


def drawn_shapes(name: str, count: int) -> dict[str, list]:
    test = load(name, train=False, count=count)
    denoiser = load_denoiser(bundled(name))
    labels = torch.arange(count) % len(test.classes)
    rows = {}
    for kind, x, asked in (
        ("plain", pictures(denoiser, test, labels), labels),
        ("guided", pictures(Guided(denoiser, 2.0), test, labels), labels),
        ("(real)", test.x, test.labels),
    ):
        background, colour = clean(x)
        rows[kind] = [
            f"asked {share(shapes.recognise(x)[:, 0] == asked)}", f"background {share(background)}",
            f"colour {share(colour)}", f"empty {int(empty(x).sum())}", f"seams {seams(x):.3f}",
        ]  # fmt: skip
    return rows | {"seconds": [f"{seconds(denoiser, test):.1f}"]}


def judged(x: Tensor, asked: Tensor) -> list[str]:
    """By each judge, the shares (in %) of pictures with the shape, colour, size, background, and all four asked for."""
    judge = evaluation.load_classifier(bundled("shapes_classifier"))
    rows = []
    for name, read in (("recognise", shapes.recognise(x)), ("classifier", evaluation.classify_all(x, judge))):
        right = read == asked
        rows.append(f"{name}: {', '.join(map(share, [*right.T, right.all(1)]))}")
    return rows


class Captioned:
    """The bundled `text_to_shapes` at one guidance scale, and the captions of its training and those held out of it."""

    def __init__(self, name: str, guidance: float = 3.0):
        self.parts = load_parts(bundled(name))
        self.model = Latent(Guided(self.parts["denoiser"], guidance), self.parts["autoencoder"])
        self.words = self.parts["denoiser"].net.tokens
        held_out = [tuple(text.split()) for text in describe(bundled(name)).data["without"]]
        every = shapes.combinations()
        out = torch.stack([shapes.having(every, words) for words in held_out]).any(0)
        self.seen, self.held_out = every[~out], every[out]

    @torch.no_grad()
    def draw(self, asked: Tensor, seed: int = 0) -> Tensor:
        """Pictures (N, 3, 32, 32) of the attributes (N, 4) asked for."""
        tokens = self.words(shapes.caption(asked))
        latents = sample(self.model, self.model.shape, len(asked), cond=tokens, steps=25, batch=125, seed=seed)
        return torch.cat([self.model.decode(part) for part in latents.split(125)]).clamp(-1, 1)


def some(attributes: Tensor, count: int, seed: int) -> Tensor:
    """So many of them, drawn with replacement, (count, 4)."""
    return attributes[torch.randint(len(attributes), (count,), generator=torch.Generator().manual_seed(seed))]


def captioned(name: str, count: int) -> dict[str, list]:
    model = Captioned(name)
    rows = {}
    for seed, (kind, allowed) in enumerate({"seen": model.seen, "held out": model.held_out}.items()):
        asked = some(allowed, count, seed)
        rows[kind] = judged(model.draw(asked), asked)
    test = load("shapes", train=False, count=count)
    with torch.no_grad():
        left = model.parts["autoencoder"](test.x)
    rows["autoencoder"] = [f"error {(left - test.x).square().mean():.5f}", *judged(left, test.attributes)]
    rows["(real)"] = judged(test.x, test.attributes)
    times = []
    for seed in range(3):
        start = time.perf_counter()
        model.draw(model.seen[:1].expand(16, -1), seed)
        times.append(time.perf_counter() - start)
    return rows | {"seconds": [f"{statistics.median(times):.1f}"]}


def choose(name: str, count: int) -> None:
    """A row a scale, of one validation set: the same captions and the same noise for all."""
    for scale in SCALES:
        model = Captioned(name, scale)
        asked = some(model.seen, count, seed=101)
        print(f"  guidance {scale:3g}  {'; '.join(judged(model.draw(asked, seed=101), asked))}", flush=True)


MODELS = {"digits": digits, "mnist": digits, "shapes": drawn_shapes, "text_to_shapes": captioned}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=tuple(MODELS), default=list(MODELS))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument(
        "--choose", action="store_true", help="text_to_shapes only: the guidance scale, on a validation set"
    )
    options = parser.parse_args()
    if options.choose:
        return choose("text_to_shapes", options.count)
    for name in options.names:
        path = bundled(name)
        net = load_denoiser(path).net
        print(f"{name}: {parameter_count(net) / 1e6:.2f} million weights, {os.path.getsize(path) / 1e6:.1f} MB")
        for row, values in MODELS[name](name, options.count).items():
            print(f"  {row:16} {'; '.join(values)}", flush=True)


if __name__ == "__main__":
    main()
