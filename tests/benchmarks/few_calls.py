"""Do 12 network calls draw as well as 1000? ``python tests/benchmarks/few_calls.py mnist shapes [--count 1000]``.

Fréchet distance of the bundled model's samples to real pictures, in the features of the bundled classifier: 1000 ancestral
steps, beside fast samplers with at most 12 network calls. Each fast sampler runs with several seeds; the number behind ± is
the scatter from seed to seed for one set of ``count`` pictures, which the 1000 steps share. All sets are of equal size, so the
bias of a small set is in every row, and in the floor: what as many real pictures score.

The steps are even in time, even in log-SNR, or even in time and then shifted towards the noise, t -> 2t / (1 + t) (Esser et
al. 2024, section 5.3.2, whose shift is 3).
"""

import argparse
import time

import torch

from diffusion_lib.checkpoints import bundled, load_denoiser
from diffusion_lib.data import load
from diffusion_lib.evaluation import Estimate, classify, features, frechet_distance, load_classifier, real_floor
from diffusion_lib.sampling import sample
from diffusion_lib.times import log_snr_times, uniform_times

# name, steps, options: network calls are the steps, for heun 2 a step and 1 for the last
FAST = [
    ("dpmpp_2m", 8, {}),
    ("dpmpp_2m", 10, {}),
    ("dpmpp_2m", 12, {}),
    ("heun", 6, {}),
    ("ddim", 12, {}),
]

TIMES = {
    "time": lambda _, steps: uniform_times(steps),
    "log-SNR": log_snr_times,
    "shifted": lambda _, steps: [2 * t / (1 + t) for t in uniform_times(steps)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=["mnist", "shapes"])
    parser.add_argument("--count", type=int, default=1000, help="pictures in a set")
    parser.add_argument("--seeds", type=int, default=3, help="sets of each fast sampler")
    parser.add_argument("--long", type=int, default=1000, help="steps of the ancestral sampler")
    parser.add_argument("--only", choices=["fast", "long"], help="only the fast samplers, or only the long one")
    options = parser.parse_args()
    for name in options.names:
        compare(name, options)


def compare(name: str, options: argparse.Namespace) -> None:
    """Print a row a sampler."""
    denoiser = load_denoiser(bundled(name))
    classifier = load_classifier(bundled(f"{name}_classifier"))
    train = load(name) if name == "mnist" else load(name, count=6000, seed=1)
    real = features(train.x[:5000], classifier)
    labels = torch.arange(options.count) % len(train.classes)
    floor = real_floor(features(train.x, classifier), options.count, None, against=5000)
    print(f"{name}: {options.count} pictures, 5000 real ones; floor {floor}", flush=True)

    def row(step, steps, settings, seed, times=None):
        x = sample(denoiser, tuple(train.x.shape[1:]), options.count, cond=labels, step=step, steps=steps, times=times,
                   options=settings, seed=seed, batch=125).clamp(-1, 1)  # fmt: skip
        right = (classify(x, classifier) == labels).double().mean().item()
        return frechet_distance(features(x, classifier), real), right

    for even, spaced in () if options.only == "long" else TIMES.items():
        for step, steps, settings in FAST:
            times = spaced(denoiser.schedule, steps)
            rows = torch.tensor([row(step, steps, settings, seed, times) for seed in range(options.seeds)])
            distance = Estimate(rows[:, 0].mean().item(), rows[:, 0].std().item())
            print(f"  {step:9} {steps:4} steps, {even:7}  Fréchet {distance}  read {100 * rows[:, 1].mean():.1f} %",
                  flush=True)  # fmt: skip
    if options.only != "fast":
        start = time.perf_counter()
        distance, right = row("ancestral", options.long, {}, 0)
        print(f"  ancestral {options.long:4} steps  Fréchet {distance:.2f}  read {100 * right:.1f} %  "
              f"({time.perf_counter() - start:.0f} s)", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
