"""What working in latents saves: processor time of one network call and one training step, in pixels and in latents.

``python tests/benchmarks/latents.py``: 64 pictures of 32 × 32 × 3 against their latents of 8 × 8 × 4, networks of equal
width and depth a level (but for attention at 32 × 32, which pixels go without), medians of several runs, both in turn in one go so that other work on the machine disturbs both.
"""

import statistics
import time

import torch

from diffusion_lib.denoisers import Denoiser
from diffusion_lib.networks import Autoencoder, UNet, parameter_count
from diffusion_lib.objective import loss
from diffusion_lib.schedules import Flow

RUNS, BATCH, WIDTH = 7, 64, 64


def main():
    torch.manual_seed(0)
    nets = {
        "pixels": UNet(3, 32, width=WIDTH, multipliers=(1, 2), attention=(1,)),
        "pixels, 2 more levels": UNet(3, 32, width=WIDTH, multipliers=(1, 1, 1, 2), attention=(2, 3)),
        "pixels, 2 × 2 folded": UNet(3, 32, width=WIDTH, multipliers=(1, 1, 2), attention=(1, 2), patch=2),
        "latents": UNet(4, 8, width=WIDTH, multipliers=(1, 2), attention=(0, 1)),
    }
    seconds = {name: ([], []) for name in nets}
    for _ in range(RUNS):
        for name, net in nets.items():
            denoiser, x, t = Denoiser(net, Flow(), "x0"), torch.randn(BATCH, *net.shape), torch.rand(BATCH)
            start = time.process_time()
            with torch.no_grad():
                denoiser(x, t)
            middle = time.process_time()
            loss(denoiser, x, t, torch.randn_like(x)).mean().backward()
            seconds[name][0].append(middle - start)
            seconds[name][1].append(time.process_time() - middle)
    call, step = (statistics.median(times) for times in seconds["latents"])
    for name, net in nets.items():
        calls, steps = (statistics.median(times) for times in seconds[name])
        print(
            f"{name:22} {parameter_count(net) / 1e6:.2f} million weights, a call {1e3 * calls:6.1f} ms "
            f"({calls / call:.1f} × latents), a training step {1e3 * steps:6.1f} ms ({steps / step:.1f} ×)"
        )
    autoencoder, x, times = Autoencoder(), torch.randn(BATCH, 3, 32, 32), []
    with torch.no_grad():
        for _ in range(RUNS):
            start = time.process_time()
            autoencoder.decode(autoencoder.encode(x))
            times.append(time.process_time() - start)
    print(f"to latents and back, once: {1e3 * statistics.median(times):.1f} ms")


if __name__ == "__main__":
    main()
