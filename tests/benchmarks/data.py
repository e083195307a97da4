"""How long the data sets take, medians of three runs: `python tests/benchmarks/data.py`."""

import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from diffusion_lib import data


def seconds(call) -> float:
    """The median time of three calls, after one to warm up."""
    call()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"10 000 shapes at 32 × 32   {seconds(lambda: data.load('shapes', count=10_000)):6.2f} s   (at most 5)")
    print(f"10 000 shapes at 64 × 64   {seconds(lambda: data.load('shapes', size=64, count=10_000)):6.2f} s")
    fresh, generator = data.Fresh("shapes"), torch.Generator().manual_seed(0)
    print(f"64 fresh shapes, a batch   {1000 * seconds(lambda: fresh(64, generator)):6.1f} ms")
    pictures = data.load("shapes", count=1000).x
    print(f"attributes of 1000 shapes  {seconds(lambda: data.shapes.recognise(pictures)):6.2f} s")
    print(f"1442 digits                {seconds(lambda: data.load('digits')):6.2f} s")
    print(f"9000 of mnist              {seconds(lambda: data.load('mnist')):6.2f} s")
    print(f"1449 emoji                 {seconds(lambda: data.load('emoji')):6.2f} s")
    print(f"10 000 points              {seconds(lambda: data.load('mixture')):6.2f} s")
