"""Pictures of shapes without a shape, and where their walks left the way: ``python tests/benchmarks/empties.py``.

Draws sets of 1000 pictures and counts those that are empty, nowhere 0.5 away from the background (pixels go from -1 to 1).
Then the walks that ended so are taken again, and at each point the network's guess of x0 is compared with the exact one for
pictures of the shape asked for on the background reached: the mean of fresh drawings, each weighed by how likely it makes
the point, q(x_t | drawing). Printed for each time:

    network, exact   the largest distance from the background in the guess, mean over the walks
    walks            those in which the network's is below half of the exact one
    drawings         the effective number of drawings in the exact mean (the smallest of all walks): at low times it is
                     few, and the mean is rough

``--model`` takes another model's file, ``--guidance``, ``--eta`` and ``--steps`` another way of drawing.
"""

import argparse

import torch
from models import distance_from_background, empty
from torch import Tensor

from diffusion_lib.checkpoints import bundled, load_denoiser
from diffusion_lib.data.shapes import COLOURS, SIZES, draw, recognise
from diffusion_lib.denoisers import DenoiserLike, Guided
from diffusion_lib.sampling import sample, walk
from diffusion_lib.times import uniform_times

SHAPE = (3, 32, 32)
CHUNK = 4096


def exact_guess(
    x: Tensor, alpha: Tensor, sigma: Tensor, shape: int, ground: int, drawings: int
) -> tuple[Tensor, Tensor]:
    """E[x0 | x_t] of pictures with this shape and background, for points x (N, …), and the effective number of drawings."""
    generator = torch.Generator().manual_seed(0)
    points, alpha, sigma = x.flatten(1), alpha[:, None], sigma[:, None]
    mean = torch.zeros(points.shape, dtype=torch.float64)
    total, squares = torch.full((2, len(x), 1), -torch.inf, dtype=torch.float64)
    for chunk in range(-(-drawings // CHUNK)):
        kinds = torch.tensor([shape, 0, 0, ground]).repeat(CHUNK, 1)
        kinds[:, 1] = torch.randint(len(COLOURS), (CHUNK,), generator=generator)
        kinds[:, 2] = torch.randint(len(SIZES), (CHUNK,), generator=generator)
        drawn = draw(kinds, seed=chunk).flatten(1)
        log_weights = (alpha * (points @ drawn.T).double() - alpha**2 * drawn.square().sum(1) / 2) / sigma**2
        before, total = total, torch.logaddexp(total, log_weights.logsumexp(1, keepdim=True))
        weights = (log_weights - total).exp()
        mean = mean * (before - total).exp() + (weights.float() @ drawn).double()
        squares = torch.logaddexp(squares, (2 * log_weights).logsumexp(1, keepdim=True))
    return mean.float().reshape(x.shape), (2 * total - squares).exp()[:, 0]


def follow(model: DenoiserLike, noise: Tensor, asked: Tensor, ground: Tensor, options: argparse.Namespace) -> None:
    """Print the network's and the exact guess along the walks from this noise."""
    times = uniform_times(options.steps)
    points = [noise, *(stop.x for stop in walk(model, noise, times, cond=asked))]
    print("   t    network   exact   walks   drawings")
    for t, x in zip(times, points, strict=True):
        if not 0.5 <= t <= 0.97:
            continue
        alpha, sigma = (value.expand(len(x)) for value in model.schedule.pair(t, torch.zeros((), dtype=torch.float64)))
        with torch.no_grad():
            guess = model(x, float(t), asked).x0
        exact, effective = torch.zeros_like(x), torch.zeros(len(x))
        for shape, back in {*zip(asked.tolist(), ground.tolist(), strict=True)}:
            these = (asked == shape) & (ground == back)
            exact[these], number = exact_guess(x[these], alpha[these], sigma[these], shape, back, options.drawings)
            effective[these] = number.float()
        of_network, of_exact = (distance_from_background(x0).amax((1, 2)) for x0 in (guess, exact))
        behind = (of_network < of_exact / 2).sum()
        print(f"  {t:.2f}   {of_network.mean():6.2f}  {of_exact.mean():6.2f}  {behind:6}  {effective.min():9.0f}")


def main(options: argparse.Namespace) -> None:
    model = load_denoiser(options.model or bundled("shapes"))
    model = model if options.guidance == 1 else Guided(model, options.guidance)
    asked = torch.arange(options.count) % 6
    ends = []
    for seed in options.seeds:
        settings = {"step": "ddim", "steps": options.steps, "options": {"eta": options.eta}, "batch": 125}
        pictures = sample(model, SHAPE, options.count, cond=asked, seed=seed, **settings).clamp(-1, 1)
        bare = empty(pictures)
        right = (recognise(pictures)[:, 0] == asked).float().mean()
        noise = model.schedule.prior((options.count, *SHAPE), torch.Generator().manual_seed(seed), dtype=torch.float32)
        ends.append((noise[bare], asked[bare], recognise(pictures)[bare, 3]))
        print(f"seed {seed}: {bare.sum()} of {options.count} are empty, {100 * right:.1f} % read right", flush=True)
    noise, asked, ground = (torch.cat(parts) for parts in zip(*ends, strict=True))
    if len(noise) and options.eta == 0:
        print("the walks that ended so:")
        follow(model, noise, asked, ground, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a model's file; if not given, the bundled one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 11, 12])
    parser.add_argument("--count", type=int, default=1000, help="pictures of each seed")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--eta", type=float, default=0.0, help="share of fresh noise in DDIM's steps")
    parser.add_argument("--drawings", type=int, default=200_000, help="drawings in the exact mean")
    main(parser.parse_args())
