"""What ``import diffusion_lib`` costs on top of torch. Run by hand: ``python tests/benchmarks/imports.py``.

Median of three fresh processes. "mathematics" is every module that notebooks 01 to 03 and 06 import.
"""

import statistics
import subprocess
import sys

CODE = """
import resource, time, torch
def cost():
    return time.perf_counter(), time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = cost()
{}
print(*(b - a for a, b in zip(before, cost())))
"""
CASES = {
    "import diffusion_lib": "import diffusion_lib",
    "mathematics": "from diffusion_lib import denoisers, gaussians, objective, predictions, sampling, schedules",
    "and training, data": "from diffusion_lib import checkpoints, data, networks, sampling, training",
}


def main():
    for name, code in CASES.items():
        runs = []
        for _ in range(3):
            done = subprocess.run([sys.executable, "-c", CODE.format(code)], capture_output=True, text=True, check=True)
            runs.append([float(value) for value in done.stdout.split()])
        wall, cpu, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name}: {wall:.2f} s (processor {cpu:.2f} s), {memory:.0f} MB on top of torch")


if __name__ == "__main__":
    main()
