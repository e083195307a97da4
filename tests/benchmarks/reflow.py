"""Does reflow give digits in one or two steps? ``python tests/benchmarks/reflow.py [--pairs 5000 --steps 1000]``. Notebook 10.

The bundled `mnist` model, on the straight schedule, draws pairs (noise, its own end) in 30 steps of DDIM, which is Euler's method there.
A copy of it is trained further on straight lines between the two of a pair (Liu et al. 2022). Prints, for both models and few
steps, the Fréchet distance of 1000 digits in the bundled classifier's features, their share that is read as asked, with standard error,
and how straight the paths are: the mean squared difference between a path's velocity and its chord, per pixel.
"""

import argparse
import time
from copy import deepcopy
from itertools import pairwise

import torch

from diffusion_lib.checkpoints import bundled, load_denoiser
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.evaluation import classify, features, frechet_distance, load_classifier, real_floor
from diffusion_lib.sampling import ddim, sample, walk
from diffusion_lib.times import uniform_times
from diffusion_lib.training import Draw, TrainingConfig, train

SHAPE = (1, 28, 28)


def bend(denoiser: Denoiser, labels: torch.Tensor, steps: int = 30) -> float:
    """E |velocity - chord|² per pixel, along paths of so many steps."""
    x = torch.randn(len(labels), *SHAPE, generator=torch.Generator().manual_seed(9))
    times = uniform_times(steps)
    stops = [x, *(state.x for state in walk(denoiser, x, times, ddim, cond=labels))]
    chord = stops[0] - stops[-1]  # dx/dt over the whole way, from t = 0 to 1
    velocities = [(a - b) * steps for a, b in pairwise(stops)]
    return torch.stack([(v - chord).square().mean() for v in velocities]).mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=1000, help="of training")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=5e-4)
    options = parser.parse_args()
    first = load_denoiser(bundled("mnist"))
    start = time.perf_counter()
    labels = torch.arange(options.pairs) % 10
    noise = torch.randn(options.pairs, *SHAPE, generator=torch.Generator().manual_seed(1))
    ends = sample(first, SHAPE, options.pairs, x=noise, cond=labels, steps=30, batch=125)
    print(f"{options.pairs} pairs: {time.perf_counter() - start:.0f} s", flush=True)

    def pairs(count: int, generator: torch.Generator) -> Draw:
        rows = torch.randint(options.pairs, (count,), generator=generator)
        return Draw(ends[rows], labels[rows], noise[rows])

    start = time.perf_counter()
    second = Denoiser(deepcopy(first.net), first.schedule, first.predicts, first.scale_input)
    config = TrainingConfig(
        steps=options.steps, batch=options.batch, lr=options.lr, weight="velocity", label_dropout=0.0, ema=0.99
    )
    *_, last = train(second, pairs, config, progress=False)
    print(f"{options.steps} training steps: {time.perf_counter() - start:.0f} s", flush=True)

    classifier = load_classifier(bundled("mnist_classifier"))
    train_set = load("mnist")
    real = features(train_set.x[:5000], classifier)
    print(f"floor {real_floor(features(train_set.x, classifier), 1000, None, against=5000)}")
    asked = torch.arange(1000) % 10
    for name, denoiser in (("first flow", first), ("after reflow", last.denoiser)):
        print(f"{name}: bend {bend(denoiser, asked[:200]):.4f}", flush=True)
        for steps in (1, 2, 4, 8, 30):
            x = sample(denoiser, SHAPE, 1000, cond=asked, steps=steps, seed=7, batch=125).clamp(-1, 1)
            right = (classify(x, classifier) == asked).double().mean().item()
            error = (right * (1 - right) / 1000) ** 0.5
            distance = frechet_distance(features(x, classifier), real)
            print(
                f"  {steps:2} steps: Fréchet {distance:6.2f}, read {100 * right:.1f} ± {100 * error:.1f} %", flush=True
            )


if __name__ == "__main__":
    main()
