"""Digits from nothing: how good after 15 s and after 60 s? Run by hand: ``python tests/benchmarks/training.py``.

Trains the model of notebook 00 three times, with different seeds. Prints medians of the time, of the share of samples that
a classifier gives their label, and of the Fréchet distance over its real-against-real floor at the same sample sizes.
``--clock cpu`` counts the time of the processor, for a machine that is busy with something else.
"""

import argparse
import statistics
import time

import torch

from diffusion_lib import evaluation
from diffusion_lib.data import load
from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import UNet
from diffusion_lib.sampling import sample
from diffusion_lib.schedules import Cosine
from diffusion_lib.training import TrainingConfig, train


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--early", type=float, default=15.0, help="seconds of the first look")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    options = parser.parse_args()
    clock = time.perf_counter if options.clock == "wall" else time.process_time

    data, test = load("digits"), load("digits", train=False)
    classifier = evaluation.load_classifier()
    both = torch.cat([data.x, test.x])
    floor = evaluation.real_floor(both, len(test), classifier, against=len(data), repeats=20).value

    def look(denoiser):
        x = sample(denoiser, (1, 8, 8), len(test), cond=test.labels, steps=20, batch=512).clamp(-1, 1)
        distance = evaluation.frechet(x, data.x, classifier)
        return evaluation.accuracy(x, test.labels, classifier).value, distance / floor

    table = []
    for seed in range(options.runs):
        torch.manual_seed(seed)
        denoiser = Denoiser(UNet(1, 8, width=32, multipliers=(1, 2), classes=10), Cosine(), "v")
        start, early, looking = clock(), None, 0.0
        config = TrainingConfig(steps=options.steps, lr=options.lr, warmup=50, seed=seed)
        for p in train(denoiser, data, config, progress=False):
            if early is None and clock() - start > options.early:
                before = clock()
                early = (p.step, *look(p.denoiser))
                looking = clock() - before
        seconds = clock() - start - looking
        table.append((*(early or (0, 0, 0)), seconds, *look(p.denoiser)))
        print("run", seed, [round(value, 3) for value in table[-1]], flush=True)
    step, right, ratio, seconds, right_end, ratio_end = (
        statistics.median(column) for column in zip(*table, strict=True)
    )
    print(f"threads {torch.get_num_threads()}, {options.clock} clock, floor {floor:.3f}")
    print(f"after {options.early:g} s (step {step:.0f}): {right:.1%} recognised, Fréchet / floor {ratio:.2f}")
    print(f"after {seconds:.0f} s (step {options.steps}): {right_end:.1%} recognised, Fréchet / floor {ratio_end:.2f}")


if __name__ == "__main__":
    main()
