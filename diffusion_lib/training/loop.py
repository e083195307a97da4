r"""The training loop: minimise the mean squared error over data, times and noise.

.. math::
    \min_\theta\; E_{x_0,\,t,\,\varepsilon}\,
    \bigl\|y_\theta(\alpha_t x_0 + \sigma_t\varepsilon,\,t) - (p_t x_0 + q_t\varepsilon)\bigr\|^2

(Ho et al. 2020, algorithm 1, for any target). Around that one line stand the usual aids:

* what a step draws: stratified times, label dropout (:mod:`~diffusion_lib.training.batches`);
* the learning rate rises over ``warmup`` steps and falls along half a cosine to 0 (Loshchilov & Hutter 2017);
* the gradient's norm is clipped (Pascanu et al. 2013);
* *EMA*: samples come from an exponential moving average of the weights,
  w̄ ← d w̄ + (1 - d) w with d = min(ema, (1 + n) / (10 + n)) after n updates, so that the start is soon forgotten.

Taught in notebook 05.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import nn

from ..denoisers import Denoiser
from ..objective import WEIGHTS, loss
from .batches import Data, draw_batch
from .config import TrainingConfig
from .engine import Run
from .progress import Progress


def train(
    denoiser: Denoiser,
    data: Data,
    config: TrainingConfig = TrainingConfig(),  # noqa: B008 it is frozen
    *,
    folder: str | Path | None = None,  # where checkpoints are written
    every: int = 500,  # steps between two checkpoints
    progress: bool = True,  # show a progress bar
) -> Iterator[Progress]:
    """Train ``denoiser.net`` in place, one step at a time: ``for p in train(...)``. Taught in notebook 05.

    ``data`` is one of

    * a data set, whose labels are used if the network takes a condition;
    * a tensor (N, …) of pictures, points or latents;
    * a pair (x, cond) of such a tensor and the conditions of its N rows: labels, tokens, a tuple or a dict of several;
    * a function of your own, ``draw(count, generator) -> Draw(x0, cond, noise)``: fresh drawings without end, or pairs
      that bring their noise. It takes every random number from ``generator``, which depends on the seed and the step
      alone, so that a resumed run draws the same. A file knows it by its name and by what it draws first.

    With a ``folder``, a checkpoint is written there every ``every`` steps, at the end, and when the loop is left early
    (``break``). If one is there already, training goes on behind it; if it is complete, its last step is given again.
    Options are checked, and a checkpoint is loaded, when the function is called.

    Raises:
        ValueError: an option out of range, or a checkpoint of other options, network or data (says which).
        FloatingPointError: the loss or the gradient is not finite (says at which step); the last checkpoint is kept.
        OSError: the folder cannot be written.
    """
    return training_steps(Run(denoiser, data, config, folder=folder, every=every, progress=progress))


def training_steps(run: Run) -> Iterator[Progress]:
    """The loop itself; ``run`` deals with processes, precision, checkpoints and the progress bar."""
    config, net, optimizer = run.config, run.net, run.optimizer
    if run.finished:
        yield run.last
        return
    with run:
        for step in run.steps():
            batch = draw_batch(run.draw, config, step, null=run.null)  # the same on every process
            x0, t, noise, cond = run.share(batch)
            with run.autocast, run.chance(step):
                losses = loss(run.denoiser, x0, t, noise, cond, weight=WEIGHTS[config.weight])
            optimizer.zero_grad()
            run.engine.backward(losses.mean())
            grad_norm = nn.utils.clip_grad_norm_(net.parameters(), config.clip)
            losses = run.gather(losses)
            run.check_finite(step, losses, grad_norm)
            for group in optimizer.param_groups:
                group["lr"] = config.rate(step)
            optimizer.step()
            run.average.update_parameters(net)
            yield run.finish(step, losses, grad_norm, batch.t)
