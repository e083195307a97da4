"""64 digits from the bundled model in 20 steps: how long? Run by hand: ``python tests/benchmarks/sampling.py``.

Prints the median of three runs, by the wall clock and by the processor's, with the model loaded before; and the same for
shapes if they are bundled.
"""

import statistics
import time

import torch

from diffusion_lib.checkpoints import bundled, describe, load_denoiser
from diffusion_lib.sampling import sample


def main():
    for name in ("digits", "shapes"):
        try:
            path = bundled(name)
        except FileNotFoundError:
            continue
        before = time.perf_counter()
        denoiser, made = load_denoiser(path), describe(path)
        loading = time.perf_counter() - before
        wall, cpu = [], []
        for seed in range(3):
            start = time.perf_counter(), time.process_time()
            cond = torch.arange(64) % len(made.data["classes"])
            sample(denoiser, made.data["shape"], 64, cond=cond, steps=20, seed=seed)
            wall.append(time.perf_counter() - start[0])
            cpu.append(time.process_time() - start[1])
        print(f"{name}: loaded in {loading:.2f} s; 64 samples, 20 steps: {statistics.median(wall):.2f} s (processor "
              f"{statistics.median(cpu):.2f} s) with {torch.get_num_threads()} threads")  # fmt: skip


if __name__ == "__main__":
    main()
