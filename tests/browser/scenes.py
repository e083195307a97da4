"""The widgets that the browser tests look at, as source for notebook cells; the tests run it too, to know what is right."""

FRAMES = """
import numpy as np
from diffusion_lib.course import widgets
r = np.random.default_rng(0)
x = r.normal(size=(21, 4, 3, 8, 8)).astype("float32")
x[3, 1, :, 2, 5], x[3, 2, 0, 1, 1] = np.nan, np.inf
y = np.tanh(x[:, :, :1].cumsum(0) / 4)
times = np.linspace(1, 0, 21)
y[~np.isfinite(y)] = 0
SNR = [float("inf") if t == 0 else (1 - t) ** 2 / t**2 for t in times]
frames = widgets.scrub({"x_t": x, "<b>x̂0</b>": y}, times=times, values={"SNR": SNR}, columns=2, alt="Noise <i>turns</i> clear.")
"""

NOISING = """
x0, noise = np.sign(x[0, :, :1]), x[1, :, :1]
t = np.linspace(0, 1, 101)
alpha, sigma = np.cos(t * np.pi / 2), np.sin(t * np.pi / 2)
noising = widgets.Noising(x0, noise, alpha, sigma, t, columns=2)
"""

OTHERS = """
curves = widgets.Curves(t, {"exact": alpha, "estimated": (alpha + 0.01, 0.05)}, values={"SNR": alpha / np.maximum(sigma, 0.1)})
cloud = alpha[:, None, None] * np.sign(r.normal(size=(300, 2))) + sigma[:, None, None] * r.normal(size=(300, 2))
points = widgets.Points(t, cloud, paths=3, density=np.ones((64, 64)), field=np.ones((16, 16, 2)))
bars = widgets.Points(t, cloud[..., :1], density=np.ones(201) / 4)
gaussians = widgets.Gaussians(t, (alpha, sigma**2 + 0.01), (0.0, 1.0))
"""

ALL = FRAMES + NOISING + OTHERS


def scene() -> dict:
    """What the source above defines, run here."""
    made: dict = {}
    exec(ALL, made)
    return made
