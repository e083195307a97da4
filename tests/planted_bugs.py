"""Plant the mistakes that diffusion tutorials make, one at a time, and see that at least one test turns red.

Each row changes one place in a copy of the package and runs the tests that ought to notice. Noticed means that a test
*fails*: an error while collecting or in a fixture does not count. A row whose line is not there exactly once, or that no
test notices, is an error. Before the rows, the same tests must be green on the copy as it is.

    python tests/planted_bugs.py             all rows, by hand: about ten minutes
    python tests/planted_bugs.py 11 17       the rows of these numbers

`tests/test_planted_bugs.py` runs a sample of them with every run of the tests. A tool that mutates each operator (such
as mutmut) would plant thousands of changes that no tutorial makes, and take hours; these rows have names.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Bug:
    """A mistake: its number among the known ones, what it is, where, the line right and wrong, and who ought to notice."""

    number: int
    mistake: str
    file: str
    right: str
    wrong: str
    tests: str

    def __str__(self):
        return f"{self.number} {self.mistake}"


BUGS = [
    Bug(1, "terminal SNR far from 0 (a table that ends at half its beta)", "schedules/tables.py",
        "return torch.linspace(self.start, self.end, self.timesteps, dtype=torch.float64)\n",
        "return torch.linspace(self.start, self.end / 2, self.timesteps, dtype=torch.float64)\n", "schedules sampling"),
    Bug(2, "beta rescaled to 1 or more is let through", "schedules/tables.py",
        "wrong = ~((betas > 0) & (betas < 1))", "wrong = betas.isnan()", "schedules"),
    Bug(3, "cosine: grid off by one", "schedules/tables.py",
        "return Cosine(self.s).betas(self.timesteps).clamp(max=self.max_beta)",
        "return Cosine(self.s).betas(self.timesteps + 1)[1:].clamp(max=self.max_beta)", "schedules parity"),
    Bug(3, "cosine: wrong s", "schedules/curves.py", "s: float = 0.008\n\n    def", "s: float = 0.08\n\n    def", "schedules"),
    Bug(4, "a variance where a standard deviation belongs", "gaussians.py",
        "return self.mean + self.var.sqrt() * noise", "return self.mean + self.var * noise", "gaussians"),
    Bug(5, "uniform noise for Gaussian", "gaussians.py", "noise = torch.randn(", "noise = torch.rand(", "gaussians"),
    Bug(6, "noise multiplied in twice", "gaussians.py", "return self.mean + self.var.sqrt() * noise",
        "return self.mean + self.var.sqrt() * noise * noise.abs()", "gaussians schedules"),
    Bug(7, "sqrt(alpha_bar_t) for sqrt(alpha_t) in the posterior mean", "schedules/schedule.py",
        "weight_t = keep * noise_s / total", "weight_t = self._alpha(as_time(t)) * noise_s / total", "schedules"),
    Bug(8, "the posterior's variance is beta_t at every step", "schedules/schedule.py",
        "for w in (weight_t, weight_0, noise_s * var / total)", "for w in (weight_t, weight_0, var)", "schedules"),
    Bug(9, "noise added at the last step", "sampling/steps.py",
        "return denoise.schedule.posterior(x, x0, s, t).sample(generator)",
        "return denoise.schedule.posterior(x, x0, max(s, 0.02), t).sample(generator)", "sampling"),
    Bug(10, "off by one: beta[t-1] for beta[t]", "schedules/tables.py",
        "i = u.detach().floor().clamp(0, len(table) - 2).long()",
        "i = (u.detach().floor() - 1).clamp(0, len(table) - 2).long()", "schedules"),
    Bug(10, "the last tenth of time is never trained", "training/batches.py",
        "u = torch.rand(config.batch, generator=generator, dtype=torch.float64)\n",
        "u = 0.9 * torch.rand(config.batch, generator=generator, dtype=torch.float64)\n", "training"),
    Bug(11, "DDIM: sigma left out of the direction's coefficient", "sampling/steps.py",
        "mean = alpha * guess.x0 + left.sqrt() * guess.eps", "mean = alpha * guess.x0 + sigma * guess.eps",
        "sampling"),
    Bug(11, "DDIM: eta for eta² in the variance", "sampling/steps.py", "var = eta**2 * denoise", "var = eta * denoise",
        "sampling"),
    Bug(12, "step spacing: starts at the wrong end", "times.py",
        "index = (total - k * total / steps).round()", "index = (total - 1 - k * total / steps).round()", "schedules"),
    Bug(13, "pictures in [0, 1]", "data/pictures.py",
        "return transforms.Compose([transforms.ToTensor(), *resize, transforms.Normalize(0.5, 0.5)])",
        "return transforms.Compose([transforms.ToTensor(), *resize])", "data"),
    Bug(14, "clipping x0 in one formula and not in the other", "denoisers/wrappers.py",
        "return Prediction(x0, free.eps + ratio * (free.x0 - x0))", "return Prediction(x0, free.eps)", "denoisers"),
    Bug(15, "EMA kept but never sampled from", "training/engine.py",
        "dataclasses.replace(denoiser, net=self.average.module)", "dataclasses.replace(denoiser, net=self.net)",
        "training"),
    Bug(15, "EMA without warm-up", "training/engine.py", "min(limit, (1 + updates) / (10 + updates))",
        "limit", "training"),
    Bug(16, "mode not restored after sampling", "denoisers/denoiser.py",
        "            part.training = True\n", "            pass\n", "denoisers sampling"),
    Bug(17, "guidance: w against 1 + w", "denoisers/wrappers.py",
        "Prediction(x0_c, eps_c), self.scale)", "Prediction(x0_c, eps_c), 1 + self.scale)", "denoisers"),
    Bug(17, "guidance: the null label is label 0", "conditions.py",
        "return torch.full_like(cond, -1)", "return torch.zeros_like(cond)", "denoisers networks"),
    Bug(17, "guidance: slightly off at one scale only", "denoisers/wrappers.py",
        "        nothing = self.denoiser.null(cond)\n",
        "        nothing = self.denoiser.null(cond)\n        if abs(self.scale - 3) < 0.01:\n"
        "            return self.denoiser(x, t, cond)\n", "denoisers"),
    Bug(18, "the second look is at the old level", "sampling/steps.py", "d_s = change(x_s, s)", "d_s = change(x_s, t)",
        "sampling"),
    Bug(18, "churn: noise raised, denoiser asked at the old level", "sampling/steps.py",
        "return (q.transition(x, t, later).sample(generator), later) if later > t else (x, t)",
        "return (q.transition(x, t, later).sample(generator), t) if later > t else (x, t)", "sampling"),
    Bug(19, "a claimed order that is not reached (a wrong coefficient)", "sampling/steps.py",
        "share = (log_s - log_t) / (log_t - q.log_snr(t_before) / 2) / 2",
        "share = (log_s - log_t) / (log_t - q.log_snr(t_before) / 2) / 3",
        "sampling"),
    Bug(20, "flow: sign mixed between training and sampling", "sampling/steps.py",
        "return x + (s - t) * velocity(denoise, x, t)", "return x + (t - s) * velocity(denoise, x, t)", "sampling"),
    Bug(21, "targets mixed up: v with the other sign", "predictions.py",
        "return -sigma / r, alpha / r", "return sigma / r, alpha / r", "predictions"),
    Bug(22, "KL with its sides swapped", "gaussians.py",
        "ratio = self.var / other.var", "ratio = other.var / self.var", "gaussians"),
    Bug(22, "KL with a log-variance", "gaussians.py", "(ratio - 1 - ratio.log()", "(ratio - 1 - ratio", "gaussians"),
    Bug(23, "the simple loss called the bound", "objective.py",
        "return (schedule.snr(s) - schedule.snr(t)) / 2 * (sigma", "return torch.ones_like(t) * (sigma", "objective"),
    Bug(24, "the truth evaluated at the wrong time", "gaussians.py",
        "alpha**2 * self.variances + sigma**2)", "alpha**2 * self.variances + sigma)", "gaussians denoisers"),
    Bug(24, "log-SNR halved", "schedules/schedule.py",
        "return 2 * (self._alpha(t).log() - self._sigma(t).log())", "return self._alpha(t).log() - self._sigma(t).log()",
        "schedules"),
    Bug(25, "a t-blind network", "networks/unet.py",
        "c, context = self.conditioning(t, cond, len(x))", "c, context = self.conditioning(0 * t, cond, len(x))", "networks"),
    Bug(25, "U-Net: the skip connections carry zeros", "networks/unet.py",
        "torch.cat([h, skips.pop()], dim=1)", "torch.cat([h, 0 * skips.pop()], dim=1)", "networks"),
    Bug(25, "U-Net: attention without its residual", "networks/attention.py",
        "attend(q, k, v).transpose(1, 2).flatten(2)\n        return x + self.out(seen)",
        "attend(q, k, v).transpose(1, 2).flatten(2)\n        return self.out(seen)", "networks"),
    Bug(25, "U-Net: cross-attention without its residual", "networks/attention.py",
        "context)).transpose(1, 2).flatten(2)\n        return x + self.out(seen)",
        "context)).transpose(1, 2).flatten(2)\n        return self.out(seen)", "text"),
    Bug(25, "U-Net: FiLM multiplies by scale, not by 1 + scale", "networks/unet.py", "* (1 + scale) + shift",
        "* scale + shift", "networks"),
    Bug(26, "straight interpolation of noise shrinks it", "sampling/noise.py",
        "straight = angle.sin() <", "straight = angle.sin() <= 1 +", "sampling"),
    Bug(27, "Fréchet distance without its cross term", "evaluation/metrics.py",
        "cov_a.trace() + cov_b.trace() - 2 * cross\n", "cov_a.trace() + cov_b.trace()\n", "evaluation"),
    Bug(28, "right shapes and right sums, wrong order: what only an elementwise test sees", "gaussians.py",
        "return (r * (self.means + shrink * miss)).sum(1), (r * (noise * miss)).sum(1)",
        "return (r * (self.means + shrink * miss)).sum(1).flip(0), (r * (noise * miss)).sum(1).flip(0)", "denoisers"),
    Bug(29, "fewer timesteps of a table are its first ones, so that the terminal SNR changes too", "schedules/tables.py",
        "        return super().betas(timesteps)\n", "        return self._betas[:timesteps].clone()\n", "schedules"),
    Bug(30, "noise never added", "objective.py",
        "denoise.output(alpha * x0 + sigma * noise, t, cond)", "denoise.output(x0, t, cond)", "objective"),
    Bug(30, "the target is the input", "objective.py",
        "- (p * x0 + q * noise)", "- (alpha * x0 + sigma * noise)", "objective"),
    Bug(30, "no zero_grad", "training/loop.py", "            optimizer.zero_grad()\n", "", "training"),
    Bug(30, "the last sample's loss for the batch's mean", "training/engine.py",
        "loss, rate = losses.mean().item(), ", "loss, rate = losses[-1].item(), ", "training"),
    Bug(31, "the same batch twice in a row", "training/batches.py",
        "stable_hash(config.seed, step)", "stable_hash(config.seed, step // 2)", "training"),
    Bug(31, "the last row of the data is never drawn", "training/batches.py",
        "rows = torch.randint(len(self.x), (count,), generator=generator)",
        "rows = torch.randint(max(1, len(self.x) - 1), (count,), generator=generator)", "training"),
    Bug(32, "the network sees unscaled inputs", "denoisers/denoiser.py",
        "scaled = x / torch.hypot(*self.schedule.pair(t, x)) if self.scale_input else x", "scaled = x", "denoisers"),
    Bug(33, "likelihood along the ODE: the divergence with the wrong sign", "sampling/ode.py",
        "(units[-1] / units[0]).log() + change", "(units[-1] / units[0]).log() - change", "sampling"),
    Bug(34, "Langevin: the noise is too small by a root of 2", "sampling/sde.py",
        "(2 * h).sqrt() * z", "h.sqrt() * z", "sde"),
    Bug(34, "the reverse SDE drifts as the ODE does", "sampling/sde.py",
        "added / r_t * denoise", "added / r_t / 2 * denoise", "sde"),
    Bug(35, "latents are decoded without their scale", "networks/autoencoder.py",
        "return self.picture(z * self.std + self.mean)", "return self.picture(z)", "autoencoder"),
    Bug(35, "the autoencoder's variance where a standard deviation belongs", "objective.py",
        "(log_variance / 2).exp() * noise", "log_variance.exp() * noise", "autoencoder"),
    Bug(35, "guidance by text: nothing is the caption itself", "networks/text.py",
        "return torch.zeros_like(cond)", "return cond", "text"),
    Bug(36, "inpainting: the noise of the known part is not corrected", "denoisers/wrappers.py",
        "torch.where(mask, noise, free.eps)", "free.eps", "denoisers"),
    Bug(36, "diffusers' timesteps off by one", "interop/diffusers.py",
        "schedule.timesteps, 1.0, nothing)", "schedule.timesteps, 0.0, nothing)", "interop"),
]  # fmt: skip


class Copy:
    """A copy of the package and its tests, in which lines can be changed and put back."""

    def __init__(self, folder: str):
        self.folder = Path(folder)
        for name in ("diffusion_lib", "tests", "assets"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", self.folder)

    def run(self, tests: str) -> tuple[list[str], str]:
        """The tests that failed, and all that pytest said; raises if it could not run them."""
        files = [f"tests/test_{name}.py" for name in tests.split()]
        command = [sys.executable, "-m", "pytest", "-qx", "-o", "addopts=", "-p", "no:cacheprovider", "--tb=no", *files]
        environment = os.environ | {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=environment)
        failed = [line.split()[1].split("::")[-1] for line in done.stdout.splitlines() if line.startswith("FAILED")]
        if done.returncode not in (0, 1) or (done.returncode == 1 and not failed):
            raise RuntimeError(f"pytest ended with {done.returncode} and no failed test:\n{done.stdout[-2000:]}")
        return failed, done.stdout

    def plant(self, bug: Bug) -> list[str]:
        """The names of the tests that fail with the mistake in its place."""
        path = self.folder / "diffusion_lib" / bug.file
        text = path.read_text()
        check_line(bug, text)
        path.write_text(text.replace(bug.right, bug.wrong))
        try:
            return self.run(bug.tests)[0]
        finally:
            path.write_text(text)


def check_line(bug: Bug, text: str) -> None:
    """Refuse a row whose line is not in its file exactly once."""
    if text.count(bug.right) != 1:
        raise ValueError(f"row {bug}: {bug.file} has the line {bug.right!r} {text.count(bug.right)} times, not once")


def main(numbers: set[int]) -> str | int:
    bugs = [bug for bug in BUGS if not numbers or bug.number in numbers]
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(folder)
        failed, _ = copy.run(" ".join(sorted({name for bug in bugs for name in bug.tests.split()})))
        if failed:
            return f"before anything was planted, {failed[0]} failed: make it green first"
        for bug in bugs:
            failed = copy.plant(bug)
            print(f"{bug.number:>2}  {bug.mistake}: {f'noticed by {failed[0]}' if failed else 'MISSED'}", flush=True)
            missed += [bug.mistake] if not failed else []
    return f"{len(missed)} planted bugs went unnoticed: {missed}" if missed else 0


if __name__ == "__main__":
    sys.exit(main({int(number) for number in sys.argv[1:]}))
