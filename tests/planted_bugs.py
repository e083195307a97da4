"""Plant the mistakes that diffusion tutorials make, one at a time, and see that at least one test turns red.

Run by hand, from the project's folder (about ten minutes):  python tests/planted_bugs.py [NUMBER …]

Each row changes one line of a copy of the package and runs the tests that ought to notice. A row that no test notices,
or whose line is no longer there, is an error.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

# number, mistake, file, line as it is, line as it would be wrong, tests to run
BUGS = [
    (1, "terminal SNR far from 0 (a table that ends at half its beta)", "schedules.py",
     "return torch.linspace(self.start, self.end, self.timesteps, dtype=torch.float64)\n",
     "return torch.linspace(self.start, self.end / 2, self.timesteps, dtype=torch.float64)\n", "schedules sampling"),
    (2, "beta rescaled to 1 or more is let through", "schedules.py",
     "wrong = ~((betas > 0) & (betas < 1))", "wrong = betas.isnan()", "schedules"),
    (3, "cosine: grid off by one", "schedules.py",
     "return Cosine(self.s).betas(self.timesteps).clamp(max=self.max_beta)",
     "return Cosine(self.s).betas(self.timesteps + 1)[1:].clamp(max=self.max_beta)", "schedules parity"),
    (3, "cosine: wrong s", "schedules.py", "s: float = 0.008\n\n    def", "s: float = 0.08\n\n    def", "schedules"),
    (4, "a variance where a standard deviation belongs", "gaussians.py",
     "return self.mean + self.var.sqrt() * noise", "return self.mean + self.var * noise", "gaussians"),
    (5, "uniform noise for Gaussian", "gaussians.py", "noise = torch.randn(", "noise = torch.rand(", "gaussians"),
    (6, "noise multiplied in twice", "gaussians.py",
     "return self.mean + self.var.sqrt() * noise", "return self.mean + self.var.sqrt() * noise * noise.sign() * noise.abs() ** 0.5 * noise.abs() ** 0.5 * noise", "gaussians schedules"),
    (7, "sqrt(alpha_bar_t) for sqrt(alpha_t) in the posterior mean", "schedules.py",
     "weight_t = keep * noise_s / total", "weight_t = self._alpha(_time(t)) * noise_s / total", "schedules"),
    (8, "the posterior's variance is beta_t at every step", "schedules.py",
     "for w in (weight_t, weight_0, noise_s * var / total)", "for w in (weight_t, weight_0, var)", "schedules"),
    (9, "noise added at the last step", "sampling.py",
     "x = denoise.schedule.posterior(x, x0, s, t).sample(generator)",
     "x = denoise.schedule.posterior(x, x0, max(s, 0.02), t).sample(generator)", "sampling"),
    (10, "off by one: beta[t-1] for beta[t]", "schedules.py",
     "i = u.detach().floor().clamp(0, len(table) - 2).long()",
     "i = (u.detach().floor() - 1).clamp(0, len(table) - 2).long()", "schedules"),
    (10, "the last tenth of time is never trained", "training.py",
     "t = torch.rand(recipe.batch, generator=generator, dtype=torch.float64)\n",
     "t = 0.9 * torch.rand(recipe.batch, generator=generator, dtype=torch.float64)\n", "training"),
    (11, "DDIM: sigma left out of the direction's coefficient", "sampling.py",
     "(sigma**2 - var).sqrt() * found.eps", "sigma * found.eps", "sampling"),
    (12, "step spacing: starts at the wrong end", "schedules.py",
     "index = (total - k * total / steps).round()", "index = (total - 1 - k * total / steps).round()", "schedules"),
    (13, "pictures in [0, 1]", "data/pictures.py",
     "return transforms.Compose([transforms.ToTensor(), *resize, transforms.Normalize(0.5, 0.5)])",
     "return transforms.Compose([transforms.ToTensor(), *resize])", "data"),
    (14, "clipping x0 in one formula and not in the other", "denoisers.py",
     "return Prediction(x0, found.eps + moved * (found.x0 - x0))", "return Prediction(x0, found.eps)", "denoisers"),
    (15, "EMA kept but never sampled from", "training.py",
     "averaged = dataclasses.replace(denoiser, net=average.module)",
     "averaged = dataclasses.replace(denoiser, net=net)", "training"),
    (15, "EMA without warm-up", "training.py", "1 - min(decay, (1 + n) / (10 + n))", "1 - decay", "training"),
    (16, "mode not restored after sampling", "denoisers.py",
     "        if training:\n            net.train()\n", "        pass\n", "denoisers sampling"),
    (17, "guidance: w against 1 + w", "denoisers.py",
     "Prediction(x0_c, eps_c), self.scale)", "Prediction(x0_c, eps_c), 1 + self.scale)", "denoisers"),
    (17, "guidance: the null label is label 0", "denoisers.py",
     "torch.cat([torch.full_like(cond, NO_LABEL), cond])", "torch.cat([torch.zeros_like(cond), cond])", "denoisers"),
    (18, "the second look is at the old level", "sampling.py",
     "there = denoise(ahead, s, cond)", "there = denoise(ahead, t, cond)", "sampling"),
    (19, "a claimed order that is not reached (a wrong coefficient)", "sampling.py",
     "(log_t - log_before) / 2 * (x0 - x0_before)", "(log_t - log_before) / 3 * (x0 - x0_before)", "sampling"),
    (20, "flow: sign mixed between training and sampling", "sampling.py",
     "x = x + (s - t) * (dalpha", "x = x + (t - s) * (dalpha", "sampling"),
    (21, "targets mixed up: v with the other sign", "predictions.py",
     "(-sigma / torch.hypot(alpha, sigma), alpha / torch.hypot(alpha, sigma))",
     "(sigma / torch.hypot(alpha, sigma), alpha / torch.hypot(alpha, sigma))", "predictions"),
    (22, "KL with its sides swapped", "gaussians.py",
     "ratio = self.var / other.var", "ratio = other.var / self.var", "gaussians"),
    (22, "KL with a log-variance", "gaussians.py", "(ratio - 1 - ratio.log()", "(ratio - 1 - ratio", "gaussians"),
    (23, "the simple loss called the bound", "objective.py",
     "return (schedule.snr(s) - schedule.snr(t)) / 2 * (sigma", "return torch.ones_like(t) * (sigma", "objective"),
    (24, "the truth evaluated at the wrong time", "gaussians.py",
     "alpha**2 * self.variances + sigma**2)", "alpha**2 * self.variances + sigma)", "gaussians denoisers"),
    (25, "a t-blind network", "networks.py",
     "c = self.conditioning(t, cond, len(x))\n", "c = self.conditioning(0 * t, cond, len(x))\n", "networks"),
    (26, "straight interpolation of noise shrinks it", "sampling.py",
     "straight = angle.sin() <", "straight = angle.sin() <= 1 +", "sampling"),
    (27, "Fréchet distance without its cross term", "evaluation/metrics.py",
     "cov_a.trace() + cov_b.trace() - 2 * cross\n", "cov_a.trace() + cov_b.trace()\n", "evaluation"),
    (30, "noise never added", "objective.py",
     "denoise.output(alpha * x0 + sigma * noise, t, cond)", "denoise.output(x0, t, cond)", "objective"),
    (30, "the target is the input", "objective.py",
     "- (p * x0 + q * noise)", "- (alpha * x0 + sigma * noise)", "objective"),
    (30, "no zero_grad", "training.py", "        optimizer.zero_grad()\n", "", "training"),
    (30, "the last sample's loss for the batch's mean", "training.py",
     "last = Progress(step, losses.mean().item(), grad_norm", "last = Progress(step, losses[-1].item(), grad_norm", "training"),
]  # fmt: skip


def plant(number, mistake, file, right, wrong, tests):
    """The names of the tests that turned red."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("diffusion_lib", "tests", "assets"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / "diffusion_lib" / file
        text = path.read_text()
        if text.count(right) < 1:
            sys.exit(f"row {number} ({mistake}): {file} no longer has the line {right!r}")
        path.write_text(text.replace(right, wrong))
        files = [f"tests/test_{name}.py" for name in tests.split()]
        command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "--tb=no", *files]
        done = subprocess.run(
            command, cwd=copy, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(copy)}
        )
        return [
            line.split()[1].split("::")[-1] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))
        ]


def main(numbers):
    missed = []
    for bug in BUGS:
        if numbers and bug[0] not in numbers:
            continue
        red = plant(*bug)
        print(
            f"{bug[0]:>2}  {bug[1]}: {len(red)} red, e.g. {red[0]}" if red else f"{bug[0]:>2}  {bug[1]}: MISSED",
            flush=True,
        )
        if not red:
            missed.append(bug[1])
    return f"{len(missed)} planted bugs went unnoticed: {missed}" if missed else 0


if __name__ == "__main__":
    sys.exit(main({int(number) for number in sys.argv[1:]}))
